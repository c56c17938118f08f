//! What a module says: answers, and the tags that it hears.

use super::error_code::ErrorCode;
use super::frame::{Builder, Frame, FrameKind, Marks};
use super::parts::{Demodulator, PinOperation, Select};
use super::tag::{TagIdentity, TagNotice};
use super::{MeaningError, opcode};
use crate::codec::{Fields, FrameBuf, Opaque};

/// What a command that sets something came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SetOutcome(pub u8);

impl SetOutcome {
    /// It is done.
    pub const DONE: Self = Self(0);
}

/// A module's frame, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// A tag was heard.
    Tag {
        /// The poll that heard it: the manual's text has 27 for a multi poll, its examples and all
        /// captures have 22.
        command: u8,
        /// The tag.
        notice: TagNotice<'a>,
    },
    /// It was not done. With [`ErrorCode::NO_TAG`] while polling, a round without a tag: the sign
    /// of life.
    Refused {
        /// Why not.
        code: ErrorCode,
        /// The tag that it was tried on, where it came so far.
        tag: Option<TagIdentity<'a>>,
    },
    /// Who it is.
    Info {
        /// 0 hardware, 1 software, 2 maker.
        what: u8,
        /// In the vendor's words.
        text: Opaque<'a>,
    },
    /// What a command without further answer came to. The answer to "set select mode" carries the
    /// code of "set select parameters".
    Done {
        /// What was told.
        command: u8,
        /// What came of it.
        outcome: SetOutcome,
    },
    /// Which tags take part.
    Select(Select<'a>),
    /// How tags are asked to answer; see [`super::Command::SetQuery`].
    Query {
        /// The bits of the Gen2 command.
        bits: u16,
    },
    /// The region.
    Region(u8),
    /// The channel's place in the region.
    Channel(u8),
    /// The power.
    Power {
        /// Hundredths of a dBm.
        power_cdbm: u16,
    },
    /// How the receiver demodulates.
    Demodulator(Demodulator),
    /// What was measured on each channel.
    Scan {
        /// [`opcode::SCAN_JAMMER`] or [`opcode::SCAN_RSSI`].
        command: u8,
        /// The first channel.
        first: u8,
        /// The last channel.
        last: u8,
        /// One signed byte for each.
        levels_dbm: Opaque<'a>,
    },
    /// What came of an operation on a pin.
    Pin(PinOperation),
    /// What a tag's memory holds.
    Memory {
        /// The tag.
        tag: TagIdentity<'a>,
        /// Whole words.
        data: Opaque<'a>,
    },
    /// Something was done to a tag.
    Accessed {
        /// What was told; a few commands are answered with a code of their own.
        command: u8,
        /// The tag.
        tag: TagIdentity<'a>,
        /// A zero for success, or what the tag gave.
        result: Opaque<'a>,
    },
    /// An armed NXP tag passes.
    EasAlarm([u8; 8]),
    /// Anything else.
    Other {
        /// Answer or notice.
        kind: FrameKind,
        /// What was told.
        command: u8,
        /// What came of it.
        parameters: Opaque<'a>,
    },
}

impl<'a> Reply<'a> {
    /// Understands a module's frame; what has no meaning here becomes [`Reply::Other`].
    ///
    /// # Errors
    /// Refuses commands, and frames whose fields do not add up.
    pub fn parse(frame: Frame<'a>) -> Result<Self, MeaningError> {
        let (kind, command, parameters) = (frame.kind(), frame.command(), frame.parameters());
        match kind {
            FrameKind::Command => Err(MeaningError::Direction),
            FrameKind::Notice => match command {
                opcode::SINGLE_POLL | opcode::MULTI_POLL => {
                    Ok(Self::Tag { command, notice: TagNotice::parse(parameters)? })
                }
                _ => Ok(Self::Other { kind, command, parameters: Opaque(parameters) }),
            },
            FrameKind::Answer => Self::parse_answer(command, parameters),
        }
    }

    fn parse_answer(command: u8, parameters: &'a [u8]) -> Result<Self, MeaningError> {
        let mut fields = Fields(parameters);
        let reply = match command {
            opcode::FAILED => Self::Refused {
                code: ErrorCode(fields.u8("error")?),
                tag: (!fields.0.is_empty())
                    .then(|| TagIdentity::parse_counted(&mut fields))
                    .transpose()?,
            },
            opcode::INFO => Self::Info { what: fields.u8("what")?, text: rest(&mut fields)? },
            opcode::SELECT => Self::Select(Select::parse(fields.bytes(fields.0.len(), "select")?)?),
            opcode::QUERY => Self::Query { bits: fields.u16("query")? },
            opcode::REGION => Self::Region(fields.u8("region")?),
            opcode::CHANNEL => Self::Channel(fields.u8("channel")?),
            opcode::POWER => Self::Power { power_cdbm: fields.u16("power")? },
            opcode::DEMODULATOR => {
                Self::Demodulator(Demodulator::parse(fields.bytes(fields.0.len(), "demodulator")?)?)
            }
            opcode::SCAN_JAMMER | opcode::SCAN_RSSI => Self::Scan {
                command,
                first: fields.u8("first channel")?,
                last: fields.u8("last channel")?,
                levels_dbm: rest(&mut fields)?,
            },
            opcode::PIN => Self::Pin(PinOperation {
                operation: fields.u8("operation")?,
                pin: fields.u8("pin")?,
                value: fields.u8("value")?,
            }),
            opcode::READ_MEMORY => Self::Memory {
                tag: TagIdentity::parse_counted(&mut fields)?,
                data: rest(&mut fields)?,
            },
            opcode::WRITE_MEMORY
            | opcode::KILL
            | opcode::LOCK
            | opcode::BLOCK_PERMALOCK
            | opcode::BLOCK_PERMALOCK_DONE
            | opcode::NXP_CHANGE_CONFIG
            | opcode::NXP_READ_PROTECT
            | opcode::NXP_READ_PROTECT_RESET
            | opcode::NXP_CHANGE_EAS
            | opcode::MONZA_QT
            | opcode::MONZA_QT_DONE => Self::Accessed {
                command,
                tag: TagIdentity::parse_counted(&mut fields)?,
                result: rest(&mut fields)?,
            },
            opcode::NXP_EAS_ALARM if parameters.len() == 8 => {
                Self::EasAlarm(fields.array("alarm code")?)
            }
            _ => match *parameters {
                [outcome] if opcode::name(command).is_some() => {
                    return Ok(Self::Done { command, outcome: SetOutcome(outcome) });
                }
                _ => {
                    let kind = FrameKind::Answer;
                    return Ok(Self::Other { kind, command, parameters: Opaque(parameters) });
                }
            },
        };
        fields.end()?;
        Ok(reply)
    }

    /// Builds the frame.
    ///
    /// # Panics
    /// If what the caller gave exceeds what one frame can hold.
    #[must_use]
    pub fn emit(&self, marks: Marks) -> FrameBuf {
        let (kind, command) = self.kind_and_command();
        let frame = Builder::new(marks, kind, command);
        match self {
            Self::Tag { notice, .. } => notice.emit(frame),
            Self::Refused { code, tag } => {
                let frame = frame.put(&[code.0]);
                match tag {
                    Some(tag) => tag.emit_counted(frame),
                    None => frame,
                }
            }
            Self::Info { what, text } => frame.put(&[*what]).put(text.0),
            Self::Done { outcome, .. } => frame.put(&[outcome.0]),
            Self::Select(select) => select.emit(frame),
            Self::Query { bits: word } | Self::Power { power_cdbm: word } => {
                frame.put(&word.to_be_bytes())
            }
            Self::Region(byte) | Self::Channel(byte) => frame.put(&[*byte]),
            Self::Demodulator(demodulator) => demodulator.emit(frame),
            Self::Scan { first, last, levels_dbm, .. } => {
                frame.put(&[*first, *last]).put(levels_dbm.0)
            }
            Self::Pin(pin) => frame.put(&[pin.operation, pin.pin, pin.value]),
            Self::Memory { tag, data: bytes } | Self::Accessed { tag, result: bytes, .. } => {
                tag.emit_counted(frame).put(bytes.0)
            }
            Self::EasAlarm(code) => frame.put(code),
            Self::Other { parameters, .. } => frame.put(parameters.0),
        }
        .finish()
    }

    fn kind_and_command(&self) -> (FrameKind, u8) {
        let command = match self {
            Self::Tag { command, .. } => return (FrameKind::Notice, *command),
            Self::Other { kind, command, .. } => return (*kind, *command),
            Self::Refused { .. } => opcode::FAILED,
            Self::Info { .. } => opcode::INFO,
            Self::Select(_) => opcode::SELECT,
            Self::Query { .. } => opcode::QUERY,
            Self::Region(_) => opcode::REGION,
            Self::Channel(_) => opcode::CHANNEL,
            Self::Power { .. } => opcode::POWER,
            Self::Demodulator(_) => opcode::DEMODULATOR,
            Self::Pin(_) => opcode::PIN,
            Self::Memory { .. } => opcode::READ_MEMORY,
            Self::EasAlarm(_) => opcode::NXP_EAS_ALARM,
            Self::Done { command, .. }
            | Self::Scan { command, .. }
            | Self::Accessed { command, .. } => *command,
        };
        (FrameKind::Answer, command)
    }
}

fn rest<'a>(fields: &mut Fields<'a>) -> Result<Opaque<'a>, MeaningError> {
    Ok(Opaque(fields.bytes(fields.0.len(), "rest")?))
}
