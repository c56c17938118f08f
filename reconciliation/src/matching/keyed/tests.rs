use proptest::prelude::*;

use super::*;

fn record(key: u8, amount: i64) -> Record<u8> {
    Record { key, amount: Amount::try_new(amount).unwrap() }
}

fn tally(records: u64, amount: i64) -> Tally {
    Tally { records, amount: Amount::try_new(amount).unwrap() }
}

fn side_of(records: &[Record<u8>]) -> Tally {
    let amount = Amount::sum(records.iter().map(|record| record.amount)).unwrap();
    Tally { records: records.len() as u64, amount }
}

#[test]
fn every_class_is_found_and_told_from_the_others() {
    let ours = vec![record(1, 47_000), record(2, 47_000), record(3, 64_000), record(3, 64_000)];
    let theirs = vec![record(1, 47_000), record(2, 64_000), record(4, 87_000), record(4, 90_000)];
    let matching = match_sides(ours, theirs).unwrap();
    assert_eq!(
        matching.totals,
        Totals {
            matched: tally(1, 47_000),
            amount_differs_ours: tally(1, 47_000),
            amount_differs_theirs: tally(1, 64_000),
            only_ours: tally(1, 64_000),
            only_theirs: tally(1, 87_000),
            duplicate_ours: tally(1, 64_000),
            duplicate_theirs: tally(1, 90_000),
        }
    );
    assert_eq!(matching.totals.ours().unwrap(), tally(4, 222_000));
    assert_eq!(matching.totals.theirs().unwrap(), tally(4, 288_000));
}

#[test]
fn a_sum_past_what_the_books_hold_is_refused() {
    let ours = vec![record(1, i64::MAX), record(2, 1)];
    assert_eq!(match_sides(ours, Vec::new()), Err(MoneyError::Overflow));
}

fn side() -> impl Strategy<Value = Vec<Record<u8>>> {
    // Few keys and few amounts, so that every class happens often.
    proptest::collection::vec((0..12_u8, 0..4_i64), 0..40)
        .prop_map(|pairs| pairs.into_iter().map(|(key, amount)| record(key, amount)).collect())
}

fn swapped(class: Class) -> Class {
    match class {
        Class::Matched { amount } => Class::Matched { amount },
        Class::AmountDiffers { ours, theirs } => {
            Class::AmountDiffers { ours: theirs, theirs: ours }
        }
        Class::OnlyOurs { amount } => Class::OnlyTheirs { amount },
        Class::OnlyTheirs { amount } => Class::OnlyOurs { amount },
        Class::DuplicateOurs { amount } => Class::DuplicateTheirs { amount },
        Class::DuplicateTheirs { amount } => Class::DuplicateOurs { amount },
    }
}

fn sorted(mut classes: Vec<(u8, Class)>) -> Vec<(u8, String)> {
    let mut named: Vec<(u8, String)> =
        classes.drain(..).map(|(key, class)| (key, format!("{class:?}"))).collect();
    named.sort();
    named
}

proptest! {
    #[test]
    fn the_classes_partition_both_sides(ours in side(), theirs in side()) {
        let matching = match_sides(ours.clone(), theirs.clone()).unwrap();
        prop_assert_eq!(matching.totals.ours().unwrap(), side_of(&ours));
        prop_assert_eq!(matching.totals.theirs().unwrap(), side_of(&theirs));

        // Not only the sums: the very records come back out of the classes.
        let (mut out_ours, mut out_theirs) = (Vec::new(), Vec::new());
        for (key, class) in matching.classes {
            let (a, b) = match class {
                Class::Matched { amount } => (Some(amount), Some(amount)),
                Class::AmountDiffers { ours, theirs } => (Some(ours), Some(theirs)),
                Class::OnlyOurs { amount } | Class::DuplicateOurs { amount } => (Some(amount), None),
                Class::OnlyTheirs { amount } | Class::DuplicateTheirs { amount } => {
                    (None, Some(amount))
                }
            };
            out_ours.extend(a.map(|amount| Record { key, amount }));
            out_theirs.extend(b.map(|amount| Record { key, amount }));
        }
        for (mut put_in, mut came_out) in [(ours, out_ours), (theirs, out_theirs)] {
            put_in.sort();
            came_out.sort();
            prop_assert_eq!(put_in, came_out);
        }
    }

    #[test]
    fn which_side_is_called_ours_changes_no_class(ours in side(), theirs in side()) {
        let one_way = match_sides(ours.clone(), theirs.clone()).unwrap();
        let other_way = match_sides(theirs, ours).unwrap();
        let back = other_way.classes.into_iter().map(|(key, class)| (key, swapped(class)));
        prop_assert_eq!(sorted(one_way.classes), sorted(back.collect()));
    }

    #[test]
    fn the_order_of_the_records_changes_nothing(ours in side(), theirs in side()) {
        let reversed = |side: &[Record<u8>]| side.iter().rev().copied().collect::<Vec<_>>();
        let backwards = match_sides(reversed(&ours), reversed(&theirs)).unwrap();
        prop_assert_eq!(match_sides(ours, theirs).unwrap(), backwards);
    }
}
