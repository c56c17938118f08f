//! The record of one tag in a continuous read.
//!
//! ```text
//! [88] option | search flags u16 | metadata flags u16 | 01 | metadata … |
//!      bits of what follows u16 | PC [XPC] | EPC | tag's own CRC u16
//! ```
//!
//! Tags of other protocols than Gen2 have no PC, those of ATA no CRC either. The metadata come in the
//! order of their flags. `serial_reader.c` (`MercuryAPI` C 1.35.1.43 and
//! 1.37.4.8) holds the layout; the capture in the `SparkFun` library shows a real one.

use super::frame::Builder;
use super::search::SEARCH_STREAMING;
use super::status::Status;
use super::{MeaningError, opcode};
use crate::codec::{Fields, FieldsError, FrameBuf, Opaque};

/// Marks the longer form that firmware of the 1.37 generation uses.
pub(in super::super) const MULTISELECT: u8 = 0x88;
/// The kind of record that ends a continuous read.
pub(in super::super) const KIND_END: u8 = 0x00;
/// The kind of record that carries a tag.
pub(in super::super) const KIND_TAG: u8 = 0x01;
/// The kind of record that carries the reader's own state.
pub(in super::super) const KIND_STATUS: u8 = 0x02;

const EMBEDDED_FAILED: u16 = 0x8000;
/// The protocol number of ISO 18000-6C, whose tags begin with a control word.
const GEN2: u8 = 0x05;
/// The protocol number of ATA, whose tags have no check of their own.
const ATA: u8 = 0x1D;

/// Which metadata a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataFlags(pub u16);

impl MetadataFlags {
    /// How many reads the record stands for.
    pub const READ_COUNT: Self = Self(0x0001);
    /// Signal strength.
    pub const RSSI: Self = Self(0x0002);
    /// Antenna.
    pub const ANTENNA: Self = Self(0x0004);
    /// Carrier frequency.
    pub const FREQUENCY: Self = Self(0x0008);
    /// Milliseconds since reading started.
    pub const TIMESTAMP: Self = Self(0x0010);
    /// Phase.
    pub const PHASE: Self = Self(0x0020);
    /// Tag protocol.
    pub const PROTOCOL: Self = Self(0x0040);
    /// Data of an embedded operation.
    pub const DATA: Self = Self(0x0080);
    /// State of the general purpose pins.
    pub const GPIO: Self = Self(0x0100);
    /// Gen2 Q.
    pub const GEN2_Q: Self = Self(0x0200);
    /// Gen2 backscatter link frequency.
    pub const GEN2_LINK_FREQUENCY: Self = Self(0x0400);
    /// Gen2 target.
    pub const GEN2_TARGET: Self = Self(0x0800);
    /// Brand identifier.
    pub const BRAND: Self = Self(0x1000);
    /// Tag type.
    pub const TAG_TYPE: Self = Self(0x2000);

    const KNOWN: u16 = 0x3FFF;

    /// Whether all of `other` are set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What an operation that ran on the tag along with the read came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddedData<'a> {
    /// Its data.
    Bits {
        /// How many bits.
        bits: u16,
        /// Those bits in whole bytes.
        bytes: Opaque<'a>,
    },
    /// It failed.
    Failed(Status),
}

/// One tag that was read. A metadata field is `Some` exactly if its flag was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagRecord<'a> {
    /// Whether the record has the longer form of the 1.37 firmware.
    pub multiselect: bool,
    /// The select option of the command that started the read.
    pub option: u8,
    /// The search flags of that command.
    pub search_flags: u16,
    /// How many reads it stands for.
    pub read_count: Option<u8>,
    /// Signal strength.
    pub rssi_dbm: Option<i8>,
    /// Antenna: transmitting port in the high nibble, receiving port in the low one, 0 for 16.
    pub antenna: Option<u8>,
    /// Carrier frequency; 24 bits.
    pub frequency_khz: Option<u32>,
    /// Since reading started.
    pub timestamp_ms: Option<u32>,
    /// Phase, 0 to 180.
    pub phase_deg: Option<u16>,
    /// Tag protocol.
    pub protocol: Option<u8>,
    /// What an embedded operation came to.
    pub data: Option<EmbeddedData<'a>>,
    /// Pins: outputs in the low nibble, inputs in the high one.
    pub gpio: Option<u8>,
    /// Gen2 Q.
    pub gen2_q: Option<u8>,
    /// Gen2 backscatter link frequency, as the module codes it.
    pub gen2_link_frequency: Option<u8>,
    /// Gen2 target.
    pub gen2_target: Option<u8>,
    /// Brand identifier.
    pub brand: Option<u16>,
    /// Tag type: bytes of seven bits, the last one without the top bit.
    pub tag_type: Option<Opaque<'a>>,
    /// The protocol control word; 0 where the tag's protocol has none.
    pub pc: u16,
    /// Extended protocol control words; none, one or two.
    pub xpc: Opaque<'a>,
    /// The EPC, of whatever length was sent.
    pub epc: Opaque<'a>,
    /// The tag's own CRC; 0 where the tag's protocol has none.
    pub tag_crc: u16,
}

impl<'a> TagRecord<'a> {
    /// Reads a record from the data of a frame, after the kind has been seen to be a tag.
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, MeaningError> {
        let mut fields = Fields(data);
        let multiselect = data.first() == Some(&MULTISELECT);
        if multiselect {
            fields.u8("multiselect")?;
        }
        let option = fields.u8("option")?;
        let search_flags = fields.u16("search flags")?;
        let flags = MetadataFlags(fields.u16("metadata flags")?);
        fields.u8("kind")?;
        let mut record = Self { multiselect, option, search_flags, ..Self::EMPTY };
        record.parse_metadata(flags, &mut fields)?;
        record.parse_memory(&mut fields)?;
        fields.end()?;
        Ok(record)
    }

    /// Reads what a record holds after the metadata flags, off the front of `fields`.
    pub(super) fn parse_body(
        flags: MetadataFlags,
        fields: &mut Fields<'a>,
    ) -> Result<Self, MeaningError> {
        let mut record = Self::EMPTY;
        record.parse_metadata(flags, fields)?;
        record.parse_memory(fields)?;
        Ok(record)
    }

    pub(super) fn parse_metadata(
        &mut self,
        flags: MetadataFlags,
        fields: &mut Fields<'a>,
    ) -> Result<(), MeaningError> {
        use MetadataFlags as F;
        if flags.0 & !F::KNOWN != 0 {
            return Err(MeaningError::UnknownMetadata { flags: flags.0 });
        }
        let on = |flag| flags.contains(flag).then_some(());
        self.read_count = on(F::READ_COUNT).map(|()| fields.u8("read count")).transpose()?;
        self.rssi_dbm = on(F::RSSI).map(|()| fields.i8("rssi")).transpose()?;
        self.antenna = on(F::ANTENNA).map(|()| fields.u8("antenna")).transpose()?;
        self.frequency_khz = on(F::FREQUENCY).map(|()| fields.u24("frequency")).transpose()?;
        self.timestamp_ms = on(F::TIMESTAMP).map(|()| fields.u32("timestamp")).transpose()?;
        self.phase_deg = on(F::PHASE).map(|()| fields.u16("phase")).transpose()?;
        self.protocol = on(F::PROTOCOL).map(|()| fields.u8("protocol")).transpose()?;
        self.data = on(F::DATA).map(|()| embedded_data(fields)).transpose()?;
        self.gpio = on(F::GPIO).map(|()| fields.u8("gpio")).transpose()?;
        self.gen2_q = on(F::GEN2_Q).map(|()| fields.u8("q")).transpose()?;
        self.gen2_link_frequency =
            on(F::GEN2_LINK_FREQUENCY).map(|()| fields.u8("link frequency")).transpose()?;
        self.gen2_target = on(F::GEN2_TARGET).map(|()| fields.u8("target")).transpose()?;
        self.brand = on(F::BRAND).map(|()| fields.u16("brand")).transpose()?;
        self.tag_type = on(F::TAG_TYPE).map(|()| tag_type(fields)).transpose()?;
        Ok(())
    }

    /// Reads the length of what the tag sent, and that.
    fn parse_memory(&mut self, fields: &mut Fields<'a>) -> Result<(), MeaningError> {
        let bits = fields.u16("epc bits")?;
        let len = usize::from(bits / 8);
        if !bits.is_multiple_of(8) || len < self.words_len() {
            return Err(MeaningError::EpcBits { bits });
        }
        self.parse_words(fields.bytes(len, "epc")?)
    }

    /// Reads what the tag sent, all of it.
    pub(super) fn parse_words(&mut self, memory: &'a [u8]) -> Result<(), MeaningError> {
        let mut memory = Fields(memory);
        let crc_len = if self.has_crc() { 2 } else { 0 };
        if self.has_pc() {
            self.pc = memory.u16("pc")?;
            let words = &memory.0[..memory.0.len().saturating_sub(crc_len)];
            self.xpc = Opaque(memory.bytes(xpc_len(self.pc, words), "xpc")?);
        }
        let epc_len = memory.0.len().saturating_sub(crc_len);
        self.epc = Opaque(memory.bytes(epc_len, "epc")?);
        if self.has_crc() {
            self.tag_crc = memory.u16("tag crc")?;
        }
        Ok(())
    }

    /// Whether a control word precedes the EPC. Where the record does not say which protocol it
    /// is, it is Gen2: the others are asked for by name.
    #[must_use]
    pub fn has_pc(&self) -> bool {
        self.protocol.is_none_or(|protocol| protocol == GEN2)
    }

    /// Whether the tag's own check follows the EPC.
    #[must_use]
    pub fn has_crc(&self) -> bool {
        self.protocol != Some(ATA)
    }

    /// Bytes of control word and check, which the length of the EPC field counts too.
    fn words_len(&self) -> usize {
        2 * (usize::from(self.has_pc()) + usize::from(self.has_crc()))
    }

    /// Which metadata the record carries.
    #[must_use]
    pub fn metadata(&self) -> MetadataFlags {
        use MetadataFlags as F;
        [
            (self.read_count.is_some(), F::READ_COUNT),
            (self.rssi_dbm.is_some(), F::RSSI),
            (self.antenna.is_some(), F::ANTENNA),
            (self.frequency_khz.is_some(), F::FREQUENCY),
            (self.timestamp_ms.is_some(), F::TIMESTAMP),
            (self.phase_deg.is_some(), F::PHASE),
            (self.protocol.is_some(), F::PROTOCOL),
            (self.data.is_some(), F::DATA),
            (self.gpio.is_some(), F::GPIO),
            (self.gen2_q.is_some(), F::GEN2_Q),
            (self.gen2_link_frequency.is_some(), F::GEN2_LINK_FREQUENCY),
            (self.gen2_target.is_some(), F::GEN2_TARGET),
            (self.brand.is_some(), F::BRAND),
            (self.tag_type.is_some(), F::TAG_TYPE),
        ]
        .into_iter()
        .filter(|(present, _)| *present)
        .fold(F(0), |flags, (_, flag)| flags.with(flag))
    }

    /// Builds the frame.
    ///
    /// # Panics
    /// If data, tag type and EPC together exceed what one frame can hold.
    pub(super) fn emit(&self) -> FrameBuf {
        let mut frame = Builder::reply(opcode::READ_MULTIPLE, Status::SUCCESS);
        if self.multiselect {
            frame = frame.put(&[MULTISELECT]);
        }
        frame = frame
            .put(&[self.option])
            .put(&self.search_flags.to_be_bytes())
            .put(&self.metadata().0.to_be_bytes())
            .put(&[KIND_TAG]);
        self.emit_body(frame).finish()
    }

    /// Appends what a record holds after the metadata flags.
    ///
    /// # Panics
    /// If data, tag type and EPC together exceed what one frame can hold.
    pub(super) fn emit_body(&self, frame: Builder) -> Builder {
        let bits = u16::try_from(self.memory_len() * 8).expect("an EPC fits a frame");
        self.emit_words(self.emit_metadata(frame).put(&bits.to_be_bytes()))
    }

    /// Bytes of what the tag sent.
    pub(super) fn memory_len(&self) -> usize {
        self.words_len() + self.xpc.0.len() + self.epc.0.len()
    }

    pub(super) fn emit_words(&self, frame: Builder) -> Builder {
        frame
            .put_some(self.has_pc().then(|| self.pc.to_be_bytes()))
            .put(self.xpc.0)
            .put(self.epc.0)
            .put_some(self.has_crc().then(|| self.tag_crc.to_be_bytes()))
    }

    pub(super) fn emit_metadata(&self, frame: Builder) -> Builder {
        let frame = frame
            .put_some(self.read_count.map(u8::to_be_bytes))
            .put_some(self.rssi_dbm.map(i8::to_be_bytes))
            .put_some(self.antenna.map(u8::to_be_bytes))
            .put_some(self.frequency_khz.map(low_24_bits))
            .put_some(self.timestamp_ms.map(u32::to_be_bytes))
            .put_some(self.phase_deg.map(u16::to_be_bytes))
            .put_some(self.protocol.map(u8::to_be_bytes));
        let frame = match self.data {
            None => frame,
            Some(EmbeddedData::Bits { bits, bytes }) => frame.put(&bits.to_be_bytes()).put(bytes.0),
            Some(EmbeddedData::Failed(status)) => {
                frame.put(&EMBEDDED_FAILED.to_be_bytes()).put(&status.0.to_be_bytes())
            }
        };
        frame
            .put_some(self.gpio.map(u8::to_be_bytes))
            .put_some(self.gen2_q.map(u8::to_be_bytes))
            .put_some(self.gen2_link_frequency.map(u8::to_be_bytes))
            .put_some(self.gen2_target.map(u8::to_be_bytes))
            .put_some(self.brand.map(u16::to_be_bytes))
            .put(self.tag_type.unwrap_or_default().0)
    }

    /// A record without metadata and without an EPC, to be filled in.
    pub const EMPTY: Self = Self {
        multiselect: false,
        option: 0,
        search_flags: SEARCH_STREAMING,
        read_count: None,
        rssi_dbm: None,
        antenna: None,
        frequency_khz: None,
        timestamp_ms: None,
        phase_deg: None,
        protocol: None,
        data: None,
        gpio: None,
        gen2_q: None,
        gen2_link_frequency: None,
        gen2_target: None,
        brand: None,
        tag_type: None,
        pc: 0,
        xpc: Opaque(&[]),
        epc: Opaque(&[]),
        tag_crc: 0,
    };
}

fn low_24_bits(value: u32) -> [u8; 3] {
    let [_, high, middle, low] = value.to_be_bytes();
    [high, middle, low]
}

fn embedded_data<'a>(fields: &mut Fields<'a>) -> Result<EmbeddedData<'a>, MeaningError> {
    match fields.u16("data bits")? {
        EMBEDDED_FAILED => Ok(EmbeddedData::Failed(Status(fields.u16("data status")?))),
        bits => {
            let bytes = Opaque(fields.bytes(usize::from(bits.div_ceil(8)), "data")?);
            Ok(EmbeddedData::Bits { bits, bytes })
        }
    }
}

fn tag_type<'a>(fields: &mut Fields<'a>) -> Result<Opaque<'a>, MeaningError> {
    let last = fields.0.iter().position(|byte| byte & 0x80 == 0);
    let len = last.ok_or(FieldsError::Short { field: "tag type" })? + 1;
    Ok(Opaque(fields.bytes(len, "tag type")?))
}

/// How many bytes of extended protocol control follow the PC: bit 9 of the PC announces a first
/// word, the top bit of that word a second (EPC Gen2 v2.1, 6.3.2.1.2.2 and .5).
fn xpc_len(pc: u16, after_pc: &[u8]) -> usize {
    const EXTENDED: u16 = 0x0200;
    const EXTENDED_AGAIN: u8 = 0x80;
    match after_pc {
        [first, _, _, _, ..] if pc & EXTENDED != 0 && first & EXTENDED_AGAIN != 0 => 4,
        [_, _, ..] if pc & EXTENDED != 0 => 2,
        _ => 0,
    }
}
