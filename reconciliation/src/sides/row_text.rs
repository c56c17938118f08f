//! A row of a table: what its cells mean, by the file's layout and the side's mapping.

use std::collections::HashMap;

use super::cells::RowText;
use super::mapping::{Column, Columns, Mapping, MappingError, Mark, Roles};
use super::value::{AmountReader, TimeReader, Worth, write_plate, write_tag};
use crate::matching::stub::{Facts, content_of};
use crate::matching::{Field, Keyed, Rule, Taken};

/// How values are written, the same for every file of the side.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) delimiter: u8,
    amounts: AmountReader,
    times: TimeReader,
    stations: HashMap<Vec<u8>, Vec<u8>>,
    groups: HashMap<Vec<u8>, u8>,
    reversed: Vec<Vec<u8>>,
    disputed: Vec<Vec<u8>>,
}

/// Which column is what in one file, from 0.
#[derive(Debug, Default)]
pub(super) struct Layout {
    identity: Vec<usize>,
    station: Option<usize>,
    tag: Option<usize>,
    plate: Option<usize>,
    time: Vec<usize>,
    group: Option<usize>,
    amount: usize,
    reversed: Option<usize>,
    disputed: Option<usize>,
    line: Option<usize>,
}

impl Layout {
    /// Finds the mapping's columns; `find` says a column's number from 0.
    pub(super) fn try_new<E>(
        roles: &Roles,
        find: impl Fn(&Column) -> Result<usize, E>,
    ) -> Result<Self, E> {
        let one = |column: &Option<Column>| column.as_ref().map(&find).transpose();
        let several = |columns: &Option<Columns>| {
            let columns = columns.iter().flat_map(Columns::as_slice);
            columns.map(&find).collect::<Result<Vec<_>, E>>()
        };
        let mark = |mark: &Option<Mark>| mark.as_ref().map(|mark| find(&mark.column)).transpose();
        Ok(Self {
            identity: several(&roles.identity)?,
            station: one(&roles.station)?,
            tag: one(&roles.tag)?,
            plate: one(&roles.plate)?,
            time: several(&roles.time)?,
            group: one(&roles.group)?,
            amount: find(&roles.amount)?,
            reversed: mark(&roles.reversed)?,
            disputed: mark(&roles.disputed)?,
            line: one(&roles.line)?,
        })
    }

    /// How many columns a row needs for a rule.
    pub(super) fn wanted(&self, rule: &Rule) -> usize {
        let mut columns = vec![self.amount];
        columns.extend([self.group, self.reversed, self.disputed].into_iter().flatten());
        for field in &rule.key {
            match field {
                Field::Identity => columns.extend(&self.identity),
                Field::Station => columns.extend(self.station),
                Field::Tag => columns.extend(self.tag),
                Field::Plate => columns.extend(self.plate),
                Field::Group | Field::Amount => {}
            }
        }
        if rule.window_ms.is_some() {
            columns.extend(&self.time);
        }
        columns.into_iter().max().unwrap_or(0) + 1
    }
}

/// One row of a file, taken apart.
pub(super) struct TableRow<'a> {
    layout: &'a Layout,
    reading: &'a Reading,
    text: RowText<'a>,
    worth: Worth,
    group: u8,
}

/// What is wrong with a row, before its line is known.
pub(super) struct Wrong {
    pub(super) column: Option<usize>,
    pub(super) why: String,
}

pub(super) fn wrong(column: usize, why: impl Into<String>) -> Wrong {
    Wrong { column: Some(column), why: why.into() }
}

impl Reading {
    pub(super) fn try_new(mapping: &Mapping) -> Result<Self, MappingError> {
        let bytes = |values: &Option<Mark>| -> Vec<Vec<u8>> {
            let values = values.iter().flat_map(|mark| &mark.values);
            values.map(|value| value.as_bytes().to_vec()).collect()
        };
        let stations = mapping.stations.iter();
        let groups = mapping.groups.iter();
        Ok(Self {
            delimiter: u8::try_from(mapping.delimiter)
                .map_err(|_wide| MappingError::Delimiter(mapping.delimiter))?,
            amounts: AmountReader::new(mapping.amounts, mapping.currency.exponent()),
            times: TimeReader::try_new(mapping)?,
            stations: stations.map(|(a, b)| (a.clone().into(), b.clone().into())).collect(),
            groups: groups.map(|(name, group)| (name.clone().into(), group.number())).collect(),
            reversed: bytes(&mapping.columns.reversed),
            disputed: bytes(&mapping.columns.disputed),
        })
    }

    #[inline(always)]
    pub(super) fn row<'a>(
        &'a self,
        layout: &'a Layout,
        text: RowText<'a>,
    ) -> Result<TableRow<'a>, Wrong> {
        let cell = |column: usize| {
            let ends = || format!("the row ends after {} columns", text.len());
            text.cell(column).ok_or_else(|| wrong(column, ends()))
        };
        let amount = cell(layout.amount)?;
        let mut worth = self.amounts.read(amount).ok_or_else(|| {
            let amount = String::from_utf8_lossy(amount);
            wrong(layout.amount, format!("{amount:?} is not {}", self.amounts.wanted()))
        })?;
        if let Some(column) = layout.reversed {
            let cell = cell(column)?;
            worth.negative ^= self.reversed.iter().any(|value| value == cell);
        }
        let group = match layout.group {
            None => 0,
            Some(column) => self.group(cell(column)?).ok_or_else(|| {
                let known = self.groups.keys().map(|name| String::from_utf8_lossy(name));
                let known = known.collect::<Vec<_>>().join(", ");
                let known = if known.is_empty() { "a number from 1 to 255".into() } else { known };
                let cell = text.cell(column).unwrap_or_default();
                let cell = String::from_utf8_lossy(cell);
                wrong(column, format!("{cell:?} is not a tariff group of the mapping: {known}"))
            })?,
        };
        Ok(TableRow { layout, reading: self, text, worth, group })
    }

    /// 0 where the cell is empty.
    fn group(&self, cell: &[u8]) -> Option<u8> {
        match cell {
            [] => Some(0),
            [digit @ b'1'..=b'9'] if self.groups.is_empty() => Some(digit - b'0'),
            _ if self.groups.is_empty() => std::str::from_utf8(cell).ok()?.parse().ok(),
            _ => self.groups.get(cell).copied(),
        }
    }
}

/// What a row says, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// Its identity.
    pub identity: String,
    /// Its station, as we call it.
    pub station: String,
    /// When it was, as the file says it.
    pub time: String,
    /// Its tariff group; empty where not said.
    pub group: String,
    /// What it is worth, in minor units; below zero where it gives money back.
    pub amount: String,
}

impl TableRow<'_> {
    pub(super) fn values(&self) -> Values {
        let text = |field| {
            let mut bytes = Vec::new();
            self.write(field, &mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let time = self.layout.time.iter().map(|column| {
            let cell = self.text.cell(*column).unwrap_or_default();
            String::from_utf8_lossy(cell)
        });
        let sign = if self.worth.negative { "-" } else { "" };
        Values {
            identity: text(Field::Identity),
            station: text(Field::Station),
            time: time.collect::<Vec<_>>().join(" "),
            group: if self.group == 0 { String::new() } else { self.group.to_string() },
            amount: format!("{sign}{}", self.worth.units),
        }
    }

    /// The line of another file that it was read from.
    pub(super) fn named_line(&self) -> Option<String> {
        let cell = self.text.cell(self.layout.line?).filter(|cell| !cell.is_empty())?;
        Some(String::from_utf8_lossy(cell).into_owned())
    }

    #[inline(always)]
    pub(super) fn taken(&self, rule: &Rule, place: u64, key: &mut Vec<u8>) -> Result<Taken, Wrong> {
        let digest = rule.digest(self, self.worth.negative, key);
        let at_ms = match (rule.window_ms, self.layout.time.as_slice()) {
            (None, _) | (Some(_), []) => None,
            (Some(_), columns) => self.at_ms(columns)?,
        };
        let disputed = self.layout.disputed.and_then(|column| self.text.cell(column));
        let facts = Facts {
            amount: self.worth.units,
            group: self.group,
            reversed: self.worth.negative,
            disputed: disputed
                .is_some_and(|cell| self.reading.disputed.iter().any(|value| value == cell)),
            content: content_of(self.text.line()),
            place,
        };
        Ok(Taken { digest, at_ms, facts })
    }

    fn at_ms(&self, columns: &[usize]) -> Result<Option<i64>, Wrong> {
        let joined;
        let text = match columns {
            [column] => self.text.cell(*column).unwrap_or_default(),
            several => {
                let cells = several.iter().filter_map(|column| self.text.cell(*column));
                joined = cells.collect::<Vec<_>>().join(&b' ');
                joined.as_slice()
            }
        };
        if text.is_empty() {
            return Ok(None);
        }
        self.reading.times.read(text).map(Some).ok_or_else(|| {
            let shown = String::from_utf8_lossy(text);
            wrong(columns[0], format!("{shown:?} is not {}", self.reading.times.wanted()))
        })
    }

    pub(super) fn cell(&self, column: Option<usize>) -> &[u8] {
        column.and_then(|column| self.text.cell(column)).unwrap_or_default()
    }
}

impl Keyed for TableRow<'_> {
    #[inline(always)]
    fn lies_in_row(&self, field: Field) -> Option<&[u8]> {
        match (field, self.layout.identity.as_slice()) {
            (Field::Identity, [column]) => self.text.cell(*column).filter(|cell| !cell.is_empty()),
            _ => None,
        }
    }

    #[inline(always)]
    fn write(&self, field: Field, key: &mut Vec<u8>) -> bool {
        match field {
            Field::Identity => {
                let mut is_there = false;
                for (number, column) in self.layout.identity.iter().enumerate() {
                    if number > 0 {
                        key.push(b'|');
                    }
                    let cell = self.cell(Some(*column));
                    is_there |= !cell.is_empty();
                    key.extend_from_slice(cell);
                }
                is_there
            }
            Field::Station => {
                let cell = self.cell(self.layout.station);
                key.extend_from_slice(self.reading.stations.get(cell).map_or(cell, Vec::as_slice));
                !cell.is_empty()
            }
            Field::Tag => write_tag(self.cell(self.layout.tag), key),
            Field::Plate => write_plate(self.cell(self.layout.plate), key),
            Field::Group => {
                key.push(self.group);
                self.group > 0
            }
            Field::Amount => {
                key.extend_from_slice(&self.worth.units.to_le_bytes());
                true
            }
        }
    }
}
