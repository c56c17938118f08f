//! Reads lines of fixed width by their layout.
//!
//! Blanks at the end of a line belong to the record: a line from which somebody stripped them is
//! refused by its width, as nobody can say which field is short.

use std::io::BufRead;

use crate::partner::layout::{Element, Field, Layout, Occurs, fields, width};
use crate::partner::lines::Lines;
use crate::partner::record::Record;
use crate::partner::refusal::{FileError, Refusal, Wrong};
use crate::partner::value::Kind;

/// A file of fixed-width lines.
#[derive(Debug)]
pub struct FixedReader<R> {
    layout: &'static Layout,
    lines: Lines<R>,
    records: u64,
}

impl<R: BufRead> FixedReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When it is not as the layout says, or the disk fails.
    pub fn open(layout: &'static Layout, input: R) -> Result<(Self, Record), FileError> {
        let mut reader = Self { layout, lines: Lines::new(input), records: 0 };
        let mut header = Record::default();
        if !reader.take(layout.header, &mut header, 0)? {
            let refusal = Refusal::of_value(
                Wrong::new("", "there is no header", format!("{} bytes", width(layout.header))),
                reader.lines.place(0),
            );
            return Err(refusal.into());
        }
        Ok((reader, header))
    }

    /// Reads the next record; false after the last.
    ///
    /// # Errors
    /// When it is not as the layout says, or the disk fails.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, FileError> {
        let is_there = self.take(self.layout.record, record, self.records + 1)?;
        self.records += u64::from(is_there);
        Ok(is_there)
    }

    /// The line that was read last.
    pub const fn line(&self) -> u64 {
        self.lines.line
    }

    fn take(
        &mut self,
        elements: &'static [Element],
        record: &mut Record,
        number: u64,
    ) -> Result<bool, FileError> {
        let Some(line) = self.lines.next(number)? else { return Ok(false) };
        let read = if elements.is_empty() {
            Err(Wrong::new("", "stands behind the only record there is", "nothing more"))
        } else {
            cut(line, elements, record)
        };
        match read {
            Ok(()) => Ok(true),
            Err(wrong) => Err(Refusal::of_value(wrong, self.lines.place(number)).into()),
        }
    }
}

/// Cuts a line into the values of a record.
fn cut(line: &str, elements: &'static [Element], record: &mut Record) -> Result<(), Wrong> {
    record.clear();
    let wanted = width(elements);
    if line.len() != wanted || !line.is_ascii() {
        let reason = if line.is_ascii() {
            format!("has {} bytes", line.len())
        } else {
            "has characters that are not ASCII".to_owned()
        };
        let wanted = format!("{wanted} bytes of ASCII, the blanks at the end included");
        return Err(Wrong::new("", reason, wanted));
    }
    let mut rest = line;
    for field in fields(elements) {
        let from = line.len() - rest.len();
        let (own, after) = rest.split_at(field.width);
        rest = after;
        if field.occurs == Occurs::Maybe && own.chars().all(|c| c == field.absent) {
            continue;
        }
        let value = field.take(unpadded(field, own)).map_err(|wrong| {
            let columns = format!("columns {} to {}", from + 1, from + field.width);
            Wrong { reason: format!("{columns}: {}", wrong.reason), ..wrong }
        })?;
        record.put(0, field.name, value);
    }
    Ok(())
}

/// Text is filled with blanks on its right.
fn unpadded<'a>(field: &Field, own: &'a str) -> &'a str {
    if matches!(field.kind, Kind::Text { .. }) { own.trim_end_matches(' ') } else { own }
}
