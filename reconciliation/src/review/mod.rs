//! Image review: people look again at the pictures of passages that nobody should believe unseen.
//!
//! *Item*: a passage with the causes for which it is looked at. *Claim*: an item is one reviewer's
//! for a while, the *lease*; when it ends, somebody else may have it. *Look*: what one reviewer
//! answered. A share of items, drawn so that nobody can foresee which, is looked at twice; nobody is
//! told whether theirs is, who else looked, or what they said. Two who agree end an item; where they
//! do not, a third decides, or finds that nobody can. *End*: what it came to. What differs from the
//! books is a case, which two people of finance settle through its own door: no look moves money.
//!
//! Whoever answered the vehicle at the lane, or agreed to it there, never looks at it here, and nobody
//! looks twice. Plates that were read are erased in time.
//! Deliberately absent: pictures themselves, reading them by machine, and pages (`console`).

pub mod answer;
pub mod ballot;
pub mod cause;
mod looks;
mod repo;

use std::collections::BTreeMap;

use clearing_house::search::{self, Found};
use domain::{Amount, BusinessDate, OperatorId, PassageId, Plate, Timestamp};
use jiff::SignedDuration;
use sqlx::{Connection as _, PgConnection, PgPool};

use crate::approval::Person;
use crate::cases::{self, Finding, Kind};
use crate::settlement::SettlementError;
use crate::window::Actor;

use answer::{Answer, Reading};
use ballot::{Share, Standing, Verdict};
use cause::Cause;
pub use repo::{Ended, Waiting};

/// How often passages are looked through for new items.
const SEARCH_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// How long what was read of an item is kept after its end, where no case needs it longer.
pub const READ_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Why something of a review was not done.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// There is no such item, somebody else has it, or the lease has ended.
    #[error("item {item} is not {who}'s at the moment: it was answered, or the lease has ended")]
    NotTheirs {
        /// The item.
        item: i64,
        /// Who.
        who: Person,
    },
    /// The books failed.
    #[error(transparent)]
    Books(#[from] SettlementError),
}

/// How reviewing is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The share of items that are looked at twice.
    pub second_looks: Share,
    /// How long an item is one reviewer's.
    pub lease: SignedDuration,
    /// How many items one search finds in a day at most; the next one goes on.
    pub found_max: u32,
}

impl Policy {
    /// One item in ten is looked at twice; five minutes for each.
    pub const DEFAULT: Self = Self {
        second_looks: Share::DEFAULT,
        lease: SignedDuration::from_secs(300),
        found_max: 20_000,
    };
}

/// Which items somebody may have: of one operator, of one of its stations, or all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Within<'a> {
    /// Of this operator alone.
    pub operator: Option<&'a str>,
    /// Of this station of it alone.
    pub station: Option<&'a str>,
}

/// An item that is somebody's for a while. It says nothing of other looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its number.
    pub item: i64,
    /// The passage.
    pub passage: PassageId,
    /// The day it was posted on.
    pub day: BusinessDate,
    /// Why it is looked at, by the causes' names.
    pub causes: Vec<String>,
    /// Until when it is theirs.
    pub until: Timestamp,
}

/// What became of an answer. A reviewer is told neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// Somebody else has to look.
    Waits,
    /// The item has ended; with the case that was opened, where one was.
    Ended(Option<String>),
}

/// A look that an item has had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Whose.
    pub reviewer: Person,
    /// What they said.
    pub answer: Answer,
    /// When.
    pub looked_at: Timestamp,
    /// How long it took them.
    pub took: SignedDuration,
}

/// A look at an item that has ended, for whoever settles its case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Whose.
    pub reviewer: Person,
    /// What they said; nothing where the plate they read is erased.
    pub answer: Option<Answer>,
    /// When.
    pub looked_at: Timestamp,
}

/// What a reviewer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Looks.
    pub looks: u32,
    /// How long all of them took.
    pub took: SignedDuration,
    /// Looks that another one was held against.
    pub judged: u32,
    /// Those of them that agree with what the item came to.
    pub agreed: u32,
}

/// Looks for passages that people should look at again, if that was not done of late. Tells how many
/// are new. Doing it twice does no harm. Nobody who claims or answers waits for it: it takes turns with
/// other searches alone, and each day is a transaction of its own.
///
/// # Errors
/// When the database fails; what was found on days before stays found.
pub async fn search_passages(
    pool: &PgPool,
    policy: &Policy,
    now: Timestamp,
) -> Result<u64, SettlementError> {
    let mut connection =
        pool.acquire().await.map_err(SettlementError::database("begin to search items"))?;
    let last = repo::searched_at(&mut connection).await?;
    if last.is_some_and(|at| now.duration_since(at) < SEARCH_EVERY) {
        return Ok(0);
    }
    let manners: BTreeMap<i32, Vec<Cause>> = repo::manners(&mut connection, Cause::of).await?;
    let days = repo::days(&mut connection, now).await?;
    let mut found = 0;
    for (day, is_closed) in days {
        let mut tx = connection.begin().await.map_err(SettlementError::database("begin a day"))?;
        if !repo::take_search(&mut tx).await? {
            break;
        }
        let new = repo::find(&mut tx, day, &manners, policy, now).await?;
        repo::note_round(&mut tx, day, is_closed && !new.is_full, now).await?;
        tx.commit().await.map_err(SettlementError::database("commit new items"))?;
        found += new.items;
    }
    Ok(found)
}

/// Erases what was read and written of items that ended [`READ_KEPT`] ago; where a case is not settled
/// yet it stays until that is. Tells of how many looks.
///
/// # Errors
/// When the database fails, or it takes too long.
pub async fn erase_in_tx(tx: &mut PgConnection, now: Timestamp) -> Result<u64, SettlementError> {
    looks::erase(tx, now - READ_KEPT, None, now).await
}

/// Erases a plate from what reviewers read and wrote of items that have ended, as somebody asks whose
/// it is; where a case is not settled yet it stays until that is. Who did it is written down, and not
/// the plate. Tells of how many looks.
///
/// # Errors
/// When the database fails, or it takes too long.
pub async fn erase_plate(
    pool: &PgPool,
    plate: &Plate,
    by: &Person,
    now: Timestamp,
) -> Result<u64, SettlementError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to erase"))?;
    let erased = looks::erase(&mut tx, Timestamp::MAX, Some(plate), now).await?;
    looks::note_erased(&mut tx, erased, by, now).await?;
    tx.commit().await.map_err(SettlementError::database("commit what was erased"))?;
    Ok(erased)
}

/// The looks behind a case that a review opened, in their order, with the passage; nothing where no
/// review did.
///
/// # Errors
/// When the database fails.
pub async fn seen_of_case(
    pool: &PgPool,
    code: &str,
) -> Result<Option<(PassageId, Vec<Seen>)>, SettlementError> {
    looks::seen_of_case(pool, code).await
}

/// Gives a reviewer the item that waits longest, or the one they have already.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    pool: &PgPool,
    who: &Person,
    within: Within<'_>,
    policy: &Policy,
    now: Timestamp,
) -> Result<Option<Claimed>, SettlementError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to claim"))?;
    repo::take_turns(&mut tx).await?;
    let Some(next) = repo::next(&mut tx, who, within, now).await? else { return Ok(None) };
    let claimed = match next.claimed_until {
        Some(until) => next.into_claimed(until),
        None => {
            let until = now + policy.lease;
            repo::claim(&mut tx, next.item, who, now, until).await?;
            next.into_claimed(until)
        }
    };
    tx.commit().await.map_err(SettlementError::database("commit a claim"))?;
    Ok(Some(claimed))
}

/// An item, if a reviewer has it at this moment.
///
/// # Errors
/// When the database fails.
pub async fn claimed(
    pool: &PgPool,
    item: i64,
    who: &Person,
    now: Timestamp,
) -> Result<Option<Claimed>, SettlementError> {
    let mut connection =
        pool.acquire().await.map_err(SettlementError::database("read a claimed item"))?;
    repo::claimed(&mut connection, item, who, now).await
}

/// Lets somebody else have an item; it waits as if it had just come.
///
/// # Errors
/// When it is not theirs, or the database fails.
pub async fn leave(
    pool: &PgPool,
    item: i64,
    who: &Person,
    now: Timestamp,
) -> Result<(), ReviewError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to leave an item"))?;
    repo::take_turns(&mut tx).await?;
    if repo::claimed(&mut tx, item, who, now).await?.is_none() {
        return Err(ReviewError::NotTheirs { item, who: who.clone() });
    }
    repo::release(&mut tx, item, now).await?;
    tx.commit().await.map_err(SettlementError::database("commit a left item"))?;
    Ok(())
}

/// Takes a reviewer's answer, and ends the item where enough people looked.
///
/// # Errors
/// When the item is not theirs at this moment, or the database fails; then nothing is kept.
pub async fn answer(
    pool: &PgPool,
    item: i64,
    who: &Person,
    answer: &Answer,
    now: Timestamp,
) -> Result<Answered, ReviewError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to answer"))?;
    repo::take_turns(&mut tx).await?;
    let not_theirs = || ReviewError::NotTheirs { item, who: who.clone() };
    let claimed = repo::claimed(&mut tx, item, who, now).await?.ok_or_else(not_theirs)?;
    looks::add_look(&mut tx, item, who, answer, now).await?;
    let looks = looks::looks(&mut tx, item).await?;
    let answers: Vec<Answer> = looks.into_iter().map(|look| look.answer).collect();
    let is_drawn = repo::is_drawn(&mut tx, item).await?;
    let answered = match ballot::standing(&answers, is_drawn) {
        Standing::Wanted => {
            repo::release(&mut tx, item, now).await?;
            Answered::Waits
        }
        Standing::Ended(verdict) => {
            Answered::Ended(end_in_tx(&mut tx, &claimed, &verdict, now).await?)
        }
    };
    tx.commit().await.map_err(SettlementError::database("commit an answer"))?;
    Ok(answered)
}

/// What a verdict means for the books, by the name of the outcome, and whether finance has to look.
fn outcome(verdict: &Verdict, record: Option<&Found>) -> (&'static str, bool) {
    match verdict {
        Verdict::Agreed(Answer::Read(reading)) if is_as_recorded(reading, record) => {
            ("confirmed", false)
        }
        Verdict::Agreed(Answer::Read(_)) => ("differs", true),
        // No picture says that the books are wrong: they stand.
        Verdict::Agreed(Answer::Unreadable(_)) => ("unreadable", false),
        Verdict::Agreed(Answer::Rejected(_)) => ("rejected", true),
        Verdict::Split => ("split", true),
    }
}

/// Whether the books have what was seen, and charged somebody for it or nobody on purpose.
fn is_as_recorded(reading: &Reading, record: Option<&Found>) -> bool {
    let Some(record) = record else { return false };
    let plate = record.plate.as_deref().is_none_or(|plate| plate == reading.plate.as_str());
    let group = record.vehicle_group == Some(i16::from(reading.group.number()));
    // A vehicle that nobody paid for is known now.
    let is_unpaid = matches!(record.why.as_deref(), Some("unknown-vehicle" | "no-fare"));
    plate && group && !is_unpaid
}

async fn end_in_tx(
    tx: &mut PgConnection,
    claimed: &Claimed,
    verdict: &Verdict,
    now: Timestamp,
) -> Result<Option<String>, SettlementError> {
    let record = search::one_of_day(tx, &claimed.passage, claimed.day)
        .await
        .map_err(SettlementError::database("read a passage under review"))?;
    let (name, wants_case) = outcome(verdict, record.as_ref());
    let case = match (&record, wants_case) {
        (Some(record), true) => {
            let found = finding(claimed, record, name, verdict)?;
            Some(cases::open_in_tx(tx, &found, &Actor::Program, now).await?)
        }
        (_, false) => None,
        (None, true) => {
            let text = claimed.passage.to_string();
            return Err(SettlementError::Stored { what: "passage under review", text });
        }
    };
    repo::end(tx, claimed.item, name, case.as_deref(), now).await?;
    Ok(case)
}

/// What finance finds: both sides without anything personal in clear.
fn finding(
    claimed: &Claimed,
    record: &Found,
    outcome: &str,
    verdict: &Verdict,
) -> Result<Finding, SettlementError> {
    let masked = |plate: Option<&str>| {
        let plate = plate.and_then(|text| Plate::try_new(text).ok());
        plate.map_or_else(|| "none".to_owned(), |plate| plate.masked())
    };
    let group = record.vehicle_group.map_or_else(|| "none".to_owned(), |group| group.to_string());
    let why = record.why.as_deref().unwrap_or("nothing");
    let amount = record.amount.unwrap_or_default();
    let ours = format!(
        "plate {}, group {group}, amount {amount} ({why})",
        masked(record.plate.as_deref())
    );
    let theirs = match verdict {
        Verdict::Agreed(Answer::Read(Reading { plate, group })) => {
            let same = record.plate.as_deref() == Some(plate.as_str());
            let note = if same { "the same" } else { "another" };
            format!("image review: plate {} ({note}), group {group}", plate.masked())
        }
        Verdict::Agreed(Answer::Unreadable(why)) => format!("image review: {}", why.number()),
        Verdict::Agreed(Answer::Rejected(why)) => {
            format!("image review: {outcome}, reason {}", why.number())
        }
        Verdict::Split => "image review: three people saw three things".to_owned(),
    };
    let passage = claimed.passage.to_string();
    let missing = |what| SettlementError::Stored { what, text: passage.clone() };
    Ok(Finding {
        kind: Kind::ReviewDiffers,
        operator: record
            .operator
            .parse::<OperatorId>()
            .or(Err(missing("operator of a passage")))?,
        day: record.day().ok_or_else(|| missing("day of a passage under review"))?,
        subject: passage.clone(),
        ours: Some(ours),
        theirs: Some(theirs),
        amount: Amount::try_new(amount)?,
    })
}

/// What waits, by cause and in all.
///
/// # Errors
/// When the database fails.
pub async fn waiting(
    pool: &PgPool,
    within: Within<'_>,
    now: Timestamp,
) -> Result<Waiting, SettlementError> {
    repo::waiting(pool, within, now).await
}

/// What items came to since an instant, by outcome.
///
/// # Errors
/// When the database fails.
pub async fn ended(
    pool: &PgPool,
    within: Within<'_>,
    since: Timestamp,
) -> Result<Vec<Ended>, SettlementError> {
    repo::ended(pool, within, since).await
}

/// What each reviewer did since an instant, and how often others who looked at the same agreed.
///
/// # Errors
/// When the database fails.
pub async fn work(
    pool: &PgPool,
    within: Within<'_>,
    since: Timestamp,
) -> Result<BTreeMap<Person, Work>, SettlementError> {
    let mut work: BTreeMap<Person, Work> = BTreeMap::new();
    for (is_drawn, looks) in looks::looks_since(pool, within, since).await? {
        let answers: Vec<Answer> = looks.iter().map(|look| look.answer.clone()).collect();
        let judged = ballot::judged(&answers, is_drawn);
        for (index, look) in looks.iter().enumerate() {
            let own = work.entry(look.reviewer.clone()).or_default();
            own.looks += 1;
            own.took += look.took;
            if let Some(agreed) = judged.get(index) {
                own.judged += 1;
                own.agreed += u32::from(*agreed);
            }
        }
    }
    Ok(work)
}
