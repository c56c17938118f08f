//! Stories of a lane, read as they are told: a time in milliseconds and what happened; behind
//! `>` what the lane did.
//!
//! Tags: `good` has money, `poor` has none, `pass` holds a month pass, `exempt` is exempt,
//! `stranger` is on no list, `low` is about to have none, `closed` is closed, `old` is not converted.
//! A new story about a situation of the road goes to `situations`.

use std::fmt::Write as _;

use super::*;
use crate::entries::EntryBook;
use domain::account_list::{AccountList, ListChange, ListEntry, ListStatus, PassOnList};
use domain::passage::ClockQuality;
use domain::tariff::{Segment, Tariff, TariffBook};
use domain::wire::v1::{EntryRecord, ReasonRecord, Verb};
use domain::{Currency, Plate, StationId, Timestamp, VehicleGroup};

/// Stories of what the desk orders besides letting through and sending back.
mod orders;
/// Stories of ordinary passages.
mod passages;
/// Stories of restarts and silent loops.
mod restart;
/// The rows of `docs/situations.md`.
mod rows;
/// Stories of the situations of `docs/situations.md`.
mod situations;
/// Stories of tags and lists among them.
mod tags;
/// Stories of vehicles bumper to bumper.
mod tailgating;
/// Traces that nobody wrote.
mod traces;

const NAMES: [&str; 9] =
    ["good", "poor", "pass", "exempt", "blocked", "stranger", "low", "closed", "old"];

fn tag(name: &str) -> TagId {
    let serial = NAMES.iter().position(|known| *known == name).unwrap();
    TagId::try_from_slice(&[0x34, 0x16, 0, u8::try_from(serial).unwrap()]).unwrap()
}

fn at() -> Timestamp {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

/// Everything a lane of the stories knows.
struct World {
    list: AccountList,
    tariffs: TariffBook,
    entries: EntryBook,
}

impl World {
    fn new() -> Self {
        let entry = |name: &str, status| ListEntry {
            tag: tag(name),
            status,
            group: VehicleGroup::try_new(1).unwrap(),
            exempt: name == "exempt",
            pass: (name == "pass").then(|| PassOnList {
                pass: 1,
                station: StationId::try_new("ben-thuy").unwrap(),
                until: "2026-04-01T00:00:00Z".parse().unwrap(),
            }),
        };
        let entries = [
            entry("good", ListStatus::Good),
            entry("poor", ListStatus::NoMoney),
            entry("pass", ListStatus::Good),
            entry("exempt", ListStatus::NoMoney),
            entry("blocked", ListStatus::Blocked),
            entry("low", ListStatus::Low),
            entry("closed", ListStatus::Closed),
            entry("old", ListStatus::NotConverted),
        ];
        let mut list = AccountList::default();
        let delta = list.plan(entries.into_iter().map(ListChange::Upsert).collect(), at());
        list.apply(&delta).unwrap();
        let operator = domain::OperatorId::try_new("op").unwrap();
        let mut tariff =
            Tariff::new("v1".into(), operator, Currency::VND, Timestamp::UNIX_EPOCH, "test".into());
        let group = VehicleGroup::try_new(1).unwrap();
        let station = |name| StationId::try_new(name).unwrap();
        let amount = |units| Amount::try_new(units).unwrap();
        tariff.add(Segment::Pass { station: station("ben-thuy") }, group, amount(47_000)).unwrap();
        let second = VehicleGroup::try_new(2).unwrap();
        tariff.add(Segment::Pass { station: station("ben-thuy") }, second, amount(64_000)).unwrap();
        let trip = Segment::Trip { entry: station("a"), exit: station("z") };
        tariff.add(trip, group, amount(40_516)).unwrap();
        let mut tariffs = TariffBook::default();
        tariffs.insert(tariff);
        let mut entries = EntryBook::default();
        entries.note(EntryRecord {
            v: 1,
            passage: "op/a/e01:1:1".parse().unwrap(),
            station: station("a"),
            at: at(),
            tag: Some(tag("good")),
            plate: Some(Plate::try_new("37A12345").unwrap()),
            group: Some(group),
        });
        Self { list, tariffs, entries }
    }

    fn known(&self) -> Knowledge<'_> {
        Knowledge {
            list: &self.list,
            tariffs: &self.tariffs,
            entries: &self.entries,
            at: at(),
            clock: ClockQuality::Synchronised,
        }
    }

    fn pay_in(&mut self, name: &str) {
        let mut entry = self.list.find(&tag(name)).unwrap().clone();
        entry.status = ListStatus::Good;
        let delta = self.list.plan(vec![ListChange::Upsert(entry)], at());
        self.list.apply(&delta).unwrap();
    }
}

fn lane(role: LaneRole) -> Lane {
    lane_with(role, LanePolicy::default())
}

fn lane_with(role: LaneRole, policy: LanePolicy) -> Lane {
    let station = match role {
        LaneRole::Open => "ben-thuy",
        LaneRole::Entry => "a",
        LaneRole::Exit => "z",
    };
    let id: LaneId = format!("op/{station}/l01").parse().unwrap();
    let mut lane = Lane::new(id, role, policy);
    let world = World::new();
    let restored = Event::Restored { inputs: Inputs::default(), saved: None };
    let _closes_at_first = lane.handle(restored, Duration::ZERO, &world.known());
    let _closes_at_first = lane.handle_deadline(Duration::from_secs(1), &world.known());
    lane
}

fn describe(action: &Action) -> String {
    match action {
        Action::Record { draft, .. } => {
            let corrected = draft.attendance.as_ref().and_then(|by| by.corrected);
            let mut text = format!("Record {:?} {:?}", draft.decision, draft.payment);
            if let Some(fare) = draft.fare {
                write!(text, " {}", fare.minor_units()).unwrap();
            }
            if let Some(exception) = draft.exception {
                write!(text, " after {exception:?}").unwrap();
            }
            if let (Some(correction), Some(to)) = (corrected, draft.group) {
                let from = correction.from.map(VehicleGroup::number);
                write!(text, " as {to} and not {from:?}").unwrap();
            }
            text
        }
        Action::Tell(EventKind::CallRaised { call, exception, .. }) => {
            format!("Call {call} {exception:?}")
        }
        Action::Tell(EventKind::CallEnded { call }) => format!("CallEnded {call}"),
        Action::Tell(EventKind::VehicleArrived { queue }) => format!("Arrived {queue}"),
        Action::Tell(EventKind::VehicleLeft { queue }) => format!("Left {queue}"),
        Action::Tell(EventKind::Violation) => "Violation".to_owned(),
        Action::Tell(EventKind::Alarm { text }) => format!("Alarm: {text}"),
        Action::Tell(EventKind::ModeOrdered { mode, .. }) => format!("Mode {mode:?}"),
        Action::Tell(EventKind::ConvoyBegan { convoy }) => {
            format!("ConvoyBegan {} and {}", convoy.by, convoy.second)
        }
        Action::Tell(EventKind::ConvoyEnded { vehicles, .. }) => format!("ConvoyEnded {vehicles}"),
        Action::Tell(other) => format!("{other:?}"),
        Action::Refuse { why } => format!("Refuse: {why}"),
        Action::Case { case, .. } => format!("Case: {}", case.text()),
        Action::AskCentre { vehicle, .. } => format!("AskCentre {vehicle}"),
        Action::NoVehicle { vehicle } => format!("NoVehicle {vehicle}"),
        Action::Confirm { seq: Some(seq) } => format!("Confirm {seq}"),
        Action::Confirm { seq: None } => "Confirm".to_owned(),
        Action::Open | Action::Close | Action::Red | Action::Siren | Action::Obeyed => {
            format!("{action:?}")
        }
    }
}

fn event(words: &str, world: &mut World) -> Event {
    let mut words = words.split_whitespace();
    let answer = |call: &str, verb| {
        Event::Answered(Answer::of("c1".into(), call.parse().unwrap(), "nv-07".into(), verb))
    };
    let plate = || Plate::try_new("37A12345").unwrap();
    let group = VehicleGroup::try_new(1).unwrap();
    match words.next().unwrap() {
        "presence" if words.next() == Some("on") => Event::PresenceRose,
        "presence" => Event::PresenceFell,
        "safety" if words.next() == Some("on") => Event::SafetyRose,
        "safety" => Event::SafetyFell,
        "tag" => Event::TagSeen { tag: tag(words.next().unwrap()), at: Duration::ZERO },
        "pays-in" => {
            world.pay_in(words.next().unwrap());
            Event::ListChanged
        }
        "by-plate" => answer(words.next().unwrap(), Verb::ChargeByPlate { plate: plate(), group }),
        "reversed" => Event::Reversed,
        "elsewhere" => Event::TakenElsewhere { tag: tag(words.next().unwrap()) },
        "centre" => Event::CentreAnswered {
            answer: match words.next().unwrap() {
                "has-money" => CentreAnswer::MayPass,
                "no-money" => CentreAnswer::NoMoney,
                "unknown" => CentreAnswer::Unknown,
                other => panic!("the centre does not answer {other:?}"),
            },
            vehicle: words.next().unwrap().parse().unwrap(),
        },
        "group" => Event::GroupMeasured {
            group: VehicleGroup::try_new(words.next().unwrap().parse().unwrap()).unwrap(),
            certainty: certainty(words.next()),
        },
        "camera" => Event::PlateSeen { plate: plate(), certainty: certainty(words.next()) },
        "convoy" => convoy(words),
        "convoy-ends" => answer("0", Verb::EndConvoy),
        "retry" => answer(words.next().unwrap(), Verb::RetryRead),
        "group-is" => {
            let call = words.next().unwrap();
            let group = VehicleGroup::try_new(words.next().unwrap().parse().unwrap()).unwrap();
            answer(call, Verb::ChangeGroup { group })
        }
        "mode" => {
            let name = format!("\"{}\"", words.next().unwrap());
            answer("0", Verb::SetMode { mode: serde_json::from_str(&name).unwrap() })
        }
        "field-lost" => Event::FieldLost,
        "fault" => answer(
            words.next().unwrap(),
            Verb::Open { reason: ReasonRecord::EquipmentFault, plate: plate(), group },
        ),
        "cash" => answer(
            words.next().unwrap(),
            Verb::Open { reason: ReasonRecord::CashPaid, plate: plate(), group },
        ),
        "on-duty" => answer(
            words.next().unwrap(),
            Verb::Open { reason: ReasonRecord::PriorityVehicle, plate: plate(), group },
        ),
        "turn-away" => {
            answer(words.next().unwrap(), Verb::TurnAway { reason: ReasonRecord::NoMeansOfPayment })
        }
        other => panic!("no story word {other:?}"),
    }
}

/// Two people begin a convoy, of so many vehicles at most.
fn convoy<'a>(mut words: impl Iterator<Item = &'a str>) -> Event {
    let (attendant, second) = (words.next().unwrap(), words.next().unwrap());
    let vehicles_max = words.next().map_or(20, |count| count.parse().unwrap());
    let verb = Verb::BeginConvoy { name: "visit".into(), vehicles_max, lasts_s: 60 };
    let answer = Answer::of("h1".into(), NO_CALL, attendant.into(), verb);
    Event::Answered(Answer { second: Some(second.into()), ..answer })
}

fn certainty(word: Option<&str>) -> Certainty {
    if word == Some("surely") { Certainty::Confident } else { Certainty::Doubtful }
}

/// A tag of a story is read when it is told.
fn told_at(mut event: Event, now: Duration) -> Event {
    if let Event::TagSeen { at, .. } = &mut event {
        *at = now;
    }
    event
}

/// Tells the story to the lane and compares what it did.
fn check(role: LaneRole, story: &str) {
    check_in(World::new(), lane(role), story);
}

/// Tells a story of an open station whose operator chose something else.
fn check_with(policy: LanePolicy, story: &str) {
    check_in(World::new(), lane_with(LaneRole::Open, policy), story);
}

fn check_in(mut world: World, mut lane: Lane, story: &str) {
    let mut told = String::new();
    let mut seq = 0;
    for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with('>') {
            continue;
        }
        let (at, what) = line.split_once(' ').unwrap();
        let now = Duration::from_millis(at.parse().unwrap()) + Duration::from_secs(10);
        let actions = if what.trim() == "deadline" {
            assert!(lane.next_deadline().is_some_and(|at| at <= now), "nothing is due at {at}");
            lane.handle_deadline(now, &world.known())
        } else if let Some(mode) = what.trim().strip_prefix("directive ") {
            let mut policy = LanePolicy::default();
            policy.verdict.mode = serde_json::from_str(&format!("\"{mode}\"")).unwrap();
            lane.follow(policy);
            Vec::new()
        } else {
            let event = told_at(event(what, &mut world), now);
            lane.handle(event, now, &world.known())
        };
        writeln!(told, "{line}").unwrap();
        for action in &actions {
            if let Action::Record { vehicle, .. } = action {
                seq += 1;
                lane.recorded(*vehicle, seq);
            }
            writeln!(told, "> {}", describe(action)).unwrap();
        }
    }
    let expected: String = story.lines().map(str::trim).filter(|line| !line.is_empty()).fold(
        String::new(),
        |mut text, line| {
            writeln!(text, "{line}").unwrap();
            text
        },
    );
    assert_eq!(told, expected, "\n--- told ---\n{told}");
}

/// A policy that differs from the usual in one point.
fn policy(change: impl FnOnce(&mut LanePolicy)) -> LanePolicy {
    let mut policy = LanePolicy::default();
    change(&mut policy);
    policy
}
