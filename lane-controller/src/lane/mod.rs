//! The lane core: a queue of vehicles between the loops, and what is done about each. Pure.
//!
//! Contract: every change of the lane goes through [`Lane::handle`] or [`Lane::handle_deadline`];
//! both return the actions to carry out, in order. An action that opens always stands behind the
//! [`Action::Record`] of the passage that it opens for. Whatever was counted as a vehicle ends as a
//! passage or as [`Action::NoVehicle`].
//!
//! Time is the run's monotonic time since the controller started. Vehicles enter over the
//! *presence* loop and leave over the *safety* loop, in order. The first of the queue is the
//! *head*; the arm goes up for the head alone. Which situation of the road has which rule is told
//! in `docs/situations.md`.
//!
//! Deliberately absent: whether the arm may come down ([`safety`] has the last word), where the arm
//! really is, and what a passage finally costs.

mod action;
mod answers;
mod convoy;
mod event;
mod loops;
mod mode;
pub mod policy;
mod restart;
pub mod safety;
mod tags;
mod timer;
mod vehicle;
pub mod verdict;

use std::collections::VecDeque;
use std::time::Duration;

use domain::passage::{Decision, ExceptionKind, LaneRole};
use domain::wire::v1::{EventKind, LaneMode, LoopCounts};
use domain::{Amount, LaneId, TagId};

pub use action::{Action, Case, PassageDraft};
pub use event::{Answer, CentreAnswer, Certainty, Event, Inputs, NO_CALL};
pub use policy::{LanePolicy, Layout};
pub use restart::{SavedLane, SavedVehicle};
pub use vehicle::{Corrected, Vehicle, VehicleState};
pub use verdict::{Court, Knowledge, Terms, Verdict};

use convoy::Convoy;
use tags::Sighting;
use timer::{Timer, Timers};

/// The lane.
#[derive(Debug)]
pub struct Lane {
    id: LaneId,
    role: LaneRole,
    policy: LanePolicy,
    inputs: Option<Inputs>,
    queue: VecDeque<Vehicle>,
    timers: Timers,
    /// Tags in the zone that no vehicle was found for yet.
    sightings: VecDeque<Sighting>,
    dealt_with: VecDeque<(TagId, Duration)>,
    calls: u64,
    vehicles: u64,
    presence_rose_at: Option<Duration>,
    presence_fell_at: Option<Duration>,
    safety_fell_at: Option<Duration>,
    /// The safety loop is occupied, perhaps by the vehicle that has been seen to leave it.
    crosses_again: Option<loops::Again>,
    /// Vehicles that were let through and not seen to go, each until then believed to come yet.
    overdue: VecDeque<(Vehicle, Duration)>,
    /// When the last vehicle without a known tag went under the arm, out of the antenna's zone.
    unread_until: Option<Duration>,
    untagged_in_row: u32,
    convoy: Option<Convoy>,
    /// How the desk wants the lane to work.
    ordered: Option<LaneMode>,
    /// How it worked before it was taken out of service with somebody in it: for them it goes on so.
    outgoing: Option<LaneMode>,
    /// What the loops counted since the journal began, for the lane's manifests.
    counts: LoopCounts,
}

/// One call of the core: when, what is known, and what is to be done.
struct Moment<'a> {
    now: Duration,
    known: &'a Knowledge<'a>,
    actions: Vec<Action>,
}

impl Moment<'_> {
    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn tell(&mut self, kind: EventKind) {
        self.actions.push(Action::Tell(kind));
    }

    fn alarm(&mut self, text: &str) {
        self.tell(EventKind::Alarm { text: text.to_owned() });
    }
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
            timers: Timers::default(),
            sightings: VecDeque::new(),
            dealt_with: VecDeque::new(),
            calls: 0,
            vehicles: 0,
            presence_rose_at: None,
            presence_fell_at: None,
            safety_fell_at: None,
            crosses_again: None,
            overdue: VecDeque::new(),
            unread_until: None,
            untagged_in_row: 0,
            convoy: None,
            ordered: None,
            outgoing: None,
            counts: LoopCounts::default(),
        }
    }

    /// Works by another policy from now on. Timers that run keep the time they were given.
    pub fn follow(&mut self, policy: LanePolicy) {
        self.change_mode(|lane| lane.policy = policy);
    }

    /// Takes one event.
    #[must_use]
    pub fn handle(&mut self, event: Event, now: Duration, known: &Knowledge<'_>) -> Vec<Action> {
        let mut moment = Moment { now, known, actions: Vec::new() };
        let m = &mut moment;
        self.end_outgoing();
        match event {
            Event::Restored { inputs, saved } => self.restore(inputs, saved, m),
            Event::PresenceRose => self.presence_rises(m),
            Event::PresenceFell => self.presence_falls(m),
            Event::SafetyRose => self.safety_rises(m),
            Event::SafetyFell => self.safety_falls(m),
            Event::Reversed => self.reverses(m),
            Event::TagSeen { tag, at } => self.tag_seen(tag, at, m),
            Event::TakenElsewhere { tag } => self.taken_elsewhere(&tag, m),
            Event::PlateSeen { plate, certainty } => self.plate_seen(plate, certainty),
            Event::GroupMeasured { group, certainty } => self.group_measured(group, certainty, m),
            Event::CentreAnswered { vehicle, answer } => self.centre_answered(vehicle, answer, m),
            Event::Answered(answer) => self.answered(&answer, m),
            Event::ListChanged => self.list_changed(m),
            // What was counted stays true; the safety monitor alone knows that it is unknown now.
            Event::FieldLost => {}
        }
        moment.actions
    }

    /// Does what is due by `now`.
    #[must_use]
    pub fn handle_deadline(&mut self, now: Duration, known: &Knowledge<'_>) -> Vec<Action> {
        let mut moment = Moment { now, known, actions: Vec::new() };
        for timer in Timer::ALL {
            if self.timers.expires(timer, now) {
                self.timer_expired(timer, &mut moment);
            }
        }
        // A vehicle that is taken out of the queue makes the next one's index its own.
        let due: Vec<u64> = self
            .queue
            .iter()
            .filter(|vehicle| vehicle.deadline().is_some_and(|at| at <= now))
            .map(|vehicle| vehicle.number)
            .collect();
        for number in due {
            if let Some(index) = self.index_of(number) {
                self.vehicle_is_due(index, &mut moment);
            }
        }
        moment.actions
    }

    /// When [`Self::handle_deadline`] is to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.queue.iter().filter_map(Vehicle::deadline).chain(self.timers.next()).min()
    }

    /// Notes under which sequence a vehicle's passage was written.
    pub fn recorded(&mut self, vehicle: u64, seq: u64) {
        for known in &mut self.queue {
            if let (true, VehicleState::Released { seq: of, .. }) =
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

    /// The first of the queue.
    #[must_use]
    pub fn first(&self) -> Option<&Vehicle> {
        self.queue.front()
    }

    /// The vehicle that came last: what cameras and classifiers see is of it.
    #[must_use]
    pub fn newest(&self) -> Option<&Vehicle> {
        self.queue.back()
    }

    /// The vehicle with this number, while it is between the loops.
    #[must_use]
    pub fn vehicle(&self, number: u64) -> Option<&Vehicle> {
        self.queue.iter().find(|vehicle| vehicle.number == number)
    }

    /// The vehicle that a person is called for.
    #[must_use]
    pub fn called_for(&self, call: u64) -> Option<&Vehicle> {
        self.queue.iter().find(|vehicle| vehicle.call() == Some(call))
    }

    /// How many calls wait.
    #[must_use]
    pub fn calls_waiting(&self) -> usize {
        self.queue.iter().filter(|vehicle| vehicle.call().is_some()).count()
    }

    fn timer_expired(&mut self, timer: Timer, m: &mut Moment<'_>) {
        match timer {
            Timer::Close => m.act(Action::Close),
            Timer::PresenceStuck => m.alarm("the presence loop has been occupied for too long"),
            // The arm stays up: the monitor lets nothing lower it.
            Timer::SafetyStuck => m.alarm("the safety loop has been occupied for too long"),
            Timer::ConvoyEnds => self.convoy_takes_too_long(m),
        }
    }

    fn vehicle_is_due(&mut self, index: usize, m: &mut Moment<'_>) {
        match self.queue[index].state {
            VehicleState::AwaitingTag { .. } if self.mode() == LaneMode::Maintenance => {
                let until = m.now + self.policy.tag_wait;
                self.queue[index].state = VehicleState::AwaitingTag { until };
            }
            VehicleState::AwaitingTag { .. } => {
                self.untagged_in_row += 1;
                if self.untagged_in_row == self.policy.untagged_in_row {
                    m.alarm("vehicles come and no tag is read");
                }
                self.call(index, ExceptionKind::NoTag, None, m);
            }
            VehicleState::Asking { fare, .. } => {
                self.call(index, ExceptionKind::NoMoney, fare, m);
            }
            VehicleState::Calling { call, exception, fare, .. } => {
                let vehicle = &mut self.queue[index];
                let repeat_at = m.now + self.policy.call_repeat;
                vehicle.state = VehicleState::Calling { call, exception, fare, repeat_at };
                m.act(raise(call, exception, vehicle.tag.clone(), fare));
            }
            VehicleState::Released { seq, .. } => self.released_is_late(index, seq, m),
            VehicleState::BackingOut { .. } => {
                m.alarm("a vehicle that was turned away was not seen to leave");
                self.backed_out(index, m);
            }
            VehicleState::OnSafetyLoop => {}
        }
    }

    fn index_of(&self, number: u64) -> Option<usize> {
        self.queue.iter().position(|vehicle| vehicle.number == number)
    }

    fn head(&self) -> Option<VehicleState> {
        self.queue.front().map(|head| head.state)
    }

    fn new_vehicle(
        &mut self,
        state: VehicleState,
        tag: Option<TagId>,
        arrived_at: Duration,
    ) -> Vehicle {
        self.vehicles += 1;
        Vehicle {
            number: self.vehicles,
            arrived_at,
            tag_first_at: None,
            tag,
            other_tags: Vec::new(),
            plate: None,
            measured: None,
            corrected: None,
            asked: false,
            recorded: false,
            state,
        }
    }

    /// Where a verdict about a vehicle is reached.
    fn court(&self, index: usize) -> Court<'_> {
        Court {
            lane: &self.id,
            role: self.role,
            policy: &self.policy.verdict,
            mode: self.mode(),
            corrected: self.queue[index].corrected.as_ref().map(|corrected| corrected.to),
        }
    }

    /// Decides about a vehicle whose tag is known.
    fn judge(&mut self, index: usize, m: &mut Moment<'_>) {
        if self.convoy.is_some() {
            self.release_in_convoy(index, m);
            return;
        }
        if self.mode() == LaneMode::Maintenance {
            return;
        }
        let Some(tag) = self.queue[index].tag.clone() else { return };
        match self.court(index).of_tag(&tag, m.known) {
            Verdict::Open(terms) => self.open_by_tag(index, tag, &terms, m),
            Verdict::Refuse { exception: ExceptionKind::NoMoney, fare }
                if self.may_ask(&self.queue[index]) =>
            {
                let vehicle = &mut self.queue[index];
                vehicle.asked = true;
                vehicle.state = VehicleState::Asking { until: m.now + self.policy.question, fare };
                m.act(Action::AskCentre { vehicle: vehicle.number, tag, fare });
            }
            Verdict::Refuse { exception, fare } => self.call(index, exception, fare, m),
        }
    }

    fn may_ask(&self, vehicle: &Vehicle) -> bool {
        !vehicle.asked
            && !self.policy.question.is_zero()
            && matches!(vehicle.state, VehicleState::AwaitingTag { .. })
    }

    fn open_by_tag(&mut self, index: usize, tag: TagId, terms: &Terms, m: &mut Moment<'_>) {
        let exception = self.end_call(index, m);
        let vehicle = &self.queue[index];
        let (number, measured) = (vehicle.number, vehicle.measured);
        if let Some(corrected) = vehicle.corrected.clone() {
            let draft = PassageDraft {
                tag: Some(tag),
                plate: vehicle.plate.clone(),
                exception,
                attendance: Some(corrected.attendance.clone()),
                ..PassageDraft::of(Decision::OpenedByAttendant, terms, m.now, m.known)
            };
            self.release(index, draft, m);
            self.correction_is_a_case(number, &corrected, m);
            return;
        }
        let draft = PassageDraft {
            tag: Some(tag),
            exception,
            ..PassageDraft::of(Decision::OpenedByTag, terms, m.now, m.known)
        };
        self.release(index, draft, m);
        if let (Some(listed), Some(measured)) = (terms.group, measured)
            && listed != measured
        {
            m.act(Action::Case { vehicle: number, case: Case::GroupDiffers { listed, measured } });
        }
    }

    /// Writes a vehicle's passage down.
    fn record(&mut self, index: usize, draft: PassageDraft, m: &mut Moment<'_>) {
        let vehicle = &mut self.queue[index];
        vehicle.recorded = true;
        m.act(Action::Record { vehicle: vehicle.number, draft: Box::new(draft) });
    }

    fn release(&mut self, index: usize, draft: PassageDraft, m: &mut Moment<'_>) {
        self.queue[index].state = VehicleState::Released { seq: None, until: None };
        self.record(index, draft, m);
        match self.policy.layout {
            Layout::Barrier if index == 0 => self.serve_head(m),
            Layout::Barrier => {}
            Layout::FreeFlow => drop(self.take_out(index, m)),
        }
    }

    /// Opens where the head may go.
    fn serve_head(&mut self, m: &mut Moment<'_>) {
        if let Some(VehicleState::Released { seq, .. }) = self.head() {
            let until = Some(m.now + self.policy.drive_timeout);
            self.queue[0].state = VehicleState::Released { seq, until };
            self.timers.clear(Timer::Close);
            m.act(Action::Open);
        }
    }

    /// Lets the next go, or lowers the arm.
    fn serve_next(&mut self, m: &mut Moment<'_>) {
        if self.queue.front().is_some_and(Vehicle::may_go) {
            self.serve_head(m);
        } else if self.convoy.is_none() {
            m.act(Action::Red);
            self.timers.set(Timer::Close, m.now + self.policy.close_after.max(safety::CLEAR_FOR));
        }
    }

    /// Takes a vehicle that has gone out of the queue; its tags are dealt with.
    fn take_out(&mut self, index: usize, m: &mut Moment<'_>) -> Option<Vehicle> {
        let vehicle = self.queue.remove(index)?;
        self.deal_with(&vehicle, m.now);
        m.tell(EventKind::VehicleLeft { queue: self.queue.len() });
        Some(vehicle)
    }

    fn deal_with(&mut self, vehicle: &Vehicle, now: Duration) {
        let tags = vehicle.tag.iter().chain(&vehicle.other_tags);
        self.dealt_with.extend(tags.map(|tag| (tag.clone(), now)));
    }

    /// Calls a person, or tells the person who is called already what has changed. On a free road
    /// nobody waits for a person: what is amiss is written down.
    fn call(
        &mut self,
        index: usize,
        exception: ExceptionKind,
        fare: Option<Amount>,
        m: &mut Moment<'_>,
    ) {
        if self.policy.layout == Layout::FreeFlow {
            m.tell(EventKind::Violation);
            let draft = PassageDraft { exception: Some(exception), ..self.undecided(index, m) };
            self.record(index, draft, m);
            self.take_out(index, m);
            return;
        }
        let call = match self.queue[index].state {
            // The person who is called knows that already.
            VehicleState::Calling { exception: before, .. } if before == exception => return,
            VehicleState::Calling { call, .. } => call,
            VehicleState::AwaitingTag { .. }
            | VehicleState::Asking { .. }
            | VehicleState::Released { .. }
            | VehicleState::OnSafetyLoop
            | VehicleState::BackingOut { .. } => {
                self.calls += 1;
                self.calls
            }
        };
        let repeat_at = m.now + self.policy.call_repeat;
        let vehicle = &mut self.queue[index];
        vehicle.state = VehicleState::Calling { call, exception, fare, repeat_at };
        m.act(raise(call, exception, vehicle.tag.clone(), fare));
    }

    fn end_call(&mut self, index: usize, m: &mut Moment<'_>) -> Option<ExceptionKind> {
        match self.queue[index].state {
            VehicleState::Calling { call, exception, .. } => {
                m.tell(EventKind::CallEnded { call });
                Some(exception)
            }
            VehicleState::AwaitingTag { .. }
            | VehicleState::Asking { .. }
            | VehicleState::Released { .. }
            | VehicleState::OnSafetyLoop
            | VehicleState::BackingOut { .. } => None,
        }
    }

    fn list_changed(&mut self, m: &mut Moment<'_>) {
        let numbers: Vec<u64> = self.queue.iter().map(|vehicle| vehicle.number).collect();
        for number in numbers {
            let Some(index) = self.index_of(number) else { continue };
            match self.queue[index].state {
                VehicleState::Calling { .. } => self.judge(index, m),
                // The question is answered, or it still waits.
                VehicleState::Asking { .. } => self.judge_while_asking(index, m),
                VehicleState::AwaitingTag { .. }
                | VehicleState::Released { .. }
                | VehicleState::OnSafetyLoop
                | VehicleState::BackingOut { .. } => {}
            }
        }
    }

    fn judge_while_asking(&mut self, index: usize, m: &mut Moment<'_>) {
        let Some(tag) = self.queue[index].tag.clone() else { return };
        if let Verdict::Open(terms) = self.court(index).of_tag(&tag, m.known) {
            self.open_by_tag(index, tag, &terms, m);
        }
    }

    fn centre_answered(&mut self, number: u64, answer: CentreAnswer, m: &mut Moment<'_>) {
        let Some(index) = self.index_of(number) else { return };
        let vehicle = &self.queue[index];
        let (VehicleState::Asking { fare, .. }, Some(tag)) = (vehicle.state, vehicle.tag.clone())
        else {
            return;
        };
        match answer {
            CentreAnswer::NoMoney | CentreAnswer::Unknown => {
                self.call(index, ExceptionKind::NoMoney, fare, m);
            }
            CentreAnswer::MayPass => match self.court(index).of_tag_with_money(&tag, m.known) {
                Verdict::Open(terms) => self.open_by_tag(index, tag, &terms, m),
                Verdict::Refuse { exception, fare } => self.call(index, exception, fare, m),
            },
        }
    }

    fn undecided(&self, index: usize, m: &Moment<'_>) -> PassageDraft {
        let vehicle = &self.queue[index];
        let terms = Terms::nothing(m.known, vehicle.tag.as_ref());
        PassageDraft {
            tag: vehicle.tag.clone(),
            plate: vehicle.plate.clone(),
            exception: Some(ExceptionKind::LeftUndecided),
            ..PassageDraft::of(Decision::LeftUndecided, &terms, m.now, m.known)
        }
    }
}

fn raise(call: u64, exception: ExceptionKind, tag: Option<TagId>, fare: Option<Amount>) -> Action {
    Action::Tell(EventKind::CallRaised { call, exception: exception.into(), tag, fare })
}

#[cfg(test)]
mod tests;
