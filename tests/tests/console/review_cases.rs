//! What becomes of a review: the case that it opened shows what each reviewer saw, neither attendant
//! of two looks at their own work, and what was read is erased in time.

use domain::passage::{Attendance, Decision, ExceptionKind, Reason};
use domain::{Clock, Timestamp, VehicleGroup};
use reconciliation::cases::{self, Outcome};
use reconciliation::review::answer::{Answer, Reading, Rejected};
use reconciliation::review::ballot::Share;
use reconciliation::review::{self, Answered, Policy, Within};
use reconciliation::schedule::Scheduler;
use simulator::demo::database::Role;
use tests::lane::{Lane, vehicle};
use tests::office::{centre_key, noon, pool};
use tests::programs::found;

use super::browser::{Screen, browse};
use super::centre::Centre;
use super::pages::look_at;
use super::review::{post, typed};

const DAY_S: i64 = 24 * 3_600;

/// Everything is found at once, and one look is enough.
fn policy() -> Policy {
    let second_looks = Share::try_new(0).unwrap();
    Policy { second_looks, ..Policy::DEFAULT }
}

/// A passage that was charged by a typed plate, which a reviewer reads as another vehicle's. Tells
/// the case, and the pool that the review goes through.
async fn differs(centre: &Centre) -> (sqlx::PgPool, String) {
    post(centre, &typed("lan", &["2026-03-02T05:10:00Z"])).await;
    let books = pool(&centre.intake.office.url_for(Role::Reconciliation)).await;
    let tam = "tam".parse().unwrap();
    assert_eq!(review::search_passages(&books, &policy(), noon()).await.unwrap(), 1);
    let claimed = review::claim(&books, &tam, Within::default(), &policy(), noon()).await;
    let item = claimed.unwrap().unwrap().item;
    let group = VehicleGroup::try_new(5).unwrap();
    let reading = Answer::Read(Reading { plate: vehicle(20).plate, group });
    match review::answer(&books, item, &tam, &reading, noon()).await.unwrap() {
        Answered::Ended(Some(code)) => (books, code),
        other => panic!("it differs: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_of_a_review_shows_what_each_saw_masked_until_somebody_says_why() {
    let axe = std::fs::read_to_string(found("AXE_SCRIPT")).unwrap();
    let centre = Centre::open().await;
    let house = &centre.house;
    let (_books, code) = differs(&centre).await;
    let read = vehicle(20).plate;
    let mut wrong = Vec::new();
    browse(Screen::DESK, async |browser| {
        house.log_in(browser, "an").await;
        let url = house.url(&format!("/cases/{code}"));
        look_at(browser, &axe, (Screen::DESK, "en"), &url, &mut wrong).await;
        let looks = browser.text(".looks tbody").await;
        assert!(looks.contains("tam") && looks.contains(&read.masked()), "{looks}");
        assert!(!browser.text("main").await.contains(read.as_str()));
        browser.choose(".unmask select", "mismatch").await;
        browser.click(".unmask button").await;
        browser.reads(".looks tbody", read.as_str()).await;
        assert_eq!(browser.count(".unmask").await, 0);
        house.log_out(browser).await;
        // An auditor may see it too, and it is written down as theirs.
        house.log_in(browser, "binh").await;
        browser.go(&house.url("/audit")).await;
        browser.reads("tbody", "cienco4/ben-thuy/l02:1:1: mismatch").await;
    })
    .await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    let log = std::fs::read_to_string(house.audit_log()).unwrap();
    assert!(!log.contains(read.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_of_two_attendants_looks_at_what_they_did() {
    let centre = Centre::open().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l02");
    let delivery = lane.write("2026-03-02T05:10:00Z", |passage| {
        passage.plate = Some(vehicle(11).plate);
        passage.group = Some(vehicle(11).group);
        passage.exception = Some(ExceptionKind::NoTag);
        passage.decision = Decision::ChargedByPlate;
        let by = Attendance::of("tam".to_owned(), "command 1".to_owned(), Reason::PlateRead);
        passage.attendance = Some(Attendance { second: Some("tu".to_owned()), ..by });
    });
    post(&centre, &[delivery]).await;
    let books = pool(&centre.intake.office.url_for(Role::Reconciliation)).await;
    assert_eq!(review::search_passages(&books, &policy(), noon()).await.unwrap(), 1);
    let claim = async |name: &str| {
        let who = name.parse().unwrap();
        review::claim(&books, &who, Within::default(), &policy(), noon()).await.unwrap()
    };
    assert_eq!(claim("tam").await, None);
    assert_eq!(claim("tu").await, None);
    let claimed = claim("van").await.expect("somebody else has it");
    assert_eq!(claimed.day, "2026-03-02".parse().unwrap());
}

fn days_after(days: i64) -> Timestamp {
    noon() + std::time::Duration::from_secs(u64::try_from(days * DAY_S).unwrap())
}

/// What the scheduler does, whatever becomes of days that are not closed here.
async fn tick(books: &sqlx::PgPool, now: Timestamp) {
    let (clock, key, folder) =
        (Clock::of_run(Some(Clock::anchor(now, 1.0))), centre_key(), tempfile::tempdir().unwrap());
    let scheduler = Scheduler { pool: books, clock: &clock, key: &key, folder: folder.path() };
    scheduler.tick().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_is_erased_in_time_but_never_before_its_case_is_settled() {
    let centre = Centre::open().await;
    let office = &centre.intake.office;
    let (books, code) = differs(&centre).await;
    let plates = "select count(plate) from review_look";
    // As long as the case is open finance may have to see it, whoever asks.
    let read = vehicle(20).plate;
    let (an, chi) = ("an".parse().unwrap(), "chi".parse().unwrap());
    let erase = async |plate, days| {
        review::erase_plate(&books, plate, &an, days_after(days)).await.unwrap()
    };
    assert_eq!(erase(&read, 100).await, 0);
    cases::propose(&books, &code, &an, &Outcome::Stands, "the books stand", noon()).await.unwrap();
    cases::settle(&books, &code, &chi, "agreed", noon()).await.unwrap();
    assert_eq!(erase(&vehicle(21).plate, 1).await, 0);
    // Then by itself, when its time has come, though nobody reviews.
    tick(&books, days_after(80)).await;
    assert_eq!(office.number(plates).await, 1);
    tick(&books, days_after(101)).await;
    assert_eq!(office.number(plates).await, 0);
    let (_, seen) = review::seen_of_case(&books, &code).await.unwrap().unwrap();
    assert_eq!(seen.iter().map(|one| one.answer.clone()).collect::<Vec<_>>(), [None]);
    // Nothing but its plate goes, and nobody's hands but the function's take it.
    for sql in [
        "update review_look set plate = '37A99999'",
        "update review_look set reviewer = 'chi'",
        "delete from review_look",
    ] {
        assert!(sqlx::query(sql).execute(&office.pool).await.is_err(), "{sql}");
        assert!(sqlx::query(sql).execute(&books).await.is_err(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_has_their_plate_erased_also_from_what_a_reviewer_wrote() {
    let centre = Centre::open().await;
    let office = &centre.intake.office;
    post(&centre, &typed("lan", &["2026-03-02T05:10:00Z"])).await;
    let books = pool(&office.url_for(Role::Reconciliation)).await;
    assert_eq!(review::search_passages(&books, &policy(), noon()).await.unwrap(), 1);
    let tam = "tam".parse().unwrap();
    let claimed = review::claim(&books, &tam, Within::default(), &policy(), noon()).await;
    let plate = vehicle(20).plate;
    let note = format!("a trailer of {}", plate.as_str().to_lowercase());
    let other = Answer::Rejected(Rejected::Other { note });
    let item = claimed.unwrap().unwrap().item;
    let answered = review::answer(&books, item, &tam, &other, noon()).await.unwrap();
    let Answered::Ended(Some(code)) = answered else { panic!("it ends: {answered:?}") };
    let (an, chi) = ("an".parse().unwrap(), "chi".parse().unwrap());
    cases::propose(&books, &code, &an, &Outcome::Stands, "the books stand", noon()).await.unwrap();
    cases::settle(&books, &code, &chi, "agreed", noon()).await.unwrap();
    let later = days_after(1);
    assert_eq!(review::erase_plate(&books, &vehicle(21).plate, &an, later).await.unwrap(), 0);
    assert_eq!(review::erase_plate(&books, &plate, &an, later).await.unwrap(), 1);
    assert_eq!(office.number("select count(note) from review_look").await, 0);
    let told = "select count(*) from job_run where job = 'erase-plate' and outcome like '%by an'";
    assert_eq!(office.number(told).await, 2);
}
