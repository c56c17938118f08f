//! What a host wants read: the command 22, alone or inside the command 2F.
//!
//! ```text
//! 22 | [8x] option | search flags u16 | on-time u16 | [off-time u16, flag 0400]
//!    | [metadata flags u16, option 10] | [report flags u16, flags 08 and 20 or 100]
//!    | [tags to stop after u32, flag 40] | [filter] | [01 length operation, flag 04]
//! 22 | on-time u16                                            the oldest form
//! 2F | timeout u16 | 01 | 22 | flags u16 | [tags to stop after u32] | (protocol length 22 …)*
//! 2F | timeout u16 | 11 | metadata flags u16 | 22 | flags u16 | … the same, timed
//! ```
//!
//! The 8x says that fields of newer firmware follow: 88 several filters, 84 read after write. It is
//! sent back in each record. Source: `serial_reader_l3.c`,
//! `TMR_SR_msgSetupReadTagMultipleWithMetadata`, `TMR_SR_msgSetupMultipleProtocolSearch`,
//! `TMR_SR_executeEmbeddedRead`.

use std::time::Duration;

use super::memory::{Banks, TagImage};
use super::select::{Password, Select, short};
use super::sighting::{TagData, known};
use crate::codec::Fields;
use crate::protocol::mercury::codec::{MetadataFlags, Status, opcode};

pub(super) const FLAG_EMBEDDED: u16 = 0x0004;
pub(super) const FLAG_STREAMING: u16 = 0x0008;
const FLAG_LARGE_POPULATION: u16 = 0x0010;
const FLAG_STATUS_REPORT: u16 = 0x0020;
const FLAG_STOP_AFTER: u16 = 0x0040;
const FLAG_STATS_REPORT: u16 = 0x0100;
const FLAG_DUTY_CYCLE: u16 = 0x0400;

pub(super) const OPTION_METADATA: u8 = 0x10;
const PREFIXED: u8 = 0x80;
const PREFIX_SEVERAL: u8 = 0x08;
pub(super) const READ_DATA: u8 = 0x28;
const GEN2: u8 = 0x05;

#[derive(Debug, Clone)]
pub(super) struct Search {
    pub(super) prefix: Option<u8>,
    pub(super) option: u8,
    pub(super) flags: u16,
    pub(super) on_time: Duration,
    /// Zero for a radio that is never off.
    pub(super) off_time: Duration,
    pub(super) metadata: u16,
    pub(super) report: Report,
    pub(super) stop_after: Option<u32>,
    pub(super) select: Select,
    pub(super) embedded: Option<Embedded>,
    /// How the number of tags is answered.
    pub(super) count: Count,
}

/// What is reported between tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    Nothing,
    /// Frequency, temperature, antenna: old flags, bare values.
    Status(u16),
    /// The statistics of the command 6C.
    Stats(u16),
}

/// The answer to a timed read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// One byte and nothing else.
    Bare,
    /// Option and search flags come first.
    Echoed,
    /// The answer to 2F: its option, the operation, its flags.
    Several { flags: u16 },
}

/// A read of memory along with each read of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Embedded {
    banks: Banks,
    first_word: u32,
    words: u8,
}

impl Search {
    /// Everything about every tag, without a pause: what an earlier host has left behind.
    pub(super) fn left_behind() -> Self {
        Self {
            prefix: None,
            option: OPTION_METADATA,
            flags: 0x001B,
            on_time: Duration::from_millis(250),
            off_time: Duration::ZERO,
            metadata: 0x0FFF,
            report: Report::Nothing,
            stop_after: None,
            select: Select::default(),
            embedded: None,
            count: Count::Echoed,
        }
    }

    /// Understands what follows the operation code 22.
    pub(super) fn parse(data: &[u8]) -> Result<Self, Status> {
        if let &[high, low] = data {
            return Ok(Self {
                option: 0,
                flags: 0x0003,
                on_time: millis(u16::from_be_bytes([high, low])),
                metadata: 0,
                count: Count::Bare,
                ..Self::left_behind()
            });
        }
        // Most clients send the flags of reports in two bytes, whatever they hold.
        let parse = |report_len| Self::parse_fields(data, report_len);
        parse(2).or_else(|status| parse(1).or_else(|_one| parse(3)).map_err(|_other| status))
    }

    fn parse_fields(data: &[u8], report_len: usize) -> Result<Self, Status> {
        let mut fields = Fields(data);
        let prefix = take_prefix(&mut fields);
        let option = fields.u8("option").map_err(short)?;
        let flags = fields.u16("search flags").map_err(short)?;
        let mut optional = |asked: bool| match asked {
            true => fields.u16("optional field").map_err(short),
            false => Ok(0),
        };
        let on_time = millis(optional(true)?);
        let off_time = millis(optional(flags & FLAG_DUTY_CYCLE != 0)?);
        let metadata = known(optional(option & OPTION_METADATA != 0)?);
        let report = match flags & FLAG_STREAMING {
            0 => Report::Nothing,
            _ => Report::parse(flags, report_len, &mut fields)?,
        };
        let stop_after = match flags & FLAG_STOP_AFTER {
            0 => None,
            _ => Some(fields.u32("tags to stop after").map_err(short)?),
        };
        let (select, embedded) = parse_end(option, prefix, flags, fields)?;
        Ok(Self {
            prefix,
            option,
            flags,
            on_time,
            off_time,
            metadata,
            report,
            stop_after,
            select,
            embedded,
            count: Count::Echoed,
        })
    }

    /// Understands what follows the operation code 2F, if it starts reading: the search for Gen2
    /// tags, and for how long; `None` for until told to stop.
    pub(super) fn parse_several(data: &[u8]) -> Result<(Self, Option<Duration>), Status> {
        let mut fields = Fields(data);
        let timeout = millis(fields.u16("timeout").map_err(short)?);
        let kind = fields.u8("kind").map_err(short)?;
        let metadata = match kind {
            0x01 => None,
            0x11 => Some(known(fields.u16("metadata flags").map_err(short)?)),
            _ => return Err(Status::INVALID_VALUE),
        };
        if fields.u8("operation").map_err(short)? != opcode::READ_MULTIPLE {
            return Err(Status::UNIMPLEMENTED_FEATURE);
        }
        let flags = fields.u16("flags").map_err(short)?;
        let stop_after = match flags & FLAG_STOP_AFTER {
            0 => None,
            _ => Some(fields.u32("tags to stop after").map_err(short)?),
        };
        let mut gen2 = None;
        while !fields.0.is_empty() {
            let [protocol, len, operation] = fields.array("protocol").map_err(short)?;
            let command = fields.bytes(usize::from(len), "command").map_err(short)?;
            if protocol == GEN2 && operation == opcode::READ_MULTIPLE && gen2.is_none() {
                gen2 = Some(Self::parse(command)?);
            }
        }
        let search = gen2.ok_or(Status::INVALID_PROTOCOL)?;
        let search = Self {
            metadata: metadata.unwrap_or(search.metadata),
            stop_after: stop_after.or(search.stop_after),
            count: Count::Several { flags },
            ..search
        };
        Ok((search, metadata.map(|_timed| timeout)))
    }

    /// The fields with which the answer to a read and each record of one begin.
    pub(super) fn echo(&self) -> Vec<u8> {
        let [high, low] = self.flags.to_be_bytes();
        self.prefix.into_iter().chain([self.option, high, low]).collect()
    }

    /// A record of a continuous read, up to its kind.
    pub(super) fn record_head(&self, metadata: u16, kind: u8) -> Vec<u8> {
        let mut record = self.echo();
        if self.option & OPTION_METADATA != 0 {
            record.extend_from_slice(&metadata.to_be_bytes());
        }
        record.push(kind);
        record
    }

    /// A record without metadata: the option says so.
    pub(super) fn report_head(&self, kind: u8) -> Vec<u8> {
        Self { option: self.option & !OPTION_METADATA, ..self.clone() }.record_head(0, kind)
    }

    /// What newer firmware adds to its sign of life: how long it has been reading.
    pub(super) fn keep_alive(&self, elapsed: Duration) -> Vec<u8> {
        match self.prefix {
            None => Vec::new(),
            Some(_) => {
                let elapsed_ms = u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX);
                let mut record = self.record_head(MetadataFlags::TIMESTAMP.0, 0x01);
                record.extend_from_slice(&elapsed_ms.to_be_bytes());
                record
            }
        }
    }

    /// The answer to a timed read that found `found` tags.
    pub(super) fn counted(&self, found: u32, tally: Tally) -> Vec<u8> {
        let short_count = u8::try_from(found).unwrap_or(u8::MAX);
        match self.count {
            Count::Bare => vec![short_count],
            Count::Several { flags } => {
                let [high, low] = flags.to_be_bytes();
                let [a, b, c, d] = found.to_be_bytes();
                vec![0x11, opcode::READ_MULTIPLE, high, low, a, b, c, d]
            }
            Count::Echoed => {
                let mut answer = self.echo();
                match self.flags & FLAG_LARGE_POPULATION {
                    0 => answer.push(short_count),
                    _ => answer.extend_from_slice(&found.to_be_bytes()),
                }
                if self.embedded.is_some() {
                    answer.extend_from_slice(&[1, READ_DATA]);
                    answer.extend_from_slice(&tally.succeeded.to_be_bytes());
                    answer.extend_from_slice(&tally.failed.to_be_bytes());
                }
                answer
            }
        }
    }
}

/// How the operations along with a timed read went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    succeeded: u16,
    failed: u16,
}

impl Tally {
    pub(super) fn add(&mut self, data: &TagData) {
        match data {
            TagData::NotAsked => {}
            TagData::Read(_) => self.succeeded = self.succeeded.saturating_add(1),
            TagData::Failed(_) => self.failed = self.failed.saturating_add(1),
        }
    }
}

impl Report {
    fn parse(search_flags: u16, len: usize, fields: &mut Fields<'_>) -> Result<Self, Status> {
        if search_flags & (FLAG_STATS_REPORT | FLAG_STATUS_REPORT) == 0 {
            return Ok(Self::Nothing);
        }
        let bytes = fields.bytes(len, "report flags").map_err(short)?;
        let plain = bytes.iter().fold(0, |flags: u16, byte| flags << 8 | u16::from(*byte));
        match search_flags & FLAG_STATS_REPORT {
            0 => Ok(Self::Status(plain)),
            // Two plain bytes, or seven bits in each byte.
            _ if len == 2 && plain & 0x8000 == 0 => Ok(Self::Stats(plain)),
            _ => Ok(Self::Stats(
                bytes.iter().fold(0, |flags, byte| flags << 7 | u16::from(byte & 0x7F)),
            )),
        }
    }
}

impl Embedded {
    /// `01 | length | 28 | timeout u16 | option | [metadata u16] | bank | first word u32 | words`.
    fn parse(data: &[u8]) -> Result<Self, Status> {
        let mut fields = Fields(data);
        let [count, len, operation] = fields.array("operation").map_err(short)?;
        if count != 1 || usize::from(len) != fields.0.len() {
            return Err(Status::WRONG_DATA_LENGTH);
        }
        if operation != READ_DATA {
            return Err(Status::UNIMPLEMENTED_FEATURE);
        }
        let _timeout_ms = fields.u16("timeout").map_err(short)?;
        take_prefix(&mut fields);
        if fields.u8("option").map_err(short)? & OPTION_METADATA != 0 {
            fields.u16("metadata flags").map_err(short)?;
        }
        let banks = Banks::from_byte(fields.u8("bank").map_err(short)?)?;
        let first_word = fields.u32("first word").map_err(short)?;
        let words = fields.u8("words").map_err(short)?;
        fields.end().map_err(short)?;
        Ok(Self { banks, first_word, words })
    }

    pub(super) fn run(&self, tag: &TagImage<'_>, password: u32) -> TagData {
        TagData::new(self.banks.read(tag, self.first_word, self.words, password))
    }
}

/// What stands behind the fixed fields: filter and operation.
fn parse_end(
    option: u8,
    prefix: Option<u8>,
    flags: u16,
    fields: Fields<'_>,
) -> Result<(Select, Option<Embedded>), Status> {
    let parse = |password| {
        let mut rest = fields;
        let select = Select::parse(option, is_several(prefix), password, &mut rest)?;
        let embedded = match flags & FLAG_EMBEDDED {
            0 => rest.end().map_err(short).map(|()| None)?,
            _ => Some(Embedded::parse(rest.0)?),
        };
        Ok((select, embedded))
    };
    parse(Password::NotSent).or_else(|status| parse(Password::Sent).map_err(|_other| status))
}

/// Takes the byte that newer commands begin with.
pub(super) fn take_prefix(fields: &mut Fields<'_>) -> Option<u8> {
    match *fields.0 {
        [prefix, ref rest @ ..] if prefix & PREFIXED != 0 => {
            fields.0 = rest;
            Some(prefix)
        }
        _ => None,
    }
}

pub(super) fn is_several(prefix: Option<u8>) -> bool {
    prefix.is_some_and(|prefix| prefix & PREFIX_SEVERAL != 0)
}

pub(super) fn millis(millis: u16) -> Duration {
    Duration::from_millis(millis.into())
}
