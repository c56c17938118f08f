//! The whole system in one process: lanes, broker and clearing house on one virtual clock.
//!
//! What happens is in one agenda, ordered by time and then by when it was put there; every chance
//! is drawn from one generator. So a seed is a history, the same each time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashSet};

use domain::Timestamp;
use domain::signature::Digest256;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::books::Key;
use super::broker::Broker;
use super::bug::PlantedBug;
use super::centre::Centre;
use super::facts::Facts;
use super::happening::Happening;
use super::lane::LaneNode;
use super::plan::{MILLI, MINUTE, Plan, SECOND};
use super::road::Stretch;
use super::sending::Proved;

/// When a seed that has not come to rest is given up, after the last fault.
const REST_WITHIN: u64 = 4 * 60 * MINUTE;

/// What really happened, kept apart from everything that can fail.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// Every record that a journal has said to be durable.
    pub written: BTreeMap<Key, HashSet<Digest256>>,
    /// Those that only a disk had that is no more.
    pub lost_with_disk: HashSet<(Key, Digest256)>,
    /// The content hash of every version of the list that the centre has made.
    pub lists: BTreeMap<u64, domain::account_list::ContentHash>,
    /// The most a receipt could truthfully say, kept by the commits.
    pub conflicts_sent: HashSet<Digest256>,
}

/// One seed's world.
pub(crate) struct Whole {
    pub facts: &'static Facts,
    pub plan: Plan,
    pub bug: Option<PlantedBug>,
    pub dice: ChaCha8Rng,
    /// Microseconds since the beginning.
    pub now: u64,
    agenda: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    put: u64,
    pub lanes: Vec<LaneNode>,
    pub road: Vec<Stretch>,
    pub broker: Broker,
    pub centre: Centre,
    pub truth: Truth,
    /// The rare states that were reached.
    pub reached: BTreeSet<&'static str>,
    pub violation: Option<String>,
    /// What happened, line by line, where somebody wants to read it.
    pub trace: Option<Vec<String>>,
    pub faults_are_over: bool,
    pub crossings_to_come: usize,
    pub proved: Proved,
}

/// What a seed came to.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub violation: Option<String>,
    pub reached: BTreeSet<&'static str>,
    pub passages: usize,
    pub trace: Vec<String>,
}

impl Whole {
    /// The world of a seed, with nothing happened yet.
    pub(crate) fn new(seed: u64, bug: Option<PlantedBug>, traced: bool) -> Self {
        let facts = Facts::all();
        let plan = Plan::of(seed);
        let mut whole = Self {
            facts,
            dice: ChaCha8Rng::seed_from_u64(seed),
            now: 0,
            agenda: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            put: 0,
            lanes: (0..facts.lanes.len()).map(|no| LaneNode::new(no, facts)).collect(),
            road: (0..facts.lanes.len()).map(|_| Stretch::default()).collect(),
            broker: Broker::up(),
            centre: Centre::new(facts, &plan),
            truth: Truth::default(),
            reached: BTreeSet::new(),
            violation: None,
            trace: traced.then(Vec::new),
            faults_are_over: false,
            crossings_to_come: 0,
            proved: Proved::default(),
            plan,
            bug,
        };
        whole.tell(|whole| format!("plan {:?}", whole.plan));
        whole.plan_road();
        whole.plan_faults();
        whole.centre_begins();
        for no in 0..whole.lanes.len() {
            whole.lane_starts(no);
        }
        let rest_from = whole.plan.span + 2 * MINUTE;
        whole.after(rest_from - MINUTE, Happening::FaultsAreOver);
        whole.after(rest_from, Happening::Look);
        whole
    }

    /// Lets it happen, to the end.
    pub(crate) fn run(self) -> Verdict {
        self.run_to_books().0
    }

    /// Lets it happen, to the end, and hands out the clearing house as it is then.
    pub(crate) fn run_to_books(mut self) -> (Verdict, Centre) {
        while self.violation.is_none() {
            let Some(Reverse((at, number))) = self.agenda.pop() else { break };
            let happening = self.happenings.remove(&number).expect("what is put is there");
            self.now = at;
            if let Happening::Look = happening {
                if self.is_at_rest() {
                    self.reached.insert("came to rest");
                    self.judge_the_end();
                    break;
                }
                if self.now > self.plan.span + REST_WITHIN {
                    let why = self.why_no_rest();
                    self.fails(|| format!("liveness: it does not come to rest: {why}"));
                    break;
                }
                self.after(30 * SECOND, Happening::Look);
                continue;
            }
            self.happen(happening);
        }
        let verdict = Verdict {
            violation: self.violation,
            reached: self.reached,
            passages: self.truth.written.len(),
            trace: self.trace.unwrap_or_default(),
        };
        (verdict, self.centre)
    }

    /// Puts something on the agenda.
    pub(crate) fn after(&mut self, delay: u64, happening: Happening) {
        self.put += 1;
        self.agenda.push(Reverse((self.now + delay, self.put)));
        self.happenings.insert(self.put, happening);
    }

    /// A chance of so many in a thousand; none once the faults are over.
    pub(crate) fn fault_of(&mut self, in_a_thousand: u32) -> bool {
        !self.faults_are_over && self.chance(in_a_thousand)
    }

    /// A chance of so many in a thousand.
    pub(crate) fn chance(&mut self, in_a_thousand: u32) -> bool {
        self.dice.random_range(0..1000) < in_a_thousand
    }

    /// A span between two, in microseconds.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        self.dice.random_range(least..=most)
    }

    /// Something that must hold does not; the first is what is told.
    pub(crate) fn fails(&mut self, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            let what = what();
            self.tell(|_| format!("VIOLATION {what}"));
            self.violation = Some(what);
        }
    }

    /// Notes a line of the trace, where somebody reads it.
    pub(crate) fn tell(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let told =
                format!("{:>8}.{:03} {}", self.now / SECOND, self.now % SECOND / MILLI, line(self));
            if let Some(trace) = &mut self.trace {
                trace.push(told);
            }
        }
    }

    /// The true time.
    pub(crate) fn true_time(&self) -> Timestamp {
        wall(self.facts, self.now, 0)
    }
}

/// An instant on a wall clock that is off by so many microseconds.
pub(crate) fn wall(facts: &Facts, now: u64, off: i64) -> Timestamp {
    let at = facts.begins.as_microsecond() + i64::try_from(now).unwrap() + off;
    Timestamp::from_microsecond(at).unwrap()
}
