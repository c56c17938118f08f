//! Between the core and the barrier: a passage is kept before its vehicle goes.
//!
//! While the journal is written as it should be, *kept* means on the disk. In an episode it means
//! in memory, and the site's policy says whether barriers go on by that. Where nothing more can be
//! kept, nothing opens: what was to be done is *held*, in its order, and the lane goes on
//! listening.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::time::Duration;

use domain::PassageId;
use domain::passage::Decision;
use domain::wire::v1::EventKind;

use super::{CAUSES_MAX, LaneEnded, LaneThread, Wake, Word};
use crate::journal::{Kept, Page};
use crate::lane::{Action, PassageDraft};

/// What a lane does in an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFailing {
    /// Good vehicles go on; their passages are kept in memory.
    GoOn,
    /// Nothing opens before it is durable.
    Hold,
}

/// How far a lane depends on its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalPolicy {
    /// The longest a barrier waits for the disk, in real time.
    pub wait_max: Duration,
    /// The most passages that are kept in memory.
    pub memory_max: usize,
    /// What a lane does in an episode.
    pub when_failing: WhenFailing,
    /// For how long posted passages are kept after their receipt.
    pub keep_for: Duration,
}

impl Default for JournalPolicy {
    fn default() -> Self {
        Self {
            wait_max: Duration::from_millis(500),
            memory_max: 1_000,
            when_failing: WhenFailing::GoOn,
            keep_for: Duration::from_secs(30 * 24 * 3_600),
        }
    }
}

/// How often a journal that fails is looked at, in real time.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What is written before the process ends, in real time.
pub(super) const FINISH_WITHIN: Duration = Duration::from_secs(3);

/// Actions that wait for the journal.
#[derive(Debug, Default)]
pub(super) struct Held {
    actions: VecDeque<Action>,
    /// The passage whose being durable they wait for; room in memory where there is none.
    until: Option<u64>,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.until.is_none()
    }
}

impl LaneThread {
    /// Takes an action that must not overtake those that are held; gives back any other.
    pub(super) fn hold_back(&mut self, action: Action) -> Option<Action> {
        if self.held.is_empty() {
            return Some(action);
        }
        match action {
            Action::Record { .. } | Action::Open | Action::Confirm { .. } => {
                self.held.actions.push_back(action);
                None
            }
            Action::Close => {
                // Whoever it was to be opened for has gone.
                self.held.actions.retain(|held| !matches!(held, Action::Open));
                Some(action)
            }
            Action::Red
            | Action::Siren
            | Action::Tell(_)
            | Action::Obeyed
            | Action::Refuse { .. }
            | Action::AskCentre { .. }
            | Action::Case { .. }
            | Action::NoVehicle { .. } => Some(action),
        }
    }

    /// Keeps a passage: before that nothing opens.
    pub(super) fn record(
        &mut self,
        vehicle: u64,
        draft: Box<PassageDraft>,
        decided_after: Option<u64>,
    ) {
        let was_well = self.scribe.unwritten().is_none();
        let seq = self.scribe.next_seq();
        self.lane.recorded(vehicle, seq);
        let page = Page {
            role: self.role,
            draft: (*draft).clone(),
            saved: self.lane.saved(),
            posted_upto: self.posted_upto,
        };
        let kept = match self.scribe.keep(page) {
            Ok(kept) => kept,
            Err(ended) => {
                self.over = Some(LaneEnded::Journal(ended));
                return;
            }
        };
        if was_well && self.scribe.unwritten().is_some() {
            self.say_failing();
        }
        match kept {
            Kept::Durable => {}
            Kept::InMemory => match self.journal_policy.when_failing {
                WhenFailing::GoOn => {
                    self.alarm_text("a passage went on before it was durable");
                }
                WhenFailing::Hold => self.held.until = Some(seq),
            },
            Kept::Nowhere => {
                self.alarm_text("nothing more can be kept, the lane holds");
                self.held.actions.push_back(Action::Record { vehicle, draft });
                return;
            }
        }
        self.dossiers.recorded(vehicle, seq, &draft, self.currency);
        self.was_recorded(seq, &draft, decided_after);
        self.pictures_recorded(vehicle, &draft);
        self.tell_neighbours(&draft);
    }

    /// Tells the other lanes which tag has been let through here: who reads it across the island
    /// charges nobody for it.
    fn tell_neighbours(&self, draft: &PassageDraft) {
        let Some(tag) = draft.tag.as_ref().filter(|_| draft.decision.went_through()) else {
            return;
        };
        for (lane, wakes) in self.equipment.neighbours.iter() {
            if *lane != self.id {
                // A lane that has ended has nobody to charge.
                drop(wakes.send(Wake::TakenElsewhere { tag: tag.clone() }));
            }
        }
    }

    fn was_recorded(&mut self, seq: u64, draft: &PassageDraft, decided_after: Option<u64>) {
        let by_tag = draft.decision == Decision::OpenedByTag;
        if let Some(at) = self.caused_at.filter(|_| by_tag) {
            self.cause_of_seq.insert(seq, at);
            if self.cause_of_seq.len() > CAUSES_MAX {
                self.cause_of_seq.pop_first();
            }
        }
        let epoch = self.scribe.epoch();
        let number = NonZeroU64::MIN.saturating_add(seq.saturating_sub(1));
        let id = PassageId { lane: self.id.clone(), epoch, seq: number };
        tracing::info!(passage.id = %id, decision = ?draft.decision, "passage");
        self.tell(EventKind::PassageRecorded {
            epoch,
            seq,
            decision: draft.decision.into(),
            group: draft.group,
            fare: draft.fare,
            read_to_decision_us: decided_after.filter(|_| by_tag),
        });
        self.last_written = Some(id);
        self.tell_written();
    }

    /// Tells the uplink how far the journal has got.
    fn tell_written(&self) {
        // Nobody listens any more when the process ends; the journal has it.
        drop(self.words.send(Word::Written { seq: self.scribe.last_seq() }));
    }

    /// Whether the journal is to be looked at again soon.
    pub(super) fn journal_is_behind(&self) -> bool {
        self.scribe.unwritten().is_some() || !self.held.is_empty()
    }

    /// Looks how the journal is, and carries out what was held for it.
    pub(super) fn look_at_journal(&mut self) {
        if !self.journal_is_behind() {
            return;
        }
        match self.scribe.recovered(self.shared.clock.now()) {
            Ok(None) => {}
            Ok(Some(episode)) => {
                tracing::warn!(
                    lane.id = %self.id,
                    from_seq = episode.from_seq,
                    upto_seq = episode.upto_seq,
                    "the journal is written again"
                );
                let text = "the journal is written again, everything is on the disk".to_owned();
                self.tell(EventKind::Alarm { text });
            }
            Err(ended) => {
                self.over = Some(LaneEnded::Journal(ended));
                return;
            }
        }
        self.tell_written();
        let is_free = match self.held.until {
            Some(seq) => self.scribe.last_seq() >= seq,
            None => self.scribe.has_room(),
        };
        if is_free {
            for action in std::mem::take(&mut self.held).actions {
                self.carry_out(action, None);
            }
        }
    }

    fn say_failing(&self) {
        let text = "the journal cannot be written in time";
        match self.scribe.said() {
            Some(error) => self.alarm(error, text),
            None => self.alarm_text(text),
        }
    }

    /// Ends the lane: what is in memory is written as far as the disk allows.
    pub(super) fn finish(self) -> Result<(), LaneEnded> {
        let lost = self.scribe.finish(FINISH_WITHIN);
        if lost > 0 {
            tracing::error!(lane.id = %self.id, lost, "passages were never written");
        }
        self.over.map_or(Ok(()), Err)
    }
}
