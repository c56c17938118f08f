//! The log of the exchange in the database.

use clearing_house::sql::{from_sql, to_sql};
use domain::{IssuerId, Timestamp};
use sqlx::types::time::OffsetDateTime;
use sqlx::{PgConnection, PgPool};

use super::ExchangeError;
use super::code::Code;
use super::received::{Before, Channel, List, Listing, Offer};
use super::sent::{Event, State};
use crate::partner::examine::Examined;
use crate::partner::layout::Layout;
use crate::partner::refusal::Refusal;

/// Which way a file went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To us.
    Received,
    /// From us.
    Sent,
}

impl Direction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
        }
    }
}

/// Who said how many records there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedBy {
    /// The file's header.
    Header,
    /// The caller, who has it from the partner by another way.
    Caller,
    /// Nobody: a file that was cut between two records would not be noticed.
    Nobody,
}

impl CountedBy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Caller => "caller",
            Self::Nobody => "nobody",
        }
    }
}

/// A file, as the log keeps it.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Which way it went.
    pub direction: Direction,
    /// From or to whom.
    pub partner: &'a str,
    /// Its name, as it may be shown.
    pub name: &'a str,
    /// What it came to.
    pub examined: &'a Examined,
    /// Who said how many records there are.
    pub counted_by: CountedBy,
    /// What we answered to a received one.
    pub answer: Option<Code>,
}

/// Files that follow each other: those of one kind, and a list with its changes.
#[must_use]
pub fn channel_of(layout: &'static Layout) -> &'static str {
    match layout.code {
        "ITGU" => "ITAG",
        code => code,
    }
}

pub(in crate::partner) fn failed(what: &'static str) -> impl FnOnce(sqlx::Error) -> ExchangeError {
    move |source| ExchangeError::Database { what, source }
}

/// Makes every other import and export of the same channel wait until the transaction is over.
pub(super) async fn lock_in_tx(
    tx: &mut PgConnection,
    direction: Direction,
    partner: &str,
    channel: &str,
) -> Result<(), ExchangeError> {
    let key = format!("partner/{}/{partner}/{channel}", direction.as_str());
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(key)
        .execute(tx)
        .await
        .map_err(failed("wait for the channel"))
        .map(drop)
}

/// What is known of a channel.
pub(super) async fn channel_in_tx(
    tx: &mut PgConnection,
    direction: Direction,
    partner: &str,
    channel: &str,
) -> Result<Channel, ExchangeError> {
    let last: Option<i64> = sqlx::query_scalar(
        "select max(number) from partner_file where direction = $1 and partner = $2 and channel = $3",
    )
    .bind(direction.as_str())
    .bind(partner)
    .bind(channel)
    .fetch_one(&mut *tx)
    .await
    .map_err(failed("read the last number"))?;
    let missing: Vec<i64> =
        sqlx::query_scalar("select number from partner_gap_v1 where partner = $1 and channel = $2")
            .bind(partner)
            .bind(channel)
            .fetch_all(&mut *tx)
            .await
            .map_err(failed("read the gaps"))?;
    let list: Option<(String, String, Option<i64>)> = sqlx::query_as(
        "select f.list_name, f.stamp, \
                (select w.list_entries from partner_file w \
                 where w.direction = f.direction and w.partner = f.partner \
                   and w.channel = f.channel and w.list_entries is not null \
                 order by w.stamp desc limit 1) \
         from partner_file f \
         where f.direction = $1 and f.partner = $2 and f.channel = $3 and f.list_name is not null \
         order by f.stamp desc limit 1",
    )
    .bind(direction.as_str())
    .bind(partner)
    .bind(channel)
    .fetch_optional(&mut *tx)
    .await
    .map_err(failed("read the list in force"))?;
    Ok(Channel {
        last: unsigned(last.unwrap_or(0)),
        missing: missing.into_iter().map(unsigned).collect(),
        list: list.map(|(name, stamp, entries)| List {
            name,
            stamp,
            entries: unsigned(entries.unwrap_or(0)),
        }),
    })
}

/// Whether a file of that name, number or content was taken from the partner before.
pub(super) async fn before_in_tx(
    tx: &mut PgConnection,
    partner: &str,
    name: &str,
    examined: &Examined,
    offer: &Offer,
) -> Result<Before, ExchangeError> {
    let digests: Vec<Vec<u8>> = sqlx::query_scalar(
        "select digest from partner_file where direction = 'received' and partner = $1 \
           and (name = $2 or (channel = $3 and number = $4) or (kind = $5 and digest = $6))",
    )
    .bind(partner)
    .bind(name)
    .bind(channel_of(examined.layout))
    .bind(offer.number.map(signed))
    .bind(examined.layout.code)
    .bind(&examined.digest[..])
    .fetch_all(tx)
    .await
    .map_err(failed("look for the file"))?;
    Ok(match digests.as_slice() {
        [] => Before::Never,
        digests if digests.iter().any(|digest| *digest == examined.digest) => Before::Same,
        _ => Before::Other,
    })
}

/// Adds a file to the log.
pub(super) async fn add_in_tx(
    tx: &mut PgConnection,
    entry: &Entry<'_>,
    offer: &Offer,
    now: Timestamp,
) -> Result<i64, ExchangeError> {
    let Examined { layout, header, figures, bytes, digest, doubles: _ } = entry.examined;
    let (list_name, list_entries) = match &offer.listing {
        None => (None, None),
        Some(Listing::Whole(name)) => (Some(name.as_str()), Some(signed(figures.records))),
        Some(Listing::Change { becomes, .. }) => (Some(becomes.as_str()), None),
    };
    sqlx::query_scalar(
        "insert into partner_file (direction, partner, channel, kind, name, digest, bytes, records, \
             to_pay, to_give_back, counted_by, number, list_name, list_entries, stamp, header, \
             answer, noted_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16::jsonb, $17, \
             $18) \
         returning file_no",
    )
    .bind(entry.direction.as_str())
    .bind(entry.partner)
    .bind(channel_of(layout))
    .bind(layout.code)
    .bind(entry.name)
    .bind(&digest[..])
    .bind(signed(*bytes))
    .bind(signed(figures.records))
    .bind(figures.to_pay.minor_units())
    .bind(figures.to_give_back.minor_units())
    .bind(entry.counted_by.as_str())
    .bind(offer.number.map(signed))
    .bind(list_name)
    .bind(list_entries)
    .bind(&offer.stamp)
    .bind(header.to_json(layout.header).to_string())
    .bind(entry.answer.map(|code| code.to_string()))
    .bind(to_sql(now))
    .fetch_one(tx)
    .await
    .map_err(failed("log the file"))
}

/// Notes what a file was written of, so that none is written of it again.
pub(super) async fn add_origin_in_tx(
    tx: &mut PgConnection,
    (file_no, kind, partner): (i64, &str, &str),
    of: &str,
) -> Result<(), ExchangeError> {
    sqlx::query("insert into partner_export (kind, partner, of, file_no) values ($1, $2, $3, $4)")
        .bind(kind)
        .bind(partner)
        .bind(of)
        .bind(file_no)
        .execute(tx)
        .await
        .map_err(failed("note what the file was written of"))
        .map(drop)
}

/// Forgets what a partner was told of tags, whosever they are: a whole list follows.
pub(super) async fn forget_listed_in_tx(
    tx: &mut PgConnection,
    (partner, channel): (&str, &str),
) -> Result<(), ExchangeError> {
    sqlx::query("delete from partner_listed where partner = $1 and channel = $2")
        .bind(partner)
        .bind(channel)
        .execute(tx)
        .await
        .map_err(failed("forget what a partner was told of tags"))
        .map(drop)
}

/// Notes what a partner is told of some tags; nothing of one that is taken off its list.
pub(super) async fn say_listed_in_tx(
    tx: &mut PgConnection,
    (partner, channel, issuer): (&str, &str, &IssuerId),
    said: Vec<(i64, Option<String>)>,
) -> Result<(), ExchangeError> {
    let (serials, said): (Vec<i64>, Vec<Option<String>>) = said.into_iter().unzip();
    for sql in [
        "delete from partner_listed l using unnest($4::bigint[], $5::text[]) as n (serial, said)
         where l.partner = $1 and l.channel = $2 and l.issuer = $3 and l.serial = n.serial and n.said is null",
        "insert into partner_listed (partner, channel, issuer, serial, said)
         select $1, $2, $3, serial, said from unnest($4::bigint[], $5::text[]) as n (serial, said)
         where said is not null
         on conflict (partner, channel, issuer, serial) do update set said = excluded.said",
    ] {
        sqlx::query(sql)
            .bind(partner)
            .bind(channel)
            .bind(issuer.as_str())
            .bind(&serials)
            .bind(&said)
            .execute(&mut *tx)
            .await
            .map_err(failed("note what a partner was told of tags"))?;
    }
    Ok(())
}

/// Writes down that a file was refused, and why.
pub(super) async fn refuse(
    pool: &PgPool,
    (partner, kind, name): (&str, &str, &str),
    (answer, refusal): (Code, &Refusal),
    now: Timestamp,
) -> Result<(), ExchangeError> {
    sqlx::query(
        "insert into partner_refusal (partner, kind, name, answer, line, record, field, reason, \
             wanted, at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(partner)
    .bind(kind)
    .bind(name)
    .bind(answer.to_string())
    .bind(signed(refusal.line))
    .bind(signed(refusal.record))
    .bind(&refusal.field)
    .bind(&refusal.reason)
    .bind(&refusal.wanted)
    .bind(to_sql(now))
    .execute(pool)
    .await
    .map_err(failed("log the refusal"))
    .map(drop)
}

/// A file that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentFile {
    /// Its number in the log.
    pub file_no: i64,
    /// To whom.
    pub partner: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub digest: Vec<u8>,
    /// Where it stands.
    pub state: State,
    event_no: i32,
}

type SentRow = (
    i64,
    String,
    String,
    String,
    Vec<u8>,
    String,
    i32,
    Option<OffsetDateTime>,
    Option<String>,
    i32,
);

/// Every column of a [`SentFile`], with what it is called here.
const SENT: &str = "select s.file_no, s.partner, s.kind, s.name, s.digest, s.state, s.times, s.due, s.code, \
     s.event_no from partner_sent_v1 s";

fn sent_file(row: SentRow) -> Result<SentFile, ExchangeError> {
    let (file_no, partner, kind, name, digest, state, times, due, code, event_no) = row;
    let state = match (state.as_str(), due, code.as_deref().and_then(Code::parse)) {
        ("written", _, _) => State::Written,
        ("sent", Some(due), _) => {
            State::Sent { times: usize::try_from(times).unwrap_or(0), due: from_sql(due) }
        }
        ("acknowledged", _, _) => State::Acknowledged,
        ("refused", _, Some(code)) => State::Refused(code),
        ("unanswered", _, _) => State::Unanswered,
        _ => return Err(ExchangeError::Log { file_no }),
    };
    Ok(SentFile { file_no, partner, kind, name, digest, state, event_no })
}

/// Files that are sent and neither acknowledged nor given up, the oldest first.
pub(super) async fn open_in_tx(tx: &mut PgConnection) -> Result<Vec<SentFile>, ExchangeError> {
    let rows: Vec<SentRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SENT} where s.state in ('written', 'sent') order by s.file_no"
    )))
    .fetch_all(tx)
    .await
    .map_err(failed("read the files that are sent"))?;
    rows.into_iter().map(sent_file).collect()
}

/// The sent file of that name.
pub(super) async fn named_in_tx(
    tx: &mut PgConnection,
    partner: &str,
    name: &str,
) -> Result<Option<SentFile>, ExchangeError> {
    let row: Option<SentRow> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{SENT} where s.partner = $1 and s.name = $2")))
            .bind(partner)
            .bind(name)
            .fetch_optional(tx)
            .await
            .map_err(failed("find the file"))?;
    row.map(sent_file).transpose()
}

/// The sent file of that kind and time.
pub(super) async fn timed_in_tx(
    tx: &mut PgConnection,
    partner: &str,
    kind: &str,
    stamp: &str,
) -> Result<Option<SentFile>, ExchangeError> {
    let row: Option<SentRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SENT} join partner_file f using (file_no) \
         where s.partner = $1 and s.kind = $2 and f.stamp = $3"
    )))
    .bind(partner)
    .bind(kind)
    .bind(stamp)
    .fetch_optional(tx)
    .await
    .map_err(failed("find the file"))?;
    row.map(sent_file).transpose()
}

/// Adds what happened to a sent file, and its state afterwards.
pub(super) async fn note_in_tx(
    tx: &mut PgConnection,
    file: &SentFile,
    event: Event,
    after: State,
    now: Timestamp,
) -> Result<(), ExchangeError> {
    let (event, code) = match event {
        Event::Delivered => ("delivered", None),
        Event::Answered(code) => ("answered", Some(code.to_string())),
        Event::Due => ("due", None),
        Event::Asked => ("asked", None),
    };
    let (state, times, due) = match after {
        State::Written => ("written", 0, None),
        State::Sent { times, due } => ("sent", times, Some(due)),
        State::Acknowledged => ("acknowledged", 0, None),
        State::Refused(_) => ("refused", 0, None),
        State::Unanswered => ("unanswered", 0, None),
    };
    // Two who note at once meet at the primary key, and one of them starts over.
    sqlx::query(
        "insert into partner_file_event (file_no, event_no, at, event, code, state, times, due) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(file.file_no)
    .bind(file.event_no + 1)
    .bind(to_sql(now))
    .bind(event)
    .bind(code)
    .bind(state)
    .bind(i32::try_from(times).unwrap_or(i32::MAX))
    .bind(due.map(to_sql))
    .execute(tx)
    .await
    .map_err(failed("log what happened to the file"))
    .map(drop)
}

/// A partner's gaps: channel and number.
pub(super) async fn gaps(pool: &PgPool) -> Result<Vec<(String, String, i64)>, ExchangeError> {
    sqlx::query_as("select partner, channel, number from partner_gap_v1 order by 1, 2, 3")
        .fetch_all(pool)
        .await
        .map_err(failed("read the gaps"))
}

/// Numbers of the log are counts and never below zero.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The formats' numbers have at most twelve digits, and no file has 2^63 bytes.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
