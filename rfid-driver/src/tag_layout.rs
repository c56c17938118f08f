//! What an EPC says by its layout: who issued the tag and under which number.
//!
//! It looks at the EPC alone and looks nothing up. A layout is recognised by its fixed parts; what
//! matches none stays opaque, and recognising one proves nothing: an EPC can be written by anybody,
//! and a tag whose protocol control word declares another numbering system may look like any of
//! these by chance. Whether an account is good is not decided here.
//!
//! An EPC identifies a vehicle and with it a person. `Debug` says only which layout it is; the
//! fields and `Display` are for a program or a person that asked.
//!
//! Sources, by layout:
//!
//! * [`SixCToc`]: 6C Toll Operators Coalition, AVI Standard v3.1 revision 1 (11 May 2017), memory
//!   map of the UII and section 3.3 (printed number); agency codes: 6C Coalition Agency Codes,
//!   17 February 2021, and the code master of 10 April 2025.
//! * [`FasTag`]: IHMCL and NPCI, GIAI-96 with the company prefix 8907272; the split of the asset
//!   reference was checked against four tags in the field. An older layout of IHMCL shares the
//!   prefix and ends in a checksum instead of zeros; how the two are to be told apart is not public,
//!   so what does not end in zeros is a plain [`Giai96`].
//! * [`VietNamEtag`]: company prefixes of VETC and VDTC, from tags in the field. What follows the
//!   prefix is not public and stays a number; nor is the layout behind [`VietNamOlder`].
//! * [`Giai96`], [`Sgtin96`]: GS1 EPC Tag Data Standard 2.0, sections 14.6.5 and 14.6.1 with their
//!   partition tables.

use std::fmt;

use crate::Epc;
use crate::codec::Value;

mod bits;
mod gs1;
mod six_c_toc;

pub use gs1::{CompanyPrefix, Giai96, Sgtin96};
pub use six_c_toc::SixCToc;

/// What an EPC says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TagLayout {
    /// A toll tag of the 6C coalition: United States, Canada and others.
    SixCToc(SixCToc),
    /// A tag of India's brand `FASTag`.
    FasTag(FasTag),
    /// An eTag of Viet Nam with a GS1 number.
    VietNamEtag(VietNamEtag),
    /// A tag of Viet Nam from before that.
    VietNamOlder(VietNamOlder),
    /// Some other numbered asset.
    Giai96(Giai96),
    /// A numbered article of trade.
    Sgtin96(Sgtin96),
    /// Anything else.
    Opaque,
}

impl TagLayout {
    /// Reads `epc`.
    #[must_use]
    pub fn of(epc: &Epc) -> Self {
        let Ok(bytes) = <&[u8; 12]>::try_from(epc.as_bytes()) else { return Self::Opaque };
        if let [0x89, 0x30, 0x11, 0x00, 0x02, serial @ ..] = *bytes {
            return Self::VietNamOlder(VietNamOlder { serial });
        }
        match bytes[0] {
            SixCToc::DSFID => Self::SixCToc(SixCToc::parse(bytes)),
            Giai96::HEADER => Giai96::parse(bytes).map_or(Self::Opaque, Self::of_asset),
            Sgtin96::HEADER => Sgtin96::parse(bytes).map_or(Self::Opaque, Self::Sgtin96),
            _ => Self::Opaque,
        }
    }

    /// Sees who numbered the asset.
    fn of_asset(asset: Giai96) -> Self {
        let fastag = || FasTag::of_asset(&asset).map(Self::FasTag);
        let viet_nam = || VietNamEtag::of_asset(&asset).map(Self::VietNamEtag);
        fastag().or_else(viet_nam).unwrap_or(Self::Giai96(asset))
    }

    /// Its name for programs: lower case, without blanks.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::SixCToc(_) => "6c-toc",
            Self::FasTag(_) => "fastag",
            Self::VietNamEtag(_) => "viet-nam-etag",
            Self::VietNamOlder(_) => "viet-nam-older",
            Self::Giai96(_) => "giai-96",
            Self::Sgtin96(_) => "sgtin-96",
            Self::Opaque => "opaque",
        }
    }

    /// Its parts in the order of their bits, by name. For a person or a program that asked.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::SixCToc(tag) => tag.fields(),
            Self::FasTag(tag) => tag.fields(),
            Self::VietNamEtag(tag) => vec![
                ("operator", Value::Text(tag.operator.name().to_owned())),
                ("filter", number(tag.filter)),
                ("company_prefix", Value::Text(tag.operator.company_prefix().to_string())),
                ("asset_reference", Value::Code { code: tag.asset_reference, digits: 15 }),
            ],
            Self::VietNamOlder(tag) => vec![("serial", Value::Bytes(tag.serial.to_vec()))],
            Self::Giai96(asset) => asset.fields(),
            Self::Sgtin96(article) => article.fields(),
            Self::Opaque => Vec::new(),
        }
    }
}

/// For a person who asked; never for a log.
impl fmt::Display for TagLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SixCToc(tag) => write!(f, "6C TOC {tag}"),
            Self::FasTag(tag) => write!(f, "FASTag {tag}"),
            Self::VietNamEtag(tag) => write!(f, "{tag}"),
            Self::VietNamOlder(tag) => write!(f, "Viet Nam, older, {tag}"),
            Self::Giai96(asset) => write!(f, "{asset}"),
            Self::Sgtin96(article) => write!(f, "{article}"),
            Self::Opaque => f.write_str("unknown layout"),
        }
    }
}

impl fmt::Debug for TagLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TagLayout({})", self.name())
    }
}

/// A tag of India's brand `FASTag`: the asset reference of a GIAI-96 with the company prefix 8907272, split further.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FasTag {
    /// GS1's filter value, 0 in all tags seen.
    pub filter: u8,
    /// Which central clearing house the tag belongs to, 5 bits; 1 in all tags seen.
    pub clearing_house: u8,
    /// The bank that issued it, by its six-digit number (IIN), 20 bits.
    pub issuer: u32,
    /// Which of the issuer's keys signed the tag's memory.
    pub key_index: u8,
    /// The issuer's number for the tag, 20 bits.
    pub serial: u32,
}

impl FasTag {
    const COMPANY_PREFIX: CompanyPrefix = CompanyPrefix { value: 8_907_272, digits: 7 };

    /// `None` where the company is another or the reserved last five bits are not zero.
    fn of_asset(asset: &Giai96) -> Option<Self> {
        let mut bits = bits::Bits::of_number(asset.asset_reference, 58);
        let tag = Self {
            filter: asset.filter,
            clearing_house: bits.take(5),
            issuer: bits.take(20),
            key_index: bits.take(8),
            serial: bits.take(20),
        };
        let reserved: u8 = bits.take(5);
        (asset.company_prefix == Self::COMPANY_PREFIX && reserved == 0).then_some(tag)
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("filter", number(self.filter)),
            ("company_prefix", Value::Text(Self::COMPANY_PREFIX.to_string())),
            ("clearing_house", number(self.clearing_house)),
            ("issuer", Value::Text(format!("{:06}", self.issuer))),
            ("key_index", number(self.key_index)),
            ("serial", number(self.serial)),
        ]
    }
}

/// Issuer, key and number, for a person who asked.
impl fmt::Display for FasTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}-{:03}-{:07}", self.issuer, self.key_index, self.serial)
    }
}

/// An eTag of Viet Nam.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VietNamEtag {
    /// Who issued it.
    pub operator: VietNamOperator,
    /// GS1's filter value, 0 in all tags seen.
    pub filter: u8,
    /// The operator's number for it, 58 bits. Most read as decimal digits in hex, but not all.
    pub asset_reference: u64,
}

/// Who issues eTags in Viet Nam.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VietNamOperator {
    /// VETC, company prefix 8934114.
    Vetc,
    /// VDTC, brand ePass, company prefix 8934117.
    Vdtc,
}

impl VietNamOperator {
    const ALL: [Self; 2] = [Self::Vetc, Self::Vdtc];

    fn name(self) -> &'static str {
        match self {
            Self::Vetc => "VETC",
            Self::Vdtc => "VDTC",
        }
    }

    fn company_prefix(self) -> CompanyPrefix {
        let value = match self {
            Self::Vetc => 8_934_114,
            Self::Vdtc => 8_934_117,
        };
        CompanyPrefix { value, digits: 7 }
    }
}

impl VietNamEtag {
    fn of_asset(asset: &Giai96) -> Option<Self> {
        let is_issuer =
            |operator: &VietNamOperator| operator.company_prefix() == asset.company_prefix;
        let operator = VietNamOperator::ALL.into_iter().find(is_issuer)?;
        Some(Self { operator, filter: asset.filter, asset_reference: asset.asset_reference })
    }
}

/// Operator and number, for a person who asked.
impl fmt::Display for VietNamEtag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} eTag {:X}", self.operator.name(), self.asset_reference)
    }
}

/// A tag of Viet Nam with a number that is not GS1's: 89 30 11 00 02 and seven bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VietNamOlder {
    /// What follows the fixed part.
    pub serial: [u8; 7],
}

/// Its number, for a person who asked.
impl fmt::Display for VietNamOlder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serial.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// `Debug` names the layout and withholds the rest.
macro_rules! withhold {
    ($($layout:ty),+) => {$(
        impl fmt::Debug for $layout {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($layout), "(withheld)"))
            }
        }
    )+};
}

withhold!(SixCToc, FasTag, VietNamEtag, VietNamOlder, Giai96, Sgtin96);

fn number(value: impl Into<i64>) -> Value {
    Value::Number(value.into())
}

#[cfg(test)]
mod tests;
