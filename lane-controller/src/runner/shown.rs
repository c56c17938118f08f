//! What the shell remembers of vehicles, and what drivers are shown by it. Pure.
//!
//! The core decides about a vehicle and forgets the terms; the panel shows them until the vehicle
//! is under the arm, and a case that comes later names passage and pictures. Panels stand at the
//! head of the queue: they show what concerns the first vehicle.

use std::collections::BTreeMap;

use domain::account_list::ListStatus;
use domain::passage::Payment;
use domain::wire::v1::PictureRecord;
use domain::{Amount, Currency};

use crate::display::Notice;
use crate::lane::{PassageDraft, Vehicle, VehicleState};

/// More vehicles than that are never between the loops, or given up not long ago.
const VEHICLES_MAX: usize = 64;

/// A camera that keeps posting of one vehicle adds nothing beyond these; the newest are kept.
const PICTURES_MAX: usize = 8;

/// What is remembered of one vehicle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dossier {
    /// Its passage.
    pub(super) passage: Option<u64>,
    /// Pictures of it.
    pub(super) pictures: Vec<PictureRecord>,
    /// Whether somebody has to look at it afterwards.
    pub(super) is_exception: bool,
    /// What its driver is shown once it may go.
    notice: Option<Notice>,
}

/// What is remembered of vehicles, by the lane's number.
#[derive(Debug, Default)]
pub(super) struct Dossiers(BTreeMap<u64, Dossier>);

impl Dossiers {
    pub(super) fn of(&self, vehicle: u64) -> Dossier {
        self.0.get(&vehicle).cloned().unwrap_or_default()
    }

    pub(super) fn saw(&mut self, vehicle: u64, pictures: impl IntoIterator<Item = PictureRecord>) {
        let known = &mut self.entry(vehicle).pictures;
        for picture in pictures {
            if known.iter().all(|one| one.digest != picture.digest) {
                known.push(picture);
            }
        }
        known.drain(..known.len().saturating_sub(PICTURES_MAX));
    }

    /// Somebody has to look at this vehicle afterwards.
    pub(super) fn is_exception(&mut self, vehicle: u64) {
        self.entry(vehicle).is_exception = true;
    }

    pub(super) fn recorded(
        &mut self,
        vehicle: u64,
        seq: u64,
        draft: &PassageDraft,
        currency: Currency,
    ) {
        let dossier = self.entry(vehicle);
        dossier.passage = Some(seq);
        dossier.notice = Some(notice_of(draft, currency));
    }

    fn entry(&mut self, vehicle: u64) -> &mut Dossier {
        if self.0.len() >= VEHICLES_MAX && !self.0.contains_key(&vehicle) {
            self.0.pop_first();
        }
        self.0.entry(vehicle).or_default()
    }

    /// What the panel shows while this vehicle is the first.
    pub(super) fn shown(&self, first: Option<&Vehicle>, currency: Currency) -> Notice {
        let Some(vehicle) = first else { return Notice::Idle };
        match vehicle.state {
            VehicleState::AwaitingTag { .. } | VehicleState::Asking { .. } => Notice::Idle,
            VehicleState::Calling { exception: why, fare, .. } => {
                Notice::Wait { why, fare: fare.map(|fare| (fare, currency)) }
            }
            VehicleState::Released { .. }
            | VehicleState::OnSafetyLoop
            | VehicleState::BackingOut { .. } => {
                self.of(vehicle.number).notice.unwrap_or(Notice::Idle)
            }
        }
    }
}

fn notice_of(draft: &PassageDraft, currency: Currency) -> Notice {
    let is_due = |fare: &Amount| !fare.is_zero();
    match (draft.decision.went_through(), draft.payment, draft.fare) {
        (false, _, fare) => draft.exception.map_or(Notice::Idle, |why| Notice::Wait {
            why,
            fare: fare.map(|fare| (fare, currency)),
        }),
        (true, Payment::Account | Payment::Cash, Some(fare)) if is_due(&fare) => Notice::Paid {
            fare,
            currency,
            balance: None,
            is_low: draft.status_seen == Some(ListStatus::Low),
        },
        // What the centre will find the fare to be, nobody here knows.
        (true, Payment::Account, None) => Notice::Idle,
        (true, Payment::Account | Payment::Cash, Some(_) | None) | (true, Payment::Nothing, _) => {
            Notice::Free
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::passage::{ClockQuality, Decision, ExceptionKind};
    use domain::signature::Digest256;
    use domain::wire::v1::PictureKind;

    use super::*;

    const VND: Currency = Currency::VND;

    fn amount(dong: i64) -> Amount {
        Amount::try_new(dong).unwrap()
    }

    fn draft(decision: Decision, payment: Payment, fare: Option<i64>) -> PassageDraft {
        PassageDraft {
            at: "2026-11-22T05:00:00Z".parse().unwrap(),
            clock: ClockQuality::Synchronised,
            uptime: Duration::ZERO,
            tag: None,
            plate: None,
            group: None,
            list_version: 1,
            status_seen: Some(ListStatus::Low),
            tariff: None,
            entry: None,
            exception: Some(ExceptionKind::NoMoney),
            decision,
            attendance: None,
            fare: fare.map(amount),
            payment,
        }
    }

    fn first(number: u64, state: VehicleState) -> Vehicle {
        Vehicle {
            number,
            arrived_at: Duration::ZERO,
            tag: None,
            tag_first_at: None,
            other_tags: Vec::new(),
            plate: None,
            measured: None,
            corrected: None,
            asked: false,
            recorded: false,
            state,
        }
    }

    #[test]
    fn the_panel_shows_what_the_first_vehicle_pays_until_it_has_gone() {
        let mut known = Dossiers::default();
        let paid = draft(Decision::OpenedByTag, Payment::Account, Some(35_000));
        known.recorded(1, 77, &paid, VND);
        let released = first(1, VehicleState::Released { seq: Some(77), until: None });
        let shown =
            Notice::Paid { fare: amount(35_000), currency: VND, balance: None, is_low: true };
        assert_eq!(known.shown(Some(&released), VND), shown);
        assert_eq!(known.shown(Some(&first(1, VehicleState::OnSafetyLoop)), VND), shown);
        let next = first(2, VehicleState::AwaitingTag { until: Duration::ZERO });
        assert_eq!(known.shown(Some(&next), VND), Notice::Idle);
        assert_eq!(known.shown(None, VND), Notice::Idle);
        let calling = VehicleState::Calling {
            call: 1,
            exception: ExceptionKind::Blocked,
            fare: Some(amount(5)),
            repeat_at: Duration::ZERO,
        };
        let wait = Notice::Wait { why: ExceptionKind::Blocked, fare: Some((amount(5), VND)) };
        assert_eq!(known.shown(Some(&first(2, calling)), VND), wait);
    }

    #[test]
    fn what_is_free_is_said_to_be_and_what_is_not_known_is_not() {
        let is = |decision, payment, fare| notice_of(&draft(decision, payment, fare), VND);
        assert_eq!(is(Decision::OpenedByTag, Payment::Nothing, None), Notice::Free);
        assert_eq!(is(Decision::OpenedByTag, Payment::Account, Some(0)), Notice::Free);
        assert_eq!(is(Decision::OpenedByTag, Payment::Account, None), Notice::Idle);
        let wait = Notice::Wait { why: ExceptionKind::NoMoney, fare: None };
        assert_eq!(is(Decision::TurnedAway, Payment::Nothing, None), wait);
    }

    fn picture(number: u8) -> PictureRecord {
        PictureRecord { digest: Digest256::of(&[number]), kind: PictureKind::Unknown, len: 1 }
    }

    #[test]
    fn of_a_camera_that_keeps_posting_the_newest_pictures_are_kept_each_once() {
        let mut known = Dossiers::default();
        for number in [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9] {
            known.saw(1, [picture(number)]);
        }
        assert_eq!(known.of(1).pictures, (2..=9).map(picture).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes() {
        let mut known = Dossiers::default();
        for vehicle in 1..=100 {
            known.saw(vehicle, [picture(1)]);
        }
        assert_eq!(known.of(1), Dossier::default());
        assert_eq!((known.of(100).pictures.len(), known.0.len()), (1, VEHICLES_MAX));
    }
}
