//! What a session does about what the reader says, phase by phase: every pair is spelled out.

use std::time::Instant;

use super::LlrpSession;
use super::said::Said;
use super::setup::{Step, Told};
use crate::protocol::llrp::codec::{
    Capabilities, ConnectionAttempt, MessageKind, Parameters, ReaderConfiguration, Status,
    StatusCode, Version,
};
use crate::session::{GapCause, Report, Request};

/// The highest port that a setting can name.
const PORT_MAX: u16 = 16;

impl LlrpSession {
    pub(super) fn handle_while_greeting(&mut self, said: Said<'_>, at: Instant) {
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
            | Said::InventoryEnded(_)
            | Said::ReportsLost
            | Said::Exception
            | Said::Answer(..)
            | Said::Error(..)
            | Said::Tags(_)
            | Said::KeepAlive
            | Said::Other => {}
        }
    }

    pub(super) fn handle_while_negotiating(&mut self, said: Said<'_>, at: Instant) {
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
            | Said::InventoryEnded(_)
            | Said::ReportsLost
            | Said::Exception
            | Said::Answer(..)
            | Said::Tags(_)
            | Said::KeepAlive
            | Said::Other => {}
        }
    }

    pub(super) fn handle_while_setting(&mut self, step: Step, said: Said<'_>, at: Instant) {
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
            | Said::InventoryEnded(_)
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

    pub(super) fn handle_while_reading(&mut self, said: Said<'_>, at: Instant) {
        match said {
            Said::Tags(reports) => self.handle_tags(reports, at),
            Said::KeepAlive => self.heard(at),
            Said::Antenna(port, change) => self.handle_antenna(port, change, at),
            Said::InventoryEnded(id) if id == self.setup.inventory() => {
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
            // Somebody else was turned away, the end of an old inventory, or a late answer.
            Said::Connection(_)
            | Said::InventoryEnded(_)
            | Said::Answer(..)
            | Said::Error(..)
            | Said::Other => {}
        }
    }

    pub(super) fn handle_while_resting(&mut self, said: Said<'_>, at: Instant) {
        match said {
            Said::ConnectionClosing => self.distrust(GapCause::PortLost, at),
            Said::Antenna(port, change) => self.handle_antenna(port, change, at),
            Said::Connection(_)
            | Said::InventoryEnded(_)
            | Said::ReportsLost
            | Said::Exception
            | Said::Answer(..)
            | Said::Error(..)
            | Said::Tags(_)
            | Said::KeepAlive
            | Said::Other => {}
        }
    }

    /// Takes note of what an answer says.
    fn learn(&mut self, step: Step, parameters: Parameters<'_>) {
        match step {
            Step::AskCapabilities => {
                if let Ok(Some(capabilities)) = Capabilities::parse(parameters) {
                    self.setup.learn_capabilities(&capabilities);
                    for port in 1..=PORT_MAX {
                        if port > capabilities.antennas_max {
                            self.miss_antenna(port);
                        }
                    }
                    if !std::mem::replace(&mut self.introduced, true) {
                        let text = capabilities.to_string();
                        self.watch.report(Report::Identity { text, baud: None });
                    }
                }
            }
            Step::AskConfiguration => {
                let configuration = ReaderConfiguration(parameters);
                self.setup.learn_configuration(&configuration);
                for (port, _) in configuration.antennas().filter(|(_, connected)| !connected) {
                    self.miss_antenna(port);
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
}
