//! The figures of a day's statement, counted from charges and passages: the same rows always give
//! the same figures, so that a statement can be made again and compared to the byte.

use clearing_house::sql::{day_from_sql, day_to_sql, from_sql};
use domain::{BusinessDate, IssuerId, LaneId, OperatorId, StationId, VehicleGroup};
use sqlx::types::time::{Date, OffsetDateTime};
use sqlx::{PgConnection, Row as _};

use super::repo::{number, parsed};
use super::{SettlementError, stored_amount};
use crate::approval::accepted_holes;
use crate::matching::{Record, Totals as Matched, match_sides};
use crate::money::Signed;
use crate::statement::{
    Adjustment, Cash, CorrectedPassage, DayFigures, DispositionCount, Hole, IssuerTolls, LaneSpan,
    Traffic,
};

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
        adjustments: adjustments(tx, operator, day).await?,
        traffic: traffic(tx, operator, day).await?,
        dispositions: dispositions(tx, operator, day).await?,
        lanes: lanes(tx, operator, day).await?,
        tariffs: tariffs(tx, operator, day).await?,
        holes: holes(tx, operator, day).await?,
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

/// Corrections of earlier tolls, each with the passage it is about, which keeps its time.
async fn adjustments(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Vec<Adjustment>> {
    type Passage = (Option<String>, Option<i32>, Option<i32>);
    type Row = (i64, String, Option<String>, i64, Passage, Option<OffsetDateTime>, Option<Date>);
    let rows = sqlx::query(
        "select t.transfer, t.kind, coalesce(a.issuer, k.issuer),
                case when t.credit = k.ledger_account then t.amount else -t.amount end,
                e.lane, e.epoch, t.seq, p.at, p.day, t.reference
         from direct_transfer t
         join ledger_account k on k.ledger_account in (t.debit, t.credit)
                              and k.kind in ('payable', 'cash-toll') and k.operator = $1
         join ledger_account o on o.ledger_account = t.debit + t.credit - k.ledger_account
         left join account a on a.account = o.account
         left join posting p on p.journal_no = t.journal_no and p.seq = t.seq
         left join lane_epoch e on e.journal_no = t.journal_no
         where t.day = $2 and t.kind in ('reversal', 'repost', 'adjustment')
         order by t.transfer, k.ledger_account",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read the corrections"))?;
    rows.iter()
        .map(|row| {
            let (transfer, kind, issuer, units, passage, at, of_day): Row = (
                row.get(0),
                row.get(1),
                row.get(2),
                row.get(3),
                (row.get(4), row.get(5), row.get(6)),
                row.get(7),
                row.get(8),
            );
            let passage = match (passage, at, of_day) {
                ((Some(lane), Some(epoch), Some(seq)), Some(at), Some(of_day)) => {
                    Some(CorrectedPassage {
                        id: parsed("passage", &format!("{lane}:{epoch}:{seq}"))?,
                        at: from_sql(at),
                        day: day_from_sql(of_day),
                    })
                }
                _ => None,
            };
            Ok(Adjustment {
                transfer: number("transfer", transfer)?,
                kind,
                issuer: issuer.map(|issuer| parsed("issuer", &issuer)).transpose()?,
                amount: Signed::new(units),
                passage,
                reference: row.get(9),
            })
        })
        .collect()
}

/// The holes over which two people closed this very day.
async fn holes(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Vec<Hole>> {
    let accepted = accepted_holes(tx, operator).await?.into_iter();
    let of_the_day = accepted.filter(|accepted| accepted.window.day == day);
    Ok(of_the_day
        .map(|accepted| Hole {
            decision: accepted.decision,
            maker: accepted.maker,
            checker: accepted.checker,
        })
        .collect())
}

async fn traffic(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Vec<Traffic>> {
    let rows: Vec<(String, Option<i16>, i64, i64)> = sqlx::query_as(
        "select station, vehicle_group, count(*), sum(amount)::bigint
         from passage_v1
         where operator = $1 and day = $2 and disposition = 'posted'
         group by station, vehicle_group
         order by station collate \"C\", vehicle_group nulls first",
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
        "select lane, epoch, seq,
                case when disposition = 'posted' and payer <> 'nobody' then amount end,
                case when payment in ('account', 'cash') then fare end
         from passage_v1
         where operator = $1 and day = $2",
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
