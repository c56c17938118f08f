//! What survives a restart: who was between the loops when the last passage was written.
//!
//! With the edges that the I/O module counted meanwhile, the lane knows who has come and who has
//! left since. A vehicle that was released and has not left is still released: it is neither
//! charged again nor held. One whose tag was known is judged by it again; everybody else is a
//! vehicle that has just come. One that left undecided meanwhile gets its record.

use std::time::Duration;

use domain::TagId;
use domain::wire::v1::{EventKind, LoopCounts};
use serde::{Deserialize, Serialize};

use super::{Inputs, Lane, Layout, Moment, Timer, Vehicle, VehicleState};

/// A vehicle as the journal remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SavedVehicle {
    /// Its passage is written, and it may go.
    Released {
        /// The passage's sequence.
        seq: u64,
        /// Its tag, if one was read.
        tag: Option<TagId>,
    },
    /// It was turned away.
    BackingOut {
        /// Its tag, if one was read.
        tag: Option<TagId>,
    },
    /// Nothing was decided yet, and its tag is known.
    Tagged {
        /// Its tag.
        tag: TagId,
    },
    /// Nothing was decided yet.
    Undecided,
}

/// A lane as the journal remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SavedLane {
    /// Who was between the loops, the head first.
    pub vehicles: Vec<SavedVehicle>,
    /// Whether the presence loop was occupied.
    pub presence: bool,
    /// The module's counters, as far as the lane had taken them in.
    pub presence_rises: u16,
    /// Likewise.
    pub presence_falls: u16,
    /// Likewise.
    pub safety_falls: u16,
    /// The last call's number.
    #[serde(default)]
    pub calls: u64,
    /// Tags of vehicles that left not long before.
    #[serde(default)]
    pub dealt_with: Vec<TagId>,
    /// What the loops counted since the journal began.
    #[serde(default)]
    pub counts: LoopCounts,
}

impl Lane {
    /// The lane as the journal is to remember it.
    #[must_use]
    pub fn saved(&self) -> SavedLane {
        let inputs = self.inputs.unwrap_or_default();
        let vehicles = self.queue.iter().map(|vehicle| match (vehicle.state, &vehicle.tag) {
            (VehicleState::Released { seq: Some(seq), .. }, tag) => {
                SavedVehicle::Released { seq, tag: tag.clone() }
            }
            // One under the arm has been decided about, whichever way.
            (VehicleState::OnSafetyLoop, tag) => {
                SavedVehicle::Released { seq: 0, tag: tag.clone() }
            }
            (VehicleState::BackingOut { .. }, tag) => SavedVehicle::BackingOut { tag: tag.clone() },
            (
                VehicleState::Released { seq: None, .. }
                | VehicleState::AwaitingTag { .. }
                | VehicleState::Asking { .. }
                | VehicleState::Calling { .. },
                Some(tag),
            ) => SavedVehicle::Tagged { tag: tag.clone() },
            (
                VehicleState::Released { seq: None, .. }
                | VehicleState::AwaitingTag { .. }
                | VehicleState::Asking { .. }
                | VehicleState::Calling { .. },
                None,
            ) => SavedVehicle::Undecided,
        });
        SavedLane {
            vehicles: vehicles.collect(),
            presence: inputs.presence,
            presence_rises: inputs.presence_rises,
            presence_falls: inputs.presence_falls,
            safety_falls: inputs.safety_falls,
            calls: self.calls,
            dealt_with: self.dealt_with.iter().map(|(tag, _)| tag.clone()).collect(),
            counts: self.counts(),
        }
    }

    /// What the loops counted, as it stands now.
    fn counts(&self) -> LoopCounts {
        let is_between = |vehicle: &&Vehicle| {
            vehicle.recorded && !matches!(vehicle.state, VehicleState::BackingOut { .. })
        };
        let between = self.queue.iter().filter(is_between).count();
        LoopCounts { between: u64::try_from(between).unwrap_or(u64::MAX), ..self.counts }
    }

    pub(super) fn restore(&mut self, inputs: Inputs, saved: Option<SavedLane>, m: &mut Moment<'_>) {
        let saved = match (saved, self.inputs) {
            (Some(saved), _) => {
                self.queue.clear();
                self.recall(&saved, m.now);
                saved
            }
            // The loops were silent for a while: who was in the lane is known better than that.
            (None, Some(_)) => self.saved(),
            // A lane without a past: who is in it now has just come.
            (None, None) => SavedLane {
                presence: inputs.presence,
                presence_rises: inputs.presence_rises.wrapping_sub(u16::from(inputs.presence)),
                presence_falls: inputs.presence_falls,
                safety_falls: inputs.safety_falls,
                ..SavedLane::default()
            },
        };
        let mut came = inputs.presence_rises.wrapping_sub(saved.presence_rises);
        let left = inputs.safety_falls.wrapping_sub(saved.safety_falls);
        let cleared = inputs.presence_falls.wrapping_sub(saved.presence_falls);
        self.inputs = Some(inputs);
        self.presence_rose_at = None;
        self.presence_fell_at = None;
        self.safety_fell_at = None;
        self.crosses_again = None;
        let backing_out = self
            .queue
            .iter()
            .position(|vehicle| matches!(vehicle.state, VehicleState::BackingOut { .. }));
        if let Some(index) = backing_out {
            // Its own way back over the presence loop is not a vehicle that comes.
            if !saved.presence && came > 0 {
                came -= 1;
            }
            if cleared > 0 {
                self.queue.remove(index);
            }
        }
        // More than a lane can hold means that the counters began anew: believe the loops alone.
        if came > LANE_HOLDS || left > LANE_HOLDS {
            self.counts.lost += 1;
        }
        let came = if came > LANE_HOLDS { u16::from(inputs.presence) } else { came };
        let left = if left > LANE_HOLDS { 0 } else { left };
        self.counts.crossings += u64::from(left);
        for _ in 0..came {
            let until = m.now + self.policy.tag_wait;
            let vehicle = self.new_vehicle(VehicleState::AwaitingTag { until }, None, m.now);
            self.queue.push_back(vehicle);
        }
        for _ in 0..left {
            self.left_meanwhile(m);
        }
        self.judge_again(m);
        self.serve_again(inputs, m);
    }

    /// The head has left while nobody looked.
    fn left_meanwhile(&mut self, m: &mut Moment<'_>) {
        let Some(vehicle) = self.queue.front() else {
            self.counts.strays += 1;
            return;
        };
        if vehicle.is_undecided() {
            m.tell(EventKind::Violation);
            self.end_call(0, m);
            let draft = self.undecided(0, m);
            self.record(0, draft, m);
        }
        if let Some(vehicle) = self.queue.pop_front() {
            self.deal_with(&vehicle, m.now);
        }
    }

    /// Judges those whose tag is known and about whom nothing had been written.
    fn judge_again(&mut self, m: &mut Moment<'_>) {
        let waits = |vehicle: &&Vehicle| {
            vehicle.tag.is_some() && matches!(vehicle.state, VehicleState::AwaitingTag { .. })
        };
        // One that is under the arm by now is opened for below, if at all.
        let numbers: Vec<u64> =
            self.queue.iter().filter(waits).map(|vehicle| vehicle.number).collect();
        for number in numbers {
            if let Some(index) = self.index_of(number) {
                self.judge(index, m);
            }
        }
    }

    fn serve_again(&mut self, inputs: Inputs, m: &mut Moment<'_>) {
        if self.policy.layout == Layout::FreeFlow {
            return;
        }
        match self.head() {
            // It goes on its way.
            Some(VehicleState::OnSafetyLoop) => {}
            Some(VehicleState::Released { .. }) if inputs.safety => {
                self.queue[0].state = VehicleState::OnSafetyLoop;
            }
            Some(VehicleState::Released { until: None, .. }) => self.serve_head(m),
            // It has left the presence loop, or another one stands there: it is under the arm.
            Some(
                VehicleState::AwaitingTag { .. }
                | VehicleState::Asking { .. }
                | VehicleState::Calling { .. },
            ) if inputs.safety && (!inputs.presence || self.queue.len() > 1) => {
                self.end_call(0, m);
                self.violates(m);
            }
            // The arm is up for it.
            Some(VehicleState::Released { until: Some(_), .. }) => m.act(super::Action::Open),
            Some(
                VehicleState::AwaitingTag { .. }
                | VehicleState::Asking { .. }
                | VehicleState::Calling { .. }
                | VehicleState::BackingOut { .. },
            )
            | None => {
                if !inputs.safety {
                    self.timers.set(Timer::Close, m.now + self.policy.close_after);
                }
            }
        }
    }

    /// Puts those back into the queue whom the journal remembers.
    fn recall(&mut self, saved: &SavedLane, now: Duration) {
        // A call is saved when it ends; those that stood when the controller died have numbers
        // that nobody may take for another vehicle's.
        self.counts = saved.counts;
        self.calls = saved.calls + u64::from(LANE_HOLDS);
        self.dealt_with.extend(saved.dealt_with.iter().map(|tag| (tag.clone(), now)));
        let until = now + self.policy.tag_wait;
        for vehicle in &saved.vehicles {
            let (state, tag, recorded) = match vehicle {
                SavedVehicle::Released { seq, tag } => {
                    let state = VehicleState::Released { seq: Some(*seq), until: None };
                    (state, tag.clone(), true)
                }
                SavedVehicle::BackingOut { tag } => {
                    let until = now + self.policy.back_out_timeout;
                    (VehicleState::BackingOut { until }, tag.clone(), true)
                }
                SavedVehicle::Tagged { tag } => {
                    (VehicleState::AwaitingTag { until }, Some(tag.clone()), false)
                }
                SavedVehicle::Undecided => (VehicleState::AwaitingTag { until }, None, false),
            };
            let vehicle = Vehicle { recorded, ..self.new_vehicle(state, tag, now) };
            self.queue.push_back(vehicle);
        }
    }
}

/// More vehicles than that never stand between the loops.
const LANE_HOLDS: u16 = 64;
