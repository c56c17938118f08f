//! Papers: what finance files and prints, made of what was signed. Pure.
//!
//! A *sheet* is a paper before it has a form: facts, tables, an amount in words, places to sign. PDF and
//! workbook are made of the same sheet, so they cannot say different things. A PDF *carries* the signed
//! text it was made of, and the same text always makes the same bytes: whoever has the centre's public
//! key can make the pages again and see that none was changed, added or taken out ([`open_pages`]).
//!
//! A paper is of one of three kinds ([`AnyPaper`]): a day's statement, a month's or year's, or minutes.
//! Deliberately absent: what the figures are (`statement`, `period`, `minutes`), sending papers anywhere.

mod pdf;
pub mod sealed;
mod statement;
pub mod period;
mod minutes;
pub mod words;
mod xlsx;

pub use pdf::PdfError;
pub use xlsx::WorkbookError;

use domain::signature::PublicKey;
use serde::Deserialize;

use self::period::{PeriodPaper, PeriodStatement};
use crate::minutes::{Minutes, MinutesPaper};
use crate::statement::{Paper, PaperError, Statement};

/// Something in Vietnamese and English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Both(pub(crate) &'static str, pub(crate) &'static str);

/// A paper before it has a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sheet {
    pub(crate) title: Both,
    /// What it is about, line by line.
    pub(crate) facts: Vec<(Both, String)>,
    pub(crate) tables: Vec<Table>,
    /// The amount that is owed, in Vietnamese and English words.
    pub(crate) words: [String; 2],
    /// How figures came about.
    pub(crate) notes: Vec<String>,
    /// Where people sign.
    pub(crate) signatures: Vec<Place>,
    /// The digest of the signed text, and its signature.
    pub(crate) digest: String,
    pub(crate) signature: String,
    /// When it was made: ISO, in UTC.
    pub(crate) made_at: domain::Timestamp,
}

/// A place for a signature: whose, and the name where it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) who: Both,
    pub(crate) name: String,
}

/// A table of a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) title: Both,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// The last row, in bold.
    pub(crate) total: Option<Vec<Cell>>,
}

/// A column: its heading and its share of the page's width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) heading: Both,
    pub(crate) share: u16,
}

/// What stands in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Text(String),
    /// A whole number with its digits in groups.
    Number(i64),
}

impl Cell {
    fn count(count: u64) -> Self {
        Self::Number(i64::try_from(count).unwrap_or(i64::MAX))
    }

    fn text(text: &(impl ToString + ?Sized)) -> Self {
        Self::Text(text.to_string())
    }
}

/// A statement as a page that finance files.
///
/// # Errors
/// When the stored text is no statement or the page cannot be made.
pub fn pdf(paper: &Paper) -> Result<Vec<u8>, PdfError> {
    let statement = paper.read().map_err(PdfError::Text)?;
    pdf::render(&statement::sheet(&statement, paper), &paper.to_json())
}

/// A statement as a workbook.
///
/// # Errors
/// When the stored text is no statement or the workbook cannot be made.
pub fn xlsx(paper: &Paper) -> Result<Vec<u8>, WorkbookError> {
    let statement = paper.read().map_err(WorkbookError::Text)?;
    xlsx::render(&statement::sheet(&statement, paper))
}

/// Why a PDF is not to be believed.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// It carries no signed text.
    #[error("the pages carry no signed paper: they were not made here, or cut short")]
    NothingSigned,
    /// What it carries is no paper.
    #[error("what the pages carry is no paper of ours")]
    Text(#[source] serde_json::Error),
    /// What it carries is not as it was signed.
    #[error("what the pages carry is not as it was signed")]
    Paper(#[from] PaperError),
    /// The pages are not those that the signed text makes.
    #[error(
        "the pages are not those of the signed paper, which has {wanted} bytes of them, not {found}: \
         a page is missing, or was changed"
    )]
    Pages {
        /// How many bytes the signed text makes.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
    /// The pages cannot be made again.
    #[error("make the pages again")]
    Again(#[from] PdfError),
}

/// A paper of any kind, as it is filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnyPaper {
    /// A day's statement.
    Day(Paper),
    /// A month's or a year's statement.
    Period(PeriodPaper),
    /// Minutes of reconciliation.
    Minutes(MinutesPaper),
}

/// A paper of any kind that is to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// A day's statement.
    Day(Statement),
    /// A month's or a year's statement.
    Period(PeriodStatement),
    /// Minutes of reconciliation.
    Minutes(Minutes),
}

/// As much of a paper as says of which kind it is.
#[derive(Deserialize)]
struct Headed {
    statement: Head,
}

#[derive(Deserialize)]
struct Head {
    format: String,
}

impl AnyPaper {
    /// Reads a filed paper, of the kind it says it is.
    ///
    /// # Errors
    /// When it is none, or not as papers of that kind are.
    pub fn try_from_json(text: &str) -> Result<Self, serde_json::Error> {
        let Headed { statement: Head { format } } = serde_json::from_str(text)?;
        match format.as_str() {
            "etc/v1/period-statement" => PeriodPaper::try_from_json(text).map(Self::Period),
            "etc/v1/minutes" => MinutesPaper::try_from_json(text).map(Self::Minutes),
            _ => Paper::try_from_json(text).map(Self::Day),
        }
    }

    /// What it says, once digest and signature have been checked.
    ///
    /// # Errors
    /// When either is not as it was signed.
    pub fn open(&self, key: &PublicKey) -> Result<Opened, PaperError> {
        match self {
            Self::Day(paper) => paper.open(key).map(Opened::Day),
            Self::Period(paper) => paper.open(key).map(Opened::Period),
            Self::Minutes(paper) => paper.open(key).map(Opened::Minutes),
        }
    }

    /// As pages.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn pdf(&self) -> Result<Vec<u8>, PdfError> {
        match self {
            Self::Day(paper) => pdf(paper),
            Self::Period(paper) => paper.pdf(),
            Self::Minutes(paper) => paper.pdf(),
        }
    }
}

/// What a PDF shows, once signature and every byte of the pages have been checked.
///
/// # Errors
/// When the signature is not the centre's, or a page is missing or was changed.
pub fn open_pages(bytes: &[u8], key: &PublicKey) -> Result<Opened, PageError> {
    let carried = pdf::carried(bytes).ok_or(PageError::NothingSigned)?;
    let paper = AnyPaper::try_from_json(carried).map_err(PageError::Text)?;
    let opened = paper.open(key)?;
    let again = paper.pdf()?;
    if again == bytes {
        return Ok(opened);
    }
    Err(PageError::Pages { wanted: again.len(), found: bytes.len() })
}

#[cfg(test)]
mod tests;
