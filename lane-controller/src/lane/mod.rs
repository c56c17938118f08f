//! The lane core: a queue of vehicles between the loops, and what is done about each. Pure.
//!
//! Contract: every change of the lane goes through [`Lane::handle`] or [`Lane::handle_deadline`];
//! both return the actions to carry out, in order. An action that opens always stands behind the
//! [`Action::Record`] of the passage that it opens for.
//!
//! Time is the run's monotonic time since the controller started. Vehicles enter over the
//! *presence* loop and leave over the *safety* loop, in order. The first of the queue is the
//! *head*; the arm goes up for the head alone.

mod action;
mod event;
mod restart;
pub mod safety;
mod vehicle;
pub mod verdict;

use std::collections::VecDeque;
use std::time::Duration;

use domain::passage::{Attendance, Decision, ExceptionKind, LaneRole, Payment, Reason};
use domain::wire::v1::{EventKind, Verb};
use domain::{Amount, LaneId, Plate, TagId, VehicleGroup};

pub use action::{Action, PassageDraft};
pub use event::{Answer, Event, Inputs};
pub use restart::{SavedLane, SavedVehicle};
pub use vehicle::{Vehicle, VehicleState};
pub use verdict::{Knowledge, Terms, Verdict};

/// How a lane behaves; the times are run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanePolicy {
    /// How long a vehicle may stand on the presence loop before a person is called.
    pub tag_wait: Duration,
    /// How long a tag that was dealt with stays so after it was last seen.
    pub duplicate_window: Duration,
    /// How long a tag that was seen before its vehicle is kept for it.
    pub floating_tag: Duration,
    /// How often a call is told again while it waits.
    pub call_repeat: Duration,
    /// How long after the safety loop cleared the arm is lowered; one second at least.
    pub close_after: Duration,
}

impl Default for LanePolicy {
    fn default() -> Self {
        Self {
            tag_wait: Duration::from_secs(3),
            duplicate_window: Duration::from_secs(30),
            floating_tag: Duration::from_secs(2),
            call_repeat: Duration::from_secs(5),
            close_after: Duration::from_secs(1),
        }
    }
}

/// The lane.
#[derive(Debug)]
pub struct Lane {
    id: LaneId,
    role: LaneRole,
    policy: LanePolicy,
    inputs: Option<Inputs>,
    queue: VecDeque<Vehicle>,
    floating: Option<(TagId, Duration)>,
    dealt_with: VecDeque<(TagId, Duration)>,
    calls: u64,
    vehicles: u64,
    close_at: Option<Duration>,
    /// When the last vehicle without a known tag went under the arm, out of the antenna's zone.
    unread_until: Option<Duration>,
}

impl Lane {
    /// A lane of which nothing is known yet: it does nothing before [`Event::Restored`].
    #[must_use]
    pub fn new(id: LaneId, role: LaneRole, policy: LanePolicy) -> Self {
        Self {
            id,
            role,
            policy,
            inputs: None,
            queue: VecDeque::new(),
            floating: None,
            dealt_with: VecDeque::new(),
            calls: 0,
            vehicles: 0,
            close_at: None,
            unread_until: None,
        }
    }

    /// Takes one event.
    #[must_use]
    pub fn handle(&mut self, event: Event, now: Duration, known: &Knowledge<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Restored { inputs, saved } => self.restore(inputs, saved, now, &mut actions),
            Event::PresenceRose => self.vehicle_arrives(now, known, &mut actions),
            Event::PresenceFell => self.presence_clears(now, &mut actions),
            Event::SafetyRose => self.vehicle_reaches_safety_loop(now, known, &mut actions),
            Event::SafetyFell => self.vehicle_leaves(now, &mut actions),
            Event::TagSeen { tag, at } => self.tag_seen(tag, (at, now), known, &mut actions),
            Event::Answered(answer) => self.answered(answer, now, known, &mut actions),
            Event::ListChanged => self.list_changed(now, known, &mut actions),
            // What was counted stays true; the safety monitor alone knows that it is unknown now.
            Event::FieldLost => {}
        }
        actions
    }

    /// Does what is due by `now`.
    #[must_use]
    pub fn handle_deadline(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.close_at.is_some_and(|at| at <= now) {
            self.close_at = None;
            actions.push(Action::Close);
        }
        for index in 0..self.queue.len() {
            match self.queue[index].state {
                VehicleState::AwaitingTag { until } if until <= now => {
                    self.call(index, ExceptionKind::NoTag, None, now, &mut actions);
                }
                VehicleState::Calling { call, exception, fare, repeat_at } if repeat_at <= now => {
                    let vehicle = &mut self.queue[index];
                    let repeat_at = now + self.policy.call_repeat;
                    vehicle.state = VehicleState::Calling { call, exception, fare, repeat_at };
                    actions.push(raise(call, exception, vehicle.tag.clone(), fare));
                }
                VehicleState::AwaitingTag { .. }
                | VehicleState::Calling { .. }
                | VehicleState::Released { .. }
                | VehicleState::OnSafetyLoop
                | VehicleState::BackingOut => {}
            }
        }
        actions
    }

    /// When [`Self::handle_deadline`] is to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let vehicles = self.queue.iter().filter_map(|vehicle| match vehicle.state {
            VehicleState::AwaitingTag { until } => Some(until),
            VehicleState::Calling { repeat_at, .. } => Some(repeat_at),
            VehicleState::Released { .. }
            | VehicleState::OnSafetyLoop
            | VehicleState::BackingOut => None,
        });
        vehicles.chain(self.close_at).min()
    }

    /// Notes under which sequence a vehicle's passage was written.
    pub fn recorded(&mut self, vehicle: u64, seq: u64) {
        for known in &mut self.queue {
            if let (true, VehicleState::Released { seq: of }) =
                (known.number == vehicle, &mut known.state)
            {
                *of = Some(seq);
            }
        }
    }

    /// How many vehicles are between the loops.
    #[must_use]
    pub fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// How many calls wait.
    #[must_use]
    pub fn calls_waiting(&self) -> usize {
        let calling = |vehicle: &&Vehicle| matches!(vehicle.state, VehicleState::Calling { .. });
        self.queue.iter().filter(calling).count()
    }

    fn new_vehicle(
        &mut self,
        state: VehicleState,
        tag: Option<TagId>,
        arrived_at: Duration,
    ) -> Vehicle {
        self.vehicles += 1;
        Vehicle { number: self.vehicles, arrived_at, tag, state }
    }

    fn vehicle_arrives(&mut self, now: Duration, known: &Knowledge<'_>, actions: &mut Vec<Action>) {
        if let Some(inputs) = &mut self.inputs {
            inputs.presence = true;
            inputs.presence_rises = inputs.presence_rises.wrapping_add(1);
        }
        // A vehicle that was turned away comes back over the loop it came in by.
        if self.queue.iter().any(|vehicle| matches!(vehicle.state, VehicleState::BackingOut)) {
            return;
        }
        let until = now + self.policy.tag_wait;
        let vehicle = self.new_vehicle(VehicleState::AwaitingTag { until }, None, now);
        self.queue.push_back(vehicle);
        actions.push(Action::Tell(EventKind::VehicleArrived { queue: self.queue.len() }));
        let fresh = |(_, seen): &(TagId, Duration)| *seen + self.policy.floating_tag >= now;
        if let Some((tag, _)) = self.floating.take_if(|floating| fresh(floating)) {
            self.attach(self.queue.len() - 1, tag, now, known, actions);
        }
    }

    fn presence_clears(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if let Some(inputs) = &mut self.inputs {
            inputs.presence = false;
            inputs.presence_falls = inputs.presence_falls.wrapping_add(1);
        }
        let gone =
            self.queue.iter().position(|vehicle| matches!(vehicle.state, VehicleState::BackingOut));
        if let Some(index) = gone {
            if let Some(tag) = self.queue.remove(index).and_then(|vehicle| vehicle.tag) {
                self.dealt_with.push_back((tag, now));
            }
            actions.push(Action::Tell(EventKind::VehicleLeft { queue: self.queue.len() }));
            self.serve_head(actions);
        }
    }

    fn vehicle_reaches_safety_loop(
        &mut self,
        now: Duration,
        known: &Knowledge<'_>,
        actions: &mut Vec<Action>,
    ) {
        if let Some(inputs) = &mut self.inputs {
            inputs.safety = true;
        }
        self.close_at = None;
        match self.queue.front().map(|head| head.state) {
            Some(VehicleState::Released { .. } | VehicleState::OnSafetyLoop) => {
                self.queue[0].state = VehicleState::OnSafetyLoop;
                if self.queue[0].tag.is_none() {
                    self.unread_until = Some(now);
                }
            }
            Some(
                VehicleState::AwaitingTag { .. }
                | VehicleState::Calling { .. }
                | VehicleState::BackingOut,
            ) => {
                // It went although nothing was decided for it.
                self.end_call(0, actions);
                actions.push(Action::Siren);
                actions.push(Action::Tell(EventKind::Violation));
                let draft = self.undecided(0, now, known);
                let vehicle = self.queue[0].number;
                self.queue[0].state = VehicleState::OnSafetyLoop;
                actions.push(Action::Record { vehicle, draft: Box::new(draft) });
            }
            None => {
                actions.push(Action::Siren);
                actions.push(Action::Tell(EventKind::Violation));
            }
        }
    }

    fn vehicle_leaves(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if let Some(inputs) = &mut self.inputs {
            inputs.safety = false;
            inputs.safety_falls = inputs.safety_falls.wrapping_add(1);
        }
        if matches!(self.queue.front().map(|head| head.state), Some(VehicleState::OnSafetyLoop)) {
            if let Some(tag) = self.queue.pop_front().and_then(|vehicle| vehicle.tag) {
                self.dealt_with.push_back((tag, now));
            }
            actions.push(Action::Tell(EventKind::VehicleLeft { queue: self.queue.len() }));
        }
        let next_may_go = matches!(
            self.queue.front().map(|head| head.state),
            Some(VehicleState::Released { .. })
        );
        if next_may_go {
            self.serve_head(actions);
        } else {
            actions.push(Action::Red);
            self.close_at = Some(now + self.policy.close_after.max(safety::CLEAR_FOR));
        }
    }

    fn tag_seen(
        &mut self,
        tag: TagId,
        (at, now): (Duration, Duration),
        known: &Knowledge<'_>,
        actions: &mut Vec<Action>,
    ) {
        if self.queue.iter().any(|vehicle| vehicle.tag.as_ref() == Some(&tag)) {
            return;
        }
        self.dealt_with.retain(|(_, seen)| *seen + self.policy.duplicate_window > now);
        if let Some((_, seen)) = self.dealt_with.iter_mut().find(|(dealt, _)| *dealt == tag) {
            *seen = now;
            return;
        }
        // The newest vehicle without a tag: tags are read in the order in which vehicles come
        // into the zone, and one that waits for the attendant has had its time. A read that was told
        // late says where its tag was, not who stands there now: it belongs to nobody who came well
        // after it.
        let floating_tag = self.policy.floating_tag;
        let waits = |vehicle: &Vehicle| {
            vehicle.tag.is_none()
                && vehicle.arrived_at <= at + floating_tag
                && matches!(
                    vehicle.state,
                    VehicleState::AwaitingTag { .. }
                        | VehicleState::Calling { exception: ExceptionKind::NoTag, .. }
                )
        };
        match self.queue.iter().rposition(waits) {
            Some(index) => self.attach(index, tag, now, known, actions),
            None => self.tag_of_nobody_who_waits(tag, at, now),
        }
    }

    /// A tag that no vehicle waits for. One that was let through or sent back without its tag
    /// still stands in the zone, and this is its tag; else it is early, and its vehicle is coming.
    fn tag_of_nobody_who_waits(&mut self, tag: TagId, at: Duration, now: Duration) {
        let unread = |vehicle: &&mut Vehicle| {
            vehicle.tag.is_none()
                && matches!(vehicle.state, VehicleState::Released { .. } | VehicleState::BackingOut)
        };
        if let Some(vehicle) = self.queue.iter_mut().find(unread) {
            vehicle.tag = Some(tag);
        } else if self.unread_until.is_some_and(|until| at <= until) {
            self.dealt_with.push_back((tag, now));
        } else {
            self.floating = Some((tag, at));
        }
    }

    fn attach(
        &mut self,
        index: usize,
        tag: TagId,
        now: Duration,
        known: &Knowledge<'_>,
        actions: &mut Vec<Action>,
    ) {
        self.queue[index].tag = Some(tag);
        self.judge(index, now, known, actions);
    }

    /// Decides about a vehicle whose tag is known.
    fn judge(
        &mut self,
        index: usize,
        now: Duration,
        known: &Knowledge<'_>,
        actions: &mut Vec<Action>,
    ) {
        let Some(tag) = self.queue[index].tag.clone() else { return };
        match verdict::of_tag(&self.id, self.role, &tag, known) {
            Verdict::Open(terms) => {
                let exception = self.end_call(index, actions);
                let draft = PassageDraft {
                    tag: Some(tag),
                    exception,
                    ..PassageDraft::of(Decision::OpenedByTag, &terms, now, known)
                };
                self.release(index, draft, actions);
            }
            Verdict::Refuse { exception, fare } => self.call(index, exception, fare, now, actions),
        }
    }

    fn release(&mut self, index: usize, draft: PassageDraft, actions: &mut Vec<Action>) {
        self.queue[index].state = VehicleState::Released { seq: None };
        let vehicle = self.queue[index].number;
        actions.push(Action::Record { vehicle, draft: Box::new(draft) });
        if index == 0 {
            self.serve_head(actions);
        }
    }

    /// Opens where the head may go.
    fn serve_head(&mut self, actions: &mut Vec<Action>) {
        if let Some(VehicleState::Released { .. }) = self.queue.front().map(|head| head.state) {
            self.close_at = None;
            actions.push(Action::Open);
        }
    }

    /// Calls a person, or tells the person who is called already what has changed.
    fn call(
        &mut self,
        index: usize,
        exception: ExceptionKind,
        fare: Option<Amount>,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let call = match self.queue[index].state {
            // The person who is called knows that already.
            VehicleState::Calling { exception: before, .. } if before == exception => return,
            VehicleState::Calling { call, .. } => call,
            VehicleState::AwaitingTag { .. }
            | VehicleState::Released { .. }
            | VehicleState::OnSafetyLoop
            | VehicleState::BackingOut => {
                self.calls += 1;
                self.calls
            }
        };
        let repeat_at = now + self.policy.call_repeat;
        let vehicle = &mut self.queue[index];
        vehicle.state = VehicleState::Calling { call, exception, fare, repeat_at };
        actions.push(raise(call, exception, vehicle.tag.clone(), fare));
    }

    fn end_call(&mut self, index: usize, actions: &mut Vec<Action>) -> Option<ExceptionKind> {
        match self.queue[index].state {
            VehicleState::Calling { call, exception, .. } => {
                actions.push(Action::Tell(EventKind::CallEnded { call }));
                Some(exception)
            }
            VehicleState::AwaitingTag { .. }
            | VehicleState::Released { .. }
            | VehicleState::OnSafetyLoop
            | VehicleState::BackingOut => None,
        }
    }

    fn list_changed(&mut self, now: Duration, known: &Knowledge<'_>, actions: &mut Vec<Action>) {
        for index in 0..self.queue.len() {
            if matches!(self.queue[index].state, VehicleState::Calling { .. }) {
                self.judge(index, now, known, actions);
            }
        }
    }

    fn answered(
        &mut self,
        answer: Answer,
        now: Duration,
        known: &Knowledge<'_>,
        actions: &mut Vec<Action>,
    ) {
        let of_call = |vehicle: &Vehicle| matches!(vehicle.state, VehicleState::Calling { call, .. } if call == answer.call);
        let Some(index) = self.queue.iter().position(of_call) else {
            actions.push(Action::Refuse { why: "this call has ended" });
            return;
        };
        if index != 0 {
            actions.push(Action::Refuse { why: "another vehicle stands before it" });
            return;
        }
        if matches!(answer.verb, Verb::TurnAway { .. }) && self.queue.len() > 1 {
            actions
                .push(Action::Refuse { why: "a vehicle stands behind it, and it cannot back out" });
            return;
        }
        let exception = self.end_call(index, actions);
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
                let terms = Terms::nothing(known, tag.as_ref());
                let draft = PassageDraft {
                    tag,
                    exception,
                    attendance: attendance(reason.into()),
                    ..PassageDraft::of(Decision::TurnedAway, &terms, now, known)
                };
                self.queue[index].state = VehicleState::BackingOut;
                let vehicle = self.queue[index].number;
                actions.push(Action::Record { vehicle, draft: Box::new(draft) });
            }
            Verb::ChargeByPlate { plate, group } => {
                let reason = Reason::PlateRead;
                let terms = self.terms_by_plate(&reason, &plate, group, tag.as_ref(), known);
                let draft = PassageDraft {
                    tag,
                    plate: Some(plate),
                    exception,
                    attendance: attendance(reason),
                    ..PassageDraft::of(Decision::ChargedByPlate, &terms, now, known)
                };
                self.release(index, draft, actions);
            }
            Verb::Open { reason, plate, group } => {
                let reason = Reason::from(reason);
                let terms = self.terms_by_plate(&reason, &plate, group, tag.as_ref(), known);
                let draft = PassageDraft {
                    tag,
                    plate: Some(plate),
                    exception,
                    attendance: attendance(reason),
                    ..PassageDraft::of(Decision::OpenedByAttendant, &terms, now, known)
                };
                self.release(index, draft, actions);
            }
        }
        actions.push(Action::Confirm);
    }

    fn terms_by_plate(
        &self,
        reason: &Reason,
        plate: &Plate,
        group: VehicleGroup,
        tag: Option<&TagId>,
        known: &Knowledge<'_>,
    ) -> Terms {
        let payment = match (self.role, reason) {
            (LaneRole::Entry, _)
            | (_, Reason::PriorityVehicle | Reason::CashAtExit | Reason::NoMeansOfPayment) => {
                Payment::Nothing
            }
            (_, Reason::CashPaid) => Payment::Cash,
            (
                _,
                Reason::PlateRead
                | Reason::EquipmentFault
                | Reason::DriversWish
                | Reason::Other { .. },
            ) => Payment::Account,
        };
        verdict::terms_by_plate(&self.id, self.role, plate, group, tag, payment, known)
    }

    fn undecided(&self, index: usize, now: Duration, known: &Knowledge<'_>) -> PassageDraft {
        let tag = self.queue[index].tag.clone();
        let terms = Terms::nothing(known, tag.as_ref());
        PassageDraft {
            tag,
            exception: Some(ExceptionKind::LeftUndecided),
            ..PassageDraft::of(Decision::LeftUndecided, &terms, now, known)
        }
    }
}

fn raise(call: u64, exception: ExceptionKind, tag: Option<TagId>, fare: Option<Amount>) -> Action {
    Action::Tell(EventKind::CallRaised { call, exception: exception.into(), tag, fare })
}

#[cfg(test)]
mod tests;
