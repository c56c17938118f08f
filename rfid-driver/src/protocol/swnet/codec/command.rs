//! What a host tells a reader.

use super::frame::{Builder, Frame};
use super::{MeaningError, opcode};
use crate::codec::{Direction, FrameBuf, Opaque};

/// A host's frame, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// Look for tags.
    Inventory,
    /// Which firmware, which reader?
    System,
    /// What is a parameter set to?
    Parameter {
        /// Which: 1 transport, 2 mode, 3 address, 4 filter time, 5 power, 6 beep, 7 baud rate.
        address: u8,
    },
    /// Set a parameter.
    SetParameter {
        /// Which.
        address: u8,
        /// To what.
        value: u8,
    },
    /// Report tags unasked.
    StartRead,
    /// Do so no more.
    StopRead,
    /// Which antennas are there?
    CheckAntennas,
    /// Does the radio module work?
    CheckModule,
    /// Anything else. It may hold a tag's password.
    Other {
        /// The command.
        command: u8,
        /// Its arguments.
        data: Opaque<'a>,
    },
}

impl<'a> Command<'a> {
    /// Understands a host's frame; what has no meaning here becomes [`Command::Other`].
    ///
    /// # Errors
    /// Refuses frames of a reader.
    pub fn parse(frame: Frame<'a>) -> Result<Self, MeaningError> {
        match frame.direction() {
            Direction::FromHost => {}
            Direction::FromReader => return Err(MeaningError::Direction),
        }
        Ok(match (frame.command(), frame.data()) {
            (opcode::INVENTORY, []) => Self::Inventory,
            (opcode::SYSTEM, []) => Self::System,
            (opcode::PARAMETER, &[address]) => Self::Parameter { address },
            (opcode::SET_PARAMETER, &[address, value]) => Self::SetParameter { address, value },
            (opcode::START_READ, []) => Self::StartRead,
            (opcode::STOP_READ, []) => Self::StopRead,
            (opcode::CHECK_ANTENNAS, []) => Self::CheckAntennas,
            (opcode::CHECK_MODULE, []) => Self::CheckModule,
            (command, data) => Self::Other { command, data: Opaque(data) },
        })
    }

    /// Builds the frame, for the reader with this address.
    ///
    /// # Panics
    /// If the arguments exceed what can be built.
    #[must_use]
    pub fn emit(&self, address: u8) -> FrameBuf {
        let frame = |command| Builder::command(address, command);
        match *self {
            Self::Inventory => frame(opcode::INVENTORY),
            Self::System => frame(opcode::SYSTEM),
            Self::Parameter { address } => frame(opcode::PARAMETER).put(&[address]),
            Self::SetParameter { address, value } => {
                frame(opcode::SET_PARAMETER).put(&[address, value])
            }
            Self::StartRead => frame(opcode::START_READ),
            Self::StopRead => frame(opcode::STOP_READ),
            Self::CheckAntennas => frame(opcode::CHECK_ANTENNAS),
            Self::CheckModule => frame(opcode::CHECK_MODULE),
            Self::Other { command, data } => frame(command).put(data.0),
        }
        .finish()
    }
}
