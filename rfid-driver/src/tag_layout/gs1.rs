//! GS1's layouts, as far as tolls use them.

use std::fmt;

use super::bits::Bits;
use super::number;
use crate::codec::Value;

/// A company's number at GS1. Zeros in front count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompanyPrefix {
    /// As a number.
    pub value: u64,
    /// Of how many decimal digits.
    pub digits: u8,
}

impl fmt::Display for CompanyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$}", self.value, width = usize::from(self.digits))
    }
}

/// A numbered asset: 34 | filter 3 | partition 3 | company prefix | asset reference.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Giai96 {
    /// GS1's filter value, 3 bits.
    pub filter: u8,
    /// The company that numbered the asset.
    pub company_prefix: CompanyPrefix,
    /// The company's number for it, 42 to 62 bits.
    pub asset_reference: u64,
}

impl Giai96 {
    /// The first byte.
    pub const HEADER: u8 = 0x34;

    /// `None` where the partition or the company prefix is none of the standard's.
    pub(super) fn parse(bytes: &[u8; 12]) -> Option<Self> {
        let (filter, company_prefix, mut bits, left) = company(bytes, 82)?;
        Some(Self { filter, company_prefix, asset_reference: bits.take(left) })
    }

    pub(super) fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("filter", number(self.filter)),
            ("company_prefix", Value::Text(self.company_prefix.to_string())),
            ("asset_reference", Value::Text(self.asset_reference.to_string())),
        ]
    }
}

/// Its pure identity, for a person who asked.
impl fmt::Display for Giai96 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "urn:epc:id:giai:{}.{}", self.company_prefix, self.asset_reference)
    }
}

/// A numbered article of trade: 30 | filter 3 | partition 3 | company prefix | item | serial 38.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sgtin96 {
    /// GS1's filter value, 3 bits.
    pub filter: u8,
    /// The company that numbered the article.
    pub company_prefix: CompanyPrefix,
    /// Indicator and item reference; with the company prefix it has 13 digits.
    pub item_reference: u32,
    /// The company's number for this piece, 38 bits.
    pub serial: u64,
}

impl Sgtin96 {
    /// The first byte.
    pub const HEADER: u8 = 0x30;
    /// Digits of company prefix and item reference together.
    const DIGITS: u8 = 13;

    /// `None` where a number is none of the standard's.
    pub(super) fn parse(bytes: &[u8; 12]) -> Option<Self> {
        let (filter, company_prefix, mut bits, left) = company(bytes, 44)?;
        let item_reference: u32 = bits.take(left);
        let digits = u32::from(Self::DIGITS - company_prefix.digits);
        (item_reference < 10_u32.pow(digits)).then(|| Self {
            filter,
            company_prefix,
            item_reference,
            serial: bits.take(38),
        })
    }

    pub(super) fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("filter", number(self.filter)),
            ("company_prefix", Value::Text(self.company_prefix.to_string())),
            ("item_reference", Value::Text(self.padded_item())),
            ("serial", Value::Text(self.serial.to_string())),
        ]
    }

    fn padded_item(&self) -> String {
        let width = usize::from(Self::DIGITS - self.company_prefix.digits);
        format!("{:0width$}", self.item_reference)
    }
}

/// Its pure identity, for a person who asked.
impl fmt::Display for Sgtin96 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let item = self.padded_item();
        write!(f, "urn:epc:id:sgtin:{}.{item}.{}", self.company_prefix, self.serial)
    }
}

/// Filter and company prefix, the bits behind them, and how many bits the company numbers with
/// where it shares `shared` bits with its prefix.
fn company(bytes: &[u8; 12], shared: u32) -> Option<(u8, CompanyPrefix, Bits, u32)> {
    let mut bits = Bits::of_epc(bytes);
    let _header: u8 = bits.take(8);
    let filter = bits.take(3);
    let (len, digits) = match bits.take::<u8>(3) {
        0 => (40, 12),
        1 => (37, 11),
        2 => (34, 10),
        3 => (30, 9),
        4 => (27, 8),
        5 => (24, 7),
        6 => (20, 6),
        _ => return None,
    };
    let value: u64 = bits.take(len);
    let prefix = CompanyPrefix { value, digits };
    (value < 10_u64.pow(u32::from(digits))).then_some((filter, prefix, bits, shared - len))
}
