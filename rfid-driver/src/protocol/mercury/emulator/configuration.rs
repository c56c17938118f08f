//! Everything that a host can set and ask for, but reads: one operation code, one answer.
//!
//! Each layout is what the vendor's client sends and demands (`serial_reader_l3.c`, the function
//! `TMR_SR_cmd…` of that name). A setter is its getter plus 30 hex and answers nothing.

use std::collections::BTreeMap;

use super::Answer;
use super::antennas::Antennas;
use super::faults::Faults;
use super::keys::Keys;
use super::module::{Maker, Module};
use super::pins::Pins;
use crate::protocol::mercury::codec::{PROTOCOL_GEN2, Status, opcode};

const HARDWARE_VERSION: u8 = 0x10;
const WRITE_POWER: u8 = 0x64;
const HOP_TABLE: u8 = 0x65;
const INPUTS: u8 = 0x66;
const POWER_MODE: u8 = 0x68;
const USER_MODE: u8 = 0x69;
const PROTOCOL_PARAMETER: u8 = 0x6B;
const PROTOCOLS: u8 = 0x70;
const REGIONS: u8 = 0x71;
const TEMPERATURE: u8 = 0x72;
const SET_WRITE_POWER: u8 = 0x94;
const SET_HOP_TABLE: u8 = 0x95;
const SET_OUTPUTS: u8 = 0x96;
const SET_POWER_MODE: u8 = 0x98;
const SET_USER_MODE: u8 = 0x99;
const SET_PROTOCOL_PARAMETER: u8 = 0x9B;

const POWER_MODE_MAX: u8 = 4;
/// 62 channels of four bytes are all that one answer holds.
const CHANNELS_MAX: usize = 62;
/// The radio hops over ten channels. Of a longer table it takes those from the 15th before the end:
/// of North America's the ones from 920.25 MHz on, which most other regions have too.
const CHANNELS_ABOVE: usize = 15;
const HOP_TIME_MS: u32 = 375;
const CHANNEL_STEP_KHZ: u32 = 100;
/// The flag of 10 that asks for the serial number.
const SERIAL: u8 = 0x40;
const SERIAL_NUMBER: &[u8; 14] = b"20190610000042";

/// North America to Bangladesh, and the open one (`tmr_region.h`).
const REGION_NUMBERS: [u8; 30] = [
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10,
    0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0xFF,
];
/// Silion's, whose modules come with the first of them set, and with Gen2.
const SILION_REGION_NUMBERS: [u8; 5] = [0x01, 0x06, 0x08, 0x0A, 0xFF];

#[derive(Debug, Clone)]
pub(super) struct Configuration {
    module: &'static Module,
    pub(super) region: Option<u8>,
    // Listen before talk, dwell time.
    region_keys: BTreeMap<u8, Vec<u8>>,
    pub(super) protocol: Option<u16>,
    pub(super) antennas: Antennas,
    pub(super) keys: Keys,
    pub(super) pins: Pins,
    read_power_cdbm: i16,
    write_power_cdbm: i16,
    hop_table_khz: Option<Vec<u32>>,
    // Hop time, quantisation step, lowest frequency.
    hop_options: [u32; 3],
    power_mode: u8,
    user_mode: u8,
}

impl Configuration {
    pub(super) fn new(module: &'static Module) -> Self {
        let (region, protocol) = match module.maker {
            Maker::ThingMagic => (None, None),
            Maker::Silion => (Some(SILION_REGION_NUMBERS[0]), Some(PROTOCOL_GEN2)),
        };
        Self {
            module,
            region,
            region_keys: BTreeMap::from([
                (0x40, vec![0]),
                (0x41, vec![0xB8]),
                (0x42, vec![0]),
                (0x43, vec![0, 0]),
            ]),
            protocol,
            antennas: Antennas::new(module),
            keys: Keys::new(),
            pins: Pins::new(module),
            read_power_cdbm: *module.power_cdbm.end(),
            write_power_cdbm: *module.power_cdbm.end(),
            hop_table_khz: None,
            hop_options: [HOP_TIME_MS, CHANNEL_STEP_KHZ, 0],
            power_mode: 0,
            user_mode: 0,
        }
    }

    /// What is answered to a command; `None` where it is not about the configuration.
    pub(super) fn answer(&mut self, opcode: u8, data: &[u8], faults: &Faults) -> Option<Answer> {
        Some(match opcode {
            HARDWARE_VERSION => self.hardware(data),
            opcode::ANTENNAS => self.antennas.answer(data, faults),
            opcode::SET_ANTENNAS => self.antennas.set(data),
            opcode::READ_POWER => self.power(data, self.read_power_cdbm),
            WRITE_POWER => self.power(data, self.write_power_cdbm),
            opcode::SET_READ_POWER => self.checked_power(data).map(|power_cdbm| {
                self.read_power_cdbm = power_cdbm;
                Vec::new()
            }),
            SET_WRITE_POWER => self.checked_power(data).map(|power_cdbm| {
                self.write_power_cdbm = power_cdbm;
                Vec::new()
            }),
            opcode::PROTOCOL => asked(data, &self.protocol.unwrap_or(0).to_be_bytes()),
            opcode::SET_PROTOCOL => self.set_protocol(data),
            HOP_TABLE => self.hop_table(data),
            SET_HOP_TABLE => self.set_hop_table(data),
            INPUTS => self.pins.answer(data),
            SET_OUTPUTS => self.pins.set(data),
            opcode::REGION => self.region(data),
            opcode::SET_REGION => self.set_region(data),
            POWER_MODE => asked(data, &[self.power_mode]),
            USER_MODE => asked(data, &[self.user_mode]),
            SET_POWER_MODE => mode(data).map(|mode| {
                self.power_mode = mode;
                Vec::new()
            }),
            SET_USER_MODE => mode(data).map(|mode| {
                self.user_mode = mode;
                Vec::new()
            }),
            opcode::READER_CONFIG => self.keys.answer_reader(data),
            opcode::SET_READER_CONFIG => self.keys.set_reader(data),
            PROTOCOL_PARAMETER => self.keys.answer_protocol(data),
            SET_PROTOCOL_PARAMETER => self.keys.set_protocol(data),
            PROTOCOLS => asked(data, &PROTOCOL_GEN2.to_be_bytes()),
            REGIONS => asked(data, self.regions()),
            TEMPERATURE => asked(data, &faults.celsius().to_be_bytes()),
            _ => return None,
        })
    }

    /// The carrier of one of the channels that the radio draws.
    pub(super) fn channel_khz(&self, channel: u8) -> u32 {
        let channels = self.channels_khz();
        let first = channels.len().saturating_sub(CHANNELS_ABOVE);
        channels[(first + usize::from(channel)) % channels.len()]
    }

    fn channels_khz(&self) -> Vec<u32> {
        let (first, step, count) = match self.region {
            // North America; Europe and India; the channels that most others have.
            Some(0x01) => (902_750, 500, 50),
            Some(0x02 | 0x04 | 0x07 | 0x08) => (865_700, 600, 4),
            Some(_) | None => (920_250, 500, 10),
        };
        match &self.hop_table_khz {
            Some(table) => table.clone(),
            None => (0..count).map(|channel| first + step * channel).collect(),
        }
    }

    /// `00 flags 00 length text`: the client skips three bytes (`serial_reader.c`,
    /// `getSerialNumber`). Silion's is a year and eight more digits.
    fn hardware(&self, data: &[u8]) -> Answer {
        match (self.module.maker, data) {
            (Maker::Silion, [_, _]) => Ok(SERIAL_NUMBER[..12].to_vec()),
            (Maker::ThingMagic, [0x00, flags]) if flags & SERIAL != 0 => {
                Ok([0x00, *flags, 0x00, 14].iter().chain(SERIAL_NUMBER).copied().collect())
            }
            (Maker::ThingMagic, [0x00, 0x00]) => Ok(vec![0x00, 0x00, 0x00, 0x00]),
            (Maker::ThingMagic, [_, _]) => Err(Status::INVALID_VALUE),
            (Maker::ThingMagic | Maker::Silion, _) => Err(Status::WRONG_DATA_LENGTH),
        }
    }

    fn power(&self, data: &[u8], set_cdbm: i16) -> Answer {
        let limits = &self.module.power_cdbm;
        let powers: &[i16] = match data {
            [] | [0x00] => &[set_cdbm],
            [0x01] => &[set_cdbm, *limits.end(), *limits.start()],
            [_] => return Err(Status::INVALID_VALUE),
            _ => return Err(Status::WRONG_DATA_LENGTH),
        };
        let option = data.first().copied().unwrap_or(0);
        let powers = powers.iter().flat_map(|power| power.to_be_bytes());
        Ok(std::iter::once(option).chain(powers).collect())
    }

    fn checked_power(&self, data: &[u8]) -> Result<i16, Status> {
        let &[high, low] = data else { return Err(Status::WRONG_DATA_LENGTH) };
        let power_cdbm = i16::from_be_bytes([high, low]);
        if power_cdbm > *self.module.power_cdbm.end() {
            Err(Status::POWER_TOO_HIGH)
        } else if power_cdbm < *self.module.power_cdbm.start() {
            Err(Status::POWER_TOO_LOW)
        } else {
            Ok(power_cdbm)
        }
    }

    fn set_protocol(&mut self, data: &[u8]) -> Answer {
        let &[high, low] = data else { return Err(Status::WRONG_DATA_LENGTH) };
        match u16::from_be_bytes([high, low]) {
            PROTOCOL_GEN2 => {
                self.protocol = Some(PROTOCOL_GEN2);
                Ok(Vec::new())
            }
            _ => Err(Status::INVALID_PROTOCOL),
        }
    }

    fn hop_table(&self, data: &[u8]) -> Answer {
        match *data {
            [] => {
                Ok(self.channels_khz().iter().flat_map(|channel| channel.to_be_bytes()).collect())
            }
            [option @ 1..=3] => {
                let value = self.hop_options[usize::from(option) - 1].to_be_bytes();
                Ok(std::iter::once(option).chain(value).collect())
            }
            [_] => Err(Status::INVALID_VALUE),
            _ => Err(Status::WRONG_DATA_LENGTH),
        }
    }

    fn set_hop_table(&mut self, data: &[u8]) -> Answer {
        match *data {
            [option @ 1..=3, a, b, c, d] => {
                self.hop_options[usize::from(option) - 1] = u32::from_be_bytes([a, b, c, d]);
            }
            [] => return Err(Status::WRONG_DATA_LENGTH),
            _ => {
                let (channels, []) = data.as_chunks::<4>() else {
                    return Err(Status::WRONG_DATA_LENGTH);
                };
                let channels: Vec<u32> =
                    channels.iter().map(|&channel| u32::from_be_bytes(channel)).collect();
                let in_band = channels.iter().all(|channel| (860_000..=930_000).contains(channel));
                if channels.len() > CHANNELS_MAX || !in_band {
                    return Err(Status::INVALID_FREQUENCY);
                }
                self.hop_table_khz = Some(channels);
            }
        }
        Ok(Vec::new())
    }

    fn regions(&self) -> &'static [u8] {
        match self.module.maker {
            Maker::ThingMagic => &REGION_NUMBERS,
            Maker::Silion => &SILION_REGION_NUMBERS,
        }
    }

    fn region(&self, data: &[u8]) -> Answer {
        let region = self.region.unwrap_or(0);
        match *data {
            [] => Ok(vec![region]),
            [0x01, key] => {
                let value = self.region_keys.get(&key).ok_or(Status::INVALID_VALUE)?;
                Ok([0x01, region, key].iter().chain(value).copied().collect())
            }
            _ => Err(Status::WRONG_DATA_LENGTH),
        }
    }

    fn set_region(&mut self, data: &[u8]) -> Answer {
        let (region, options) = match *data {
            [region] => (region, &[][..]),
            [0x01, region, ref options @ ..] => (region, options),
            _ => return Err(Status::WRONG_DATA_LENGTH),
        };
        if !self.regions().contains(&region) {
            return Err(Status::INVALID_REGION);
        }
        let mut rest = options;
        while let [key, values @ ..] = rest {
            let kept = self.region_keys.get_mut(key).ok_or(Status::INVALID_VALUE)?;
            let (value, behind) =
                values.split_at_checked(kept.len()).ok_or(Status::WRONG_DATA_LENGTH)?;
            *kept = value.to_vec();
            rest = behind;
        }
        if self.region != Some(region) {
            // Each region brings its own channels.
            self.hop_table_khz = None;
        }
        self.region = Some(region);
        Ok(Vec::new())
    }
}

fn asked(data: &[u8], answer: &[u8]) -> Answer {
    match data {
        [] => Ok(answer.to_vec()),
        _ => Err(Status::WRONG_DATA_LENGTH),
    }
}

fn mode(data: &[u8]) -> Result<u8, Status> {
    match *data {
        [mode @ 0..=POWER_MODE_MAX] => Ok(mode),
        [_] => Err(Status::INVALID_VALUE),
        _ => Err(Status::WRONG_DATA_LENGTH),
    }
}
