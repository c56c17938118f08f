//! The whole system in one process, with faults, on a virtual clock: each seed is a history.
//!
//! `SIM_SEEDS=5000` runs so many seeds, `SIM_SEED=77` one of them with its trace. What is real in
//! it, what is modelled, and which bugs it is known to find: `docs/simulation.md`.
#![expect(clippy::unwrap_used, reason = "what the tests share fails as they do")]

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

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use whole::{Verdict, Whole};

/// How many seeds a run of all tests tries.
const SEEDS: u64 = 1_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn run(seed: u64) -> Verdict {
    Whole::new(seed, None, false).run()
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
    let next = AtomicU64::new(1);
    let told: Mutex<(BTreeMap<&str, u64>, BTreeMap<u64, String>, usize)> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > seeds {
                        return;
                    }
                    let verdict = std::panic::catch_unwind(|| run(seed));
                    let mut told = told.lock().unwrap();
                    match verdict {
                        Err(_) => drop(told.1.insert(seed, "panic".to_owned())),
                        Ok(verdict) => {
                            told.2 += verdict.passages;
                            for reached in verdict.reached {
                                *told.0.entry(reached).or_default() += 1;
                            }
                            if let Some(violation) = verdict.violation {
                                told.1.insert(seed, violation);
                            }
                        }
                    }
                }
            });
        }
    });
    let (reached, violations, passages) = told.into_inner().unwrap();
    println!("{seeds} seeds, {passages} passages");
    for (what, seeds) in &reached {
        println!("{seeds:>6} {what}");
    }
    let lines: Vec<String> =
        violations.iter().take(40).map(|(seed, what)| format!("SIM_SEED={seed}: {what}")).collect();
    assert!(violations.is_empty(), "{} of {seeds} seeds\n{}", violations.len(), lines.join("\n"));
}
