//! A tag's identity as the road knows it: the EPC bank's code, kept opaque.
//!
//! Layouts (which issuer, which serial) are known to some tags only; the whole identity is what
//! identifies, never a part of it. Personal data: `Debug` never shows it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// The most bytes an identity has.
const LEN_MAX: usize = 62;

/// Why bytes or text are not a tag identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The number of bytes is outside what Gen2 allows.
    #[error("a tag identity has 2 to 62 bytes, in pairs; this one has {len}")]
    Length {
        /// How many bytes were given.
        len: usize,
    },
    /// The text has a character that is not hexadecimal.
    #[error("a tag identity is written in hexadecimal digits")]
    NotHex,
}

/// The code in a tag's EPC bank: 2 to 62 bytes, a whole number of 16-bit words.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct TagId(Box<[u8]>);

impl TagId {
    /// Takes the bytes as read from the air.
    ///
    /// # Errors
    /// When the length is not 2 to 62 bytes in whole words (EPC Gen2 v2, §6.3.2.1.2.2: the PC
    /// word counts 16-bit words, at most 31).
    pub fn try_from_slice(bytes: &[u8]) -> Result<Self, TagError> {
        if !(2..=LEN_MAX).contains(&bytes.len()) || !bytes.len().is_multiple_of(2) {
            return Err(TagError::Length { len: bytes.len() });
        }
        Ok(Self(bytes.into()))
    }

    /// The bytes as read from the air.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The whole identity in upper-case hexadecimal. Personal data.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode_upper(&self.0)
    }

    /// The identity with all but its last four digits hidden, for screens and logs.
    #[must_use]
    pub fn masked(&self) -> String {
        let hex = self.to_hex();
        format!("…{}", &hex[hex.len() - 4..])
    }
}

impl fmt::Debug for TagId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TagId(…)")
    }
}

impl FromStr for TagId {
    type Err = TagError;
    fn from_str(text: &str) -> Result<Self, TagError> {
        let len = text.len() / 2;
        let mut bytes = [0; LEN_MAX];
        let bytes = bytes.get_mut(..len).ok_or(TagError::Length { len })?;
        hex::decode_to_slice(text, bytes).map_err(|error| match error {
            hex::FromHexError::OddLength | hex::FromHexError::InvalidStringLength => {
                TagError::Length { len }
            }
            hex::FromHexError::InvalidHexCharacter { .. } => TagError::NotHex,
        })?;
        Self::try_from_slice(bytes)
    }
}

impl TryFrom<String> for TagId {
    type Error = TagError;
    fn try_from(text: String) -> Result<Self, TagError> {
        text.parse()
    }
}

impl<'de> Deserialize<'de> for TagId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::read(deserializer)
    }
}

impl From<TagId> for String {
    fn from(tag: TagId) -> Self {
        tag.to_hex()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_never_shows_itself_in_debug_output() {
        let tag: TagId = "3416214B88C0011762000493".parse().unwrap();
        assert!(!format!("{tag:?}").contains("3416"));
        assert_eq!(tag.masked(), "…0493");
    }

    #[test]
    fn only_whole_words_of_two_to_sixty_two_bytes_are_tags() {
        assert_eq!("3416".parse::<TagId>().unwrap().as_bytes(), [0x34, 0x16]);
        for text in ["", "34", "341", "341621", "zz16", &"ab".repeat(64)] {
            assert!(text.parse::<TagId>().is_err(), "{text:?} was accepted");
        }
    }
}
