//! What people at the desk order: about one vehicle here; about many in `convoy`, about the lane in
//! `mode`.

use std::time::Duration;

use domain::passage::{Correction, Decision, ExceptionKind, LaneRole, Payment, Reason};
use domain::wire::v1::{LaneMode, Verb};
use domain::{Plate, TagId, VehicleGroup};

use super::{
    Action, Answer, Case, Corrected, Lane, Moment, NO_CALL, PassageDraft, Terms, Vehicle,
    VehicleState, Verdict, raise, verdict,
};

/// A vehicle to be let through, as the attendant sees it.
struct Identified {
    decision: Decision,
    reason: Reason,
    plate: Plate,
    group: VehicleGroup,
}

impl Lane {
    pub(super) fn answered(&mut self, answer: &Answer, m: &mut Moment<'_>) {
        if answer.verb.is_about_vehicle() && self.mode() == LaneMode::Maintenance {
            return m.act(Action::Refuse { why: "the lane is in maintenance" });
        }
        match answer.verb.clone() {
            Verb::TurnAway { reason } => self.turned_away(answer, reason.into(), m),
            Verb::ChargeByPlate { plate, group } => {
                let (decision, reason) = (Decision::ChargedByPlate, Reason::PlateRead);
                self.let_through(answer, Identified { decision, reason, plate, group }, m);
            }
            Verb::Open { reason, plate, group } => {
                let (decision, reason) = (Decision::OpenedByAttendant, reason.into());
                self.let_through(answer, Identified { decision, reason, plate, group }, m);
            }
            Verb::ChangeGroup { group } => self.group_corrected(answer, group, m),
            Verb::RetryRead => self.reads_again(answer, m),
            Verb::BeginConvoy { name, vehicles_max, lasts_s } => {
                let lasts = Duration::from_secs(lasts_s.into());
                self.convoy_begins(answer, &name, (vehicles_max, lasts), m);
            }
            Verb::EndConvoy => self.convoy_is_ended(m),
            Verb::SetMode { mode } => self.mode_ordered(mode, answer, m),
        }
    }

    fn turned_away(&mut self, answer: &Answer, reason: Reason, m: &mut Moment<'_>) {
        let index = match self.vehicle_that_called(answer) {
            Ok(index) if self.queue.len() == 1 => index,
            Ok(_) => {
                let why = "a vehicle stands behind it, and it cannot back out";
                return m.act(Action::Refuse { why });
            }
            Err(why) => return m.act(Action::Refuse { why }),
        };
        let exception = self.end_call(index, m);
        let tag = self.queue[index].tag.clone();
        let terms = Terms::nothing(m.known, tag.as_ref());
        let draft = PassageDraft {
            tag,
            exception,
            attendance: Some(answer.attendance(reason)),
            ..PassageDraft::of(Decision::TurnedAway, &terms, m.now, m.known)
        };
        let until = m.now + self.policy.back_out_timeout;
        self.queue[index].state = VehicleState::BackingOut { until };
        self.record(index, draft, m);
        m.act(Action::Confirm { seq: None });
    }

    fn let_through(&mut self, answer: &Answer, seen: Identified, m: &mut Moment<'_>) {
        let takes_cash = matches!(seen.reason, Reason::CashPaid | Reason::CashAtExit);
        if takes_cash && self.mode() == LaneMode::EtcOnly {
            return m.act(Action::Refuse { why: "nobody pays in cash in this lane" });
        }
        let found = if answer.call == NO_CALL {
            self.vehicle_to_open_for(m)
        } else {
            self.vehicle_that_called(answer).map(Some)
        };
        let index = match found {
            Ok(Some(index)) => index,
            Ok(None) => return,
            Err(why) => return m.act(Action::Refuse { why }),
        };
        let corrected = self.queue[index].corrected.clone();
        if corrected.as_ref().is_some_and(|corrected| corrected.to != seen.group) {
            let why = "its group was corrected: let it through as that, or correct it again";
            return m.act(Action::Refuse { why });
        }
        let Identified { decision, reason, plate, group } = seen;
        let exception = self.end_call(index, m);
        let Vehicle { number, tag, .. } = self.queue[index].clone();
        let terms = self.terms_by_plate(&reason, &plate, group, tag.as_ref(), m);
        let mut attendance = answer.attendance(reason);
        attendance.corrected = corrected.as_ref().and_then(|one| one.attendance.corrected);
        let draft = PassageDraft {
            tag,
            plate: Some(plate),
            exception,
            attendance: Some(attendance),
            ..PassageDraft::of(decision, &terms, m.now, m.known)
        };
        self.release(index, draft, m);
        if let Some(corrected) = corrected {
            self.correction_is_a_case(number, &corrected, m);
        }
        m.act(Action::Confirm { seq: None });
    }

    /// The attendant corrects the group: the vehicle is judged again by that, and goes where that
    /// is enough. What it was before stays on the record, and is a case.
    fn group_corrected(&mut self, answer: &Answer, to: VehicleGroup, m: &mut Moment<'_>) {
        let index = match self.vehicle_that_called(answer) {
            Ok(index) => index,
            Err(why) => return m.act(Action::Refuse { why }),
        };
        let vehicle = &self.queue[index];
        let listed = vehicle.tag.as_ref().and_then(|tag| m.known.list.find(tag));
        let before = vehicle.corrected.as_ref().and_then(|one| one.attendance.corrected);
        let from = listed.map(|entry| entry.group).or(vehicle.measured);
        let mut attendance = answer.attendance(Reason::GroupCorrected);
        attendance.corrected = Some(before.unwrap_or(Correction { from }));
        let tag = vehicle.tag.clone();
        self.queue[index].corrected = Some(Box::new(Corrected { to, attendance }));
        let verdict = tag.map(|tag| (self.court(index).of_tag(&tag, m.known), tag));
        match verdict {
            Some((Verdict::Open(terms), tag)) => {
                self.open_by_tag(index, tag, &terms, m);
                m.act(Action::Confirm { seq: None });
            }
            Some((Verdict::Refuse { exception, fare }, _)) => {
                self.tell_again(index, exception, fare, m);
                m.act(Action::Obeyed);
            }
            None => {
                let (_, fare) = verdict::fare(&self.id, self.role, None, to, m.known);
                self.tell_again(index, ExceptionKind::NoTag, fare, m);
                m.act(Action::Obeyed);
            }
        }
    }

    /// What was read of the vehicle that called is forgotten, and what the antenna reads now counts
    /// as if it were read for the first time. The person stays called meanwhile.
    fn reads_again(&mut self, answer: &Answer, m: &mut Moment<'_>) {
        let index = match self.vehicle_that_called(answer) {
            Ok(index) => index,
            Err(why) => return m.act(Action::Refuse { why }),
        };
        let vehicle = &mut self.queue[index];
        let tags: Vec<TagId> =
            vehicle.tag.take().into_iter().chain(vehicle.other_tags.drain(..)).collect();
        vehicle.tag_first_at = None;
        for tag in &tags {
            self.forget_sighting(tag);
            self.dealt_with.retain(|(dealt, _)| dealt != tag);
        }
        self.tell_again(index, ExceptionKind::NoTag, None, m);
        m.act(Action::Obeyed);
    }

    /// Tells the person who is called what is known now.
    fn tell_again(
        &mut self,
        index: usize,
        exception: ExceptionKind,
        fare: Option<domain::Amount>,
        m: &mut Moment<'_>,
    ) {
        let repeat_at = m.now + self.policy.call_repeat;
        let vehicle = &mut self.queue[index];
        match vehicle.state {
            VehicleState::Calling { call, .. } => {
                vehicle.state = VehicleState::Calling { call, exception, fare, repeat_at };
                m.act(raise(call, exception, vehicle.tag.clone(), fare));
            }
            VehicleState::AwaitingTag { .. }
            | VehicleState::Asking { .. }
            | VehicleState::Released { .. }
            | VehicleState::OnSafetyLoop
            | VehicleState::BackingOut { .. } => {}
        }
    }

    /// A group that a person corrected is looked at afterwards by another.
    pub(super) fn correction_is_a_case(
        &self,
        vehicle: u64,
        corrected: &Corrected,
        m: &mut Moment<'_>,
    ) {
        let from = corrected.attendance.corrected.and_then(|correction| correction.from);
        if let Some(listed) = from.filter(|from| *from != corrected.to) {
            let case = Case::GroupDiffers { listed, measured: corrected.to };
            m.act(Action::Case { vehicle, case });
        }
    }

    fn vehicle_that_called(&self, answer: &Answer) -> Result<usize, &'static str> {
        if answer.call == NO_CALL {
            return Err("no vehicle has called");
        }
        let of_call = |vehicle: &Vehicle| matches!(vehicle.state, VehicleState::Calling { call, .. } if call == answer.call);
        match self.queue.iter().position(of_call) {
            Some(0) => Ok(0),
            Some(_) => Err("another vehicle stands before it"),
            None => Err("this call has ended"),
        }
    }

    /// The vehicle that an attendant opens for by hand, without having been called: the head, one
    /// that had been given up, or one that no loop has seen.
    fn vehicle_to_open_for(&mut self, m: &mut Moment<'_>) -> Result<Option<usize>, &'static str> {
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
            | (
                _,
                Reason::PriorityVehicle
                | Reason::Convoy
                | Reason::CashAtExit
                | Reason::NoMeansOfPayment,
            ) => Payment::Nothing,
            (_, Reason::CashPaid) => Payment::Cash,
            (_, Reason::EquipmentFault) => self.policy.verdict.equipment_fault,
            (
                _,
                Reason::PlateRead
                | Reason::GroupCorrected
                | Reason::DriversWish
                | Reason::Other { .. },
            ) => Payment::Account,
        };
        verdict::terms_by_plate(&self.id, self.role, plate, group, tag, payment, m.known)
    }
}
