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
    // Before any value is looked at: in a record that is shifted, a plate could stand in a field
    // whose values are repeated in errors.
    let found = inside.split(',').count();
    let most = fields(layout.record).count();
    let least = fields(layout.record).filter(|field| field.occurs == Occurs::Once).count();
    if !(least..=most).contains(&found) {
        let wanted = if least == most { most.to_string() } else { format!("{least} or {most}") };
        return Err(Wrong::new("", format!("has {found} values"), wanted));
    }
    for (field, value) in fields(layout.record).zip(inside.split(',')) {
        record.put(0, field.name, field.take(value)?);
    }
    Ok(())
}
