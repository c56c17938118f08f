//! One tag's stay in the field, made of its reads: the first sight at once, refinements after.
//!
//! A lane must decide on the first read and can learn more from the later ones. [`Sightings`]
//! therefore answers the first read of a tag with [`SightingEvent::FirstSeen`] in the same call,
//! and later ones only where they say something new: a stronger answer, the TID, another antenna,
//! twice as many reads. A tag that has not been read for a while has left.
//!
//! It is pure: time is an argument, and nothing is kept that is not asked for. It does not decide
//! which vehicle carries a tag.
//!
//! Memory is bounded: at most [`SightingSettings::sightings_max`] stays are open. A tag that comes
//! when all are taken is seen nevertheless; the stay that was read longest ago ends for it, early,
//! and says so ([`Departure::Crowded`]). A first sight is never dropped.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::{Epc, Rssi, TagRead, Tid};

/// What counts as news, and for how long a tag is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SightingSettings {
    /// A tag that has not been read for so long has left.
    pub absence: Duration,
    /// How much stronger an answer must be than the strongest before it to be news, in dB, or in
    /// the reader's own unit where it has no dBm.
    pub rssi_step_db: u8,
    /// The most stays that are open at one time, at least 1.
    pub sightings_max: usize,
}

impl Default for SightingSettings {
    /// For a lane: gone after two seconds, 3 dB is news, room for a thousand tags.
    fn default() -> Self {
        Self { absence: Duration::from_secs(2), rssi_step_db: 3, sightings_max: 1024 }
    }
}

/// One stay of one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The tag's identity.
    pub epc: Epc,
    /// The chip's own identity, once a read told it.
    pub tid: Option<Tid>,
    /// When it was first read.
    pub first_seen: Instant,
    /// When it was last read.
    pub last_seen: Instant,
    /// How many reads there were, by the reader's own count.
    pub read_count: u32,
    /// The strongest answer so far.
    pub strongest: Option<Strongest>,
    /// The antenna ports that heard it, in the order in which they did.
    pub antennas: Vec<u8>,
}

/// The strongest answer of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strongest {
    /// How strong.
    pub rssi: Rssi,
    /// Where it was heard.
    pub antenna: Option<u8>,
    /// When.
    pub at: Instant,
}

/// What happened to a stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SightingEvent {
    /// It began: this is the first read.
    FirstSeen(Sighting),
    /// A read told something new.
    Refined {
        /// The stay as it is known now.
        sighting: Sighting,
        /// What is new.
        news: News,
    },
    /// It is over.
    Left {
        /// The stay as it was.
        sighting: Sighting,
        /// How it ended.
        departure: Departure,
    },
}

/// What a read can tell that was not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The answer was stronger than any before it, by the step of the settings.
    Stronger,
    /// The TID, for the first time.
    TidLearned,
    /// Another TID than before: two chips answer to one EPC. One of them is a copy.
    TidDiffers,
    /// Another antenna heard it too.
    OtherAntenna,
    /// There are now twice as many reads as when this was last said: 2, 4, 8, …
    Count,
}

/// How a stay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// The tag was not read any more.
    Absent,
    /// There was no room for it any more; it may still be there.
    Crowded,
}

/// The stays that are open.
#[derive(Debug)]
pub struct Sightings {
    settings: SightingSettings,
    open: HashMap<Epc, Stay>,
    // The same, the longest unread first.
    by_age: BTreeSet<(Instant, Epc)>,
}

#[derive(Debug)]
struct Stay {
    sighting: Sighting,
    // How many reads the next news of the count needs.
    count_wanted: u32,
}

impl Sightings {
    /// None yet.
    #[must_use]
    pub fn new(settings: SightingSettings) -> Self {
        Self { settings, open: HashMap::new(), by_age: BTreeSet::new() }
    }

    /// Takes a read. Stays that are over by `now` end first.
    pub fn handle(&mut self, read: &TagRead, now: Instant) -> Vec<SightingEvent> {
        let mut events = self.handle_deadline(now);
        let Some(stay) = self.open.get_mut(&read.epc) else {
            events.extend(self.make_room());
            events.push(SightingEvent::FirstSeen(self.begin(read, now)));
            return events;
        };
        self.by_age.remove(&(stay.sighting.last_seen, read.epc));
        let news = stay.refine(read, now, self.settings.rssi_step_db);
        self.by_age.insert((stay.sighting.last_seen, read.epc));
        events.extend(
            news.into_iter()
                .flatten()
                .map(|news| SightingEvent::Refined { sighting: stay.sighting.clone(), news }),
        );
        events
    }

    /// Ends the stays whose tags have not been read for long enough.
    pub fn handle_deadline(&mut self, now: Instant) -> Vec<SightingEvent> {
        let mut events = Vec::new();
        while self.next_deadline().is_some_and(|deadline| deadline <= now) {
            events.extend(self.end_oldest(Departure::Absent));
        }
        events
    }

    /// When [`Sightings::handle_deadline`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.by_age.first().map(|(last_seen, _)| *last_seen + self.settings.absence)
    }

    /// How many stays are open.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    fn begin(&mut self, read: &TagRead, now: Instant) -> Sighting {
        let sighting = Sighting {
            epc: read.epc,
            tid: read.tid,
            first_seen: now,
            last_seen: now,
            read_count: u32::from(read.read_count),
            strongest: strength(read, now),
            antennas: read.antenna.into_iter().collect(),
        };
        let count_wanted = sighting.read_count.max(1).saturating_mul(2);
        self.by_age.insert((now, read.epc));
        self.open.insert(read.epc, Stay { sighting: sighting.clone(), count_wanted });
        sighting
    }

    fn make_room(&mut self) -> Option<SightingEvent> {
        let full = self.open.len() >= self.settings.sightings_max.max(1);
        full.then(|| self.end_oldest(Departure::Crowded)).flatten()
    }

    fn end_oldest(&mut self, departure: Departure) -> Option<SightingEvent> {
        let (_, epc) = self.by_age.pop_first()?;
        let stay = self.open.remove(&epc)?;
        Some(SightingEvent::Left { sighting: stay.sighting, departure })
    }
}

impl Stay {
    fn refine(&mut self, read: &TagRead, now: Instant, rssi_step_db: u8) -> [Option<News>; 4] {
        let seen = &mut self.sighting;
        // A caller's clock may stumble; a stay does not become younger.
        seen.last_seen = seen.last_seen.max(now);
        seen.read_count = seen.read_count.saturating_add(u32::from(read.read_count));
        let tid = match (seen.tid, read.tid) {
            (None, Some(_)) => Some(News::TidLearned),
            (Some(known), Some(told)) if known != told => Some(News::TidDiffers),
            (Some(_), Some(_)) | (_, None) => None,
        };
        seen.tid = seen.tid.or(read.tid);
        let antenna = read.antenna.filter(|antenna| !seen.antennas.contains(antenna));
        seen.antennas.extend(antenna);
        let count = seen.read_count >= self.count_wanted;
        if count {
            self.count_wanted = seen.read_count.saturating_mul(2);
        }
        let stronger = strength(read, now).filter(|answer| {
            let known = seen.strongest.map(|strongest| decibels(strongest.rssi));
            known.is_none_or(|known| decibels(answer.rssi) >= known + i16::from(rssi_step_db))
        });
        seen.strongest = stronger.or(seen.strongest);
        [
            tid,
            stronger.map(|_| News::Stronger),
            antenna.map(|_| News::OtherAntenna),
            count.then_some(News::Count),
        ]
    }
}

fn strength(read: &TagRead, at: Instant) -> Option<Strongest> {
    read.rssi.map(|rssi| Strongest { rssi, antenna: read.antenna, at })
}

/// A number that grows with the strength. One reader either says dBm or does not.
fn decibels(rssi: Rssi) -> i16 {
    rssi.dbm.unwrap_or_else(|| i16::from(rssi.raw))
}

#[cfg(test)]
mod tests;
