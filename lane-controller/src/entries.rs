//! The entry book: who came onto the road, for its exits.

use std::collections::HashMap;

use domain::passage::EntryRef;
use domain::wire::v1::EntryRecord;
use domain::{Plate, TagId};

/// The last entry of every vehicle, by tag and by plate.
#[derive(Debug, Clone, Default)]
pub struct EntryBook {
    by_tag: HashMap<TagId, EntryRef>,
    by_plate: HashMap<Plate, EntryRef>,
}

impl EntryBook {
    /// Notes an entry; an older one than is known changes nothing.
    pub fn note(&mut self, record: EntryRecord) {
        let entry = EntryRef { passage: record.passage, station: record.station, at: record.at };
        let newer = |known: Option<&EntryRef>| known.is_none_or(|known| known.at <= entry.at);
        if let Some(tag) = record.tag
            && newer(self.by_tag.get(&tag))
        {
            self.by_tag.insert(tag, entry.clone());
        }
        if let Some(plate) = record.plate
            && newer(self.by_plate.get(&plate))
        {
            self.by_plate.insert(plate, entry.clone());
        }
    }

    /// The last entry of the vehicle with this tag.
    #[must_use]
    pub fn by_tag(&self, tag: &TagId) -> Option<EntryRef> {
        self.by_tag.get(tag).cloned()
    }

    /// The last entry of the vehicle with this plate.
    #[must_use]
    pub fn by_plate(&self, plate: &Plate) -> Option<EntryRef> {
        self.by_plate.get(plate).cloned()
    }
}
