//! What a reader says unasked, beside tags.

use super::MeaningError;
use super::parameter::{Parameter, ParameterKind, Parameters};
use crate::codec::{Fields, Opaque};

/// The events of a notification, one after the other; one for each parameter but the time.
pub fn events(
    notification: Parameters<'_>,
) -> impl Iterator<Item = Result<ReaderEvent<'_>, MeaningError>> {
    let data = notification.find(ParameterKind::READER_EVENT_NOTIFICATION_DATA);
    // The lengths inside have been checked with those of the message.
    let parts = data.and_then(|data| data.nested(0).ok()).unwrap_or_default();
    parts
        .iter()
        .filter(|part| !matches!(part.kind, ParameterKind::UTC_TIMESTAMP | ParameterKind::UPTIME))
        .map(ReaderEvent::parse)
}

/// Something that happened to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReaderEvent<'a> {
    /// Somebody, perhaps we, tried to connect.
    ConnectionAttempt(ConnectionAttempt),
    /// The reader is about to close the connection.
    ConnectionClose,
    /// An antenna.
    Antenna {
        /// Its port, counted from 1.
        port: u16,
        /// What became of it.
        change: AntennaChange,
    },
    /// A specification of what to read.
    RoSpec {
        /// Which.
        id: u32,
        /// What became of it.
        change: RoSpecChange,
    },
    /// One round of reading is over.
    AiSpecEnded,
    /// Reports were lost because nobody took them.
    ReportBufferOverflow,
    /// Reports will be lost if nobody takes them.
    ReportBufferLevel {
        /// How full it is.
        percent: u8,
    },
    /// The reader could not do its work.
    Exception {
        /// The reader's words, in UTF-8. They may quote what they are about.
        message: Opaque<'a>,
        /// The antenna it is about, counted from 1.
        antenna: Option<u16>,
    },
    /// Anything else.
    Other(ParameterKind),
}

/// How an attempt to connect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionAttempt {
    /// The connection stands.
    Success,
    /// The reader has called a host itself and talks to it.
    ReaderInitiatedExists,
    /// The reader talks to another host.
    ClientInitiatedExists,
    /// It failed for some other reason.
    Failed,
    /// The connection stands; another host has tried to connect and was turned away.
    AnotherAttempted,
    /// A result that is not in the standard.
    Unknown(u16),
}

impl From<u16> for ConnectionAttempt {
    fn from(status: u16) -> Self {
        match status {
            0 => Self::Success,
            1 => Self::ReaderInitiatedExists,
            2 => Self::ClientInitiatedExists,
            3 => Self::Failed,
            4 => Self::AnotherAttempted,
            unknown => Self::Unknown(unknown),
        }
    }
}

/// What became of an antenna.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AntennaChange {
    /// It is gone.
    Disconnected,
    /// It is back.
    Connected,
}

/// What became of a specification of what to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoSpecChange {
    /// It runs.
    Started,
    /// It does not run any more.
    Ended,
    /// It had to make room for another.
    Preempted,
}

impl<'a> ReaderEvent<'a> {
    fn parse(part: Parameter<'a>) -> Result<Self, MeaningError> {
        let mut fields = Fields(part.body);
        let event = match part.kind {
            ParameterKind::CONNECTION_ATTEMPT_EVENT => {
                Self::ConnectionAttempt(fields.u16("connection_status")?.into())
            }
            ParameterKind::CONNECTION_CLOSE_EVENT => Self::ConnectionClose,
            ParameterKind::ANTENNA_EVENT => {
                let change = match fields.u8("event_type")? {
                    0 => AntennaChange::Disconnected,
                    1 => AntennaChange::Connected,
                    _ => return Ok(Self::Other(part.kind)),
                };
                Self::Antenna { port: fields.u16("antenna")?, change }
            }
            ParameterKind::RO_SPEC_EVENT => {
                let change = match fields.u8("event_type")? {
                    0 => RoSpecChange::Started,
                    1 => RoSpecChange::Ended,
                    2 => RoSpecChange::Preempted,
                    _ => return Ok(Self::Other(part.kind)),
                };
                Self::RoSpec { id: fields.u32("rospec_id")?, change }
            }
            ParameterKind::AI_SPEC_EVENT => Self::AiSpecEnded,
            ParameterKind::REPORT_BUFFER_OVERFLOW_ERROR_EVENT => Self::ReportBufferOverflow,
            ParameterKind::REPORT_BUFFER_LEVEL_WARNING_EVENT => {
                Self::ReportBufferLevel { percent: fields.u8("full_percent")? }
            }
            ParameterKind::READER_EXCEPTION_EVENT => {
                let len = fields.u16("message")?;
                let message = Opaque(fields.bytes(usize::from(len), "message")?);
                let about = Parameters::new_checked(fields.0)?;
                let antenna = about.find(ParameterKind::ANTENNA_ID);
                let antenna = antenna.map(|id| Fields(id.body).u16("antenna")).transpose()?;
                Self::Exception { message, antenna }
            }
            other => Self::Other(other),
        };
        Ok(event)
    }
}
