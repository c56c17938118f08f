//! Whose passages are: the vehicle by tag or plate as it was at the time, with what pays for it.

use std::collections::HashMap;

use domain::passage::{Decision, Passage};
use domain::{AccountId, PassageId, Plate, StationId, Timestamp};
use sqlx::{PgConnection, Row as _};

use super::super::examine::Genuine;
use super::super::post::{BooksError, failed};
use crate::account::owners::{Owned, Owners};
use crate::rating::{PassFacts, VehicleFacts};
use crate::sql::from_sql;

/// The vehicles of some passages.
#[derive(Debug, Default)]
pub(crate) struct Vehicles {
    of_passages: HashMap<PassageId, VehicleFacts>,
    ledger_accounts: HashMap<AccountId, i64>,
}

impl Vehicles {
    /// The ledger account of a vehicle's account.
    pub(crate) fn ledger_account(&self, account: AccountId) -> Option<i64> {
        self.ledger_accounts.get(&account).copied()
    }

    /// The vehicle a passage is of: the one its tag was on, or the one whose plate was typed.
    pub(crate) fn of(&self, passage: &Passage) -> Option<&VehicleFacts> {
        self.of_passages.get(&passage.id)
    }

    /// The vehicles of all passages, for more facts to be added; one vehicle may be there more
    /// than once.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut VehicleFacts> {
        self.of_passages.values_mut()
    }
}

/// Finds out whose passages are, each by what is known at an instant.
pub(crate) async fn vehicles(
    tx: &mut PgConnection,
    passages: &[(&Genuine, Timestamp)],
) -> Result<Vehicles, BooksError> {
    let readable =
        || passages.iter().filter_map(|(one, known_at)| Some((one.passage.as_ref()?, *known_at)));
    let tags: Vec<Vec<u8>> =
        readable().filter_map(|(one, _)| Some(one.tag.as_ref()?.as_bytes().to_vec())).collect();
    let plates: Vec<String> =
        readable().filter_map(|(one, _)| Some(one.plate.as_ref()?.as_str().to_owned())).collect();
    let owners =
        Owners::load(&mut *tx, &tags, &plates).await.map_err(failed("look up vehicles"))?;
    let mut vehicles = Vehicles::default();
    for (passage, known_at) in readable() {
        if let Some(owned) = owner(&owners, passage, known_at) {
            vehicles.of_passages.insert(passage.id.clone(), facts(owned));
        }
    }
    vehicles.ledger_accounts = ledger_accounts(&mut *tx, &vehicles).await?;
    add_passes(tx, &mut vehicles).await?;
    Ok(vehicles)
}

fn owner<'a>(owners: &'a Owners, passage: &Passage, known_at: Timestamp) -> Option<&'a Owned> {
    let by_tag = || owners.by_tag(passage.tag.as_ref()?, passage.at, known_at);
    let by_plate = || owners.by_plate(passage.plate.as_ref()?, passage.at, known_at);
    match passage.decision {
        // Whoever typed the plate saw the vehicle; the tag may be another's.
        Decision::ChargedByPlate | Decision::OpenedByAttendant => by_plate().or_else(by_tag),
        Decision::OpenedByTag | Decision::TurnedAway | Decision::LeftUndecided => {
            by_tag().or_else(by_plate)
        }
    }
}

fn facts(owned: &Owned) -> VehicleFacts {
    VehicleFacts {
        plate: owned.plate.clone(),
        account: owned.account,
        issuer: owned.issuer.clone(),
        group: owned.group,
        exempt: owned.exempt,
        passes: Vec::new(),
        entitlements: Vec::new(),
    }
}

async fn ledger_accounts(
    tx: &mut PgConnection,
    vehicles: &Vehicles,
) -> Result<HashMap<AccountId, i64>, BooksError> {
    let mut accounts: Vec<i64> =
        vehicles.of_passages.values().map(|vehicle| vehicle.account.as_i64()).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let rows =
        sqlx::query("select account, ledger_account from ledger_account where account = any($1)")
            .bind(accounts)
            .fetch_all(tx)
            .await
            .map_err(failed("look up ledger accounts"))?;
    Ok(rows.iter().map(|row| (AccountId::new(row.get(0)), row.get(1))).collect())
}

async fn add_passes(tx: &mut PgConnection, vehicles: &mut Vehicles) -> Result<(), BooksError> {
    let mut plates: Vec<&str> =
        vehicles.of_passages.values().map(|vehicle| vehicle.plate.as_str()).collect();
    plates.sort_unstable();
    plates.dedup();
    let rows = sqlx::query(
        "select plate, station, valid_from, valid_until from pass where plate = any($1)",
    )
    .bind(plates)
    .fetch_all(tx)
    .await
    .map_err(failed("look up passes"))?;
    let mut passes: HashMap<Plate, Vec<PassFacts>> = HashMap::new();
    for row in &rows {
        let (Ok(plate), Ok(station)) = (Plate::try_new(row.get(0)), StationId::try_new(row.get(1)))
        else {
            continue;
        };
        passes.entry(plate).or_default().push(PassFacts {
            station,
            valid_from: from_sql(row.get(2)),
            valid_until: from_sql(row.get(3)),
        });
    }
    for vehicle in vehicles.all_mut() {
        if let Some(passes) = passes.get(&vehicle.plate) {
            vehicle.passes.clone_from(passes);
        }
    }
    Ok(())
}
