//! What a host asks of a reader.

use super::frame::{Builder, Frame};
use super::{MeaningError, opcode};
use crate::codec::{Direction, Fields, FieldsError, FrameBuf, Opaque};

/// The rates by the vendor's number; 3 and 4 are not assigned (`UHFReader18` manual V2.0, 8.4.6).
const BAUDS: [(u8, u32); 5] = [(0, 9600), (1, 19_200), (2, 38_400), (5, 57_600), (6, 115_200)];

/// The vendor's number of a rate; `None` where there is none.
#[must_use]
pub fn baud_code(baud: u32) -> Option<u8> {
    BAUDS.iter().find(|(_, known)| *known == baud).map(|(code, _)| *code)
}

/// The rate of a vendor's number; `None` where there is none.
#[must_use]
pub fn baud_of_code(code: u8) -> Option<u32> {
    BAUDS.iter().find(|(known, _)| *known == code).map(|(_, baud)| *baud)
}

/// The first byte of an inventory: Q in the low four bits, and what it shall report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QFlags(pub u8);

impl QFlags {
    /// Statistics after the inventory.
    pub const STATISTICS: u8 = 0x80;
    /// The vendor's special strategy.
    pub const STRATEGY: u8 = 0x40;
    /// TIDs too, of tags that know Impinj's `FastID`.
    pub const FAST_ID: u8 = 0x20;
    /// Phase and frequency too.
    pub const PHASE: u8 = 0x10;

    /// Whether a flag is set.
    #[must_use]
    pub fn contains(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// Which tags an inventory asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask<'a> {
    /// 1 EPC, 2 TID, 3 user memory.
    pub memory: u8,
    /// Where it begins, in bits.
    pub address: u16,
    /// How long it is, in bits.
    pub len: u8,
    /// What stands there; as many bytes as hold `len` bits.
    pub data: Opaque<'a>,
}

/// What the vendor calls an express inventory: settings for this one alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Express {
    /// 0 for tags in state A, 1 for B.
    pub target: u8,
    /// 80 hex for port 1, 81 for port 2, …
    pub antenna: u8,
    /// In tenths of a second.
    pub scan_time: u8,
}

impl Express {
    const ANTENNA: u8 = 0x80;

    /// The port, counted from 1; `None` where the byte names none.
    #[must_use]
    pub fn port(&self) -> Option<u8> {
        (Self::ANTENNA..=0x8F).contains(&self.antenna).then(|| self.antenna - Self::ANTENNA + 1)
    }
}

/// An inventory in the newer dialect (288 manual V1.14, 8.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InventoryRequest<'a> {
    /// Q and what to report.
    pub q: QFlags,
    /// 0 to 3, or FF for the reader's own choice.
    pub session: u8,
    /// Only these tags.
    pub mask: Option<Mask<'a>>,
    /// This much of the TID in place of the EPC: first word and number of words.
    pub tid: Option<[u8; 2]>,
    /// Settings for this inventory alone.
    pub express: Option<Express>,
}

impl<'a> InventoryRequest<'a> {
    /// Asks every tag for its EPC, as the reader is set up.
    #[must_use]
    pub fn plain(q: QFlags, session: u8) -> Self {
        Self { q, session, mask: None, tid: None, express: None }
    }

    /// Understands the optional parts by their lengths; `None` where they do not add up.
    fn parse(data: &'a [u8]) -> Option<Self> {
        let [q, session, rest @ ..] = data else { return None };
        let plain = Self::plain(QFlags(*q), *session);
        // With five bytes after Q and session, only the antenna tells a TID request from a mask of
        // one byte.
        if let Some((tid, express)) = Self::parse_tail(rest)
            && (rest.len() != 5 || rest[3] & Express::ANTENNA != 0)
        {
            return Some(Self { tid, express, ..plain });
        }
        let (mask, rest) = Self::parse_mask(rest).ok()?;
        let (tid, express) = Self::parse_tail(rest)?;
        Some(Self { mask: Some(mask), tid, express, ..plain })
    }

    fn parse_mask(rest: &'a [u8]) -> Result<(Mask<'a>, &'a [u8]), FieldsError> {
        let mut fields = Fields(rest);
        let memory = fields.u8("mask memory")?;
        let address = fields.u16("mask address")?;
        let len = fields.u8("mask length")?;
        let data = Opaque(fields.bytes(usize::from(len.div_ceil(8)), "mask data")?);
        Ok((Mask { memory, address, len, data }, fields.0))
    }

    fn parse_tail(rest: &[u8]) -> Option<(Option<[u8; 2]>, Option<Express>)> {
        let express = |target, antenna, scan_time| Some(Express { target, antenna, scan_time });
        match *rest {
            [] => Some((None, None)),
            [address, words] => Some((Some([address, words]), None)),
            [target, antenna, scan] => Some((None, express(target, antenna, scan))),
            [address, words, target, antenna, scan] => {
                Some((Some([address, words]), express(target, antenna, scan)))
            }
            _ => None,
        }
    }

    fn put(&self, mut frame: Builder) -> Builder {
        frame = frame.put(&[self.q.0, self.session]);
        if let Some(mask) = &self.mask {
            frame = frame
                .put(&[mask.memory])
                .put(&mask.address.to_be_bytes())
                .put(&[mask.len])
                .put(mask.data.0);
        }
        if let Some(tid) = &self.tid {
            frame = frame.put(tid);
        }
        match &self.express {
            Some(express) => frame.put(&[express.target, express.antenna, express.scan_time]),
            None => frame,
        }
    }
}

/// A host's frame, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// Which tags are there? In the older dialect, or as the newer is set up.
    InventoryAll,
    /// Which tags are there? In the newer dialect; two bytes may also be first word and number of
    /// words of the TID in the older one.
    Inventory(InventoryRequest<'a>),
    /// Is there one tag?
    InventorySingle,
    /// What does the reader say about itself?
    ReaderInfo,
    /// Use these channels; see [`super::Band::whole`].
    SetFrequency {
        /// Last channel and high half of the band.
        max: u8,
        /// First channel and low half of the band.
        min: u8,
    },
    /// Take another address.
    SetAddress {
        /// 00 to FE.
        address: u8,
    },
    /// End an inventory after this time.
    SetScanTime {
        /// In tenths of a second.
        scan_time: u8,
    },
    /// Change the line's rate, after the answer.
    SetBaud {
        /// See [`baud_of_code`].
        code: u8,
    },
    /// Use this much power.
    SetPower {
        /// In dBm: one for all antennas, or one for each.
        dbm: &'a [u8],
    },
    /// Read unasked, or only when asked; in the older dialect.
    SetScanMode {
        /// Mode, state, memory, first word, words, seconds between reports of a tag.
        parameters: [u8; 6],
    },
    /// How is the scan mode set?
    ScanMode,
    /// Use these antennas.
    SetAntennas {
        /// Bit 0 for port 1, at most eight ports; or for more: once or for good, ports 9 to 16,
        /// ports 1 to 8.
        antennas: &'a [u8],
    },
    /// Put the output pins to these levels.
    SetOutputs {
        /// Bit 0 for Out1.
        pins: u8,
    },
    /// How do the pins stand?
    Pins,
    /// Check that antennas are there, or do not.
    SetAntennaCheck {
        /// 0 or 1.
        on: u8,
    },
    /// How to read unasked; in the newer dialect.
    SetRealTime {
        /// Tag protocol, pause, seconds between reports of a tag, Q, session, mask, TID.
        parameters: Opaque<'a>,
    },
    /// Read unasked, or only when asked; in the newer dialect.
    SetWorkMode {
        /// 0 when asked, 1 unasked, 2 unasked while the first input is low.
        mode: u8,
    },
    /// How is the work mode set?
    WorkMode,
    /// Give a sign of life after so long without a tag.
    HeartbeatTime {
        /// Bit 7 to set it, the others in units of 30 seconds.
        time: u8,
    },
    /// How much comes back from an antenna?
    ReturnLoss {
        /// The carrier.
        frequency_khz: u32,
        /// The port, counted from 0.
        antenna: u8,
    },
    /// How warm is it?
    Temperature,
    /// End the inventory that runs.
    Stop,
    /// Which reader is it?
    SerialNumber,
    /// Anything else.
    Other {
        /// The operation.
        opcode: u8,
        /// Its arguments.
        data: Opaque<'a>,
    },
}

impl<'a> Command<'a> {
    /// Understands a host's frame; what has no meaning here becomes [`Command::Other`].
    ///
    /// # Errors
    /// Refuses frames of a reader.
    pub fn parse(frame: Frame<'a>) -> Result<Self, MeaningError> {
        if frame.direction() != Direction::FromHost {
            return Err(MeaningError::Direction);
        }
        let data = frame.data();
        Ok(match (frame.opcode(), data) {
            (opcode::INVENTORY, []) => Self::InventoryAll,
            (opcode::INVENTORY_SINGLE, []) => Self::InventorySingle,
            (opcode::READER_INFO, []) => Self::ReaderInfo,
            (opcode::SET_FREQUENCY, &[max, min]) => Self::SetFrequency { max, min },
            (opcode::SET_ADDRESS, &[address]) => Self::SetAddress { address },
            (opcode::SET_SCAN_TIME, &[scan_time]) => Self::SetScanTime { scan_time },
            (opcode::SET_BAUD, &[code]) => Self::SetBaud { code },
            (opcode::SET_POWER, [_, ..]) => Self::SetPower { dbm: data },
            (opcode::SET_SCAN_MODE, &[a, b, c, d, e, f]) => {
                Self::SetScanMode { parameters: [a, b, c, d, e, f] }
            }
            (opcode::SCAN_MODE, []) => Self::ScanMode,
            (opcode::SET_ANTENNAS, [_] | [_, _, _]) => Self::SetAntennas { antennas: data },
            (opcode::SET_OUTPUTS, &[pins]) => Self::SetOutputs { pins },
            (opcode::PINS, []) => Self::Pins,
            (opcode::SET_ANTENNA_CHECK, &[on]) => Self::SetAntennaCheck { on },
            (opcode::SET_REAL_TIME, [_, _, _, _, _, ..]) => {
                Self::SetRealTime { parameters: Opaque(data) }
            }
            (opcode::SET_WORK_MODE, &[mode]) => Self::SetWorkMode { mode },
            (opcode::WORK_MODE, []) => Self::WorkMode,
            (opcode::HEARTBEAT_TIME, &[time]) => Self::HeartbeatTime { time },
            (opcode::RETURN_LOSS, &[a, b, c, d, antenna]) => {
                Self::ReturnLoss { frequency_khz: u32::from_be_bytes([a, b, c, d]), antenna }
            }
            (opcode::TEMPERATURE, []) => Self::Temperature,
            (opcode::STOP, []) => Self::Stop,
            (opcode::SERIAL_NUMBER, []) => Self::SerialNumber,
            (opcode, data) => match (opcode, InventoryRequest::parse(data)) {
                (opcode::INVENTORY, Some(request)) => Self::Inventory(request),
                (opcode, _) => Self::Other { opcode, data: Opaque(data) },
            },
        })
    }

    /// Builds the frame to the reader with this address.
    ///
    /// # Panics
    /// If the arguments exceed what one frame can hold.
    #[must_use]
    pub fn emit(&self, address: u8) -> FrameBuf {
        let frame = Builder::command(address, self.opcode());
        match self {
            Self::InventoryAll
            | Self::InventorySingle
            | Self::ReaderInfo
            | Self::ScanMode
            | Self::Pins
            | Self::WorkMode
            | Self::Temperature
            | Self::Stop
            | Self::SerialNumber => frame,
            Self::Inventory(request) => request.put(frame),
            Self::SetFrequency { max, min } => frame.put(&[*max, *min]),
            Self::SetPower { dbm: bytes } | Self::SetAntennas { antennas: bytes } => {
                frame.put(bytes)
            }
            Self::SetScanMode { parameters } => frame.put(parameters),
            Self::SetAddress { address: byte }
            | Self::SetScanTime { scan_time: byte }
            | Self::SetBaud { code: byte }
            | Self::SetOutputs { pins: byte }
            | Self::SetAntennaCheck { on: byte }
            | Self::SetWorkMode { mode: byte }
            | Self::HeartbeatTime { time: byte } => frame.put(&[*byte]),
            Self::ReturnLoss { frequency_khz, antenna } => {
                frame.put(&frequency_khz.to_be_bytes()).put(&[*antenna])
            }
            Self::SetRealTime { parameters: data } | Self::Other { data, .. } => frame.put(data.0),
        }
        .finish()
    }

    /// The operation it asks for.
    #[must_use]
    pub fn opcode(&self) -> u8 {
        match self {
            Self::InventoryAll | Self::Inventory(_) => opcode::INVENTORY,
            Self::InventorySingle => opcode::INVENTORY_SINGLE,
            Self::ReaderInfo => opcode::READER_INFO,
            Self::SetFrequency { .. } => opcode::SET_FREQUENCY,
            Self::SetAddress { .. } => opcode::SET_ADDRESS,
            Self::SetScanTime { .. } => opcode::SET_SCAN_TIME,
            Self::SetBaud { .. } => opcode::SET_BAUD,
            Self::SetPower { .. } => opcode::SET_POWER,
            Self::SetScanMode { .. } => opcode::SET_SCAN_MODE,
            Self::ScanMode => opcode::SCAN_MODE,
            Self::SetAntennas { .. } => opcode::SET_ANTENNAS,
            Self::SetOutputs { .. } => opcode::SET_OUTPUTS,
            Self::Pins => opcode::PINS,
            Self::SetAntennaCheck { .. } => opcode::SET_ANTENNA_CHECK,
            Self::SetRealTime { .. } => opcode::SET_REAL_TIME,
            Self::SetWorkMode { .. } => opcode::SET_WORK_MODE,
            Self::WorkMode => opcode::WORK_MODE,
            Self::HeartbeatTime { .. } => opcode::HEARTBEAT_TIME,
            Self::ReturnLoss { .. } => opcode::RETURN_LOSS,
            Self::Temperature => opcode::TEMPERATURE,
            Self::Stop => opcode::STOP,
            Self::SerialNumber => opcode::SERIAL_NUMBER,
            Self::Other { opcode, .. } => *opcode,
        }
    }
}
