//! Forms: what a side's file may be, and what each is turned into, a table.
//!
//! A bank's statement proves itself: its opening balance and its entries must come to its closing
//! balance, or nothing of it is taken.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use domain::Currency;

use super::normal::{NormalRow, NormalWriter};
use super::{camt053, mt940, vetc};

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Rows and columns, with a mapping.
    Table,
    /// A bank's statement as ISO 20022 camt.053.
    Camt053,
    /// A bank's statement as SWIFT MT940.
    Mt940,
    /// Transactions as VETC and the stations exchange them.
    Vetc,
}

/// The largest file of a form other than a table, which is read as a whole.
pub const BYTES_MAX: u64 = 256 << 20;

/// Why a file is not of its form.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// It cannot be read, or the table not be written.
    #[error("{}: {doing}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Too large.
    #[error("{} has {len} bytes; {BYTES_MAX} are read at most", path.display())]
    Large {
        /// The file.
        path: PathBuf,
        /// Its length.
        len: u64,
    },
    /// What is in it.
    #[error("{} line {line}, {field}: {why}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The field.
        field: &'static str,
        /// What is wrong, and what would be right.
        why: String,
    },
}

/// What a reader of a form has to say against a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) line: u64,
    pub(super) field: &'static str,
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn new(line: u64, field: &'static str, why: impl Into<String>) -> Self {
        Self { line, field, why: why.into() }
    }
}

/// What a file of a form other than a table says.
#[derive(Debug)]
pub(super) struct Read {
    /// Absent where no amount is in it.
    pub(super) currency: Option<Currency>,
    pub(super) rows: Vec<NormalRow>,
}

/// Reads a file of any form, and gives it as a table: one that is none is written in the normal form,
/// in a file without a name. What is in another currency than `currency` is refused.
///
/// # Errors
/// When it is not of its form, or the disk fails.
pub fn normalised(
    form: Form,
    path: &Path,
    currency: Currency,
    folder: &Path,
) -> Result<File, FormError> {
    let disk = |doing| move |source| FormError::Disk { path: path.to_owned(), doing, source };
    let mut file = File::open(path).map_err(disk("open it"))?;
    let len = file.metadata().map_err(disk("read its length"))?.len();
    if form == Form::Table {
        return Ok(file);
    }
    if len > BYTES_MAX {
        return Err(FormError::Large { path: path.to_owned(), len });
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(disk("read it"))?;
    let read = read_form(form, &bytes);
    let refused = |Refusal { line, field, why }| {
        let path = path.to_owned();
        FormError::Refused { path, line, field, why }
    };
    let Read { currency: of_file, rows } = read.map_err(refused)?;
    if let Some(other) = of_file.filter(|of_file| *of_file != currency) {
        let why = format!("it is in {other}, and what it is matched with in {currency}");
        return Err(refused(Refusal::new(1, "currency", why)));
    }
    let written = || -> io::Result<File> {
        let mut table = tempfile::tempfile_in(folder)?;
        let mut writer = NormalWriter::try_new(io::BufWriter::new(&table))?;
        rows.iter().try_for_each(|row| writer.write(row))?;
        writer.finish()?;
        table.rewind()?;
        Ok(table)
    };
    written().map_err(disk("write it as a table"))
}

/// Reads what is no table.
pub(super) fn read_form(form: Form, bytes: &[u8]) -> Result<Read, Refusal> {
    match form {
        Form::Camt053 => camt053::read(bytes),
        Form::Mt940 => mt940::read(bytes),
        Form::Vetc | Form::Table => vetc::read(bytes),
    }
}

/// The lines of a text with their numbers; a file in another encoding than UTF-8 is read byte by
/// byte, since what is compared is ASCII.
pub(super) fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)) {
        Ok(text) => text.to_owned(),
        Err(_other_encoding) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}
