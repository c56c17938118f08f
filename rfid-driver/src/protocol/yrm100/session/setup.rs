//! What a module is told between being found and reading, step by step.

use super::super::codec::{Command, opcode};
use super::ROUNDS;
use crate::session::ReaderSettings;

/// Do not select: an earlier host's mask would hide tags.
const SELECT_NEVER: u8 = 1;
/// What the manual sets and a module comes with: session 0, in which a tag answers in every round,
/// target A, Q 4.
const QUERY: u16 = 0x1020;
/// What modules can have at most, from the strongest down: R200 modules with an amplifier 30 dBm,
/// others 26, the weakest 20.
const POWERS_CDBM: [u16; 3] = [3000, 2600, 2000];

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Region,
    Power,
    SelectOff,
    Query,
    Start,
}

impl Step {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Region => Self::Power,
            Self::Power => Self::SelectOff,
            Self::SelectOff => Self::Query,
            Self::Query | Self::Start => Self::Start,
        }
    }

    /// Whether an answer with this code is the answer to this step.
    pub(super) fn answered_by(self, command: u8) -> bool {
        match self {
            Self::Region => command == opcode::SET_REGION,
            Self::Power => command == opcode::SET_POWER,
            // The manual answers it with the code of its sister.
            Self::SelectOff => matches!(command, opcode::SET_SELECT_MODE | opcode::SET_SELECT),
            Self::Query => command == opcode::SET_QUERY,
            Self::Start => false,
        }
    }
}

/// What a module shall be set to.
#[derive(Debug)]
pub(super) struct Setup {
    region: Option<u8>,
    power_wanted_cdbm: u16,
    // What is tried: as wanted, and less where the module refuses that.
    power_cdbm: u16,
    baud_wanted: Option<u32>,
    // A module that did not follow is left at its rate until the line is opened anew.
    baud_tried: bool,
}

impl Setup {
    pub(super) fn new(settings: &ReaderSettings) -> Self {
        Self {
            region: settings.region,
            power_wanted_cdbm: settings.read_power_cdbm,
            power_cdbm: settings.read_power_cdbm,
            baud_wanted: settings.baud_wanted,
            baud_tried: false,
        }
    }

    pub(super) fn begin(&mut self) {
        self.power_cdbm = self.power_wanted_cdbm;
    }

    /// A module keeps its region, so there is nothing to be told where none is wanted.
    pub(super) fn first(&self) -> Step {
        if self.region.is_some() { Step::Region } else { Step::Power }
    }

    pub(super) fn command(&self, step: Step) -> Command<'static> {
        match step {
            Step::Region => Command::SetRegion { region: self.region.unwrap_or_default() },
            Step::Power => Command::SetPower { power_cdbm: self.power_cdbm },
            Step::SelectOff => Command::SetSelectMode { mode: SELECT_NEVER },
            Step::Query => Command::SetQuery { bits: QUERY },
            Step::Start => Command::MultiPoll { rounds: ROUNDS },
        }
    }

    /// The module refused this power. Says whether there is a lower one to try.
    pub(super) fn lower_power(&mut self) -> bool {
        match POWERS_CDBM.into_iter().find(|power| *power < self.power_cdbm) {
            Some(power) => {
                self.power_cdbm = power;
                true
            }
            None => false,
        }
    }

    /// The rate to bring the line to; `None` where it is there, or has been tried.
    pub(super) fn take_baud(&mut self, current: u32) -> Option<u32> {
        let wanted = self.baud_wanted.filter(|baud| *baud != current && !self.baud_tried);
        self.baud_tried |= wanted.is_some();
        wanted
    }

    pub(super) fn forget_baud(&mut self) {
        self.baud_tried = false;
    }
}
