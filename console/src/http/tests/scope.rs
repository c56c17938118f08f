//! What handlers refuse beyond the table of routes: where somebody may, and whose. Each line is tried
//! by somebody of another operator, who is refused, and by somebody of everywhere, who is not.

use super::*;

/// Somebody's role, and what they ask for.
type Line = (Role, Verb, &'static str, &'static str, StatusCode);

const MODE: &str = "lane=cienco4/ben-thuy/l01&mode=attended&reason=a+queue";
const LANE: &str = "lane=cienco4/ben-thuy/l01&action=set-mode&mode=closed";
const PASSAGE: &str = "/passages/cienco4/ben-thuy/l01/1/7";
const DAY: &str = "/finance/day/cienco4/2026-11-21";

#[rustfmt::skip]
const TABLE: [Line; 16] = [
    (Role::Supervisor,      Verb::Post, "/equipment/mode",              MODE,                    StatusCode::FORBIDDEN),
    (Role::Administrator,   Verb::Post, "/equipment/mode",              MODE,                    StatusCode::FORBIDDEN),
    (Role::Supervisor,      Verb::Post, "/station/order",               LANE,                    StatusCode::FORBIDDEN),
    (Role::StationOperator, Verb::Post, "/station/answer",              ORDER,                   StatusCode::FORBIDDEN),
    // Keys are of no operator: only administrators of all places have anything to do with them.
    (Role::Administrator,   Verb::Post, "/keys/make",                   "name=app&role=auditor", StatusCode::FORBIDDEN),
    (Role::Administrator,   Verb::Post, "/keys/1/revoke",               "reason=lost",           StatusCode::FORBIDDEN),
    (Role::Administrator,   Verb::Post, "/keys/proposals/1/approve",    "",                      StatusCode::FORBIDDEN),
    (Role::Administrator,   Verb::Post, "/keys/proposals/1/decline",    "",                      StatusCode::FORBIDDEN),
    // What lies elsewhere is as if it were not there.
    (Role::Auditor,         Verb::Get,  PASSAGE,                        "",                      StatusCode::NOT_FOUND),
    (Role::Auditor,         Verb::Post, PASSAGE,                        "reason=dispute",        StatusCode::NOT_FOUND),
    (Role::Auditor,         Verb::Get,  DAY,                            "",                      StatusCode::NOT_FOUND),
    (Role::FinanceMaker,    Verb::Post, "/finance/day/cienco4/2026-11-21/propose", "",           StatusCode::NOT_FOUND),
    (Role::FinanceChecker,  Verb::Post, "/finance/day/cienco4/2026-11-21/approve", "",           StatusCode::NOT_FOUND),
    (Role::Auditor,         Verb::Get,  "/finance/statement/cienco4/2026-11-21/txt", "",         StatusCode::NOT_FOUND),
    (Role::Auditor,         Verb::Get,  "/tariffs/cienco4/2027",        "",                      StatusCode::NOT_FOUND),
    // A file of an order has the money of every operator.
    (Role::Auditor,         Verb::Get,  "/finance/payments/1",          "",                      StatusCode::NOT_FOUND),
];

#[tokio::test]
async fn what_lies_outside_ones_scope_is_refused_and_what_lies_within_is_not() {
    let elsewhere = Role::ALL
        .into_iter()
        .filter(|role| *role != Role::AccountHolder)
        .map(|role| (format!("vec-{}", role.name()), role));
    let people = elsewhere.map(|(name, role)| {
        let scope = "vec".parse::<Scope>().unwrap();
        Person { scope, ..person(&name, &[role]) }
    });
    let house = House::with(false, people.collect());
    for (role, verb, path, form, refused) in TABLE {
        let status = async |name: &str| {
            let (sessions, now) = (house.app.sessions(), house.app.clock().real());
            let standing = if role.needs_second_factor() {
                crate::access::Standing::SecondFactor
            } else {
                crate::access::Standing::Password
            };
            let number = sessions.begin(name, standing, now).unwrap();
            let token = sessions.session(&number, now).unwrap().csrf;
            let cookie = format!("etc_session={number}");
            match verb {
                Verb::Get => house.get(path, &cookie).await.status,
                Verb::Post => {
                    let form = format!("csrf={token}&{form}");
                    house.post(path, &[("cookie", &cookie)], &form).await.status
                }
            }
        };
        let name = role.name();
        assert_eq!(status(&format!("vec-{name}")).await, refused, "{name} of another: {path}");
        let within = status(name).await;
        assert_ne!(within, refused, "{name} of everywhere: {path}");
        assert_ne!(within, StatusCode::UNAUTHORIZED, "{name} of everywhere: {path}");
    }
}

#[tokio::test]
async fn a_tariff_that_another_operator_was_proposed_is_not_there() {
    let vec_maker = Person {
        scope: "vec".parse().unwrap(),
        ..person("vec-maker", &[Role::FinanceMaker, Role::FinanceChecker])
    };
    let house = House::with(false, vec![vec_maker]);
    let author = |who: &str| crate::audit::Author { who: Some(who.to_owned()), from: None };
    let proposed = crate::audit::Deed::TariffProposed {
        operator: "cienco4".parse().unwrap(),
        version: "2027".to_owned(),
        document: String::new(),
    };
    let entry = house.app.audit().append(&author("finance-maker"), proposed).unwrap().unwrap();
    let (sessions, now) = (house.app.sessions(), house.app.clock().real());
    let standing = crate::access::Standing::SecondFactor;
    let number = sessions.begin("vec-maker", standing, now).unwrap();
    let token = sessions.session(&number, now).unwrap().csrf;
    let cookie = format!("etc_session={number}");
    for deed in ["approve", "decline"] {
        let path = format!("/tariffs/proposals/{}/{deed}", entry.seq);
        let answer = house.post(&path, &[("cookie", &cookie)], &format!("csrf={token}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{deed}");
    }
    let waits = house.app.audit().proposals();
    let waits = &waits.proposal(entry.seq).unwrap().standing;
    assert_eq!(*waits, crate::tariffs::proposal::Standing::Waits);
}
