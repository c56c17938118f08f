//! What rating needs from the books beside vehicle and entry, and what it leaves there: the
//! entitlements of vehicles, what their days have cost, and what charges consist of. Nothing here
//! is asked for where no operator's tariff has such a rule.

use std::collections::{BTreeMap, HashMap};

use domain::passage::Passage;
use domain::tariff::{For, Parts, Tariff, TariffBook, TripCase};
use domain::{Amount, BusinessDate, OperatorId, PassageId, Plate, StationId, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::{Basis, DayBasis, Entitlement, Rating, VehicleFacts};
use crate::sql::{day_from_sql, day_to_sql, from_sql};

/// Adds the entitlements of these vehicles.
pub(crate) async fn entitle(
    tx: &mut PgConnection,
    tariffs: &TariffBook,
    vehicles: impl Iterator<Item = &mut VehicleFacts>,
) -> Result<(), sqlx::Error> {
    let is_asked_for =
        |tariff: &Tariff| tariff.discounts.iter().any(|one| one.whom == For::Entitled);
    if !tariffs.versions().any(is_asked_for) {
        return Ok(());
    }
    let mut by_plate: HashMap<String, Vec<&mut VehicleFacts>> = HashMap::new();
    for vehicle in vehicles {
        by_plate.entry(vehicle.plate.as_str().to_owned()).or_default().push(vehicle);
    }
    let rows = sqlx::query(
        "select plate, operator, discount, valid_from, valid_until from entitlement \
         where plate = any($1) order by entitlement",
    )
    .bind(by_plate.keys().cloned().collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    for row in &rows {
        let Ok(operator) = OperatorId::try_new(row.get(1)) else { continue };
        for vehicle in by_plate.get_mut(row.get::<&str, _>(0)).into_iter().flatten() {
            vehicle.entitlements.push(Entitlement {
                operator: operator.clone(),
                discount: row.get(2),
                valid_from: from_sql(row.get(3)),
                valid_until: from_sql(row.get(4)),
            });
        }
    }
    Ok(())
}

/// An operator's day of a vehicle, in the zone of the operator's tariff.
type Day = (OperatorId, BusinessDate, Plate);

/// What the days of vehicles have cost so far, held so that no other worker adds to them.
#[derive(Debug, Default)]
pub(crate) struct DaysSpent(BTreeMap<Day, DaySpent>);

#[derive(Debug, Clone, Copy)]
struct DaySpent {
    id: i64,
    charged: Amount,
    added: Amount,
}

/// The day of a passage, where its operator's tariff caps days.
fn day_of(tariffs: &TariffBook, passage: &Passage, vehicle: &VehicleFacts) -> Option<Day> {
    let operator = passage.id.lane.operator();
    let tariff = tariffs.in_force(operator, passage.at).ok()?;
    tariff.day_cap(vehicle.group)?;
    let date = passage.at.to_zoned(tariff.zone.clone()).date();
    Some((operator.clone(), BusinessDate::new(date), vehicle.plate.clone()))
}

impl DaysSpent {
    /// Holds the days of these passages. Sorted, so that two workers never wait for each other.
    pub(crate) async fn hold<'a>(
        tx: &mut PgConnection,
        tariffs: &TariffBook,
        passages: impl Iterator<Item = (&'a Passage, &'a VehicleFacts)>,
    ) -> Result<Self, sqlx::Error> {
        let wanted: std::collections::BTreeSet<Day> =
            passages.filter_map(|(passage, vehicle)| day_of(tariffs, passage, vehicle)).collect();
        if wanted.is_empty() {
            return Ok(Self::default());
        }
        let operators: Vec<&str> = wanted.iter().map(|(operator, ..)| operator.as_str()).collect();
        let days: Vec<_> = wanted.iter().map(|(_, day, _)| day_to_sql(*day)).collect();
        let plates: Vec<&str> = wanted.iter().map(|(.., plate)| plate.as_str()).collect();
        sqlx::query(
            "insert into day_spent (operator, day, plate) \
             select * from unnest($1::text[], $2::date[], $3::text[]) on conflict do nothing",
        )
        .bind(&operators)
        .bind(&days)
        .bind(&plates)
        .execute(&mut *tx)
        .await?;
        let rows = sqlx::query(
            "select s.operator, s.day, s.plate, s.day_spent, s.charged from day_spent s \
             join unnest($1::text[], $2::date[], $3::text[]) as w (operator, day, plate) \
                 using (operator, day, plate) \
             order by s.operator, s.day, s.plate for update of s",
        )
        .bind(operators)
        .bind(days)
        .bind(plates)
        .fetch_all(tx)
        .await?;
        let day = |row: &PgRow| {
            let operator = OperatorId::try_new(row.get(0)).ok()?;
            let plate = Plate::try_new(row.get(2)).ok()?;
            let charged = Amount::try_new(row.get(4)).ok()?;
            let spent = DaySpent { id: row.get(3), charged, added: Amount::ZERO };
            Some(((operator, day_from_sql(row.get(1)), plate), spent))
        };
        Ok(Self(rows.iter().filter_map(day).collect()))
    }

    /// A passage's rating after everything that its vehicle was charged on that day before.
    pub(crate) fn settle(
        &mut self,
        tariffs: &TariffBook,
        passage: &Passage,
        vehicle: Option<&VehicleFacts>,
        rating: Rating,
    ) -> Rating {
        let Rating::Charged(charge) = rating else { return rating };
        let capped = charge.basis.day.is_some();
        let day = vehicle.filter(|_| capped).and_then(|one| day_of(tariffs, passage, one));
        let Some(spent) = day.and_then(|day| self.0.get_mut(&day)) else {
            return Rating::Charged(charge);
        };
        let mut charge = charge.under_day_cap(spent.charged);
        if let Some(day) = &mut charge.basis.day {
            day.spent = Some(spent.id);
        }
        // A sum that is over its cap has no room for more, so this cannot overflow.
        spent.charged = spent.charged.plus(charge.amount).unwrap_or(spent.charged);
        spent.added = spent.added.plus(charge.amount).unwrap_or(spent.added);
        Rating::Charged(charge)
    }

    /// Writes down what the days have cost now.
    pub(crate) async fn store(self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        let changed: Vec<&DaySpent> = self.0.values().filter(|day| !day.added.is_zero()).collect();
        if changed.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update day_spent s set charged = u.charged \
             from unnest($1::int8[], $2::int8[]) as u (day_spent, charged) \
             where s.day_spent = u.day_spent",
        )
        .bind(changed.iter().map(|day| day.id).collect::<Vec<_>>())
        .bind(changed.iter().map(|day| day.charged.minor_units()).collect::<Vec<_>>())
        .execute(tx)
        .await?;
        Ok(())
    }
}

fn lanes(ids: &[&PassageId]) -> (Vec<String>, Vec<i32>, Vec<i64>) {
    let epoch = |id: &PassageId| i32::try_from(id.epoch).unwrap_or(i32::MAX);
    let seq = |id: &PassageId| i64::try_from(id.seq.get()).unwrap_or(i64::MAX);
    (
        ids.iter().map(|id| id.lane.to_string()).collect(),
        ids.iter().map(|id| epoch(id)).collect(),
        ids.iter().map(|id| seq(id)).collect(),
    )
}

/// A passage id from the columns lane, epoch and seq, which come first.
pub(crate) fn id_from(row: &PgRow) -> Option<PassageId> {
    let lane = row.get::<&str, _>(0).parse().ok()?;
    let epoch = u32::try_from(row.get::<i32, _>(1)).ok()?;
    let seq = u64::try_from(row.get::<i64, _>(2)).ok()?.try_into().ok()?;
    Some(PassageId { lane, epoch, seq })
}

/// Stores what charges consist of, where amount and reason do not say it already.
pub(crate) async fn store(
    tx: &mut PgConnection,
    bases: impl Iterator<Item = (&PassageId, &Basis)>,
) -> Result<(), sqlx::Error> {
    let rows: Vec<(&PassageId, &Basis)> = bases.filter(|(_, basis)| !basis.is_plain()).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<&PassageId> = rows.iter().map(|(id, _)| *id).collect();
    let (lanes, epochs, seqs) = lanes(&ids);
    let amounts = |part: &dyn Fn(&Parts) -> Amount| -> Vec<i64> {
        rows.iter().map(|(_, basis)| part(&basis.parts).minor_units()).collect()
    };
    let day = |part: &dyn Fn(&DayBasis) -> Option<i64>| -> Vec<Option<i64>> {
        rows.iter().map(|(_, basis)| basis.day.as_ref().and_then(part)).collect()
    };
    // Names have no commas, so a list of them goes as one text.
    let cases =
        |basis: &Basis| basis.cases.iter().map(|one| one.name()).collect::<Vec<_>>().join(",");
    let missed =
        |basis: &Basis| basis.missed.iter().map(StationId::as_str).collect::<Vec<_>>().join(",");
    sqlx::query(
        "insert into charge_basis (lane, epoch, seq, operator, gross, discount, discount_name, \
             over_trip_cap, over_day_cap, day_cap, day_before, day_spent, cases, missed) \
         select lane, epoch, seq, operator, gross, discount, discount_name, over_trip_cap, \
             over_day_cap, day_cap, day_before, day_spent, string_to_array(cases, ','), \
             string_to_array(missed, ',') \
         from unnest($1::text[], $2::int4[], $3::int8[], $4::text[], $5::int8[], $6::int8[], \
             $7::text[], $8::int8[], $9::int8[], $10::int8[], $11::int8[], $12::int8[], \
             $13::text[], $14::text[]) \
             as u (lane, epoch, seq, operator, gross, discount, discount_name, over_trip_cap, \
                   over_day_cap, day_cap, day_before, day_spent, cases, missed)",
    )
    .bind(lanes)
    .bind(epochs)
    .bind(seqs)
    .bind(ids.iter().map(|id| id.lane.operator().as_str()).collect::<Vec<_>>())
    .bind(amounts(&|parts| parts.gross))
    .bind(amounts(&|parts| parts.discount))
    .bind(rows.iter().map(|(_, basis)| basis.discount.clone()).collect::<Vec<_>>())
    .bind(amounts(&|parts| parts.over_trip_cap))
    .bind(amounts(&|parts| parts.over_day_cap))
    .bind(day(&|day| Some(day.cap.minor_units())))
    .bind(day(&|day| Some(day.before.minor_units())))
    .bind(day(&|day| day.spent))
    .bind(rows.iter().map(|(_, basis)| cases(basis)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, basis)| missed(basis)).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// What the charges of these passages consist of, where that is stored.
pub(crate) async fn stored(
    tx: &mut PgConnection,
    ids: &[&PassageId],
) -> Result<HashMap<PassageId, Basis>, sqlx::Error> {
    let (lanes, epochs, seqs) = lanes(ids);
    let rows = sqlx::query(
        "select lane, epoch, seq, gross, discount, discount_name, over_trip_cap, over_day_cap, \
                day_cap, day_before, day_spent, cases, missed from charge_basis \
         join unnest($1::text[], $2::int4[], $3::int8[]) as w (lane, epoch, seq) \
             using (lane, epoch, seq)",
    )
    .bind(lanes)
    .bind(epochs)
    .bind(seqs)
    .fetch_all(tx)
    .await?;
    Ok(rows.iter().filter_map(basis_from).collect())
}

fn basis_from(row: &PgRow) -> Option<(PassageId, Basis)> {
    let amount = |index: usize| Amount::try_new(row.get(index)).ok();
    let some = |index: usize| row.get::<Option<i64>, _>(index).map(Amount::try_new)?.ok();
    let parts = Parts {
        gross: amount(3)?,
        discount: amount(4)?,
        over_trip_cap: amount(6)?,
        over_day_cap: amount(7)?,
    };
    let case = |name: String| TripCase::ALL.into_iter().find(|case| case.name() == name);
    let basis = Basis {
        parts,
        discount: row.get(5),
        cases: row.get::<Vec<String>, _>(11).into_iter().filter_map(case).collect(),
        missed: row
            .get::<Vec<String>, _>(12)
            .iter()
            .filter_map(|name| StationId::try_new(name).ok())
            .collect(),
        day: some(8).zip(some(9)).map(|(cap, before)| DayBasis { cap, before, spent: row.get(10) }),
    };
    Some((id_from(row)?, basis))
}

/// When these passages were, as their lanes say.
pub(crate) async fn instants(
    tx: &mut PgConnection,
    ids: &[&PassageId],
) -> Result<HashMap<PassageId, Timestamp>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let (lanes, epochs, seqs) = lanes(ids);
    let rows = sqlx::query(
        "select lane, epoch, seq, at from passage_v1 \
         join unnest($1::text[], $2::int4[], $3::int8[]) as w (lane, epoch, seq) \
             using (lane, epoch, seq) where at is not null",
    )
    .bind(lanes)
    .bind(epochs)
    .bind(seqs)
    .fetch_all(tx)
    .await?;
    Ok(rows.iter().filter_map(|row| Some((id_from(row)?, from_sql(row.get(3))))).collect())
}
