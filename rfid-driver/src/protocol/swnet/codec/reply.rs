//! What a reader says: answers, and what it sends unasked.

use super::frame::{Builder, Frame};
use super::{MeaningError, opcode};
use crate::codec::{Fields, FieldsError, FrameBuf, Opaque};

const STATUS_DONE: u8 = 1;
/// Type, antenna, RSSI.
const RECORD_OVERHEAD: usize = 3;

/// One tag in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagRecord<'a> {
    /// The vendor knows one: 01.
    pub kind: u8,
    /// The antenna port, counted from 1.
    pub antenna: u8,
    /// The EPC, or what else the reader is set to scan.
    pub epc: Opaque<'a>,
    /// Signal strength, in a unit that the manual does not give.
    pub rssi: u8,
}

/// The tags of a report, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagRecords<'a> {
    count: u16,
    bytes: Opaque<'a>,
}

impl<'a> TagRecords<'a> {
    fn parse(count: u16, bytes: &'a [u8]) -> Result<Self, FieldsError> {
        let mut fields = Fields(bytes);
        for _ in 0..count {
            take_record(&mut fields)?;
        }
        fields.end()?;
        Ok(Self { count, bytes: Opaque(bytes) })
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = TagRecord<'a>> + use<'a> {
        let mut fields = Fields(self.bytes.0);
        (0..self.count).map_while(move |_| take_record(&mut fields).ok())
    }
}

fn take_record<'a>(fields: &mut Fields<'a>) -> Result<TagRecord<'a>, FieldsError> {
    let len = usize::from(fields.u8("record length")?);
    let mut record = Fields(fields.bytes(len, "record")?);
    let epc_len = len.checked_sub(RECORD_OVERHEAD).ok_or(FieldsError::Short { field: "record" })?;
    Ok(TagRecord {
        kind: record.u8("type")?,
        antenna: record.u8("antenna")?,
        epc: Opaque(record.bytes(epc_len, "epc")?),
        rssi: record.u8("rssi")?,
    })
}

/// A reader's frame, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// What an inventory found.
    Inventory(TagRecords<'a>),
    /// Tags, reported unasked.
    ActiveData {
        /// The reader's serial number.
        serial: [u8; 7],
        /// The tags.
        tags: TagRecords<'a>,
    },
    /// Over a network, that it is there.
    Heartbeat {
        /// The reader's serial number.
        serial: [u8; 7],
    },
    /// Who it is.
    System {
        /// Firmware, a digit in each half.
        software: u8,
        /// Hardware, likewise.
        hardware: u8,
        /// The reader's serial number.
        serial: [u8; 7],
    },
    /// What a parameter is set to.
    Parameter {
        /// Which.
        address: u8,
        /// To what.
        value: u8,
    },
    /// Which antennas are there.
    Antennas {
        /// A bit for each port, port 1 in the lowest.
        connected: u16,
    },
    /// Any other success.
    Done {
        /// What was told.
        command: u8,
        /// What came of it.
        data: Opaque<'a>,
    },
    /// It was not done. For an inventory: no tag.
    Failed {
        /// What was told.
        command: u8,
        /// Not 1.
        status: u8,
        /// What is added to that.
        data: Opaque<'a>,
    },
}

impl<'a> Reply<'a> {
    /// Understands a reader's frame.
    ///
    /// # Errors
    /// Refuses commands, and frames whose fields do not add up.
    pub fn parse(frame: Frame<'a>) -> Result<Self, MeaningError> {
        let status = frame.status().ok_or(MeaningError::Direction)?;
        let (command, data) = (frame.command(), frame.data());
        if status != STATUS_DONE {
            return Ok(Self::Failed { command, status, data: Opaque(data) });
        }
        let mut fields = Fields(data);
        let reply = match command {
            opcode::INVENTORY => {
                let count = fields.u16("tag count")?;
                let records = fields.bytes(fields.0.len(), "records")?;
                Self::Inventory(TagRecords::parse(count, records)?)
            }
            opcode::ACTIVE_DATA => {
                let serial = fields.array("serial")?;
                let count = u16::from(fields.u8("tag count")?);
                let records = fields.bytes(fields.0.len(), "records")?;
                Self::ActiveData { serial, tags: TagRecords::parse(count, records)? }
            }
            opcode::HEARTBEAT => Self::Heartbeat { serial: fields.array("serial")? },
            opcode::SYSTEM => Self::System {
                software: fields.u8("software")?,
                hardware: fields.u8("hardware")?,
                serial: fields.array("serial")?,
            },
            opcode::PARAMETER => {
                Self::Parameter { address: fields.u8("address")?, value: fields.u8("value")? }
            }
            opcode::CHECK_ANTENNAS => Self::Antennas { connected: fields.u16("antennas")? },
            _ => return Ok(Self::Done { command, data: Opaque(data) }),
        };
        fields.end()?;
        Ok(reply)
    }

    /// Builds the frame, of the reader with this address.
    ///
    /// # Panics
    /// If what the caller gave exceeds what can be built.
    #[must_use]
    pub fn emit(&self, address: u8) -> FrameBuf {
        let done = |command| Builder::reply(address, command, STATUS_DONE);
        match *self {
            Self::Inventory(tags) => {
                done(opcode::INVENTORY).put(&tags.count.to_be_bytes()).put(tags.bytes.0)
            }
            Self::ActiveData { serial, tags } => {
                // Parsed from one byte.
                let [_, count] = tags.count.to_be_bytes();
                done(opcode::ACTIVE_DATA).put(&serial).put(&[count]).put(tags.bytes.0)
            }
            Self::Heartbeat { serial } => done(opcode::HEARTBEAT).put(&serial),
            Self::System { software, hardware, serial } => {
                done(opcode::SYSTEM).put(&[software, hardware]).put(&serial)
            }
            Self::Parameter { address, value } => done(opcode::PARAMETER).put(&[address, value]),
            Self::Antennas { connected } => {
                done(opcode::CHECK_ANTENNAS).put(&connected.to_be_bytes())
            }
            Self::Done { command, data } => done(command).put(data.0),
            Self::Failed { command, status, data } => {
                Builder::reply(address, command, status).put(data.0)
            }
        }
        .finish()
    }
}
