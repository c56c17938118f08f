//! A table: one side's files, read in parallel by blocks and again by place.
//!
//! *Place*: a byte's offset in all files of the side, one behind the other. *Layout*: the mapping,
//! with each column's number in one file; files of one side may order their columns differently.
//! Reading costs a few buffers, whatever the file's size.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::cells::{Cells, RowText, TakesRows, Unclosed};
use super::line::Lines;
use super::mapping::{Column, Mapping, MappingError};
use super::row_text::{Layout, Reading, Values, Wrong};
use crate::matching::stub::PLACE_LIMIT;
use crate::matching::{Rule, Side, Taken, Unreadable};

/// A part that one worker reads at once.
const BLOCK: u64 = 1 << 22;
/// What is read at once where single rows are read again.
const AGAIN: usize = 1 << 13;
/// The longest row.
const ROW_MAX: usize = 1 << 20;
/// About how long a row is, for the first guess of how many there are.
const ROW_ABOUT: u64 = 80;

/// Why a table is refused.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// The file cannot be opened or read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The mapping names a column that the file does not have.
    #[error(
        "{}: the mapping wants column {wanted:?}, and the first line has {}",
        path.display(), present.join(", ")
    )]
    Column {
        /// The file.
        path: PathBuf,
        /// What the mapping calls it.
        wanted: String,
        /// What there is.
        present: Vec<String>,
    },
    /// A row is not what the mapping says.
    #[error("{} line {line}{}: {why}", path.display(), in_column(column.as_deref()))]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What the mapping calls the column.
        column: Option<String>,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// The mapping.
    #[error("the mapping")]
    Mapping(#[from] MappingError),
    /// More than can be told apart.
    #[error("the files of a side are {0} bytes together; 2^54 is the most")]
    Large(u64),
    /// Nothing to read.
    #[error("a side needs at least one file")]
    NoFile,
}

fn in_column(column: Option<&str>) -> String {
    column.map_or_else(String::new, |column| format!(", column {column:?}"))
}

/// The files of one side.
#[derive(Debug)]
pub struct Table {
    files: Vec<OneFile>,
    extent: u64,
    reading: Reading,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct OneFile {
    path: PathBuf,
    file: File,
    /// The place of its first byte.
    base: u64,
    len: u64,
    layout: Layout,
    /// The columns' names, where the first line has them.
    names: Vec<String>,
    lines: Lines,
}

#[derive(Debug, Clone)]
struct Part {
    file: usize,
    bytes: Range<u64>,
}

impl Table {
    /// Opens the files of a side and finds the mapping's columns in each.
    ///
    /// # Errors
    /// When a file cannot be read, or lacks a column.
    pub fn open(paths: &[PathBuf], mapping: &Mapping) -> Result<Self, SideError> {
        let open = |path: &PathBuf| match File::open(path) {
            Ok(file) => Ok((path.clone(), file)),
            Err(source) => Err(SideError::Read { path: path.clone(), source }),
        };
        Self::of(paths.iter().map(open).collect::<Result<_, _>>()?, mapping)
    }

    /// The same with files that are open, and what they are called.
    ///
    /// # Errors
    /// When a file cannot be read, or lacks a column.
    pub fn of(opened: Vec<(PathBuf, File)>, mapping: &Mapping) -> Result<Self, SideError> {
        Self::in_parts(opened, mapping, BLOCK)
    }

    fn in_parts(
        opened: Vec<(PathBuf, File)>,
        mapping: &Mapping,
        block: u64,
    ) -> Result<Self, SideError> {
        let reading = Reading::try_new(mapping)?;
        let (mut files, mut parts, mut extent) = (Vec::new(), Vec::new(), 0);
        for (path, file) in opened {
            let len = file
                .metadata()
                .map_err(|source| SideError::Read { path: path.clone(), source })?
                .len();
            let (body, layout, names) = layout_of(&file, len, &path, mapping)?;
            let mut at = body;
            while at < len {
                let end = (at + block).min(len);
                parts.push(Part { file: files.len(), bytes: at..end });
                at = end;
            }
            let lines = Lines::default();
            files.push(OneFile {
                path: path.clone(),
                file,
                base: extent,
                len,
                layout,
                names,
                lines,
            });
            // One more than its bytes, so that an empty file has a place of its own.
            extent += len + 1;
        }
        if files.is_empty() {
            return Err(SideError::NoFile);
        }
        if extent > PLACE_LIMIT {
            return Err(SideError::Large(extent));
        }
        Ok(Self { files, extent, reading, parts })
    }

    /// Reads one row again, for people; without tag and plate, which are personal data.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn show(&self, place: u64, scratch: &mut Scratch) -> Result<Shown, SideError> {
        let file = self.file_of(place);
        let at = place - file.base;
        let line = file.line_in(place, &mut (0..0), &mut scratch.block)?;
        let row = scratch
            .cells
            .line(line, self.reading.delimiter)
            .map_err(|Unclosed| unclosed())
            .and_then(|text| self.reading.row(&file.layout, text))
            .map_err(|wrong| file.refuse(at, wrong))?;
        let line = match row.named_line() {
            Some(line) => line,
            None => file.line_of(at)?.to_string(),
        };
        Ok(Shown { file: file.path.display().to_string(), line, values: row.values() })
    }

    fn file_of(&self, place: u64) -> &OneFile {
        let after = self.files.partition_point(|file| file.base <= place);
        &self.files[after.saturating_sub(1)]
    }
}

/// Where the rows begin, and which column is what.
fn layout_of(
    file: &File,
    len: u64,
    path: &Path,
    mapping: &Mapping,
) -> Result<(u64, Layout, Vec<String>), SideError> {
    let read = |source| SideError::Read { path: path.to_owned(), source };
    let mut head = vec![0; ROW_MAX.min(usize::try_from(len).unwrap_or(ROW_MAX))];
    file.read_exact_at(&mut head, 0).map_err(read)?;
    let mark = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let end = memchr::memchr(b'\n', &head).unwrap_or(head.len());
    let mut names: Vec<String> = Vec::new();
    if mapping.header {
        let mut cells = Cells::default();
        let delimiter = u8::try_from(mapping.delimiter).unwrap_or(b',');
        let line = cells.line(&head[mark.min(end)..end], delimiter).map_err(|Unclosed| {
            let why = UNCLOSED.to_owned();
            SideError::Row { path: path.to_owned(), line: 1, column: None, why }
        })?;
        let name = |column| line.cell(column).map(|name| String::from_utf8_lossy(name).into());
        names = (0..line.len()).filter_map(name).collect();
    }
    let find = |column: &Column| {
        let number = match column {
            Column::Number(number) => number.checked_sub(1),
            Column::Name(name) => names.iter().position(|present| present == name),
        };
        number.ok_or_else(|| SideError::Column {
            path: path.to_owned(),
            wanted: column.to_string(),
            present: names.clone(),
        })
    };
    let layout = Layout::try_new(&mapping.columns, find)?;
    let body = if mapping.header { (end + 1).min(head.len()) } else { mark };
    Ok((body as u64, layout, names))
}

const UNCLOSED: &str = "a quotation mark is opened and not closed on its line; a row is one line";

/// A row as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The file.
    pub file: String,
    /// Its line in the file it came in.
    pub line: String,
    /// What it says.
    pub values: Values,
}

/// What one worker reads into.
#[derive(Debug, Default)]
pub struct Scratch {
    block: Vec<u8>,
    cells: Cells,
    key: Vec<u8>,
}

impl Side for Table {
    type Scratch = Scratch;

    fn extent(&self) -> u64 {
        self.extent
    }

    fn rows_about(&self) -> u64 {
        self.extent / ROW_ABOUT
    }

    fn parts(&self) -> usize {
        self.parts.len()
    }

    fn read_part(
        &self,
        part: usize,
        rule: &Rule,
        scratch: &mut Scratch,
        mut take: impl FnMut(Taken),
    ) -> Result<(), Unreadable> {
        let Part { file, bytes } = &self.parts[part];
        let file = &self.files[*file];
        let wanted = file.layout.wanted(rule);
        let Scratch { block, cells, key } = scratch;
        let is_first =
            self.parts[..part].last().is_none_or(|before| before.file != self.parts[part].file);
        // A row is of the part in which its first byte is: one that began before is not ours.
        let from = if is_first { bytes.start } else { bytes.start - 1 };
        let mut slack = 1 << 12;
        loop {
            let to = (bytes.end + slack).min(file.len);
            file.read(from..to, block)?;
            let mut start = 0;
            if !is_first {
                start = memchr::memchr(b'\n', block).map_or(block.len(), |at| at + 1);
            }
            let until = usize::try_from(bytes.end - from)?;
            if start >= until {
                return Ok(());
            }
            if to == file.len && block.last() != Some(&b'\n') {
                block.push(b'\n');
            }
            let is_whole = memchr::memchr(b'\n', &block[until - 1..]).is_some();
            if !is_whole {
                slack *= 16;
                if slack > ROW_MAX as u64 {
                    let why = format!("the row is longer than {ROW_MAX} bytes");
                    return Err(file.refuse(bytes.end - 1, Wrong { column: None, why }).into());
                }
                continue;
            }
            let from = from + start as u64;
            let mut rows = Taking { table: self, file, rule, from, key, take: &mut take };
            let delimiter = self.reading.delimiter;
            cells.rows(&block[start..], until - start, delimiter, wanted, &mut rows)?;
            return Ok(());
        }
    }

    fn read_again(
        &self,
        places: impl Iterator<Item = u64>,
        rule: &Rule,
        scratch: &mut Scratch,
        mut take: impl FnMut(Taken),
    ) -> Result<(), Unreadable> {
        let Scratch { block, cells, key } = scratch;
        let mut window = 0..0;
        for place in places {
            let file = self.file_of(place);
            let line = file.line_in(place, &mut window, block)?;
            let taken = cells
                .line(line, self.reading.delimiter)
                .map_err(|Unclosed| unclosed())
                .and_then(|text| self.reading.row(&file.layout, text))
                .and_then(|row| row.taken(rule, place, key))
                .map_err(|wrong| file.refuse(place - file.base, wrong))?;
            take(taken);
        }
        Ok(())
    }
}

/// Takes the rows of one block.
struct Taking<'a, F> {
    table: &'a Table,
    file: &'a OneFile,
    rule: &'a Rule,
    /// Where the block begins in the file.
    from: u64,
    key: &'a mut Vec<u8>,
    take: &'a mut F,
}

impl<F: FnMut(Taken)> TakesRows<SideError> for Taking<'_, F> {
    #[inline(always)]
    fn row(&mut self, at: usize, text: Result<RowText<'_>, Unclosed>) -> Result<(), SideError> {
        let (file, at) = (self.file, self.from + at as u64);
        let taken = match text {
            Ok(text) => match self.table.reading.row(&file.layout, text) {
                Ok(row) => row.taken(self.rule, file.base + at, self.key),
                Err(wrong) => Err(wrong),
            },
            Err(Unclosed) => Err(unclosed()),
        };
        (self.take)(taken.map_err(|wrong| file.refuse(at, wrong))?);
        Ok(())
    }
}

fn unclosed() -> Wrong {
    Wrong { column: None, why: UNCLOSED.to_owned() }
}

impl OneFile {
    fn read(&self, bytes: Range<u64>, block: &mut Vec<u8>) -> Result<(), SideError> {
        let read = |source| SideError::Read { path: self.path.clone(), source };
        let len = usize::try_from(bytes.end - bytes.start);
        let len = len.map_err(|large| read(io::Error::other(large)))?;
        block.resize(len, 0);
        self.file.read_exact_at(block, bytes.start).map_err(read)
    }

    /// The line that begins at a place; `window` says which places `block` holds.
    fn line_in<'b>(
        &self,
        place: u64,
        window: &mut Range<u64>,
        block: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], SideError> {
        let mut len = AGAIN as u64;
        loop {
            if window.contains(&place) {
                let from = usize::try_from(place - window.start).unwrap_or(usize::MAX);
                let end = memchr::memchr(b'\n', &block[from..]).map(|len| from + len);
                let is_last = window.end == self.base + self.len;
                if let Some(end) = end.or(is_last.then_some(block.len())) {
                    return Ok(&block[from..end]);
                }
            }
            let from = place - self.base;
            let to = (from + len).min(self.len);
            self.read(from..to, block)?;
            *window = place..self.base + to;
            len *= 16;
        }
    }

    fn line_of(&self, at: u64) -> Result<u64, SideError> {
        let read = |source| SideError::Read { path: self.path.clone(), source };
        self.lines.line_at(&self.file, self.len, at).map_err(read)
    }

    fn refuse(&self, at: u64, Wrong { column, why }: Wrong) -> SideError {
        match self.line_of(at) {
            Ok(line) => {
                let path = self.path.clone();
                let column = column.map(|column| match self.names.get(column) {
                    Some(name) => name.clone(),
                    None => (column + 1).to_string(),
                });
                SideError::Row { path, line, column, why }
            }
            Err(error) => error,
        }
    }
}

#[cfg(test)]
mod tests;
