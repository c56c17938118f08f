//! Which antennas are there, as far as rounds say: they name those that fail, and only those.

use crate::session::AntennaState;

/// What is known of the antennas.
#[derive(Debug, Default)]
pub(super) struct Antennas {
    missing: Vec<u8>,
    failed_in_round: Vec<u8>,
}

impl Antennas {
    pub(super) fn begin_round(&mut self) {
        self.failed_in_round.clear();
    }

    /// A round could not use this one. Says whether that is new.
    pub(super) fn failed(&mut self, port: u8) -> bool {
        if !self.failed_in_round.contains(&port) {
            self.failed_in_round.push(port);
        }
        let is_new = !self.missing.contains(&port);
        if is_new {
            self.missing.push(port);
        }
        is_new
    }

    /// A round over these has ended: those that failed before and not now are back.
    pub(super) fn end_round(&mut self, ports: &[u8]) -> Vec<u8> {
        let failed = &self.failed_in_round;
        self.missing.extract_if(.., |port| ports.contains(port) && !failed.contains(port)).collect()
    }

    /// Whether none of these could be used in the round.
    pub(super) fn all_failed(&self, ports: &[u8]) -> bool {
        ports.iter().all(|port| self.failed_in_round.contains(port))
    }

    /// One has been measured.
    pub(super) fn found(&mut self, port: u8, state: AntennaState) {
        self.missing.retain(|missing| *missing != port);
        if state == AntennaState::Missing {
            self.missing.push(port);
        }
    }
}
