//! The engine: two sides and rules in, every row's class out.
//!
//! For each rule: *read* (all workers take parts of both sides and put stubs on shelves), then
//! *match* (each worker merges a run of shelves). What is left is put on shelves by place, so that
//! the next rule reads it again in the order of the file. What no rule paired is only on its side.
//! At the end the classes are added up against what was read; a difference is our own mistake, and
//! nothing is said but that.
//!
//! Findings come out rule by rule, in order of digest, whatever the order of the rows, the memory or
//! the number of workers.

use std::io;
use std::path::PathBuf;

use domain::MoneyError;

use super::class::{AddUpError, Both, ClassTotals, OfRule, add_up};
use super::finding::Sink;
use super::passes::{Extents, Filled, match_shelves, read_all, read_left, tell_left};
use super::rule::Rules;
use super::shelf::{Room, Shape};
use super::side::{Side, Unreadable};
use super::stub::{STUB_LEN, Whose};

/// With what means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Threads; at least one.
    pub workers: usize,
    /// How much memory the process may take; all that there is where absent. Above it, stubs go to
    /// files.
    pub memory_bytes: Option<u64>,
    /// Where those files are made.
    pub folder: PathBuf,
}

/// Least memory that can be asked for.
pub const MEMORY_MIN_BYTES: u64 = 64 << 20;
/// Stubs in a chunk.
const CHUNK_LEN: usize = 256;
/// Stubs in a stage: the stages of all shelves fit a core's cache.
const STAGE_LEN: u8 = 8;
/// Stubs of both sides that a shelf should hold: few enough to be sorted near the core, and so many
/// that there are not too many shelves to write to at once.
const SHELF_LEN: u64 = 131_072;

/// Why matching failed.
#[derive(Debug, thiserror::Error)]
pub enum MatchError {
    /// A side could not be read.
    #[error("read {}", whose_side(*whose))]
    Side {
        /// Which.
        whose: Whose,
        /// Where, and what would be right.
        #[source]
        source: Unreadable,
    },
    /// The spill file, or what takes the findings.
    #[error("{doing}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Less than is needed at all.
    #[error(
        "{asked} bytes of memory are too little to match with; {MEMORY_MIN_BYTES} is the least"
    )]
    Memory {
        /// What was asked for.
        asked: u64,
    },
    /// A sum is past what the books hold.
    #[error("sum a side")]
    Money(#[from] MoneyError),
    /// The totals of the classes are not those of the sides: our own mistake.
    #[error("the classes do not add up to what was read; nothing of this matching may be used")]
    DoesNotAddUp,
}

fn whose_side(whose: Whose) -> &'static str {
    match whose {
        Whose::Ours => "our side",
        Whose::Theirs => "their side",
    }
}

impl MatchError {
    pub(super) fn disk(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Disk { doing, source }
    }
}

impl From<AddUpError> for MatchError {
    fn from(error: AddUpError) -> Self {
        match error {
            AddUpError::Differs => Self::DoesNotAddUp,
            AddUpError::Money(error) => Self::Money(error),
        }
    }
}

/// Puts every row of both sides into one class; gives the totals, and the sinks in the order of
/// what they took.
///
/// # Errors
/// When a side, the disk or a sink fails, or a sum is past what the books hold.
pub fn match_rows<S: Sink>(
    ours: &impl Side,
    theirs: &impl Side,
    rules: &Rules,
    plan: &Plan,
    sink: impl Fn() -> S + Sync,
) -> Result<(ClassTotals, Vec<S>), MatchError> {
    let rows = ours.rows_about().saturating_add(theirs.rows_about());
    let (shape, room) = shape_of(rows, plan)?;
    run(ours, theirs, rules, &Means { shape, room, workers: plan.workers.max(1) }, sink)
}

/// Shelves for so many rows, and room for their chunks.
fn shape_of(rows: u64, plan: &Plan) -> Result<(Shape, Room), MatchError> {
    let bits_for = |shelves: u64| shelves.max(1).next_power_of_two().trailing_zeros();
    let mut bits = bits_for(rows / SHELF_LEN).min(12);
    let chunk_bytes = (CHUNK_LEN * STUB_LEN) as u64;
    let mut room = usize::MAX;
    if let Some(asked) = plan.memory_bytes {
        if asked < MEMORY_MIN_BYTES {
            return Err(MatchError::Memory { asked });
        }
        // Each worker has one chunk open on every shelf, of both sides, and of what is left.
        let open = 4 * chunk_bytes * plan.workers.max(1) as u64;
        bits = bits.min(bits_for(asked / 4 / open + 1) - 1);
        // An eighth is for what is being read and sorted.
        let for_chunks = asked - asked / 8 - (open << bits);
        room = usize::try_from(for_chunks / chunk_bytes).unwrap_or(usize::MAX);
    }
    let shape =
        Shape { bits, chunk_len: CHUNK_LEN, stage_len: STAGE_LEN, folder: plan.folder.clone() };
    Ok((shape, Room::new(room)))
}

/// What the workers share.
#[derive(Debug)]
pub(super) struct Means {
    pub(super) shape: Shape,
    pub(super) room: Room,
    pub(super) workers: usize,
}

pub(super) fn run<S: Sink>(
    ours: &impl Side,
    theirs: &impl Side,
    rules: &Rules,
    means: &Means,
    sink: impl Fn() -> S + Sync,
) -> Result<(ClassTotals, Vec<S>), MatchError> {
    let extents = Extents::of_sides(ours, theirs);
    let names: Vec<&str> = rules.as_slice().iter().map(|rule| rule.name.as_str()).collect();
    let mut by_rule = vec![OfRule::default(); names.len() + 1];
    let mut sinks = Vec::new();
    let mut read = Both::default();
    let mut left: Option<Filled<'_>> = None;
    for (number, rule) in rules.as_slice().iter().enumerate() {
        let (keyed, mut next) = match &left {
            None => {
                let (keyed, next, sum) = read_all(ours, theirs, rule, extents, means)?;
                read = sum;
                (keyed, next)
            }
            Some(left) => read_left(ours, theirs, rule, left, extents, means)?,
        };
        drop(left.take());
        let merged = match_shelves(rule, number, &keyed, extents, means, &sink)?;
        drop(keyed);
        for (of_rule, rest, sink) in merged {
            add(&mut by_rule[number], &of_rule);
            next.push(rest)?;
            sinks.push(sink);
        }
        left = Some(next);
    }
    if let Some(left) = left {
        for (of_rule, sink) in tell_left(&left, means, &sink)? {
            add(&mut by_rule[names.len()], &of_rule);
            sinks.push(sink);
        }
    }
    Ok((add_up(&names, &by_rule, &read)?, sinks))
}

fn add(to: &mut OfRule, more: &OfRule) {
    to.iter_mut().zip(more).for_each(|(to, more)| to.add(more));
}
