//! Stories of the window, and traces that nobody wrote.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A window with a connection, and what it hands out at an instant, as `seq` or `seq/round`.
struct Story(Window);

impl Story {
    fn new(written: u64, posted: u64) -> Self {
        let mut window = Window::new(written, posted);
        window.handle_connection(true, ms(0));
        Self(window)
    }

    fn sends(&mut self, at: u64, expected: &str) {
        let text = |sending: &Sending| match sending.round {
            0 => sending.seq.to_string(),
            round => format!("{}/{round}", sending.seq),
        };
        self.0.handle_deadline(ms(at));
        let sent: Vec<_> = self.0.poll_send(ms(at)).iter().map(text).collect();
        assert_eq!(sent.join(" "), expected, "at {at} ms");
    }

    fn takes(&mut self, at: u64, seqs: impl IntoIterator<Item = u64>) {
        seqs.into_iter().for_each(|seq| self.0.handle_taken(seq, ms(at)));
    }

    fn fails(&mut self, at: u64, seqs: impl IntoIterator<Item = u64>) {
        seqs.into_iter().for_each(|seq| self.0.handle_failed(seq, ms(at)));
    }

    fn posted(&mut self, at: u64, upto: u64, missing: &[(u64, u64)]) {
        self.0.handle_posted(&Posted { upto, digest: None, missing: missing.to_vec() }, ms(at));
    }
}

#[test]
fn one_record_finds_out_and_then_sixteen_are_under_way() {
    let mut story = Story::new(40, 0);
    story.sends(0, "1");
    story.sends(1, "");
    story.takes(2, [1]);
    story.sends(2, "2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17");
    story.takes(3, [2, 3]);
    story.sends(3, "18 19");
}

#[test]
fn what_fails_goes_again_under_the_same_id_for_ever_and_ever_more_slowly() {
    let mut story = Story::new(3, 0);
    story.sends(0, "1");
    let mut at = 0;
    for wait in [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000] {
        story.fails(at, [1]);
        story.sends(at + wait - 1, "");
        at += wait;
        story.sends(at, "1");
    }
    story.takes(at, [1]);
    story.sends(at, "2 3");
}

#[test]
fn what_was_under_way_together_fails_as_one_and_goes_again_one_by_one() {
    let mut story = Story::new(4, 0);
    story.sends(0, "1");
    story.takes(0, [1]);
    story.sends(0, "2 3 4");
    story.fails(10, [4, 2]);
    story.takes(11, [3]);
    story.fails(12, [3]);
    story.sends(209, "");
    story.sends(210, "2 4");
}

#[test]
fn nothing_is_sent_without_a_connection() {
    let mut story = Story::new(4, 0);
    story.0.handle_connection(false, ms(0));
    story.sends(1, "");
    assert_eq!(story.0.next_deadline(), None);
    story.0.handle_connection(true, ms(2));
    story.sends(2, "1");
}

#[test]
fn a_gap_is_filled_once_under_a_new_id_and_again_only_in_its_own_time() {
    let mut story = Story::new(5, 0);
    story.sends(0, "1");
    story.takes(0, [1]);
    story.sends(0, "2 3 4 5");
    story.takes(1, [2, 3, 4, 5]);
    story.posted(2, 1, &[(2, 3)]);
    story.sends(2, "2/1 3/1");
    story.takes(3, [2, 3]);
    story.posted(4, 1, &[(2, 3)]);
    story.sends(4, "");
    story.posted(9_000, 1, &[(2, 3)]);
    story.sends(9_000, "");
    story.posted(10_002, 1, &[(2, 3)]);
    story.sends(10_002, "2/2 3/2");
    story.takes(10_003, [2]);
    story.posted(10_004, 5, &[]);
    story.sends(10_004, "");
}

#[test]
fn what_is_still_under_way_is_not_a_gap() {
    let mut story = Story::new(5, 0);
    story.sends(0, "1");
    story.takes(0, [1]);
    story.sends(0, "2 3 4 5");
    story.takes(1, [2, 4, 5]);
    story.posted(2, 1, &[(2, 3)]);
    story.sends(2, "2/1");
    story.fails(3, [3]);
    story.takes(4, [2]);
    story.sends(203, "3");
}

#[test]
fn a_clearing_house_that_is_down_finds_nothing_twice() {
    let mut story = Story::new(2, 0);
    story.sends(0, "1");
    story.takes(0, [1]);
    story.sends(0, "2");
    story.takes(0, [2]);
    let (mut asked, mut sent) = (0, 0);
    for at in (0..24 * 3_600_000).step_by(500) {
        story.0.handle_deadline(ms(at));
        if story.0.poll_ask(ms(at)) {
            asked += 1;
            story.0.handle_held(Some(2));
        }
        for sending in story.0.poll_send(ms(at)) {
            assert_eq!(sending.seq, 1, "only the first is knocked with");
            sent += 1;
            story.takes(at, [1]);
        }
    }
    assert!((100..400).contains(&asked), "asked {asked} times in a day");
    assert!((1..12).contains(&sent), "{sent} copies in a day");
}

#[test]
fn a_broker_that_came_back_empty_gets_everything_from_the_watermark_on() {
    for held in [None, Some(2), Some(99)] {
        let mut story = Story::new(6, 0);
        story.sends(0, "1");
        story.takes(0, [1]);
        story.sends(0, "2 3 4 5 6");
        story.takes(1, 2..=6);
        story.posted(2, 3, &[]);
        story.0.taken.retain(|seq| *seq > 2);
        story.0.handle_connection(false, ms(10));
        story.0.handle_connection(true, ms(20));
        assert!(story.0.poll_ask(ms(20)) && !story.0.poll_ask(ms(21)));
        story.0.handle_held(held);
        story.sends(21, "4/1");
        story.takes(22, [4]);
        story.sends(22, "5/1 6/1");
    }
}

#[test]
fn gaps_that_are_told_ever_differently_take_bounded_room() {
    let mut story = Story::new(100_000, 0);
    for seq in 1..=100_000 {
        story.0.in_flight.insert(seq, 0);
        story.0.next = seq + 1;
        story.0.handle_taken(seq, ms(0));
    }
    for step in 0..5_000 {
        story.posted(step, 1, &[(2 + step, 2 + step), (60_000 + step, 60_000 + step)]);
    }
    assert!(story.0.again.len() <= AGAIN_MAX + 1);
}

#[test]
fn a_receipt_of_before_changes_nothing() {
    let mut story = Story::new(6, 4);
    story.posted(0, 3, &[(4, 5)]);
    assert_eq!(story.0.posted(), 4);
    story.sends(0, "5");
}

#[test]
fn a_record_that_the_journal_has_no_more_holds_nothing_up() {
    let mut story = Story::new(3, 0);
    story.sends(0, "1");
    story.0.handle_gone(1);
    story.sends(0, "2");
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Write(u64),
    Connect(bool),
    /// The broker stores a record, and its word may be lost on the way.
    Store {
        nth: usize,
        told: bool,
    },
    Lose(usize),
    /// The clearing house takes so many of what the broker has.
    Post(usize),
    BrokerLosesItsDisk,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..30_u64).prop_map(Step::Write),
        any::<bool>().prop_map(Step::Connect),
        (0..WIDTH, any::<bool>()).prop_map(|(nth, told)| Step::Store { nth, told }),
        (0..WIDTH).prop_map(Step::Lose),
        (1..20_usize).prop_map(Step::Post),
        Just(Step::BrokerLosesItsDisk),
        (1..40_000_u64).prop_map(Step::Wait),
    ]
}

/// A broker that drops equal ids, and a clearing house that posts each sequence once.
#[derive(Debug, Default)]
struct Model {
    stored: VecDeque<Sending>,
    last: Option<u64>,
    ids: BTreeSet<(u64, u32)>,
    in_flight: Vec<Sending>,
    seen: BTreeSet<u64>,
}

impl Model {
    fn store(&mut self, sending: Sending) {
        if self.ids.insert((sending.seq, sending.round)) {
            self.stored.push_back(sending);
            self.last = Some(sending.seq);
        }
    }

    fn post(&mut self, count: usize) -> Posted {
        let count = count.min(self.stored.len());
        self.seen.extend(self.stored.drain(..count).map(|sending| sending.seq));
        let upto = (1..).take_while(|seq| self.seen.contains(seq)).count() as u64;
        let last = self.seen.last().copied().unwrap_or(0);
        let missing = (upto + 1..last).filter(|seq| !self.seen.contains(seq));
        Posted { upto, digest: None, missing: missing.map(|seq| (seq, seq)).take(4).collect() }
    }
}

proptest! {
    #[test]
    fn whatever_fails_everything_is_posted_in_the_end(steps in prop::collection::vec(step(), 0..200)) {
        let mut window = Window::new(0, 0);
        let mut model = Model::default();
        let (mut written, mut now) = (0, Duration::ZERO);
        let calm = [Step::Connect(false), Step::Connect(true)];
        // After the storm: everything works, for long enough.
        let after = (0..2_000).flat_map(|_| {
            let store = Step::Store { nth: 0, told: true };
            [Step::Wait(700), store, store, store, Step::Post(20)]
        });
        for step in steps.into_iter().chain(calm).chain(after) {
            match step {
                Step::Write(count) => {
                    written += count;
                    window.handle_written(written);
                }
                Step::Connect(connected) => window.handle_connection(connected, now),
                Step::Store { nth, told } if nth < model.in_flight.len() => {
                    let sending = model.in_flight.remove(nth);
                    model.store(sending);
                    if told {
                        window.handle_taken(sending.seq, now);
                    } else {
                        window.handle_failed(sending.seq, now);
                    }
                }
                Step::Lose(nth) if nth < model.in_flight.len() => {
                    let sending = model.in_flight.remove(nth);
                    window.handle_failed(sending.seq, now);
                }
                Step::Store { .. } | Step::Lose(_) => {}
                Step::Post(count) => {
                    let posted = model.post(count);
                    window.handle_posted(&posted, now);
                }
                Step::BrokerLosesItsDisk => {
                    (model.stored, model.last, model.ids) = Default::default();
                    window.handle_connection(false, now);
                    window.handle_connection(true, now);
                }
                Step::Wait(millis) => now += ms(millis),
            }
            window.handle_deadline(now);
            if window.poll_ask(now) {
                window.handle_held(model.last);
            }
            let sent = window.poll_send(now);
            for sending in &sent {
                prop_assert!(sending.seq > 0 && sending.seq <= written);
                prop_assert!(!model.in_flight.iter().any(|other| other.seq == sending.seq));
            }
            model.in_flight.extend(sent);
            prop_assert!(model.in_flight.len() <= WIDTH);
        }
        prop_assert_eq!(window.posted(), written);
    }
}
