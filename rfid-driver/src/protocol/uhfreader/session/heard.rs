//! What a reader's frame is to the conversation.

use crate::protocol::uhfreader::codec::{Dialect, ReaderInfo, Reply, Status, TagList, opcode};

/// What a reply is to the conversation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Heard<'a> {
    /// The reader reports unasked, in this dialect.
    Push(Dialect),
    Info(ReaderInfo<'a>),
    /// Tags of an inventory; `Last` where no more follow.
    Tags(TagList<'a>, More),
    Statistics {
        reads_per_s: u16,
        reads: u32,
    },
    /// An inventory ended without a list.
    RoundOver(Status),
    /// A success of another command.
    Done(u8, Reply<'a>),
    /// Another command was refused; operation 0 where it was not understood.
    Refused(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    Follow,
    Last,
}

impl<'a> Heard<'a> {
    pub(super) fn new(reply: Reply<'a>) -> Self {
        match reply {
            Reply::Pushed(list) => Self::Push(list.dialect()),
            Reply::Heartbeat { .. } => Self::Push(Dialect::New288),
            Reply::Info(info) => Self::Info(info),
            Reply::Tags { status: Status::INVENTORY_MORE, list, .. } => {
                Self::Tags(list, More::Follow)
            }
            Reply::Tags { list, .. } => Self::Tags(list, More::Last),
            Reply::Statistics { reads_per_s, reads, .. } => Self::Statistics { reads_per_s, reads },
            // An EAS alarm, which only the older dialect pushes.
            Reply::Refused { opcode: opcode::PUSH, .. } => Self::Push(Dialect::Old18),
            Reply::Refused { opcode: opcode::INVENTORY, status, .. } => Self::RoundOver(status),
            Reply::Refused { opcode, .. } => Self::Refused(opcode),
            Reply::WorkMode { .. } => Self::Done(opcode::WORK_MODE, reply),
            Reply::ScanMode { .. } => Self::Done(opcode::SCAN_MODE, reply),
            Reply::Pins(_) => Self::Done(opcode::PINS, reply),
            Reply::Temperature { .. } => Self::Done(opcode::TEMPERATURE, reply),
            Reply::ReturnLoss(_) => Self::Done(opcode::RETURN_LOSS, reply),
            Reply::SerialNumber(_) => Self::Done(opcode::SERIAL_NUMBER, reply),
            Reply::Done { opcode: opcode::INVENTORY, .. } => Self::RoundOver(Status::SUCCESS),
            Reply::Done { opcode, .. } => Self::Done(opcode, reply),
        }
    }
}
