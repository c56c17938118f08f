//! What several commands and answers have in common.

use std::fmt;

use super::frame::Builder;
use crate::codec::{Fields, FieldsError, Opaque};

/// A tag's password. `Debug` never shows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Password(pub u32);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(withheld)")
    }
}

/// Which tags take part: those whose memory holds the mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Select<'a> {
    /// Target (3 bits), action (3 bits) and memory bank (2 bits) of the Gen2 command.
    pub parameters: u8,
    /// Where the mask begins, in bits.
    pub pointer_bits: u32,
    /// How long the mask is, in bits.
    pub mask_bits: u8,
    /// 80 where the tag shall cut its answer short.
    pub truncate: u8,
    /// The mask.
    pub mask: Opaque<'a>,
}

impl<'a> Select<'a> {
    pub(super) fn parse(parameters: &'a [u8]) -> Result<Self, FieldsError> {
        let mut fields = Fields(parameters);
        Ok(Self {
            parameters: fields.u8("select parameters")?,
            pointer_bits: fields.u32("pointer")?,
            mask_bits: fields.u8("mask bits")?,
            truncate: fields.u8("truncate")?,
            mask: Opaque(fields.0),
        })
    }

    pub(super) fn emit(&self, frame: Builder) -> Builder {
        frame
            .put(&[self.parameters])
            .put(&self.pointer_bits.to_be_bytes())
            .put(&[self.mask_bits, self.truncate])
            .put(self.mask.0)
    }

    /// Whether the mask is as long as it is said to be.
    pub(super) fn agrees(&self) -> bool {
        self.mask.0.len() == usize::from(self.mask_bits).div_ceil(8)
    }
}

/// Which part of a tag's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Opens the tag; zero for one that is open.
    pub password: Password,
    /// 0 reserved, 1 EPC, 2 TID, 3 user.
    pub bank: u8,
    /// The first word.
    pub address: u16,
    /// How many words.
    pub words: u16,
}

impl Access {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Result<Self, FieldsError> {
        Ok(Self {
            password: password(fields)?,
            bank: fields.u8("bank")?,
            address: fields.u16("address")?,
            words: fields.u16("words")?,
        })
    }

    pub(super) fn emit(&self, frame: Builder) -> Builder {
        put_password(frame, self.password)
            .put(&[self.bank])
            .put(&self.address.to_be_bytes())
            .put(&self.words.to_be_bytes())
    }
}

/// How the receiver tells a tag's answer from noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demodulator {
    /// 0 to 6 for 0, 3, 6, 9, 12, 15, 16 dB.
    pub mixer_gain: u8,
    /// 0 to 7 for 12, 18, 21, 24, 27, 30, 36, 40 dB.
    pub if_gain: u8,
    /// The lower, the weaker the tags that are heard; 01B0 is the least that the manual advises.
    pub threshold: u16,
}

impl Demodulator {
    pub(super) fn parse(parameters: &[u8]) -> Result<Self, FieldsError> {
        let mut fields = Fields(parameters);
        let demodulator = Self {
            mixer_gain: fields.u8("mixer gain")?,
            if_gain: fields.u8("if gain")?,
            threshold: fields.u16("threshold")?,
        };
        fields.end()?;
        Ok(demodulator)
    }

    pub(super) fn emit(self, frame: Builder) -> Builder {
        frame.put(&[self.mixer_gain, self.if_gain]).put(&self.threshold.to_be_bytes())
    }
}

/// What is done to a pin, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinOperation {
    /// 0 sets the direction, 1 the level, 2 reads the level.
    pub operation: u8,
    /// 1 to 4.
    pub pin: u8,
    /// Told: 1 for output or high. Answered: 1 for success, or for high.
    pub value: u8,
}

impl PinOperation {
    /// The operation that sets the direction.
    pub const DIRECTION: u8 = 0;
    /// The operation that sets the level.
    pub const SET: u8 = 1;
    /// The operation that reads the level.
    pub const READ: u8 = 2;
}

pub(super) fn password(fields: &mut Fields<'_>) -> Result<Password, FieldsError> {
    fields.u32("password").map(Password)
}

pub(super) fn put_password(frame: Builder, password: Password) -> Builder {
    frame.put(&password.0.to_be_bytes())
}
