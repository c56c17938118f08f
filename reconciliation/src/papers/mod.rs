//! Papers: what finance files and prints, made of what was signed. Pure.
//!
//! A *sheet* is a paper before it has a form: facts, tables, an amount in words, places to sign. PDF and
//! workbook are made of the same sheet, so they cannot say different things. A PDF *carries* the signed
//! text it was made of, and the same text always makes the same bytes: whoever has the centre's public
//! key can make the pages again and see that none was changed, added or taken out ([`open_pdf`]).
//!
//! Deliberately absent: what the figures are (`statement`, `period`), sending papers anywhere.

mod pdf;
pub mod period;
mod statement;
pub mod words;
mod xlsx;

pub use pdf::PdfError;
pub use xlsx::WorkbookError;

use domain::signature::PublicKey;

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
    /// Who signs.
    pub(crate) signatures: Vec<Both>,
    /// The digest of the signed text, and its signature.
    pub(crate) digest: String,
    pub(crate) signature: String,
    /// When it was made: ISO, in UTC.
    pub(crate) made_at: domain::Timestamp,
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
    #[error("the pages carry no signed statement: they were not made here, or cut short")]
    NothingSigned,
    /// What it carries is no paper.
    #[error("what the pages carry is no statement")]
    Text(#[source] serde_json::Error),
    /// What it carries is not as it was signed.
    #[error("what the pages carry is not as it was signed")]
    Paper(#[from] PaperError),
    /// The pages are not those that the signed text makes.
    #[error(
        "the pages are not those of the signed statement, which has {wanted} bytes of them, not {found}: \
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

/// The statement a PDF shows, once signature and every byte of the pages have been checked.
///
/// # Errors
/// When the signature is not the centre's, or a page is missing or was changed.
pub fn open_pdf(bytes: &[u8], key: &PublicKey) -> Result<Statement, PageError> {
    let carried = pdf::carried(bytes).ok_or(PageError::NothingSigned)?;
    let paper = Paper::try_from_json(carried).map_err(PageError::Text)?;
    let statement = paper.open(key)?;
    let again = pdf(&paper)?;
    if again == bytes {
        return Ok(statement);
    }
    Err(PageError::Pages { wanted: again.len(), found: bytes.len() })
}

#[cfg(test)]
mod tests;
