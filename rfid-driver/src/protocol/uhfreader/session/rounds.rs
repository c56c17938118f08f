//! Rounds: one inventory after the other, for as long as the reader reads.

use std::time::{Duration, Instant};

use super::heard::{Heard, More};
use super::setup::SCAN_TIME;
use super::{Phase, UhfReaderSession, asking};
use crate::protocol::uhfreader::codec::{Dialect, Status, TagList, antenna_of_byte, opcode};
use crate::protocol::uhfreader::describe::tag_read;
use crate::session::{GapCause, ReaderState, Report, Request, Transmit};

/// How much longer than its scan time an inventory may take (both manuals, 8.2.1).
const SCAN_TIME_EXCESS: Duration = Duration::from_millis(75);
/// Rounds without an end after which the reader is looked for again.
const ROUNDS_LOST_MAX: u8 = 2;
/// How often a round is asked for again before its end is waited for: each time puts the end off, and
/// a line that brings nothing but noise has none.
const REPEATS_MAX: u8 = 3;

/// Where a round stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inventory {
    Running,
    /// Over; what it counted is to follow.
    Counting,
    /// The radio cannot work; tried again soon.
    Pausing,
}

impl UhfReaderSession {
    pub(super) fn handle_while_reading(
        &mut self,
        inventory: Inventory,
        heard: Heard<'_>,
        at: Instant,
    ) {
        match (inventory, heard) {
            (Inventory::Running | Inventory::Counting, Heard::Tags(list, more)) => {
                self.heard_round(at);
                self.take_tags(&list, at);
                match (more, inventory) {
                    (More::Follow, _) => self.wait_until(at + self.round_timeout()),
                    (More::Last, _) => self.end_round(at),
                }
            }
            // Too late to be of the round that failed.
            (Inventory::Pausing, Heard::Tags(list, _)) => self.take_tags(&list, at),
            (
                Inventory::Running | Inventory::Counting | Inventory::Pausing,
                Heard::Statistics { reads_per_s, reads },
            ) => {
                self.requests.pop_if(Request::Statistics);
                asking::report_statistics(&mut self.watch, reads_per_s, reads);
                if inventory == Inventory::Counting {
                    self.next_round(at);
                }
            }
            (Inventory::Running | Inventory::Counting, Heard::RoundOver(status)) => {
                self.end_round_with(status, at);
            }
            (Inventory::Running, Heard::Refused(opcode::NOT_UNDERSTOOD)) => {
                self.watch.end_reading(GapCause::Stopped, at);
                self.rest(at);
            }
            // Somebody has told it to read unasked, or it has restarted into that.
            (Inventory::Running | Inventory::Counting | Inventory::Pausing, Heard::Push(_)) => {
                self.watch.end_reading(GapCause::Stopped, at);
                self.probe(at);
            }
            // Late answers.
            (Inventory::Pausing, Heard::RoundOver(_))
            | (
                Inventory::Running | Inventory::Counting | Inventory::Pausing,
                Heard::Info(_) | Heard::Done(..) | Heard::Refused(_),
            ) => {}
        }
    }

    /// A round ended without a list.
    pub(super) fn end_round_with(&mut self, status: Status, at: Instant) {
        match status {
            Status::NO_TAG | Status::POOR_COMMUNICATION => {
                self.heard_round(at);
                self.end_round(at);
            }
            status if status.lists_tags() || status == Status::SUCCESS => {
                self.heard_round(at);
                self.end_round(at);
            }
            Status::ANTENNA | Status::EXECUTION => {
                self.rounds_lost = 0;
                self.repeats = 0;
                self.watch.radio_failed(at);
                if self.fault.replace(status) != Some(status) {
                    let text = status.name().unwrap_or_default();
                    self.watch.report(Report::RadioFault { text });
                }
                self.phase = Phase::Reading(Inventory::Pausing);
                self.wait_until(at + self.timing.answer_timeout);
            }
            _ => {
                self.watch.end_reading(GapCause::Stopped, at);
                self.rest(at);
            }
        }
    }

    /// The reader reads: tags that pass now are reported.
    pub(super) fn heard_round(&mut self, at: Instant) {
        self.repeats = 0;
        self.rounds_lost = 0;
        self.fault = None;
        self.watch.begin_reading(at);
    }

    pub(super) fn take_tags(&mut self, list: &TagList<'_>, at: Instant) {
        // No bit of a port is set in a 0.
        self.indexed |= list.antenna_byte() == Some(0) && list.tags().next().is_some();
        let antenna = list.antenna_byte().map(|byte| antenna_of_byte(byte, self.indexed));
        for block in list.tags() {
            match tag_read(&block, antenna, at) {
                Some(read) => self.watch.tag(read),
                None => self.watch.gap(GapCause::Unusable, at),
            }
        }
    }

    /// The end of a round has not come: the command, the answer or the reader was lost.
    pub(super) fn lose_round(&mut self, now: Instant) {
        self.watch.end_reading(GapCause::Silence, now);
        self.rounds_lost += 1;
        if self.rounds_lost < ROUNDS_LOST_MAX {
            self.begin_round(now);
        } else {
            self.watch.enter(ReaderState::Degraded);
            self.probe(now);
        }
    }

    pub(super) fn end_round(&mut self, now: Instant) {
        let counts = self.requests.first() == Some(Request::Statistics);
        if counts && self.dialect() == Dialect::New288 {
            self.phase = Phase::Reading(Inventory::Counting);
            self.wait_until(now + self.timing.answer_timeout);
        } else {
            self.next_round(now);
        }
    }

    /// Asks what the owner wants to know, or begins a round.
    pub(super) fn next_round(&mut self, now: Instant) {
        match self.next_question(now) {
            Some(question) => self.ask(question, now),
            None => self.begin_round(now),
        }
    }

    pub(super) fn begin_round(&mut self, now: Instant) {
        let Some(found) = self.found else { return self.probe(now) };
        let statistics = self.requests.first() == Some(Request::Statistics);
        let command = self.setup.inventory(found.dialect, statistics);
        self.transmits.push_back(Transmit::Frame(command.emit(found.address)));
        self.phase = Phase::Reading(Inventory::Running);
        self.dropped_before_round = self.deframer.dropped_bytes();
        self.repeat_deadline = None;
        self.wait_until(now + self.round_timeout());
    }

    /// Something damaged came, and then nothing: perhaps the end of the round. The command costs
    /// nothing if it was not: while a round runs the reader does not hear it.
    pub(super) fn repeat_round(&mut self, now: Instant) {
        match self.phase {
            Phase::Reading(Inventory::Running) if self.repeats < REPEATS_MAX => {
                self.repeats += 1;
                self.begin_round(now);
            }
            Phase::Closed
            | Phase::Probing
            | Phase::Setting(_)
            | Phase::Reading(_)
            | Phase::Asking(_)
            | Phase::Resting => self.repeat_deadline = None,
        }
    }

    pub(super) fn round_timeout(&self) -> Duration {
        let scan_time = Duration::from_millis(100) * u32::from(SCAN_TIME);
        scan_time + SCAN_TIME_EXCESS + self.timing.answer_timeout
    }
}
