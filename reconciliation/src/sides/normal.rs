//! The normal form: the table in which other files are written to be matched.
//!
//! Its columns are those of [`Mapping::normal`](super::Mapping::normal). *Line* is the line of the
//! file that a row was read from, which people are told.

use std::fmt;
use std::io::Write;

use serde::Serialize;

/// One row. What is empty is not there.
#[derive(Default, Clone, PartialEq, Eq, Serialize)]
pub struct NormalRow {
    /// The name that both sides have for it.
    pub identity: String,
    /// The station.
    pub station: String,
    /// The tag.
    pub tag: String,
    /// The plate.
    pub plate: String,
    /// When it was: an instant with its offset, or a UTC time.
    pub time: String,
    /// The tariff group.
    pub group: String,
    /// What it is worth, in whole minor units.
    pub amount: u64,
    /// `yes` where it gives money back.
    pub reversed: &'static str,
    /// `yes` where it is disputed.
    pub disputed: &'static str,
    /// The line of the file it was read from.
    pub line: u64,
    /// A bank's own reference, which is no column: a payment is known by its payer's.
    #[serde(skip)]
    pub bank_reference: String,
}

impl fmt::Debug for NormalRow {
    /// Without tag and plate, which are personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NormalRow")
            .field("identity", &self.identity)
            .field("time", &self.time)
            .field("group", &self.group)
            .field("amount", &self.amount)
            .field("reversed", &self.reversed)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

/// `yes`, or nothing.
pub(super) const fn yes_if(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "" }
}

/// Writes rows in the normal form.
#[derive(Debug)]
pub struct NormalWriter<W: Write>(csv::Writer<W>);

impl<W: Write> NormalWriter<W> {
    /// Begins with the line that names the columns, also where no row follows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn try_new(to: W) -> csv::Result<Self> {
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(to);
        writer.write_record(COLUMNS)?;
        Ok(Self(writer))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, row: &NormalRow) -> csv::Result<()> {
        self.0.serialize(row)
    }

    /// Writes what is still held.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> csv::Result<()> {
        Ok(self.0.flush()?)
    }
}

/// The columns, in the order of [`NormalRow`].
pub const COLUMNS: [&str; 10] = [
    "identity", "station", "tag", "plate", "time", "group", "amount", "reversed", "disputed",
    "line",
];
