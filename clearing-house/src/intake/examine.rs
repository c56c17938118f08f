//! Looking at a delivery before anything is written: whose is it, and can it be read? Pure.

use domain::passage::Passage;
use domain::signature::{Context, Digest256, Signature};
use domain::wire::subject;
use domain::wire::v1::{PassageRecord, parse};
use domain::{PassageId, Timestamp};

use crate::registry::Registry;

/// A message as the broker delivered it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The subject it came on.
    pub subject: String,
    /// Its message id, which names the passage.
    pub message_id: Option<String>,
    /// The signature header.
    pub signature: Option<String>,
    /// The exact bytes.
    pub payload: Vec<u8>,
}

/// Why a delivery goes to quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The subject is not a lane's.
    ForeignSubject,
    /// No such lane was ever enrolled.
    UnknownLane,
    /// No signature, or one that is none.
    Unsigned,
    /// Not signed by the lane of the subject.
    Forged,
    /// The message id is not a passage of the lane of the subject.
    ForeignPassage,
    /// The lane never had this epoch.
    UnknownEpoch,
    /// The passage is in the books with another content; the first stands.
    Conflict,
    /// The database refuses what is in it.
    Unwritable,
}

impl Refusal {
    /// The reason by its name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForeignSubject => "foreign-subject",
            Self::UnknownLane => "unknown-lane",
            Self::Unsigned => "unsigned",
            Self::Forged => "forged",
            Self::ForeignPassage => "foreign-passage",
            Self::UnknownEpoch => "unknown-epoch",
            Self::Conflict => "conflict",
            Self::Unwritable => "unwritable",
        }
    }
}

/// A delivery that is truly its lane's.
#[derive(Debug, Clone)]
pub struct Genuine {
    /// The passage it claims to be.
    pub id: PassageId,
    /// The digest of its bytes.
    pub content_hash: Digest256,
    /// Its signature.
    pub signature: Signature,
    /// What it says; absent where the lane signed something this version cannot read.
    pub passage: Option<Passage>,
    /// Where the delivery is in its batch.
    pub index: usize,
}

/// Examines one delivery.
///
/// # Errors
/// With the reason for which it goes to quarantine.
pub fn examine(
    index: usize,
    delivery: &Delivery,
    registry: &Registry,
    now: Timestamp,
) -> Result<Genuine, Refusal> {
    let lane = subject::lane_of(&delivery.subject).ok_or(Refusal::ForeignSubject)?;
    if subject::passage(&lane) != delivery.subject {
        return Err(Refusal::ForeignSubject);
    }
    if !registry.knows(&lane) {
        return Err(Refusal::UnknownLane);
    }
    let signature = delivery
        .signature
        .clone()
        .and_then(|text| Signature::try_from(text).ok())
        .ok_or(Refusal::Unsigned)?;
    if !registry.signed_by_lane(&lane, now, Context::Passage, &delivery.payload, &signature) {
        return Err(Refusal::Forged);
    }
    let claimed: Option<PassageId> = delivery.message_id.as_deref().and_then(|id| id.parse().ok());
    let record: Option<PassageRecord> = parse("passage", &delivery.payload).ok();
    let id = match (&record, claimed) {
        (Some(record), Some(claimed)) if record.id != claimed => {
            return Err(Refusal::ForeignPassage);
        }
        (Some(record), _) => record.id.clone(),
        (None, Some(claimed)) => claimed,
        (None, None) => return Err(Refusal::ForeignPassage),
    };
    if id.lane != lane || i64::try_from(id.seq.get()).is_err() || i32::try_from(id.epoch).is_err() {
        return Err(Refusal::ForeignPassage);
    }
    Ok(Genuine {
        id,
        content_hash: Digest256::of(&delivery.payload),
        signature,
        passage: record.map(Passage::from),
        index,
    })
}
