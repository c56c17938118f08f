//! Tags, what partners were told of them, and the files that were written.

use domain::IssuerId;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, Row as _};

use super::super::{Standing, Tag, serial_of};
use super::{Result, Rows, failed_each, json};
use crate::partner::exchange::repo::failed;

/// An issuer's tags that are on a vehicle, by serial.
pub(in crate::partner::books) fn tags<'a>(
    connection: &'a mut PgConnection,
    issuer: &IssuerId,
) -> Rows<'a, Tag> {
    sqlx::query(
        "select t.tag, t.plate, v.vehicle_group, a.state,
                b.balance, coalesce(b.balance < a.low_below, false) as is_low
         from tag_link t
         join vehicle_link v on v.plate = t.plate and v.valid_until is null
         join account a on a.account = v.account and a.issuer = $1
         join balance_v1 b on b.account = a.account
         where t.valid_until is null
         order by ('x' || lpad(right(encode(t.tag, 'hex'), 8), 8, '0'))::bit(32)::bigint",
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

/// The last list that was written for a partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::partner::books) struct LastList {
    /// Its name in the log.
    pub(in crate::partner::books) file: String,
    /// What a change of it must name.
    pub(in crate::partner::books) list: String,
    /// The file's time.
    pub(in crate::partner::books) stamp: String,
    /// What became of it, as the log has it.
    pub(in crate::partner::books) state: String,
    /// Whether it was written of the issuer's tags in the books, and what it told of them is known.
    pub(in crate::partner::books) is_ours: bool,
}

pub(in crate::partner::books) async fn last_list(
    pool: &PgPool,
    (partner, channel): (&str, &str),
    issuer: &IssuerId,
) -> Result<Option<LastList>> {
    let row: Option<(String, String, String, String, bool)> = sqlx::query_as(
        "select f.name, f.list_name, f.stamp, s.state,
                exists (select from partner_export x where x.file_no = f.file_no)
                and exists (select from partner_listed l where l.partner = f.partner
                              and l.channel = f.channel and l.issuer = $3)
         from partner_file f join partner_sent_v1 s using (file_no)
         where f.direction = 'sent' and f.partner = $1 and f.channel = $2 and f.list_name is not null
         order by f.stamp desc limit 1",
    )
    .bind(partner)
    .bind(channel)
    .bind(issuer.as_str())
    .fetch_optional(pool)
    .await
    .map_err(failed("find the last list"))?;
    let last = |(file, list, stamp, state, is_ours)| LastList { file, list, stamp, state, is_ours };
    Ok(row.map(last))
}

/// What a partner was told of each tag, by serial.
pub(in crate::partner::books) fn listed<'a>(
    connection: &'a mut PgConnection,
    (partner, channel): (&str, &str),
    issuer: &IssuerId,
) -> Rows<'a, (u32, Value)> {
    sqlx::query(
        "select serial, said from partner_listed
         where partner = $1 and channel = $2 and issuer = $3 order by serial",
    )
    .bind(partner.to_owned())
    .bind(channel.to_owned())
    .bind(issuer.as_str().to_owned())
    .fetch(connection)
    .map_err(failed_each("read what a partner was told of tags"))
    .map_ok(|row| {
        let serial = u32::try_from(row.get::<i64, _>("serial")).unwrap_or(u32::MAX);
        (serial, json(&row.get::<String, _>("said")))
    })
    .boxed()
}

/// The file that was written of something before: its name.
pub(in crate::partner::books) async fn written(
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

/// Whether any partner was written a file of that name.
pub(in crate::partner::books) async fn is_name_of_sent(pool: &PgPool, name: &str) -> Result<bool> {
    sqlx::query_scalar(
        "select exists (select from partner_file where direction = 'sent' and name = $1)",
    )
    .bind(name)
    .fetch_one(pool)
    .await
    .map_err(failed("look whether a name is taken"))
}
