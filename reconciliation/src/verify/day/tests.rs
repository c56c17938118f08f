use domain::signature::SecretKey;
use domain::{Amount, Currency};

use super::*;
use crate::money::Signed;
use crate::statement::tests::{figures, header, statement};

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn money() -> BTreeMap<Source, Counted> {
    let counted = |tolls, minor_units| Counted { tolls, minor_units };
    BTreeMap::from([
        (Source::Issuer("epass".parse().unwrap()), counted(1, 64_050)),
        (Source::Issuer("vetc".parse().unwrap()), counted(30, 1_410_000)),
        (Source::Cash, counted(1, 47_000)),
    ])
}

/// A day as `close` leaves it.
fn day() -> ClosedDay {
    let statement = statement();
    let fees = statement
        .issuers
        .iter()
        .map(|position| ((position.issuer.clone(), Kept::Fee), (1, position.fee.minor_units())))
        .collect();
    let [lan, minh] = ["lan", "minh"].map(|name| name.parse().unwrap());
    let window = WindowRows {
        states: vec![State::Closing, State::Closed, State::Approved],
        approved: Some((lan, minh, true)),
    };
    ClosedDay {
        operator: header().operator,
        day: header().day,
        closed: true,
        postings: 64,
        postings_after: 0,
        statements: 1,
        paper: Some(Paper::try_sign(&statement, &key()).unwrap()),
        totals: statement.totals,
        positions: statement.issuers.clone(),
        cash: Some(statement.cash),
        fees,
        window,
        charges: money(),
        ledger: money(),
        recounted: figures(),
    }
}

/// The invariants that break when the day is damaged so.
fn broken_by(damage: impl FnOnce(&mut ClosedDay)) -> Vec<&'static str> {
    let mut damaged = day();
    damage(&mut damaged);
    let mut invariants = Invariants::new();
    invariants.check(&damaged, &key().public());
    let verdict = invariants.verdict();
    assert_eq!(verdict.ok, verdict.invariants.iter().all(|invariant| invariant.first.is_none()));
    verdict.invariants.iter().filter(|found| found.broken > 0).map(|found| found.id).collect()
}

fn one_dong_more(amount: &mut Amount) {
    *amount = Amount::try_new(amount.minor_units() + 1).unwrap();
}

fn one_dong_to_pay_more(sum: &mut Signed) {
    *sum = Signed::new(sum.minor_units() + 1);
}

#[test]
fn a_day_as_it_was_closed_breaks_nothing_and_looks_at_everything() {
    assert!(broken_by(|_| {}).is_empty());
    let mut invariants = Invariants::new();
    invariants.check(&day(), &key().public());
    invariants.check_manifests(&[agreed(&[])]);
    for invariant in invariants.verdict().invariants {
        assert!(invariant.checked > 0, "{} was not looked at", invariant.id);
    }
}

/// A manifest that was agreed on, and what differs from it now.
fn agreed(figures: &[&str]) -> Agreed {
    Agreed {
        lane: "cienco4/ben-thuy/l01".parse().unwrap(),
        day: header().day,
        figures: figures.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn what_a_lane_told_and_the_books_no_longer_have_is_found() {
    let mut invariants = Invariants::new();
    invariants
        .check_manifests(&[agreed(&[]), agreed(&["the sum is 1 in the books, 2 at the lane"])]);
    let verdict = invariants.verdict();
    assert!(!verdict.ok);
    let found = verdict.invariants.iter().find(|one| one.id == "I18").unwrap();
    assert_eq!((found.checked, found.broken), (2, 1));
}

#[test]
fn a_posting_after_the_close_is_found() {
    assert_eq!(broken_by(|day| day.postings_after = 1), ["I11"]);
}

#[test]
fn a_closed_day_without_statement_and_an_open_one_with_are_found() {
    let without = broken_by(|day| (day.statements, day.paper) = (0, None));
    assert_eq!(without, ["I12-once"]);
    assert_eq!(broken_by(|day| day.statements = 2), ["I12-once"]);
    assert_eq!(broken_by(|day| day.closed = false), ["I12-once"]);
}

#[test]
fn one_dong_in_a_position_is_found() {
    let found = broken_by(|day| one_dong_to_pay_more(&mut day.positions[1].net));
    assert_eq!(found, ["I12-positions"]);
    assert_eq!(broken_by(|day| day.cash = None), ["I12-positions"]);
    assert_eq!(broken_by(|day| one_dong_to_pay_more(&mut day.totals.net)), ["I12-positions"]);
}

#[test]
fn a_fee_posted_twice_or_not_at_all_is_found() {
    let vetc: IssuerId = "vetc".parse().unwrap();
    let twice = broken_by(|day| day.fees.extend([((vetc.clone(), Kept::Fee), (2, 84_600))]));
    assert_eq!(twice, ["I12-fees"]);
    assert_eq!(broken_by(|day| day.fees.retain(|(issuer, _), _| *issuer != vetc)), ["I12-fees"]);

    let mut invariants = Invariants::new();
    invariants.check_stray_fees(3, &["fee/cienco4/2026-11-20/vetc".to_owned()]);
    let fees = invariants.verdict().invariants.into_iter().find(|found| found.id == "I12-fees");
    assert_eq!(fees.map(|fees| (fees.checked, fees.broken)), Some((3, 1)));
}

#[test]
fn a_window_that_skipped_a_state_is_found() {
    assert_eq!(
        broken_by(|day| day.window.states.retain(|state| *state != State::Closed)),
        ["I12-window"]
    );
    let reopened = broken_by(|day| day.window.states.push(State::Closing));
    assert_eq!(reopened, ["I12-window"]);
}

#[test]
fn an_approval_by_one_person_or_of_something_else_or_by_nobody_is_found() {
    let person = |name: &str| name.parse::<Person>().unwrap();
    let alone = broken_by(|day| day.window.approved = Some((person("lan"), person("lan"), true)));
    assert_eq!(alone, ["I25"]);
    let other = broken_by(|day| day.window.approved = Some((person("lan"), person("minh"), false)));
    assert_eq!(other, ["I25"]);
    assert_eq!(broken_by(|day| day.window.approved = None), ["I25"]);
    let not_yet = broken_by(|day| {
        day.window.approved = None;
        day.window.states.truncate(2);
    });
    assert!(not_yet.is_empty());
}

#[test]
fn a_toll_that_is_charged_and_not_in_the_ledger_is_found() {
    assert_eq!(
        broken_by(|day| {
            day.ledger.pop_first();
        }),
        ["I12-proof"]
    );
    assert_eq!(
        broken_by(|day| {
            day.charges.pop_last();
        }),
        ["I12-proof"]
    );
}

#[test]
fn a_statement_signed_by_another_key_is_found() {
    let other = SecretKey::from_seed(&[8; 32]);
    let found = broken_by(|day| day.paper = Paper::try_sign(&statement(), &other).ok());
    assert_eq!(found, ["I12-signature"]);
}

#[test]
fn an_edited_statement_is_found_in_every_way_it_is_wrong() {
    let found = broken_by(|day| {
        let paper = day.paper.as_mut().unwrap();
        paper.canonical = paper.canonical.replace("\"net\":1367700", "\"net\":1367701");
    });
    assert_eq!(found, ["I12-positions", "I12-signature", "I12-recount"]);
}

#[test]
fn a_charge_that_came_or_went_is_found() {
    let found = broken_by(|day| one_dong_more(&mut day.recounted.issuers[0].gross));
    assert_eq!(found, ["I12-recount"]);
    assert_eq!(broken_by(|day| day.recounted.lanes[0].last_seq += 1), ["I12-recount"]);
}

#[test]
fn classes_that_do_not_add_up_are_found() {
    // Signed and repeated in all places, and still wrong in itself.
    let found = broken_by(|day| {
        day.recounted.matching.matched.records -= 1;
        let wrong = Statement::try_new(header(), day.recounted.clone()).unwrap();
        day.paper = Paper::try_sign(&wrong, &key()).ok();
    });
    assert_eq!(found, ["I13"]);
}

#[test]
fn the_recount_keeps_the_terms_of_the_statement() {
    // The operator's terms may have changed since; the statement is held to its own.
    let found = broken_by(|day| {
        let terms = crate::statement::Header {
            currency: Currency::VND,
            fee_share: rust_decimal::Decimal::ZERO,
            ..header()
        };
        let free = Statement::try_new(terms, figures()).unwrap();
        day.paper = Paper::try_sign(&free, &key()).ok();
        (day.totals, day.positions) = (free.totals, free.issuers);
        day.fees.clear();
    });
    assert!(found.is_empty(), "{found:?}");
}
