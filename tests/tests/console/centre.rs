//! Journeys with the books: from a total to the record behind it, and who may do what with money.

use clearing_house::{config, rights};
use domain::signature::Digest256;
use domain::wire::v1::{ExceptionRecord, PictureKind};
use domain::{Plate, Timestamp};
use serde_json::json;
use simulator::demo::broker::BrokerUser;
use simulator::picture;
use tests::intake::Intake;
use tests::lane::{Lane, vehicle};
use tests::office::noon;
use tokio::task::{JoinHandle, block_in_place};

use super::browser::{Screen, browse};
use super::house::House;
use super::money::fetched;
use super::stand_in::StandIn;

/// The centre with a few passages in its books, and a console over them.
pub(crate) struct Centre {
    pub house: House,
    pub intake: Intake,
    worker: JoinHandle<()>,
}

impl Drop for Centre {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

impl Centre {
    pub(crate) async fn open() -> Self {
        Self::open_at(noon()).await
    }

    /// The same, with the console's clock at another time.
    pub(crate) async fn open_at(at: Timestamp) -> Self {
        let intake = Intake::open(&[BrokerUser::Console, BrokerUser::System]).await;
        // Every page asks in the role that it asks in at a real centre.
        rights::apply(&intake.office.pool).await.unwrap();
        let mut lane = Lane::new("cienco4/ben-thuy/l01");
        let deliveries: Vec<_> = (1..=3)
            .map(|number| lane.pass(&vehicle(number), &format!("2026-03-02T05:00:0{number}Z")))
            .collect();
        intake.publish_all(&deliveries).await;
        let worker = intake.work(config::Intake::default()).await;
        intake.until("select count(*) from passage_v1 where disposition = 'posted'", 3).await;
        let house = block_in_place(|| House::at_centre(&intake.broker, &intake.office, at));
        Self { house, intake, worker }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_leads_to_the_record_its_lane_signed_and_a_plate_is_shown_for_a_reason() {
    let centre = Centre::open().await;
    let house = &centre.house;
    browse(Screen::DESK, async |browser| {
        house.log_in(browser, "an").await;
        browser.go(&house.url("/finance")).await;
        // From the day to what is behind its total, to the passages, and from one of them to its
        // record: three clicks.
        browser.follow(".days tbody a").await;
        browser.reads(".behind tbody", "Posted").await;
        assert_eq!(browser.text(".behind tbody td a").await, "3");
        browser.follow(".behind tbody td a").await;
        browser.sees(".passages tbody a").await;
        assert_eq!(browser.count(".passages tbody tr").await, 3);
        browser.follow(".passages tbody a").await;
        browser.reads(".record", "\"previous\"").await;
        let tag = vehicle(3).tag;
        assert_eq!(browser.text("#tag").await, tag.masked());
        assert!(!browser.text(".record").await.contains(&tag.to_hex()));
        assert!(browser.text(".facts").await.contains("₫"));

        // By its plate or tag it is found on its day, and stays masked.
        browser.go(&house.url("/passages?day=2026-03-02")).await;
        browser.click(".personal summary").await;
        browser.choose("select[name='by']", "tag").await;
        browser.write("input[name='what']", &tag.to_hex()).await;
        browser.follow(".personal button").await;
        browser.reads(".passages tbody", &tag.masked()).await;
        assert_eq!(browser.count(".passages tbody tr").await, 1);
        browser.go(&house.url("/passages?passage=cienco4%2Fben-thuy%2Fl01:1:3")).await;

        browser.choose("select[name='reason']", "dispute").await;
        browser.follow(".unmask button").await;
        browser.reads("#tag", &tag.to_hex().to_uppercase()).await;
        browser.reads("main [role='status']", "this is in the audit log").await;
        house.log_out(browser).await;

        house.log_in(browser, "binh").await;
        browser.go(&house.url("/audit?check=yes")).await;
        browser.reads(".last-answer", "The chain holds").await;
        browser.reads("tbody", "cienco4/ben-thuy/l01:1:3: dispute").await;
        browser.reads("tbody", "Searched by plate or tag").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_asks_for_a_code_and_no_code_opens_twice() {
    let centre = Centre::open().await;
    let house = &centre.house;
    browse(Screen::DESK, async |browser| {
        let code = house.log_in(browser, "an").await.expect("money asks for a code");
        house.log_out(browser).await;
        browser.write("#user", "an").await;
        browser.write("#password", "correct horse battery").await;
        browser.follow("main button").await;
        browser.sees("#code").await;
        // The password alone has opened nothing.
        browser.go(&house.url("/finance")).await;
        assert_eq!(browser.path().await, "/login/code");
        browser.write("#code", &code).await;
        browser.follow("main button").await;
        browser.reads(".refusal", "was used already").await;
        // An administrator sees who there is, and no money.
        house.log_in(browser, "dung").await;
        browser.go(&house.url("/people")).await;
        browser.reads("tbody", "Finance checker").await;
        browser.go(&house.url("/finance")).await;
        browser.reads(".problem", "Your roles do not allow this").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_centres_desk_fetches_a_picture_by_its_digest_and_shows_none_that_is_forged() {
    let centre = Centre::open().await;
    let house = &centre.house;
    let lane = StandIn::start(&centre.intake.broker, "cienco4/ben-thuy/l01").await;
    browse(Screen::DESK, async |browser| {
        house.log_in(browser, "binh").await;
        browser.go(&house.url("/station")).await;
        lane.call(1, ExceptionRecord::NoTag).await;
        browser.sees(".call").await;
        let plate: Plate = "37A12345".parse().unwrap();
        lane.show(1, &[(PictureKind::Overview, picture::of_vehicle(&plate))]).await;
        browser.sees(".call-pictures img").await;
        assert_eq!(browser.widths(".call-pictures img").await, json!([384]));

        let (digest, other) = (Digest256::of(b"another"), picture::of_plate(&plate));
        lane.show_as(1, &[(PictureKind::Plate, digest, &other)]).await;
        browser.sees(".call-pictures img[alt^='Plate']").await;
        let forged = format!("/station/picture/cienco4/ben-thuy/l01/1/{digest}");
        assert!(fetched(browser, &forged).await.starts_with("404"));
        // Neither is one of a vehicle that does not wait, nor what no lane named.
        for nothing in [forged.replace("/1/", "/2/"), forged.replace("l01", "l02")] {
            assert!(fetched(browser, &nothing).await.starts_with("404"));
        }
    })
    .await;
}
