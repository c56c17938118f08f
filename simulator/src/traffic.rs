//! Recorded traffic: toll-gate passes from a CSV file, plain or gzipped.
//!
//! Columns by name, in any order: `time` (local, `2016-10-18 23:55:58`), `tollgate_id`,
//! `direction` (0 in, 1 out), `vehicle_model` (0 to 7), `has_etc` (0 or 1); others are ignored.
//! Rows need not be sorted. A row that cannot be read is kept as a [`BadRow`] with its line and the
//! reason, and the rest flows.
//!
//! `vehicle_model` is a capacity class of the recording, 0 where it is not known. How it maps to
//! tariff groups is ours, see [`RecordedPass::group`]. The recording names no zone: its times are
//! taken as local times of the replayed network's operator.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::StringRecord;
use domain::{Timestamp, VehicleGroup};
use flate2::read::MultiGzDecoder;
use jiff::civil::DateTime;
use jiff::tz::{self, TimeZone};

use crate::network::{Direction, GateDemand};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Viet Nam is seven hours ahead of UTC the whole year.
const ZONE: TimeZone = TimeZone::fixed(tz::offset(7));
/// The groups of `vehicle_model` 0 to 7: cars (also where the class is not known) are 1, then
/// each larger class is one group higher until the last.
const GROUP_OF_MODEL: [u8; 8] = [1, 1, 1, 2, 3, 4, 5, 5];

/// Why a recording could not be used at all.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// The file could not be opened.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The rows could not be read to the end: no CSV, or damaged.
    #[error("read the rows of {path}")]
    Rows {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        #[source]
        source: csv::Error,
    },
    /// A column is missing, or the first line is no header.
    #[error("{path} has no column {column} in its first line")]
    Column {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        column: &'static str,
    },
}

/// Why one row was skipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The row has not as many fields as the header.
    #[error("{have} fields where the header has {want}")]
    Fields {
        /// Fields in the row.
        have: usize,
        /// Fields in the header.
        want: usize,
    },
    /// The row is not text.
    #[error("not UTF-8")]
    NotText,
    /// A field is not what its column holds.
    #[error("{column} {text:?} is not {wanted}")]
    Field {
        /// The column.
        column: &'static str,
        /// What stands there.
        text: String,
        /// What could stand there.
        wanted: &'static str,
    },
}

/// A row that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// Why.
    pub why: RowError,
}

/// One recorded pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedPass {
    /// Its line in the file, from 1.
    pub line: u64,
    /// When.
    pub at: Timestamp,
    /// Through which gate.
    pub gate: u32,
    /// Which way.
    pub direction: Direction,
    /// The capacity class, 0 to 7.
    pub model: u8,
    /// Whether it paid by tag.
    pub has_tag: bool,
}

impl RecordedPass {
    /// The tariff group: classes 0, 1, 2 → 1, 3 → 2, 4 → 3, 5 → 4, 6 and 7 → 5.
    ///
    /// # Panics
    /// Never: a class past 7 counts as 7.
    #[must_use]
    pub fn group(&self) -> VehicleGroup {
        let number = GROUP_OF_MODEL[usize::from(self.model.min(7))];
        VehicleGroup::try_new(number).expect("classes map to groups 1 to 5")
    }
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recording {
    /// The passes, in the file's order.
    pub passes: Vec<RecordedPass>,
    /// The rows that were skipped.
    pub bad_rows: Vec<BadRow>,
}

impl Recording {
    /// Reads a file, which may be gzipped.
    ///
    /// # Errors
    /// When the file cannot be read or its first line lacks a column.
    pub fn read(path: &Path) -> Result<Self, TrafficError> {
        let failed = |source| TrafficError::Read { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let gzipped = file.fill_buf().map_err(failed)?.starts_with(&GZIP_MAGIC);
        if gzipped {
            parse(path, BufReader::new(MultiGzDecoder::new(file)))
        } else {
            parse(path, file)
        }
    }

    /// How many vehicles each gate must carry in its busiest minute, by direction.
    #[must_use]
    pub fn demands(&self) -> Vec<GateDemand> {
        let mut minutes: BTreeMap<(u32, Direction), BTreeMap<i64, u32>> = BTreeMap::new();
        for pass in &self.passes {
            let minute = pass.at.as_second().div_euclid(60);
            *minutes.entry((pass.gate, pass.direction)).or_default().entry(minute).or_default() +=
                1;
        }
        minutes
            .into_iter()
            .map(|((gate, direction), counts)| GateDemand {
                gate,
                direction,
                peak_per_minute: counts.into_values().max().unwrap_or(0),
            })
            .collect()
    }
}

/// Where the columns are.
struct Columns {
    time: usize,
    gate: usize,
    direction: usize,
    model: usize,
    has_tag: usize,
    count: usize,
}

impl Columns {
    fn find(path: &Path, header: &StringRecord) -> Result<Self, TrafficError> {
        let find = |column| {
            header
                .iter()
                .position(|name| name.trim_start_matches('\u{feff}').trim() == column)
                .ok_or(TrafficError::Column { path: path.to_owned(), column })
        };
        Ok(Self {
            time: find("time")?,
            gate: find("tollgate_id")?,
            direction: find("direction")?,
            model: find("vehicle_model")?,
            has_tag: find("has_etc")?,
            count: header.len(),
        })
    }

    fn pass(&self, line: u64, row: &StringRecord) -> Result<RecordedPass, RowError> {
        if row.len() != self.count {
            return Err(RowError::Fields { have: row.len(), want: self.count });
        }
        Ok(RecordedPass {
            line,
            at: field(row, self.time, "time", "a time such as 2016-10-18 23:55:58", |text| {
                let local: DateTime = text.parse().ok()?;
                local.to_zoned(ZONE).ok().map(|zoned| zoned.timestamp())
            })?,
            gate: field(row, self.gate, "tollgate_id", "a whole number", |text| text.parse().ok())?,
            direction: field(row, self.direction, "direction", "0 or 1", |text| match text {
                "0" => Some(Direction::In),
                "1" => Some(Direction::Out),
                _ => None,
            })?,
            model: field(row, self.model, "vehicle_model", "0 to 7", |text| {
                text.parse().ok().filter(|model| *model <= 7)
            })?,
            has_tag: field(row, self.has_tag, "has_etc", "0 or 1", |text| match text {
                "0" => Some(false),
                "1" => Some(true),
                _ => None,
            })?,
        })
    }
}

fn field<T>(
    row: &StringRecord,
    index: usize,
    column: &'static str,
    wanted: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, RowError> {
    let text = row.get(index).unwrap_or_default().trim();
    parse(text).ok_or_else(|| RowError::Field {
        column,
        text: text.chars().take(40).collect(),
        wanted,
    })
}

fn parse(path: &Path, bytes: impl Read) -> Result<Recording, TrafficError> {
    let csv_failed = |source| TrafficError::Rows { path: path.to_owned(), source };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let columns = Columns::find(path, reader.headers().map_err(csv_failed)?)?;
    let mut recording = Recording::default();
    for row in reader.byte_records() {
        let row = row.map_err(csv_failed)?;
        let line = row.position().map_or(0, csv::Position::line);
        let pass = StringRecord::from_byte_record(row)
            .map_err(|_not_text| RowError::NotText)
            .and_then(|row| columns.pass(line, &row));
        match pass {
            Ok(pass) => recording.passes.push(pass),
            Err(why) => recording.bad_rows.push(BadRow { line, why }),
        }
    }
    Ok(recording)
}

#[cfg(test)]
mod tests;
