//! Kills the journal at every write, in simulation: an oracle over disk images.
//!
//! A write of the journal takes the disk from one image (file and log) to the next. A machine that
//! dies in between leaves any part of the difference: a prefix that ends anywhere, or some sectors
//! and not others. Of each such image the journal must come up with every acknowledged record,
//! byte for byte, at most the one that was being written besides, and must go on from there.
//!
//! The images are copies of the two files around each commit and each checkpoint. What is between
//! two flushes *within* `SQLite` is not stopped at: that part is its own tests' business. The
//! prefixes are of every sector; `ETC_KILL_FULL=1` takes every byte.

use std::path::{Path, PathBuf};

use super::tests::{draft, open};
use super::*;
use crate::lane::SavedLane;

const SECTOR: usize = 512;
/// Torn writes that are tried at random besides, for each write.
const TORN: u64 = 40;

/// What a disk holds.
#[derive(Clone, PartialEq, Eq)]
struct Image {
    file: Vec<u8>,
    log: Vec<u8>,
}

fn log_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", path.display()))
}

impl Image {
    fn of(path: &Path) -> Self {
        Self {
            file: std::fs::read(path).unwrap(),
            log: std::fs::read(log_of(path)).unwrap_or_default(),
        }
    }

    fn put(&self, path: &Path) {
        std::fs::write(path, &self.file).unwrap();
        std::fs::write(log_of(path), &self.log).unwrap();
    }
}

/// The first `upto` bytes of what changed are as after, the others as before.
fn prefix(before: &[u8], after: &[u8], upto: usize) -> Vec<u8> {
    let mut mixed = after[..upto].to_vec();
    mixed.extend(before.get(upto..).unwrap_or_default());
    mixed
}

/// Sectors of before and after as the bits say; what is past the end of before may be zeros.
fn torn(before: &[u8], after: &[u8], mut bits: u64) -> Vec<u8> {
    let mut mixed = after.to_vec();
    for (index, sector) in mixed.chunks_mut(SECTOR).enumerate() {
        // A small generator: each seed is another disk.
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if bits >> 63 == 0 {
            let at = index * SECTOR;
            for (offset, byte) in sector.iter_mut().enumerate() {
                *byte = before.get(at + offset).copied().unwrap_or(0);
            }
        }
    }
    mixed
}

/// Where before and after begin and end to differ.
fn changed(before: &[u8], after: &[u8]) -> Option<(usize, usize)> {
    let differs = |at: &usize| before.get(*at) != after.get(*at);
    let first = (0..after.len()).find(differs)?;
    let last = (0..after.len()).rev().find(differs)?;
    Some((first, last + 1))
}

/// Everything that may be left of a write from `before` to `after`.
fn left_over(before: &[u8], after: &[u8], seed: u64) -> Vec<Vec<u8>> {
    let Some((first, last)) = changed(before, after) else { return vec![after.to_vec()] };
    let every_byte = std::env::var_os("ETC_KILL_FULL").is_some();
    let step = if every_byte { 1 } else { SECTOR };
    let cuts = (first..last).step_by(step).chain([last - 1, last]);
    let prefixes = cuts.map(|cut| prefix(before, after, cut));
    let torn = (0..TORN).map(|n| torn(before, after, seed.wrapping_mul(1_000) + n));
    prefixes.chain(torn).collect()
}

struct Oracle {
    folder: tempfile::TempDir,
    acknowledged: Vec<Vec<u8>>,
    images: u64,
}

impl Oracle {
    fn payloads(journal: &Journal) -> Vec<Vec<u8>> {
        let records = journal.reader().unwrap().read(1, 1_000).unwrap();
        records.into_iter().map(|record| record.payload).collect()
    }

    /// `under_way` is the record that was being written, if one was.
    fn judge(&mut self, image: &Image, under_way: Option<&Vec<u8>>) {
        self.images += 1;
        let path = self.folder.path().join("image.journal");
        image.put(&path);
        let mut journal = open(&path).expect("what a crash leaves behind opens");
        let found = Self::payloads(&journal);
        let known = self.acknowledged.len();
        assert_eq!(found[..known], self.acknowledged[..], "an acknowledged record is lost");
        match (&found[known..], under_way) {
            ([], _) => {}
            ([extra], Some(under_way)) => assert_eq!(extra, under_way, "a phantom"),
            (extra, _) => panic!("{} records that nobody wrote", extra.len()),
        }
        // It goes on, and what it writes then is whole.
        let next = journal.append(LaneRole::Open, draft(99), &SavedLane::default(), 0).unwrap();
        assert_eq!(next.seq.get(), u64::try_from(found.len()).unwrap() + 1);
        drop(journal);
        for suffix in ["journal", "journal-wal", "journal-shm", "mark"] {
            std::fs::remove_file(path.with_extension(suffix)).ok();
        }
    }
}

#[test]
fn killed_at_any_write_the_journal_keeps_what_it_acknowledged_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = open(&path).unwrap();
    let mut oracle =
        Oracle { folder: tempfile::tempdir().unwrap(), acknowledged: Vec::new(), images: 0 };
    for write in 0..9_u32 {
        let before = Image::of(&path);
        if write % 4 == 3 {
            // The log is durable; the file is being written; then the log begins anew.
            journal.checkpoint().unwrap();
            let after = Image::of(&path);
            for file in left_over(&before.file, &after.file, u64::from(write)) {
                oracle.judge(&Image { file, log: before.log.clone() }, None);
            }
            continue;
        }
        journal.append(LaneRole::Open, draft(i64::from(write)), &SavedLane::default(), 0).unwrap();
        let after = Image::of(&path);
        assert!(before.file == after.file, "an append is in the log alone");
        let written = Oracle::payloads(&journal).pop().unwrap();
        for log in left_over(&before.log, &after.log, u64::from(write)) {
            oracle.judge(&Image { file: before.file.clone(), log }, Some(&written));
        }
        oracle.acknowledged.push(written);
        oracle.judge(&after, None);
    }
    assert_eq!(oracle.acknowledged.len(), 7);
    assert!(oracle.images > 500, "{} images only", oracle.images);
    drop(journal);
}

#[test]
fn a_flipped_byte_is_found_or_has_changed_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = open(&path).unwrap();
    for minute in 0..3 {
        journal.append(LaneRole::Open, draft(minute), &SavedLane::default(), 0).unwrap();
    }
    let written = Oracle::payloads(&journal);
    journal.checkpoint().unwrap();
    drop(journal);
    let good = std::fs::read(&path).unwrap();
    let copy = folder.path().join("copy.journal");
    let every_byte = std::env::var_os("ETC_KILL_FULL").is_some();
    let (mut found, mut harmless) = (0, 0);
    for at in (0..good.len()).step_by(if every_byte { 1 } else { 23 }) {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&copy, &bytes).unwrap();
        match open(&copy) {
            Err(_) => found += 1,
            Ok(journal) => {
                assert!(Oracle::payloads(&journal) == written, "byte {at} went unseen");
                assert_eq!((journal.epoch(), journal.posted_upto().unwrap()), (1, 0), "byte {at}");
                harmless += 1;
            }
        }
        for suffix in ["journal", "journal-wal", "journal-shm", "mark"] {
            std::fs::remove_file(copy.with_extension(suffix)).ok();
        }
    }
    assert!(found > 100 && harmless > 100, "{found} found, {harmless} harmless");
}
