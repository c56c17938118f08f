//! Who there is: operators, issuers, fares, contracts, vehicles; and how the books are founded.

use std::fmt::Write as _;

use clearing_house::account;
use clearing_house::registry::{self, NetworkFile};
use domain::tariff::{Tariff, TariffFile};
use domain::{Clock, Timestamp};
use reconciliation::contract::file::{ContractFile, import};
use sqlx::PgPool;
use tests::lane::{journal_of, key_of};

use super::plan::Driver;

/// Before everything.
const FOUNDED: &str = "2026-06-01T00:00:00Z";
/// What each account begins with: enough for the quarter.
pub(crate) const BEGINS_WITH: i64 = 900_000_000;

/// As many as lie well in one partition.
const FEW_PASSAGES: usize = 20_000;

/// Stations of an operator, and lanes of a station.
pub(crate) const STATIONS: [&str; 2] = ["bac-cau", "nam-cau"];
pub(crate) const LANES: [&str; 2] = ["l01", "l02"];

pub(crate) const ISSUERS: [&str; 3] = ["vetc", "vdtc", "epay"];

/// An operator and its calendar, as the truth computes with it: without zone files.
#[derive(Debug)]
pub(crate) struct Operator {
    pub id: &'static str,
    pub zone: &'static str,
    /// How far its clocks are ahead of UTC; none of them has summer time.
    pub ahead_h: i64,
    pub cut_off_h: i64,
    /// By group.
    pub fares: [i64; 5],
    /// What an issuer without a contract keeps, in millionths.
    pub fee_millionths: i64,
    /// Whether its own records name passages as we do.
    pub has_our_names: bool,
}

pub(crate) const OPERATORS: [Operator; 3] = [
    Operator {
        id: "bac",
        zone: "Asia/Ho_Chi_Minh",
        ahead_h: 7,
        cut_off_h: 0,
        fares: [15_000, 20_000, 26_000, 40_000, 80_000],
        fee_millionths: 30_000,
        has_our_names: true,
    },
    Operator {
        id: "nam",
        zone: "Asia/Ho_Chi_Minh",
        ahead_h: 7,
        cut_off_h: 22,
        fares: [35_000, 50_000, 75_000, 120_000, 180_000],
        fee_millionths: 25_000,
        has_our_names: false,
    },
    Operator {
        id: "dong",
        zone: "Asia/Tokyo",
        ahead_h: 9,
        cut_off_h: 3,
        fares: [47_000, 64_000, 87_000, 140_000, 200_000],
        fee_millionths: 40_000,
        has_our_names: true,
    },
];

/// An issuer's terms with an operator from a day on.
#[derive(Debug)]
pub(crate) struct Contract {
    pub operator: &'static str,
    pub issuer: &'static str,
    pub from: &'static str,
    pub fee_millionths: i64,
    pub per_passage: i64,
    pub vat_millionths: i64,
    /// Towards zero, in place of half away from it.
    pub rounds_down: bool,
}

const fn contract(
    (operator, issuer): (&'static str, &'static str),
    from: &'static str,
    (fee_millionths, per_passage, vat_millionths): (i64, i64, i64),
    rounds_down: bool,
) -> Contract {
    Contract { operator, issuer, from, fee_millionths, per_passage, vat_millionths, rounds_down }
}

/// Two pairs have none; one has another in the midst of the quarter.
pub(crate) const CONTRACTS: [Contract; 8] = [
    contract(("bac", "vetc"), "2026-06-15", (25_000, 50, 80_000), false),
    contract(("bac", "vetc"), "2026-08-15", (22_000, 40, 100_000), false),
    contract(("bac", "vdtc"), "2026-06-15", (30_000, 0, 0), true),
    contract(("nam", "vetc"), "2026-06-15", (17_500, 25, 80_000), true),
    contract(("nam", "vdtc"), "2026-06-15", (20_000, 0, 80_000), false),
    contract(("nam", "epay"), "2026-06-15", (27_500, 100, 100_000), false),
    contract(("dong", "vetc"), "2026-06-15", (33_000, 0, 0), false),
    contract(("dong", "vdtc"), "2026-06-15", (21_250, 15, 80_000), false),
];

/// The banks' holidays; on Saturdays and Sundays they move no money either.
pub(crate) const HOLIDAYS: [&str; 2] = ["2026-09-01", "2026-09-02"];

pub(crate) fn lane_path(operator: usize, lane: usize) -> String {
    let station = STATIONS[lane / LANES.len()];
    format!("{}/{station}/{}", OPERATORS[operator].id, LANES[lane % LANES.len()])
}

pub(crate) const LANES_OF_OPERATOR: usize = STATIONS.len() * LANES.len();

fn share(millionths: i64) -> String {
    format!("\"0.{millionths:06}\"")
}

fn network() -> String {
    let mut text = String::new();
    for Operator { id, zone, cut_off_h, fee_millionths, .. } in &OPERATORS {
        let fee_share = share(*fee_millionths);
        writeln!(
            text,
            "[[operator]]\nid = \"{id}\"\nname = \"{id}\"\ncurrency = \"VND\"\nzone = \"{zone}\"\n\
             cut_off = \"{cut_off_h:02}:00\"\nfee_share = {fee_share}"
        )
        .unwrap();
    }
    for issuer in ISSUERS {
        writeln!(text, "[[issuer]]\nid = \"{issuer}\"\nname = \"{issuer}\"").unwrap();
    }
    for operator in &OPERATORS {
        for station in STATIONS {
            let of = format!("id = \"{station}\"\noperator = \"{}\"", operator.id);
            writeln!(text, "[[station]]\n{of}\nname = \"{station}\"\nkind = \"open\"").unwrap();
        }
    }
    for operator in 0..OPERATORS.len() {
        for lane in 0..LANES_OF_OPERATOR {
            let id = lane_path(operator, lane);
            writeln!(text, "[[lane]]\nid = \"{id}\"\nrole = \"open\"").unwrap();
        }
    }
    text
}

fn tariff(operator: &Operator) -> String {
    let Operator { id, zone, fares, .. } = operator;
    let mut text = format!(
        "version = \"{id}-2026\"\noperator = \"{id}\"\ncurrency = \"VND\"\nzone = \"{zone}\"\n\
         valid_from = \"2026-01-01\"\nsource = \"made up\"\ngroups = 5\n"
    );
    for station in STATIONS {
        writeln!(text, "[[fare]]\nstation = \"{station}\"\namounts = {fares:?}").unwrap();
    }
    text
}

fn contracts() -> String {
    let mut text = "[bank_calendar.banks]\nweekend = [6, 7]\nholidays = { ".to_owned();
    let holidays = HOLIDAYS.map(|day| format!("\"{day}\" = \"a holiday\""));
    writeln!(text, "{} }}", holidays.join(", ")).unwrap();
    for one in &CONTRACTS {
        let Contract { operator, issuer, from, per_passage, rounds_down, .. } = one;
        let (fee, vat) = (share(one.fee_millionths), share(one.vat_millionths));
        let rounding = if *rounds_down { "down" } else { "half-up" };
        writeln!(
            text,
            "[[contract]]\noperator = \"{operator}\"\nissuer = \"{issuer}\"\nvalid_from = \"{from}\"\n\
             fee_share = {fee}\nfee_per_passage = {per_passage}\nvat_share = {vat}\n\
             rounding = \"{rounding}\"\nbank_calendar = \"banks\"\non_holiday = \"next-bank-day\""
        )
        .unwrap();
    }
    let operators = OPERATORS.iter().map(|one| format!("operator/{}", one.id));
    let issuers = ISSUERS.iter().map(|issuer| format!("issuer/{issuer}"));
    for (number, of) in operators.chain(issuers).enumerate() {
        writeln!(
            text,
            "[[bank_account]]\nof = \"{of}\"\nvalid_from = \"2026-01-01\"\nholder = \"HOLDER\"\n\
             number = \"10020030{number}\"\nbic = \"BFTVVNVX\""
        )
        .unwrap();
    }
    text
}

/// Makes the books of the quarter beside those of the office.
///
/// Where there are few passages, the first days alone have partitions and the others lie in the net:
/// planning over a hundred of them would be most of what the test costs.
pub(crate) async fn found(pool: &PgPool, drivers: &[Driver], passages: usize) {
    let last = if passages > FEW_PASSAGES { "2026-10-25" } else { "2026-07-05" };
    sqlx::query("select make_posting_days('2026-07-01', $1::date)")
        .bind(last)
        .execute(pool)
        .await
        .unwrap();
    let file: NetworkFile = toml::from_str(&network()).unwrap();
    registry::import_network(pool, &file).await.unwrap();
    for operator in &OPERATORS {
        let file: TariffFile = toml::from_str(&tariff(operator)).unwrap();
        clearing_house::tariff::import(pool, &Tariff::try_from(file).unwrap()).await.unwrap();
    }
    let founded: Timestamp = FOUNDED.parse().unwrap();
    for lane in &file.lanes {
        registry::enrol_lane(pool, &lane.id, key_of(&lane.id).public(), founded).await.unwrap();
        let journal = journal_of(&lane.id);
        registry::epoch_of_journal(pool, &lane.id, journal.as_bytes(), founded).await.unwrap();
    }
    let clock = Clock::of_run(Some(Clock::anchor(founded, 1.0)));
    let line = |driver: &Driver| {
        let vehicle = &driver.vehicle;
        serde_json::json!({
            "account": vehicle.account,
            "issuer": ISSUERS[driver.issuer],
            "state": "open",
            "top_up": {"reference": format!("open-{}", vehicle.account), "amount": BEGINS_WITH},
            "vehicles": [{"plate": vehicle.plate, "group": vehicle.group, "tag": vehicle.tag}],
        })
        .to_string()
    };
    let accounts = drivers.iter().map(line).collect::<Vec<_>>().join("\n");
    account::import(pool, accounts.as_bytes(), clock).await.unwrap();
    let contracts: ContractFile = toml::from_str(&contracts()).unwrap();
    import(pool, &contracts).await.unwrap();
}
