//! What is wrong with the module at the moment.
//!
//! It outlives a restart: a cable stays off and heat stays where it is.

use std::collections::BTreeSet;

use crate::emulator::DeviceFault;
use crate::protocol::mercury::codec::Status;

/// What the radio part shows when nothing heats it.
const CELSIUS_AT_REST: i8 = 34;
/// M6e User Guide: above 85 degrees the module throttles, and answers 0504.
const CELSIUS_LIMIT: i8 = 85;
/// How much weaker than what was sent the echo of a good antenna is, and of a bad one.
const RETURN_LOSS_GOOD_DB: u8 = 17;
const RETURN_LOSS_BAD_DB: u8 = 3;

#[derive(Debug)]
pub(super) struct Faults {
    ports_lost: BTreeSet<u8>,
    celsius: i8,
    return_loss_high: bool,
    pub(super) muted: bool,
    pub(super) heartbeat_lost: bool,
    pub(super) tags_lost: bool,
}

impl Faults {
    pub(super) fn new() -> Self {
        Self {
            ports_lost: BTreeSet::new(),
            celsius: CELSIUS_AT_REST,
            return_loss_high: false,
            muted: false,
            heartbeat_lost: false,
            tags_lost: false,
        }
    }

    /// Takes in every fault but a restart, which is not a state.
    pub(super) fn handle(&mut self, fault: DeviceFault) {
        match fault {
            DeviceFault::Reboot => {}
            DeviceFault::AntennaLost { port } => {
                self.ports_lost.insert(port);
            }
            DeviceFault::AntennaBack { port } => {
                self.ports_lost.remove(&port);
            }
            DeviceFault::Temperature { celsius } => self.celsius = celsius,
            DeviceFault::ReturnLossHigh => self.return_loss_high = true,
            DeviceFault::ReturnLossGood => self.return_loss_high = false,
            DeviceFault::Mute => self.muted = true,
            DeviceFault::Unmute => self.muted = false,
            DeviceFault::HeartbeatLost => self.heartbeat_lost = true,
            DeviceFault::HeartbeatBack => self.heartbeat_lost = false,
            DeviceFault::TagsLost => self.tags_lost = true,
            DeviceFault::TagsBack => self.tags_lost = false,
        }
    }

    /// Whether an antenna hangs on this port.
    pub(super) fn is_connected(&self, port: u8) -> bool {
        !self.ports_lost.contains(&port)
    }

    pub(super) fn celsius(&self) -> i8 {
        self.celsius
    }

    pub(super) fn return_loss_db(&self, port: u8) -> u8 {
        match self.return_loss_high || !self.is_connected(port) {
            true => RETURN_LOSS_BAD_DB,
            false => RETURN_LOSS_GOOD_DB,
        }
    }

    /// Why a read on these ports goes wrong, wholly or in part.
    pub(super) fn complaint(&self, ports: &[u8]) -> Option<Status> {
        if self.celsius >= CELSIUS_LIMIT {
            Some(Status::TEMPERATURE)
        } else if self.return_loss_high {
            Some(Status::HIGH_RETURN_LOSS)
        } else if ports.iter().any(|&port| !self.is_connected(port)) {
            Some(Status::ANTENNA_NOT_CONNECTED)
        } else {
            None
        }
    }

    /// Whether the radio can hear anything at all on these ports.
    pub(super) fn is_deaf(&self, ports: &[u8]) -> bool {
        self.celsius >= CELSIUS_LIMIT
            || self.return_loss_high
            || ports.iter().all(|&port| !self.is_connected(port))
    }
}
