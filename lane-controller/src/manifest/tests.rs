use domain::passage::{Decision, LaneRole, Payment};
use domain::signature::SecretKey;
use domain::wire::v1::LoopCounts;
use domain::{Amount, BusinessDate, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::journal::Journal;
use crate::lane::{PassageDraft, SavedLane};

/// The journal of these passages: minutes since the beginning of 2 March in Viet Nam, and how the
/// loops stood at each.
fn journal(folder: &std::path::Path, passages: &[(i64, LoopCounts)]) -> Journal {
    let key = SecretKey::from_seed(&[1; 32]);
    let lane = "cienco4/ben-thuy/l01".parse().unwrap();
    let mut journal =
        Journal::open(&folder.join("a.journal"), lane, key, 1, "boot".into()).unwrap();
    for (minute, counts) in passages {
        let draft = PassageDraft {
            fare: Some(Amount::try_new(47_000).unwrap()),
            decision: Decision::OpenedByTag,
            payment: Payment::Account,
            ..crate::journal::tests::draft(0)
        };
        let draft = PassageDraft { at: at(*minute), ..draft };
        let saved = SavedLane { counts: *counts, ..SavedLane::default() };
        journal.append(LaneRole::Open, draft, &saved, 0).unwrap();
    }
    journal
}

fn at(minute: i64) -> Timestamp {
    let begin: Timestamp = "2026-03-01T17:00:00Z".parse().unwrap();
    begin + jiff::SignedDuration::from_mins(minute)
}

fn wanted(day: i64, after_seq: u64) -> WantedDay {
    let date: BusinessDate = format!("2026-03-{:02}", 2 + day).parse().unwrap();
    WantedDay { day: date, ends_at: at(1_440 * (day + 1)), after_seq, last_seq: None }
}

fn crossed(crossings: u64) -> LoopCounts {
    LoopCounts { crossings, between: 1, ..LoopCounts::default() }
}

#[test]
fn a_day_has_the_numbers_that_were_written_before_its_end_and_behind_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let written = [(10, 0), (20, 1), (70, 2), (1_439, 3), (1_441, 4), (4_400, 5)];
    let journal = journal(folder.path(), &written.map(|(minute, n)| (minute, crossed(n))));
    let reader = journal.reader().unwrap();
    let first = of_day(&reader, wanted(0, 0), true).unwrap();
    assert_eq!((first.first_seq, first.last_seq), (1, 4));
    assert_eq!(first.sums.amount.minor_units(), 4 * 47_000);
    assert_eq!(Some(first.head), reader.digest(4).unwrap());
    // By the hour, as the loops stood at each hour's last record.
    let loops = first.loops.unwrap();
    let hours = loops.hours.iter().map(|hour| (hour.last_seq, hour.counts.crossings));
    assert_eq!(hours.collect::<Vec<_>>(), [(2, 1), (3, 2), (4, 3)]);
    let second = of_day(&reader, wanted(1, 4), true).unwrap();
    assert_eq!((second.first_seq, second.last_seq), (5, 5));
    assert_eq!(second.loops.unwrap().before, crossed(3));
    // A day on which nothing was written keeps its place in the chain.
    let third = of_day(&reader, wanted(2, 5), true).unwrap();
    assert_eq!((third.first_seq, third.last_seq, third.sums.passages), (6, 5, 0));
    assert_eq!(Some(third.head), reader.digest(5).unwrap());
}

#[test]
fn a_day_that_is_asked_for_again_has_the_same_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let mut passages = vec![(10, crossed(0)), (20, crossed(1))];
    let first = {
        let journal = journal(folder.path(), &passages);
        of_day(&journal.reader().unwrap(), wanted(0, 0), true).unwrap()
    };
    // A clock that was set back writes into the day that has been told already.
    let other = tempfile::tempdir().unwrap();
    passages.extend([(1_500, crossed(2)), (30, crossed(3))]);
    let journal = journal(other.path(), &passages);
    let reader = journal.reader().unwrap();
    let again = WantedDay { last_seq: Some(2), ..wanted(0, 0) };
    assert_eq!(of_day(&reader, again, true).unwrap(), first);
    let next = of_day(&reader, wanted(1, 2), true).unwrap();
    assert_eq!((next.first_seq, next.last_seq), (3, 4));
}

#[test]
fn what_the_journal_no_longer_has_is_not_made_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal =
        journal(folder.path(), &[(10, crossed(0)), (20, crossed(1)), (30, crossed(2))]);
    journal.forget_some(1).unwrap();
    let error = of_day(&journal.reader().unwrap(), wanted(0, 0), true).unwrap_err();
    assert!(error.to_string().contains("no longer"), "{error}");
    let rest = of_day(&journal.reader().unwrap(), wanted(0, 1), true).unwrap();
    assert_eq!((rest.first_seq, rest.sums.passages), (2, 2));
    // It is said up to where, and what is wanted behind that is told.
    let reader = journal.reader().unwrap();
    let forgotten = Said { manifest: None, forgotten_upto: Some(1) };
    assert_eq!(say(&reader, wanted(0, 0), true).unwrap(), forgotten);
    let told = Said { manifest: Some(rest), forgotten_upto: None };
    assert_eq!(say(&reader, wanted(0, 1), true).unwrap(), told);
}

proptest! {
    /// Whatever the clock did, every number is in exactly one day, and the sums are those of all.
    #[test]
    fn each_number_is_in_one_day(minutes in prop::collection::vec(-2_000_i64..6_000, 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        let passages: Vec<_> = minutes.iter().map(|minute| (*minute, LoopCounts::default())).collect();
        let journal = journal(folder.path(), &passages);
        let reader = journal.reader().unwrap();
        let (mut after_seq, mut amount) = (0, 0);
        for day in 0..6 {
            let manifest = of_day(&reader, wanted(day, after_seq), true).unwrap();
            prop_assert_eq!(manifest.first_seq, after_seq + 1);
            prop_assert_eq!(manifest.last_seq - after_seq, manifest.sums.passages);
            after_seq = manifest.last_seq;
            amount += manifest.sums.amount.minor_units();
        }
        prop_assert_eq!(after_seq, minutes.len() as u64);
        prop_assert_eq!(amount, 47_000 * i64::try_from(minutes.len()).unwrap());
    }
}
