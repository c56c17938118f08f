//! A Mercury frame, field by field.
//!
//! What an operation's arguments mean is decided by the codec; here they are walked through from left
//! to right and given names. Where the codec does not understand a form, its bytes are shown as they
//! are.

use std::time::Instant;

use super::codec::{Frame, MeaningError, Status, opcode};
use crate::TagRead;
use crate::codec::{Description, DescriptionBuilder, Direction, FieldsError, Undecodable, Value};

mod command;
mod record;
mod reply;

pub(super) fn describe(
    bytes: &[u8],
    direction: Direction,
    at: Instant,
) -> Result<Description, Undecodable> {
    let frame = Frame::new_checked(bytes, direction)
        .map_err(|error| Undecodable::Frame(Box::new(error)))?;
    parts(frame, at).map_err(|error| Undecodable::Meaning(Box::new(error)))
}

fn parts(frame: Frame<'_>, at: Instant) -> Result<Description, MeaningError> {
    let kind = match frame.direction() {
        Direction::FromHost => command::kind(frame)?,
        Direction::FromReader => reply::kind(frame)?,
    };
    let mut parts = Parts::new(frame, kind, at)?;
    match frame.status() {
        None => command::fields(&mut parts, frame)?,
        Some(status) => reply::fields(&mut parts, frame, status)?,
    }
    parts.finish()
}

/// A frame that is being described, from its header to its check.
struct Parts<'a> {
    builder: DescriptionBuilder<'a>,
    // Where the data end and the check begins.
    data_end: usize,
    at: Instant,
}

impl<'a> Parts<'a> {
    fn new(frame: Frame<'a>, kind: &'static str, at: Instant) -> Result<Self, MeaningError> {
        let bytes = frame.as_bytes();
        let builder = DescriptionBuilder::new(bytes, frame.direction(), kind);
        let mut parts = Self { builder, data_end: bytes.len() - 2, at };
        parts.builder.code(1, "start")?;
        parts.builder.number(1, "data_len")?;
        let name = match frame.direction() {
            Direction::FromHost => opcode::request_name(frame.opcode()),
            Direction::FromReader => opcode::answer_name(frame.opcode()),
        };
        parts.named(1, "opcode", |_| name)?;
        if let Some(status) = frame.status() {
            parts.status(status, "status")?;
        }
        Ok(parts)
    }

    fn finish(mut self) -> Result<Description, MeaningError> {
        self.rest("data")?;
        self.builder.code(2, "check")?;
        Ok(self.builder.finish())
    }

    /// The data not described yet.
    fn data(&self) -> &'a [u8] {
        let rest = self.builder.rest();
        &rest[..self.data_end.saturating_sub(self.builder.position()).min(rest.len())]
    }

    fn is_at_end(&self) -> bool {
        self.data().is_empty()
    }

    fn number(&mut self, len: usize, name: &'static str) -> Result<(), FieldsError> {
        self.room(len, name)?;
        self.builder.number(len, name).map(|_| ())
    }

    fn code(&mut self, len: usize, name: &'static str) -> Result<(), FieldsError> {
        self.room(len, name)?;
        self.builder.code(len, name).map(|_| ())
    }

    fn bytes(&mut self, len: usize, name: &'static str) -> Result<(), FieldsError> {
        self.room(len, name)?;
        self.builder.bytes(len, name).map(|_| ())
    }

    /// A number of one byte with a sign.
    fn signed(&mut self, name: &'static str) -> Result<(), FieldsError> {
        self.room(1, name)?;
        let value = |bytes: &[u8]| Value::Number(i64::from(i8::from_be_bytes([bytes[0]])));
        self.builder.field(1, name, value).map(|_| ())
    }

    /// A code that has a name: "05 gen2". An unknown one is shown alone.
    fn named(
        &mut self,
        len: usize,
        name: &'static str,
        names: impl Fn(u64) -> Option<&'static str>,
    ) -> Result<(), FieldsError> {
        self.room(len, name)?;
        let digits = 2 * len;
        let value = |bytes: &[u8]| {
            let code = bytes.iter().fold(0, |code, byte| code << 8 | u64::from(*byte));
            match names(code) {
                Some(name) => Value::Text(format!("{code:0digits$x} {name}")),
                None => Value::Code { code, digits: u8::try_from(digits).unwrap_or(u8::MAX) },
            }
        };
        self.builder.field(len, name, value).map(|_| ())
    }

    fn status(&mut self, status: Status, name: &'static str) -> Result<(), FieldsError> {
        self.named(2, name, |_| status.name())
    }

    /// Text, as far as it is printable.
    fn text(&mut self, len: usize, name: &'static str) -> Result<(), FieldsError> {
        self.room(len, name)?;
        let value = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) if text.chars().all(|letter| !letter.is_control()) => {
                Value::Text(text.to_owned())
            }
            Ok(_) | Err(_) => Value::Bytes(bytes.to_vec()),
        };
        self.builder.field(len, name, value).map(|_| ())
    }

    /// All data not described yet, if any.
    fn rest(&mut self, name: &'static str) -> Result<(), FieldsError> {
        match self.data().len() {
            0 => Ok(()),
            len => self.bytes(len, name),
        }
    }

    fn tag(&mut self, read: Option<TagRead>) {
        if let Some(read) = read {
            self.builder.tag(read);
        }
    }

    /// The data must not run into the check.
    fn room(&self, len: usize, field: &'static str) -> Result<(), FieldsError> {
        let fits = self.builder.position() + len <= self.data_end;
        fits.then_some(()).ok_or(FieldsError::Short { field })
    }
}

/// The vendor's name of a tag protocol.
fn protocol_name(protocol: u64) -> Option<&'static str> {
    Some(match protocol {
        0x00 => "none",
        0x03 => "iso 18000-6b",
        0x05 => "gen2",
        0x06 => "iso 18000-6b ucode",
        0x07 => "ipx 64 kHz",
        0x08 => "ipx 256 kHz",
        0x1D => "ata",
        _ => return None,
    })
}

/// The vendor's name of a radio region.
fn region_name(region: u64) -> Option<&'static str> {
    Some(match region {
        0x00 => "none",
        0x01 => "north america",
        0x02 => "europe",
        0x03 => "korea",
        0x04 => "india",
        0x05 => "japan",
        0x06 => "china",
        0x07 => "europe 2",
        0x08 => "europe 3",
        0x09 => "korea 2",
        0x0A => "china 840 MHz",
        0x0B => "australia",
        0x0C => "new zealand",
        0x0D => "north america, reduced",
        0x0E => "north america 2",
        0x0F => "north america 3",
        0x10 => "israel",
        0x11 => "malaysia",
        0x12 => "indonesia",
        0x13 => "philippines",
        0x14 => "taiwan",
        0x15 => "macau",
        0x16 => "russia",
        0x17 => "singapore",
        0x18 => "japan 2",
        0x19 => "japan 3",
        0x1A => "vietnam",
        0x1B => "thailand",
        0x1C => "argentina",
        0x1D => "hong kong",
        0x1E => "bangladesh",
        0xFE => "open, extended",
        0xFF => "open",
        _ => return None,
    })
}

/// The vendor's name of a configuration key.
fn config_key_name(key: u64) -> Option<&'static str> {
    Some(match key {
        0x00 => "unique by antenna",
        0x01 => "transmit power save",
        0x03 => "antenna switch by output pins",
        0x04 => "antenna safety check",
        0x05 => "temperature safety check",
        0x06 => "record highest rssi",
        0x08 => "unique by data",
        0x09 => "rssi in dBm",
        0x0A => "self jammer cancellation",
        0x0B => "unique by protocol",
        0x0C => "read filter",
        0x0D => "read filter timeout",
        0x0E => "transport",
        0x12 => "product group",
        0x13 => "product",
        0x1B => "send crc",
        0x1E => "read triggered by input pin",
        _ => return None,
    })
}

/// The vendor's name of a parameter of the Gen2 protocol.
fn gen2_parameter_name(key: u64) -> Option<&'static str> {
    Some(match key {
        0x00 => "session",
        0x01 => "target",
        0x02 => "tag encoding",
        0x10 => "link frequency",
        0x11 => "tari",
        0x12 => "q",
        0x13 => "bap",
        _ => return None,
    })
}

fn power_mode_name(mode: u64) -> Option<&'static str> {
    Some(match mode {
        0x00 => "full",
        0x01 => "minimal saving",
        0x02 => "medium saving",
        0x03 => "maximal saving",
        0x04 => "sleep",
        _ => return None,
    })
}

fn program_name(program: u64) -> Option<&'static str> {
    Some(match program & 0x03 {
        0x01 => "boot loader",
        0x02 => "application",
        _ => return None,
    })
}

fn bank_name(bank: u64) -> Option<&'static str> {
    Some(match bank {
        0x00 => "reserved",
        0x01 => "epc",
        0x02 => "tid",
        0x03 => "user",
        _ => return None,
    })
}

fn yes_no(value: u64) -> Option<&'static str> {
    Some(match value {
        0x00 => "no",
        0x01 => "yes",
        _ => return None,
    })
}

fn level_name(level: u64) -> Option<&'static str> {
    Some(match level {
        0x00 => "low",
        0x01 => "high",
        _ => return None,
    })
}

fn direction_name(direction: u64) -> Option<&'static str> {
    Some(match direction {
        0x00 => "input",
        0x01 => "output",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
