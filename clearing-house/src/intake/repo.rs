//! The intake's SQL. Every statement takes a whole batch.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use domain::passage::Passage;
use domain::signature::{Digest256, Signature};
use domain::wire::v1::{Disposition, PassageRecord, parse};
use domain::{Amount, BusinessDate, LaneId, OperatorId, PassageId, StationId, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::examine::{Delivery, Genuine, Refusal};
use super::post::{BooksError, failed};
use crate::rating::{Charge, EntryFacts, Payer, Why};
use crate::sql::{day_to_sql, from_sql, to_sql};

/// A charge with its place in the books.
pub(super) struct StoredCharge {
    pub(super) id: PassageId,
    pub(super) charge: Charge,
    pub(super) day: BusinessDate,
    pub(super) late: bool,
}

impl StoredCharge {
    /// The charge of a passage that its lane signed and nobody here can read.
    pub(super) fn format_error(id: PassageId, day: BusinessDate) -> Self {
        let charge = Charge {
            disposition: Disposition::FormatError,
            why: Why::Unreadable,
            payer: Payer::Nobody,
            amount: Amount::ZERO,
            tariff: None,
            entry: None,
        };
        Self { id, charge, day, late: false }
    }
}

/// A delivery on its way to quarantine.
pub(super) struct Quarantined<'a> {
    pub(super) delivery: &'a Delivery,
    pub(super) refusal: Refusal,
}

fn lanes<'a>(ids: impl Iterator<Item = &'a PassageId>) -> Vec<String> {
    ids.map(|id| id.lane.to_string()).collect()
}

fn epochs_of<'a>(ids: impl Iterator<Item = &'a PassageId>) -> Vec<i32> {
    ids.map(|id| i32::try_from(id.epoch).unwrap_or(i32::MAX)).collect()
}

fn seqs<'a>(ids: impl Iterator<Item = &'a PassageId>) -> Vec<i64> {
    ids.map(|id| i64::try_from(id.seq.get()).unwrap_or(i64::MAX)).collect()
}

/// A passage id from the columns lane, epoch and seq, at the row's first places.
fn id_from(row: &PgRow, first: usize) -> Option<PassageId> {
    let lane: LaneId = row.get::<&str, _>(first).parse().ok()?;
    let epoch = u32::try_from(row.get::<i32, _>(first + 1)).ok()?;
    let seq = u64::try_from(row.get::<i64, _>(first + 2)).ok()?.try_into().ok()?;
    Some(PassageId { lane, epoch, seq })
}

pub(super) async fn epochs(
    tx: &mut PgConnection,
    genuine: &[Genuine],
) -> Result<HashSet<(LaneId, u32)>, BooksError> {
    let wanted: BTreeSet<String> = genuine.iter().map(|one| one.id.lane.to_string()).collect();
    // Locked, so that two workers advance a lane's watermark one after the other.
    let rows = sqlx::query(
        "select lane, epoch from lane_epoch where lane = any($1) order by lane, epoch for no key update",
    )
        .bind(wanted.into_iter().collect::<Vec<_>>())
        .fetch_all(tx)
        .await
        .map_err(failed("read epochs"))?;
    let epoch = |row: &PgRow| {
        let lane = row.get::<&str, _>(0).parse().ok()?;
        Some((lane, u32::try_from(row.get::<i32, _>(1)).ok()?))
    };
    Ok(rows.iter().filter_map(epoch).collect())
}

pub(super) async fn stored_hashes(
    tx: &mut PgConnection,
    genuine: &[Genuine],
) -> Result<HashMap<PassageId, Digest256>, BooksError> {
    let ids = || genuine.iter().map(|one| &one.id);
    let rows = sqlx::query(
        "select p.lane, p.epoch, p.seq, p.content_hash from passage p \
         join unnest($1::text[], $2::int4[], $3::int8[]) as w (lane, epoch, seq) using (lane, epoch, seq)",
    )
    .bind(lanes(ids()))
    .bind(epochs_of(ids()))
    .bind(seqs(ids()))
    .fetch_all(tx)
    .await
    .map_err(failed("look for known passages"))?;
    let hash = |row: &PgRow| {
        let hash: [u8; 32] = row.get::<&[u8], _>(3).try_into().ok()?;
        Some((id_from(row, 0)?, Digest256::new(hash)))
    };
    Ok(rows.iter().filter_map(hash).collect())
}

pub(super) async fn count_duplicates(
    tx: &mut PgConnection,
    duplicates: &BTreeMap<(LaneId, u32), i64>,
) -> Result<(), BooksError> {
    if duplicates.is_empty() {
        return Ok(());
    }
    let (lanes, epochs): (Vec<String>, Vec<i32>) = duplicates
        .keys()
        .map(|(lane, epoch)| (lane.to_string(), i32::try_from(*epoch).unwrap_or(i32::MAX)))
        .unzip();
    sqlx::query(
        "update lane_epoch e set duplicates = e.duplicates + d.n \
         from unnest($1::text[], $2::int4[], $3::int8[]) as d (lane, epoch, n) \
         where e.lane = d.lane and e.epoch = d.epoch",
    )
    .bind(lanes)
    .bind(epochs)
    .bind(duplicates.values().copied().collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(failed("count duplicates"))?;
    Ok(())
}

pub(super) async fn quarantine(
    tx: &mut PgConnection,
    rows: &[Quarantined<'_>],
    now: Timestamp,
) -> Result<(), BooksError> {
    for row in rows {
        sqlx::query(
            "insert into quarantine (received_at, subject, message_id, payload, signature, reason) \
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        )
        .bind(to_sql(now))
        .bind(storable(&row.delivery.subject))
        .bind(row.delivery.message_id.as_deref().map(storable))
        .bind(&row.delivery.payload)
        .bind(row.delivery.signature.as_deref().map(storable))
        .bind(row.refusal.name())
        .execute(&mut *tx)
        .await
        .map_err(failed("write to quarantine"))?;
        tracing::warn!(subject = row.delivery.subject, reason = row.refusal.name(), "quarantined");
    }
    Ok(())
}

/// Text as a database column takes it: no NUL, and no longer than a stranger's may be.
fn storable(text: &str) -> String {
    text.chars().filter(|character| *character != '\0').take(256).collect()
}

/// The JSON name of an enumeration of the wire.
fn name<T: serde::Serialize>(value: T) -> Option<String> {
    serde_json::to_value(value).ok().and_then(|value| match value {
        serde_json::Value::String(name) => Some(name),
        serde_json::Value::Object(tagged) => tagged.into_iter().next().map(|(name, _)| name),
        _ => None,
    })
}

pub(super) async fn insert_passages(
    tx: &mut PgConnection,
    fresh: &[&Genuine],
    deliveries: &[Delivery],
    now: Timestamp,
) -> Result<(), BooksError> {
    if fresh.is_empty() {
        return Ok(());
    }
    let ids = || fresh.iter().map(|one| &one.id);
    let records: Vec<Option<PassageRecord>> =
        fresh.iter().map(|one| one.passage.clone().map(PassageRecord::from)).collect();
    let text = |f: &dyn Fn(&PassageRecord) -> Option<String>| -> Vec<Option<String>> {
        records.iter().map(|record| record.as_ref().and_then(f)).collect()
    };
    let inserted = sqlx::query(
        "insert into passage (lane, epoch, seq, content_hash, payload, signature, received_at, at, role, tag, \
             plate, vehicle_group, exception, decision, attendant, reason, payment, list_version, status_seen, fare) \
         select u.lane, u.epoch, u.seq, u.content_hash, u.payload, u.signature, $20, u.at, u.role, u.tag, \
             u.plate, u.vehicle_group, u.exception, u.decision, u.attendant, u.reason, u.payment, u.list_version, \
             u.status_seen, u.fare \
         from unnest($1::text[], $2::int4[], $3::int8[], $4::bytea[], $5::bytea[], $6::bytea[], $7::timestamptz[], \
             $8::text[], $9::bytea[], $10::text[], $11::int2[], $12::text[], $13::text[], $14::text[], $15::text[], \
             $16::text[], $17::int8[], $18::text[], $19::int8[]) \
             as u (lane, epoch, seq, content_hash, payload, signature, at, role, tag, plate, vehicle_group, \
                   exception, decision, attendant, reason, payment, list_version, status_seen, fare) \
         on conflict do nothing",
    )
    .bind(lanes(ids()))
    .bind(epochs_of(ids()))
    .bind(seqs(ids()))
    .bind(fresh.iter().map(|one| one.content_hash.as_bytes().to_vec()).collect::<Vec<_>>())
    .bind(fresh.iter().map(|one| deliveries[one.index].payload.clone()).collect::<Vec<_>>())
    .bind(fresh.iter().map(|one| one.signature.as_bytes().to_vec()).collect::<Vec<_>>())
    .bind(records.iter().map(|r| r.as_ref().map(|r| to_sql(r.at))).collect::<Vec<_>>())
    .bind(text(&|record| name(record.role)))
    .bind(
        records
            .iter()
            .map(|r| r.as_ref().and_then(|r| r.tag.as_ref()).map(|tag| tag.as_bytes().to_vec()))
            .collect::<Vec<_>>(),
    )
    .bind(text(&|record| record.plate.clone().map(String::from)))
    .bind(
        records
            .iter()
            .map(|r| r.as_ref().and_then(|r| r.group).map(|group| i16::from(group.number())))
            .collect::<Vec<_>>(),
    )
    .bind(text(&|record| record.exception.and_then(name)))
    .bind(text(&|record| name(record.decision)))
    .bind(text(&|record| record.attendance.as_ref().map(|by| storable(&by.attendant))))
    .bind(text(&|record| record.attendance.as_ref().and_then(|by| name(&by.reason))))
    .bind(text(&|record| name(record.payment)))
    .bind(
        records
            .iter()
            .map(|r| r.as_ref().and_then(|r| i64::try_from(r.list_version).ok()))
            .collect::<Vec<_>>(),
    )
    .bind(text(&|record| record.status_seen.and_then(name)))
    .bind(
        records
            .iter()
            .map(|r| r.as_ref().and_then(|r| r.fare).map(Amount::minor_units))
            .collect::<Vec<_>>(),
    )
    .bind(to_sql(now))
    .execute(tx)
    .await
    .map_err(failed("store passages"))?;
    let expected = u64::try_from(fresh.len()).unwrap_or(u64::MAX);
    if inserted.rows_affected() == expected { Ok(()) } else { Err(BooksError::Raced) }
}

pub(super) async fn insert_entries(
    tx: &mut PgConnection,
    rows: &[(&str, String, &PassageId, Timestamp)],
) -> Result<(), BooksError> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids = || rows.iter().map(|(_, _, id, _)| *id);
    sqlx::query(
        "insert into road_entry (lane, epoch, seq, road, station, vehicle, at) \
         select lane, epoch, seq, road, split_part(lane, '/', 2), vehicle, at \
         from unnest($1::text[], $2::int4[], $3::int8[], $4::text[], $5::text[], $6::timestamptz[]) \
             as u (lane, epoch, seq, road, vehicle, at) \
         on conflict do nothing",
    )
    .bind(lanes(ids()))
    .bind(epochs_of(ids()))
    .bind(seqs(ids()))
    .bind(rows.iter().map(|(road, ..)| (*road).to_owned()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, vehicle, ..)| vehicle.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(.., at)| to_sql(*at)).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(failed("store entries"))?;
    Ok(())
}

/// The entries of these vehicles on these roads that no exit has used, the newest last.
pub(super) async fn open_entries(
    tx: &mut PgConnection,
    wanted: &HashSet<(String, String)>,
) -> Result<HashMap<(String, String), Vec<EntryFacts>>, BooksError> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let (roads, vehicles): (Vec<&str>, Vec<&str>) =
        wanted.iter().map(|(road, vehicle)| (road.as_str(), vehicle.as_str())).unzip();
    let rows = sqlx::query(
        "select e.lane, e.epoch, e.seq, e.road, e.vehicle, e.station, e.at from road_entry e \
         join unnest($1::text[], $2::text[]) as w (road, vehicle) using (road, vehicle) \
         left join trip t on t.entry_lane = e.lane and t.entry_epoch = e.epoch and t.entry_seq = e.seq \
         where t.entry_lane is null order by e.at",
    )
    .bind(roads)
    .bind(vehicles)
    .fetch_all(tx)
    .await
    .map_err(failed("look up entries"))?;
    let mut entries: HashMap<(String, String), Vec<EntryFacts>> = HashMap::new();
    for row in &rows {
        let (Some(passage), Ok(station)) = (id_from(row, 0), StationId::try_new(row.get(5))) else {
            continue;
        };
        entries.entry((row.get(3), row.get(4))).or_default().push(EntryFacts {
            passage,
            station,
            at: from_sql(row.get(6)),
        });
    }
    Ok(entries)
}

/// Which of the passages wait for their entry already, and until when.
pub(super) async fn waits(
    tx: &mut PgConnection,
    passages: &[&Genuine],
) -> Result<HashMap<PassageId, Timestamp>, BooksError> {
    let ids = || passages.iter().map(|one| &one.id);
    let rows = sqlx::query(
        "select a.lane, a.epoch, a.seq, a.until from awaiting_entry a \
         join unnest($1::text[], $2::int4[], $3::int8[]) as w (lane, epoch, seq) using (lane, epoch, seq)",
    )
    .bind(lanes(ids()))
    .bind(epochs_of(ids()))
    .bind(seqs(ids()))
    .fetch_all(tx)
    .await
    .map_err(failed("look up waiting exits"))?;
    Ok(rows.iter().filter_map(|row| Some((id_from(row, 0)?, from_sql(row.get(3))))).collect())
}

pub(super) async fn set_waits(
    tx: &mut PgConnection,
    awaiting: &[(&PassageId, Timestamp)],
    charges: &[StoredCharge],
) -> Result<(), BooksError> {
    let ids = || awaiting.iter().map(|(id, _)| *id);
    if !awaiting.is_empty() {
        sqlx::query(
            "insert into awaiting_entry select * from unnest($1::text[], $2::int4[], $3::int8[], $4::timestamptz[])",
        )
        .bind(lanes(ids()))
        .bind(epochs_of(ids()))
        .bind(seqs(ids()))
        .bind(awaiting.iter().map(|(_, until)| to_sql(*until)).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await
        .map_err(failed("note waiting exits"))?;
    }
    let ids = || charges.iter().map(|one| &one.id);
    sqlx::query(
        "delete from awaiting_entry a using unnest($1::text[], $2::int4[], $3::int8[]) as w (lane, epoch, seq) \
         where a.lane = w.lane and a.epoch = w.epoch and a.seq = w.seq",
    )
    .bind(lanes(ids()))
    .bind(epochs_of(ids()))
    .bind(seqs(ids()))
    .execute(tx)
    .await
    .map_err(failed("end the wait of exits"))?;
    Ok(())
}

/// The oldest exits that wait, read again from what their lanes wrote. Locks them, so that two
/// workers never rate one exit.
pub(super) async fn awaiting_passages(
    tx: &mut PgConnection,
    limit: i64,
) -> Result<Vec<Genuine>, BooksError> {
    let rows = sqlx::query(
        "select p.lane, p.epoch, p.seq, p.content_hash, p.signature, p.payload \
         from awaiting_entry a join passage p using (lane, epoch, seq) \
         order by a.until limit $1 for update of a skip locked",
    )
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(failed("read waiting exits"))?;
    let genuine = |row: &PgRow| {
        let hash: [u8; 32] = row.get::<&[u8], _>(3).try_into().ok()?;
        Some(Genuine {
            id: id_from(row, 0)?,
            content_hash: Digest256::new(hash),
            signature: Signature::try_from_slice(row.get(4)).ok()?,
            passage: parse::<PassageRecord>("passage", row.get(5)).ok().map(Passage::from),
            index: 0,
        })
    };
    Ok(rows.iter().filter_map(genuine).collect())
}

/// Makes sure the day is there and stays as it is until the transaction ends; tells whether it is
/// open.
pub(super) async fn hold_day_open(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<bool, BooksError> {
    sqlx::query(
        "insert into settlement_day (operator, day) values ($1, $2) on conflict do nothing",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .execute(&mut *tx)
    .await
    .map_err(failed("open a settlement day"))?;
    let state: String = sqlx::query_scalar(
        "select state from settlement_day where operator = $1 and day = $2 for share",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_one(tx)
    .await
    .map_err(failed("hold a settlement day"))?;
    Ok(state == "open")
}

pub(super) async fn insert_charges(
    tx: &mut PgConnection,
    charges: &[StoredCharge],
    now: Timestamp,
) -> Result<(), BooksError> {
    if charges.is_empty() {
        return Ok(());
    }
    let ids = || charges.iter().map(|one| &one.id);
    let payer = |one: &StoredCharge| match one.charge.payer {
        Payer::Account { account, .. } => ("account", Some(account.as_i64())),
        Payer::Cash => ("cash", None),
        Payer::Nobody => ("nobody", None),
    };
    sqlx::query(
        "insert into charge (lane, epoch, seq, disposition, why, operator, day, account, payer, amount, tariff, \
             entry, late, rated_at) \
         select u.*, $14 from unnest($1::text[], $2::int4[], $3::int8[], $4::text[], $5::text[], $6::text[], \
             $7::date[], $8::int8[], $9::text[], $10::int8[], $11::text[], $12::text[], $13::bool[]) u",
    )
    .bind(lanes(ids()))
    .bind(epochs_of(ids()))
    .bind(seqs(ids()))
    .bind(charges.iter().map(|one| one.charge.disposition.name()).collect::<Vec<_>>())
    .bind(charges.iter().map(|one| one.charge.why.name()).collect::<Vec<_>>())
    .bind(charges.iter().map(|one| one.id.lane.operator().to_string()).collect::<Vec<_>>())
    .bind(charges.iter().map(|one| day_to_sql(one.day)).collect::<Vec<_>>())
    .bind(charges.iter().map(|one| payer(one).1).collect::<Vec<_>>())
    .bind(charges.iter().map(|one| payer(one).0).collect::<Vec<_>>())
    .bind(charges.iter().map(|one| one.charge.amount.minor_units()).collect::<Vec<_>>())
    .bind(charges.iter().map(|one| one.charge.tariff.clone()).collect::<Vec<_>>())
    .bind(
        charges
            .iter()
            .map(|one| one.charge.entry.as_ref().map(|entry| entry.passage.to_string()))
            .collect::<Vec<_>>(),
    )
    .bind(charges.iter().map(|one| one.late).collect::<Vec<_>>())
    .bind(to_sql(now))
    .execute(tx)
    .await
    .map_err(failed("store charges"))?;
    Ok(())
}

pub(super) async fn insert_trips(
    tx: &mut PgConnection,
    charges: &[StoredCharge],
) -> Result<(), BooksError> {
    let trips: Vec<(&PassageId, &PassageId)> = charges
        .iter()
        .filter_map(|one| Some((&one.id, &one.charge.entry.as_ref()?.passage)))
        .collect();
    if trips.is_empty() {
        return Ok(());
    }
    let exits = || trips.iter().map(|(exit, _)| *exit);
    let entries = || trips.iter().map(|(_, entry)| *entry);
    sqlx::query(
        "insert into trip select * from unnest($1::text[], $2::int4[], $3::int8[], $4::text[], $5::int4[], $6::int8[])",
    )
    .bind(lanes(exits()))
    .bind(epochs_of(exits()))
    .bind(seqs(exits()))
    .bind(lanes(entries()))
    .bind(epochs_of(entries()))
    .bind(seqs(entries()))
    .execute(tx)
    .await
    .map_err(failed("store trips"))?;
    Ok(())
}

/// Moves each touched lane's watermark over everything that is there without a gap.
pub(super) async fn advance_watermarks(
    tx: &mut PgConnection,
    touched: &BTreeSet<(LaneId, u32)>,
) -> Result<(), BooksError> {
    let (lanes, epochs): (Vec<String>, Vec<i32>) = touched
        .iter()
        .map(|(lane, epoch)| (lane.to_string(), i32::try_from(*epoch).unwrap_or(i32::MAX)))
        .unzip();
    // Rows past the watermark, numbered from it: those whose number fits belong to the first
    // stretch without a gap.
    sqlx::query(
        "update lane_epoch e set posted_upto = n.upto from ( \
             select lane, epoch, max(seq) as upto from ( \
                 select p.lane, p.epoch, p.seq, e.posted_upto \
                        + row_number() over (partition by p.lane, p.epoch order by p.seq) as expected \
                 from unnest($1::text[], $2::int4[]) as t (lane, epoch) \
                 join lane_epoch e using (lane, epoch) \
                 join passage p on p.lane = e.lane and p.epoch = e.epoch and p.seq > e.posted_upto \
             ) numbered where seq = expected group by lane, epoch) n \
         where e.lane = n.lane and e.epoch = n.epoch",
    )
    .bind(lanes)
    .bind(epochs)
    .execute(tx)
    .await
    .map_err(failed("advance watermarks"))?;
    Ok(())
}
