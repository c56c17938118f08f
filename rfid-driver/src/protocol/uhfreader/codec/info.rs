//! What a reader says about itself (operation 21), and its frequency bands.

use std::fmt;

use super::MeaningError;
use super::tags::Dialect;
use crate::codec::{Fields, Opaque};

/// The answer to operation 21. The older dialect ends after the scan time; the newer goes on with
/// antennas, buzzer, output and antenna check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderInfo<'a> {
    /// Version and sub-version of the firmware.
    pub firmware: [u8; 2],
    /// The type of reader: 09 is a `UHFReader18`, 0C a 288M, 20 a 288MP, …
    pub reader_type: u8,
    /// Bit 0: ISO 18000-6B, bit 1: ISO 18000-6C.
    pub protocols: u8,
    /// The band in the top two bits (its high half), the last channel in the others.
    pub frequency_max: u8,
    /// The band in the top two bits (its low half), the first channel in the others.
    pub frequency_min: u8,
    /// In dBm; 0 or FF where the antennas differ.
    pub power_dbm: u8,
    /// In tenths of a second.
    pub scan_time: Option<u8>,
    /// What the newer dialect adds: antennas (bit 0 is port 1), buzzer, output, antenna check.
    pub more: Opaque<'a>,
}

impl<'a> ReaderInfo<'a> {
    /// The fewest bytes of `more` that only the newer dialect sends.
    const MORE_LEN_MIN: usize = 1;

    pub(super) fn parse(data: &'a [u8]) -> Result<Self, MeaningError> {
        let mut fields = Fields(data);
        Ok(Self {
            firmware: fields.array("firmware")?,
            reader_type: fields.u8("reader type")?,
            protocols: fields.u8("protocols")?,
            frequency_max: fields.u8("frequency max")?,
            frequency_min: fields.u8("frequency min")?,
            power_dbm: fields.u8("power")?,
            scan_time: fields.u8("scan time").ok(),
            more: Opaque(fields.0),
        })
    }

    pub(super) fn data(&self) -> ([u8; 8], usize) {
        let [version, sub_version] = self.firmware;
        let bytes = [
            version,
            sub_version,
            self.reader_type,
            self.protocols,
            self.frequency_max,
            self.frequency_min,
            self.power_dbm,
            self.scan_time.unwrap_or(0),
        ];
        (bytes, if self.scan_time.is_some() { 8 } else { 7 })
    }

    /// The dialect, which only the length tells.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        if self.more.0.len() < Self::MORE_LEN_MIN { Dialect::Old18 } else { Dialect::New288 }
    }

    /// Which antennas it uses, bit 0 for port 1; only in the newer dialect.
    #[must_use]
    pub fn antennas(&self) -> Option<u8> {
        self.more.0.first().copied()
    }

    /// Whether it checks that an antenna is there; only in the newer dialect.
    #[must_use]
    pub fn antenna_check(&self) -> Option<u8> {
        self.more.0.get(3).copied()
    }

    /// The band that it is set to.
    #[must_use]
    pub fn band(&self) -> u8 {
        (self.frequency_max >> 6) << 2 | self.frequency_min >> 6
    }
}

/// In words: "type 20, firmware 5.2".
impl fmt::Display for ReaderInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [version, sub_version] = self.firmware;
        write!(f, "type {:02x}, firmware {version}.{sub_version}", self.reader_type)
    }
}

/// A frequency band by the vendor's number (288 manual V1.14, 8.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// The vendor's number.
    pub number: u8,
    /// Where, for people.
    pub name: &'static str,
    /// The carrier of channel 0.
    pub first_khz: u32,
    /// From one channel to the next.
    pub step_khz: u32,
    /// The last channel.
    pub channel_max: u8,
}

impl Band {
    /// Those that the manuals have.
    pub const ALL: [Self; 11] = [
        Self::new(0, "user", 902_600, 400, 62),
        Self::new(1, "China 2", 920_125, 250, 19),
        Self::new(2, "US", 902_750, 500, 49),
        Self::new(3, "Korea", 917_100, 200, 31),
        Self::new(4, "EU", 865_100, 200, 14),
        Self::new(6, "Ukraine", 868_000, 100, 6),
        Self::new(7, "Peru", 916_200, 900, 11),
        Self::new(8, "China 1", 840_125, 250, 19),
        Self::new(9, "EU 3", 865_700, 600, 3),
        Self::new(10, "Taiwan", 922_250, 500, 11),
        Self::new(12, "US 3", 902_000, 500, 52),
    ];

    const fn new(
        number: u8,
        name: &'static str,
        first_khz: u32,
        step_khz: u32,
        channel_max: u8,
    ) -> Self {
        Self { number, name, first_khz, step_khz, channel_max }
    }

    /// The band of this number; `None` where no manual has it.
    #[must_use]
    pub fn by_number(number: u8) -> Option<&'static Self> {
        Self::ALL.iter().find(|band| band.number == number)
    }

    /// The bytes of operation 22 that use all of the band.
    #[must_use]
    pub fn whole(&self) -> [u8; 2] {
        [(self.number >> 2) << 6 | self.channel_max, self.number << 6]
    }

    /// The carrier of a channel.
    #[must_use]
    pub fn frequency_khz(&self, channel: u8) -> u32 {
        self.first_khz + self.step_khz * u32::from(channel)
    }
}
