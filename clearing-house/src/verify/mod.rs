//! Verify: proves from stored rows what can be proved, and names the first break.
//!
//! Numbers I… are the invariants of `docs/invariants.md`. Each check reads what is stored and
//! computes it again; none trusts a sum, a balance or a watermark.

mod days;
mod lists;
mod passages;

use domain::{BusinessDate, OperatorId};
use serde::Serialize;
use sqlx::{PgConnection, PgPool, Postgres, Row, Transaction};

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
    /// The operator is unknown.
    #[error("the books have no operator {0}")]
    Operator(OperatorId),
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

/// Checks everything against one state of the books; `told` hears how many days are done, of how many.
///
/// It takes its time: one worker of the database at a time, a day at a time. Its one state keeps every row
/// that is replaced meanwhile, the lanes' watermarks before all, and posting becomes slow beside it: it is for
/// a standby or hours without traffic, and [`verify_day`] for the rest.
///
/// # Errors
/// When the books cannot be read.
pub async fn verify(
    pool: &PgPool,
    centre: PublicKey,
    policy: ListPolicy,
    told: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Proof, VerifyError> {
    let registry = crate::registry::Registry::load(pool).await?;
    let mut tx = one_state(pool).await?;
    let mut invariants = days::check(&mut tx, told).await?;
    sqlx::raw_sql(SORTS).execute(&mut *tx).await?;
    for (id, what, sql) in STORED.into_iter().chain(crate::rating::proof::STORED) {
        invariants.push(stored(&mut tx, id, what, sql).await?);
    }
    invariants.extend(passages::check(&mut tx, &registry).await?);
    invariants.extend(lists::check(&mut tx, centre, policy).await?);
    Ok(Proof::new(invariants))
}

/// Checks what can be checked of one settlement day from its own rows, in seconds: its numbers, charges,
/// entries and sums. What needs the passages' bytes (signatures, chains of digests, fares) is [`verify`]'s.
///
/// # Errors
/// When the books cannot be read, or have no such operator.
pub async fn verify_day(
    pool: &PgPool,
    day: BusinessDate,
    operator: Option<&OperatorId>,
) -> Result<Proof, VerifyError> {
    let mut tx = one_state(pool).await?;
    let operator_no = match operator {
        None => None,
        Some(operator) => {
            let known = sqlx::query_scalar("select operator_no from operator where operator = $1")
                .bind(operator.as_str())
                .fetch_optional(&mut *tx)
                .await?;
            Some(known.ok_or_else(|| VerifyError::Operator(operator.clone()))?)
        }
    };
    Ok(Proof::new(days::check_one(&mut tx, day, operator_no).await?))
}

/// A transaction that sees one state, changes nothing, and leaves the other processors to whoever posts.
async fn one_state(pool: &PgPool) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::raw_sql(
        "set transaction isolation level repeatable read, read only;
         set local max_parallel_workers_per_gather = 0;
         set local jit = off",
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx)
}

/// What goes over days may sort, and more of it in memory.
const SORTS: &str = "set local enable_sort = on; set local work_mem = '64MB'";

/// Checks that the database can do alone: each statement gives how many were looked at, how many
/// break, and the first of those.
const STORED: [(&str, &str, &str); 2] = [
    (
        "I10",
        "a transfer is undone or made again at most once, by one that carries it",
        // A toll's number is made of its journal and sequence, by which each day has an index.
        "with asked as (select distinct original from direct_transfer where original is not null), \
         known as (select a.original, p.debit::int8, p.credit::int8, p.amount from asked a join posting p \
                on p.journal_no = (a.original >> 32)::int4 and p.seq = (a.original & 2147483647)::int4 \
                and p.amount > 0 \
            union all select a.original, d.debit, d.credit, d.amount from asked a \
                join direct_transfer d on d.transfer = a.original), \
         checked as (select 'transfer ' || t.transfer as who, \
                (o.original is null or (t.kind = 'reversal' and (t.debit <> o.credit or t.credit <> o.debit \
                    or t.amount <> o.amount))) or count(*) over (partition by t.kind, t.original) > 1 as broken \
            from direct_transfer t left join known o using (original) \
            where t.original is not null or t.kind in ('reversal', 'repost')) \
         select count(*), count(*) filter (where broken), min(who) filter (where broken) from checked",
    ),
    (
        "I10",
        "passages, charges and transfers can only be added",
        "with wanted (tab, trig) as ( \
                select w.who::regclass, w.who || '_is_append_only' from (values ('posting'), ('posting_batch'), \
                    ('batch_sum'), ('passage_more'), ('evidence'), ('trip'), ('manner'), ('direct_transfer')) w (who) \
                union all select inhrelid::regclass, 'posting_is_append_only' from pg_inherits \
                where inhparent = 'posting'::regclass), \
         checked as (select w.tab::text as who, not exists (select from pg_trigger t where t.tgrelid = w.tab \
                and t.tgname = w.trig and t.tgenabled = 'O') as broken from wanted w) \
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
