//! The HTTP API with a real database.

use std::collections::HashMap;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use clearing_house::api::keys::{self, NewKey, Token};
use clearing_house::api::{Role, without_broker};
use clearing_house::config::RequestRate;
use domain::Clock;
use serde_json::{Value, json};
use simulator::demo::database::Role as DatabaseRole;
use tests::lane::{Lane, vehicle};
use tests::office::{Office, POLICY, noon};
use tower::ServiceExt as _;

/// Callers: their name, and what their key is for.
pub(crate) const CALLERS: [(&str, &str, Option<&str>); 6] = [
    ("vetc", "issuer", Some("vetc")),
    ("vdtc", "issuer", Some("vdtc")),
    ("vec", "operator", Some("vec")),
    ("auditor", "auditor", None),
    ("centre", "centre", None),
    ("checker", "centre", None),
];

pub(crate) struct Api {
    router: Router,
    /// By the caller's name.
    tokens: HashMap<&'static str, Token>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) kind: String,
    is_replayed: bool,
    pub(crate) text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{}", self.text))
    }

    #[track_caller]
    fn assert_problem(&self, status: StatusCode, kind: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.kind, "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:etc:problem:{kind}"));
        assert_eq!(problem["status"], status.as_u16());
    }
}

impl Api {
    async fn open(office: &Office) -> Self {
        Self::open_at_rate(office, RequestRate::default()).await
    }

    pub(crate) async fn open_at_rate(office: &Office, rate: RequestRate) -> Self {
        let mut tokens = HashMap::new();
        for (name, role, scope) in CALLERS {
            let role = Role::try_new(role, scope).unwrap();
            let new = NewKey { name: name.to_owned(), role, valid_until: None };
            let (_, token) = keys::make(&office.pool, &new, "dung", noon()).await.unwrap();
            tokens.insert(name, token);
        }
        let clock = Clock::of_run(Some(Clock::anchor(noon(), 1.0)));
        // As a superuser, whom no policy binds, so that what the program itself holds back shows.
        let pools = [office.pool.clone(), office.pool.clone(), office.pool.clone()];
        Self { router: without_broker(pools, (POLICY, rate), clock), tokens }
    }

    fn token<'a>(&'a self, caller: &'a str) -> &'a str {
        self.tokens.get(caller).map_or(caller, Token::as_str)
    }

    async fn send(
        &self,
        caller: &str,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let body = body.map(|body| body.to_string().into_bytes());
        self.send_bytes(caller, method, path, key, body).await
    }

    pub(crate) async fn send_bytes(
        &self,
        caller: &str,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !caller.is_empty() {
            let bearer = format!("Bearer {}", self.token(caller));
            request = request.header("Authorization", bearer);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let body = body.map_or_else(Body::empty, Body::from);
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let (kind, is_replayed) = (header("content-type"), header("idempotent-replayed") == "true");
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
        Answer { status, kind, is_replayed, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(token, Method::GET, path, None, None).await
    }

    async fn post(&self, token: &str, path: &str, key: Option<&str>, body: Value) -> Answer {
        self.send(token, Method::POST, path, key, Some(body)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_has_one_effect_and_another_request_under_it_is_refused() {
    let office = Office::open().await;
    let api = Api::open(&office).await;
    let pay = |amount: i64, reference: &str| json!({"amount": amount, "reference": reference});
    let path = "/api/v1/accounts/1001/top-ups";
    let first = api.post("vetc", path, Some("k1"), pay(70_000, "b1")).await;
    assert_eq!((first.status, first.json()), (StatusCode::OK, json!({"effect": "now"})));
    let again = api.post("vetc", path, Some("k1"), pay(70_000, "b1")).await;
    assert_eq!(again.json(), json!({"effect": "now"}), "the stored answer, to the letter");
    assert!(again.is_replayed && !first.is_replayed);
    api.post("vetc", path, Some("k1"), pay(70_001, "b1"))
        .await
        .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-taken");
    api.post("vetc", "/api/v1/accounts/1003/top-ups", Some("k1"), pay(70_000, "b1"))
        .await
        .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-taken");
    let other_key = api.post("vetc", path, Some("k2"), pay(70_000, "b1")).await;
    assert_eq!(other_key.json(), json!({"effect": "before"}), "the payer's reference holds too");
    api.post("vetc", path, Some("k3"), pay(70_001, "b1"))
        .await
        .assert_problem(StatusCode::CONFLICT, "reference-taken");
    api.post("vetc", path, None, pay(1, "b2"))
        .await
        .assert_problem(StatusCode::BAD_REQUEST, "no-idempotency-key");
    let refund = "/api/v1/accounts/1001/refunds";
    api.post("vetc", refund, Some("k4"), pay(9_000_000, "r1"))
        .await
        .assert_problem(StatusCode::CONFLICT, "not-enough");
    let held = json!({"amount": 5_000_000, "reference": "h1", "reason": "a dispute"});
    let held = api.post("vetc", "/api/v1/accounts/1001/holds", Some("k5"), held).await.json();
    assert_eq!(office.balance(1001).await, 70_000);
    let hold = format!("/api/v1/accounts/1001/holds/{}", held["hold"]);
    let freed = api.send("vetc", Method::DELETE, &hold, None, None).await;
    assert_eq!(freed.json(), json!({"effect": "now"}));
    assert_eq!(office.balance(1001).await, 5_070_000);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_changes_what_is_not_in_their_scope() {
    let office = Office::open().await;
    let api = Api::open(&office).await;
    for token in ["", "nobody", "vetc "] {
        api.get(token, "/api/v1/accounts/1001")
            .await
            .assert_problem(StatusCode::UNAUTHORIZED, "no-key");
    }
    for (token, path, status) in [
        ("vetc", "/api/v1/accounts/1001", StatusCode::OK),
        ("vdtc", "/api/v1/accounts/1001", StatusCode::NOT_FOUND),
        ("vec", "/api/v1/accounts/1001", StatusCode::FORBIDDEN),
        ("auditor", "/api/v1/accounts/1001", StatusCode::OK),
        ("centre", "/api/v1/accounts/1001/statement", StatusCode::OK),
        ("vdtc", "/api/v1/accounts/1001/statement", StatusCode::NOT_FOUND),
        ("vetc", "/api/v1/passages", StatusCode::FORBIDDEN),
        ("vetc", "/api/v1/quarantine", StatusCode::FORBIDDEN),
        ("vetc", "/api/v1/lanes", StatusCode::FORBIDDEN),
        ("vec", "/api/v1/corrections", StatusCode::OK),
        ("auditor", "/api/v1/tariffs", StatusCode::OK),
        ("auditor", "/api/v1/nothing", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(api.get(token, path).await.status, status, "{token} {path}");
    }
    let pay = json!({"amount": 1, "reference": "x"});
    for (token, status) in [
        ("auditor", StatusCode::FORBIDDEN),
        ("vec", StatusCode::FORBIDDEN),
        ("vdtc", StatusCode::NOT_FOUND),
    ] {
        let paid = api.post(token, "/api/v1/accounts/1001/top-ups", Some("k"), pay.clone()).await;
        assert_eq!(paid.status, status, "{token}");
    }
    let foreign = json!({"account": 77, "issuer": "vetc"});
    api.post("vdtc", "/api/v1/accounts", None, foreign)
        .await
        .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "no-issuer");
    let lanes = api.get("vec", "/api/v1/lanes").await.json();
    let lanes = lanes.as_array().unwrap();
    assert!(!lanes.is_empty());
    assert!(lanes.iter().all(|lane| lane["lane"].as_str().unwrap().starts_with("vec/")));
    assert_eq!(office.balance(1001).await, 5_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_lives_its_life_over_http() {
    let office = Office::open().await;
    let api = Api::open(&office).await;
    let opened =
        api.post("vetc", "/api/v1/accounts", None, json!({"account": 77, "issuer": "vetc"}));
    assert_eq!(opened.await.json(), json!({"effect": "now"}));
    let car = json!({"plate": "30A-999.99", "group": 2, "tag": "3416AABB"});
    let linked = api.post("vetc", "/api/v1/accounts/77/links", None, car).await;
    assert_eq!(linked.json(), json!({"effect": "now"}));
    let shown = api.get("vetc", "/api/v1/accounts/77").await.json();
    assert_eq!(shown["vehicles"][0]["plate"], "30A99999");
    assert_eq!(shown["vehicles"][0]["tag"], "3416AABB");
    let taken = json!({"plate": "30A-999.99", "group": 2});
    let refused = api.post("vdtc", "/api/v1/accounts/1002/links", None, taken).await;
    refused.assert_problem(StatusCode::CONFLICT, "vehicle-elsewhere");
    assert!(!refused.text.contains("30A"), "a problem never names a plate");
    let broken =
        api.post("vetc", "/api/v1/accounts/77/links", None, json!({"plate": "3?A-1"})).await;
    broken.assert_problem(StatusCode::BAD_REQUEST, "bad-request");
    assert!(!broken.text.contains("3?A"), "nor what it could not read");
    let off =
        api.post("vetc", "/api/v1/accounts/77/unlinks", None, json!({"tag": "3416AABB"})).await;
    assert_eq!(off.status, StatusCode::OK);
    let wish = |change: &str| json!({"change": change, "requested_by": "owner", "reason": "the owner's wish"});
    for (change, effect) in
        [("lock", "now"), ("lock", "before"), ("unlock", "now"), ("close", "now")]
    {
        let done = api.post("vetc", "/api/v1/accounts/77/state", None, wish(change)).await;
        assert_eq!(done.json(), json!({"effect": effect}), "{change}");
    }
    let actors = office
        .texts("select distinct actor from account_state where account = 77 and state = 'closed'")
        .await;
    assert_eq!(actors, ["vetc"]);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_and_leave_nothing_out() {
    let office = Office::open().await;
    let api = Api::open(&office).await;
    let books = office.books().await;
    let mut open = Lane::new("cienco4/ben-thuy/l01");
    let mut entry = Lane::new("vec/mai-son/e01");
    let mut batch: Vec<_> =
        (1..=7).map(|number| open.pass(&vehicle(number), "2026-03-02T01:00:00Z")).collect();
    batch.push(entry.pass(&vehicle(8), "2026-03-02T01:00:00Z"));
    books.post(&batch, noon()).await.unwrap();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get("auditor", &format!("/api/v1/passages?limit=3{cursor}")).await.json();
        for item in page["items"].as_array().unwrap() {
            seen.push(item["passage"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!((seen.len(), once.len()), (8, 8), "{seen:?}");
    let own = api.get("vec", "/api/v1/passages").await.json();
    assert_eq!(own["items"].as_array().unwrap().len(), 1, "an operator sees its own");
    let text = api.get("auditor", "/api/v1/passages").await.text;
    assert!(!text.contains("3416") && !text.contains("plate"), "{text}");
    let bad = api.get("auditor", "/api/v1/passages?cursor=x").await;
    bad.assert_problem(StatusCode::BAD_REQUEST, "bad-request");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_numbers_are_told_without_a_token() {
    let office = Office::open().await;
    let api = Api::open(&office).await;
    let books = office.books().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let batch = [1, 2, 3].map(|number| lane.pass(&vehicle(number), "2026-03-02T01:00:00Z"));
    books.post(&batch, noon()).await.unwrap();
    assert_eq!(api.get("", "/healthz").await.text, "ok\n");
    assert_eq!(api.get("", "/readyz").await.json(), json!({"broker": true, "books": true}));
    api.get("", "/api/v1/lanes").await.assert_problem(StatusCode::UNAUTHORIZED, "no-key");
    let numbers = api.get("", "/metrics").await.text;
    assert!(numbers.contains("\netc_passages_posted_total 3\n"), "{numbers}");
    assert!(numbers.contains("\netc_api_answers_total{status=\"4xx\"} 1\n"), "{numbers}");
    let described = api.get("", "/api/v1/openapi.json").await.json();
    assert!(described["paths"]["/api/v1/accounts/{account}/top-ups"]["post"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_is_posted_once_and_only_when_another_one_has_approved_it() {
    let office = Office::open().await;
    let api = Api::open(&office).await;
    let toll = Lane::new("cienco4/ben-thuy/l01").pass(&vehicle(5), "2026-03-02T01:00:00Z");
    office.books().await.post(&[toll], noon()).await.unwrap();
    let toll = office.number("select transfer from transfer_v1 where kind = 'toll'").await;
    let paid = 5_000_000 - office.balance(vehicle(5).account).await;
    let wrong = |amount: i64| json!({"transfer": toll, "should_be": amount, "reason": "group 1"});
    let path = "/api/v1/corrections";

    // Another operator's tolls are not there; issuers and auditors correct nothing.
    let foreign = api.post("vec", path, Some("k"), wrong(0)).await;
    foreign.assert_problem(StatusCode::NOT_FOUND, "no-transfer");
    let issuer = api.post("vetc", path, Some("k"), wrong(0)).await;
    issuer.assert_problem(StatusCode::FORBIDDEN, "may-not");
    let mute = json!({"transfer": toll, "should_be": 0, "reason": " "});
    let mute = api.post("centre", path, Some("k"), mute).await;
    mute.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "no-reason");

    let proposed = api.post("centre", path, Some("p1"), wrong(paid - 7_000)).await.json();
    let again = api.post("centre", path, Some("p1"), wrong(paid - 7_000)).await;
    assert!(again.is_replayed && again.json() == proposed, "{}", again.text);
    assert_eq!(office.balance(vehicle(5).account).await, 5_000_000 - paid, "nothing has moved");

    let approval = format!("{path}/{}/approval", proposed["proposal"]);
    let day = json!({"day": "2026-03-02"});
    let own = api.post("centre", &approval, Some("a1"), day.clone()).await;
    own.assert_problem(StatusCode::CONFLICT, "same-person");
    let operator = api.post("vec", &approval, Some("a1"), day.clone()).await;
    operator.assert_problem(StatusCode::FORBIDDEN, "may-not");
    let none =
        api.post("checker", "/api/v1/corrections/99/approval", Some("a0"), day.clone()).await;
    none.assert_problem(StatusCode::NOT_FOUND, "no-proposal");
    let done = api.post("checker", &approval, Some("a1"), day.clone()).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    assert_eq!(office.balance(vehicle(5).account).await, 5_000_000 - paid + 7_000);
    let twice = api.post("checker", &approval, Some("a2"), day.clone()).await;
    twice.assert_problem(StatusCode::CONFLICT, "approved-before");

    // A second proposal for the same transfer finds it corrected, and leaves no approval behind.
    let late = api.post("centre", path, Some("p2"), wrong(0)).await.json();
    let late = format!("{path}/{}/approval", late["proposal"]);
    let refused = api.post("checker", &late, Some("a3"), day).await;
    refused.assert_problem(StatusCode::CONFLICT, "corrected-before");
    let listed = api.get("auditor", "/api/v1/corrections/proposals").await.json();
    let approved: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|one| &one["approved_by"]).collect();
    assert_eq!(approved, [&json!("checker"), &Value::Null]);
    let hidden = api.get("vec", "/api/v1/corrections/proposals").await;
    hidden.assert_problem(StatusCode::FORBIDDEN, "may-not");
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_too_wants_two_people_for_a_correction() {
    let office = Office::open().await;
    sqlx::query(
        "insert into correction_proposal (transfer, should_be, reason, proposed_by, proposed_at) \
         values (1, 0, 'r', 'centre', now())",
    )
    .execute(&office.pool)
    .await
    .unwrap();
    for (proposed_by, approved_by, constraint) in [
        ("centre", "centre", "two_people_correct"),
        ("another", "centre", "approval_of_correction"),
    ] {
        let refused = sqlx::query(
            "insert into correction_approval (proposal, proposed_by, approved_by, approved_at, day) \
             values (1, $1, $2, now(), '2026-03-02')",
        )
        .bind(proposed_by)
        .bind(approved_by)
        .execute(&office.pool)
        .await
        .unwrap_err();
        let refused = refused.into_database_error().unwrap();
        assert_eq!(refused.constraint(), Some(constraint));
    }
    let changed = sqlx::query("update correction_proposal set should_be = 1")
        .execute(&office.pool)
        .await
        .unwrap_err();
    assert!(changed.to_string().contains("append"), "{changed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_from_when_it_is_made_until_it_is_revoked_or_over_without_a_restart() {
    let office = Office::open().await;
    let api = Api::open(&office).await;
    let auditor = |until: Option<&str>| NewKey {
        name: "auditor".to_owned(),
        role: Role::try_new("auditor", None).unwrap(),
        valid_until: until.map(|until| until.parse().unwrap()),
    };
    let (second, token) = keys::make(&office.pool, &auditor(None), "dung", noon()).await.unwrap();
    let token = token.as_str();
    assert_eq!(api.get(token, "/api/v1/me").await.json()["key"], second);
    assert_eq!(api.get("auditor", "/api/v1/me").await.status, StatusCode::OK, "both open");

    keys::revoke(&office.pool, second, "dung", "lost", noon()).await.unwrap();
    api.get(token, "/api/v1/me").await.assert_problem(StatusCode::UNAUTHORIZED, "no-key");
    assert_eq!(api.get("auditor", "/api/v1/me").await.status, StatusCode::OK);
    let over = auditor(Some("2026-03-02T05:00:00.001Z"));
    let (_, token) = keys::make(&office.pool, &over, "dung", noon()).await.unwrap();
    api.get(token.as_str(), "/api/v1/me").await.assert_problem(StatusCode::UNAUTHORIZED, "no-key");

    let as_centre = NewKey { role: Role::Centre, ..auditor(None) };
    for (new, by) in [
        (as_centre, "dung"),
        (auditor(Some("2026-03-01T00:00:00Z")), "dung"),
        (NewKey { name: "An ".to_owned(), ..auditor(None) }, "dung"),
        (
            NewKey {
                name: "x".to_owned(),
                role: Role::Issuer("nobody".parse().unwrap()),
                valid_until: None,
            },
            "dung",
        ),
    ] {
        assert!(keys::make(&office.pool, &new, by, noon()).await.is_err(), "{new:?}");
    }
    assert!(keys::revoke(&office.pool, 999, "dung", "x", noon()).await.is_err());
    let all = keys::list(&office.pool).await.unwrap();
    let opening = all.iter().filter(|key| key.opens_at(noon())).count();
    assert_eq!((all.len(), opening), (CALLERS.len() + 2, CALLERS.len() + 1));
    let text = format!("{all:?}");
    assert!(!text.contains("etc_"), "a list of keys has no token");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_may_change_something_is_written_down_with_its_answer() {
    let office = Office::open().await;
    let api = Api::open(&office).await;
    let pay = json!({"amount": 70_000, "reference": "b1"});
    api.post("vetc", "/api/v1/accounts/1001/top-ups", Some("k"), pay).await;
    api.post("vetc", "/api/v1/accounts", None, json!({"plate": "30A12345"})).await;
    api.send("vdtc", Method::DELETE, "/api/v1/accounts/1001/holds/1", None, None).await;
    api.get("vetc", "/api/v1/accounts/1001").await;
    let trail = office
        .texts(
            "select concat_ws(' ', c.caller, c.method, c.path, a.status) from api_change c \
             left join api_change_answer a using (api_change) order by c.api_change",
        )
        .await;
    assert_eq!(
        trail,
        [
            "vetc POST /api/v1/accounts/1001/top-ups 200",
            "vetc POST /api/v1/accounts 400",
            "vdtc DELETE /api/v1/accounts/1001/holds/1 404",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let office = Office::open().await;
    let one = std::num::NonZeroU16::MIN;
    let burst = std::num::NonZeroU16::new(3).unwrap();
    let api = Api::open_at_rate(&office, RequestRate { per_s: one, burst }).await;
    let mut refused = 0;
    for _ in 0..20 {
        let answer = api.get("auditor", "/api/v1/me").await;
        if answer.status != StatusCode::OK {
            answer.assert_problem(StatusCode::TOO_MANY_REQUESTS, "too-many");
            refused += 1;
        }
    }
    assert!(refused >= 10, "{refused}");
    assert_eq!(api.get("vec", "/api/v1/me").await.status, StatusCode::OK, "nobody else waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_sent_again() {
    let office = Office::open().await;
    let api = Api::open(&office).await;
    let ask = async |tag: &str| {
        let request = Request::builder().uri("/api/v1/accounts/1001").header("If-None-Match", tag);
        let bearer = format!("Bearer {}", api.token("vetc"));
        let request = request.header("Authorization", bearer).body(Body::empty()).unwrap();
        let answer = api.router.clone().oneshot(request).await.unwrap();
        let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        (answer.status(), tag)
    };
    let (first, tag) = ask("").await;
    assert_eq!(first, StatusCode::OK);
    assert_eq!(ask(&tag).await, (StatusCode::NOT_MODIFIED, tag.clone()));
    let pay = json!({"amount": 70_000, "reference": "b1"});
    api.post("vetc", "/api/v1/accounts/1001/top-ups", Some("k"), pay).await;
    let (changed, other) = ask(&tag).await;
    assert!(changed == StatusCode::OK && other != tag);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trip_is_disputed_once_by_who_issued_its_account_and_becomes_a_case() {
    let office = Office::open().await;
    let api = Api::open(&office).await;
    let toll = Lane::new("cienco4/ben-thuy/l01").pass(&vehicle(5), "2026-03-02T01:00:00Z");
    office.books().await.post(&[toll], noon()).await.unwrap();
    let path = format!("/api/v1/accounts/{}/disputes", vehicle(5).account);
    let said = |passage: &str| json!({"passage": passage, "text": "the car was sold"});
    let own = "cienco4/ben-thuy/l01:1:1";
    let opened = api.post("vetc", &path, Some("d1"), said(own)).await.json();
    let again = api.post("vetc", &path, Some("d2"), said(own)).await.json();
    assert!(opened["case"].as_str().unwrap().starts_with("C-") && opened == again, "{opened}");
    api.post("vetc", &path, Some("d3"), said("cienco4/ben-thuy/l01:1:2"))
        .await
        .assert_problem(StatusCode::NOT_FOUND, "no-trip");
    let other = api.post("vetc", "/api/v1/accounts/1001/disputes", Some("d4"), said(own)).await;
    other.assert_problem(StatusCode::NOT_FOUND, "no-trip");
    // What another side disputes has a name of its own making.
    sqlx::query(
        "insert into settlement_case (code, kind, operator, day, subject, amount, opened_at, opened_by, due_at)
         values ('C-9', 'dispute', 'cienco4', '2026-03-02', '20260302080000_l01', 1, now(), 'program', now())",
    )
    .execute(&office.pool)
    .await
    .unwrap();
    let listed = api.get("vetc", &path).await.json();
    assert_eq!((&listed[0]["case"], &listed[0]["state"]), (&opened["case"], &json!("open")));
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(api.get("vdtc", &path).await.status, StatusCode::NOT_FOUND);
    let cases = api.get("auditor", "/api/v1/settlement/cases").await.json();
    assert_eq!(cases["items"][0]["kind"], "dispute");
    let foreign = api.get("vec", "/api/v1/settlement/cases").await.json();
    assert_eq!(foreign["items"], json!([]));
    let trips = api.get("vetc", &path.replace("disputes", "passages")).await.json();
    assert_eq!(trips["items"][0]["passage"], own);
    assert_eq!(trips["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_holds_operators_apart_and_auditors_see_no_plate() {
    let office = Office::open().await;
    let toll = Lane::new("cienco4/ben-thuy/l01").pass(&vehicle(5), "2026-03-02T01:00:00Z");
    office.books().await.post(&[toll], noon()).await.unwrap();
    clearing_house::rights::apply(&office.pool).await.unwrap();
    let superuser = Api::open(&office).await;
    let connected = async |role| tests::office::pool(&office.url_for(role)).await;
    let pools = [
        connected(DatabaseRole::Accounts).await,
        connected(DatabaseRole::Auditor).await,
        connected(DatabaseRole::Operator).await,
    ];
    let clock = Clock::of_run(Some(Clock::anchor(noon(), 1.0)));
    let router = without_broker(pools, (POLICY, RequestRate::default()), clock);
    let api = Api { router, tokens: superuser.tokens };
    for path in [
        "/api/v1/passages",
        "/api/v1/passages/cienco4/ben-thuy/l01/1/1",
        "/api/v1/settlement/days/cienco4/2026-03-02",
    ] {
        let seen = api.get("auditor", path).await;
        assert!(seen.status == StatusCode::OK && seen.text.contains("2026-03-02"), "{}", seen.text);
        let foreign = api.get("vec", path).await;
        assert!(!foreign.text.contains("2026-03-02T"), "{}", foreign.text);
    }
    for path in [
        "/api/v1/settlement/payments",
        "/api/v1/settlement/cases",
        "/api/v1/lanes",
        "/api/v1/tariffs",
        "/api/v1/corrections",
        "/api/v1/quarantine",
        "/api/v1/list",
    ] {
        let answer = api.get("vec", path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        assert!(!answer.text.contains("cienco4"), "{path}: {}", answer.text);
    }
    let account = format!("/api/v1/accounts/{}", vehicle(5).account);
    let clear = api.get("vetc", &account).await;
    assert!(clear.text.contains(vehicle(5).plate.as_str()), "{}", clear.text);
    let masked = api.get("auditor", &account).await;
    assert!(!masked.text.contains(vehicle(5).plate.as_str()), "{}", masked.text);
    let pay = json!({"amount": 70_000, "reference": "b1"});
    let paid = api.post("vetc", &format!("{account}/top-ups"), Some("k"), pay).await;
    assert_eq!(paid.status, StatusCode::OK, "{}", paid.text);
    let disputed = json!({"passage": "cienco4/ben-thuy/l01:1:1", "text": "not mine"});
    let disputed = api.post("vetc", &format!("{account}/disputes"), Some("d"), disputed).await;
    assert_eq!(disputed.status, StatusCode::OK, "{}", disputed.text);
}
