//! What a lane says of the pictures that its cameras took: which belong to whom. The bytes travel
//! on a subject of their own, named by their digest; whoever takes them holds them against it.

use serde::{Deserialize, Serialize};

use crate::signature::Digest256;
use crate::{LaneId, Timestamp};

/// What is on a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PictureKind {
    /// The plate, cut out.
    Plate,
    /// The vehicle and where it stands.
    Overview,
    /// The camera does not say.
    Unknown,
}

impl PictureKind {
    /// The kind by its name on the wire and in files' names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plate => "plate",
            Self::Overview => "overview",
            Self::Unknown => "unknown",
        }
    }
}

/// A picture, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureRecord {
    /// The digest of its bytes, and the name they travel and are kept by.
    pub digest: Digest256,
    /// What is on it.
    pub kind: PictureKind,
    /// Its length in bytes.
    pub len: u64,
}

/// Whose pictures they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Pictured {
    /// Of the vehicle that a person is called for.
    Call {
        /// The lane's number for the call.
        call: u64,
    },
    /// Of the vehicle of a passage.
    Passage {
        /// The epoch.
        epoch: u32,
        /// The sequence.
        seq: u64,
    },
}

/// Which pictures belong to a vehicle. A later one about the same vehicle stands in the place of
/// an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureNote {
    /// 1.
    pub v: u32,
    /// The lane.
    pub lane: LaneId,
    /// When, by the lane's clock.
    pub at: Timestamp,
    /// Whose they are.
    pub of: Pictured,
    /// The pictures; those whose bytes were too large to send are left out.
    pub pictures: Vec<PictureRecord>,
}
