//! What every session keeps account of: the state it shows, signs of life, and gaps.

use std::collections::VecDeque;
use std::time::Instant;

use super::{Gap, GapCause, ReaderState, Report, SessionEvent};
use crate::TagRead;

/// The account of one session.
#[derive(Debug)]
pub(crate) struct Watch {
    state: ReaderState,
    reading: bool,
    // When the reader last gave a sign of life while reading, and when before that; the latter
    // only back to where the last gap ended.
    heard_at: Option<Instant>,
    heard_before: Option<Instant>,
    // When the bytes came that are being handled.
    received_at: Option<Instant>,
    // The gap that began when reading ended, until it begins again.
    open_gap: Option<(Instant, GapCause)>,
    // The deframer's count when noise was last accounted for.
    dropped_before: u64,
    events: VecDeque<SessionEvent>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            state: ReaderState::Closed,
            reading: false,
            heard_at: None,
            heard_before: None,
            received_at: None,
            open_gap: None,
            dropped_before: 0,
            events: VecDeque::new(),
        }
    }

    /// Shows another state.
    pub(crate) fn enter(&mut self, state: ReaderState) {
        if self.state != state {
            self.state = state;
            self.events.push_back(SessionEvent::State(state));
        }
    }

    /// From now on the reader reports tags.
    pub(crate) fn begin_reading(&mut self, at: Instant) {
        self.reading = true;
        self.heard(at);
    }

    /// A sign of life while reading: tags that pass now are reported.
    pub(crate) fn heard(&mut self, at: Instant) {
        if let Some((since, cause)) = self.open_gap.take() {
            self.events.push_back(SessionEvent::Gap(Gap { since, until: at, cause }));
            self.heard_before = None;
        } else if self.heard_at != Some(at) {
            self.heard_before = self.heard_at;
        }
        self.enter(ReaderState::Reading);
        self.heard_at = Some(at);
    }

    /// The reader no longer reports tags; the gap lasts until it does again. Harmless if it did
    /// not.
    pub(crate) fn end_reading(&mut self, cause: GapCause, now: Instant) {
        if self.reading {
            self.reading = false;
            self.open_gap.get_or_insert((self.heard_at.unwrap_or(now), cause));
        }
    }

    /// While it reads, the radio cannot do its work; until the next sign of life.
    pub(crate) fn radio_failed(&mut self, at: Instant) {
        self.open_gap.get_or_insert((at, GapCause::Radio));
        self.enter(ReaderState::Degraded);
    }

    /// Reports a gap that was over as soon as it was known.
    pub(crate) fn gap(&mut self, cause: GapCause, at: Instant) {
        if self.reading {
            // What came with the gap does not say when it began.
            let heard = [self.heard_at, self.heard_before].into_iter().flatten();
            let since = heard.filter(|heard| *heard < at).max().unwrap_or(at);
            self.events.push_back(SessionEvent::Gap(Gap { since, until: at, cause }));
        }
    }

    /// Accounts for noise: call with the deframer's count after all frames have been handled. A gap
    /// is reported once an intact frame has shown where the noise ended.
    pub(crate) fn noise(&mut self, dropped_bytes: u64, at: Instant) {
        if !self.reading {
            self.dropped_before = dropped_bytes;
        } else if self.heard_at == Some(at) && dropped_bytes > self.dropped_before {
            self.gap(GapCause::Noise { bytes: dropped_bytes - self.dropped_before }, at);
            self.dropped_before = dropped_bytes;
        }
    }

    /// Bytes have come. A report among them may only be found after a silence, but it was made now.
    pub(crate) fn received(&mut self, at: Instant) {
        self.received_at = Some(at);
    }

    /// Hands on a read, with the instant at which its bytes came.
    pub(crate) fn tag(&mut self, read: TagRead) {
        let at = self.received_at.unwrap_or(read.at);
        self.events.push_back(SessionEvent::Tag(TagRead { at, ..read }));
    }

    pub(crate) fn report(&mut self, report: Report) {
        self.events.push_back(SessionEvent::Report(report));
    }

    pub(crate) fn line_dead(&mut self) {
        self.events.push_back(SessionEvent::LineDead);
    }

    pub(crate) fn poll(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }
}

#[cfg(test)]
mod tests;
