//! What a reader is told before it reads, one step at a time.

use crate::codec::FrameBuf;
use crate::protocol::Unsupported;
use crate::protocol::r2000::codec::{Command, FastSwitch, Region, opcode};
use crate::protocol::r2000::{Model, code_of_baud, unsupported};
use crate::session::{ReaderSettings, TidReading};

const POWER_DBM_MAX: u16 = 33;
/// Below this, power can only be set for good.
const TEMPORARY_POWER_DBM_MIN: u8 = 20;
/// An antenna that returns more than half of the power is missing or broken.
pub(super) const RETURN_LOSS_MIN_DB: u8 = 3;
const PORTS_FEW: u8 = 4;
const PORTS_MANY: u8 = 8;
const NO_TURN: [u8; 2] = [0xFF, 0];
const FAST_TID_ON: u8 = 0x8D;
/// "As short as can be": the end record comes often, and with it the next command.
const OPTIMISED: u8 = 0xFF;
const QUIET: u8 = 0;

/// One command of the set-up, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Baud,
    AskRegion,
    SetRegion,
    TemporaryPower,
    AskPower,
    SetPower,
    Beeper,
    AskDetector,
    SetDetector,
    FastTid,
    Antenna,
}

impl Step {
    pub(super) fn opcode(self) -> u8 {
        match self {
            Self::Baud => opcode::SET_BAUD,
            Self::AskRegion => opcode::REGION,
            Self::SetRegion => opcode::SET_REGION,
            Self::TemporaryPower => opcode::SET_TEMPORARY_POWER,
            Self::AskPower => opcode::POWER,
            Self::SetPower => opcode::SET_POWER,
            Self::Beeper => opcode::SET_BEEPER,
            Self::AskDetector => opcode::DETECTOR,
            Self::SetDetector => opcode::SET_DETECTOR,
            Self::FastTid => opcode::SET_FAST_TID,
            Self::Antenna => opcode::SET_ANTENNA,
        }
    }
}

/// What the reader shall be set to, checked.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) antennas: Vec<u8>,
    pub(super) region: Option<Region>,
    pub(super) baud_wanted: Option<u32>,
    power_dbm: u8,
    tid: TidReading,
    // Antenna and rounds, as the fast switch has them.
    turns: Vec<u8>,
}

impl Setup {
    pub(super) fn try_new(settings: &ReaderSettings) -> Result<Self, Unsupported> {
        let ports = match &settings.model {
            Some(model) => Model::try_new(Some(model))?.ports,
            None => PORTS_MANY,
        };
        let wrong = settings.antennas.iter().find(|port| !(1..=ports).contains(port));
        if let Some(port) = wrong {
            return Err(unsupported("antenna", port, format!("1 to {ports}")));
        }
        let Some(&highest) = settings.antennas.iter().max() else {
            return Err(unsupported("antenna", "none", format!("1 to {ports}")));
        };
        let region = settings
            .region
            .map(|number| {
                Region::whole(number)
                    .ok_or_else(|| unsupported("region", number, "1 (FCC), 2 (ETSI), 3 (China)"))
            })
            .transpose()?;
        if let Some(baud) = settings.baud_wanted.filter(|baud| code_of_baud(*baud).is_none()) {
            return Err(unsupported("baud rate", baud, "38400, 115200"));
        }
        let form = if highest <= PORTS_FEW { PORTS_FEW } else { PORTS_MANY };
        let turns = settings.antennas.iter().map(|port| [port - 1, 1]);
        let turns = turns.chain(std::iter::repeat(NO_TURN)).take(form.into()).flatten().collect();
        let power_dbm = (settings.read_power_cdbm / 100).min(POWER_DBM_MAX);
        Ok(Self {
            antennas: settings.antennas.clone(),
            region,
            baud_wanted: settings.baud_wanted,
            power_dbm: u8::try_from(power_dbm).expect("at most 33"),
            tid: settings.tid,
            turns,
        })
    }

    /// The step that comes first on a line at this rate.
    pub(super) fn first(&self, baud: u32) -> Step {
        match self.baud_wanted {
            Some(wanted) if wanted != baud => Step::Baud,
            _ => Step::AskRegion,
        }
    }

    /// The next step once this one is done, or of no use; `None` when the reader is set up. What a
    /// reader keeps in its flash is only written when it is not so already: flash wears out.
    pub(super) fn next(&self, done: Step, found: Found) -> Option<Step> {
        let power = if self.power_dbm < TEMPORARY_POWER_DBM_MIN {
            Step::AskPower
        } else {
            Step::TemporaryPower
        };
        match (done, found) {
            (Step::Baud, _) => Some(Step::AskRegion),
            (Step::AskRegion, Found::AsWanted) | (Step::SetRegion, _) => Some(power),
            (Step::AskRegion, Found::Otherwise) => Some(Step::SetRegion),
            (Step::AskPower, Found::Otherwise) => Some(Step::SetPower),
            (Step::AskPower, Found::AsWanted) | (Step::TemporaryPower | Step::SetPower, _) => {
                Some(Step::Beeper)
            }
            (Step::Beeper, _) => Some(Step::AskDetector),
            (Step::AskDetector, Found::Otherwise) => Some(Step::SetDetector),
            (Step::AskDetector, Found::AsWanted) | (Step::SetDetector, _) => Some(Step::FastTid),
            (Step::FastTid, _) if self.antennas.len() == 1 => Some(Step::Antenna),
            (Step::FastTid | Step::Antenna, _) => None,
        }
    }

    pub(super) fn command(&self, step: Step, address: u8) -> FrameBuf {
        let code = self.baud_wanted.and_then(code_of_baud).unwrap_or_default();
        match step {
            Step::Baud => Command::SetBaud { code },
            Step::SetRegion => match self.region {
                Some(region) => Command::SetRegion(region),
                None => Command::Ask { opcode: opcode::REGION },
            },
            Step::TemporaryPower => Command::SetTemporaryPower { power_dbm: self.power_dbm },
            Step::SetPower => {
                Command::SetPower { power_dbm: std::slice::from_ref(&self.power_dbm) }
            }
            Step::Beeper => Command::SetBeeper { mode: QUIET },
            Step::SetDetector => Command::SetDetector { threshold_db: RETURN_LOSS_MIN_DB },
            Step::FastTid => {
                let status = match self.tid {
                    TidReading::On => FAST_TID_ON,
                    TidReading::Off => 0,
                };
                Command::SetFastTid { save: false, status }
            }
            Step::Antenna => Command::SetAntenna { antenna: self.antennas[0] - 1 },
            Step::AskRegion | Step::AskPower | Step::AskDetector => {
                Command::Ask { opcode: step.opcode() }
            }
        }
        .emit(address)
    }

    /// Whether an answer says what is wanted.
    pub(super) fn is_power_wanted(&self, powers: &[u8]) -> bool {
        powers.iter().all(|power| *power == self.power_dbm)
    }

    /// One round on all antennas. One antenna: real-time inventory. Several: the fast switch, which
    /// changes the antenna inside the reader, where the session inventory would need a command and
    /// its answer for each change. Neither keeps a tag silent after its first read, which session
    /// S1 would do for seconds.
    pub(super) fn round(&self) -> Command<'_> {
        if self.antennas.len() == 1 {
            return Command::RealTime { repeat: OPTIMISED };
        }
        Command::FastSwitch(FastSwitch {
            pairs: &self.turns,
            interval_ms: 0,
            extension: &[],
            repeat: 1,
        })
    }
}

/// What a question of the set-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    AsWanted,
    Otherwise,
}
