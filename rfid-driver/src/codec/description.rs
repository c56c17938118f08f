//! A frame taken apart for a person or a program, field by field.
//!
//! It holds what was on the line, EPCs included, in clear: it is made only where somebody asked to
//! see a frame.

use std::error::Error;
use std::ops::Range;

use super::{Direction, FieldsError};
use crate::TagRead;

/// One frame, described.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// What kind of message it is, in a few lower-case words: "tag report", "set region".
    pub kind: String,
    /// Which way it goes.
    pub direction: Direction,
    /// Its parts in the order of their bytes, header and check included.
    pub fields: Vec<Field>,
    /// The tags that it reports.
    pub tags: Vec<TagRead>,
}

/// One part of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What it is, in `snake_case` with the unit last: "`rssi_dbm`". The same name may come again.
    pub name: &'static str,
    /// Where its bytes lie in the frame.
    pub bytes: Range<usize>,
    /// What it says.
    pub value: Value,
}

/// What a part of a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number, already in the unit of the name.
    Number(i64),
    /// A number that is better shown in hex, and of how many digits.
    Code {
        /// The number.
        code: u64,
        /// How many hex digits it is shown with.
        digits: u8,
    },
    /// Words.
    Text(String),
    /// Bytes as they are.
    Bytes(Vec<u8>),
}

/// Builds a [`Description`] from left to right.
#[derive(Debug)]
pub struct DescriptionBuilder<'a> {
    frame: &'a [u8],
    at: usize,
    description: Description,
}

impl<'a> DescriptionBuilder<'a> {
    /// Begins with the first byte of `frame`.
    #[must_use]
    pub fn new(frame: &'a [u8], direction: Direction, kind: impl Into<String>) -> Self {
        let description =
            Description { kind: kind.into(), direction, fields: Vec::new(), tags: Vec::new() };
        Self { frame, at: 0, description }
    }

    /// How many bytes have been described.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The bytes not described yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.frame[self.at..]
    }

    /// Describes the next `len` bytes.
    ///
    /// # Errors
    /// Fails where fewer are left.
    pub fn field(
        &mut self,
        len: usize,
        name: &'static str,
        value: impl FnOnce(&'a [u8]) -> Value,
    ) -> Result<&'a [u8], FieldsError> {
        let bytes = self.rest().get(..len).ok_or(FieldsError::Short { field: name })?;
        let value = value(bytes);
        self.description.fields.push(Field { name, bytes: self.at..self.at + len, value });
        self.at += len;
        Ok(bytes)
    }

    /// Describes the next `len` bytes as a big-endian number of at most seven bytes.
    ///
    /// # Errors
    /// Fails where fewer are left.
    pub fn number(&mut self, len: usize, name: &'static str) -> Result<i64, FieldsError> {
        let bytes = self.field(len, name, |bytes| Value::Number(big_endian(bytes)))?;
        Ok(big_endian(bytes))
    }

    /// Describes the next `len` bytes as a code that is shown in hex.
    ///
    /// # Errors
    /// Fails where fewer are left.
    pub fn code(&mut self, len: usize, name: &'static str) -> Result<i64, FieldsError> {
        let bytes = self.field(len, name, |bytes| Value::Code {
            code: big_endian(bytes).unsigned_abs(),
            digits: u8::try_from(2 * bytes.len()).unwrap_or(u8::MAX),
        })?;
        Ok(big_endian(bytes))
    }

    /// Describes the next `len` bytes as they are.
    ///
    /// # Errors
    /// Fails where fewer are left.
    pub fn bytes(&mut self, len: usize, name: &'static str) -> Result<&'a [u8], FieldsError> {
        self.field(len, name, |bytes| Value::Bytes(bytes.to_vec()))
    }

    /// Adds a tag that the frame reports.
    pub fn tag(&mut self, tag: TagRead) {
        self.description.tags.push(tag);
    }

    /// The description. What has not been described is added as `data`.
    #[must_use]
    pub fn finish(mut self) -> Description {
        let rest = self.rest();
        if !rest.is_empty() {
            let bytes = self.at..self.frame.len();
            let value = Value::Bytes(rest.to_vec());
            self.description.fields.push(Field { name: "data", bytes, value });
        }
        self.description
    }
}

fn big_endian(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0, |number, byte| number << 8 | i64::from(*byte))
}

/// Why bytes cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// They are not one intact frame of the protocol.
    #[error("not an intact frame")]
    Frame(#[source] Box<dyn Error + Send + Sync>),
    /// They are, but what it says makes no sense.
    #[error("an intact frame without a meaning")]
    Meaning(#[source] Box<dyn Error + Send + Sync>),
}
