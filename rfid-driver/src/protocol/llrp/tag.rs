//! From a report to a [`TagRead`].

use std::time::Instant;

use super::codec::{ReadResult, TagReport};
use crate::{Epc, Rssi, TagRead, Tid};

/// What a report says about a tag; `None` where it lacks an identity. The reader's clock is given
/// since `epoch_us`; channels are looked up in `frequencies_khz`, from channel 1 on.
pub(super) fn tag_read(
    report: &TagReport<'_>,
    frequencies_khz: &[u32],
    epoch_us: u64,
    at: Instant,
) -> Option<TagRead> {
    let frequency_khz = report
        .channel_index
        .and_then(|channel| frequencies_khz.get(usize::from(channel).checked_sub(1)?).copied());
    let milliseconds = report
        .first_seen
        .or(report.last_seen)
        .map(|seen| seen.microseconds().saturating_sub(epoch_us) / 1000);
    // Without a beginning to count from, these are the low bits of the time since 1970.
    let reader_timestamp_ms =
        milliseconds.map(|all| u32::try_from(all & u64::from(u32::MAX)).unwrap_or(u32::MAX));
    Some(TagRead {
        pc: report.pc,
        xpc: report.xpc,
        tid: report.read.as_ref().and_then(tid),
        antenna: report.antenna.and_then(|port| u8::try_from(port).ok()),
        rssi: report
            .peak_rssi_dbm
            .map(|dbm| Rssi { dbm: Some(i16::from(dbm)), raw: dbm.to_be_bytes()[0] }),
        frequency_khz,
        read_count: report.seen_count.unwrap_or(1),
        reader_timestamp_ms,
        ..TagRead::new(Epc::try_from_slice(report.epc.0).ok()?, at)
    })
}

/// The TID in what was read of a tag's memory. Every TID begins with one of two class identifiers
/// (ISO/IEC 15963), which tells it from other memory that somebody has asked for.
fn tid(read: &ReadResult<'_>) -> Option<Tid> {
    match read {
        ReadResult { result: 0, data, .. } if matches!(data.0.first(), Some(0xE0 | 0xE2)) => {
            Tid::try_from_slice(data.0).ok()
        }
        ReadResult { .. } => None,
    }
}
