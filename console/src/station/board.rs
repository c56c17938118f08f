//! The board: what is known of every lane, from heartbeats and events. Pure.
//!
//! *Heard*: when, by the machine's monotonic clock, the last heartbeat of a lane came in. *Fresh*:
//! heard at most [`FRESH`] ago; anything older is *stale*, and what never came is *unknown*.
//! *Call*: a vehicle that waits for a person; the lane repeats it while it waits.
//!
//! Time is an argument. Nothing here sends, draws or translates.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use domain::wire::v1::{
    DecisionRecord, EventKind, ExceptionRecord, Heartbeat, LaneEvent, PictureNote, PictureRecord,
    ReaderHealth, RoleRecord,
};
use domain::{Amount, Currency, LaneId, PassageId, TagId, Timestamp, VehicleGroup};
use jiff::tz::TimeZone;

use super::feed::{self, Feed, Happened};
use super::pictures::Noted;
use crate::access::Scope;

/// How old a heartbeat may be, in real time, before the lane counts as stale.
pub(crate) const FRESH: Duration = Duration::from_secs(5);

/// How long, in run time, a call stands without the lane's repeating it: three of its repeats.
const CALL_REPEATS: Duration = Duration::from_secs(15);

/// The shortest real time for the same, so that a fast run does not outrun the network.
const CALL_REPEATS_REAL_MIN: Duration = Duration::from_secs(3);

/// What the register says of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The operator's name.
    pub operator: String,
    /// The station's name.
    pub station: String,
    /// What the lane is for; a station's own configuration does not tell.
    pub role: Option<RoleRecord>,
    /// The operator's zone, in which its times are shown.
    pub zone: TimeZone,
    /// The operator's currency.
    pub currency: Currency,
}

/// A vehicle that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// When the lane first said so, by its clock.
    pub raised_at: Timestamp,
    /// When the lane last said so, by its clock.
    pub repeated_at: Timestamp,
    /// When that was heard here.
    pub heard: Instant,
    /// Why a person is needed.
    pub exception: ExceptionRecord,
    /// The tag, where one was read.
    pub tag: Option<TagId>,
    /// The fare that is due, where it is known.
    pub fare: Option<Amount>,
}

/// The last passage a lane told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastPassage {
    /// When, by the lane's clock.
    pub at: Timestamp,
    /// What was decided.
    pub decision: DecisionRecord,
    /// The group.
    pub group: Option<VehicleGroup>,
    /// The fare shown.
    pub fare: Option<Amount>,
}

/// How many passages of a lane are remembered, to find an order's fare by its passage.
const RECENT_MAX: usize = 16;

/// How recent the knowledge of a lane is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// No heartbeat ever came.
    Unknown,
    /// The last heartbeat is too old to be believed.
    Stale,
    /// The heartbeat is recent.
    Fresh,
}

/// What an operator should think of a lane at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// All is as it should be.
    Normal,
    /// Something wants a person's eye.
    Attention,
    /// Nothing is known.
    Unknown,
    /// What is known is old.
    Stale,
}

/// Everything known of one lane.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lane {
    /// What the register says; absent while the register could not be read.
    pub place: Option<Place>,
    /// The last heartbeat, brought forward by the events after it.
    pub heartbeat: Option<Heartbeat>,
    /// When it came.
    pub heard: Option<Instant>,
    /// The last passage.
    pub last: Option<LastPassage>,
    /// What the last passages owe: epoch, sequence, fare.
    recent: VecDeque<(u32, u64, Option<Amount>)>,
    /// Calls that wait, by the lane's number.
    pub calls: BTreeMap<u64, Call>,
    /// Pictures of those vehicles.
    pub pictures: Noted,
    /// Vehicles that crossed undecided since the console started.
    pub violations: u64,
    /// The last alarm, and when.
    pub alarm: Option<(Timestamp, String)>,
}

impl Lane {
    /// The pictures of a vehicle that waits.
    pub(crate) fn pictures_of(&self, call: u64) -> &[PictureRecord] {
        self.calls.get(&call).map_or(&[], |waits| self.pictures.of(call, waits.raised_at))
    }

    /// How recent the knowledge is.
    pub(crate) fn freshness(&self, now: Instant) -> Freshness {
        match self.heard {
            None => Freshness::Unknown,
            Some(heard) if now.saturating_duration_since(heard) > FRESH => Freshness::Stale,
            Some(_) => Freshness::Fresh,
        }
    }

    /// What to think of it at a glance.
    pub(crate) fn condition(&self, now: Instant) -> Condition {
        match (self.freshness(now), &self.heartbeat) {
            (Freshness::Unknown, _) | (_, None) => Condition::Unknown,
            (Freshness::Stale, _) => Condition::Stale,
            (Freshness::Fresh, Some(heartbeat)) => {
                let well = heartbeat.reader == ReaderHealth::Reading
                    && heartbeat.field_io
                    && self.calls.is_empty()
                    && heartbeat.calls == 0;
                if well { Condition::Normal } else { Condition::Attention }
            }
        }
    }

    fn handle_heartbeat(&mut self, heartbeat: Heartbeat, now: Instant) {
        // One that was overtaken on the way adds nothing. A lane whose clock was set back is
        // believed again once it would otherwise count as stale.
        let overtaken = self.heartbeat.as_ref().is_some_and(|last| last.at > heartbeat.at);
        if overtaken && self.freshness(now) == Freshness::Fresh {
            return;
        }
        if heartbeat.calls == 0 {
            // Only those the lane told of before it counted: events and heartbeats may overtake
            // each other on the way.
            self.calls.retain(|_, call| call.repeated_at > heartbeat.at);
        }
        self.heartbeat = Some(heartbeat);
        self.heard = Some(now);
    }

    fn handle_event(&mut self, at: Timestamp, kind: EventKind, now: Instant) {
        match kind {
            EventKind::VehicleArrived { queue } | EventKind::VehicleLeft { queue } => {
                self.bring_forward(at, |heartbeat| heartbeat.queue = queue);
            }
            EventKind::CallRaised { call, exception, tag, fare } => {
                self.raise(
                    call,
                    Call { raised_at: at, repeated_at: at, heard: now, exception, tag, fare },
                );
            }
            EventKind::CallEnded { call } => {
                self.calls.remove(&call);
                self.bring_forward(at, |heartbeat| {
                    heartbeat.calls = heartbeat.calls.saturating_sub(1);
                });
            }
            EventKind::PassageRecorded { epoch, seq, decision, group, fare, .. } => {
                self.last = Some(LastPassage { at, decision, group, fare });
                if self.recent.len() == RECENT_MAX {
                    self.recent.pop_front();
                }
                self.recent.push_back((epoch, seq, fare));
                self.bring_forward(at, |heartbeat| {
                    heartbeat.epoch = epoch;
                    heartbeat.last_seq = seq;
                });
            }
            EventKind::Posted { upto, .. } => {
                self.bring_forward(at, |heartbeat| {
                    heartbeat.posted_upto = heartbeat.posted_upto.max(upto);
                });
            }
            EventKind::Reader { health } => {
                self.bring_forward(at, |heartbeat| heartbeat.reader = health);
            }
            EventKind::Violation => self.violations += 1,
            EventKind::Alarm { text } => self.alarm = Some((at, text)),
            // A case holds nobody up: it is for afterwards.
            EventKind::Case { .. } => {}
            EventKind::ModeOrdered { mode, .. } => self.bring_forward(at, |heartbeat| {
                heartbeat.vitals.get_or_insert_default().mode = Some(mode);
            }),
            EventKind::ConvoyBegan { convoy } => self.bring_forward(at, |heartbeat| {
                heartbeat.vitals.get_or_insert_default().convoy = Some(convoy);
            }),
            EventKind::ConvoyEnded { .. } => self.bring_forward(at, |heartbeat| {
                heartbeat.vitals.get_or_insert_default().convoy = None;
            }),
            // The arm's own switch, in the heartbeat, says where it is; an order does not.
            EventKind::Opened { .. }
            | EventKind::DirectiveApplied { .. }
            | EventKind::EventsDropped { .. } => {}
        }
    }

    /// Applies what happened after the last heartbeat; what happened before is already in it.
    fn bring_forward(&mut self, at: Timestamp, change: impl FnOnce(&mut Heartbeat)) {
        if let Some(heartbeat) = &mut self.heartbeat
            && at >= heartbeat.at
        {
            change(heartbeat);
        }
    }

    /// Whether an event tells more than that a vehicle still waits.
    fn is_news(&self, kind: &EventKind) -> bool {
        match kind {
            EventKind::CallRaised { call, exception, tag, .. } => self
                .calls
                .get(call)
                .is_none_or(|known| known.exception != *exception || known.tag != *tag),
            _ => true,
        }
    }

    fn raise(&mut self, number: u64, call: Call) {
        match self.calls.get_mut(&number) {
            // The same vehicle, told again.
            Some(known) if known.exception == call.exception && known.tag == call.tag => {
                known.repeated_at = call.repeated_at;
                known.heard = call.heard;
                known.fare = call.fare;
            }
            // A new vehicle; a lane that restarted counts from 1 again.
            Some(_) | None => {
                self.calls.insert(number, call);
            }
        }
    }
}

/// Every lane that the register or the broker told of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Board {
    lanes: BTreeMap<LaneId, Lane>,
    feed: Feed,
    /// The place of lanes that the register does not tell of: those of a station's own desk.
    at: Option<Place>,
}

/// How many lanes are how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Lanes with a recent heartbeat.
    pub live: usize,
    /// All lanes.
    pub lanes: usize,
    /// Lanes that want a person's eye.
    pub attention: usize,
    /// Lanes of which nothing recent is known.
    pub silent: usize,
    /// Vehicles that wait for a person.
    pub calls: usize,
}

impl Board {
    /// A board of one station, whose lanes all have one place.
    pub(crate) fn at(place: Place) -> Self {
        Self { at: Some(place), ..Self::default() }
    }

    fn known(&mut self, lane: LaneId) -> &mut Lane {
        let at = &self.at;
        self.lanes.entry(lane).or_insert_with(|| Lane { place: at.clone(), ..Lane::default() })
    }

    /// Takes the register of lanes as it is now.
    pub(crate) fn handle_register(&mut self, register: Vec<(LaneId, Place)>) {
        for (lane, place) in register {
            self.known(lane).place = Some(place);
        }
    }

    /// Takes a lane's sign of life.
    pub(crate) fn handle_heartbeat(&mut self, heartbeat: Heartbeat, now: Instant) {
        self.known(heartbeat.lane.clone()).handle_heartbeat(heartbeat, now);
    }

    /// Takes what happened in a lane.
    pub(crate) fn handle_event(&mut self, event: LaneEvent, now: Instant) {
        let LaneEvent { lane: id, at, kind, .. } = event;
        let lane = self.known(id.clone());
        let told = feed::told(&kind, lane.is_news(&kind));
        lane.handle_event(at, kind, now);
        if let Some(what) = told {
            self.feed.add(Happened { at, lane: id, what });
        }
    }

    /// Takes what a lane says of its pictures.
    pub(crate) fn handle_pictures(&mut self, note: PictureNote) {
        self.known(note.lane.clone()).pictures.handle_note(note);
    }

    /// Drops the calls that a living lane no longer repeats; those of a silent lane stay.
    pub(crate) fn handle_deadline(&mut self, now: Instant, speed: f64) {
        let patience = CALL_REPEATS.div_f64(speed).max(CALL_REPEATS_REAL_MIN);
        for lane in self.lanes.values_mut() {
            if lane.freshness(now) == Freshness::Fresh {
                lane.calls.retain(|_, call| now.saturating_duration_since(call.heard) <= patience);
            }
        }
    }

    /// Every lane, in the order of their names.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = (&LaneId, &Lane)> {
        self.lanes.iter()
    }

    /// What happened lately, the newest first.
    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// One lane.
    pub(crate) fn lane(&self, lane: &LaneId) -> Option<&Lane> {
        self.lanes.get(lane)
    }

    /// What a passage owes, as its lane told; nothing where it has not told of it (yet).
    pub(crate) fn fare_of(&self, passage: &PassageId) -> Option<Option<Amount>> {
        let lane = self.lanes.get(&passage.lane)?;
        let of_passage = |(epoch, seq, _): &&(u32, u64, Option<Amount>)| {
            *epoch == passage.epoch && *seq == passage.seq.get()
        };
        lane.recent.iter().find(of_passage).map(|(_, _, fare)| *fare)
    }

    /// The calls that wait, oldest first.
    pub(crate) fn calls(&self) -> Vec<(&LaneId, &Lane, u64, &Call)> {
        let mut calls: Vec<_> = self
            .lanes
            .iter()
            .flat_map(|(id, lane)| {
                lane.calls.iter().map(move |(number, call)| (id, lane, *number, call))
            })
            .collect();
        calls.sort_by_key(|(id, _, number, call)| (call.raised_at, *id, *number));
        calls
    }

    /// How many lanes of a scope are how.
    pub(crate) fn tally(&self, scope: &Scope, now: Instant) -> Tally {
        let mut tally = Tally::default();
        for (_, lane) in self.lanes.iter().filter(|(id, _)| scope.covers(id)) {
            tally.lanes += 1;
            tally.calls += lane.calls.len();
            match lane.condition(now) {
                Condition::Normal => tally.live += 1,
                Condition::Attention => {
                    tally.live += 1;
                    tally.attention += 1;
                }
                Condition::Unknown | Condition::Stale => tally.silent += 1,
            }
        }
        tally
    }
}

#[cfg(test)]
mod tests;
