use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::attendant::answer;
use crate::population::{EmptyHanded, Means, Population};
use crate::truth::How;

const ZERO_AT: &str = "2026-11-21T01:00:00Z";

/// What a lane would do, without its wires: it opens on a good tag, calls the attendant for the
/// rest, and lowers the arm behind everyone.
#[derive(Default)]
struct Robot {
    decided: Option<CrossingKey>,
    called: Option<(CrossingKey, Duration)>,
    falls: u16,
    close_at: Option<Duration>,
}

impl Robot {
    fn look(&mut self, world: &mut World, lane: LaneIndex, topped_up: &HashMap<AccountId, u32>) {
        let now = world.now;
        let falls = world.road(lane).safety_edges().falls;
        if falls != self.falls {
            self.falls = falls;
            self.close_at = Some(now + Duration::from_secs(1));
        }
        if let Some(head) = world.head(lane).filter(|head| self.decided != Some(head.crossing)) {
            let readable = world.crossings[&head.crossing].tag == TagReadable::Yes;
            let paid = head.vehicle.account.is_some_and(|account| topped_up.contains_key(&account));
            let good = match head.vehicle.means {
                Means::Tag => readable,
                Means::MonthPass | Means::Exempt => true,
                Means::EmptyAccount { .. } => paid,
                Means::Plate | Means::Cash | Means::Blocked | Means::Priority => false,
            };
            if good {
                self.decided = Some(head.crossing);
                self.close_at = None;
                world.handle_pulse(lane, Pulse::Open);
            } else if self.called.is_none_or(|(crossing, _)| crossing != head.crossing) {
                self.called = Some((head.crossing, now + Duration::from_secs(8)));
            }
            if let Some((crossing, at)) = self.called
                && crossing == head.crossing
                && now >= at
            {
                let (_, verdict) = answer::answer(head.role, &head.vehicle);
                self.decided = Some(crossing);
                world.handle_answer_sent(crossing, verdict);
                if verdict != Verdict::TurnedAway {
                    self.close_at = None;
                    world.handle_pulse(lane, Pulse::Open);
                }
                world.handle_answer_done(crossing, verdict);
            }
        }
        if self.close_at.is_some_and(|at| now >= at) {
            self.close_at = None;
            // The arm stays up for the next one that has been let through already.
            let next = world.head(lane).map(|head| head.crossing);
            if next.is_none() || next != self.decided {
                world.handle_pulse(lane, Pulse::Close);
            }
        }
    }
}

struct Run {
    truths: Vec<TruthLine>,
    top_ups: Vec<TopUp>,
    progress: Progress,
    took: Duration,
}

fn run(count: usize, seed: u64) -> Run {
    let zero_at: Timestamp = ZERO_AT.parse().unwrap();
    let network = Network::viet_nam().unwrap();
    let population = Population::of_seed(count, seed, zero_at);
    let plan = Plan::of_population(&network, population, seed).unwrap();
    let mut world = World::new(network, plan, zero_at, Duration::ZERO);
    let mut robots: Vec<Robot> = world.lanes.iter().map(|_| Robot::default()).collect();
    let mut topped_up = HashMap::new();
    let mut run = Run {
        truths: vec![],
        top_ups: vec![],
        progress: Progress::default(),
        took: Duration::ZERO,
    };
    world.begin();
    while !world.progress().is_done() {
        assert!(world.now < Duration::from_secs(5 * 3600), "stuck: {:?}", world.progress());
        world.advance(world.now + Duration::from_millis(200)).unwrap();
        for (index, robot) in robots.iter_mut().enumerate() {
            robot.look(&mut world, LaneIndex(index), &topped_up);
        }
        for top_up in world.take_top_ups() {
            *topped_up.entry(top_up.account).or_default() += 1;
            run.top_ups.push(top_up);
        }
        run.truths.extend(world.take_truths());
    }
    run.progress = world.progress();
    run.took = world.now;
    run
}

#[test]
fn two_thousand_vehicles_all_get_somewhere_within_two_hours() {
    let run = run(2000, 7);
    let progress = &run.progress;
    assert_eq!(progress.vehicles, 2000);
    assert_eq!(progress.planned, progress.crossed);
    assert_eq!(progress.crossed, run.truths.len() as u64);
    assert_eq!(progress.in_lane, 0);
    assert_eq!(progress.struck, 0);
    assert!(run.took < Duration::from_secs(2 * 3600 + 600), "{:?}", run.took);
    for how in [How::Tag, How::Pass, How::Exempt, How::Attendant, How::TurnedAway] {
        assert!(progress.by_how[&how] > 5, "{how:?}: {:?}", progress.by_how);
    }
}

#[test]
fn the_same_seed_gives_the_same_truth() {
    let key = |line: &TruthLine| (line.vehicle, line.station.clone(), line.at);
    let sorted = |mut truths: Vec<TruthLine>| {
        truths.sort_by_key(key);
        truths
    };
    assert_eq!(sorted(run(200, 3).truths), sorted(run(200, 3).truths));
}

#[test]
fn who_was_turned_away_for_lack_of_money_tops_up_and_comes_again() {
    let run = run(2000, 7);
    assert!(!run.top_ups.is_empty());
    for top_up in &run.top_ups {
        assert_eq!(top_up.amount.minor_units(), 5_000_000);
        assert_eq!(top_up.reference, format!("top-up-{}", top_up.account));
    }
    let turned_away: Vec<&TruthLine> =
        run.truths.iter().filter(|line| line.how == How::TurnedAway).collect();
    let came_again = turned_away.iter().filter(|refused| {
        run.truths.iter().any(|line| {
            line.vehicle == refused.vehicle && line.at > refused.at && line.how == How::Tag
        })
    });
    assert_eq!(came_again.count(), run.top_ups.len());
}

#[test]
fn a_crossing_of_an_entry_costs_nothing_and_is_followed_by_an_exit() {
    let run = run(300, 11);
    for line in run.truths.iter().filter(|line| line.lane.starts_with('e')) {
        assert!(line.fare_vnd.is_zero());
        let exits = run
            .truths
            .iter()
            .filter(|exit| exit.vehicle == line.vehicle && exit.lane.starts_with('x'))
            .count();
        assert_eq!(exits, usize::from(line.how != How::TurnedAway || exits == 1));
    }
}

#[test]
fn a_vehicle_backs_out_once_turning_it_away_is_done_and_not_before() {
    let zero_at: Timestamp = ZERO_AT.parse().unwrap();
    let network = Network::viet_nam().unwrap();
    let plan = (0..).find_map(|seed| {
        let population = Population::of_seed(1, seed, zero_at);
        let empty = Means::EmptyAccount { then: EmptyHanded::TopsUp };
        (population.vehicles()[0].means == empty)
            .then(|| Plan::of_population(&network, population, seed).unwrap())
    });
    let mut world = World::new(network, plan.unwrap(), zero_at, Duration::ZERO);
    world.begin();
    world.advance(Duration::from_secs(60)).unwrap();
    let lane = (0..world.lanes.len()).map(LaneIndex).find(|lane| world.head(*lane).is_some());
    let (lane, head) = (lane.unwrap(), world.head(lane.unwrap()).unwrap());
    assert!(head.stands);

    world.handle_answer_sent(head.crossing, Verdict::TurnedAway);
    world.advance(Duration::from_secs(90)).unwrap();
    assert!(world.head(lane).is_some_and(|head| head.stands));
    world.handle_answer_done(head.crossing, Verdict::TurnedAway);
    world.advance(Duration::from_secs(120)).unwrap();
    assert_eq!(world.take_truths()[0].how, How::TurnedAway);
    assert_eq!(world.take_top_ups().len(), 1);
}

#[test]
fn a_tag_is_in_the_field_while_its_windscreen_is_in_the_zone() {
    let zero_at: Timestamp = ZERO_AT.parse().unwrap();
    let network = Network::viet_nam().unwrap();
    let population = Population::of_seed(1, 7, zero_at);
    assert_eq!(population.vehicles()[0].means, Means::Tag);
    let tag = population.vehicles()[0].tag.clone().unwrap();
    let plan = Plan::of_population(&network, population, 7).unwrap();
    let mut world = World::new(network, plan, zero_at, Duration::ZERO);
    world.begin();
    let mut fields = Vec::new();
    for _ in 0..1200 {
        world.advance(world.now + STEP_MAX).unwrap();
        fields.extend(world.take_field_changes());
        if let Some((lane, _)) = fields.last()
            && world.now > Duration::from_secs(40)
        {
            world.handle_pulse(*lane, Pulse::Open);
        }
    }
    let (first, last) = (fields.first().unwrap(), fields.last().unwrap());
    assert_eq!(first.1[0].epc.as_bytes(), tag.as_bytes());
    assert!(last.1.is_empty(), "the tag is still in the field");
    assert!(world.progress().is_done());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// The sum of the truth is what the tariff files say, computed here from their amounts alone.
    #[test]
    fn fares_in_the_truth_follow_from_the_tariff(seed in any::<u64>(), count in 1_usize..120) {
        const BEN_THUY: [i64; 5] = [47_000, 64_000, 87_000, 140_000, 200_000];
        const MAI_SON_QL45: [i64; 5] = [54_909, 82_364, 109_781, 137_273, 219_636];
        const QL45_NGHI_SON: [i64; 5] = [40_516, 60_775, 81_032, 101_354, 162_065];
        let run = run(count, seed);
        let zero_at: Timestamp = ZERO_AT.parse().unwrap();
        let population = Population::of_seed(count, seed, zero_at);
        let mut entries: HashMap<u64, String> = HashMap::new();
        for line in &run.truths {
            let means = population.vehicles()[usize::try_from(line.vehicle - 1).unwrap()].means;
            let index = usize::from(line.group.number() - 1);
            let trip = |entry: &str, exit: &str| match (entry, exit) {
                ("mai-son", "ql45") | ("ql45", "mai-son") => MAI_SON_QL45[index],
                ("ql45", "nghi-son") | ("nghi-son", "ql45") => QL45_NGHI_SON[index],
                _ => MAI_SON_QL45[index] + QL45_NGHI_SON[index],
            };
            let free = matches!(means, Means::MonthPass | Means::Exempt | Means::Priority);
            let due = if free || line.how == How::TurnedAway {
                0
            } else if line.lane.starts_with('l') {
                BEN_THUY[index]
            } else if line.lane.starts_with('e') {
                entries.insert(line.vehicle, line.station.to_string());
                0
            } else {
                trip(&entries[&line.vehicle], line.station.as_str())
            };
            prop_assert_eq!(line.fare_vnd.minor_units(), due, "{:?} {:?}", line.how, means);
        }
        prop_assert_eq!(run.progress.struck, 0);
    }
}
