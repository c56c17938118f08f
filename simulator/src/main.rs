//! `simulator`: runs the demonstration.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use simulator::demo::{self, options::Options};

/// A toll network made of software.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch vehicles drive through toll lanes, with every part real.
    Demo(Options),
}

fn main() -> ExitCode {
    let Arguments { command: Command::Demo(options) } = Arguments::parse();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(demo::main(options)),
        Err(error) => {
            tracing::error!(%error, "no runtime can be had");
            ExitCode::FAILURE
        }
    }
}
