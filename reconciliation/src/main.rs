//! `reconciliation`: closes days, shows statements, proves both.

mod match_command;

use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clearing_house::config::load;
use clearing_house::rights;
use clearing_house::sql::connect;
use reconciliation::command;
use reconciliation::config::Config;
use reconciliation::partner;
use reconciliation::schema;

/// Closes settlement days and proves them.
#[derive(Debug, Parser)]
#[command(version, after_help = A_DAY)]
struct Arguments {
    /// The configuration file.
    #[arg(long, default_value = "reconciliation.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Matches two parties' records and says what became of every row.
    Match(Box<match_command::Match>),
    /// Files that partners send us, and we them.
    #[command(subcommand)]
    Partner(partner::command::Command),
    #[command(flatten)]
    OfBooks(OfBooks),
}

/// What works on the books.
#[derive(Debug, Subcommand)]
enum OfBooks {
    /// Brings the tables up to date; those of the clearing house must be there already.
    Migrate,
    /// Closes every open day of every operator, the oldest first.
    Close(command::close::Close),
    #[command(flatten)]
    Window(command::window::Command),
    #[command(flatten)]
    Pay(command::pay::Command),
    /// Prints what each lane wrote on a day, or names how the lanes' own count differs.
    Manifest(command::manifest::Show),
    /// What does not add up, who sees to it, how it ends.
    #[command(subcommand)]
    Case(command::case::Command),
    /// Plates that reviewers of pictures read.
    #[command(subcommand)]
    Review(command::review::Command),
    #[command(flatten)]
    Schedule(command::schedule::Command),
    #[command(flatten)]
    Terms(command::terms::Command),
    /// Prints revenue, exceptions, manual openings or the age of cases; or every day and what it came to.
    Report(command::report::Report),
    #[command(flatten)]
    Statement(command::statement::Command),
    /// Minutes of reconciliation: what an operator and another party found, for both to sign.
    #[command(subcommand)]
    Minutes(command::minutes::Command),
    /// Proves every closed day from the stored rows; fails when something is broken.
    Verify(command::verify::Verify),
}

/// What a day needs, in order; `help COMMAND` says more.
const A_DAY: &str = "A day, from its passages to the money:
  manifest   does each lane's count agree?       close      ends the day, makes the statement
  match      our records against theirs          minutes    what both found, for both to sign
  propose, approve                               two people stand behind it
  pay, confirm                                   orders for the banks, and what they show
  case       what does not add up                verify     proves all of it again
Exit codes: 0 done, 1 refused or failed, 2 wrong usage. --json where a program reads it.";

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
    let path = &arguments.config;
    match arguments.command {
        Command::Match(what) => match_command::run(&what, path).await,
        Command::Partner(what) => partner::command::run(&what, &load(path)?).await,
        Command::OfBooks(what) => on_books(what, &load(path)?).await,
    }
}

async fn on_books(what: OfBooks, config: &Config) -> Result<ExitCode, Box<dyn Error>> {
    let pool = connect(&config.database.clone().or_environment()).await?;
    match what {
        OfBooks::Migrate => {
            schema::migrate(&pool).await?;
            rights::apply(&pool).await?;
            Ok(ExitCode::SUCCESS)
        }
        OfBooks::Close(what) => command::close::run(&pool, config, &what).await,
        OfBooks::Pay(what) => command::pay::run(&pool, config, &what).await,
        OfBooks::Manifest(what) => command::manifest::run(&pool, config, &what).await,
        OfBooks::Case(what) => command::case::run(&pool, config, &what).await,
        OfBooks::Review(what) => command::review::run(&pool, config, &what).await,
        OfBooks::Schedule(what) => command::schedule::run(&pool, config, &what).await,
        OfBooks::Terms(what) => command::terms::run(&pool, config, &what).await,
        OfBooks::Window(what) => command::window::run(&pool, config, &what).await,
        OfBooks::Report(what) => command::report::run(&pool, config, &what).await,
        OfBooks::Statement(what) => command::statement::run(&pool, config, &what).await,
        OfBooks::Minutes(what) => command::minutes::run(&pool, config, &what).await,
        OfBooks::Verify(what) => command::verify::run(&pool, config, &what).await,
    }
}
