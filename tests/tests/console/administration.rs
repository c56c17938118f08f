//! Journeys of administrators: people by two where it weighs, and keys of the HTTP API.

use console::command::check_audit;
use tests::programs::found;

use super::browser::{Browser, Screen, browse};
use super::centre::Centre;
use super::house::{House, PASSWORD};
use super::pages::look_at;

/// Fills in what is done with somebody, and sends it.
async fn ask(house: &House, browser: &Browser, name: &str, what: &str) {
    browser.go(&house.url("/people")).await;
    browser.choose("form:last-of-type select[name='name']", name).await;
    browser.choose("select[name='what']", what).await;
    browser.follow(".people-forms form:last-of-type button").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_changed_by_administrators_and_by_two_of_them_where_money_hangs_on_it() {
    let axe = std::fs::read_to_string(found("AXE_SCRIPT")).unwrap();
    let centre = Centre::open().await;
    let house = &centre.house;
    let mut wrong = Vec::new();
    browse(Screen::DESK, async |browser| {
        house.log_in(browser, "dung").await;
        for path in ["/people", "/keys"] {
            look_at(browser, &axe, (Screen::DESK, "en"), &house.url(path), &mut wrong).await;
        }
        // Somebody new, without money: at once, with a password that is shown once.
        browser.go(&house.url("/people")).await;
        let add = ".people-forms form:first-of-type";
        browser.write(&format!("{add} input[name='name']"), "sen").await;
        browser.write(&format!("{add} input[name='full_name']"), "Sen").await;
        browser.click(&format!("{add} input[name='role-reviewer']")).await;
        browser.follow(&format!("{add} button")).await;
        browser.reads("#secret", "password ").await;
        let told = browser.text("#secret").await;
        let password = told.trim().strip_prefix("password ").unwrap().to_owned();
        // Money: another administrator has to agree.
        ask(house, browser, "an", "second-factor").await;
        browser.reads("main [role='status']", "Another administrator has to agree").await;
        assert_eq!(browser.count("form[action$='/approve']").await, 0, "not by its maker");
        // Taking somebody out never waits.
        ask(house, browser, "ha", "end").await;
        browser.reads("main [role='status']", "Changed, and signed").await;
        house.log_out(browser).await;

        // Who came in so works at once, and who was ended does not.
        browser.write("#user", "sen").await;
        browser.write("#password", &password).await;
        browser.follow("main button").await;
        browser.sees(".who").await;
        house.log_out(browser).await;
        browser.write("#user", "ha").await;
        browser.write("#password", PASSWORD).await;
        browser.follow("main button").await;
        browser.sees(".refusal").await;

        house.log_in(browser, "minh").await;
        browser.go(&house.url("/people")).await;
        browser.reads(".proposal", "dung").await;
        browser.follow(".proposal form[action$='/approve'] button").await;
        browser.reads("#secret", "second factor otpauth://").await;
        browser.go(&house.url("/people")).await;
        assert_eq!(browser.count(".proposal").await, 0);
        browser.go(&house.url("/audit")).await;
        browser.reads("tbody", "New second factor given").await;
    })
    .await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    let log = std::fs::read_to_string(house.audit_log()).unwrap();
    assert!(!log.contains("otpauth"), "no secret is in the log");
    check_audit(&house.audit_log(), None).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_shown_once_and_revoked() {
    let axe = std::fs::read_to_string(found("AXE_SCRIPT")).unwrap();
    let centre = Centre::open().await;
    let (house, office) = (&centre.house, &centre.intake.office);
    let mut wrong = Vec::new();
    let narrow = Screen { width: 360, dark: true };
    browse(narrow, async |browser| {
        house.log_in(browser, "dung").await;
        browser.go(&house.url("/keys")).await;
        browser.write("input[name='name']", "reports").await;
        browser.follow("form[action='/keys/make'] button").await;
        browser.reads("#secret", "etc_").await;
        let token = browser.text("#secret").await;
        for path in ["/keys", "/people"] {
            look_at(browser, &axe, (narrow, "vi"), &house.url(path), &mut wrong).await;
        }
        browser.go(&house.url("/keys?lang=en")).await;
        browser.reads(".api-keys tbody", "auditor").await;
        assert!(!browser.text("main").await.contains(token.trim()));
        browser.write("input[name='reason']", "the partner left").await;
        browser.follow("form[action$='/revoke'] button").await;
        browser.reads("main [role='status']", "opens nothing from the next request on").await;
        browser.reads(".api-keys tbody", "dung").await;
        house.log_out(browser).await;
        // An auditor sees keys and makes none.
        house.log_in(browser, "binh").await;
        browser.go(&house.url("/keys")).await;
        browser.reads(".api-keys tbody", "reports").await;
        assert_eq!(browser.count("form[action^='/keys']").await, 0);
    })
    .await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    let kept = "select count(*) from api_key k join api_key_revocation r using (api_key) \
                where k.made_by = 'dung' and r.reason = 'the partner left'";
    assert_eq!(office.number(kept).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_move_money_is_proposed_by_one_administrator_and_made_by_another() {
    let axe = std::fs::read_to_string(found("AXE_SCRIPT")).unwrap();
    let centre = Centre::open().await;
    let (house, office) = (&centre.house, &centre.intake.office);
    let mut wrong = Vec::new();
    browse(Screen::DESK, async |browser| {
        house.log_in(browser, "dung").await;
        browser.go(&house.url("/keys")).await;
        browser.write("input[name='name']", "vetc-app").await;
        browser.choose("select[name='role']", "issuer").await;
        browser.write("input[name='scope']", "vetc").await;
        browser.click("form[action='/keys/make'] button").await;
        browser.reads("main [role='status']", "The key is proposed").await;
        browser.reads(".proposal", "vetc-app: issuer vetc").await;
        assert_eq!(browser.count("form[action$='/approve']").await, 0, "not by its maker");
        look_at(browser, &axe, (Screen::DESK, "en"), &house.url("/keys"), &mut wrong).await;
        // Nor by an address that the page did not offer.
        browser
            .ask(
                "const form = document.querySelector(\"form[action$='/decline']\"); \
                 form.action = form.action.replace('/decline', '/approve'); form.submit();",
            )
            .await;
        browser.reads(".problem", "You proposed this key").await;
        house.log_out(browser).await;
        assert_eq!(office.number("select count(*) from api_key").await, 0);

        house.log_in(browser, "minh").await;
        browser.go(&house.url("/keys")).await;
        browser.click("form[action$='/approve'] button").await;
        browser.reads("#secret", "etc_").await;
        let token = browser.text("#secret").await;
        browser.go(&house.url("/keys")).await;
        browser.reads(".api-keys tbody", "dung + minh").await;
        assert_eq!(browser.count(".proposal").await, 0);
        assert!(!browser.text("main").await.contains(token.trim()));
        let log = std::fs::read_to_string(house.audit_log()).unwrap();
        assert!(!log.contains(token.trim()), "no token is in the log");
        browser.go(&house.url("/audit")).await;
        browser.reads("tbody", "Key of the API agreed to").await;
    })
    .await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    let made = "select role || ' ' || issuer || ' ' || proposed_by || ' ' || made_by from api_key";
    assert_eq!(office.texts(made).await, ["issuer vetc dung minh"]);
    check_audit(&house.audit_log(), None).unwrap();
}
