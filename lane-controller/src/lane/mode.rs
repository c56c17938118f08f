//! How the lane works: by tag, with a person for each, closed. The desk's word stands until its
//! next one, or until the centre's next directive.
//!
//! | mode | a good tag | no tag | cash | what crosses undecided |
//! |---|---|---|---|---|
//! | automatic | opens | calls | yes | siren and violation |
//! | attended | calls | calls | yes | siren and violation |
//! | ETC only | opens | calls | refused | siren and violation |
//! | closed | calls at once | calls at once | yes | siren and violation |
//! | maintenance | nothing | nothing | refused, with all else | a record alone |

use domain::passage::ExceptionKind;
use domain::wire::v1::{EventKind, LaneMode};

use super::{Action, Answer, Lane, Layout, Moment, VehicleState};

impl Lane {
    /// How the lane works.
    #[must_use]
    pub fn mode(&self) -> LaneMode {
        self.outgoing.unwrap_or_else(|| self.wanted_mode())
    }

    fn wanted_mode(&self) -> LaneMode {
        self.ordered.unwrap_or(self.policy.verdict.mode)
    }

    /// Changes what decides the mode. The desk may take a lane out of service only when it is empty;
    /// the centre cannot see that, so its word waits until nobody is left who would be stranded.
    pub(super) fn change_mode(&mut self, change: impl FnOnce(&mut Self)) {
        let before = self.mode();
        change(self);
        let strands = self.wanted_mode() == LaneMode::Maintenance && !self.is_idle();
        self.outgoing = strands.then_some(before).filter(|mode| *mode != LaneMode::Maintenance);
    }

    /// Lets the mode that was put off hold, once nobody is in the lane.
    pub(super) fn end_outgoing(&mut self) {
        if self.is_idle() {
            self.outgoing = None;
        }
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.convoy.is_none()
    }

    /// How the desk wants it to work; nothing where the centre's word holds.
    #[must_use]
    pub const fn ordered_mode(&self) -> Option<LaneMode> {
        self.ordered
    }

    /// Takes up what the desk ordered before a restart, or gives it up for a newer directive.
    pub fn keep_mode(&mut self, ordered: Option<LaneMode>) {
        self.change_mode(|lane| lane.ordered = ordered);
    }

    pub(super) fn mode_ordered(&mut self, mode: LaneMode, answer: &Answer, m: &mut Moment<'_>) {
        if let Err(why) = self.may_work_so(mode) {
            return m.act(Action::Refuse { why });
        }
        self.ordered = Some(mode);
        self.outgoing = None;
        m.tell(EventKind::ModeOrdered { mode, by: answer.attendant.clone() });
        match mode {
            LaneMode::Closed | LaneMode::Maintenance => m.act(Action::Red),
            LaneMode::Automatic | LaneMode::Attended | LaneMode::EtcOnly => self.serve_waiting(m),
        }
        m.act(Action::Obeyed);
    }

    fn may_work_so(&self, mode: LaneMode) -> Result<(), &'static str> {
        if self.policy.layout == Layout::FreeFlow && mode != LaneMode::Automatic {
            return Err("there is no arm here: everybody goes, whatever the mode");
        }
        if self.convoy.is_some() {
            return Err("a convoy is under way");
        }
        match mode {
            LaneMode::Maintenance if !self.queue.is_empty() => Err("vehicles stand in the lane"),
            LaneMode::Closed if self.queue.iter().any(super::Vehicle::may_go) => {
                Err("a vehicle is on its way through")
            }
            LaneMode::Automatic
            | LaneMode::Attended
            | LaneMode::EtcOnly
            | LaneMode::Closed
            | LaneMode::Maintenance => Ok(()),
        }
    }

    /// Serves those who stand in a lane that opens again.
    fn serve_waiting(&mut self, m: &mut Moment<'_>) {
        let numbers: Vec<u64> = self.queue.iter().map(|vehicle| vehicle.number).collect();
        for number in numbers {
            let Some(index) = self.index_of(number) else { continue };
            match self.queue[index].state {
                VehicleState::Calling { exception: ExceptionKind::LaneClosed, .. } => {
                    self.end_call(index, m);
                    let until = m.now + self.policy.tag_wait;
                    self.queue[index].state = VehicleState::AwaitingTag { until };
                    self.judge(index, m);
                }
                VehicleState::AwaitingTag { .. } => self.judge(index, m),
                // Who is called for another reason is helped as they were.
                VehicleState::Calling { .. }
                | VehicleState::Asking { .. }
                | VehicleState::Released { .. }
                | VehicleState::OnSafetyLoop
                | VehicleState::BackingOut { .. } => {}
            }
        }
    }

    /// A vehicle has come: a closed lane calls a person for it at once.
    pub(super) fn came_while_closed(&mut self, index: usize, m: &mut Moment<'_>) {
        if self.mode() != LaneMode::Closed {
            return;
        }
        match self.queue[index].state {
            VehicleState::AwaitingTag { .. } => {
                self.call(index, ExceptionKind::LaneClosed, None, m);
            }
            VehicleState::Asking { .. }
            | VehicleState::Calling { .. }
            | VehicleState::Released { .. }
            | VehicleState::OnSafetyLoop
            | VehicleState::BackingOut { .. } => {}
        }
    }
}
