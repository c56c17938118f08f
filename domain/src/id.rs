//! Who and where: operators, issuers, stations, lanes, accounts, and the identity of a passage.
//!
//! An id that appears in a subject of the broker is a *token*: lower-case letters, digits and
//! hyphens, 1 to 32 of them. That keeps every subject parseable and every file name safe.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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

fn token(kind: &'static str, text: &str) -> Result<String, IdError> {
    let good = !text.is_empty()
        && text.len() <= TOKEN_LEN_MAX
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if good {
        Ok(text.to_owned())
    } else {
        Err(IdError::Token { kind, text: text.chars().take(64).collect() })
    }
}

macro_rules! token_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses a token.
            ///
            /// # Errors
            /// When the text is not 1 to 32 characters of `a-z`, `0-9` and `-`.
            pub fn try_new(text: &str) -> Result<Self, IdError> {
                token($kind, text).map(Self)
            }

            /// The token as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
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
                id.0
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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LaneId {
    operator: OperatorId,
    station: StationId,
    lane: String,
}

impl LaneId {
    /// Builds a lane id from its parts.
    ///
    /// # Errors
    /// When `lane` is not a token.
    pub fn try_new(operator: OperatorId, station: StationId, lane: &str) -> Result<Self, IdError> {
        Ok(Self { operator, station, lane: token("lane", lane)? })
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
        &self.lane
    }
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.operator, self.station, self.lane)
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

/// The identity of a passage for all time: lane, epoch of the lane's journal, sequence in it.
///
/// Sequences are gap-free from 1 within an epoch; a new epoch is opened by the centre when a
/// journal was lost. Neither ever derives from a clock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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
