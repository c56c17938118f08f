//! Every page as people with different eyes, hands and screens have it: no violation that axe finds
//! (WCAG 2.2 AA), nothing wider than the screen, nothing heavy, nothing from elsewhere.

use std::path::PathBuf;
use std::{env, fs};

use clearing_house::intake::Delivery;
use domain::wire::v1::{ExceptionRecord, PictureKind};
use reconciliation::approval::propose;
use reconciliation::cases;
use reconciliation::window::{Actor, Window};
use serde_json::Value;
use simulator::picture;
use tests::programs::found;
use tokio::task::block_in_place;

use super::browser::{Browser, Screen, browse};
use super::centre::Centre;
use super::house::House;
use super::money::{close, evening, mismatch};
use super::review::{begin, post, typed};
use super::stand_in::StandIn;

/// The most that the first visit to a page may load, in bytes.
const LOAD_MAX: u64 = 200_000;

/// Where the page of a route is found in this test's books; nothing where it is no page. A route
/// that is not here fails the test: a page that nobody looks at cannot be added.
fn address(path: &str, code: &str, (shift, item): (&str, &str)) -> Option<String> {
    let page = match path {
        // For programs, and files that are no pages; the first leads to another, the door is looked
        // at before anybody is in.
        "/healthz"
        | "/readyz"
        | "/assets/{name}"
        | "/station/live"
        | "/station/picture/{operator}/{station}/{lane}/{call}/{digest}"
        | "/"
        | "/login"
        | "/login/code"
        | "/finance/statement/{operator}/{day}/{form}"
        | "/finance/payments/{number}"
        | "/review/{item}/picture/{number}"
        | "/passages/{operator}/{station}/{lane}/{epoch}/{seq}/picture/{number}"
        | "/authority/export" => return None,
        "/station" | "/shift" | "/passages" | "/finance" | "/finance/payments" | "/cases"
        | "/review" | "/authority" | "/tariffs" | "/equipment" | "/quarantine" | "/people"
        | "/keys" | "/audit" | "/password" => path.to_owned(),
        // For those who hold an account and see nothing else: looked at by itself.
        "/account" => return None,
        "/shift/{number}" => shift.to_owned(),
        "/review/{item}" => item.to_owned(),
        "/passages/{operator}/{station}/{lane}/{epoch}/{seq}" => {
            "/passages/cienco4/ben-thuy/l01/1/1".to_owned()
        }
        "/finance/day/{operator}/{day}" => "/finance/day/cienco4/2026-03-02".to_owned(),
        "/cases/{code}" => format!("/cases/{code}"),
        "/tariffs/{operator}/{version}" => "/tariffs/cienco4/ben-thuy-2023-12-29".to_owned(),
        "/quarantine/{number}" => "/quarantine/1".to_owned(),
        other => panic!("nobody looks at {other}: say here where it is found"),
    };
    Some(page)
}

const AXE: &str = "const done = arguments[arguments.length - 1]; \
    axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}) \
       .then(found => done(found.violations.map(v => v.id + ': ' + v.nodes.map(n => \
           n.target.join(' ') + ' ' + (n.any[0] ? n.any[0].message : '')).join('; '))));";

const LOADED: &str = "const all = performance.getEntriesByType('resource') \
        .concat(performance.getEntriesByType('navigation')); \
    return {bytes: all.reduce((sum, one) => sum + one.encodedBodySize, 0), \
        foreign: all.map(one => one.name).filter(name => !name.startsWith(location.origin))};";

/// Looks at the page that is there, and names what is wrong with it.
async fn faults(browser: &Browser, axe: &str, screen: Screen) -> Vec<String> {
    let mut faults = Vec::new();
    browser.ask(axe).await;
    let violations = browser.ask_later(AXE).await;
    faults.extend(violations.as_array().unwrap().iter().map(ToString::to_string));
    let wide = browser.ask("return document.documentElement.scrollWidth").await;
    if wide.as_u64().unwrap() > u64::from(screen.width) {
        faults.push(format!("it is {wide} wide"));
    }
    let dark = browser.ask("return matchMedia('(prefers-color-scheme: dark)').matches").await;
    assert_eq!(dark, Value::Bool(screen.dark), "the browser has another theme");
    let loaded = browser.ask(LOADED).await;
    if loaded["bytes"].as_u64().unwrap() > LOAD_MAX {
        faults.push(format!("it loads {} bytes", loaded["bytes"]));
    }
    if loaded["foreign"] != Value::Array(Vec::new()) {
        faults.push(format!("it loads {}", loaded["foreign"]));
    }
    faults
}

/// How a person has their screen and which language they read.
pub(crate) type Reader<'a> = (Screen, &'a str);

/// Looks at a page, and adds what is wrong with it.
pub(crate) async fn look_at(
    browser: &Browser,
    axe: &str,
    (screen, language): Reader<'_>,
    url: &str,
    wrong: &mut Vec<String>,
) {
    browser.go(&format!("{url}?lang={language}")).await;
    assert_eq!(browser.count(".problem").await, 0, "{url} is no page");
    let found = faults(browser, axe, screen).await;
    wrong.extend(found.iter().map(|fault| format!("{url} {language} {screen:?}: {fault}")));
    keep_picture(browser, (screen, url, language)).await;
}

/// Keeps a picture of the page, where `CONSOLE_PICTURES` names a folder for them.
pub(crate) async fn keep_picture(browser: &Browser, (screen, url, language): (Screen, &str, &str)) {
    let Some(folder) = env::var_os("CONSOLE_PICTURES") else { return };
    let path = url.splitn(4, '/').nth(3).unwrap_or_default().replace('/', "-");
    let theme = if screen.dark { "dark" } else { "light" };
    let name = format!("{path}-{language}-{}-{theme}.png", screen.width);
    fs::write(PathBuf::from(folder).join(name), browser.picture().await).unwrap();
}

/// A day that is closed and proposed, a case with both sides' records, and something in quarantine.
async fn fill(centre: &Centre) -> String {
    let (office, lan) = (&centre.intake.office, "an".parse().unwrap());
    let times = [10, 11, 12, 13].map(|minute| format!("2026-03-02T05:{minute}:00Z"));
    post(centre, &typed("lan", &times.each_ref().map(String::as_str))).await;
    close(office).await;
    let day = "2026-03-02".parse().unwrap();
    let window = Window::new("cienco4".parse().unwrap(), day);
    propose(&office.pool, &window, &lan, evening()).await.unwrap();
    let garbled = Delivery {
        subject: "etc.v1.passage.cienco4.ben-thuy.l01".to_owned(),
        message_id: None,
        signature: None,
        payload: b"{\"plate\":\"37A12345\"}".to_vec(),
    };
    centre.intake.publish(&garbled).await;
    centre.intake.until("select count(*) from quarantine where quarantine = 1", 1).await;
    cases::open(&office.pool, &mismatch(), &Actor::Program, evening()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_the_table_is_sound_in_both_languages_and_themes_on_narrow_and_wide_screens()
{
    let axe = fs::read_to_string(found("AXE_SCRIPT")).unwrap();
    let centre = Centre::open_at(evening()).await;
    let code = fill(&centre).await;
    let house = &centre.house;
    // Each two of width, theme and language meet on some screen.
    let mut wrong = Vec::new();
    for (name, width, dark, language) in [
        ("mot", 360, false, "vi"),
        ("hai", 360, true, "en"),
        ("ba", 2560, false, "en"),
        ("bon", 2560, true, "vi"),
    ] {
        let screen = Screen { width, dark };
        let reader = (screen, language);
        browse(screen, async |browser| {
            look_at(browser, &axe, reader, &house.url("/login"), &mut wrong).await;
            house.log_in(browser, name).await;
            browser.go(&house.url("/shift")).await;
            browser.follow("form[action='/shift/start'] button").await;
            browser.sees("#station").await;
            browser.go(&house.url("/shift")).await;
            let link = "return document.querySelector('tbody a').getAttribute('href')";
            let shift = browser.ask(link).await.as_str().unwrap().to_owned();
            begin(house, browser).await;
            browser.sees("#review").await;
            let own = (shift.as_str(), &*browser.path().await);
            let pages = console::shown_paths();
            for path in pages.into_iter().filter_map(|path| address(path, &code, own)) {
                look_at(browser, &axe, reader, &house.url(&path), &mut wrong).await;
            }
        })
        .await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_an_account_sees_their_own_and_disputes_a_trip_on_any_screen() {
    let axe = fs::read_to_string(found("AXE_SCRIPT")).unwrap();
    let centre = Centre::open().await;
    let (house, office) = (&centre.house, &centre.intake.office);
    let mut wrong = Vec::new();
    for (screen, language) in
        [(Screen { width: 360, dark: false }, "en"), (Screen { width: 2560, dark: true }, "vi")]
    {
        browse(screen, async |browser| {
            house.log_in(browser, "hoa").await;
            assert_eq!(browser.path().await, "/account");
            look_at(browser, &axe, (screen, language), &house.url("/account"), &mut wrong).await;
            if language == "en" {
                browser.go(&house.url("/account?day=2026-03-02")).await;
                assert_eq!(browser.count(".trips tbody tr").await, 1, "the trips of 1001 alone");
                browser.click(".trips summary").await;
                browser.write(".trips textarea", "I was at home").await;
                browser.follow(".trips button").await;
                browser.reads("main [role='status']", "A case was opened").await;
                browser.reads(".trips tbody b", "C-").await;
            }
            browser.go(&house.url("/passages")).await;
            browser.sees(".problem").await;
        })
        .await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let cases = "select count(*) from settlement_case where kind = 'dispute' and opened_by = 'hoa' \
                 and theirs = 'I was at home'";
    assert_eq!(office.number(cases).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_with_vehicles_that_wait_is_sound_on_every_screen() {
    let axe = fs::read_to_string(found("AXE_SCRIPT")).unwrap();
    let house = block_in_place(House::at_station);
    let lane = StandIn::start(house.broker(), "cienco4/ben-thuy/l01").await;
    lane.call(1, ExceptionRecord::NoMoney).await;
    let plate = "37A12345".parse().unwrap();
    let pictures = [
        (PictureKind::Plate, picture::of_plate(&plate)),
        (PictureKind::Overview, picture::of_vehicle(&plate)),
    ];
    let mut wrong = Vec::new();
    for (screen, language) in
        [(Screen { width: 360, dark: true }, "vi"), (Screen { width: 2560, dark: false }, "en")]
    {
        browse(screen, async |browser| {
            house.log_in(browser, "lan").await;
            browser.sees(".call").await;
            lane.show(1, &pictures).await;
            browser.sees(".call-pictures img").await;
            for path in ["/station", "/shift"] {
                let reader = (screen, language);
                look_at(browser, &axe, reader, &house.url(path), &mut wrong).await;
            }
        })
        .await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
