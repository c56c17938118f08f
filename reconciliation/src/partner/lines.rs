//! Lines of bounded length, counted: a file without line ends costs no more memory than one with.

use std::io::{BufRead, Read as _};

use super::refusal::{Fault, FileError, Place, Refusal};

/// No line of any format is longer.
const LINE_MAX: u64 = 4096;

/// A file as lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    bytes: Vec<u8>,
    /// Of the line that was read last, from 1.
    pub(super) line: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, bytes: Vec::new(), line: 0 }
    }

    /// The next line without its end; nothing after the last. The last may lack its end.
    pub(super) fn next(&mut self, record: u64) -> Result<Option<&str>, FileError> {
        self.bytes.clear();
        let taken = (&mut self.input).take(LINE_MAX).read_until(b'\n', &mut self.bytes)?;
        if taken == 0 {
            return Ok(None);
        }
        self.line += 1;
        let refuse = |reason: String, wanted: &str| {
            let place = Refusal::of_file(Fault::Detail, reason, wanted);
            let fault = if record == 0 { Fault::Header } else { Fault::Detail };
            FileError::from(Refusal { fault, line: self.line, record, ..place })
        };
        if taken as u64 == LINE_MAX && self.bytes.last() != Some(&b'\n') {
            let reason = format!("is longer than {LINE_MAX} bytes");
            return Err(refuse(reason, "one record a line"));
        }
        if self.bytes.last() == Some(&b'\n') {
            self.bytes.pop();
            if self.bytes.last() == Some(&b'\r') {
                self.bytes.pop();
            }
        }
        match std::str::from_utf8(&self.bytes) {
            Ok(line) => Ok(Some(line)),
            Err(error) => {
                let column = error.valid_up_to() + 1;
                Err(refuse(format!("column {column} is no character"), "text in UTF-8"))
            }
        }
    }

    pub(super) fn place(&self, record: u64) -> Place {
        Place { line: self.line, record }
    }
}
