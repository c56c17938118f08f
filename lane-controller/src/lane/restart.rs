//! What survives a restart: who was between the loops when the last passage was written.
//!
//! With the edges that the I/O module counted meanwhile, the lane knows who has come and who has
//! left since. A vehicle that was released and has not left is still released: it is neither
//! charged again nor held. Everybody else is a vehicle that has just come.

use std::time::Duration;

use domain::TagId;
use domain::wire::v1::EventKind;
use serde::{Deserialize, Serialize};

use super::{Action, Inputs, Lane, VehicleState};

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
}

impl Lane {
    /// The lane as the journal is to remember it.
    #[must_use]
    pub fn saved(&self) -> SavedLane {
        let inputs = self.inputs.unwrap_or_default();
        let vehicles = self.queue.iter().map(|vehicle| match vehicle.state {
            VehicleState::Released { seq: Some(seq) } => {
                SavedVehicle::Released { seq, tag: vehicle.tag.clone() }
            }
            // One under the arm has been decided about, whichever way.
            VehicleState::OnSafetyLoop => {
                SavedVehicle::Released { seq: 0, tag: vehicle.tag.clone() }
            }
            VehicleState::BackingOut => SavedVehicle::BackingOut { tag: vehicle.tag.clone() },
            VehicleState::Released { seq: None }
            | VehicleState::AwaitingTag { .. }
            | VehicleState::Calling { .. } => SavedVehicle::Undecided,
        });
        SavedLane {
            vehicles: vehicles.collect(),
            presence: inputs.presence,
            presence_rises: inputs.presence_rises,
            presence_falls: inputs.presence_falls,
            safety_falls: inputs.safety_falls,
        }
    }

    pub(super) fn restore(
        &mut self,
        inputs: Inputs,
        saved: Option<SavedLane>,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let saved = match (saved, self.inputs) {
            (Some(saved), _) => {
                self.queue.clear();
                self.recall(&saved.vehicles, now);
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
                vehicles: Vec::new(),
            },
        };
        let mut came = inputs.presence_rises.wrapping_sub(saved.presence_rises);
        let left = inputs.safety_falls.wrapping_sub(saved.safety_falls);
        let cleared = inputs.presence_falls.wrapping_sub(saved.presence_falls);
        self.inputs = Some(inputs);
        let backing_out =
            self.queue.iter().position(|vehicle| matches!(vehicle.state, VehicleState::BackingOut));
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
        let came = if came > LANE_HOLDS { u16::from(inputs.presence) } else { came };
        let left = if left > LANE_HOLDS { 0 } else { left };
        for _ in 0..came {
            let until = now + self.policy.tag_wait;
            let vehicle = self.new_vehicle(VehicleState::AwaitingTag { until }, None, now);
            self.queue.push_back(vehicle);
        }
        for _ in 0..left {
            if let Some(vehicle) = self.queue.pop_front() {
                let decided = matches!(
                    vehicle.state,
                    VehicleState::Released { .. } | VehicleState::OnSafetyLoop
                );
                if !decided {
                    actions.push(Action::Tell(EventKind::Violation));
                }
                if let Some(tag) = vehicle.tag {
                    self.dealt_with.push_back((tag, now));
                }
            }
        }
        let head_may_go = matches!(
            self.queue.front().map(|head| head.state),
            Some(VehicleState::Released { .. })
        );
        let under_the_arm =
            matches!(self.queue.front().map(|head| head.state), Some(VehicleState::OnSafetyLoop));
        if under_the_arm {
            // It goes on its way.
        } else if inputs.safety && head_may_go {
            self.queue[0].state = VehicleState::OnSafetyLoop;
        } else if head_may_go {
            self.serve_head(actions);
        } else if !inputs.safety {
            self.close_at = Some(now + self.policy.close_after);
        }
    }
}

impl Lane {
    /// Puts those back into the queue whom the journal remembers.
    fn recall(&mut self, vehicles: &[SavedVehicle], now: Duration) {
        for vehicle in vehicles {
            let (state, tag) = match vehicle {
                SavedVehicle::Released { seq, tag } => {
                    (VehicleState::Released { seq: Some(*seq) }, tag.clone())
                }
                SavedVehicle::BackingOut { tag } => (VehicleState::BackingOut, tag.clone()),
                SavedVehicle::Undecided => {
                    (VehicleState::AwaitingTag { until: now + self.policy.tag_wait }, None)
                }
            };
            let vehicle = self.new_vehicle(state, tag, now);
            self.queue.push_back(vehicle);
        }
    }
}

/// More vehicles than that never stand between the loops.
const LANE_HOLDS: u16 = 64;
