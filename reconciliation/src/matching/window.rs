//! Rows of one key within a window of time: who belongs to whom. Pure.
//!
//! As many rows as possible are paired; of the ways to do so, one in which the fewest pairs differ,
//! and of these the one whose pairs are nearest in time. A clock that is off by some seconds thus
//! shifts every pair and loses none, and a vehicle that passes twice is not crossed with itself.
//!
//! *Cluster*: rows with no gap above the window between them; nothing pairs across a gap. A cluster
//! above [`CLUSTER_MAX`] cells, which no traffic makes, is paired in order of time.

use std::cmp::Ordering;

use super::class::Class;
use super::merge::{Outlet, class_of};
use super::rule::Rule;
use super::stub::{Stub, Whose};

/// Rows of ours times rows of theirs, up to which the best pairing is looked for.
const CLUSTER_MAX: usize = 1 << 16;

/// Says what becomes of a group; both sides are sorted by time.
pub(crate) fn resolve(rule: &Rule, ours: &[Stub], theirs: &[Stub], outlet: &mut impl Outlet) {
    let window_ms = rule.window_ms.unwrap_or(0);
    let (mut ours, mut theirs) = (ours, theirs);
    while !(ours.is_empty() && theirs.is_empty()) {
        let (a, b) = cluster(ours, theirs, window_ms);
        let (of_ours, rest) = ours.split_at(a);
        ours = rest;
        let (of_theirs, rest) = theirs.split_at(b);
        theirs = rest;
        let pairs = match (of_ours, of_theirs) {
            (_, []) | ([], _) => Vec::new(),
            _ if a.saturating_mul(b) > CLUSTER_MAX => in_order(of_ours, of_theirs, window_ms),
            _ => best(rule, of_ours, of_theirs, window_ms),
        };
        hand_over(rule, of_ours, of_theirs, &pairs, outlet);
    }
}

fn hand_over(
    rule: &Rule,
    ours: &[Stub],
    theirs: &[Stub],
    pairs: &[(usize, usize)],
    outlet: &mut impl Outlet,
) {
    let (mut i, mut j) = (0, 0);
    for &(a, b) in pairs {
        ours[i..a].iter().for_each(|stub| outlet.left(Whose::Ours, *stub));
        theirs[j..b].iter().for_each(|stub| outlet.left(Whose::Theirs, *stub));
        outlet.found(class_of(rule, &[ours[a]], &[theirs[b]]), &[ours[a]], &[theirs[b]]);
        (i, j) = (a + 1, b + 1);
    }
    ours[i..].iter().for_each(|stub| outlet.left(Whose::Ours, *stub));
    theirs[j..].iter().for_each(|stub| outlet.left(Whose::Theirs, *stub));
}

/// How many rows of either side the first cluster has; one at least.
fn cluster(ours: &[Stub], theirs: &[Stub], window_ms: u64) -> (usize, usize) {
    let (mut i, mut j) = (0, 0);
    let mut last = None;
    loop {
        let (a, b) = (ours.get(i).map(Stub::time_ms), theirs.get(j).map(Stub::time_ms));
        let next = match (a, b) {
            (Some(a), Some(b)) => a.min(b),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return (i, j),
        };
        if last.is_some_and(|last| next - last > window_ms) {
            return (i, j);
        }
        last = Some(next);
        if a == Some(next) { i += 1 } else { j += 1 }
    }
}

/// How good the pairing of what follows is: the smaller, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    unpaired: usize,
    differ: usize,
    apart_ms: u64,
}

/// The best pairing in which the order of time is kept: crossing brings no two rows nearer.
fn best(rule: &Rule, ours: &[Stub], theirs: &[Stub], window_ms: u64) -> Vec<(usize, usize)> {
    let (rows, columns) = (ours.len(), theirs.len());
    let nothing = |unpaired| Cost { unpaired, differ: 0, apart_ms: 0 };
    let paired = |i: usize, j: usize, rest: Cost| -> Option<Cost> {
        let apart_ms = ours[i].time_ms().abs_diff(theirs[j].time_ms());
        let differs = class_of(rule, &[ours[i]], &[theirs[j]]) != Class::Matched;
        (apart_ms <= window_ms).then(|| Cost {
            unpaired: rest.unpaired,
            differ: rest.differ + usize::from(differs),
            apart_ms: rest.apart_ms + apart_ms,
        })
    };
    // costs[i * width + j]: of ours from i and theirs from j.
    let width = columns + 1;
    let mut costs = vec![nothing(0); (rows + 1) * width];
    for i in (0..=rows).rev() {
        for j in (0..=columns).rev() {
            costs[i * width + j] = if i == rows {
                nothing(columns - j)
            } else if j == columns {
                nothing(rows - i)
            } else {
                let without = |mut cost: Cost| {
                    cost.unpaired += 1;
                    cost
                };
                let skipped = without(costs[(i + 1) * width + j].min(costs[i * width + j + 1]));
                let both = paired(i, j, costs[(i + 1) * width + j + 1]);
                both.map_or(skipped, |both| both.min(skipped))
            };
        }
    }
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < rows && j < columns {
        let cost = costs[i * width + j];
        let (down, right) = (costs[(i + 1) * width + j], costs[i * width + j + 1]);
        if paired(i, j, costs[(i + 1) * width + j + 1]) == Some(cost) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else {
            // Of ways that are equally good, the same one whichever side is called ours.
            match down.cmp(&right) {
                Ordering::Less => i += 1,
                Ordering::Greater => j += 1,
                Ordering::Equal if ours[i].says() <= theirs[j].says() => i += 1,
                Ordering::Equal => j += 1,
            }
        }
    }
    pairs
}

/// The earliest with the earliest.
fn in_order(ours: &[Stub], theirs: &[Stub], window_ms: u64) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while let (Some(a), Some(b)) = (ours.get(i), theirs.get(j)) {
        let (a, b) = (a.time_ms(), b.time_ms());
        if a.abs_diff(b) <= window_ms {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if a < b {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}
