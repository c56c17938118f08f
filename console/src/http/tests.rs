use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use domain::signature::SecretKey;
use domain::wire::v1::{EventKind, ExceptionRecord, LaneEvent};
use domain::{Amount, Clock};
use tokio::sync::watch;
use tower::ServiceExt;

use super::{App, Cookies, Parts, guarded, router};
use crate::access::people::tests::person;
use crate::access::{DeskKey, Door, People, Person, Role, Scope, Sessions, password};
use crate::audit::AuditLog;
use crate::books::Books;
use crate::routes::{Place, Rule, Verb, Who, rules};
use crate::station::Desk;

mod scope;

/// A console with neither broker nor database, and the end of everything in its hand.
struct House {
    app: App,
    people: People,
    ending: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Self { status: parts.status, headers: parts.headers, body }
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The cookie it sets, as a browser sends it back.
    fn cookie(&self) -> String {
        self.header(header::SET_COOKIE).split(';').next().unwrap().to_owned()
    }
}

const PASSWORD: &str = "a long secret";

impl House {
    fn new() -> Self {
        Self::at(false)
    }

    /// A house with a person of each role, named after it, and `lan`, who does most things.
    fn at(at_station: bool) -> Self {
        Self::with(at_station, Vec::new())
    }

    /// The same with more people.
    fn with(at_station: bool, more: Vec<Person>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("people");
        let key = SecretKey::from_seed(&[7; 32]);
        let mut people = People::default();
        let most =
            [Role::StationOperator, Role::Supervisor, Role::Auditor, Role::Authority].as_slice();
        let named = Role::ALL.map(|role| (role.name(), vec![role]));
        for (name, roles) in named.into_iter().chain([("lan", most.to_vec())]) {
            let password = password::cheap_hash(PASSWORD);
            people.add(Person { password, ..person(name, &roles) }).unwrap();
        }
        for one in more {
            people.add(one).unwrap();
        }
        std::fs::write(&file, people.emit(&key).unwrap()).unwrap();
        let clock = Clock::system();
        let (ending, receiver) = watch::channel(false);
        let place = at_station.then(|| "cienco4/ben-thuy".parse::<Scope>().unwrap());
        let app = App::new(Parts {
            clock,
            machine: clock,
            desk: Arc::new(Desk::new(clock, None)),
            books: Arc::new(Books::default()),
            door: Arc::new(
                Door::try_load((&file, &folder.path().join("own")), key.public(), place, 0)
                    .unwrap(),
            ),
            sessions: Arc::new(Sessions::default()),
            desk_key: DeskKey::of(SecretKey::from_seed(&[3; 32])),
            audit: Arc::new(AuditLog::open(&folder.path().join("audit.log"), clock).unwrap()),
            cookies: Cookies::Loopback,
            review: crate::review::Reviewing::default(),
            administration: crate::administration::Administration::default(),
            at_station,
            ending: receiver,
        });
        Self { app, people, ending, _folder: folder }
    }

    async fn respond(&self, request: Request<Body>) -> Response {
        router(self.app.clone()).oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        let request = Request::get(path).header(header::COOKIE, cookie);
        Answer::of(self.respond(request.body(Body::empty()).unwrap()).await).await
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], form: &str) -> Answer {
        let mut request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::HOST, "desk");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(self.respond(request.body(Body::from(form.to_owned())).unwrap()).await).await
    }

    /// Logs somebody in, wholly; gives the cookie and the token of the session's forms.
    async fn log_in_as(&self, name: &str) -> (String, String) {
        let form = format!("user={name}&password=a+long+secret");
        let answer = self.post("/login", &[], &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{name}");
        let mut cookie = answer.cookie();
        if answer.header(header::LOCATION) == "/login/code" {
            let second = u64::try_from(Clock::system().now().as_second()).unwrap();
            let factor = self.people.person(name).unwrap().second_factor.clone().unwrap();
            let form = format!("code={}", factor.code(second).unwrap());
            let answer = self.post("/login/code", &[("cookie", &cookie)], &form).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{name}'s code");
            assert_ne!(answer.cookie(), cookie, "a step up is a new session");
            cookie = answer.cookie();
        }
        let number = cookie.split('=').nth(1).unwrap().to_owned();
        let session = self.app.sessions().session(&number, self.app.clock().real()).unwrap();
        (cookie, session.csrf)
    }

    async fn log_in(&self) -> (String, String) {
        self.log_in_as("lan").await
    }

    fn raise_call(&self) {
        let kind = EventKind::CallRaised {
            call: 7,
            exception: ExceptionRecord::NoMoney,
            tag: Some("3416214B88C0011762000493".parse().unwrap()),
            fare: Some(Amount::try_new(47_000).unwrap()),
        };
        let lane = "cienco4/ben-thuy/l01".parse().unwrap();
        self.app.desk().hear(LaneEvent { v: 1, lane, at: self.app.clock().now(), kind });
    }
}

const ORDER: &str =
    "lane=cienco4/ben-thuy/l01&call=7&action=charge-by-plate&plate=37A12345&group=1";

#[tokio::test]
async fn nobody_sees_anything_without_logging_in() {
    let house = House::new();
    for path in ["/", "/station", "/finance", "/passages", "/authority", "/audit", "/shift/1"] {
        for cookie in ["", "etc_session=0123456789abcdef0123456789abcdef"] {
            let answer = house.get(path, cookie).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
            assert_eq!(answer.header(header::LOCATION), "/login");
            assert!(answer.body.is_empty());
        }
    }
    assert_eq!(house.get("/station/live", "").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.post("/station/answer", &[], ORDER).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.post("/logout", &[], "csrf=").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn only_the_right_password_opens_and_its_cookie_is_closed_to_scripts() {
    let house = House::new();
    let refused = house.post("/login", &[], "user=lan&password=guess").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.header(header::SET_COOKIE), "");
    let admitted = house.post("/login", &[], "user=lan&password=a+long+secret").await;
    let cookie = admitted.header(header::SET_COOKIE);
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let secure = Cookies::Secure.session("1");
    assert!(secure.starts_with("__Host-") && secure.ends_with("; Secure"), "{secure}");
}

#[tokio::test]
async fn a_password_alone_opens_nothing_to_those_who_need_a_second_factor() {
    let house = House::new();
    let answer = house.post("/login", &[], "user=finance-maker&password=a+long+secret").await;
    assert_eq!(answer.header(header::LOCATION), "/login/code");
    let cookie = answer.cookie();
    for path in ["/", "/finance", "/passages", "/station"] {
        let answer = house.get(path, &cookie).await;
        assert_eq!(answer.header(header::LOCATION), "/login/code", "{path}");
    }
    assert!(house.get("/login/code?lang=en", &cookie).await.body.contains("six digits"));
    let wrong = house.post("/login/code", &[("cookie", &cookie)], "code=000000").await;
    assert!(matches!(wrong.status, StatusCode::UNAUTHORIZED), "{}", wrong.status);
    assert_eq!(house.post("/login/code", &[], "code=000000").await.status, StatusCode::SEE_OTHER);
    let (cookie, _) = house.log_in_as("finance-maker").await;
    assert_eq!(house.get("/", &cookie).await.header(header::LOCATION), "/passages");
}

#[tokio::test]
async fn guessing_is_slowed_down_and_told_so() {
    let house = House::new();
    for _ in 0..5 {
        let refused = house.post("/login", &[], "user=lan&password=guess").await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    }
    let refused = house.post("/login?lang=en", &[], "user=lan&password=a+long+secret").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.body.contains("Too many tries"));
}

/// A path that fits a route.
fn path_of(rule: &Rule) -> String {
    [
        ("{name}", "console.css"),
        ("{number}", "1"),
        ("{operator}/{station}/{lane}/{epoch}/{seq}", "cienco4/ben-thuy/l01/1/7"),
        ("{operator}/{day}", "cienco4/2026-11-21"),
    ]
    .iter()
    .fold(rule.path.to_owned(), |path, (name, value)| path.replace(name, value))
}

async fn asked(house: &House, rule: &Rule, (cookie, token): &(String, String)) -> StatusCode {
    let path = path_of(rule);
    match rule.verb {
        // It never ends by itself.
        Verb::Get if rule.path.ends_with("/live") => {
            let request = Request::get(path).header(header::COOKIE, cookie);
            house.respond(request.body(Body::empty()).unwrap()).await.status()
        }
        Verb::Get => house.get(&path, cookie).await.status,
        Verb::Post => {
            house.post(&path, &[("cookie", cookie)], &format!("csrf={token}&{ORDER}")).await.status
        }
    }
}

#[tokio::test]
async fn every_role_may_use_exactly_the_routes_that_the_table_gives_it() {
    for at_station in [false, true] {
        let house = House::at(at_station);
        for role in Role::ALL {
            for rule in rules().iter().filter(|rule| rule.who != Who::Everybody) {
                // The way to one's first page: a station has none for some.
                if at_station && rule.path == "/" {
                    continue;
                }
                // Anew each time: one of the routes is the way out.
                let key = house.app.sessions();
                let standing = if role.needs_second_factor() {
                    crate::access::Standing::SecondFactor
                } else {
                    crate::access::Standing::Password
                };
                let number = key.begin(role.name(), standing, house.app.clock().real()).unwrap();
                let session = key.session(&number, house.app.clock().real()).unwrap();
                let seat = (format!("etc_session={number}"), session.csrf);
                let status = asked(&house, rule, &seat).await;
                let may =
                    rule.who.admits(&[role]) && (rule.place == Place::Anywhere || !at_station);
                let (role, path) = (role.name(), rule.path);
                assert_eq!(status != StatusCode::FORBIDDEN, may, "{role} {path}: {status}");
                assert_ne!(status, StatusCode::UNAUTHORIZED, "{role} {path}");
            }
        }
    }
}

#[tokio::test]
async fn money_and_administration_do_not_count_without_the_second_factor() {
    let house = House::new();
    let now = house.app.clock().real();
    for (role, path) in [(Role::FinanceMaker, "/finance"), (Role::Administrator, "/people")] {
        let standing = crate::access::Standing::Password;
        let number = house.app.sessions().begin(role.name(), standing, now).unwrap();
        let answer = house.get(path, &format!("etc_session={number}")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn a_route_behind_the_tables_back_is_refused_to_everybody() {
    let house = House::new();
    let (cookie, _) = house.log_in().await;
    let stray = Router::new().route("/stray", get(|| async { "secret" }));
    for cookie in ["", &cookie] {
        let request = Request::get("/stray").header(header::COOKIE, cookie);
        let router = guarded(stray.clone(), house.app.clone());
        let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let answer = Answer::of(answer).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(!answer.body.contains("secret"));
    }
}

#[tokio::test]
async fn who_is_taken_out_sees_nothing_more_at_the_next_request() {
    let house = House::new();
    let number = house.app.sessions();
    let standing = crate::access::Standing::Password;
    let number = number.begin("gone", standing, house.app.clock().real()).unwrap();
    let answer = house.get("/station", &format!("etc_session={number}")).await;
    assert_eq!(answer.header(header::LOCATION), "/login");
}

#[tokio::test]
async fn the_bar_shows_the_pages_of_ones_roles_and_no_others() {
    let house = House::new();
    let (cookie, _) = house.log_in_as("authority").await;
    assert_eq!(house.get("/", &cookie).await.header(header::LOCATION), "/authority");
    let page = house.get("/authority", &cookie).await.body;
    assert!(page.contains("href=\"/authority\"") && !page.contains("href=\"/finance\""));
    let (cookie, _) = house.log_in_as("auditor").await;
    let page = house.get("/station", &cookie).await.body;
    assert!(page.contains("href=\"/audit\"") && !page.contains("action=\"/station/answer\""));
}

#[tokio::test]
async fn a_shift_is_begun_handed_over_and_closed_with_what_is_open_named() {
    let house = House::new();
    house.raise_call();
    let (lan, token) = house.log_in().await;
    let english = format!("{lan}; etc_language=en");
    let post = async |cookie: &str, path: &str, form: String| {
        house.post(path, &[("cookie", cookie)], &form).await
    };
    let started = post(&lan, "/shift/start", format!("csrf={token}")).await;
    assert_eq!(started.header(header::LOCATION), "/station");
    let again = post(&lan, "/shift/start", format!("csrf={token}")).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let page = house.get("/shift", &english).await.body;
    assert!(page.contains("cienco4/ben-thuy/l01: a vehicle waits (Not enough money)"), "{page}");
    let shift = house.app.audit().shifts().open_of("lan").unwrap().number;
    let silent = post(&lan, "/shift/close", format!("csrf={token}&shift={shift}&note=")).await;
    assert_eq!(silent.status, StatusCode::CONFLICT);
    let nobody = format!("csrf={token}&shift={shift}&to=authority&note=x");
    assert_eq!(post(&lan, "/shift/offer", nobody).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let offer = format!("csrf={token}&shift={shift}&to=supervisor&note=one+waits");
    assert_eq!(post(&lan, "/shift/offer", offer).await.status, StatusCode::SEE_OTHER);
    let (kim, kims) = house.log_in_as("supervisor").await;
    assert!(house.get("/shift", &kim).await.body.contains("one waits"));
    let taken = post(&kim, "/shift/take", format!("csrf={kims}&shift={shift}")).await;
    assert_eq!(taken.header(header::LOCATION), "/station");
    let own = house.app.audit().shifts().open_of("supervisor").unwrap().number;
    let closing = format!("csrf={kims}&shift={own}&note=still+waits");
    let closed = post(&kim, "/shift/close", closing).await;
    assert_eq!(closed.header(header::LOCATION), format!("/shift/{own}"));
    let report = house.get(&format!("/shift/{own}"), &kim).await.body;
    let chain = house.app.audit().recent().1;
    assert!(report.contains("still waits") && report.contains(&chain.head.to_string()));
}

#[tokio::test]
async fn an_operator_reads_their_own_shifts_and_a_supervisor_all() {
    let house = House::new();
    let (lan, token) = house.log_in().await;
    house.post("/shift/start", &[("cookie", &lan)], &format!("csrf={token}")).await;
    let shift = house.app.audit().shifts().open_of("lan").unwrap().number;
    let report = format!("/shift/{shift}");
    let (operator, _) = house.log_in_as("station-operator").await;
    assert_eq!(house.get(&report, &operator).await.status, StatusCode::NOT_FOUND);
    let (supervisor, _) = house.log_in_as("supervisor").await;
    assert_eq!(house.get(&report, &supervisor).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_written_down_is_not_unmasked() {
    let house = House::new();
    let (cookie, token) = house.log_in_as("auditor").await;
    let path = "/passages/cienco4/ben-thuy/l01/1/7";
    for (form, status) in [
        (format!("csrf={token}&reason="), StatusCode::UNPROCESSABLE_ENTITY),
        (format!("csrf={token}&reason=curious"), StatusCode::UNPROCESSABLE_ENTITY),
        // Written down, and then the books are away.
        (format!("csrf={token}&reason=dispute"), StatusCode::SERVICE_UNAVAILABLE),
    ] {
        assert_eq!(house.post(path, &[("cookie", &cookie)], &form).await.status, status, "{form}");
    }
    let unmasked =
        |entry: &crate::audit::Entry| matches!(entry.deed, crate::audit::Deed::Unmasked { .. });
    assert_eq!(house.app.audit().recent().0.iter().filter(|entry| unmasked(entry)).count(), 1);
}

#[tokio::test]
async fn the_audit_page_checks_the_chain_and_names_who() {
    let house = House::new();
    let (cookie, _) = house.log_in_as("auditor").await;
    let page = house.get("/audit?check=yes&lang=en", &cookie).await.body;
    assert!(page.contains("The chain holds") && page.contains("Logged in"), "{page}");
    let people = house.get("/people?lang=en", &cookie).await.body;
    assert!(people.contains("finance-checker") && !people.contains("argon2"));
}

#[tokio::test]
async fn a_person_changes_their_own_password_and_nobody_elses_session_lives_on_the_old_one() {
    let house = House::new();
    let (elsewhere, _) = house.log_in().await;
    let (cookie, token) = house.log_in().await;
    let change = async |old: &str, new: &str, again: &str| {
        let form = format!("csrf={token}&old={old}&new={new}&again={again}");
        house.post("/password", &[("cookie", &cookie)], &form).await
    };
    let old = PASSWORD.replace(' ', "+");
    for (old, new, again) in [
        ("guess", "another+long+one", "another+long+one"),
        (old.as_str(), "another+long+one", "another+long+two"),
        (old.as_str(), "short", "short"),
        (old.as_str(), old.as_str(), old.as_str()),
    ] {
        let refused = change(old, new, again).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{new}");
    }
    let changed = change(&old, "another+long+one", "another+long+one").await;
    assert_eq!(changed.status, StatusCode::SEE_OTHER);
    for ended in [&elsewhere, &cookie] {
        assert_eq!(house.get("/station", ended).await.header(header::LOCATION), "/login");
    }
    assert_eq!(house.get("/station", &changed.cookie()).await.status, StatusCode::OK);
    let with_old = house.post("/login", &[], &format!("user=lan&password={old}")).await;
    assert_eq!(with_old.status, StatusCode::UNAUTHORIZED);
    let with_new = house.post("/login", &[], "user=lan&password=another+long+one").await;
    assert_eq!(with_new.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_search_by_plate_is_written_down_without_the_plate() {
    let house = House::new();
    let (cookie, token) = house.log_in().await;
    let find = async |form: &str| {
        let form = format!("csrf={token}&{form}");
        house.post("/passages/find", &[("cookie", &cookie)], &form).await.status
    };
    assert_eq!(find("by=colour&what=37A12345").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        find("by=plate&what=37A12345&day=2026-11-21").await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let entries = serde_json::to_string(&house.app.audit().recent().0).unwrap();
    assert!(entries.contains("searched") && !entries.contains("37A12345"), "{entries}");
}

#[tokio::test]
async fn money_that_cannot_be_moved_is_refused_and_both_are_written_down() {
    let house = House::new();
    let (cookie, token) = house.log_in_as("finance-checker").await;
    let path = "/finance/day/cienco4/2026-11-21/approve";
    let answer = house.post(path, &[("cookie", &cookie)], &format!("csrf={token}")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let entries = serde_json::to_string(&house.app.audit().recent().0).unwrap();
    assert!(entries.contains("books-asked") && entries.contains("books-refused"), "{entries}");
    let (cookie, token) = house.log_in_as("finance-maker").await;
    let answer = house.post(path, &[("cookie", &cookie)], &format!("csrf={token}")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "a maker never approves");
    let document = format!("csrf={token}&document=version+%3D+7");
    let odd = house.post("/tariffs/propose", &[("cookie", &cookie)], &document).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn logging_out_ends_the_session_for_good() {
    let house = House::new();
    let (cookie, token) = house.log_in().await;
    let out = house.post("/logout", &[("cookie", &cookie)], &format!("csrf={token}")).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    assert_eq!(house.get("/station", &cookie).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn every_answer_carries_the_strict_policy() {
    let house = House::new();
    let (cookie, _) = house.log_in().await;
    for path in ["/station", "/login", "/nowhere", "/healthz", "/assets/console.css", "/finance"] {
        let answer = house.get(path, &cookie).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn no_page_has_a_script_or_a_style_of_its_own_or_anything_from_elsewhere() {
    let house = House::new();
    house.raise_call();
    let (cookie, _) = house.log_in().await;
    for path in
        ["/station", "/login?lang=en", "/finance", "/shift", "/people", "/audit", "/nowhere"]
    {
        let page = house.get(path, &cookie).await.body;
        for foreign in ["<script>", "<style", " style=", " onclick=", "src=\"http", "href=\"http"] {
            assert!(!page.contains(foreign), "{path} has {foreign}");
        }
    }
}

#[tokio::test]
async fn an_order_without_the_sessions_token_or_from_a_foreign_page_is_not_taken() {
    let house = House::new();
    house.raise_call();
    let (cookie, token) = house.log_in().await;
    let own: (&str, &str) = ("cookie", &cookie);
    let check = async |headers: &[(&str, &str)], form: String, status: StatusCode| {
        let answer = house.post("/station/answer", headers, &form).await;
        assert_eq!(answer.status, status, "{headers:?}");
    };
    check(&[own], format!("{ORDER}&csrf="), StatusCode::FORBIDDEN).await;
    check(&[own], format!("{ORDER}&csrf={}", "0".repeat(32)), StatusCode::FORBIDDEN).await;
    let whole = format!("{ORDER}&csrf={token}");
    check(&[own, ("origin", "http://evil")], whole.clone(), StatusCode::FORBIDDEN).await;
    check(&[own, ("sec-fetch-site", "cross-site")], whole.clone(), StatusCode::FORBIDDEN).await;
    // Taken, and refused for what is true: there is no broker.
    check(&[own, ("origin", "http://desk")], whole, StatusCode::SERVICE_UNAVAILABLE).await;
}

#[tokio::test]
async fn the_desk_is_told_in_its_language_what_an_order_lacks() {
    let house = House::new();
    let (cookie, token) = house.log_in().await;
    let english = format!("{cookie}; etc_language=en");
    let headers: [(&str, &str); 2] = [("cookie", &english), ("accept", "application/json")];
    let form = format!("{ORDER}&csrf={token}").replace("37A12345", "");
    let answer = house.post("/station/answer", &headers, &form).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(told["done"], false);
    assert!(told["text"].as_str().unwrap().starts_with("Enter the plate"), "{told}");
    let page = house.post("/station/answer", &[("cookie", &cookie)], &form).await;
    assert!(page.body.contains("Hãy nhập biển số"), "{}", page.body);
}

#[tokio::test]
async fn with_broker_and_database_away_every_page_says_so_and_still_comes() {
    let house = House::new();
    let (cookie, _) = house.log_in().await;
    let english = format!("{cookie}; etc_language=en");
    let station = house.get("/station", &english).await;
    assert_eq!(station.status, StatusCode::OK);
    assert!(station.body.contains("The broker is away"));
    for path in ["/finance", "/passages", "/authority", "/cases", "/tariffs", "/equipment"] {
        let answer = house.get(path, &english).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.body.contains("The books cannot be read"), "{path}");
        assert!(answer.body.contains("</html>"), "{path}");
    }
    assert_eq!(house.get("/healthz", "").await.status, StatusCode::OK);
    let ready = house.get("/readyz", "").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.body, r#"{"books":false,"broker":false}"#);
}

#[tokio::test]
async fn the_language_is_vietnamese_until_another_is_chosen_and_then_remembered() {
    let house = House::new();
    assert!(house.get("/login", "").await.body.contains("<html lang=\"vi\">"));
    let chosen = house.get("/login?lang=en", "").await;
    assert!(chosen.body.contains("<html lang=\"en\">"));
    let cookie = chosen.header(header::SET_COOKIE).split(';').next().unwrap().to_owned();
    assert!(house.get("/login", &cookie).await.body.contains("<html lang=\"en\">"));
    assert!(house.get("/login?lang=xx", &cookie).await.body.contains("<html lang=\"en\">"));
}

#[tokio::test]
async fn a_waiting_vehicle_is_on_the_page_with_its_tag_masked() {
    let house = House::new();
    house.raise_call();
    let (cookie, _) = house.log_in().await;
    let page = house.get("/station", &cookie).await.body;
    assert!(page.contains("Tài khoản không đủ tiền"));
    assert!(page.contains("…0493") && !page.contains("3416214B"));
    for reason in ["cash-paid", "cash-at-exit", "no-means-of-payment", "drivers-wish", "other"] {
        assert!(page.contains(&format!("<option value=\"{reason}\">")), "{reason} is missing");
    }
}

#[tokio::test]
async fn live_pages_begin_with_everything_and_end_with_the_console() {
    let house = House::new();
    house.raise_call();
    let (cookie, _) = house.log_in().await;
    let request = Request::get("/station/live").header(header::COOKIE, &cookie);
    let response = house.respond(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    house.ending.send_replace(true);
    let ended = Answer::of(response).await;
    assert!(ended.body.is_empty() || ended.body.starts_with("data: "), "{}", ended.body);
}

#[tokio::test]
async fn a_search_that_is_not_understood_is_refused_and_what_is_nowhere_is_not_found() {
    let house = House::new();
    let (cookie, _) = house.log_in().await;
    for path in ["/passages?day=tomorrow", "/passages?after=%00", "/authority?day=x"] {
        assert_eq!(house.get(path, &cookie).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
    for path in ["/nowhere", "/assets/secret", "/finance/statement/A/x"] {
        assert_eq!(house.get(path, &cookie).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let request = Request::builder().method(Method::DELETE).uri("/finance");
    let request = request.header(header::COOKIE, &cookie).body(Body::empty()).unwrap();
    assert_eq!(house.respond(request).await.status(), StatusCode::METHOD_NOT_ALLOWED);
}
