//! The command `lane-controller`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use lane_controller::journal_command::{self, JournalCommand};
use lane_controller::list::{self, ListError};
use lane_controller::{config, station};

/// Decides what the lanes of a station do, and never forgets it.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// The configuration file; `journal` needs none.
    #[arg(long, env = "ETC_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Look at the account list that is kept here.
    #[command(subcommand)]
    List(list::command::ListCommand),
    /// Run the lanes until told to stop.
    Run,
    /// Read the configuration and say whether it is good.
    CheckConfig,
    /// Look at a lane's journal, also while the lane runs.
    #[command(subcommand)]
    Journal(Box<JournalCommand>),
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("read the configuration")]
    Config(#[from] config::ConfigError),
    #[error("look at the account list")]
    List(#[from] ListError),
    #[error("look at the journal")]
    Journal(#[from] journal_command::LookError),
    #[error("run the station")]
    Station(#[from] station::StationError),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_unset| "info,async_nats=warn".into()),
        )
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let done = match (&cli.command, &cli.config) {
        (Command::Journal(command), _) => {
            journal_command::run(command, &mut std::io::stdout().lock()).map_err(Failed::from)
        }
        (Command::Run | Command::CheckConfig | Command::List(_), None) => Cli::command()
            .error(ErrorKind::MissingRequiredArgument, "--config <CONFIG> is needed")
            .exit(),
        (Command::Run, Some(path)) => run(path).await.map_err(Failed::from),
        (Command::List(command), Some(path)) => look_at_list(*command, path),
        (Command::CheckConfig, Some(path)) => check(path).map_err(Failed::from),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "failed");
            ExitCode::FAILURE
        }
    }
}

async fn run(path: &Path) -> Result<(), station::StationError> {
    station::run(config::Config::load(path)?).await
}

fn look_at_list(command: list::command::ListCommand, path: &Path) -> Result<(), Failed> {
    Ok(command.run(&config::Config::load(path)?, &mut std::io::stdout().lock())?)
}

fn check(path: &Path) -> Result<(), station::StationError> {
    config::Config::load(path)?.check_files(path)?;
    Ok(())
}
