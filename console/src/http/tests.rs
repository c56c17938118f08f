use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::Response;
use domain::wire::v1::{EventKind, ExceptionRecord, LaneEvent};
use domain::{Amount, Clock};
use tokio::sync::watch;
use tower::ServiceExt;

use super::{App, Parts, router};
use crate::access::{Credentials, Sessions};
use crate::books::Books;
use crate::station::Desk;

/// A console with neither broker nor database, and the end of everything in its hand.
struct House {
    app: App,
    ending: watch::Sender<bool>,
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
}

impl House {
    fn new() -> Self {
        let folder = std::env::temp_dir();
        let file = folder.join(format!("console-desk-{}", crate::access::random_hex().unwrap()));
        std::fs::write(&file, "lan:a secret\n").unwrap();
        let credentials = Credentials::try_load(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let clock = Clock::system();
        let (ending, receiver) = watch::channel(false);
        let app = App::new(Parts {
            clock,
            desk: Arc::new(Desk::new(clock)),
            books: Arc::new(Books::default()),
            credentials,
            sessions: Sessions::default(),
            ending: receiver,
        });
        Self { app, ending }
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

    /// Logs in; gives the cookie and the token of the session's forms.
    async fn log_in(&self) -> (String, String) {
        let answer = self.post("/login", &[], "user=lan&password=a+secret").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        let cookie = answer.header(header::SET_COOKIE).split(';').next().unwrap().to_owned();
        let page = self.get("/", &cookie).await;
        let token = page.body.split("name=\"csrf\" value=\"").nth(1).unwrap();
        (cookie, token.split('"').next().unwrap().to_owned())
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
    for path in ["/", "/finance", "/passages", "/authority", "/finance/statement/a/2026-11-21"] {
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
    let admitted = house.post("/login", &[], "user=lan&password=a+secret").await;
    let cookie = admitted.header(header::SET_COOKIE);
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
}

#[tokio::test]
async fn logging_out_ends_the_session_for_good() {
    let house = House::new();
    let (cookie, token) = house.log_in().await;
    let out = house.post("/logout", &[("cookie", &cookie)], &format!("csrf={token}")).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    assert_eq!(house.get("/", &cookie).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn every_answer_carries_the_strict_policy() {
    let house = House::new();
    let (cookie, _) = house.log_in().await;
    for path in ["/", "/login", "/nowhere", "/healthz", "/assets/console.css", "/finance"] {
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
    for path in ["/", "/login?lang=en", "/finance", "/passages", "/authority", "/nowhere"] {
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
    let station = house.get("/", &english).await;
    assert_eq!(station.status, StatusCode::OK);
    assert!(station.body.contains("The broker is away"));
    for path in ["/finance", "/passages", "/authority"] {
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
    let page = house.get("/", &cookie).await.body;
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
