//! What a host tells a module.

use super::frame::{Builder, Frame, FrameKind, Marks};
use super::parts::{Access, Demodulator, Password, PinOperation, Select, password, put_password};
use super::{MeaningError, opcode};
use crate::codec::{Fields, FieldsError, FrameBuf, Opaque};

/// The byte that stands before the number of rounds. The manual calls it reserved.
const MULTI_POLL_RESERVED: u8 = 0x22;
/// The byte within the idle command that is "fixed at 01".
const IDLE_RESERVED: u8 = 0x01;

/// A host's frame, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// Who are you: 0 hardware, 1 software, 2 maker.
    Info {
        /// Which of them.
        what: u8,
    },
    /// Look for tags once.
    SinglePoll,
    /// Look for tags again and again.
    MultiPoll {
        /// How often.
        rounds: u16,
    },
    /// Stop looking.
    StopPoll,
    /// Let only some tags take part.
    SetSelect(Select<'a>),
    /// Which tags take part?
    Select,
    /// When to select: 0 always, 1 never, 2 for anything but polling.
    SetSelectMode {
        /// Which of them.
        mode: u8,
    },
    /// Read a tag's memory.
    ReadMemory(Access),
    /// Write it.
    WriteMemory {
        /// Where to.
        access: Access,
        /// What.
        data: Opaque<'a>,
    },
    /// Lock or open parts of it.
    Lock {
        /// Opens the tag.
        password: Password,
        /// Mask and action, the low 20 bits (EPC Gen2 v1.2.0, 6.3.2.11.3.5).
        payload: [u8; 3],
    },
    /// Silence a tag for good.
    Kill {
        /// Its kill password.
        password: Password,
    },
    /// Change the line's rate. There is no answer.
    SetBaud {
        /// Bits per second, in hundreds.
        hundreds: u16,
    },
    /// How are tags asked to answer?
    Query,
    /// Ask tags to answer so.
    SetQuery {
        /// DR, M, `TRext`, Sel, session, target and Q of the Gen2 command, from the top bit down.
        bits: u16,
    },
    /// Which region?
    Region,
    /// Use a radio region.
    SetRegion {
        /// 1 China 900, 2 America, 3 Europe, 4 China 800, 6 Korea.
        region: u8,
    },
    /// Which channel?
    Channel,
    /// Use one channel.
    SetChannel {
        /// Its place in the region.
        index: u8,
    },
    /// Hop over channels.
    SetHopping {
        /// FF to do so, 0 not to.
        on: u8,
    },
    /// Hop over these channels.
    InsertChannels {
        /// Their places in the region.
        channels: Opaque<'a>,
    },
    /// How much power?
    Power,
    /// Use this much power.
    SetPower {
        /// Hundredths of a dBm.
        power_cdbm: u16,
    },
    /// Send an unmodulated carrier.
    SetCarrier {
        /// FF to do so, 0 not to.
        on: u8,
    },
    /// How does the receiver demodulate?
    Demodulator,
    /// Demodulate so.
    SetDemodulator(Demodulator),
    /// Measure what blocks each channel.
    ScanJammer,
    /// Measure what is received on each channel.
    ScanRssi,
    /// Do something with a pin.
    Pin(PinOperation),
    /// Sleep until a byte comes.
    Sleep,
    /// Sleep after a while without work.
    SetIdleSleep {
        /// 1 to 30; 0 for never.
        minutes: u8,
    },
    /// Turn the radio's supply off.
    Idle {
        /// 1 to do so, 0 not to.
        enter: u8,
        /// After how much time without work it happens by itself; 0 for never.
        minutes: u8,
    },
    /// NXP: hide a tag's memory, or show it again.
    NxpReadProtect {
        /// Opens the tag.
        password: Password,
        /// 0 to hide, 1 to show.
        reset: u8,
    },
    /// NXP: arm a tag against theft, or disarm it.
    NxpChangeEas {
        /// Opens the tag.
        password: Password,
        /// 1 to arm, 0 to disarm.
        armed: u8,
    },
    /// NXP: does an armed tag pass?
    NxpEasAlarm,
    /// NXP: flip bits of a tag's configuration.
    NxpChangeConfig {
        /// Opens the tag.
        password: Password,
        /// The bits to flip; none to read them.
        flip: u16,
    },
    /// Impinj: read or write a tag's QT control word.
    MonzaQt {
        /// Opens the tag.
        password: Password,
        /// 0 to read, 1 to write.
        write: u8,
        /// 1 to make it last.
        persistent: u8,
        /// The word.
        control: u16,
    },
    /// Lock blocks of a tag's memory for good, or read which are.
    BlockPermalock {
        /// Opens the tag.
        password: Password,
        /// 0 to read, 1 to lock.
        lock: u8,
        /// 3 user.
        bank: u8,
        /// The first block, in units of 16.
        pointer: u16,
        /// How many, in units of 16.
        range: u8,
        /// Which; empty to read.
        mask: Opaque<'a>,
    },
    /// Anything else.
    Other {
        /// The command.
        command: u8,
        /// Its parameters.
        parameters: Opaque<'a>,
    },
}

impl<'a> Command<'a> {
    /// Understands a host's frame; what has no meaning here becomes [`Command::Other`].
    ///
    /// # Errors
    /// Refuses frames of a module.
    pub fn parse(frame: Frame<'a>) -> Result<Self, MeaningError> {
        match frame.kind() {
            FrameKind::Command => {
                let (command, parameters) = (frame.command(), frame.parameters());
                let known = Self::known(command, parameters)
                    .or_else(|| Self::tag_command(command, parameters).ok().flatten());
                Ok(known.unwrap_or(Self::Other { command, parameters: Opaque(parameters) }))
            }
            FrameKind::Answer | FrameKind::Notice => Err(MeaningError::Direction),
        }
    }

    /// The commands to the module itself.
    fn known(command: u8, parameters: &'a [u8]) -> Option<Self> {
        Some(match (command, parameters) {
            (opcode::INFO, &[what]) => Self::Info { what },
            (opcode::SINGLE_POLL, []) => Self::SinglePoll,
            (opcode::MULTI_POLL, &[MULTI_POLL_RESERVED, high, low]) => {
                Self::MultiPoll { rounds: u16::from_be_bytes([high, low]) }
            }
            (opcode::STOP_POLL, []) => Self::StopPoll,
            (opcode::SET_SELECT, parameters) => Self::SetSelect(Select::parse(parameters).ok()?),
            (opcode::SELECT, []) => Self::Select,
            (opcode::SET_SELECT_MODE, &[mode]) => Self::SetSelectMode { mode },
            (opcode::SET_BAUD, &[high, low]) => {
                Self::SetBaud { hundreds: u16::from_be_bytes([high, low]) }
            }
            (opcode::QUERY, []) => Self::Query,
            (opcode::SET_QUERY, &[high, low]) => {
                Self::SetQuery { bits: u16::from_be_bytes([high, low]) }
            }
            (opcode::REGION, []) => Self::Region,
            (opcode::SET_REGION, &[region]) => Self::SetRegion { region },
            (opcode::CHANNEL, []) => Self::Channel,
            (opcode::SET_CHANNEL, &[index]) => Self::SetChannel { index },
            (opcode::SET_HOPPING, &[on]) => Self::SetHopping { on },
            (opcode::INSERT_CHANNELS, [count, channels @ ..])
                if usize::from(*count) == channels.len() =>
            {
                Self::InsertChannels { channels: Opaque(channels) }
            }
            (opcode::POWER, []) => Self::Power,
            (opcode::SET_POWER, &[high, low]) => {
                Self::SetPower { power_cdbm: u16::from_be_bytes([high, low]) }
            }
            (opcode::SET_CARRIER, &[on]) => Self::SetCarrier { on },
            (opcode::DEMODULATOR, []) => Self::Demodulator,
            (opcode::SET_DEMODULATOR, parameters) => {
                Self::SetDemodulator(Demodulator::parse(parameters).ok()?)
            }
            (opcode::SCAN_JAMMER, []) => Self::ScanJammer,
            (opcode::SCAN_RSSI, []) => Self::ScanRssi,
            (opcode::PIN, &[operation, pin, value]) => {
                Self::Pin(PinOperation { operation, pin, value })
            }
            (opcode::SLEEP, []) => Self::Sleep,
            (opcode::SET_IDLE_SLEEP, &[minutes]) => Self::SetIdleSleep { minutes },
            (opcode::IDLE, &[enter, IDLE_RESERVED, minutes]) => Self::Idle { enter, minutes },
            (opcode::NXP_EAS_ALARM, []) => Self::NxpEasAlarm,
            _ => return None,
        })
    }

    /// The commands to one tag; `None` for any other.
    fn tag_command(command: u8, parameters: &'a [u8]) -> Result<Option<Self>, FieldsError> {
        let mut fields = Fields(parameters);
        let understood = match command {
            opcode::READ_MEMORY => Self::ReadMemory(Access::parse(&mut fields)?),
            opcode::WRITE_MEMORY => {
                let access = Access::parse(&mut fields)?;
                let data = Opaque(fields.bytes(2 * usize::from(access.words), "data")?);
                Self::WriteMemory { access, data }
            }
            opcode::LOCK => {
                Self::Lock { password: password(&mut fields)?, payload: fields.array("payload")? }
            }
            opcode::KILL => Self::Kill { password: password(&mut fields)? },
            opcode::NXP_READ_PROTECT => Self::NxpReadProtect {
                password: password(&mut fields)?,
                reset: fields.u8("reset")?,
            },
            opcode::NXP_CHANGE_EAS => {
                Self::NxpChangeEas { password: password(&mut fields)?, armed: fields.u8("armed")? }
            }
            opcode::NXP_CHANGE_CONFIG => Self::NxpChangeConfig {
                password: password(&mut fields)?,
                flip: fields.u16("configuration")?,
            },
            opcode::MONZA_QT => Self::MonzaQt {
                password: password(&mut fields)?,
                write: fields.u8("write")?,
                persistent: fields.u8("persistent")?,
                control: fields.u16("control")?,
            },
            opcode::BLOCK_PERMALOCK => Self::BlockPermalock {
                password: password(&mut fields)?,
                lock: fields.u8("lock")?,
                bank: fields.u8("bank")?,
                pointer: fields.u16("pointer")?,
                range: fields.u8("range")?,
                mask: Opaque(fields.bytes(fields.0.len(), "mask")?),
            },
            _ => return Ok(None),
        };
        fields.end()?;
        Ok(Some(understood))
    }

    /// Builds the frame.
    ///
    /// # Panics
    /// If the parameters exceed what one frame can hold, or more than 255 channels are inserted.
    #[must_use]
    pub fn emit(&self, marks: Marks) -> FrameBuf {
        let frame = Builder::new(marks, FrameKind::Command, self.opcode());
        self.put_parameters(frame).finish()
    }

    fn put_parameters(&self, frame: Builder) -> Builder {
        match self {
            Self::SinglePoll
            | Self::StopPoll
            | Self::Select
            | Self::Query
            | Self::Region
            | Self::Channel
            | Self::Power
            | Self::Demodulator
            | Self::ScanJammer
            | Self::ScanRssi
            | Self::Sleep
            | Self::NxpEasAlarm => frame,
            &(Self::Info { what: byte }
            | Self::SetSelectMode { mode: byte }
            | Self::SetRegion { region: byte }
            | Self::SetChannel { index: byte }
            | Self::SetHopping { on: byte }
            | Self::SetCarrier { on: byte }
            | Self::SetIdleSleep { minutes: byte }) => frame.put(&[byte]),
            Self::SetBaud { hundreds: word }
            | Self::SetQuery { bits: word }
            | Self::SetPower { power_cdbm: word } => frame.put(&word.to_be_bytes()),
            Self::MultiPoll { rounds } => {
                frame.put(&[MULTI_POLL_RESERVED]).put(&rounds.to_be_bytes())
            }
            Self::SetSelect(select) => select.emit(frame),
            Self::InsertChannels { channels } => {
                let count = u8::try_from(channels.0.len()).expect("a region has few channels");
                frame.put(&[count]).put(channels.0)
            }
            Self::SetDemodulator(demodulator) => demodulator.emit(frame),
            Self::Pin(pin) => frame.put(&[pin.operation, pin.pin, pin.value]),
            Self::Idle { enter, minutes } => frame.put(&[*enter, IDLE_RESERVED, *minutes]),
            Self::Other { parameters, .. } => frame.put(parameters.0),
            Self::ReadMemory(access) => access.emit(frame),
            Self::WriteMemory { access, data } => access.emit(frame).put(data.0),
            Self::Lock { password, payload } => put_password(frame, *password).put(payload),
            Self::Kill { password } => put_password(frame, *password),
            Self::NxpReadProtect { password, reset: byte }
            | Self::NxpChangeEas { password, armed: byte } => {
                put_password(frame, *password).put(&[*byte])
            }
            Self::NxpChangeConfig { password, flip } => {
                put_password(frame, *password).put(&flip.to_be_bytes())
            }
            Self::MonzaQt { password, write, persistent, control } => {
                let frame = put_password(frame, *password).put(&[*write, *persistent]);
                frame.put(&control.to_be_bytes())
            }
            Self::BlockPermalock { password, lock, bank, pointer, range, mask } => {
                let frame = put_password(frame, *password).put(&[*lock, *bank]);
                frame.put(&pointer.to_be_bytes()).put(&[*range]).put(mask.0)
            }
        }
    }

    /// The command's code.
    #[must_use]
    pub fn opcode(&self) -> u8 {
        match self {
            Self::Info { .. } => opcode::INFO,
            Self::SinglePoll => opcode::SINGLE_POLL,
            Self::MultiPoll { .. } => opcode::MULTI_POLL,
            Self::StopPoll => opcode::STOP_POLL,
            Self::SetSelect(_) => opcode::SET_SELECT,
            Self::Select => opcode::SELECT,
            Self::SetSelectMode { .. } => opcode::SET_SELECT_MODE,
            Self::ReadMemory(_) => opcode::READ_MEMORY,
            Self::WriteMemory { .. } => opcode::WRITE_MEMORY,
            Self::Lock { .. } => opcode::LOCK,
            Self::Kill { .. } => opcode::KILL,
            Self::SetBaud { .. } => opcode::SET_BAUD,
            Self::Query => opcode::QUERY,
            Self::SetQuery { .. } => opcode::SET_QUERY,
            Self::Region => opcode::REGION,
            Self::SetRegion { .. } => opcode::SET_REGION,
            Self::Channel => opcode::CHANNEL,
            Self::SetChannel { .. } => opcode::SET_CHANNEL,
            Self::SetHopping { .. } => opcode::SET_HOPPING,
            Self::InsertChannels { .. } => opcode::INSERT_CHANNELS,
            Self::Power => opcode::POWER,
            Self::SetPower { .. } => opcode::SET_POWER,
            Self::SetCarrier { .. } => opcode::SET_CARRIER,
            Self::Demodulator => opcode::DEMODULATOR,
            Self::SetDemodulator(_) => opcode::SET_DEMODULATOR,
            Self::ScanJammer => opcode::SCAN_JAMMER,
            Self::ScanRssi => opcode::SCAN_RSSI,
            Self::Pin(_) => opcode::PIN,
            Self::Sleep => opcode::SLEEP,
            Self::SetIdleSleep { .. } => opcode::SET_IDLE_SLEEP,
            Self::Idle { .. } => opcode::IDLE,
            Self::NxpReadProtect { .. } => opcode::NXP_READ_PROTECT,
            Self::NxpChangeEas { .. } => opcode::NXP_CHANGE_EAS,
            Self::NxpEasAlarm => opcode::NXP_EAS_ALARM,
            Self::NxpChangeConfig { .. } => opcode::NXP_CHANGE_CONFIG,
            Self::MonzaQt { .. } => opcode::MONZA_QT,
            Self::BlockPermalock { .. } => opcode::BLOCK_PERMALOCK,
            Self::Other { command, .. } => *command,
        }
    }
}
