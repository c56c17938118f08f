//! The command `rfid`: find a reader, read tags, check an installation, take frames apart, play a
//! reader.
//!
//! It is a thin shell over the library: a module a command, and what they share beside them. Every
//! protocol of the library appears here by itself.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage. With `--json` each line of output is one object.
//! EPCs are shown in clear, because whoever runs this asked for them; they never stand in an error
//! or in the log that goes to standard error.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod arguments;
mod clock;
mod decode;
mod emulate;
mod failure;
mod hex;
mod interrupt;
mod line;
mod list;
mod output;
mod probe;
mod read;
mod shown;
mod test;
mod watched;

use output::Output;

/// Reads UHF RFID tags, and helps with the readers that do.
#[derive(Debug, Parser)]
#[command(name = "rfid", version, max_term_width = 100)]
struct Rfid {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the serial ports and the protocols.
    List(list::Arguments),
    /// Find out which reader is on a port, and at which rate.
    Probe(probe::Arguments),
    /// Read tags.
    Read(read::Arguments),
    /// Check an installed reader: its antennas, its tags, its line.
    Test(test::Arguments),
    /// Take recorded frames apart.
    Decode(decode::Arguments),
    /// Play a reader on a pseudo-terminal.
    Emulate(emulate::Arguments),
}

fn main() -> ExitCode {
    // Wrong usage ends here, with exit code 2.
    let Rfid { command } = Rfid::parse();
    tracing_subscriber::fmt()
        // A log file is not coloured.
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .with_target(false)
        .without_time()
        .init();
    let outcome = match command {
        Command::List(arguments) => list::run(&arguments),
        Command::Probe(arguments) => probe::run(&arguments),
        Command::Read(arguments) => read::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Emulate(arguments) => emulate::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}
