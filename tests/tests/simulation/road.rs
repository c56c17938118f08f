//! The road: vehicles, loops and arm as they are, whatever anybody knows of them.
//!
//! A vehicle goes when the light is green and nobody stands before it. The I/O module counts edges
//! whether or not anybody listens.

use std::collections::VecDeque;
use std::time::Duration;

use lane_controller::lane::safety::CLEAR_FOR;
use lane_controller::lane::{Event, Inputs};
use rand::RngExt as _;

use super::facts::{ENTRY, EXIT};
use super::happening::Happening;
use super::plan::{Fault, MILLI, MINUTE, SECOND};
use super::whole::Whole;

/// A vehicle on its way over a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crossing {
    pub number: u64,
    pub vehicle: usize,
    /// Whether its tag is read.
    pub reads: bool,
    /// Whether it has set out for the arm.
    pub goes: bool,
    /// Whether it follows the one before it at a red light.
    pub dares: bool,
}

/// The road of one lane.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub inputs: Inputs,
    pub safety_rises: u16,
    pub is_heard: bool,
    pub arm_is_up: bool,
    pub is_green: bool,
    /// Those that have not reached the first loop.
    pub waiting: VecDeque<Crossing>,
    pub on_presence: Option<Crossing>,
    pub on_safety: Option<Crossing>,
    safety_cleared_at: u64,
    presence_cleared_at: u64,
    pub crossed: usize,
    numbers: u64,
}

impl Default for Stretch {
    fn default() -> Self {
        Self {
            inputs: Inputs::default(),
            safety_rises: 0,
            is_heard: true,
            arm_is_up: false,
            is_green: false,
            waiting: VecDeque::new(),
            on_presence: None,
            on_safety: None,
            safety_cleared_at: 0,
            presence_cleared_at: 0,
            crossed: 0,
            numbers: 0,
        }
    }
}

impl Stretch {
    /// Whether no vehicle is on it or waits for it.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.on_presence.is_none() && self.on_safety.is_none()
    }
}

impl Whole {
    /// Lets every vehicle of the seed set out at some time.
    pub(crate) fn plan_road(&mut self) {
        let mut planned = 0;
        // On some days everybody comes at once.
        let span = if self.chance(300) { 3 * MINUTE } else { self.plan.span };
        while planned < self.plan.crossings {
            let at = self.between(5 * SECOND, span);
            // Two of the vehicles are of those that pay nothing or cannot pay.
            let vehicle = match self.dice.random_range(0..10) {
                0 => 49 + self.dice.random_range(0..3),
                _ => self.dice.random_range(0..self.plan.vehicles),
            };
            let reads = self.chance(930);
            if self.chance(400) {
                let takes = self.between(2 * MINUTE, 8 * MINUTE);
                self.after(at, Happening::Comes { lane: ENTRY, vehicle, reads });
                let reads = self.chance(930);
                self.after(at + takes, Happening::Comes { lane: EXIT, vehicle, reads });
                planned += 2;
                self.crossings_to_come += 2;
            } else {
                let lane = self.dice.random_range(0..2);
                self.after(at, Happening::Comes { lane, vehicle, reads });
                planned += 1;
                self.crossings_to_come += 1;
            }
        }
    }

    /// A vehicle has reached the lane.
    pub(crate) fn comes(&mut self, lane: usize, vehicle: usize, reads: bool) {
        if self.now < self.road[lane].presence_cleared_at + SECOND {
            // Nobody drives up so close.
            return self.after(SECOND, Happening::Comes { lane, vehicle, reads });
        }
        self.crossings_to_come -= 1;
        self.road[lane].numbers += 1;
        let number = self.road[lane].numbers;
        self.road[lane].waiting.push_back(Crossing {
            number,
            vehicle,
            reads,
            goes: false,
            dares: false,
        });
        self.next_comes(lane);
    }

    fn next_comes(&mut self, lane: usize) {
        if self.road[lane].on_presence.is_some() {
            return;
        }
        let Some(crossing) = self.road[lane].waiting.pop_front() else { return };
        self.tell(|_| format!("lane {lane}: vehicle {} comes", crossing.vehicle));
        let road = &mut self.road[lane];
        road.on_presence = Some(crossing);
        road.inputs.presence = true;
        road.inputs.presence_rises = road.inputs.presence_rises.wrapping_add(1);
        self.lane_hears(lane, Event::PresenceRose);
        if crossing.reads {
            let crossing = crossing.number;
            let first = self.between(50 * MILLI, 1_500 * MILLI);
            self.after(first, Happening::TagRead { lane, crossing });
            self.after(first + 300 * MILLI, Happening::TagRead { lane, crossing });
            if self.chance(50) {
                // The neighbour's antenna reads it too.
                let other = [1, 0, 3, 2][lane];
                self.neighbour_reads(other, self.road[lane].on_presence.map_or(0, |c| c.vehicle));
            }
        }
        self.sees_light(lane);
    }

    fn neighbour_reads(&mut self, lane: usize, vehicle: usize) {
        let tag = self.facts.vehicles[vehicle].tag.clone();
        let at = self.lane_uptime(lane);
        self.lane_hears(lane, Event::TagSeen { tag, at });
    }

    /// The reader has read the tag of the vehicle, if it is still there.
    pub(crate) fn tag_read(&mut self, lane: usize, crossing: u64) {
        let here = self.road[lane].on_presence.filter(|here| here.number == crossing);
        if let Some(here) = here {
            let tag = self.facts.vehicles[here.vehicle].tag.clone();
            let at = self.lane_uptime(lane);
            self.lane_hears(lane, Event::TagSeen { tag, at });
        }
    }

    /// The first vehicle sets out where the light is green.
    pub(crate) fn sees_light(&mut self, lane: usize) {
        let road = &mut self.road[lane];
        let may_go = road.is_green && road.arm_is_up && road.on_safety.is_none();
        let Some(crossing) = road.on_presence.as_mut().filter(|first| may_go && !first.goes) else {
            return;
        };
        crossing.goes = true;
        let crossing = crossing.number;
        let takes = self.between(500 * MILLI, 4 * SECOND);
        self.after(takes, Happening::DrivesOff { lane, crossing });
    }

    /// It is on the safety loop, unless the light has changed.
    pub(crate) fn drives_off(&mut self, lane: usize, crossing: u64) {
        let road = &mut self.road[lane];
        let Some(first) = road.on_presence.as_mut().filter(|first| first.number == crossing) else {
            return;
        };
        if !(road.is_green || first.dares) || !road.arm_is_up {
            first.goes = false;
            return;
        }
        road.on_safety = Some(*first);
        road.inputs.safety = true;
        road.safety_rises = road.safety_rises.wrapping_add(1);
        self.monitor_sees(lane, true);
        self.lane_hears(lane, Event::SafetyRose);
        self.after(400 * MILLI, Happening::LeavesPresence { lane, crossing });
        let takes = self.between(1_200 * MILLI, 3 * SECOND);
        self.after(takes, Happening::LeavesSafety { lane, crossing });
    }

    /// It has left the presence loop; the next one comes.
    pub(crate) fn leaves_presence(&mut self, lane: usize, crossing: u64) {
        if self.road[lane].on_presence.is_none_or(|first| first.number != crossing) {
            return;
        }
        self.presence_falls(lane);
    }

    fn presence_falls(&mut self, lane: usize) {
        let now = self.now;
        let road = &mut self.road[lane];
        road.presence_cleared_at = now;
        road.on_presence = None;
        road.inputs.presence = false;
        road.inputs.presence_falls = road.inputs.presence_falls.wrapping_add(1);
        self.lane_hears(lane, Event::PresenceFell);
        let pause = self.between(SECOND, 5 * SECOND);
        // Whoever comes next keeps a distance.
        let next = self.road[lane].waiting.pop_front();
        if let Some(next) = next {
            self.crossings_to_come += 1;
            let (vehicle, reads) = (next.vehicle, next.reads);
            self.after(pause, Happening::Comes { lane, vehicle, reads });
        }
    }

    /// It is gone.
    pub(crate) fn leaves_safety(&mut self, lane: usize, crossing: u64) {
        let now = self.now;
        let road = &mut self.road[lane];
        if road.on_safety.is_none_or(|last| last.number != crossing) {
            return;
        }
        road.on_safety = None;
        road.inputs.safety = false;
        road.inputs.safety_falls = road.inputs.safety_falls.wrapping_add(1);
        road.safety_cleared_at = now;
        road.crossed += 1;
        self.tell(|_| format!("lane {lane}: a vehicle has gone"));
        self.monitor_sees(lane, true);
        self.lane_hears(lane, Event::SafetyFell);
        self.sees_light(lane);
        if self.plan.has(Fault::FieldSilent) && self.fault_of(300) {
            self.somebody_dares(lane);
        }
    }

    /// The next vehicle follows while the arm is still up, and just then the loops fall silent.
    fn somebody_dares(&mut self, lane: usize) {
        let road = &mut self.road[lane];
        let may = road.arm_is_up && road.is_heard && road.on_safety.is_none();
        let Some(next) = road.on_presence.as_mut().filter(|next| may && !next.goes) else {
            return;
        };
        (next.goes, next.dares) = (true, true);
        let crossing = next.number;
        self.reached.insert("a vehicle followed at a red light");
        let takes = self.between(100 * MILLI, 900 * MILLI);
        self.after(takes, Happening::DrivesOff { lane, crossing });
        if self.chance(500) {
            self.field_falls_silent(lane);
            self.after(5 * SECOND, Happening::FieldIsBack { lane });
        }
    }

    /// A vehicle that was turned away has backed out.
    pub(crate) fn backs_out(&mut self, lane: usize, crossing: u64) {
        let here = self.road[lane].on_presence;
        if here.is_some_and(|first| first.number == crossing && !first.goes) {
            self.tell(|_| format!("lane {lane}: a vehicle backs out"));
            self.presence_falls(lane);
        }
    }

    /// Loops and arm answer again.
    pub(crate) fn field_is_back(&mut self, lane: usize) {
        self.road[lane].is_heard = true;
        self.lane_restores(lane);
    }

    /// The arm goes up; the light is green.
    pub(crate) fn arm_rises(&mut self, lane: usize) {
        self.road[lane].arm_is_up = true;
        self.road[lane].is_green = true;
        self.sees_light(lane);
    }

    /// The arm comes down: never on a vehicle, nor just behind one.
    pub(crate) fn arm_falls(&mut self, lane: usize) {
        let road = &mut self.road[lane];
        let clear_for = Duration::from_micros(self.now - road.safety_cleared_at);
        let spares = road.on_safety.is_none() && (road.crossed == 0 || clear_for >= CLEAR_FOR);
        (road.arm_is_up, road.is_green) = (false, false);
        if !spares {
            self.fails(|| format!("I15: the arm of lane {lane} comes down on a vehicle"));
        }
    }
}
