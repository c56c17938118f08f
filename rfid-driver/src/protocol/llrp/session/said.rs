//! What a reader says, as far as a session is concerned.

use crate::protocol::llrp::codec::{
    AntennaChange, ConnectionAttempt, Message, MessageKind, Parameters, ReaderEvent, RoSpecChange,
    Status, StatusCode,
};

/// One thing that a reader says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said<'a> {
    Connection(ConnectionAttempt),
    ConnectionClosing,
    Antenna(u16, AntennaChange),
    InventoryEnded(u32),
    ReportsLost,
    Exception,
    Answer(MessageKind, Status<'a>, Parameters<'a>),
    /// The message with this id made no sense to it.
    Error(u32, StatusCode),
    Tags(Parameters<'a>),
    KeepAlive,
    /// What is no concern of ours.
    Other,
}

impl<'a> Said<'a> {
    /// What a message says that is not about events.
    pub(super) fn of(message: &Message<'a>, id: u32) -> Self {
        match *message {
            Message::Parameters { kind: MessageKind::RO_ACCESS_REPORT, parameters } => {
                Self::Tags(parameters)
            }
            Message::Bare { kind: MessageKind::KEEPALIVE } => Self::KeepAlive,
            Message::Answer { kind: MessageKind::ERROR_MESSAGE, status, .. } => {
                Self::Error(id, status.code)
            }
            Message::Answer { kind, status, parameters } => Self::Answer(kind, status, parameters),
            Message::Parameters { .. }
            | Message::Bare { .. }
            | Message::GetReaderCapabilities { .. }
            | Message::GetReaderConfig { .. }
            | Message::SetReaderConfig { .. }
            | Message::Spec { .. }
            | Message::SetProtocolVersion { .. }
            | Message::SupportedVersion { .. }
            | Message::Other { .. } => Self::Other,
        }
    }
}

impl<'a> From<ReaderEvent<'a>> for Said<'a> {
    fn from(event: ReaderEvent<'a>) -> Self {
        match event {
            ReaderEvent::ConnectionAttempt(attempt) => Self::Connection(attempt),
            ReaderEvent::ConnectionClose => Self::ConnectionClosing,
            ReaderEvent::Antenna { port, change } => Self::Antenna(port, change),
            ReaderEvent::RoSpec { id, change: RoSpecChange::Ended | RoSpecChange::Preempted } => {
                Self::InventoryEnded(id)
            }
            ReaderEvent::ReportBufferOverflow => Self::ReportsLost,
            ReaderEvent::Exception { .. } => Self::Exception,
            ReaderEvent::RoSpec { change: RoSpecChange::Started, .. }
            | ReaderEvent::AiSpecEnded
            | ReaderEvent::ReportBufferLevel { .. }
            | ReaderEvent::Other(_) => Self::Other,
        }
    }
}

/// Why a reader turns us away, for people.
pub(super) fn words(reason: ConnectionAttempt) -> &'static str {
    match reason {
        ConnectionAttempt::Success => "the reader serves us",
        ConnectionAttempt::ReaderInitiatedExists => {
            "the reader is connected to a host that it called itself"
        }
        ConnectionAttempt::ClientInitiatedExists => "the reader serves another host",
        ConnectionAttempt::Failed => "the reader refuses the connection",
        ConnectionAttempt::AnotherAttempted => "the reader reports another host",
        ConnectionAttempt::Unknown(_) => {
            "the reader refuses the connection for a reason that is not in the standard"
        }
    }
}
