//! Stories of files received and sent.

use std::collections::BTreeSet;

use domain::Timestamp;
use proptest::prelude::*;

use super::code::Code;
use super::received::{Before, Channel, List, Listing, Offer, SizeGuard, Verdict, judge};
use super::sent::{Action, Event, State, WAITS, Why, handle};

fn numbered(number: u64) -> Offer {
    Offer { number: Some(number), listing: None, stamp: String::new(), records: 1 }
}

/// Takes the numbers one after the other and says what became of each.
fn check(numbers: &[u64], expected: &str) {
    let mut channel = Channel::default();
    let mut taken = BTreeSet::new();
    let mut told = Vec::new();
    for number in numbers {
        let before = if taken.contains(number) { Before::Same } else { Before::Never };
        let verdict = judge(&channel, &numbered(*number), before, SizeGuard::default());
        told.push(match &verdict {
            Verdict::Take { answer, missing, fills } => {
                let fills = if *fills { " fills" } else { "" };
                format!("{number} {answer}{fills}{}", names(missing))
            }
            Verdict::Again => format!("{number} 05"),
            Verdict::Refuse { answer, .. } => format!("{number} refused {answer}"),
        });
        if let Verdict::Take { missing, .. } = verdict {
            taken.insert(*number);
            channel.last = channel.last.max(*number);
            channel.missing.extend(missing);
            channel.missing.remove(number);
        }
    }
    assert_eq!(told.join("; "), expected);
}

fn names(numbers: &BTreeSet<u64>) -> String {
    numbers.iter().map(|number| format!(" misses {number}")).collect()
}

#[test]
fn files_are_taken_once_in_any_order_and_gaps_are_known_until_they_are_filled() {
    check(&[7, 8, 9], "7 00; 8 00; 9 00");
    check(&[7, 8, 8], "7 00; 8 00; 8 05");
    check(&[1, 4, 2, 3, 5], "1 00; 4 06 misses 2 misses 3; 2 00 fills; 3 00 fills; 5 00");
    check(&[1, 5000, 2], "1 00; 5000 refused 06; 2 00");
}

#[test]
fn other_bytes_under_a_known_name_are_refused() {
    let verdict = judge(&Channel::default(), &numbered(1), Before::Other, SizeGuard::default());
    assert!(matches!(verdict, Verdict::Refuse { answer: Code::Again, .. }), "{verdict:?}");
}

fn list(stamp: &str, listing: Listing, records: u64) -> Offer {
    Offer { number: None, listing: Some(listing), stamp: stamp.to_owned(), records }
}

#[test]
fn a_change_is_taken_on_top_of_the_list_that_it_changes_and_no_other() {
    let in_force = List { name: "t2".to_owned(), stamp: "t2".to_owned(), entries: 100 };
    let channel = Channel { list: Some(in_force), ..Channel::default() };
    let change = |of: &str| Listing::Change { of: of.to_owned(), becomes: "t3".to_owned() };
    let whole = || Listing::Whole("t3".to_owned());
    for (channel, offer, expected) in [
        (&channel, list("t3", change("t2"), 5), Ok(())),
        (&channel, list("t3", change("t1"), 5), Err(Code::Gap)),
        (&Channel::default(), list("t3", change("t2"), 5), Err(Code::Gap)),
        (&channel, list("t2", change("t2"), 5), Err(Code::Date)),
        (&channel, list("t3", whole(), 90), Ok(())),
        (&channel, list("t3", whole(), 110), Ok(())),
        (&channel, list("t3", whole(), 89), Err(Code::Count)),
        (&channel, list("t3", whole(), 111), Err(Code::Count)),
        (&Channel::default(), list("t3", whole(), 1), Ok(())),
    ] {
        let verdict = match judge(channel, &offer, Before::Never, SizeGuard::default()) {
            Verdict::Take { answer: Code::Taken, .. } => Ok(()),
            Verdict::Take { answer, .. } | Verdict::Refuse { answer, .. } => Err(answer),
            Verdict::Again => Err(Code::Again),
        };
        assert_eq!(verdict, expected, "{offer:?}");
    }
}

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + hours * 3600).unwrap()
}

#[test]
fn a_partner_who_is_silent_gets_the_file_again_and_then_a_person_is_called() {
    let (mut state, _) = handle(State::Written, Event::Delivered, at(0));
    let mut told = Vec::new();
    for hour in 1..100 {
        let (next, actions) = handle(state, Event::Due, at(hour));
        state = next;
        for action in actions {
            told.push((hour, action));
            if action == Action::Send {
                (state, _) = handle(state, Event::Delivered, at(hour));
            }
        }
    }
    let called = (60, Action::Call(Why::Silence));
    assert_eq!(told, [(4, Action::Send), (12, Action::Send), (36, Action::Send), called]);
    assert_eq!(state, State::Unanswered);
    assert_eq!(WAITS.len(), 4);
}

#[test]
fn an_answer_ends_the_waiting_or_says_what_to_do() {
    let sent = State::Sent { times: 1, due: at(4) };
    let refused = |code| State::Refused(code);
    for (state, code, after, actions) in [
        (sent, Code::Taken, State::Acknowledged, vec![]),
        (sent, Code::Again, State::Acknowledged, vec![]),
        (sent, Code::Gap, State::Acknowledged, vec![Action::SendMissing]),
        (sent, Code::Detail, refused(Code::Detail), vec![Action::Call(Why::Refused(Code::Detail))]),
        (
            sent,
            Code::Unexplained(12),
            refused(Code::Unexplained(12)),
            vec![Action::Call(Why::Refused(Code::Unexplained(12)))],
        ),
        (sent, Code::Unavailable, State::Sent { times: 1, due: at(1) }, vec![Action::Send]),
        (State::Unanswered, Code::Taken, State::Acknowledged, vec![]),
        (refused(Code::Detail), Code::Detail, refused(Code::Detail), vec![]),
        (refused(Code::Detail), Code::Taken, State::Acknowledged, vec![]),
        (State::Acknowledged, Code::Again, State::Acknowledged, vec![]),
        (
            State::Acknowledged,
            Code::Count,
            State::Acknowledged,
            vec![Action::Call(Why::Contradiction(Code::Count))],
        ),
    ] {
        assert_eq!(
            handle(state, Event::Answered(code), at(1)),
            (after, actions),
            "{state:?} {code}"
        );
    }
}

proptest! {
    #[test]
    fn whatever_order_files_come_in_each_is_taken_once_and_no_gap_is_forgotten(
        numbers in proptest::collection::vec(1..40u64, 1..80)
    ) {
        let mut channel = Channel::default();
        let mut taken = BTreeSet::new();
        // Of numbers before the first file nobody knows whether they were used.
        let begun = numbers[0];
        for number in numbers {
            let before = if taken.contains(&number) { Before::Same } else { Before::Never };
            match judge(&channel, &numbered(number), before, SizeGuard::default()) {
                Verdict::Take { missing, fills, .. } => {
                    prop_assert!(taken.insert(number));
                    prop_assert_eq!(fills, channel.missing.contains(&number));
                    channel.last = channel.last.max(number);
                    channel.missing.extend(missing);
                    channel.missing.remove(&number);
                }
                Verdict::Again => prop_assert!(taken.contains(&number)),
                Verdict::Refuse { reason, .. } => prop_assert!(false, "{}", reason),
            }
            let lacking: BTreeSet<u64> =
                (begun..channel.last).filter(|n| !taken.contains(n)).collect();
            prop_assert_eq!(&lacking, &channel.missing);
        }
    }

    #[test]
    fn a_file_that_was_taken_is_never_sent_again(
        codes in proptest::collection::vec(0..14u8, 0..20)
    ) {
        let mut state = State::Acknowledged;
        for code in codes {
            let event = match Code::parse(&format!("{code:02}")) {
                Some(code) => Event::Answered(code),
                None => Event::Due,
            };
            let (next, actions) = handle(state, event, at(0));
            prop_assert_eq!(next, State::Acknowledged);
            prop_assert!(!actions.contains(&Action::Send));
            state = next;
        }
    }
}
