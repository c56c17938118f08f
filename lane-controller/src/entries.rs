//! The entry book: who came onto the road, for its exits.
//!
//! It is bounded: at half of its room a new *page* begins, and the page before the last goes. What
//! is forgotten at a lane is known at the centre, which rates the trip from its own books.

use std::collections::HashMap;

use domain::passage::EntryRef;
use domain::wire::v1::EntryRecord;
use domain::{Plate, TagId};

/// So many entries have room on a page: days of the busiest road.
const PAGE_LEN: usize = 250_000;

/// The last entry of every vehicle, by tag and by plate.
#[derive(Debug, Clone, Default)]
pub struct EntryBook {
    now: Page,
    before: Page,
}

#[derive(Debug, Clone, Default)]
struct Page {
    by_tag: HashMap<TagId, EntryRef>,
    by_plate: HashMap<Plate, EntryRef>,
}

impl EntryBook {
    /// Notes an entry; an older one than is known changes nothing.
    pub fn note(&mut self, record: EntryRecord) {
        self.note_within(record, PAGE_LEN);
    }

    fn note_within(&mut self, record: EntryRecord, page_len: usize) {
        let entry = EntryRef { passage: record.passage, station: record.station, at: record.at };
        let newer = |known: Option<&EntryRef>| known.is_none_or(|known| known.at <= entry.at);
        if let Some(tag) = record.tag
            && newer(self.of_tag(&tag))
        {
            self.now.by_tag.insert(tag, entry.clone());
        }
        if let Some(plate) = record.plate
            && newer(self.of_plate(&plate))
        {
            self.now.by_plate.insert(plate, entry.clone());
        }
        if self.now.by_tag.len().max(self.now.by_plate.len()) >= page_len {
            self.before = std::mem::take(&mut self.now);
        }
    }

    fn of_tag(&self, tag: &TagId) -> Option<&EntryRef> {
        self.now.by_tag.get(tag).or_else(|| self.before.by_tag.get(tag))
    }

    fn of_plate(&self, plate: &Plate) -> Option<&EntryRef> {
        self.now.by_plate.get(plate).or_else(|| self.before.by_plate.get(plate))
    }

    /// The last entry of the vehicle with this tag.
    #[must_use]
    pub fn by_tag(&self, tag: &TagId) -> Option<EntryRef> {
        self.of_tag(tag).cloned()
    }

    /// The last entry of the vehicle with this plate.
    #[must_use]
    pub fn by_plate(&self, plate: &Plate) -> Option<EntryRef> {
        self.of_plate(plate).cloned()
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    fn entered(vehicle: u32, second: i64) -> EntryRecord {
        EntryRecord {
            v: 1,
            passage: format!("vec/mai-son/e1:1:{}", second + 1).parse().unwrap(),
            station: "mai-son".parse().unwrap(),
            at: Timestamp::from_second(second).unwrap(),
            tag: Some(TagId::try_from_slice(&vehicle.to_be_bytes()).unwrap()),
            plate: Some(format!("37A{vehicle:05}").parse().unwrap()),
            group: None,
        }
    }

    #[test]
    fn an_older_entry_changes_nothing_whichever_page_the_newer_is_on() {
        let mut book = EntryBook::default();
        book.note_within(entered(1, 50), 1);
        book.note_within(entered(1, 40), 1);
        let tag = TagId::try_from_slice(&1_u32.to_be_bytes()).unwrap();
        assert_eq!(book.by_tag(&tag).unwrap().at, Timestamp::from_second(50).unwrap());
    }

    #[test]
    fn a_year_of_entries_takes_no_more_room_than_two_pages() {
        let mut book = EntryBook::default();
        for vehicle in 0..20_000 {
            book.note_within(entered(vehicle, i64::from(vehicle)), 100);
            let held = |page: &Page| page.by_tag.len().max(page.by_plate.len());
            assert!(held(&book.now) < 100 && held(&book.before) <= 100);
        }
        let known = |vehicle: u32| {
            book.by_tag(&TagId::try_from_slice(&vehicle.to_be_bytes()).unwrap()).is_some()
        };
        assert!(known(19_999) && known(19_900) && !known(19_000));
    }
}
