//! Whose a passage is: its vehicle, and who paid for that vehicle when the passage was made.

use std::collections::HashMap;

use domain::passage::{Decision, Passage};
use domain::{Plate, StationId, Timestamp};
use sqlx::{PgConnection, Row as _};

use super::examine::Genuine;
use super::post::{BooksError, failed};
use crate::account::owners::{Owned, Owners};
use crate::rating::{PassFacts, VehicleFacts};
use crate::sql::from_sql;

/// Vehicles by tag and by plate, through time.
#[derive(Default)]
pub(crate) struct Vehicles {
    owners: Owners,
    passes: HashMap<Plate, Vec<PassFacts>>,
}

impl Vehicles {
    /// The vehicle a passage is of, by what was known at an instant: the one its tag was on when it
    /// passed, or the one whose plate was typed.
    pub(crate) fn of(&self, passage: &Passage, known_at: Timestamp) -> Option<VehicleFacts> {
        let tag = passage.tag.as_ref();
        let by_tag = || tag.and_then(|tag| self.owners.by_tag(tag, passage.at, known_at));
        let plate = passage.plate.as_ref();
        let by_plate = || plate.and_then(|plate| self.owners.by_plate(plate, passage.at, known_at));
        let owned = match passage.decision {
            // Whoever typed the plate saw the vehicle; the tag may be another's.
            Decision::ChargedByPlate | Decision::OpenedByAttendant => by_plate().or_else(by_tag),
            Decision::OpenedByTag | Decision::TurnedAway | Decision::LeftUndecided => {
                by_tag().or_else(by_plate)
            }
        };
        owned.map(|owned| self.facts(owned))
    }

    fn facts(&self, owned: &Owned) -> VehicleFacts {
        VehicleFacts {
            plate: owned.plate.clone(),
            account: owned.account,
            issuer: owned.issuer.clone(),
            group: owned.group,
            exempt: owned.exempt,
            passes: self.passes.get(&owned.plate).cloned().unwrap_or_default(),
        }
    }
}

/// Reads what is known of the vehicles of these passages.
pub(crate) async fn vehicles(
    tx: &mut PgConnection,
    passages: &[&Genuine],
) -> Result<Vehicles, BooksError> {
    let of = || passages.iter().filter_map(|one| one.passage.as_ref());
    let tags: Vec<Vec<u8>> =
        of().filter_map(|passage| Some(passage.tag.as_ref()?.as_bytes().to_vec())).collect();
    let plates: Vec<String> =
        of().filter_map(|passage| passage.plate.clone()).map(String::from).collect();
    let owners = Owners::load(tx, &tags, &plates).await.map_err(failed("look up vehicles"))?;
    let known: Vec<&str> = owners.known_plates().map(Plate::as_str).collect();
    let rows = sqlx::query(
        "select plate, station, valid_from, valid_until from pass where plate = any($1)",
    )
    .bind(known)
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
    Ok(Vehicles { owners, passes })
}
