//! What a session hears.

use super::super::codec::{ErrorCode, PinOperation, Reply, SetOutcome, TagNotice, opcode};

/// A module's frame, as far as the conversation depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Heard<'a> {
    /// A round with a tag.
    Tag(TagNotice<'a>),
    /// A round without one.
    NoTag,
    /// A round that could not be run, because all channels were occupied.
    NoChannel,
    /// A poll has ended as it was told.
    Stopped,
    Info {
        text: &'a [u8],
    },
    Done {
        command: u8,
        outcome: SetOutcome,
    },
    /// The answer to any command may be this.
    Refused,
    Pin(PinOperation),
    /// An answer to a question that this session does not ask.
    Unasked,
}

impl<'a> From<Reply<'a>> for Heard<'a> {
    fn from(reply: Reply<'a>) -> Self {
        match reply {
            Reply::Tag { notice, .. } => Self::Tag(notice),
            Reply::Refused { code: ErrorCode::NO_TAG, .. } => Self::NoTag,
            Reply::Refused { code: ErrorCode::NO_FREE_CHANNEL, .. } => Self::NoChannel,
            Reply::Refused { .. } => Self::Refused,
            Reply::Done { command: opcode::STOP_POLL, .. } => Self::Stopped,
            Reply::Done { command, outcome } => Self::Done { command, outcome },
            Reply::Info { text, .. } => Self::Info { text: text.0 },
            Reply::Pin(pin) => Self::Pin(pin),
            Reply::Select(_)
            | Reply::Query { .. }
            | Reply::Region(_)
            | Reply::Channel(_)
            | Reply::Power { .. }
            | Reply::Demodulator(_)
            | Reply::Scan { .. }
            | Reply::Memory { .. }
            | Reply::Accessed { .. }
            | Reply::EasAlarm(_)
            | Reply::Other { .. } => Self::Unasked,
        }
    }
}
