//! What a read of many tags shall do: the arguments of operation 22, alone (a timed read) or inside
//! the start of a continuous read.
//!
//! ```text
//! [88] | option | search flags u16 | on time ms u16 | [off time ms u16] | metadata flags u16 |
//!      [report flags u16] | [tags wanted u32] | [01 | length | operation on each tag]
//! ```
//!
//! Each optional field is announced by a search flag (`serial_reader_l3.c`,
//! `TMR_SR_msgSetupReadTagMultipleWithMetadata`). Forms that select tags or give a password are not
//! understood here and pass through.

use super::frame::Builder;
use super::opcode;
use super::record::{MULTISELECT, MetadataFlags};
use crate::codec::{Fields, FieldsError};

/// Read on the configured list of antennas.
pub(super) const SEARCH_CONFIGURED_ANTENNAS: u16 = 0x0003;
/// An operation on each tag follows.
pub(in super::super) const SEARCH_EMBEDDED: u16 = 0x0004;
/// The read is continuous.
pub(super) const SEARCH_STREAMING: u16 = 0x0008;
/// Tags are counted in four bytes.
pub(super) const SEARCH_LARGE_POPULATION: u16 = 0x0010;
/// Reports of its state come between the tags.
pub(in super::super) const SEARCH_STATUS: u16 = 0x0020;
/// It ends after so many tags.
pub(in super::super) const SEARCH_TAGS_WANTED: u16 = 0x0040;
/// Statistics come between the tags.
pub(in super::super) const SEARCH_STATISTICS: u16 = 0x0100;
/// The radio pauses.
pub(in super::super) const SEARCH_DUTY_CYCLE: u16 = 0x0400;

/// The option that selects nothing and asks for metadata.
pub(super) const OPTION_METADATA: u8 = 0x10;
const EMBEDDED_COUNT: u8 = 0x01;
const EMBEDDED_READ_LEN: u8 = 9;
const OPTION_NONE: u8 = 0x00;
/// The memory bank in which a Gen2 tag keeps its TID.
const BANK_TID: u8 = 0x02;

/// A read of each tag's memory along with its EPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedRead {
    /// How long it may take.
    pub timeout_ms: u16,
    /// The memory bank: 00 reserved, 01 EPC, 02 TID, 03 user.
    pub bank: u8,
    /// The first word.
    pub address_words: u32,
    /// How many words of two bytes; 0 for as many as there are.
    pub len_words: u8,
}

impl EmbeddedRead {
    /// Reads the first six words of the TID, which hold class, maker, model and, in a chip with an
    /// extended TID, its 48-bit serial number (GS1 EPC Tag Data Standard, 16).
    pub const TID: Self = Self { timeout_ms: 500, bank: BANK_TID, address_words: 0, len_words: 6 };

    fn parse(fields: &mut Fields<'_>) -> Result<Option<Self>, FieldsError> {
        let head: [u8; 3] = fields.array("embedded operation")?;
        if head != [EMBEDDED_COUNT, EMBEDDED_READ_LEN, opcode::READ_TAG_DATA] {
            return Ok(None);
        }
        let timeout_ms = fields.u16("embedded timeout")?;
        if fields.u8("embedded option")? != OPTION_NONE {
            return Ok(None);
        }
        let bank = fields.u8("bank")?;
        let address_words = fields.u32("address")?;
        let len_words = fields.u8("words")?;
        Ok(Some(Self { timeout_ms, bank, address_words, len_words }))
    }

    fn emit(self, frame: Builder) -> Builder {
        frame
            .put(&[EMBEDDED_COUNT, EMBEDDED_READ_LEN, opcode::READ_TAG_DATA])
            .put(&self.timeout_ms.to_be_bytes())
            .put(&[OPTION_NONE, self.bank])
            .put(&self.address_words.to_be_bytes())
            .put(&[self.len_words])
    }
}

/// What a read of many tags shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamRequest {
    /// Whether the command has the longer form of the 1.37 firmware.
    pub multiselect: bool,
    /// The tag protocol. A timed read does not carry it: it uses the one that is set.
    pub protocol: u8,
    /// The select option; 10 hex asks for metadata and selects nothing.
    pub option: u8,
    /// How to search.
    pub search_flags: u16,
    /// How long the radio is on in each cycle; of a timed read, how long it lasts.
    pub on_time_ms: u16,
    /// How long it then is off; `None` for never.
    pub off_time_ms: Option<u16>,
    /// What each record shall carry.
    pub metadata: MetadataFlags,
    /// What is reported between the tags, as the search flags for status or statistics announce.
    pub report_flags: Option<u16>,
    /// After how many tags it ends by itself.
    pub tags_wanted: Option<u32>,
    /// What is read from each tag beside its EPC.
    pub embedded: Option<EmbeddedRead>,
}

impl StreamRequest {
    /// Reads Gen2 tags on the configured antennas without a pause, reporting `metadata`.
    #[must_use]
    pub fn without_pause(metadata: MetadataFlags) -> Self {
        Self {
            multiselect: false,
            protocol: 0x05,
            option: OPTION_METADATA,
            search_flags: SEARCH_CONFIGURED_ANTENNAS | SEARCH_STREAMING | SEARCH_LARGE_POPULATION,
            on_time_ms: 250,
            off_time_ms: None,
            metadata,
            report_flags: None,
            tags_wanted: None,
            embedded: None,
        }
    }

    /// The same, and reads each tag's memory.
    #[must_use]
    pub fn with_embedded(self, read: EmbeddedRead) -> Self {
        Self {
            search_flags: self.search_flags | SEARCH_EMBEDDED,
            metadata: self.metadata.with(MetadataFlags::DATA),
            embedded: Some(read),
            ..self
        }
    }

    /// Understands what follows the operation 22; `None` for the forms that pass through.
    pub(super) fn parse(protocol: u8, data: &[u8]) -> Option<Self> {
        let mut fields = Fields(data);
        let multiselect = data.first() == Some(&MULTISELECT);
        if multiselect {
            fields.u8("multiselect").ok()?;
        }
        Self::parse_fields(multiselect, protocol, &mut fields).ok().flatten()
    }

    fn parse_fields(
        multiselect: bool,
        protocol: u8,
        fields: &mut Fields<'_>,
    ) -> Result<Option<Self>, FieldsError> {
        if fields.u8("option")? != OPTION_METADATA {
            return Ok(None);
        }
        let search_flags = fields.u16("search flags")?;
        let on = |flags: u16| (search_flags & flags != 0).then_some(());
        let on_time_ms = fields.u16("on time")?;
        let off_time_ms = on(SEARCH_DUTY_CYCLE).map(|()| fields.u16("off time")).transpose()?;
        let metadata = MetadataFlags(fields.u16("metadata flags")?);
        let report_flags = on(SEARCH_STATUS | SEARCH_STATISTICS)
            .map(|()| fields.u16("report flags"))
            .transpose()?;
        let tags_wanted = on(SEARCH_TAGS_WANTED).map(|()| fields.u32("tags wanted")).transpose()?;
        let embedded = match on(SEARCH_EMBEDDED).filter(|()| !fields.0.is_empty()) {
            None => None,
            Some(()) => match EmbeddedRead::parse(fields)? {
                None => return Ok(None),
                read => read,
            },
        };
        fields.end()?;
        Ok(Some(Self {
            multiselect,
            protocol,
            option: OPTION_METADATA,
            search_flags,
            on_time_ms,
            off_time_ms,
            metadata,
            report_flags,
            tags_wanted,
            embedded,
        }))
    }

    /// Appends what follows the operation 22.
    ///
    /// # Panics
    /// Never: it is 30 bytes at most.
    pub(super) fn emit(&self, mut frame: Builder) -> Builder {
        if self.multiselect {
            frame = frame.put(&[MULTISELECT]);
        }
        frame = frame
            .put(&[self.option])
            .put(&self.search_flags.to_be_bytes())
            .put(&self.on_time_ms.to_be_bytes())
            .put_some(self.off_time_ms.map(u16::to_be_bytes))
            .put(&self.metadata.0.to_be_bytes())
            .put_some(self.report_flags.map(u16::to_be_bytes))
            .put_some(self.tags_wanted.map(u32::to_be_bytes));
        match self.embedded {
            None => frame,
            Some(read) => read.emit(frame),
        }
    }

    /// How many bytes [`StreamRequest::emit`] appends.
    pub(super) fn len(&self) -> u8 {
        7 + u8::from(self.multiselect)
            + 2 * u8::from(self.off_time_ms.is_some())
            + 2 * u8::from(self.report_flags.is_some())
            + 4 * u8::from(self.tags_wanted.is_some())
            + if self.embedded.is_some() { 3 + EMBEDDED_READ_LEN } else { 0 }
    }
}
