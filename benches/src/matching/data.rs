//! Two sides' files, made from a seed, with a known number of rows in each class.
//!
//! A row is what its number says, so that either file can be written in any order: ours in order of
//! time, theirs shuffled. Identities are UUIDs, which suits those that join by number best.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::Failed;

const SEED: u64 = 20_261_122;

/// How many rows were planted in each class, by identity alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Planted {
    pub(super) matched: u64,
    pub(super) amount_differs: u64,
    pub(super) group_differs: u64,
    pub(super) only_ours: u64,
    pub(super) only_theirs: u64,
    pub(super) duplicates: u64,
    /// Of those on one side only, pairs that tag, station and time bring together.
    pub(super) found_by_tag: u64,
}

impl Planted {
    /// As the contenders count.
    pub(super) const fn by_identity(&self) -> [u64; 6] {
        [
            self.matched,
            self.amount_differs,
            self.group_differs,
            self.only_ours,
            self.only_theirs,
            self.duplicates,
        ]
    }
}

/// What was planted with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Matches,
    AmountDiffers,
    GroupDiffers,
    OnlyOurs,
    OnlyTheirs,
    TwiceOurs,
    TwiceTheirs,
    OtherIdentity,
}

/// Of ten thousand rows: ten on either side only, five of another amount, two of each other kind.
fn fate(draw: u16) -> Fate {
    match draw {
        0..10 => Fate::OnlyOurs,
        10..20 => Fate::OnlyTheirs,
        20..25 => Fate::AmountDiffers,
        25..27 => Fate::GroupDiffers,
        27..29 => Fate::TwiceOurs,
        29..31 => Fate::TwiceTheirs,
        31..33 => Fate::OtherIdentity,
        _ => Fate::Matches,
    }
}

const FARES: [u64; 5] = [47_000, 64_000, 87_000, 140_000, 200_000];
const HEAD: &str = "identity,station,tag,time,group,amount";

struct Made {
    identity: u128,
    other_identity: u128,
    station: u8,
    tag: u32,
    second: u64,
    group: u8,
    fate: Fate,
}

fn made(number: u64) -> Made {
    // A stream of its own for each row: rows can be made in any order.
    let mut chance = ChaCha8Rng::seed_from_u64(SEED ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Made {
        identity: chance.random(),
        other_identity: chance.random(),
        station: chance.random_range(0..60),
        tag: chance.random_range(0..5_000_000),
        second: number / 60,
        group: chance.random_range(1..=5),
        fate: fate(chance.random_range(0..10_000)),
    }
}

/// Writes both files.
pub(super) fn write(rows: u64, ours: &Path, theirs: &Path) -> Result<Planted, Failed> {
    let mut planted = Planted::default();
    let mut ours = Side::create(ours)?;
    for number in 0..rows {
        let row = made(number);
        match row.fate {
            Fate::Matches => planted.matched += 1,
            Fate::AmountDiffers => planted.amount_differs += 1,
            Fate::GroupDiffers => planted.group_differs += 1,
            Fate::OnlyOurs => planted.only_ours += 1,
            Fate::OnlyTheirs => planted.only_theirs += 1,
            Fate::TwiceOurs | Fate::TwiceTheirs => {
                planted.matched += 1;
                planted.duplicates += 1;
            }
            Fate::OtherIdentity => {
                planted.only_ours += 1;
                planted.only_theirs += 1;
                planted.found_by_tag += 1;
            }
        }
        if row.fate != Fate::OnlyTheirs {
            ours.row(&row, row.identity, row.group, 0)?;
        }
        if row.fate == Fate::TwiceOurs {
            ours.row(&row, row.identity, row.group, 0)?;
        }
    }
    ours.finish()?;
    let mut theirs = Side::create(theirs)?;
    for step in 0..rows {
        let row = made(shuffled(step, rows));
        let (identity, group, more) = match row.fate {
            Fate::OnlyOurs => continue,
            Fate::OtherIdentity => (row.other_identity, row.group, 0),
            Fate::AmountDiffers => (row.identity, row.group, 1_000),
            Fate::GroupDiffers => (row.identity, row.group % 5 + 1, 0),
            Fate::Matches | Fate::OnlyTheirs | Fate::TwiceOurs | Fate::TwiceTheirs => {
                (row.identity, row.group, 0)
            }
        };
        theirs.row(&row, identity, group, more)?;
        if row.fate == Fate::TwiceTheirs {
            theirs.row(&row, identity, group, more)?;
        }
    }
    theirs.finish()?;
    Ok(planted)
}

/// Another order of the numbers below `rows`: steps of a width that shares no factor with it.
fn shuffled(step: u64, rows: u64) -> u64 {
    let mut width = rows / 3 * 2 + 1;
    while common_factor(width, rows) != 1 {
        width += 1;
    }
    u64::try_from(u128::from(step) * u128::from(width) % u128::from(rows)).unwrap_or(0)
}

const fn common_factor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_factor(b, a % b) }
}

struct Side(BufWriter<File>);

impl Side {
    fn create(path: &Path) -> Result<Self, Failed> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        writeln!(file, "{HEAD}")?;
        Ok(Self(file))
    }

    fn row(&mut self, row: &Made, identity: u128, group: u8, more: u64) -> Result<(), Failed> {
        let amount = FARES[usize::from(group - 1)] + more;
        let [a, b, c, d, e] = [
            identity >> 96,
            identity >> 80 & 0xffff,
            identity >> 64 & 0xffff,
            identity >> 48 & 0xffff,
            identity & 0xffff_ffff_ffff,
        ];
        let (day, second) = (row.second / 86_400 + 1, row.second % 86_400);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        writeln!(
            self.0,
            "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x},station-{:02},3416000000000000{:08X},\
             2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}Z,{group},{amount}",
            row.station, row.tag
        )?;
        Ok(())
    }

    fn finish(mut self) -> Result<(), Failed> {
        Ok(self.0.flush()?)
    }
}
