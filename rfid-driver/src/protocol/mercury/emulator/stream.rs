//! A continuous read, as it stands.
//!
//! It begins with the command 2F and goes on until that says stop. Each tag that is read is a frame
//! of its own; between them comes a sign of life about once a second, and reports if they were asked
//! for. Nobody can tell the module to slow down.

use std::collections::HashMap;
use std::time::Duration;

use super::search::Search;
use super::sighting::Sighting;
use super::silion;
use crate::Epc;

pub(super) const CYCLE: Duration = Duration::from_secs(1);
const KIND_TAG: u8 = 0x01;
/// Tags that the read filter remembers.
const FILTERED_TAGS_MAX: usize = 1024;

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) search: Search,
    pub(super) language: Language,
    pub(super) ports: Vec<u8>,
    pub(super) started_at: Duration,
    /// When it next says that it is alive.
    pub(super) cycle_at: Duration,
    /// When the radio was last looked after: a pause that has begun since is not yet known of.
    pub(super) looked_at: Duration,
    /// Until when the radio's time has been counted.
    pub(super) counted_until: Duration,
    pub(super) filter: ReadFilter,
    /// How many tags have been reported.
    pub(super) reported: u32,
    /// Once told to stop: when it acknowledges.
    pub(super) acknowledge_at: Option<Duration>,
}

/// In which commands it is spoken about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    ThingMagic,
    Silion,
}

impl Stream {
    pub(super) fn new(
        search: Search,
        language: Language,
        ports: Vec<u8>,
        started_at: Duration,
    ) -> Self {
        Self {
            search,
            language,
            ports,
            started_at,
            cycle_at: started_at + CYCLE,
            looked_at: started_at,
            counted_until: started_at,
            filter: ReadFilter::default(),
            reported: 0,
            acknowledge_at: None,
        }
    }

    /// Whether it has reported as many tags as it should.
    pub(super) fn is_exhausted(&self) -> bool {
        self.search.stop_after.is_some_and(|most| self.reported >= most)
    }

    /// When the radio is on: now, or at the end of this pause.
    pub(super) fn radio_on_at(&self, now: Duration) -> Duration {
        let (on, off) = (self.search.on_time, self.search.off_time);
        let cycle = on + off;
        if off.is_zero() || on.is_zero() {
            return now;
        }
        let elapsed = now.saturating_sub(self.started_at);
        let cycles = u32::try_from(elapsed.as_nanos() / cycle.as_nanos()).unwrap_or(u32::MAX);
        let begun = self.started_at + cycle.saturating_mul(cycles);
        if now.saturating_sub(begun) < on { now } else { begun + cycle }
    }

    /// The data of a tag's frame.
    pub(super) fn record(&self, sighting: &Sighting) -> Vec<u8> {
        match self.language {
            Language::Silion => silion::record(&self.search, sighting),
            Language::ThingMagic => {
                let mut record = self.search.record_head(self.search.metadata, KIND_TAG);
                sighting.put_metadata(self.search.metadata, &mut record);
                sighting.put_epc(&mut record);
                record
            }
        }
    }
}

/// Lets a tag through once, until it has not been read for a time.
#[derive(Debug, Default)]
pub(super) struct ReadFilter {
    read_at: HashMap<Epc, Duration>,
}

impl ReadFilter {
    pub(super) fn lets_through(&mut self, epc: Epc, timeout: Duration, now: Duration) -> bool {
        if self.read_at.len() >= FILTERED_TAGS_MAX {
            self.read_at.retain(|_, at| now.saturating_sub(*at) <= timeout);
        }
        if self.read_at.len() >= FILTERED_TAGS_MAX {
            // A full table forgets, as the module's does.
            self.read_at.clear();
        }
        let before = self.read_at.insert(epc, now);
        before.is_none_or(|at| now.saturating_sub(at) > timeout)
    }
}
