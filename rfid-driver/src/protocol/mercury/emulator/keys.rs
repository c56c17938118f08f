//! The two tables of numbered settings: of the reader (6A, 9A) and of the Gen2 protocol (6B, 9B).
//!
//! ```text
//! get 6A 01 key        01 key value          set 9A 01 key value
//! get 6B 05 key        05 key value          set 9B 05 key value
//! ```
//!
//! Source: `serial_reader_imp.h`, `TMR_SR_Configuration`; `serial_reader_l3.c`,
//! `TMR_SR_cmdGetReaderConfiguration` and `TMR_SR_cmdGetProtocolConfiguration`. A flag that reads
//! "unique by …" is on when its value is 0: the client inverts it both ways.

use std::collections::BTreeMap;

use super::Answer;
use crate::protocol::mercury::codec::{CONFIG_READ_FILTER, CONFIG_RSSI_IN_DBM, Status};

pub(super) const UNIQUE_BY_ANTENNA: u8 = 0x00;
pub(super) const HIGHEST_RSSI: u8 = 0x06;
pub(super) const UNIQUE_BY_DATA: u8 = 0x08;
const READ_FILTER_TIMEOUT: u8 = 0x0D;
const TRANSPORT: u8 = 0x0E;
const PRODUCT_GROUP: u8 = 0x12;
const PRODUCT: u8 = 0x13;
const SEND_CHECK: u8 = 0x1B;

/// What a value of 0 stands for (`tm_reader.h`, `TMR_DEFAULT_READ_FILTER_TIMEOUT`).
const READ_FILTER_TIMEOUT_MS: u32 = 250;

/// The number of Gen2, by which its table is asked for.
const GEN2: u8 = 0x05;
const GEN2_LINK_FREQUENCY: u8 = 0x10;
const GEN2_Q: u8 = 0x12;
const GEN2_TARGET: u8 = 0x01;
/// Of a dynamic Q, what a round begins with.
const Q_AT_FIRST: u8 = 4;

/// Numbered values of fixed or bounded length.
type Table = BTreeMap<u8, Vec<u8>>;

#[derive(Debug, Clone)]
pub(super) struct Keys {
    reader: Table,
    gen2: Table,
}

impl Keys {
    pub(super) fn new() -> Self {
        let reader: [(u8, &[u8]); 18] = [
            (UNIQUE_BY_ANTENNA, &[1]),
            (0x01, &[0]),
            (0x02, &[1]),
            (0x03, &[0]),
            (0x04, &[0]),
            (0x05, &[1]),
            (HIGHEST_RSSI, &[1]),
            (UNIQUE_BY_DATA, &[1]),
            (CONFIG_RSSI_IN_DBM, &[1]),
            (0x0A, &[1]),
            (0x0B, &[0]),
            (CONFIG_READ_FILTER, &[1]),
            (READ_FILTER_TIMEOUT, &[0; 4]),
            (TRANSPORT, &[0]),
            (PRODUCT_GROUP, &[0, 0]),
            (PRODUCT, &[0, 0]),
            (SEND_CHECK, &[1]),
            (0x1E, &[0]),
        ];
        // Session, target A, Miller 4, 250 kHz, Tari 25 µs, dynamic Q: the M6e's out of the box.
        let gen2: [(u8, &[u8]); 12] = [
            (0x00, &[0]),
            (GEN2_TARGET, &[1, 0]),
            (0x02, &[2]),
            (GEN2_LINK_FREQUENCY, &[0]),
            (0x11, &[0]),
            (GEN2_Q, &[0, 0]),
            (0x13, &[1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]),
            (0x14, &[0]),
            (0x15, &[0, 0, 0, 100]),
            (0x16, &[0, 0]),
            (0x17, &[0]),
            (0x3F, &[0, 0x4E, 0x20]),
        ];
        let table = |entries: &[(u8, &[u8])]| {
            entries.iter().map(|&(key, value)| (key, value.to_vec())).collect()
        };
        Self { reader: table(&reader), gen2: table(&gen2) }
    }

    pub(super) fn answer_reader(&self, data: &[u8]) -> Answer {
        match *data {
            [option @ 0x01, key] => look_up(&self.reader, option, key),
            [_, _] => Err(Status::INVALID_VALUE),
            _ => Err(Status::WRONG_DATA_LENGTH),
        }
    }

    pub(super) fn set_reader(&mut self, data: &[u8]) -> Answer {
        match data {
            // What is soldered cannot be set, and this line needs its check.
            [0x01, TRANSPORT | PRODUCT_GROUP | PRODUCT, ..] | [0x01, SEND_CHECK, 0] => {
                Err(Status::INVALID_VALUE)
            }
            [0x01, key, value @ ..] => {
                let kept = self.reader.get_mut(key).ok_or(Status::INVALID_VALUE)?;
                if kept.len() != value.len() {
                    return Err(Status::WRONG_DATA_LENGTH);
                }
                *kept = value.to_vec();
                Ok(Vec::new())
            }
            [_, _, _, ..] => Err(Status::INVALID_VALUE),
            _ => Err(Status::WRONG_DATA_LENGTH),
        }
    }

    pub(super) fn answer_protocol(&self, data: &[u8]) -> Answer {
        match *data {
            // A dynamic Q has no number.
            [GEN2, GEN2_Q] if self.gen2_byte(GEN2_Q, 0) == 0 => Ok(vec![GEN2, GEN2_Q, 0]),
            [GEN2, key] => look_up(&self.gen2, GEN2, key),
            [_, _] => Err(Status::INVALID_PROTOCOL),
            _ => Err(Status::WRONG_DATA_LENGTH),
        }
    }

    pub(super) fn set_protocol(&mut self, data: &[u8]) -> Answer {
        match data {
            [GEN2, key, value @ ..] if !value.is_empty() => {
                let kept = self.gen2.get_mut(key).ok_or(Status::INVALID_VALUE)?;
                if value.len() > kept.len() {
                    return Err(Status::WRONG_DATA_LENGTH);
                }
                kept[..value.len()].copy_from_slice(value);
                Ok(Vec::new())
            }
            [_, _, _, ..] => Err(Status::INVALID_PROTOCOL),
            _ => Err(Status::WRONG_DATA_LENGTH),
        }
    }

    /// Whether a flag of the reader is set to 1.
    pub(super) fn is_on(&self, key: u8) -> bool {
        self.reader.get(&key).is_some_and(|value| value == &[1])
    }

    pub(super) fn switch(&mut self, key: u8, on: bool) {
        self.reader.insert(key, vec![u8::from(on)]);
    }

    pub(super) fn read_filter_timeout_ms(&self) -> u32 {
        let set = self.reader.get(&READ_FILTER_TIMEOUT).and_then(|value| value.first_chunk());
        match set.map_or(0, |&bytes| u32::from_be_bytes(bytes)) {
            0 => READ_FILTER_TIMEOUT_MS,
            set => set,
        }
    }

    pub(super) fn gen2_link_frequency(&self) -> u8 {
        self.gen2_byte(GEN2_LINK_FREQUENCY, 0)
    }

    pub(super) fn gen2_q(&self) -> u8 {
        match self.gen2_byte(GEN2_Q, 0) {
            0 => Q_AT_FIRST,
            _ => self.gen2_byte(GEN2_Q, 1),
        }
    }

    pub(super) fn gen2_target(&self) -> u8 {
        self.gen2_byte(GEN2_TARGET, 1)
    }

    fn gen2_byte(&self, key: u8, index: usize) -> u8 {
        self.gen2.get(&key).and_then(|value| value.get(index)).copied().unwrap_or(0)
    }
}

fn look_up(table: &Table, option: u8, key: u8) -> Answer {
    let value = table.get(&key).ok_or(Status::INVALID_VALUE)?;
    Ok([option, key].iter().chain(value).copied().collect())
}
