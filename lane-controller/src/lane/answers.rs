//! What people at the desk decide: about one vehicle, or to hold the arm up for many.

use domain::passage::{Attendance, Decision, LaneRole, Payment, Reason};
use domain::wire::v1::Verb;
use domain::{Plate, TagId, VehicleGroup};

use super::{
    Action, Answer, Hold, Lane, Moment, NO_CALL, PassageDraft, Terms, Timer, Vehicle, VehicleState,
    verdict,
};

impl Lane {
    pub(super) fn answered(&mut self, answer: Answer, m: &mut Moment<'_>) {
        let found = if answer.call == NO_CALL {
            self.vehicle_to_open_for(&answer, m)
        } else {
            self.vehicle_that_called(&answer)
        };
        let index = match found {
            Ok(Some(index)) => index,
            Ok(None) => return,
            Err(why) => return m.act(Action::Refuse { why }),
        };
        let exception = self.end_call(index, m);
        let tag = self.queue[index].tag.clone();
        let attendance = |reason| {
            Some(Attendance {
                attendant: answer.attendant.clone(),
                command: answer.command.clone(),
                reason,
            })
        };
        match answer.verb {
            Verb::TurnAway { reason } => {
                let terms = Terms::nothing(m.known, tag.as_ref());
                let draft = PassageDraft {
                    tag,
                    exception,
                    attendance: attendance(reason.into()),
                    ..PassageDraft::of(Decision::TurnedAway, &terms, m.now, m.known)
                };
                let until = m.now + self.policy.back_out_timeout;
                self.queue[index].state = VehicleState::BackingOut { until };
                self.record(index, draft, m);
            }
            Verb::ChargeByPlate { plate, group } => {
                let reason = Reason::PlateRead;
                let terms = self.terms_by_plate(&reason, &plate, group, tag.as_ref(), m);
                let draft = PassageDraft {
                    tag,
                    plate: Some(plate),
                    exception,
                    attendance: attendance(reason),
                    ..PassageDraft::of(Decision::ChargedByPlate, &terms, m.now, m.known)
                };
                self.release(index, draft, m);
            }
            Verb::Open { reason, plate, group } => {
                let reason = Reason::from(reason);
                let terms = self.terms_by_plate(&reason, &plate, group, tag.as_ref(), m);
                let draft = PassageDraft {
                    tag,
                    plate: Some(plate),
                    exception,
                    attendance: attendance(reason),
                    ..PassageDraft::of(Decision::OpenedByAttendant, &terms, m.now, m.known)
                };
                self.release(index, draft, m);
            }
        }
        m.act(Action::Confirm { seq: None });
    }

    fn vehicle_that_called(&self, answer: &Answer) -> Result<Option<usize>, &'static str> {
        let of_call = |vehicle: &Vehicle| matches!(vehicle.state, VehicleState::Calling { call, .. } if call == answer.call);
        let index = self.queue.iter().position(of_call).ok_or("this call has ended")?;
        if index != 0 {
            return Err("another vehicle stands before it");
        }
        if matches!(answer.verb, Verb::TurnAway { .. }) && self.queue.len() > 1 {
            return Err("a vehicle stands behind it, and it cannot back out");
        }
        Ok(Some(index))
    }

    /// The vehicle that an attendant opens for by hand, without having been called: the head, one
    /// that had been given up, or one that no loop has seen.
    fn vehicle_to_open_for(
        &mut self,
        answer: &Answer,
        m: &mut Moment<'_>,
    ) -> Result<Option<usize>, &'static str> {
        match answer.verb {
            Verb::TurnAway { .. } => return Err("no vehicle has called"),
            Verb::Open { .. } | Verb::ChargeByPlate { .. } => {}
        }
        match self.head() {
            Some(VehicleState::Released { .. } | VehicleState::OnSafetyLoop) => {
                return Err("the vehicle in front may go already");
            }
            Some(VehicleState::BackingOut { .. }) => {
                return Err("the vehicle in front was turned away");
            }
            Some(
                VehicleState::AwaitingTag { .. }
                | VehicleState::Asking { .. }
                | VehicleState::Calling { .. },
            )
            | None => {}
        }
        if let Some(mut vehicle) = self.recall_overdue(m.now) {
            let seq = vehicle.seq();
            vehicle.state = VehicleState::Released { seq, until: None };
            self.queue.push_front(vehicle);
            self.serve_head(m);
            m.act(Action::Confirm { seq });
            return Ok(None);
        }
        if self.queue.is_empty() {
            let state = VehicleState::AwaitingTag { until: m.now };
            let vehicle = self.new_vehicle(state, None, m.now);
            self.queue.push_back(vehicle);
        }
        Ok(Some(0))
    }

    fn terms_by_plate(
        &self,
        reason: &Reason,
        plate: &Plate,
        group: VehicleGroup,
        tag: Option<&TagId>,
        m: &Moment<'_>,
    ) -> Terms {
        let payment = match (self.role, reason) {
            (LaneRole::Entry, _)
            | (_, Reason::PriorityVehicle | Reason::CashAtExit | Reason::NoMeansOfPayment) => {
                Payment::Nothing
            }
            (_, Reason::CashPaid) => Payment::Cash,
            (_, Reason::EquipmentFault) => self.policy.verdict.equipment_fault,
            (_, Reason::PlateRead | Reason::DriversWish | Reason::Other { .. }) => Payment::Account,
        };
        verdict::terms_by_plate(&self.id, self.role, plate, group, tag, payment, m.known)
    }

    /// Two people hold the arm up: everybody in the lane and everybody who comes goes, each with a
    /// record.
    pub(super) fn held_open(&mut self, hold: Hold, m: &mut Moment<'_>) {
        if hold.attendant == hold.second {
            return m.act(Action::Refuse { why: "a second person has to agree" });
        }
        self.timers.set(Timer::HoldEnds, m.now + hold.lasts);
        self.hold = Some(hold);
        let undecided = self.queue.iter().filter(|vehicle| vehicle.is_undecided());
        let undecided: Vec<u64> = undecided.map(|vehicle| vehicle.number).collect();
        for number in undecided {
            if let Some(index) = self.index_of(number) {
                self.release_under_hold(index, m);
            }
        }
        m.act(Action::Confirm { seq: None });
    }

    pub(super) fn release_under_hold(&mut self, index: usize, m: &mut Moment<'_>) {
        let exception = self.end_call(index, m);
        let draft = PassageDraft { exception, ..self.held_draft(index, m) };
        self.release(index, draft, m);
    }

    pub(super) fn held_draft(&self, index: usize, m: &Moment<'_>) -> PassageDraft {
        let vehicle = &self.queue[index];
        let terms = Terms::nothing(m.known, vehicle.tag.as_ref());
        PassageDraft {
            tag: vehicle.tag.clone(),
            plate: vehicle.plate.clone(),
            attendance: self.hold.as_ref().map(|hold| Attendance {
                attendant: hold.attendant.clone(),
                command: hold.command.clone(),
                reason: hold.reason.clone(),
            }),
            ..PassageDraft::of(Decision::OpenedByAttendant, &terms, m.now, m.known)
        }
    }

    pub(super) fn hold_ends(&mut self, m: &mut Moment<'_>) {
        self.timers.clear(Timer::HoldEnds);
        if self.hold.take().is_none() {
            return;
        }
        m.alarm("the arm is no longer held up");
        match self.head() {
            // It goes on its way, and the arm falls behind it.
            Some(VehicleState::Released { .. } | VehicleState::OnSafetyLoop) => {}
            Some(
                VehicleState::AwaitingTag { .. }
                | VehicleState::Asking { .. }
                | VehicleState::Calling { .. }
                | VehicleState::BackingOut { .. },
            )
            | None => self.serve_next(m),
        }
    }
}
