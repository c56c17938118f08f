use proptest::prelude::*;

use super::*;

fn tally(records: u64, amount: i64) -> Tally {
    Tally { records, amount: Amount::try_new(amount).unwrap() }
}

fn alike() -> impl Strategy<Value = Alike> {
    (0..4_u8, 0..9_u64, 0..1_000_i64, 0..1_000_i64).prop_map(|(class, records, ours, theirs)| {
        match class {
            0 => Alike::Matched(tally(records, ours)),
            1 => Alike::OnlyOurs(tally(records, ours)),
            2 => Alike::OnlyTheirs(tally(records, theirs)),
            _ => {
                let (ours, theirs) = (tally(records, ours).amount, tally(records, theirs).amount);
                Alike::AmountDiffers { records, ours, theirs }
            }
        }
    })
}

fn sides(alike: Alike) -> (Tally, Tally) {
    match alike {
        Alike::Matched(both) => (both, both),
        Alike::AmountDiffers { records, ours, theirs } => {
            (Tally { records, amount: ours }, Tally { records, amount: theirs })
        }
        Alike::OnlyOurs(ours) => (ours, Tally::default()),
        Alike::OnlyTheirs(theirs) => (Tally::default(), theirs),
    }
}

#[test]
fn every_class_is_told_from_the_others() {
    let mut totals = Totals::default();
    let (ours, theirs) = (tally(1, 47_000).amount, tally(1, 64_000).amount);
    for alike in [
        Alike::Matched(tally(2, 94_000)),
        Alike::Matched(tally(1, 47_000)),
        Alike::AmountDiffers { records: 1, ours, theirs },
        Alike::OnlyOurs(tally(1, 87_000)),
        Alike::OnlyTheirs(tally(3, 90_000)),
    ] {
        totals.count(alike).unwrap();
    }
    let expected = Totals {
        matched: tally(3, 141_000),
        amount_differs_ours: tally(1, 47_000),
        amount_differs_theirs: tally(1, 64_000),
        only_ours: tally(1, 87_000),
        only_theirs: tally(3, 90_000),
        duplicate_ours: Tally::default(),
        duplicate_theirs: Tally::default(),
    };
    assert_eq!(totals, expected);
}

#[test]
fn a_sum_past_what_the_books_hold_is_refused() {
    let mut totals = Totals::default();
    totals.count(Alike::OnlyOurs(tally(1, i64::MAX))).unwrap();
    let more = totals.count(Alike::OnlyOurs(tally(1, 1)));
    assert_eq!(more, Err(MoneyError::Overflow));
    // What was counted before stays.
    assert_eq!(totals.only_ours, tally(1, i64::MAX));
}

proptest! {
    #[test]
    fn the_classes_add_up_to_both_sides(all in proptest::collection::vec(alike(), 0..40)) {
        let (mut totals, mut ours, mut theirs) = (Totals::default(), Tally::default(), Tally::default());
        for one in all {
            totals.count(one).unwrap();
            let (of_ours, of_theirs) = sides(one);
            ours = ours.plus(of_ours).unwrap();
            theirs = theirs.plus(of_theirs).unwrap();
        }
        prop_assert_eq!(totals.ours().unwrap(), ours);
        prop_assert_eq!(totals.theirs().unwrap(), theirs);
    }
}
