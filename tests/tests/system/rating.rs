//! Rating in the books: what charges consist of, days that are capped by several workers, what
//! another tariff would bring, and that `verify` sees when any of it is wrong.

use clearing_house::tariff;
use clearing_house::tariff::command::{TariffCommand, carry_out};
use clearing_house::tariff::simulate::simulate;
use domain::Timestamp;
use domain::tariff::{Tariff, TariffFile};
use tests::lane::{Lane, vehicle};
use tests::office::{Office, centre_key, noon};
use tests::programs::repository;

const CAR: u8 = 5; // group 1
const RESIDENT: u8 = 10; // group 1
const MORNING: &str = "2026-03-02T01:00:00Z";

/// Bến Thủy's fares from 1 March 2026 on, with half for residents and a cap of the day.
fn with_cap_and_residents() -> Tariff {
    let text = std::fs::read_to_string(repository("deploy/viet-nam/tariff-ben-thuy.toml")).unwrap();
    let text = text.replacen("ben-thuy-2023-12-29", "ben-thuy-2026-03-01", 1).replacen(
        "valid_from = \"2023-12-29\"",
        "valid_from = \"2026-03-01\"",
        1,
    );
    let file: TariffFile = toml::from_str(&format!(
        "{text}\n[cap]\nday = [60000, 80000, 110000, 180000, 260000]\n\n\
         [[discount]]\nname = \"resident\"\nshare = \"0.5\"\nfor = \"entitled\"\n\
         stations = [\"ben-thuy\"]\n"
    ))
    .unwrap();
    Tariff::try_from(file).unwrap()
}

async fn office_with_cap_and_residents() -> Office {
    let office = Office::open().await;
    tariff::import(&office.pool, &with_cap_and_residents()).await.unwrap();
    let line = serde_json::json!({
        "plate": vehicle(RESIDENT).plate,
        "operator": "cienco4",
        "discount": "resident",
        "from": "2026-02-15T17:00:00Z",
        "until": "2027-02-15T17:00:00Z",
        "reference": "test",
    });
    let granted: Timestamp = "2026-02-10T00:00:00Z".parse().unwrap();
    let text = line.to_string();
    assert_eq!(tariff::entitle(&office.pool, &text, granted).await.unwrap(), 1);
    assert_eq!(tariff::entitle(&office.pool, &text, granted).await.unwrap(), 0, "once");
    let late = tariff::entitle(&office.pool, &text, noon()).await.unwrap_err().to_string();
    assert!(late.contains("a day after it was granted at the earliest"), "{late}");
    office
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vehicles_day_costs_no_more_than_its_cap_whichever_worker_posts_it() {
    let office = office_with_cap_and_residents().await;
    let (one, other) = (office.books().await, office.books().await);
    let (mut l01, mut l02) = (Lane::new("cienco4/ben-thuy/l01"), Lane::new("cienco4/ben-thuy/l02"));
    let three =
        |lane: &mut Lane| [CAR, RESIDENT, CAR].map(|number| lane.pass(&vehicle(number), MORNING));
    let (first, second) = (three(&mut l01), three(&mut l02));
    let (first, second) = tokio::join!(one.post(&first, noon()), other.post(&second, noon()));
    assert_eq!((first.unwrap().fresh, second.unwrap().fresh), (3, 3));
    let account = |number: u8| vehicle(number).account;
    // Four times 47,000, and the day costs 60,000; twice half of it.
    assert_eq!(office.balance(account(CAR)).await, 5_000_000 - 60_000);
    assert_eq!(office.balance(account(RESIDENT)).await, 5_000_000 - 47_000);
    let bases = office
        .texts(
            "select concat_ws(' ', gross, discount, discount_name, over_day_cap, day_before) \
             from charge_basis order by discount, day_before, over_day_cap, lane",
        )
        .await;
    assert_eq!(
        bases,
        [
            "47000 0 0 0",
            "47000 0 34000 47000",
            "47000 0 47000 60000",
            "47000 0 47000 60000",
            "47000 23500 resident 0 0",
            "47000 23500 resident 0 23500",
        ]
    );
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_at_one_station_is_charged_by_rule_and_kept_as_a_case() {
    let office = Office::open().await;
    let books = office.books().await;
    let entry = Lane::new("vec/ql45/e01").pass(&vehicle(CAR), MORNING);
    let exit = Lane::new("vec/ql45/x01").pass(&vehicle(CAR), "2026-03-02T01:20:00Z");
    books.post(&[entry, exit], noon()).await.unwrap();
    let charged = office
        .texts(
            "select concat_ws(' ', p.why, p.amount, b.gross, array_to_string(b.cases, ' ')) \
             from passage_v1 p join charge_basis b using (lane, epoch, seq)",
        )
        .await;
    // The cheapest trip to QL45, there and back.
    assert_eq!(charged, ["u-turn 81032 81032 u-turn"]);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_later_than_its_operator_may_charge_is_in_the_books_and_costs_nothing() {
    let office = Office::open().await;
    let text = std::fs::read_to_string(repository("deploy/viet-nam/tariff-ben-thuy.toml")).unwrap();
    let text = text.replacen("ben-thuy-2023-12-29", "ben-thuy-2026-01-01", 1).replacen(
        "valid_from = \"2023-12-29\"",
        "valid_from = \"2026-01-01\"",
        1,
    );
    let file: TariffFile =
        toml::from_str(&format!("{text}\n[rules]\ntoo_late = {{ after_days = 15 }}\n")).unwrap();
    tariff::import(&office.pool, &Tariff::try_from(file).unwrap()).await.unwrap();
    let books = office.books().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let batch = ["2026-02-10T01:00:00Z", "2026-02-20T01:00:00Z", MORNING]
        .map(|at| lane.pass(&vehicle(CAR), at));
    let outcome = books.post(&batch, noon()).await.unwrap();
    assert_eq!((outcome.fresh, outcome.refused), (3, 0));
    let charged = office
        .texts("select concat_ws(' ', seq, disposition, why, amount) from passage_v1 order by seq")
        .await;
    assert_eq!(charged, ["1 too-old too-late 0", "2 posted fare 47000", "3 posted fare 47000"]);
    assert_eq!(office.balance(vehicle(CAR).account).await, 5_000_000 - 2 * 47_000);
    // Rated again, by the time at which it was, it is the same.
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_version_would_bring_is_shown_by_station_and_group() {
    let office = office_with_cap_and_residents().await;
    let books = office.books().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let batch = [CAR, CAR, RESIDENT, 3].map(|number| lane.pass(&vehicle(number), MORNING));
    books.post(&batch, noon()).await.unwrap();
    let (from, until) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    let told = async |tariff: &Tariff| {
        let simulation = simulate(&office.pool, tariff, from, until).await.unwrap();
        let rows = simulation.0.iter().map(|((station, group), one)| {
            format!("{station} {group}: {} passages, {} to {}", one.passages, one.before, one.after)
        });
        rows.collect::<Vec<_>>()
    };
    assert_eq!(
        told(&with_cap_and_residents()).await,
        ["ben-thuy 1: 3 passages, 83500 to 83500", "ben-thuy 4: 1 passages, 140000 to 140000"],
        "by the version they were charged by nothing differs"
    );
    let mut plain = with_cap_and_residents();
    plain.caps.day.clear();
    plain.discounts.clear();
    assert_eq!(
        told(&plain).await,
        ["ben-thuy 1: 3 passages, 83500 to 141000", "ben-thuy 4: 1 passages, 140000 to 140000"]
    );
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_see_when_what_a_charge_consists_of_is_changed() {
    let office = office_with_cap_and_residents().await;
    let books = office.books().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let batch = [CAR, CAR, RESIDENT].map(|number| lane.pass(&vehicle(number), MORNING));
    books.post(&batch, noon()).await.unwrap();
    office.assert_proven().await;
    for (damage, breaks) in [
        (
            "alter table charge_basis disable trigger user; \
             update charge_basis set discount = discount - 1 where discount > 0",
            "a charge is its fare less discount and caps",
        ),
        (
            "update day_spent set charged = charged - 1",
            "a vehicle's day costs what its charges come to",
        ),
        (
            "alter table entitlement disable trigger user; update entitlement set discount = 'none'",
            "rating again gives the same charge",
        ),
    ] {
        let damaged = office.copy().await;
        sqlx::raw_sql(damage).execute(&damaged.pool).await.unwrap();
        let broken: Vec<&str> = damaged
            .proof()
            .await
            .invariants
            .iter()
            .filter(|one| one.broken > 0)
            .map(|one| one.what)
            .collect();
        assert!(broken.iter().any(|what| what.starts_with(breaks)), "{damage}: {broken:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tariff_is_checked_before_it_is_taken_and_taken_once() {
    let office = Office::open().await;
    let file = |name: &str| repository(&format!("deploy/viet-nam/tariff-{name}.toml"));
    let import = async |name: &str| {
        let command = TariffCommand::Import { files: vec![file(name)] };
        carry_out(command, &office.pool, &centre_key(), noon()).await.unwrap()
    };
    let again = import("ben-thuy").await;
    assert_eq!((again.in_order, again.text.as_str()), (true, "imported 1"));
    let strange = import("state-expressways").await;
    assert!(!strange.in_order);
    assert!(strange.text.contains("operator state-expressways is not in the network"));
    assert_eq!(office.number("select count(*) from tariff").await, 2);
    let amounts = office
        .number("select amount from fare_v1 where station = 'ben-thuy' and vehicle_group = 5");
    assert_eq!(amounts.await, 200_000);
    let changed = sqlx::query("update tariff set source = ''").execute(&office.pool).await;
    assert!(changed.unwrap_err().to_string().contains("append-only"));
}
