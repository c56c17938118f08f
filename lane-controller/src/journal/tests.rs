use domain::Timestamp;
use domain::passage::{ClockQuality, Decision, Payment};
use std::time::Duration;

use super::*;
use crate::lane::SavedVehicle;

pub(crate) fn draft(minute: i64) -> PassageDraft {
    PassageDraft {
        at: Timestamp::from_second(1_772_000_000 + 60 * minute).unwrap(),
        clock: ClockQuality::Synchronised,
        uptime: Duration::from_secs(1),
        tag: Some("3416214B88C0011762000493".parse().unwrap()),
        plate: None,
        group: None,
        list_version: 1,
        status_seen: None,
        tariff: None,
        entry: None,
        exception: None,
        decision: Decision::OpenedByTag,
        attendance: None,
        fare: None,
        payment: Payment::Account,
    }
}

pub(crate) fn lane() -> LaneId {
    "cienco4/ben-thuy/l01".parse().unwrap()
}

pub(crate) fn open(path: &Path) -> Result<Journal, JournalError> {
    Journal::open(path, lane(), SecretKey::from_seed(&[1; 32]), 1, "boot".into())
}

/// Opens without the process-wide lock: the file as a later process would find it.
fn reopen_copy(path: &Path, copy: &Path) -> Result<Journal, JournalError> {
    for suffix in ["", "-wal"] {
        let from = PathBuf::from(format!("{}{suffix}", path.display()));
        if from.exists() {
            std::fs::copy(&from, PathBuf::from(format!("{}{suffix}", copy.display()))).unwrap();
        }
    }
    open(copy)
}

pub(crate) fn append(journal: &mut Journal, minute: i64) -> PassageId {
    let saved = SavedLane {
        vehicles: vec![SavedVehicle::Released { seq: journal.next_seq(), tag: None }],
        ..SavedLane::default()
    };
    journal.append(LaneRole::Open, draft(minute), &saved, 0).unwrap()
}

#[test]
fn what_was_written_is_there_after_the_process_died() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = open(&path).unwrap();
    for minute in 0..5 {
        assert_eq!(append(&mut journal, minute).seq.get(), u64::try_from(minute).unwrap() + 1);
    }
    // Nothing is closed or flushed: the copy is what a killed process leaves behind.
    let mut later = reopen_copy(&path, &folder.path().join("b.journal")).unwrap();
    assert_eq!(later.last_seq(), 5);
    assert_eq!(later.saved_lane().unwrap().unwrap().vehicles.len(), 1);
    assert_eq!(append(&mut later, 6).seq.get(), 6);
    let records = later.reader().unwrap().read(2, 3).unwrap();
    assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn a_changed_record_stops_the_lane_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = open(&path).unwrap();
    for minute in 0..3 {
        append(&mut journal, minute);
    }
    for (change, why) in [
        (
            "update record set payload = cast(replace(cast(payload as text), 'opened', 'opemed') as blob) where seq = 2",
            "check sum",
        ),
        (
            "update record set crc32c = null, payload = cast(replace(cast(payload as text), 'opened', 'opemed') as blob) where seq = 2",
            "digest",
        ),
        ("delete from record where seq = 3", "last records"),
        ("delete from record where seq = 1", "missing"),
        ("update meta set value = '7' where key = 'epoch'", "beside the records"),
        ("update meta set value = '2', crc32c = null where key = 'epoch'", "names another"),
        ("delete from record where seq = 2", "is missing"),
        ("update record set crc32c = null, signature = zeroblob(64) where seq = 2", "signature"),
    ] {
        let copy = folder.path().join(format!("{why}.journal"));
        drop(reopen_copy(&path, &folder.path().join(format!("{why}.good"))).unwrap());
        for suffix in ["", "-wal"] {
            let from = PathBuf::from(format!("{}{suffix}", path.display()));
            std::fs::copy(&from, PathBuf::from(format!("{}{suffix}", copy.display()))).unwrap();
        }
        Connection::open(&copy).unwrap().execute(change, []).unwrap();
        let error = open(&copy).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let _first = open(&path).unwrap();
    let refused = open(&path).unwrap_err();
    assert!(matches!(refused, JournalError::InUse { .. }), "{refused}");
    let holder = format!("process {}", std::process::id());
    assert!(refused.to_string().ends_with(&holder), "{refused}");
    assert!(matches!(Journal::identify(&path, &lane()), Err(JournalError::InUse { .. })));
}

#[test]
fn an_old_store_is_refused_by_name() {
    store::check_version(3_051_003, "3.51.3").unwrap();
    let refused = store::check_version(3_046_001, "3.46.1").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "SQLite 3.46.1 is linked; 3.51.3 or newer is needed (WAL-reset bug)"
    );
}

#[test]
fn an_old_copy_that_is_put_back_is_known_by_its_mark_and_put_away_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = open(&path).unwrap();
    append(&mut journal, 0);
    drop(journal);
    let backup = std::fs::read(&path).unwrap();
    let mut journal = open(&path).unwrap();
    append(&mut journal, 1);
    append(&mut journal, 2);
    drop(journal);
    drop(open(&path).unwrap());
    std::fs::write(&path, &backup).unwrap();
    let refused = open(&path).unwrap_err();
    assert!(matches!(refused, JournalError::RolledBack { last: 1, seen: 3, .. }), "{refused}");
    let away = retire(&path, "rolled-back").unwrap();
    assert_eq!(away.file_name().unwrap(), "a.rolled-back-1.journal");
    assert_eq!(Survey::open(&away).unwrap().walk(1, None).count(), 1);
    // In its place a blank journal begins, which asks for an epoch of its own.
    let blank = Journal::identify(&path, &lane()).unwrap();
    assert_eq!(blank.epoch, None);
    assert_eq!(open(&path).unwrap().last_seq(), 0);
}

#[test]
fn a_blank_journal_takes_over_who_stands_between_the_loops() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(&folder.path().join("a.journal")).unwrap();
    let saved = SavedLane { presence: true, presence_rises: 7, ..SavedLane::default() };
    journal.inherit(&saved).unwrap();
    assert_eq!(journal.saved_lane().unwrap(), Some(saved));
}

#[test]
fn a_record_that_failed_and_is_there_all_the_same_is_not_written_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = open(&path).unwrap();
    append(&mut journal, 0);
    let before = (journal.last, journal.head);
    append(&mut journal, 1);
    // As if the store had said that it failed.
    journal.attempted = Some((journal.last, journal.head));
    (journal.last, journal.head) = before;
    assert!(journal.reopen().unwrap());
    assert_eq!(append(&mut journal, 2).seq.get(), 3);
    assert!(!journal.reopen().unwrap());
    drop(journal);
    assert_eq!(open(&path).unwrap().last_seq(), 3);
}

#[test]
fn room_is_made_beforehand_and_the_log_does_not_grow_with_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = open(&path).unwrap();
    journal.reserve(1 << 20).unwrap();
    let log = folder.path().join("a.journal-wal");
    let length = std::fs::metadata(&log).unwrap().len();
    assert!(length >= 1 << 20, "{length}");
    for minute in 0..50 {
        append(&mut journal, minute);
    }
    journal.checkpoint().unwrap();
    for minute in 50..60 {
        append(&mut journal, minute);
    }
    assert_eq!(std::fs::metadata(&log).unwrap().len(), length);
    assert_eq!(reopen_copy(&path, &folder.path().join("b.journal")).unwrap().last_seq(), 60);
}

#[test]
fn a_journal_from_before_check_sums_is_read_and_written_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = open(&path).unwrap();
    append(&mut journal, 0);
    drop(journal);
    let old = Connection::open(&path).unwrap();
    old.execute_batch(
        "alter table record drop column crc32c; alter table meta drop column crc32c; \
         drop table episode; drop table reserve; delete from meta where key = 'last';",
    )
    .unwrap();
    drop(old);
    let mut journal = open(&path).unwrap();
    assert_eq!(append(&mut journal, 1).seq.get(), 2);
    drop(journal);
    assert_eq!(open(&path).unwrap().last_seq(), 2);
}

#[test]
fn what_is_damaged_takes_no_other_record_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = open(&path).unwrap();
    for minute in 0..5 {
        append(&mut journal, minute);
    }
    drop(journal);
    let damage = Connection::open(&path).unwrap();
    damage.execute("update record set payload = x'00' where seq = 2", []).unwrap();
    damage.execute("delete from record where seq = 4", []).unwrap();
    drop(damage);
    assert!(matches!(open(&path), Err(JournalError::Damaged { seq: 2, .. })));
    let key = SecretKey::from_seed(&[1; 32]).public();
    let survey = Survey::open(&path).unwrap();
    let found: Vec<(u64, &str)> = survey
        .walk(1, Some(key))
        .map(|found| match found.finding {
            Finding::Whole { .. } => (found.seq, "whole"),
            Finding::Broken { why, .. } => (found.seq, why),
            Finding::Missing => (found.seq, "missing"),
        })
        .collect();
    assert_eq!(
        found,
        [(1, "whole"), (2, "its check sum is another"), (3, "whole"), (4, "missing"), (5, "whole")]
    );
}

#[test]
fn what_comes_after_forgotten_records_is_chained_to_the_last_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = open(&path).unwrap();
    for minute in 0..10 {
        append(&mut journal, minute);
    }
    journal.note_receipt(10, None).unwrap();
    journal.forget_some(9).unwrap();
    assert_eq!(append(&mut journal, 11).seq.get(), 11);
    journal.note_receipt(10, None).unwrap();
    drop(journal);
    assert_eq!(open(&path).unwrap().last_seq(), 11);
}

#[test]
fn a_new_file_is_a_new_journal_of_its_lane() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let first = Journal::identify(&path, &lane()).unwrap();
    assert_eq!(first.epoch, None);
    drop(open(&path).unwrap());
    let again = Journal::identify(&path, &lane()).unwrap();
    assert_eq!(again, Identity { epoch: Some(1), ..first.clone() });
    let blank = Journal::identify(&folder.path().join("b.journal"), &lane()).unwrap();
    assert_ne!(blank.journal, first.journal);
    let other: LaneId = "cienco4/ben-thuy/l02".parse().unwrap();
    assert!(matches!(Journal::identify(&path, &other), Err(JournalError::OtherLane { .. })));
}
