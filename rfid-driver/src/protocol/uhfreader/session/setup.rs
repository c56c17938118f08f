//! How a reader is set up: only what differs from what it says of itself, because it keeps its
//! settings in a memory that wears out.

use crate::protocol::Unsupported;
use crate::protocol::uhfreader::codec::{
    Band, Command, Dialect, InventoryRequest, QFlags, ReaderInfo, baud_code,
};
use crate::protocol::uhfreader::{bauds_text, dialect, unsupported};
use crate::session::{ReaderSettings, TidReading};

/// The shortest scan time that both dialects take, in tenths of a second.
pub(super) const SCAN_TIME: u8 = 3;
/// Four slots: a lane has one tag or two.
const Q: u8 = 2;
/// Tags forget at once that they were counted, and answer again.
const SESSION_0: u8 = 0;
const POWER_DBM_MAX_288: u8 = 33;
const POWER_DBM_MAX_18: u8 = 30;
/// Ports that one byte of antennas has room for.
const PORTS_BY_BIT: u8 = 8;
/// Ports that a reader can have.
const PORTS: std::ops::RangeInclusive<u8> = 1..=16;

/// What a reader shall be set to, in its own terms.
#[derive(Debug)]
pub(super) struct Setup {
    dialect: Option<Dialect>,
    pub(super) antennas: Vec<u8>,
    antenna_bytes: Vec<u8>,
    power_dbm: u8,
    band: Option<&'static Band>,
    baud_code: Option<u8>,
    pub(super) baud_wanted: Option<u32>,
    tid: TidReading,
}

impl Setup {
    pub(super) fn try_new(settings: &ReaderSettings) -> Result<Self, Unsupported> {
        let dialect = dialect(settings.model.as_deref())?;
        if dialect == Some(Dialect::Old18) && settings.antennas != [1] {
            let antennas = format!("{:?}", settings.antennas);
            return Err(unsupported("antennas", antennas, "only port 1".to_owned()));
        }
        let wrong = settings.antennas.iter().find(|port| !PORTS.contains(*port));
        if wrong.is_some() || settings.antennas.is_empty() {
            let antennas = format!("{:?}", settings.antennas);
            return Err(unsupported("antennas", antennas, "ports 1 to 16".to_owned()));
        }
        let band = settings.region.map(band).transpose()?;
        let baud_code = settings.baud_wanted.map(code_of_baud).transpose()?;
        Ok(Self {
            dialect,
            antenna_bytes: antenna_bytes(&settings.antennas),
            antennas: settings.antennas.clone(),
            power_dbm: u8::try_from(settings.read_power_cdbm / 100).unwrap_or(u8::MAX),
            band,
            baud_code,
            baud_wanted: settings.baud_wanted,
            tid: settings.tid,
        })
    }

    /// Whether the reader sends its antennas as an index.
    pub(super) fn is_indexed(&self) -> bool {
        self.antenna_bytes.len() > 1
    }

    /// What the reader says of itself, seen from here.
    pub(super) fn found(&self, info: &ReaderInfo<'_>, address: u8) -> Found {
        Found {
            dialect: self.dialect.unwrap_or(info.dialect()),
            address,
            band: info.band(),
            power_dbm: info.power_dbm,
            scan_time: info.scan_time,
            antennas: info.antennas(),
            antenna_check: info.antenna_check(),
            mode: 0,
            scan_mode: [0; 6],
        }
    }

    /// The command of a step; `None` where the reader is as it shall be.
    pub(super) fn command(&self, step: Step, found: &Found) -> Option<Command<'_>> {
        let new = found.dialect == Dialect::New288;
        match step {
            Step::AskMode if new => Some(Command::WorkMode),
            Step::AskMode => Some(Command::ScanMode),
            Step::AnswerMode if found.mode == 0 => None,
            Step::AnswerMode if new => Some(Command::SetWorkMode { mode: 0 }),
            Step::AnswerMode => {
                let [_, rest @ ..] = found.scan_mode;
                let [a, b, c, d, e] = rest;
                Some(Command::SetScanMode { parameters: [0, a, b, c, d, e] })
            }
            Step::Frequency => {
                let band = self.band.filter(|band| band.number != found.band)?;
                let [max, min] = band.whole();
                Some(Command::SetFrequency { max, min })
            }
            Step::Power => {
                let max = if new { POWER_DBM_MAX_288 } else { POWER_DBM_MAX_18 };
                self.power_command(found, max)
            }
            Step::Antennas => {
                let same = found.antennas.is_some_and(|bits| self.antenna_bytes == [bits]);
                (new && !same).then_some(Command::SetAntennas { antennas: &self.antenna_bytes })
            }
            Step::ScanTime => (found.scan_time != Some(SCAN_TIME))
                .then_some(Command::SetScanTime { scan_time: SCAN_TIME }),
            Step::AntennaCheck => (new && found.antenna_check == Some(0))
                .then_some(Command::SetAntennaCheck { on: 1 }),
            Step::Baud => self.baud_code.map(|code| Command::SetBaud { code }),
        }
    }

    fn power_command(&self, found: &Found, max: u8) -> Option<Command<'_>> {
        const DBM: [u8; 34] = {
            let mut all = [0; 34];
            let mut dbm = 0;
            while dbm < all.len() {
                #[expect(clippy::cast_possible_truncation, reason = "34 fits a byte")]
                {
                    all[dbm] = dbm as u8;
                }
                dbm += 1;
            }
            all
        };
        let wanted = self.power_dbm.min(max);
        let at = usize::from(wanted);
        (found.power_dbm != wanted).then_some(Command::SetPower { dbm: &DBM[at..=at] })
    }

    /// The inventory to read with.
    pub(super) fn inventory(&self, dialect: Dialect, statistics: bool) -> Command<'static> {
        let fast_id = if self.tid == TidReading::On { QFlags::FAST_ID } else { 0 };
        let statistics = if statistics { QFlags::STATISTICS } else { 0 };
        match dialect {
            Dialect::Old18 => Command::InventoryAll,
            Dialect::New288 => {
                let q = QFlags(Q | fast_id | statistics);
                Command::Inventory(InventoryRequest::plain(q, SESSION_0))
            }
        }
    }
}

/// Tells a reader that reports unasked and does not say who it is to report when asked; the older one
/// with the parameters that it comes with.
pub(super) fn answer_only(dialect: Dialect) -> Command<'static> {
    match dialect {
        Dialect::New288 => Command::SetWorkMode { mode: 0 },
        Dialect::Old18 => Command::SetScanMode { parameters: [0, 2, 4, 2, 6, 0] },
    }
}

/// One byte for up to eight ports. For more, three: that it is not to be kept, the ports from 9, the
/// ports to 8.
fn antenna_bytes(antennas: &[u8]) -> Vec<u8> {
    const NOT_KEPT: u8 = 1;
    let bits = antennas.iter().fold(0u16, |bits, port| bits | 1u16 << (port - 1).min(15));
    let [high, low] = bits.to_be_bytes();
    if antennas.iter().all(|port| *port <= PORTS_BY_BIT) {
        vec![low]
    } else {
        vec![NOT_KEPT, high, low]
    }
}

fn band(number: u8) -> Result<&'static Band, Unsupported> {
    Band::by_number(number).ok_or_else(|| {
        let possible: Vec<_> =
            Band::ALL.iter().map(|band| format!("{} ({})", band.number, band.name)).collect();
        unsupported("region", number.to_string(), possible.join(", "))
    })
}

fn code_of_baud(baud: u32) -> Result<u8, Unsupported> {
    baud_code(baud).ok_or_else(|| unsupported("baud rate", baud.to_string(), bauds_text()))
}

/// What a reader has said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) dialect: Dialect,
    pub(super) address: u8,
    band: u8,
    power_dbm: u8,
    scan_time: Option<u8>,
    antennas: Option<u8>,
    antenna_check: Option<u8>,
    /// 0 where it reads only when asked.
    pub(super) mode: u8,
    /// The older dialect's parameters, to be kept but for the mode.
    pub(super) scan_mode: [u8; 6],
}

/// One command of the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// While it reads unasked it ignores what the other steps say.
    AskMode,
    AnswerMode,
    Frequency,
    Power,
    Antennas,
    ScanTime,
    /// So that a lost antenna is told from an empty field.
    AntennaCheck,
    /// Last, because what follows is said at another rate.
    Baud,
}

impl Step {
    pub(super) const FIRST: Self = Self::AskMode;

    pub(super) fn next(self) -> Option<Self> {
        match self {
            Self::AskMode => Some(Self::AnswerMode),
            Self::AnswerMode => Some(Self::Frequency),
            Self::Frequency => Some(Self::Power),
            Self::Power => Some(Self::Antennas),
            Self::Antennas => Some(Self::ScanTime),
            Self::ScanTime => Some(Self::AntennaCheck),
            Self::AntennaCheck => Some(Self::Baud),
            Self::Baud => None,
        }
    }

    /// Whether the reader can be used as it is where it refuses this.
    pub(super) fn is_optional(self) -> bool {
        match self {
            Self::AskMode | Self::ScanTime | Self::AntennaCheck | Self::Baud => true,
            Self::AnswerMode | Self::Frequency | Self::Power | Self::Antennas => false,
        }
    }
}
