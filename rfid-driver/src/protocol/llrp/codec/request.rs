//! What a host tells a reader to do: the messages whose parameters are ours to choose.

use super::capabilities::Transmitter;
use super::frame::Version;
use super::kind::MessageKind;
use super::parameter::ParameterKind;
use super::write::Writer;
use crate::codec::FrameBuf;

/// The number of the air protocol that everybody speaks: `EPCglobal` Class 1 Generation 2.
const AIR_PROTOCOL_C1G2: u8 = 1;
/// In LLRP a true bit is the first of its byte.
const TRUE: u8 = 0x80;

/// What to ask for of a reader's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requested {
    /// Everything.
    All,
    /// Which antennas are connected.
    AntennaProperties,
}

impl Requested {
    /// Its number on the line.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::All => 0,
            Self::AntennaProperties => 2,
        }
    }
}

/// What a reader shall say of itself while it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetUp {
    /// Signs of life, and the events that a session acts on.
    LifeAndEvents {
        /// Between two signs of life.
        period_ms: u32,
    },
    /// Only signs of life: for readers that refuse the rest.
    Life {
        /// Between two of them.
        period_ms: u32,
    },
}

/// The events: hopping, inputs, `ROSpec`s, buffer, exceptions, surveys, rounds, rounds in detail,
/// antennas; and whether we want to hear of them.
const EVENTS: [(u16, bool); 9] = [
    (0, false),
    (1, false),
    (2, true),
    (3, true),
    (4, true),
    (5, false),
    (6, false),
    (7, false),
    (8, true),
];

impl SetUp {
    /// Builds the message. It changes nothing that it does not name.
    #[must_use]
    pub fn emit(&self, version: Version, id: u32) -> FrameBuf {
        const PERIODIC: u8 = 1;
        let message = Writer::message(MessageKind::SET_READER_CONFIG, version, id).u8(0);
        let (message, period_ms) = match *self {
            Self::Life { period_ms } => (message, period_ms),
            Self::LifeAndEvents { period_ms } => (put_events(message), period_ms),
        };
        let message = message
            .tlv(ParameterKind::KEEPALIVE_SPEC, |keepalive| keepalive.u8(PERIODIC).u32(period_ms));
        match self {
            Self::Life { .. } => message.finish(),
            Self::LifeAndEvents { .. } => {
                message.tlv(ParameterKind::EVENTS_AND_REPORTS, |hold| hold.u8(0)).finish()
            }
        }
    }
}

fn put_events(message: Writer) -> Writer {
    message.tlv(ParameterKind::READER_EVENT_NOTIFICATION_SPEC, |spec| {
        EVENTS.iter().fold(spec, |spec, &(event, wanted)| {
            spec.tlv(ParameterKind::EVENT_NOTIFICATION_STATE, |state| {
                state.u16(event).u8(if wanted { TRUE } else { 0 })
            })
        })
    })
}

/// An inventory without end that reports each tag each time it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InventorySpec<'a> {
    /// The id it gets.
    pub id: u32,
    /// The antenna ports, counted from 1.
    pub antennas: &'a [u8],
    /// How they send; `None` leaves that to the reader.
    pub transmitter: Option<Transmitter>,
}

impl InventorySpec<'_> {
    /// Builds the message that adds it. It does nothing yet.
    ///
    /// # Panics
    /// If there are so many antennas that the message is longer than [`FrameBuf::LEN_MAX`].
    #[must_use]
    pub fn emit(&self, version: Version, id: u32) -> FrameBuf {
        const DISABLED: u8 = 0;
        const NEVER: u8 = 0;
        Writer::message(MessageKind::ADD_ROSPEC, version, id)
            .tlv(ParameterKind::RO_SPEC, |spec| {
                spec.u32(self.id)
                    .u8(0)
                    .u8(DISABLED)
                    .tlv(ParameterKind::RO_BOUNDARY_SPEC, |boundary| {
                        boundary
                            .tlv(ParameterKind::RO_SPEC_START_TRIGGER, |start| start.u8(NEVER))
                            .tlv(ParameterKind::RO_SPEC_STOP_TRIGGER, |stop| stop.u8(NEVER).u32(0))
                    })
                    .tlv(ParameterKind::AI_SPEC, |inventory| self.put_inventory(inventory))
                    .tlv(ParameterKind::RO_REPORT_SPEC, put_report_spec)
            })
            .finish()
    }

    fn put_inventory(&self, inventory: Writer) -> Writer {
        const NEVER: u8 = 0;
        let count = u16::try_from(self.antennas.len()).expect("a FrameBuf would be full before");
        let inventory = self
            .antennas
            .iter()
            .fold(inventory.u16(count), |inventory, port| inventory.u16(u16::from(*port)));
        inventory.tlv(ParameterKind::AI_SPEC_STOP_TRIGGER, |stop| stop.u8(NEVER).u32(0)).tlv(
            ParameterKind::INVENTORY_PARAMETER_SPEC,
            |parameters| {
                let parameters = parameters.u16(1).u8(AIR_PROTOCOL_C1G2);
                match self.transmitter {
                    Some(transmitter) => put_antenna_configuration(parameters, transmitter),
                    None => parameters,
                }
            },
        )
    }
}

/// All antennas send alike, in session 0: a tag answers again as soon as it can, so that the curve
/// of its signal can be seen. Few tags are in a lane at a time.
fn put_antenna_configuration(parameters: Writer, transmitter: Transmitter) -> Writer {
    const ALL_ANTENNAS: u16 = 0;
    const SESSION_0: u8 = 0;
    const TAGS_IN_FIELD: u16 = 4;
    parameters.tlv(ParameterKind::ANTENNA_CONFIGURATION, |antennas| {
        antennas
            .u16(ALL_ANTENNAS)
            .tlv(ParameterKind::RF_TRANSMITTER, |radio| {
                radio.u16(transmitter.hop_table).u16(transmitter.channel).u16(transmitter.power)
            })
            .tlv(ParameterKind::C1G2_INVENTORY_COMMAND, |command| {
                command.u8(0).tlv(ParameterKind::C1G2_SINGULATION_CONTROL, |singulation| {
                    singulation.u8(SESSION_0).u16(TAGS_IN_FIELD).u32(0)
                })
            })
    })
}

/// Each read at once, with everything that a [`crate::TagRead`] holds.
fn put_report_spec(report: Writer) -> Writer {
    const UPON_N_TAGS_OR_END_OF_AISPEC: u8 = 1;
    const ONE_TAG: u16 = 1;
    // Antenna, channel, signal, first seen, count; not the ids, not last seen.
    const CONTENT: u16 = 0b0001_1110_1000_0000;
    // PC, not CRC.
    const EPC_MEMORY: u8 = 0b0100_0000;
    report.u8(UPON_N_TAGS_OR_END_OF_AISPEC).u16(ONE_TAG).tlv(
        ParameterKind::TAG_REPORT_CONTENT_SELECTOR,
        |selector| {
            selector
                .u16(CONTENT)
                .tlv(ParameterKind::C1G2_EPC_MEMORY_SELECTOR, |memory| memory.u8(EPC_MEMORY))
        },
    )
}

/// A read of the TID of every tag that an inventory finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TidSpec {
    /// The id it gets.
    pub id: u32,
    /// The inventory.
    pub inventory: u32,
    /// The id under which its results come.
    pub op_spec_id: u16,
    /// How many words of two bytes.
    pub words: u16,
}

impl TidSpec {
    /// Builds the message that adds it. It does nothing yet.
    #[must_use]
    pub fn emit(&self, version: Version, id: u32) -> FrameBuf {
        const ALL_ANTENNAS: u16 = 0;
        const DISABLED: u8 = 0;
        const NEVER: u8 = 0;
        // A mask of no bits in the EPC's memory (bank 1), behind its CRC and PC: any tag.
        const BANK_1_MATCH: u8 = 0b0110_0000;
        const EPC_POINTER_BITS: u16 = 0x20;
        const BANK_2: u8 = 0b1000_0000;
        const NO_PASSWORD: u32 = 0;
        const WITH_THE_TAG: u8 = 0;
        Writer::message(MessageKind::ADD_ACCESSSPEC, version, id)
            .tlv(ParameterKind::ACCESS_SPEC, |spec| {
                spec.u32(self.id)
                    .u16(ALL_ANTENNAS)
                    .u8(AIR_PROTOCOL_C1G2)
                    .u8(DISABLED)
                    .u32(self.inventory)
                    .tlv(ParameterKind::ACCESS_SPEC_STOP_TRIGGER, |stop| stop.u8(NEVER).u16(0))
                    .tlv(ParameterKind::ACCESS_COMMAND, |command| {
                        command
                            .tlv(ParameterKind::C1G2_TAG_SPEC, |tags| {
                                tags.tlv(ParameterKind::C1G2_TARGET_TAG, |any| {
                                    any.u8(BANK_1_MATCH).u16(EPC_POINTER_BITS).u16(0).u16(0)
                                })
                            })
                            .tlv(ParameterKind::C1G2_READ, |read| {
                                read.u16(self.op_spec_id)
                                    .u32(NO_PASSWORD)
                                    .u8(BANK_2)
                                    .u16(0)
                                    .u16(self.words)
                            })
                    })
                    .tlv(ParameterKind::ACCESS_REPORT_SPEC, |report| report.u8(WITH_THE_TAG))
            })
            .finish()
    }
}
