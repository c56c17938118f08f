//! What a reader's field holds while vehicles drive through it: which tags, how strong, when.
//!
//! A pure function of time: the same seed and time give the same field, in whatever order it is
//! asked. It places no arm and keeps no lane; it only says what an antenna would hear.
//!
//! Figures: the bell of a pass (−45 to −55 dBm in the middle, −65 to −75 at the edges), its jitter,
//! and an adjacent lane 10 to 20 dB below it are the project's own notes on captures; a vehicle
//! that straddles two lanes is read 63.2 % less (TU München, mediatum 1636746); the waves over a
//! road follow the two-ray model.

use std::f64::consts::TAU;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::FieldTag;

/// What is left of the reads of a vehicle that straddles two lanes.
const STRADDLING_SHARE: f64 = 1.0 - 0.632;
const ADJACENT_READS_MAX: u64 = 5;
const ADJACENT_LOSS_DB: std::ops::RangeInclusive<f64> = 10.0..=20.0;
/// 922.5 MHz.
const WAVELENGTH_M: f64 = 0.325;

/// How a vehicle drives through, and what the antenna makes of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drive {
    /// How fast it is.
    pub speed_kmh: f64,
    /// How long the zone is in which the antenna can hear a tag.
    pub zone_len_m: f64,
    /// How strong a tag is in the middle of the zone.
    pub peak_dbm: f64,
    /// How strong it is at both ends.
    pub edge_dbm: f64,
    /// Below this nothing is heard.
    pub sensitivity_dbm: f64,
    /// How far the strength strays from the curve, to either side.
    pub fading_db: f64,
    /// What the road reflects; `None` where it reflects nothing.
    pub reflection: Option<TwoRay>,
    /// For how long a tag is as strong as it is, and either heard or not. The reader's interval
    /// between two reads of a tag, so that each such span is one read at most.
    pub span: Duration,
}

/// A wave that comes by way of the road and meets the direct one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoRay {
    /// Of the antenna over the road.
    pub antenna_height_m: f64,
    /// Of the tag over the road.
    pub tag_height_m: f64,
    /// How much of the wave's amplitude the road gives back, 0 to below 1.
    pub coefficient: f64,
}

impl Default for TwoRay {
    /// An antenna on a gantry, a tag on a windscreen, asphalt.
    fn default() -> Self {
        Self { antenna_height_m: 5.5, tag_height_m: 1.3, coefficient: 0.3 }
    }
}

impl Default for Drive {
    /// A car at 40 km/h through six metres, which takes 540 ms.
    fn default() -> Self {
        Self {
            speed_kmh: 40.0,
            zone_len_m: 6.0,
            peak_dbm: -50.0,
            edge_dbm: -70.0,
            sensitivity_dbm: -78.0,
            fading_db: 2.0,
            reflection: None,
            span: Duration::from_millis(50),
        }
    }
}

impl Drive {
    /// How long a vehicle is in the zone.
    ///
    /// # Panics
    /// If it does not move, or the zone has no length.
    #[must_use]
    pub fn duration(&self) -> Duration {
        assert!(self.speed_kmh > 0.0 && self.zone_len_m > 0.0, "a vehicle drives through a zone");
        Duration::from_secs_f64(self.zone_len_m * 3.6 / self.speed_kmh)
    }

    /// The strength of a tag on the curve, `share` of the way through the zone.
    fn curve_dbm(&self, share: f64) -> f64 {
        let from_middle = 2.0 * share - 1.0;
        let bell = self.peak_dbm - (self.peak_dbm - self.edge_dbm) * from_middle.powi(2);
        let along_m = from_middle * self.zone_len_m / 2.0;
        bell + self.reflection.map_or(0.0, |reflection| reflection.gain_db(along_m))
    }
}

impl TwoRay {
    /// How much weaker the tag is for the two waves' meeting, there and back: 0 where they add up.
    fn gain_db(&self, along_m: f64) -> f64 {
        let direct_m = along_m.hypot(self.antenna_height_m - self.tag_height_m);
        let reflected_m = along_m.hypot(self.antenna_height_m + self.tag_height_m);
        let phase = TAU * (reflected_m - direct_m) / WAVELENGTH_M;
        // The road turns the wave round.
        let (sine, cosine) = phase.sin_cos();
        let amplitude = (1.0 - self.coefficient * cosine).hypot(self.coefficient * sine);
        40.0 * (amplitude / (1.0 + self.coefficient)).log10()
    }
}

/// Where in the lane a vehicle drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// In the middle.
    Centre,
    /// On the line between two lanes.
    Straddling,
    /// In the next lane: read a few times or not at all, and weakly, although it is not ours.
    AdjacentLane,
}

/// One vehicle's way through the field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Passing {
    /// Its tag; the strength given here does not matter.
    pub tag: FieldTag,
    /// When the tag comes into the zone.
    pub enters_at: Duration,
    /// Where it drives.
    pub position: Position,
    /// How it drives.
    pub drive: Drive,
    /// Of its chance.
    pub seed: u64,
}

impl Passing {
    /// The tag as the antenna hears it at this time; `None` while it does not.
    ///
    /// # Panics
    /// As [`Drive::duration`].
    #[must_use]
    pub fn field(&self, at: Duration) -> Option<FieldTag> {
        let inside = at.checked_sub(self.enters_at)?;
        let duration = self.drive.duration();
        if inside >= duration {
            return None;
        }
        let span = spans(inside, self.drive.span);
        // One strength for the whole span: that at its middle.
        let middle = self.drive.span.mul_f64(0.5) + self.drive.span * u32::try_from(span).ok()?;
        let share = (middle.as_secs_f64() / duration.as_secs_f64()).min(1.0);
        let mut chance = ChaCha8Rng::seed_from_u64(self.seed);
        let loss_db = match self.position {
            Position::Centre => 0.0,
            Position::Straddling => {
                chance.set_stream(span + 1);
                if !chance.random_bool(STRADDLING_SHARE) {
                    return None;
                }
                0.0
            }
            Position::AdjacentLane => {
                let reads = chance.random_range(0..=ADJACENT_READS_MAX);
                let middle = spans(duration.mul_f64(0.5), self.drive.span);
                // The antenna looks at the next lane at a slant: it hears the tag behind the middle.
                if !(middle..middle + reads).contains(&span) {
                    return None;
                }
                chance.random_range(ADJACENT_LOSS_DB)
            }
        };
        chance.set_stream(u64::MAX - span);
        let fading_db = chance.random_range(-1.0..=1.0) * self.drive.fading_db;
        let rssi_dbm = self.drive.curve_dbm(share) - loss_db + fading_db;
        (rssi_dbm >= self.drive.sensitivity_dbm)
            .then(|| FieldTag { rssi_dbm: whole_dbm(rssi_dbm), ..self.tag })
    }
}

/// One vehicle after the other, for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// The vehicles' tags, in turn.
    pub tags: Vec<FieldTag>,
    /// From one vehicle's coming into the zone to the next one's.
    pub headway: Duration,
    /// How each of them drives.
    pub drive: Drive,
    /// Of how many vehicles one straddles; `None` for none.
    pub straddling_one_in: Option<u64>,
    /// Of how many vehicles one is in the next lane; `None` for none.
    pub adjacent_one_in: Option<u64>,
    /// Of its chance.
    pub seed: u64,
}

impl Traffic {
    /// The tags as the antenna hears them at this time.
    ///
    /// # Panics
    /// As [`Drive::duration`], and if there is no time between two vehicles.
    #[must_use]
    pub fn field(&self, at: Duration) -> Vec<FieldTag> {
        assert!(!self.headway.is_zero(), "vehicles come one after the other");
        let newest = spans(at, self.headway);
        let still_inside = spans(self.drive.duration(), self.headway) + 1;
        (newest.saturating_sub(still_inside)..=newest)
            .filter_map(|vehicle| self.vehicle(vehicle)?.field(at))
            .collect()
    }

    /// The vehicle of this number, from 0; `None` where there are no tags.
    #[must_use]
    pub fn vehicle(&self, number: u64) -> Option<Passing> {
        let count = u64::try_from(self.tags.len()).ok()?;
        let tag = self.tags[usize::try_from(number.checked_rem(count)?).ok()?];
        let mut chance = ChaCha8Rng::seed_from_u64(self.seed);
        chance.set_stream(number);
        let mut is_one_in = |one_in: Option<u64>| {
            one_in.is_some_and(|one_in| chance.random_range(0..one_in.max(1)) == 0)
        };
        let position = if is_one_in(self.straddling_one_in) {
            Position::Straddling
        } else if is_one_in(self.adjacent_one_in) {
            Position::AdjacentLane
        } else {
            Position::Centre
        };
        Some(Passing {
            tag,
            enters_at: self.headway * u32::try_from(number).ok()?,
            position,
            drive: self.drive,
            seed: chance.random(),
        })
    }
}

/// How many whole spans there are in a time.
fn spans(time: Duration, span: Duration) -> u64 {
    u64::try_from(time.as_nanos() / span.as_nanos().max(1)).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "rounded, and within the range of an i8")]
fn whole_dbm(dbm: f64) -> i8 {
    dbm.round().clamp(-127.0, 0.0) as i8
}

#[cfg(test)]
mod tests;
