//! The file that contracts are brought in by: TOML, unknown keys refused, in one transaction.

use std::collections::BTreeMap;

use clearing_house::sql::day_to_sql;
use domain::{Amount, BusinessDate, IssuerId, OperatorId, Rounding};
use rust_decimal::Decimal;
use serde::Deserialize;
use sqlx::{PgConnection, PgPool};

use crate::calendar::{Deadlines, OnHoliday};
use crate::settlement::SettlementError;

/// Contracts, bank calendars and bank accounts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContractFile {
    /// Bank calendars, by name; each replaces what was known of it.
    pub bank_calendar: BTreeMap<String, BankCalendarPart>,
    /// Contracts.
    pub contract: Vec<ContractPart>,
    /// Where operators are paid and issuers pay from.
    pub bank_account: Vec<BankAccountPart>,
}

/// When banks do not move money.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankCalendarPart {
    /// Days of the week, 1 is Monday.
    pub weekend: Vec<i8>,
    /// Holidays: ISO date and name.
    #[serde(default)]
    pub holidays: BTreeMap<String, String>,
}

/// An issuer's terms with an operator from a day on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractPart {
    /// Who is owed.
    pub operator: OperatorId,
    /// Who owes.
    pub issuer: IssuerId,
    /// The first day they hold for.
    pub valid_from: BusinessDate,
    /// The share of the base that the issuer keeps, such as `"0.025"`.
    pub fee_share: Decimal,
    /// For each passage, in the smallest unit.
    #[serde(default)]
    pub fee_per_passage: Amount,
    /// The share of the fee that is tax on it, such as `"0.08"`.
    #[serde(default)]
    pub vat_share: Decimal,
    /// `half-up` or `down`.
    #[serde(default = "super::half_up")]
    pub rounding: Rounding,
    /// Whose bank holidays count.
    pub bank_calendar: String,
    /// How many hours after the day's end the money is there.
    #[serde(default = "pay_within_h")]
    pub pay_within_h: u16,
    /// `next-bank-day` or `no-matter`.
    #[serde(default = "no_matter")]
    pub on_holiday: OnHoliday,
    /// By which day of the next month a month is agreed.
    #[serde(default = "month_by_day")]
    pub month_by_day: i8,
    /// Within how many days after its end a year is agreed.
    #[serde(default = "year_within_d")]
    pub year_within_d: u16,
    /// How many hours before a deadline it is near.
    #[serde(default = "warn_h")]
    pub warn_h: u16,
}

fn pay_within_h() -> u16 {
    Deadlines::default().pay_within_h
}
const fn no_matter() -> OnHoliday {
    OnHoliday::NoMatter
}
fn month_by_day() -> i8 {
    Deadlines::default().month_by_day
}
fn year_within_d() -> u16 {
    Deadlines::default().year_within_d
}
fn warn_h() -> u16 {
    Deadlines::default().warn_h
}

/// Where an operator is paid or an issuer pays from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankAccountPart {
    /// `operator/NAME` or `issuer/NAME`.
    pub of: String,
    /// From when on.
    pub valid_from: BusinessDate,
    /// In whose name.
    pub holder: String,
    /// Its number: capital letters and digits.
    pub number: String,
    /// The bank's BIC.
    pub bic: String,
}

/// Why contracts were not taken; then none of the file was.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The terms would change what is stated.
    #[error(
        "the contract of {operator} with {issuer} from {valid_from}: {operator} has closed {last}; \
         terms hold from a day that is open"
    )]
    Closed {
        /// The operator.
        operator: OperatorId,
        /// The issuer.
        issuer: IssuerId,
        /// The first day.
        valid_from: BusinessDate,
        /// The last day that is closed.
        last: String,
    },
    /// A value is not one.
    #[error("{place}: {problem}")]
    Value {
        /// Which part of the file.
        place: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The database refused it.
    #[error("write {place}")]
    Write {
        /// Which part of the file.
        place: String,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// The books failed.
    #[error(transparent)]
    Books(#[from] SettlementError),
}

/// Brings a file in, whole or not at all. What is there already, word for word, is passed over.
///
/// # Errors
/// When a value is none, a day it would change is closed, or other terms hold from the same day.
pub async fn import(pool: &PgPool, file: &ContractFile) -> Result<(), ContractError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to import"))?;
    for (name, calendar) in &file.bank_calendar {
        import_calendar(&mut tx, name, calendar).await?;
    }
    for contract in &file.contract {
        import_contract(&mut tx, contract).await?;
    }
    for account in &file.bank_account {
        import_bank_account(&mut tx, account).await?;
    }
    tx.commit().await.map_err(SettlementError::database("commit the contracts"))?;
    Ok(())
}

async fn import_calendar(
    tx: &mut PgConnection,
    name: &str,
    calendar: &BankCalendarPart,
) -> Result<(), ContractError> {
    let place = || format!("bank_calendar.{name}");
    let write = |source| ContractError::Write { place: place(), source };
    for sql in [
        "delete from bank_weekend where calendar = $1",
        "delete from bank_calendar where calendar = $1",
    ] {
        sqlx::query(sql).bind(name).execute(&mut *tx).await.map_err(write)?;
    }
    for weekday in &calendar.weekend {
        sqlx::query("insert into bank_weekend (calendar, weekday) values ($1, $2)")
            .bind(name)
            .bind(i32::from(*weekday))
            .execute(&mut *tx)
            .await
            .map_err(write)?;
    }
    for (day, holiday) in &calendar.holidays {
        let day: BusinessDate = day.parse().map_err(|error: domain::time::TimeError| {
            ContractError::Value { place: place(), problem: error.to_string() }
        })?;
        sqlx::query("insert into bank_calendar (calendar, day, name) values ($1, $2, $3)")
            .bind(name)
            .bind(day_to_sql(day))
            .bind(holiday)
            .execute(&mut *tx)
            .await
            .map_err(write)?;
    }
    Ok(())
}

async fn import_contract(
    tx: &mut PgConnection,
    contract: &ContractPart,
) -> Result<(), ContractError> {
    let ContractPart { operator, issuer, valid_from, .. } = contract;
    let place = format!("contract of {operator} with {issuer} from {valid_from}");
    let write = |source| ContractError::Write { place: place.clone(), source };
    let on_holiday = match contract.on_holiday {
        OnHoliday::NextBankDay => "next-bank-day",
        OnHoliday::NoMatter => "no-matter",
    };
    let rounding = match contract.rounding {
        Rounding::HalfUp => "half-up",
        Rounding::Down => "down",
    };
    // There already, word for word?
    let fresh: bool = sqlx::query_scalar(
        "select not exists (select from contract where operator = $1 and issuer = $2 and valid_from = $3
             and fee_share = $4 and fee_per_passage = $5 and vat_share = $6 and rounding = $7
             and calendar = $8 and pay_within_h = $9 and on_holiday = $10 and month_by_day = $11
             and year_within_d = $12 and warn_h = $13)",
    )
    .bind(operator.as_str())
    .bind(issuer.as_str())
    .bind(day_to_sql(*valid_from))
    .bind(contract.fee_share)
    .bind(contract.fee_per_passage.minor_units())
    .bind(contract.vat_share)
    .bind(rounding)
    .bind(&contract.bank_calendar)
    .bind(i32::from(contract.pay_within_h))
    .bind(on_holiday)
    .bind(i32::from(contract.month_by_day))
    .bind(i32::from(contract.year_within_d))
    .bind(i32::from(contract.warn_h))
    .fetch_one(&mut *tx)
    .await
    .map_err(write)?;
    if !fresh {
        return Ok(());
    }
    refuse_closed(tx, contract).await?;
    sqlx::query(
        "insert into contract (operator, issuer, valid_from, fee_share, fee_per_passage, vat_share,
                               rounding, calendar, pay_within_h, on_holiday, month_by_day,
                               year_within_d, warn_h)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(operator.as_str())
    .bind(issuer.as_str())
    .bind(day_to_sql(*valid_from))
    .bind(contract.fee_share)
    .bind(contract.fee_per_passage.minor_units())
    .bind(contract.vat_share)
    .bind(rounding)
    .bind(&contract.bank_calendar)
    .bind(i32::from(contract.pay_within_h))
    .bind(on_holiday)
    .bind(i32::from(contract.month_by_day))
    .bind(i32::from(contract.year_within_d))
    .bind(i32::from(contract.warn_h))
    .execute(tx)
    .await
    .map_err(|source| ContractError::Write { place, source })?;
    Ok(())
}

async fn refuse_closed(
    tx: &mut PgConnection,
    contract: &ContractPart,
) -> Result<(), ContractError> {
    let ContractPart { operator, issuer, valid_from, .. } = contract;
    let last: Option<String> = sqlx::query_scalar(
        "select max(day)::text from settlement_day
         where operator = $1 and day >= $2 and state = 'closed'",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(*valid_from))
    .fetch_one(tx)
    .await
    .map_err(SettlementError::database("look for closed days"))?;
    last.map_or(Ok(()), |last| {
        let (operator, issuer) = (operator.clone(), issuer.clone());
        Err(ContractError::Closed { operator, issuer, valid_from: *valid_from, last })
    })
}

async fn import_bank_account(
    tx: &mut PgConnection,
    account: &BankAccountPart,
) -> Result<(), ContractError> {
    let place = format!("bank_account of {}", account.of);
    let parts = account.of.split_once('/');
    let Some((kind @ ("operator" | "issuer"), party)) = parts else {
        let problem = "of is operator/NAME or issuer/NAME".to_owned();
        return Err(ContractError::Value { place, problem });
    };
    sqlx::query(
        "insert into bank_account (party_kind, party, valid_from, holder, number, bic)
         select $1, $2, $3, $4, $5, $6
         where not exists (select from bank_account where party_kind = $1 and party = $2 and valid_from = $3
                           and holder = $4 and number = $5 and bic = $6)",
    )
    .bind(kind)
    .bind(party)
    .bind(day_to_sql(account.valid_from))
    .bind(&account.holder)
    .bind(&account.number)
    .bind(&account.bic)
    .execute(tx)
    .await
    .map_err(|source| ContractError::Write { place, source })?;
    Ok(())
}
