//! What a module counts about itself: in the answer to operation 6C, and between the tags of a
//! continuous read that asks for it.
//!
//! ```text
//! 6C       option | flags | entries of (flag | length | value)
//! 22, 02   entries alone
//! ```
//!
//! Flags have one byte below 80, else two of seven bits each. Sources: `serial_reader_l3.c`
//! (`TMR_fillReaderStats`), `tm_reader.h` (`TMR_Reader_StatsFlag`).

use crate::codec::{Fields, FieldsError, Opaque};

/// The answer to operation 6C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics<'a> {
    /// All of it, as it is on the line.
    pub data: Opaque<'a>,
}

/// One figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// How long the radio has been on at a port.
    RadioOnTime {
        /// The port.
        port: u8,
        /// In milliseconds.
        on_time_ms: u32,
    },
    /// How much noise a pair of ports hears while it transmits.
    NoiseFloor {
        /// The transmitting port.
        transmit: u8,
        /// The receiving port.
        receive: u8,
        /// In dBm.
        noise_dbm: i8,
    },
    /// The carrier that is used now.
    Frequency {
        /// In kHz.
        frequency_khz: u32,
    },
    /// How warm the module is.
    Temperature {
        /// In degrees Celsius.
        celsius: i8,
    },
    /// The pair of ports that is used now.
    Antenna {
        /// The transmitting port.
        transmit: u8,
        /// The receiving port.
        receive: u8,
    },
    /// The tag protocol that is used now.
    Protocol {
        /// The vendor's number.
        protocol: u8,
    },
    /// Whether there is an antenna on a port.
    Connected {
        /// The port.
        port: u8,
        /// 01 for yes.
        connected: u8,
    },
}

impl<'a> Statistics<'a> {
    /// Reads the data of an answer; `None` where its entries do not add up.
    #[must_use]
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(data);
        fields.u8("option").ok()?;
        take_flag(&mut fields).ok()?;
        while !fields.0.is_empty() {
            Entry::take(&mut fields).ok()?;
        }
        Some(Self { data: Opaque(data) })
    }

    /// The figures that are known, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Statistic> + use<'a> {
        let mut fields = Fields(self.data.0);
        let head = fields.u8("option").and_then(|_| take_flag(&mut fields));
        let rest = if head.is_ok() { fields } else { Fields(&[]) };
        figures(rest)
    }
}

/// One entry of the list.
#[derive(Clone, Copy)]
pub(in super::super) struct Entry<'a> {
    pub(in super::super) flag: u16,
    /// Bytes of the flag.
    pub(in super::super) flag_len: usize,
    pub(in super::super) value: &'a [u8],
}

impl<'a> Entry<'a> {
    pub(in super::super) fn take(fields: &mut Fields<'a>) -> Result<Self, FieldsError> {
        let before = fields.0.len();
        let flag = take_flag(fields)?;
        let flag_len = before - fields.0.len();
        let len = fields.u8("length")?;
        let value = fields.bytes(usize::from(len), "value")?;
        Ok(Self { flag, flag_len, value })
    }

    /// How many bytes one figure has; `None` for an unknown kind of entry.
    pub(in super::super) fn figure_len(&self) -> Option<usize> {
        match self.flag {
            0x0001 => Some(5),
            0x0040 | 0x0080 => Some(3),
            0x0100 | 0x0400 => Some(1),
            0x0200 | 0x0800 => Some(2),
            _ => None,
        }
    }

    fn figures(self) -> impl Iterator<Item = Statistic> + use<'a> {
        let len = self.figure_len().unwrap_or(usize::MAX);
        self.value.chunks(len).filter_map(move |figure| {
            Some(match (self.flag, figure) {
                (0x0001, &[port, a, b, c, d]) => {
                    Statistic::RadioOnTime { port, on_time_ms: u32::from_be_bytes([a, b, c, d]) }
                }
                (0x0040, &[transmit, receive, noise]) => Statistic::NoiseFloor {
                    transmit,
                    receive,
                    noise_dbm: i8::from_be_bytes([noise]),
                },
                (0x0080, &[a, b, c]) => {
                    Statistic::Frequency { frequency_khz: u32::from_be_bytes([0, a, b, c]) }
                }
                (0x0100, &[celsius]) => {
                    Statistic::Temperature { celsius: i8::from_be_bytes([celsius]) }
                }
                (0x0200, &[transmit, receive]) => Statistic::Antenna { transmit, receive },
                (0x0400, &[protocol]) => Statistic::Protocol { protocol },
                (0x0800, &[port, connected]) => Statistic::Connected { port, connected },
                _ => return None,
            })
        })
    }
}

fn figures<'a>(mut fields: Fields<'a>) -> impl Iterator<Item = Statistic> + use<'a> {
    std::iter::from_fn(move || Entry::take(&mut fields).ok()).flat_map(Entry::figures)
}

/// Takes a flag of one byte, or of two with seven bits each.
pub(in super::super) fn take_flag(fields: &mut Fields<'_>) -> Result<u16, FieldsError> {
    match fields.u8("flag")? {
        low @ ..0x80 => Ok(u16::from(low)),
        high => Ok(u16::from(high & 0x7F) << 7 | u16::from(fields.u8("flag")? & 0x7F)),
    }
}
