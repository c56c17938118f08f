//! What the loops say: who comes, who goes, and who does what they should not.

use std::time::Duration;

use domain::wire::v1::{EventKind, LaneMode};

use super::{Action, Case, Lane, Layout, Moment, Timer, Vehicle, VehicleState};

/// The safety loop is occupied again so soon that it may still be the vehicle that has just gone:
/// its trailer, or a loop that chatters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Again {
    since: Duration,
    /// The one vehicle that is waiting, as long as it stands on the presence loop.
    behind: Option<u64>,
}

impl Lane {
    pub(super) fn presence_rises(&mut self, m: &mut Moment<'_>) {
        if let Some(inputs) = &mut self.inputs {
            inputs.presence = true;
            inputs.presence_rises = inputs.presence_rises.wrapping_add(1);
        }
        self.timers.set(Timer::PresenceStuck, m.now + self.policy.loop_stuck);
        if self.is_same_vehicle(self.presence_fell_at, m.now) && !self.queue.is_empty() {
            return;
        }
        self.presence_rose_at = Some(m.now);
        // A vehicle that was turned away comes back over the loop it came in by.
        let backing_out =
            |vehicle: &Vehicle| matches!(vehicle.state, VehicleState::BackingOut { .. });
        if self.queue.iter().any(backing_out) {
            return;
        }
        let until = m.now + self.policy.tag_wait;
        let vehicle = self.new_vehicle(VehicleState::AwaitingTag { until }, None, m.now);
        self.queue.push_back(vehicle);
        m.tell(EventKind::VehicleArrived { queue: self.queue.len() });
        let index = self.queue.len() - 1;
        self.attach_floating(index, m);
        if self.queue.get(index).is_some_and(Vehicle::is_undecided) {
            if self.convoy.is_some() {
                self.release_in_convoy(index, m);
            } else {
                self.came_while_closed(index, m);
            }
        }
    }

    pub(super) fn presence_falls(&mut self, m: &mut Moment<'_>) {
        if let Some(inputs) = &mut self.inputs {
            inputs.presence = false;
            inputs.presence_falls = inputs.presence_falls.wrapping_add(1);
        }
        self.timers.clear(Timer::PresenceStuck);
        self.presence_fell_at = Some(m.now);
        let gone = self
            .queue
            .iter()
            .position(|vehicle| matches!(vehicle.state, VehicleState::BackingOut { .. }));
        if let Some(index) = gone {
            self.backed_out(index, m);
        } else {
            self.take_back_too_short(m);
        }
    }

    /// Whether an edge at `now` is of the vehicle whose pulse ended at `fell_at`. Two edges at one
    /// instant come from one reading of the loops, and what lay between them is not known.
    fn is_same_vehicle(&self, fell_at: Option<Duration>, now: Duration) -> bool {
        fell_at.is_some_and(|at| at < now && now - at < self.policy.same_vehicle)
    }

    /// A motorcycle, a person or an animal is no vehicle of this road.
    fn take_back_too_short(&mut self, m: &mut Moment<'_>) {
        let Some(rose_at) = self.presence_rose_at else { return };
        let is_short = rose_at < m.now && m.now - rose_at < self.policy.shortest_vehicle;
        let is_nobody = |last: &mut Vehicle| {
            last.arrived_at == rose_at
                && last.tag.is_none()
                && matches!(last.state, VehicleState::AwaitingTag { .. })
        };
        if let Some(vehicle) = self.queue.pop_back_if(|last| is_short && is_nobody(last)) {
            // What follows at once is not the rest of something that is gone.
            self.presence_fell_at = None;
            m.act(Action::NoVehicle { vehicle: vehicle.number });
            m.tell(EventKind::VehicleLeft { queue: self.queue.len() });
        }
    }

    /// A vehicle that was turned away has left, or is no longer believed to be there.
    pub(super) fn backed_out(&mut self, index: usize, m: &mut Moment<'_>) {
        self.take_out(index, m);
        if index == 0 {
            self.serve_head(m);
        }
    }

    pub(super) fn reverses(&mut self, m: &mut Moment<'_>) {
        let Some(index) = self.queue.len().checked_sub(1) else { return };
        match self.queue[index].state {
            VehicleState::AwaitingTag { .. }
            | VehicleState::Asking { .. }
            | VehicleState::Calling { .. } => {
                self.counts.turned_back += 1;
                self.end_call(index, m);
                let draft = self.undecided(index, m);
                self.record(index, draft, m);
            }
            VehicleState::Released { .. } => {
                self.counts.turned_back += 1;
                let vehicle = self.queue[index].number;
                m.act(Action::Case { vehicle, case: Case::Reversed });
            }
            VehicleState::BackingOut { .. } => {}
            // One that is under the arm is not over the presence loop.
            VehicleState::OnSafetyLoop => return,
        }
        self.take_out(index, m);
        if index == 0 {
            self.serve_next(m);
        }
    }

    pub(super) fn safety_rises(&mut self, m: &mut Moment<'_>) {
        if let Some(inputs) = &mut self.inputs {
            inputs.safety = true;
        }
        self.timers.clear(Timer::Close);
        self.timers.set(Timer::SafetyStuck, m.now + self.policy.loop_stuck);
        let again = self.is_same_vehicle(self.safety_fell_at, m.now);
        match self.head() {
            Some(VehicleState::Released { .. } | VehicleState::OnSafetyLoop) => {
                self.queue[0].state = VehicleState::OnSafetyLoop;
                if self.queue[0].tag.is_none() {
                    self.unread_until = Some(m.now);
                }
            }
            Some(
                VehicleState::AwaitingTag { .. }
                | VehicleState::Asking { .. }
                | VehicleState::Calling { .. }
                | VehicleState::BackingOut { .. },
            )
            | None
                if again =>
            {
                let stands = self.queue.len() == 1 && self.inputs.is_some_and(|now| now.presence);
                let behind = self.queue.front().filter(|_| stands).map(|head| head.number);
                self.crosses_again = Some(Again { since: m.now, behind });
            }
            Some(
                VehicleState::AwaitingTag { .. }
                | VehicleState::Asking { .. }
                | VehicleState::Calling { .. }
                | VehicleState::BackingOut { .. },
            ) => {
                // One that may go and was not seen to stands before it, and goes now.
                if !self.overdue_goes(m.now) {
                    self.end_call(0, m);
                    self.violates(m);
                }
            }
            None => self.crosses_unseen(m),
        }
    }

    /// Somebody crosses whom the presence loop has not counted, or who had been given up.
    fn crosses_unseen(&mut self, m: &mut Moment<'_>) {
        if self.overdue_goes(m.now) {
            return;
        }
        let state = VehicleState::AwaitingTag { until: m.now };
        let vehicle = self.new_vehicle(state, None, m.now);
        self.queue.push_front(vehicle);
        if self.convoy.is_some() {
            let draft = self.convoy_draft(0, m);
            self.record(0, draft, m);
            self.queue[0].state = VehicleState::OnSafetyLoop;
            self.convoy_had_one(m);
        } else {
            self.violates(m);
        }
    }

    /// The head goes although nothing was decided for it.
    pub(super) fn violates(&mut self, m: &mut Moment<'_>) {
        // The technician's own crossings are no alarm; they have their record.
        if self.mode() != LaneMode::Maintenance {
            match self.policy.layout {
                Layout::Barrier => m.act(Action::Siren),
                Layout::FreeFlow => {}
            }
            m.tell(EventKind::Violation);
        }
        let draft = self.undecided(0, m);
        self.queue[0].state = VehicleState::OnSafetyLoop;
        self.record(0, draft, m);
    }

    /// Puts a vehicle that had been given up under the arm, if one is still believed to come.
    fn overdue_goes(&mut self, now: Duration) -> bool {
        let Some(mut vehicle) = self.recall_overdue(now) else { return false };
        vehicle.state = VehicleState::OnSafetyLoop;
        self.queue.push_front(vehicle);
        true
    }

    pub(super) fn recall_overdue(&mut self, now: Duration) -> Option<Vehicle> {
        self.overdue.retain(|(_, until)| *until > now);
        let (vehicle, _) = self.overdue.pop_front()?;
        self.counts.unseen = self.counts.unseen.saturating_sub(1);
        Some(vehicle)
    }

    pub(super) fn safety_falls(&mut self, m: &mut Moment<'_>) {
        if let Some(inputs) = &mut self.inputs {
            inputs.safety = false;
            inputs.safety_falls = inputs.safety_falls.wrapping_add(1);
        }
        self.timers.clear(Timer::SafetyStuck);
        self.safety_fell_at = Some(m.now);
        self.counts.crossings += 1;
        match self.crosses_again.take() {
            Some(again) => self.crossed_again(again, m),
            None if matches!(self.head(), Some(VehicleState::OnSafetyLoop)) => {
                self.take_out(0, m);
            }
            // It came when the loops were silent, or before the controller started.
            None => self.counts.strays += 1,
        }
        match self.policy.layout {
            Layout::Barrier => self.serve_next(m),
            Layout::FreeFlow => {}
        }
    }

    /// It was the one behind after all, bumper to bumper, if that left the presence loop meanwhile
    /// and this took longer than a chattering loop does: it is on neither loop now.
    fn crossed_again(&mut self, again: Again, m: &mut Moment<'_>) {
        let is_long = m.now.saturating_sub(again.since) >= self.policy.same_vehicle;
        let has_left = self.presence_fell_at.is_some_and(|at| again.since < at);
        let is_behind = self.queue.front().map(|head| head.number) == again.behind;
        if !(is_long && has_left && is_behind && again.behind.is_some()) {
            self.counts.repeats += 1;
            return;
        }
        match self.head() {
            Some(
                VehicleState::AwaitingTag { .. }
                | VehicleState::Asking { .. }
                | VehicleState::Calling { .. },
            ) => {
                self.end_call(0, m);
                self.violates(m);
                self.take_out(0, m);
            }
            Some(VehicleState::Released { .. } | VehicleState::OnSafetyLoop) => {
                self.take_out(0, m);
            }
            // It was sent back, and the presence loop is where it goes.
            Some(VehicleState::BackingOut { .. }) | None => self.counts.repeats += 1,
        }
    }

    /// The arm is up for a vehicle that does not come. It stands on the presence loop still, and
    /// then it is waited for; or two crossed the safety loop as one, and it is gone.
    pub(super) fn released_is_late(&mut self, index: usize, seq: Option<u64>, m: &mut Moment<'_>) {
        let stands = self.inputs.is_some_and(|inputs| inputs.presence) && self.queue.len() == 1;
        if stands {
            let until = Some(m.now + self.policy.drive_timeout);
            self.queue[index].state = VehicleState::Released { seq, until };
            m.alarm("a vehicle that may go does not go");
            return;
        }
        let number = self.queue[index].number;
        m.act(Action::Case { vehicle: number, case: Case::LeftUnseen });
        self.counts.unseen += 1;
        if let Some(vehicle) = self.take_out(index, m) {
            self.overdue.push_back((vehicle, m.now + self.policy.drive_timeout));
        }
        self.serve_next(m);
    }
}
