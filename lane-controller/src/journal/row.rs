//! A record as it stands in the file, and what proves that it is the one that was written.

use domain::LaneId;
use domain::signature::{Context, Digest256, PublicKey, Signature};
use domain::wire::v1::PassageRecord;

/// The columns of [`Row::read`], in its order.
pub(super) const COLUMNS: &str = "seq, payload, signature, digest, crc32c";

/// CRC-32C, of the catalogue.
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);

/// A check sum over parts that cannot run into each other.
pub(super) fn crc32c(parts: &[&[u8]]) -> u32 {
    let mut digest = CRC.digest();
    for part in parts {
        digest.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    digest.finalize()
}

/// A record as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) seq: u64,
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) digest: Vec<u8>,
    /// Absent in records of before there was one.
    pub(super) crc32c: Option<u32>,
}

/// Whose record it must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) lane: &'a LaneId,
    pub(super) epoch: u32,
}

impl Row {
    pub(super) fn read(row: &rusqlite::Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            seq: row.get(0)?,
            payload: row.get(1)?,
            signature: row.get(2)?,
            digest: row.get(3)?,
            crc32c: row.get(4)?,
        })
    }

    /// The check sum over all columns.
    pub(super) fn sum(&self) -> u32 {
        crc32c(&[&self.seq.to_be_bytes(), &self.payload, &self.signature, &self.digest])
    }

    /// Proves the record by itself, apart from its neighbours; the signature where there is a key
    /// to check it with.
    pub(super) fn prove(
        &self,
        owner: Owner<'_>,
        key: Option<&PublicKey>,
    ) -> Result<(PassageRecord, Digest256), &'static str> {
        if self.crc32c.is_some_and(|crc| crc != self.sum()) {
            return Err("its check sum is another");
        }
        let digest = Digest256::of(&self.payload);
        if digest.as_bytes().as_slice() != self.digest {
            return Err("its bytes have another digest");
        }
        let Ok(signature) = Signature::try_from_slice(&self.signature) else {
            return Err("it has no signature");
        };
        if key.is_some_and(|key| key.verify(Context::Passage, &self.payload, &signature).is_err()) {
            return Err("its signature is not this lane's");
        }
        let record: PassageRecord = domain::wire::v1::parse("passage", &self.payload)
            .map_err(|_unreadable| "it cannot be read")?;
        let id = &record.id;
        if id.lane != *owner.lane || id.epoch != owner.epoch || id.seq.get() != self.seq {
            return Err("it names another lane, epoch or sequence");
        }
        Ok((record, digest))
    }
}
