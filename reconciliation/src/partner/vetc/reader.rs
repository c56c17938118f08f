//! Reads lines `(a,b,c)` by their layout. The last field may be left out where the layout says so.

use std::io::BufRead;

use crate::partner::layout::{Layout, Occurs, fields};
use crate::partner::lines::Lines;
use crate::partner::record::Record;
use crate::partner::refusal::{FileError, Refusal, Wrong};

/// A file of tuples.
#[derive(Debug)]
pub struct TupleReader<R> {
    layout: &'static Layout,
    lines: Lines<R>,
    records: u64,
}

impl<R: BufRead> TupleReader<R> {
    /// Begins; there is no header.
    pub fn open(layout: &'static Layout, input: R) -> Self {
        Self { layout, lines: Lines::new(input), records: 0 }
    }

    /// Reads the next record; false after the last.
    ///
    /// # Errors
    /// When it is not as the layout says, or the disk fails.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, FileError> {
        let number = self.records + 1;
        let Some(line) = self.lines.next(number)? else { return Ok(false) };
        match split(line, self.layout, record) {
            Ok(()) => {
                self.records = number;
                Ok(true)
            }
            Err(wrong) => Err(Refusal::of_value(wrong, self.lines.place(number)).into()),
        }
    }

    /// The line that was read last.
    pub const fn line(&self) -> u64 {
        self.lines.line
    }
}

fn split(line: &str, layout: &'static Layout, record: &mut Record) -> Result<(), Wrong> {
    record.clear();
    let Some(inside) = line.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else {
        let reason = "is no tuple, or is cut short";
        return Err(Wrong::new("", reason, "values between commas, in parentheses"));
    };
    let mut values = inside.split(',');
    for field in fields(layout.record) {
        match values.next() {
            Some(value) => record.put(0, field.name, field.take(value)?),
            None if field.occurs == Occurs::Maybe => {}
            None => return Err(Wrong::new(field.name, "is missing", field.kind.wanted())),
        }
    }
    let more = values.count();
    if more > 0 {
        let most = fields(layout.record).count();
        let reason = format!("has {} values", most + more);
        return Err(Wrong::new("", reason, format!("{most} values")));
    }
    Ok(())
}
