//! The 6C coalition's layout of a toll tag.
//!
//! ```text
//!   bit 0        8          21          33   36       40      52             80        96
//!       ├ DSFID ─┼ agency's ┼ class ────┼ HOV ┼ version ┼ agency ┼ serial ──────┼ hash ────┤
//!       │ 3E     │ own use  │ 1+5+4+1+1 │     │         │        │              │          │
//! ```

use std::fmt;

use super::bits::Bits;
use super::number;
use crate::codec::Value;

/// A toll tag of the 6C coalition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SixCToc {
    /// Whatever the agency wants, 13 bits.
    pub agency_use: u16,
    /// Whether the class below has been assigned.
    pub class_assigned: bool,
    /// The kind of vehicle by E-ZPass's list, 5 bits: 0 undefined, 1 automobile, 8 truck.
    pub vehicle_type: u8,
    /// How many axles, 4 bits; fewer than 2 is undefined.
    pub axles: u8,
    /// Whether it weighs more than 7000 lb.
    pub over_7000_lb: bool,
    /// Whether its rear tyres are dual.
    pub dual_rear_tires: bool,
    /// Who is aboard, as declared, 3 bits: 0 a tag without a switch, 1 one person, 2 two or more,
    /// 3 three or more, 4 as the road defines a carpool.
    pub hov_declaration: u8,
    /// Of this layout, 4 bits.
    pub version: u8,
    /// Who issued the tag, 12 bits.
    pub agency: u16,
    /// The agency's number for it, 28 bits.
    pub serial: u32,
    /// A hash over the above with the agency's key and the chip's TID. Nobody without the key can
    /// check it.
    pub hash: u16,
}

impl SixCToc {
    /// The data storage format identifier that ISO gave the coalition.
    pub const DSFID: u8 = 0x3E;

    pub(super) fn parse(bytes: &[u8; 12]) -> Self {
        let mut bits = Bits::of_epc(bytes);
        let _dsfid: u8 = bits.take(8);
        let flag = |bits: &mut Bits| bits.take::<u8>(1) == 1;
        Self {
            agency_use: bits.take(13),
            class_assigned: flag(&mut bits),
            vehicle_type: bits.take(5),
            axles: bits.take(4),
            over_7000_lb: flag(&mut bits),
            dual_rear_tires: flag(&mut bits),
            hov_declaration: bits.take(3),
            version: bits.take(4),
            agency: bits.take(12),
            serial: bits.take(28),
            hash: bits.take(16),
        }
    }

    /// The last digit of the printed number.
    ///
    /// Luhn's sum over the last two digits of the agency and the ten of the serial number, but every
    /// second digit is doubled counted from the *left*, where Luhn counts from the right.
    #[must_use]
    pub fn check_digit(&self) -> u8 {
        let digits = format!("{:02}{:010}", self.agency % 100, self.serial);
        let sum: u8 = digits
            .bytes()
            .map(|digit| digit - b'0')
            .enumerate()
            .map(|(from_left, digit)| match from_left % 2 {
                0 => digit,
                _ => 2 * digit / 10 + 2 * digit % 10,
            })
            .sum();
        (10 - sum % 10) % 10
    }

    /// The short name of the agency, where the coalition's list has it.
    #[must_use]
    pub fn agency_name(&self) -> Option<&'static str> {
        let named = match self.agency {
            17 => "SC",
            33 => "NCTA",
            35 | 64 | 65 => "FTE",
            41 | 53 | 69 => "NTTA",
            55 => "OTA",
            61 => "HDBC",
            77 | 78 => "WSDOT",
            99 => "CFX",
            101 => "BATA",
            102 => "Cobequid Pass",
            103 => "TCA",
            104 => "Caltrans",
            105 => "GGBHTD",
            106 => "LACMTA",
            107 => "SR 91",
            108 => "RCTC",
            109 => "SANDAG",
            110 => "VTA",
            111 => "SBX",
            115 => "A25",
            116 => "Port of Hood River",
            121 => "CCRMA",
            124 => "MBA",
            194 => "E-470",
            321 => "SRTA",
            448 => "PRHTA",
            449 => "LSIORB",
            450 => "LADOTD",
            451 => "GNOEC",
            1409 => "UDOT",
            2305 => "TI Corp",
            2306 => "Merseyflow",
            4000 => "ATL",
            4080..=4095 => "test",
            _ => return None,
        };
        Some(named)
    }

    pub(super) fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = vec![
            ("dsfid", Value::Code { code: u64::from(Self::DSFID), digits: 2 }),
            ("agency_use", Value::Code { code: u64::from(self.agency_use), digits: 4 }),
            ("class_assigned", number(self.class_assigned)),
            ("vehicle_type", number(self.vehicle_type)),
            ("axles", number(self.axles)),
            ("over_7000_lb", number(self.over_7000_lb)),
            ("dual_rear_tires", number(self.dual_rear_tires)),
            ("hov_declaration", number(self.hov_declaration)),
            ("version", number(self.version)),
            ("agency", number(self.agency)),
            ("serial", number(self.serial)),
            ("hash", Value::Code { code: u64::from(self.hash), digits: 4 }),
            ("printed", Value::Text(self.to_string())),
        ];
        let name = self.agency_name().map(|name| ("agency_name", Value::Text(name.to_owned())));
        fields.extend(name);
        fields
    }
}

/// The number as it is printed on the tag: agency, serial number, check digit.
impl fmt::Display for SixCToc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:010} {}", self.agency, self.serial, self.check_digit())
    }
}
