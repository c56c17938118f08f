//! What of a reader's frames matters to the conversation.

use crate::protocol::r2000::codec::{ErrorCode, Reply, TagReport, opcode};

/// What of a reply matters to the conversation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event<'a> {
    Tag(TagReport<'a>),
    /// The round of this command has ended.
    End(u8),
    AntennaFailed(u8, ErrorCode),
    Version(u8, u8),
    Answer(Reply<'a>),
    Refused(u8, ErrorCode),
    /// What this session never asks for.
    Stray,
}

impl<'a> From<Reply<'a>> for Event<'a> {
    fn from(reply: Reply<'a>) -> Self {
        match reply {
            Reply::Tag(report) => Self::Tag(report),
            Reply::RoundEnd { opcode, .. } => Self::End(opcode),
            Reply::SwitchEnd { .. } => Self::End(opcode::FAST_SWITCH),
            Reply::AntennaFailed { antenna, code, .. } => Self::AntennaFailed(antenna + 1, code),
            Reply::Version { major, minor, .. } => Self::Version(major, minor),
            Reply::Refused { opcode, code } => Self::Refused(opcode, code),
            Reply::Temperature { .. }
            | Reply::Inputs { .. }
            | Reply::ReturnLoss { .. }
            | Reply::Region(_)
            | Reply::Done { .. }
            | Reply::Value { .. } => Self::Answer(reply),
            Reply::BufferedEnd { .. }
            | Reply::Buffered(_)
            | Reply::BufferCount { .. }
            | Reply::Accessed(_) => Self::Stray,
        }
    }
}
