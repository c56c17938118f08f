//! The figures of a day's statement, counted from charges and passages: the same rows always give
//! the same figures, so that a statement can be made again and compared to the byte.

use clearing_house::sql::day_to_sql;
use domain::{BusinessDate, IssuerId, LaneId, OperatorId, StationId, VehicleGroup};
use sqlx::PgConnection;

use super::repo::{number, parsed};
use super::{SettlementError, stored_amount};
use crate::matching::{Record, Totals as Matched, match_sides};
use crate::statement::{Cash, DayFigures, DispositionCount, IssuerTolls, LaneSpan, Traffic};

type Result<T> = std::result::Result<T, SettlementError>;

/// What the books say of the day; the same rows always give the same figures.
pub(crate) async fn figures(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<DayFigures> {
    let (issuers, cash) = tolls(tx, operator, day).await?;
    Ok(DayFigures {
        issuers,
        cash,
        traffic: traffic(tx, operator, day).await?,
        dispositions: dispositions(tx, operator, day).await?,
        lanes: lanes(tx, operator, day).await?,
        tariffs: tariffs(tx, operator, day).await?,
        matching: matching(tx, operator, day).await?,
    })
}

async fn tolls(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<(Vec<IssuerTolls>, Cash)> {
    let rows: Vec<(Option<String>, i64, i64)> = sqlx::query_as(
        "select a.issuer, count(*), sum(c.amount)::bigint
         from charge c
         left join account a using (account)
         where c.operator = $1 and c.day = $2 and c.disposition = 'posted' and c.payer <> 'nobody'
         group by a.issuer
         order by a.issuer collate \"C\"",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("count the tolls"))?;
    let mut cash = Cash::default();
    let mut issuers = Vec::new();
    for (issuer, passages, units) in rows {
        let (passages, amount) = (number("count", passages)?, stored_amount(units)?);
        match issuer {
            Some(issuer) => {
                let issuer: IssuerId = parsed("issuer", &issuer)?;
                issuers.push(IssuerTolls { issuer, passages, gross: amount });
            }
            None => cash = Cash { passages, amount },
        }
    }
    Ok((issuers, cash))
}

async fn traffic(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Vec<Traffic>> {
    let rows: Vec<(String, Option<i16>, i64, i64)> = sqlx::query_as(
        "select l.station, p.vehicle_group, count(*), sum(c.amount)::bigint
         from charge c
         join passage p using (lane, epoch, seq)
         join lane l using (lane)
         where c.operator = $1 and c.day = $2 and c.disposition = 'posted'
         group by l.station, p.vehicle_group
         order by l.station collate \"C\", p.vehicle_group nulls first",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("count the traffic"))?;
    let group = |number: i16| {
        let group = u8::try_from(number).ok().and_then(|number| VehicleGroup::try_new(number).ok());
        group.ok_or(SettlementError::Stored { what: "group", text: number.to_string() })
    };
    let line = |(station, of_group, passages, units): (String, Option<i16>, _, _)| {
        Ok(Traffic {
            station: parsed::<StationId>("station", &station)?,
            group: of_group.map(group).transpose()?,
            passages: number("count", passages)?,
            amount: stored_amount(units)?,
        })
    };
    rows.into_iter().map(line).collect()
}

async fn dispositions(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Vec<DispositionCount>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select disposition, count(*) from charge where operator = $1 and day = $2
         group by disposition order by disposition collate \"C\"",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("count the dispositions"))?;
    let count = |(disposition, passages)| {
        Ok(DispositionCount { disposition, passages: number("count", passages)? })
    };
    rows.into_iter().map(count).collect()
}

async fn lanes(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Vec<LaneSpan>> {
    let rows: Vec<(String, i32, i64, i64, i64)> = sqlx::query_as(
        "select lane, epoch, min(seq), max(seq), count(*) from charge
         where operator = $1 and day = $2
         group by lane, epoch order by lane collate \"C\", epoch",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("find each lane's numbers"))?;
    let span = |(lane, epoch, first, last, passages): (String, i32, _, _, _)| {
        Ok(LaneSpan {
            lane: parsed::<LaneId>("lane", &lane)?,
            epoch: number("epoch", epoch.into())?,
            first_seq: number("sequence", first)?,
            last_seq: number("sequence", last)?,
            passages: number("count", passages)?,
        })
    };
    rows.into_iter().map(span).collect()
}

async fn tariffs(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Vec<String>> {
    sqlx::query_scalar(
        "select tariff from charge where operator = $1 and day = $2 and tariff is not null
         group by tariff order by tariff collate \"C\"",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("find the tariffs used"))
}

/// The ledger's charges (ours) against the fares the lanes wrote down (theirs).
async fn matching(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Matched> {
    type Row = (String, i32, i64, Option<i64>, Option<i64>);
    let rows: Vec<Row> = sqlx::query_as(
        "select c.lane, c.epoch, c.seq,
                case when c.disposition = 'posted' and c.payer <> 'nobody' then c.amount end,
                case when p.payment in ('account', 'cash') then p.fare end
         from charge c
         join passage p using (lane, epoch, seq)
         where c.operator = $1 and c.day = $2",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read both sides of the day"))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for (lane, epoch, seq, charged, shown) in &rows {
        let key = (lane.as_str(), *epoch, *seq);
        for (side, units) in [(&mut ours, charged), (&mut theirs, shown)] {
            if let Some(units) = units {
                side.push(Record { key, amount: stored_amount(*units)? });
            }
        }
    }
    Ok(match_sides(ours, theirs)?.totals)
}
