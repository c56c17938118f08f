//! Settlement: a day is closed once, whoever is killed; two people stand behind it; corrections land
//! in a day that is open; what is approved is paid, and matched when the bank says so.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use clearing_house::intake::Delivery;
use clearing_house::ledger::{Remainder, TransferId, correct_in_tx};
use domain::{Amount, BusinessDate, Clock, Timestamp};
use reconciliation::approval::{
    ApprovalError, HoleDecision, HoleInLane, Person, approve, approve_hole, propose, propose_hole,
};
use reconciliation::calendar::repo::items;
use reconciliation::cases::{self, CaseError, Finding, Kind};
use reconciliation::contract::file::{ContractFile, import};
use reconciliation::manifest;
use reconciliation::netting::net;
use reconciliation::netting::repo::obligations;
use reconciliation::payment::{Booking, BookingKind, Confirmed, confirm, pay};
use reconciliation::schedule::Scheduler;
use reconciliation::settlement::{
    DayClose, Outcome, SettlementError, Today, close_through, close_through_by,
};
use reconciliation::statement::repo::paper;
use reconciliation::verify::verify;
use reconciliation::window::repo::{changes, windows_in};
use reconciliation::window::{Actor, State, Window};
use tests::lane::{Lane, vehicle};
use tests::office::{Office, centre_key, noon};

const CAR: u8 = 5; // VETC's, group 1
const LORRY: u8 = 8; // VDTC's, group 4
const MORNING: &str = "2026-03-02T01:00:00Z";
const EVENING: &str = "2026-03-02T18:00:00Z";
const NEXT_EVENING: &str = "2026-03-03T18:00:00Z";

fn day(text: &str) -> BusinessDate {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn person(name: &str) -> Person {
    name.parse().unwrap()
}

fn window(of: &str) -> Window {
    Window::new("cienco4".parse().unwrap(), day(of))
}

/// Two passages of an open station.
fn traffic() -> Vec<Delivery> {
    let mut gate = Lane::new("cienco4/ben-thuy/l01");
    vec![gate.pass(&vehicle(CAR), MORNING), gate.pass(&vehicle(LORRY), MORNING)]
}

async fn close(office: &Office, through: &str, now: &str) -> Vec<DayClose> {
    let clock = Clock::of_run(Some(Clock::anchor(at(now), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    close_through(&office.pool, day(through), today, &centre_key()).await.unwrap()
}

/// The outcome of the only day that was looked at.
fn only(closes: Vec<DayClose>) -> Outcome {
    let [close] = <[DayClose; 1]>::try_from(closes).unwrap();
    close.outcome
}

async fn assert_settled_once(office: &Office) {
    let verdict = verify(&office.pool, &centre_key().public()).await.unwrap();
    assert!(verdict.ok, "{verdict}");
    office.assert_proven().await;
    assert_eq!(office.number("select count(*) from statement").await, 1);
    let fees = "select count(*) from direct_transfer where kind = 'fee'";
    assert_eq!(office.number(fees).await, 2, "one for each issuer");
    let states = "select state from window_change order by place";
    assert_eq!(office.texts(states).await, ["closing", "closed"]);
}

/// A future that is dropped after so many steps, as its process would be by SIGKILL.
struct Killed<F> {
    future: Pin<Box<F>>,
    steps: u32,
}

impl<F: Future> Future for Killed<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.steps == 0 {
            return Poll::Ready(None);
        }
        self.steps -= 1;
        self.future.as_mut().poll(context).map(Some)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_is_killed_at_every_step_ends_in_one_settlement() {
    let office = Office::open().await;
    office.books().await.post(&traffic(), noon()).await.unwrap();
    let (key, mut killed) = (centre_key(), 0);
    let clock = Clock::of_run(Some(Clock::anchor(at(EVENING), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    for steps in 1.. {
        // What it had not committed is rolled back when its connection is taken again.
        let closing = Box::pin(close_through(&office.pool, day("2026-03-02"), today, &key));
        let ended = Killed { future: closing, steps }.await;
        if let Some(closes) = ended {
            closes.unwrap();
            break;
        }
        killed += 1;
        assert!(steps < 2_000, "it never came to its end");
    }
    assert!(killed > 10, "there were {killed} steps only");
    assert_settled_once(&office).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_closes_at_once_end_in_one_settlement() {
    let office = Office::open().await;
    office.books().await.post(&traffic(), noon()).await.unwrap();
    let closes: Vec<_> = (0..32)
        .map(|_| {
            let pool = office.pool.clone();
            tokio::spawn(async move {
                let clock = Clock::of_run(Some(Clock::anchor(at(EVENING), 1.0)));
                let today = Today { clock: &clock, early_reason: None };
                close_through(&pool, day("2026-03-02"), today, &centre_key()).await
            })
        })
        .collect();
    let mut closed = 0;
    for one in closes {
        let outcome: Result<Vec<DayClose>, SettlementError> = one.await.unwrap();
        match only(outcome.unwrap()) {
            Outcome::Closed { .. } => closed += 1,
            Outcome::ClosedBefore => {}
            Outcome::Refused(refusals) => panic!("{refusals:?}"),
        }
    }
    assert_eq!(closed, 1);
    assert_settled_once(&office).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_proposes_and_another_approves_and_never_the_same() {
    let office = Office::open().await;
    let (lan, minh, an) = (person("lan"), person("minh"), person("an"));
    let (window, pool) = (window("2026-03-02"), &office.pool);
    office.books().await.post(&traffic(), noon()).await.unwrap();
    let early = propose(pool, &window, &lan, noon()).await;
    assert!(matches!(early, Err(ApprovalError::NotNow { .. })), "{early:?}");
    let clock = Clock::of_run(Some(Clock::anchor(at(EVENING), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    close_through(pool, day("2026-03-02"), today, &centre_key()).await.unwrap();
    let unasked = approve(pool, &window, &minh, at(EVENING)).await;
    assert!(matches!(unasked, Err(ApprovalError::NotProposed { .. })), "{unasked:?}");
    propose(pool, &window, &lan, at(EVENING)).await.unwrap();
    propose(pool, &window, &lan, at(EVENING)).await.unwrap();
    let other = propose(pool, &window, &an, at(EVENING)).await;
    assert!(matches!(other, Err(ApprovalError::Proposed { .. })), "{other:?}");
    let alone = approve(pool, &window, &lan, at(EVENING)).await;
    assert!(matches!(alone, Err(ApprovalError::SamePerson { .. })), "{alone:?}");
    // Whoever goes round the program meets the database.
    for (by, constraint) in [("lan", "two_people"), ("minh", "approval_of_proposal")] {
        let maker = if by == "lan" { "lan" } else { "an" };
        let refused = sqlx::query(
            "insert into approval (proposal, proposed_by, approved_by, approved_at)
             select proposal, $1, $2, now() from proposal",
        )
        .bind(maker)
        .bind(by)
        .execute(pool)
        .await
        .unwrap_err();
        let refused = refused.as_database_error().unwrap();
        assert_eq!(refused.constraint(), Some(constraint), "{refused}");
    }
    let skipped = sqlx::query(
        "insert into window_change values ('cienco4', '2026-03-02', 3, 'approved', now(), 'minh', null)",
    );
    assert!(skipped.execute(pool).await.is_err(), "nobody approved it");
    let approval = approve(pool, &window, &minh, at(EVENING)).await.unwrap();
    assert_eq!((approval.maker.as_str(), approval.checker.as_str()), ("lan", "minh"));
    assert_eq!(approve(pool, &window, &minh, at(NEXT_EVENING)).await.unwrap(), approval);
    let late = approve(pool, &window, &an, at(EVENING)).await;
    assert!(matches!(late, Err(ApprovalError::Approved { .. })), "{late:?}");
    let states: Vec<State> =
        changes(pool, &window).await.unwrap().iter().map(|change| change.state).collect();
    assert_eq!(states, [State::Closing, State::Closed, State::Approved]);
    assert_eq!(windows_in(pool, State::Approved).await.unwrap(), [window]);
    let verdict = verify(pool, &centre_key().public()).await.unwrap();
    assert!(verdict.ok, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_lands_in_the_open_day_with_its_fee_and_the_passages_time() {
    let office = Office::open().await;
    office.books().await.post(&traffic(), noon()).await.unwrap();
    close(&office, "2026-03-02", EVENING).await;
    let toll =
        office.number("select transfer from transfer_v1 where kind = 'toll' order by 1 limit 1");
    let toll = TransferId::new(toll.await);
    let right = Remainder::Amount(Amount::try_new(40_000).unwrap());
    let correct = async |on: &str| {
        let mut tx = office.pool.begin().await.unwrap();
        let done = correct_in_tx(&mut tx, toll, right, day(on), at(EVENING)).await;
        if done.is_ok() {
            tx.commit().await.unwrap();
        }
        done.map(drop)
    };
    assert!(correct("2026-03-02").await.is_err(), "closed is closed");
    let past = sqlx::query(
        "insert into direct_transfer (kind, debit, credit, amount, operator, day, posted_at)
         select 'adjustment', debit, credit, 1, operator, '2026-03-02', now() from transfer
         where kind = 'toll' limit 1",
    );
    let refused = past.execute(&office.pool).await.unwrap_err();
    let refused = refused.as_database_error().unwrap();
    assert_eq!(refused.constraint(), Some("day_takes_postings"), "{refused}");
    correct("2026-03-03").await.unwrap();
    let closes = close(&office, "2026-03-03", NEXT_EVENING).await;
    let Outcome::Closed { totals, .. } = &closes.last().unwrap().outcome else {
        panic!("{closes:?}");
    };
    // The car's fare was 47.000: nothing was driven, 7.000 goes back, and the fee on it.
    assert_eq!((totals.passages, totals.adjustment.minor_units()), (0, -7_000));
    assert_eq!(totals.net.plus(totals.fee).unwrap().minor_units(), -7_000);
    assert!(totals.fee.below_zero().is_some(), "{totals:?}");
    let next = window("2026-03-03");
    let paper = paper(&office.pool, &next.operator, next.day).await.unwrap().unwrap();
    let statement = paper.open(&centre_key().public()).unwrap();
    let told: Vec<String> = statement
        .adjustments
        .iter()
        .map(|one| {
            let passage = one.passage.as_ref().unwrap();
            format!("{} {} {} {} {}", one.kind, one.amount, passage.id, passage.at, passage.day)
        })
        .collect();
    let of = "cienco4/ben-thuy/l01:1:1 2026-03-02T01:00:00Z 2026-03-02";
    assert_eq!(told, [format!("reversal -47.000 {of}"), format!("repost 40.000 {of}")]);
    let verdict = verify(&office.pool, &centre_key().public()).await.unwrap();
    assert!(verdict.ok, "{verdict}");
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_with_a_hole_closes_on_the_word_of_two_people_who_are_named_in_its_statement() {
    let office = Office::open().await;
    let pool = &office.pool;
    let mut gate = Lane::new("cienco4/ben-thuy/l01");
    let first = gate.pass(&vehicle(CAR), MORNING);
    let lost = [gate.pass(&vehicle(7), MORNING), gate.pass(&vehicle(9), MORNING)];
    let after = gate.pass(&vehicle(LORRY), "2026-03-02T02:00:00Z");
    office.books().await.post(&[first, after], noon()).await.unwrap();
    let Outcome::Refused(refusals) = only(close(&office, "2026-03-02", EVENING).await) else {
        panic!("a day with a hole was closed");
    };
    let named: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    assert_eq!(named, ["lane cienco4/ben-thuy/l01 epoch 1: passages 2 to 3 never came"]);
    let hole = HoleInLane {
        lane: "cienco4/ben-thuy/l01".parse().unwrap(),
        epoch: 1,
        first_seq: 2,
        last_seq: 3,
    };
    let decision =
        HoleDecision { hole, figures: Vec::new(), reason: "the lane's disk was lost".to_owned() };
    let (lan, minh, window) = (person("lan"), person("minh"), window("2026-03-02"));
    propose_hole(pool, &window, &decision, &lan, at(EVENING)).await.unwrap();
    let proposed_only = only(close(&office, "2026-03-02", EVENING).await);
    assert!(matches!(proposed_only, Outcome::Refused(_)), "one is not two");
    let alone = approve_hole(pool, &window, &decision, &lan, at(EVENING)).await;
    assert!(matches!(alone, Err(ApprovalError::SamePerson { .. })), "{alone:?}");
    approve_hole(pool, &window, &decision, &minh, at(EVENING)).await.unwrap();
    let closed = only(close(&office, "2026-03-02", EVENING).await);
    assert!(matches!(closed, Outcome::Closed { .. }), "{closed:?}");
    let paper = paper(pool, &window.operator, window.day).await.unwrap().unwrap();
    let [hole] = <[_; 1]>::try_from(paper.open(&centre_key().public()).unwrap().holes).unwrap();
    assert_eq!((hole.decision, hole.maker, hole.checker), (decision, lan, minh));
    // They come after all: into the next day, with the time they had.
    office.books().await.post(&lost, at(EVENING)).await.unwrap();
    let late = "select day::text || ' ' || late from passage_v1 where seq in (2, 3) order by seq";
    assert_eq!(office.texts(late).await, ["2026-03-03 true", "2026-03-03 true"]);
    let verdict = verify(pool, &centre_key().public()).await.unwrap();
    assert!(verdict.ok, "{verdict}");
}

const CONTRACTS: &str = r#"
[bank_calendar.viet-nam]
weekend = [6, 7]
holidays = { "2026-03-04" = "a holiday" }

[[contract]]
operator = "cienco4"
issuer = "vetc"
valid_from = "2026-03-01"
fee_share = "0.025"
fee_per_passage = 50
vat_share = "0.08"
bank_calendar = "viet-nam"
on_holiday = "next-bank-day"

[[bank_account]]
of = "issuer/vetc"
valid_from = "2026-01-01"
holder = "VETC"
number = "100200300"
bic = "BFTVVNVX"

[[bank_account]]
of = "issuer/vdtc"
valid_from = "2026-01-01"
holder = "VDTC"
number = "100200400"
bic = "BIDVVNVX"
"#;

const OPERATORS_ACCOUNT: &str = r#"
[[bank_account]]
of = "operator/cienco4"
valid_from = "2026-01-01"
holder = "CIENCO4"
number = "900800700"
bic = "ICBVVNVX"
"#;

async fn bring_in(office: &Office, text: &str) {
    let file: ContractFile = toml::from_str(text).unwrap();
    import(&office.pool, &file).await.unwrap();
    // Word for word again: nothing.
    import(&office.pool, &file).await.unwrap();
}

fn booking(end_to_end: &str, kind: BookingKind, units: i64, reference: &str) -> Booking {
    Booking {
        end_to_end: end_to_end.to_owned(),
        kind,
        amount: Amount::try_new(units).unwrap(),
        booked_on: day("2026-03-03"),
        bank_reference: reference.to_owned(),
    }
}

async fn approved_day(office: &Office) {
    let (pool, lan, minh) = (&office.pool, person("lan"), person("minh"));
    office.books().await.post(&traffic(), noon()).await.unwrap();
    let clock = Clock::of_run(Some(Clock::anchor(at(EVENING), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    let closes = close_through_by(pool, day("2026-03-02"), today, &centre_key(), Some(&lan)).await;
    assert!(matches!(only(closes.unwrap()), Outcome::Closed { .. }));
    approve(pool, &window("2026-03-02"), &minh, at(EVENING)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_is_paid_once_and_matched_when_the_bank_shows_all_of_it() {
    let office = Office::open().await;
    let pool = &office.pool;
    bring_in(&office, CONTRACTS).await;
    approved_day(&office).await;
    let (lan, through) = (Actor::Person(person("lan")), day("2026-03-02"));
    let order = async || pay(pool, through, day("2026-03-03"), &lan, at(EVENING)).await;
    let unknown = order().await.unwrap_err();
    assert!(unknown.to_string().starts_with("operator cienco4 has no bank account"), "{unknown}");
    assert_eq!(windows_in(pool, State::Approved).await.unwrap().len(), 1, "all or nothing");
    bring_in(&office, OPERATORS_ACCOUNT).await;
    let orders = order().await.unwrap();
    let told: Vec<String> =
        orders.iter().map(|one| format!("{} {} {}", one.issuer, one.payments, one.total)).collect();
    // VETC: 47.000 less 1.175 + 50 and 98 of tax. VDTC: 140.000 less the operator's general share.
    let general = office.number("select (140000 - round(140000 * fee_share))::int8 from operator where operator = 'cienco4'").await;
    let general = Amount::try_new(general).unwrap();
    assert_eq!(told, [format!("vdtc 1 {general}"), "vetc 1 45.677".to_owned()]);
    assert!(order().await.unwrap().is_empty(), "twice is once");
    let number = |index: usize| format!("ETC{:012}-0001", orders[index].number);
    let (vdtc, vetc) = (number(0), number(1));
    let now = at(NEXT_EVENING);
    let whole = booking(&vdtc, BookingKind::Paid, general.minor_units(), "B1");
    let confirmed = confirm(pool, &whole, now).await.unwrap();
    assert_eq!(confirmed, Confirmed::Whole { matched: Vec::new() }, "the other is not there yet");
    assert_eq!(confirm(pool, &whole, now).await.unwrap(), Confirmed::Before);
    assert!(confirm(pool, &booking(&vdtc, BookingKind::Paid, 1, "B1"), now).await.is_err());
    let more = confirm(pool, &booking(&vdtc, BookingKind::Paid, 1, "B2"), now).await.unwrap();
    let beyond = Amount::try_new(1).unwrap();
    assert_eq!(more, Confirmed::Over { beyond, windows: vec![window("2026-03-02")] });
    let right = confirm(pool, &booking(&vdtc, BookingKind::Returned, 1, "B2-BACK"), now).await;
    assert_eq!(right.unwrap(), Confirmed::Whole { matched: Vec::new() });
    let too_much = booking(&vdtc, BookingKind::Returned, general.minor_units() + 1, "B2-MORE");
    assert!(confirm(pool, &too_much, now).await.is_err(), "more than was paid");
    assert!(confirm(pool, &booking("ETC9", BookingKind::Paid, 1, "B3"), now).await.is_err());
    let short = confirm(pool, &booking(&vetc, BookingKind::Paid, 45_000, "B4"), now).await;
    let owed = Amount::try_new(677).unwrap();
    assert_eq!(short.unwrap(), Confirmed::Short { owed, windows: vec![window("2026-03-02")] });
    let rest = confirm(pool, &booking(&vetc, BookingKind::Paid, 677, "B5"), now).await;
    assert_eq!(rest.unwrap(), Confirmed::Whole { matched: vec![window("2026-03-02")] });
    let owed =
        "select coalesce(sum(balance), 0)::int8 from ledger_balance_v1 where kind = 'payable'";
    assert_eq!(office.number(owed).await, 0, "nobody owes the operator anything");
    assert_eq!(office.number("select balance from ledger_balance_v1 where kind = 'vat'").await, 98);
    // The bank takes it back: it is owed again, paid again, and matched again.
    let back = booking(&vetc, BookingKind::Returned, 45_677, "B6");
    let returned = confirm(pool, &back, now).await.unwrap();
    assert_eq!(returned, Confirmed::Returned { windows: vec![window("2026-03-02")] });
    let again = order().await.unwrap();
    assert_eq!((again.len(), again[0].total.minor_units()), (1, 45_677));
    let again = format!("ETC{:012}-0001", again[0].number);
    let whole = confirm(pool, &booking(&again, BookingKind::Paid, 45_677, "B7"), now).await;
    assert_eq!(whole.unwrap(), Confirmed::Whole { matched: vec![window("2026-03-02")] });
    assert_eq!(office.number(owed).await, 0);
    let verdict = verify(pool, &centre_key().public()).await.unwrap();
    assert!(verdict.ok, "{verdict}");
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlines_and_positions_follow_from_the_stated_days() {
    let office = Office::open().await;
    bring_in(&office, CONTRACTS).await;
    approved_day(&office).await;
    let told = async |now: &str| -> Vec<String> {
        let items = items(&office.pool, day("2026-03-01"), at(now)).await.unwrap();
        let transfers = items.iter().filter(|item| item.duty.name() == "transfer");
        transfers.map(|one| format!("{} {} {}", one.issuer, one.due, one.standing.name())).collect()
    };
    // 2 March ends at 17:00 in UTC; VETC's contract knows a holiday on the 4th, but not on the 3rd.
    let due = "2026-03-03T17:00:00Z";
    assert_eq!(told(EVENING).await, [format!("vdtc {due} ahead"), format!("vetc {due} ahead")]);
    let near = told("2026-03-03T12:00:00Z").await;
    assert_eq!(near, [format!("vdtc {due} near"), format!("vetc {due} near")]);
    let late = told(NEXT_EVENING).await;
    assert!(late.iter().all(|one| one.ends_with("overdue, less than a day")), "{late:?}");
    let obligations =
        obligations(&office.pool, day("2026-03-02"), day("2026-03-02")).await.unwrap();
    let sum: i64 = net(&obligations).unwrap().values().map(|parts| parts.net.minor_units()).sum();
    assert_eq!((obligations.len(), sum), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_never_change_a_day_that_is_closed() {
    let office = Office::open().await;
    office.books().await.post(&traffic(), noon()).await.unwrap();
    close(&office, "2026-03-02", EVENING).await;
    let file: ContractFile = toml::from_str(CONTRACTS).unwrap();
    let refused = import(&office.pool, &file).await.unwrap_err();
    assert!(refused.to_string().contains("has closed 2026-03-02"), "{refused}");
    assert_eq!(office.number("select count(*) from bank_account").await, 0, "all or nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_opened_once_and_settled_by_two_people_together_with_its_money() {
    let office = Office::open().await;
    let pool = &office.pool;
    office.books().await.post(&traffic(), noon()).await.unwrap();
    let toll = office
        .number("select transfer from transfer_v1 where kind = 'toll' order by 1 limit 1")
        .await;
    let finding = Finding {
        kind: Kind::Dispute,
        operator: "cienco4".parse().unwrap(),
        day: day("2026-03-02"),
        subject: "cienco4/ben-thuy/l01:1:1".to_owned(),
        ours: Some("group 1, 47000".to_owned()),
        theirs: None,
        amount: Amount::try_new(47_000).unwrap(),
    };
    let open = async || cases::open(pool, &finding, &Actor::Program, noon()).await.unwrap();
    let code = open().await;
    assert_eq!(open().await, code, "the same thing is the same case");
    let (lan, minh) = (person("lan"), person("minh"));
    let unproposed = cases::settle(pool, &code, &minh, "so be it", noon()).await;
    assert!(matches!(unproposed, Err(CaseError::NotProposed(_))), "{unproposed:?}");
    let outcome = cases::Outcome::Corrected { transfer: toll, right: None, day: day("2026-03-02") };
    cases::propose(pool, &code, &lan, &outcome, "it never passed", noon()).await.unwrap();
    let alone = cases::settle(pool, &code, &lan, "so be it", noon()).await;
    assert!(matches!(alone, Err(CaseError::SamePerson { .. })), "{alone:?}");
    let settled = cases::settle(pool, &code, &minh, "seen the picture", noon()).await.unwrap();
    assert_eq!(settled, outcome);
    assert_eq!(office.balance(vehicle(CAR).account).await, 5_000_000);
    let again = cases::settle(pool, &code, &minh, "once more", noon()).await;
    assert!(matches!(again, Err(CaseError::Settled(_))), "{again:?}");
    assert!(cases::repo::cases(pool, false).await.unwrap().is_empty());
    let [case] = <[_; 1]>::try_from(cases::repo::cases(pool, true).await.unwrap()).unwrap();
    assert_eq!((case.state.as_str(), case.due_at), ("settled", at("2026-03-17T05:00:00Z")));
    assert_eq!(cases::repo::history(pool, &code).await.unwrap().len(), 2);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_toll_that_a_case_charges_is_told_to_the_lanes_list() {
    let office = Office::open().await;
    let pool = &office.pool;
    let car = vehicle(CAR);
    sqlx::query("delete from list_change").execute(pool).await.unwrap();
    let finding = Finding {
        kind: Kind::OnlyTheirs,
        operator: "cienco4".parse().unwrap(),
        day: day("2026-03-02"),
        subject: "cienco4/ben-thuy/l01:1:9".to_owned(),
        ours: None,
        theirs: Some("group 1, 47000".to_owned()),
        amount: Amount::try_new(47_000).unwrap(),
    };
    let code = cases::open(pool, &finding, &Actor::Program, noon()).await.unwrap();
    // All the account has but a dong: no lane may let it through any more.
    let amount = Amount::try_new(4_999_999).unwrap();
    let outcome = cases::Outcome::Charged { account: car.account, amount, day: day("2026-03-02") };
    let (lan, minh) = (person("lan"), person("minh"));
    cases::propose(pool, &code, &lan, &outcome, "it passed", noon()).await.unwrap();
    cases::settle(pool, &code, &minh, "seen the picture", noon()).await.unwrap();
    assert_eq!(office.balance(car.account).await, 1);
    let told: i64 = sqlx::query_scalar("select count(*) from list_change where tag = $1")
        .bind(car.tag.as_bytes())
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(told, 1, "the list is not told of what the account has left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_that_is_killed_at_every_step_is_taken_once_and_with_its_case() {
    let office = Office::open().await;
    let pool = &office.pool;
    bring_in(&office, CONTRACTS).await;
    bring_in(&office, OPERATORS_ACCOUNT).await;
    approved_day(&office).await;
    let lan = Actor::Person(person("lan"));
    let (through, on) = (day("2026-03-02"), day("2026-03-03"));
    let orders = pay(pool, through, on, &lan, at(EVENING)).await.unwrap();
    let end_to_end = format!("ETC{:012}-0001", orders[1].number);
    let short = booking(&end_to_end, BookingKind::Paid, 45_000, "B1");
    let mut killed = 0;
    for steps in 1..2_000 {
        let taking = Box::pin(confirm(pool, &short, at(NEXT_EVENING)));
        if let Some(taken) = (Killed { future: taking, steps }).await {
            assert!(matches!(taken.unwrap(), Confirmed::Short { .. } | Confirmed::Before));
            break;
        }
        killed += 1;
        let (bookings, cases) = halves(&office).await;
        assert_eq!(bookings, cases, "killed at step {steps}: half of it is there");
    }
    assert!(killed > 5, "there were {killed} steps only");
    assert_eq!(confirm(pool, &short, at(NEXT_EVENING)).await.unwrap(), Confirmed::Before);
    assert_eq!(halves(&office).await, (1, 1));
    office.assert_proven().await;
}

/// How many bookings there are, and how many cases of one that is too short.
async fn halves(office: &Office) -> (i64, i64) {
    let cases = "select count(*) from settlement_case where kind = 'bank-short'";
    (office.number("select count(*) from payment_booking").await, office.number(cases).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheduler_closes_files_and_warns_and_does_nothing_twice() {
    let office = Office::open().await;
    let folder = tempfile::tempdir().unwrap();
    office.books().await.post(&traffic(), noon()).await.unwrap();
    let tick = async |now: &str| {
        let clock = Clock::of_run(Some(Clock::anchor(at(now), 1.0)));
        let (pool, key, folder) = (&office.pool, &centre_key(), folder.path());
        // Each is a process of its own: nothing is remembered but what is in the books.
        Scheduler { pool, clock: &clock, key, folder }.tick().await.unwrap()
    };
    assert!(tick("2026-03-02T16:00:00Z").await.is_empty(), "the day is not over");
    assert_eq!(tick(EVENING).await, ["closed cienco4 2026-03-02"]);
    assert!(folder.path().join("cienco4-2026-03-02.pdf").is_file());
    assert!(tick(EVENING).await.is_empty());
    let near = tick("2026-03-03T12:00:00Z").await;
    let of = |job: &str| {
        ["vdtc", "vetc"].map(|issuer| format!("{job}: cienco4/{issuer}/transfer 2026-03-02"))
    };
    assert_eq!(near, of("near"));
    assert!(tick("2026-03-03T12:00:00Z").await.is_empty(), "an alarm is raised once");
    assert_eq!(tick(NEXT_EVENING).await, of("overdue"));
    let months = tick("2026-04-01T01:00:00Z").await;
    assert_eq!(months, ["filed the statement of cienco4 for 2026-03"]);
    let file = folder.path().join("cienco4-2026-03.pdf");
    assert!(std::fs::read(file).unwrap().starts_with(b"%PDF"));
    assert_settled_once(&office).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_manifest_is_what_the_lanes_wrote() {
    let office = Office::open().await;
    office.books().await.post(&traffic(), noon()).await.unwrap();
    let [of_lane] = <[_; 1]>::try_from(
        manifest::repo::of_day(&office.pool, &window("2026-03-02")).await.unwrap(),
    )
    .unwrap();
    let told = (of_lane.first_seq, of_lane.last_seq, of_lane.passages, of_lane.amount);
    assert_eq!(told, (1, 2, 2, Some(187_000)));
    let groups: Vec<(&str, u64)> =
        of_lane.groups.iter().map(|(group, count)| (group.as_str(), *count)).collect();
    assert_eq!(groups, [("1", 1), ("4", 1)]);
    let last = office.texts(
        "select left(encode(digest, 'hex'), 32) from \
        (select uuid_send(digest) as digest from passage where seq = 2) d",
    );
    assert_eq!(last.await, [of_lane.head.unwrap()]);
}
