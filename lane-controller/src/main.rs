//! The command `lane-controller`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lane_controller::{config, list, station};

/// Decides what the lanes of a station do, and never forgets it.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// The configuration file.
    #[arg(long, env = "ETC_CONFIG")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Look at the account list that is kept here.
    #[command(subcommand)]
    List(list::command::ListCommand),
    /// Run the lanes until told to stop.
    Run,
    /// Read the configuration and say whether it is good.
    CheckConfig,
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
    let done = match (config::Config::load(&cli.config), cli.command) {
        (Err(error), _) => Err(error.into()),
        (Ok(config), Command::Run) => station::run(config).await,
        (Ok(config), Command::List(command)) => {
            command.run(&config, &mut std::io::stdout().lock()).map_err(Into::into)
        }
        (Ok(config), Command::CheckConfig) => config.tariffs().map(drop).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "failed");
            ExitCode::FAILURE
        }
    }
}
