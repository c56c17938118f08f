//! Signed passages as an open station's lanes send them.

use std::num::NonZeroU64;

use clearing_house::intake::Delivery;
use domain::account_list::ListStatus;
use domain::passage::{ClockQuality, Decision, LaneRole, Passage, Payment};
use domain::signature::{Context, Digest256, SecretKey};
use domain::wire::subject;
use domain::wire::v1::{PassageRecord, emit};
use domain::{Amount, Clock, LaneId, PassageId, TagId, VehicleGroup};

use crate::Failed;

/// What every passage costs.
pub(crate) const FARE: i64 = 47_000;
/// Steps through the accounts that meet every one before any twice; a prime number.
const STRIDE: u32 = 7_919;

/// One lane and how far it has come.
#[derive(Clone)]
pub(crate) struct SendingLane {
    pub(crate) id: LaneId,
    pub(crate) key: SecretKey,
    last: u64,
    head: Digest256,
}

/// The lanes of the station.
#[derive(Clone)]
pub(crate) struct Lanes {
    lanes: Vec<SendingLane>,
    tags: Vec<TagId>,
    next: u32,
    group: VehicleGroup,
    fare: Amount,
}

/// The tag of an account.
pub(crate) fn tag_of(account: u32) -> Result<TagId, Failed> {
    let mut bytes = [0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[8..].copy_from_slice(&account.to_be_bytes());
    Ok(TagId::try_from_slice(&bytes)?)
}

impl Lanes {
    /// So many lanes, through which that many accounts drive, numbered from 1.
    pub(crate) fn new(accounts: u32, lanes: u8) -> Result<Self, Failed> {
        let lane = |number: u8| {
            Ok(SendingLane {
                id: format!("cienco4/ben-thuy/l{number:02}").parse()?,
                key: SecretKey::from_seed(&[number; 32]),
                last: 0,
                head: Digest256::default(),
            })
        };
        Ok(Self {
            lanes: (1..=lanes).map(lane).collect::<Result<_, Failed>>()?,
            tags: (1..=accounts).map(tag_of).collect::<Result<_, _>>()?,
            next: 0,
            group: VehicleGroup::try_new(1)?,
            fare: Amount::try_new(FARE)?,
        })
    }

    pub(crate) fn lanes(&self) -> &[SendingLane] {
        &self.lanes
    }

    /// The next passages, lane by lane in turn.
    pub(crate) fn batch(&mut self, len: usize, clock: Clock) -> Vec<Delivery> {
        (0..len).map(|_| self.delivery(clock)).collect()
    }

    fn delivery(&mut self, clock: Clock) -> Delivery {
        let lanes = self.lanes.len();
        let at = usize::try_from(self.next).unwrap_or(0);
        let tag = self.tags[at * STRIDE as usize % self.tags.len()].clone();
        self.next += 1;
        let lane = &mut self.lanes[at % lanes];
        let seq = NonZeroU64::MIN.saturating_add(lane.last);
        let passage = Passage {
            id: PassageId { lane: lane.id.clone(), epoch: 1, seq },
            role: LaneRole::Open,
            at: clock.now(),
            clock: ClockQuality::Synchronised,
            uptime_ns: u64::try_from(clock.uptime().as_nanos()).unwrap_or(u64::MAX),
            boot: "bench".to_owned(),
            tag: Some(tag),
            plate: None,
            group: Some(self.group),
            list_version: 1,
            status_seen: Some(ListStatus::Good),
            tariff: Some("bench".to_owned()),
            entry: None,
            exception: None,
            decision: Decision::OpenedByTag,
            attendance: None,
            fare: Some(self.fare),
            payment: Payment::Account,
            previous: lane.head,
        };
        let message_id = passage.id.to_string();
        let payload = emit(&PassageRecord::from(passage));
        lane.last = seq.get();
        lane.head = Digest256::of(&payload);
        Delivery {
            subject: subject::passage(&lane.id),
            message_id: Some(message_id),
            signature: Some(lane.key.sign(Context::Passage, &payload).to_text()),
            payload,
        }
    }
}
