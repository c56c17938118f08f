//! What makes a frame believable in a stream, beyond its sum of eight bits.

use std::ops::RangeInclusive;

use super::frame::{Frame, FrameKind, PARAMETERS_LEN_MAX};
use super::opcode;
use super::reply::Reply;

/// The longest identity of a tag: PC, and 62 bytes of EPC and extended words.
const IDENTITY_LEN_MAX: usize = 64 + 4;
/// Two bytes name the first and the last channel; no region has more than 64.
const SCAN_LEN_MAX: usize = 2 + 64;
const TEXT_LEN_MAX: usize = 1 + 64;
/// Select parameters before the mask, which has 255 bits at most.
const SELECT_LEN: usize = 7;
const MASK_LEN_MAX: usize = 32;

/// How many bytes of parameters such a frame may have; `None` where there is no such frame.
pub(super) fn parameter_lens(kind: FrameKind, command: u8) -> Option<RangeInclusive<usize>> {
    match kind {
        FrameKind::Command => Some(0..=PARAMETERS_LEN_MAX),
        FrameKind::Answer => answer_lens(command),
        FrameKind::Notice => match command {
            opcode::SINGLE_POLL | opcode::MULTI_POLL => Some(5..=3 + IDENTITY_LEN_MAX),
            _ => None,
        },
    }
}

fn answer_lens(command: u8) -> Option<RangeInclusive<usize>> {
    Some(match command {
        opcode::SET_REGION
        | opcode::REGION
        | opcode::SET_SELECT
        | opcode::SET_SELECT_MODE
        | opcode::SET_QUERY
        | opcode::SET_BAUD
        | opcode::SLEEP
        | opcode::IDLE
        | opcode::SET_IDLE_SLEEP
        | opcode::SINGLE_POLL
        | opcode::MULTI_POLL
        | opcode::STOP_POLL
        | opcode::INSERT_CHANNELS
        | opcode::CHANNEL
        | opcode::SET_CHANNEL
        | opcode::SET_HOPPING
        | opcode::SET_CARRIER
        | opcode::SET_POWER
        | opcode::SET_DEMODULATOR => 1..=1,
        opcode::QUERY | opcode::POWER => 2..=2,
        opcode::PIN => 3..=3,
        opcode::DEMODULATOR => 4..=4,
        opcode::INFO => 1..=TEXT_LEN_MAX,
        opcode::SELECT => SELECT_LEN..=SELECT_LEN + MASK_LEN_MAX,
        opcode::SCAN_JAMMER | opcode::SCAN_RSSI => 3..=SCAN_LEN_MAX,
        opcode::READ_MEMORY => 3..=PARAMETERS_LEN_MAX,
        opcode::WRITE_MEMORY
        | opcode::KILL
        | opcode::LOCK
        | opcode::BLOCK_PERMALOCK_DONE
        | opcode::NXP_READ_PROTECT
        | opcode::NXP_READ_PROTECT_RESET
        | opcode::NXP_CHANGE_EAS
        | opcode::MONZA_QT_DONE => 4..=2 + IDENTITY_LEN_MAX,
        opcode::NXP_CHANGE_CONFIG | opcode::MONZA_QT => 5..=3 + IDENTITY_LEN_MAX,
        opcode::BLOCK_PERMALOCK => 4..=PARAMETERS_LEN_MAX,
        opcode::NXP_EAS_ALARM => 1..=8,
        opcode::FAILED => 1..=2 + IDENTITY_LEN_MAX,
        _ => return None,
    })
}

/// Whether what the frame says agrees with itself.
pub(super) fn agrees(frame: Frame<'_>) -> bool {
    match frame.kind() {
        FrameKind::Command => true,
        FrameKind::Answer | FrameKind::Notice => match Reply::parse(frame) {
            Ok(Reply::Tag { notice, .. }) => notice.tag_crc == notice.computed_crc(),
            Ok(Reply::Scan { first, last, levels_dbm, .. }) => {
                usize::from(last) + 1 == usize::from(first) + levels_dbm.0.len()
            }
            Ok(Reply::Select(select)) => select.agrees(),
            Ok(Reply::Other { .. }) | Err(_) => false,
            Ok(_) => true,
        },
    }
}
