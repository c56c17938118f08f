//! Journeys of image review: passages that people look at again, some of them twice and blind.

use base64::Engine as _;
use clearing_house::intake::Delivery;
use domain::passage::{Attendance, Decision, ExceptionKind, Reason};
use tests::lane::{Lane, vehicle};

use super::browser::{Browser, ENTER, Screen, browse};
use super::centre::Centre;
use super::house::House;
use super::pages::keep_picture;

/// Passages that `attendant` let through by typing plates, at times of the office's day.
pub(crate) fn typed(attendant: &str, times: &[&str]) -> Vec<Delivery> {
    let mut lane = Lane::new("cienco4/ben-thuy/l02");
    let passage = |(number, at): (u8, &&str)| {
        let vehicle = vehicle(number);
        lane.write(at, |passage| {
            passage.plate = Some(vehicle.plate);
            passage.group = Some(vehicle.group);
            passage.exception = Some(ExceptionKind::NoTag);
            passage.decision = Decision::ChargedByPlate;
            let command = format!("command {number}");
            let by = Attendance::of(attendant.to_owned(), command, Reason::PlateRead);
            passage.attendance = Some(by);
        })
    };
    (11..).zip(times).map(passage).collect()
}

/// Has the centre take them.
pub(crate) async fn post(centre: &Centre, deliveries: &[Delivery]) {
    centre.intake.publish_all(deliveries).await;
    let typed = "select count(*) from passage_v1 where decision = 'charged-by-plate'";
    centre.intake.until(typed, i64::try_from(deliveries.len()).unwrap()).await;
}

/// A vehicle as a camera sees it, drawn by the browser itself: the first passage's picture.
async fn draw(house: &House, browser: &Browser) {
    let script = "const canvas = document.createElement('canvas'); \
        canvas.width = 960; canvas.height = 600; \
        const at = canvas.getContext('2d'); \
        const fill = (colour, ...box) => { at.fillStyle = colour; at.fillRect(...box); }; \
        fill('#7b868f', 0, 0, 960, 600); fill('#565f67', 0, 360, 960, 240); \
        fill('#e4e6e8', 440, 360, 24, 240); fill('#30546e', 230, 120, 500, 330); \
        fill('#aebfca', 270, 150, 420, 120); fill('#1d2a33', 230, 450, 90, 60); \
        fill('#1d2a33', 640, 450, 90, 60); fill('#f4e9b8', 260, 330, 70, 44); \
        fill('#f4e9b8', 630, 330, 70, 44); fill('#ffffff', 370, 376, 220, 56); \
        at.fillStyle = '#101418'; at.font = 'bold 36px monospace'; at.textAlign = 'center'; \
        at.fillText('37A 100.11', 480, 417); at.font = '18px monospace'; at.textAlign = 'left'; \
        at.fillText('02/03/2026 12:10:00  L02', 16, 30); \
        return canvas.toDataURL('image/jpeg', 0.9);";
    let drawn = browser.ask(script).await;
    let encoded = drawn.as_str().unwrap().strip_prefix("data:image/jpeg;base64,").unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    let folder = house.pictures().join("cienco4/ben-thuy/l02/1/1");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("1-front.jpg"), bytes).unwrap();
}

/// Waits until the picture is there.
const LOADED: &str = "const done = arguments[arguments.length - 1]; \
    const shown = document.querySelector('.pictures img'); \
    shown.decode().then(() => done(true), () => done(false));";

/// Begins, or goes on.
pub(crate) async fn begin(house: &House, browser: &Browser) {
    browser.go(&house.url("/review")).await;
    browser.click("form[action='/review/next'] button").await;
}

/// Answers by keys alone, and waits for what comes next.
async fn answer(browser: &Browser, keys: &str, next: &str) {
    browser.sees("#review").await;
    browser.ask("document.getElementById('review').classList.add('answered')").await;
    browser.press(keys).await;
    browser.press(ENTER).await;
    browser.sees(next).await;
}

const NEXT: &str = "#review:not(.answered)";
const OVER: &str = "main .last-answer";

#[tokio::test(flavor = "multi_thread")]
async fn passages_are_looked_at_again_by_keys_and_where_two_differ_a_third_decides() {
    let centre = Centre::open().await;
    let (house, office) = (&centre.house, &centre.intake.office);
    // Tam answered the third at the lane, and so is not shown it.
    let mut deliveries = typed("lan", &["2026-03-02T05:10:00Z", "2026-03-02T05:11:00Z"]);
    post(&centre, &deliveries).await;
    deliveries.clear();
    browse(Screen::DESK, async |browser| {
        draw(house, browser).await;
        // Tam confirms the one, and sees another group on the other.
        house.log_in(browser, "tam").await;
        begin(house, browser).await;
        let plate = vehicle(11).plate;
        browser.reads("#recorded-plate", plate.as_str()).await;
        let shown = "return document.querySelector('.pictures img').naturalWidth";
        browser.sees(".pictures img").await;
        browser.ask_later(LOADED).await;
        assert_eq!(browser.ask(shown).await.as_u64(), Some(960));
        keep_picture(browser, (Screen::DESK, &house.url("/console-review"), "en")).await;
        answer(browser, "a", NEXT).await;
        browser.reads(".absent", "The centre has no picture").await;
        browser.reads("#recorded-plate", vehicle(12).plate.as_str()).await;
        answer(browser, "5", OVER).await;
        browser.reads(OVER, "Nothing waits for you").await;
        // What waits for a second look says nothing of the first.
        assert_eq!(browser.text(".reviewers tbody td").await, "2");
        house.log_out(browser).await;

        // Tu agrees with the first look, and not with the second.
        house.log_in(browser, "tu").await;
        begin(house, browser).await;
        browser.sees("#review").await;
        let page = browser.text("main").await;
        assert!(!page.contains("tam"), "who looked first is not said: {page}");
        answer(browser, "a", NEXT).await;
        answer(browser, "a", OVER).await;
        house.log_out(browser).await;

        // Van decides: what Tam saw.
        house.log_in(browser, "van").await;
        begin(house, browser).await;
        browser.reads("#recorded-plate", vehicle(12).plate.as_str()).await;
        answer(browser, "5", OVER).await;
        house.log_out(browser).await;

        // A supervisor sees who agrees with whom; finance has the case.
        house.log_in(browser, "binh").await;
        browser.go(&house.url("/review")).await;
        browser.reads("#review-outcomes", "As the books have it").await;
        browser.reads("#review-outcomes", "Other than the books").await;
        browser.reads(".reviewers tbody tr:nth-child(2)", "50 %").await;
        house.log_out(browser).await;
        house.log_in(browser, "an").await;
        browser.go(&house.url("/cases?kind=review-differs")).await;
        browser.click(".cases tbody a").await;
        browser.reads(".sides section:last-child", "group 5").await;
        let page = browser.text("main").await;
        assert!(!page.contains(vehicle(12).plate.as_str()), "a case shows no plate in clear");
    })
    .await;
    let looks = "select place || ' ' || reviewer || ' ' || answer || ' ' || vehicle_group \
                 from review_look order by item, place";
    assert_eq!(
        office.texts(looks).await,
        ["1 tam read 2", "2 tu read 2", "1 tam read 5", "2 tu read 3", "3 van read 5"]
    );
    let log = std::fs::read_to_string(house.audit_log()).unwrap();
    let shown = log.matches("\"unmasked\"").count();
    assert_eq!((shown, log.matches("\"review\"").count() >= shown), (5, true), "{log}");
    assert!(!log.contains(vehicle(11).plate.as_str()));
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_looks_at_their_own_work_and_what_cannot_be_read_changes_nothing() {
    let centre = Centre::open().await;
    let (house, office) = (&centre.house, &centre.intake.office);
    post(&centre, &typed("tam", &["2026-03-02T05:10:00Z"])).await;
    browse(Screen::DESK, async |browser| {
        house.log_in(browser, "tam").await;
        begin(house, browser).await;
        browser.reads(OVER, "Nothing waits for you").await;
        browser.reads("#review-waiting", "Charged by a plate that was typed").await;
        // An address alone shows nothing.
        browser.go(&house.url("/review/1")).await;
        browser.reads(OVER, "You do not have this item").await;
        house.log_out(browser).await;
        for name in ["tu", "van"] {
            house.log_in(browser, name).await;
            begin(house, browser).await;
            answer(browser, "u", OVER).await;
            house.log_out(browser).await;
        }
    })
    .await;
    let ended = "select outcome from review_end";
    assert_eq!(office.texts(ended).await, ["unreadable"]);
    assert_eq!(office.number("select count(*) from settlement_case").await, 0);
    office.assert_proven().await;
}
