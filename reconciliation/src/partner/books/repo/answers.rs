//! What partners ask, what we decided about it, and what they answered us.

use clearing_house::sql::{from_sql, to_sql};
use domain::{IssuerId, Timestamp};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use sqlx::types::time::OffsetDateTime;
use sqlx::{PgConnection, PgPool, Row as _};

use super::super::answer::LeftStanding;
use super::super::{Decided, Disposition};
use super::{Result, Rows, failed_each, json, unsigned};
use crate::partner::exchange::ExchangeError;
use crate::partner::exchange::repo::failed;

/// A received file: its number in the log, and its kind.
pub(in crate::partner::books) async fn received(
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
pub(in crate::partner::books) async fn hold_decisions(
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
pub(in crate::partner::books) struct Claim {
    pub(in crate::partner::books) record_no: i64,
    pub(in crate::partner::books) body: Value,
    /// The account that the tag had then, its state and its balance; none where we had no such tag, or
    /// several accounts had one of that serial.
    pub(in crate::partner::books) account: Option<(i64, String, i64)>,
    /// How many accounts had a tag of that serial.
    pub(in crate::partner::books) owners: i64,
}

/// The records of a file with what the books know of their tags, in order.
pub(in crate::partner::books) fn claims<'a>(
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
pub(in crate::partner::books) async fn stands_at(
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

pub(in crate::partner::books) async fn add_decision(
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

/// The corrections of a file that ask for less than stands, and are refused for their age.
pub(in crate::partner::books) async fn left_standing(
    pool: &PgPool,
    file_no: i64,
) -> Result<Vec<LeftStanding>> {
    sqlx::query_as(
        "select d.reference as transaction, d.amount as stands_at, r.to_pay as asked, t.transfer
         from partner_decision d
         join partner_record r on r.file_no = d.file_no and r.record_no = d.record_no
         left join direct_transfer t on t.kind = 'adjustment'
              and t.reference = 'partner/' || d.partner || '/' || d.reference || '/0'
         where d.file_no = $1 and d.disposition = 'too-old' and r.to_pay < d.amount
         order by d.record_no",
    )
    .bind(file_no)
    .fetch_all(pool)
    .await
    .map_err(failed("look what is left standing"))
}

/// What was decided about a file, in the order of its records.
pub(in crate::partner::books) fn decisions(
    connection: &mut PgConnection,
    file_no: i64,
) -> Rows<'_, Decided> {
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

/// A transaction that was sent, and its last answer.
pub(in crate::partner::books) struct Answered {
    pub(in crate::partner::books) identity: String,
    pub(in crate::partner::books) asked: u64,
    /// The code of the answer and the amount in it.
    pub(in crate::partner::books) answer: Option<(String, i64)>,
}

/// What was sent to a partner of a kind, with its last answers, from a time on. Of IAG's corrections,
/// which have no number, the last of each transaction: what it should be is in that one alone.
pub(in crate::partner::books) fn answered<'a>(
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
