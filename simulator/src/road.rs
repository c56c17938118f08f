//! The road of one lane: vehicles that drive, loops that feel them, and the arm.
//!
//! Pure kinematics, stepped in run time by at most [`STEP_MAX`]. Metres along the lane, in the
//! direction of travel, from the first edge of the presence loop:
//!
//! ```text
//!   -60        -4        0   2        8  9  9.5 10      12.5
//!   appears    antenna → presence      ← antenna │  arm  safety loop ends
//!                                        stop line
//! ```
//!
//! A driver keeps eight metres to the vehicle ahead (the rule of such lanes), comes up to the stop
//! line, and goes on when the arm is fully up *and* has been told to rise for this vehicle: a
//! driver does not follow another under an arm that was raised for the one ahead.
//!
//! The arm belongs to its device, which has a reflex of its own: it does not lower on an occupied
//! safety loop, and a loop that becomes occupied while it lowers sends it up again.

mod arm;
mod detector;

use std::collections::VecDeque;
use std::time::Duration;

use domain::VehicleGroup;

use arm::Arm;
use detector::Detector;

pub use detector::EdgeCounts;

/// The longest step of the kinematics.
pub const STEP_MAX: Duration = Duration::from_millis(50);

const APPEARS_M: f64 = -60.0;
const ZONE_BEGIN_M: f64 = -4.0;
const ZONE_END_M: f64 = 8.0;
const PRESENCE_BEGIN_M: f64 = 0.0;
const PRESENCE_END_M: f64 = 2.0;
const STOP_LINE_M: f64 = 9.0;
/// The last place to stop without touching the safety loop.
const STOP_LAST_M: f64 = 9.45;
const SAFETY_BEGIN_M: f64 = 9.5;
const ARM_M: f64 = 10.0;
const SAFETY_END_M: f64 = 12.5;
/// Past here nobody behind minds any more.
const GONE_M: f64 = 25.0;
/// A vehicle that backs out turns off to the side once its front is here.
const BACKED_OUT_M: f64 = -1.0;

/// Who is no farther from the stop line than that, and no faster, stands at it.
const AT_LINE_M: f64 = 0.5;
const STANDING_MPS: f64 = 0.3;
/// Who stands at the last place may be past it by a rounding error.
const ROUNDING_M: f64 = 1e-6;

const GAP_M: f64 = 8.0;
/// The windscreen, with the tag, is this far behind the front.
const WINDSCREEN_M: f64 = 1.5;
/// 15 km/h between presence loop and arm.
const GATE_MPS: f64 = 4.2;
const REVERSE_MPS: f64 = 1.5;
const PULL_AWAY_MPS2: f64 = 2.0;
const BRAKE_MPS2: f64 = 2.5;
const EMERGENCY_MPS2: f64 = 6.0;
/// An arm that is up less than this is in the way.
const CLEAR_FRACTION: f64 = 0.5;

/// One vehicle's try to pass one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrossingKey(pub(crate) u64);

/// A pulse from the field I/O.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// Raise the arm.
    Open,
    /// Lower the arm.
    Close,
}

/// What the loops and the arm's switches say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inputs {
    /// The presence loop is occupied.
    pub presence: bool,
    /// The safety loop is occupied.
    pub safety: bool,
    /// The arm is fully up.
    pub arm_up: bool,
    /// The arm is fully down.
    pub arm_down: bool,
}

/// What happened on the road.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoadEvent {
    /// The front has passed the arm.
    PassedArm(CrossingKey),
    /// The rear has left the safety loop.
    Left(CrossingKey),
    /// The vehicle has backed out.
    BackedOut(CrossingKey),
}

/// How long a vehicle of a group is, in metres. Groups are of seats and tonnes; lengths are ours.
#[must_use]
pub fn length_m(group: VehicleGroup) -> f64 {
    match group.number() {
        1 => 4.5,
        2 => 7.5,
        3 => 9.0,
        4 => 11.0,
        _ => 16.0,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Forward,
    BackingOut,
}

#[derive(Debug, Clone)]
struct Moving {
    key: CrossingKey,
    length_m: f64,
    approach_mps: f64,
    front_m: f64,
    speed_mps: f64,
    course: Course,
    /// The arm has been told to rise for this vehicle.
    opened: bool,
    struck: bool,
}

impl Moving {
    fn rear_m(&self) -> f64 {
        self.front_m - self.length_m
    }

    fn windscreen_m(&self) -> f64 {
        self.front_m - WINDSCREEN_M
    }

    fn covers(&self, begin_m: f64, end_m: f64) -> bool {
        self.front_m > begin_m && self.rear_m() < end_m
    }

    /// As fast as the place allows, other vehicles and the arm aside.
    fn cruise_mps(&self) -> f64 {
        if self.front_m >= SAFETY_END_M {
            return self.approach_mps;
        }
        let to_presence_m = (PRESENCE_BEGIN_M - self.front_m).max(0.0);
        let slowing = (GATE_MPS * GATE_MPS + 2.0 * BRAKE_MPS2 * to_presence_m).sqrt();
        slowing.min(self.approach_mps)
    }
}

/// One lane's road.
#[derive(Debug, Clone, Default)]
pub struct LaneRoad {
    /// The head first.
    vehicles: VecDeque<Moving>,
    arm: Arm,
    presence: Detector,
    safety: Detector,
    struck: u64,
}

impl LaneRoad {
    /// An empty lane with its arm down.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a vehicle can appear.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.vehicles.back().is_none_or(|last| last.rear_m() - GAP_M >= APPEARS_M)
    }

    /// Vehicles that have appeared and have not left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.vehicles.len()
    }

    /// Whether nobody is in the lane.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vehicles.is_empty()
    }

    /// Lets a vehicle appear; there must be room.
    pub fn appear(&mut self, key: CrossingKey, length_m: f64, approach_mps: f64) {
        let room_m =
            self.vehicles.back().map_or(f64::MAX, |last| last.rear_m() - GAP_M - APPEARS_M);
        self.vehicles.push_back(Moving {
            key,
            length_m,
            approach_mps,
            front_m: APPEARS_M,
            speed_mps: approach_mps.min(stopping_speed_mps(BRAKE_MPS2, room_m)),
            course: Course::Forward,
            opened: false,
            struck: false,
        });
    }

    /// Takes a pulse for the arm. One to rise is meant for the first vehicle before the arm, if it
    /// is in the antenna's zone already.
    pub fn handle_pulse(&mut self, pulse: Pulse) {
        match pulse {
            Pulse::Open => {
                self.arm.raise();
                if let Some(next) = self.vehicles.iter_mut().find(|v| v.front_m < ARM_M)
                    && next.windscreen_m() >= ZONE_BEGIN_M
                    && next.course == Course::Forward
                {
                    next.opened = true;
                }
            }
            Pulse::Close => {
                if !self.safety.is_occupied() {
                    self.arm.lower();
                }
            }
        }
    }

    /// The first vehicle before the arm, once it has come onto the presence loop and unless it is
    /// backing out.
    #[must_use]
    pub fn head(&self) -> Option<CrossingKey> {
        self.vehicles
            .iter()
            .find(|v| v.front_m < ARM_M)
            .filter(|v| v.front_m > PRESENCE_BEGIN_M && v.course == Course::Forward)
            .map(|v| v.key)
    }

    /// Whether the head has come to a stand at the line.
    #[must_use]
    pub fn head_stands(&self) -> bool {
        let head = self.vehicles.iter().find(|v| v.front_m < ARM_M);
        head.is_some_and(|v| STOP_LINE_M - v.front_m < AT_LINE_M && v.speed_mps < STANDING_MPS)
    }

    /// Makes the head back out, unless it has been let through meanwhile; says whether it does.
    pub fn turn_back(&mut self, key: CrossingKey) -> bool {
        let head = self.vehicles.iter_mut().find(|v| v.front_m < ARM_M);
        match head {
            Some(head)
                if head.key == key
                    && head.front_m < SAFETY_BEGIN_M
                    && (!head.opened || self.arm.is_down()) =>
            {
                head.course = Course::BackingOut;
                head.speed_mps = 0.0;
                true
            }
            _ => false,
        }
    }

    /// What loops and arm say.
    #[must_use]
    pub fn inputs(&self) -> Inputs {
        Inputs {
            presence: self.presence.is_occupied(),
            safety: self.safety.is_occupied(),
            arm_up: self.arm.is_up(),
            arm_down: self.arm.is_down(),
        }
    }

    /// The edges that the presence loop has seen.
    #[must_use]
    pub fn presence_edges(&self) -> EdgeCounts {
        self.presence.edges()
    }

    /// The edges that the safety loop has seen.
    #[must_use]
    pub fn safety_edges(&self) -> EdgeCounts {
        self.safety.edges()
    }

    /// Vehicles that the arm came down on.
    #[must_use]
    pub fn struck(&self) -> u64 {
        self.struck
    }

    /// Whose windscreen is in the antenna's zone, and where in it, from -1 to 1.
    pub fn in_zone(&self) -> impl Iterator<Item = (CrossingKey, f64)> {
        let middle_m = f64::midpoint(ZONE_BEGIN_M, ZONE_END_M);
        let half_m = ZONE_END_M - middle_m;
        self.vehicles
            .iter()
            .map(move |v| (v.key, (v.windscreen_m() - middle_m) / half_m))
            .filter(|(_, place)| place.abs() <= 1.0)
    }

    /// Lets `dt` of run time pass, at most [`STEP_MAX`].
    pub fn step(&mut self, dt: Duration, events: &mut Vec<RoadEvent>) {
        debug_assert!(dt <= STEP_MAX, "the kinematics hold for short steps only");
        let dt_s = dt.as_secs_f64();
        self.arm.step(dt_s);
        self.drive(dt_s, events);
        self.feel();
        while self.vehicles.front().is_some_and(|first| first.rear_m() > GONE_M) {
            self.vehicles.pop_front();
        }
        self.vehicles.retain(|v| {
            let out = v.course == Course::BackingOut && v.front_m <= BACKED_OUT_M;
            if out {
                events.push(RoadEvent::BackedOut(v.key));
            }
            !out
        });
    }

    fn drive(&mut self, dt_s: f64, events: &mut Vec<RoadEvent>) {
        let arm_up = self.arm.is_up();
        let mut ahead_rear_m = f64::INFINITY;
        let mut ahead_backs = false;
        for vehicle in &mut self.vehicles {
            let (front_before_m, rear_before_m) = (vehicle.front_m, vehicle.rear_m());
            let limit_m = ahead_rear_m - GAP_M;
            match vehicle.course {
                Course::BackingOut => vehicle.front_m -= REVERSE_MPS * dt_s,
                // Who is behind one that backs out makes room.
                Course::Forward if ahead_backs && vehicle.front_m > limit_m => {
                    vehicle.front_m = limit_m;
                    vehicle.speed_mps = 0.0;
                }
                Course::Forward => drive_on(vehicle, limit_m, arm_up && vehicle.opened, dt_s),
            }
            if front_before_m < ARM_M && vehicle.front_m >= ARM_M {
                events.push(RoadEvent::PassedArm(vehicle.key));
            }
            if rear_before_m < SAFETY_END_M && vehicle.rear_m() >= SAFETY_END_M {
                events.push(RoadEvent::Left(vehicle.key));
            }
            ahead_backs = vehicle.front_m < front_before_m;
            ahead_rear_m = vehicle.rear_m();
        }
    }

    /// Loops, the arm's reflex, and whether somebody is under an arm that is not up.
    fn feel(&mut self) {
        let covered =
            |begin_m, end_m| self.vehicles.iter().any(|v: &Moving| v.covers(begin_m, end_m));
        let presence = covered(PRESENCE_BEGIN_M, PRESENCE_END_M);
        let safety = covered(SAFETY_BEGIN_M, SAFETY_END_M);
        self.presence.sense(presence);
        self.safety.sense(safety);
        if safety {
            self.arm.raise_if_lowering();
        }
        if self.arm.fraction_up() < CLEAR_FRACTION {
            for vehicle in &mut self.vehicles {
                if !vehicle.struck && vehicle.covers(ARM_M, ARM_M) {
                    vehicle.struck = true;
                    self.struck += 1;
                }
            }
        }
    }
}

/// Moves a vehicle forward: never past `limit_m`, and not past the stop line unless `may_pass`.
fn drive_on(vehicle: &mut Moving, limit_m: f64, may_pass: bool, dt_s: f64) {
    let to_limit_m = (limit_m - vehicle.front_m).max(0.0);
    let mut speed_mps = (vehicle.speed_mps + PULL_AWAY_MPS2 * dt_s)
        .min(vehicle.cruise_mps())
        .min(stopping_speed_mps(BRAKE_MPS2, to_limit_m));
    let mut way_m = to_limit_m;
    // Past the last place to stop, or too fast to stop there: nothing is left but to go on, and
    // the safety loop keeps the arm up.
    let to_last_m = STOP_LAST_M - vehicle.front_m;
    let committed = vehicle.speed_mps > stopping_speed_mps(EMERGENCY_MPS2, to_last_m);
    if !may_pass && to_last_m >= -ROUNDING_M && !committed {
        let to_line_m = (STOP_LINE_M - vehicle.front_m).max(0.0);
        let hard_mps = vehicle.speed_mps - EMERGENCY_MPS2 * dt_s;
        speed_mps = speed_mps.min(stopping_speed_mps(BRAKE_MPS2, to_line_m).max(hard_mps));
        way_m = way_m.min(to_last_m.max(0.0));
    }
    let step_m = (speed_mps * dt_s).min(way_m);
    vehicle.speed_mps = step_m / dt_s;
    vehicle.front_m += step_m;
}

/// The speed from which one stops within `way_m`.
fn stopping_speed_mps(deceleration_mps2: f64, way_m: f64) -> f64 {
    (2.0 * deceleration_mps2 * way_m.max(0.0)).sqrt()
}

#[cfg(test)]
mod tests;
