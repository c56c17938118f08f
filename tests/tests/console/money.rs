//! Journeys of finance: a day from closed to the bank by two people, and a mismatch from the finding
//! to the ledger.

use console::command::check_audit;
use domain::{Amount, Clock, Timestamp};
use reconciliation::cases::{self, Finding, Kind};
use reconciliation::contract::file::{ContractFile, import};
use reconciliation::settlement::{Today, close_through};
use reconciliation::window::Actor;
use serde_json::json;
use simulator::picture;
use tests::office::{Office, centre_key, noon};
use tests::programs::repository;

use super::browser::{Browser, Screen, browse};
use super::centre::Centre;
use super::house::House;
use super::pages::keep_picture;

const DAY: &str = "2026-03-02";
const EVENING: &str = "2026-03-02T18:00:00Z";

const BANK_ACCOUNTS: &str = r#"
[[bank_account]]
of = "issuer/vetc"
valid_from = "2026-01-01"
holder = "VETC"
number = "100200300"
bic = "BFTVVNVX"

[[bank_account]]
of = "issuer/vdtc"
valid_from = "2026-01-01"
holder = "VDTC"
number = "100200400"
bic = "BIDVVNVX"

[[bank_account]]
of = "operator/cienco4"
valid_from = "2026-01-01"
holder = "CIENCO4"
number = "900800700"
bic = "ICBVVNVX"
"#;

/// The evening of the office's day, when it is over.
pub(crate) fn evening() -> Timestamp {
    EVENING.parse().unwrap()
}

/// Closes the day as the scheduler does when it is over.
pub(crate) async fn close(office: &Office) {
    let file: ContractFile = toml::from_str(BANK_ACCOUNTS).unwrap();
    import(&office.pool, &file).await.unwrap();
    let clock = Clock::of_run(Some(Clock::anchor(evening(), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    close_through(&office.pool, DAY.parse().unwrap(), today, &centre_key()).await.unwrap();
}

/// Two records of one passage that do not say the same.
pub(crate) fn mismatch() -> Finding {
    Finding {
        kind: Kind::AmountDiffers,
        operator: "cienco4".parse().unwrap(),
        day: DAY.parse().unwrap(),
        subject: "cienco4/ben-thuy/l01:1:1".to_owned(),
        ours: Some("group 2, amount 54000".to_owned()),
        theirs: Some("group 1, amount 40000".to_owned()),
        amount: Amount::try_new(14_000).unwrap(),
    }
}

/// What a path answers: its status, kind, name and first bytes.
pub(crate) async fn fetched(browser: &Browser, path: &str) -> String {
    let script = "const done = arguments[arguments.length - 1]; \
        fetch('PATH').then(async answer => { \
            const bytes = new Uint8Array(await answer.arrayBuffer()); \
            done([answer.status, answer.headers.get('content-type'), \
                  answer.headers.get('content-disposition'), \
                  String.fromCharCode(...bytes.slice(0, 5))].join(' ')); });";
    browser.ask_later(&script.replace("PATH", path)).await.as_str().unwrap().to_owned()
}

/// Follows one passage, from its picture to the line of the bank.
async fn follow_the_passage(house: &House, browser: &Browser) {
    let passage = "/passages/cienco4/ben-thuy/l01/1/1";
    browser.go(&house.url(passage)).await;
    browser.reads("#way", "BANK").await;
    browser.reads("#way .later", "the centre has none").await;
    let folder = house.pictures().join("cienco4/ben-thuy/l01/1/1");
    std::fs::create_dir_all(&folder).unwrap();
    let plate = "37A12345".parse().unwrap();
    std::fs::write(folder.join("1-overview.jpg"), picture::of_vehicle(&plate)).unwrap();
    browser.go(&house.url(passage)).await;
    browser.reads("#way", "BANK").await;
    assert_eq!(browser.count("#way .done").await, 8);
    // It shows the plate: to who has said why, and that is written down.
    browser.reads("#way li:first-child", "1 · shown to those who say why").await;
    let one = format!("{passage}/picture/1");
    assert!(fetched(browser, &one).await.starts_with("404"));
    assert_eq!(browser.count("#pictures").await, 0);
    browser.choose("select[name='reason']", "dispute").await;
    browser.click("form.unmask button").await;
    browser.sees("#pictures img").await;
    assert_eq!(browser.count("#way li:first-child a").await, 1);
    assert_eq!(browser.widths("#pictures img").await, json!([384]));
    assert!(fetched(browser, &one).await.starts_with("200 image/jpeg"));
    let other = one.replace("/1/picture", "/2/picture");
    assert!(fetched(browser, &other).await.starts_with("404"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_approved_by_two_people_paid_and_followed_from_its_passage_to_the_bank() {
    let centre = Centre::open_at(evening()).await;
    let (house, office) = (&centre.house, &centre.intake.office);
    let day = format!("/finance/day/cienco4/{DAY}");
    browse(Screen::DESK, async |browser| {
        // Ly is maker and checker, and agrees to nothing of their own.
        house.log_in(browser, "ly").await;
        browser.go(&house.url("/finance")).await;
        assert_eq!(browser.count(".days .done").await, 2, "complete and without differences");
        close(office).await;
        browser.go(&house.url("/finance")).await;
        assert_eq!(browser.count(".days .done").await, 3, "and closed");
        browser.follow(".days tbody a").await;
        browser.follow("form[action$='/propose'] button").await;
        browser.reads("main [role='status']", "Another person has to approve").await;
        browser.follow("form[action$='/approve'] button").await;
        browser.reads(".problem", "You proposed this yourself").await;
        house.log_out(browser).await;

        house.log_in(browser, "chi").await;
        browser.go(&house.url(&day)).await;
        browser.reads(".history tbody", "ly").await;
        keep_picture(browser, (Screen::DESK, &house.url("/console-day"), "en")).await;
        browser.follow("form[action$='/approve'] button").await;
        browser.reads("main [role='status']", "The day can be paid").await;
        browser.reads(".steps", "ly + chi").await;
        // The statement, in every form.
        for (form, kind, begins) in [
            ("pdf", "application/pdf", "%PDF-"),
            ("csv", "text/csv; charset=utf-8", ""),
            ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "PK"),
            ("txt", "text/plain; charset=utf-8", ""),
            ("json", "application/json", "{"),
        ] {
            let answer =
                fetched(browser, &format!("/finance/statement/cienco4/{DAY}/{form}")).await;
            let expected =
                format!("200 {kind} attachment; filename=\"cienco4-{DAY}.{form}\" {begins}");
            assert!(answer.starts_with(&expected), "{answer}");
        }
        house.log_out(browser).await;

        house.log_in(browser, "an").await;
        browser.go(&house.url("/finance/payments")).await;
        browser.reads("#waiting", DAY).await;
        browser.follow("form[action$='/order'] button").await;
        browser.reads("main [role='status']", "The files for the banks").await;
        assert_eq!(browser.count(".payments tbody tr").await, 2, "one for each issuer");
        let file = fetched(browser, "/finance/payments/1").await;
        assert!(file.starts_with("200 application/xml attachment; filename=\"payment-"), "{file}");
        // The bank pays both.
        let payments = "select end_to_end || ' ' || amount from payment order by 1";
        for (index, payment) in office.texts(payments).await.iter().enumerate() {
            let (number, amount) = payment.split_once(' ').unwrap();
            browser.choose("select[name='end_to_end']", number).await;
            browser.write("input[name='amount']", amount).await;
            browser.write("input[name='bank_reference']", &format!("BANK{index}")).await;
            browser.follow("form[action$='/booking'] button").await;
            browser.reads("main [role='status']", "The bank line was taken").await;
        }
        browser.go(&house.url("/finance")).await;
        assert_eq!(browser.count(".days .done").await, 6, "all the way to the bank");

        follow_the_passage(house, browser).await;
    })
    .await;
    assert_eq!(office.number("select count(*) from payment_booking").await, 2);
    office.assert_proven().await;
    let log = std::fs::read_to_string(house.audit_log()).unwrap();
    for deed in ["propose", "books-refused", "approve", "pay", "confirm", "unmasked"] {
        assert!(log.contains(&format!("\"{deed}\"")), "{deed} is not in the audit log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mismatch_is_found_taken_proposed_and_settled_together_with_its_money() {
    let centre = Centre::open().await;
    let (house, office) = (&centre.house, &centre.intake.office);
    reconciliation::schema::migrate(&office.pool).await.unwrap();
    let code = cases::open(&office.pool, &mismatch(), &Actor::Program, noon()).await.unwrap();
    browse(Screen::DESK, async |browser| {
        house.log_in(browser, "an").await;
        browser.go(&house.url("/finance")).await;
        browser.reads(".days .needs", "1 open cases").await;
        // Taken from the list, where many may be chosen.
        browser.go(&house.url("/cases?kind=amount-differs&owner=nobody")).await;
        browser.reads(".ageing", "less than a day").await;
        browser.click(".cases input[type='checkbox']").await;
        browser.follow("form[action='/cases/take'] button").await;
        browser.reads(".cases tbody td:nth-child(10)", "an").await;
        browser.follow(".cases tbody a").await;
        // Side by side.
        browser.reads(".sides section:first-child", "54000").await;
        browser.reads(".sides section:last-child", "40000").await;
        browser.follow("form[action$='/take'] button").await;
        browser.reads("#case-owner", "an").await;
        browser.choose("select[name='outcome']", "corrected").await;
        browser.write("input[name='right']", "40.000").await;
        browser.write("form[action$='/propose'] textarea", "their record is right").await;
        browser.follow("form[action$='/propose'] button").await;
        browser.reads("#case-state", "Waits for a second person").await;
        assert_eq!(browser.count("form[action$='/settle']").await, 0, "not by its maker");
        house.log_out(browser).await;

        house.log_in(browser, "chi").await;
        browser.go(&house.url(&format!("/cases/{code}"))).await;
        browser.reads("#case-outcome", "40,000").await;
        keep_picture(browser, (Screen::DESK, &house.url("/console-case"), "en")).await;
        browser.write("form[action$='/settle'] textarea", "seen").await;
        browser.follow("form[action$='/settle'] button").await;
        browser.reads("#case-state", "Settled").await;
        browser.reads(".history tbody", "their record is right").await;
        browser.go(&house.url("/passages/cienco4/ben-thuy/l01/1/1")).await;
        browser.reads(".whole", "reversal").await;
    })
    .await;
    let moved =
        "select kind || ' ' || amount from direct_transfer where original is not null order by 1";
    let moved = office.texts(moved).await;
    assert!(moved[0].starts_with("repost 40000") && moved[1].starts_with("reversal "), "{moved:?}");
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tariff_is_proposed_by_one_and_taken_by_another_and_never_begins_in_the_past() {
    let centre = Centre::open().await;
    let (house, office) = (&centre.house, &centre.intake.office);
    let text = std::fs::read_to_string(repository("deploy/viet-nam/tariff-ben-thuy.toml")).unwrap();
    let of_another_day = |day: &str| {
        let named = text.replace("ben-thuy-2023-12-29", &format!("ben-thuy-{day}"));
        named.replace("valid_from = \"2023-12-29\"", &format!("valid_from = \"{day}\""))
    };
    let fill_in = async |browser: &Browser, document: &str| {
        let quoted = serde_json::to_string(document).unwrap();
        browser.sees("textarea[name='document']").await;
        browser.ask(&format!("document.querySelector('textarea').value = {quoted}")).await;
        browser.follow("form[action$='/propose'] button").await;
    };
    browse(Screen::DESK, async |browser| {
        house.log_in(browser, "ly").await;
        browser.go(&house.url("/tariffs")).await;
        browser.reads(".versions tbody", "in force").await;
        fill_in(browser, &of_another_day("2026-03-01")).await;
        browser.reads(".problem", "it must begin in the future").await;
        browser.go(&house.url("/tariffs")).await;
        fill_in(browser, &of_another_day("2026-04-01")).await;
        browser.reads("main [role='status']", "Another person has to approve").await;
        browser.follow(".proposal form[action$='/approve'] button").await;
        browser.reads(".problem", "You proposed this yourself").await;
        house.log_out(browser).await;

        house.log_in(browser, "chi").await;
        browser.go(&house.url("/tariffs")).await;
        browser.reads(".proposal pre", "ben-thuy-2026-04-01").await;
        browser.follow(".proposal form[action$='/approve'] button").await;
        browser.reads("main [role='status']", "in the books").await;
        browser.follow(".versions a[href$='2026-04-01']").await;
        browser.reads(".fares tbody", "47,000").await;
    })
    .await;
    let versions = "select count(*) from tariff where version = 'ben-thuy-2026-04-01'";
    assert_eq!(office.number(versions).await, 1);
    check_audit(&house.audit_log(), None).unwrap();
}
