//! Simulate: what passages that have been would have cost by another version.
//!
//! Each stored passage that was charged, or had no fare, is rated again by `rate`, with the same
//! facts, as if the other version had been in force all the time. A vehicle's day is capped in the
//! order in which its passages were. What clocks were not trusted then is not known any more: the
//! rules about time are applied to every trip. Nothing is written.

use std::collections::{BTreeMap, HashMap};

use domain::passage::{Attendance, ClockQuality, LaneRole, Passage, Payment, Reason};
use domain::signature::{Digest256, Signature};
use domain::tariff::{Tariff, TariffBook};
use domain::wire::v1::{DecisionRecord, Disposition, PaymentRecord, RoleRecord};
use domain::{Amount, BusinessDate, PassageId, Plate, StationId, TagId, Timestamp, VehicleGroup};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row as _};

use crate::intake::{BooksError, Genuine, facts};
use crate::rating::{self, Charge, EntryFacts, EntryFinding, Rating, VehicleFacts, rate};
use crate::sql::{from_sql, to_sql};

/// Passages looked at in one go.
const PAGE: &str = "fetch 2000 from simulated";

/// Why a version could not be tried out.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The database failed.
    #[error("read the passages")]
    Database(#[from] sqlx::Error),
    /// The facts of passages could not be read.
    #[error("read the facts of passages")]
    Facts(#[from] BooksError),
}

/// What the passages of one station and group came to, and would come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Difference {
    /// How many there are.
    pub passages: u64,
    /// What they were charged, in minor units.
    pub before: i64,
    /// What they would be charged, in minor units.
    pub after: i64,
    /// How many had no fare.
    pub unrated_before: u64,
    /// How many would have none.
    pub unrated_after: u64,
}

impl Difference {
    pub(super) fn add(&mut self, other: Self) {
        self.passages += other.passages;
        self.before += other.before;
        self.after += other.after;
        self.unrated_before += other.unrated_before;
        self.unrated_after += other.unrated_after;
    }

    /// By how much the operator would have had more, in minor units.
    #[must_use]
    pub const fn more(&self) -> i64 {
        self.after - self.before
    }
}

/// Differences by station and group; group 0 is of vehicles whose group nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Simulation(pub BTreeMap<(StationId, u8), Difference>);

impl Simulation {
    /// The sum of all.
    #[must_use]
    pub fn total(&self) -> Difference {
        let mut total = Difference::default();
        self.0.values().for_each(|one| total.add(*one));
        total
    }
}

/// A passage of the books, as far as rating asks.
struct Stored {
    passage: Passage,
    entry: Option<PassageId>,
    amount: i64,
    rated: bool,
}

/// Rates what an operator's lanes wrote from one instant until another by a version.
///
/// # Errors
/// When the books cannot be read.
pub async fn simulate(
    pool: &PgPool,
    under: &Tariff,
    from: Timestamp,
    until: Timestamp,
) -> Result<Simulation, SimulationError> {
    let mut always = under.clone();
    (always.valid_from, always.valid_until) = (Timestamp::MIN, None);
    let mut tariffs = TariffBook::default();
    tariffs.insert(always);
    let mut tx = pool.begin().await?;
    sqlx::query("set transaction isolation level repeatable read, read only")
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "declare simulated no scroll cursor for \
         select lane, epoch, seq, at, role, tag, plate, vehicle_group, decision, reason, payment, \
                entry, amount, disposition from passage_v1 \
         where operator = $1 and at >= $2 and at < $3 and role in ('open', 'exit') \
             and disposition in ('posted', 'not-on-file') order by at, lane, epoch, seq",
    )
    .bind(under.operator.as_str())
    .bind(to_sql(from))
    .bind(to_sql(until))
    .execute(&mut *tx)
    .await?;
    let mut simulation = Simulation::default();
    let mut days = Days::default();
    loop {
        let rows = sqlx::query(PAGE).fetch_all(&mut *tx).await?;
        if rows.is_empty() {
            return Ok(simulation);
        }
        let stored: Vec<Stored> = rows.iter().filter_map(stored_from).collect();
        page(&mut tx, &tariffs, stored, &mut days, &mut simulation).await?;
    }
}

async fn page(
    tx: &mut PgConnection,
    tariffs: &TariffBook,
    stored: Vec<Stored>,
    days: &mut Days,
    simulation: &mut Simulation,
) -> Result<(), SimulationError> {
    let genuine: Vec<Genuine> = stored.iter().map(|one| unsigned(&one.passage)).collect();
    let mut vehicles =
        facts::vehicles(tx, &genuine.iter().map(|one| (one, Timestamp::MAX)).collect::<Vec<_>>())
            .await?;
    rating::facts::entitle(tx, tariffs, vehicles.all_mut()).await?;
    let entries: Vec<&PassageId> = stored.iter().filter_map(|one| one.entry.as_ref()).collect();
    let entered = rating::facts::instants(tx, &entries).await?;
    for one in &stored {
        let vehicle = vehicles.of(&one.passage);
        let entry = match &one.entry {
            _ if one.passage.role == LaneRole::Open => EntryFinding::NotNeeded,
            Some(id) => EntryFinding::Found(EntryFacts {
                station: id.lane.station().clone(),
                at: entered.get(id).copied().unwrap_or(one.passage.at),
                passage: id.clone(),
            }),
            None => EntryFinding::Missing,
        };
        let Rating::Charged(charge) = rate(&one.passage, vehicle, entry, tariffs, one.passage.at)
        else {
            continue;
        };
        let charge = match vehicle {
            Some(vehicle) => days.settle(tariffs, &one.passage, vehicle, charge),
            None => charge,
        };
        let group = vehicle.map(|vehicle| vehicle.group).or(one.passage.group);
        let key = (one.passage.id.lane.station().clone(), group.map_or(0, VehicleGroup::number));
        simulation.0.entry(key).or_default().add(Difference {
            passages: 1,
            before: one.amount,
            after: charge.amount.minor_units(),
            unrated_before: u64::from(!one.rated),
            unrated_after: u64::from(charge.disposition == Disposition::NotOnFile),
        });
    }
    Ok(())
}

/// What vehicles' days would have cost so far.
#[derive(Default)]
struct Days(HashMap<(BusinessDate, Plate), Amount>);

impl Days {
    fn settle(
        &mut self,
        tariffs: &TariffBook,
        passage: &Passage,
        vehicle: &VehicleFacts,
        charge: Charge,
    ) -> Charge {
        let tariff = tariffs.in_force(passage.id.lane.operator(), passage.at);
        let (Ok(tariff), true) = (tariff, charge.basis.day.is_some()) else { return charge };
        let day = BusinessDate::new(passage.at.to_zoned(tariff.zone.clone()).date());
        let before = self.0.entry((day, vehicle.plate.clone())).or_default();
        let charge = charge.under_day_cap(*before);
        *before = before.plus(charge.amount).unwrap_or(*before);
        charge
    }
}

/// A passage in the form in which facts are asked for. Nobody looks at digest and signature.
fn unsigned(passage: &Passage) -> Genuine {
    Genuine {
        id: passage.id.clone(),
        content_hash: Digest256::default(),
        signature: Signature::try_from_slice(&[0; 64]).expect("a signature has 64 bytes"),
        passage: Some(Box::new(passage.clone())),
        index: 0,
    }
}

/// A value of the wire by its name there.
fn named<T: DeserializeOwned>(row: &PgRow, column: usize) -> Option<T> {
    let name: String = row.get::<Option<String>, _>(column)?;
    serde_json::from_value(serde_json::Value::String(name)).ok()
}

fn stored_from(row: &PgRow) -> Option<Stored> {
    let tag = row.get::<Option<&str>, _>(5).and_then(|hex| hex.parse::<TagId>().ok());
    let plate = row.get::<Option<&str>, _>(6).and_then(|text| Plate::try_new(text).ok());
    let group = row.get::<Option<i16>, _>(7).and_then(|number| u8::try_from(number).ok());
    // Of the reasons only these bear on the price.
    let reason = row.get::<Option<&str>, _>(9);
    let on_duty = matches!(reason, Some("priority-vehicle" | "convoy"));
    let passage = Passage {
        id: rating::facts::id_from(row)?,
        role: named::<RoleRecord>(row, 4)?.into(),
        at: from_sql(row.get(3)),
        clock: ClockQuality::Synchronised,
        uptime_ns: 0,
        boot: String::new(),
        tag,
        plate,
        group: group.and_then(|number| VehicleGroup::try_new(number).ok()),
        list_version: 0,
        status_seen: None,
        tariff: None,
        entry: None,
        exception: None,
        decision: named::<DecisionRecord>(row, 8)?.into(),
        attendance: on_duty
            .then(|| Attendance::of(String::new(), String::new(), Reason::PriorityVehicle)),
        fare: None,
        payment: named::<PaymentRecord>(row, 10).map_or(Payment::Nothing, Payment::from),
        previous: Digest256::default(),
    };
    Some(Stored {
        passage,
        entry: row.get::<Option<&str>, _>(11).and_then(|id| id.parse().ok()),
        amount: row.get::<Option<i64>, _>(12)?,
        rated: row.get::<Option<&str>, _>(13) == Some("posted"),
    })
}
