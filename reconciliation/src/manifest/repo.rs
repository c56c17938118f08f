//! The SQL of manifests.

use std::collections::BTreeMap;

use clearing_house::sql::day_to_sql;
use domain::LaneId;
use sqlx::PgExecutor;

use super::Manifest;
use crate::settlement::SettlementError;
use crate::settlement::repo::{number, parsed};
use crate::window::Window;

/// What the books have of an operator's day, a manifest for each lane and epoch.
///
/// # Errors
/// When the database fails.
pub async fn of_day(
    executor: impl PgExecutor<'_>,
    window: &Window,
) -> Result<Vec<Manifest>, SettlementError> {
    type Row = (String, i32, Option<i16>, String, i64, i64, i64, i64, String);
    let rows: Vec<Row> = sqlx::query_as(
        "select e.lane, e.epoch, m.vehicle_group, m.disposition, min(p.seq)::bigint, max(p.seq)::bigint,
                count(*), sum(p.amount)::bigint,
                (array_agg(replace(p.digest::text, '-', '') order by p.seq desc))[1]
         from posting p
         join operator o using (operator_no)
         join lane_epoch e using (journal_no)
         join manner m using (manner)
         where o.operator = $1 and p.day = $2
         group by e.lane, e.epoch, m.vehicle_group, m.disposition
         order by e.lane collate \"C\", e.epoch, max(p.seq)",
    )
    .bind(window.operator.as_str())
    .bind(day_to_sql(window.day))
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("count what each lane wrote"))?;
    let mut manifests: BTreeMap<(LaneId, u32), Manifest> = BTreeMap::new();
    for (lane, epoch, group, disposition, first, last, passages, amount, head) in rows {
        let (lane, epoch) = (parsed::<LaneId>("lane", &lane)?, number("epoch", epoch.into())?);
        let one = manifests.entry((lane.clone(), epoch)).or_insert_with(|| Manifest {
            lane,
            epoch,
            first_seq: u64::MAX,
            last_seq: 0,
            passages: 0,
            amount: Some(0),
            head: None,
            groups: BTreeMap::new(),
            dispositions: BTreeMap::new(),
        });
        let passages: u64 = number("count", passages)?;
        one.first_seq = one.first_seq.min(number("sequence", first)?);
        // Rows come in the order of their last numbers, so the last of them has the head.
        one.last_seq = number("sequence", last)?;
        one.head = Some(head);
        one.passages += passages;
        one.amount = one.amount.and_then(|sum| sum.checked_add(amount));
        let group = group.map_or_else(|| "-".to_owned(), |group| group.to_string());
        *one.groups.entry(group).or_default() += passages;
        *one.dispositions.entry(disposition).or_default() += passages;
    }
    Ok(manifests.into_values().collect())
}
