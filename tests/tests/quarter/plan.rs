//! What happens in the quarter, out of a seed: who drives where and when, what goes wrong with it, and
//! which lanes are cut off.

use domain::VehicleGroup;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tests::lane::Vehicle;

use super::truth::{DAY_S, day_number, settlement_day};
use super::week::Week;
use super::world::{ISSUERS, LANES_OF_OPERATOR, OPERATORS};

/// The quarter's first day, and how many it has.
pub(crate) const FIRST: &str = "2026-07-01";
pub(crate) const DAYS: i64 = 92;
/// The fewest passages of an operator's day: room for what is planted, and no day is empty.
const A_DAY_MIN: usize = 6;

/// Somebody with a tag.
#[derive(Debug)]
pub(crate) struct Driver {
    pub vehicle: Vehicle,
    pub issuer: usize,
    /// The group it should be registered in, where that is another.
    pub true_group: u8,
}

/// What is wrong with a crossing, on either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    /// The operator's file lacks it.
    TheirsLacks,
    /// The operator's file has it, and it never was.
    TheirsInvents,
    /// The operator's file has another amount.
    TheirsAmount,
    /// The operator's file has another class.
    TheirsClass,
    /// The operator's file has it twice.
    TheirsTwice,
    /// Disputed, and rightly: it never was.
    DisputedRightly,
    /// Disputed without a reason.
    DisputedWrongly,
    /// We charged what never was: a tag read from the lane beside.
    OursInvents,
    /// We charged it twice: the lane wrote it twice.
    OursTwice,
    /// We charged the full fare where less was promised.
    OursAmount,
    /// We charged by a wrong registration.
    OursClass,
    /// The lane wrote nothing that could be charged: the tag was not read.
    OursUnread,
    /// The lane lost what it wrote: a hole.
    OursLost,
    /// The operator's file has it in two parts, which come to the same: nothing is wrong.
    TheirsSplits,
}

impl Wrong {
    /// Each in its turn is planted. Where names differ, a split cannot be told.
    const ALL: [Self; 14] = [
        Self::TheirsLacks,
        Self::OursInvents,
        Self::TheirsAmount,
        Self::OursClass,
        Self::TheirsInvents,
        Self::OursTwice,
        Self::TheirsClass,
        Self::OursAmount,
        Self::TheirsTwice,
        Self::OursUnread,
        Self::DisputedRightly,
        Self::OursLost,
        Self::DisputedWrongly,
        Self::TheirsSplits,
    ];
}

/// One vehicle's way through a lane, or what somebody took for one.
#[derive(Debug)]
pub(crate) struct Crossing {
    pub operator: usize,
    /// Among the operator's.
    pub lane: usize,
    pub driver: usize,
    pub at_s: i64,
    pub wrong: Option<Wrong>,
}

/// A time in which a lane reaches nobody; it sends everything afterwards.
#[derive(Debug)]
pub(crate) struct CutOff {
    pub operator: usize,
    pub lane: usize,
    pub from_s: i64,
    pub until_s: i64,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub seed: u64,
    pub drivers: Vec<Driver>,
    /// In order of time.
    pub crossings: Vec<Crossing>,
    pub cut_offs: Vec<CutOff>,
}

fn vehicle(number: usize, group: u8) -> Vehicle {
    Vehicle {
        account: 20_000 + i64::try_from(number).unwrap(),
        plate: format!("30E{number:06}").parse().unwrap(),
        tag: format!("3600{number:020}").parse().unwrap(),
        group: VehicleGroup::try_new(group).unwrap(),
    }
}

/// One of many, each as likely as it weighs.
fn drawn(random: &mut ChaCha8Rng, weights: &[u32]) -> usize {
    let mut left = random.random_range(0..weights.iter().sum::<u32>());
    let chosen = weights.iter().position(|weight| {
        let is_it = left < *weight;
        left = left.saturating_sub(*weight);
        is_it
    });
    chosen.unwrap_or(0)
}

impl Plan {
    /// Draws a quarter of about so many passages.
    pub(crate) fn drawn(seed: u64, passages: usize, week: &Week) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let days = usize::try_from(DAYS).unwrap();
        let a_day = (passages / days / OPERATORS.len()).max(A_DAY_MIN);
        let drivers = drivers(&mut random, a_day, week);
        let mut crossings = Vec::new();
        let mut turn = 0;
        for day in 0..DAYS {
            let date = day_number(FIRST) + day;
            for (operator, of) in OPERATORS.iter().enumerate() {
                let first = crossings.len();
                let weekday = usize::try_from((date + 3).rem_euclid(7)).unwrap();
                let mut driver = random.random_range(0..drivers.len());
                for _ in 0..a_day {
                    let hour = i64::try_from(drawn(&mut random, &week.hours[weekday])).unwrap();
                    let local = date * DAY_S + hour * 3_600 + random.random_range(0..3_600);
                    // A right registration, until something else is planted: nobody twice a day.
                    driver = next_driver(&drivers, driver, false);
                    crossings.push(Crossing {
                        operator,
                        lane: random.random_range(0..LANES_OF_OPERATOR),
                        driver,
                        at_s: local - of.ahead_h * 3_600,
                        wrong: None,
                    });
                }
                for number in 0..a_day.div_ceil(12).max(2) {
                    let at = first + number * 5 % a_day;
                    let wrong = Wrong::ALL[turn % Wrong::ALL.len()];
                    turn += 1;
                    if wrong == Wrong::TheirsSplits && !of.has_our_names {
                        continue;
                    }
                    crossings[at].wrong = Some(wrong);
                    if wrong == Wrong::OursClass {
                        crossings[at].driver = next_driver(&drivers, crossings[at].driver, true);
                    }
                }
            }
        }
        crossings.sort_by_key(|crossing| (crossing.at_s, crossing.operator, crossing.driver));
        let cut_offs = cut_offs(&mut random);
        Self { seed, drivers, crossings, cut_offs }
    }

    /// How many errors are planted among the crossings.
    pub(crate) fn planted(&self) -> usize {
        let is_error =
            |one: &&Crossing| one.wrong.is_some_and(|wrong| wrong != Wrong::TheirsSplits);
        self.crossings.iter().filter(is_error).count()
    }

    /// What the vehicle owes for a crossing, were everything right.
    pub(crate) fn true_fare(&self, crossing: &Crossing) -> Option<i64> {
        match crossing.wrong {
            Some(Wrong::TheirsInvents | Wrong::OursInvents | Wrong::DisputedRightly) => None,
            Some(Wrong::OursAmount) => Some(self.fare(crossing) - 5_000),
            _ => Some(self.fare(crossing)),
        }
    }

    fn fare(&self, crossing: &Crossing) -> i64 {
        let group = self.drivers[crossing.driver].true_group;
        OPERATORS[crossing.operator].fares[usize::from(group) - 1]
    }

    /// What we charge, by the registration.
    pub(crate) fn charged_fare(&self, crossing: &Crossing) -> i64 {
        let group = self.drivers[crossing.driver].vehicle.group.number();
        OPERATORS[crossing.operator].fares[usize::from(group) - 1]
    }

    pub(crate) fn pair(&self, crossing: &Crossing) -> (usize, usize) {
        (crossing.operator, self.drivers[crossing.driver].issuer)
    }

    /// The operator's own day of a crossing.
    pub(crate) fn own_day(crossing: &Crossing) -> i64 {
        settlement_day(crossing.operator, crossing.at_s)
    }

    /// When what the lane wrote of a crossing leaves it.
    pub(crate) fn sent_s(&self, crossing: &Crossing) -> i64 {
        let cut = self.cut_offs.iter().find(|cut| {
            (cut.operator, cut.lane) == (crossing.operator, crossing.lane)
                && (cut.from_s..cut.until_s).contains(&crossing.at_s)
        });
        cut.map_or(crossing.at_s, |cut| cut.until_s)
    }
}

/// The next driver who is registered rightly, or wrongly.
fn next_driver(drivers: &[Driver], after: usize, wrongly: bool) -> usize {
    let is_wanted =
        |at: &usize| (drivers[*at].true_group != drivers[*at].vehicle.group.number()) == wrongly;
    let mut others = (1..=drivers.len()).map(|step| (after + step) % drivers.len());
    others.find(is_wanted).unwrap()
}

/// Three times as many drivers as pass an operator on a day; every tenth is registered a group too high.
fn drivers(random: &mut ChaCha8Rng, a_day: usize, week: &Week) -> Vec<Driver> {
    let driver = |number: usize| {
        let group = u8::try_from(drawn(random, &week.groups) + 1).unwrap();
        let is_wrong = number % 10 == 9;
        let true_group = if is_wrong { group.min(4) } else { group };
        let registered = if is_wrong { true_group + 1 } else { group };
        Driver { vehicle: vehicle(number, registered), issuer: number % ISSUERS.len(), true_group }
    };
    (0..(3 * a_day).max(60)).map(driver).collect()
}

/// Each operator's lanes are cut off three times for up to three days, also over a month's end.
fn cut_offs(random: &mut ChaCha8Rng) -> Vec<CutOff> {
    let mut cut_offs = Vec::new();
    for operator in 0..OPERATORS.len() {
        for around in [10, 29, 60] {
            let day = day_number(FIRST) + around + i64::try_from(operator).unwrap();
            let from_s = day * DAY_S + random.random_range(0..DAY_S);
            let until_s = from_s + random.random_range(DAY_S / 2..3 * DAY_S);
            let lane = random.random_range(0..LANES_OF_OPERATOR);
            cut_offs.push(CutOff { operator, lane, from_s, until_s });
        }
    }
    cut_offs
}
