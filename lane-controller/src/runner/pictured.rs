//! Whose pictures are sent, and when: as soon as somebody has to look at a vehicle. What is sent and
//! whether it arrives is `pictures`' and changes nothing here.

use domain::passage::Decision;
use domain::wire::v1::{EventKind, PictureRecord, Pictured};

use super::LaneThread;
use crate::lane::{PassageDraft, Vehicle};
use crate::pictures::SendPictures;

/// The call that an event raises, or repeats.
pub(super) const fn called(kind: &EventKind) -> Option<u64> {
    match kind {
        EventKind::CallRaised { call, .. } => Some(*call),
        _ => None,
    }
}

/// Whether somebody has to look at a passage afterwards.
fn is_exception(draft: &PassageDraft) -> bool {
    draft.exception.is_some()
        || draft.attendance.is_some()
        || draft.decision != Decision::OpenedByTag
}

impl LaneThread {
    /// A camera has taken pictures of the vehicle that came last, and read no plate.
    pub(super) fn pictured(&mut self, pictures: Vec<PictureRecord>) {
        let seen = self.saw(pictures);
        self.send_pictures_of(seen);
    }

    /// Notes pictures of the vehicle that came last; hands back which that is.
    pub(super) fn saw(&mut self, pictures: Vec<PictureRecord>) -> Option<u64> {
        let newest = self.lane.newest()?.number;
        self.dossiers.saw(newest, pictures);
        Some(newest)
    }

    /// Has the pictures of a vehicle sent that somebody has to look at, now or afterwards.
    pub(super) fn send_pictures_of(&self, vehicle: Option<u64>) {
        let Some(vehicle) = vehicle else { return };
        if let Some(call) = self.lane.vehicle(vehicle).and_then(Vehicle::call) {
            self.send_pictures(vehicle, Pictured::Call { call });
        }
        let dossier = self.dossiers.of(vehicle);
        let wanted = match self.equipment.outbox.wanted() {
            SendPictures::Exceptions => dossier.is_exception,
            SendPictures::All => true,
            SendPictures::None => false,
        };
        if let Some(seq) = dossier.passage.filter(|_| wanted) {
            self.send_pictures(vehicle, Pictured::Passage { epoch: self.scribe.epoch(), seq });
        }
    }

    /// A person is called: what they should see is sent, again where they are called again.
    pub(super) fn send_pictures_of_call(&self, call: Option<u64>) {
        let Some(call) = call else { return };
        if let Some(vehicle) = self.lane.called_for(call) {
            self.send_pictures(vehicle.number, Pictured::Call { call });
        }
    }

    /// A passage of the vehicle is written.
    pub(super) fn pictures_recorded(&mut self, vehicle: u64, draft: &PassageDraft) {
        if is_exception(draft) {
            self.dossiers.is_exception(vehicle);
        }
        self.send_pictures_of(Some(vehicle));
    }

    /// A case of the vehicle is kept.
    pub(super) fn looked_at_afterwards(&mut self, vehicle: u64) {
        self.dossiers.is_exception(vehicle);
        self.send_pictures_of(Some(vehicle));
    }

    fn send_pictures(&self, vehicle: u64, of: Pictured) {
        let pictures = self.dossiers.of(vehicle).pictures;
        let outbox = &self.equipment.outbox;
        if !pictures.is_empty() && outbox.wanted() != SendPictures::None {
            outbox.put(of, pictures);
        }
    }
}
