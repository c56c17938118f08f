//! What a reader can do, and what it is set to: as much of it as a session needs.

use std::fmt;

use super::MeaningError;
use super::parameter::{Parameter, ParameterKind, Parameters};
use crate::codec::Fields;

/// Who a reader is and what its radio can do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Capabilities<'a> {
    /// How many antenna ports it has.
    pub antennas_max: u16,
    /// Its maker's number in IANA's list of private enterprises.
    pub manufacturer: u32,
    /// Its model by the maker's number.
    pub model: u32,
    /// Its firmware, in UTF-8.
    pub firmware: &'a [u8],
    /// Its powers and channels, where it has told them.
    uhf_band: Parameters<'a>,
}

impl<'a> Capabilities<'a> {
    /// Takes them from the answer of a reader; `None` where it does not say who it is.
    ///
    /// # Errors
    /// Says what makes no sense.
    pub fn parse(answer: Parameters<'a>) -> Result<Option<Self>, MeaningError> {
        let Some(general) = answer.find(ParameterKind::GENERAL_DEVICE_CAPABILITIES) else {
            return Ok(None);
        };
        let mut fields = Fields(general.body);
        let antennas_max = fields.u16("antennas_max")?;
        fields.u16("flags")?;
        let manufacturer = fields.u32("manufacturer")?;
        let model = fields.u32("model")?;
        let len = fields.u16("firmware")?;
        let firmware = fields.bytes(usize::from(len), "firmware")?;
        let uhf_band = answer
            .find(ParameterKind::REGULATORY_CAPABILITIES)
            .map(|regulatory| regulatory.nested(4))
            .transpose()?
            .and_then(|parts| parts.find(ParameterKind::UHF_BAND_CAPABILITIES))
            .map(|band| band.nested(0))
            .transpose()?
            .unwrap_or_default();
        Ok(Some(Self { antennas_max, manufacturer, model, firmware, uhf_band }))
    }

    /// The powers it can send with: index and hundredths of a dBm.
    pub fn powers(&self) -> impl Iterator<Item = (u16, i16)> + use<'a> {
        self.uhf_band
            .iter()
            .filter(|part| part.kind == ParameterKind::TRANSMIT_POWER_LEVEL_TABLE_ENTRY)
            .filter_map(|entry| {
                let mut fields = Fields(entry.body);
                let index = fields.u16("index").ok()?;
                let [high, low] = fields.array("power_cdbm").ok()?;
                Some((index, i16::from_be_bytes([high, low])))
            })
    }

    /// The tables of channels that it can send on: those to hop through, or the fixed one.
    pub fn channels(&self) -> impl Iterator<Item = Channels<'a>> + use<'a> {
        let information = self.uhf_band.find(ParameterKind::FREQUENCY_INFORMATION);
        let tables = information.and_then(|information| information.nested(1).ok());
        tables.unwrap_or_default().iter().filter_map(Channels::parse)
    }
}

impl fmt::Debug for Capabilities<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capabilities({self})")
    }
}

/// Who the reader is. Impinj's number is the only maker's that we have seen on a line.
impl fmt::Display for Capabilities<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.manufacturer {
            25_882 => f.write_str("Impinj")?,
            other => write!(f, "manufacturer {other}")?,
        }
        let firmware = String::from_utf8_lossy(self.firmware);
        let Self { model, antennas_max, .. } = self;
        write!(f, " model {model}, firmware {firmware}, {antennas_max} antenna ports")
    }
}

/// A table of the frequencies that channels stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels<'a> {
    /// The table's id, where the reader hops through it.
    pub hop_table: Option<u16>,
    frequencies: &'a [u8],
}

impl<'a> Channels<'a> {
    fn parse(table: Parameter<'a>) -> Option<Self> {
        let mut fields = Fields(table.body);
        let hop_table = match table.kind {
            ParameterKind::FREQUENCY_HOP_TABLE => {
                let id = fields.u8("hop_table_id").ok()?;
                fields.u8("reserved").ok()?;
                Some(u16::from(id))
            }
            ParameterKind::FIXED_FREQUENCY_TABLE => None,
            _ => return None,
        };
        let count = fields.u16("frequencies_khz").ok()?;
        let frequencies = fields.bytes(4 * usize::from(count), "frequencies_khz").ok()?;
        Some(Self { hop_table, frequencies })
    }

    /// The frequencies, from channel 1 on, in kHz.
    pub fn frequencies_khz(&self) -> impl Iterator<Item = u32> + use<'a> {
        let (frequencies, _) = self.frequencies.as_chunks::<4>();
        frequencies.iter().map(|frequency| u32::from_be_bytes(*frequency))
    }
}

/// What a reader is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderConfiguration<'a>(pub Parameters<'a>);

/// How an antenna sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmitter {
    /// The id of the table to hop through; means nothing to a reader that does not hop.
    pub hop_table: u16,
    /// The channel, from 1; means nothing to a reader that hops.
    pub channel: u16,
    /// The power, by its index in the reader's table.
    pub power: u16,
}

impl<'a> ReaderConfiguration<'a> {
    /// The antenna ports, counted from 1, and whether there is an antenna on them.
    pub fn antennas(&self) -> impl Iterator<Item = (u16, bool)> + use<'a> {
        self.0.iter().filter(|part| part.kind == ParameterKind::ANTENNA_PROPERTIES).filter_map(
            |properties| {
                let mut fields = Fields(properties.body);
                let connected = fields.u8("connected").ok()? & 0x80 != 0;
                Some((fields.u16("antenna").ok()?, connected))
            },
        )
    }

    /// How the antenna on `port` sends.
    #[must_use]
    pub fn transmitter(&self, port: u16) -> Option<Transmitter> {
        let of_port = |part: &Parameter<'_>| {
            part.kind == ParameterKind::ANTENNA_CONFIGURATION
                && Fields(part.body).u16("antenna") == Ok(port)
        };
        let configuration = self.0.iter().find(of_port)?;
        let transmitter = configuration.nested(2).ok()?.find(ParameterKind::RF_TRANSMITTER)?;
        let mut fields = Fields(transmitter.body);
        Some(Transmitter {
            hop_table: fields.u16("hop_table_id").ok()?,
            channel: fields.u16("channel_index").ok()?,
            power: fields.u16("power_index").ok()?,
        })
    }

    /// Whether the reader keeps its reports back until it is told that somebody listens.
    #[must_use]
    pub fn holds_reports(&self) -> bool {
        let hold = self.0.find(ParameterKind::EVENTS_AND_REPORTS);
        hold.is_some_and(|hold| hold.body.first().is_some_and(|flags| flags & 0x80 != 0))
    }
}
