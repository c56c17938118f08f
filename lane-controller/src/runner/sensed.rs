//! What loops, cameras, classifier and the other lanes say, as events of the core.

use domain::wire::v1::EventKind;

use super::equipment::{self, Device};
use super::{LaneThread, PlateRead};
use crate::field_io::Reading;
use crate::lane::{Certainty, Event};

impl LaneThread {
    pub(super) fn field_reads(&mut self, reading: Reading) {
        self.device_is(Device::FIELD_IO, true);
        let now = self.shared.clock.uptime();
        let before = self.field.replace(reading);
        let first = before.is_none() || std::mem::take(&mut self.field_lost);
        let (Some(before), false) = (before, first) else {
            self.monitor.sees(Some(reading.inputs.safety), true, now);
            let saved = self.saved.take();
            self.event(Event::Restored { inputs: reading.inputs, saved });
            return;
        };
        let moved = reading.safety_rises != before.safety_rises
            || reading.inputs.safety_falls != before.inputs.safety_falls;
        self.monitor.sees(Some(reading.inputs.safety), moved, now);
        let presence = edges(
            before.inputs.presence,
            reading.inputs.presence_rises.wrapping_sub(before.inputs.presence_rises),
            reading.inputs.presence_falls.wrapping_sub(before.inputs.presence_falls),
        );
        for rose in presence {
            self.edge(if rose { Event::PresenceRose } else { Event::PresenceFell });
        }
        let safety = edges(
            before.inputs.safety,
            reading.safety_rises.wrapping_sub(before.safety_rises),
            reading.inputs.safety_falls.wrapping_sub(before.inputs.safety_falls),
        );
        for rose in safety {
            self.edge(if rose { Event::SafetyRose } else { Event::SafetyFell });
        }
    }

    /// The loops are silent: what was counted stays true, and nothing is known of the safety loop.
    pub(super) fn field_is_silent(&mut self) {
        self.field_lost = true;
        self.device_is(Device::FIELD_IO, false);
        let now = self.shared.clock.uptime();
        self.monitor.sees(None, true, now);
        self.event(Event::FieldLost);
    }

    /// A camera has read a plate of the vehicle that came last.
    pub(super) fn plate_read(&mut self, read: PlateRead) {
        let PlateRead { plate, certainty, pictures } = read;
        let seen = self.saw(pictures);
        self.event(Event::PlateSeen { plate, certainty });
        self.send_pictures_of(seen);
    }

    pub(super) fn group_measured(&mut self, group: domain::VehicleGroup) {
        self.event(Event::GroupMeasured { group, certainty: Certainty::Confident });
    }

    /// Notes whether a device works, and says so where that is news.
    pub(super) fn device_is(&mut self, device: Device, works: bool) {
        if self.roll.hears(device, works) {
            self.tell_devices();
        }
    }

    pub(super) fn tell_devices(&mut self) {
        for (mode, begins) in self.roll.changes(self.shared.clock.real()) {
            let text = equipment::told(mode, begins);
            if begins {
                tracing::error!(lane.id = %self.id, ?mode, text);
            } else {
                tracing::info!(lane.id = %self.id, ?mode, text);
            }
            self.tell(EventKind::Alarm { text: text.to_owned() });
        }
    }
}

/// The edges of a loop in their order: they alternate, beginning with the one that leaves the
/// level it had.
fn edges(occupied: bool, rises: u16, falls: u16) -> impl Iterator<Item = bool> {
    let count = usize::from(rises) + usize::from(falls);
    (0..count).map(move |index| occupied == (index % 2 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_of_a_loop_alternate() {
        let check = |occupied, rises, falls, expected: &[bool]| {
            assert_eq!(edges(occupied, rises, falls).collect::<Vec<_>>(), expected);
        };
        check(false, 1, 0, &[true]);
        check(false, 1, 1, &[true, false]);
        check(false, 2, 1, &[true, false, true]);
        check(true, 0, 1, &[false]);
        check(true, 1, 1, &[false, true]);
        check(true, 0, 0, &[]);
    }
}
