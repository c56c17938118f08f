//! What stands at a lane besides its core: which devices it has, and which it goes on without.
//!
//! Every device may fail alone. Each loss is a *degraded mode* with a name; it has its alarm when
//! it begins and when it ends, and stands in heartbeat and health meanwhile. A device that has not
//! been heard of since the start is waited for a little before it counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use domain::LaneId;
use domain::wire::v1::DegradedMode;
use tokio::sync::Notify;

use super::Wake;
use crate::display::Display;
use crate::pictures::Outbox;

/// A device: what the lane is without it, and which of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device {
    /// What the lane is without it.
    pub without: DegradedMode,
    /// Its place among the lane's devices of that kind.
    pub place: usize,
}

impl Device {
    /// The lane's reader.
    pub const READER: Self = Self { without: DegradedMode::NoReader, place: 0 };
    /// The lane's loops and arm.
    pub const FIELD_IO: Self = Self { without: DegradedMode::NoFieldIo, place: 0 };
    /// The lane's classifier.
    pub const CLASSIFIER: Self = Self { without: DegradedMode::NoClassifier, place: 0 };
    /// The machine's wall clock, which works as long as it is not far off.
    pub const CLOCK: Self = Self { without: DegradedMode::ClockFar, place: 0 };

    /// One of the lane's panels.
    #[must_use]
    pub const fn display(place: usize) -> Self {
        Self { without: DegradedMode::NoDisplay, place }
    }

    /// One of the lane's cameras.
    #[must_use]
    pub const fn camera(place: usize) -> Self {
        Self { without: DegradedMode::NoCamera, place }
    }
}

/// What a lane has besides reader, loops and arm, and whom it tells.
#[derive(Debug, Clone, Default)]
pub struct Equipment {
    /// Devices that are to be there besides reader, loops and arm.
    pub expected: Vec<Device>,
    /// Its panels.
    pub displays: Arc<Vec<Display>>,
    /// The station's other lanes.
    pub neighbours: Arc<Vec<(LaneId, Sender<Wake>)>>,
    /// Where the desk's word on how the lane works is kept; nowhere where absent.
    pub mode_file: Option<PathBuf>,
    /// Who sends cases.
    pub case_noted: Arc<Notify>,
    /// Who sends pictures.
    pub outbox: Outbox,
    /// Until when devices may be silent after the start; not at all where absent.
    pub patient_until: Option<Instant>,
}

/// Which devices work.
#[derive(Debug)]
pub(super) struct Roll {
    /// Nothing for one that was not heard of yet.
    works: BTreeMap<Device, Option<bool>>,
    told: BTreeSet<DegradedMode>,
    patient_until: Option<Instant>,
}

impl Roll {
    pub(super) fn new(expected: &[Device], patient_until: Option<Instant>) -> Self {
        let own = [Device::READER, Device::FIELD_IO];
        let works = own.iter().chain(expected).map(|device| (*device, None)).collect();
        Self { works, told: BTreeSet::new(), patient_until }
    }

    /// Notes that a device works, or is lost; tells whether that was not known.
    pub(super) fn hears(&mut self, device: Device, works: bool) -> bool {
        self.works.insert(device, Some(works)) != Some(Some(works))
    }

    /// What the lane is without now.
    pub(super) fn degraded(&self) -> BTreeSet<DegradedMode> {
        let lost = self.works.iter().filter(|(_, works)| **works != Some(true));
        lost.map(|(device, _)| device.without).collect()
    }

    /// The modes that have begun (true) or ended since they were told last.
    pub(super) fn changes(&mut self, now: Instant) -> Vec<(DegradedMode, bool)> {
        if self.patient_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        self.patient_until = None;
        let is = self.degraded();
        let begun = is.difference(&self.told).map(|mode| (*mode, true));
        let ended = self.told.difference(&is).map(|mode| (*mode, false));
        let changes = begun.chain(ended).collect();
        self.told = is;
        changes
    }

    /// When [`Self::changes`] is to be asked although nothing was heard.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.patient_until
    }
}

/// What people are told when a mode begins, and when it ends.
pub(super) const fn told(mode: DegradedMode, begins: bool) -> &'static str {
    match (mode, begins) {
        (DegradedMode::NoReader, true) => "the reader is lost: vehicles are served by their plates",
        (DegradedMode::NoReader, false) => "the reader reads again",
        (DegradedMode::NoFieldIo, true) => "loops and arm are silent",
        (DegradedMode::NoFieldIo, false) => "loops and arm answer again",
        (DegradedMode::NoClassifier, true) => "the classifier is lost: nobody measures vehicles",
        (DegradedMode::NoClassifier, false) => "the classifier measures again",
        (DegradedMode::NoDisplay, true) => "a fare display is lost: drivers are shown nothing",
        (DegradedMode::NoDisplay, false) => "the fare displays work again",
        (DegradedMode::NoCamera, true) => "a camera is silent: plates are not seen",
        (DegradedMode::NoCamera, false) => "the cameras are heard again",
        (DegradedMode::ClockFar, true) => {
            "the clock is far from the centre's: look at its time source"
        }
        (DegradedMode::ClockFar, false) => "the clock is near the centre's again",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::Clock;

    use super::*;

    #[test]
    fn a_mode_begins_with_the_first_loss_of_its_kind_and_ends_with_the_last_return() {
        let now = Clock::system().real();
        let mut roll = Roll::new(&[Device::display(0), Device::display(1)], None);
        for device in [Device::READER, Device::FIELD_IO, Device::display(0), Device::display(1)] {
            roll.hears(device, true);
        }
        assert_eq!(roll.changes(now), []);
        roll.hears(Device::display(1), false);
        assert_eq!(roll.changes(now), [(DegradedMode::NoDisplay, true)]);
        roll.hears(Device::display(0), false);
        assert_eq!(roll.changes(now), [], "it is told once");
        roll.hears(Device::display(1), true);
        assert_eq!(roll.changes(now), []);
        roll.hears(Device::display(0), true);
        assert_eq!(roll.changes(now), [(DegradedMode::NoDisplay, false)]);
    }

    #[test]
    fn a_device_that_was_never_heard_of_is_missed_after_a_while() {
        let start = Clock::system().real();
        let until = start + Duration::from_secs(5);
        let mut roll = Roll::new(&[], Some(until));
        roll.hears(Device::FIELD_IO, true);
        assert_eq!((roll.changes(start), roll.due_at()), (vec![], Some(until)));
        assert_eq!(roll.degraded(), BTreeSet::from([DegradedMode::NoReader]));
        assert_eq!(roll.changes(until), [(DegradedMode::NoReader, true)]);
        assert_eq!(roll.due_at(), None);
    }
}
