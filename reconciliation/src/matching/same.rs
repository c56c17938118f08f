//! Rows of one identity: the pair that agrees best, a split, and what is there once more. Pure.
//!
//! *Split*: one row of a side is several different ones of the other, which come to the same sum.
//! Two halves that are equal are no split: nobody could tell them from one half sent twice.
//! *Duplicate*: a row of an identity that has its counterpart already, as when a file is sent again.
//! Where the other side has nothing, the first row is left for the next rule and the others are
//! duplicates.

use super::class::Class;
use super::merge::{Outlet, class_of};
use super::rule::Rule;
use super::stub::{Stub, Whose};

/// Says what becomes of a group; both sides are sorted.
pub(crate) fn resolve(rule: &Rule, ours: &[Stub], theirs: &[Stub], outlet: &mut impl Outlet) {
    match (ours, theirs) {
        ([a], [b]) => outlet.found(class_of(rule, &[*a], &[*b]), &[*a], &[*b]),
        (side, []) => first_left(Whose::Ours, side, outlet),
        ([], side) => first_left(Whose::Theirs, side, outlet),
        _ => several(rule, ours, theirs, outlet),
    }
}

fn first_left(whose: Whose, side: &[Stub], outlet: &mut impl Outlet) {
    if let [first, more @ ..] = side {
        outlet.left(whose, *first);
        more.iter().for_each(|stub| once_more(whose, *stub, outlet));
    }
}

fn once_more(whose: Whose, stub: Stub, outlet: &mut impl Outlet) {
    let class = if stub.is_disputed() { Class::Disputed } else { Class::Duplicate };
    match whose {
        Whose::Ours => outlet.found(class, &[stub], &[]),
        Whose::Theirs => outlet.found(class, &[], &[stub]),
    }
}

fn several(rule: &Rule, ours: &[Stub], theirs: &[Stub], outlet: &mut impl Outlet) {
    let (i, j) = nearest_pair(ours, theirs);
    let agree = ours[i].amount().abs_diff(theirs[j].amount()) <= rule.amount_tolerance;
    if !agree {
        if let Some((whole, copies, parts)) = split(ours, theirs) {
            outlet.found(class_of(rule, &[whole], &parts.once), &[whole], &parts.once);
            copies.iter().for_each(|stub| once_more(Whose::Ours, *stub, outlet));
            parts.again.iter().for_each(|stub| once_more(Whose::Theirs, *stub, outlet));
            return;
        }
        if let Some((whole, copies, parts)) = split(theirs, ours) {
            outlet.found(class_of(rule, &parts.once, &[whole]), &parts.once, &[whole]);
            copies.iter().for_each(|stub| once_more(Whose::Theirs, *stub, outlet));
            parts.again.iter().for_each(|stub| once_more(Whose::Ours, *stub, outlet));
            return;
        }
    }
    outlet.found(class_of(rule, &[ours[i]], &[theirs[j]]), &[ours[i]], &[theirs[j]]);
    for (whose, side, pair) in [(Whose::Ours, ours, i), (Whose::Theirs, theirs, j)] {
        let (before, after) = (side[..pair].iter(), side[pair + 1..].iter());
        before.chain(after).for_each(|stub| once_more(whose, *stub, outlet));
    }
}

/// Where the two rows stand that are nearest in amount, then in group; of equals, the smallest.
fn nearest_pair(ours: &[Stub], theirs: &[Stub]) -> (usize, usize) {
    let (mut i, mut j) = (0, 0);
    let mut best = (u64::MAX, 0, 0);
    while let (Some(a), Some(b)) = (ours.get(i), theirs.get(j)) {
        let apart = a.amount().abs_diff(b.amount());
        if apart < best.0 {
            best = (apart, i, j);
        }
        // The smaller one has met what is nearest to it.
        if a.amount() <= b.amount() { i += 1 } else { j += 1 }
    }
    let (_, i, j) = best;
    // Of one amount, each group's first: there are 256 groups at most.
    let firsts = |side: &[Stub], from: usize| -> Vec<usize> {
        let amount = side[from].amount();
        let from = from - side[..from].iter().rev().take_while(|s| s.amount() == amount).count();
        let run = side[from..].iter().take_while(|stub| stub.amount() == amount).count();
        let starts = |at: &usize| *at == from || side[*at].group() != side[*at - 1].group();
        (from..from + run).filter(starts).collect()
    };
    let (of_ours, of_theirs) = (firsts(ours, i), firsts(theirs, j));
    let pairs = of_ours.iter().flat_map(|i| of_theirs.iter().map(move |j| (*i, *j)));
    let distance = |&(i, j): &(usize, usize)| {
        let (a, b) = (ours[i].group(), theirs[j].group());
        let apart = if a == 0 || b == 0 { 0 } else { a.abs_diff(b) };
        (apart, u16::from(a) + u16::from(b), ours[i].is_disputed() || theirs[j].is_disputed())
    };
    pairs.min_by_key(distance).unwrap_or((i, j))
}

/// Rows of a split.
struct Parts {
    once: Vec<Stub>,
    /// The same once more, where parts were sent again.
    again: Vec<Stub>,
}

/// The one row of a side whose parts the other side has, and that row's copies.
fn split<'a>(wholes: &'a [Stub], rows: &[Stub]) -> Option<(Stub, &'a [Stub], Parts)> {
    let (whole, copies) = wholes.split_first()?;
    if !copies.iter().all(|copy| is_copy(whole, copy)) {
        return None;
    }
    let (mut once, mut again) = (Vec::new(), Vec::new());
    for run in rows.chunk_by(is_copy) {
        let (first, more) = run.split_first()?;
        once.push(*first);
        again.extend_from_slice(more);
    }
    let sum: u128 = once.iter().map(|stub| u128::from(stub.amount())).sum();
    let is_split = once.len() > 1 && sum == u128::from(whole.amount());
    is_split.then_some((*whole, copies, Parts { once, again }))
}

/// Whether two rows of one identity are the same row sent twice.
fn is_copy(a: &Stub, b: &Stub) -> bool {
    (a.amount(), a.group()) == (b.amount(), b.group())
}
