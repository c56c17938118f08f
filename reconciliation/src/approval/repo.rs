//! The SQL of proposals and approvals.

use clearing_house::sql::{day_to_sql, from_sql, to_sql};
use domain::{OperatorId, Timestamp};
use sqlx::PgConnection;
use sqlx::types::time::OffsetDateTime;

use super::{HoleDecision, Person};
use crate::settlement::SettlementError;
use crate::settlement::repo::parsed;
use crate::window::Window;

type Result<T> = std::result::Result<T, SettlementError>;

/// What is proposed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Settlement,
    IncompleteDay,
    Month,
    Year,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Settlement => "settlement",
            Self::IncompleteDay => "incomplete-day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// A proposal that is kept.
#[derive(Debug)]
pub(super) struct Known {
    number: i64,
    pub(super) maker: Person,
    pub(super) proposed_at: Timestamp,
    pub(super) approved: Option<(Person, Timestamp)>,
}

pub(super) async fn proposal(
    tx: &mut PgConnection,
    kind: Kind,
    window: &Window,
    content: &str,
) -> Result<Option<Known>> {
    type Row = (i64, String, OffsetDateTime, Option<String>, Option<OffsetDateTime>);
    let row: Option<Row> = sqlx::query_as(
        "select p.proposal, p.proposed_by, p.proposed_at, a.approved_by, a.approved_at
         from proposal p left join approval a using (proposal)
         where p.kind = $1 and p.operator = $2 and p.day = $3
           and p.digest = sha256(convert_to($4, 'UTF8'))",
    )
    .bind(kind.name())
    .bind(window.operator.as_str())
    .bind(day_to_sql(window.day))
    .bind(content)
    .fetch_optional(tx)
    .await
    .map_err(SettlementError::database("read a proposal"))?;
    row.map(|(number, maker, proposed_at, checker, approved_at)| {
        Ok(Known {
            number,
            maker: parsed("person", &maker)?,
            proposed_at: from_sql(proposed_at),
            approved: checker
                .zip(approved_at)
                .map(|(checker, at)| {
                    Ok::<_, SettlementError>((parsed("person", &checker)?, from_sql(at)))
                })
                .transpose()?,
        })
    })
    .transpose()
}

pub(super) async fn propose(
    tx: &mut PgConnection,
    kind: Kind,
    window: &Window,
    content: &str,
    who: &Person,
    at: Timestamp,
) -> Result<()> {
    sqlx::query(
        "insert into proposal (kind, operator, day, content, digest, proposed_by, proposed_at)
         values ($1, $2, $3, $4, sha256(convert_to($4, 'UTF8')), $5, $6)",
    )
    .bind(kind.name())
    .bind(window.operator.as_str())
    .bind(day_to_sql(window.day))
    .bind(content)
    .bind(who.as_str())
    .bind(to_sql(at))
    .execute(tx)
    .await
    .map_err(SettlementError::database("propose"))?;
    Ok(())
}

pub(super) async fn approve(
    tx: &mut PgConnection,
    known: &Known,
    who: &Person,
    at: Timestamp,
) -> Result<()> {
    sqlx::query(
        "insert into approval (proposal, proposed_by, approved_by, approved_at)
         values ($1, $2, $3, $4)",
    )
    .bind(known.number)
    .bind(known.maker.as_str())
    .bind(who.as_str())
    .bind(to_sql(at))
    .execute(tx)
    .await
    .map_err(SettlementError::database("approve"))?;
    Ok(())
}

/// A hole that two people accepted, with the window in which they did.
#[derive(Debug, Clone)]
pub(crate) struct AcceptedHole {
    pub(crate) window: Window,
    pub(crate) decision: HoleDecision,
    pub(crate) maker: Person,
    pub(crate) checker: Person,
}

/// Every hole in the operator's lanes that two people accepted, in the order of the days.
pub(crate) async fn accepted_holes(
    tx: &mut PgConnection,
    operator: &OperatorId,
) -> Result<Vec<AcceptedHole>> {
    let rows: Vec<(sqlx::types::time::Date, String, String, String)> = sqlx::query_as(
        "select p.day, p.content, p.proposed_by, a.approved_by
         from proposal p join approval a using (proposal)
         where p.kind = $1 and p.operator = $2
         order by p.day, p.proposal",
    )
    .bind(Kind::IncompleteDay.name())
    .bind(operator.as_str())
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read the accepted holes"))?;
    rows.into_iter()
        .map(|(day, content, maker, checker)| {
            Ok(AcceptedHole {
                window: Window::new(operator.clone(), clearing_house::sql::day_from_sql(day)),
                decision: serde_json::from_str(&content)?,
                maker: parsed("person", &maker)?,
                checker: parsed("person", &checker)?,
            })
        })
        .collect()
}
