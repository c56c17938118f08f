//! Verify: proves from stored rows what can be proved, and names the first break.
//!
//! Numbers I… are the invariants of `docs/invariants.md`. Each check reads what is stored and
//! computes it again; none trusts a sum, a balance or a watermark.

mod lists;
mod passages;

use serde::Serialize;
use sqlx::{PgConnection, PgPool, Row};

use crate::config::ListPolicy;
use domain::signature::PublicKey;

/// Why the books could not be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database failed.
    #[error("read the books")]
    Database(#[from] sqlx::Error),
    /// The registry could not be read.
    #[error("read the registry")]
    Registry(#[from] crate::registry::RegistryError),
    /// The intake's facts could not be read.
    #[error("read the facts of passages")]
    Facts(#[from] crate::intake::BooksError),
}

/// One invariant, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invariant {
    /// Its number.
    pub id: &'static str,
    /// What holds.
    pub what: &'static str,
    /// How many things were looked at.
    pub checked: i64,
    /// How many break it.
    pub broken: i64,
    /// The first that does.
    pub first: Option<String>,
}

/// All invariants, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Whether none is broken.
    pub ok: bool,
    /// Each of them.
    pub invariants: Vec<Invariant>,
}

impl Proof {
    /// The proof that these invariants make.
    #[must_use]
    pub fn new(invariants: Vec<Invariant>) -> Self {
        Self { ok: invariants.iter().all(|invariant| invariant.broken == 0), invariants }
    }
}

/// Checks everything against one state of the books.
///
/// # Errors
/// When the books cannot be read.
pub async fn verify(
    pool: &PgPool,
    centre: PublicKey,
    policy: ListPolicy,
) -> Result<Proof, VerifyError> {
    let registry = crate::registry::Registry::load(pool).await?;
    let mut tx = pool.begin().await?;
    sqlx::query("set transaction isolation level repeatable read, read only")
        .execute(&mut *tx)
        .await?;
    let mut invariants = Vec::new();
    for (id, what, sql) in STORED.into_iter().chain(crate::rating::proof::STORED) {
        invariants.push(stored(&mut tx, id, what, sql).await?);
    }
    invariants.extend(passages::check(&mut tx, &registry).await?);
    invariants.extend(lists::check(&mut tx, centre, policy).await?);
    Ok(Proof::new(invariants))
}

/// Checks that the database can do alone: each statement gives how many were looked at, how many
/// break, and the first of those.
const STORED: [(&str, &str, &str); 6] = [
    (
        "I6",
        "a lane's watermark covers exactly what is stored without a gap",
        "with prefix as (select lane, epoch, count(*) filter (where seq = n) as upto from \
            (select lane, epoch, seq, row_number() over (partition by lane, epoch order by seq) as n from passage) s \
            group by 1, 2), \
         checked as (select e.lane || ':' || e.epoch as who, e.posted_upto <> coalesce(p.upto, 0) as broken \
            from lane_epoch e left join prefix p using (lane, epoch)) \
         select count(*), count(*) filter (where broken), min(who) filter (where broken) from checked",
    ),
    (
        "I6",
        "a passage is charged, rejected with a reason, or waits for its entry",
        "with checked as (select p.lane || ':' || p.epoch || ':' || p.seq as who, \
                (c.seq is null) = (a.seq is null) as broken \
            from passage p left join charge c using (lane, epoch, seq) \
            left join awaiting_entry a using (lane, epoch, seq)) \
         select count(*), count(*) filter (where broken), min(who) filter (where broken) from checked",
    ),
    (
        "I7",
        "a charge that costs something is paid for by exactly one transfer of that amount",
        "with checked as (select c.lane || ':' || c.epoch || ':' || c.seq as who, \
                count(t.transfer) <> (c.amount > 0)::int or bool_or(t.amount <> c.amount) is true \
                or bool_or((t.kind = 'cash-toll') <> (c.payer = 'cash')) is true \
                or bool_or(t.day <> c.day) is true \
                or bool_or(c.payer = 'account' and l.account is distinct from c.account) is true as broken \
            from charge c left join transfer t on t.lane = c.lane and t.epoch = c.epoch and t.seq = c.seq \
                and t.kind <> 'reversal' \
            left join ledger_account l on l.ledger_account = t.debit \
            group by c.lane, c.epoch, c.seq) \
         select count(*), count(*) filter (where broken), min(who) filter (where broken) from checked",
    ),
    (
        "I9",
        "entries sum to zero",
        "select count(*), (coalesce(sum(amount), 0) <> 0)::int::int8, \
                case when coalesce(sum(amount), 0) <> 0 then 'the sum is ' || sum(amount) end from entry_v1",
    ),
    (
        "I9",
        "a balance is the sum of its account's entries",
        "with computed as (select ledger_account, sum(amount)::int8 as sum from entry_v1 group by 1), \
         checked as (select l.ledger_account::text as who, l.balance <> coalesce(c.sum, 0) as broken \
            from ledger_account l left join computed c using (ledger_account)) \
         select count(*), count(*) filter (where broken), min(who) filter (where broken) from checked",
    ),
    (
        "I10",
        "passages, charges and transfers can only be added",
        "with wanted (who) as (values ('passage'), ('charge'), ('transfer')), \
         checked as (select who, not exists (select from pg_trigger t where t.tgrelid = w.who::regclass \
                and t.tgname = w.who || '_is_append_only' and t.tgenabled = 'O') as broken from wanted w) \
         select count(*), count(*) filter (where broken), min(who) filter (where broken) from checked",
    ),
];

async fn stored(
    tx: &mut PgConnection,
    id: &'static str,
    what: &'static str,
    sql: &'static str,
) -> Result<Invariant, sqlx::Error> {
    let row = sqlx::query(sql).fetch_one(tx).await?;
    Ok(Invariant { id, what, checked: row.get(0), broken: row.get(1), first: row.get(2) })
}

/// Counts what was looked at and what was broken.
struct Tally {
    invariant: Invariant,
}

impl Tally {
    fn new(id: &'static str, what: &'static str) -> Self {
        Self { invariant: Invariant { id, what, checked: 0, broken: 0, first: None } }
    }

    fn count(&mut self, holds: bool, who: impl FnOnce() -> String) {
        self.invariant.checked += 1;
        if !holds {
            self.invariant.broken += 1;
            self.invariant.first.get_or_insert_with(who);
        }
    }
}
