//! Acknowledgement codes: what a partner answers, and we.

use std::fmt;

use crate::partner::layout::{Form, Layout};
use crate::partner::refusal::Fault;

/// What became of a file, as its receiver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// 00: taken.
    Taken,
    /// 01: another number of records than its header says.
    Count,
    /// 02: a record is wrong.
    Detail,
    /// 03: its times differ.
    Date,
    /// 04: the transaction file is not available.
    Unavailable,
    /// 05: processed before.
    Again,
    /// 06: a number is missing before it.
    Gap,
    /// 07: no such file, or not readable.
    File,
    /// 08: its header is wrong; IAG only.
    Header,
    /// 10 to 13: in NIOP's schema, and nothing public says what they mean.
    Unexplained(u8),
}

impl Code {
    /// The code of two digits; nothing for one that no format has.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "00" => Self::Taken,
            "01" => Self::Count,
            "02" => Self::Detail,
            "03" => Self::Date,
            "04" => Self::Unavailable,
            "05" => Self::Again,
            "06" => Self::Gap,
            "07" => Self::File,
            "08" => Self::Header,
            "10" => Self::Unexplained(10),
            "11" => Self::Unexplained(11),
            "12" => Self::Unexplained(12),
            "13" => Self::Unexplained(13),
            _ => return None,
        })
    }

    /// The code of a refusal, in the format of the refused file. NIOP has no code for a header.
    #[must_use]
    pub const fn of_fault(fault: Fault, layout: &'static Layout) -> Self {
        match (fault, &layout.form) {
            (Fault::Count, _) => Self::Count,
            (Fault::Detail, _) => Self::Detail,
            (Fault::Date, _) => Self::Date,
            (Fault::Header, Form::Fixed) => Self::Header,
            (Fault::Header, Form::Xml(_) | Form::Tuples) | (Fault::File, _) => Self::File,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = match self {
            Self::Taken => 0,
            Self::Count => 1,
            Self::Detail => 2,
            Self::Date => 3,
            Self::Unavailable => 4,
            Self::Again => 5,
            Self::Gap => 6,
            Self::File => 7,
            Self::Header => 8,
            Self::Unexplained(number) => *number,
        };
        write!(f, "{number:02}")
    }
}
