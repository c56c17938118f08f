//! Whose a passage is: vehicles by tag and plate, with what pays for them.

use std::collections::HashMap;

use domain::passage::{Decision, Passage};
use domain::{AccountId, IssuerId, Plate, StationId, VehicleGroup};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::super::examine::Genuine;
use super::super::post::{BooksError, failed};
use crate::rating::{PassFacts, VehicleFacts};
use crate::sql::from_sql;

/// Vehicles by tag and by plate.
#[derive(Default)]
pub(crate) struct Vehicles {
    by_plate: HashMap<Plate, VehicleFacts>,
    plate_of_tag: HashMap<Vec<u8>, Plate>,
    ledger_accounts: HashMap<AccountId, i64>,
}

impl Vehicles {
    /// The ledger account of a vehicle's account.
    pub(crate) fn ledger_account(&self, account: AccountId) -> Option<i64> {
        self.ledger_accounts.get(&account).copied()
    }

    /// The vehicle a passage is of: the one its tag is on, or the one whose plate was typed.
    pub(crate) fn of(&self, passage: &Passage) -> Option<&VehicleFacts> {
        let by_tag = passage.tag.as_ref().and_then(|tag| self.plate_of_tag.get(tag.as_bytes()));
        let by_plate = passage.plate.as_ref().filter(|plate| self.by_plate.contains_key(*plate));
        let plate = match passage.decision {
            // Whoever typed the plate saw the vehicle; the tag may be another's.
            Decision::ChargedByPlate | Decision::OpenedByAttendant => by_plate.or(by_tag),
            Decision::OpenedByTag | Decision::TurnedAway | Decision::LeftUndecided => {
                by_tag.or(by_plate)
            }
        };
        plate.and_then(|plate| self.by_plate.get(plate))
    }

    /// Every vehicle, for more facts to be added.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut VehicleFacts> {
        self.by_plate.values_mut()
    }
}

pub(crate) async fn vehicles(
    tx: &mut PgConnection,
    passages: &[&Genuine],
) -> Result<Vehicles, BooksError> {
    let read = |f: &dyn Fn(&Passage) -> Option<Vec<u8>>| -> Vec<Vec<u8>> {
        passages.iter().filter_map(|one| one.passage.as_ref().and_then(f)).collect()
    };
    let tags = read(&|passage| passage.tag.as_ref().map(|tag| tag.as_bytes().to_vec()));
    let plates: Vec<String> = passages
        .iter()
        .filter_map(|one| one.passage.as_ref()?.plate.clone().map(String::from))
        .collect();
    let rows = sqlx::query(
        "select v.plate, v.account, a.issuer, v.vehicle_group, v.exempt, t.tag, l.ledger_account \
         from vehicle v join account a using (account) join ledger_account l on l.account = a.account \
         left join tag t using (plate) \
         where t.tag = any($1) \
         union \
         select v.plate, v.account, a.issuer, v.vehicle_group, v.exempt, t.tag, l.ledger_account \
         from vehicle v join account a using (account) join ledger_account l on l.account = a.account \
         left join tag t using (plate) \
         where v.plate = any($2)",
    )
    .bind(tags)
    .bind(plates)
    .fetch_all(&mut *tx)
    .await
    .map_err(failed("look up vehicles"))?;
    let mut vehicles = Vehicles::default();
    for row in &rows {
        let Some(facts) = vehicle_from(row) else { continue };
        if let Some(tag) = row.get::<Option<Vec<u8>>, _>(5) {
            vehicles.plate_of_tag.insert(tag, facts.plate.clone());
        }
        vehicles.ledger_accounts.insert(facts.account, row.get(6));
        vehicles.by_plate.insert(facts.plate.clone(), facts);
    }
    let known: Vec<String> = vehicles.by_plate.keys().cloned().map(String::from).collect();
    let rows = sqlx::query(
        "select plate, station, valid_from, valid_until from pass where plate = any($1)",
    )
    .bind(known)
    .fetch_all(tx)
    .await
    .map_err(failed("look up passes"))?;
    for row in &rows {
        let (Ok(plate), Ok(station)) = (Plate::try_new(row.get(0)), StationId::try_new(row.get(1)))
        else {
            continue;
        };
        if let Some(vehicle) = vehicles.by_plate.get_mut(&plate) {
            vehicle.passes.push(PassFacts {
                station,
                valid_from: from_sql(row.get(2)),
                valid_until: from_sql(row.get(3)),
            });
        }
    }
    Ok(vehicles)
}

fn vehicle_from(row: &PgRow) -> Option<VehicleFacts> {
    Some(VehicleFacts {
        plate: Plate::try_new(row.get(0)).ok()?,
        account: AccountId::new(row.get(1)),
        issuer: IssuerId::try_new(row.get(2)).ok()?,
        group: VehicleGroup::try_new(u8::try_from(row.get::<i16, _>(3)).ok()?).ok()?,
        exempt: row.get(4),
        passes: Vec::new(),
        entitlements: Vec::new(),
    })
}
