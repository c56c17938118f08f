//! What the module counts and measures.
//!
//! ```text
//! 6C 01 flags    option flags                       forget what can be forgotten
//! 6C 02 flags    option flags (flag length value)*  the same in the records of a continuous read
//! ```
//!
//! Flags have seven bits a byte, high ones first, each byte but the last with its top bit set.
//! Source: `serial_reader_l3.c`, `TMR_fillReaderStats`; `tm_reader.h`, `TMR_Reader_StatsFlag`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Answer;
use super::faults::Faults;
use super::select::short;
use crate::codec::Fields;
use crate::protocol::mercury::codec::Status;

pub(super) const STATISTICS: u8 = 0x6C;
const RESET: u8 = 0x01;

const RADIO_ON_TIME: u16 = 1 << 0;
const NOISE_FLOOR: u16 = 1 << 6;
const FREQUENCY: u16 = 1 << 7;
const TEMPERATURE: u16 = 1 << 8;
const ANTENNA: u16 = 1 << 9;
const PROTOCOL: u16 = 1 << 10;
const CONNECTED_ANTENNAS: u16 = 1 << 11;

/// In the older reports of a continuous read.
const STATUS_FREQUENCY: u16 = 1 << 1;
const STATUS_TEMPERATURE: u16 = 1 << 2;
const STATUS_ANTENNA: u16 = 1 << 3;

const NOISE_FLOOR_DBM: i8 = -75;

#[derive(Debug, Default)]
pub(super) struct Statistics {
    radio_on: BTreeMap<u8, Duration>,
}

/// What the radio is doing.
#[derive(Debug)]
pub(super) struct Present<'a> {
    pub(super) ports: u8,
    pub(super) port: u8,
    pub(super) frequency_khz: u32,
    pub(super) faults: &'a Faults,
}

impl Statistics {
    /// The radio was on, with one of these ports at a time.
    pub(super) fn add(&mut self, ports: &[u8], time: Duration) {
        let share = time / u32::try_from(ports.len().max(1)).unwrap_or(1);
        for &port in ports {
            *self.radio_on.entry(port).or_default() += share;
        }
    }

    pub(super) fn answer(&mut self, data: &[u8], present: &Present<'_>) -> Answer {
        let mut fields = Fields(data);
        let option = fields.u8("option").map_err(short)?;
        let flags = take_flags(&mut fields)?;
        fields.end().map_err(short)?;
        let mut answer = vec![option];
        match option {
            RESET => {
                if flags & RADIO_ON_TIME != 0 {
                    self.radio_on.clear();
                }
                put_flags(flags, &mut answer);
            }
            0x00 | 0x02 => answer.extend(self.values(flags, present)),
            _ => return Err(Status::INVALID_VALUE),
        }
        Ok(answer)
    }

    /// The flags as they were asked for, then what of it can be said.
    pub(super) fn values(&self, flags: u16, present: &Present<'_>) -> Vec<u8> {
        let mut values = Vec::new();
        put_flags(flags, &mut values);
        let mut put = |flag, value: Vec<u8>| {
            if flags & flag != 0 {
                put_flags(flag, &mut values);
                values.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
                values.extend(value);
            }
        };
        let ports = || 1..=present.ports;
        let on_time = |port| {
            let time = self.radio_on.get(&port).copied().unwrap_or_default();
            let [a, b, c, d] = u32::try_from(time.as_millis()).unwrap_or(u32::MAX).to_be_bytes();
            [port, a, b, c, d]
        };
        let [noise] = NOISE_FLOOR_DBM.to_be_bytes();
        let connected = |port| [port, u8::from(present.faults.is_connected(port))];
        put(RADIO_ON_TIME, ports().flat_map(on_time).collect());
        put(NOISE_FLOOR, ports().flat_map(|port| [port, port, noise]).collect());
        put(FREQUENCY, present.frequency_khz.to_be_bytes()[1..].to_vec());
        put(TEMPERATURE, present.faults.celsius().to_be_bytes().to_vec());
        put(ANTENNA, vec![present.port, present.port]);
        put(PROTOCOL, vec![0x05]);
        put(CONNECTED_ANTENNAS, ports().flat_map(connected).collect());
        values
    }
}

/// The older reports: the flags in two bytes, then bare values.
pub(super) fn status_values(flags: u16, present: &Present<'_>) -> Vec<u8> {
    let mut values = flags.to_be_bytes().to_vec();
    let mut put = |flag, value: &[u8]| {
        if flags & flag != 0 {
            values.extend_from_slice(value);
        }
    };
    put(STATUS_FREQUENCY, &present.frequency_khz.to_be_bytes()[1..]);
    put(STATUS_TEMPERATURE, &present.faults.celsius().to_be_bytes());
    put(STATUS_ANTENNA, &[present.port, present.port]);
    values
}

fn put_flags(flags: u16, out: &mut Vec<u8>) {
    let low = |flags: u16| flags.to_le_bytes()[0] & 0x7F;
    match flags {
        0..0x80 => out.push(low(flags)),
        0x80..0x4000 => out.extend([0x80 | low(flags >> 7), low(flags)]),
        _ => out.extend([0x80 | low(flags >> 14), 0x80 | low(flags >> 7), low(flags)]),
    }
}

fn take_flags(fields: &mut Fields<'_>) -> Result<u16, Status> {
    let mut flags = 0;
    for _ in 0..3 {
        let byte = fields.u8("flags").map_err(short)?;
        flags = flags << 7 | u16::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return Ok(flags);
        }
    }
    Err(Status::INVALID_VALUE)
}
