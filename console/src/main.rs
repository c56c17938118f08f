//! The console's command line.

use std::error::Error;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use console::config::Config;
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

/// The desk at the station, the books at the centre.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration, a TOML file.
    #[arg(long, env = "ETC_CONSOLE_CONFIG")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the pages until interrupted.
    Run,
}

fn main() -> ExitCode {
    let Arguments { config, command: Command::Run } = Arguments::parse();
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,async_nats=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    match serve(&config) {
        Ok(()) => {
            info!("console ended");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            error!(error = failure.as_ref(), "console failed");
            ExitCode::FAILURE
        }
    }
}

fn serve(path: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let config: Config = clearing_house::config::load(path)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let end = interruption()?;
        console::run(config, end).await?;
        Ok(())
    })
}

/// Resolves when the process is asked to end.
fn interruption() -> Result<impl Future<Output = ()> + Send + 'static, std::io::Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
