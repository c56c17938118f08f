//! `rfid decode`: recorded frames, taken apart.
//!
//! The input is a binary capture, or text with a frame a line ([`text`] says in which ways). Which
//! of them it is shows in its first bytes: text is valid UTF-8 without control characters. It is
//! read once from front to back and never held as a whole, so a pipe or a file of any size will do.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::PathBuf;

use clap::ValueEnum;
use rfid_driver::codec::Direction;
use rfid_driver::protocol::{self, Protocol};

use crate::arguments::protocol_of;
use crate::failure::Failure;
use crate::output::{Format, Output};

mod capture;
mod interpretation;
mod text;
mod track;

use interpretation::Interpreter;

/// Enough to tell text from bytes.
const SNIFF_LEN: usize = 4096;
const READ_LEN: usize = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What the frames are in; the protocol that fits where not given. A line that names its
    /// protocol is in that one
    #[arg(long, value_name = "NAME", value_parser = protocol_of)]
    protocol: Option<&'static dyn Protocol>,
    /// Who sent them; whichever makes more sense where not given. A line that says so knows better
    #[arg(long)]
    from: Option<Sender>,
    /// Print one JSON object a frame
    #[arg(long)]
    json: bool,
    /// The capture, or "-" for standard input
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sender {
    Host,
    Reader,
}

/// Whether all frames were good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quality {
    Good,
    Bad,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut input = open(arguments)?;
    let interpreter = Interpreter::new(
        arguments.protocol.map_or_else(|| protocol::ALL.to_vec(), |protocol| vec![protocol]),
        arguments.from.map(|sender| match sender {
            Sender::Host => Direction::FromHost,
            Sender::Reader => Direction::FromReader,
        }),
    );
    let mut output = Output::new(Format::of(arguments.json));
    let start = read_start(&mut input).map_err(|error| unreadable(arguments, error))?;
    let is_text = text::is_text(&start);
    let mut input = BufReader::with_capacity(READ_LEN, Cursor::new(start).chain(input));
    let quality = if is_text {
        text::decode(&mut input, interpreter, &mut output)
    } else {
        capture::decode(&mut input, &interpreter, &mut output)
    };
    let quality = match quality {
        Err(Stopped::Input(error)) => return Err(unreadable(arguments, error)),
        Err(Stopped::Output(failure)) => return Err(failure),
        Ok(quality) => quality,
    };
    output.flush()?;
    match quality {
        Quality::Good => Ok(()),
        Quality::Bad => Err(Failure::NotGood),
    }
}

/// Why decoding ended early.
enum Stopped {
    Input(io::Error),
    Output(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Output(failure)
    }
}

fn open(arguments: &Arguments) -> Result<Box<dyn Read>, Failure> {
    if arguments.file.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    match File::open(&arguments.file) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => Err(unreadable(arguments, error)),
    }
}

fn unreadable(arguments: &Arguments, error: io::Error) -> Failure {
    let file = arguments.file.display();
    Failure::caused(format!("read {file}; give a capture, a text file of frames, or -"), error)
}

/// The first bytes: until they tell what the input is.
fn read_start(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    let mut buffer = [0; SNIFF_LEN];
    while start.len() < SNIFF_LEN && text::is_text(&start) && !start.contains(&b'\n') {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => start.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(start)
}
