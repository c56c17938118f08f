//! The books of a run against its truth, crossing by crossing.
//!
//! The demo compares sums itself; this looks at every line, by rules of its own: each crossing of
//! the truth has exactly one passage in the same lane, of the same vehicle, that ended the same way
//! and costs the same; no passage is left over; and each account lost what its crossings cost.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use domain::{Plate, TagId};
use simulator::truth::{How, TruthLine};
use sqlx::{PgPool, Row};

/// A passage as the books' public view has it.
#[derive(Debug, Clone)]
struct Booked {
    id: String,
    lane: String,
    tag: Option<TagId>,
    plate: Option<Plate>,
    decision: String,
    why: Option<String>,
    disposition: String,
    payer: Option<String>,
    account: Option<i64>,
    amount: i64,
    attended: bool,
}

impl Booked {
    fn is_of(&self, line: &TruthLine) -> bool {
        let same_tag = self.tag.is_some() && self.tag == line.tag;
        same_tag || self.plate.as_ref() == Some(&line.plate)
    }

    fn is_nobodys(&self) -> bool {
        self.tag.is_none() && self.plate.is_none()
    }

    fn went_through(&self) -> bool {
        !matches!(self.decision.as_str(), "turned-away" | "left-undecided")
    }

    fn ended_as(&self, how: How) -> bool {
        let why = self.why.as_deref().unwrap_or_default();
        match how {
            How::Tag => self.decision == "opened-by-tag" && matches!(why, "fare" | "entry"),
            How::Pass => self.decision == "opened-by-tag" && why == "pass",
            How::Exempt => matches!(why, "exempt" | "entry"),
            How::Attendant => self.attended && self.went_through(),
            How::TurnedAway => !self.went_through() && self.amount == 0,
        }
    }
}

impl fmt::Display for Booked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, decision, disposition, amount, .. } = self;
        let why = self.why.as_deref().unwrap_or("no reason");
        write!(f, "{id}: {decision}, {disposition}, {why}, {amount}")
    }
}

async fn booked(books: &PgPool) -> Vec<Booked> {
    let rows = sqlx::query(
        "select lane || ':' || epoch || ':' || seq, lane, tag, plate, decision, why, disposition, payer, account, \
             coalesce(amount, 0), attendant is not null \
         from passage_v1 order by lane, epoch, seq",
    )
    .fetch_all(books)
    .await
    .expect("the books can be read");
    let passage = |row: &sqlx::postgres::PgRow| Booked {
        id: row.get(0),
        lane: row.get(1),
        tag: row.get::<Option<String>, _>(2).map(|tag| tag.parse().expect("a tag")),
        plate: row.get::<Option<String>, _>(3).map(|plate| plate.parse().expect("a plate")),
        decision: row.get(4),
        why: row.get(5),
        disposition: row.get(6),
        payer: row.get(7),
        account: row.get(8),
        amount: row.get(9),
        attended: row.get(10),
    };
    rows.iter().map(passage).collect()
}

/// Sees that the books of a run are what follows from its truth.
pub async fn assert_books_follow_from(truth: &[TruthLine], books: &PgPool) {
    let mut comparison = Comparison::of(books).await;
    truth.iter().for_each(|line| comparison.look_for(line));
    let wrong = comparison.differences(charged(books).await);
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    let sum: i64 = sqlx::query_scalar("select coalesce(sum(amount), 0)::int8 from entry_v1")
        .fetch_one(books)
        .await
        .expect("the ledger can be read");
    assert_eq!(sum, 0, "the entries sum to zero");
}

/// How far the comparison has come.
struct Comparison {
    /// Passages that no crossing was found for yet, by lane.
    left: BTreeMap<String, Vec<Booked>>,
    accounts: HashMap<String, i64>,
    /// What each account owes by the truth.
    owed: BTreeMap<i64, i64>,
    wrong: Vec<String>,
}

impl Comparison {
    async fn of(books: &PgPool) -> Self {
        let mut left: BTreeMap<String, Vec<Booked>> = BTreeMap::new();
        for passage in booked(books).await {
            left.entry(passage.lane.clone()).or_default().push(passage);
        }
        let accounts = accounts(books).await;
        Self { left, accounts, owed: BTreeMap::new(), wrong: Vec::new() }
    }

    /// Takes the passage of a crossing out of those that are left, and looks whether it is right.
    fn look_for(&mut self, line: &TruthLine) {
        let lane = format!("{}/{}/{}", line.operator, line.station, line.lane);
        let here = self.left.entry(lane.clone()).or_default();
        let turned_away = line.how == How::TurnedAway;
        // A vehicle that was sent back without tag or plate seen is known by nothing else.
        let unknown = |one: &Booked| turned_away && one.is_nobodys() && !one.went_through();
        let place = here
            .iter()
            .position(|one| one.is_of(line) && one.went_through() != turned_away)
            .or_else(|| here.iter().position(unknown));
        let vehicle = format!("vehicle {} ({:?}, {})", line.vehicle, line.how, line.fare_vnd);
        let Some(place) = place else {
            self.wrong.push(format!("{vehicle} has no passage in {lane}"));
            return;
        };
        let passage = here.remove(place);
        let fare = line.fare_vnd.minor_units();
        let disposition = if turned_away { "not-posted" } else { "posted" };
        let as_expected = passage.ended_as(line.how)
            && passage.amount == fare
            && passage.disposition == disposition;
        if !as_expected {
            self.wrong.push(format!("{vehicle} is in the books as {passage}"));
        }
        if fare > 0 && passage.payer.as_deref() != Some("cash") {
            let account = self.accounts.get(line.plate.as_str()).copied();
            if account.is_none() || passage.account != account {
                self.wrong.push(format!("{vehicle} was charged to another's account: {passage}"));
            }
            *self.owed.entry(account.unwrap_or_default()).or_default() += fare;
        }
    }

    /// Every difference, once all crossings were looked for.
    fn differences(mut self, charged: Vec<(i64, i64)>) -> Vec<String> {
        let left = self.left.into_values().flatten();
        self.wrong.extend(left.map(|passage| format!("no crossing has {passage}")));
        for (account, charged) in charged {
            let owes = self.owed.remove(&account).unwrap_or_default();
            if owes != charged {
                self.wrong.push(format!("account {account} owes {owes} and was charged {charged}"));
            }
        }
        let uncharged = self.owed.iter();
        self.wrong
            .extend(uncharged.map(|(account, owes)| format!("account {account} owes {owes}")));
        self.wrong
    }
}

async fn accounts(books: &PgPool) -> HashMap<String, i64> {
    let rows = sqlx::query("select plate, account from vehicle").fetch_all(books).await;
    let rows = rows.expect("the vehicles can be read");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// What the ledger took from each account, by what is left of what was paid in.
async fn charged(books: &PgPool) -> Vec<(i64, i64)> {
    let rows = sqlx::query(
        "select b.account, (coalesce(sum(t.amount) filter (where t.kind = 'top-up'), 0) - b.balance)::int8 \
         from balance_v1 b left join transfer_v1 t on t.credit = b.ledger_account \
         group by b.account, b.balance",
    )
    .fetch_all(books)
    .await
    .expect("the balances can be read");
    rows.iter()
        .map(|row| (row.get(0), row.get(1)))
        .filter(|(_, charged): &(i64, i64)| *charged != 0)
        .collect()
}
