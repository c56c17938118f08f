//! The SQL of partner files out of the books. What may be large is streamed.

use clearing_house::sql::{day_to_sql, from_sql, to_sql};
use domain::{BusinessDate, IssuerId, OperatorId, Timestamp};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::time::OffsetDateTime;
use sqlx::{PgConnection, PgPool, Row as _};

use super::{Decided, Disposition, Entry, Passage, Standing, Tag};
use crate::partner::exchange::ExchangeError;
use crate::partner::exchange::repo::failed;

type Result<T> = std::result::Result<T, ExchangeError>;
type Rows<'a, T> = BoxStream<'a, Result<T>>;

/// An operator's zone and cut-off, if the books know it.
pub(super) async fn calendar(
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
pub(super) async fn is_closed(
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

/// How many passages were charged to the issuer's accounts by plate alone and have no tag, and what they
/// come to: no file of transactions can hold them.
pub(super) async fn without_tag(
    pool: &PgPool,
    (operator, issuer, day): (&OperatorId, &IssuerId, BusinessDate),
) -> Result<(i64, i64)> {
    let sql = format!(
        "select count(*), coalesce(sum(amount), 0)::bigint
         from (select {PASSAGE}, p.amount from posting p {FROM} where {CHARGED}) c where c.tag is null"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(operator.as_str())
        .bind(issuer.as_str())
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
    coalesce(m.decision = 'opened-by-tag', false) as is_lanes";

const FROM: &str = "join operator o on o.operator_no = p.operator_no and o.operator = $1
    join lane_epoch e on e.journal_no = p.journal_no
    join manner m on m.manner = p.manner
    join ledger_account d on d.ledger_account = p.debit
    join account a on a.account = d.account and a.issuer = $2
    left join trip t on t.exit_journal = p.journal_no and t.exit_seq = p.seq
    left join road_entry r on r.journal_no = t.entry_journal and r.seq = t.entry_seq
    left join lane_epoch i on i.journal_no = t.entry_journal";

/// What a day charged to an issuer's accounts.
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
        serial: serial_of(&tag?),
        group: row.get("vehicle_group"),
        amount: unsigned(row.get("amount")),
        is_lanes: row.get("is_lanes"),
        correction: correction
            .zip(made_at)
            .map(|(number, at)| (u32::try_from(number).unwrap_or(u32::MAX), from_sql(at))),
    })
}

/// The last four bytes of a tag, as a number.
fn serial_of(tag: &[u8]) -> u32 {
    tag.iter().rev().take(4).rev().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

/// A record as the database keeps it; it has seen to it that this is JSON.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// Amounts and numbers of the books are never below zero.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// What a day charged to an issuer's accounts, by number; none for one without a tag.
pub(super) fn transactions<'a>(
    connection: &'a mut PgConnection,
    (operator, issuer, day): (&OperatorId, &IssuerId, BusinessDate),
) -> Rows<'a, Option<Passage>> {
    let sql = format!(
        "select {PASSAGE}, p.amount, null::bigint as correction, null::timestamptz as corrected_at
         from posting p {FROM}
         where {CHARGED}
         order by number"
    );
    stream(connection, sql, (operator, issuer, day))
}

/// The passages of an issuer's accounts that a day corrected, as they should have been then.
pub(super) fn corrections<'a>(
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
         order by number"
    );
    stream(connection, sql, (operator, issuer, day))
}

fn stream<'a>(
    connection: &'a mut PgConnection,
    sql: String,
    (operator, issuer, day): (&OperatorId, &IssuerId, BusinessDate),
) -> Rows<'a, Option<Passage>> {
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(operator.as_str().to_owned())
        .bind(issuer.as_str().to_owned())
        .bind(day_to_sql(day))
        .fetch(connection)
        .map_err(failed_each("read the passages"))
        .map_ok(|row| passage(&row))
        .boxed()
}

/// The same for each row of a stream.
fn failed_each(what: &'static str) -> impl Fn(sqlx::Error) -> ExchangeError {
    move |source| ExchangeError::Database { what, source }
}

/// An issuer's tags that are on a vehicle, by serial.
pub(super) fn tags<'a>(connection: &'a mut PgConnection, issuer: &IssuerId) -> Rows<'a, Tag> {
    sqlx::query(
        "select t.tag, t.plate, v.vehicle_group, a.state,
                b.balance, coalesce(b.balance < a.low_below, false) as is_low
         from tag_link t
         join vehicle_link v on v.plate = t.plate and v.valid_until is null
         join account a on a.account = v.account and a.issuer = $1
         join balance_v1 b on b.account = a.account
         where t.valid_until is null
         order by substring(t.tag from greatest(length(t.tag) - 3, 1))",
    )
    .bind(issuer.as_str().to_owned())
    .fetch(connection)
    .map_err(failed_each("read the tags"))
    .map_ok(|row| {
        let (state, balance): (String, i64) = (row.get("state"), row.get("balance"));
        let standing = match (state.as_str(), balance > 0, row.get("is_low")) {
            ("open", true, false) => Standing::Good,
            ("open", true, true) => Standing::Low,
            ("open", false, _) => Standing::Empty,
            (_, _, _) => Standing::Invalid,
        };
        Tag {
            serial: serial_of(&row.get::<Vec<u8>, _>("tag")),
            plate: row.get("plate"),
            group: row.get("vehicle_group"),
            standing,
        }
    })
    .boxed()
}

// Answers -------------------------------------------------------------------------------------------

/// A received file: its number in the log, and its kind.
pub(super) async fn received(
    pool: &PgPool,
    partner: &str,
    name: &str,
) -> Result<Option<(i64, String)>> {
    sqlx::query_as(
        "select file_no, kind from partner_file
         where direction = 'received' and partner = $1 and name = $2",
    )
    .bind(partner)
    .bind(name)
    .fetch_optional(pool)
    .await
    .map_err(failed("find the file"))
}

/// One of several who decide about a file, or about anything of a partner, goes on; the others wait.
/// Says whether it was decided about before.
pub(super) async fn hold_decisions(
    tx: &mut PgConnection,
    partner: &str,
    file_no: i64,
) -> Result<bool> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('partner/decide/' || $1, 0))")
        .bind(partner)
        .execute(&mut *tx)
        .await
        .map_err(failed("wait for other decisions"))?;
    sqlx::query_scalar("select exists (select from partner_decision where file_no = $1)")
        .bind(file_no)
        .fetch_one(tx)
        .await
        .map_err(failed("look whether it was decided"))
}

/// A record to decide about, with what the books know of its tag.
pub(super) struct Claim {
    pub(super) record_no: i64,
    pub(super) body: Value,
    /// The account that the tag had then, its state and its balance; none where we had no such tag, or
    /// several accounts had one of that serial.
    pub(super) account: Option<(i64, String, i64)>,
    /// How many accounts had a tag of that serial.
    pub(super) owners: i64,
}

/// The records of a file with what the books know of their tags, in order.
pub(super) fn claims<'a>(
    connection: &'a mut PgConnection,
    file_no: i64,
    agency: String,
    issuer: &IssuerId,
) -> Rows<'a, Claim> {
    sqlx::query(
        "with links as (
             select v.account,
                    ('x' || lpad(right(encode(t.tag, 'hex'), 8), 8, '0'))::bit(32)::bigint as serial,
                    greatest(t.valid_from, v.valid_from) as begins,
                    -- The least of those that are there.
                    least(t.valid_until, v.valid_until) as ends
             from tag_link t
             join vehicle_link v on v.plate = t.plate
             join account a on a.account = v.account and a.issuer = $3),
         asked as (
             select r.record_no, r.body::text as body,
                    coalesce(r.body #>> '{TagInfo,TagSerialNo}',
                             r.body #>> '{OriginalTransactionDetail,TagInfo,TagSerialNo}',
                             r.body ->> 'ETC_TAG_SERIAL_NUMBER') as serial,
                    coalesce(r.body #>> '{TagInfo,TagAgencyID}',
                             r.body #>> '{OriginalTransactionDetail,TagInfo,TagAgencyID}',
                             r.body ->> 'ETC_TAG_AGENCY') as agency,
                    coalesce(r.body ->> 'ExitDateTime',
                             r.body #>> '{OriginalTransactionDetail,ExitDateTime}',
                             r.body ->> 'ETC_EXIT_DATE_TIME') as at
             from partner_record r where r.file_no = $1),
         owned as (
             select asked.record_no, min(links.account) as account,
                    count(distinct links.account) as owners
             from asked
             join links on asked.agency = $2 and links.serial = asked.serial::bigint
                  and links.begins <= asked.at::timestamptz
                  and coalesce(links.ends > asked.at::timestamptz, true)
             group by asked.record_no)
         select asked.record_no, asked.body, coalesce(owned.owners, 0) as owners, a.account, a.state,
                b.balance
         from asked
         left join owned using (record_no)
         left join account a on a.account = owned.account and owned.owners = 1
         left join balance_v1 b on b.account = a.account
         order by asked.record_no",
    )
    .bind(file_no)
    .bind(agency)
    .bind(issuer.as_str().to_owned())
    .fetch(connection)
    .map_err(failed_each("read what is asked"))
    .map_ok(|row| {
        let account: Option<i64> = row.get("account");
        let state: Option<String> = row.get("state");
        let balance: Option<i64> = row.get("balance");
        Claim {
            record_no: row.get("record_no"),
            body: json(&row.get::<String, _>("body")),
            account: account
                .zip(state)
                .zip(balance)
                .map(|((account, state), balance)| (account, state, balance)),
            owners: row.get("owners"),
        }
    })
    .boxed()
}

/// What a transaction of a partner stands at, by its last decision that was posted: the correction, the
/// amount and the account.
pub(super) async fn stands_at(
    tx: &mut PgConnection,
    partner: &str,
    reference: &str,
) -> Result<Option<(i32, i64, i64)>> {
    sqlx::query_as(
        "select correction, amount, account from partner_decision
         where partner = $1 and reference = $2 and disposition = 'posted'
         order by correction desc limit 1",
    )
    .bind(partner)
    .bind(reference)
    .fetch_optional(tx)
    .await
    .map_err(failed("look what was posted"))
}

pub(super) async fn add_decision(
    tx: &mut PgConnection,
    (partner, file_no, record_no): (&str, i64, i64),
    (decided, account): (&Decided, Option<i64>),
) -> Result<()> {
    sqlx::query(
        "insert into partner_decision (file_no, record_no, partner, reference, correction, disposition,
                                       amount, decided_at, account)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(file_no)
    .bind(record_no)
    .bind(partner)
    .bind(&decided.reference)
    .bind(i32::try_from(decided.correction).unwrap_or(i32::MAX))
    .bind(decided.disposition.name())
    .bind(i64::try_from(decided.amount).unwrap_or(i64::MAX))
    .bind(to_sql(decided.at))
    .bind(account)
    .execute(tx)
    .await
    .map_err(failed("keep a decision"))
    .map(drop)
}

/// What was decided about a file, in the order of its records.
pub(super) fn decisions(connection: &mut PgConnection, file_no: i64) -> Rows<'_, Decided> {
    sqlx::query(
        "select reference, correction, disposition, amount, decided_at from partner_decision
         where file_no = $1 order by record_no",
    )
    .bind(file_no)
    .fetch(connection)
    .map_err(failed_each("read the decisions"))
    .and_then(move |row| async move {
        let name: String = row.get("disposition");
        let disposition = Disposition::parse(&name).ok_or(ExchangeError::Log { file_no });
        Ok(Decided {
            reference: row.get("reference"),
            correction: u32::try_from(row.get::<i32, _>("correction")).unwrap_or(0),
            disposition: disposition?,
            amount: unsigned(row.get("amount")),
            at: from_sql(row.get::<OffsetDateTime, _>("decided_at")),
        })
    })
    .boxed()
}

/// The file that was written of something before: its name.
pub(super) async fn written(
    pool: &PgPool,
    (kind, partner, of): (&str, &str, &str),
) -> Result<Option<String>> {
    sqlx::query_scalar(
        "select f.name from partner_export x join partner_file f using (file_no)
         where x.kind = $1 and x.partner = $2 and x.of = $3",
    )
    .bind(kind)
    .bind(partner)
    .bind(of)
    .fetch_optional(pool)
    .await
    .map_err(failed("look for the file that was written"))
}

// Comparing -----------------------------------------------------------------------------------------

/// A transaction that was sent, and its last answer.
pub(super) struct Answered {
    pub(super) identity: String,
    pub(super) asked: u64,
    /// The code of the answer and the amount in it.
    pub(super) answer: Option<(String, i64)>,
}

/// What was sent to a partner of a kind, with its last answers, from a time on. Of IAG's corrections,
/// which have no number, the last of each transaction: what it should be is in that one alone.
pub(super) fn answered<'a>(
    connection: &'a mut PgConnection,
    (partner, kind, answer_kind): (String, &'static str, &'static str),
    suffix: &'static str,
    since: Timestamp,
) -> Rows<'a, Answered> {
    sqlx::query(
        "select r.identity, r.to_pay, a.body::text as body, a.to_pay - a.to_give_back as owed
         from partner_file f
         join partner_record r on r.file_no = f.file_no
         left join lateral (
             select x.body, x.to_pay, x.to_give_back from partner_record x
             join partner_file g on g.file_no = x.file_no and g.direction = 'received'
                  and g.partner = f.partner and g.kind = $3
             where x.identity = r.identity || $4 and (f.kind <> 'ITXC' or x.file_no > f.file_no)
             order by x.file_no desc limit 1) a on true
         where f.direction = 'sent' and f.partner = $1 and f.kind = $2 and f.noted_at >= $5
           and (f.kind <> 'ITXC' or not exists (
               select from partner_record y
               join partner_file h on h.file_no = y.file_no and h.direction = 'sent'
                    and h.partner = f.partner and h.kind = f.kind
               where y.identity = r.identity and y.file_no > f.file_no))
         order by f.file_no, r.record_no",
    )
    .bind(partner)
    .bind(kind)
    .bind(answer_kind)
    .bind(suffix)
    .bind(to_sql(since))
    .fetch(connection)
    .map_err(failed_each("read the answers"))
    .map_ok(|row| {
        let body: Option<String> = row.get("body");
        let code = body.map(|body| {
            let body = json(&body);
            let code = body.get("PostingDisposition").or_else(|| body.get("ETC_POST_STATUS"));
            code.and_then(Value::as_str).unwrap_or_default().to_owned()
        });
        Answered {
            identity: row.get("identity"),
            asked: unsigned(row.get("to_pay")),
            answer: code.zip(row.get("owed")),
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::serial_of;

    #[test]
    fn a_serial_is_the_last_four_bytes_of_a_tag() {
        assert_eq!(serial_of(&[0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5]), 261);
        assert_eq!(serial_of(&[0xff; 12]), u32::MAX);
        assert_eq!(serial_of(&[1, 2]), 258);
    }
}
