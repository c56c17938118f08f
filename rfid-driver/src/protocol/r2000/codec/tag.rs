//! What readers say about tags: one read as it happens, one of the buffer, one that was operated on.

use crc::{CRC_16_GENIBUS, Crc};

use super::MeaningError;
use super::opcode;
use crate::codec::{Fields, FieldsError, FrameBuf, Opaque};

/// The check that a Gen2 tag stores beside its EPC (EPC Gen2 v2.1, annex F).
const TAG_CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_GENIBUS);
/// `FreqAnt`, PC and RSSI.
const REPORT_OVERHEAD: usize = 4;
const PHASE_LEN: usize = 2;
/// PC and CRC, which count as data beside the EPC.
const PC_AND_CRC_LEN: usize = 4;
/// The highest bit of a byte that carries it: the antenna is one of ports 5 to 8.
const UPPER_PORTS: u8 = 0x80;
/// The first byte of every TID of an EPC tag (EPC Tag Data Standard, chapter 16).
const TID_CLASS: u8 = 0xE2;
/// The lengths of TID that are packed: Monza chips have 96 bits, or 64.
const TID_LENS: [usize; 2] = [12, 8];
const CRC_LEN: usize = 2;
/// The weakest strength in the vendor's table is 31, -99 dBm: a lower byte is no strength.
const RSSI_MIN: u8 = 31;

/// The byte that holds channel and antenna.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreqAnt(pub u8);

impl FreqAnt {
    /// Of a channel, 0 to 63, and the antenna, counted from 1; ports 5 to 8 look like 1 to 4.
    #[must_use]
    pub fn new(channel: u8, antenna: u8) -> Self {
        Self(channel << 2 | antenna.wrapping_sub(1) & 0b11)
    }

    /// The channel: of the vendor's table, or of the owner's own list.
    #[must_use]
    pub fn channel(self) -> u8 {
        self.0 >> 2
    }

    /// The antenna, counted from 1, given the byte that has the highest bit.
    #[must_use]
    pub fn antenna(self, other: u8) -> u8 {
        let upper = if other & UPPER_PORTS == 0 { 0 } else { 4 };
        (self.0 & 0b11) + 1 + upper
    }
}

/// The phase of a tag's answer, for hosts that asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// As the reader says; the vendor gives no unit.
    pub raw: u16,
    /// Where it stands.
    pub place: PhasePlace,
}

/// Where a phase stands: firmware differs. It is told by the byte after the EPC, which is below 1F
/// where it is the high byte of a phase and never where it is an RSSI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhasePlace {
    /// After the RSSI (YR8900 interface specification).
    AfterRssi,
    /// Before it.
    BeforeRssi,
}

/// One read of one tag, as it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagReport<'a> {
    /// The inventory that it belongs to.
    pub opcode: u8,
    /// Channel and antenna.
    pub freq_ant: FreqAnt,
    /// The tag's protocol control word.
    pub pc: u16,
    /// Its EPC, and before it the extended control words of a tag that counts them in its PC; with
    /// `FastTID` more: see [`fast_tid`].
    pub epc: Opaque<'a>,
    /// The strength of its answer, and in the highest bit which four ports.
    pub rssi: u8,
    /// The phase of its answer.
    pub phase: Option<Phase>,
}

impl<'a> TagReport<'a> {
    /// The antenna, counted from 1.
    #[must_use]
    pub fn antenna(&self) -> u8 {
        self.freq_ant.antenna(self.rssi)
    }

    pub(super) fn parse(opcode: u8, payload: &'a [u8]) -> Result<Self, MeaningError> {
        let mut fields = Fields(payload);
        let freq_ant = FreqAnt(fields.u8("channel and antenna")?);
        let pc = fields.u16("pc")?;
        if !report_fits(pc, payload.len()) {
            let found = payload.len().saturating_sub(REPORT_OVERHEAD);
            return Err(MeaningError::EpcLength { claimed: epc_len(pc), found });
        }
        let epc = Opaque(fields.bytes(epc_len(pc), "epc")?);
        let (rssi, phase) = match *fields.0 {
            [rssi] => (rssi, None),
            [high, low, rssi] if high & !UPPER_PORTS < RSSI_MIN => {
                let raw = u16::from_be_bytes([high, low]);
                (rssi, Some(Phase { raw, place: PhasePlace::BeforeRssi }))
            }
            [rssi, high, low] => {
                let raw = u16::from_be_bytes([high, low]);
                (rssi, Some(Phase { raw, place: PhasePlace::AfterRssi }))
            }
            _ => return Err(FieldsError::Short { field: "rssi" }.into()),
        };
        Ok(Self { opcode, freq_ant, pc, epc, rssi, phase })
    }

    pub(super) fn put(&self, frame: FrameBuf) -> FrameBuf {
        let frame = frame.put(&[self.freq_ant.0]).put(&self.pc.to_be_bytes()).put(self.epc.0);
        match self.phase {
            None => frame.put(&[self.rssi]),
            Some(Phase { raw, place: PhasePlace::AfterRssi }) => {
                frame.put(&[self.rssi]).put(&raw.to_be_bytes())
            }
            Some(Phase { raw, place: PhasePlace::BeforeRssi }) => {
                frame.put(&raw.to_be_bytes()).put(&[self.rssi])
            }
        }
    }
}

/// Whether a payload of this length reports a tag, if the command is an inventory that does.
pub(super) fn is_report(opcode: u8, payload_len: usize) -> bool {
    matches!(opcode, opcode::REAL_TIME | opcode::FAST_SWITCH | opcode::SESSION)
        && !matches!(payload_len, 1 | 2 | 7)
}

/// Whether the PC says that the EPC is as long as the report has room for.
pub(super) fn report_fits(pc: u16, payload_len: usize) -> bool {
    payload_len
        .checked_sub(REPORT_OVERHEAD + epc_len(pc))
        .is_some_and(|rest| matches!(rest, 0 | PHASE_LEN))
}

/// How many bytes of EPC follow a PC.
fn epc_len(pc: u16) -> usize {
    usize::from(pc >> 11) * 2
}

/// One tag of the reader's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferedTag<'a> {
    /// Which question this answers.
    pub opcode: u8,
    /// How many tags the buffer holds, each with a frame like this.
    pub tags: u16,
    /// The tag's protocol control word.
    pub pc: u16,
    /// Its EPC.
    pub epc: Opaque<'a>,
    /// The check that it stores beside it.
    pub tag_crc: u16,
    /// The strength of its answer, and in the highest bit which four ports.
    pub rssi: u8,
    /// Channel and antenna.
    pub freq_ant: FreqAnt,
    /// How often it was read.
    pub reads: u8,
}

impl<'a> BufferedTag<'a> {
    /// The antenna, counted from 1.
    #[must_use]
    pub fn antenna(&self) -> u8 {
        self.freq_ant.antenna(self.rssi)
    }

    pub(super) fn parse(opcode: u8, payload: &'a [u8]) -> Result<Self, MeaningError> {
        let (tags, stored, [rssi, freq_ant, reads]) = Stored::parse(payload, 0)?;
        let Stored { pc, epc, tag_crc, .. } = stored;
        Ok(Self { opcode, tags, pc, epc, tag_crc, rssi, freq_ant: FreqAnt(freq_ant), reads })
    }

    pub(super) fn put(&self, frame: FrameBuf) -> FrameBuf {
        let Self { pc, epc, tag_crc, .. } = *self;
        let stored = Stored { pc, epc, tag_crc, data: Opaque(&[]) };
        stored.put(frame, self.tags).put(&[self.rssi, self.freq_ant.0, self.reads])
    }
}

/// One tag that was read, written, locked or killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessedTag<'a> {
    /// What was asked for.
    pub opcode: u8,
    /// How many tags were operated on, each with a frame like this.
    pub tags: u16,
    /// The tag's protocol control word.
    pub pc: u16,
    /// Its EPC.
    pub epc: Opaque<'a>,
    /// The check that it stores beside it.
    pub tag_crc: u16,
    /// What was read of its memory.
    pub data: Opaque<'a>,
    /// How it went; of a read, how many bytes were read.
    pub result: u8,
    /// Channel and antenna.
    pub freq_ant: FreqAnt,
    /// How often it was operated on, and in the highest bit which four ports.
    pub operations: u8,
}

impl<'a> AccessedTag<'a> {
    /// The antenna, counted from 1.
    #[must_use]
    pub fn antenna(&self) -> u8 {
        self.freq_ant.antenna(self.operations)
    }

    pub(super) fn parse(opcode: u8, payload: &'a [u8]) -> Result<Self, MeaningError> {
        let data_len = match (opcode, payload) {
            (opcode::READ, [.., read_len, _, _]) => usize::from(*read_len),
            _ => 0,
        };
        let (tags, stored, [result, freq_ant, operations]) = Stored::parse(payload, data_len)?;
        let Stored { pc, epc, tag_crc, data } = stored;
        let freq_ant = FreqAnt(freq_ant);
        Ok(Self { opcode, tags, pc, epc, tag_crc, data, result, freq_ant, operations })
    }

    pub(super) fn put(&self, frame: FrameBuf) -> FrameBuf {
        let Self { pc, epc, tag_crc, data, .. } = *self;
        let stored = Stored { pc, epc, tag_crc, data };
        stored.put(frame, self.tags).put(&[self.result, self.freq_ant.0, self.operations])
    }
}

/// What the two above share: `tags(2) | len(1) | PC EPC CRC data | three bytes`.
struct Stored<'a> {
    pc: u16,
    epc: Opaque<'a>,
    tag_crc: u16,
    data: Opaque<'a>,
}

impl<'a> Stored<'a> {
    fn parse(payload: &'a [u8], data_len: usize) -> Result<(u16, Self, [u8; 3]), MeaningError> {
        let mut fields = Fields(payload);
        let tags = fields.u16("tag count")?;
        let len = usize::from(fields.u8("data length")?);
        let mut inner = Fields(fields.bytes(len, "data")?);
        let last = fields.array("antenna")?;
        fields.end()?;
        let pc = inner.u16("pc")?;
        let found = len.saturating_sub(PC_AND_CRC_LEN + data_len);
        if found != epc_len(pc) {
            return Err(MeaningError::EpcLength { claimed: epc_len(pc), found });
        }
        let epc = Opaque(inner.bytes(found, "epc")?);
        let tag_crc = inner.u16("tag crc")?;
        let data = Opaque(inner.bytes(data_len, "data")?);
        inner.end()?;
        Ok((tags, Self { pc, epc, tag_crc, data }, last))
    }

    fn put(&self, frame: FrameBuf, tags: u16) -> FrameBuf {
        let len = PC_AND_CRC_LEN + self.epc.0.len() + self.data.0.len();
        let len = u8::try_from(len).expect("a payload has at most 252 bytes");
        frame
            .put(&tags.to_be_bytes())
            .put(&[len])
            .put(&self.pc.to_be_bytes())
            .put(self.epc.0)
            .put(&self.tag_crc.to_be_bytes())
            .put(self.data.0)
    }
}

/// Takes apart what a reader with `FastTID` switched on reports as an EPC; `None` where it is just
/// an EPC. The tag packs both into its answer: "modified PC, EPC, CRC of the EPC, TID" (V3.7,
/// `cmd_set_impinj_fast_tid`); the PC then counts all of it. Nothing marks such an answer, but the
/// CRC in its middle has to be right, and a TID begins with E2.
#[must_use]
pub fn fast_tid(pc: u16, packed: &[u8]) -> Option<(&[u8], &[u8])> {
    TID_LENS.iter().find_map(|&tid_len| {
        let epc_len = packed.len().checked_sub(CRC_LEN + tid_len)?;
        let (epc, rest) = packed.split_at_checked(epc_len)?;
        let (check, tid) = rest.split_first_chunk::<CRC_LEN>()?;
        let found = u16::from_be_bytes(*check);
        let whole = tid.first() == Some(&TID_CLASS)
            && !epc.is_empty()
            && [pc_of_len(pc, epc_len)?, pc].iter().any(|&pc| tag_crc(pc, epc) == found);
        whole.then_some((epc, tid))
    })
}

/// What [`fast_tid`] takes apart: the modified PC, and what takes the place of the EPC; `None` where
/// that is more than a PC can count.
#[must_use]
pub fn with_fast_tid(pc: u16, epc: &[u8], tid: &[u8]) -> Option<(u16, FrameBuf)> {
    let check = tag_crc(pc_of_len(pc, epc.len())?, epc);
    let pc = pc_of_len(pc, epc.len() + CRC_LEN + tid.len())?;
    Some((pc, FrameBuf::new().put(epc).put(&check.to_be_bytes()).put(tid)))
}

/// The PC with another length.
fn pc_of_len(pc: u16, len: usize) -> Option<u16> {
    let words = u16::try_from(len.div_ceil(2)).ok().filter(|words| *words < 32)?;
    Some(pc & 0x07FF | words << 11)
}

fn tag_crc(pc: u16, epc: &[u8]) -> u16 {
    let mut digest = TAG_CRC.digest();
    digest.update(&pc.to_be_bytes());
    digest.update(epc);
    digest.finalize()
}
