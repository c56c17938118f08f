//! The model of the broker: streams, a window of message ids, redelivery, and what it can lose.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use clearing_house::intake::Delivery;
use domain::signature::Digest256;

use super::plan::{MINUTE, SECOND};

/// How long the broker remembers a message id.
const WINDOW: u64 = 2 * MINUTE;
/// How long a delivery may go without a word.
const ACK_WAIT: u64 = 20 * SECOND;

/// A signed message of the centre's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub payload: Rc<Vec<u8>>,
    pub signature: String,
}

impl Said {
    /// What tells it from any other.
    pub(crate) fn digest(&self) -> Digest256 {
        Digest256::of(&[self.payload.as_slice(), self.signature.as_bytes()].concat())
    }
}

/// How far a stored message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    Out { until: u64 },
    Acked,
}

#[derive(Debug, Clone)]
struct InStream {
    delivery: Delivery,
    stored_at: u64,
    state: State,
}

/// The broker. What is in it survives its process, but for what was not flushed.
#[derive(Debug, Default)]
pub(crate) struct Broker {
    pub up: bool,
    stream: BTreeMap<u64, InStream>,
    last: u64,
    ids: HashMap<String, u64>,
    pub receipts: BTreeMap<usize, Said>,
    pub deltas: BTreeMap<u64, Said>,
    pub snapshot: Option<(Said, Said)>,
    pub entries: Vec<Said>,
}

impl Broker {
    /// A broker that runs, with nothing in it.
    pub(crate) fn up() -> Self {
        Self { up: true, ..Self::default() }
    }

    /// Stores a passage; one with an id that is in the window is there already.
    pub(crate) fn store(&mut self, delivery: Delivery, now: u64) {
        if let Some(id) = delivery.message_id.clone() {
            let known = self.ids.insert(id, now);
            if known.is_some_and(|at| now - at < WINDOW) {
                return;
            }
        }
        self.last += 1;
        self.stream.insert(self.last, InStream { delivery, stored_at: now, state: State::Waits });
    }

    /// Hands out the next messages, and those nobody has acknowledged in time.
    pub(crate) fn fetch(&mut self, most: usize, now: u64) -> Vec<(u64, Delivery)> {
        let mut taken = Vec::new();
        for (number, message) in &mut self.stream {
            let is_due = match message.state {
                State::Waits => true,
                State::Out { until } => until <= now,
                State::Acked => false,
            };
            if is_due && taken.len() < most {
                message.state = State::Out { until: now + ACK_WAIT };
                taken.push((*number, message.delivery.clone()));
            }
        }
        taken
    }

    /// Takes the word that a message is dealt with.
    pub(crate) fn ack(&mut self, number: u64) {
        if let Some(message) = self.stream.get_mut(&number) {
            message.state = State::Acked;
        }
    }

    /// Takes a message back, to be delivered again at once.
    pub(crate) fn nack(&mut self, number: u64) {
        if let Some(message) = self.stream.get_mut(&number) {
            message.state = State::Waits;
        }
    }

    /// Some message that was delivered before, so that it comes once more.
    pub(crate) fn deliver_again(&mut self, pick: usize) {
        let dealt_with = |message: &&mut InStream| message.state == State::Acked;
        if let Some(message) = self.stream.values_mut().filter(dealt_with).nth(pick) {
            message.state = State::Waits;
        }
    }

    /// Any message that is stored.
    pub(crate) fn any(&self, pick: usize) -> Option<&Delivery> {
        self.stream.values().nth(pick).map(|message| &message.delivery)
    }

    /// The message id of what came last on a subject.
    pub(crate) fn last_id(&self, subject: &str) -> Option<&str> {
        let mut stored = self.stream.values().rev();
        let last = stored.find(|message| message.delivery.subject == subject)?;
        last.delivery.message_id.as_deref()
    }

    /// How many messages are stored.
    pub(crate) fn len(&self) -> usize {
        self.stream.len()
    }

    /// Whether a passage's message with these bytes is stored.
    pub(crate) fn has(&self, payload: &[u8]) -> bool {
        self.stream.values().any(|message| message.delivery.payload == payload)
    }

    /// Dies. What came since `flushed` is gone; what was out is not.
    pub(crate) fn dies(&mut self, flushed: u64) {
        self.up = false;
        self.stream.retain(|_, message| message.stored_at <= flushed);
        for message in self.stream.values_mut() {
            if let State::Out { .. } = message.state {
                message.state = State::Waits;
            }
        }
        let stored: HashMap<String, u64> = self
            .stream
            .values()
            .filter_map(|message| Some((message.delivery.message_id.clone()?, message.stored_at)))
            .collect();
        self.ids = stored;
    }

    /// Loses everything, and numbers messages from 1 again.
    pub(crate) fn wiped(&mut self) {
        *self = Self { last: self.last, ..Self::default() };
    }
}
