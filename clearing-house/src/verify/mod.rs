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
const STORED: [(&str, &str, &str); 9] = [
    (
        "I6",
        "a lane's watermark covers exactly what is stored without a gap",
        "with stored as (select journal_no, seq from posting union all select journal_no, seq from waiting_exit), \
         prefix as (select journal_no, max(seq) filter (where seq = n) as upto, max(seq) as last from \
            (select journal_no, seq, dense_rank() over (partition by journal_no order by seq) as n from stored) s \
            group by 1), \
         checked as (select e.lane || ':' || e.epoch as who, \
                e.posted_upto <> coalesce(p.upto, 0) or e.last_seq <> coalesce(p.last, 0) as broken \
            from lane_epoch e left join prefix p using (journal_no)) \
         select count(*), count(*) filter (where broken), min(who) filter (where broken) from checked",
    ),
    (
        "I6",
        "what a receipt says is stored at a watermark is stored there",
        "with checked as (select e.lane || ':' || e.epoch as who, \
                coalesce(p.digest, w.digest) is distinct from e.posted_digest as broken \
            from lane_epoch e \
            left join posting p on p.journal_no = e.journal_no and p.seq = e.posted_upto \
            left join waiting_exit w on w.journal_no = e.journal_no and w.seq = e.posted_upto) \
         select count(*), count(*) filter (where broken), min(who) filter (where broken) from checked",
    ),
    (
        "I6",
        "a passage is charged, rejected with a reason, or waits for its entry",
        "with stored as (select journal_no, seq, manner from posting \
                union all select journal_no, seq, null from waiting_exit), \
         checked as (select s.journal_no, s.seq, count(*) <> 1 or (bool_or(s.manner is not null) \
                and bool_or(m.disposition is null or m.why is null)) as broken \
            from stored s left join manner m using (manner) group by 1, 2) \
         select count(*), count(*) filter (where broken), \
            (select e.lane || ':' || e.epoch || ':' || c.seq from checked c join lane_epoch e using (journal_no) \
             where c.broken order by 1 limit 1) from checked",
    ),
    (
        "I7",
        "a charge that costs something is paid for by exactly one transfer of that amount",
        "with checked as (select e.lane || ':' || e.epoch || ':' || p.seq as who, (case \
                when l.operator is null or w.operator_no is distinct from p.operator_no then true \
                when p.amount = 0 then m.payer <> 'nobody' or p.debit <> 0 \
                when m.disposition <> 'posted' then true \
                when m.payer = 'account' then d.kind <> 'customer' or c.kind <> 'payable' \
                    or d.issuer <> c.issuer or c.operator <> l.operator \
                when m.payer = 'cash' then d.kind <> 'till' or c.kind <> 'cash-toll' \
                    or d.operator <> l.operator or c.operator <> l.operator \
                else true end) is not false as broken \
            from posting p left join lane_epoch e using (journal_no) left join lane l using (lane) \
            left join operator w on w.operator = l.operator left join manner m using (manner) \
            left join ledger_account d on d.ledger_account = p.debit \
            left join ledger_account c on c.ledger_account = p.credit) \
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
            from ledger_balance_v1 l left join computed c using (ledger_account)) \
         select count(*), count(*) filter (where broken), min(who) filter (where broken) from checked",
    ),
    (
        "I9",
        "what a batch moved on an operator's or issuer's account is what its rows say",
        "with moved as (select batch, account, day, count(*) as n, sum(amount) as amount from ( \
                select p.batch, p.credit as account, p.day, p.amount from posting p where p.amount > 0 \
                union all select p.batch, p.debit, p.day, -p.amount from posting p \
                join ledger_account l on l.ledger_account = p.debit where l.account is null) s group by 1, 2, 3), \
         checked as (select 'batch ' || coalesce(m.batch, b.batch) as who, \
                (m.n = b.passages and m.amount = b.amount) is not true as broken \
            from moved m full join batch_sum b on b.batch = m.batch and b.ledger_account = m.account \
                and b.day = m.day) \
         select count(*), count(*) filter (where broken), min(who) filter (where broken) from checked",
    ),
    (
        "I10",
        "a transfer is undone or made again at most once, by one that carries it",
        "with checked as (select 'transfer ' || t.transfer as who, \
                (o.transfer is null or (t.kind = 'reversal' and (t.debit <> o.credit or t.credit <> o.debit \
                    or t.amount <> o.amount))) or count(*) over (partition by t.kind, t.original) > 1 as broken \
            from direct_transfer t left join transfer o on o.transfer = t.original \
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
