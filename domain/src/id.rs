//! Who and where: operators, issuers, stations, lanes, accounts, and the identity of a passage.
//!
//! An id that appears in a subject of the broker is a *token*: lower-case letters, digits and
//! hyphens, 1 to 32 of them. That keeps every subject parseable and every file name safe.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest token, in bytes.
const TOKEN_LEN_MAX: usize = 32;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty, too long, or has a character that a token may not have.
    #[error("{kind} {text:?} is not 1 to 32 characters of a-z, 0-9 and '-'")]
    Token {
        /// Which id was asked for.
        kind: &'static str,
        /// The text that was given.
        text: String,
    },
    /// A lane path has another number of parts than operator/station/lane.
    #[error("lane {text:?} is not operator/station/lane")]
    Lane {
        /// The text that was given.
        text: String,
    },
    /// A passage id is not `operator/station/lane:epoch:sequence`.
    #[error("passage {text:?} is not operator/station/lane:epoch:sequence, counted from 1")]
    Passage {
        /// The text that was given.
        text: String,
    },
}

/// A checked token, where it stands: passages are handled by the ten thousand a second, and each
/// has the names of its operator, station and lane.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Token {
    /// The characters, and zeros, which come before every character: so tokens sort as text.
    bytes: [u8; TOKEN_LEN_MAX],
    len: u8,
}

impl Token {
    fn try_new(kind: &'static str, text: &str) -> Result<Self, IdError> {
        let good = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let mut bytes = [0; TOKEN_LEN_MAX];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(len)) if good && len > 0 => {
                place.copy_from_slice(text.as_bytes());
                Ok(Self { bytes, len })
            }
            _ => Err(IdError::Token { kind, text: text.chars().take(64).collect() }),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.as_bytes());
        state.write_u8(self.len);
    }
}

macro_rules! token_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Token);

        impl $name {
            /// Parses a token.
            ///
            /// # Errors
            /// When the text is not 1 to 32 characters of `a-z`, `0-9` and `-`.
            pub fn try_new(text: &str) -> Result<Self, IdError> {
                Token::try_new($kind, text).map(Self)
            }

            /// The token as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::try_new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::try_new(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::text::read(deserializer)
            }
        }
    };
}

token_id!(
    /// A road operator: runs stations and is owed tolls.
    OperatorId,
    "operator"
);
token_id!(
    /// An issuer: holds customers' accounts and owes tolls.
    IssuerId,
    "issuer"
);
token_id!(
    /// A toll station of an operator.
    StationId,
    "station"
);

/// A customer's traffic account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(i64);

impl AccountId {
    /// Wraps the number the clearing house gave the account.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The account's number.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A lane: operator, station, and the lane's token within the station.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId {
    operator: OperatorId,
    station: StationId,
    lane: Token,
}

impl LaneId {
    /// Builds a lane id from its parts.
    ///
    /// # Errors
    /// When `lane` is not a token.
    pub fn try_new(operator: OperatorId, station: StationId, lane: &str) -> Result<Self, IdError> {
        Ok(Self { operator, station, lane: Token::try_new("lane", lane)? })
    }

    /// The operator that runs the lane.
    #[must_use]
    pub fn operator(&self) -> &OperatorId {
        &self.operator
    }

    /// The station the lane belongs to.
    #[must_use]
    pub fn station(&self) -> &StationId {
        &self.station
    }

    /// The lane's own token, such as `l01`.
    #[must_use]
    pub fn lane(&self) -> &str {
        self.lane.as_str()
    }
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.operator, self.station, self.lane())
    }
}

impl fmt::Debug for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LaneId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut parts = text.split('/');
        let (Some(operator), Some(station), Some(lane), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(IdError::Lane { text: text.chars().take(128).collect() });
        };
        Self::try_new(OperatorId::try_new(operator)?, StationId::try_new(station)?, lane)
    }
}

impl TryFrom<String> for LaneId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<LaneId> for String {
    fn from(id: LaneId) -> Self {
        id.to_string()
    }
}

impl Serialize for LaneId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LaneId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::read(deserializer)
    }
}

/// The identity of a passage for all time: lane, epoch of the lane's journal, sequence in it.
///
/// Sequences are gap-free from 1 within an epoch; a new epoch is opened by the centre when a
/// journal was lost. Neither ever derives from a clock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PassageId {
    /// The lane that wrote the passage.
    pub lane: LaneId,
    /// The epoch of the lane's journal, from 1.
    pub epoch: u32,
    /// The place in the epoch, from 1, without gaps.
    pub seq: NonZeroU64,
}

impl fmt::Display for PassageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.lane, self.epoch, self.seq)
    }
}

impl FromStr for PassageId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let refused = || IdError::Passage { text: text.chars().take(160).collect() };
        let mut parts = text.split(':');
        let (Some(lane), Some(epoch), Some(seq), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused());
        };
        let epoch = epoch.parse().ok().filter(|epoch| *epoch > 0).ok_or_else(refused)?;
        let seq = seq.parse().ok().ok_or_else(refused)?;
        Ok(Self { lane: lane.parse()?, epoch, seq })
    }
}

impl TryFrom<String> for PassageId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<PassageId> for String {
    fn from(id: PassageId) -> Self {
        id.to_string()
    }
}

impl Serialize for PassageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PassageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::read(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passage_id_reads_back_as_it_was_written() {
        let id: PassageId = "cienco4/ben-thuy/l01:2:77".parse().unwrap();
        assert_eq!(id.to_string(), "cienco4/ben-thuy/l01:2:77");
        assert_eq!(id.lane.station().as_str(), "ben-thuy");
    }

    #[test]
    fn tokens_sort_as_their_text_does() {
        let mut texts = ["l1", "l", "l10", "l-1", "k", "l2", "0", "l1-"];
        texts.sort_unstable();
        let mut ids = texts.map(|text| StationId::try_new(text).unwrap());
        ids.reverse();
        ids.sort_unstable();
        assert_eq!(ids.each_ref().map(StationId::as_str), texts);
        assert_eq!(StationId::try_new(&"z".repeat(32)).unwrap().as_str(), "z".repeat(32));
    }

    #[test]
    fn what_would_break_a_subject_is_no_id() {
        for text in ["", "A", "a.b", "a b", "*", ">", "đ", &"a".repeat(33)] {
            assert!(StationId::try_new(text).is_err(), "{text:?} was accepted");
        }
        for text in ["a/b", "a/b/c/d", "a/b/C", "//"] {
            assert!(text.parse::<LaneId>().is_err(), "{text:?} was accepted");
        }
        for text in ["a/b/c:0:1", "a/b/c:1:0", "a/b/c:1", "a/b/c:1:1:1", "a/b/c:-1:1"] {
            assert!(text.parse::<PassageId>().is_err(), "{text:?} was accepted");
        }
    }
}
