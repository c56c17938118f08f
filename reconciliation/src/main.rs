//! `reconciliation`: closes days, shows statements, proves both.

mod match_command;

use std::error::Error;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clearing_house::config::load;
use clearing_house::rights;
use clearing_house::sql::connect;
use domain::{BusinessDate, Clock, OperatorId};
use reconciliation::config::Config;
use reconciliation::partner;
use reconciliation::report::report;
use reconciliation::schema;
use reconciliation::settlement::{DayClose, Outcome, Today, close_through};
use reconciliation::statement::filed::{self, Form};
use reconciliation::statement::repo::{paper, papers_through};
use reconciliation::verify::verify;
use sqlx::PgPool;

/// Closes settlement days and proves them.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file.
    #[arg(long, default_value = "reconciliation.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Brings the tables up to date; those of the clearing house must be there already.
    Migrate,
    /// Closes every open day of every operator, the oldest first.
    Close(Close),
    /// Matches two parties' records and says what became of every row.
    Match(Box<match_command::Match>),
    /// Prints every day and what it came to.
    Report {
        /// As one JSON object, which is the only form there is.
        #[arg(long, required = true)]
        json: bool,
    },
    /// Prints the statement of a closed day.
    Statement(Show),
    /// Files that partners send us, and we them.
    #[command(subcommand)]
    Partner(partner::command::Command),
    /// Proves every closed day from the stored rows; fails when something is broken.
    Verify {
        /// As one JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Close {
    /// The last day to close.
    #[arg(long, value_name = "YYYY-MM-DD")]
    through: BusinessDate,
    /// Why days are closed that are not over.
    #[arg(long, value_name = "REASON", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    early: Option<String>,
}

#[derive(Debug, Args)]
struct Show {
    /// The operator.
    #[arg(long)]
    operator: OperatorId,
    /// The settlement day.
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: BusinessDate,
    /// In which form.
    #[arg(long, value_enum, default_value_t = FormName::Text)]
    format: FormName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormName {
    Text,
    Csv,
    Json,
}

impl From<FormName> for Form {
    fn from(name: FormName) -> Self {
        match name {
            FormName::Text => Self::Text,
            FormName::Csv => Self::Csv,
            FormName::Json => Self::Json,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_unset| tracing_subscriber::EnvFilter::new("info,sqlx=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    match run(arguments).await {
        Ok(code) => code,
        Err(error) => {
            tracing::error!(error = error.as_ref(), "reconciliation failed");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    if let Command::Match(what) = &arguments.command {
        return match_command::run(what, &arguments.config).await;
    }
    let config: Config = load(&arguments.config)?;
    if let Command::Partner(command) = &arguments.command {
        return partner::command::run(command, &config).await;
    }
    let pool = connect(&config.database.clone().or_environment()).await?;
    match arguments.command {
        Command::Partner(_) => unreachable!("partners' files are seen to above"),
        Command::Migrate => {
            schema::migrate(&pool).await?;
            rights::apply(&pool).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Match(what) => match_command::run(&what, &arguments.config).await,
        Command::Close(what) => close(&pool, &config, &what).await,
        Command::Report { json: _ } => {
            say(&serde_json::to_string(&report(&pool, &config.statements.folder).await?)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Statement(Show { operator, day, format }) => {
            let Some(paper) = paper(&pool, &operator, day).await? else {
                return Err(format!("{operator} has no statement for {day}").into());
            };
            say(filed::form_of(&paper, format.into())?.trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify { json } => {
            let verdict = verify(&pool, &config.centre.secret_key()?.public()).await?;
            say(&if json { serde_json::to_string(&verdict)? } else { verdict.to_string() })?;
            Ok(if verdict.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

async fn close(pool: &PgPool, config: &Config, what: &Close) -> Result<ExitCode, Box<dyn Error>> {
    let clock = Clock::of_run(config.clock);
    let today = Today { clock: &clock, early_reason: what.early.as_deref() };
    let key = config.centre.secret_key()?;
    let closes = close_through(pool, what.through, today, &key).await;
    // Also when a later day failed: what is closed is filed.
    for (operator, day, paper) in papers_through(pool, what.through).await? {
        filed::file(&config.statements.folder, &operator, day, &paper)?;
    }
    let closes = closes?;
    if closes.is_empty() {
        say(&format!("no day up to {} has charges", what.through))?;
    }
    let mut refused = false;
    for close in &closes {
        refused |= matches!(close.outcome, Outcome::Refused(_));
        say(&line_of(close))?;
    }
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn line_of(DayClose { operator, day, outcome }: &DayClose) -> String {
    match outcome {
        Outcome::Closed { totals, currency } => format!(
            "{operator} {day} closed: {} passages, gross {}, fee {}, net {}, cash {} {currency}",
            totals.passages, totals.gross, totals.fee, totals.net, totals.cash
        ),
        Outcome::ClosedBefore => format!("{operator} {day} was closed before; nothing changed"),
        Outcome::Refused(refusals) => {
            let reasons: Vec<String> = refusals.iter().map(ToString::to_string).collect();
            format!("{operator} {day} stays open: {}", reasons.join("; "))
        }
    }
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}
