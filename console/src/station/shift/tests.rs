use domain::Clock;

use super::{Shift, ShiftError, Standing};
use crate::audit::{AuditLog, Author, Deed, NotAllowed, OpenItem, Outcome};

/// A desk with a log of its own.
struct Desk {
    log: AuditLog,
    _folder: tempfile::TempDir,
}

/// The rule of shifts that forbids a deed.
fn of_shifts(refused: NotAllowed) -> ShiftError {
    match refused {
        NotAllowed::Shift(refused) => refused,
        NotAllowed::Tariff(refused) => panic!("{refused}"),
        NotAllowed::Person(refused) => panic!("{refused}"),
        NotAllowed::Key(refused) => panic!("{refused}"),
    }
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::open(&folder.path().join("audit.log"), Clock::system()).unwrap();
        Self { log, _folder: folder }
    }

    fn does(&self, who: &str, deed: Deed) -> Result<u64, ShiftError> {
        let author = Author { who: Some(who.to_owned()), from: None };
        let recorded = self.log.append(&author, deed).unwrap();
        recorded.map(|entry| entry.seq).map_err(of_shifts)
    }

    fn shift(&self, number: u64) -> Shift {
        let shifts = self.log.shifts();
        shifts.newest_first().find(|shift| shift.number == number).unwrap().clone()
    }

    fn orders(&self, who: &str, command: &str, reason: Option<&str>, outcome: Outcome) {
        let lane = "cienco4/ben-thuy/l01".parse().unwrap();
        let verb = if reason.is_some() { "open" } else { "charge-by-plate" };
        let asked = Deed::OrderAsked {
            command: command.to_owned(),
            lane,
            call: 1,
            verb: verb.to_owned(),
            reason: reason.map(str::to_owned),
        };
        self.does(who, asked).unwrap();
        self.does(who, Deed::OrderAnswered { command: command.to_owned(), outcome }).unwrap();
    }
}

fn done(fare: Option<i64>) -> Outcome {
    Outcome::Done { passage: "cienco4/ben-thuy/l01:1:7".parse().unwrap(), fare }
}

fn lane_item() -> OpenItem {
    OpenItem::Lane { lane: "cienco4/ben-thuy/l02".parse().unwrap() }
}

fn closing(shift: u64, note: &str, open: Vec<OpenItem>) -> Deed {
    Deed::ShiftClosed { shift, note: note.to_owned(), open }
}

fn offering(shift: u64, to: &str, note: &str) -> Deed {
    Deed::ShiftOffered { shift, to: to.to_owned(), note: note.to_owned(), open: vec![lane_item()] }
}

#[test]
fn a_person_has_one_shift_at_a_time_and_closes_their_own() {
    let desk = Desk::new();
    let shift = desk.does("lan", Deed::ShiftStarted).unwrap();
    assert_eq!(desk.does("lan", Deed::ShiftStarted), Err(ShiftError::Begun));
    let of_kim = desk.does("kim", Deed::ShiftStarted).unwrap();
    assert_eq!(desk.does("kim", closing(shift, "", vec![])), Err(ShiftError::NotTheirs));
    assert!(desk.does("lan", closing(shift, "", vec![])).is_ok());
    assert_eq!(desk.does("lan", closing(shift, "", vec![])), Err(ShiftError::NotTheirs));
    assert!(desk.shift(of_kim).is_open());
}

#[test]
fn what_is_left_open_is_named_and_needs_a_word() {
    let desk = Desk::new();
    let shift = desk.does("lan", Deed::ShiftStarted).unwrap();
    assert_eq!(desk.does("lan", closing(shift, "  ", vec![lane_item()])), Err(ShiftError::Note));
    assert!(desk.does("lan", closing(shift, "reader away", vec![lane_item()])).is_ok());
    let Standing::Closed { open, .. } = desk.shift(shift).standing else { panic!("it was closed") };
    assert_eq!(open, [lane_item()]);
}

#[test]
fn a_hand_over_is_whole_when_the_next_person_takes_it() {
    let desk = Desk::new();
    let first = desk.does("lan", Deed::ShiftStarted).unwrap();
    assert_eq!(desk.does("lan", offering(first, "lan", "x")), Err(ShiftError::Oneself));
    assert_eq!(desk.does("lan", offering(first, "kim", "")), Err(ShiftError::Note));
    assert_eq!(desk.does("kim", Deed::ShiftTaken { shift: first }), Err(ShiftError::NotOffered));
    desk.does("lan", offering(first, "kim", "reader away")).unwrap();
    assert!(desk.log.shifts().open_of("lan").is_some(), "still theirs until it is taken");
    assert_eq!(desk.does("an", Deed::ShiftTaken { shift: first }), Err(ShiftError::NotOffered));
    let second = desk.does("kim", Deed::ShiftTaken { shift: first }).unwrap();
    let shifts = desk.log.shifts();
    assert!(shifts.open_of("lan").is_none());
    let next = shifts.open_of("kim").unwrap();
    assert_eq!((next.number, next.taken_from), (second, Some(first)));
    let Standing::HandedOver { to, note, open, .. } = desk.shift(first).standing else {
        panic!("it was handed over")
    };
    assert_eq!((to.as_str(), note.as_str(), open.len()), ("kim", "reader away", 1));
    assert_eq!(desk.does("kim", Deed::ShiftTaken { shift: first }), Err(ShiftError::Begun));
}

#[test]
fn the_report_counts_what_lanes_did_and_what_it_came_to() {
    let desk = Desk::new();
    desk.orders("lan", "c-0", Some("cash-paid"), done(Some(1)));
    let shift = desk.does("lan", Deed::ShiftStarted).unwrap();
    desk.orders("lan", "c-1", Some("cash-paid"), done(Some(47_000)));
    desk.orders("lan", "c-2", Some("cash-paid"), done(Some(35_000)));
    desk.orders("lan", "c-3", Some("cash-paid"), done(None));
    desk.orders("lan", "c-4", None, done(Some(47_000)));
    desk.orders("lan", "c-5", None, Outcome::Refused { why: "no".to_owned() });
    desk.orders("lan", "c-6", None, Outcome::Unanswered { why: "silence".to_owned() });
    desk.orders("kim", "c-7", Some("cash-paid"), done(Some(9)));
    let shift = desk.shift(shift);
    let cash = shift.cash();
    assert_eq!((cash.count, cash.amount, cash.without_fare), (3, 82_000, 1));
    assert_eq!(shift.done.len(), 2);
    assert_eq!((shift.refused, shift.unanswered.len()), (1, 1));
}
