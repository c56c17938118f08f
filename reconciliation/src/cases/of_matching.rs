//! What a matching found, as cases: one for each finding that does not agree.
//!
//! A case is *about* the name that both sides have for the thing, or the one that the only side has;
//! where there is none, about station, time and amount, never tag or plate. So the same difference
//! found again, in the same files or in files that were sent again, is the same case.

use std::path::PathBuf;

use domain::time::SettlementCalendar;
use domain::{Amount, BusinessDate, OperatorId, Timestamp};
use sqlx::PgPool;

use super::{Finding, Kind};
use crate::matching::{Class, ClassTotals, MatchError, Plan, Rules, match_rows};
use crate::settlement::SettlementError;
use crate::settlement::repo::operators;
use crate::sides::again::Again;
use crate::sides::outcome::{OutcomeError, Spool, Told, Wanted, tell};
use crate::sides::table::{Shown, Table};

/// As many differences as a matching may have to be made into cases: more are no differences, but the
/// wrong files.
pub const CASES_MAX: usize = 10_000;

/// Why the differences of two sides could not be told as cases.
#[derive(Debug, thiserror::Error)]
pub enum DifferencesError {
    /// The matching failed.
    #[error(transparent)]
    Match(#[from] MatchError),
    /// What it found could not be read again.
    #[error(transparent)]
    Outcome(#[from] OutcomeError),
    /// So many that something else is wrong.
    #[error(
        "{0} differences, and {CASES_MAX} become cases at most: are these the files of the same days?"
    )]
    TooMany(u64),
}

/// Whose settlement a matching is about.
#[derive(Debug, Clone)]
pub struct About {
    /// The operator.
    pub operator: OperatorId,
    /// The operator's days.
    pub calendar: SettlementCalendar,
    /// The day of a row that says no time, or none that we can read.
    pub day: BusinessDate,
}

/// Matches two sides, and gives the totals and what does not agree.
///
/// # Errors
/// When a side cannot be read, the disk fails, or there are more than [`CASES_MAX`].
pub fn differences(
    (ours, theirs): (&Table, &Table),
    rules: &Rules,
    plan: &Plan,
    about: &About,
) -> Result<(ClassTotals, Vec<Finding>), DifferencesError> {
    let spool = || Spool::new(Wanted::Differences, &plan.folder);
    let (totals, spools) = match_rows(ours, theirs, rules, plan, spool)?;
    let mut differences = Differences::new(about);
    tell(spools, ours, theirs, rules, |told| {
        differences.take(told);
        Ok(())
    })?;
    Ok((totals, differences.finish()?))
}

/// What does not agree, as it is told.
#[derive(Debug)]
pub struct Differences<'a> {
    about: &'a About,
    findings: Vec<Finding>,
    told: u64,
}

impl<'a> Differences<'a> {
    /// None yet.
    #[must_use]
    pub const fn new(about: &'a About) -> Self {
        Self { about, findings: Vec::new(), told: 0 }
    }

    /// Takes a finding, unless both sides agree in it.
    pub fn take(&mut self, told: &Told<'_>) {
        let finding = self.about.finding(told);
        self.told += u64::from(finding.is_some());
        if self.findings.len() < CASES_MAX {
            self.findings.extend(finding);
        }
    }

    /// All of them.
    ///
    /// # Errors
    /// When there are more than [`CASES_MAX`].
    pub fn finish(self) -> Result<Vec<Finding>, DifferencesError> {
        if self.told > CASES_MAX as u64 {
            return Err(DifferencesError::TooMany(self.told));
        }
        Ok(self.findings)
    }
}

impl About {
    /// A matching about these days of an operator, as the books know it.
    ///
    /// # Errors
    /// When there is no such operator, its calendar is none, or the database fails.
    pub async fn of(
        pool: &PgPool,
        operator: &OperatorId,
        day: BusinessDate,
    ) -> Result<Self, SettlementError> {
        let mut known = operators(pool).await?.into_iter();
        let known = known.find(|known| known.operator == *operator).ok_or_else(|| {
            SettlementError::Stored { what: "operator", text: operator.to_string() }
        })?;
        let calendar =
            SettlementCalendar::try_new(&known.zone, &known.cut_off).map_err(|source| {
                SettlementError::Calendar { operator: operator.to_string(), source }
            })?;
        Ok(Self { operator: operator.clone(), calendar, day })
    }

    /// The case of a finding; none where both sides agree.
    #[must_use]
    pub fn finding(&self, told: &Told<'_>) -> Option<Finding> {
        let (ours, theirs) = (sum(&told.ours), sum(&told.theirs));
        let (kind, amount) = match told.class {
            Class::Matched => return None,
            Class::AmountDiffers => (Kind::AmountDiffers, ours.abs_diff(theirs)),
            Class::GroupDiffers => (Kind::ClassDiffers, ours.abs_diff(theirs)),
            Class::OnlyOurs => (Kind::OnlyOurs, ours.unsigned_abs()),
            Class::OnlyTheirs => (Kind::OnlyTheirs, theirs.unsigned_abs()),
            Class::Duplicate => (Kind::Duplicate, ours.unsigned_abs().max(theirs.unsigned_abs())),
            Class::Disputed => (Kind::Dispute, ours.unsigned_abs().max(theirs.unsigned_abs())),
        };
        let mut rows = told.ours.iter().chain(&told.theirs);
        let named = rows.clone().find(|row| !row.values.identity.is_empty());
        let subject = match named {
            Some(row) => row.values.identity.clone(),
            None => {
                let values = &rows.next()?.values;
                format!("{} {} {}", values.station, values.time, values.amount)
            }
        };
        Some(Finding {
            kind,
            operator: self.operator.clone(),
            day: self.day_of(told),
            subject,
            ours: words(&told.ours),
            theirs: words(&told.theirs),
            amount: amount_of(amount),
        })
    }

    /// The case of a file that is another one again.
    #[must_use]
    pub fn sent_again(&self, Again { file, of }: &Again) -> Finding {
        let name = |path: &PathBuf| {
            path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
        };
        Finding {
            kind: Kind::Duplicate,
            operator: self.operator.clone(),
            day: self.day,
            subject: format!("file {}", name(file)),
            ours: None,
            theirs: Some(format!("{} again, byte for byte: taken once", name(of))),
            amount: Amount::ZERO,
        }
    }

    fn day_of(&self, told: &Told<'_>) -> BusinessDate {
        let mut times = told.ours.iter().chain(&told.theirs).map(|row| &row.values.time);
        let at = times.find_map(|time| time.parse::<Timestamp>().ok());
        at.map_or(self.day, |at| self.calendar.day_of(at))
    }
}

fn sum(rows: &[Shown]) -> i64 {
    rows.iter().filter_map(|row| row.values.amount.parse::<i64>().ok()).sum()
}

fn amount_of(units: u64) -> Amount {
    i64::try_from(units).ok().and_then(|units| Amount::try_new(units).ok()).unwrap_or_default()
}

/// A side's rows as people are told of them: without tag and plate, which stand in the file.
fn words(rows: &[Shown]) -> Option<String> {
    let row = |Shown { file, line, values }: &Shown| {
        let file = file.rsplit('/').next().unwrap_or(file);
        let place = if line.is_empty() { file.to_owned() } else { format!("{file} line {line}") };
        let group = if values.group.is_empty() { "-" } else { &values.group };
        let (identity, station) = (&values.identity, &values.station);
        let (time, amount) = (&values.time, &values.amount);
        format!("{identity} at {station} on {time}, group {group}, {amount} ({place})")
    };
    (!rows.is_empty()).then(|| rows.iter().map(row).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::sides::Mapping;

    fn table(name: &str, rows: &str) -> Table {
        let mut file = tempfile::tempfile().unwrap();
        write!(file, "id,st,plate,at,class,amount,state\n{rows}").unwrap();
        let mapping = "[columns]\nidentity = \"id\"\nstation = \"st\"\nplate = \"plate\"\ntime = \"at\"\n\
                       group = \"class\"\namount = \"amount\"\n\
                       disputed = { column = \"state\", values = [\"D\"] }";
        Table::of(vec![(name.into(), file)], &Mapping::try_from_toml(mapping).unwrap()).unwrap()
    }

    fn found(ours: &str, theirs: &str) -> Vec<String> {
        let about = About {
            operator: "cienco4".parse().unwrap(),
            calendar: SettlementCalendar::try_new("Asia/Ho_Chi_Minh", "00:00").unwrap(),
            day: "2026-11-21".parse().unwrap(),
        };
        let plan = Plan { workers: 1, memory_bytes: None, folder: std::env::temp_dir() };
        let sides = (table("a/ours.csv", ours), table("a/theirs.csv", theirs));
        let rules = Rules::default();
        let (_, findings) = differences((&sides.0, &sides.1), &rules, &plan, &about).unwrap();
        let mut told: Vec<String> = findings
            .iter()
            .map(|one| format!("{} {} {} {}", one.kind.name(), one.day, one.subject, one.amount))
            .collect();
        told.sort();
        told
    }

    const AT: &str = "2026-11-21T20:00:00Z";

    #[test]
    fn each_class_is_a_case_with_the_money_that_hangs_on_it_and_what_agrees_is_none() {
        let row = |id: &str, class: u8, amount: u32, state: &str| {
            format!("{id},s,37A10001,{AT},{class},{amount},{state}\n")
        };
        let ours = [row("a", 1, 47_000, ""), row("b", 1, 47_000, ""), row("c", 1, 47_000, "")];
        let ours = [ours.concat(), row("e", 2, 64_000, ""), row("f", 1, 47_000, "")].concat();
        let theirs = [row("a", 1, 47_000, ""), row("b", 1, 40_000, ""), row("c", 2, 64_000, "")];
        let again = [row("a", 1, 47_000, ""), row("f", 1, 47_000, "D")].concat();
        let day = "2026-11-22";
        // What ours has alone is told by its place in time, which is the operator's next day.
        let expected = [
            format!("amount-differs {day} b 7.000"),
            format!("class-differs {day} c 17.000"),
            format!("dispute {day} f 47.000"),
            format!("duplicate {day} a 47.000"),
            format!("only-ours {day} e 64.000"),
        ];
        assert_eq!(found(&ours, &(theirs.concat() + &again)), expected);
    }

    #[test]
    fn what_has_no_name_is_told_by_station_time_and_amount_and_never_by_plate() {
        let nameless = format!(",s,37A10001,{AT},1,47000,\n");
        assert_eq!(found("", &nameless), [format!("only-theirs 2026-11-22 s {AT} 47000 47.000")]);
    }
}
