//! The SQL of cases.

use clearing_house::sql::{day_from_sql, day_to_sql, from_sql, to_sql};
use domain::{Amount, BusinessDate, IssuerId, OperatorId, Timestamp};
use sqlx::types::time::{Date, OffsetDateTime};
use sqlx::{PgConnection, PgExecutor};

use super::{Event, Finding};
use crate::approval::Person;
use crate::settlement::repo::parsed;
use crate::settlement::{SettlementError, stored_amount};
use crate::window::Actor;

type Result<T> = std::result::Result<T, SettlementError>;

pub(super) async fn open(
    tx: &mut PgConnection,
    finding: &Finding,
    actor: &Actor,
    at: Timestamp,
    due_at: Timestamp,
) -> Result<String> {
    let made: Option<String> = sqlx::query_scalar(
        "insert into settlement_case (code, kind, operator, day, subject, ours, theirs, amount, opened_at,
                                      opened_by, due_at)
         values ('C-' || extract(year from $8::timestamptz) || '-'
                     || lpad(nextval('settlement_case_number')::text, 6, '0'),
                 $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict on constraint one_case_for_each do nothing returning code",
    )
    .bind(finding.kind.name())
    .bind(finding.operator.as_str())
    .bind(day_to_sql(finding.day))
    .bind(&finding.subject)
    .bind(&finding.ours)
    .bind(&finding.theirs)
    .bind(finding.amount.minor_units())
    .bind(to_sql(at))
    .bind(actor.to_string())
    .bind(to_sql(due_at))
    .fetch_optional(&mut *tx)
    .await
    .map_err(SettlementError::database("open a case"))?;
    if let Some(code) = made {
        return Ok(code);
    }
    sqlx::query_scalar(
        "select code from settlement_case where kind = $1 and operator = $2 and subject = $3",
    )
    .bind(finding.kind.name())
    .bind(finding.operator.as_str())
    .bind(&finding.subject)
    .fetch_one(tx)
    .await
    .map_err(SettlementError::database("find a case"))
}

/// How far a case is.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) settled: bool,
    /// The outcome that is proposed, and by whom: whatever is noted after it takes it back.
    pub(super) proposed: Option<(String, Person)>,
}

/// Holds a case, so that two who settle it take turns.
pub(super) async fn standing(tx: &mut PgConnection, code: &str) -> Result<Option<Standing>> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('case ' || $1, 0))")
        .bind(code)
        .execute(&mut *tx)
        .await
        .map_err(SettlementError::database("hold a case"))?;
    let row: Option<(bool, Option<String>, Option<String>)> = sqlx::query_as(
        "select exists (select from settlement_case_event s where s.code = c.code and s.state = 'settled'),
                case p.state when 'proposed' then p.outcome end, p.maker
         from settlement_case c
         left join lateral (select state, outcome, maker from settlement_case_event e
                            where e.code = c.code order by place desc limit 1) p on true
         where c.code = $1",
    )
    .bind(code)
    .fetch_optional(tx)
    .await
    .map_err(SettlementError::database("read a case"))?;
    row.map(|(settled, outcome, maker)| {
        let proposed = outcome
            .zip(maker)
            .map(|(outcome, maker)| Ok::<_, SettlementError>((outcome, parsed("person", &maker)?)));
        Ok(Standing { settled, proposed: proposed.transpose()? })
    })
    .transpose()
}

pub(super) async fn add(
    tx: &mut PgConnection,
    code: &str,
    event: &Event<'_>,
    actor: &Person,
    at: Timestamp,
) -> Result<()> {
    sqlx::query(
        "insert into settlement_case_event (code, place, state, at, actor, owner, note, outcome, maker)
         select $1, coalesce(max(place), 0) + 1, $2, $3, $4, $5, $6, $7, $8
         from settlement_case_event where code = $1",
    )
    .bind(code)
    .bind(event.state)
    .bind(to_sql(at))
    .bind(actor.as_str())
    .bind(event.owner.map(Person::as_str))
    .bind(event.note)
    .bind(event.outcome)
    .bind(event.maker.map(Person::as_str))
    .execute(tx)
    .await
    .map_err(SettlementError::database("add to a case"))?;
    Ok(())
}

/// Whose settlement a case touches, and what it is about.
pub(super) async fn about(tx: &mut PgConnection, code: &str) -> Result<(OperatorId, String)> {
    let (operator, subject): (String, String) =
        sqlx::query_as("select operator, subject from settlement_case where code = $1")
            .bind(code)
            .fetch_one(tx)
            .await
            .map_err(SettlementError::database("read what a case is about"))?;
    Ok((parsed("operator", &operator)?, subject))
}

/// Who holds an account, if there is one.
pub(super) async fn issuer_of(tx: &mut PgConnection, account: i64) -> Result<Option<IssuerId>> {
    let issuer: Option<String> =
        sqlx::query_scalar("select issuer from account where account = $1")
            .bind(account)
            .fetch_optional(tx)
            .await
            .map_err(SettlementError::database("read who holds an account"))?;
    issuer.map(|issuer| parsed("issuer", &issuer)).transpose()
}

/// Sees to it that a day is there, so that whoever closes it and whoever posts into it take turns.
pub(crate) async fn make_day(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<()> {
    sqlx::query(
        "insert into settlement_day (operator, day) values ($1, $2) on conflict do nothing",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .execute(tx)
    .await
    .map_err(SettlementError::database("open a settlement day"))?;
    Ok(())
}

/// A case as it stands, with both sides' records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its code.
    pub code: String,
    /// Its kind, by name.
    pub kind: String,
    /// Whose settlement.
    pub operator: OperatorId,
    /// Of which day.
    pub day: BusinessDate,
    /// What it is about.
    pub subject: String,
    /// Our record.
    pub ours: Option<String>,
    /// Theirs.
    pub theirs: Option<String>,
    /// How much money hangs on it.
    pub amount: Amount,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// By when it is due.
    pub due_at: Timestamp,
    /// `open`, `proposed` or `settled`.
    pub state: String,
    /// Who sees to it.
    pub owner: Option<String>,
    /// The outcome, proposed or settled.
    pub outcome: Option<String>,
}

/// The cases that are not settled, or all, the soonest due first.
///
/// # Errors
/// When the database fails.
pub async fn cases(executor: impl PgExecutor<'_>, all: bool) -> Result<Vec<Case>> {
    let rows = sqlx::query(
        "select code, kind, operator, day, subject, ours, theirs, amount, opened_at, due_at, state, owner,
                outcome
         from settlement_case_v1 where $1 or state <> 'settled' order by due_at, code",
    )
    .bind(all)
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("read the cases"))?;
    rows.iter()
        .map(|row| {
            use sqlx::Row as _;
            Ok(Case {
                code: row.get(0),
                kind: row.get(1),
                operator: parsed("operator", row.get(2))?,
                day: day_from_sql(row.get::<Date, _>(3)),
                subject: row.get(4),
                ours: row.get(5),
                theirs: row.get(6),
                amount: stored_amount(row.get(7))?,
                opened_at: from_sql(row.get::<OffsetDateTime, _>(8)),
                due_at: from_sql(row.get::<OffsetDateTime, _>(9)),
                state: row.get(10),
                owner: row.get(11),
                outcome: row.get(12),
            })
        })
        .collect()
}

/// A case's history, a line an event: when, who, what became of it, what was said.
///
/// # Errors
/// When the database fails.
pub async fn history(
    executor: impl PgExecutor<'_>,
    code: &str,
) -> Result<Vec<(Timestamp, String, String, String)>> {
    let rows: Vec<(OffsetDateTime, String, String, String)> = sqlx::query_as(
        "select at, actor, state, note from settlement_case_event where code = $1 order by place",
    )
    .bind(code)
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("read a case's history"))?;
    let line = |(at, actor, state, note)| (from_sql(at), actor, state, note);
    Ok(rows.into_iter().map(line).collect())
}
