//! `reconciliation case`: what does not add up, who sees to it, how it ends.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use domain::{Amount, BusinessDate, Clock};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Failure, say};
use crate::approval::Person;
use crate::cases::repo::{Case, cases, history};
use crate::cases::{Outcome, age, note, propose, settle};
use crate::config::Config;

/// What is asked about cases.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the cases that are not settled, the soonest due first.
    List {
        /// Also the settled ones.
        #[arg(long)]
        all: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints how many cases are open, how old, and how much money hangs on them.
    Ageing {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints a case with both sides' records and its history.
    Show {
        /// Its code.
        code: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Notes something, and says who sees to it; takes a proposed outcome back.
    Note {
        /// Its code.
        code: String,
        /// Who notes it.
        #[arg(long, value_name = "PERSON")]
        by: Person,
        /// Who sees to it from now on.
        #[arg(long, value_name = "PERSON")]
        owner: Option<Person>,
        /// What there is to say.
        #[arg(long)]
        note: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Proposes how a case ends.
    Propose(Propose),
    /// Settles a case as the second person, and moves its money.
    Settle {
        /// Its code.
        code: String,
        /// Who settles.
        #[arg(long, value_name = "PERSON")]
        by: Person,
        /// Why.
        #[arg(long)]
        note: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// How a case is to end; the books stand where nothing is said.
#[derive(Debug, Args)]
pub struct Propose {
    /// Its code.
    code: String,
    /// Who proposes.
    #[arg(long, value_name = "PERSON")]
    by: Person,
    /// Why.
    #[arg(long)]
    note: String,
    /// The toll that was wrong, by its number in `transfer_v1`; the books stand where absent.
    #[arg(long, requires = "into")]
    correct: Option<i64>,
    /// The account that a toll is charged to which never came to the books.
    #[arg(long, value_name = "ACCOUNT", conflicts_with = "correct", requires = "right")]
    #[arg(requires = "into")]
    charge: Option<i64>,
    /// What it should have been; nothing where absent.
    #[arg(long, value_name = "AMOUNT")]
    right: Option<i64>,
    /// The open day the correction is posted into.
    #[arg(long, value_name = "YYYY-MM-DD")]
    into: Option<BusinessDate>,
    /// The payment that a bank's line was about, by its number.
    #[arg(long, value_name = "END-TO-END", conflicts_with_all = ["correct", "charge", "right"])]
    assign: Option<String>,
    /// The bank has put it right, as its statements show.
    #[arg(long, conflicts_with_all = ["correct", "charge", "right", "theirs", "assign"])]
    booked: bool,
    /// The other side corrects its own.
    #[arg(long, conflicts_with_all = ["correct", "charge", "assign"])]
    theirs: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Propose {
    fn outcome(&self) -> Result<Outcome, Failure> {
        let right = self.right.map(Amount::try_new).transpose()?;
        match (self.correct, self.charge.zip(right), self.into) {
            (Some(transfer), _, Some(day)) => Ok(Outcome::Corrected { transfer, right, day }),
            (None, Some((account, amount)), Some(day)) => {
                Ok(Outcome::Charged { account, amount, day })
            }
            (None, None, None) if right.is_none() => Ok(match &self.assign {
                Some(end_to_end) => Outcome::Assigned { end_to_end: end_to_end.clone() },
                None if self.booked => Outcome::Booked,
                None if self.theirs => Outcome::TheirsCorrected,
                None => Outcome::Stands,
            }),
            (None, None | Some(_), None | Some(_)) | (Some(_), _, None) => {
                Err("--right and --into belong to --correct or --charge".into())
            }
        }
    }
}

/// Does what was asked.
///
/// # Errors
/// When it is refused, or the books fail.
pub async fn run(pool: &PgPool, config: &Config, what: &Command) -> Result<ExitCode, Failure> {
    let now = Clock::of_run(config.clock).now();
    match what {
        Command::List { all, json } => {
            let cases = cases(pool, *all).await?;
            if *json {
                say(&Value::from(cases.iter().map(object_of).collect::<Vec<_>>()).to_string())?;
            } else {
                cases.iter().try_for_each(|case| say(&line_of(case)))?;
            }
        }
        Command::Ageing { json } => ageing(&cases(pool, false).await?, now, *json)?,
        Command::Show { code, json } => show(pool, code, *json).await?,
        Command::Note { code, by, owner, note: text, json } => {
            note(pool, code, by, owner.as_ref(), text, now).await?;
            let noted = json!({"case": code, "noted_by": by.as_str()});
            say(&if *json { noted.to_string() } else { format!("{code} noted by {by}") })?;
        }
        Command::Propose(what) => {
            let (outcome, Propose { code, by, .. }) = (what.outcome()?, what);
            propose(pool, code, by, &outcome, &what.note, now).await?;
            let object = json!({"case": code, "proposed_by": by.as_str(), "outcome": outcome});
            let words = format!("{code} proposed by {by}; another person settles");
            say(&if what.json { object.to_string() } else { words })?;
        }
        Command::Settle { code, by, note, json } => {
            let outcome = settle(pool, code, by, note, now).await?;
            let words = format!("{code} settled by {by}: {}", serde_json::to_string(&outcome)?);
            let object = json!({"case": code, "settled_by": by.as_str(), "outcome": outcome});
            say(&if *json { object.to_string() } else { words })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn object_of(case: &Case) -> Value {
    json!({
        "code": case.code,
        "kind": case.kind,
        "operator": case.operator.as_str(),
        "day": case.day.to_string(),
        "subject": case.subject,
        "ours": case.ours,
        "theirs": case.theirs,
        "amount": case.amount.minor_units(),
        "opened_at": case.opened_at.to_string(),
        "due_at": case.due_at.to_string(),
        "state": case.state,
        "owner": case.owner,
        "outcome": case.outcome,
    })
}

fn line_of(case: &Case) -> String {
    let Case { code, kind, operator, day, amount, due_at, state, .. } = case;
    let owner = case.owner.as_deref().unwrap_or("nobody");
    format!("{code}  {kind:<14} {operator} {day}  {amount:>14}  due {due_at}  {state:<8} {owner}")
}

fn ageing(cases: &[Case], now: domain::Timestamp, as_json: bool) -> Result<(), Failure> {
    let mut ages: BTreeMap<(&str, &str), (u64, Amount)> = BTreeMap::new();
    for case in cases {
        let (count, sum) = ages.entry((age(case.opened_at, now), &case.kind)).or_default();
        *count += 1;
        *sum = sum.plus(case.amount)?;
    }
    if as_json {
        let object = |((age, kind), (cases, amount)): (&(&str, &str), &(u64, Amount))| json!({"age": age, "kind": kind, "cases": cases, "amount": amount.minor_units()});
        say(&Value::from(ages.iter().map(object).collect::<Vec<_>>()).to_string())?;
        return Ok(());
    }
    for ((age, kind), (count, amount)) in &ages {
        say(&format!("{age:<18} {kind:<14} {count:>8} {amount:>18}"))?;
    }
    Ok(())
}

async fn show(pool: &PgPool, code: &str, as_json: bool) -> Result<(), Failure> {
    let all = cases(pool, true).await?;
    let Some(case) = all.iter().find(|case| case.code == code) else {
        return Err(format!("there is no case {code}").into());
    };
    let history = history(pool, code).await?;
    if as_json {
        let event = |(at, actor, state, note): &(domain::Timestamp, String, String, String)| json!({"at": at.to_string(), "actor": actor, "state": state, "note": note});
        let mut object = object_of(case);
        object["history"] = history.iter().map(event).collect();
        say(&object.to_string())?;
        return Ok(());
    }
    say(&line_of(case))?;
    let side = |record: &Option<String>| record.clone().unwrap_or_else(|| "nothing".to_owned());
    say(&format!("ours    {}\ntheirs  {}", side(&case.ours), side(&case.theirs)))?;
    for (at, actor, state, note) in history {
        say(&format!("{at}  {state:<8} {actor}  {note}"))?;
    }
    Ok(())
}
