//! What we, as home, make of a partner's transactions and corrections: decided one by one, and posted
//! through the ledger's door in the transaction that keeps the decisions.
//!
//! A file is decided about once and whole. A transaction is known by its number at the partner's, in
//! whatever file it comes, so one that is sent again is a duplicate and moves nothing. It is charged to
//! the account of its tag and owed to the operator that the partner's agency stands for, as an
//! adjustment of a day that is open: it is no passage of ours. What the lane saw as good is charged
//! whatever is left in the account; what it did not is charged as far as there is money, with what the
//! file itself takes and gives counted in. The account is the one that the tag had when the vehicle
//! passed; a correction that finds another gives back to the one that was charged. A correction to less
//! on the same account is never refused for what the account is or has.
//!
//! What is older than [`TOO_OLD_D`] days is refused, also where it asks for less: the formats have a word
//! for too old and none for an exception, and a file alone must not move money of a time that both sides
//! have agreed on. What is then *left standing* is told to whoever answers the file, and is lowered by two
//! people.

use std::collections::BTreeMap;
use std::fmt;

use clearing_house::ledger::{
    LedgerAccountKey, LedgerError, NewTransfer, TransferKind, post_in_tx, tell_list,
};
use domain::time::SettlementCalendar;
use domain::{AccountId, Amount, BusinessDate, IssuerId, MoneyError, OperatorId, Timestamp};
use futures::TryStreamExt as _;
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use super::repo::{self, Claim};
use super::{Agencies, Decided, Disposition, Unnamed};
use crate::cases::repo::make_day;
use crate::partner::exchange::ExchangeError;
use crate::partner::exchange::repo::failed;
use crate::settlement::SettlementError;

/// A transaction that is older when it comes is too old.
pub const TOO_OLD_D: i64 = 90;

/// Why a file was not decided about.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The configuration does not name somebody.
    #[error(transparent)]
    Unnamed(#[from] Unnamed),
    /// It was never received.
    #[error("no file {name} was taken from {partner}")]
    Unknown {
        /// The partner.
        partner: String,
        /// The file.
        name: String,
    },
    /// It is no file of transactions or corrections.
    #[error("{0} is not answered: STRAN, SCORR, ICTX and ITXC are")]
    Kind(String),
    /// Another kind answers it.
    #[error("{name} is answered by a {right}, not a {wanted}: nothing is decided")]
    Other {
        /// The file.
        name: String,
        /// The kind that answers it.
        right: &'static str,
        /// The kind that was asked for.
        wanted: String,
    },
    /// A record lacks what its layout has: it was not taken by this program.
    #[error("record {record_no} of the file lacks its {field}")]
    Record {
        /// Which.
        record_no: i64,
        /// What it lacks.
        field: &'static str,
    },
    /// The operator that the agency stands for is unknown, or its calendar is none.
    #[error("the books have no calendar of {0}")]
    Calendar(OperatorId),
    /// The ledger refused.
    #[error("post the transactions")]
    Ledger(#[from] LedgerError),
    /// A sum is past what the books hold.
    #[error("sum the transactions")]
    Money(#[from] MoneyError),
    /// The books failed.
    #[error(transparent)]
    Books(#[from] SettlementError),
    /// The exchange failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

/// A correction that asks for less than stands, and is refused for its age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct LeftStanding {
    /// The transaction, as the partner calls it.
    pub transaction: String,
    /// What it stands at, in minor units.
    pub stands_at: i64,
    /// What the partner asks for.
    pub asked: i64,
    /// The transfer that charged it, which two people may correct.
    pub transfer: Option<i64>,
}

impl fmt::Display for LeftStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transaction, stands_at, asked, transfer } = self;
        write!(
            f,
            "transaction {transaction} is more than {TOO_OLD_D} days old and stands at {stands_at} though the \
             partner asks for {asked}: two people lower it"
        )?;
        match transfer {
            Some(transfer) => write!(f, ", by a correction of transfer {transfer}"),
            None => Ok(()),
        }
    }
}

/// The corrections of an answered file that ask for less than stands, and are refused for their age.
///
/// # Errors
/// When the database fails.
pub async fn left_standing(
    pool: &PgPool,
    file_no: i64,
) -> Result<Vec<LeftStanding>, ExchangeError> {
    repo::left_standing(pool, file_no).await
}

/// What a record is of its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// The transaction itself.
    Itself,
    /// A correction with a number.
    Correction(u32),
    /// A correction of a format that does not number them: the next.
    NextCorrection,
}

impl Which {
    /// Its number, after what the transaction stands at; 0 is the transaction itself.
    fn number(self, stands_at: Option<StandsAt>) -> u32 {
        match self {
            Self::Itself => 0,
            Self::Correction(number) => number,
            Self::NextCorrection => stands_at.map_or(1, |stood| stood.last.saturating_add(1)),
        }
    }
}

/// A record as it is decided about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    reference: String,
    which: Which,
    at: Timestamp,
    amount: u64,
    is_guaranteed: bool,
    /// Whether the amount is to be given back instead of paid.
    gives_back: bool,
}

/// What was posted of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StandsAt {
    /// By which correction.
    last: u32,
    amount: u64,
    account: i64,
}

/// What the books know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known<'a> {
    /// The tag's account, its state and its balance.
    account: Option<(i64, &'a str, i64)>,
    stands_at: Option<StandsAt>,
}

/// Decides about one record. Pure.
fn decide(asked: &Asked, known: Known<'_>, now: Timestamp) -> Disposition {
    let number = asked.which.number(known.stands_at);
    match known.stands_at {
        Some(stood) if stood.last >= number => return Disposition::Duplicate,
        None if number > 0 => return Disposition::NothingToCorrect,
        Some(_) | None => {}
    }
    if asked.gives_back {
        return Disposition::GivesBack;
    }
    let Some((account, state, balance)) = known.account else { return Disposition::NotOnFile };
    if now.duration_since(asked.at) > SignedDuration::from_hours(24 * TOO_OLD_D) {
        return Disposition::TooOld;
    }
    let before = known.stands_at.filter(|stood| stood.account == account);
    if before.is_some_and(|stood| asked.amount <= stood.amount) {
        return Disposition::Posted;
    }
    let more = asked.amount.saturating_sub(before.map_or(0, |stood| stood.amount));
    match (state, asked.is_guaranteed) {
        ("closed", _) | ("blocked" | "not-converted", false) => Disposition::AccountInvalid,
        (_, false) if i64::try_from(more).is_ok_and(|more| more > balance) => {
            Disposition::Insufficient
        }
        (_, _) => Disposition::Posted,
    }
}

/// The kind that answers a kind.
#[must_use]
pub fn answered_by(kind: &str) -> Option<&'static str> {
    match kind {
        "STRAN" | "SCORR" => Some("SRECON"),
        "ICTX" => Some("ICRX"),
        "ITXC" => Some("IRXC"),
        _ => None,
    }
}

/// Decides about every record of a file that was taken, and posts it. Returns the file's number in the
/// log; one that was decided about before is left as it is.
///
/// # Errors
/// When there is no such file, it is not answered by the kind that is wanted, the configuration does not
/// name a party, or the books fail: then nothing is decided.
pub async fn answer(
    pool: &PgPool,
    agencies: &Agencies,
    (partner, name, wanted): (&str, &str, &str),
    now: Timestamp,
) -> Result<i64, AnswerError> {
    let found = repo::received(pool, partner, name).await?;
    let (file_no, kind) = found.ok_or_else(|| AnswerError::Unknown {
        partner: partner.to_owned(),
        name: name.to_owned(),
    })?;
    let Some(right) = answered_by(&kind) else { return Err(AnswerError::Kind(kind)) };
    if right != wanted {
        let (name, wanted) = (name.to_owned(), wanted.to_owned());
        return Err(AnswerError::Other { name, right, wanted });
    }
    let operator = agencies.operator_of(partner)?.clone();
    let unknown = || AnswerError::Calendar(operator.clone());
    let (zone, cut_off) = repo::calendar(pool, &operator).await?.ok_or_else(unknown)?;
    let calendar = SettlementCalendar::try_new(&zone, &cut_off).map_err(|_none| unknown())?;
    let day = calendar.day_of(now);
    let mut tx = pool.begin().await.map_err(failed("begin to decide"))?;
    if repo::hold_decisions(&mut tx, partner, file_no).await? {
        return Ok(file_no);
    }
    let mut reading = pool.acquire().await.map_err(failed("connect"))?;
    for (issuer, agency) in &agencies.issuers {
        if *agency != agencies.own {
            continue;
        }
        let agency = agency.as_str().to_owned();
        let mut claims = repo::claims(&mut reading, file_no, agency, issuer);
        let mut posting = Posting::new(issuer, &operator, day, now);
        while let Some(claim) = claims.try_next().await? {
            take(&mut tx, (partner, file_no), &claim, &mut posting).await?;
        }
        drop(claims);
        // Last: whoever drives meanwhile waits for the rows of accounts no longer than for one posting.
        make_day(&mut tx, &operator, day).await?;
        posting.post(&mut tx).await?;
        tx.commit().await.map_err(failed("commit the decisions"))?;
        return Ok(file_no);
    }
    Err(Unnamed::agency(&format!("issuers = {}", agencies.own)).into())
}

async fn take(
    tx: &mut PgConnection,
    (partner, file_no): (&str, i64),
    claim: &Claim,
    posting: &mut Posting<'_>,
) -> Result<(), AnswerError> {
    let asked = asked(claim)?;
    if claim.owners > 1 {
        // Without the serial: it is somebody's.
        let (record_no, owners) = (claim.record_no, claim.owners);
        tracing::warn!(file_no, record_no, owners, "several accounts have a tag of one serial");
    }
    let stood = repo::stands_at(tx, partner, &asked.reference).await?;
    let stood = stood.map(|(last, amount, account)| StandsAt {
        last: u32::try_from(last).unwrap_or(u32::MAX),
        amount: u64::try_from(amount).unwrap_or(0),
        account,
    });
    let account = claim.account.as_ref().map(|(account, state, balance)| {
        (*account, state.as_str(), balance.saturating_add(posting.change_of(*account)))
    });
    let disposition = decide(&asked, Known { account, stands_at: stood }, posting.now);
    let number = asked.which.number(stood);
    let posted_to = account.filter(|_| disposition == Disposition::Posted).map(|(no, ..)| no);
    if let Some(account) = posted_to {
        let reference = format!("partner/{partner}/{}/{number}", asked.reference);
        posting.add(stood, (account, asked.amount), reference)?;
    }
    let decided = Decided {
        reference: asked.reference,
        correction: number,
        disposition,
        // What was charged before stays charged where the correction is not taken.
        amount: match posted_to {
            Some(_) => asked.amount,
            None => stood.map_or(0, |stood| stood.amount),
        },
        at: posting.now,
    };
    repo::add_decision(tx, (partner, file_no, claim.record_no), (&decided, posted_to)).await?;
    Ok(())
}

/// A record of any of the four kinds.
fn asked(claim: &Claim) -> Result<Asked, AnswerError> {
    let Claim { record_no, body, .. } = claim;
    let lacks = |field| AnswerError::Record { record_no: *record_no, field };
    let niop = body.get("OriginalTransactionDetail").unwrap_or(body);
    let text = |of: &Value, field: &'static str| {
        of.get(field).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| lacks(field))
    };
    let number = |text: &str, field| text.trim().parse::<u64>().map_err(|_wrong| lacks(field));
    let time = |text: &str, field| text.parse::<Timestamp>().map_err(|_wrong| lacks(field));
    if niop.get("TxnReferenceID").is_some() {
        let which = match body.get("CorrectionSeqNo").and_then(Value::as_str) {
            // A correction without a number of its own is the first.
            Some(text) => {
                let number = u32::try_from(number(text, "CorrectionSeqNo")?.max(1));
                Which::Correction(number.map_err(|_wrong| lacks("CorrectionSeqNo"))?)
            }
            None => Which::Itself,
        };
        let status = niop.pointer("/TagInfo/TagStatus").and_then(Value::as_str);
        return Ok(Asked {
            reference: number(&text(niop, "TxnReferenceID")?, "TxnReferenceID")?.to_string(),
            which,
            at: time(&text(niop, "ExitDateTime")?, "ExitDateTime")?,
            amount: number(&text(niop, "TollAmount")?, "TollAmount")?,
            is_guaranteed: status == Some("V"),
            gives_back: false,
        });
    }
    let amount = number(&text(body, "ETC_TOLL_AMOUNT")?, "ETC_TOLL_AMOUNT")?;
    let serial = number(&text(body, "ETC_TRX_SERIAL_NUM")?, "ETC_TRX_SERIAL_NUM")?;
    Ok(Asked {
        reference: serial.to_string(),
        which: match body.get("CORR_REASON") {
            Some(_) => Which::NextCorrection,
            None => Which::Itself,
        },
        at: time(&text(body, "ETC_EXIT_DATE_TIME")?, "ETC_EXIT_DATE_TIME")?,
        amount,
        is_guaranteed: body.get("ETC_VALIDATION_STATUS").and_then(Value::as_str) == Some("1"),
        gives_back: amount > 0 && body.get("ETC_DEBIT_CREDIT").and_then(Value::as_str) == Some("-"),
    })
}

/// Transfers on their way to the ledger.
struct Posting<'a> {
    issuer: &'a IssuerId,
    operator: &'a OperatorId,
    day: BusinessDate,
    now: Timestamp,
    transfers: Vec<NewTransfer>,
    /// What they change in accounts.
    changes: BTreeMap<i64, i64>,
}

impl<'a> Posting<'a> {
    fn new(
        issuer: &'a IssuerId,
        operator: &'a OperatorId,
        day: BusinessDate,
        now: Timestamp,
    ) -> Self {
        let (transfers, changes) = (Vec::new(), BTreeMap::new());
        Self { issuer, operator, day, now, transfers, changes }
    }

    fn change_of(&self, account: i64) -> i64 {
        self.changes.get(&account).copied().unwrap_or(0)
    }

    /// Adds what moves a transaction from what it stood at to what it is, and on whose account.
    fn add(
        &mut self,
        stood: Option<StandsAt>,
        (account, after): (i64, u64),
        reference: String,
    ) -> Result<(), MoneyError> {
        let signed = |amount: u64| i64::try_from(amount).map_err(|_wrong| MoneyError::Overflow);
        let before = match stood {
            Some(stood) if stood.account != account => {
                // Another's tag it was: who was charged gets all of it back.
                let back = format!("{reference}/back");
                self.transfer(stood.account, signed(stood.amount)?, back)?;
                0
            }
            Some(stood) => stood.amount,
            None => 0,
        };
        self.transfer(account, signed(before)? - signed(after)?, reference)
    }

    /// Adds what changes an account, unless it does not.
    fn transfer(&mut self, account: i64, change: i64, reference: String) -> Result<(), MoneyError> {
        let units = i64::try_from(change.unsigned_abs()).map_err(|_wrong| MoneyError::Overflow)?;
        let amount = Amount::try_new(units)?;
        if amount.is_zero() {
            return Ok(());
        }
        let in_all = self.changes.entry(account).or_default();
        *in_all = in_all.checked_add(change).ok_or(MoneyError::Overflow)?;
        let (issuer, operator) = (self.issuer.clone(), self.operator.clone());
        let customer = LedgerAccountKey::Customer(AccountId::new(account));
        let payable = LedgerAccountKey::Payable { issuer, operator: operator.clone() };
        let (debit, credit) = if change < 0 { (customer, payable) } else { (payable, customer) };
        self.transfers.push(NewTransfer {
            kind: TransferKind::Adjustment,
            debit,
            credit,
            amount,
            operator: Some(operator),
            day: self.day,
            posted_at: self.now,
            passage: None,
            reference: Some(reference),
        });
        Ok(())
    }

    /// Posts all of it at once: the ledger takes accounts in one order, and holds them until the commit.
    async fn post(self, tx: &mut PgConnection) -> Result<(), LedgerError> {
        let changes = post_in_tx(tx, &self.transfers).await?;
        tell_list(tx, &changes).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-10T00:00:00Z".parse().unwrap()
    }

    fn asked(which: Which, amount: u64, is_guaranteed: bool) -> Asked {
        let at = "2026-03-02T01:00:00Z".parse().unwrap();
        let reference = "7".to_owned();
        Asked { reference, which, at, amount, is_guaranteed, gives_back: false }
    }

    #[test]
    fn every_transaction_gets_one_disposition() {
        let (seen_good, not) =
            (asked(Which::Itself, 47_000, true), asked(Which::Itself, 47_000, false));
        let correction = asked(Which::Correction(1), 0, true);
        let next = asked(Which::NextCorrection, 30_000, true);
        let old = Asked { at: "2025-11-01T00:00:00Z".parse().unwrap(), ..seen_good.clone() };
        let (rich, poor) = (Some((1, "open", 100_000)), Some((1, "open", 40_000)));
        let blocked = Some((1, "blocked", 100_000));
        let closed = Some((1, "closed", 100_000));
        let stands_at = |last, amount| Some(StandsAt { last, amount, account: 1 });
        let stood = stands_at(0, 47_000);
        let corrected = stands_at(1, 0);
        let back = Asked { gives_back: true, ..seen_good.clone() };
        let less = asked(Which::NextCorrection, 30_000, false);
        let old_less = Asked { at: old.at, ..less.clone() };
        let more = asked(Which::NextCorrection, 90_000, false);
        let (in_debt, others) = (Some((1, "open", -5)), Some((2, "open", 29_999)));
        let blocked_in_debt = Some((1, "blocked", -5));
        for (asked, account, stands_at, expected) in [
            (&seen_good, rich, None, Disposition::Posted),
            (&not, rich, None, Disposition::Posted),
            (&seen_good, poor, None, Disposition::Posted),
            (&not, poor, None, Disposition::Insufficient),
            (&seen_good, blocked, None, Disposition::Posted),
            (&not, blocked, None, Disposition::AccountInvalid),
            (&seen_good, closed, None, Disposition::AccountInvalid),
            (&seen_good, None, None, Disposition::NotOnFile),
            (&old, rich, None, Disposition::TooOld),
            (&old_less, rich, stood, Disposition::TooOld),
            (&seen_good, rich, stood, Disposition::Duplicate),
            (&correction, rich, stood, Disposition::Posted),
            (&correction, rich, corrected, Disposition::Duplicate),
            (&correction, rich, None, Disposition::NothingToCorrect),
            (&next, rich, corrected, Disposition::Posted),
            (&next, rich, None, Disposition::NothingToCorrect),
            (&back, rich, None, Disposition::GivesBack),
            (&back, rich, stood, Disposition::Duplicate),
            // To less on the same account: whatever it is and has.
            (&less, in_debt, stood, Disposition::Posted),
            (&less, blocked_in_debt, stood, Disposition::Posted),
            (&less, closed, stood, Disposition::Posted),
            (&less, others, stood, Disposition::Insufficient),
            (&more, poor, stood, Disposition::Insufficient),
            (&more, poor, stands_at(0, 50_000), Disposition::Posted),
        ] {
            let known = Known { account, stands_at };
            assert_eq!(decide(asked, known, now()), expected, "{asked:?} {known:?}");
        }
    }

    #[test]
    fn what_a_file_moves_is_counted_in_and_a_correction_gives_back_to_who_was_charged() {
        let (issuer, operator) = ("vetc".parse().unwrap(), "cienco4".parse().unwrap());
        let day = "2026-03-10".parse().unwrap();
        let mut posting = Posting::new(&issuer, &operator, day, now());
        posting.add(None, (1, 47_000), "a".to_owned()).unwrap();
        assert_eq!(posting.change_of(1), -47_000);
        let stood = StandsAt { last: 0, amount: 47_000, account: 1 };
        posting.add(Some(stood), (1, 30_000), "b".to_owned()).unwrap();
        assert_eq!((posting.change_of(1), posting.transfers.len()), (-30_000, 2));
        let stood = StandsAt { last: 1, amount: 30_000, account: 1 };
        posting.add(Some(stood), (2, 20_000), "c".to_owned()).unwrap();
        assert_eq!((posting.change_of(1), posting.change_of(2)), (0, -20_000));
        posting
            .add(
                Some(StandsAt { last: 2, amount: 20_000, account: 2 }),
                (2, 20_000),
                "d".to_owned(),
            )
            .unwrap();
        let references: Vec<_> =
            posting.transfers.iter().filter_map(|one| one.reference.as_deref()).collect();
        assert_eq!(references, ["a", "b", "c/back", "c"]);
    }

    #[test]
    fn a_record_of_either_format_says_what_is_asked() {
        let claim = |body: &str| Claim {
            record_no: 1,
            body: serde_json::from_str(body).unwrap(),
            account: None,
            owners: 0,
        };
        let niop = claim(
            r#"{"RecordType":"TB01","TxnReferenceID":"7","ExitDateTime":"2026-03-02T01:00:00Z",
                "TagInfo":{"TagStatus":"V"},"TollAmount":"47000"}"#,
        );
        assert_eq!(super::asked(&niop).unwrap(), asked(Which::Itself, 47_000, true));
        let corrected = claim(
            r#"{"CorrectionSeqNo":"1","OriginalTransactionDetail":{"TxnReferenceID":"7",
                "ExitDateTime":"2026-03-02T01:00:00Z","TagInfo":{"TagStatus":"V"},"TollAmount":"0"}}"#,
        );
        assert_eq!(super::asked(&corrected).unwrap(), asked(Which::Correction(1), 0, true));
        let iag = claim(
            r#"{"ETC_TRX_SERIAL_NUM":"00000000000000000007","ETC_VALIDATION_STATUS":"1",
                "ETC_EXIT_DATE_TIME":"2026-03-02T08:00:00+07:00","ETC_TOLL_AMOUNT":"47000"}"#,
        );
        assert_eq!(super::asked(&iag).unwrap(), asked(Which::Itself, 47_000, true));
        let mut back = iag;
        back.body["ETC_DEBIT_CREDIT"] = "-".into();
        assert!(super::asked(&back).unwrap().gives_back);
        assert!(matches!(
            super::asked(&claim("{}")),
            Err(AnswerError::Record { field: "ETC_TOLL_AMOUNT", .. })
        ));
    }
}
