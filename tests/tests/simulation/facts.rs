//! What never changes from seed to seed: the network, fares, vehicles and keys of the tests' office.
//!
//! It is the very world of [`tests::office`], so that what a seed came to can be posted again into
//! a real database.

use std::collections::HashMap;
use std::sync::OnceLock;

use clearing_house::config::{ListPolicy, load};
use clearing_house::rating::{PassFacts, VehicleFacts};
use clearing_house::registry::Registry;
use domain::passage::LaneRole;
use domain::signature::SecretKey;
use domain::tariff::{Tariff, TariffBook, TariffFile};
use domain::time::SettlementCalendar;
use domain::{AccountId, IssuerId, LaneId, OperatorId, Plate, TagId, Timestamp};
use tests::lane::{key_of, vehicle};
use tests::office::{BEGINS_WITH, EXEMPT, POOR, WITH_PASS, centre_key};
use tests::programs::repository;

/// The lanes: two of an open station, the entry and the exit of a road.
const LANES: [(&str, LaneRole); 4] = [
    ("cienco4/ben-thuy/l01", LaneRole::Open),
    ("cienco4/ben-thuy/l02", LaneRole::Open),
    ("vec/mai-son/e01", LaneRole::Entry),
    ("vec/nghi-son/x01", LaneRole::Exit),
];
/// The road of the entry and the exit.
pub(crate) const ROAD: &str = "bac-nam";
/// Where it is entered.
pub(crate) const ENTRY: usize = 2;
/// Where it is left.
pub(crate) const EXIT: usize = 3;

/// A quarter of an hour before a settlement day ends in Viet Nam.
const BEGINS: &str = "2026-03-02T16:45:00Z";
/// When keys began.
const FOUNDED: &str = "2026-02-01T00:00:00Z";

/// What the centre tells lanes of balances here: few passages cross these thresholds.
pub(crate) const POLICY: ListPolicy =
    ListPolicy { no_money_below: BEGINS_WITH - 230_000, low_below: BEGINS_WITH - 90_000 };

/// A lane.
#[derive(Debug)]
pub(crate) struct LaneFacts {
    pub id: LaneId,
    pub role: LaneRole,
    pub key: SecretKey,
}

/// A vehicle with its account.
#[derive(Debug)]
pub(crate) struct Known {
    pub facts: VehicleFacts,
    pub tag: TagId,
    pub opens_with: i64,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Facts {
    pub begins: Timestamp,
    /// When every key, link and pass began.
    pub founded: Timestamp,
    pub lanes: Vec<LaneFacts>,
    pub registry: Registry,
    pub tariffs: TariffBook,
    pub vehicles: Vec<Known>,
    pub centre: SecretKey,
    /// A key that nobody enrolled.
    pub stranger: SecretKey,
    calendar: SettlementCalendar,
    by_tag: HashMap<TagId, usize>,
    by_plate: HashMap<Plate, usize>,
}

impl Facts {
    /// The one there is.
    pub(crate) fn all() -> &'static Self {
        static FACTS: OnceLock<Facts> = OnceLock::new();
        FACTS.get_or_init(Self::read)
    }

    fn read() -> Self {
        let founded: Timestamp = FOUNDED.parse().unwrap();
        let calendar = SettlementCalendar::try_new("Asia/Ho_Chi_Minh", "00:00").unwrap();
        let lane = |(path, role): (&str, LaneRole)| {
            let id: LaneId = path.parse().unwrap();
            LaneFacts { key: key_of(&id), id, role }
        };
        let lanes: Vec<LaneFacts> = LANES.map(lane).into();
        let mut tariffs = TariffBook::default();
        for name in ["ben-thuy", "bac-nam"] {
            let path = repository(&format!("deploy/viet-nam/tariff-{name}.toml"));
            let file: TariffFile = load(&path).unwrap();
            tariffs.insert(Tariff::try_from(file).unwrap());
        }
        let mut registry = Registry::of_tariffs(tariffs.clone());
        for operator in ["cienco4", "vec"] {
            registry.add_operator(OperatorId::try_new(operator).unwrap(), calendar.clone());
        }
        for lane in &lanes {
            registry.add_key(lane.id.clone(), lane.key.public(), founded);
        }
        for lane in [&lanes[ENTRY], &lanes[EXIT]] {
            let (operator, station) = (lane.id.operator().clone(), lane.id.station().clone());
            registry.add_road(operator, station, ROAD);
        }
        let vehicles: Vec<Known> = (1..=EXEMPT).map(known).collect();
        let indexed = || vehicles.iter().enumerate();
        Self {
            begins: BEGINS.parse().unwrap(),
            founded,
            by_tag: indexed().map(|(at, known)| (known.tag.clone(), at)).collect(),
            by_plate: indexed().map(|(at, known)| (known.facts.plate.clone(), at)).collect(),
            lanes,
            registry,
            tariffs,
            vehicles,
            centre: centre_key(),
            stranger: SecretKey::from_seed(&[13; 32]),
            calendar,
        }
    }

    /// The vehicle that a tag is on.
    pub(crate) fn of_tag(&self, tag: &TagId) -> Option<&Known> {
        self.by_tag.get(tag).map(|at| &self.vehicles[*at])
    }

    /// The vehicle with a plate.
    pub(crate) fn of_plate(&self, plate: &Plate) -> Option<&Known> {
        self.by_plate.get(plate).map(|at| &self.vehicles[*at])
    }

    /// The number of a lane.
    pub(crate) fn lane_no(&self, id: &LaneId) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.id == *id)
    }

    /// The settlement day of an instant, with every operator.
    pub(crate) fn day_of(&self, at: Timestamp) -> domain::BusinessDate {
        self.calendar.day_of(at)
    }
}

/// A vehicle as the office opens its account.
fn known(number: u8) -> Known {
    let is_even = number.is_multiple_of(2);
    let vehicle = vehicle(number);
    let pass = PassFacts {
        station: "ben-thuy".parse().unwrap(),
        valid_from: FOUNDED.parse().unwrap(),
        valid_until: "2026-04-01T00:00:00Z".parse().unwrap(),
    };
    Known {
        facts: VehicleFacts {
            plate: vehicle.plate,
            account: AccountId::new(vehicle.account),
            issuer: IssuerId::try_new(if is_even { "vdtc" } else { "vetc" }).unwrap(),
            group: vehicle.group,
            exempt: number == EXEMPT,
            passes: if number == WITH_PASS { vec![pass] } else { Vec::new() },
            entitlements: Vec::new(),
        },
        tag: vehicle.tag,
        opens_with: if number == POOR { 40_000 } else { BEGINS_WITH },
    }
}
