use proptest::prelude::*;

use super::*;

const CAR_M: f64 = 4.5;
const LORRY_M: f64 = 16.0;

/// A lane whose road is watched at every step.
#[derive(Default)]
struct Watched {
    road: LaneRoad,
    appeared: u64,
    /// Rises of the presence loop that are due, and the falls of the safety loop.
    passed: Vec<u64>,
    left: Vec<u64>,
    backed_out: Vec<u64>,
}

impl Watched {
    fn appear(&mut self, length_m: f64) -> CrossingKey {
        assert!(self.road.has_room());
        self.appeared += 1;
        let key = CrossingKey(self.appeared);
        self.road.appear(key, length_m, 7.0);
        key
    }

    fn run(&mut self, seconds: f64) {
        let mut left_s = seconds;
        while left_s > 0.0 {
            self.step(STEP_MAX);
            left_s -= STEP_MAX.as_secs_f64();
        }
    }

    fn step(&mut self, dt: Duration) {
        let mut events = Vec::new();
        self.road.step(dt, &mut events);
        for event in events {
            match event {
                RoadEvent::PassedArm(key) => {
                    assert!(
                        self.road.arm.fraction_up() >= CLEAR_FRACTION,
                        "{key:?} passed an arm that was up {:.2}",
                        self.road.arm.fraction_up()
                    );
                    self.passed.push(key.0);
                }
                RoadEvent::Left(key) => self.left.push(key.0),
                RoadEvent::BackedOut(key) => self.backed_out.push(key.0),
            }
        }
        let vehicles: Vec<&Moving> = self.road.vehicles.iter().collect();
        for pair in vehicles.windows(2) {
            assert!(pair[0].key < pair[1].key, "somebody overtook");
            let gap_m = pair[0].rear_m() - pair[1].front_m;
            assert!(gap_m >= GAP_M - 1e-9, "a gap of {gap_m} m");
        }
        assert_eq!(self.road.struck, 0, "the arm came down on a vehicle");
    }

    fn front_m(&self, key: CrossingKey) -> f64 {
        self.road.vehicles.iter().find(|v| v.key == key).unwrap().front_m
    }
}

#[test]
fn a_driver_waits_at_the_stop_line_while_the_arm_is_down() {
    let mut lane = Watched::default();
    let car = lane.appear(CAR_M);
    lane.run(60.0);
    let front_m = lane.front_m(car);
    assert!((8.8..=9.1).contains(&front_m), "{front_m}");
    assert_eq!(lane.road.head(), Some(car));
    assert!(lane.road.head_stands());
    let inputs = lane.road.inputs();
    assert!(inputs.arm_down && !inputs.arm_up && !inputs.presence && !inputs.safety);
    assert_eq!(lane.road.presence_edges(), EdgeCounts { rises: 1, falls: 1 });
}

#[test]
fn an_open_pulse_lets_the_head_through_and_each_loop_counts_it_once() {
    let mut lane = Watched::default();
    lane.appear(CAR_M);
    lane.run(20.0);
    lane.road.handle_pulse(Pulse::Open);
    lane.run(0.5);
    assert!(!lane.road.inputs().arm_up, "the arm takes 0.8 s");
    lane.run(20.0);
    assert_eq!((lane.passed.as_slice(), lane.left.as_slice()), ([1].as_slice(), [1].as_slice()));
    assert_eq!(lane.road.presence_edges(), EdgeCounts { rises: 1, falls: 1 });
    assert_eq!(lane.road.safety_edges(), EdgeCounts { rises: 1, falls: 1 });
    assert!(lane.road.is_empty());
    lane.road.handle_pulse(Pulse::Close);
    lane.run(1.0);
    assert!(lane.road.inputs().arm_down);
}

#[test]
fn nobody_follows_under_an_arm_that_was_raised_for_another() {
    let mut lane = Watched::default();
    lane.appear(CAR_M);
    lane.run(10.0);
    let second = lane.appear(CAR_M);
    lane.run(20.0);
    lane.road.handle_pulse(Pulse::Open);
    lane.run(60.0);
    assert!(lane.road.inputs().arm_up);
    assert_eq!(lane.left, [1]);
    assert!(lane.front_m(second) <= STOP_LAST_M);
    lane.road.handle_pulse(Pulse::Open);
    lane.run(20.0);
    assert_eq!(lane.left, [1, 2]);
}

#[test]
fn the_arm_does_not_lower_on_an_occupied_loop_and_rises_when_one_becomes_occupied() {
    let mut lane = Watched::default();
    lane.appear(LORRY_M);
    lane.run(20.0);
    lane.road.handle_pulse(Pulse::Open);
    while !lane.road.inputs().safety {
        lane.step(STEP_MAX);
    }
    lane.road.handle_pulse(Pulse::Close);
    while lane.road.inputs().safety {
        assert!(lane.road.inputs().arm_up);
        lane.step(STEP_MAX);
    }
    lane.road.handle_pulse(Pulse::Close);
    lane.run(0.3);
    assert!(!lane.road.inputs().arm_up);
    lane.road.safety.sense(true);
    lane.road.arm.raise_if_lowering();
    lane.run(1.0);
    assert!(lane.road.inputs().arm_up);
}

#[test]
fn an_arm_that_lowers_before_a_driver_who_may_go_stops_the_driver() {
    let mut lane = Watched::default();
    let car = lane.appear(CAR_M);
    while lane.front_m(car) < 4.0 {
        lane.step(STEP_MAX);
    }
    lane.road.handle_pulse(Pulse::Open);
    lane.run(0.8);
    lane.road.handle_pulse(Pulse::Close);
    lane.run(30.0);
    assert_eq!(lane.passed, [] as [u64; 0]);
    assert!(lane.front_m(car) <= STOP_LAST_M);
}

#[test]
fn who_is_turned_back_clears_the_presence_loop_and_those_behind_make_room() {
    for length_m in [CAR_M, LORRY_M] {
        let mut lane = Watched::default();
        let refused = lane.appear(length_m);
        lane.run(10.0);
        lane.appear(CAR_M);
        lane.run(20.0);
        assert!(lane.road.turn_back(refused));
        assert_eq!(lane.road.head(), None);
        lane.run(20.0);
        assert_eq!(lane.backed_out, [1], "{length_m} m");
        assert_eq!(lane.road.safety_edges(), EdgeCounts::default());
        lane.run(20.0);
        assert_eq!(lane.road.head(), Some(CrossingKey(2)));
        let edges = lane.road.presence_edges();
        assert_eq!(edges.rises, edges.falls, "{length_m} m");
        // A car has left the loop when it stands, and crosses it again; a lorry still covers it.
        assert_eq!(edges.rises, if length_m > 10.0 { 2 } else { 3 });
    }
}

#[test]
fn who_has_been_let_through_is_not_turned_back() {
    let mut lane = Watched::default();
    let car = lane.appear(CAR_M);
    lane.run(20.0);
    lane.road.handle_pulse(Pulse::Open);
    assert!(!lane.road.turn_back(car));
    lane.run(20.0);
    assert_eq!(lane.left, [1]);
}

#[derive(Debug, Clone)]
enum Deed {
    Appear(f64),
    Open,
    Close,
    TurnBack,
    Wait(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => prop_oneof![Just(4.5), Just(7.5), Just(9.0), Just(11.0), Just(16.0)].prop_map(Deed::Appear),
        2 => Just(Deed::Open),
        1 => Just(Deed::Close),
        1 => Just(Deed::TurnBack),
        5 => (1_u64..5000).prop_map(Deed::Wait),
    ]
}

proptest! {
    /// Whatever the lane does with its arm: order and gap hold, nobody passes a lowered arm, the
    /// arm strikes nobody (all asserted at every step), and the loops count the vehicles.
    #[test]
    fn vehicles_are_safe_and_counted_whatever_the_lane_does(
        deeds in proptest::collection::vec(deed(), 1..150),
    ) {
        let mut lane = Watched::default();
        for deed in deeds {
            match deed {
                Deed::Appear(length_m) => {
                    if lane.road.has_room() {
                        lane.appear(length_m);
                    }
                }
                Deed::Open => lane.road.handle_pulse(Pulse::Open),
                Deed::Close => lane.road.handle_pulse(Pulse::Close),
                Deed::TurnBack => {
                    if let Some(head) = lane.road.head() {
                        lane.road.turn_back(head);
                    }
                }
                Deed::Wait(ms) => {
                    let mut left = Duration::from_millis(ms);
                    while !left.is_zero() {
                        let dt = left.min(STEP_MAX);
                        lane.step(dt);
                        left -= dt;
                    }
                }
            }
        }
        let safety = lane.road.safety_edges();
        prop_assert_eq!(usize::from(safety.falls), lane.left.len());
        prop_assert!(u64::from(safety.rises) <= lane.appeared);
        let presence = lane.road.presence_edges();
        prop_assert!(usize::from(presence.falls) >= lane.left.len() + lane.backed_out.len());
    }
}
