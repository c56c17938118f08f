//! Silion's own continuous read, wrapped into one operation code.
//!
//! ```text
//! AA | "Moduletech" | AA 48 | metadata u16 | option | search flags u16 | filter | operation | sum BB
//! AA | "Moduletech" | AA 49 | sum BB                  and the same bytes back, without arguments
//! AA | metadata u16 | metadata … | bytes of what follows | control u16 | EPC | check u16
//! AA | "XTSJ" | search flags u16 | state              a sign of life, with search flag 8000
//! ```
//!
//! The sum is over what stands between the name and itself. Source: the crate `rfid-silion-compat`,
//! `async_proto.rs`, `command.rs` and `parsers.rs`, which quote Silion's protocol document.

use std::time::Duration;

use super::search::{Count, OPTION_METADATA, Report, Search};
use super::sighting::Sighting;
use crate::protocol::mercury::codec::Status;

pub(super) const SILION: u8 = 0xAA;
const NAME: &[u8; 10] = b"Moduletech";
const START: [u8; 2] = [0xAA, 0x48];
const STOP: [u8; 2] = [0xAA, 0x49];
const END: u8 = 0xBB;
const KNOWN: u16 = 0x00FF;
const SIGN_OF_LIFE: &[u8; 4] = b"XTSJ";
const FLAG_SIGN_OF_LIFE: u16 = 0x8000;
/// The search flag of an operation along with each read, in the low byte.
const EMBEDDED: u8 = 0x04;

/// What the host asks.
#[derive(Debug)]
pub(super) enum Request {
    Start(Search),
    Stop,
}

impl Request {
    pub(super) fn parse(data: &[u8]) -> Result<Self, Status> {
        let body = data.strip_prefix(NAME).ok_or(Status::INVALID_VALUE)?;
        let [body @ .., sum, END] = body else { return Err(Status::WRONG_DATA_LENGTH) };
        if *sum != sum_of(body) {
            return Err(Status::INVALID_VALUE);
        }
        match body {
            [0xAA, 0x49] => Ok(Self::Stop),
            [0xAA, 0x48, high, low, option, flags_high, flags_low, rest @ ..] => {
                // The same fields as those of a timed read, in another order and with no times.
                let (option, flags) = (option & !OPTION_METADATA, flags_low & EMBEDDED);
                let timed = [&[option, 0, flags, 0, 0][..], rest].concat();
                let search = Search::parse(&timed)?;
                Ok(Self::Start(Search {
                    flags: u16::from_be_bytes([*flags_high, *flags_low]),
                    metadata: u16::from_be_bytes([*high, *low]) & KNOWN,
                    on_time: Duration::ZERO,
                    report: Report::Nothing,
                    count: Count::Bare,
                    ..search
                }))
            }
            _ => Err(Status::INVALID_VALUE),
        }
    }
}

pub(super) fn started() -> Vec<u8> {
    wrapped(START)
}

pub(super) fn stopped() -> Vec<u8> {
    wrapped(STOP)
}

pub(super) fn record(search: &Search, sighting: &Sighting) -> Vec<u8> {
    let mut record = search.metadata.to_be_bytes().to_vec();
    sighting.put_metadata(search.metadata, &mut record);
    let mut epc = Vec::new();
    sighting.put_epc(&mut epc);
    // Bytes instead of bits.
    record.push(u8::try_from(epc.len() - 2).unwrap_or(u8::MAX));
    record.extend_from_slice(&epc[2..]);
    record
}

/// `None` where the host does not want one.
pub(super) fn sign_of_life(search: &Search) -> Option<Vec<u8>> {
    let flags = search.flags.to_be_bytes();
    (search.flags & FLAG_SIGN_OF_LIFE != 0)
        .then(|| [&SIGN_OF_LIFE[..], &flags[..], &[0x01][..]].concat())
}

fn wrapped(subcommand: [u8; 2]) -> Vec<u8> {
    [&NAME[..], &subcommand[..], &[sum_of(&subcommand), END][..]].concat()
}

fn sum_of(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}
