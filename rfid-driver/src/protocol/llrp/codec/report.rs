//! What a reader reports about a tag.

use super::MeaningError;
use super::frame::Version;
use super::kind::MessageKind;
use super::parameter::{Parameter, ParameterKind, Parameters};
use super::write::Writer;
use crate::codec::{Fields, FrameBuf, Opaque};

/// The tags of a report, one after the other. What a report may hold beside tags is passed over.
pub fn tag_reports(
    report: Parameters<'_>,
) -> impl Iterator<Item = Result<TagReport<'_>, MeaningError>> {
    report
        .iter()
        .filter(|parameter| parameter.kind == ParameterKind::TAG_REPORT_DATA)
        .map(TagReport::parse)
}

/// When a tag was seen, on the reader's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamp {
    /// Microseconds since 1970.
    Utc(u64),
    /// Microseconds since the reader was started: it has no other clock.
    Uptime(u64),
}

impl Timestamp {
    /// Microseconds since some beginning.
    #[must_use]
    pub fn microseconds(self) -> u64 {
        match self {
            Self::Utc(microseconds) | Self::Uptime(microseconds) => microseconds,
        }
    }
}

/// What a read of a tag's memory gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadResult<'a> {
    /// 0 for success.
    pub result: u8,
    /// Which read it was.
    pub op_spec_id: u16,
    /// Words of two bytes.
    pub data: Opaque<'a>,
}

/// One tag, as a reader reports it. What the reader does not say is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TagReport<'a> {
    /// The tag's identity. The standard allows any number of bits; the last byte may be padded.
    pub epc: Opaque<'a>,
    /// The antenna port, counted from 1.
    pub antenna: Option<u16>,
    /// The strongest of its answers.
    pub peak_rssi_dbm: Option<i8>,
    /// The channel, as an index from 1 into the table of frequencies that is in use.
    pub channel_index: Option<u16>,
    /// When it was seen first since the last report.
    pub first_seen: Option<Timestamp>,
    /// When it was seen last.
    pub last_seen: Option<Timestamp>,
    /// How often it was seen.
    pub seen_count: Option<u16>,
    /// The protocol control word.
    pub pc: Option<u16>,
    /// The extended protocol control words, first and second (1.1).
    pub xpc: [Option<u16>; 2],
    /// The checksum that the tag keeps of its identity.
    pub crc: Option<u16>,
    /// The specification that accessed the tag's memory.
    pub access_spec_id: Option<u32>,
    /// The last read of its memory.
    pub read: Option<ReadResult<'a>>,
}

impl<'a> TagReport<'a> {
    /// Parses a parameter of tag report data. What the standard does not know, what vendors add and
    /// what was written to the tag is passed over.
    ///
    /// # Errors
    /// Says what makes no sense.
    pub fn parse(parameter: Parameter<'a>) -> Result<Self, MeaningError> {
        let mut report = Self::default();
        for part in parameter.nested(0)?.iter() {
            report.take(part)?;
        }
        Ok(report)
    }

    fn take(&mut self, part: Parameter<'a>) -> Result<(), MeaningError> {
        let mut fields = Fields(part.body);
        match part.kind {
            ParameterKind::EPC_96 => self.epc = Opaque(part.body),
            ParameterKind::EPC_DATA => {
                let bits = fields.u16("epc")?;
                self.epc = Opaque(fields.bytes(usize::from(bits).div_ceil(8), "epc")?);
            }
            ParameterKind::ANTENNA_ID => self.antenna = Some(fields.u16("antenna")?),
            ParameterKind::PEAK_RSSI => self.peak_rssi_dbm = Some(fields.i8("peak_rssi_dbm")?),
            ParameterKind::CHANNEL_INDEX => {
                self.channel_index = Some(fields.u16("channel_index")?);
            }
            ParameterKind::FIRST_SEEN_UTC => {
                self.first_seen = Some(Timestamp::Utc(fields.u64("first_seen_utc_us")?));
            }
            ParameterKind::FIRST_SEEN_UPTIME => {
                self.first_seen = Some(Timestamp::Uptime(fields.u64("first_seen_uptime_us")?));
            }
            ParameterKind::LAST_SEEN_UTC => {
                self.last_seen = Some(Timestamp::Utc(fields.u64("last_seen_utc_us")?));
            }
            ParameterKind::LAST_SEEN_UPTIME => {
                self.last_seen = Some(Timestamp::Uptime(fields.u64("last_seen_uptime_us")?));
            }
            ParameterKind::TAG_SEEN_COUNT => {
                self.seen_count = Some(fields.u16("tag_seen_count")?);
            }
            ParameterKind::C1G2_PC => self.pc = Some(fields.u16("pc")?),
            ParameterKind::C1G2_XPC_W1 => self.xpc[0] = Some(fields.u16("xpc_w1")?),
            ParameterKind::C1G2_XPC_W2 => self.xpc[1] = Some(fields.u16("xpc_w2")?),
            ParameterKind::C1G2_CRC => self.crc = Some(fields.u16("crc")?),
            ParameterKind::ACCESS_SPEC_ID => {
                self.access_spec_id = Some(fields.u32("accessspec_id")?);
            }
            ParameterKind::C1G2_READ_OP_SPEC_RESULT => {
                let result = fields.u8("result")?;
                let op_spec_id = fields.u16("op_spec_id")?;
                let words = fields.u16("data")?;
                let data = Opaque(fields.bytes(2 * usize::from(words), "data")?);
                self.read = Some(ReadResult { result, op_spec_id, data });
            }
            _ => {}
        }
        Ok(())
    }

    /// Builds a report message of this one tag, its parts in the order of the standard. An identity
    /// of 96 bits is sent as such.
    ///
    /// # Panics
    /// If the message would be longer than [`FrameBuf::LEN_MAX`].
    #[must_use]
    pub fn emit(&self, version: Version, id: u32) -> FrameBuf {
        Writer::message(MessageKind::RO_ACCESS_REPORT, version, id)
            .tlv(ParameterKind::TAG_REPORT_DATA, |tag| self.put(tag))
            .finish()
    }

    fn put(&self, mut tag: Writer) -> Writer {
        tag = match self.epc.0 {
            epc if epc.len() == 12 => tag.tv(ParameterKind::EPC_96).bytes(epc),
            epc => tag.tlv(ParameterKind::EPC_DATA, |data| {
                let bits = u16::try_from(8 * epc.len()).expect("longer than a FrameBuf");
                data.u16(bits).bytes(epc)
            }),
        };
        if let Some(antenna) = self.antenna {
            tag = tag.tv(ParameterKind::ANTENNA_ID).u16(antenna);
        }
        if let Some(dbm) = self.peak_rssi_dbm {
            tag = tag.tv(ParameterKind::PEAK_RSSI).bytes(&dbm.to_be_bytes());
        }
        if let Some(index) = self.channel_index {
            tag = tag.tv(ParameterKind::CHANNEL_INDEX).u16(index);
        }
        for (seen, utc, uptime) in [
            (self.first_seen, ParameterKind::FIRST_SEEN_UTC, ParameterKind::FIRST_SEEN_UPTIME),
            (self.last_seen, ParameterKind::LAST_SEEN_UTC, ParameterKind::LAST_SEEN_UPTIME),
        ] {
            tag = match seen {
                Some(Timestamp::Utc(microseconds)) => tag.tv(utc).u64(microseconds),
                Some(Timestamp::Uptime(microseconds)) => tag.tv(uptime).u64(microseconds),
                None => tag,
            };
        }
        for (word, kind) in [
            (self.seen_count, ParameterKind::TAG_SEEN_COUNT),
            (self.pc, ParameterKind::C1G2_PC),
            (self.xpc[0], ParameterKind::C1G2_XPC_W1),
            (self.xpc[1], ParameterKind::C1G2_XPC_W2),
            (self.crc, ParameterKind::C1G2_CRC),
        ] {
            if let Some(word) = word {
                tag = tag.tv(kind).u16(word);
            }
        }
        if let Some(id) = self.access_spec_id {
            tag = tag.tv(ParameterKind::ACCESS_SPEC_ID).u32(id);
        }
        if let Some(read) = self.read {
            tag = tag.tlv(ParameterKind::C1G2_READ_OP_SPEC_RESULT, |result| {
                let words = u16::try_from(read.data.0.len() / 2).expect("longer than a FrameBuf");
                result.u8(read.result).u16(read.op_spec_id).u16(words).bytes(read.data.0)
            });
        }
        tag
    }
}
