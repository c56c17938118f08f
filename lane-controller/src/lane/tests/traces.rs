//! Whatever happens, in whatever order.
//!
//! `LANE_TRACES` says how many traces of lane and monitor are tried; a seed that fails is named.

use proptest::prelude::*;

use super::safety::{CLEAR_FOR, SafetyMonitor};
use super::*;

/// How many traces a run of all tests tries.
const TRACES: u64 = 20_000;

/// A generator that a seed repeats (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// The shell's part of a lane, and what is really on its loops.
struct Plaza<'a> {
    known: Knowledge<'a>,
    lane: Lane,
    monitor: SafetyMonitor,
    now: Duration,
    presence: bool,
    safety: bool,
    hears: bool,
    close_wanted: bool,
    closes: u64,
    /// The last instant at which the safety loop was occupied or not heard of.
    not_clear_at: Duration,
    recorded: std::collections::HashSet<u64>,
    none: u64,
    seq: u64,
    /// Passages of vehicles that were not sent away.
    gone: u64,
    /// Times the safety loop became free.
    pulses: u64,
}

impl Plaza<'_> {
    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Record { vehicle, draft } => {
                    self.seq += 1;
                    self.gone += u64::from(draft.decision != Decision::TurnedAway);
                    self.recorded.insert(vehicle);
                    self.lane.recorded(vehicle, self.seq);
                }
                Action::NoVehicle { vehicle } => {
                    assert!(!self.recorded.contains(&vehicle));
                    self.none += 1;
                }
                Action::Open => self.close_wanted = false,
                Action::Close => self.close_wanted = true,
                Action::Red
                | Action::Siren
                | Action::AskCentre { .. }
                | Action::Case { .. }
                | Action::Tell(_)
                | Action::Confirm { .. }
                | Action::Obeyed
                | Action::Refuse { .. } => {}
            }
        }
    }

    /// Lowers the arm where the core wants it and the monitor lets it, as the shell does.
    fn close(&mut self) {
        if self.close_wanted && self.monitor.may_close(self.now) {
            self.close_wanted = false;
            self.closes += 1;
            assert!(self.hears && !self.safety, "closes on a vehicle");
            assert!(self.now - self.not_clear_at >= CLEAR_FOR, "closes just behind a vehicle");
        }
    }

    fn pass_time(&mut self, until: Duration) {
        while let Some(at) = self.lane.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let actions = self.lane.handle_deadline(self.now, &self.known);
            self.carry_out(actions);
            self.close();
        }
        if let Some(at) = self.monitor.may_close_at().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.close();
        }
        self.now = until;
        if self.safety || !self.hears {
            self.not_clear_at = self.now;
        }
    }

    fn handle(&mut self, event: Event) {
        let actions = self.lane.handle(event, self.now, &self.known);
        self.carry_out(actions);
        self.close();
    }

    fn step(&mut self, dice: &mut Dice, events: &[Event]) {
        let pause = [5, 50, 400, 1_500, 20_000][usize::try_from(dice.below(5)).unwrap()];
        self.pass_time(self.now + Duration::from_millis(dice.below(pause)));
        match dice.below(12) {
            0..3 if self.hears => {
                self.presence = !self.presence;
                let rose = self.presence;
                self.handle(if rose { Event::PresenceRose } else { Event::PresenceFell });
            }
            3..6 if self.hears => {
                self.safety = !self.safety;
                self.not_clear_at = self.now;
                self.monitor.sees(Some(self.safety), true, self.now);
                self.pulses += u64::from(!self.safety);
                self.handle(if self.safety { Event::SafetyRose } else { Event::SafetyFell });
            }
            6 if self.hears => {
                self.hears = false;
                self.not_clear_at = self.now;
                self.monitor.sees(None, true, self.now);
                self.handle(Event::FieldLost);
            }
            6..8 if !self.hears => {
                self.hears = true;
                self.not_clear_at = self.now;
                self.monitor.sees(Some(self.safety), true, self.now);
                let inputs = self.lane.inputs.unwrap_or_default();
                let inputs = Inputs { presence: self.presence, safety: self.safety, ..inputs };
                self.handle(Event::Restored { inputs, saved: None });
            }
            _ => {
                let event =
                    events[usize::try_from(dice.below(events.len() as u64)).unwrap()].clone();
                self.handle(told_at(event, self.now));
            }
        }
        let undecided = self.lane.queue.iter().filter(|vehicle| !vehicle.recorded).count();
        assert_eq!(
            self.lane.vehicles,
            self.recorded.len() as u64 + self.none + undecided as u64,
            "a vehicle without a passage and without a word"
        );
        if self.lane.policy.layout == Layout::Barrier {
            let counts = self.lane.saved().counts;
            assert_eq!(counts.crossings, self.pulses);
            assert_eq!(
                self.gone + counts.repeats + counts.strays,
                counts.crossings + counts.unseen + counts.turned_back + counts.between,
                "the loops and the passages: {counts:?}"
            );
        }
    }
}

fn other_events() -> Vec<Event> {
    let mut words: Vec<String> = NAMES.iter().map(|name| format!("tag {name}")).collect();
    for call in 0..5 {
        words.extend(
            ["by-plate", "cash", "turn-away", "fault", "retry"]
                .map(|verb| format!("{verb} {call}")),
        );
        words.extend([1, 2, 5].map(|group| format!("group-is {call} {group}")));
    }
    let others = [
        "reversed",
        "elsewhere good",
        "centre has-money 1",
        "centre unknown 2",
        "group 3 surely",
        "camera surely",
        "convoy a b",
        "convoy a b 2",
        "convoy-ends",
        "mode automatic",
        "mode automatic",
        "mode attended",
        "mode etc-only",
        "mode closed",
        "mode maintenance",
    ];
    words.extend(others.map(str::to_owned));
    let mut world = World::new();
    words.iter().map(|word| event(word, &mut world)).chain([Event::ListChanged]).collect()
}

/// The arm is never commanded down on or just behind a vehicle, or while nobody knows; and every
/// vehicle that was counted has a passage, or was found to be none, or still stands undecided.
#[test]
fn whatever_happens_the_arm_spares_vehicles_and_every_vehicle_is_accounted_for() {
    let traces = std::env::var("LANE_TRACES").map_or(TRACES, |text| text.parse().unwrap());
    let world = World::new();
    let events = other_events();
    let question = Duration::from_millis(200);
    let (mut closes, mut passages, mut none) = (0, 0, 0);
    for seed in 1..=traces {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let layout = if dice.below(8) == 0 { Layout::FreeFlow } else { Layout::Barrier };
        let policy = LanePolicy { layout, question, ..LanePolicy::default() };
        let id: LaneId = "op/ben-thuy/l01".parse().unwrap();
        let mut plaza = Plaza {
            known: world.known(),
            lane: Lane::new(id, LaneRole::Open, policy),
            monitor: SafetyMonitor::default(),
            now: Duration::from_secs(10),
            presence: false,
            safety: false,
            hears: false,
            close_wanted: false,
            closes: 0,
            not_clear_at: Duration::from_secs(10),
            recorded: std::collections::HashSet::new(),
            none: 0,
            seq: 0,
            gone: 0,
            pulses: 0,
        };
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..30 {
                plaza.step(&mut dice, &events);
            }
        }));
        assert!(told.is_ok(), "trace {seed}");
        closes += plaza.closes;
        passages += plaza.seq;
        none += plaza.none;
    }
    // A generator that reaches nothing proves nothing.
    assert!(
        closes > traces / 2 && passages > traces && none > traces / 100,
        "{closes} {passages} {none}"
    );
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::PresenceRose),
        4 => Just(Event::PresenceFell),
        4 => Just(Event::SafetyRose),
        4 => Just(Event::SafetyFell),
        6 => (0..NAMES.len()).prop_map(|name| Event::TagSeen { tag: tag(NAMES[name]), at: Duration::ZERO }),
        1 => Just(Event::ListChanged),
        1 => Just(Event::FieldLost),
        3 => (1_u64..6, 0..3).prop_map(|(call, verb)| {
            let mut world = World::new();
            let verb = ["by-plate", "cash", "turn-away"][usize::try_from(verb).unwrap()];
            event(&format!("{verb} {call}"), &mut world)
        }),
    ]
}

proptest! {
    /// Whatever happens, in whatever order: nothing opens without its passage written before, and no
    /// vehicle has two passages that let it through.
    #[test]
    fn an_open_command_always_stands_behind_a_written_passage(
        events in prop::collection::vec((any_event(), 0_u64..4_000), 1..80)
    ) {
        let world = World::new();
        let mut lane = lane(LaneRole::Open);
        let mut now = Duration::from_secs(10);
        let mut written = std::collections::HashSet::new();
        let mut seq = 0;
        for (event, pause_ms) in events {
            now += Duration::from_millis(pause_ms);
            let mut actions = lane.handle_deadline(now, &world.known());
            actions.extend(lane.handle(told_at(event, now), now, &world.known()));
            for action in actions {
                match action {
                    Action::Record { vehicle, draft } => {
                        let goes = draft.decision.went_through();
                        prop_assert!(!goes || written.insert(vehicle), "vehicle {} goes twice", vehicle);
                        seq += 1;
                        lane.recorded(vehicle, seq);
                    }
                    Action::Open => {
                        let head = lane.queue.front().unwrap();
                        prop_assert!(written.contains(&head.number));
                        prop_assert!(matches!(head.state, VehicleState::Released { seq: Some(_), .. }), "{:?}", head);
                    }
                    _ => {}
                }
            }
            prop_assert!(lane.next_deadline().is_none_or(|at| at + Duration::from_secs(60) > now));
        }
    }
}
