use domain::Timestamp;
use domain::passage::{ClockQuality, Decision, Payment};
use std::time::Duration;

use super::*;
use crate::lane::SavedVehicle;

fn draft(minute: i64) -> PassageDraft {
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

fn lane() -> LaneId {
    "cienco4/ben-thuy/l01".parse().unwrap()
}

fn open(path: &Path) -> Result<Journal, JournalError> {
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

fn append(journal: &mut Journal, minute: i64) -> PassageId {
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
            "digest",
        ),
        ("delete from record where seq = 2", "missing"),
        ("update record set signature = zeroblob(64) where seq = 2", "signature"),
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
    assert!(matches!(open(&path), Err(JournalError::InUse { .. })));
}

#[test]
fn only_posted_records_are_ever_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(&folder.path().join("a.journal")).unwrap();
    for minute in 0..10 {
        append(&mut journal, minute);
    }
    assert_eq!(journal.prune(4, 0).unwrap(), 4);
    assert_eq!(journal.prune(9, 5).unwrap(), 1);
    let left = journal.reader().unwrap().read(1, 100).unwrap();
    assert_eq!(left.first().map(|record| record.seq), Some(6));
    assert_eq!(append(&mut journal, 11).seq.get(), 11);
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
