//! A lane as the centre knows it: numbers, chains and signs what it writes.

use clearing_house::intake::Delivery;
use domain::account_list::ListStatus;
use domain::passage::{ClockQuality, Decision, LaneRole, Passage, Payment};
use domain::signature::{Context, Digest256, SecretKey};
use domain::wire::subject;
use domain::wire::v1::{PassageRecord, emit};
use domain::{LaneId, PassageId, Plate, TagId, Timestamp, VehicleGroup};

/// A vehicle of the office's accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vehicle {
    /// The account that pays for it.
    pub account: i64,
    /// Its plate.
    pub plate: Plate,
    /// Its tag.
    pub tag: TagId,
    /// Its group.
    pub group: VehicleGroup,
}

/// The vehicle of account 1000 + `number`, as [`crate::office`] opens it.
#[must_use]
pub fn vehicle(number: u8) -> Vehicle {
    Vehicle {
        account: 1000 + i64::from(number),
        plate: format!("37A10{number:03}").parse().expect("a plate"),
        tag: format!("3416{number:020}").parse().expect("a tag"),
        group: VehicleGroup::try_new(number % 5 + 1).expect("a group"),
    }
}

/// The key of a lane, the same in every test.
#[must_use]
pub fn key_of(lane: &LaneId) -> SecretKey {
    SecretKey::from_seed(Digest256::of(lane.to_string().as_bytes()).as_bytes())
}

/// The identity of a lane's journal, the same in every test.
#[must_use]
pub fn journal_of(lane: &LaneId) -> Digest256 {
    Digest256::of(format!("journal of {lane}").as_bytes())
}

/// A lane that writes passages of its first epoch.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Which one.
    pub id: LaneId,
    /// Its key.
    pub key: SecretKey,
    last_seq: u64,
    previous: Digest256,
}

impl Lane {
    /// The lane of a path such as `cienco4/ben-thuy/l01`, with nothing written yet.
    #[must_use]
    pub fn new(path: &str) -> Self {
        let id: LaneId = path.parse().expect("a lane's path");
        let key = key_of(&id);
        Self { id, key, last_seq: 0, previous: Digest256::default() }
    }

    /// Lets a vehicle through on its tag.
    pub fn pass(&mut self, vehicle: &Vehicle, at: &str) -> Delivery {
        self.write(at, |passage| {
            passage.tag = Some(vehicle.tag.clone());
            passage.group = Some(vehicle.group);
            passage.status_seen = Some(ListStatus::Good);
        })
    }

    /// Writes the next passage: one opened on no tag and no plate, and then as `change` has it.
    pub fn write(&mut self, at: &str, change: impl FnOnce(&mut Passage)) -> Delivery {
        self.last_seq += 1;
        let mut passage = self.blank(at.parse().expect("an instant"));
        change(&mut passage);
        let payload = emit(&PassageRecord::from(passage));
        self.previous = Digest256::of(&payload);
        self.send(self.last_seq, payload)
    }

    /// Writes something as the next passage that is none.
    pub fn garble(&mut self, payload: &[u8]) -> Delivery {
        self.last_seq += 1;
        self.previous = Digest256::of(payload);
        self.send(self.last_seq, payload.to_vec())
    }

    /// Uses up a number without writing it.
    pub fn skip(&mut self) {
        self.last_seq += 1;
    }

    /// Signs any bytes as passage `seq`.
    #[must_use]
    pub fn send(&self, seq: u64, payload: Vec<u8>) -> Delivery {
        Delivery {
            subject: subject::passage(&self.id),
            message_id: Some(self.passage_id(seq).to_string()),
            signature: Some(self.key.sign(Context::Passage, &payload).to_text()),
            payload,
        }
    }

    /// The identity of passage `seq`.
    #[must_use]
    pub fn passage_id(&self, seq: u64) -> PassageId {
        let seq = seq.try_into().expect("numbers begin at 1");
        PassageId { lane: self.id.clone(), epoch: 1, seq }
    }

    fn blank(&self, at: Timestamp) -> Passage {
        let role = match self.id.lane().as_bytes().first() {
            Some(b'e') => LaneRole::Entry,
            Some(b'x') => LaneRole::Exit,
            _ => LaneRole::Open,
        };
        Passage {
            id: self.passage_id(self.last_seq),
            role,
            at,
            clock: ClockQuality::Synchronised,
            uptime_ns: self.last_seq,
            boot: "first".to_owned(),
            tag: None,
            plate: None,
            group: None,
            list_version: 1,
            status_seen: None,
            tariff: None,
            entry: None,
            exception: None,
            decision: Decision::OpenedByTag,
            attendance: None,
            fare: None,
            payment: Payment::Account,
            previous: self.previous,
        }
    }
}
