//! Standard output, for a person or for a program.

use std::fmt;
use std::io::{self, BufWriter, Stdout, Write as _};

use serde_json::Value;

use crate::failure::Failure;

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text for a person.
    Text,
    /// One object a line.
    Json,
}

impl Format {
    pub(crate) fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

/// Standard output. What is written is not seen before [`Output::flush`].
#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
    out: BufWriter<Stdout>,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, out: BufWriter::new(io::stdout()) }
    }

    /// Writes one thing in the format that was asked for.
    pub(crate) fn put(
        &mut self,
        text: impl FnOnce() -> String,
        object: impl FnOnce() -> Value,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Text => self.line(text()),
            Format::Json => self.line(object()),
        }
    }

    /// Writes what is for a person only: to standard error where a program reads the output.
    pub(crate) fn remark(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        match self.format {
            Format::Text => self.line(text),
            Format::Json => {
                // Whoever closed standard error does not want it.
                writeln!(io::stderr(), "rfid: {text}").ok();
                Ok(())
            }
        }
    }

    /// Writes a line as it is.
    pub(crate) fn line(&mut self, line: impl fmt::Display) -> Result<(), Failure> {
        writeln!(self.out, "{line}").map_err(Failure::Output)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::Output)
    }
}
