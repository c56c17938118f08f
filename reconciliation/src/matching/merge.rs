//! Merge: one shelf of both sides, sorted, walked group by group. Pure.
//!
//! *Group*: all rows of both sides under one key; under a rule with a window, the time apart.

use std::cmp::Ordering;

use super::class::Class;
use super::rule::Rule;
use super::same;
use super::stub::{Stub, Whose};
use super::window;

/// What takes what became of the rows.
pub(crate) trait Outlet {
    /// These rows are in this class, by the rule that is being tried.
    fn found(&mut self, class: Class, ours: &[Stub], theirs: &[Stub]);
    /// This row found nothing; the next rule sees it.
    fn left(&mut self, whose: Whose, stub: Stub);
}

/// Sorts both sides and says what becomes of every row.
pub(crate) fn merge(rule: &Rule, ours: &mut [Stub], theirs: &mut [Stub], outlet: &mut impl Outlet) {
    if rule.is_by_identity() {
        ours.sort_unstable_by(Stub::by_identity);
        theirs.sort_unstable_by(Stub::by_identity);
        walk(ours, theirs, Stub::by_identity, Stub::has_key_of, |a, b| {
            same::resolve(rule, a, b, outlet);
        });
    } else {
        ours.sort_unstable_by(Stub::by_time);
        theirs.sort_unstable_by(Stub::by_time);
        walk(ours, theirs, Stub::by_time, Stub::has_timed_key_of, |a, b| {
            window::resolve(rule, a, b, outlet);
        });
    }
}

/// Hands over each group; one of its two sides may be empty.
fn walk(
    mut ours: &[Stub],
    mut theirs: &[Stub],
    order: impl Fn(&Stub, &Stub) -> Ordering,
    is_one_group: impl Fn(&Stub, &Stub) -> bool,
    mut group: impl FnMut(&[Stub], &[Stub]),
) {
    loop {
        let first = match (ours.first(), theirs.first()) {
            // Below the other by order is below it by key, or in the same group.
            (Some(a), Some(b)) if order(a, b).is_gt() => *b,
            (Some(one), _) | (None, Some(one)) => *one,
            (None, None) => return,
        };
        let len_of = |side: &[Stub]| side.iter().take_while(|s| is_one_group(s, &first)).count();
        let (a, rest) = ours.split_at(len_of(ours));
        ours = rest;
        let (b, rest) = theirs.split_at(len_of(theirs));
        theirs = rest;
        group(a, b);
    }
}

/// The class of rows that belong together: `ours` in all against `theirs` in all.
pub(crate) fn class_of(rule: &Rule, ours: &[Stub], theirs: &[Stub]) -> Class {
    if ours.iter().chain(theirs).any(Stub::is_disputed) {
        return Class::Disputed;
    }
    let groups_agree = ours.iter().all(|a| theirs.iter().all(|b| groups_agree(rule, a, b)));
    if !groups_agree {
        return Class::GroupDiffers;
    }
    let sum = |side: &[Stub]| side.iter().map(|stub| u128::from(stub.amount())).sum::<u128>();
    if sum(ours).abs_diff(sum(theirs)) > u128::from(rule.amount_tolerance) {
        return Class::AmountDiffers;
    }
    Class::Matched
}

/// A side that does not say its group contradicts nobody.
fn groups_agree(rule: &Rule, a: &Stub, b: &Stub) -> bool {
    a.group() == 0 || b.group() == 0 || a.group().abs_diff(b.group()) <= rule.group_tolerance
}
