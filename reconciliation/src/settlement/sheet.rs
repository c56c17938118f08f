//! The sheet of a day: its passages, read once, summed by what they have in common.
//!
//! Proof, statement and `verify` all come from these sums. However many passages a day has, the
//! database reads each row once and gives back as many *lines* as there are lanes times ways of paying;
//! this program holds a few thousand of them and no passage. It reads them stretch by stretch, by one
//! worker, in statements that end after seconds: a state that is looked at for long keeps every version
//! of the rows that posting changes again and again, and posting has to wade through them.
//!
//! A line knows two things about its money that share nothing: the issuer of the accounts that were
//! charged, and the account of the operator on which it moved. What the day's *corrections* come to
//! stands beside the lines, counted in the same two ways. Deliberately absent: what a line means
//! (`figures`, `proof`).

use std::collections::BTreeMap;
use std::collections::hash_map::{Entry, HashMap};

use clearing_house::sql::day_to_sql;
use domain::{BusinessDate, MoneyError, OperatorId};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use super::repo::{number, parsed};
use super::{Counted, SettlementError, Source};

type Result<T> = std::result::Result<T, SettlementError>;

/// Pages of a day's partition that are read at once: some two million passages.
const STRETCH_PAGES: i64 = 32_768;

/// Passages that have everything in common but their numbers, amounts and customers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, sqlx::FromRow)]
pub(super) struct Line {
    /// Whether they belong to the operator; others move its money without being its own.
    is_own: bool,
    lane: Option<String>,
    epoch: Option<i32>,
    station: Option<String>,
    pub(super) vehicle_group: Option<i16>,
    pub(super) disposition: Option<String>,
    payer: Option<String>,
    payment: Option<String>,
    fare_shown: Option<String>,
    pub(super) tariff: Option<String>,
    /// Whose accounts were charged; none where no account was.
    pub(super) issuer: Option<String>,
    /// Whether an account that stands for what is the operator's was credited, and its issuer.
    is_credited: bool,
    credited_issuer: Option<String>,
    /// The same of what was debited, which no toll does.
    is_debited: bool,
    debited_issuer: Option<String>,
    passages: i64,
    /// Those that cost something.
    tolls: i64,
    pub(super) amount: i64,
    first_seq: i64,
    last_seq: i64,
}

/// A lane's journal: its lane's name and its epoch.
pub(super) type Journal<'a> = (&'a str, i32);

impl Line {
    pub(super) fn journal(&self) -> Result<Journal<'_>> {
        self.lane.as_deref().zip(self.epoch).ok_or_else(|| unknown("journal"))
    }

    pub(super) fn station(&self) -> Result<&str> {
        self.station.as_deref().ok_or_else(|| unknown("station"))
    }

    pub(super) fn passages(&self) -> Result<u64> {
        number("count", self.passages)
    }

    pub(super) fn numbers(&self) -> Result<(u64, u64)> {
        Ok((number("sequence", self.first_seq)?, number("sequence", self.last_seq)?))
    }

    /// What its passages have in common.
    fn in_common(&self) -> Self {
        Self { passages: 0, tolls: 0, amount: 0, first_seq: 0, last_seq: 0, ..self.clone() }
    }

    /// Adds passages that have the same in common.
    fn take(&mut self, more: &Self) -> Result<()> {
        self.passages += more.passages;
        self.tolls += more.tolls;
        self.amount = self.amount.checked_add(more.amount).ok_or(MoneyError::Overflow)?;
        self.first_seq = self.first_seq.min(more.first_seq);
        self.last_seq = self.last_seq.max(more.last_seq);
        Ok(())
    }

    pub(super) fn is_posted(&self) -> bool {
        self.disposition.as_deref() == Some("posted")
    }

    /// Whether somebody pays for them.
    pub(super) fn is_charged(&self) -> bool {
        self.is_posted() && self.payer.as_deref() != Some("nobody")
    }

    /// Whether the lane took what it showed.
    pub(super) fn is_paid_at_lane(&self) -> bool {
        matches!(self.payment.as_deref(), Some("account" | "cash"))
    }

    /// What the lane showed, beside what was charged.
    pub(super) fn shown(&self) -> Shown {
        match self.fare_shown.as_deref() {
            Some("same") => Shown::Same,
            Some("other") => Shown::Other,
            _ => Shown::Nothing,
        }
    }
}

/// What a lane showed, beside what was charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Same,
    Other,
    Nothing,
}

fn unknown(what: &'static str) -> SettlementError {
    SettlementError::Stored { what, text: "of a passage".to_owned() }
}

/// Passages whose lane showed another fare than was charged: which both are, and how many.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct OtherFare {
    pub(super) is_charged: bool,
    pub(super) is_paid_at_lane: bool,
    pub(super) amount: i64,
    pub(super) fare: Option<i64>,
    pub(super) passages: i64,
}

/// How often and how much, by issuer; in cash where there is none.
type BySource = Vec<(Option<String>, i64, i64)>;

/// The sheet of one operator's day.
#[derive(Debug)]
pub(crate) struct Sheet {
    lines: Vec<Line>,
    pub(super) other_fares: Vec<OtherFare>,
    corrections_of_customers: BySource,
    corrections_of_ledger: BySource,
}

impl Sheet {
    /// Reads a day that takes no more passages. Also what is not the operator's and moves its money.
    pub(crate) async fn read(
        pool: &PgPool,
        operator: &OperatorId,
        day: BusinessDate,
    ) -> Result<Self> {
        let begin = SettlementError::database("begin to count a day");
        let mut tx = pool.begin().await.map_err(begin)?;
        make_room(&mut tx).await?;
        let lines = lines(&mut tx, operator, day).await?;
        let shows_other = |line: &Line| line.is_own && line.shown() == Shown::Other;
        let other_fares = if lines.iter().any(shows_other) {
            other_fares(&mut tx, operator, day).await?
        } else {
            Vec::new()
        };
        Ok(Self {
            lines,
            other_fares,
            corrections_of_customers: corrections_of_customers(&mut tx, operator, day).await?,
            corrections_of_ledger: corrections_of_ledger(&mut tx, operator, day).await?,
        })
    }

    /// The operator's own passages.
    pub(super) fn own(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.is_own)
    }

    /// The day's money from the charges and the customers' side of the corrections, over the
    /// accounts they were charged to.
    pub(crate) fn counted_from_charges(&self) -> Result<BTreeMap<Source, Counted>> {
        let charged = self.own().filter(|line| line.is_posted() && line.tolls > 0);
        let charged = charged.map(|line| (line.issuer.as_deref(), line.tolls, line.amount));
        by_source(charged.chain(each(&self.corrections_of_customers)))
    }

    /// The same from the ledger, over the accounts that stand for what is owed to the operator or
    /// lies in its till; everything but fees and payments counts, so that a reversal cannot hide.
    pub(crate) fn counted_from_ledger(&self) -> Result<BTreeMap<Source, Counted>> {
        let moving = || self.lines.iter().filter(|line| line.tolls > 0);
        let credited = moving()
            .filter(|line| line.is_credited)
            .map(|line| (line.credited_issuer.as_deref(), line.tolls, line.amount));
        let debited = moving()
            .filter(|line| line.is_debited)
            .map(|line| (line.debited_issuer.as_deref(), line.tolls, -line.amount));
        by_source(credited.chain(debited).chain(each(&self.corrections_of_ledger)))
    }
}

fn each(rows: &BySource) -> impl Iterator<Item = (Option<&str>, i64, i64)> {
    rows.iter().map(|(issuer, tolls, amount)| (issuer.as_deref(), *tolls, *amount))
}

fn by_source<'a>(
    rows: impl Iterator<Item = (Option<&'a str>, i64, i64)>,
) -> Result<BTreeMap<Source, Counted>> {
    let mut sums: BTreeMap<Source, Counted> = BTreeMap::new();
    for (issuer, tolls, minor_units) in rows {
        let source = match issuer {
            Some(issuer) => Source::Issuer(parsed("issuer", issuer)?),
            None => Source::Cash,
        };
        let sum = sums.entry(source).or_default();
        sum.tolls += number::<u64>("count", tolls)?;
        sum.minor_units =
            sum.minor_units.checked_add(minor_units).ok_or(SettlementError::Stored {
                what: "sum of a day",
                text: "more than there is".to_owned(),
            })?;
    }
    Ok(sums)
}

/// Lets a transaction hold every customer's account in memory, never sort a day's passages, see each
/// statement's own state, and leave the other processors to whoever posts.
async fn make_room(tx: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql(
        "set transaction isolation level read committed, read only;
         set local work_mem = '128MB';
         set local enable_sort = off;
         set local max_parallel_workers_per_gather = 0;
         set local jit = off",
    )
    .execute(tx)
    .await
    .map(drop)
    .map_err(SettlementError::database("make room to count a day"))
}

/// The operator's short name, and the accounts that stand for what is owed to it or lies in its till.
async fn own_accounts(tx: &mut PgConnection, operator: &OperatorId) -> Result<(i32, Vec<i32>)> {
    sqlx::query_as(
        "select o.operator_no,
                array(select k.ledger_account::int from ledger_account k
                      where k.kind in ('payable', 'cash-toll') and k.operator = o.operator)
         from operator o where o.operator = $1",
    )
    .bind(operator.as_str())
    .fetch_one(tx)
    .await
    .map_err(SettlementError::database("find the accounts of an operator"))
}

async fn lines(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Vec<Line>> {
    let own = own_accounts(tx, operator).await?;
    let mut lines: HashMap<Line, Line> = HashMap::new();
    let pages = pages(tx, day).await?;
    let mut from = 0;
    while from < pages {
        for line in stretch(tx, (operator, &own), day, (from, from + STRETCH_PAGES)).await? {
            match lines.entry(line.in_common()) {
                Entry::Occupied(mut known) => known.get_mut().take(&line)?,
                Entry::Vacant(new) => {
                    new.insert(line);
                }
            }
        }
        from += STRETCH_PAGES;
    }
    Ok(lines.into_values().collect())
}

/// How many pages the partition has that a day's passages are in.
async fn pages(tx: &mut PgConnection, day: BusinessDate) -> Result<i64> {
    let pages: Option<i64> = sqlx::query_scalar(
        "select pg_relation_size(p.tableoid) / current_setting('block_size')::bigint
         from (select tableoid from posting where day = $1 limit 1) p",
    )
    .bind(day_to_sql(day))
    .fetch_optional(tx)
    .await
    .map_err(SettlementError::database("measure a day's passages"))?;
    Ok(pages.unwrap_or_default())
}

/// The lines of the passages on some pages.
async fn stretch(
    tx: &mut PgConnection,
    (operator, (operator_no, accounts)): (&OperatorId, &(i32, Vec<i32>)),
    day: BusinessDate,
    (from, upto): (i64, i64),
) -> Result<Vec<Line>> {
    // Grouped by columns alone: of an expression the database does not know how few values it has.
    sqlx::query_as(
        "select s.operator_no = $1 as is_own, e.lane, e.epoch, l.station, o.vehicle_group, o.disposition,
                o.payer, o.payment, o.fare_shown, o.tariff, s.issuer,
                c.ledger_account is not null as is_credited, c.issuer as credited_issuer,
                coalesce(s.debited in ('payable', 'cash-toll') and s.debited_operator = $4, false) as is_debited,
                s.debited_issuer, s.passages, s.tolls, s.amount, s.first_seq, s.last_seq
         from (select p.operator_no, p.journal_no, p.manner, p.credit, a.issuer, d.kind as debited,
                      d.operator as debited_operator, d.issuer as debited_issuer,
                      count(*) as passages, count(*) filter (where p.amount > 0) as tolls,
                      sum(p.amount)::bigint as amount, min(p.seq)::bigint as first_seq,
                      max(p.seq)::bigint as last_seq
               from posting p
               left join ledger_account d on d.ledger_account = p.debit
               left join account a on a.account = d.account
               where p.day = $2 and p.ctid >= format('(%s,0)', $5::bigint)::tid
                 and p.ctid < format('(%s,0)', $6::bigint)::tid
                 and (p.operator_no = $1 or p.credit = any($3) or p.debit = any($3))
               group by 1, 2, 3, 4, 5, 6, 7, 8) s
         left join lane_epoch e on e.journal_no = s.journal_no
         left join lane l on l.lane = e.lane
         left join manner o on o.manner = s.manner
         left join ledger_account c on c.ledger_account = s.credit and c.ledger_account = any($3)",
    )
    .bind(operator_no)
    .bind(day_to_sql(day))
    .bind(accounts)
    .bind(operator.as_str())
    .bind(from)
    .bind(upto)
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("sum the passages of a day"))
}

async fn other_fares(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Vec<OtherFare>> {
    let (operator_no, _accounts) = own_accounts(tx, operator).await?;
    sqlx::query_as(
        "select o.disposition is not distinct from 'posted' and o.payer <> 'nobody' as is_charged,
                coalesce(o.payment in ('account', 'cash'), false) as is_paid_at_lane,
                p.amount, m.fare, count(*) as passages
         from posting p
         join manner o on o.manner = p.manner and o.fare_shown = 'other'
         left join passage_more m on m.journal_no = p.journal_no and m.seq = p.seq
         where p.operator_no = $1 and p.day = $2
         group by 1, 2, 3, 4",
    )
    .bind(operator_no)
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read the fares that lanes showed"))
}

/// Corrections of the day, each with the account `k` that stands for the operator and the other, `o`.
const CORRECTIONS: &str = "from direct_transfer t
    join ledger_account k on k.ledger_account in (t.debit, t.credit)
                         and k.kind in ('payable', 'cash-toll') and k.operator = $1
    join ledger_account o on o.ledger_account = t.debit + t.credit - k.ledger_account
    left join account a on a.account = o.account
    where t.day = $2";

async fn corrections(
    tx: &mut PgConnection,
    (operator, day): (&OperatorId, BusinessDate),
    (issuer, kinds): (&str, &str),
) -> Result<BySource> {
    let sql = format!(
        "select {issuer}, count(*),
                sum(case when t.credit = k.ledger_account then t.amount else -t.amount end)::bigint
         {CORRECTIONS} and t.kind {kinds} group by 1"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(operator.as_str())
        .bind(day_to_sql(day))
        .fetch_all(tx)
        .await
        .map_err(SettlementError::database("sum the corrections"))
}

async fn corrections_of_customers(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<BySource> {
    let by_customer = ("coalesce(a.issuer, k.issuer)", "in ('reversal', 'repost', 'adjustment')");
    corrections(tx, (operator, day), by_customer).await
}

async fn corrections_of_ledger(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<BySource> {
    corrections(tx, (operator, day), ("k.issuer", "not in ('fee', 'payment')")).await
}
