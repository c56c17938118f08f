//! One tag, seen: what a record about it carries, in the order of the metadata flags.
//!
//! The same fields stand in a record of a continuous read, in the tag buffer, and in the answers to
//! the operations on one tag (`serial_reader_l3.c`, `TMR_SR_parseMetadataOnly`); what follows them
//! differs. They are written here, apart from the codec, so that each proves the other.

use super::Withheld;
use crate::Epc;
use crate::emulator::tag_words;
use crate::protocol::mercury::codec::{MetadataFlags, Status};

/// The flags that mean something here. A record with a brand identifier has a longer EPC, which no
/// tag here has.
const KNOWN: u16 = 0x2FFF;
const DATA_FAILED: u16 = 0x8000;
/// The most that fits a record beside 62 bytes of EPC and everything else.
const DATA_LEN_MAX: usize = 128;

/// One tag, seen.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    pub(super) epc: Epc,
    pub(super) antenna: u8,
    pub(super) read_count: u8,
    pub(super) rssi: u8,
    pub(super) rssi_dbm: i8,
    pub(super) frequency_khz: u32,
    pub(super) timestamp_ms: u32,
    pub(super) phase_deg: u16,
    pub(super) data: TagData,
    pub(super) pins: u8,
    pub(super) gen2_q: u8,
    pub(super) gen2_link_frequency: u8,
    pub(super) gen2_target: u8,
}

/// What an operation along with the read came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TagData {
    NotAsked,
    Read(Withheld),
    Failed(Status),
}

/// Those of the flags that the module knows.
pub(super) fn known(flags: u16) -> u16 {
    flags & KNOWN
}

impl Sighting {
    pub(super) fn put_metadata(&self, flags: u16, out: &mut Vec<u8>) {
        use MetadataFlags as F;
        let flags = F(flags);
        let mut put = |flag, bytes: &[u8]| {
            if flags.contains(flag) {
                out.extend_from_slice(bytes);
            }
        };
        put(F::READ_COUNT, &[self.read_count]);
        put(F::RSSI, &[self.rssi]);
        // Two ports in a byte; 16 wraps to 0.
        put(F::ANTENNA, &[self.antenna << 4 | self.antenna & 0x0F]);
        put(F::FREQUENCY, &self.frequency_khz.to_be_bytes()[1..]);
        put(F::TIMESTAMP, &self.timestamp_ms.to_be_bytes());
        put(F::PHASE, &self.phase_deg.to_be_bytes());
        put(F::PROTOCOL, &[0x05]);
        put(F::DATA, &self.data.field());
        put(F::GPIO, &[self.pins]);
        put(F::GEN2_Q, &[self.gen2_q]);
        put(F::GEN2_LINK_FREQUENCY, &[self.gen2_link_frequency]);
        put(F::GEN2_TARGET, &[self.gen2_target]);
        put(F::TAG_TYPE, &[0]);
    }

    /// `bits of what follows u16 | control u16 | EPC | check u16`.
    pub(super) fn put_epc(&self, out: &mut Vec<u8>) {
        let bits = u16::try_from((self.epc.as_bytes().len() + 4) * 8).unwrap_or(u16::MAX);
        out.extend_from_slice(&bits.to_be_bytes());
        let (control, check) = tag_words(&self.epc);
        out.extend_from_slice(&control.to_be_bytes());
        out.extend_from_slice(self.epc.as_bytes());
        out.extend_from_slice(&check.to_be_bytes());
    }

    /// `EPC | check u16`, as the answer to a read of a single tag ends.
    pub(super) fn put_epc_alone(&self, out: &mut Vec<u8>) {
        let (_control, check) = tag_words(&self.epc);
        out.extend_from_slice(self.epc.as_bytes());
        out.extend_from_slice(&check.to_be_bytes());
    }
}

impl TagData {
    pub(super) fn new(outcome: Result<Vec<u8>, Status>) -> Self {
        match outcome {
            Ok(bytes) if bytes.len() > DATA_LEN_MAX => Self::Failed(Status::DATA_TOO_LARGE),
            Ok(bytes) => Self::Read(Withheld(bytes)),
            Err(status) => Self::Failed(status),
        }
    }

    /// `bits u16 | bytes`, or `8000 | status u16`.
    fn field(&self) -> Vec<u8> {
        let (bits, bytes) = match self {
            Self::NotAsked => (0, Vec::new()),
            Self::Read(bytes) => {
                (u16::try_from(bytes.0.len() * 8).unwrap_or(u16::MAX), bytes.0.clone())
            }
            Self::Failed(status) => (DATA_FAILED, status.0.to_be_bytes().to_vec()),
        };
        [bits.to_be_bytes().to_vec(), bytes].concat()
    }
}
