//! What a message means.

use super::MeaningError;
use super::frame::{Frame, Version};
use super::kind::MessageKind;
use super::layout;
use super::parameter::{ParameterKind, Parameters};
use super::status::Status;
use super::write::Writer;
use crate::codec::{Fields, FrameBuf, Opaque};

/// What a message means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// What can you do?
    GetReaderCapabilities {
        /// 0 for everything.
        requested: u8,
        /// What vendors add.
        parameters: Parameters<'a>,
    },
    /// What are you set to?
    GetReaderConfig {
        /// The antenna it is about; 0 for all.
        antenna: u16,
        /// 0 for everything; see [`super::Requested`].
        requested: u8,
        /// The input it is about; 0 for all.
        input: u16,
        /// The output it is about; 0 for all.
        output: u16,
        /// What vendors add.
        parameters: Parameters<'a>,
    },
    /// Be set to this.
    SetReaderConfig {
        /// The highest bit says that everything else is set as it came from the factory.
        flags: u8,
        /// The settings.
        parameters: Parameters<'a>,
    },
    /// A message that holds parameters and nothing else: a specification to add, reports, events.
    Parameters {
        /// Which.
        kind: MessageKind,
        /// They.
        parameters: Parameters<'a>,
    },
    /// Delete, start, stop, enable or disable a specification.
    Spec {
        /// Which of them, and whether it is an `ROSpec` or an `AccessSpec`.
        kind: MessageKind,
        /// Its id; 0 for all.
        id: u32,
    },
    /// A message that says everything by its type: keep-alive and its answer, leave, report.
    Bare {
        /// Which.
        kind: MessageKind,
    },
    /// How something went. An error message is an answer to what made no sense.
    Answer {
        /// Which.
        kind: MessageKind,
        /// How it went.
        status: Status<'a>,
        /// What was asked for.
        parameters: Parameters<'a>,
    },
    /// Speak another version from now on.
    SetProtocolVersion {
        /// Its number.
        number: u8,
    },
    /// The versions that the reader speaks.
    SupportedVersion {
        /// The number of the one it speaks now.
        current: u8,
        /// The highest.
        supported: u8,
        /// How the question went.
        status: Status<'a>,
    },
    /// Anything else.
    Other {
        /// Its type.
        kind: MessageKind,
        /// What it holds.
        body: Opaque<'a>,
    },
}

impl<'a> Message<'a> {
    /// Parses a message. All lengths in it are checked, on all levels.
    ///
    /// # Errors
    /// Says what makes no sense.
    pub fn parse(frame: Frame<'a>) -> Result<Self, MeaningError> {
        let kind = frame.kind();
        let mut fields = Fields(frame.body());
        let message = match kind {
            MessageKind::GET_READER_CAPABILITIES => Self::GetReaderCapabilities {
                requested: fields.u8("requested")?,
                parameters: rest(fields)?,
            },
            MessageKind::GET_READER_CONFIG => Self::GetReaderConfig {
                antenna: fields.u16("antenna")?,
                requested: fields.u8("requested")?,
                input: fields.u16("input")?,
                output: fields.u16("output")?,
                parameters: rest(fields)?,
            },
            MessageKind::SET_READER_CONFIG => {
                Self::SetReaderConfig { flags: fields.u8("flags")?, parameters: rest(fields)? }
            }
            MessageKind::ADD_ROSPEC
            | MessageKind::ADD_ACCESSSPEC
            | MessageKind::CLIENT_REQUEST_OP
            | MessageKind::CLIENT_REQUEST_OP_RESPONSE
            | MessageKind::RO_ACCESS_REPORT
            | MessageKind::READER_EVENT_NOTIFICATION => {
                Self::Parameters { kind, parameters: rest(fields)? }
            }
            kind if is_about_a_spec(kind) => {
                let id = fields.u32("id")?;
                fields.end()?;
                Self::Spec { kind, id }
            }
            MessageKind::CLOSE_CONNECTION
            | MessageKind::GET_ROSPECS
            | MessageKind::GET_ACCESSSPECS
            | MessageKind::GET_SUPPORTED_VERSION
            | MessageKind::GET_REPORT
            | MessageKind::KEEPALIVE
            | MessageKind::ENABLE_EVENTS_AND_REPORTS
            | MessageKind::KEEPALIVE_ACK => {
                fields.end()?;
                Self::Bare { kind }
            }
            MessageKind::SET_PROTOCOL_VERSION => {
                let number = fields.u8("version")?;
                fields.end()?;
                Self::SetProtocolVersion { number }
            }
            MessageKind::GET_SUPPORTED_VERSION_RESPONSE => Self::SupportedVersion {
                current: fields.u8("current")?,
                supported: fields.u8("supported")?,
                status: split_status(rest(fields)?)?.0,
            },
            kind if kind.is_answer() => {
                let (status, parameters) = split_status(rest(fields)?)?;
                Self::Answer { kind, status, parameters }
            }
            kind => Self::Other { kind, body: Opaque(fields.0) },
        };
        Ok(message)
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::GetReaderCapabilities { .. } => MessageKind::GET_READER_CAPABILITIES,
            Self::GetReaderConfig { .. } => MessageKind::GET_READER_CONFIG,
            Self::SetReaderConfig { .. } => MessageKind::SET_READER_CONFIG,
            Self::SetProtocolVersion { .. } => MessageKind::SET_PROTOCOL_VERSION,
            Self::SupportedVersion { .. } => MessageKind::GET_SUPPORTED_VERSION_RESPONSE,
            Self::Parameters { kind, .. }
            | Self::Spec { kind, .. }
            | Self::Bare { kind }
            | Self::Answer { kind, .. }
            | Self::Other { kind, .. } => *kind,
        }
    }

    /// Builds the message.
    ///
    /// # Panics
    /// If it would be longer than [`FrameBuf::LEN_MAX`].
    #[must_use]
    pub fn emit(&self, version: Version, id: u32) -> FrameBuf {
        let message = Writer::message(self.kind(), version, id);
        let message = match *self {
            Self::GetReaderCapabilities { requested, parameters } => {
                message.u8(requested).bytes(parameters.as_bytes())
            }
            Self::GetReaderConfig { antenna, requested, input, output, parameters } => message
                .u16(antenna)
                .u8(requested)
                .u16(input)
                .u16(output)
                .bytes(parameters.as_bytes()),
            Self::SetReaderConfig { flags, parameters } => {
                message.u8(flags).bytes(parameters.as_bytes())
            }
            Self::Parameters { parameters, .. } => message.bytes(parameters.as_bytes()),
            Self::Spec { id, .. } => message.u32(id),
            Self::Bare { .. } => message,
            Self::Answer { status, parameters, .. } => {
                put_status(message, status).bytes(parameters.as_bytes())
            }
            Self::SetProtocolVersion { number } => message.u8(number),
            Self::SupportedVersion { current, supported, status } => {
                put_status(message.u8(current).u8(supported), status)
            }
            Self::Other { body, .. } => message.bytes(body.0),
        };
        message.finish()
    }
}

fn is_about_a_spec(kind: MessageKind) -> bool {
    matches!(kind.0, 21..=25 | 41..=43)
}

/// What is left, as parameters.
fn rest(fields: Fields<'_>) -> Result<Parameters<'_>, MeaningError> {
    let parameters = Parameters::new_checked(fields.0)?;
    layout::check(parameters)?;
    Ok(parameters)
}

fn split_status(parameters: Parameters<'_>) -> Result<(Status<'_>, Parameters<'_>), MeaningError> {
    let (status, rest) =
        parameters.split_first(ParameterKind::LLRP_STATUS).ok_or(MeaningError::NoStatus)?;
    Ok((Status::parse(status)?, rest))
}

fn put_status(message: Writer, status: Status<'_>) -> Writer {
    message.tlv(ParameterKind::LLRP_STATUS, |status_parameter| {
        status_parameter
            .u16(status.code.0)
            .counted(status.description.0)
            .bytes(status.about.as_bytes())
    })
}
