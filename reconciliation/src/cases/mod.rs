//! Cases: what does not add up, with both sides' records, until two people have settled it.
//!
//! A *case* has a code, a kind, the amount that hangs on it, a day by which it is due, an owner and a
//! history that is only added to. The same thing found again is the same case. Its *outcome* is
//! proposed by one person and settled by another, in the program and in the database; one that moves
//! money posts it through the ledger's door in the same transaction, so a case is never settled
//! without its money, nor its money moved without it. *Ageing*: cases that are open, by how long ago
//! they were opened, with the money that hangs on them.
//!
//! Deliberately absent: finding what does not add up (`matching`, `settlement`, `payment`).

pub mod finding;
pub mod of_matching;
pub mod repo;

use clearing_house::ledger::{
    LedgerAccountKey, LedgerError, NewTransfer, Remainder, TransferId, TransferKind, correct_in_tx,
    post_in_tx, tell_list,
};
use domain::{AccountId, Amount, BusinessDate, OperatorId, Timestamp};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

use crate::approval::Person;
use crate::manifest::told::{calendar_of, journals_of_day};
use crate::payment::{self, PaymentError};
use crate::settlement::{self, DayClose, SettlementError};
use crate::window::{Actor, Window};

/// What kind of thing does not add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Numbers of a lane never came.
    Hole,
    /// Charges and ledger differ.
    Unproven,
    /// We have a record, they do not.
    OnlyOurs,
    /// They have a record, we do not.
    OnlyTheirs,
    /// Both have it, with different amounts.
    AmountDiffers,
    /// Both have it, with different vehicle groups.
    ClassDiffers,
    /// One side has it more than once.
    Duplicate,
    /// A bank paid less than was ordered.
    BankShort,
    /// A bank gave a payment back.
    BankReturned,
    /// A bank paid more than was ordered, or once more.
    BankOver,
    /// A bank's statement shows a payment that nobody ordered.
    BankUnknown,
    /// A bank has shown nothing of a payment by the day it should have.
    BankLate,
    /// Somebody disputes a charge.
    Dispute,
    /// A lane did not tell in time what it wrote on a day.
    ManifestMissing,
    /// A lane tells other figures than the books have.
    ManifestDiffers,
    /// A lane's loops counted other vehicles than it has passages.
    LoopsDiffer,
    /// People who looked at a passage's pictures saw something else than the books have.
    ReviewDiffers,
}

impl Kind {
    /// Its name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hole => "hole",
            Self::Unproven => "unproven",
            Self::OnlyOurs => "only-ours",
            Self::OnlyTheirs => "only-theirs",
            Self::AmountDiffers => "amount-differs",
            Self::ClassDiffers => "class-differs",
            Self::Duplicate => "duplicate",
            Self::BankShort => "bank-short",
            Self::BankReturned => "bank-returned",
            Self::BankOver => "bank-over",
            Self::BankUnknown => "bank-unknown",
            Self::BankLate => "bank-late",
            Self::Dispute => "dispute",
            Self::ManifestMissing => "manifest-missing",
            Self::ManifestDiffers => "manifest-differs",
            Self::LoopsDiffer => "loops-differ",
            Self::ReviewDiffers => "review-differs",
        }
    }

    /// Within how many days it is to be settled.
    #[must_use]
    pub const fn due_within_d(self) -> u16 {
        match self {
            // The day cannot close, or the money of a day is late.
            Self::Hole
            | Self::Unproven
            | Self::BankShort
            | Self::BankReturned
            | Self::BankUnknown
            | Self::BankLate
            | Self::ManifestMissing
            | Self::ManifestDiffers => 1,
            Self::OnlyOurs
            | Self::OnlyTheirs
            | Self::AmountDiffers
            | Self::ClassDiffers
            | Self::Duplicate
            | Self::BankOver
            | Self::LoopsDiffer
            | Self::ReviewDiffers => 5,
            Self::Dispute => 15,
        }
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// Whose settlement it touches.
    pub operator: OperatorId,
    /// Of which day.
    pub day: BusinessDate,
    /// What it is about, such as a passage's or payment's name: one case for each.
    pub subject: String,
    /// Our record.
    pub ours: Option<String>,
    /// Theirs.
    pub theirs: Option<String>,
    /// How much money hangs on it.
    pub amount: Amount,
}

/// How a case ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// The books stand as they are.
    Stands,
    /// The other side corrects its own.
    TheirsCorrected,
    /// A toll is undone, and made again with what it should have been.
    Corrected {
        /// The transfer that was wrong.
        transfer: i64,
        /// What it should have been; nothing where absent.
        right: Option<Amount>,
        /// The open day it is posted into.
        day: BusinessDate,
    },
    /// The bank has put it right: refused until its statement shows that.
    Booked,
    /// A bank's line that named no payment of ours was about this one.
    Assigned {
        /// The payment's number.
        end_to_end: String,
    },
    /// A toll that never came to the books is charged to an account.
    Charged {
        /// The account.
        account: i64,
        /// How much; never zero.
        amount: Amount,
        /// The open day it is posted into.
        day: BusinessDate,
    },
}

/// Why a case was not changed.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// There is no such case.
    #[error("there is no case {0}")]
    Unknown(String),
    /// It is settled.
    #[error("case {0} is settled")]
    Settled(String),
    /// No outcome is proposed.
    #[error("nobody has proposed an outcome of case {0}")]
    NotProposed(String),
    /// Who proposed may not settle.
    #[error("{who} proposed the outcome of case {code}, so somebody else must settle it")]
    SamePerson {
        /// The case.
        code: String,
        /// Who.
        who: Person,
    },
    /// There is no such account.
    #[error("case {code}: there is no account {account}")]
    NoAccount {
        /// The case.
        code: String,
        /// The number that was named.
        account: i64,
    },
    /// The bank has not shown that it put it right.
    #[error(
        "case {code}: the bank's statements do not show that payment {end_to_end} is put right"
    )]
    NotBooked {
        /// The case.
        code: String,
        /// The payment.
        end_to_end: String,
    },
    /// The bank's line was not taken as one about the payment.
    #[error("assign the bank's line of case {code}")]
    Assign {
        /// The case.
        code: String,
        /// Why.
        #[source]
        source: Box<PaymentError>,
    },
    /// The ledger refused the correction.
    #[error("correct the toll of case {code}")]
    Ledger {
        /// The case.
        code: String,
        /// Why.
        #[source]
        source: LedgerError,
    },
    /// The books failed.
    #[error(transparent)]
    Books(#[from] SettlementError),
}

/// Opens a case for a finding, or finds the one that is there. Returns its code.
///
/// # Errors
/// When the database fails.
pub async fn open(
    pool: &PgPool,
    finding: &Finding,
    actor: &Actor,
    at: Timestamp,
) -> Result<String, CaseError> {
    let codes = open_all(pool, std::slice::from_ref(finding), actor, at).await?;
    Ok(codes.into_iter().collect())
}

/// The same in the transaction of what was found.
pub(crate) async fn open_in_tx(
    tx: &mut PgConnection,
    finding: &Finding,
    actor: &Actor,
    at: Timestamp,
) -> Result<String, SettlementError> {
    repo::open(tx, finding, actor, at, due_at(finding.kind, at)).await
}

/// Opens a case for each of many findings, or for none of them. Returns their codes, in order.
///
/// # Errors
/// When the database fails.
pub async fn open_all(
    pool: &PgPool,
    findings: &[Finding],
    actor: &Actor,
    at: Timestamp,
) -> Result<Vec<String>, CaseError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to open cases"))?;
    let mut codes = Vec::with_capacity(findings.len());
    for finding in findings {
        codes.push(open_in_tx(&mut tx, finding, actor, at).await?);
    }
    tx.commit().await.map_err(SettlementError::database("commit cases"))?;
    Ok(codes)
}

/// Opens the cases of days that were closed now, or could not be. Returns each with its code.
///
/// # Errors
/// When the database fails; cases of days before stay open.
pub async fn open_of_closes(
    pool: &PgPool,
    closes: &[DayClose],
    at: Timestamp,
) -> Result<Vec<(String, Finding)>, CaseError> {
    let mut opened = Vec::new();
    for close in closes {
        let mut findings = finding::of_close(close);
        if matches!(close.outcome, settlement::Outcome::Closed { .. }) {
            findings.extend(of_closed_day(pool, close, at).await?);
        }
        let codes = open_all(pool, &findings, &Actor::Program, at).await?;
        opened.extend(codes.into_iter().zip(findings));
    }
    Ok(opened)
}

async fn of_closed_day(
    pool: &PgPool,
    close: &DayClose,
    at: Timestamp,
) -> Result<Vec<Finding>, SettlementError> {
    let calendar = calendar_of(pool, &close.operator).await?;
    let window = Window::new(close.operator.clone(), close.day);
    let journals = journals_of_day(pool, &close.operator, close.day).await?;
    Ok(finding::of_lanes(&window, &calendar, &journals, at))
}

fn due_at(kind: Kind, at: Timestamp) -> Timestamp {
    at + SignedDuration::from_hours(24 * i64::from(kind.due_within_d()))
}

/// What is added to a case's history.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Event<'a> {
    state: &'static str,
    owner: Option<&'a Person>,
    note: &'a str,
    outcome: Option<&'a str>,
    maker: Option<&'a Person>,
}

/// Notes something about a case, and says who sees to it from now on. An outcome that was proposed is
/// thereby taken back.
///
/// # Errors
/// When there is no such case, it is settled, or the database fails.
pub async fn note(
    pool: &PgPool,
    code: &str,
    who: &Person,
    owner: Option<&Person>,
    note: &str,
    at: Timestamp,
) -> Result<(), CaseError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to note"))?;
    let _standing = unsettled(&mut tx, code).await?;
    let event = Event { state: "open", owner, note, outcome: None, maker: None };
    repo::add(&mut tx, code, &event, who, at).await?;
    tx.commit().await.map_err(SettlementError::database("commit a note"))?;
    Ok(())
}

/// Proposes how a case ends.
///
/// # Errors
/// When there is no such case, it is settled, or the database fails.
pub async fn propose(
    pool: &PgPool,
    code: &str,
    who: &Person,
    outcome: &Outcome,
    note: &str,
    at: Timestamp,
) -> Result<(), CaseError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to propose"))?;
    let _standing = unsettled(&mut tx, code).await?;
    let outcome = serde_json::to_string(outcome).map_err(SettlementError::Statement)?;
    let (outcome, maker) = (Some(outcome.as_str()), Some(who));
    let event = Event { state: "proposed", owner: None, note, outcome, maker };
    repo::add(&mut tx, code, &event, who, at).await?;
    tx.commit().await.map_err(SettlementError::database("commit a proposal"))?;
    Ok(())
}

/// Settles a case as its checker, with the outcome that was proposed last, and moves its money.
///
/// # Errors
/// When nothing is proposed, `who` proposed it, the ledger refuses the correction, or the database
/// fails; then nothing is changed.
pub async fn settle(
    pool: &PgPool,
    code: &str,
    who: &Person,
    note: &str,
    at: Timestamp,
) -> Result<Outcome, CaseError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to settle"))?;
    let standing = unsettled(&mut tx, code).await?;
    let Some((text, maker)) = standing.proposed else {
        return Err(CaseError::NotProposed(code.to_owned()));
    };
    if maker == *who {
        return Err(CaseError::SamePerson { code: code.to_owned(), who: who.clone() });
    }
    let outcome: Outcome = serde_json::from_str(&text).map_err(SettlementError::Statement)?;
    match &outcome {
        Outcome::Stands | Outcome::TheirsCorrected => {}
        Outcome::Corrected { transfer, right, day } => {
            let rest = right.map_or(Remainder::Nothing, Remainder::Amount);
            correct_in_tx(&mut tx, TransferId::new(*transfer), rest, *day, at)
                .await
                .map_err(|source| CaseError::Ledger { code: code.to_owned(), source })?;
        }
        Outcome::Booked => put_right(&mut tx, code).await?,
        Outcome::Assigned { end_to_end } => assign(&mut tx, code, end_to_end, at).await?,
        Outcome::Charged { account, amount, day } => {
            let toll = Toll { account: *account, amount: *amount, day: *day };
            charge_in_tx(&mut tx, code, &toll, at).await?;
        }
    }
    let (outcome_text, maker) = (Some(text.as_str()), Some(&maker));
    let event = Event { state: "settled", owner: None, note, outcome: outcome_text, maker };
    repo::add(&mut tx, code, &event, who, at).await?;
    tx.commit().await.map_err(SettlementError::database("commit a settled case"))?;
    Ok(outcome)
}

/// Refuses a bank's case that the bank has not put right.
async fn put_right(tx: &mut PgConnection, code: &str) -> Result<(), CaseError> {
    let subject = repo::about(tx, code).await?.1;
    let end_to_end = subject.split(' ').next().unwrap_or_default();
    if payment::is_put_right(tx, end_to_end).await? {
        return Ok(());
    }
    Err(CaseError::NotBooked { code: code.to_owned(), end_to_end: end_to_end.to_owned() })
}

/// Takes the line of a case as one about a payment. What that leaves wrong is a case of its own.
async fn assign(
    tx: &mut PgConnection,
    code: &str,
    end_to_end: &str,
    at: Timestamp,
) -> Result<(), CaseError> {
    let failed = |source| CaseError::Assign { code: code.to_owned(), source: Box::new(source) };
    let subject = repo::about(tx, code).await?.1;
    let line =
        subject.split_once(' ').and_then(|(issuer, line)| Some((issuer.parse().ok()?, line)));
    let (issuer, reference) =
        line.ok_or_else(|| failed(PaymentError::NotWaiting(subject.clone())))?;
    let assigned = payment::assign_in_tx(tx, &issuer, reference, end_to_end, at).await;
    let (booking, confirmed) = assigned.map_err(failed)?;
    if let Some(found) = finding::of_payment(&booking, &confirmed) {
        repo::open(tx, &found, &Actor::Program, at, due_at(found.kind, at)).await?;
    }
    Ok(())
}

/// A toll that is charged by hand.
struct Toll {
    account: i64,
    amount: Amount,
    day: BusinessDate,
}

/// Charges a toll through the ledger's door, once for a case.
async fn charge_in_tx(
    tx: &mut PgConnection,
    code: &str,
    toll: &Toll,
    at: Timestamp,
) -> Result<(), CaseError> {
    let Toll { account, amount, day } = *toll;
    let (operator, _subject) = repo::about(tx, code).await?;
    let issuer = repo::issuer_of(tx, account).await?;
    let issuer = issuer.ok_or_else(|| CaseError::NoAccount { code: code.to_owned(), account })?;
    repo::make_day(tx, &operator, day).await?;
    let transfer = NewTransfer {
        kind: TransferKind::Adjustment,
        debit: LedgerAccountKey::Customer(AccountId::new(account)),
        credit: LedgerAccountKey::Payable { issuer, operator: operator.clone() },
        amount,
        operator: Some(operator),
        day,
        posted_at: at,
        passage: None,
        reference: Some(format!("case/{code}")),
    };
    let refused = |source| CaseError::Ledger { code: code.to_owned(), source };
    let changes = post_in_tx(tx, &[transfer]).await.map_err(refused)?;
    tell_list(tx, &changes).await.map_err(refused)
}

async fn unsettled(tx: &mut PgConnection, code: &str) -> Result<repo::Standing, CaseError> {
    let standing = repo::standing(tx, code).await?;
    let standing = standing.ok_or_else(|| CaseError::Unknown(code.to_owned()))?;
    if standing.settled { Err(CaseError::Settled(code.to_owned())) } else { Ok(standing) }
}

/// How old a case is, in the steps in which finance looks at them.
#[must_use]
pub fn age(opened_at: Timestamp, now: Timestamp) -> &'static str {
    match now.duration_since(opened_at).as_hours() {
        ..24 => "less than a day",
        24..120 => "1 to 5 days",
        120..720 => "5 to 30 days",
        _ => "30 days or more",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_ages_in_the_steps_of_the_deadlines() {
        let opened: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let check = |hours, expected| {
            assert_eq!(age(opened, opened + SignedDuration::from_hours(hours)), expected);
        };
        check(23, "less than a day");
        check(24, "1 to 5 days");
        check(120, "5 to 30 days");
        check(720, "30 days or more");
    }

    #[test]
    fn an_outcome_is_kept_in_words_that_stay() {
        let outcome = Outcome::Corrected {
            transfer: 4_294_967_297,
            right: Amount::try_new(40_000).ok(),
            day: "2026-11-22".parse().unwrap(),
        };
        let text = serde_json::to_string(&outcome).unwrap();
        let expected = r#"{"corrected":{"transfer":4294967297,"right":40000,"day":"2026-11-22"}}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome);
        assert_eq!(serde_json::to_string(&Outcome::Stands).unwrap(), r#""stands""#);
    }
}
