//! Approval: what counts only when a second person has looked at it.
//!
//! A *maker* proposes, a *checker* approves; they are never the same person. This module refuses
//! it, and so does the database, whoever writes the row: an approval carries its maker's name, which
//! a foreign key holds to the proposal and a constraint holds apart from the checker's. What was
//! proposed is kept as it was shown, with its digest.
//!
//! Three things are decided so: a day's *settlement* ([`propose`], [`approve`]), that a day may be
//! closed over a *hole* in a lane's numbers ([`propose_hole`], [`approve_hole`]), and that the figures
//! of a month or year are *agreed* ([`propose_period`], [`agree`]). Doing either twice
//! is no error and changes nothing. Deliberately absent: who is whom and may do what (`console`).

mod repo;

pub(crate) use repo::accepted_holes;

use std::fmt;
use std::str::FromStr;

use clearing_house::sql::{from_sql, to_sql};
use domain::{LaneId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::papers::period::Period;
use crate::settlement::SettlementError;
use crate::statement::repo::paper;
use crate::window::repo::{change_in_tx, hold, state};
use crate::window::{Actor, Event, State, Window};

/// A person as the console names users: lower case letters, digits and `. _ @ -`, at most 64.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Person(String);

impl Person {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Not a person's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no person: a letter or digit, then letters, digits and . _ @ -, at most 64, lower \
     case, and not \"program\""
)]
pub struct NotAPerson(String);

impl FromStr for Person {
    type Err = NotAPerson;
    fn from_str(text: &str) -> Result<Self, NotAPerson> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let good = text.len() <= 64
            && text != "program"
            && text.starts_with(plain)
            && text.chars().all(|c| plain(c) || "._@-".contains(c));
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAPerson(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for Person {
    type Error = NotAPerson;
    fn try_from(text: String) -> Result<Self, NotAPerson> {
        text.parse()
    }
}

impl From<Person> for String {
    fn from(person: Person) -> Self {
        person.0
    }
}

/// Why something was not proposed or approved.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// The window is not as far as it must be, or is past it.
    #[error("window {window} is {state}; only one that is {wanted} can be {doing}")]
    NotNow {
        /// The window.
        window: Window,
        /// What it is.
        state: State,
        /// What it would have to be.
        wanted: State,
        /// What was asked.
        doing: &'static str,
    },
    /// Somebody else proposed it before.
    #[error("{what} of window {window} was proposed before, by {maker}")]
    Proposed {
        /// What.
        what: &'static str,
        /// The window.
        window: Window,
        /// By whom.
        maker: Person,
    },
    /// Nobody proposed it yet.
    #[error("nobody has proposed {what} of window {window}: one person proposes, another approves")]
    NotProposed {
        /// What.
        what: &'static str,
        /// The window.
        window: Window,
    },
    /// The one who proposed it may not approve it.
    #[error("{who} proposed {what} of window {window}, so somebody else must approve it")]
    SamePerson {
        /// What.
        what: &'static str,
        /// The window.
        window: Window,
        /// Who.
        who: Person,
    },
    /// It was approved before, by another.
    #[error("{what} of window {window} was approved before, by {checker}")]
    Approved {
        /// What.
        what: &'static str,
        /// The window.
        window: Window,
        /// By whom.
        checker: Person,
    },
    /// The books failed.
    #[error(transparent)]
    Books(#[from] SettlementError),
}

/// An approval, with the two behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// Who proposed.
    pub maker: Person,
    /// When.
    pub proposed_at: Timestamp,
    /// Who approved.
    pub checker: Person,
    /// When.
    pub approved_at: Timestamp,
}

const SETTLEMENT: &str = "the settlement";
const HOLE: &str = "closing over the hole";

/// Proposes a closed window's settlement: `who` has looked at the statement and stands for it.
///
/// The maker is often the one who closed the day: then this was done with the close. Proposing what
/// the same person proposed before changes nothing.
///
/// # Errors
/// When the window is not closed, somebody else proposed it, or the database fails.
pub async fn propose(
    pool: &PgPool,
    window: &Window,
    who: &Person,
    at: Timestamp,
) -> Result<(), ApprovalError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to propose"))?;
    hold(&mut tx, window).await?;
    let (state, _) = state(&mut *tx, window).await?;
    if state < State::Closed {
        let (window, wanted) = (window.clone(), State::Closed);
        return Err(ApprovalError::NotNow { window, state, wanted, doing: "proposed" });
    }
    propose_in_tx(&mut tx, window, who, at).await?;
    tx.commit().await.map_err(SettlementError::database("commit a proposal"))?;
    Ok(())
}

/// The same within a close.
pub(crate) async fn propose_in_tx(
    tx: &mut sqlx::PgConnection,
    window: &Window,
    who: &Person,
    at: Timestamp,
) -> Result<(), ApprovalError> {
    let paper = paper(&mut *tx, &window.operator, window.day).await?;
    let Some(paper) = paper else {
        let (window, state, wanted) = (window.clone(), State::Closing, State::Closed);
        return Err(ApprovalError::NotNow { window, state, wanted, doing: "proposed" });
    };
    let content = &paper.canonical;
    match repo::proposal(tx, repo::Kind::Settlement, window, content).await? {
        Some(known) if known.maker == *who => Ok(()),
        Some(known) => Err(ApprovalError::Proposed {
            what: SETTLEMENT,
            window: window.clone(),
            maker: known.maker,
        }),
        None => Ok(repo::propose(tx, repo::Kind::Settlement, window, content, who, at).await?),
    }
}

/// Approves a closed window's settlement as its checker, and makes the window approved.
///
/// `who` must be another than the maker. Approving what the same person approved before changes
/// nothing and gives the same answer.
///
/// # Errors
/// When the window is not closed, nobody proposed it, `who` did, somebody else approved it, or the
/// database fails.
pub async fn approve(
    pool: &PgPool,
    window: &Window,
    who: &Person,
    at: Timestamp,
) -> Result<Approval, ApprovalError> {
    // As the database keeps it, so that a second answer is the same as the first.
    let at = from_sql(to_sql(at));
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to approve"))?;
    hold(&mut tx, window).await?;
    let (state, _) = state(&mut *tx, window).await?;
    let paper = paper(&mut *tx, &window.operator, window.day).await?;
    let Some(paper) = paper.filter(|_| state >= State::Closed) else {
        let (window, wanted) = (window.clone(), State::Closed);
        return Err(ApprovalError::NotNow { window, state, wanted, doing: "approved" });
    };
    let kind = repo::Kind::Settlement;
    let known = repo::proposal(&mut tx, kind, window, &paper.canonical).await?;
    let (approval, fresh) = decide(&mut tx, SETTLEMENT, window, known, who, at).await?;
    if fresh {
        let actor = Actor::Person(who.clone());
        change_in_tx(&mut tx, window, Event::Approve, &actor, at, None).await?;
    }
    tx.commit().await.map_err(SettlementError::database("commit an approval"))?;
    Ok(approval)
}

/// Numbers of a lane that never came, over which a day may be closed all the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoleInLane {
    /// The lane.
    pub lane: LaneId,
    /// The journal's epoch.
    pub epoch: u32,
    /// The first number missing.
    pub first_seq: u64,
    /// The last number missing.
    pub last_seq: u64,
}

/// What exactly is given up, and why the day may be closed over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoleDecision {
    /// The hole; or the numbers of a manifest, where its figures are named.
    pub hole: HoleInLane,
    /// The figures in which the lane's manifest of these very numbers differs from the books, word for
    /// word. Without any the decision is about numbers that never came, and about nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<String>,
    /// Why what is missing is given up, for those who ask later.
    pub reason: String,
}

/// Proposes to close a window, and those after it, over a hole.
///
/// # Errors
/// When the window is past closing, somebody else proposed the same, or the database fails.
pub async fn propose_hole(
    pool: &PgPool,
    window: &Window,
    decision: &HoleDecision,
    who: &Person,
    at: Timestamp,
) -> Result<(), ApprovalError> {
    let (kind, content) = (repo::Kind::IncompleteDay, content(decision)?);
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to propose"))?;
    open_window(&mut tx, window).await?;
    match repo::proposal(&mut tx, kind, window, &content).await? {
        Some(known) if known.maker == *who => return Ok(()),
        Some(known) => {
            let window = window.clone();
            return Err(ApprovalError::Proposed { what: HOLE, window, maker: known.maker });
        }
        None => repo::propose(&mut tx, kind, window, &content, who, at).await?,
    }
    tx.commit().await.map_err(SettlementError::database("commit a proposal"))?;
    Ok(())
}

/// Approves to close a window over a hole, as its checker: the same decision, word for word.
///
/// # Errors
/// When the window is past closing, nobody proposed it, `who` did, somebody else approved it, or the
/// database fails.
pub async fn approve_hole(
    pool: &PgPool,
    window: &Window,
    decision: &HoleDecision,
    who: &Person,
    at: Timestamp,
) -> Result<Approval, ApprovalError> {
    let at = from_sql(to_sql(at));
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to approve"))?;
    open_window(&mut tx, window).await?;
    let kind = repo::Kind::IncompleteDay;
    let known = repo::proposal(&mut tx, kind, window, &content(decision)?).await?;
    let (approval, _) = decide(&mut tx, HOLE, window, known, who, at).await?;
    tx.commit().await.map_err(SettlementError::database("commit an approval"))?;
    Ok(approval)
}

const PERIOD: &str = "the agreement on a period";

const fn kind_of(period: Period) -> repo::Kind {
    match period {
        Period::Month(_) => repo::Kind::Month,
        Period::Year(_) => repo::Kind::Year,
    }
}

/// Proposes a period's statement as agreed; `window` is its last closed day.
///
/// # Errors
/// When somebody else proposed the same figures, or the database fails.
pub async fn propose_period(
    pool: &PgPool,
    window: &Window,
    period: Period,
    canonical: &str,
    who: &Person,
    at: Timestamp,
) -> Result<(), ApprovalError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to propose"))?;
    hold(&mut tx, window).await?;
    match repo::proposal(&mut tx, kind_of(period), window, canonical).await? {
        Some(known) if known.maker == *who => return Ok(()),
        Some(known) => {
            let window = window.clone();
            return Err(ApprovalError::Proposed { what: PERIOD, window, maker: known.maker });
        }
        None => repo::propose(&mut tx, kind_of(period), window, canonical, who, at).await?,
    }
    tx.commit().await.map_err(SettlementError::database("commit a proposal"))?;
    Ok(())
}

/// Approves a period's statement as its checker: the same figures to the byte.
///
/// # Errors
/// When nobody proposed these figures, `who` did, somebody else approved them, or the database fails.
pub async fn agree(
    pool: &PgPool,
    window: &Window,
    period: Period,
    canonical: &str,
    who: &Person,
    at: Timestamp,
) -> Result<Approval, ApprovalError> {
    let at = from_sql(to_sql(at));
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to approve"))?;
    hold(&mut tx, window).await?;
    let known = repo::proposal(&mut tx, kind_of(period), window, canonical).await?;
    let (approval, _) = decide(&mut tx, PERIOD, window, known, who, at).await?;
    tx.commit().await.map_err(SettlementError::database("commit an approval"))?;
    Ok(approval)
}

fn content(decision: &HoleDecision) -> Result<String, SettlementError> {
    Ok(serde_json::to_string(decision)?)
}

async fn open_window(tx: &mut sqlx::PgConnection, window: &Window) -> Result<(), ApprovalError> {
    hold(tx, window).await?;
    let (state, _) = state(&mut *tx, window).await?;
    if state == State::Open {
        return Ok(());
    }
    let (window, wanted) = (window.clone(), State::Open);
    Err(ApprovalError::NotNow { window, state, wanted, doing: "closed over a hole" })
}

/// Lets a checker approve; says whether it was done only now.
async fn decide(
    tx: &mut sqlx::PgConnection,
    what: &'static str,
    window: &Window,
    known: Option<repo::Known>,
    who: &Person,
    at: Timestamp,
) -> Result<(Approval, bool), ApprovalError> {
    let window = || window.clone();
    let Some(known) = known else {
        return Err(ApprovalError::NotProposed { what, window: window() });
    };
    if known.maker == *who {
        return Err(ApprovalError::SamePerson { what, window: window(), who: who.clone() });
    }
    let approval = |checker: Person, approved_at| Approval {
        maker: known.maker.clone(),
        proposed_at: known.proposed_at,
        checker,
        approved_at,
    };
    match &known.approved {
        Some((checker, approved_at)) if checker == who => {
            Ok((approval(checker.clone(), *approved_at), false))
        }
        Some((checker, _)) => {
            Err(ApprovalError::Approved { what, window: window(), checker: checker.clone() })
        }
        None => {
            repo::approve(tx, &known, who, at).await?;
            Ok((approval(who.clone(), at), true))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_written_in_one_way_only() {
        for good in ["lan", "minh.tran@etc.example", "0123", "a-b_c"] {
            assert_eq!(good.parse::<Person>().unwrap().as_str(), good);
        }
        // Two spellings of one name would be two people.
        for bad in ["", "Lan", " lan", "lan ", "program", "-lan", "l\u{e2}n", &"x".repeat(65)] {
            assert!(bad.parse::<Person>().is_err(), "{bad:?}");
        }
    }
}
