//! The figures of a day's statement, from the sheet of its passages: the same rows always give the
//! same figures, so that a statement can be made again and compared to the byte.

use std::collections::{BTreeMap, BTreeSet};

use clearing_house::sql::{day_from_sql, day_to_sql, from_sql};
use domain::{BusinessDate, IssuerId, LaneId, MoneyError, OperatorId, StationId, VehicleGroup};
use sqlx::types::time::{Date, OffsetDateTime};
use sqlx::{PgConnection, Row as _};

use super::repo::{number, parsed};
use super::sheet::{Journal, Line, Sheet, Shown};
use super::{SettlementError, stored_amount};
use crate::approval::accepted_holes;
use crate::matching::{Alike, Tally, Totals as Matched};
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
    sheet: &Sheet,
) -> Result<DayFigures> {
    let (issuers, cash) = tolls(sheet)?;
    Ok(DayFigures {
        issuers,
        cash,
        adjustments: adjustments(tx, operator, day).await?,
        traffic: traffic(sheet)?,
        dispositions: dispositions(sheet)?,
        lanes: lanes(sheet)?,
        tariffs: tariffs(sheet),
        holes: holes(tx, operator, day).await?,
        matching: matching(sheet)?,
    })
}

/// Passages and what they sum to in minor units.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    passages: u64,
    minor_units: i64,
}

impl Sum {
    fn add(&mut self, line: &Line) -> Result<()> {
        self.passages += line.passages()?;
        let sum = self.minor_units.checked_add(line.amount);
        self.minor_units = sum.ok_or(MoneyError::Overflow)?;
        Ok(())
    }
}

fn tolls(sheet: &Sheet) -> Result<(Vec<IssuerTolls>, Cash)> {
    let mut sums: BTreeMap<Option<&str>, Sum> = BTreeMap::new();
    for line in sheet.own().filter(|line| line.is_charged()) {
        sums.entry(line.issuer.as_deref()).or_default().add(line)?;
    }
    let mut cash = Cash::default();
    let mut issuers = Vec::new();
    for (issuer, Sum { passages, minor_units }) in sums {
        let amount = stored_amount(minor_units)?;
        match issuer {
            Some(issuer) => {
                let issuer: IssuerId = parsed("issuer", issuer)?;
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

fn traffic(sheet: &Sheet) -> Result<Vec<Traffic>> {
    let mut sums: BTreeMap<(&str, Option<i16>), Sum> = BTreeMap::new();
    for line in sheet.own().filter(|line| line.is_posted()) {
        sums.entry((line.station()?, line.vehicle_group)).or_default().add(line)?;
    }
    let group = |number: i16| {
        let group = u8::try_from(number).ok().and_then(|number| VehicleGroup::try_new(number).ok());
        group.ok_or(SettlementError::Stored { what: "group", text: number.to_string() })
    };
    let line = |((station, of_group), sum): ((&str, Option<i16>), Sum)| {
        Ok(Traffic {
            station: parsed::<StationId>("station", station)?,
            group: of_group.map(group).transpose()?,
            passages: sum.passages,
            amount: stored_amount(sum.minor_units)?,
        })
    };
    sums.into_iter().map(line).collect()
}

fn dispositions(sheet: &Sheet) -> Result<Vec<DispositionCount>> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for line in sheet.own() {
        let unnamed = || SettlementError::Stored { what: "disposition", text: String::new() };
        let disposition = line.disposition.as_deref().ok_or_else(unnamed)?;
        *counts.entry(disposition).or_default() += line.passages()?;
    }
    let count = |(disposition, passages): (&str, u64)| DispositionCount {
        disposition: disposition.to_owned(),
        passages,
    };
    Ok(counts.into_iter().map(count).collect())
}

fn lanes(sheet: &Sheet) -> Result<Vec<LaneSpan>> {
    // First and last number, and how many.
    let mut spans: BTreeMap<Journal<'_>, (u64, u64, u64)> = BTreeMap::new();
    for line in sheet.own() {
        let (first, last) = line.numbers()?;
        let span = spans.entry(line.journal()?).or_insert((u64::MAX, 0, 0));
        *span = (span.0.min(first), span.1.max(last), span.2 + line.passages()?);
    }
    let span = |((lane, epoch), (first_seq, last_seq, passages)): (Journal<'_>, _)| {
        Ok(LaneSpan {
            lane: parsed::<LaneId>("lane", lane)?,
            epoch: number("epoch", epoch.into())?,
            first_seq,
            last_seq,
            passages,
        })
    };
    spans.into_iter().map(span).collect()
}

fn tariffs(sheet: &Sheet) -> Vec<String> {
    let used: BTreeSet<&str> = sheet.own().filter_map(|line| line.tariff.as_deref()).collect();
    used.into_iter().map(str::to_owned).collect()
}

/// The ledger's charges (ours) against the fares the lanes wrote down (theirs).
fn matching(sheet: &Sheet) -> Result<Matched> {
    let mut totals = Matched::default();
    for line in sheet.own() {
        let sum = || -> Result<Tally> {
            Ok(Tally { records: line.passages()?, amount: stored_amount(line.amount)? })
        };
        match (line.is_charged(), line.is_paid_at_lane(), line.shown()) {
            // Counted below, where both amounts are known.
            (_, _, Shown::Other) | (false, false, _) | (false, true, Shown::Nothing) => {}
            (true, true, Shown::Same) => totals.count(Alike::Matched(sum()?))?,
            (true, false, Shown::Same) | (true, _, Shown::Nothing) => {
                totals.count(Alike::OnlyOurs(sum()?))?;
            }
            (false, true, Shown::Same) => totals.count(Alike::OnlyTheirs(sum()?))?,
        }
    }
    for one in &sheet.other_fares {
        let records: u64 = number("count", one.passages)?;
        let sum = |each: i64| {
            let sum = each.checked_mul(one.passages).ok_or(MoneyError::Overflow)?;
            stored_amount(sum)
        };
        let ours = one.is_charged.then(|| sum(one.amount)).transpose()?;
        let theirs = one.fare.filter(|_| one.is_paid_at_lane).map(sum).transpose()?;
        let alike = match (ours, theirs) {
            (Some(ours), Some(theirs)) if ours == theirs => {
                Alike::Matched(Tally { records, amount: ours })
            }
            (Some(ours), Some(theirs)) => Alike::AmountDiffers { records, ours, theirs },
            (Some(amount), None) => Alike::OnlyOurs(Tally { records, amount }),
            (None, Some(amount)) => Alike::OnlyTheirs(Tally { records, amount }),
            (None, None) => continue,
        };
        totals.count(alike)?;
    }
    Ok(totals)
}
