use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use domain::Clock;

use super::{Credentials, IDLE_MAX, SESSIONS_MAX, Sessions, cookie, is_same_site};

#[test]
fn only_the_right_name_with_the_right_password_is_admitted() {
    let credentials = Credentials::of_text("lan:a:secret\n").unwrap();
    assert!(credentials.admit("lan", "a:secret"));
    for (user, password) in
        [("lan", "a:secre"), ("lan", ""), ("Lan", "a:secret"), ("lan:a", "secret"), ("", "")]
    {
        assert!(!credentials.admit(user, password), "{user} was admitted");
    }
}

#[test]
fn a_password_file_without_user_or_password_is_refused() {
    for text in ["", "lan", ":secret", "lan:", "lan:\n", "lan:a\nkim:b"] {
        assert!(Credentials::of_text(text).is_none(), "{text:?} was accepted");
    }
}

#[test]
fn a_session_lives_until_it_ends_or_lies_unused() {
    let sessions = Sessions::default();
    let start = Clock::system().real();
    let number = sessions.begin("lan", start).unwrap();
    assert_eq!(number.len(), 32);
    let later = start + IDLE_MAX;
    let session = sessions.session(&number, later).unwrap();
    assert_eq!(session.user, "lan");
    assert!(session.owns(&session.csrf.clone()));
    assert!(!session.owns("") && !session.owns(&number));
    assert!(sessions.session(&number, later + IDLE_MAX).is_some(), "use keeps it alive");
    assert!(sessions.session(&number, later + 3 * IDLE_MAX).is_none());

    let other = sessions.begin("lan", start).unwrap();
    assert_ne!(other, number);
    sessions.end(&other);
    assert!(sessions.session(&other, start).is_none());
    assert!(sessions.session("", start).is_none());
}

#[test]
fn the_longest_unused_session_makes_room() {
    let sessions = Sessions::default();
    let start = Clock::system().real();
    let first = sessions.begin("lan", start).unwrap();
    let second = sessions.begin("lan", start + Duration::from_secs(1)).unwrap();
    for _ in 0..SESSIONS_MAX - 1 {
        sessions.begin("lan", start + Duration::from_secs(2)).unwrap();
    }
    assert!(sessions.session(&first, start).is_none());
    assert!(sessions.session(&second, start).is_some());
}

#[test]
fn a_cookie_is_found_among_others_by_its_whole_name() {
    let mut headers = HeaderMap::new();
    headers.append(header::COOKIE, HeaderValue::from_static("a=1; etc_session=abc;xetc=2"));
    assert_eq!(cookie(&headers, "etc_session"), Some("abc"));
    assert_eq!(cookie(&headers, "etc"), None);
}

#[test]
fn a_form_from_a_foreign_page_is_told_from_our_own() {
    let check = |pairs: &[(&'static str, &'static str)], same: bool| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        assert_eq!(is_same_site(&headers), same, "{pairs:?}");
    };
    check(&[("sec-fetch-site", "same-origin")], true);
    check(&[("sec-fetch-site", "cross-site"), ("origin", "http://desk"), ("host", "desk")], false);
    check(&[("sec-fetch-site", "same-site")], false);
    check(&[("origin", "http://desk:80"), ("host", "desk:80")], true);
    check(&[("origin", "http://evil"), ("host", "desk")], false);
    check(&[("origin", "null"), ("host", "desk")], false);
    check(&[("host", "desk")], true);
}
