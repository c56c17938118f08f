//! Reading, being interrupted for the owner, and asking what the owner wants to know.

use std::time::Instant;

use super::dialect::Dialect;
use super::setup::Step;
use super::{MercurySession, Phase, requests, tag_read};
use crate::protocol::mercury::codec::{Reply, Status, opcode};
use crate::session::{GapCause, ReaderState, Report, Request, Transmit};

impl MercurySession {
    pub(super) fn handle_while_reading(&mut self, reply: Reply<'_>, at: Instant) {
        match reply {
            Reply::StreamStopped => self.restart(GapCause::Stopped, at),
            reply if reply.is_end_of_stream() => self.restart(GapCause::Stopped, at),
            Reply::Booted(_) => self.restart(GapCause::Reboot, at),
            Reply::Tag(record) => {
                self.heard(at);
                match tag_read(&record, at) {
                    Some(read) => self.watch.tag(read),
                    None => self.watch.gap(GapCause::Unusable, at),
                }
            }
            Reply::KeepAlive { .. } | Reply::StreamNote { .. } => self.heard(at),
            Reply::Refused { opcode: opcode::READ_MULTIPLE, status, .. } => {
                self.handle_fault(status, at);
            }
            // Silion has one operation for the read and what comes of it.
            Reply::Refused { opcode: opcode::STREAM, status, .. }
                if self.setup.dialect == Dialect::Silion =>
            {
                self.handle_fault(status, at);
            }
            // The read has ended, whatever else it says.
            Reply::Refused { opcode: opcode::STREAM, status, .. } => {
                if status.is_radio_fault() {
                    self.report_radio_fault(status, at);
                }
                self.restart(GapCause::Stopped, at);
            }
            // Late answers.
            Reply::StreamStarted
            | Reply::Version(_)
            | Reply::Program(_)
            | Reply::Done { .. }
            | Reply::Refused { .. } => self.wait_until(at + self.settings.timing.life_timeout),
        }
    }

    /// Instead of a tag the reader reports what keeps it from reading.
    fn handle_fault(&mut self, status: Status, at: Instant) {
        match status {
            // The search is over: its settings or its buffer are gone.
            Status::RADIO_OFF
            | Status::NO_PROTOCOL
            | Status::INVALID_PROTOCOL
            | Status::BUFFER_FULL
            | Status::UNKNOWN
            | Status::ASSERTION => {
                self.watch.end_reading(GapCause::Stopped, at);
                self.drain(at);
            }
            status if status.is_radio_fault() => {
                self.wait_until(at + self.settings.timing.life_timeout);
                self.report_radio_fault(status, at);
                self.watch.radio_failed(at);
            }
            // About one tag; the search goes on.
            _ => self.wait_until(at + self.settings.timing.life_timeout),
        }
    }

    /// Says once what ails the radio, until it has not been heard of for a while: a module that is
    /// too warm reads and complains in turns.
    pub(super) fn report_radio_fault(&mut self, status: Status, at: Instant) {
        let episode = self.settings.timing.life_timeout;
        let known = self.radio_fault.is_some_and(|(fault, last)| {
            fault == status && at.saturating_duration_since(last) <= episode
        });
        if !known {
            let text = status.name().unwrap_or("fault of the radio");
            self.watch.report(Report::RadioFault { text });
        }
        self.radio_fault = Some((status, at));
    }

    pub(super) fn handle_while_pausing(&mut self, reply: Reply<'_>, at: Instant) {
        match reply {
            Reply::Tag(record) => {
                self.watch.heard(at);
                match tag_read(&record, at) {
                    Some(read) => self.watch.tag(read),
                    None => self.watch.gap(GapCause::Unusable, at),
                }
            }
            Reply::KeepAlive { .. } | Reply::StreamNote { .. } => self.watch.heard(at),
            Reply::StreamStopped | Reply::Refused { opcode: opcode::STREAM, .. } => {
                self.watch.end_reading(GapCause::Request, at);
                // The timestamps of what is read next begin anew.
                self.watch.enter(ReaderState::Configuring);
                self.ask_next(at);
            }
            Reply::Booted(_) => self.restart(GapCause::Reboot, at),
            // Late answers, and complaints about a search that ends anyway.
            Reply::StreamStarted
            | Reply::Version(_)
            | Reply::Program(_)
            | Reply::Done { .. }
            | Reply::Refused { .. } => {}
        }
    }

    pub(super) fn handle_while_asking(&mut self, request: Request, reply: Reply<'_>, at: Instant) {
        match reply {
            Reply::Done { opcode, data } if opcode == requests::opcode(request) => {
                for report in requests::reports(request, data.0) {
                    self.watch.report(report);
                }
                self.ask_next(at);
            }
            Reply::Refused { opcode, .. } if opcode == requests::opcode(request) => {
                self.watch.report(Report::Refused { request });
                self.ask_next(at);
            }
            Reply::Booted(_) => {
                self.watch.report(Report::Refused { request });
                self.begin_setting(at);
            }
            // It reads although it was seen to stop.
            Reply::Tag(_)
            | Reply::KeepAlive { .. }
            | Reply::StreamNote { .. }
            | Reply::Refused { opcode: opcode::READ_MULTIPLE, .. } => {
                self.watch.report(Report::Refused { request });
                self.drain(at);
            }
            // Late answers.
            Reply::StreamStarted
            | Reply::StreamStopped
            | Reply::Version(_)
            | Reply::Program(_)
            | Reply::Done { .. }
            | Reply::Refused { .. } => {}
        }
    }

    /// Reading has ended by itself.
    pub(super) fn restart(&mut self, cause: GapCause, now: Instant) {
        self.watch.end_reading(cause, now);
        self.begin_setting(now);
    }

    /// Asks what the owner wants to know, and reads when there is nothing more.
    pub(super) fn ask_next(&mut self, now: Instant) {
        match self.requests.pop() {
            None => self.set(Step::Start, now),
            Some(request) => {
                self.transmits.push_back(Transmit::Frame(requests::frame(request)));
                self.phase = Phase::Asking(request);
                self.wait_until(now + self.settings.timing.answer_timeout);
            }
        }
    }

    pub(super) fn read(&mut self, now: Instant) {
        self.phase = Phase::Reading;
        self.drains = 0;
        self.watch.begin_reading(now);
        self.wait_until(now + self.settings.timing.life_timeout);
    }
}
