//! Tags in answers to a poll: the tag buffer (operation 29) and the single read (operation 21).
//!
//! ```text
//! 29   metadata flags u16 | read options | count | records of (metadata | bits u16 | PC | EPC | CRC)
//! 21   [[88] option | metadata flags u16 | metadata] | EPC | CRC
//! AA   metadata flags u16 | metadata | bytes u8 | PC | EPC | CRC                      (Silion)
//! ```
//!
//! Sources: `serial_reader.c` (`TMR_SR_getNextTag`), `serial_reader_l3.c` (`TMR_SR_cmdReadTagSingle`);
//! an M5e's answers to 21 without metadata; Silion's "Single Tag Inventory" and "Asynchronous
//! Inventory". Silion's manual counts the EPC of an AA record in 16 bits, its modules in 8 bits and
//! in bytes (crate `rfid-silion-compat`).

use super::MeaningError;
use super::frame::Builder;
use super::record::{MULTISELECT, MetadataFlags, TagRecord};
use super::search::OPTION_METADATA;
use crate::codec::{Fields, Opaque};

/// Several tags from the module's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagBuffer<'a> {
    /// What each record carries.
    pub metadata: MetadataFlags,
    /// The read options of the command.
    pub option: u8,
    /// How many records it says follow.
    pub count: u8,
    /// The records: [`TagBuffer::iter`] takes them apart.
    pub records: Opaque<'a>,
}

impl<'a> TagBuffer<'a> {
    /// Reads the data of an answer; `None` where its records do not add up.
    #[must_use]
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(data);
        let metadata = MetadataFlags(fields.u16("metadata flags").ok()?);
        let option = fields.u8("read options").ok()?;
        let count = fields.u8("count").ok()?;
        let buffer = Self { metadata, option, count, records: Opaque(fields.0) };
        let adds_up = buffer.iter().all(|record| record.is_ok())
            && buffer.iter().count() == usize::from(count);
        adds_up.then_some(buffer)
    }

    /// The records in their order. It ends with the first that cannot be read.
    pub fn iter(&self) -> impl Iterator<Item = Result<TagRecord<'a>, MeaningError>> + use<'a> {
        let metadata = self.metadata;
        let mut fields = Fields(self.records.0);
        std::iter::from_fn(move || {
            if fields.0.is_empty() {
                return None;
            }
            let record = TagRecord::parse_body(metadata, &mut fields);
            if record.is_err() {
                fields = Fields(&[]);
            }
            Some(record)
        })
    }

    pub(super) fn emit(&self, frame: Builder) -> Builder {
        frame
            .put(&self.metadata.0.to_be_bytes())
            .put(&[self.option, self.count])
            .put(self.records.0)
    }
}

/// The answer to a single read. Its record has neither a control word nor a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SingleTag<'a> {
    /// What comes before the EPC.
    pub form: SingleForm,
    /// What was read; only metadata, EPC and check are of this answer.
    pub record: TagRecord<'a>,
}

/// What comes before the EPC of a single read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SingleForm {
    /// Nothing, as an M5e answers.
    Bare,
    /// The option of the command, as a Silion answers.
    Option,
    /// The option of the command, flags and metadata.
    Metadata,
}

impl<'a> SingleTag<'a> {
    /// Reads the data of an answer; `None` where they do not add up.
    #[must_use]
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        Self::parse_metadata(data)
            .or_else(|| match data {
                // An EPC has whole words, so an odd byte before it is the option.
                [option, rest @ ..] if rest.len().is_multiple_of(2) => {
                    Self::parse_plain(SingleForm::Option, *option, rest)
                }
                _ => None,
            })
            .or_else(|| Self::parse_plain(SingleForm::Bare, 0, data))
    }

    fn parse_metadata(data: &'a [u8]) -> Option<Self> {
        let multiselect = data.first() == Some(&MULTISELECT);
        let mut fields = Fields(data);
        if multiselect {
            fields.u8("multiselect").ok()?;
        }
        let option = fields.u8("option").ok()?;
        let flags = MetadataFlags(fields.u16("metadata flags").ok()?);
        let mut record = TagRecord { multiselect, option, search_flags: 0, ..TagRecord::EMPTY };
        record.parse_metadata(flags, &mut fields).ok()?;
        record.parse_epc_and_crc(fields.0)?;
        // The low half of the option selects tags. No EPC that GS1 knows begins like it.
        (option & 0xF0 == OPTION_METADATA).then_some(Self { form: SingleForm::Metadata, record })
    }

    fn parse_plain(form: SingleForm, option: u8, rest: &'a [u8]) -> Option<Self> {
        let mut record = TagRecord { option, search_flags: 0, ..TagRecord::EMPTY };
        record.parse_epc_and_crc(rest)?;
        Some(Self { form, record })
    }

    pub(super) fn emit(&self, frame: Builder) -> Builder {
        let Self { form, record } = self;
        let frame = match form {
            SingleForm::Bare => frame,
            SingleForm::Option => frame.put(&[record.option]),
            SingleForm::Metadata => record.emit_metadata(
                frame
                    .put_some(record.multiselect.then_some([MULTISELECT]))
                    .put(&[record.option])
                    .put(&record.metadata().0.to_be_bytes()),
            ),
        };
        frame.put(record.epc.0).put(&record.tag_crc.to_be_bytes())
    }
}

impl<'a> TagRecord<'a> {
    /// Reads an EPC of whole words and the check behind it.
    fn parse_epc_and_crc(&mut self, data: &'a [u8]) -> Option<()> {
        let (epc, crc) = data.split_last_chunk::<2>()?;
        let whole = !epc.is_empty() && epc.len().is_multiple_of(2) && epc.len() <= 62;
        self.epc = Opaque(epc);
        self.tag_crc = u16::from_be_bytes(*crc);
        whole.then_some(())
    }
}

/// One tag in a continuous read of a Silion module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilionTag<'a> {
    /// How its length is written.
    pub form: SilionForm,
    /// What was read.
    pub record: TagRecord<'a>,
}

/// How the length of what the tag sent is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilionForm {
    /// One byte, in bytes, as the modules do.
    Bytes,
    /// Two bytes, in bits, as the manual says.
    Bits,
}

impl<'a> SilionTag<'a> {
    /// Reads the data of a frame; `None` where they do not add up.
    #[must_use]
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        Self::parse_form(SilionForm::Bytes, data)
            .or_else(|| Self::parse_form(SilionForm::Bits, data))
    }

    fn parse_form(form: SilionForm, data: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(data);
        let flags = MetadataFlags(fields.u16("metadata flags").ok()?);
        let record = match form {
            SilionForm::Bits => TagRecord::parse_body(flags, &mut fields).ok()?,
            SilionForm::Bytes => {
                let mut record = TagRecord::EMPTY;
                record.parse_metadata(flags, &mut fields).ok()?;
                let len = fields.u8("epc bytes").ok()?;
                record.parse_words(fields.bytes(usize::from(len), "epc").ok()?).ok()?;
                record
            }
        };
        fields.end().ok()?;
        let identified = !record.epc.0.is_empty();
        identified.then_some(Self { form, record })
    }

    /// # Panics
    /// If the record exceeds what the form of its length can say.
    pub(super) fn emit(&self, frame: Builder) -> Builder {
        let Self { form, record } = self;
        let frame = frame.put(&record.metadata().0.to_be_bytes());
        match form {
            SilionForm::Bits => record.emit_body(frame),
            SilionForm::Bytes => {
                let len = u8::try_from(record.memory_len()).expect("an EPC fits a frame");
                record.emit_words(record.emit_metadata(frame).put(&[len]))
            }
        }
    }
}
