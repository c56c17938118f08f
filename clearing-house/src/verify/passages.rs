//! Every stored passage again: bytes, signature, chain, fare.

use domain::passage::Passage;
use domain::signature::{Context, Digest256, Signature};
use domain::wire::v1::{PassageRecord, parse};
use domain::{LaneId, PassageId, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::{Invariant, Tally, VerifyError};
use crate::intake::Genuine;
use crate::intake::facts;
use crate::rating::{EntryFacts, EntryFinding, Rating, rate};
use crate::registry::Registry;
use crate::sql::from_sql;

/// Passages read at a time.
const PAGE: i64 = 2_000;

/// A stored passage with its charge.
struct Stored {
    genuine: Genuine,
    received_at: Timestamp,
    payload: Vec<u8>,
    /// When it was charged: what was known then is what it is rated by again.
    rated_at: Timestamp,
    charge: Option<(String, Option<String>, i64, Option<String>)>,
}

pub(super) async fn check(
    tx: &mut PgConnection,
    registry: &Registry,
) -> Result<Vec<Invariant>, VerifyError> {
    let mut hashes = Tally::new("I8", "a passage's digest is that of its bytes");
    let mut signatures =
        Tally::new("I21", "a passage is signed by a key that was its lane's when it came");
    let mut chain = Tally::new("I21", "a passage names the digest of the one before it");
    let mut fares = Tally::new("I14", "rating again gives the same charge");
    let mut after: (String, i32, i64) = (String::new(), 0, 0);
    let mut previous: Option<(PassageId, Digest256)> = None;
    loop {
        let page = page(tx, &after).await?;
        let Some(last) = page.last() else { break };
        after = (
            last.genuine.id.lane.to_string(),
            i32::try_from(last.genuine.id.epoch).unwrap_or(i32::MAX),
            i64::try_from(last.genuine.id.seq.get()).unwrap_or(i64::MAX),
        );
        for one in &page {
            let who = || one.genuine.id.to_string();
            let id = &one.genuine.id;
            hashes.count(Digest256::of(&one.payload) == one.genuine.content_hash, who);
            let signed = registry.signed_by_lane(
                &id.lane,
                one.received_at,
                Context::Passage,
                &one.payload,
                &one.genuine.signature,
            );
            signatures.count(signed, who);
            if let Some(passage) = &one.genuine.passage
                && let Some(expected) = chain_before(previous.as_ref(), id)
            {
                chain.count(passage.previous == expected, who);
            }
            previous = Some((id.clone(), one.genuine.content_hash));
        }
        check_fares(tx, registry, &page, &mut fares).await?;
    }
    Ok([hashes, signatures, chain, fares].into_iter().map(|tally| tally.invariant).collect())
}

/// What a passage must name as the one before: nothing for the first, unknown after a gap.
fn chain_before(previous: Option<&(PassageId, Digest256)>, id: &PassageId) -> Option<Digest256> {
    if id.seq.get() == 1 {
        return Some(Digest256::default());
    }
    previous
        .filter(|(before, _)| {
            before.lane == id.lane
                && before.epoch == id.epoch
                && before.seq.get() + 1 == id.seq.get()
        })
        .map(|(_, hash)| *hash)
}

async fn page(
    tx: &mut PgConnection,
    after: &(String, i32, i64),
) -> Result<Vec<Stored>, sqlx::Error> {
    let rows = sqlx::query(
        "select p.lane, p.epoch, p.seq, p.content_hash, p.signature, p.payload, p.received_at, \
                c.disposition, c.why, c.amount, c.entry, c.rated_at \
         from passage p left join charge c using (lane, epoch, seq) \
         where (p.lane, p.epoch, p.seq) > ($1, $2, $3) order by p.lane, p.epoch, p.seq limit $4",
    )
    .bind(&after.0)
    .bind(after.1)
    .bind(after.2)
    .bind(PAGE)
    .fetch_all(tx)
    .await?;
    Ok(rows.iter().filter_map(stored_from).collect())
}

fn stored_from(row: &PgRow) -> Option<Stored> {
    let lane: LaneId = row.get::<&str, _>(0).parse().ok()?;
    let id = PassageId {
        lane,
        epoch: u32::try_from(row.get::<i32, _>(1)).ok()?,
        seq: u64::try_from(row.get::<i64, _>(2)).ok()?.try_into().ok()?,
    };
    let hash: [u8; 32] = row.get::<&[u8], _>(3).try_into().ok()?;
    let payload: Vec<u8> = row.get(5);
    Some(Stored {
        genuine: Genuine {
            id,
            content_hash: Digest256::new(hash),
            signature: Signature::try_from_slice(row.get(4)).ok()?,
            passage: parse::<PassageRecord>("passage", &payload).ok().map(Passage::from),
            index: 0,
        },
        received_at: from_sql(row.get(6)),
        payload,
        rated_at: row.get::<Option<_>, _>(11).map_or(Timestamp::MAX, from_sql),
        charge: row
            .get::<Option<String>, _>(7)
            .map(|disposition| (disposition, row.get(8), row.get(9), row.get(10))),
    })
}

async fn check_fares(
    tx: &mut PgConnection,
    registry: &Registry,
    page: &[Stored],
    fares: &mut Tally,
) -> Result<(), VerifyError> {
    let genuine: Vec<&Genuine> = page.iter().map(|one| &one.genuine).collect();
    let vehicles = facts::vehicles(tx, &genuine).await?;
    for one in page {
        let (Some(passage), Some((disposition, why, amount, entry))) =
            (&one.genuine.passage, &one.charge)
        else {
            continue;
        };
        let finding = match entry.as_ref().map(|entry| entry.parse::<PassageId>()) {
            Some(Ok(entry)) => EntryFinding::Found(EntryFacts {
                station: entry.lane.station().clone(),
                passage: entry,
                at: passage.at,
            }),
            Some(Err(_)) | None => EntryFinding::Missing,
        };
        let again =
            rate(passage, vehicles.of(passage, one.rated_at).as_ref(), finding, registry.tariffs());
        let holds = match again {
            Rating::AwaitsEntry => false,
            Rating::Charged(charge) => {
                charge.disposition.name() == disposition
                    && Some(charge.why.name()) == why.as_deref()
                    && charge.amount.minor_units() == *amount
            }
        };
        fares.count(holds, || one.genuine.id.to_string());
    }
    Ok(())
}
