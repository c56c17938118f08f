//! The whole system in one process, with faults, on a virtual clock: each seed is a history.
//!
//! `SIM_SEEDS=5000` runs so many seeds, `SIM_SEED=77` one of them with its trace. What is real in
//! it, what is modelled, and which bugs it is known to find: `docs/simulation.md`.
#![expect(clippy::unwrap_used, reason = "what the tests share fails as they do")]
#![expect(clippy::print_stdout, reason = "a trace and what was reached are read by people")]

mod plan;
mod bug;
mod facts;
mod whole;
mod happening;
mod road;
mod lane;
mod disk;
mod sending;
mod broker;
mod centre;
mod posting;
mod books;
mod faults;
mod oracle;
mod real;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bug::{BUGS, PlantedBug};
use plan::Plan;
use whole::{Verdict, Whole};

/// How many seeds a run of all tests tries.
const SEEDS: u64 = 2_000;
/// Within how many seeds a planted bug must be found.
const FOUND_WITHIN: u64 = 1_000;

/// States that a thousand seeds must have reached.
const RARE: [&str; 31] = [
    "a clock jumped",
    "a commit did not happen",
    "a commit happened and was not told",
    "a damaged record parks the lane",
    "a day was closed",
    "a delivery went to quarantine",
    "a delta was missed",
    "a disk was lost",
    "a false delta was refused",
    "a false passage was sent",
    "a false receipt was refused",
    "a flush failed",
    "a journal was pruned",
    "a new epoch",
    "a passage came late",
    "a passage was delivered again",
    "a posted passage was contradicted",
    "a receipt names what is missing",
    "an acknowledgement of the broker was lost",
    "an acknowledgement of the centre was lost",
    "an exit had waited for its entry",
    "an old copy is known by a receipt",
    "an old copy is known by its mark",
    "an old copy that was written on is known by a digest",
    "another worker was first",
    "killed behind a durable passage",
    "killed while a delta was written",
    "killed while a passage was written",
    "records were sent again",
    "the broker was wiped",
    "the centre died in the middle of a batch",
];
/// How many seeds are posted again into a real database.
const REAL_SEEDS: u64 = 12;

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Runs a seed; where the program itself gives up, that is what is wrong.
fn run(seed: u64, bug: Option<PlantedBug>) -> Verdict {
    std::panic::catch_unwind(|| Whole::new(seed, bug, false).run())
        .unwrap_or_else(|_told| Verdict { violation: Some("a panic".into()), ..Verdict::default() })
}

/// Runs something for each number of a range, on two threads.
fn on_two_threads(numbers: std::ops::RangeInclusive<u64>, each: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(*numbers.start());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number > *numbers.end() {
                        return;
                    }
                    each(number);
                }
            });
        }
    });
}

/// What seeds came to, together.
#[derive(Default)]
struct Told {
    reached: BTreeMap<&'static str, u64>,
    violations: BTreeMap<u64, String>,
    passages: usize,
}

#[test]
fn whatever_fails_every_passage_is_posted_exactly_once() {
    if let Some(seed) = number("SIM_SEED") {
        let verdict = Whole::new(seed, None, true).run();
        println!("{}", verdict.trace.join("\n"));
        assert_eq!(verdict.violation, None, "seed {seed}");
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let told: Mutex<Told> = Mutex::default();
    on_two_threads(1..=seeds, |seed| {
        let verdict = run(seed, None);
        let mut told = told.lock().unwrap();
        told.passages += verdict.passages;
        for reached in verdict.reached {
            *told.reached.entry(reached).or_default() += 1;
        }
        told.violations.extend(verdict.violation.map(|violation| (seed, violation)));
    });
    let Told { reached, violations, passages } = told.into_inner().unwrap();
    println!("{seeds} seeds, {passages} passages");
    for (what, seeds) in &reached {
        println!("{seeds:>6} {what}");
    }
    let lines: Vec<String> =
        violations.iter().take(40).map(|(seed, what)| format!("SIM_SEED={seed}: {what}")).collect();
    assert!(violations.is_empty(), "{} of {seeds} seeds\n{}", violations.len(), lines.join("\n"));
    // A generator that reaches nothing proves nothing.
    let unreached: Vec<&&str> = RARE.iter().filter(|state| !reached.contains_key(*state)).collect();
    assert!(seeds < 1_000 || unreached.is_empty(), "never reached: {unreached:?}");
}

#[test]
fn a_seed_is_the_same_history_each_time() {
    for seed in 1..=20 {
        let told = |traced| Whole::new(seed, None, traced).run();
        assert_eq!(told(true).trace, told(true).trace, "seed {seed}");
        assert_eq!(told(true).passages, told(false).passages, "seed {seed}");
    }
}

/// Lines of a picture of the books that both tell of: the model has four of the lanes.
fn of_lanes_that_serve(picture: Vec<String>) -> Vec<String> {
    let lanes: Vec<String> =
        facts::Facts::all().lanes.iter().map(|lane| format!(" {} ", lane.id)).collect();
    let served = |line: &String| {
        !line.starts_with("watermark") || lanes.iter().any(|lane| line.contains(lane))
    };
    let mut lines: Vec<String> = picture.into_iter().filter(served).collect();
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_database_comes_to_the_books_of_the_model() {
    let seeds = number("SIM_REAL_SEEDS").unwrap_or(REAL_SEEDS);
    for seed in (1..).filter(|seed| !Plan::of(*seed).faults.is_empty()).take(count(seeds)) {
        let (modelled, done) = tokio::task::block_in_place(|| {
            let (_, centre) = Whole::new(seed, None, false).run_to_books();
            (real::modelled(&centre.books), centre.done)
        });
        let office = tests::office::Office::open().await;
        let real = of_lanes_that_serve(real::picture(&office, &done).await.unwrap());
        let differing: Vec<(&String, &String)> =
            modelled.iter().zip(&real).filter(|(model, real)| model != real).take(5).collect();
        assert!(modelled == real, "seed {seed}: {} {} {differing:#?}", modelled.len(), real.len());
    }
}

#[test]
fn each_planted_bug_is_found() {
    let found: Mutex<BTreeMap<usize, (u64, String)>> = Mutex::default();
    on_two_threads(0..=u64::try_from(BUGS.len()).unwrap() - 1, |index| {
        let bug = BUGS[usize::try_from(index).unwrap()];
        let caught = (1..=number("SIM_BUG_SEEDS").unwrap_or(FOUND_WITHIN))
            .find_map(|seed| Some((seed, run(seed, Some(bug)).violation?)));
        if let Some(caught) = caught {
            found.lock().unwrap().insert(usize::try_from(index).unwrap(), caught);
        }
    });
    let found = found.into_inner().unwrap();
    for (index, (seed, what)) in &found {
        println!("{:?} is found by seed {seed}: {what}", BUGS[*index]);
    }
    let unseen: Vec<PlantedBug> =
        (0..BUGS.len()).filter(|index| !found.contains_key(index)).map(|i| BUGS[i]).collect();
    assert!(unseen.is_empty(), "not found within {FOUND_WITHIN} seeds: {unseen:?}");
}
