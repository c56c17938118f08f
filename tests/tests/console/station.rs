//! Journeys at a station's desk whose line to the centre is cut: it has its own broker alone.

use console::command::check_audit;
use domain::Plate;
use domain::wire::v1::{ExceptionRecord, LaneMode, PictureKind, ReasonRecord, Verb};
use serde_json::json;
use simulator::picture;
use tokio::task::block_in_place;

use super::browser::{Browser, DOWN, ENTER, ESCAPE, Screen, TAB, browse};
use super::house::{House, PASSWORD};
use super::stand_in::{FARE, StandIn};

const LANE: &str = "cienco4/ben-thuy/l01";

async fn desk() -> (House, StandIn) {
    let house = block_in_place(House::at_station);
    let lane = StandIn::start(house.broker(), LANE).await;
    (house, lane)
}

/// Waits until the desk has nobody waiting.
async fn is_calm(browser: &Browser) {
    browser.reads("#answer[data-kind='done']", "Passage").await;
    browser.sees("#no-calls:not([hidden])").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_vehicle_is_helped_by_keys_alone_while_the_centre_is_away() {
    let (house, mut lane) = desk().await;
    browse(Screen::DESK, async |browser| {
        house.log_in(browser, "lan").await;
        assert_eq!(browser.path().await, "/station");

        // Two keystrokes send a vehicle back.
        lane.call(1, ExceptionRecord::NoMoney).await;
        browser.reads(".call h3", "Not enough money").await;
        assert!(browser.text(".call .known").await.contains("…0493"), "the tag is masked");
        // Its pictures come while it waits.
        let plate: Plate = "37A12345".parse().unwrap();
        let pictures = [
            (PictureKind::Plate, picture::of_plate(&plate)),
            (PictureKind::Overview, picture::of_vehicle(&plate)),
        ];
        lane.show(1, &pictures).await;
        browser.sees(".call-pictures img[alt='Overview of the vehicle that waits']").await;
        assert_eq!(browser.widths(".call-pictures img").await, json!([280, 384]));
        browser.press("t").await;
        browser.press(ENTER).await;
        let command = lane.next_command().await;
        assert_eq!(command.attendant, "lan");
        assert_eq!(command.verb, Verb::TurnAway { reason: ReasonRecord::NoMeansOfPayment });
        is_calm(browser).await;

        // A plate, and its account pays.
        lane.call(2, ExceptionRecord::NoTag).await;
        browser.reads(".call h3", "No tag was read").await;
        browser.press("p").await;
        browser.press("37a12345").await;
        browser.press(ESCAPE).await;
        browser.press("2").await;
        browser.press("c").await;
        browser.press(ENTER).await;
        let verb = lane.next_command().await.verb;
        let Verb::ChargeByPlate { plate, group } = verb else { panic!("{verb:?}") };
        assert_eq!((plate.as_str(), group.number()), ("37A12345", 2));
        is_calm(browser).await;

        // Cash, with what is seen written down.
        lane.call(3, ExceptionRecord::Blocked).await;
        browser.reads(".call h3", "Account blocked").await;
        browser.press("p").await;
        browser.press("37a54321").await;
        browser.press(ESCAPE).await;
        browser.press("o").await;
        browser.press(ENTER).await;
        let verb = lane.next_command().await.verb;
        assert!(matches!(verb, Verb::Open { reason: ReasonRecord::CashPaid, .. }), "{verb:?}");
        is_calm(browser).await;

        // Every other kind there is.
        for (call, exception, told) in [
            (11, ExceptionRecord::Closed, "Account closed"),
            (12, ExceptionRecord::NotConverted, "Account not converted"),
            (13, ExceptionRecord::NoFare, "No fare is known"),
            (14, ExceptionRecord::LeftUndecided, "Left undecided"),
        ] {
            lane.call(call, exception).await;
            browser.reads(".call h3", told).await;
            browser.press("t").await;
            browser.press(ENTER).await;
            assert_eq!(lane.next_command().await.call, call);
            is_calm(browser).await;
        }

        // Without a plate nothing is sent, and the desk says what is missing.
        lane.call(4, ExceptionRecord::UnknownTag).await;
        browser.reads(".call h3", "Unknown tag").await;
        browser.press("c").await;
        browser.press(ENTER).await;
        browser.reads("#answer[data-kind='refused']", "Enter the plate").await;
    })
    .await;
    assert_eq!(house.restarts(), 0);
    let log = std::fs::read_to_string(house.audit_log()).unwrap();
    for deed in ["turn-away", "charge-by-plate", "cash-paid", "order-answered"] {
        assert!(log.contains(deed), "{deed} is not in the audit log");
    }
    assert!(!log.contains("37A12345"), "a plate is in the audit log");
    check_audit(&house.audit_log(), None).unwrap();
}

/// Waits until the desk says that the lane has obeyed.
async fn obeyed(browser: &Browser) {
    browser.reads("#answer[data-kind='done']", "The lane has obeyed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_another_read_a_mode_and_a_convoy_are_ordered_by_keys_alone_and_signed() {
    let (house, mut lane) = desk().await;
    let desks = [house.desk()];
    browse(Screen::DESK, async |browser| {
        house.log_in(browser, "lan").await;
        lane.call(1, ExceptionRecord::NoMoney).await;
        browser.reads(".call h3", "Not enough money").await;
        browser.press("r").await;
        browser.press(ENTER).await;
        let order = lane.next_order().await;
        assert_eq!((order.command.call, &order.command.verb), (1, &Verb::RetryRead));
        order.prove(&desks).unwrap();
        obeyed(browser).await;
        browser.press("3").await;
        browser.press("g").await;
        browser.press(ENTER).await;
        let order = lane.next_order().await;
        let group = 3.try_into().unwrap();
        assert_eq!(order.command.verb, Verb::ChangeGroup { group });
        order.prove(&desks).unwrap();
        // One who operates a station signs the mode too, and no lane believes it.
        browser.press("m").await;
        browser.press(&format!("{DOWN}{TAB}{ENTER}")).await;
        let order = lane.next_order().await;
        assert_eq!(order.command.verb, Verb::SetMode { mode: LaneMode::EtcOnly });
        assert_eq!(order.prove(&desks).unwrap_err().to_string(), "the order needs a supervisor");
        lane.works(LaneMode::EtcOnly).await;
        browser.reads(".lane dl", "ETC only").await;

        // A convoy takes somebody else, who shows who they are.
        let ask = |second: &str, password: &str| {
            format!("visit{TAB}{TAB}{TAB}{second}{TAB}{password}{ENTER}")
        };
        browser.press(ESCAPE).await;
        browser.press("v").await;
        browser.press(&ask("lan", PASSWORD)).await;
        browser.reads("#answer[data-kind='refused']", "Somebody else has to agree").await;
        browser.go(&house.url("/station")).await;
        browser.sees(".call").await;
        browser.press("v").await;
        browser.press(&ask("binh", "not the password")).await;
        browser.reads("#answer[data-kind='refused']", "was not let in").await;
        browser.go(&house.url("/station")).await;
        browser.sees(".call").await;
        browser.press("v").await;
        browser.press(&ask("binh", PASSWORD)).await;
        let order = lane.next_order().await;
        let people = (order.command.attendant.as_str(), order.command.second.as_deref());
        assert_eq!(people, ("lan", Some("binh")));
        let convoy = Verb::BeginConvoy { name: "visit".to_owned(), vehicles_max: 20, lasts_s: 900 };
        assert_eq!(order.command.verb, convoy);
        order.prove(&desks).unwrap();
        obeyed(browser).await;
        browser.press(ESCAPE).await;
        browser.press("x").await;
        browser.press(ENTER).await;
        assert_eq!(lane.next_order().await.command.verb, Verb::EndConvoy);
    })
    .await;
    let log = std::fs::read_to_string(house.audit_log()).unwrap();
    for deed in ["change-group", "retry-read", "set-mode", "begin-convoy", "order-agreed"] {
        assert!(log.contains(deed), "{deed} is not in the audit log");
    }
    assert!(!log.contains(PASSWORD), "a password is in the audit log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shift_is_handed_over_with_what_is_open_and_its_report_adds_up() {
    let (house, mut lane) = desk().await;
    browse(Screen::DESK, async |browser| {
        house.log_in(browser, "lan").await;
        browser.go(&house.url("/shift")).await;
        browser.follow("form[action='/shift/start'] button").await;
        browser.sees("#station").await;
        lane.call(1, ExceptionRecord::NoTag).await;
        browser.sees(".call").await;
        browser.press("p").await;
        browser.press("37a12345").await;
        browser.press(ESCAPE).await;
        browser.press("o").await;
        browser.press(ENTER).await;
        lane.next_command().await;
        is_calm(browser).await;
        lane.call(2, ExceptionRecord::NoMoney).await;
        browser.sees(".call").await;

        browser.go(&house.url("/shift")).await;
        browser.reads("#open-items", "a vehicle waits (Not enough money)").await;
        browser.choose("select[name='to']", "kim").await;
        browser.write("form[action='/shift/offer'] textarea", "one waits at L01").await;
        browser.follow("form[action='/shift/offer'] button").await;
        browser.reads("main [role='status']", "kim").await;
        house.log_out(browser).await;

        house.log_in(browser, "kim").await;
        browser.go(&house.url("/shift")).await;
        assert_eq!(browser.text(".note-text").await, "one waits at L01");
        browser.follow("form[action='/shift/take'] button").await;
        browser.sees(".call").await;
        browser.press("t").await;
        browser.press(ENTER).await;
        assert_eq!(lane.next_command().await.attendant, "kim");
        is_calm(browser).await;
        browser.go(&house.url("/shift")).await;
        browser.follow("form[action='/shift/close'] button").await;
        browser.reads(".page-head h1", "Shift report").await;
        assert!(browser.text(".page-head p").await.contains("Closed"));
        house.log_out(browser).await;

        // The first one's report: one in cash, with the fare that the lane told.
        house.log_in(browser, "lan").await;
        browser.go(&house.url("/shift")).await;
        browser.follow("tbody a").await;
        let cash = browser.text(".figures tfoot").await.replace('\u{a0}', " ");
        assert!(cash.contains("47,000 ₫") && FARE == 47_000, "{cash}");
        let head = browser.text(".digest").await;
        check_audit(&house.audit_log(), Some(&head)).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_knows_its_own_people_and_forgets_who_was_taken_out() {
    let (house, lane) = desk().await;
    browse(Screen::DESK, async |browser| {
        house.log_in(browser, "lan").await;
        browser.sees(".lane").await;
        browser.go(&house.url("/audit")).await;
        browser.reads(".problem", "Your roles do not allow this").await;
        browser.go(&house.url("/finance")).await;
        browser.reads(".problem", "Your roles do not allow this").await;
        browser.go(&house.url("/station")).await;
        browser.sees(".lane.normal").await;
        // The people file changes, and the live page of who was taken out ends at the door.
        house.disable("lan");
        browser.sees("#user").await;
    })
    .await;
    drop(lane);
    let log = std::fs::read_to_string(house.audit_log()).unwrap();
    assert!(log.contains("route-refused") && log.contains("/audit"));
}
