//! The tag buffer: what timed reads have seen, each tag once, until the host fetches it.
//!
//! ```text
//! 29                       first u16 | last u16              how many are left
//! 29 metadata u16 options  metadata u16 | options | count | records …
//! 2A                                                         forget all
//! ```
//!
//! An answer holds as many records as a frame can; the next goes on behind them. Option 1 begins
//! anew. Source: `serial_reader_l3.c`, `TMR_SR_cmdGetTagsRemaining`; `serial_reader.c`,
//! `TMR_SR_getNextTag`; the M6e User Guide on what makes tags the same.

use super::Answer;
use super::keys::{HIGHEST_RSSI, Keys, UNIQUE_BY_ANTENNA, UNIQUE_BY_DATA};
use super::sighting::{Sighting, known};
use crate::protocol::mercury::codec::Status;

const TAGS_MAX: usize = 300;
/// A frame's data, less what stands before the records.
const RECORDS_LEN_MAX: usize = 0xF8 - 4;
const REWIND: u8 = 0x01;

#[derive(Debug, Default)]
pub(super) struct TagBuffer {
    tags: Vec<Sighting>,
    // Of those, how many have been fetched.
    fetched: usize,
}

/// What became of a tag that was put into the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    New,
    Again,
    /// There is no room for it.
    Full,
}

impl TagBuffer {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn put(&mut self, seen: Sighting, keys: &Keys) -> Kept {
        let same = |kept: &Sighting| {
            kept.epc == seen.epc
                && (keys.is_on(UNIQUE_BY_ANTENNA) || kept.antenna == seen.antenna)
                && (keys.is_on(UNIQUE_BY_DATA) || kept.data == seen.data)
        };
        match self.tags.iter().position(same) {
            Some(at) => {
                let kept = &mut self.tags[at];
                let read_count = kept.read_count.saturating_add(1);
                if keys.is_on(HIGHEST_RSSI) && seen.rssi_dbm > kept.rssi_dbm {
                    *kept = seen;
                }
                kept.read_count = read_count;
                Kept::Again
            }
            None if self.tags.len() >= TAGS_MAX => Kept::Full,
            None => {
                self.tags.push(seen);
                Kept::New
            }
        }
    }

    pub(super) fn answer(&mut self, data: &[u8]) -> Answer {
        match *data {
            [] => {
                let index = |index: usize| u16::try_from(index).unwrap_or(u16::MAX).to_be_bytes();
                Ok([index(self.fetched), index(self.tags.len())].concat())
            }
            [high, low, options] => {
                if options & REWIND != 0 {
                    self.fetched = 0;
                }
                Ok(self.fetch(known(u16::from_be_bytes([high, low])), options))
            }
            _ => Err(Status::WRONG_DATA_LENGTH),
        }
    }

    fn fetch(&mut self, metadata: u16, options: u8) -> Vec<u8> {
        let (mut records, mut count) = (Vec::new(), 0);
        for tag in &self.tags[self.fetched..] {
            let len = records.len();
            tag.put_metadata(metadata, &mut records);
            tag.put_epc(&mut records);
            if records.len() > RECORDS_LEN_MAX {
                records.truncate(len);
                break;
            }
            count += 1;
        }
        self.fetched += usize::from(count);
        let [high, low] = metadata.to_be_bytes();
        [vec![high, low, options, count], records].concat()
    }
}
