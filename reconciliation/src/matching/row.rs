//! A row as the words of `domain`, and a side that is held in memory: for tests, and for lists that
//! are short.

use std::fmt;

use domain::{Amount, Plate, TagId, Timestamp, VehicleGroup};

use super::rule::{Field, Rule};
use super::side::{Keyed, Side, Taken, Unreadable};
use super::stub::{Facts, content_of};

/// One row of a side. What is absent takes no part in the rules that ask for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// The name that both sides have for it.
    pub identity: Option<String>,
    /// The station, as both sides call it.
    pub station: Option<String>,
    /// The tag.
    pub tag: Option<TagId>,
    /// The plate.
    pub plate: Option<Plate>,
    /// When it was.
    pub at: Option<Timestamp>,
    /// The tariff group.
    pub group: Option<VehicleGroup>,
    /// What it is worth.
    pub amount: Amount,
    /// Whether it gives money back.
    pub reversed: bool,
    /// Whether somebody disputes it.
    pub disputed: bool,
}

impl fmt::Debug for Row {
    /// Without tag and plate, which are personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("identity", &self.identity)
            .field("station", &self.station)
            .field("at", &self.at)
            .field("group", &self.group)
            .field("amount", &self.amount)
            .field("reversed", &self.reversed)
            .field("disputed", &self.disputed)
            .finish_non_exhaustive()
    }
}

impl Row {
    fn content(&self, bytes: &mut Vec<u8>) -> u64 {
        bytes.clear();
        for field in [Field::Identity, Field::Station, Field::Tag, Field::Plate] {
            self.write(field, bytes);
            bytes.push(0);
        }
        let at_ns = self.at.map_or(0, Timestamp::as_nanosecond);
        bytes.extend_from_slice(&at_ns.to_le_bytes());
        content_of(bytes)
    }

    fn taken(&self, place: u64, rule: &Rule, key: &mut Vec<u8>) -> Taken {
        Taken {
            digest: rule.digest(self, self.reversed, key),
            at_ms: self.at.map(Timestamp::as_millisecond),
            facts: Facts {
                amount: self.amount.minor_units().unsigned_abs(),
                group: self.group.map_or(0, VehicleGroup::number),
                reversed: self.reversed,
                disputed: self.disputed,
                content: self.content(key),
                place,
            },
        }
    }
}

impl Keyed for Row {
    fn write(&self, field: Field, key: &mut Vec<u8>) -> bool {
        let text = |key: &mut Vec<u8>, text: Option<&str>| {
            key.extend_from_slice(text.unwrap_or_default().as_bytes());
            text.is_some()
        };
        match field {
            Field::Identity => text(key, self.identity.as_deref()),
            Field::Station => text(key, self.station.as_deref()),
            Field::Tag => text(key, self.tag.as_ref().map(TagId::to_hex).as_deref()),
            Field::Plate => text(key, self.plate.as_ref().map(Plate::as_str)),
            Field::Group => {
                key.extend(self.group.map(VehicleGroup::number));
                self.group.is_some()
            }
            Field::Amount => {
                key.extend_from_slice(&self.amount.minor_units().to_le_bytes());
                true
            }
        }
    }
}

/// Rows in memory; a row's place is its number, from 0.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a>(pub &'a [Row]);

impl Side for Rows<'_> {
    type Scratch = Vec<u8>;

    fn extent(&self) -> u64 {
        self.0.len() as u64
    }

    fn rows_about(&self) -> u64 {
        self.0.len() as u64
    }

    fn parts(&self) -> usize {
        1
    }

    fn read_part(
        &self,
        _part: usize,
        rule: &Rule,
        scratch: &mut Vec<u8>,
        mut take: impl FnMut(Taken),
    ) -> Result<(), Unreadable> {
        for (place, row) in (0..).zip(self.0) {
            take(row.taken(place, rule, scratch));
        }
        Ok(())
    }

    fn read_again(
        &self,
        places: impl Iterator<Item = u64>,
        rule: &Rule,
        scratch: &mut Vec<u8>,
        mut take: impl FnMut(Taken),
    ) -> Result<(), Unreadable> {
        for place in places {
            let row = usize::try_from(place).ok().and_then(|place| self.0.get(place));
            let row = row.ok_or("a row is no longer where it was")?;
            take(row.taken(place, rule, scratch));
        }
        Ok(())
    }
}
