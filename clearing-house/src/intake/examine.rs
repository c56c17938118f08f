//! Looking at deliveries before anything is written: whose are they, and can they be read? Pure.
//!
//! A batch is examined as a whole, because checking signatures together costs a third; each
//! delivery is still judged by itself, and its verdict is the same in whatever company it comes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::passage::Passage;
use domain::signature::{
    Claim, Context, Digest256, PreparedKey, PublicKey, Signature, verify_each,
};
use domain::wire::v1::PassageRecord;
use domain::wire::{MESSAGE_LEN_MAX, passage_of, subject};
use domain::{LaneId, PassageId, Timestamp};
use serde::Deserialize;

use crate::registry::{LaneKey, Registry, SignedWhen};

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
    /// Longer than any message may be.
    Oversize,
    /// The subject is not a lane's.
    ForeignSubject,
    /// No such lane was ever enrolled.
    UnknownLane,
    /// No signature, or one that is none.
    Unsigned,
    /// Not signed by the lane of the subject.
    Forged,
    /// Signed by a key that was the lane's at another time.
    KeyEnded,
    /// The message id is not a passage of the lane of the subject.
    ForeignPassage,
    /// Truly the lane's, and of a version that this program is too old to read.
    UnknownVersion,
    /// The lane never had this epoch.
    UnknownEpoch,
    /// It does not name the digest of the passage before it, or the one after it does not name its.
    BrokenChain,
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
            Self::Oversize => "oversize",
            Self::ForeignSubject => "foreign-subject",
            Self::UnknownLane => "unknown-lane",
            Self::Unsigned => "unsigned",
            Self::Forged => "forged",
            Self::KeyEnded => "key-ended",
            Self::ForeignPassage => "foreign-passage",
            Self::UnknownVersion => "unknown-version",
            Self::UnknownEpoch => "unknown-epoch",
            Self::BrokenChain => "broken-chain",
            Self::Conflict => "conflict",
            Self::Unwritable => "unwritable",
        }
    }

    /// Whether the lane may have been enrolled a moment ago, so that a registry read anew might
    /// know better.
    const fn may_be_too_early(self) -> bool {
        match self {
            Self::UnknownLane | Self::Forged => true,
            Self::Oversize
            | Self::ForeignSubject
            | Self::Unsigned
            | Self::KeyEnded
            | Self::ForeignPassage
            | Self::UnknownVersion
            | Self::UnknownEpoch
            | Self::BrokenChain
            | Self::Conflict
            | Self::Unwritable => false,
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
    /// What it says; absent where the lane signed something that is no passage.
    pub passage: Option<Passage>,
    /// Where the delivery is in its batch.
    pub index: usize,
}

/// What an examination of a batch came to: every delivery is in one of the two.
#[derive(Debug, Clone, Default)]
pub struct Examined {
    /// Those that are truly their lanes'.
    pub genuine: Vec<Genuine>,
    /// The others, by their place in the batch, and why.
    pub refused: Vec<(usize, Refusal)>,
}

impl Examined {
    /// What the examination said of one delivery, as if it had come alone.
    #[must_use]
    pub fn only(&self, index: usize) -> Self {
        let genuine = self.genuine.iter().filter(|genuine| genuine.index == index);
        let refused = self.refused.iter().filter(|(refused, _)| *refused == index);
        Self {
            genuine: genuine.map(|genuine| Genuine { index: 0, ..genuine.clone() }).collect(),
            refused: refused.map(|(_, refusal)| (0, *refusal)).collect(),
        }
    }

    /// Whether a registry read anew might refuse fewer.
    pub(super) fn may_be_too_early(&self) -> bool {
        self.refused.iter().any(|(_, refusal)| refusal.may_be_too_early())
    }
}

/// How many signatures of a key must have come before it is prepared.
const SEEN_BEFORE_PREPARED: u32 = 6;
/// The most keys kept prepared: 82 KB each. What comes beyond is checked one signature at a time.
const PREPARED_MAX: usize = 2_048;

/// Examines deliveries; knows from one batch to the next which keys are worth preparing.
#[derive(Debug, Default)]
pub struct Examiner {
    keys: Mutex<HashMap<[u8; 32], KnownKey>>,
}

#[derive(Debug, Clone)]
enum KnownKey {
    Seen(u32),
    Prepared(Arc<PreparedKey>),
}

impl Examiner {
    /// Examines a batch.
    #[must_use]
    pub fn examine(
        &self,
        deliveries: &[Delivery],
        registry: &Registry,
        now: Timestamp,
    ) -> Examined {
        let opened: Vec<Result<Opened<'_>, Refusal>> =
            deliveries.iter().map(|delivery| open(delivery, registry, now)).collect();
        let keys: Vec<Option<Arc<PreparedKey>>> = self.prepared(&opened);
        let claims: Vec<Claim<'_>> = opened
            .iter()
            .zip(deliveries)
            .zip(&keys)
            .filter_map(|((opened, delivery), key)| {
                let opened = opened.as_ref().ok()?;
                let key = key.as_deref()?;
                Some(Claim { key, payload: &delivery.payload, signature: &opened.signature })
            })
            .collect();
        let mut verdicts = verify_each(Context::Passage, &claims).into_iter();
        let mut examined = Examined::default();
        for (index, (opened, key)) in opened.into_iter().zip(&keys).enumerate() {
            // One verdict for each claim, whatever becomes of it.
            let verified = key.is_some() && verdicts.next() == Some(true);
            let judged = opened.and_then(|opened| {
                opened.judge(index, &deliveries[index].payload, verified, registry)
            });
            match judged {
                Ok(genuine) => examined.genuine.push(genuine),
                Err(refusal) => examined.refused.push((index, refusal)),
            }
        }
        examined
    }

    /// For each delivery the prepared key it is probably signed with, where that is prepared.
    fn prepared(&self, opened: &[Result<Opened<'_>, Refusal>]) -> Vec<Option<Arc<PreparedKey>>> {
        let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        for opened in opened.iter().flatten() {
            let Some(key) = opened.key else { continue };
            let room = known.len() < PREPARED_MAX;
            match known.get_mut(key.as_bytes()) {
                Some(KnownKey::Seen(times)) => *times += 1,
                Some(KnownKey::Prepared(_)) => {}
                None if room => {
                    known.insert(*key.as_bytes(), KnownKey::Seen(1));
                }
                None => {}
            }
        }
        let mut prepared = |key: &PublicKey| {
            let known = known.get_mut(key.as_bytes())?;
            if matches!(known, KnownKey::Seen(times) if *times >= SEEN_BEFORE_PREPARED) {
                *known = KnownKey::Prepared(Arc::new(PreparedKey::new(*key)));
            }
            match known {
                KnownKey::Prepared(prepared) => Some(Arc::clone(prepared)),
                KnownKey::Seen(_) => None,
            }
        };
        opened.iter().map(|opened| prepared(opened.as_ref().ok()?.key?)).collect()
    }
}

/// Examines one delivery, as [`Examiner::examine`] would.
///
/// # Errors
/// With the reason for which it goes to quarantine.
pub fn examine(
    index: usize,
    delivery: &Delivery,
    registry: &Registry,
    now: Timestamp,
) -> Result<Genuine, Refusal> {
    open(delivery, registry, now)?.judge(index, &delivery.payload, false, registry)
}

/// What a payload turned out to be.
enum Content {
    Passage(Box<PassageRecord>),
    LaterVersion,
    Unreadable,
}

/// A delivery whose signature has still to be checked.
struct Opened<'a> {
    lane: LaneId,
    signature: Signature,
    content: Content,
    claimed: Option<PassageId>,
    when: SignedWhen,
    /// The newest of the lane's keys that was good then.
    key: Option<&'a PublicKey>,
}

fn open<'a>(
    delivery: &Delivery,
    registry: &'a Registry,
    now: Timestamp,
) -> Result<Opened<'a>, Refusal> {
    if delivery.payload.len() > MESSAGE_LEN_MAX {
        return Err(Refusal::Oversize);
    }
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
    let content = read(&delivery.payload);
    let written_at = match &content {
        Content::Passage(record) => Some(record.at),
        Content::LaterVersion | Content::Unreadable => None,
    };
    let when = SignedWhen { written_at, came_at: now };
    let good = |key: &&LaneKey| key.is_good(when);
    let key = registry.keys(&lane).iter().rev().find(good).map(|key| &key.public_key);
    let claimed = delivery.message_id.as_deref().and_then(passage_of);
    Ok(Opened { lane, signature, content, claimed, when, key })
}

/// Reads a payload, once where it is what it should be.
fn read(payload: &[u8]) -> Content {
    #[derive(Deserialize)]
    struct Versioned {
        v: u32,
    }
    match serde_json::from_slice::<PassageRecord>(payload) {
        Ok(record) if record.v == 1 => Content::Passage(Box::new(record)),
        Ok(_) => Content::LaterVersion,
        Err(_) => match serde_json::from_slice::<Versioned>(payload) {
            Ok(Versioned { v }) if v > 1 => Content::LaterVersion,
            Ok(_) | Err(_) => Content::Unreadable,
        },
    }
}

impl Opened<'_> {
    fn judge(
        self,
        index: usize,
        payload: &[u8],
        verified: bool,
        registry: &Registry,
    ) -> Result<Genuine, Refusal> {
        if !verified {
            self.check_every_key(payload, registry)?;
        }
        let record = match self.content {
            Content::Passage(record) => Some(record),
            Content::LaterVersion => return Err(Refusal::UnknownVersion),
            Content::Unreadable => None,
        };
        let id = match (&record, self.claimed) {
            (Some(record), Some(claimed)) if record.id != claimed => {
                return Err(Refusal::ForeignPassage);
            }
            (Some(record), _) => record.id.clone(),
            (None, Some(claimed)) => claimed,
            (None, None) => return Err(Refusal::ForeignPassage),
        };
        let storable = i64::try_from(id.seq.get()).is_ok() && i32::try_from(id.epoch).is_ok();
        if id.lane != self.lane || !storable {
            return Err(Refusal::ForeignPassage);
        }
        Ok(Genuine {
            id,
            content_hash: Digest256::of(payload),
            signature: self.signature,
            passage: record.map(|record| Passage::from(*record)),
            index,
        })
    }

    fn check_every_key(&self, payload: &[u8], registry: &Registry) -> Result<(), Refusal> {
        let signed_by = |key: &&LaneKey| {
            key.public_key.verify(Context::Passage, payload, &self.signature).is_ok()
        };
        let mut signers = registry.keys(&self.lane).iter().filter(signed_by).peekable();
        if signers.peek().is_none() {
            return Err(Refusal::Forged);
        }
        if signers.any(|key| key.is_good(self.when)) { Ok(()) } else { Err(Refusal::KeyEnded) }
    }
}
