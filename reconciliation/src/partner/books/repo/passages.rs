//! Passages as partners are told of them.

use clearing_house::sql::{day_to_sql, from_sql};
use domain::{BusinessDate, IssuerId, OperatorId, StationId};
use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::postgres::PgRow;
use sqlx::types::time::OffsetDateTime;
use sqlx::{PgConnection, PgPool, Row as _};

use super::super::{Entry, Passage};
use super::{Result, Rows, failed_each, unsigned};
use crate::partner::exchange::repo::failed;

/// An operator's zone and cut-off, if the books know it.
pub(in crate::partner::books) async fn calendar(
    pool: &PgPool,
    operator: &OperatorId,
) -> Result<Option<(String, String)>> {
    sqlx::query_as("select zone, cut_off from operator where operator = $1")
        .bind(operator.as_str())
        .fetch_optional(pool)
        .await
        .map_err(failed("read an operator's calendar"))
}

/// Whether a day takes no more postings.
pub(in crate::partner::books) async fn is_closed(
    pool: &PgPool,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<bool> {
    sqlx::query_scalar(
        "select exists (select from settlement_day
                        where operator = $1 and day = $2 and state = 'closed')",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_one(pool)
    .await
    .map_err(failed("look whether a day is closed"))
}

/// Which passages of an operator's day are wanted.
#[derive(Debug, Clone, Copy)]
pub(in crate::partner::books) enum Wanted<'a> {
    /// Those that an issuer's accounts were charged for.
    ChargedTo(&'a IssuerId),
    /// Those that accounts were charged for at a station.
    ChargedAt(&'a StationId),
    /// Those at a station of vehicles that are exempt, by their papers or on duty.
    ExemptAt(&'a StationId),
}

impl Wanted<'_> {
    /// The rest of a query from `posting p` on; `$1` is the operator, `$2` [`Self::of`], `$3` the day.
    fn from(self) -> String {
        let at = "split_part(e.lane, '/', 2) = $2";
        match self {
            Self::ChargedTo(_) => format!(
                "{FROM} join ledger_account d on d.ledger_account = p.debit
                 join account a on a.account = d.account and a.issuer = $2 where {CHARGED}"
            ),
            Self::ChargedAt(_) => format!("{FROM} where {CHARGED} and {at}"),
            Self::ExemptAt(_) => format!("{FROM} where p.day = $3 and m.why = 'exempt' and {at}"),
        }
    }

    /// Whose, or where.
    fn of(self) -> String {
        match self {
            Self::ChargedTo(issuer) => issuer.to_string(),
            Self::ChargedAt(station) | Self::ExemptAt(station) => station.to_string(),
        }
    }
}

/// How many of the wanted passages have no tag, being charged by plate alone, and what they come to: no file
/// of transactions can hold them.
pub(in crate::partner::books) async fn without_tag(
    pool: &PgPool,
    (operator, wanted, day): (&OperatorId, Wanted<'_>, BusinessDate),
) -> Result<(i64, i64)> {
    let sql = format!(
        "select count(*), coalesce(sum(amount), 0)::bigint
         from (select {PASSAGE}, p.amount from posting p {}) c where c.tag is null",
        wanted.from()
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(operator.as_str())
        .bind(wanted.of())
        .bind(day_to_sql(day))
        .fetch_one(pool)
        .await
        .map_err(failed("count the passages without a tag"))
}

/// What a passage is told by: its own tag, or the one that its plate had then.
const PASSAGE: &str = "(p.journal_no::bigint << 32) + p.seq as number, p.at,
    split_part(e.lane, '/', 2) as station, split_part(e.lane, '/', 3) as lane,
    coalesce(m.role = 'exit', false) as is_exit, r.at as entered_at, r.station as entry_station,
    split_part(i.lane, '/', 3) as entry_lane,
    coalesce(nullif(p.tag, ''::bytea),
             (select t.tag from tag_link t
              where t.plate = p.plate and t.valid_from <= p.at
                and (t.valid_until is null or t.valid_until > p.at)
              order by t.valid_from desc limit 1)) as tag,
    coalesce(m.vehicle_group, 0)::int2 as vehicle_group,
    coalesce(m.decision = 'opened-by-tag', false) as is_lanes,
    coalesce(m.reason = 'convoy', false) as is_of_convoy, p.plate";

const FROM: &str = "join operator o on o.operator_no = p.operator_no and o.operator = $1
    join lane_epoch e on e.journal_no = p.journal_no
    join manner m on m.manner = p.manner
    left join trip t on t.exit_journal = p.journal_no and t.exit_seq = p.seq
    left join road_entry r on r.journal_no = t.entry_journal and r.seq = t.entry_seq
    left join lane_epoch i on i.journal_no = t.entry_journal";

/// What a day charged to accounts.
const CHARGED: &str =
    "p.day = $3 and m.disposition = 'posted' and m.payer = 'account' and p.amount > 0";

fn text(row: &PgRow, column: &str) -> String {
    row.get::<Option<String>, _>(column).unwrap_or_default()
}

fn passage(row: &PgRow) -> Option<Passage> {
    let tag: Option<Vec<u8>> = row.get("tag");
    let entered: Option<OffsetDateTime> = row.get("entered_at");
    let correction: Option<i64> = row.get("correction");
    let made_at: Option<OffsetDateTime> = row.get("corrected_at");
    Some(Passage {
        number: unsigned(row.get("number")),
        at: from_sql(row.get::<OffsetDateTime, _>("at")),
        station: text(row, "station"),
        lane: text(row, "lane"),
        is_exit: row.get("is_exit"),
        entry: entered.map(|at| Entry {
            at: from_sql(at),
            station: text(row, "entry_station"),
            lane: text(row, "entry_lane"),
        }),
        tag: tag?,
        plate: row.get("plate"),
        group: row.get("vehicle_group"),
        amount: unsigned(row.get("amount")),
        is_lanes: row.get("is_lanes"),
        is_of_convoy: row.get("is_of_convoy"),
        correction: correction
            .zip(made_at)
            .map(|(number, at)| (u32::try_from(number).unwrap_or(u32::MAX), from_sql(at))),
    })
}

/// The wanted passages, by number; none for one without a tag.
pub(in crate::partner::books) fn transactions<'a>(
    connection: &'a mut PgConnection,
    (operator, wanted, day): (&OperatorId, Wanted<'_>, BusinessDate),
) -> Rows<'a, Option<Passage>> {
    let sql = format!(
        "select {PASSAGE}, p.amount, null::bigint as correction, null::timestamptz as corrected_at
         from posting p {}
         order by number",
        wanted.from()
    );
    stream(connection, sql, (operator, &wanted.of(), day))
}

/// The passages of an issuer's accounts that a day corrected, as they should have been then.
pub(in crate::partner::books) fn corrections<'a>(
    connection: &'a mut PgConnection,
    (operator, issuer, day): (&OperatorId, &IssuerId, BusinessDate),
) -> Rows<'a, Option<Passage>> {
    let sql = format!(
        "with corrected as (
             select journal_no, seq, max(transfer) as last, max(posted_at) as corrected_at
             from direct_transfer
             where operator = $1 and day = $3 and kind in ('reversal', 'repost')
               and journal_no is not null
             group by journal_no, seq)
         select {PASSAGE}, c.corrected_at,
                p.amount + (select coalesce(sum(case x.kind when 'repost' then x.amount
                                                else -x.amount end), 0)::bigint
                            from direct_transfer x
                            where x.journal_no = c.journal_no and x.seq = c.seq
                              and x.transfer <= c.last) as amount,
                (select count(*) from direct_transfer x
                 where x.journal_no = c.journal_no and x.seq = c.seq and x.kind = 'reversal'
                   and x.transfer <= c.last) as correction
         from corrected c
         join posting p on p.journal_no = c.journal_no and p.seq = c.seq {FROM}
         join ledger_account d on d.ledger_account = p.debit
         join account a on a.account = d.account and a.issuer = $2
         order by number"
    );
    stream(connection, sql, (operator, issuer.as_str(), day))
}

fn stream<'a>(
    connection: &'a mut PgConnection,
    sql: String,
    (operator, of, day): (&OperatorId, &str, BusinessDate),
) -> Rows<'a, Option<Passage>> {
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(operator.as_str().to_owned())
        .bind(of.to_owned())
        .bind(day_to_sql(day))
        .fetch(connection)
        .map_err(failed_each("read the passages"))
        .map_ok(|row| passage(&row))
        .boxed()
}
