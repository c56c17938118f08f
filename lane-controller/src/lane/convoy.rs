//! A convoy: the arm stays up for everybody in the lane and everybody who comes, until it is ended
//! or has had its vehicles or its time. Two people order it. Each vehicle has its passage, with
//! both names, and owes nothing.

use std::time::Duration;

use domain::Amount;
use domain::passage::{Attendance, Decision, Reason};
use domain::wire::v1::{ConvoyRecord, EventKind, LaneMode};

use super::{
    Action, Answer, Lane, Layout, Moment, PassageDraft, Terms, Timer, Vehicle, VehicleState,
};

/// More vehicles than that are no convoy.
pub(super) const VEHICLES_MAX: u32 = 200;
/// The longest one.
pub(super) const LASTS_MAX: Duration = Duration::from_hours(1);
/// The longest name, in characters.
const NAME_LEN_MAX: usize = 40;

/// A convoy under way.
#[derive(Debug)]
pub(super) struct Convoy {
    record: ConvoyRecord,
    attendance: Attendance,
}

impl Lane {
    /// The convoy that is being let through.
    #[must_use]
    pub fn convoy(&self) -> Option<&ConvoyRecord> {
        self.convoy.as_ref().map(|convoy| &convoy.record)
    }

    pub(super) fn convoy_begins(
        &mut self,
        answer: &Answer,
        name: &str,
        (vehicles_max, lasts): (u32, Duration),
        m: &mut Moment<'_>,
    ) {
        let second = answer.second.clone().filter(|second| *second != answer.attendant);
        let Some(second) = second else {
            return m.act(Action::Refuse { why: "a second person has to agree" });
        };
        if let Err(why) = self.may_begin(name, vehicles_max, lasts) {
            return m.act(Action::Refuse { why });
        }
        self.timers.set(Timer::ConvoyEnds, m.now + lasts);
        self.timers.clear(Timer::Close);
        let record = ConvoyRecord {
            name: name.trim().to_owned(),
            by: answer.attendant.clone(),
            second,
            vehicles: 0,
            vehicles_max,
        };
        m.tell(EventKind::ConvoyBegan { convoy: record.clone() });
        self.convoy = Some(Convoy { record, attendance: answer.attendance(Reason::Convoy) });
        let undecided = self.queue.iter().filter(|vehicle| vehicle.is_undecided());
        let undecided: Vec<u64> = undecided.map(|vehicle| vehicle.number).collect();
        for number in undecided {
            // It may have had all its vehicles by now.
            if let Some(index) = self.index_of(number).filter(|_| self.convoy.is_some()) {
                self.release_in_convoy(index, m);
            }
        }
        m.act(Action::Obeyed);
    }

    fn may_begin(
        &self,
        name: &str,
        vehicles_max: u32,
        lasts: Duration,
    ) -> Result<(), &'static str> {
        if self.policy.layout == Layout::FreeFlow {
            return Err("there is no arm here");
        }
        match self.mode() {
            LaneMode::Automatic | LaneMode::Attended | LaneMode::EtcOnly => {}
            LaneMode::Closed | LaneMode::Maintenance => return Err("the lane is closed"),
        }
        if self.convoy.is_some() {
            return Err("a convoy is under way");
        }
        if name.trim().is_empty() || name.chars().count() > NAME_LEN_MAX {
            return Err("a convoy has a name of 1 to 40 characters");
        }
        if vehicles_max == 0 || vehicles_max > VEHICLES_MAX {
            return Err("a convoy has 1 to 200 vehicles");
        }
        if lasts.is_zero() || lasts > LASTS_MAX {
            return Err("a convoy lasts an hour at most");
        }
        Ok(())
    }

    /// Lets a vehicle go as one of the convoy.
    pub(super) fn release_in_convoy(&mut self, index: usize, m: &mut Moment<'_>) {
        let exception = self.end_call(index, m);
        let draft = PassageDraft { exception, ..self.convoy_draft(index, m) };
        self.release(index, draft, m);
        self.convoy_had_one(m);
    }

    /// The passage of a vehicle of the convoy, which owes nothing.
    pub(super) fn convoy_draft(&self, index: usize, m: &Moment<'_>) -> PassageDraft {
        let vehicle: &Vehicle = &self.queue[index];
        let terms =
            Terms { fare: Some(Amount::ZERO), ..Terms::nothing(m.known, vehicle.tag.as_ref()) };
        PassageDraft {
            tag: vehicle.tag.clone(),
            plate: vehicle.plate.clone(),
            attendance: self.convoy.as_ref().map(|convoy| convoy.attendance.clone()),
            ..PassageDraft::of(Decision::OpenedByAttendant, &terms, m.now, m.known)
        }
    }

    /// Counts a vehicle; the last one ends the convoy.
    pub(super) fn convoy_had_one(&mut self, m: &mut Moment<'_>) {
        let Some(Convoy { record, .. }) = &mut self.convoy else { return };
        record.vehicles += 1;
        if record.vehicles >= record.vehicles_max {
            m.alarm("the convoy has had all its vehicles");
            self.convoy_ends(m);
        }
    }

    pub(super) fn convoy_takes_too_long(&mut self, m: &mut Moment<'_>) {
        if self.convoy.is_some() {
            m.alarm("the convoy has had its time");
            self.convoy_ends(m);
        }
    }

    pub(super) fn convoy_is_ended(&mut self, m: &mut Moment<'_>) {
        if self.convoy.is_none() {
            return m.act(Action::Refuse { why: "no convoy is under way" });
        }
        self.convoy_ends(m);
        m.act(Action::Obeyed);
    }

    fn convoy_ends(&mut self, m: &mut Moment<'_>) {
        self.timers.clear(Timer::ConvoyEnds);
        let Some(Convoy { record, .. }) = self.convoy.take() else { return };
        m.tell(EventKind::ConvoyEnded { name: record.name, vehicles: record.vehicles });
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
