//! `reconciliation`: closes days, shows statements, proves both.

use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clearing_house::config::load;
use clearing_house::rights;
use clearing_house::sql::connect;
use reconciliation::command::{self, say};
use reconciliation::config::Config;
use reconciliation::report::report;
use reconciliation::schema;
use reconciliation::verify::verify;

/// Closes settlement days and proves them.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
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
    #[command(flatten)]
    Schedule(command::schedule::Command),
    #[command(flatten)]
    Terms(command::terms::Command),
    /// Prints every day and what it came to.
    Report {
        /// As one JSON object, which is the only form there is.
        #[arg(long, required = true)]
        json: bool,
    },
    #[command(flatten)]
    Statement(command::statement::Command),
    /// Proves every closed day from the stored rows; fails when something is broken.
    Verify {
        /// As one JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
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
    let config: Config = load(&arguments.config)?;
    let pool = connect(&config.database.clone().or_environment()).await?;
    match arguments.command {
        Command::Migrate => {
            schema::migrate(&pool).await?;
            rights::apply(&pool).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Close(what) => command::close::run(&pool, &config, &what).await,
        Command::Pay(what) => command::pay::run(&pool, &config, &what).await,
        Command::Manifest(what) => command::manifest::run(&pool, &what).await,
        Command::Case(what) => command::case::run(&pool, &config, &what).await,
        Command::Schedule(what) => command::schedule::run(&pool, &config, &what).await,
        Command::Terms(what) => command::terms::run(&pool, &config, &what).await,
        Command::Window(what) => command::window::run(&pool, &config, &what).await,
        Command::Report { json: _ } => {
            say(&serde_json::to_string(&report(&pool, &config.statements.folder).await?)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Statement(what) => command::statement::run(&pool, &config, &what).await,
        Command::Verify { json } => {
            let verdict = verify(&pool, &config.centre.secret_key()?.public()).await?;
            say(&if json { serde_json::to_string(&verdict)? } else { verdict.to_string() })?;
            Ok(if verdict.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}
