//! A partner's file, read and written as a stream by its layout, whatever its form.

use std::io::{BufRead, Write};

use super::iag::reader::FixedReader;
use super::layout::{Form, Layout};
use super::niop::reader::XmlReader;
use super::record::Record;
use super::refusal::{Fault, FileError, Place, Refusal, Wrong};
use super::vetc::reader::TupleReader;
use super::{iag, niop, vetc};

/// Reads a file: its header at once, then one record after the other.
#[derive(Debug)]
pub struct Reader<R: BufRead> {
    layout: &'static Layout,
    source: Source<R>,
    header: Record,
    claimed: Option<u64>,
    records: u64,
}

#[derive(Debug)]
enum Source<R: BufRead> {
    Xml(Box<XmlReader<R>>),
    Fixed(FixedReader<R>),
    Tuples(TupleReader<R>),
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When it is not as the layout says, or the disk fails.
    pub fn open(layout: &'static Layout, input: R) -> Result<Self, FileError> {
        let (source, header) = match layout.form {
            Form::Xml(_) => {
                let (reader, header) = XmlReader::open(layout, input)?;
                (Source::Xml(Box::new(reader)), header)
            }
            Form::Fixed => {
                let (reader, header) = FixedReader::open(layout, input)?;
                (Source::Fixed(reader), header)
            }
            Form::Tuples => (Source::Tuples(TupleReader::open(layout, input)), Record::default()),
        };
        let claimed = layout.roles.count.and_then(|count| header.number(count));
        Ok(Self { layout, source, header, claimed, records: 0 })
    }

    /// The header; without values where the format has none.
    #[must_use]
    pub const fn header(&self) -> &Record {
        &self.header
    }

    /// The layout.
    #[must_use]
    pub const fn layout(&self) -> &'static Layout {
        self.layout
    }

    /// How many records were read.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Where the reader is.
    #[must_use]
    pub fn place(&self) -> Place {
        let line = match &self.source {
            Source::Xml(reader) => reader.line(),
            Source::Fixed(reader) => reader.line(),
            Source::Tuples(reader) => reader.line(),
        };
        Place { line, record: self.records }
    }

    /// Reads the next record; false after the last, when all of the file was read and is as many
    /// records as its header says.
    ///
    /// # Errors
    /// When something is not as the layout says, or the disk fails.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, FileError> {
        let is_there = match &mut self.source {
            Source::Xml(reader) => reader.next(record)?,
            Source::Fixed(reader) => reader.next(record)?,
            Source::Tuples(reader) => reader.next(record)?,
        };
        self.records += u64::from(is_there);
        let is_off = |claimed: u64| {
            if is_there { self.records > claimed } else { self.records != claimed }
        };
        if let Some(claimed) = self.claimed.filter(|claimed| is_off(*claimed)) {
            return Err(self.miscounted(claimed, is_there).into());
        }
        if is_there {
            let place = self.place();
            (self.layout.rule)(record).map_err(|wrong| Refusal::of_value(wrong, place))?;
        }
        Ok(is_there)
    }

    fn miscounted(&self, claimed: u64, goes_on: bool) -> Refusal {
        let found = if goes_on { "or more" } else { "in all" };
        Refusal {
            fault: Fault::Count,
            line: self.place().line,
            record: self.records,
            field: self.layout.roles.count.unwrap_or_default().to_owned(),
            reason: format!("there are {} records {found}", self.records),
            wanted: format!("{claimed}, as the header says"),
        }
    }
}

/// Writes a file: its header at once, then one record after the other, then its end.
#[derive(Debug)]
pub struct Writer<W> {
    layout: &'static Layout,
    out: W,
    text: String,
    claimed: Option<u64>,
    records: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the header, which says already how many records will follow.
    ///
    /// # Errors
    /// When a field of it is missing or not of its kind, or the disk fails.
    pub fn open(layout: &'static Layout, header: &Record, out: W) -> Result<Self, FileError> {
        let claimed = layout.roles.count.and_then(|count| header.number(count));
        let mut writer = Self { layout, out, text: String::new(), claimed, records: 0 };
        let begun = match &layout.form {
            Form::Xml(frame) => niop::writer::begin(frame, header, layout.header, &mut writer.text),
            Form::Fixed => iag::writer::join(header, layout.header, &mut writer.text)
                .map(|()| writer.text.push('\n')),
            Form::Tuples => Ok(()),
        };
        begun.map_err(|wrong| writer.refuse(wrong))?;
        writer.flush()?;
        Ok(writer)
    }

    /// Writes a record.
    ///
    /// # Errors
    /// When it is not as the layout says, or the disk fails.
    pub fn write(&mut self, record: &Record) -> Result<(), FileError> {
        let elements = self.layout.record;
        self.records += 1;
        let written =
            (self.layout.rule)(record).and_then(|()| match &self.layout.form {
                Form::Xml(frame) => niop::writer::next(frame, record, elements, &mut self.text),
                Form::Fixed => iag::writer::join(record, elements, &mut self.text)
                    .map(|()| self.text.push('\n')),
                Form::Tuples => vetc::writer::join(record, elements, &mut self.text)
                    .map(|()| self.text.push('\n')),
            });
        written.map_err(|wrong| self.refuse(wrong))?;
        self.flush()
    }

    /// Writes the end and gives back what was written to.
    ///
    /// # Errors
    /// When there are fewer or more records than the header says, or the disk fails.
    pub fn finish(mut self) -> Result<W, FileError> {
        if let Some(claimed) = self.claimed.filter(|claimed| *claimed != self.records) {
            let reason = format!("{} records were written", self.records);
            let wanted = format!("{claimed}, as the header says");
            return Err(Refusal::of_file(Fault::Count, reason, wanted).into());
        }
        if let Form::Xml(frame) = &self.layout.form {
            niop::writer::end(frame, &mut self.text);
        }
        self.flush()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn refuse(&self, wrong: Wrong) -> Refusal {
        Refusal::of_value(wrong, Place { line: 0, record: self.records })
    }

    fn flush(&mut self) -> Result<(), FileError> {
        self.out.write_all(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }
}
