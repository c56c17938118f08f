//! The HTTP API with a real database.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use clearing_house::api::without_broker;
use domain::Clock;
use domain::signature::Digest256;
use serde_json::{Value, json};
use tests::lane::{Lane, vehicle};
use tests::office::{Office, POLICY, noon};
use tower::ServiceExt as _;

/// Callers: their name is their token.
const CALLERS: [(&str, &str); 6] = [
    ("vetc", "role = 'issuer'\nissuer = 'vetc'"),
    ("vdtc", "role = 'issuer'\nissuer = 'vdtc'"),
    ("vec", "role = 'operator'\noperator = 'vec'"),
    ("auditor", "role = 'auditor'"),
    ("centre", "role = 'centre'"),
    ("checker", "role = 'centre'"),
];

struct Api(Router);

struct Answer {
    status: StatusCode,
    kind: String,
    is_replayed: bool,
    text: String,
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
    fn open(office: &Office) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.toml");
        let line = |(name, role): (&str, &str)| {
            let digest = Digest256::of(name.as_bytes());
            format!("[[token]]\nname = '{name}'\nsha256 = '{digest}'\n{role}\n")
        };
        std::fs::write(&file, CALLERS.map(line).concat()).unwrap();
        let clock = Clock::of_run(Some(Clock::anchor(noon(), 1.0)));
        Self(without_broker(office.pool.clone(), &file, POLICY, clock).unwrap())
    }

    async fn send(
        &self,
        token: &str,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self.0.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let (kind, is_replayed) = (header("content-type"), header("idempotent-replayed") == "true");
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
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
    let api = Api::open(&office);
    let pay = |amount: i64, reference: &str| json!({"amount": amount, "reference": reference});
    let path = "/v1/accounts/1001/top-ups";
    let first = api.post("vetc", path, Some("k1"), pay(70_000, "b1")).await;
    assert_eq!((first.status, first.json()), (StatusCode::OK, json!({"effect": "now"})));
    let again = api.post("vetc", path, Some("k1"), pay(70_000, "b1")).await;
    assert_eq!(again.json(), json!({"effect": "now"}), "the stored answer, to the letter");
    assert!(again.is_replayed && !first.is_replayed);
    api.post("vetc", path, Some("k1"), pay(70_001, "b1"))
        .await
        .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-taken");
    api.post("vetc", "/v1/accounts/1003/top-ups", Some("k1"), pay(70_000, "b1"))
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
    let refund = "/v1/accounts/1001/refunds";
    api.post("vetc", refund, Some("k4"), pay(9_000_000, "r1"))
        .await
        .assert_problem(StatusCode::CONFLICT, "not-enough");
    let held = json!({"amount": 5_000_000, "reference": "h1", "reason": "a dispute"});
    let held = api.post("vetc", "/v1/accounts/1001/holds", Some("k5"), held).await.json();
    assert_eq!(office.balance(1001).await, 70_000);
    let hold = format!("/v1/accounts/1001/holds/{}", held["hold"]);
    let freed = api.send("vetc", Method::DELETE, &hold, None, None).await;
    assert_eq!(freed.json(), json!({"effect": "now"}));
    assert_eq!(office.balance(1001).await, 5_070_000);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_changes_what_is_not_in_their_scope() {
    let office = Office::open().await;
    let api = Api::open(&office);
    for token in ["", "nobody", "vetc "] {
        api.get(token, "/v1/accounts/1001")
            .await
            .assert_problem(StatusCode::UNAUTHORIZED, "no-token");
    }
    for (token, path, status) in [
        ("vetc", "/v1/accounts/1001", StatusCode::OK),
        ("vdtc", "/v1/accounts/1001", StatusCode::NOT_FOUND),
        ("vec", "/v1/accounts/1001", StatusCode::FORBIDDEN),
        ("auditor", "/v1/accounts/1001", StatusCode::OK),
        ("centre", "/v1/accounts/1001/statement", StatusCode::OK),
        ("vdtc", "/v1/accounts/1001/statement", StatusCode::NOT_FOUND),
        ("vetc", "/v1/passages", StatusCode::FORBIDDEN),
        ("vetc", "/v1/quarantine", StatusCode::FORBIDDEN),
        ("vetc", "/v1/lanes", StatusCode::FORBIDDEN),
        ("vec", "/v1/corrections", StatusCode::OK),
        ("auditor", "/v1/tariffs", StatusCode::OK),
        ("auditor", "/v1/nothing", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(api.get(token, path).await.status, status, "{token} {path}");
    }
    let pay = json!({"amount": 1, "reference": "x"});
    for (token, status) in [
        ("auditor", StatusCode::FORBIDDEN),
        ("vec", StatusCode::FORBIDDEN),
        ("vdtc", StatusCode::NOT_FOUND),
    ] {
        let paid = api.post(token, "/v1/accounts/1001/top-ups", Some("k"), pay.clone()).await;
        assert_eq!(paid.status, status, "{token}");
    }
    let foreign = json!({"account": 77, "issuer": "vetc"});
    api.post("vdtc", "/v1/accounts", None, foreign)
        .await
        .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "no-issuer");
    let lanes = api.get("vec", "/v1/lanes").await.json();
    let lanes = lanes.as_array().unwrap();
    assert!(!lanes.is_empty());
    assert!(lanes.iter().all(|lane| lane["lane"].as_str().unwrap().starts_with("vec/")));
    assert_eq!(office.balance(1001).await, 5_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_lives_its_life_over_http() {
    let office = Office::open().await;
    let api = Api::open(&office);
    let opened = api.post("vetc", "/v1/accounts", None, json!({"account": 77, "issuer": "vetc"}));
    assert_eq!(opened.await.json(), json!({"effect": "now"}));
    let car = json!({"plate": "30A-999.99", "group": 2, "tag": "3416AABB"});
    let linked = api.post("vetc", "/v1/accounts/77/links", None, car).await;
    assert_eq!(linked.json(), json!({"effect": "now"}));
    let shown = api.get("vetc", "/v1/accounts/77").await.json();
    assert_eq!(shown["vehicles"][0]["plate"], "30A99999");
    assert_eq!(shown["vehicles"][0]["tag"], "3416AABB");
    let taken = json!({"plate": "30A-999.99", "group": 2});
    let refused = api.post("vdtc", "/v1/accounts/1002/links", None, taken).await;
    refused.assert_problem(StatusCode::CONFLICT, "vehicle-elsewhere");
    assert!(!refused.text.contains("30A"), "a problem never names a plate");
    let broken = api.post("vetc", "/v1/accounts/77/links", None, json!({"plate": "3?A-1"})).await;
    broken.assert_problem(StatusCode::BAD_REQUEST, "bad-request");
    assert!(!broken.text.contains("3?A"), "nor what it could not read");
    let off = api.post("vetc", "/v1/accounts/77/unlinks", None, json!({"tag": "3416AABB"})).await;
    assert_eq!(off.status, StatusCode::OK);
    let wish = |change: &str| json!({"change": change, "requested_by": "owner", "reason": "the owner's wish"});
    for (change, effect) in
        [("lock", "now"), ("lock", "before"), ("unlock", "now"), ("close", "now")]
    {
        let done = api.post("vetc", "/v1/accounts/77/state", None, wish(change)).await;
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
    let api = Api::open(&office);
    let books = office.books().await;
    let mut open = Lane::new("cienco4/ben-thuy/l01");
    let mut entry = Lane::new("vec/mai-son/e01");
    let mut batch: Vec<_> =
        (1..=7).map(|number| open.pass(&vehicle(number), "2026-03-02T01:00:00Z")).collect();
    batch.push(entry.pass(&vehicle(8), "2026-03-02T01:00:00Z"));
    books.post(&batch, noon()).await.unwrap();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get("auditor", &format!("/v1/passages?limit=3{cursor}")).await.json();
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
    let own = api.get("vec", "/v1/passages").await.json();
    assert_eq!(own["items"].as_array().unwrap().len(), 1, "an operator sees its own");
    let text = api.get("auditor", "/v1/passages").await.text;
    assert!(!text.contains("3416") && !text.contains("plate"), "{text}");
    let bad = api.get("auditor", "/v1/passages?cursor=x").await;
    bad.assert_problem(StatusCode::BAD_REQUEST, "bad-request");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_numbers_are_told_without_a_token() {
    let office = Office::open().await;
    let api = Api::open(&office);
    let books = office.books().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let batch = [1, 2, 3].map(|number| lane.pass(&vehicle(number), "2026-03-02T01:00:00Z"));
    books.post(&batch, noon()).await.unwrap();
    assert_eq!(api.get("", "/healthz").await.text, "ok\n");
    assert_eq!(api.get("", "/readyz").await.json(), json!({"broker": true, "books": true}));
    api.get("", "/v1/lanes").await.assert_problem(StatusCode::UNAUTHORIZED, "no-token");
    let numbers = api.get("", "/metrics").await.text;
    assert!(numbers.contains("\netc_passages_posted_total 3\n"), "{numbers}");
    assert!(numbers.contains("\netc_api_answers_total{status=\"4xx\"} 1\n"), "{numbers}");
    let described = api.get("", "/openapi.json").await.json();
    assert!(described["paths"]["/v1/accounts/{account}/top-ups"]["post"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_is_posted_once_and_only_when_another_one_has_approved_it() {
    let office = Office::open().await;
    let api = Api::open(&office);
    let toll = Lane::new("cienco4/ben-thuy/l01").pass(&vehicle(5), "2026-03-02T01:00:00Z");
    office.books().await.post(&[toll], noon()).await.unwrap();
    let toll = office.number("select transfer from transfer_v1 where kind = 'toll'").await;
    let paid = 5_000_000 - office.balance(vehicle(5).account).await;
    let wrong = |amount: i64| json!({"transfer": toll, "should_be": amount, "reason": "group 1"});
    let path = "/v1/corrections";

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
    let none = api.post("checker", "/v1/corrections/99/approval", Some("a0"), day.clone()).await;
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
    let listed = api.get("auditor", "/v1/corrections/proposals").await.json();
    let approved: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|one| &one["approved_by"]).collect();
    assert_eq!(approved, [&json!("checker"), &Value::Null]);
    let hidden = api.get("vec", "/v1/corrections/proposals").await;
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
