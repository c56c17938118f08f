//! Several layers as one: rows in order, the newest layer's word for each tag.

use std::iter::Peekable;

use super::ListError;
use super::overlay::Overlay;
use super::row::Row;
use super::table::{Scan, Table};

/// One layer of a list.
enum Layer<'a> {
    Memory(Peekable<Box<dyn Iterator<Item = Row<'a>> + 'a>>),
    Disk(Scan<'a>),
}

impl Layer<'_> {
    fn row(&mut self) -> Option<Row<'_>> {
        match self {
            Self::Memory(rows) => rows.peek().copied(),
            Self::Disk(scan) => scan.row(),
        }
    }

    fn advance(&mut self) -> Result<(), ListError> {
        match self {
            Self::Memory(rows) => {
                rows.next();
                Ok(())
            }
            Self::Disk(scan) => scan.advance(),
        }
    }
}

/// Layers from the newest to the oldest.
#[derive(Default)]
pub(super) struct Merge<'a>(Vec<Layer<'a>>);

impl<'a> Merge<'a> {
    /// Adds an older layer.
    pub(super) fn over_changes(mut self, overlay: Option<&'a Overlay>) -> Self {
        let rows = overlay.map(|overlay| {
            let rows: Box<dyn Iterator<Item = Row<'a>> + 'a> = Box::new(overlay.rows());
            Layer::Memory(rows.peekable())
        });
        self.0.extend(rows);
        self
    }

    /// Adds an older layer.
    pub(super) fn over_table(mut self, table: Option<&'a Table>) -> Result<Self, ListError> {
        if let Some(table) = table {
            self.0.push(Layer::Disk(Scan::begin(table)?));
        }
        Ok(self)
    }

    /// Hands on every tag's row, in order.
    pub(super) fn each(
        mut self,
        mut take: impl FnMut(&Row<'_>) -> Result<(), ListError>,
    ) -> Result<(), ListError> {
        let mut tag = Vec::new();
        loop {
            let mut newest: Option<(usize, u64)> = None;
            for (index, layer) in self.0.iter_mut().enumerate() {
                let Some(row) = layer.row() else { continue };
                if newest.is_none_or(|(_, hash)| row.place() < (hash, &tag[..])) {
                    newest = Some((index, row.hash));
                    tag.clear();
                    tag.extend_from_slice(row.tag);
                }
            }
            let Some((index, hash)) = newest else { return Ok(()) };
            if let Some(row) = self.0[index].row() {
                take(&row)?;
            }
            for layer in &mut self.0 {
                if layer.row().is_some_and(|row| row.place() == (hash, &tag[..])) {
                    layer.advance()?;
                }
            }
        }
    }
}
