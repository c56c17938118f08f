use std::path::Path;

use rusqlite::Connection;

use super::*;
use crate::journal::tests::{draft, open};

const SOON: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(20);

fn page(minute: i64) -> Page {
    Page { role: LaneRole::Open, draft: draft(minute), saved: SavedLane::default(), posted_upto: 0 }
}

fn scribe(journal: Journal, wait_max: Duration, memory_max: usize) -> Scribe {
    Scribe::start(journal, Clock::system(), wait_max, memory_max).unwrap()
}

/// Waits for the end of the episode.
fn end_of_episode(scribe: &mut Scribe) -> Episode {
    let until = scribe.clock.real() + LONG;
    loop {
        scribe.listen(LONG).unwrap();
        if let Some(episode) = scribe.recovered(Timestamp::UNIX_EPOCH).unwrap() {
            return episode;
        }
        assert!(scribe.clock.real() < until, "the episode does not end");
    }
}

/// Stands for a disk that does not answer: nobody else can write while this is open.
fn stall(path: &Path) -> Connection {
    let other = Connection::open(path).unwrap();
    other.execute_batch("begin immediate").unwrap();
    other
}

#[test]
fn a_passage_is_durable_when_the_lane_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut scribe = scribe(open(&path).unwrap(), LONG, 4);
    assert_eq!(scribe.keep(page(1)).unwrap(), Kept::Durable);
    assert_eq!((scribe.last_seq(), scribe.next_seq(), scribe.unwritten()), (1, 2, None));
    assert_eq!(scribe.finish(LONG), 0);
    assert_eq!(open(&path).unwrap().last_seq(), 1);
}

#[test]
fn a_stalled_disk_begins_an_episode_that_the_journal_itself_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut scribe = scribe(open(&path).unwrap(), SOON, 2);
    assert_eq!(scribe.keep(page(1)).unwrap(), Kept::Durable);
    let disk = stall(&path);
    assert_eq!(scribe.keep(page(2)).unwrap(), Kept::InMemory);
    assert_eq!(scribe.keep(page(3)).unwrap(), Kept::InMemory);
    // What memory holds is bounded, and the lane is told.
    assert_eq!(scribe.keep(page(4)).unwrap(), Kept::Nowhere);
    assert_eq!((scribe.unwritten(), scribe.last_seq(), scribe.next_seq()), (Some(2), 1, 4));
    assert_eq!(scribe.recovered(Timestamp::UNIX_EPOCH).unwrap(), None);
    drop(disk);
    let ended = end_of_episode(&mut scribe);
    assert_eq!((ended.from_seq, ended.upto_seq), (2, Some(3)));
    assert_eq!(scribe.keep(page(4)).unwrap(), Kept::Durable);
    assert_eq!(scribe.finish(LONG), 0);
    let survey = crate::journal::Survey::open(&path).unwrap();
    assert_eq!(survey.episodes, [ended]);
    let marked: Vec<(u64, bool)> = survey
        .walk(1, None)
        .map(|found| match found.finding {
            crate::journal::Finding::Whole { before_durable, .. } => (found.seq, before_durable),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(marked, [(1, false), (2, true), (3, true), (4, false)]);
}

#[test]
fn a_full_disk_begins_an_episode_and_room_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = open(&path).unwrap();
    journal.limit_pages(Some(1));
    // The last page that is left takes a few records; then the disk is full.
    let mut written = 0;
    while journal.append(LaneRole::Open, draft(written), &SavedLane::default(), 0).is_ok() {
        written += 1;
        assert!(written < 100, "the disk is never full");
    }
    // Opening anew lifts the limit, as room does: the first try fails, the next one does well.
    let mut scribe = scribe(journal, Duration::ZERO, 8);
    let seq = scribe.next_seq();
    assert_eq!(scribe.keep(page(50)).unwrap(), Kept::InMemory);
    let ended = end_of_episode(&mut scribe);
    assert_eq!((ended.from_seq, ended.upto_seq), (seq, Some(seq)));
    assert_eq!(scribe.finish(LONG), 0);
    assert_eq!(open(&path).unwrap().last_seq(), seq);
}

#[test]
fn what_was_never_written_when_the_process_ends_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut scribe = scribe(open(&path).unwrap(), SOON, 8);
    let disk = stall(&path);
    assert_eq!(scribe.keep(page(1)).unwrap(), Kept::InMemory);
    assert_eq!(scribe.finish(SOON), 1);
    drop(disk);
}

#[test]
fn a_journal_that_lost_what_it_had_is_not_written_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = open(&path).unwrap();
    journal.append(LaneRole::Open, draft(1), &SavedLane::default(), 0).unwrap();
    let mut scribe = scribe(journal, SOON, 8);
    Connection::open(&path).unwrap().execute("delete from record", []).unwrap();
    let disk = stall(&path);
    assert_eq!(scribe.keep(page(2)).unwrap(), Kept::InMemory);
    // The write fails once for the lock; then the scribe looks, and does not believe the file.
    scribe.listen(LONG).unwrap_err();
    drop(disk);
}
