//! Entries, the trips they begin, and the exits that wait for them.

use std::collections::HashSet;

use domain::passage::Passage;
use domain::signature::{Digest256, Signature};
use domain::wire::v1::{PassageRecord, parse};
use domain::{PassageId, StationId, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::super::examine::Genuine;
use super::super::post::{BooksError, failed};
use super::journals::{Journal, Place};
use super::{id_from, place_of};
use crate::rating::EntryFacts;
use crate::sql::{from_sql, to_sql};

/// An entry to be stored.
pub(crate) struct NewEntry<'a> {
    pub(crate) journal: Journal,
    pub(crate) id: &'a PassageId,
    pub(crate) road: &'a str,
    pub(crate) vehicle: String,
    pub(crate) at: Timestamp,
}

pub(crate) async fn insert_entries(
    tx: &mut PgConnection,
    rows: &[NewEntry<'_>],
) -> Result<(), BooksError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into road_entry (journal_no, seq, operator_no, road, station, vehicle, at) \
         select * from unnest($1::int4[], $2::int4[], $3::int4[], $4::text[], $5::text[], $6::text[], \
             $7::timestamptz[]) on conflict do nothing",
    )
    .bind(rows.iter().map(|row| row.journal.journal_no).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| place_of(row.journal.journal_no, row.id).1).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.journal.operator_no).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.road).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.id.lane.station().as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.vehicle.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| to_sql(row.at)).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(failed("store entries"))?;
    Ok(())
}

/// An entry that no exit has used.
#[derive(Debug, Clone)]
pub(crate) struct OpenEntry {
    pub(crate) road: String,
    pub(crate) vehicle: String,
    pub(crate) facts: EntryFacts,
}

/// The entries that no exit has used, the newest last: those of these vehicles on these roads since
/// `since`, and those that lanes named.
pub(crate) async fn open_entries(
    tx: &mut PgConnection,
    wanted: &HashSet<(String, String)>,
    named: &[&PassageId],
    since: Timestamp,
) -> Result<Vec<OpenEntry>, BooksError> {
    if wanted.is_empty() && named.is_empty() {
        return Ok(Vec::new());
    }
    let (roads, vehicles): (Vec<&str>, Vec<&str>) =
        wanted.iter().map(|(road, vehicle)| (road.as_str(), vehicle.as_str())).unzip();
    let rows = sqlx::query(
        "with found as ( \
             select e.* from unnest($1::text[], $2::text[]) as w (road, vehicle) \
             join road_entry e using (road, vehicle) where e.at >= $3 \
             union \
             select e.* from unnest($4::text[], $5::int4[], $6::int4[]) as w (lane, epoch, seq) \
             join lane_epoch i using (lane, epoch) \
             join road_entry e on e.journal_no = i.journal_no and e.seq = w.seq) \
         select i.lane, i.epoch, e.seq::int8, e.road, e.vehicle, e.station, e.at from found e \
         join lane_epoch i using (journal_no) \
         left join trip t on t.entry_journal = e.journal_no and t.entry_seq = e.seq \
         where t.entry_journal is null order by e.at, i.lane, i.epoch, e.seq",
    )
    .bind(roads)
    .bind(vehicles)
    .bind(to_sql(since))
    .bind(named.iter().map(|id| id.lane.to_string()).collect::<Vec<_>>())
    .bind(named.iter().map(|id| i32::try_from(id.epoch).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(named.iter().map(|id| place_of(0, id).1).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(failed("look up entries"))?;
    let entry = |row: &PgRow| {
        Some(OpenEntry {
            road: row.get(3),
            vehicle: row.get(4),
            facts: EntryFacts {
                passage: id_from(row, 0)?,
                station: StationId::try_new(row.get(5)).ok()?,
                at: from_sql(row.get(6)),
            },
        })
    };
    Ok(rows.iter().filter_map(entry).collect())
}

/// A trip: which exit ended it, and which entry it began with.
pub(crate) struct NewTrip<'a> {
    pub(crate) exit: Place,
    pub(crate) operator_no: i32,
    pub(crate) entry: &'a PassageId,
}

pub(crate) async fn insert_trips(
    tx: &mut PgConnection,
    trips: &[NewTrip<'_>],
) -> Result<(), BooksError> {
    if trips.is_empty() {
        return Ok(());
    }
    let inserted = sqlx::query(
        "insert into trip (exit_journal, exit_seq, operator_no, entry_journal, entry_seq) \
         select w.journal_no, w.seq, w.operator_no, i.journal_no, w.entry_seq \
         from unnest($1::int4[], $2::int4[], $3::int4[], $4::text[], $5::int4[], $6::int4[]) \
             as w (journal_no, seq, operator_no, lane, epoch, entry_seq) \
         join lane_epoch i using (lane, epoch)",
    )
    .bind(trips.iter().map(|trip| trip.exit.0).collect::<Vec<_>>())
    .bind(trips.iter().map(|trip| trip.exit.1).collect::<Vec<_>>())
    .bind(trips.iter().map(|trip| trip.operator_no).collect::<Vec<_>>())
    .bind(trips.iter().map(|trip| trip.entry.lane.to_string()).collect::<Vec<_>>())
    .bind(
        trips
            .iter()
            .map(|trip| i32::try_from(trip.entry.epoch).unwrap_or(i32::MAX))
            .collect::<Vec<_>>(),
    )
    .bind(trips.iter().map(|trip| place_of(0, trip.entry).1).collect::<Vec<_>>())
    .execute(tx)
    .await;
    match inserted {
        Ok(_) => Ok(()),
        // Another worker's exit took the entry since it was looked for.
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("one_trip_per_entry") => {
            Err(BooksError::Raced)
        }
        Err(source) => Err(failed("store trips")(source)),
    }
}

/// An exit that waits for its entry.
pub(crate) struct Waiting {
    pub(crate) place: Place,
    pub(crate) operator_no: i32,
    pub(crate) until: Timestamp,
    pub(crate) genuine: Genuine,
}

/// An exit that begins to wait.
pub(crate) struct NewWait<'a> {
    pub(crate) place: Place,
    pub(crate) operator_no: i32,
    pub(crate) until: Timestamp,
    pub(crate) genuine: &'a Genuine,
    pub(crate) passage: &'a Passage,
    pub(crate) payload: &'a [u8],
    pub(crate) manner: i32,
}

pub(crate) async fn begin_waits(
    tx: &mut PgConnection,
    batch: i32,
    waits: &[NewWait<'_>],
) -> Result<(), BooksError> {
    for wait in waits {
        let tag = wait.passage.tag.as_ref().map(|tag| tag.as_bytes().to_vec());
        let plate = wait.passage.plate.as_ref().map(|plate| plate.as_str().to_owned());
        sqlx::query(
            "insert into waiting_exit (journal_no, seq, operator_no, batch, manner, until, at, digest, tag, plate, \
                 payload, signature) \
             values ($1, $2, $3, $4, $5, $6, $7, encode($8, 'hex')::uuid, $9, $10, $11, $12)",
        )
        .bind(wait.place.0)
        .bind(wait.place.1)
        .bind(wait.operator_no)
        .bind(batch)
        .bind(wait.manner)
        .bind(to_sql(wait.until))
        .bind(to_sql(wait.passage.at))
        .bind(&wait.genuine.content_hash.as_bytes()[..16])
        .bind(tag.unwrap_or_default())
        .bind(plate.unwrap_or_default())
        .bind(wait.payload)
        .bind(wait.genuine.signature.as_bytes().as_slice())
        .execute(&mut *tx)
        .await
        .map_err(failed("note a waiting exit"))?;
    }
    Ok(())
}

/// The exits that have waited longest. Locks them, so that two workers never rate one exit.
pub(crate) async fn waiting(tx: &mut PgConnection, limit: i64) -> Result<Vec<Waiting>, BooksError> {
    let rows = sqlx::query(
        "select e.lane, e.epoch, w.seq::int8, w.journal_no, w.seq, w.operator_no, w.until, w.signature, w.payload \
         from waiting_exit w join lane_epoch e using (journal_no) \
         order by w.until, w.journal_no, w.seq limit $1 for update of w skip locked",
    )
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(failed("read waiting exits"))?;
    let waiting = |row: &PgRow| {
        let payload: &[u8] = row.get(8);
        Some(Waiting {
            place: (row.get(3), row.get(4)),
            operator_no: row.get(5),
            until: from_sql(row.get(6)),
            genuine: Genuine {
                id: id_from(row, 0)?,
                content_hash: Digest256::of(payload),
                signature: Signature::try_from_slice(row.get(7)).ok()?,
                passage: parse::<PassageRecord>("passage", payload)
                    .ok()
                    .map(|record| Box::new(record.into())),
                index: 0,
            },
        })
    };
    Ok(rows.iter().filter_map(waiting).collect())
}

pub(crate) async fn end_waits(tx: &mut PgConnection, ended: &[Place]) -> Result<(), BooksError> {
    let (journals, seqs): (Vec<i32>, Vec<i32>) = ended.iter().copied().unzip();
    sqlx::query(
        "delete from waiting_exit a using unnest($1::int4[], $2::int4[]) as w (journal_no, seq) \
         where a.journal_no = w.journal_no and a.seq = w.seq",
    )
    .bind(journals)
    .bind(seqs)
    .execute(tx)
    .await
    .map_err(failed("end the wait of exits"))?;
    Ok(())
}
