//! `reconciliation confirm`: what the banks' statements show of payments.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use domain::{Amount, BusinessDate, Currency, IssuerId, Timestamp};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgPool;

use super::{Failure, say};
use crate::cases::{self, finding};
use crate::payment::{Booking, BookingKind, Confirmed, PaymentError, confirm, keep_unknown};
use crate::sides::Form;
use crate::sides::bank::{Statement, statement};
use crate::window::{Actor, Window};

/// Takes what banks booked of the payments.
#[derive(Debug, Args)]
pub struct Confirm {
    /// The file.
    file: PathBuf,
    /// Its form; a table has `end_to_end,kind,amount,booked_on,bank_reference`.
    #[arg(long, value_enum, default_value_t = FormName::Table)]
    form: FormName,
    /// Whose bank it is from: needed for a bank's statement, and to keep lines about payments that
    /// nobody ordered.
    #[arg(long, value_name = "ISSUER", required_if_eq_any = [("form", "camt053"), ("form", "mt940")])]
    issuer: Option<IssuerId>,
    /// The currency of the issuer's payments.
    #[arg(long, default_value_t = Currency::VND)]
    currency: Currency,
    /// As JSON, an object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormName {
    /// CSV.
    Table,
    /// A bank's statement, ISO 20022.
    Camt053,
    /// A bank's statement, SWIFT.
    Mt940,
}

/// A row of the table of bookings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    end_to_end: String,
    kind: Kind,
    amount: Amount,
    booked_on: BusinessDate,
    bank_reference: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Paid,
    Returned,
}

/// What became of a line.
struct Outcome {
    is_well: bool,
    words: String,
}

impl Confirm {
    /// Reads the whole file before anything is taken; says what became of each line.
    pub(crate) async fn run(&self, pool: &PgPool, now: Timestamp) -> Result<ExitCode, Failure> {
        let (lines, passed_over) = self.lines()?;
        let mut all_well = true;
        for (line, booking) in lines {
            let Outcome { is_well, words } = match take(pool, &booking, now).await {
                Err(PaymentError::Unknown(_)) if self.issuer.is_some() => {
                    self.keep(pool, &booking, now).await?
                }
                Err(error) => Outcome { is_well: false, words: format!("refused: {error}") },
                Ok(outcome) => outcome,
            };
            all_well &= is_well;
            let name = &booking.end_to_end;
            let object = json!({"line": line, "end_to_end": name, "outcome": words});
            let words = format!("{}:{line}: {name}: {words}", self.file.display());
            say(&if self.json { object.to_string() } else { words })?;
        }
        if passed_over > 0 {
            tracing::info!(
                lines = passed_over,
                "money that came in for something else is passed over"
            );
        }
        Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The bookings with their lines, and how many others there are.
    fn lines(&self) -> Result<(Vec<(u64, Booking)>, u64), Failure> {
        let form = match self.form {
            FormName::Table => return Ok((table(&self.file)?, 0)),
            FormName::Camt053 => Form::Camt053,
            FormName::Mt940 => Form::Mt940,
        };
        let Statement { bookings, others } = statement(form, &self.file, self.currency)?;
        Ok((bookings, others))
    }

    /// Keeps a line about a payment that nobody ordered, as a case.
    async fn keep(
        &self,
        pool: &PgPool,
        booking: &Booking,
        now: Timestamp,
    ) -> Result<Outcome, Failure> {
        let issuer = self.issuer.as_ref().ok_or("--issuer says whose bank it is")?;
        match keep_unknown(pool, issuer, booking, now).await {
            Ok(None) => Ok(Outcome { is_well: true, words: "kept before".to_owned() }),
            Ok(Some(kept)) => {
                let case = finding::of_unknown(&kept);
                let code = cases::open(pool, &case, &Actor::Program, now).await?;
                let words = format!("nobody ordered it: case {code}");
                Ok(Outcome { is_well: false, words })
            }
            Err(error) => Ok(Outcome { is_well: false, words: format!("refused: {error}") }),
        }
    }
}

fn table(file: &Path) -> Result<Vec<(u64, Booking)>, Failure> {
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(file)?;
    let rows: Vec<Row> = table
        .deserialize()
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let booking = |row: Row| {
        let Row { end_to_end, kind, amount, booked_on, bank_reference } = row;
        let kind = match kind {
            Kind::Paid => BookingKind::Paid,
            Kind::Returned => BookingKind::Returned,
        };
        Booking { end_to_end, kind, amount, booked_on, bank_reference }
    };
    Ok((2..).zip(rows.into_iter().map(booking)).collect())
}

/// Takes a booking, and opens the case of what it leaves wrong.
async fn take(pool: &PgPool, booking: &Booking, now: Timestamp) -> Result<Outcome, PaymentError> {
    let confirmed = confirm(pool, booking, now).await?;
    if let Some(found) = finding::of_payment(booking, &confirmed)
        && let Err(error) = cases::open(pool, &found, &Actor::Program, now).await
    {
        let words = format!("{}; its case could not be opened: {error}", words_of(&confirmed));
        return Ok(Outcome { is_well: false, words });
    }
    let is_well = matches!(confirmed, Confirmed::Before | Confirmed::Whole { .. });
    Ok(Outcome { is_well, words: words_of(&confirmed) })
}

fn words_of(confirmed: &Confirmed) -> String {
    let named =
        |windows: &[Window]| windows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match confirmed {
        Confirmed::Before => "taken before; nothing changed".to_owned(),
        Confirmed::Whole { matched } => format!("whole; matched now: {}", named(matched)),
        Confirmed::Short { owed, .. } => format!("short; {owed} still owed"),
        Confirmed::Over { beyond, .. } => format!("{beyond} too much; it is to come back"),
        Confirmed::Returned { windows } => {
            format!("came back; to be paid again: {}", named(windows))
        }
    }
}
