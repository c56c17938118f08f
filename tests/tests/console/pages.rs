//! Every page as people with different eyes, hands and screens have it: no violation that axe finds
//! (WCAG 2.2 AA), nothing wider than the screen, nothing heavy, nothing from elsewhere.

use std::path::PathBuf;
use std::{env, fs};

use domain::wire::v1::ExceptionRecord;
use serde_json::Value;
use tests::programs::found;
use tokio::task::block_in_place;

use super::browser::{Browser, Screen, browse};
use super::centre::Centre;
use super::house::House;
use super::stand_in::StandIn;

/// The most that the first visit to a page may load, in bytes.
const LOAD_MAX: u64 = 200_000;

/// Every page with a route of its own, for somebody who may see it; finance asks for a code.
const PAGES: [&str; 8] = [
    "/station",
    "/shift",
    "/passages",
    "/passages/cienco4/ben-thuy/l01/1/1",
    "/authority",
    "/people",
    "/audit",
    "/nowhere",
];

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

async fn assert_sound(browser: &Browser, axe: &str, (screen, url): (Screen, &str)) {
    for language in ["vi", "en"] {
        browser.go(&format!("{url}?lang={language}")).await;
        let found = faults(browser, axe, screen).await;
        assert!(found.is_empty(), "{url} in {language}, {screen:?}: {found:#?}");
        keep_picture(browser, (screen, url, language)).await;
    }
}

/// Keeps a picture of the page, where `CONSOLE_PICTURES` names a folder for them.
async fn keep_picture(browser: &Browser, (screen, url, language): (Screen, &str, &str)) {
    let Some(folder) = env::var_os("CONSOLE_PICTURES") else { return };
    let path = url.splitn(4, '/').nth(3).unwrap_or_default().replace('/', "-");
    let theme = if screen.dark { "dark" } else { "light" };
    let name = format!("{path}-{language}-{}-{theme}.png", screen.width);
    fs::write(PathBuf::from(folder).join(name), browser.picture().await).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_sound_in_both_languages_and_themes_on_narrow_and_wide_screens() {
    let axe = fs::read_to_string(found("AXE_SCRIPT")).unwrap();
    let centre = Centre::open().await;
    let house = &centre.house;
    for (finance, width, dark) in
        [("an", 360, false), ("chi", 360, true), ("ha", 2560, false), ("mai", 2560, true)]
    {
        let screen = Screen { width, dark };
        browse(screen, async |browser| {
            assert_sound(browser, &axe, (screen, &house.url("/login"))).await;
            house.log_in(browser, "binh").await;
            for path in PAGES {
                assert_sound(browser, &axe, (screen, &house.url(path))).await;
            }
            house.log_out(browser).await;
            // No code opens twice: each screen has a person of its own.
            house.log_in(browser, finance).await;
            assert_sound(browser, &axe, (screen, &house.url("/finance"))).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_with_vehicles_that_wait_is_sound_on_every_screen() {
    let axe = fs::read_to_string(found("AXE_SCRIPT")).unwrap();
    let house = block_in_place(House::at_station);
    let lane = StandIn::start(house.broker(), "cienco4/ben-thuy/l01").await;
    lane.call(1, ExceptionRecord::NoMoney).await;
    for screen in [Screen { width: 360, dark: true }, Screen { width: 2560, dark: false }] {
        browse(screen, async |browser| {
            house.log_in(browser, "lan").await;
            browser.sees(".call").await;
            for path in ["/station", "/shift"] {
                assert_sound(browser, &axe, (screen, &house.url(path))).await;
            }
        })
        .await;
    }
}
