//! The radio part that all emulators share: which tags are in the field, when each is read next,
//! and with what chance of the air.

use std::time::Duration;

use crc::{CRC_16_GENIBUS, Crc};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{EmulatorSettings, FieldTag};
use crate::Epc;

/// The check that a Gen2 tag stores beside its EPC (EPC Gen2 v2.1, annex F).
const TAG_CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_GENIBUS);
/// Ten of the channels between 920 and 925 MHz.
const CHANNELS: u8 = 10;
const PHASE_DEG_MAX: u16 = 180;

/// The tags in the field and the chance of the air.
#[derive(Debug)]
pub(crate) struct Radio {
    rng: ChaCha8Rng,
    read_interval: Duration,
    rssi_jitter_db: i8,
    field: Vec<TagInField>,
}

#[derive(Debug)]
struct TagInField {
    tag: FieldTag,
    read_at: Duration,
}

/// One read of one tag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard {
    pub(crate) tag: FieldTag,
    /// With the jitter of the air.
    pub(crate) rssi_dbm: i8,
    /// The channel, 0 to 9.
    pub(crate) channel: u8,
    /// The phase, 0 to 180.
    pub(crate) phase_deg: u16,
}

impl Radio {
    pub(crate) fn new(settings: &EmulatorSettings) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(settings.seed),
            read_interval: settings.read_interval,
            rssi_jitter_db: i8::try_from(settings.rssi_jitter_db).unwrap_or(i8::MAX),
            field: Vec::new(),
        }
    }

    /// Changes the field. A tag that has just come is due now.
    pub(crate) fn set_field(&mut self, tags: &[FieldTag], now: Duration) {
        let before = std::mem::take(&mut self.field);
        self.field = tags
            .iter()
            .map(|&tag| {
                let same =
                    |seen: &&TagInField| (seen.tag.epc, seen.tag.antenna) == (tag.epc, tag.antenna);
                let read_at = before.iter().find(same).map_or(now, |seen| seen.read_at);
                TagInField { tag, read_at }
            })
            .collect();
    }

    /// When the next tag is due; `None` in an empty field.
    pub(crate) fn next_read(&self) -> Option<Duration> {
        self.field.iter().map(|seen| seen.read_at).min()
    }

    /// The tags that are due. What a late call missed is missed: a reader does not read faster to
    /// catch up.
    pub(crate) fn read(&mut self, now: Duration) -> Vec<Heard> {
        let Self { field, rng, read_interval, rssi_jitter_db } = self;
        field
            .iter_mut()
            .filter(|seen| seen.read_at <= now)
            .map(|seen| {
                seen.read_at = now + *read_interval;
                hear(rng, seen.tag, *rssi_jitter_db)
            })
            .collect()
    }

    /// Every tag in the field, once, due or not.
    pub(crate) fn read_all(&mut self) -> Vec<Heard> {
        let Self { field, rng, rssi_jitter_db, .. } = self;
        field.iter().map(|seen| hear(rng, seen.tag, *rssi_jitter_db)).collect()
    }

    /// Makes every tag due now: reading has just begun.
    pub(crate) fn begin(&mut self, now: Duration) {
        for seen in &mut self.field {
            seen.read_at = now;
        }
    }
}

fn hear(rng: &mut ChaCha8Rng, tag: FieldTag, jitter_db: i8) -> Heard {
    Heard {
        tag,
        rssi_dbm: tag.rssi_dbm.saturating_add(rng.random_range(-jitter_db..=jitter_db)),
        channel: rng.random_range(0..CHANNELS),
        phase_deg: rng.random_range(0..=PHASE_DEG_MAX),
    }
}

/// The protocol control word and the check that a tag with this EPC stores.
pub(crate) fn tag_words(epc: &Epc) -> (u16, u16) {
    let words =
        u16::try_from(epc.as_bytes().len().div_ceil(2)).expect("an EPC has 31 words at most");
    let pc = words << 11;
    let mut digest = TAG_CRC.digest();
    digest.update(&pc.to_be_bytes());
    digest.update(epc.as_bytes());
    (pc, digest.finalize())
}
