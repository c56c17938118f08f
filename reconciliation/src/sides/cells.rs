//! Cells: a block of text cut into rows and columns. Pure, and the hottest code of a matching.
//!
//! Where a block has no quotation mark, one pass finds separators and line ends. Where it has one,
//! each line is taken apart with care: `"` around a cell, `""` for one inside. A line end inside
//! quotes is refused: rows could no longer be found from the middle of a file.

use memchr::memchr;

/// Where the cells of one row lie in its text.
#[derive(Debug, Default)]
pub(super) struct Cells {
    spans: Vec<(u32, u32)>,
    unquoted: Vec<u8>,
}

/// One row's text and cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowText<'a> {
    /// What the cells lie in.
    text: &'a [u8],
    line: &'a [u8],
    spans: &'a [(u32, u32)],
}

impl<'a> RowText<'a> {
    /// A cell by its number from 0, without blanks at its ends; `None` where the row ends before.
    #[inline]
    pub(super) fn cell(&self, column: usize) -> Option<&'a [u8]> {
        let &(from, to) = self.spans.get(column)?;
        Some(self.text[from as usize..to as usize].trim_ascii())
    }

    /// The whole line, as it was written.
    pub(super) const fn line(&self) -> &'a [u8] {
        self.line
    }

    pub(super) const fn len(&self) -> usize {
        self.spans.len()
    }
}

/// One bit for each byte that separates cells or ends a line, the first byte's lowest.
#[inline]
fn separators_in(bytes: &[u8; 64], delimiter: u8) -> u64 {
    // In two steps that compilers turn into a few vector instructions: a byte of 0 or 1 for each,
    // and eight such bytes into eight bits by one multiplication.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut flags = [0_u8; 64];
    for (flag, byte) in flags.iter_mut().zip(bytes) {
        *flag = u8::from(*byte == delimiter) | u8::from(*byte == b'\n');
    }
    let eights = flags.as_chunks::<8>().0.iter().rev();
    eights.fold(0, |bits, eight| bits << 8 | u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56)
}

/// Why a row cannot be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unclosed;

/// What takes the rows of a block. A trait, so that its code can be put into the loop: a row that
/// is handed over through memory costs more than all the rest.
pub(super) trait TakesRows<E> {
    fn row(&mut self, at: usize, text: Result<RowText<'_>, Unclosed>) -> Result<(), E>;
}

impl Cells {
    /// Cuts `block` into rows, and hands over each with where it begins; `wanted` columns are
    /// enough. Rows that begin at or after `until` are left alone. Empty lines are no rows.
    ///
    /// Gives where it stopped: the beginning of a row that has no line end in the block.
    pub(super) fn rows<E>(
        &mut self,
        block: &[u8],
        until: usize,
        delimiter: u8,
        wanted: usize,
        rows: &mut impl TakesRows<E>,
    ) -> Result<usize, E> {
        if memchr(b'"', block).is_some() {
            return self.quoted_rows(block, until, delimiter, rows);
        }
        let (mut start, mut cell) = (0, 0);
        self.spans.clear();
        let (words, rest) = block.as_chunks::<64>();
        let mut last = [0; 64];
        last[..rest.len()].copy_from_slice(rest);
        for (number, word) in words.iter().chain([&last]).enumerate() {
            let mut found = separators_in(word, delimiter);
            while found != 0 {
                let at = number * 64 + found.trailing_zeros() as usize;
                found &= found - 1;
                if self.spans.len() < wanted {
                    self.spans.push((position(cell), position(at)));
                }
                cell = at + 1;
                if block[at] != b'\n' {
                    continue;
                }
                let line = &block[start..at];
                if !is_blank(line) {
                    rows.row(start, Ok(RowText { text: block, line, spans: &self.spans }))?;
                }
                self.spans.clear();
                start = cell;
                if start >= until {
                    return Ok(start);
                }
            }
        }
        Ok(start)
    }

    fn quoted_rows<E>(
        &mut self,
        block: &[u8],
        until: usize,
        delimiter: u8,
        rows: &mut impl TakesRows<E>,
    ) -> Result<usize, E> {
        let mut start = 0;
        while start < until
            && let Some(len) = memchr(b'\n', &block[start..])
        {
            let line = &block[start..start + len];
            if !is_blank(line) {
                rows.row(start, self.line(line, delimiter))?;
            }
            start += len + 1;
        }
        Ok(start)
    }

    /// One line, with or without quotation marks and its line end.
    pub(super) fn line<'a>(
        &'a mut self,
        line: &'a [u8],
        delimiter: u8,
    ) -> Result<RowText<'a>, Unclosed> {
        self.spans.clear();
        self.unquoted.clear();
        let mut rest = line.trim_ascii_end();
        loop {
            let from = self.unquoted.len();
            let end = self.unquote(rest, delimiter)?;
            self.spans.push((position(from), position(self.unquoted.len())));
            match end {
                Some(next) => rest = &rest[next..],
                None => return Ok(RowText { text: &self.unquoted, line, spans: &self.spans }),
            }
        }
    }

    /// Copies one cell without its quotation marks; gives where the next begins.
    fn unquote(&mut self, text: &[u8], delimiter: u8) -> Result<Option<usize>, Unclosed> {
        let mut is_inside = false;
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            at += 1;
            match (byte, is_inside) {
                (b'"', true) if text.get(at) == Some(&b'"') => {
                    self.unquoted.push(b'"');
                    at += 1;
                }
                (b'"', _) => is_inside = !is_inside,
                (byte, false) if byte == delimiter => return Ok(Some(at)),
                (byte, _) => self.unquoted.push(byte),
            }
        }
        if is_inside { Err(Unclosed) } else { Ok(None) }
    }
}

fn is_blank(line: &[u8]) -> bool {
    match line {
        [] | [b'\r'] => true,
        [first, ..] => first.is_ascii_whitespace() && line.trim_ascii().is_empty(),
    }
}

/// A block is far below 4 GB.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
