//! How a reader is set up, and in which order.

use crate::codec::FrameBuf;
use crate::protocol::llrp::codec::{
    Capabilities, InventorySpec, Message, MessageKind, Parameters, ReaderConfiguration, Requested,
    SetUp, TidSpec, Transmitter, Version,
};
use crate::session::{ReaderSettings, TidReading, Timing};

/// The id of our inventory, and of our reading of TIDs. A reader has no others while we talk to it.
pub(super) const RO_SPEC: u32 = 1;
const ACCESS_SPEC: u32 = 1;
/// Under which the TIDs come.
pub(super) const TID_OP_SPEC: u16 = 1;
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
    // Of the reader's radio, from its capabilities; `None` where it does not tell.
    power_index: Option<u16>,
    hop_table: Option<u16>,
    frequencies_khz: Vec<u32>,
    // How it sends now, so that a channel that was chosen for the site is kept.
    sends_now: Option<Transmitter>,
    // Whether it refuses to be told how to send, or to say more than that it lives.
    pub(super) radio: Told,
    pub(super) events: Told,
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
            power_index: None,
            hop_table: None,
            frequencies_khz: Vec::new(),
            sends_now: None,
            radio: Told::Accepts,
            events: Told::Accepts,
        }
    }

    /// Forgets the reader: another one may have taken its place.
    pub(super) fn forget_reader(&mut self) {
        self.power_index = None;
        self.hop_table = None;
        self.frequencies_khz.clear();
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
        self.learn_channels(capabilities, None);
    }

    /// Takes note of the frequencies that channels stand for.
    fn learn_channels(&mut self, capabilities: &Capabilities<'_>, hop_table: Option<u16>) {
        if let Some(channels) = capabilities.channels(hop_table) {
            self.hop_table = channels.hop_table;
            self.frequencies_khz = channels.frequencies_khz().collect();
        }
    }

    /// Takes note of how the reader sends.
    pub(super) fn learn_configuration(&mut self, configuration: &ReaderConfiguration<'_>) {
        let first = self.antennas.first().copied().unwrap_or(1);
        self.sends_now = configuration.transmitter(u16::from(first));
    }

    /// The frequencies that channels stand for, from channel 1 on.
    pub(super) fn frequencies_khz(&self) -> &[u32] {
        &self.frequencies_khz
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
            Step::DeleteOurInventory => spec(MessageKind::DELETE_ROSPEC, RO_SPEC),
            Step::DeleteAccess => spec(MessageKind::DELETE_ACCESSSPEC, ALL),
            Step::AddInventory => InventorySpec {
                id: RO_SPEC,
                antennas: &self.antennas,
                transmitter: self.transmitter(),
            }
            .emit(version, id),
            Step::AddTid => TidSpec {
                id: ACCESS_SPEC,
                inventory: RO_SPEC,
                op_spec_id: TID_OP_SPEC,
                words: TID_WORDS,
            }
            .emit(version, id),
            Step::EnableTid => spec(MessageKind::ENABLE_ACCESSSPEC, ACCESS_SPEC),
            Step::EnableInventory => spec(MessageKind::ENABLE_ROSPEC, RO_SPEC),
            Step::Start => spec(MessageKind::START_ROSPEC, RO_SPEC),
        }
    }

    /// How the antennas shall send; `None` where the reader decides. Where it does not say what it
    /// is set to, it hops through its first table or sends on the first of its fixed channels.
    fn transmitter(&self) -> Option<Transmitter> {
        let power = self.power_index.filter(|_| self.radio == Told::Accepts)?;
        let unset = match self.hop_table {
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
