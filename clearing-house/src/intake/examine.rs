//! Looking at deliveries before anything is written: whose are they, and can they be read? Pure.
//!
//! A batch is examined as a whole. A good signature stands for its own passage and for those before
//! it that it names (`vouching`), and what is left is checked together, which costs a third. So a
//! delivery is refused by itself and may be taken by its company: what its lane went on from, under
//! a good signature, is its lane's even where its own signature was altered under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::passage::Passage;
use domain::signature::{
    Claim, Context, Digest256, PreparedKey, PublicKey, Signature, verify_each,
};
use domain::wire::v1::{Disposition, PassageRecord};
use domain::wire::{MESSAGE_LEN_MAX, passage_of, subject};
use domain::{LaneId, PassageId, Timestamp};
use serde::Deserialize;

use super::vouching::{Link, Standing, runs};
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
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Oversize,
        Self::ForeignSubject,
        Self::UnknownLane,
        Self::Unsigned,
        Self::Forged,
        Self::KeyEnded,
        Self::ForeignPassage,
        Self::UnknownVersion,
        Self::UnknownEpoch,
        Self::BrokenChain,
        Self::Conflict,
        Self::Unwritable,
    ];

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

    /// The reason that has a name in the books.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.name() == name)
    }

    /// What has become of a passage that its lane signed and that is in quarantine for this; of
    /// what is nobody's passage, nothing has.
    #[must_use]
    pub const fn disposition(self) -> Option<Disposition> {
        match self {
            Self::Conflict => Some(Disposition::Conflict),
            Self::UnknownEpoch => Some(Disposition::NotOnFile),
            Self::UnknownVersion | Self::Unwritable => Some(Disposition::SystemError),
            Self::Oversize
            | Self::ForeignSubject
            | Self::UnknownLane
            | Self::Unsigned
            | Self::Forged
            | Self::KeyEnded
            | Self::ForeignPassage
            | Self::BrokenChain => None,
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
    /// The signature it came with; the passage is signed by it, or named by one that is signed.
    pub signature: Signature,
    /// What it says; absent where the lane signed something that is no passage.
    pub passage: Option<Box<Passage>>,
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
        let mut senders = Senders { registry, known: HashMap::new() };
        let mut opened: Vec<Result<Opened<'_>, Refusal>> = deliveries
            .iter()
            .map(|delivery| open(delivery, now, |subject| senders.of(subject)))
            .collect();
        self.check_signatures(&mut opened, deliveries);
        let mut examined = Examined::default();
        examined.genuine.reserve(deliveries.len());
        for (index, opened) in opened.into_iter().enumerate() {
            match opened.and_then(|opened| opened.judge(index)) {
                Ok(genuine) => examined.genuine.push(genuine),
                Err(refusal) => examined.refused.push((index, refusal)),
            }
        }
        examined
    }

    /// Refuses what neither its own signature nor that of one after it stands for.
    fn check_signatures(
        &self,
        opened: &mut [Result<Opened<'_>, Refusal>],
        deliveries: &[Delivery],
    ) {
        let links: Vec<Option<Link>> =
            opened.iter().map(|opened| opened.as_ref().ok()?.link()).collect();
        let mut runs = runs(&links);
        while !runs.is_empty() {
            let heads: Vec<usize> = runs.iter_mut().filter_map(Vec::pop).collect();
            let signers = self.signers(&heads, opened, deliveries);
            for ((run, head), signer) in runs.iter_mut().zip(heads).zip(signers) {
                match signer {
                    Ok(key) => {
                        let vouched = |at: &usize| {
                            opened[*at].as_ref().is_ok_and(|opened| key.vouches(opened.when))
                        };
                        while run.last().is_some_and(vouched) {
                            run.pop();
                        }
                    }
                    Err(refusal) => opened[head] = Err(refusal),
                }
            }
            runs.retain(|run| !run.is_empty());
        }
    }

    /// Whose signature each of these carries.
    fn signers<'a>(
        &self,
        heads: &[usize],
        opened: &[Result<Opened<'a>, Refusal>],
        deliveries: &[Delivery],
    ) -> Vec<Result<&'a LaneKey, Refusal>> {
        let keys = self.prepared(heads, opened);
        let claim = |(head, key): (&usize, &Option<Arc<PreparedKey>>)| {
            let signature = opened[*head].as_ref().ok()?.signature;
            Some((key.clone()?, &deliveries[*head].payload, signature))
        };
        let claimed: Vec<_> = heads.iter().zip(&keys).filter_map(claim).collect();
        let claims: Vec<Claim<'_>> = claimed
            .iter()
            .map(|(key, payload, signature)| Claim { key, payload, signature })
            .collect();
        let mut verdicts = verify_each(Context::Passage, &claims).into_iter();
        let signer = |(head, key): (&usize, Option<Arc<PreparedKey>>)| {
            // One verdict for each claim, whatever becomes of it.
            let verified = key.is_some() && verdicts.next() == Some(true);
            let opened = opened[*head].as_ref().map_err(|refusal| *refusal)?;
            match opened.key.filter(|_| verified) {
                Some(key) => Ok(key),
                None => opened.signer(&deliveries[*head].payload),
            }
        };
        heads.iter().zip(keys).map(signer).collect()
    }

    /// For each of these the prepared key it is probably signed with, where that is prepared.
    fn prepared(
        &self,
        heads: &[usize],
        opened: &[Result<Opened<'_>, Refusal>],
    ) -> Vec<Option<Arc<PreparedKey>>> {
        let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let key_of = |head: &usize| Some(opened[*head].as_ref().ok()?.key?.public_key);
        for key in heads.iter().filter_map(key_of) {
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
        let mut prepared = |key: PublicKey| {
            let known = known.get_mut(key.as_bytes())?;
            if matches!(known, KnownKey::Seen(times) if *times >= SEEN_BEFORE_PREPARED) {
                *known = KnownKey::Prepared(Arc::new(PreparedKey::new(key)));
            }
            match known {
                KnownKey::Prepared(prepared) => Some(Arc::clone(prepared)),
                KnownKey::Seen(_) => None,
            }
        };
        heads.iter().map(|head| prepared(key_of(head)?)).collect()
    }
}

/// Examines one delivery by its own signature alone.
///
/// # Errors
/// With the reason for which it goes to quarantine.
pub fn examine(
    index: usize,
    delivery: &Delivery,
    registry: &Registry,
    now: Timestamp,
) -> Result<Genuine, Refusal> {
    let opened = open(delivery, now, |subject| sender(subject, 0, registry))?;
    opened.signer(&delivery.payload)?;
    opened.judge(index)
}

/// The lane a subject is of, with its keys.
#[derive(Debug, Clone, Copy)]
struct Sender<'a> {
    /// Its number in the batch.
    number: usize,
    lane: &'a LaneId,
    keys: &'a [LaneKey],
}

fn sender<'a>(subject: &str, number: usize, registry: &'a Registry) -> Result<Sender<'a>, Refusal> {
    let lane = subject::lane_of(subject).ok_or(Refusal::ForeignSubject)?;
    if subject::passage(&lane) != subject {
        return Err(Refusal::ForeignSubject);
    }
    let (lane, keys) = registry.enrolled(&lane).ok_or(Refusal::UnknownLane)?;
    Ok(Sender { number, lane, keys })
}

/// The lanes of a batch: few, and each has many passages.
struct Senders<'a, 'd> {
    registry: &'a Registry,
    known: HashMap<&'d str, Result<Sender<'a>, Refusal>>,
}

impl<'a, 'd> Senders<'a, 'd> {
    fn of(&mut self, subject: &'d str) -> Result<Sender<'a>, Refusal> {
        let number = self.known.len();
        *self.known.entry(subject).or_insert_with(|| sender(subject, number, self.registry))
    }
}

/// What a payload turned out to be.
enum Content {
    Passage(Box<PassageRecord>),
    LaterVersion,
    Unreadable,
}

/// A delivery whose signature has still to be checked.
struct Opened<'a> {
    sender: Sender<'a>,
    signature: Signature,
    content_hash: Digest256,
    content: Content,
    claimed: Option<PassageId>,
    when: SignedWhen,
    /// The newest of the lane's keys that was good then.
    key: Option<&'a LaneKey>,
}

fn open<'a, 'd>(
    delivery: &'d Delivery,
    now: Timestamp,
    sender: impl FnOnce(&'d str) -> Result<Sender<'a>, Refusal>,
) -> Result<Opened<'a>, Refusal> {
    if delivery.payload.len() > MESSAGE_LEN_MAX {
        return Err(Refusal::Oversize);
    }
    let sender = sender(&delivery.subject)?;
    let signature = delivery
        .signature
        .as_deref()
        .and_then(|text| text.parse::<Signature>().ok())
        .ok_or(Refusal::Unsigned)?;
    let content = read(&delivery.payload);
    let written_at = match &content {
        Content::Passage(record) => Some(record.at),
        Content::LaterVersion | Content::Unreadable => None,
    };
    let when = SignedWhen { written_at, came_at: now };
    let key = sender.keys.iter().rev().find(|key| key.is_good(when));
    let claimed = delivery.message_id.as_deref().and_then(passage_of);
    let content_hash = Digest256::of(&delivery.payload);
    Ok(Opened { sender, signature, content_hash, content, claimed, when, key })
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

impl<'a> Opened<'a> {
    /// Where it stands in its journal, if nothing but its signature is left to be checked.
    fn link(&self) -> Option<Link> {
        let Content::Passage(record) = &self.content else { return None };
        let id = self.id().ok()?;
        let standing = Standing { lane: self.sender.number, epoch: id.epoch, seq: id.seq.get() };
        Some(Link { standing, digest: self.content_hash, named: record.previous })
    }

    /// The key of the lane that signed it.
    fn signer(&self, payload: &[u8]) -> Result<&'a LaneKey, Refusal> {
        let signed_by = |key: &&LaneKey| {
            key.public_key.verify(Context::Passage, payload, &self.signature).is_ok()
        };
        let mut signers = self.sender.keys.iter().filter(signed_by).peekable();
        if signers.peek().is_none() {
            return Err(Refusal::Forged);
        }
        signers.find(|key| key.is_good(self.when)).ok_or(Refusal::KeyEnded)
    }

    /// The passage that it is, by its content and its message id.
    fn id(&self) -> Result<&PassageId, Refusal> {
        let id = match (&self.content, &self.claimed) {
            (Content::LaterVersion, _) => return Err(Refusal::UnknownVersion),
            (Content::Passage(record), Some(claimed)) if record.id != *claimed => {
                return Err(Refusal::ForeignPassage);
            }
            (Content::Passage(record), _) => &record.id,
            (Content::Unreadable, Some(claimed)) => claimed,
            (Content::Unreadable, None) => return Err(Refusal::ForeignPassage),
        };
        let storable = i64::try_from(id.seq.get()).is_ok() && i32::try_from(id.epoch).is_ok();
        if id.lane != *self.sender.lane || !storable {
            return Err(Refusal::ForeignPassage);
        }
        Ok(id)
    }

    /// What it is, once its signature has been checked.
    fn judge(self, index: usize) -> Result<Genuine, Refusal> {
        Ok(Genuine {
            id: self.id()?.clone(),
            content_hash: self.content_hash,
            signature: self.signature,
            passage: match self.content {
                Content::Passage(record) => Some(Box::new(Passage::from(*record))),
                Content::LaterVersion | Content::Unreadable => None,
            },
            index,
        })
    }
}

#[cfg(test)]
mod tests;
