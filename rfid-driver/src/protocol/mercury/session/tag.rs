//! From a module's record to a [`TagRead`].

use std::time::Instant;

use crate::protocol::mercury::codec::{EmbeddedData, SingleTag, TagRecord};
use crate::{Epc, Rssi, TagRead, Tid};

/// What a record says about a tag; `None` where it lacks an identity.
pub(in super::super) fn tag_read(record: &TagRecord<'_>, at: Instant) -> Option<TagRead> {
    let word = |at: usize| {
        let word = record.xpc.0.get(at..at + 2)?;
        Some(u16::from_be_bytes([word[0], word[1]]))
    };
    let tid = match record.data {
        Some(EmbeddedData::Bits { bytes, .. }) => Tid::try_from_slice(bytes.0).ok(),
        Some(EmbeddedData::Failed(_)) | None => None,
    };
    Some(TagRead {
        pc: record.has_pc().then_some(record.pc),
        xpc: [word(0), word(2)],
        tid,
        antenna: record.antenna.map(transmitting_port),
        rssi: record
            .rssi_dbm
            .map(|dbm| Rssi { dbm: Some(i16::from(dbm)), raw: dbm.to_be_bytes()[0] }),
        frequency_khz: record.frequency_khz,
        phase_deg: record.phase_deg,
        read_count: record.read_count.map_or(1, u16::from),
        reader_timestamp_ms: record.timestamp_ms,
        ..TagRead::new(Epc::try_from_slice(record.epc.0).ok()?, at)
    })
}

/// What the answer to a single read says about a tag: there is no control word in it.
pub(in super::super) fn single_read(tag: &SingleTag<'_>, at: Instant) -> Option<TagRead> {
    tag_read(&tag.record, at).map(|read| TagRead { pc: None, ..read })
}

/// The high nibble is the transmitting port, the low one the receiving port; four bits have no room
/// for port 16, which is sent as 0. Silion numbers its antennas in the low nibble alone.
fn transmitting_port(antenna: u8) -> u8 {
    match (antenna >> 4, antenna & 0x0F) {
        (0, 0) => 16,
        (0, antenna) => antenna,
        (port, _) => port,
    }
}
