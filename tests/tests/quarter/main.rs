//! A quarter of traffic, settled: 92 days, three operators with cut-offs and contracts of their own,
//! three issuers, their banks, and errors of every class planted on both sides.
//!
//! *Planted* errors are found, named, and closed by a case with an outcome; what was not planted is
//! never reported. At the end every customer has paid for what he truly drove and nothing else, and
//! each settlement equals the one that `truth` works out from what was planted: with arithmetic of its
//! own, and never out of the database. Everything goes through the product's own functions and a real
//! database, on virtual time.
//!
//! *World*: who there is, their fares and contracts. *Week*: when people drive; the shape of a recorded
//! week where `../shared/data` has it, else one that is written down, and the test says which. *Plan*:
//! what happens, out of a seed. *Truth*: what it must come to. *Theirs*: the files of the other side.
//! *Bank*: what the issuers' banks do. *Run*: the mornings of the quarter, one after the other.
//!
//! `ETC_QUARTER_PASSAGES` says how many passages (about 2,800 where it does not), `ETC_QUARTER_SEED` the
//! seed; a failure names both.
#![expect(clippy::unwrap_used, reason = "what the test stands on fails as it does")]
#![expect(clippy::print_stdout, reason = "a person reads which quarter it was")]

mod world;
mod week;
mod plan;
mod truth;
mod theirs;
mod bank;
mod run;

use std::env;

use plan::Plan;
use run::Run;
use week::Week;

/// Passages of a run in which nobody said how many.
const PASSAGES: usize = 2_800;

fn said(name: &str, otherwise: usize) -> usize {
    let text = env::var(name).ok();
    text.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarter_with_errors_of_every_class_is_settled_as_the_truth_has_it() {
    let passages = said("ETC_QUARTER_PASSAGES", PASSAGES);
    let seed = said("ETC_QUARTER_SEED", 20_260_701) as u64;
    let week = Week::found();
    println!("seed {seed}, {passages} passages, {}", week.source);
    let plan = Plan::drawn(seed, passages, &week);
    println!("{} crossings, {} errors planted", plan.crossings.len(), plan.planted());
    let mut run = Run::begin(plan).await;
    for morning in run.mornings() {
        run.morning(morning).await;
    }
    run.end().await;
}
