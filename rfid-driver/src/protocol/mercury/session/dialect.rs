//! How the module reads continuously: as the vendor's do, or as Silion's, which copy everything but
//! that.
//!
//! Only two things differ for a session: the commands that start and stop reading, chosen by
//! [`Dialect`], and the frames that come while it reads, which [`in_mercury_terms`] translates.
//!
//! Source: Silion's "Asynchronous Inventory" (AA48, AA49), as in crate `rfid-silion-compat`: of the
//! search flags the top bit asks for a heartbeat. No such module was at hand.

use crate::codec::{FrameBuf, Opaque};
use crate::protocol::mercury::codec::{
    Answer, Command, Moduletech, Operation, Reply, StreamRequest, opcode,
};

const START: u16 = 0xAA48;
const STOP: u16 = 0xAA49;
const START_MANY: u16 = 0xAA58;
const STOP_MANY: u16 = 0xAA59;
/// Count, signal, antenna, frequency, time and protocol; no selection; a heartbeat.
const START_ARGUMENTS: [u8; 5] = [0x00, 0x5F, 0x00, 0x80, 0x00];

/// Whose way of reading continuously.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Dialect {
    /// Operation 2F.
    #[default]
    Mercury,
    /// Operation AA.
    Silion,
}

impl Dialect {
    pub(super) fn start(self, request: StreamRequest) -> FrameBuf {
        match self {
            Self::Mercury => Command::StartStream(request).emit(),
            Self::Silion => moduletech(START, &START_ARGUMENTS),
        }
    }

    pub(super) fn stop(self) -> FrameBuf {
        match self {
            Self::Mercury => Command::StopStream.emit(),
            Self::Silion => moduletech(STOP, &[]),
        }
    }
}

fn moduletech(subcommand: u16, data: &[u8]) -> FrameBuf {
    Operation::Moduletech(Moduletech { subcommand, data: Opaque(data) }).emit()
}

/// What a frame of Silion's says, as a module of the vendor would say it; `None` for the others.
pub(super) fn in_mercury_terms<'a>(reply: &Reply<'a>) -> Option<Reply<'a>> {
    match *reply {
        Reply::Refused { opcode: opcode::MODULETECH, status, data } => {
            Some(Reply::Refused { opcode: opcode::STREAM, status, data })
        }
        Reply::Done { opcode: opcode::MODULETECH, data } => {
            match Answer::parse(opcode::MODULETECH, data.0)? {
                Answer::SilionTag(tag) => Some(Reply::Tag(tag.record)),
                Answer::SilionHeartbeat { data } => Some(Reply::KeepAlive { data }),
                Answer::Moduletech(Moduletech { subcommand: START | START_MANY, .. }) => {
                    Some(Reply::StreamStarted)
                }
                Answer::Moduletech(Moduletech { subcommand: STOP | STOP_MANY, .. }) => {
                    Some(Reply::StreamStopped)
                }
                _ => None,
            }
        }
        _ => None,
    }
}
