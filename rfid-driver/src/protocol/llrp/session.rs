//! The session of an LLRP reader: from the reader's greeting to an inventory without end.
//!
//! ```text
//!   Closed ─open─► Greeting ─success─► Setting(step …) ─started─► Reading
//!     ▲               │                  │  ▲  ▲  ▲                 │  │
//!     │      turned   │     other version│  │  │  └─ended by itself─┘  │
//!     │        away   │                  ▼  │  └────┐                  │
//!     │               │        Negotiating ─┘  after a while           │
//!     │               │                          Resting ◄─refused     │
//!     │               ▼                                                │
//!     └──reopened── Distrusted ◄──── silence, or bytes without sense ──┘
//! ```
//!
//! The reader speaks first: it says whether the connection stands or whether it talks to somebody
//! else already. What earlier sessions have left in it is deleted before ours is added; every report
//! that comes before the answer to that is thrown away, because nobody knows when it was made.
//!
//! The reader is spoken to in version 1.0.1, in which every connection begins; only one that refuses
//! that version is asked to go on in 1.1.
//!
//! There is no searching for the next message on TCP. A connection that is silent or makes no sense
//! is given up: [`SessionEvent::LineDead`] asks for a new one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::codec::{
    AntennaChange, Capabilities, ConnectionAttempt, Frame, Message, MessageKind, Parameters,
    ReaderConfiguration, ReaderEvent, Requested, RoSpecChange, Status, StatusCode, TagReport,
    Version, events, tag_reports,
};
use crate::session::{
    AntennaState, GapCause, ReaderSettings, ReaderState, Report, Request, Session, SessionEvent,
    Timing, Transmit, Watch,
};
use crate::{Epc, Rssi, TagRead, Tid};

mod setup;
mod stream;

use setup::{RO_SPEC, Setup, Step, TID_OP_SPEC, Told, ask_configuration};
use stream::{Nonsense, Stream};

/// How much longer than a module on a serial line a reader that is a computer may take to answer:
/// stopping what it does before it deletes it takes it seconds.
const ANSWER_FACTOR: u32 = 20;
/// How much is handled at a time, so that memory is bounded whatever comes.
const PIECE_LEN: usize = 4096;

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    /// The connection stands; the reader has not said yet whether it serves us.
    Greeting,
    /// Asked to speak 1.1.
    Negotiating,
    /// Being set up; the command of this step awaits its answer.
    Setting(Step),
    Reading,
    /// Refused something it must do; left alone for a while.
    Resting,
    /// Nothing that comes over this connection is believed any more.
    Distrusted,
}

/// What a reader says, as far as it matters here.
#[derive(Debug, Clone, Copy)]
enum Said<'a> {
    Connection(ConnectionAttempt),
    ConnectionClosing,
    Antenna(u16, AntennaChange),
    InventoryEnded,
    ReportsLost,
    Exception,
    Answer(MessageKind, Status<'a>, Parameters<'a>),
    /// The message with this id made no sense to it.
    Error(u32, StatusCode),
    Tags(Parameters<'a>),
    KeepAlive,
    /// What is no concern of ours.
    Other,
}

/// A conversation with one LLRP reader.
#[derive(Debug)]
pub struct LlrpSession {
    setup: Setup,
    timing: Timing,
    stream: Stream,
    version: Version,
    phase: Phase,
    phase_deadline: Option<Instant>,
    // The id of the last command.
    last_id: u32,
    // The configured antennas that the reader says are gone, one bit for each port.
    antennas_missing: u32,
    // How often the antennas have been asked for and not answered: before reading, and while.
    antennas_wanted: bool,
    antennas_asked: bool,
    // The reader's clock at the first report since reading began, in microseconds.
    epoch_us: Option<u64>,
    // Why the reader last turned us away, so that it is said once.
    turned_away: Option<ConnectionAttempt>,
    watch: Watch,
    transmits: VecDeque<Transmit>,
}

impl LlrpSession {
    /// A conversation that has not begun.
    #[must_use]
    pub fn new(settings: &ReaderSettings) -> Self {
        Self {
            setup: Setup::new(settings),
            timing: settings.timing,
            stream: Stream::default(),
            version: Version::V1_0_1,
            phase: Phase::Closed,
            phase_deadline: None,
            last_id: 0,
            antennas_missing: 0,
            antennas_wanted: false,
            antennas_asked: false,
            epoch_us: None,
            turned_away: None,
            watch: Watch::new(),
            transmits: VecDeque::new(),
        }
    }

    /// Takes every whole message out of the stream.
    fn handle_messages(&mut self, at: Instant) {
        // The message borrows the stream while it is handled; it is given back afterwards.
        let mut stream = std::mem::take(&mut self.stream);
        while self.phase != Phase::Distrusted {
            match stream.next_message() {
                Ok(Some(frame)) => self.handle_message(frame, at),
                Ok(None) => break,
                Err(Nonsense) => {
                    let before = stream.dropped_bytes();
                    stream.clear();
                    let bytes = stream.dropped_bytes() - before;
                    self.distrust(GapCause::Noise { bytes }, at);
                }
            }
        }
        self.stream = stream;
    }

    fn handle_message(&mut self, frame: Frame<'_>, at: Instant) {
        if self.phase == Phase::Reading {
            // Whatever it says, it lives.
            self.wait_until(at + self.timing.life_timeout);
        }
        let Ok(message) = Message::parse(frame) else {
            return self.watch.gap(GapCause::Unusable, at);
        };
        match message {
            Message::Parameters { kind: MessageKind::READER_EVENT_NOTIFICATION, parameters } => {
                for event in events(parameters) {
                    self.handle_said(event.map_or(Said::Other, Said::from), at);
                }
            }
            Message::Parameters { kind: MessageKind::RO_ACCESS_REPORT, parameters } => {
                self.handle_said(Said::Tags(parameters), at);
            }
            Message::Bare { kind: MessageKind::KEEPALIVE } => {
                let answer = Message::Bare { kind: MessageKind::KEEPALIVE_ACK };
                self.transmits.push_back(Transmit::Frame(answer.emit(self.version, frame.id())));
                self.handle_said(Said::KeepAlive, at);
            }
            Message::Answer { kind: MessageKind::ERROR_MESSAGE, status, .. } => {
                self.handle_said(Said::Error(frame.id(), status.code), at);
            }
            Message::Answer { kind, status, parameters } => {
                self.handle_said(Said::Answer(kind, status, parameters), at);
            }
            Message::Parameters { .. }
            | Message::Bare { .. }
            | Message::GetReaderCapabilities { .. }
            | Message::GetReaderConfig { .. }
            | Message::SetReaderConfig { .. }
            | Message::Spec { .. }
            | Message::SetProtocolVersion { .. }
            | Message::SupportedVersion { .. }
            | Message::Other { .. } => self.handle_said(Said::Other, at),
        }
    }

    fn handle_said(&mut self, said: Said<'_>, at: Instant) {
        match self.phase {
            Phase::Closed | Phase::Distrusted => {}
            Phase::Greeting => self.handle_while_greeting(said, at),
            Phase::Negotiating => self.handle_while_negotiating(said, at),
            Phase::Setting(step) => self.handle_while_setting(step, said, at),
            Phase::Reading => self.handle_while_reading(said, at),
            Phase::Resting => self.handle_while_resting(said, at),
        }
    }

    fn handle_while_greeting(&mut self, said: Said<'_>, at: Instant) {
        match said {
            Said::Connection(ConnectionAttempt::Success) => {
                self.turned_away = None;
                self.begin_setting(at);
            }
            Said::Connection(
                reason @ (ConnectionAttempt::ReaderInitiatedExists
                | ConnectionAttempt::ClientInitiatedExists
                | ConnectionAttempt::Failed
                | ConnectionAttempt::AnotherAttempted
                | ConnectionAttempt::Unknown(_)),
            ) => self.be_turned_away(reason, at),
            Said::ConnectionClosing => self.distrust(GapCause::PortLost, at),
            // What an earlier session left running does not wait for the greeting to be heard.
            Said::Antenna(..)
            | Said::InventoryEnded
            | Said::ReportsLost
            | Said::Exception
            | Said::Answer(..)
            | Said::Error(..)
            | Said::Tags(_)
            | Said::KeepAlive
            | Said::Other => {}
        }
    }

    fn handle_while_negotiating(&mut self, said: Said<'_>, at: Instant) {
        match said {
            Said::Answer(MessageKind::SET_PROTOCOL_VERSION_RESPONSE, status, _) => {
                if status.code.is_success() {
                    self.begin_setting(at);
                } else {
                    self.version = Version::V1_0_1;
                    self.rest(at);
                }
            }
            Said::Error(..) => {
                self.version = Version::V1_0_1;
                self.rest(at);
            }
            Said::ConnectionClosing => self.distrust(GapCause::PortLost, at),
            Said::Connection(_)
            | Said::Antenna(..)
            | Said::InventoryEnded
            | Said::ReportsLost
            | Said::Exception
            | Said::Answer(..)
            | Said::Tags(_)
            | Said::KeepAlive
            | Said::Other => {}
        }
    }

    fn handle_while_setting(&mut self, step: Step, said: Said<'_>, at: Instant) {
        match said {
            Said::Answer(_, Status { code: StatusCode::M_UNSUPPORTED_VERSION, .. }, _) => {
                self.negotiate(at);
            }
            Said::Error(_, StatusCode::M_UNSUPPORTED_VERSION) => self.negotiate(at),
            Said::Answer(kind, status, parameters) if kind == step.answer() => {
                if status.code.is_success() {
                    self.learn(step, parameters);
                    self.set_next(step, at);
                } else {
                    self.handle_refusal(step, at);
                }
            }
            Said::Error(id, _) if id == self.last_id => self.handle_refusal(step, at),
            // Ours is the only inventory there is, so it has been started.
            Said::Tags(reports) if step == Step::Start => {
                self.read(at);
                self.handle_tags(reports, at);
            }
            // What was queued before the old inventories were deleted: of unknown age, so of no
            // use.
            Said::Tags(_) => {}
            Said::Antenna(port, change) => self.handle_antenna(port, change, at),
            Said::ConnectionClosing => self.distrust(GapCause::PortLost, at),
            Said::Connection(_)
            | Said::InventoryEnded
            | Said::ReportsLost
            | Said::Exception
            | Said::Answer(..)
            | Said::Error(..)
            | Said::KeepAlive
            | Said::Other => {}
        }
    }

    fn handle_refusal(&mut self, step: Step, at: Instant) {
        match step {
            // Who it is and what it can do is worth knowing, but not needed.
            Step::AskCapabilities | Step::AskConfiguration => self.set_next(step, at),
            Step::SetUp if self.setup.events == Told::Accepts => {
                self.setup.events = Told::Refuses;
                self.set(step, at);
            }
            // There may be none, or 0 may not mean all of them.
            Step::DeleteInventories => self.set(Step::DeleteOurInventory, at),
            Step::DeleteOurInventory | Step::DeleteAccess => self.set_next(step, at),
            Step::AddInventory if self.setup.radio == Told::Accepts => {
                self.setup.radio = Told::Refuses;
                self.watch.report(Report::RadioFault {
                    text: "the reader refuses to be told its power and keeps its own",
                });
                self.set(step, at);
            }
            Step::AddTid | Step::EnableTid => {
                self.watch.report(Report::RadioFault {
                    text: "the reader refuses to read TIDs and reads without",
                });
                self.set(Step::EnableInventory, at);
            }
            Step::SetUp | Step::AddInventory | Step::EnableInventory | Step::Start => self.rest(at),
        }
    }

    fn handle_while_reading(&mut self, said: Said<'_>, at: Instant) {
        match said {
            Said::Tags(reports) => self.handle_tags(reports, at),
            Said::KeepAlive => self.heard(at),
            Said::Antenna(port, change) => self.handle_antenna(port, change, at),
            Said::InventoryEnded => {
                self.watch.end_reading(GapCause::Stopped, at);
                self.begin_setting(at);
            }
            Said::ReportsLost => self.watch.gap(GapCause::Stopped, at),
            Said::Exception => self.watch.report(Report::RadioFault {
                text: "the reader reports that it could not do its work",
            }),
            Said::Answer(MessageKind::GET_READER_CONFIG_RESPONSE, status, parameters)
                if self.antennas_asked =>
            {
                self.answer_antennas(status, parameters, at);
            }
            Said::Error(id, _) if self.antennas_asked && id == self.last_id => {
                self.antennas_asked = false;
                self.watch.report(Report::Refused { request: Request::Antennas });
            }
            Said::ConnectionClosing => self.distrust(GapCause::PortLost, at),
            // Somebody else was turned away, or a late answer.
            Said::Connection(_) | Said::Answer(..) | Said::Error(..) | Said::Other => {}
        }
    }

    fn handle_while_resting(&mut self, said: Said<'_>, at: Instant) {
        match said {
            Said::ConnectionClosing => self.distrust(GapCause::PortLost, at),
            Said::Antenna(port, change) => self.handle_antenna(port, change, at),
            Said::Connection(_)
            | Said::InventoryEnded
            | Said::ReportsLost
            | Said::Exception
            | Said::Answer(..)
            | Said::Error(..)
            | Said::Tags(_)
            | Said::KeepAlive
            | Said::Other => {}
        }
    }

    fn handle_phase_deadline(&mut self, now: Instant) {
        match self.phase {
            Phase::Closed => self.phase_deadline = None,
            Phase::Resting => self.begin_setting(now),
            Phase::Reading | Phase::Greeting | Phase::Negotiating | Phase::Setting(_) => {
                self.distrust(GapCause::Silence, now);
            }
            // It was asked for already; ask again, in case nobody did it.
            Phase::Distrusted => {
                self.watch.line_dead();
                self.wait_until(now + self.timing.rest);
            }
        }
    }

    fn handle_tags(&mut self, reports: Parameters<'_>, at: Instant) {
        self.heard(at);
        for report in tag_reports(reports) {
            match report.ok().and_then(|report| self.understand(&report, at)) {
                Some(read) => self.watch.tag(read),
                None => self.watch.gap(GapCause::Unusable, at),
            }
        }
    }

    fn understand(&mut self, report: &TagReport<'_>, at: Instant) -> Option<TagRead> {
        let epoch_us = match report.first_seen.or(report.last_seen) {
            Some(seen) => *self.epoch_us.get_or_insert(seen.microseconds()),
            None => 0,
        };
        tag_read(report, self.setup.frequencies_khz(), epoch_us, at)
    }

    fn handle_antenna(&mut self, port: u16, change: AntennaChange, at: Instant) {
        let Ok(port) = u8::try_from(port) else { return };
        let state = match change {
            AntennaChange::Connected => AntennaState::Connected,
            AntennaChange::Disconnected => AntennaState::Missing,
        };
        self.note_antenna(port, state);
        self.watch.report(Report::Antenna { port, state });
        if self.phase == Phase::Reading {
            self.judge_antennas(at);
        }
    }

    fn note_antenna(&mut self, port: u8, state: AntennaState) {
        if self.setup.uses_antenna(port) {
            let bit = 1_u32.checked_shl(u32::from(port)).unwrap_or(0);
            match state {
                AntennaState::Connected => self.antennas_missing &= !bit,
                AntennaState::Missing => self.antennas_missing |= bit,
            }
        }
    }

    /// Without an antenna nothing is read, however lively the reader is.
    fn judge_antennas(&mut self, at: Instant) {
        if self.is_deaf() {
            self.watch.radio_failed(at);
        } else {
            self.watch.heard(at);
        }
    }

    fn is_deaf(&self) -> bool {
        self.antennas_missing.count_ones() as usize == self.setup.antennas().len()
    }

    fn answer_antennas(&mut self, status: Status<'_>, parameters: Parameters<'_>, at: Instant) {
        self.antennas_asked = false;
        let mut said_any = false;
        if status.code.is_success() {
            for (port, connected) in ReaderConfiguration(parameters).antennas() {
                let Ok(port) = u8::try_from(port) else { continue };
                let state = if connected { AntennaState::Connected } else { AntennaState::Missing };
                said_any = true;
                self.note_antenna(port, state);
                self.watch.report(Report::Antenna { port, state });
            }
        }
        if said_any {
            self.judge_antennas(at);
        } else {
            self.watch.report(Report::Refused { request: Request::Antennas });
        }
    }

    /// Takes note of what an answer says.
    fn learn(&mut self, step: Step, parameters: Parameters<'_>) {
        match step {
            Step::AskCapabilities => {
                if let Ok(Some(capabilities)) = Capabilities::parse(parameters) {
                    self.setup.learn_capabilities(&capabilities);
                    let text = capabilities.to_string();
                    self.watch.report(Report::Identity { text, baud: None });
                }
            }
            Step::AskConfiguration => {
                let configuration = ReaderConfiguration(parameters);
                self.setup.learn_configuration(&configuration);
                self.antennas_missing = 0;
                for (port, connected) in configuration.antennas() {
                    let Ok(port) = u8::try_from(port) else { continue };
                    if !connected && self.setup.uses_antenna(port) {
                        let state = AntennaState::Missing;
                        self.note_antenna(port, state);
                        self.watch.report(Report::Antenna { port, state });
                    }
                }
                if configuration.holds_reports() {
                    // It has none of ours: they are let go before the old inventories are.
                    self.send_bare(MessageKind::ENABLE_EVENTS_AND_REPORTS);
                }
            }
            Step::SetUp
            | Step::DeleteInventories
            | Step::DeleteOurInventory
            | Step::DeleteAccess
            | Step::AddInventory
            | Step::AddTid
            | Step::EnableTid
            | Step::EnableInventory
            | Step::Start => {}
        }
    }

    fn be_turned_away(&mut self, reason: ConnectionAttempt, now: Instant) {
        if self.turned_away != Some(reason) {
            self.turned_away = Some(reason);
            self.watch.report(Report::RadioFault { text: words(reason) });
        }
        // The reader closes the connection; if it does not, we do, after a while.
        self.watch.enter(ReaderState::Degraded);
        self.phase = Phase::Distrusted;
        self.wait_until(now + self.timing.rest);
    }

    fn negotiate(&mut self, now: Instant) {
        match self.version {
            Version::V1_0_1 => {
                self.version = Version::V1_1;
                let number = self.version.number();
                let id = self.next_id();
                let message = Message::SetProtocolVersion { number }.emit(self.version, id);
                self.transmits.push_back(Transmit::Frame(message));
                self.phase = Phase::Negotiating;
                self.wait_until(now + self.answer_timeout());
            }
            // It has refused both.
            Version::V1_1 => {
                self.version = Version::V1_0_1;
                self.rest(now);
            }
        }
    }

    fn begin_setting(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Configuring);
        self.setup.forget_reader();
        self.set(Step::AskCapabilities, now);
    }

    fn set_next(&mut self, done: Step, now: Instant) {
        match done.next(&self.setup) {
            Some(step) => self.set(step, now),
            None => self.read(now),
        }
    }

    fn set(&mut self, step: Step, now: Instant) {
        let id = self.next_id();
        let message = self.setup.message(step, self.version, id);
        self.transmits.push_back(Transmit::Frame(message));
        self.phase = Phase::Setting(step);
        self.wait_until(now + self.answer_timeout());
    }

    fn rest(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Degraded);
        self.phase = Phase::Resting;
        self.wait_until(now + self.timing.rest);
    }

    fn read(&mut self, now: Instant) {
        self.phase = Phase::Reading;
        self.epoch_us = None;
        self.watch.begin_reading(now);
        if self.is_deaf() {
            self.watch.radio_failed(now);
        }
        self.wait_until(now + self.timing.life_timeout);
        if self.antennas_wanted {
            self.ask_antennas();
        }
    }

    fn ask_antennas(&mut self) {
        self.antennas_wanted = false;
        self.antennas_asked = true;
        let id = self.next_id();
        let question = ask_configuration(Requested::AntennaProperties, self.version, id);
        self.transmits.push_back(Transmit::Frame(question));
    }

    /// Gives the connection up.
    fn distrust(&mut self, cause: GapCause, now: Instant) {
        self.watch.end_reading(cause, now);
        self.watch.enter(ReaderState::Degraded);
        self.transmits.clear();
        self.phase = Phase::Distrusted;
        self.wait_until(now + self.timing.rest);
        self.watch.line_dead();
    }

    /// A sign of life while reading: tags that pass now are reported, if there is an antenna.
    fn heard(&mut self, at: Instant) {
        if !self.is_deaf() {
            self.watch.heard(at);
        }
    }

    fn send_bare(&mut self, kind: MessageKind) {
        let id = self.next_id();
        self.transmits.push_back(Transmit::Frame(Message::Bare { kind }.emit(self.version, id)));
    }

    fn send_about_inventory(&mut self, kind: MessageKind) {
        let id = self.next_id();
        let message = Message::Spec { kind, id: RO_SPEC }.emit(self.version, id);
        self.transmits.push_back(Transmit::Frame(message));
    }

    fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    fn answer_timeout(&self) -> Duration {
        self.timing.answer_timeout * ANSWER_FACTOR
    }

    fn wait_until(&mut self, deadline: Instant) {
        self.phase_deadline = Some(deadline);
    }
}

impl Session for LlrpSession {
    fn handle_open(&mut self, now: Instant) {
        self.stream.clear();
        self.transmits.clear();
        self.version = Version::V1_0_1;
        self.antennas_missing = 0;
        self.antennas_wanted |= std::mem::take(&mut self.antennas_asked);
        self.watch.enter(ReaderState::Probing);
        self.phase = Phase::Greeting;
        self.wait_until(now + self.answer_timeout());
    }

    fn handle_closed(&mut self, now: Instant) {
        self.watch.end_reading(GapCause::PortLost, now);
        self.phase = Phase::Closed;
        self.phase_deadline = None;
        self.transmits.clear();
        self.watch.enter(ReaderState::Closed);
    }

    fn handle_bytes(&mut self, bytes: &[u8], at: Instant) {
        for piece in bytes.chunks(PIECE_LEN) {
            self.stream.push(piece);
            self.handle_messages(at);
            if matches!(self.phase, Phase::Closed | Phase::Distrusted) {
                self.stream.clear();
            }
        }
    }

    fn handle_deadline(&mut self, now: Instant) {
        if self.phase_deadline.is_some_and(|deadline| deadline <= now) {
            self.handle_phase_deadline(now);
        }
    }

    fn handle_request(&mut self, request: Request, _now: Instant) {
        match (request, self.phase) {
            (Request::Antennas, Phase::Reading) => self.ask_antennas(),
            (
                Request::Antennas,
                Phase::Closed
                | Phase::Greeting
                | Phase::Negotiating
                | Phase::Setting(_)
                | Phase::Resting
                | Phase::Distrusted,
            ) => self.antennas_wanted = true,
            (
                Request::Temperature
                | Request::Inputs
                | Request::SetOutput { .. }
                | Request::Statistics,
                _,
            ) => self.watch.report(Report::Refused { request }),
        }
    }

    fn handle_shutdown(&mut self, now: Instant) {
        match self.phase {
            Phase::Reading | Phase::Setting(_) | Phase::Resting => {
                self.send_about_inventory(MessageKind::STOP_ROSPEC);
                self.send_about_inventory(MessageKind::DELETE_ROSPEC);
                self.send_bare(MessageKind::CLOSE_CONNECTION);
            }
            Phase::Negotiating => self.send_bare(MessageKind::CLOSE_CONNECTION),
            Phase::Closed | Phase::Greeting | Phase::Distrusted => {}
        }
        let last_words = std::mem::take(&mut self.transmits);
        self.handle_closed(now);
        self.transmits = last_words;
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.phase_deadline
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    fn poll_event(&mut self) -> Option<SessionEvent> {
        self.watch.poll()
    }

    fn dropped_bytes(&self) -> u64 {
        self.stream.dropped_bytes()
    }
}

impl<'a> From<ReaderEvent<'a>> for Said<'a> {
    fn from(event: ReaderEvent<'a>) -> Self {
        match event {
            ReaderEvent::ConnectionAttempt(attempt) => Self::Connection(attempt),
            ReaderEvent::ConnectionClose => Self::ConnectionClosing,
            ReaderEvent::Antenna { port, change } => Self::Antenna(port, change),
            ReaderEvent::RoSpec {
                id: RO_SPEC,
                change: RoSpecChange::Ended | RoSpecChange::Preempted,
            } => Self::InventoryEnded,
            ReaderEvent::ReportBufferOverflow => Self::ReportsLost,
            ReaderEvent::Exception { .. } => Self::Exception,
            ReaderEvent::RoSpec { .. }
            | ReaderEvent::AiSpecEnded
            | ReaderEvent::ReportBufferLevel { .. }
            | ReaderEvent::Other(_) => Self::Other,
        }
    }
}

fn words(reason: ConnectionAttempt) -> &'static str {
    match reason {
        ConnectionAttempt::Success => "the reader serves us",
        ConnectionAttempt::ReaderInitiatedExists => {
            "the reader is connected to a host that it called itself"
        }
        ConnectionAttempt::ClientInitiatedExists => "the reader serves another host",
        ConnectionAttempt::Failed => "the reader refuses the connection",
        ConnectionAttempt::AnotherAttempted => "the reader reports another host",
        ConnectionAttempt::Unknown(_) => {
            "the reader refuses the connection for a reason that is not in the standard"
        }
    }
}

/// What a report says about a tag; `None` where it lacks an identity. The reader's clock is given
/// since `epoch_us`; channels are looked up in `frequencies_khz`, from channel 1 on.
pub(super) fn tag_read(
    report: &TagReport<'_>,
    frequencies_khz: &[u32],
    epoch_us: u64,
    at: Instant,
) -> Option<TagRead> {
    let frequency_khz = report
        .channel_index
        .and_then(|channel| frequencies_khz.get(usize::from(channel).checked_sub(1)?).copied());
    let tid = report.read.filter(|read| read.result == 0 && read.op_spec_id == TID_OP_SPEC);
    let milliseconds = report
        .first_seen
        .or(report.last_seen)
        .map(|seen| seen.microseconds().saturating_sub(epoch_us) / 1000);
    // The standard's counter does not restart with a read; its low bits count on for 49 days.
    let reader_timestamp_ms =
        milliseconds.map(|all| u32::try_from(all & u64::from(u32::MAX)).unwrap_or(u32::MAX));
    Some(TagRead {
        pc: report.pc,
        xpc: report.xpc,
        tid: tid.and_then(|read| Tid::try_from_slice(read.data.0).ok()),
        antenna: report.antenna.and_then(|port| u8::try_from(port).ok()),
        rssi: report
            .peak_rssi_dbm
            .map(|dbm| Rssi { dbm: Some(i16::from(dbm)), raw: dbm.to_be_bytes()[0] }),
        frequency_khz,
        read_count: report.seen_count.unwrap_or(1),
        reader_timestamp_ms,
        ..TagRead::new(Epc::try_from_slice(report.epc.0).ok()?, at)
    })
}

#[cfg(test)]
mod tests;
