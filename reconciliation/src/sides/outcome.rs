//! The outcome of a matching as a table: every row of every finding, both sides' rows together.
//!
//! While it matches, each worker keeps the places of what it found, in memory and then in a file
//! without a name; afterwards the rows are read again and written down. Tags and plates are left
//! out: file and line say where they stand.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, Write};
use std::path::{Path, PathBuf};

use super::table::{Scratch, Shown, SideError, Table};
use crate::matching::class::CLASSES;
use crate::matching::{Class, Finding, Rules, Sink};

/// What is kept in memory before it goes to the file.
const BUFFER: usize = 1 << 20;
const NO_RULE: u8 = u8::MAX;

/// Which findings are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// What did not match, or not wholly.
    Differences,
    /// All of them.
    Everything,
}

/// One worker's findings, by the places of their rows.
#[derive(Debug)]
pub struct Spool {
    wanted: Wanted,
    folder: PathBuf,
    buffer: Vec<u8>,
    file: Option<File>,
}

impl Spool {
    /// An empty one, whose file is made in `folder`.
    #[must_use]
    pub fn new(wanted: Wanted, folder: &Path) -> Self {
        Self { wanted, folder: folder.to_owned(), buffer: Vec::new(), file: None }
    }

    fn flush(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.folder)?),
        };
        file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// The findings again, in the order in which they came.
    fn into_reader(self) -> io::Result<BufReader<Box<dyn io::Read>>> {
        let buffer = io::Cursor::new(self.buffer);
        Ok(BufReader::new(match self.file {
            None => Box::new(buffer),
            Some(mut file) => {
                file.rewind()?;
                Box::new(file.chain(buffer))
            }
        }))
    }
}

impl Sink for Spool {
    #[inline]
    fn take(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        if finding.class == Class::Matched && self.wanted == Wanted::Differences {
            return Ok(());
        }
        let rule = finding.rule.and_then(|rule| u8::try_from(rule).ok()).unwrap_or(NO_RULE);
        let class = CLASSES.iter().position(|class| *class == finding.class);
        let class = class.and_then(|class| u8::try_from(class).ok()).unwrap_or(u8::MAX);
        self.buffer.extend_from_slice(&[class, rule]);
        for side in [finding.ours, finding.theirs] {
            self.buffer.extend_from_slice(&(side.len() as u64).to_le_bytes());
            for stub in side {
                self.buffer.extend_from_slice(&stub.place().to_le_bytes());
            }
        }
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }
}

/// Why an outcome could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutcomeError {
    /// The findings could not be kept or read again.
    #[error("keep the findings")]
    Keep(#[source] io::Error),
    /// A row could not be read again.
    #[error(transparent)]
    Row(#[from] SideError),
    /// The table could not be written.
    #[error("write the outcome")]
    Write(#[from] csv::Error),
}

const COLUMNS: [&str; 11] = [
    "finding", "class", "rule", "side", "file", "line", "identity", "station", "time", "group",
    "amount",
];

/// A finding with its rows, as people see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<'a> {
    /// What became of them.
    pub class: Class,
    /// By which rule; empty where no rule paired them.
    pub rule: &'a str,
    /// Our rows.
    pub ours: Vec<Shown>,
    /// Theirs.
    pub theirs: Vec<Shown>,
}

/// Reads the rows of each finding again, and tells them; gives how many findings there are.
///
/// # Errors
/// When a row cannot be read again, or what is told fails.
pub fn tell<'a>(
    spools: Vec<Spool>,
    ours: &Table,
    theirs: &Table,
    rules: &'a Rules,
    mut take: impl FnMut(&Told<'a>) -> Result<(), OutcomeError>,
) -> Result<u64, OutcomeError> {
    let mut number = 0_u64;
    let mut scratch = Scratch::default();
    for spool in spools {
        let mut reader = spool.into_reader().map_err(OutcomeError::Keep)?;
        let mut head = [0; 2];
        while starts_another(&mut reader, &mut head).map_err(OutcomeError::Keep)? {
            number += 1;
            let [class, rule] = head.map(usize::from);
            let class = CLASSES.get(class).copied().ok_or_else(misread)?;
            let rule = rules.as_slice().get(rule).map_or("", |rule| rule.name.as_str());
            let mut rows = |side: &Table| {
                let count = word(&mut reader).map_err(OutcomeError::Keep)?;
                let row = |_number| {
                    let place = word(&mut reader).map_err(OutcomeError::Keep)?;
                    Ok(side.show(place, &mut scratch)?)
                };
                (0..count).map(row).collect::<Result<Vec<Shown>, OutcomeError>>()
            };
            let (ours, theirs) = (rows(ours)?, rows(theirs)?);
            take(&Told { class, rule, ours, theirs })?;
        }
    }
    Ok(number)
}

fn misread() -> OutcomeError {
    OutcomeError::Keep(io::Error::from(io::ErrorKind::InvalidData))
}

/// Writes the findings as CSV, one line a row; gives how many findings there are.
///
/// # Errors
/// When a row cannot be read again, or the table not be written.
pub fn write(
    spools: Vec<Spool>,
    ours: &Table,
    theirs: &Table,
    rules: &Rules,
    out: impl Write,
) -> Result<u64, OutcomeError> {
    let mut writer = Outcome::try_new(out)?;
    let findings = tell(spools, ours, theirs, rules, |told| writer.take(told))?;
    writer.finish()?;
    Ok(findings)
}

/// Findings as CSV.
#[derive(Debug)]
pub struct Outcome<W: Write> {
    table: csv::Writer<W>,
    findings: u64,
}

impl<W: Write> Outcome<W> {
    /// Begins with the line that names the columns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn try_new(out: W) -> Result<Self, OutcomeError> {
        let mut table = csv::Writer::from_writer(out);
        table.write_record(COLUMNS)?;
        Ok(Self { table, findings: 0 })
    }

    /// Writes a finding, a line for each of its rows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn take(&mut self, told: &Told<'_>) -> Result<(), OutcomeError> {
        self.findings += 1;
        let number = self.findings.to_string();
        let Told { class, rule, ours, theirs } = told;
        let rows = |side: &'static str, rows| std::iter::repeat(side).zip(rows);
        for (side, Shown { file, line, values }) in rows("ours", ours).chain(rows("theirs", theirs))
        {
            self.table.write_record([
                number.as_str(),
                class.as_str(),
                rule,
                side,
                file,
                line,
                &values.identity,
                &values.station,
                &values.time,
                &values.group,
                &values.amount,
            ])?;
        }
        Ok(())
    }

    /// Writes what is still held.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(), OutcomeError> {
        Ok(self.table.flush().map_err(csv::Error::from)?)
    }
}

fn starts_another(reader: &mut impl io::Read, head: &mut [u8; 2]) -> io::Result<bool> {
    match reader.read_exact(head) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word(reader: &mut impl io::Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests;
