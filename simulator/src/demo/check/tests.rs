use super::*;
use crate::demo::books::{
    CentreReport, Invariant, LaneLine, LedgerLine, SettlementLine, SettlementReport, TollLine,
};

fn operator() -> OperatorId {
    "cienco4".parse().unwrap()
}

fn well() -> (Progress, TruthTotals, Books) {
    let progress = Progress { vehicles: 2, vehicles_done: 2, crossed: 2, ..Progress::default() };
    let truth = TruthTotals { crossings: 2, fares_vnd: BTreeMap::from([(operator(), 94_000)]) };
    let lane = LaneLine {
        operator: operator(),
        station: "ben-thuy".to_owned(),
        lane: "l01".to_owned(),
        epoch: 1,
        last_seq: 2,
        posted: 2,
        rejected: 0,
        pending: 0,
    };
    let settled = SettlementLine {
        operator: operator(),
        day: "2026-03-02".to_owned(),
        state: "closed".to_owned(),
        gross_vnd: 94_000,
        cash_vnd: 0,
        fee_vnd: 2_820,
        net_vnd: 91_180,
        passages: 2,
        statement: Some("statement.txt".to_owned()),
    };
    let invariant = Invariant {
        id: "I1".to_owned(),
        what: "entries sum to nothing".to_owned(),
        checked: 4,
        broken: 0,
        first: None,
    };
    let verified = VerifyReport { ok: true, invariants: vec![invariant] };
    let books = Books {
        centre: CentreReport {
            lanes: vec![lane],
            tolls: vec![TollLine {
                operator: operator(),
                amount_vnd: 94_000,
                cash_vnd: 0,
                passages: 2,
            }],
            ledger: LedgerLine { entries: 4, sum: 0, accounts_checked: 3, mismatches: 0 },
            ..CentreReport::default()
        },
        settlement: SettlementReport { settlement: vec![settled] },
        centre_verified: verified.clone(),
        settlement_verified: verified,
    };
    (progress, truth, books)
}

/// Breaks one thing in a good run and expects exactly one problem that says so.
fn check(says: &str, spoil: impl FnOnce(&mut Progress, &mut TruthTotals, &mut Books)) {
    let (mut progress, mut truth, mut books) = well();
    spoil(&mut progress, &mut truth, &mut books);
    let found = problems(&progress, &truth, &books);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains(says), "{found:?}");
}

#[test]
fn a_good_run_has_no_problems() {
    let (progress, truth, books) = well();
    assert_eq!(problems(&progress, &truth, &books), Vec::<String>::new());
}

#[test]
fn every_difference_is_a_problem_with_its_name() {
    check("1 of 2 vehicles", |progress, _, _| progress.vehicles_done = 1);
    check("came down on 1", |progress, _, _| progress.struck = 1);
    check("3 crossings, and 2 lines", |progress, _, _| progress.crossed = 3);
    check("1 of 2 passages accounted for", |_, _, books| books.centre.lanes[0].posted = 1);
    check("1 pending", |_, _, books| books.centre.lanes[0].pending = 1);
    check("sum to 5", |_, _, books| books.centre.ledger.sum = 5);
    check("1 balances differ", |_, _, books| books.centre.ledger.mismatches = 1);
    check("(-47000)", |_, _, books| books.centre.tolls[0].amount_vnd = 47_000);
    check("(-94000)", |_, _, books| books.centre.tolls.clear());
    check("no statement", |_, _, books| books.settlement.settlement[0].statement = None);
    check("no settlement day", |_, _, books| books.settlement.settlement.clear());
    check("I1", |_, _, books| books.centre_verified.invariants[0].broken = 1);
    check("reconciliation verify", |_, _, books| books.settlement_verified.ok = false);
}

#[test]
fn an_operator_that_only_the_books_know_is_a_problem() {
    check("vec: 1 VND in the books, 0 by the truth", |_, _, books| {
        let operator = "vec".parse().unwrap();
        books.centre.tolls.push(TollLine { operator, amount_vnd: 1, cash_vnd: 0, passages: 1 });
    });
}
