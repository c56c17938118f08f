//! Journeys of image review: passages that people look at again, some of them twice and blind.

use base64::Engine as _;
use clearing_house::intake::Delivery;
use domain::passage::{Attendance, Decision, ExceptionKind, Reason};
use tests::lane::{Lane, vehicle};

use domain::Timestamp;
use reconciliation::review::answer::{Answer, Unreadable};
use reconciliation::review::{self, Answered, Policy, ReviewError, Within};
use tests::office::noon;

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
    browser.follow("form[action='/review/next'] button").await;
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
        browser.follow(".cases tbody a").await;
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
    let asked = log.matches("\"act\":\"review\"").count();
    assert_eq!((shown, asked), (5, 5), "each is shown and answered once: {log}");
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

/// The centre without a browser, with two passages that are looked at again.
async fn books() -> (Centre, sqlx::PgPool) {
    let centre = Centre::open().await;
    post(&centre, &typed("lan", &["2026-03-02T05:10:00Z", "2026-03-02T05:11:00Z"])).await;
    let pool = centre.intake.office.pool.clone();
    (centre, pool)
}

/// So many leases after noon, each longer than what lies between two searches.
fn after(leases: i32) -> Timestamp {
    noon() + Policy::DEFAULT.lease * leases
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_claim_at_once_get_two_items_and_a_lease_that_ended_gives_one_to_the_next() {
    let (_centre, pool) = books().await;
    let one = Policy { found_max: 1, ..Policy::DEFAULT };
    assert_eq!(review::search_passages(&pool, &one, noon()).await.unwrap(), 1);
    let [tam, tu] = ["tam", "tu"].map(|name| name.parse().unwrap());
    let all = Within::default();
    let claim = |who, at| review::claim(&pool, who, all, &one, at);
    let (first, second) = tokio::join!(claim(&tam, noon()), claim(&tu, noon()));
    let (first, second) = (first.unwrap(), second.unwrap());
    let (held, had, next) = match (first, second) {
        (Some(item), None) => (item, &tam, &tu),
        (None, Some(item)) => (item, &tu, &tam),
        both => panic!("one item is of one of them: {both:?}"),
    };
    // It is theirs until the lease ends, and then somebody else's alone.
    let over = held.until;
    assert_eq!(claim(had, noon()).await.unwrap(), Some(held.clone()));
    assert_eq!(claim(next, over).await.unwrap().unwrap().item, held.item);
    let blurred = Answer::Unreadable(Unreadable::Blurred);
    let late = review::answer(&pool, held.item, had, &blurred, over).await;
    assert!(matches!(late, Err(ReviewError::NotTheirs { .. })), "{late:?}");
    let answered = review::answer(&pool, held.item, next, &blurred, over).await.unwrap();
    assert!(matches!(answered, Answered::Waits | Answered::Ended(None)), "{answered:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_day_is_searched_until_nothing_is_left_and_again_for_who_was_cut_off() {
    let (centre, pool) = books().await;
    let office = &centre.intake.office;
    let one = Policy { found_max: 1, ..Policy::DEFAULT };
    let run = async |sql: &'static str| {
        sqlx::query(sql).execute(&pool).await.unwrap();
    };
    let search = async |at| review::search_passages(&pool, &one, at).await.unwrap();
    let is_final = "select count(*) from review_round where is_final and day = '2026-03-02'";
    run("update settlement_day set state = 'closed', closed_at = '2026-03-01T00:00:00Z'").await;
    assert_eq!((search(after(0)).await, office.number(is_final).await), (1, 0));
    assert_eq!(search(after(0)).await, 0, "not so soon again");
    assert_eq!((search(after(2)).await, office.number(is_final).await), (1, 0));
    assert_eq!((search(after(4)).await, office.number(is_final).await), (0, 1));
    let at = "select extract(epoch from max(searched_at))::bigint from review_round";
    assert_eq!((search(after(6)).await, office.number(at).await), (0, after(4).as_second()));
    // Another operator's passages of the day come late: the day is there for it, and then closed.
    run("insert into settlement_day (operator, day) \
         select operator, '2026-03-02' from operator where operator <> 'cienco4' limit 1")
    .await;
    assert_eq!((search(after(8)).await, office.number(is_final).await), (0, 0));
    run("update settlement_day set state = 'closed', closed_at = '2099-01-01T00:00:00Z' \
         where state = 'open'")
    .await;
    assert_eq!((search(after(10)).await, office.number(is_final).await), (0, 1));
    // Closed after that search: once more. Weeks later it is still the review's day.
    assert_eq!((search(after(9000)).await, office.number(at).await), (0, after(9000).as_second()));
}
