//! The exact bytes of passages with their signatures, in blocks.
//!
//! A *block* holds passages of one operator and one batch in the order of journal and sequence, so
//! that the database compresses what they have in common. Format, for each passage: journal,
//! sequence and length of the bytes as big-endian `i32`, the signature's 64 bytes, the bytes.

use domain::signature::Signature;
use sqlx::{PgConnection, Row as _};

use super::copy::Rows;
use super::journals::Place;

/// The most passages in a block: what is read to find one.
const BLOCK_LEN_MAX: usize = 128;
const HEAD_LEN: usize = 12 + 64;

/// A passage's bytes on their way into a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Witness<'a> {
    pub(crate) operator_no: i32,
    pub(crate) place: Place,
    pub(crate) signature: &'a Signature,
    pub(crate) payload: &'a [u8],
}

/// A passage out of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The journal's number.
    pub journal_no: i32,
    /// The sequence.
    pub seq: i32,
    /// The signature.
    pub signature: Signature,
    /// The exact bytes.
    pub payload: Vec<u8>,
}

/// Writes the bytes of a batch.
pub(crate) async fn write(
    tx: &mut PgConnection,
    batch: i32,
    mut witnesses: Vec<Witness<'_>>,
) -> Result<(), sqlx::Error> {
    if witnesses.is_empty() {
        return Ok(());
    }
    witnesses.sort_unstable_by_key(|one| (one.operator_no, one.place));
    let len: usize = witnesses.iter().map(|one| HEAD_LEN + one.payload.len()).sum();
    let mut rows = Rows::with_capacity(len + len / 16);
    let mut block = Vec::new();
    for of_operator in witnesses.chunk_by(|one, next| one.operator_no == next.operator_no) {
        for passages in of_operator.chunks(BLOCK_LEN_MAX) {
            let (first_journal, first_seq) = passages[0].place;
            block.clear();
            passages.iter().for_each(|one| append(&mut block, one));
            rows.row(5).int4(batch).int4(passages[0].operator_no);
            rows.int4(first_journal).int4(first_seq).bytes(&block);
        }
    }
    rows.send(
        tx,
        "copy evidence (batch, operator_no, first_journal, first_seq, block) from stdin (format binary)",
    )
    .await?;
    Ok(())
}

fn append(block: &mut Vec<u8>, one: &Witness<'_>) {
    block.extend_from_slice(&one.place.0.to_be_bytes());
    block.extend_from_slice(&one.place.1.to_be_bytes());
    block.extend_from_slice(&i32::try_from(one.payload.len()).unwrap_or(0).to_be_bytes());
    block.extend_from_slice(one.signature.as_bytes());
    block.extend_from_slice(one.payload);
}

/// Reads a block; nothing where it is damaged.
#[must_use]
pub fn read_block(mut block: &[u8]) -> Option<Vec<Kept>> {
    let mut passages = Vec::new();
    while !block.is_empty() {
        let (head, rest) = block.split_at_checked(HEAD_LEN)?;
        let number = |at: usize| Some(i32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let len = usize::try_from(number(8)?).ok()?;
        let (payload, rest) = rest.split_at_checked(len)?;
        passages.push(Kept {
            journal_no: number(0)?,
            seq: number(4)?,
            signature: Signature::try_from_slice(head.get(12..)?).ok()?,
            payload: payload.to_vec(),
        });
        block = rest;
    }
    Some(passages)
}

/// The exact bytes of a stored passage, and their signature.
///
/// # Errors
/// When the database fails.
pub async fn find(
    tx: &mut PgConnection,
    (lane, epoch, seq): (&str, i32, i64),
) -> Result<Option<Kept>, sqlx::Error> {
    let row = sqlx::query(
        "select e.journal_no, v.block from lane_epoch e \
         join lateral (select p.batch, p.operator_no from posting p \
                       where p.journal_no = e.journal_no and p.seq = $3::int4 \
                       union all select w.batch, w.operator_no from waiting_exit w \
                       where w.journal_no = e.journal_no and w.seq = $3::int4) p on true \
         left join passage_more m on m.journal_no = e.journal_no and m.seq = $3::int4 \
         join lateral (select block from evidence v \
                       where v.batch = coalesce(m.received_batch, p.batch) and v.operator_no = p.operator_no \
                         and (v.first_journal, v.first_seq) <= (e.journal_no, $3::int4) \
                       order by v.first_journal desc, v.first_seq desc limit 1) v on true \
         where e.lane = $1 and e.epoch = $2",
    )
    .bind(lane)
    .bind(epoch)
    .bind(seq)
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let journal_no: i32 = row.get(0);
    let kept = read_block(row.get(1)).unwrap_or_default();
    Ok(kept.into_iter().find(|one| one.journal_no == journal_no && i64::from(one.seq) == seq))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_goes_into_a_block_comes_out(
            passages in prop::collection::vec((any::<[i32; 2]>(), any::<[u8; 32]>(), prop::collection::vec(any::<u8>(), 0..300)), 0..5),
        ) {
            let mut block = Vec::new();
            let mut expected = Vec::new();
            for ([journal_no, seq], half, payload) in passages {
                let signature = Signature::try_from_slice(&[half, half].concat()).unwrap();
                append(&mut block, &Witness { operator_no: 1, place: (journal_no, seq), signature: &signature, payload: &payload });
                expected.push(Kept { journal_no, seq, signature, payload });
            }
            prop_assert_eq!(read_block(&block), Some(expected));
        }

        #[test]
        fn a_damaged_block_never_panics(block in prop::collection::vec(any::<u8>(), 0..300)) {
            let _read = read_block(&block);
        }
    }
}
