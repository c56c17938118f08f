//! What a host can ask of a reader.

use super::frame::{self, Frame};
use super::radio::Region;
use super::{MeaningError, opcode};
use crate::codec::{Direction, Fields, FrameBuf, Opaque};

/// Which words of a tag's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// 0 reserved, 1 EPC, 2 TID, 3 user.
    pub bank: u8,
    /// The first word.
    pub address: u8,
    /// How many words.
    pub words: u8,
}

/// One antenna's turn in a [`FastSwitch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The antenna, counted from 1.
    pub antenna: u8,
    /// How many inventory rounds on it.
    pub rounds: u8,
}

/// An inventory that goes from antenna to antenna by itself.
///
/// ```text
/// (antenna rounds)×4, 8 or 16 | interval ms | [reserve×5 session target optimise ongoing
/// target-quantity phase] | repeat
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FastSwitch<'a> {
    /// Antenna, counted from 0, and rounds, for each turn. An antenna that the reader does not have
    /// takes no turn.
    pub pairs: &'a [u8],
    /// Between two turns.
    pub interval_ms: u8,
    /// What newer firmware takes in the middle: 11 bytes, or none.
    pub extension: &'a [u8],
    /// How often the whole sequence.
    pub repeat: u8,
}

impl<'a> FastSwitch<'a> {
    const EXTENSION_LEN: usize = 11;

    /// The turns that are taken by a reader with so many ports.
    pub fn slots(&self, ports: u8) -> impl Iterator<Item = Slot> + 'a {
        self.pairs
            .as_chunks::<2>()
            .0
            .iter()
            .filter(move |[port, rounds]| *port < ports && *rounds > 0)
            .map(|&[port, rounds]| Slot { antenna: port + 1, rounds })
    }

    /// Whether phases are to be reported.
    #[must_use]
    pub fn wants_phase(&self) -> bool {
        self.extension.last().is_some_and(|phase| *phase != 0)
    }

    fn parse(payload: &'a [u8]) -> Option<Self> {
        let extended = payload.len() % 4 == 1;
        let (middle, &repeat) = payload.split_last().map(|(repeat, rest)| (rest, repeat))?;
        let extension_len = if extended { Self::EXTENSION_LEN } else { 0 };
        let (front, extension) = middle.split_at_checked(middle.len() - extension_len)?;
        let (&interval_ms, pairs) = front.split_last()?;
        Some(Self { pairs, interval_ms, extension, repeat })
    }
}

/// A host's frame, understood. Antennas in it are counted from 0, as on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are named like the commands, the fields like theirs")]
pub enum Command<'a> {
    /// A command without arguments.
    Ask {
        opcode: u8,
    },
    /// 3 is 38,400 baud, 4 is 115,200. The reader restarts afterwards.
    SetBaud {
        code: u8,
    },
    SetAddress {
        address: u8,
    },
    SetAntenna {
        antenna: u8,
    },
    /// One for all antennas, or one for each.
    SetPower {
        power_dbm: &'a [u8],
    },
    /// For all antennas, until the reader restarts.
    SetTemporaryPower {
        power_dbm: u8,
    },
    SetRegion(Region),
    /// 0 quiet, 1 after each round, 2 for each tag.
    SetBeeper {
        mode: u8,
    },
    /// An antenna below this return loss is missing; 0 switches the detector off.
    SetDetector {
        threshold_db: u8,
    },
    /// Pins 3 and 4.
    SetOutput {
        pin: u8,
        level: u8,
    },
    SetIdentifier {
        identifier: &'a [u8],
    },
    SetProfile {
        profile: u8,
    },
    /// At this channel.
    ReturnLoss {
        channel: u8,
    },
    /// Into the buffer. FF: as short as can be.
    Inventory {
        repeat: u8,
    },
    /// Each tag is reported as it is read. FF: as short as can be.
    RealTime {
        repeat: u8,
    },
    FastSwitch(FastSwitch<'a>),
    /// With a session, 0 to 3, and a target, 0 A or 1 B; then, where the host says so, which tags by
    /// their select flag, whether with phase, and power saving.
    Session {
        session: u8,
        target: u8,
        options: &'a [u8],
        repeat: u8,
    },
    /// 8D on, 0 off.
    SetFastTid {
        save: bool,
        status: u8,
    },
    Read {
        memory: Memory,
        password: Opaque<'a>,
    },
    Write {
        block: bool,
        password: Opaque<'a>,
        memory: Memory,
        data: Opaque<'a>,
    },
    /// Bank: 1 user, 2 TID, 3 EPC, 4 access password, 5 kill password. Action: 0 open, 1 lock, 2 open
    /// for ever, 3 lock for ever.
    Lock {
        password: Opaque<'a>,
        bank: u8,
        action: u8,
    },
    Kill {
        password: Opaque<'a>,
    },
    /// Mode 0 operates only on the tag with this EPC, 1 on any again.
    SetMatch {
        mode: u8,
        epc: Option<Opaque<'a>>,
    },
    /// Anything else that a reader knows.
    Other {
        opcode: u8,
        data: Opaque<'a>,
    },
}

/// What switches `FastTID` on.
pub(in super::super) const FAST_TID_ON: u8 = 0x8D;

impl<'a> Command<'a> {
    /// Understands a host's frame.
    ///
    /// # Errors
    /// Refuses replies, commands that no reader knows, and payloads that no command has.
    pub fn parse(frame: Frame<'a>) -> Result<Self, MeaningError> {
        if frame.direction() != Direction::FromHost {
            return Err(MeaningError::Direction(frame.direction()));
        }
        let (opcode, payload) = (frame.opcode(), frame.payload());
        opcode::name(opcode).ok_or(MeaningError::UnknownCommand { opcode })?;
        let wrong_len = MeaningError::PayloadLength { opcode, len: payload.len() };
        if !opcode::has_payload_len(opcode, Direction::FromHost, payload.len()) {
            return Err(wrong_len);
        }
        Ok(match (opcode, payload) {
            (opcode, []) => Self::Ask { opcode },
            (opcode::SET_POWER, power_dbm) => Self::SetPower { power_dbm },
            (opcode::SET_REGION, region) => Self::SetRegion(Region::parse(region)?),
            (opcode::SET_IDENTIFIER, identifier) => Self::SetIdentifier { identifier },
            (opcode::FAST_SWITCH, payload) => {
                Self::FastSwitch(FastSwitch::parse(payload).ok_or(wrong_len)?)
            }
            (opcode::SESSION, &[session, target, ref options @ .., repeat]) => {
                Self::Session { session, target, options, repeat }
            }
            (opcode::READ, &[bank, address, words, ref password @ ..]) => {
                Self::Read { memory: Memory { bank, address, words }, password: Opaque(password) }
            }
            (opcode::WRITE | opcode::BLOCK_WRITE, payload) => {
                Self::parse_write(payload, opcode == opcode::BLOCK_WRITE, wrong_len)?
            }
            (opcode::LOCK, &[ref password @ .., bank, action]) => {
                Self::Lock { password: Opaque(password), bank, action }
            }
            (opcode::KILL, password) => Self::Kill { password: Opaque(password) },
            (opcode::SET_MATCH, payload) => Self::parse_match(payload, wrong_len)?,
            (opcode::TAG_SELECT, &[_, _, _, _, _, mask_bits, ref rest @ ..])
                if rest.len() != usize::from(mask_bits).div_ceil(8) + 1 =>
            {
                return Err(wrong_len);
            }
            (opcode::WRITE_6B, &[_, _, _, _, _, _, _, _, _, len, ref data @ ..])
                if usize::from(len) != data.len() =>
            {
                return Err(wrong_len);
            }
            (opcode::WRITE_GPIO, &[pin, level]) => Self::SetOutput { pin, level },
            (opcode, &[value]) => Self::with_one_byte(opcode, value, payload),
            (opcode, data) => Self::Other { opcode, data: Opaque(data) },
        })
    }

    fn with_one_byte(opcode: u8, value: u8, payload: &'a [u8]) -> Self {
        match opcode {
            opcode::SET_BAUD => Self::SetBaud { code: value },
            opcode::SET_ADDRESS => Self::SetAddress { address: value },
            opcode::SET_ANTENNA => Self::SetAntenna { antenna: value },
            opcode::SET_TEMPORARY_POWER => Self::SetTemporaryPower { power_dbm: value },
            opcode::SET_BEEPER => Self::SetBeeper { mode: value },
            opcode::SET_DETECTOR => Self::SetDetector { threshold_db: value },
            opcode::SET_PROFILE => Self::SetProfile { profile: value },
            opcode::RETURN_LOSS => Self::ReturnLoss { channel: value },
            opcode::INVENTORY => Self::Inventory { repeat: value },
            opcode::REAL_TIME => Self::RealTime { repeat: value },
            opcode::SET_FAST_TID => Self::SetFastTid { save: false, status: value },
            opcode::SAVE_FAST_TID => Self::SetFastTid { save: true, status: value },
            _ => Self::Other { opcode, data: Opaque(payload) },
        }
    }

    fn parse_write(
        payload: &'a [u8],
        block: bool,
        wrong_len: MeaningError,
    ) -> Result<Self, MeaningError> {
        let mut fields = Fields(payload);
        let password = Opaque(fields.bytes(4, "password")?);
        let [bank, address, words] = fields.array("memory")?;
        let data = Opaque(fields.0);
        if data.0.len() != usize::from(words) * 2 {
            return Err(wrong_len);
        }
        Ok(Self::Write { block, password, memory: Memory { bank, address, words }, data })
    }

    fn parse_match(payload: &'a [u8], wrong_len: MeaningError) -> Result<Self, MeaningError> {
        match *payload {
            [mode] => Ok(Self::SetMatch { mode, epc: None }),
            [mode, len, ref epc @ ..] if usize::from(len) == epc.len() => {
                Ok(Self::SetMatch { mode, epc: Some(Opaque(epc)) })
            }
            _ => Err(wrong_len),
        }
    }

    /// Builds the frame for the reader with this address.
    ///
    /// # Panics
    /// If the arguments exceed what one frame can hold.
    #[must_use]
    pub fn emit(&self, address: u8) -> FrameBuf {
        frame::emit(address, self.opcode(), |frame| self.put(frame))
    }

    fn put(&self, frame: FrameBuf) -> FrameBuf {
        match *self {
            Self::Ask { .. } => frame,
            Self::SetBaud { code: value }
            | Self::SetAddress { address: value }
            | Self::SetAntenna { antenna: value }
            | Self::SetTemporaryPower { power_dbm: value }
            | Self::SetBeeper { mode: value }
            | Self::SetDetector { threshold_db: value }
            | Self::SetProfile { profile: value }
            | Self::ReturnLoss { channel: value }
            | Self::Inventory { repeat: value }
            | Self::RealTime { repeat: value }
            | Self::SetFastTid { status: value, .. } => frame.put(&[value]),
            Self::SetPower { power_dbm: values } | Self::SetIdentifier { identifier: values } => {
                frame.put(values)
            }
            Self::SetRegion(region) => region.put(frame),
            Self::SetOutput { pin, level } => frame.put(&[pin, level]),
            Self::FastSwitch(FastSwitch { pairs, interval_ms, extension, repeat }) => {
                frame.put(pairs).put(&[interval_ms]).put(extension).put(&[repeat])
            }
            Self::Session { session, target, options, repeat } => {
                frame.put(&[session, target]).put(options).put(&[repeat])
            }
            Self::Read { memory: Memory { bank, address, words }, password } => {
                frame.put(&[bank, address, words]).put(password.0)
            }
            Self::Write { password, memory: Memory { bank, address, words }, data, .. } => {
                frame.put(password.0).put(&[bank, address, words]).put(data.0)
            }
            Self::Lock { password, bank, action } => frame.put(password.0).put(&[bank, action]),
            Self::Kill { password: data } | Self::Other { data, .. } => frame.put(data.0),
            Self::SetMatch { mode, epc: None } => frame.put(&[mode]),
            Self::SetMatch { mode, epc: Some(epc) } => {
                let len = u8::try_from(epc.0.len()).expect("a payload has at most 252 bytes");
                frame.put(&[mode, len]).put(epc.0)
            }
        }
    }

    /// The command's code.
    #[must_use]
    pub fn opcode(&self) -> u8 {
        match *self {
            Self::Ask { opcode } | Self::Other { opcode, .. } => opcode,
            Self::SetBaud { .. } => opcode::SET_BAUD,
            Self::SetAddress { .. } => opcode::SET_ADDRESS,
            Self::SetAntenna { .. } => opcode::SET_ANTENNA,
            Self::SetPower { .. } => opcode::SET_POWER,
            Self::SetTemporaryPower { .. } => opcode::SET_TEMPORARY_POWER,
            Self::SetRegion(_) => opcode::SET_REGION,
            Self::SetBeeper { .. } => opcode::SET_BEEPER,
            Self::SetDetector { .. } => opcode::SET_DETECTOR,
            Self::SetOutput { .. } => opcode::WRITE_GPIO,
            Self::SetIdentifier { .. } => opcode::SET_IDENTIFIER,
            Self::SetProfile { .. } => opcode::SET_PROFILE,
            Self::ReturnLoss { .. } => opcode::RETURN_LOSS,
            Self::Inventory { .. } => opcode::INVENTORY,
            Self::RealTime { .. } => opcode::REAL_TIME,
            Self::FastSwitch(_) => opcode::FAST_SWITCH,
            Self::Session { .. } => opcode::SESSION,
            Self::SetFastTid { save: false, .. } => opcode::SET_FAST_TID,
            Self::SetFastTid { save: true, .. } => opcode::SAVE_FAST_TID,
            Self::Read { .. } => opcode::READ,
            Self::Write { block: false, .. } => opcode::WRITE,
            Self::Write { block: true, .. } => opcode::BLOCK_WRITE,
            Self::Lock { .. } => opcode::LOCK,
            Self::Kill { .. } => opcode::KILL,
            Self::SetMatch { .. } => opcode::SET_MATCH,
        }
    }
}
