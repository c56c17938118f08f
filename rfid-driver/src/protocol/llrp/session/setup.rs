//! How a reader is set up, and in which order.

use crate::codec::FrameBuf;
use crate::protocol::llrp::codec::{
    Capabilities, InventorySpec, Message, MessageKind, Parameters, ReaderConfiguration, Requested,
    SetUp, TidSpec, Transmitter, Version,
};
use crate::session::{ReaderSettings, TidReading, Timing};

/// The ids that our inventory has by turns, so that the late news that an old one has ended is not
/// taken for the end of the new one. A reader has no others while we talk to it.
const INVENTORIES: [u32; 2] = [1, 2];
/// The id of our reading of TIDs.
const ACCESS_SPEC: u32 = 1;
/// Under which the TIDs come.
const TID_OP_SPEC: u16 = 1;
/// A TID with a serial number has 96 bits in most chips.
const TID_WORDS: u16 = 6;
/// All specifications.
const ALL: u32 = 0;

/// What a reader shall be set to, in LLRP's terms, and what is known of the reader at hand.
#[derive(Debug)]
pub(super) struct Setup {
    antennas: Vec<u8>,
    read_power_cdbm: u16,
    tid: TidReading,
    keep_alive_ms: u32,
    // The id of our inventory, and the one that it had before.
    inventory: u32,
    inventory_before: u32,
    // Of the reader's radio, from its capabilities; `None` where it does not tell.
    power_index: Option<u16>,
    tables: Vec<Table>,
    // How it sends now, so that a channel that was chosen for the site is kept.
    sends_now: Option<Transmitter>,
    // Whether it refuses to be told how to send, or to say more than that it lives.
    pub(super) radio: Told,
    pub(super) events: Told,
}

/// A reader's channels.
#[derive(Debug)]
struct Table {
    /// Its id; `None` where the reader does not hop.
    hop_table: Option<u16>,
    frequencies_khz: Vec<u32>,
}

/// Whether a reader lets itself be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Accepts,
    Refuses,
}

impl Setup {
    pub(super) fn new(settings: &ReaderSettings) -> Self {
        Self {
            antennas: settings.antennas.clone(),
            read_power_cdbm: settings.read_power_cdbm,
            tid: settings.tid,
            keep_alive_ms: keep_alive_ms(&settings.timing),
            inventory: INVENTORIES[0],
            inventory_before: INVENTORIES[1],
            power_index: None,
            tables: Vec::new(),
            sends_now: None,
            radio: Told::Accepts,
            events: Told::Accepts,
        }
    }

    /// Begins anew: another reader may have taken the place of the one that was known.
    pub(super) fn forget_reader(&mut self) {
        std::mem::swap(&mut self.inventory, &mut self.inventory_before);
        self.power_index = None;
        self.tables.clear();
        self.sends_now = None;
        self.radio = Told::Accepts;
        self.events = Told::Accepts;
    }

    /// Takes note of what the radio can do.
    pub(super) fn learn_capabilities(&mut self, capabilities: &Capabilities<'_>) {
        let wanted = i32::from(self.read_power_cdbm);
        let not_above = capabilities.powers().filter(|(_, cdbm)| i32::from(*cdbm) <= wanted);
        let nearest = not_above.max_by_key(|(_, cdbm)| *cdbm);
        let lowest = || capabilities.powers().min_by_key(|(_, cdbm)| *cdbm);
        self.power_index = nearest.or_else(lowest).map(|(index, _)| index);
        let tables = capabilities.channels().map(|channels| Table {
            hop_table: channels.hop_table,
            frequencies_khz: channels.frequencies_khz().collect(),
        });
        self.tables = tables.collect();
    }

    /// Takes note of how the reader sends.
    pub(super) fn learn_configuration(&mut self, configuration: &ReaderConfiguration<'_>) {
        let first = self.antennas.first().copied().unwrap_or(1);
        self.sends_now = configuration.transmitter(u16::from(first));
    }

    /// The frequencies that channels stand for, from channel 1 on; none where they are not known.
    pub(super) fn frequencies_khz(&self) -> &[u32] {
        self.table().map_or(&[], |table| &table.frequencies_khz)
    }

    /// The table of channels in use: a reader that does not say which begins with its first.
    fn table(&self) -> Option<&Table> {
        let in_use = self.sends_now.map(|transmitter| transmitter.hop_table);
        let named = self.tables.iter().find(|table| in_use.is_some() && table.hop_table == in_use);
        named.or(self.tables.first())
    }

    /// The id of our inventory.
    pub(super) fn inventory(&self) -> u32 {
        self.inventory
    }

    pub(super) fn uses_antenna(&self, port: u8) -> bool {
        self.antennas.contains(&port)
    }

    pub(super) fn antennas(&self) -> &[u8] {
        &self.antennas
    }

    pub(super) fn wants_tid(&self) -> bool {
        self.tid == TidReading::On
    }

    pub(super) fn message(&self, step: Step, version: Version, id: u32) -> FrameBuf {
        let spec = |kind, spec| Message::Spec { kind, id: spec }.emit(version, id);
        let period_ms = self.keep_alive_ms;
        match step {
            Step::AskCapabilities => {
                Message::GetReaderCapabilities { requested: 0, parameters: Parameters::NONE }
                    .emit(version, id)
            }
            Step::AskConfiguration => ask_configuration(Requested::All, version, id),
            Step::SetUp => match self.events {
                Told::Accepts => SetUp::LifeAndEvents { period_ms }.emit(version, id),
                Told::Refuses => SetUp::Life { period_ms }.emit(version, id),
            },
            Step::DeleteInventories => spec(MessageKind::DELETE_ROSPEC, ALL),
            Step::DeleteOurInventory => spec(MessageKind::DELETE_ROSPEC, self.inventory_before),
            Step::DeleteAccess => spec(MessageKind::DELETE_ACCESSSPEC, ALL),
            Step::AddInventory => InventorySpec {
                id: self.inventory,
                antennas: &self.antennas,
                transmitter: self.transmitter(),
            }
            .emit(version, id),
            Step::AddTid => TidSpec {
                id: ACCESS_SPEC,
                inventory: self.inventory,
                op_spec_id: TID_OP_SPEC,
                words: TID_WORDS,
            }
            .emit(version, id),
            Step::EnableTid => spec(MessageKind::ENABLE_ACCESSSPEC, ACCESS_SPEC),
            Step::EnableInventory => spec(MessageKind::ENABLE_ROSPEC, self.inventory),
            Step::Start => spec(MessageKind::START_ROSPEC, self.inventory),
        }
    }

    /// How the antennas shall send; `None` where the reader decides. Where it does not say what it
    /// is set to, it hops through its first table or sends on the first of its fixed channels.
    fn transmitter(&self) -> Option<Transmitter> {
        let power = self.power_index.filter(|_| self.radio == Told::Accepts)?;
        let unset = match self.table().and_then(|table| table.hop_table) {
            Some(hop_table) => Transmitter { hop_table, channel: 0, power },
            None => Transmitter { hop_table: 0, channel: 1, power },
        };
        Some(Transmitter { power, ..self.sends_now.unwrap_or(unset) })
    }
}

/// A reader shall live for two and a half periods without a sign of it.
fn keep_alive_ms(timing: &Timing) -> u32 {
    u32::try_from(timing.life_timeout.as_millis() * 2 / 5).unwrap_or(u32::MAX).max(1)
}

pub(super) fn ask_configuration(requested: Requested, version: Version, id: u32) -> FrameBuf {
    Message::GetReaderConfig {
        antenna: 0,
        requested: requested.number(),
        input: 0,
        output: 0,
        parameters: Parameters::NONE,
    }
    .emit(version, id)
}

/// One command of the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    AskCapabilities,
    AskConfiguration,
    SetUp,
    /// An inventory that an earlier session left running reports tags that nobody may believe to
    /// have been read now.
    DeleteInventories,
    /// Only where a reader does not know that 0 means all of them.
    DeleteOurInventory,
    DeleteAccess,
    AddInventory,
    /// Only where TIDs are wanted.
    AddTid,
    /// The same.
    EnableTid,
    EnableInventory,
    Start,
}

impl Step {
    pub(super) fn next(self, setup: &Setup) -> Option<Self> {
        match self {
            Self::AskCapabilities => Some(Self::AskConfiguration),
            Self::AskConfiguration => Some(Self::SetUp),
            Self::SetUp => Some(Self::DeleteInventories),
            Self::DeleteInventories | Self::DeleteOurInventory => Some(Self::DeleteAccess),
            Self::DeleteAccess => Some(Self::AddInventory),
            Self::AddInventory if setup.wants_tid() => Some(Self::AddTid),
            Self::AddTid => Some(Self::EnableTid),
            Self::AddInventory | Self::EnableTid => Some(Self::EnableInventory),
            Self::EnableInventory => Some(Self::Start),
            Self::Start => None,
        }
    }

    /// The message that answers it.
    pub(super) fn answer(self) -> MessageKind {
        match self {
            Self::AskCapabilities => MessageKind::GET_READER_CAPABILITIES_RESPONSE,
            Self::AskConfiguration => MessageKind::GET_READER_CONFIG_RESPONSE,
            Self::SetUp => MessageKind::SET_READER_CONFIG_RESPONSE,
            Self::DeleteInventories | Self::DeleteOurInventory => {
                MessageKind::DELETE_ROSPEC_RESPONSE
            }
            Self::DeleteAccess => MessageKind::DELETE_ACCESSSPEC_RESPONSE,
            Self::AddInventory => MessageKind::ADD_ROSPEC_RESPONSE,
            Self::AddTid => MessageKind::ADD_ACCESSSPEC_RESPONSE,
            Self::EnableTid => MessageKind::ENABLE_ACCESSSPEC_RESPONSE,
            Self::EnableInventory => MessageKind::ENABLE_ROSPEC_RESPONSE,
            Self::Start => MessageKind::START_ROSPEC_RESPONSE,
        }
    }
}
