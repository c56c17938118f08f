//! `reconciliation run|tick`: what is due is done, once.

use std::process::ExitCode;

use clap::Subcommand;
use domain::Clock;
use sqlx::PgPool;

use super::{Failure, say};
use crate::config::Config;
use crate::schedule::{Scheduler, TICK};

/// What is asked of the scheduler.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Closes days that are over, files papers and raises alarms, until it is told to end.
    Run,
    /// Does once what is due now.
    Tick,
}

/// Runs until it is interrupted, or once.
///
/// # Errors
/// When a single tick fails; a running scheduler tries again.
pub async fn run(pool: &PgPool, config: &Config, what: &Command) -> Result<ExitCode, Failure> {
    let (clock, key) = (Clock::of_run(config.clock), config.centre.secret_key()?);
    let folder = &config.statements.folder;
    std::fs::create_dir_all(folder)?;
    let scheduler = Scheduler { pool, clock: &clock, key: &key, folder };
    match what {
        Command::Tick => {
            for line in scheduler.tick().await? {
                say(&line)?;
            }
        }
        Command::Run => {
            let mut ended = std::pin::pin!(tokio::signal::ctrl_c());
            loop {
                match scheduler.tick().await {
                    Ok(done) => done.iter().for_each(|line| tracing::info!("{line}")),
                    Err(error) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::error!(error, "a tick of the scheduler failed");
                    }
                }
                let next = tokio::time::sleep(clock.to_real(TICK));
                tokio::select! {
                    ended = &mut ended => { ended?; break }
                    () = next => {}
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
