//! Journeys of those who say at the centre how a lane is to work: asked on a page, signed by a real
//! clearing house in its own role of the database, checked as a lane checks it, and seen to hold.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clearing_house::broker::jetstream;
use clearing_house::directives::request::{self, GOOD_FOR, RequestError, Standing};
use clearing_house::directives::{LaneDirectiveFile, order_lane};
use domain::wire::v1::{LaneDirective, LaneMode, PolicyRecord};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, LaneId};
use lane_controller::directives::DirectiveStore;
use lane_controller::list::SignedMessage;
use simulator::demo::configs::Common;
use simulator::demo::database::Role;
use simulator::demo::process::{Recipe, Supervised};
use simulator::demo::run_folder::RunFolder;
use sqlx::PgPool;
use tests::office::{Office, centre_key, noon, pool};
use tests::programs::{built, found};
use tokio::task::block_in_place;

use super::browser::{Browser, Screen, browse};
use super::centre::Centre;
use super::house::House;
use super::pages::look_at;
use super::stand_in::StandIn;

const LANE: &str = "cienco4/ben-thuy/l01";

fn lane() -> LaneId {
    LANE.parse().unwrap()
}

/// A clearing house over the books of a centre, each connection in its own role.
fn clearing_house(centre: &Centre, run: &RunFolder) -> Supervised {
    let key_file = run.secret("centre.key");
    std::fs::write(&key_file, centre_key().to_secret_text()).unwrap();
    let office = &centre.intake.office;
    let database_urls: BTreeMap<_, _> =
        Role::ALL.into_iter().map(|role| (role, office.url_for(role))).collect();
    let common = Common {
        run,
        clock: Clock::anchor(noon(), 1.0),
        broker: &centre.intake.broker,
        database_urls: &database_urls,
    };
    let config = common.clearing_house(&key_file).unwrap();
    let recipe = Recipe::new("clearing-house", &built("clearing-house"), run);
    Supervised::start(recipe.arg("--config").arg(config).arg("run")).unwrap()
}

/// The lane's own keeper of directives, with what it reads from the broker.
struct Keeper {
    store: DirectiveStore,
    _folder: tempfile::TempDir,
}

impl Keeper {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = centre_key().public();
        let operator = lane().operator().clone();
        let own = vec![lane()];
        let store = DirectiveStore::open(folder.path(), key, operator, own, Arc::default());
        Self { store: store.unwrap(), _folder: folder }
    }

    /// Reads as a lane does until a directive of this version is in force.
    async fn until(&self, centre: &Centre, version: u64) -> LaneDirective {
        let broker = jetstream(centre.intake.client.clone());
        let stream = broker.get_stream_no_info(subject::DIRECTIVES.name).await.unwrap();
        let looking = async {
            loop {
                let last =
                    stream.direct_get_last_for_subject(subject::lane_directive(&lane())).await;
                if let Ok(message) = last {
                    let signature = message.headers.get(SIGNATURE_HEADER);
                    let signature = signature.map(async_nats::HeaderValue::as_str);
                    let message = SignedMessage::try_new(&message.payload, signature).unwrap();
                    let now = Clock::system().now();
                    self.store.take_lane(&message, now).unwrap();
                    let view = self.store.board().view();
                    let in_force = view.in_force(&lane(), now).unwrap();
                    if in_force.version == version {
                        return in_force.clone();
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(30), looking).await;
        found.expect("the directive comes")
    }
}

/// Asks for a mode by the form, and waits for what the page says of it.
async fn ask(house: &House, browser: &Browser, mode: &str, done: &str) {
    browser.go(&house.url("/equipment")).await;
    browser.choose("select[name='lane']", LANE).await;
    browser.choose("select[name='mode']", mode).await;
    browser.write("input[name='reason']", "works on the road").await;
    browser.click("form[action='/equipment/mode'] button").await;
    browser.reads("main [role='status']", done).await;
}

/// Looks at the page again until the newest request reads so.
async fn newest_reads(house: &House, browser: &Browser, text: &str) {
    let looking = async {
        loop {
            browser.go(&house.url("/equipment")).await;
            if browser.text(".directed tbody tr:first-child").await.contains(text) {
                return;
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(30), looking).await;
    assert!(found.is_ok(), "the newest request never reads {text:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_is_directed_from_a_page_by_two_where_it_stops_serving_and_says_that_it_works_so() {
    let axe = std::fs::read_to_string(found("AXE_SCRIPT")).unwrap();
    let centre = Centre::open().await;
    let house = &centre.house;
    let run = RunFolder::temporary().unwrap();
    let clearing_house = block_in_place(|| clearing_house(&centre, &run));
    let stand_in = StandIn::start(&centre.intake.broker, LANE).await;
    let keeper = Keeper::new();
    let mut wrong = Vec::new();
    browse(Screen::DESK, async |browser| {
        // What goes on serving takes one person.
        house.log_in(browser, "binh").await;
        ask(house, browser, "etc-only", "The centre signs and sends it").await;
        let directive = keeper.until(&centre, 1).await;
        assert_eq!((directive.mode, &*directive.ordered_by), (LaneMode::EtcOnly, "binh"));
        newest_reads(house, browser, "the lane does not work so yet").await;
        stand_in.follows(&directive);
        newest_reads(house, browser, "the lane works by it").await;
        assert!(browser.text(".lanes-table tbody").await.contains("ETC only"));

        // What stops it takes another, and never its maker.
        ask(house, browser, "closed", "Another person has to agree").await;
        newest_reads(house, browser, "Waits for a second person").await;
        assert_eq!(browser.count("form[action$='/agree']").await, 0, "not by its maker");
        look_at(browser, &axe, (Screen::DESK, "en"), &house.url("/equipment"), &mut wrong).await;
        // Nor by an address that the page did not offer.
        browser
            .ask(
                "const form = document.querySelector(\"form[action$='/decline']\"); \
                 form.action = form.action.replace('/decline', '/agree'); form.submit();",
            )
            .await;
        browser.reads(".problem", "You proposed this yourself").await;
        house.log_out(browser).await;

        house.log_in(browser, "dung").await;
        newest_reads(house, browser, "binh").await;
        browser.click("form[action$='/agree'] button").await;
        browser.reads("main [role='status']", "Agreed. The centre signs").await;
        let directive = keeper.until(&centre, 2).await;
        assert_eq!((directive.mode, &*directive.ordered_by), (LaneMode::Closed, "binh"));
        stand_in.follows(&directive);
        newest_reads(house, browser, "the lane works by it").await;
        browser.go(&house.url("/audit")).await;
        browser.reads("tbody", "Mode of a lane agreed to").await;
    })
    .await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    let log = std::fs::read_to_string(house.audit_log()).unwrap();
    assert!(
        log.contains(
            "\"act\":\"agree-mode\",\"subject\":\"2: cienco4/ben-thuy/l01 closed\",\"why\""
        )
    );
    block_in_place(|| drop(clearing_house));
}

/// Books with rights, seen by those who ask and by the clearing house.
async fn books() -> (Office, PgPool, PgPool) {
    let office = Office::open().await;
    clearing_house::rights::apply(&office.pool).await.unwrap();
    let registrar = pool(&office.url_for(Role::Registrar)).await;
    let intake = pool(&office.url_for(Role::Intake)).await;
    (office, registrar, intake)
}

#[tokio::test]
async fn what_was_asked_twice_is_one_and_nobody_agrees_to_their_own_or_to_what_is_over() {
    let (office, registrar, intake) = books().await;
    let (lane, now) = (lane(), noon());
    let ask = |mode, who, at| request::ask(&registrar, (&lane, mode), "works", who, at);
    let first = ask(LaneMode::Closed, "binh", now).await.unwrap();
    assert_eq!(ask(LaneMode::Closed, "binh", now).await.unwrap(), first);
    let other = ask(LaneMode::Closed, "dung", now).await;
    assert!(matches!(other, Err(RequestError::Asked { request, .. }) if request == first));
    // Neither by the door nor by the database.
    let own = request::decide(&registrar, first, true, "binh", now).await;
    assert!(matches!(own, Err(RequestError::SamePerson { .. })), "{own:?}");
    let forced = sqlx::query(
        "insert into directive_decision (request, asked_by, decided_by, decided_at, agrees)
         values ($1, 'binh', 'binh', now(), true)",
    );
    let forced = forced.bind(first).execute(&registrar).await.unwrap_err();
    let rule = forced.as_database_error().and_then(|error| error.constraint());
    assert_eq!(rule, Some("two_people_direct"));
    // Nothing is directed before another agrees, and an hour later nobody can.
    assert_eq!(request::answer_all(&intake, &centre_key(), now).await.unwrap(), 0);
    let late = now + GOOD_FOR + Duration::from_secs(1);
    let over = request::decide(&registrar, first, true, "dung", late).await;
    assert!(matches!(over, Err(RequestError::Decided(_))), "{over:?}");
    // Agreed in time and signed too late is not sent.
    request::decide(&registrar, first, true, "dung", now).await.unwrap();
    assert_eq!(request::answer_all(&intake, &centre_key(), late).await.unwrap(), 1);
    let found = request::one(&registrar, first, late).await.unwrap().unwrap();
    assert_eq!((found.standing, found.agreed_by.as_deref()), (Standing::Lapsed, Some("dung")));
    assert_eq!(office.number("select count(*) from directive").await, 0);
    // Where it takes two is one rule in two places.
    for mode in [LaneMode::Automatic, LaneMode::Attended, LaneMode::EtcOnly, LaneMode::Maintenance]
    {
        let request = ask(mode, "lan", now).await.unwrap();
        let found = request::one(&registrar, request, now).await.unwrap().unwrap();
        assert_eq!(found.standing == Standing::AwaitsSecond, request::takes_two(mode), "{mode:?}");
    }
    let nowhere = "cienco4/ben-thuy/l99".parse().unwrap();
    let unknown =
        request::ask(&registrar, (&nowhere, LaneMode::Automatic), "works", "lan", now).await;
    assert!(matches!(unknown, Err(RequestError::NoLane(_))), "{unknown:?}");
    let silent = request::ask(&registrar, (&lane, LaneMode::Automatic), " ", "lan", now).await;
    assert!(matches!(silent, Err(RequestError::NoReason)), "{silent:?}");
}

#[tokio::test]
async fn a_mode_leaves_the_thresholds_and_what_is_planned_as_they_are() {
    let (_office, registrar, intake) = books().await;
    let (lane, now, key) = (lane(), noon(), centre_key());
    let policy = PolicyRecord { tag_wait_ms: Some(900), ..PolicyRecord::default() };
    let file = |effective_at| LaneDirectiveFile {
        lane: lane.clone(),
        effective_at,
        ordered_by: "an".to_owned(),
        mode: LaneMode::Automatic,
        policy: policy.clone(),
    };
    order_lane(&registrar, &key, file(None).into_directive(now), now).await.unwrap();
    let ask = |mode| request::ask(&registrar, (&lane, mode), "works", "binh", now);
    let first = ask(LaneMode::Attended).await.unwrap();
    let second = ask(LaneMode::EtcOnly).await.unwrap();
    request::answer_all(&intake, &key, now).await.unwrap();
    let found = request::one(&registrar, first, now).await.unwrap().unwrap();
    assert_eq!(found.standing, Standing::Directed { version: 2 });
    let found = request::one(&registrar, second, now).await.unwrap().unwrap();
    assert_eq!(found.standing, Standing::Directed { version: 3 });
    let last = "select convert_from(payload, 'utf8') from directive order by version desc limit 1";
    let last: String = sqlx::query_scalar(last).fetch_one(&registrar).await.unwrap();
    let last: LaneDirective = serde_json::from_str(&last).unwrap();
    assert_eq!((last.mode, last.policy), (LaneMode::EtcOnly, policy.clone()));

    let third = ask(LaneMode::Automatic).await.unwrap();
    // Something is planned before the clearing house comes to it.
    let tonight = now + Duration::from_secs(8 * 3600);
    order_lane(&registrar, &key, file(Some(tonight)).into_directive(now), now).await.unwrap();
    request::answer_all(&intake, &key, now).await.unwrap();
    let found = request::one(&registrar, third, now).await.unwrap().unwrap();
    assert_eq!(found.standing, Standing::Lapsed);
    let planned = ask(LaneMode::Attended).await;
    assert!(matches!(planned, Err(RequestError::Planned { at, .. }) if at == tonight));
}

#[tokio::test]
async fn of_two_requests_for_a_lane_the_one_said_last_holds_and_none_waits_long_for_another() {
    let (office, registrar, intake) = books().await;
    let (lane, now, key) = (lane(), noon(), centre_key());
    let minute = Duration::from_secs(60);
    let ask = |mode, at| request::ask(&registrar, (&lane, mode), "works", "binh", at);
    let closed = ask(LaneMode::Closed, now).await.unwrap();
    ask(LaneMode::Attended, now + minute).await.unwrap();
    request::decide(&registrar, closed, true, "dung", now + 2 * minute).await.unwrap();
    // Somebody holds the lane: it is tried again later, and nobody hangs.
    let mut held = office.pool.begin().await.unwrap();
    let hold = "select pg_advisory_xact_lock(hashtextextended($1, 0))";
    let subject = subject::lane_directive(&lane);
    sqlx::query(hold).bind(subject).execute(&mut *held).await.unwrap();
    let waiting = request::answer_all(&intake, &key, now + 2 * minute);
    let tried = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert_eq!(tried.expect("nobody hangs").unwrap(), 0);
    held.rollback().await.unwrap();
    assert_eq!(request::answer_all(&intake, &key, now + 2 * minute).await.unwrap(), 2);
    let last = "select convert_from(payload, 'utf8') from directive order by version desc limit 1";
    let last: String = sqlx::query_scalar(last).fetch_one(&registrar).await.unwrap();
    let last: LaneDirective = serde_json::from_str(&last).unwrap();
    assert_eq!(last.mode, LaneMode::Closed);
    // Nobody has a lane serve again alone that two have closed.
    let reopened = ask(LaneMode::Attended, now + 3 * minute).await.unwrap();
    let found = request::one(&registrar, reopened, now + 3 * minute).await.unwrap().unwrap();
    assert_eq!(found.standing, Standing::AwaitsSecond);
    assert_eq!(request::answer_all(&intake, &key, now + 3 * minute).await.unwrap(), 0);
}
