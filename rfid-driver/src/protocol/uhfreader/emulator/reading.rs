//! Reading tags: inventories that a host asks for, and reports that nobody asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{CELSIUS_MAX, UhfReaderDevice};
use crate::Epc;
use crate::codec::Opaque;
use crate::emulator::{FieldTag, Heard, TransmitKind};
use crate::protocol::uhfreader::codec::{
    Dialect, InventoryRequest, Mask, QFlags, Reply, Status, opcode,
};

/// After the last tag has answered, until the reader is sure that it was the last.
const SETTLE_TIME: Duration = Duration::from_millis(10);
/// How long the inventory of one tag looks for it.
const SINGLE_TIME: Duration = Duration::from_millis(50);
const TENTH: Duration = Duration::from_millis(100);
const HEARTBEAT_UNIT: Duration = Duration::from_secs(30);
/// What a list can hold beside its count, in the older dialect.
const LIST_LEN_MAX: usize = 249;
/// Raw signal strength at 0 dBm: made up, as no manual has a formula.
const RSSI_RAW_AT_0_DBM: i16 = 130;
/// A TID that no host asked to be read is made from the EPC, so that equal tags have equal TIDs.
const TID_LEN: usize = 12;

/// An inventory that runs.
#[derive(Debug)]
pub(super) struct Inventory {
    opcode: u8,
    q: QFlags,
    /// First word and number of words of the TID, in place of the EPC.
    tid: Option<[u8; 2]>,
    /// Only tags that have this.
    mask: Option<TagMask>,
    /// Bit 0 for port 1.
    antennas: u8,
    ends_at: Duration,
    /// Once all have answered: when it is sure of it.
    settled_at: Option<Duration>,
    /// Who has answered, and at which port.
    answered: Vec<(Epc, u8)>,
    /// Who has not, and is in the field.
    missing: Vec<(Epc, u8)>,
    /// What has been heard and not been sent: the older dialect answers all together.
    held: Vec<Vec<u8>>,
    reads: u32,
    started_at: Duration,
}

/// What a tag must have at some place of its memory to answer.
#[derive(Debug, Clone)]
struct TagMask {
    bank: u8,
    first_bit: usize,
    bits: usize,
    data: Vec<u8>,
}

impl TagMask {
    fn new(mask: &Mask<'_>) -> Self {
        Self {
            bank: mask.memory,
            first_bit: usize::from(mask.address),
            bits: usize::from(mask.len),
            data: mask.data.0.to_vec(),
        }
    }

    fn matches(&self, bank: &[u8]) -> bool {
        let bit = |bytes: &[u8], at: usize| Some(bytes.get(at / 8)? >> (7 - at % 8) & 1);
        (0..self.bits).all(|at| {
            let wanted = bit(&self.data, at);
            wanted.is_some() && bit(bank, self.first_bit + at) == wanted
        })
    }
}

/// Reading unasked.
#[derive(Debug)]
pub(super) struct Push {
    heartbeat_at: Option<Duration>,
    heartbeats: u32,
    tags: u32,
    /// When each tag may be reported again.
    quiet_until: BTreeMap<Epc, Duration>,
}

impl UhfReaderDevice {
    /// Begins or ends reading unasked, as the settings say.
    pub(super) fn enter_work_mode(&mut self, now: Duration) {
        // The input is pulled up, and nothing pulls it down.
        let pushes = match self.dialect {
            Dialect::New288 => self.kept.work_mode != 0,
            Dialect::Old18 => self.kept.scan_mode[0] != 0,
        };
        self.push = pushes.then(|| Push {
            heartbeat_at: self.heartbeat_period().map(|period| now + period),
            heartbeats: 0,
            tags: 0,
            quiet_until: BTreeMap::new(),
        });
        if pushes {
            self.radio.begin(now);
        }
    }

    fn heartbeat_period(&self) -> Option<Duration> {
        let time = u32::from(self.kept.heartbeat_time);
        (self.dialect == Dialect::New288 && time > 0).then(|| HEARTBEAT_UNIT * time)
    }

    /// Whether it reads while its mode waits for an input.
    fn is_triggered(&self) -> bool {
        match self.dialect {
            Dialect::New288 => self.kept.work_mode == 1,
            Dialect::Old18 => matches!(self.kept.scan_mode[0], 1 | 3),
        }
    }

    pub(super) fn begin_inventory(&mut self, request: Option<InventoryRequest<'_>>, now: Duration) {
        let plain = InventoryRequest::plain(QFlags(4), 0);
        let (request, tid) = match (self.dialect, request) {
            // Two bytes are words of the TID there.
            (Dialect::Old18, Some(request)) => (plain, Some([request.q.0, request.session])),
            (Dialect::Old18, None) => (plain, None),
            (Dialect::New288, request) => {
                let request = request.unwrap_or(plain);
                (request, request.tid)
            }
        };
        let port = request.express.map(|express| express.port());
        if port == Some(None) || tid.is_some_and(|[_, words]| !(1..=15).contains(&words)) {
            return self.refuse(opcode::INVENTORY, Status::PARAMETER);
        }
        let antennas = port.flatten().map_or(self.kept.antennas, |port| 1 << (port - 1).min(7));
        let scan_time = request.express.map_or(self.kept.scan_time, |express| express.scan_time);
        let ends_at = match scan_time {
            0 => now + SETTLE_TIME,
            tenths => now + TENTH * u32::from(tenths),
        };
        let mask = request.mask.as_ref().map(TagMask::new);
        self.begin(opcode::INVENTORY, (request.q, tid, mask), antennas, ends_at, now);
    }

    pub(super) fn begin_single(&mut self, now: Duration) {
        let (antennas, ends_at) = (self.kept.antennas, now + SINGLE_TIME);
        self.radio.begin(now);
        self.begin(opcode::INVENTORY_SINGLE, (QFlags(0), None, None), antennas, ends_at, now);
    }

    fn begin(
        &mut self,
        opcode: u8,
        (q, tid, mask): (QFlags, Option<[u8; 2]>, Option<TagMask>),
        antennas: u8,
        ends_at: Duration,
        now: Duration,
    ) {
        if let Err(status) = self.radio_state(antennas) {
            return self.refuse(opcode, status);
        }
        let antennas = if self.dialect == Dialect::Old18 { 1 } else { antennas };
        self.inventory = Some(Inventory {
            opcode,
            q,
            tid,
            mask,
            antennas,
            ends_at,
            settled_at: None,
            answered: Vec::new(),
            missing: Vec::new(),
            held: Vec::new(),
            reads: 0,
            started_at: now,
        });
        self.meet_field();
        self.read(now);
    }

    /// Whether the radio can work on these antennas.
    fn radio_state(&self, antennas: u8) -> Result<(), Status> {
        if self.broken.celsius > CELSIUS_MAX {
            return Err(Status::EXECUTION);
        }
        let none_left = self.broken.antennas & antennas == antennas;
        if self.kept.antenna_check != 0 && (none_left || self.broken.return_loss) {
            return Err(Status::ANTENNA);
        }
        Ok(())
    }

    /// A running inventory waits for whoever is in the field now and has not answered.
    pub(super) fn meet_field(&mut self) {
        let Some(inventory) = &self.inventory else { return };
        let antennas = inventory.antennas & !self.broken.antennas;
        let missing = self
            .field
            .iter()
            .filter(|tag| hears(antennas, tag.antenna) && self.is_asked(inventory, tag))
            .map(|tag| (tag.epc, tag.antenna))
            .filter(|tag| !inventory.answered.contains(tag))
            .collect();
        let Some(inventory) = &mut self.inventory else { return };
        inventory.missing = missing;
        if !inventory.missing.is_empty() {
            inventory.settled_at = None;
        }
    }

    /// Whether the inventory asks this tag.
    fn is_asked(&self, inventory: &Inventory, tag: &FieldTag) -> bool {
        let mask = inventory.mask.as_ref();
        mask.is_none_or(|mask| mask.matches(&self.bank(tag, mask.bank)))
    }

    /// Hears the tags that are due, and reports them.
    pub(super) fn read(&mut self, now: Duration) {
        if self.inventory.is_none() && self.push.is_none() {
            return;
        }
        for heard in self.radio.read(now) {
            if self.broken.tags || hears(self.broken.antennas, heard.tag.antenna) {
                continue;
            }
            if self.inventory.is_some() {
                self.hear_in_inventory(heard, now);
            } else if self.push.is_some()
                && self.is_triggered()
                && self.radio_state(self.kept.antennas).is_ok()
            {
                self.hear_unasked(heard, now);
            }
        }
    }

    fn hear_in_inventory(&mut self, heard: Heard, now: Duration) {
        let asks = self.inventory.as_ref().is_some_and(|inventory| {
            hears(inventory.antennas, heard.tag.antenna) && self.is_asked(inventory, &heard.tag)
        });
        let Some(inventory) = self.inventory.as_mut().filter(|_| asks) else { return };
        let tag = (heard.tag.epc, heard.tag.antenna);
        inventory.missing.retain(|missing| *missing != tag);
        inventory.answered.push(tag);
        inventory.reads += 1;
        if inventory.missing.is_empty() {
            inventory.settled_at.get_or_insert(now + SETTLE_TIME);
        }
        let (opcode, q, tid) = (inventory.opcode, inventory.q, inventory.tid);
        let block = self.block(heard, q, tid);
        match (opcode, self.dialect) {
            (opcode::INVENTORY_SINGLE, _) => {
                self.inventory = None;
                self.list(opcode, Status::INVENTORY_DONE, heard.tag.antenna, &[block]);
            }
            (_, Dialect::New288) => {
                self.list(opcode, Status::INVENTORY_MORE, heard.tag.antenna, &[block]);
            }
            (_, Dialect::Old18) => {
                if let Some(inventory) = &mut self.inventory {
                    inventory.held.push(block);
                }
            }
        }
    }

    fn hear_unasked(&mut self, heard: Heard, now: Duration) {
        let (selected, pause_s) = match self.dialect {
            Dialect::New288 => (self.kept.antennas, self.kept.real_time[2]),
            Dialect::Old18 => (1, self.kept.scan_mode[5]),
        };
        let period = self.heartbeat_period();
        let Some(push) = &mut self.push else { return };
        let quiet = push.quiet_until.get(&heard.tag.epc).is_some_and(|until| *until > now);
        if quiet || !hears(selected, heard.tag.antenna) {
            return;
        }
        push.quiet_until.insert(heard.tag.epc, now + Duration::from_secs(pause_s.into()));
        push.heartbeat_at = period.map(|period| now + period);
        push.tags += 1;
        let q = QFlags(match self.dialect {
            Dialect::New288 => self.kept.real_time[3],
            Dialect::Old18 => 0,
        });
        let mut data = self.block(heard, QFlags(q.0 & !QFlags::FAST_ID), None);
        match self.dialect {
            Dialect::New288 => data.insert(0, antenna_byte(heard.tag.antenna)),
            // The length is that of the frame.
            Dialect::Old18 => drop(data.remove(0)),
        }
        let reply = Reply::Done { opcode: opcode::PUSH, data: Opaque(&data) };
        self.send(&reply, TransmitKind::Tag);
    }

    /// One tag as it stands in a list.
    fn block(&self, heard: Heard, q: QFlags, tid_words: Option<[u8; 2]>) -> Vec<u8> {
        const FAST_ID: u8 = 0x80;
        const PHASE: u8 = 0x40;
        let epc = self.epc_of(&heard.tag);
        let tid = tid_of(&heard.tag);
        let mut identity = match tid_words {
            None => epc.as_bytes().to_vec(),
            Some([first, words]) => {
                let tid = tid.iter().copied().chain(std::iter::repeat(0));
                tid.skip(2 * usize::from(first)).take(2 * usize::from(words)).collect()
            }
        };
        let new = self.dialect == Dialect::New288;
        // Six bits count the bytes.
        let fast_id = new
            && q.contains(QFlags::FAST_ID)
            && heard.tag.tid.is_some()
            && identity.len() + TID_LEN <= 0x3F;
        if fast_id {
            identity.extend_from_slice(&tid);
        }
        let mut flags = if fast_id { FAST_ID } else { 0 };
        if new && q.contains(QFlags::PHASE) {
            flags |= PHASE;
        }
        let len = u8::try_from(identity.len()).unwrap_or(u8::MAX);
        let mut block = vec![flags | len];
        block.extend_from_slice(&identity);
        if new {
            let raw = RSSI_RAW_AT_0_DBM + i16::from(heard.rssi_dbm);
            block.push(u8::try_from(raw.clamp(0, 255)).unwrap_or(u8::MAX));
        }
        if flags & PHASE != 0 {
            let frequency_khz =
                self.band().frequency_khz(heard.channel.min(self.band().channel_max));
            let [_, frequency @ ..] = frequency_khz.to_be_bytes();
            block.extend_from_slice(&heard.phase_deg.to_be_bytes());
            block.extend_from_slice(&heard.phase_deg.to_be_bytes());
            block.extend_from_slice(&frequency);
        }
        block
    }

    fn list(&mut self, opcode: u8, status: Status, antenna: u8, blocks: &[Vec<u8>]) {
        let mut data = Vec::new();
        if self.dialect == Dialect::New288 {
            data.push(antenna_byte(antenna));
        }
        data.push(u8::try_from(blocks.len()).unwrap_or(u8::MAX));
        data.extend(blocks.iter().flatten());
        let kind = if blocks.is_empty() { TransmitKind::Answer } else { TransmitKind::Tag };
        self.send(&Reply::Refused { opcode, status, data: Opaque(&data) }, kind);
    }

    /// Ends the inventory and says how it ended.
    pub(super) fn end_inventory(&mut self, status: Status, now: Duration) {
        let Some(inventory) = self.inventory.take() else { return };
        let Inventory { opcode, q, antennas, held, reads, started_at, .. } = inventory;
        match self.dialect {
            Dialect::New288 if opcode == opcode::INVENTORY_SINGLE => {
                return self.refuse(opcode, Status::NO_TAG);
            }
            Dialect::New288 => {
                let first = u8::try_from(antennas.trailing_zeros()).unwrap_or(0) + 1;
                self.list(opcode, status, first, &[]);
            }
            Dialect::Old18 if held.is_empty() => self.refuse(opcode, Status::NO_TAG),
            Dialect::Old18 => self.list_held(opcode, status, &held),
        }
        if self.dialect == Dialect::New288 && q.contains(QFlags::STATISTICS) {
            let lasted_ms = now.saturating_sub(started_at).as_millis().max(1);
            let rate = u128::from(reads) * 1000 / lasted_ms;
            self.answer(&Reply::Statistics {
                opcode,
                antenna: antennas,
                reads_per_s: u16::try_from(rate).unwrap_or(u16::MAX),
                reads,
            });
        }
    }

    fn list_held(&mut self, opcode: u8, status: Status, held: &[Vec<u8>]) {
        let (mut from, mut len) = (0, 0);
        for (at, block) in held.iter().enumerate() {
            if len + block.len() > LIST_LEN_MAX {
                self.list(opcode, Status::INVENTORY_MORE, 1, &held[from..at]);
                (from, len) = (at, 0);
            }
            len += block.len();
        }
        self.list(opcode, status, 1, &held[from..]);
    }

    /// Ends an inventory that is over, and gives the heartbeat that is due.
    pub(super) fn end_what_is_over(&mut self, now: Duration) {
        if let Some(inventory) = &self.inventory {
            if inventory.settled_at.is_some_and(|at| at <= now) {
                self.end_inventory(Status::INVENTORY_DONE, now);
            } else if inventory.ends_at <= now {
                let all = inventory.missing.is_empty() || inventory.reads == 0;
                let status = if all { Status::INVENTORY_DONE } else { Status::INVENTORY_TIMEOUT };
                self.end_inventory(status, now);
            }
        }
        let period = self.heartbeat_period();
        let Some(push) = &mut self.push else { return };
        if push.heartbeat_at.is_some_and(|at| at <= now) {
            push.heartbeat_at = period.map(|period| now + period);
            push.heartbeats += 1;
            let states: Vec<u8> = (0..super::PORTS)
                .map(|port| u8::from(self.broken.antennas & 1 << port == 0))
                .collect();
            let (number, tags) = (push.heartbeats, push.tags);
            if !self.broken.heartbeat {
                let reply = Reply::Heartbeat { number, antennas: Opaque(&states), tags };
                self.send(&reply, TransmitKind::KeepAlive);
            }
        }
    }

    /// When something of this is due.
    pub(super) fn reading_deadline(&self) -> Option<Duration> {
        if self.booted_at.is_some() {
            return None;
        }
        let inventory = self
            .inventory
            .iter()
            .flat_map(|inventory| [inventory.ends_at].into_iter().chain(inventory.settled_at));
        let push = self.push.iter().filter_map(|push| push.heartbeat_at);
        let reads = self.inventory.is_some() || self.push.is_some();
        inventory.chain(push).chain(self.radio.next_read().filter(|_| reads)).min()
    }
}

/// Whether one of the antennas, bit 0 for port 1, is this port.
fn hears(antennas: u8, port: u8) -> bool {
    (1..=8).contains(&port) && antennas & 1 << (port - 1) != 0
}

fn antenna_byte(port: u8) -> u8 {
    1 << (port - 1).min(7)
}

/// The chip's own identity: what the field's owner says, or one made from the EPC.
pub(super) fn tid_of(tag: &FieldTag) -> Vec<u8> {
    match &tag.tid {
        Some(tid) => {
            let padded = tid.as_bytes().iter().copied().chain(std::iter::repeat(0));
            padded.take(TID_LEN).collect()
        }
        None => {
            let made = [0xE2, 0x80, 0x11, 0x05].into_iter();
            let epc = tag.epc.as_bytes().iter().rev().copied().chain(std::iter::repeat(0));
            made.chain(epc).take(TID_LEN).collect()
        }
    }
}
