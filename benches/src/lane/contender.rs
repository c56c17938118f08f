//! A lane that decides as ours does, with the same core, and keeps passages in another way.
//!
//! Deliberately absent: deadlines, commands and alarms. At a vehicle every 20 ms none comes due.

use std::sync::PoisonError;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use domain::passage::{ClockQuality, LaneRole};
use domain::wire::field_io::Output;
use domain::wire::v1::{EventKind, LaneEvent};
use domain::{Clock, LaneId};
use lane_controller::field_io::{FieldWord, Outputs, Reading};
use lane_controller::lane::{Action, Event, Knowledge, Lane, LanePolicy};
use lane_controller::runner::{Shared, Wake, Word};
use tokio::sync::mpsc;

use super::Scene;
use super::keepers::{Keeper, Passage};
use super::signer::Signer;
use crate::Failed;

pub(super) struct Contender {
    id: LaneId,
    clock: Clock,
    lane: Lane,
    shared: Shared,
    signer: Signer,
    keeper: Box<dyn Keeper>,
    outputs: Outputs,
    words: mpsc::UnboundedSender<Word>,
    field: Option<Reading>,
    read_at: Option<Instant>,
}

impl Contender {
    pub(super) fn new(
        scene: &Scene,
        signer: Signer,
        keeper: Box<dyn Keeper>,
        outputs: Outputs,
        words: mpsc::UnboundedSender<Word>,
    ) -> Self {
        let id = scene.lane.clone();
        Self {
            lane: Lane::new(id.clone(), LaneRole::Open, LanePolicy::default()),
            id,
            clock: scene.clock,
            shared: scene.shared.clone(),
            signer,
            keeper,
            outputs,
            words,
            field: None,
            read_at: None,
        }
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self, wakes: &Receiver<Wake>) -> Result<(), Failed> {
        for wake in wakes {
            match wake {
                Wake::Tag { tag, at, .. } => {
                    self.read_at = Some(at);
                    self.handle(Event::TagSeen { tag, at: self.clock.uptime_at(at) })?;
                    self.read_at = None;
                }
                Wake::Field(FieldWord::Reads { reading, .. }) => self.field_reads(reading)?,
                Wake::ListChanged => self.handle(Event::ListChanged)?,
                Wake::Field(FieldWord::Silent) => return Err("the loops are silent".into()),
                Wake::Stop => return Ok(()),
                Wake::Reader(_)
                | Wake::Command(..)
                | Wake::Posted { .. }
                | Wake::PostedOtherwise { .. }
                | Wake::Health(_)
                | Wake::Plate(_)
                | Wake::Pictured(_)
                | Wake::Measured(_)
                | Wake::Reversed
                | Wake::Device { .. }
                | Wake::TakenElsewhere { .. }
                | Wake::CentreAnswered { .. }
                | Wake::CasesSent { .. } => {}
            }
        }
        Ok(())
    }

    fn field_reads(&mut self, reading: Reading) -> Result<(), Failed> {
        let Some(before) = self.field.replace(reading) else {
            return self.handle(Event::Restored { inputs: reading.inputs, saved: None });
        };
        let (was, is) = (before.inputs, reading.inputs);
        let edges = is.presence_rises.wrapping_sub(was.presence_rises)
            + is.presence_falls.wrapping_sub(was.presence_falls);
        for edge in 0..edges {
            let rose = was.presence == (edge % 2 == 1);
            self.handle(if rose { Event::PresenceRose } else { Event::PresenceFell })?;
        }
        let edges = reading.safety_rises.wrapping_sub(before.safety_rises)
            + is.safety_falls.wrapping_sub(was.safety_falls);
        for edge in 0..edges {
            let rose = was.safety == (edge % 2 == 1);
            self.handle(if rose { Event::SafetyRose } else { Event::SafetyFell })?;
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Result<(), Failed> {
        let actions = {
            let list = self.shared.list.view();
            let entries = self.shared.entries.read().unwrap_or_else(PoisonError::into_inner);
            let known = Knowledge {
                list: &*list,
                tariffs: &self.shared.tariffs,
                entries: &entries,
                at: self.clock.now(),
                clock: ClockQuality::Synchronised,
            };
            self.lane.handle(event, self.clock.uptime(), &known)
        };
        let decided_after = self.since_read();
        for action in actions {
            self.carry_out(action, decided_after)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, action: Action, decided_after: Option<u64>) -> Result<(), Failed> {
        match action {
            Action::Record { vehicle, draft } => {
                let seq = self.signer.next_seq();
                self.lane.recorded(vehicle, seq);
                let (decision, group, fare) = (draft.decision.into(), draft.group, draft.fare);
                let saved = self.lane.saved();
                let passage = Passage { draft: *draft, saved, signer: &mut self.signer };
                self.keeper.keep(passage)?;
                self.tell(EventKind::PassageRecorded {
                    epoch: 1,
                    seq,
                    decision,
                    group,
                    fare,
                    read_to_decision_us: decided_after,
                });
            }
            Action::Open => {
                self.outputs.open()?;
                self.tell(EventKind::Opened { read_to_open_us: self.since_read() });
            }
            Action::Red => self.outputs.set(Output::Green, false)?,
            Action::Tell(kind) => self.tell(kind),
            Action::Close
            | Action::Siren
            | Action::Confirm { .. }
            | Action::Obeyed
            | Action::Refuse { .. }
            | Action::AskCentre { .. }
            | Action::Case { .. }
            | Action::NoVehicle { .. } => {}
        }
        Ok(())
    }

    fn since_read(&self) -> Option<u64> {
        let since = |at| self.clock.real().duration_since(at).as_micros();
        self.read_at.map(|at| u64::try_from(since(at)).unwrap_or(u64::MAX))
    }

    fn tell(&self, kind: EventKind) {
        let event = LaneEvent { v: 1, lane: self.id.clone(), at: self.clock.now(), kind };
        self.words.send(Word::Event(Box::new(event))).ok();
    }
}
