//! Channels, regions, and the two ways to read a signal strength.

use super::MeaningError;
use crate::codec::{Fields, FrameBuf};

/// Channels 0 to 6 lie in the European band, 7 to 59 in the American (V3.7, "frequency parameter").
const CHANNELS_EUROPE: u8 = 7;
const CHANNEL_MAX: u8 = 59;
const EUROPE_FIRST_KHZ: u32 = 865_000;
const AMERICA_FIRST_KHZ: u32 = 902_000;
const STEP_KHZ: u32 = 500;
const USER_STEP_UNIT_KHZ: u32 = 10;

/// The frequency of a channel of the fixed regions; `None` beyond the table.
#[must_use]
pub fn channel_khz(channel: u8) -> Option<u32> {
    match channel {
        ..CHANNELS_EUROPE => Some(EUROPE_FIRST_KHZ + STEP_KHZ * u32::from(channel)),
        CHANNELS_EUROPE..=CHANNEL_MAX => {
            Some(AMERICA_FIRST_KHZ + STEP_KHZ * u32::from(channel - CHANNELS_EUROPE))
        }
        _ => None,
    }
}

/// The channel of a frequency; `None` where it is not one of the table's.
#[must_use]
pub fn channel_of_khz(khz: u32) -> Option<u8> {
    (0..=CHANNEL_MAX).find(|&channel| channel_khz(channel) == Some(khz))
}

/// Where the reader may transmit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// A range of channels of a fixed region.
    Fixed {
        /// 1 FCC, 2 ETSI, 3 China.
        region: u8,
        /// The first channel.
        first: u8,
        /// The last channel.
        last: u8,
    },
    /// Channels of the owner's own.
    User {
        /// 4.
        region: u8,
        /// Between two channels, in 10 kHz.
        step: u8,
        /// How many channels.
        count: u8,
        /// The first.
        first_khz: u32,
    },
}

impl Region {
    /// The number of the region of the owner's own channels.
    pub const USER: u8 = 4;
    const NUMBER_MAX: u8 = 16;

    /// The whole of a fixed region, by the vendor's number; `None` for another number.
    #[must_use]
    pub fn whole(region: u8) -> Option<Self> {
        let (first, last) = match region {
            // 902 to 928 MHz, 865 to 868 MHz, 920 to 925 MHz.
            1 => (7, 59),
            2 => (0, 6),
            3 => (43, 53),
            _ => return None,
        };
        Some(Self::Fixed { region, first, last })
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u8 {
        match *self {
            Self::Fixed { region, .. } | Self::User { region, .. } => region,
        }
    }

    /// The frequency of a channel as a tag report has it.
    #[must_use]
    pub fn khz(&self, channel: u8) -> Option<u32> {
        match *self {
            Self::Fixed { .. } => channel_khz(channel),
            Self::User { step, first_khz, .. } => {
                Some(first_khz + u32::from(channel) * u32::from(step) * USER_STEP_UNIT_KHZ)
            }
        }
    }

    pub(super) fn parse(payload: &[u8]) -> Result<Self, MeaningError> {
        let mut fields = Fields(payload);
        let region = fields.u8("region")?;
        if region > Self::NUMBER_MAX {
            return Err(MeaningError::Value { field: "region", value: region.into() });
        }
        let parsed = if payload.len() == 3 {
            let (first, last) = (fields.u8("first channel")?, fields.u8("last channel")?);
            Self::Fixed { region, first, last }
        } else {
            let (step, count) = (fields.u8("channel step")?, fields.u8("channel count")?);
            Self::User { region, step, count, first_khz: fields.u24("first channel")? }
        };
        fields.end()?;
        Ok(parsed)
    }

    pub(super) fn put(&self, frame: FrameBuf) -> FrameBuf {
        match *self {
            Self::Fixed { region, first, last } => frame.put(&[region, first, last]),
            Self::User { region, step, count, first_khz } => {
                let [_, high, middle, low] = first_khz.to_be_bytes();
                frame.put(&[region, step, count, high, middle, low])
            }
        }
    }
}

/// How the byte of a signal strength is read. Its highest bit is never part of it: it says that the
/// antenna is one of ports 5 to 8 (V3.7; the vendor's Java kit masks it off).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RssiConvention {
    /// The byte less 129: `pyImpinj` and the vendor's C# demonstration.
    #[default]
    Less129,
    /// The table of the IND903 manual, as crate `invelion` has it: the byte less 130, but less 129
    /// above 89.
    Table,
}

impl RssiConvention {
    const TABLE_BREAK: u8 = 89;
    const STRENGTH: u8 = 0x7F;

    /// In dBm.
    #[must_use]
    pub fn dbm(self, raw: u8) -> i16 {
        let strength = raw & Self::STRENGTH;
        let offset = match self {
            Self::Table if strength <= Self::TABLE_BREAK => 130,
            Self::Less129 | Self::Table => 129,
        };
        i16::from(strength) - offset
    }

    /// The byte for a strength, as near as it can be said; at least 1.
    #[must_use]
    pub fn raw(self, dbm: i8) -> u8 {
        let nearest =
            (1..=Self::STRENGTH).min_by_key(|&raw| (self.dbm(raw) - i16::from(dbm)).unsigned_abs());
        nearest.unwrap_or(1)
    }
}
