//! The antennas: which are there, and whether enough of them are.

use std::time::Instant;

use super::setup::ask_configuration;
use super::{LlrpSession, Phase};
use crate::protocol::llrp::codec::{
    AntennaChange, Parameters, ReaderConfiguration, Requested, Status,
};
use crate::session::{AntennaState, Report, Request, Transmit};

impl LlrpSession {
    pub(super) fn ask_antennas(&mut self) {
        self.antennas_wanted = false;
        self.antennas_asked = true;
        let id = self.next_id();
        let question = ask_configuration(Requested::AntennaProperties, self.version, id);
        self.transmits.push_back(Transmit::Frame(question));
    }

    pub(super) fn handle_antenna(&mut self, port: u16, change: AntennaChange, at: Instant) {
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

    /// The reader says before it reads that there is no antenna on `port`.
    pub(super) fn miss_antenna(&mut self, port: u16) {
        if let Ok(port) = u8::try_from(port)
            && self.setup.uses_antenna(port)
        {
            let state = AntennaState::Missing;
            self.note_antenna(port, state);
            self.watch.report(Report::Antenna { port, state });
        }
    }

    fn note_antenna(&mut self, port: u8, state: AntennaState) {
        match state {
            AntennaState::Connected => self.antennas_missing &= !bit(port),
            AntennaState::Missing => self.antennas_missing |= bit(port),
        }
    }

    /// Without an antenna nothing is read, however lively the reader is.
    pub(super) fn judge_antennas(&mut self, at: Instant) {
        if self.is_deaf() {
            self.watch.radio_failed(at);
        } else {
            self.watch.heard(at);
        }
    }

    pub(super) fn is_deaf(&self) -> bool {
        let mut antennas = self.setup.antennas().iter();
        antennas.len() > 0 && antennas.all(|port| self.antennas_missing & bit(*port) != 0)
    }

    pub(super) fn answer_antennas(
        &mut self,
        status: Status<'_>,
        parameters: Parameters<'_>,
        at: Instant,
    ) {
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
}

/// The bit of a port; ports beyond any that a setting can name have none.
fn bit(port: u8) -> u32 {
    1_u32.checked_shl(u32::from(port)).unwrap_or(0)
}
