//! Every stored passage again, batch by batch: rows and their hash, bytes, signature, chain, fare.
//!
//! Rows and bytes are read side by side in the order of batches, so that never more than a batch or
//! two is in memory. What a lane's journal needs to be followed from batch to batch is a digest a
//! lane, and one more for each gap.

mod chain;
mod rows;
mod vouched;

use std::collections::HashMap;

use domain::signature::{Context, Digest256};
use domain::wire::v1::{PassageRecord, parse};
use domain::{LaneId, PassageId, Timestamp};
use sqlx::{PgConnection, Row as _};

use self::chain::LaneChains;
use self::rows::{Row, Rows};
use super::{Invariant, Tally, VerifyError};
use crate::intake::evidence::{Kept, read_block};
use crate::intake::{Genuine, facts, stored};
use crate::rating::{self, EntryFacts, EntryFinding, Payer, Rating, rate};
use crate::registry::{Registry, SignedWhen};
use crate::sql::from_sql;

/// Blocks read at a time.
const BLOCKS_AT_A_TIME: usize = 16;

/// A batch as it says of itself.
struct Batch {
    batch: i32,
    chain: i32,
    place: i64,
    posted_at: Timestamp,
    passages: i32,
    amount: i64,
    hash: Vec<u8>,
}

/// What is counted.
struct Tallies {
    batches: Tally,
    kept: Tally,
    hashes: Tally,
    signatures: Tally,
    chain: Tally,
    fares: Tally,
}

pub(super) async fn check(
    tx: &mut PgConnection,
    registry: &Registry,
) -> Result<Vec<Invariant>, VerifyError> {
    let mut tallies = Tallies {
        batches: Tally::new(
            "I10",
            "a batch holds the rows it was written with, and follows the one before it",
        ),
        kept: Tally::new("I8", "the exact bytes of a passage are kept"),
        hashes: Tally::new("I8", "a passage's digest is that of its bytes"),
        signatures: Tally::new(
            "I21",
            "a passage is signed by a key that was its lane's when it came, or named by one that is",
        ),
        chain: Tally::new("I21", "a passage names the digest of the one before it"),
        fares: Tally::new("I14", "rating again gives the same charge"),
    };
    let journals = journals(tx).await?;
    let mut chains = LaneChains::default();
    let mut heads: HashMap<i32, (i64, Vec<u8>)> = HashMap::new();
    let mut rows = Rows::open(tx).await?;
    let mut after = 0;
    while let Some(batch) = next_batch(tx, after).await? {
        after = batch.batch;
        let of_batch = rows.of_batch(tx, batch.batch, &mut tallies.batches).await?;
        check_batch(&batch, &of_batch, &mut heads, &mut tallies.batches);
        let by_place: HashMap<(i32, i32), Row> =
            of_batch.into_iter().map(|row| (row.place, row)).collect();
        let mut seen = 0;
        let mut from = (i32::MIN, i32::MIN, i32::MIN);
        loop {
            let blocks = blocks(tx, batch.batch, from).await?;
            let Some((last, _)) = blocks.last() else { break };
            from = *last;
            for (_, block) in &blocks {
                let Some(kept) = read_block(block) else {
                    tallies.kept.count(false, || format!("a block of batch {}", batch.batch));
                    continue;
                };
                seen += kept
                    .iter()
                    .filter(|one| by_place.contains_key(&(one.journal_no, one.seq)))
                    .count();
                let page = witnesses(tx, &journals, &by_place, kept).await?;
                check_page(&page, &mut chains, &mut tallies);
                check_signatures(tx, registry, &page, batch.posted_at, &mut tallies.signatures)
                    .await?;
                check_fares(tx, registry, &page, &mut tallies.fares).await?;
            }
        }
        let elsewhere = by_place.values().filter(|row| row.received_batch.is_some()).count();
        let lost = by_place.len().saturating_sub(seen + elsewhere);
        tallies.kept.count(lost == 0, || format!("{lost} passages of batch {}", batch.batch));
    }
    rows.count_the_rest(tx, &mut tallies.batches).await?;
    let Tallies { batches, kept, hashes, signatures, chain, fares } = tallies;
    Ok([batches, kept, hashes, signatures, chain, fares].map(|tally| tally.invariant).into())
}

/// Lane and epoch of each journal.
type JournalNames = HashMap<i32, (LaneId, u32)>;

async fn journals(tx: &mut PgConnection) -> Result<JournalNames, sqlx::Error> {
    let rows = sqlx::query("select journal_no, lane, epoch from lane_epoch").fetch_all(tx).await?;
    let journal = |row: &sqlx::postgres::PgRow| {
        let lane = row.get::<&str, _>(1).parse().ok()?;
        Some((row.get(0), (lane, u32::try_from(row.get::<i32, _>(2)).ok()?)))
    };
    Ok(rows.iter().filter_map(journal).collect())
}

async fn next_batch(tx: &mut PgConnection, after: i32) -> Result<Option<Batch>, sqlx::Error> {
    let row = sqlx::query(
        "select batch, chain, place, posted_at, passages, amount, hash from posting_batch \
         where batch > $1 order by batch limit 1",
    )
    .bind(after)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| Batch {
        batch: row.get(0),
        chain: row.get(1),
        place: row.get(2),
        posted_at: from_sql(row.get(3)),
        passages: row.get(4),
        amount: row.get(5),
        hash: row.get(6),
    }))
}

fn check_batch(
    batch: &Batch,
    rows: &[Row],
    heads: &mut HashMap<i32, (i64, Vec<u8>)>,
    tally: &mut Tally,
) {
    let mut bytes = stored::Rows::default();
    rows.iter().for_each(|row| row.posting().append(&mut bytes));
    let (place, head) = heads.entry(batch.chain).or_default();
    let amount: i128 = rows.iter().map(|row| i128::from(row.amount)).sum();
    let holds = *place + 1 == batch.place
        && usize::try_from(batch.passages) == Ok(rows.len())
        && amount == i128::from(batch.amount)
        && stored::hash(head, bytes.as_bytes()).as_bytes().as_slice() == batch.hash;
    tally.count(holds, || format!("batch {}", batch.batch));
    (*place, *head) = (batch.place, batch.hash.clone());
}

/// Where a block is: operator, journal and sequence of its first passage.
type BlockPlace = (i32, i32, i32);

async fn blocks(
    tx: &mut PgConnection,
    batch: i32,
    after: BlockPlace,
) -> Result<Vec<(BlockPlace, Vec<u8>)>, sqlx::Error> {
    let rows = sqlx::query(
        "select operator_no, first_journal, first_seq, block from evidence \
         where batch = $1 and (operator_no, first_journal, first_seq) > ($2, $3, $4) \
         order by operator_no, first_journal, first_seq limit $5",
    )
    .bind(batch)
    .bind(after.0)
    .bind(after.1)
    .bind(after.2)
    .bind(i64::try_from(BLOCKS_AT_A_TIME).unwrap_or(i64::MAX))
    .fetch_all(tx)
    .await?;
    Ok(rows.iter().map(|row| ((row.get(0), row.get(1), row.get(2)), row.get(3))).collect())
}

/// A passage's bytes, with what is stored of it.
struct Witness {
    genuine: Genuine,
    payload: Vec<u8>,
    row: Option<Row>,
}

/// Joins bytes to rows. An exit that has waited is in a later batch than its bytes.
async fn witnesses(
    tx: &mut PgConnection,
    journals: &JournalNames,
    by_place: &HashMap<(i32, i32), Row>,
    kept: Vec<Kept>,
) -> Result<Vec<Witness>, sqlx::Error> {
    let missing: Vec<(i32, i32)> = kept
        .iter()
        .map(|one| (one.journal_no, one.seq))
        .filter(|place| !by_place.contains_key(place))
        .collect();
    let later = rows::by_places(tx, &missing).await?;
    let witness = |kept: Kept| {
        let place = (kept.journal_no, kept.seq);
        let (lane, epoch) = journals.get(&kept.journal_no)?;
        let seq = u64::try_from(kept.seq).ok()?.try_into().ok()?;
        let passage = parse::<PassageRecord>("passage", &kept.payload)
            .ok()
            .map(|record| Box::new(record.into()));
        Some(Witness {
            genuine: Genuine {
                id: PassageId { lane: lane.clone(), epoch: *epoch, seq },
                content_hash: Digest256::of(&kept.payload),
                signature: kept.signature,
                passage,
                index: 0,
            },
            payload: kept.payload,
            row: by_place.get(&place).or_else(|| later.get(&place)).cloned(),
        })
    };
    Ok(kept.into_iter().filter_map(witness).collect())
}

fn check_page(page: &[Witness], chains: &mut LaneChains, tallies: &mut Tallies) {
    for one in page {
        let id = &one.genuine.id;
        let digest = one.row.as_ref().map(|row| row.digest);
        let same = digest.is_some_and(|digest| one.genuine.content_hash.as_bytes()[..16] == digest);
        tallies.hashes.count(same, || id.to_string());
        let previous = one.genuine.passage.as_ref().map(|passage| passage.previous);
        for (who, holds) in chains.follow(id, one.genuine.content_hash, previous) {
            tallies.chain.count(holds, || who.to_string());
        }
    }
}

async fn check_signatures(
    tx: &mut PgConnection,
    registry: &Registry,
    page: &[Witness],
    came_at: Timestamp,
    signatures: &mut Tally,
) -> Result<(), VerifyError> {
    for one in page {
        let Genuine { id, signature, passage, .. } = &one.genuine;
        let written_at = passage.as_ref().map(|passage| passage.at);
        let when = SignedWhen { written_at, came_at };
        let holds =
            registry.signed_by_lane(&id.lane, when, Context::Passage, &one.payload, signature)
                || vouched::is_vouched_for(tx, registry, &one.genuine, came_at).await?;
        signatures.count(holds, || id.to_string());
    }
    Ok(())
}

async fn check_fares(
    tx: &mut PgConnection,
    registry: &Registry,
    page: &[Witness],
    fares: &mut Tally,
) -> Result<(), VerifyError> {
    let genuine: Vec<(&Genuine, Timestamp)> =
        page.iter().filter_map(|one| Some((&one.genuine, one.row.as_ref()?.rated_at?))).collect();
    let mut vehicles = facts::vehicles(tx, &genuine).await?;
    rating::facts::entitle(tx, registry.tariffs(), vehicles.all_mut()).await?;
    let ids: Vec<&PassageId> = page.iter().map(|one| &one.genuine.id).collect();
    let bases = rating::facts::stored(tx, &ids).await?;
    for one in page {
        let (Some(passage), Some(row)) = (&one.genuine.passage, &one.row) else { continue };
        let Some((disposition, why)) = &row.found else { continue };
        let finding = match &row.entry {
            Some((entry, at)) => EntryFinding::Found(EntryFacts {
                station: entry.lane.station().clone(),
                passage: entry.clone(),
                at: *at,
            }),
            None => EntryFinding::Missing,
        };
        let Some(rated_at) = row.rated_at else { continue };
        let rated = rate(passage, vehicles.of(passage), finding, registry.tariffs(), rated_at);
        let holds = match rated {
            Rating::AwaitsEntry => false,
            Rating::Charged(charge) => {
                let stored = bases.get(&one.genuine.id);
                let charge = charge.after(stored);
                let (payer, account) = match charge.payer {
                    Payer::Account { account, .. } => ("account", Some(account.as_i64())),
                    Payer::Cash => ("cash", None),
                    Payer::Nobody => ("nobody", None),
                };
                stored.map_or(charge.basis.is_plain(), |stored| charge.basis == *stored)
                    && charge.disposition.name() == disposition
                    && charge.why.name() == why
                    && charge.amount.minor_units() == row.amount
                    && payer == row.payer
                    && account == row.account
                    && charge.tariff == row.tariff
            }
        };
        fares.count(holds, || one.genuine.id.to_string());
    }
    Ok(())
}
