//! Which tag belongs to which vehicle, and what cameras and classifiers say of it.
//!
//! A *sighting* is a tag in the zone that no vehicle was found for yet.

use std::time::Duration;

use domain::{Plate, TagId, VehicleGroup};

use super::{Action, Case, Certainty, Lane, Moment, Vehicle, VehicleState, Verdict};

/// More tags than that are never in a zone at once; the oldest sighting is forgotten.
const SIGHTINGS_MAX: usize = 16;

/// A tag in the zone.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    tag: TagId,
    first_at: Duration,
    last_at: Duration,
    reads: u32,
}

impl Lane {
    pub(super) fn tag_seen(&mut self, tag: TagId, at: Duration, m: &mut Moment<'_>) {
        if self.queue.iter().any(|vehicle| vehicle.carries(&tag)) {
            return;
        }
        self.dealt_with.retain(|(_, seen)| *seen + self.policy.duplicate_window > m.now);
        if let Some((_, seen)) = self.dealt_with.iter_mut().find(|(dealt, _)| *dealt == tag) {
            *seen = m.now;
            return;
        }
        let sighting = self.sight(tag, at, m.now);
        if sighting.reads < self.policy.reads_needed {
            return;
        }
        // The newest vehicle without a tag: tags are read in the order in which vehicles come
        // into the zone, and one that waits for the attendant has had its time. A read that was told
        // late says where its tag was, not who stands there now: it belongs to nobody who came well
        // after it.
        let floating_tag = self.policy.floating_tag;
        let waits =
            |vehicle: &Vehicle| vehicle.waits_for_tag() && vehicle.arrived_at <= at + floating_tag;
        match self.queue.iter().rposition(waits) {
            Some(index) => self.attach(index, sighting, m),
            None => self.tag_of_nobody_who_waits(sighting, at, m),
        }
    }

    /// Counts a read, with those of the same tag that came before it.
    fn sight(&mut self, tag: TagId, at: Duration, now: Duration) -> Sighting {
        let floating_tag = self.policy.floating_tag;
        self.sightings.retain(|sighting| sighting.last_at + floating_tag >= now);
        if let Some(sighting) = self.sightings.iter_mut().find(|known| known.tag == tag) {
            sighting.reads += 1;
            sighting.last_at = sighting.last_at.max(at);
            return sighting.clone();
        }
        let sighting = Sighting { tag, first_at: at, last_at: at, reads: 1 };
        if self.sightings.len() == SIGHTINGS_MAX {
            self.sightings.pop_front();
        }
        self.sightings.push_back(sighting.clone());
        sighting
    }

    pub(super) fn forget_sighting(&mut self, tag: &TagId) {
        self.sightings.retain(|sighting| sighting.tag != *tag);
    }

    /// A tag that no vehicle waits for. One that was let through or sent back without its tag
    /// still stands in the zone, and this is its tag; or it is the second of a vehicle whose first
    /// was read at the same time; else it is early, and its vehicle is coming.
    fn tag_of_nobody_who_waits(&mut self, sighting: Sighting, at: Duration, m: &mut Moment<'_>) {
        if let Some(vehicle) = self.queue.iter_mut().find(|vehicle| vehicle.is_unread()) {
            vehicle.tag_first_at = Some(sighting.first_at);
            self.sightings.retain(|known| known.tag != sighting.tag);
            vehicle.tag = Some(sighting.tag);
        } else if self.unread_until.is_some_and(|until| at <= until) {
            self.forget_sighting(&sighting.tag);
            self.dealt_with.push_back((sighting.tag, m.now));
        } else if let Some(index) = self.came_together(&sighting) {
            self.another_tag(index, sighting, m);
        }
    }

    /// The vehicle whose tag came into the zone together with this one.
    fn came_together(&self, sighting: &Sighting) -> Option<usize> {
        let together = self.policy.same_vehicle;
        self.queue.iter().rposition(|vehicle| {
            vehicle.tag_first_at.is_some_and(|first| sighting.first_at.abs_diff(first) < together)
        })
    }

    /// A vehicle carries two tags: one passage, on the one that lets it pass.
    fn another_tag(&mut self, index: usize, sighting: Sighting, m: &mut Moment<'_>) {
        self.forget_sighting(&sighting.tag);
        let vehicle = &mut self.queue[index];
        let number = vehicle.number;
        vehicle.other_tags.push(sighting.tag.clone());
        m.act(Action::Case { vehicle: number, case: Case::TwoTags });
        match vehicle.state {
            VehicleState::Asking { .. } | VehicleState::Calling { .. } => {
                if let Verdict::Open(terms) = self.court(index).of_tag(&sighting.tag, m.known) {
                    let vehicle = &mut self.queue[index];
                    vehicle.other_tags.pop();
                    vehicle.other_tags.extend(vehicle.tag.replace(sighting.tag.clone()));
                    self.open_by_tag(index, sighting.tag, &terms, m);
                }
            }
            VehicleState::AwaitingTag { .. }
            | VehicleState::Released { .. }
            | VehicleState::OnSafetyLoop
            | VehicleState::BackingOut { .. } => {}
        }
    }

    fn attach(&mut self, index: usize, sighting: Sighting, m: &mut Moment<'_>) {
        self.untagged_in_row = 0;
        self.forget_sighting(&sighting.tag);
        let vehicle = &mut self.queue[index];
        vehicle.tag_first_at = Some(sighting.first_at);
        vehicle.tag = Some(sighting.tag);
        self.judge(index, m);
    }

    /// Gives a vehicle that has just come the tag that was read first, and every other that came
    /// into the zone together with that.
    pub(super) fn attach_floating(&mut self, index: usize, m: &mut Moment<'_>) {
        let policy = self.policy;
        self.sightings.retain(|sighting| sighting.last_at + policy.floating_tag >= m.now);
        let counts = |sighting: &&Sighting| sighting.reads >= policy.reads_needed;
        let Some(first) = self.sightings.iter().find(counts).cloned() else { return };
        let together = |sighting: &&Sighting| {
            sighting.tag != first.tag
                && sighting.reads >= policy.reads_needed
                && sighting.first_at.abs_diff(first.first_at) < policy.same_vehicle
        };
        let others: Vec<Sighting> = self.sightings.iter().filter(together).cloned().collect();
        let number = self.queue[index].number;
        self.attach(index, first, m);
        for other in others {
            match self.index_of(number) {
                Some(index) => self.another_tag(index, other, m),
                None => {
                    self.forget_sighting(&other.tag);
                    self.dealt_with.push_back((other.tag, m.now));
                }
            }
        }
    }

    /// A tag that another lane let through was read here across the island.
    pub(super) fn taken_elsewhere(&mut self, tag: &TagId, m: &mut Moment<'_>) {
        self.forget_sighting(tag);
        if !self.dealt_with.iter().any(|(dealt, _)| dealt == tag) {
            self.dealt_with.push_back((tag.clone(), m.now));
        }
        let Some(index) = self.queue.iter().position(|vehicle| vehicle.carries(tag)) else {
            return;
        };
        let number = self.queue[index].number;
        match self.queue[index].state {
            VehicleState::AwaitingTag { .. }
            | VehicleState::Asking { .. }
            | VehicleState::Calling { .. } => {
                self.end_call(index, m);
                let until = m.now + self.policy.tag_wait;
                let vehicle = &mut self.queue[index];
                vehicle.other_tags.retain(|other| other != tag);
                vehicle.tag.take_if(|own| own == tag);
                vehicle.tag_first_at = None;
                vehicle.state = VehicleState::AwaitingTag { until };
            }
            VehicleState::Released { .. } | VehicleState::OnSafetyLoop => {
                m.act(Action::Case { vehicle: number, case: Case::TakenElsewhere });
            }
            VehicleState::BackingOut { .. } => {}
        }
    }

    pub(super) fn plate_seen(&mut self, plate: Plate, certainty: Certainty) {
        match (self.queue.back_mut(), certainty) {
            (Some(vehicle), Certainty::Confident) => vehicle.plate = Some(plate),
            (Some(_), Certainty::Doubtful) | (None, Certainty::Confident | Certainty::Doubtful) => {
            }
        }
    }

    pub(super) fn group_measured(
        &mut self,
        measured: VehicleGroup,
        certainty: Certainty,
        m: &mut Moment<'_>,
    ) {
        let (Some(vehicle), Certainty::Confident) = (self.queue.back_mut(), certainty) else {
            return;
        };
        let known_before = vehicle.measured.replace(measured).is_some();
        let listed = vehicle.tag.as_ref().and_then(|tag| m.known.list.find(tag));
        let differs = listed.map(|entry| entry.group).filter(|group| *group != measured);
        // Where nothing is decided yet, the case goes with the passage.
        if let (true, false, Some(listed)) = (vehicle.recorded, known_before, differs) {
            let case = Case::GroupDiffers { listed, measured };
            m.act(Action::Case { vehicle: vehicle.number, case });
        }
    }
}
