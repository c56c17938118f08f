//! Cases: what has to be looked at about a vehicle afterwards, kept beside the passages.
//!
//! A case is often known only after its passage was written, signed and sent, so it is a row of its
//! own: a lane event, as it will be sent, numbered from 1 without gaps (why:
//! `docs/decisions/0022-lane-devices-and-cases.md`). It is forgotten when the broker has it and it
//! is not among the last that are kept.

use std::path::Path;

use domain::Timestamp;
use domain::signature::Digest256;
use domain::wire::v1::{CaseKind, EventKind, LaneEvent, emit};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::store;
use super::row::crc32c;
use super::store::{number, set_meta};
use super::{Journal, JournalError, JournalReader};

/// How many cases are kept although the broker has them.
const KEPT: u64 = 10_000;
/// Up to where the broker has them.
const SENT: &str = "cases-sent";

/// A case as the lane makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseNote {
    /// When.
    pub at: Timestamp,
    /// What.
    pub case: CaseKind,
    /// The sequence of the vehicle's passage, where one was written.
    pub passage: Option<u64>,
    /// Pictures of the vehicle.
    pub pictures: Vec<Digest256>,
}

/// A case as it is kept and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    /// Its number.
    pub number: u64,
    /// The lane event's exact bytes.
    pub payload: Vec<u8>,
}

impl Journal {
    /// Notes a case; when it returns, the case is on the disk.
    ///
    /// # Errors
    /// When the store fails.
    pub fn note_case(&mut self, note: &CaseNote) -> Result<u64, JournalError> {
        let number = last(&self.connection, &self.path)? + 1;
        let kind = EventKind::Case {
            epoch: self.epoch,
            number,
            case: note.case,
            passage: note.passage,
            pictures: note.pictures.clone(),
        };
        let payload = emit(&LaneEvent { v: 1, lane: self.lane.clone(), at: note.at, kind });
        self.connection
            .prepare_cached("insert into case_note (number, payload, crc32c) values (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![number, payload, sum(number, &payload)]))
            .map_err(store(&self.path, "note a case"))?;
        Ok(number)
    }

    /// Notes up to where the broker has the cases, and forgets old ones.
    ///
    /// # Errors
    /// When the store fails.
    pub fn cases_sent(&mut self, upto: u64) -> Result<(), JournalError> {
        let failed = || store(&self.path, "note that cases were sent");
        set_meta(&self.connection, SENT, &upto.to_string()).map_err(failed())?;
        let forget = upto.saturating_sub(KEPT);
        self.connection
            .execute("delete from case_note where number <= ?1", params![forget])
            .map(drop)
            .map_err(failed())
    }
}

impl JournalReader {
    /// The first cases that the broker does not have, at most `limit`, in order.
    ///
    /// # Errors
    /// When the store fails, or a case is not as it was written.
    pub fn cases_to_send(&self, limit: usize) -> Result<Vec<CaseRow>, JournalError> {
        let sent = number(self.connection(), self.path(), SENT)?.unwrap_or(0);
        self.cases(sent, limit)
    }

    /// The cases after a number, at most `limit`, in order.
    ///
    /// # Errors
    /// When the store fails, or a case is not as it was written.
    pub fn cases(&self, after: u64, limit: usize) -> Result<Vec<CaseRow>, JournalError> {
        let failed = || store(self.path(), "read cases");
        let mut statement = self
            .connection()
            .prepare_cached(
                "select number, payload, crc32c from case_note where number > ?1 \
                 order by number limit ?2",
            )
            .map_err(failed())?;
        let rows = statement
            .query_map(params![after, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, u32>(2)?))
            })
            .map_err(failed())?;
        rows.map(|row| {
            let (number, payload, crc) = row.map_err(failed())?;
            if crc != sum(number, &payload) {
                let why = "a case has another check sum";
                return Err(JournalError::Damaged { path: self.path().to_owned(), seq: 0, why });
            }
            Ok(CaseRow { number, payload })
        })
        .collect()
    }
}

fn sum(number: u64, payload: &[u8]) -> u32 {
    crc32c(&[&number.to_be_bytes(), payload])
}

fn last(connection: &Connection, path: &Path) -> Result<u64, JournalError> {
    let kept: Option<u64> = connection
        .query_row("select max(number) from case_note", [], |row| row.get(0))
        .optional()
        .map_err(store(path, "read the last case"))?
        .flatten();
    // All may have been forgotten but their number.
    Ok(kept.unwrap_or(0).max(number(connection, path, SENT)?.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use domain::signature::SecretKey;
    use domain::wire::v1::parse;

    use super::*;

    fn journal(path: &Path) -> Journal {
        let lane = "cienco4/ben-thuy/l01".parse().unwrap();
        Journal::open(path, lane, SecretKey::from_seed(&[1; 32]), 4, "boot".into()).unwrap()
    }

    fn note(passage: u64) -> CaseNote {
        CaseNote {
            at: "2026-11-22T05:00:00Z".parse().unwrap(),
            case: CaseKind::Reversed,
            passage: Some(passage),
            pictures: vec![Digest256::of(b"picture")],
        }
    }

    #[test]
    fn a_case_is_there_after_a_restart_until_the_broker_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("l01.journal");
        let mut first = journal(&path);
        assert_eq!(
            (first.note_case(&note(7)).unwrap(), first.note_case(&note(8)).unwrap()),
            (1, 2)
        );
        drop(first);
        let mut again = journal(&path);
        let reader = again.reader().unwrap();
        let kept = reader.cases_to_send(10).unwrap();
        assert_eq!(kept.iter().map(|case| case.number).collect::<Vec<_>>(), [1, 2]);
        let event: LaneEvent = parse("event", &kept[0].payload).unwrap();
        let EventKind::Case { epoch: 4, number: 1, case, passage, pictures } = event.kind else {
            panic!("{:?}", event.kind)
        };
        assert_eq!((case, passage, pictures.len()), (CaseKind::Reversed, Some(7), 1));
        again.cases_sent(1).unwrap();
        assert_eq!(reader.cases_to_send(10).unwrap().len(), 1);
        again.cases_sent(2).unwrap();
        assert_eq!(reader.cases_to_send(10).unwrap(), []);
        assert_eq!(reader.cases(0, 10).unwrap().len(), 2, "it stays for a person to look at");
        assert_eq!(
            again.note_case(&note(9)).unwrap(),
            3,
            "numbers have no gaps and none comes twice"
        );
    }

    #[test]
    fn old_cases_are_forgotten_only_after_they_were_sent() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = journal(&folder.path().join("l01.journal"));
        journal.note_case(&note(1)).unwrap();
        journal.cases_sent(1 + KEPT).unwrap();
        assert_eq!(journal.reader().unwrap().cases(0, 10).unwrap(), []);
        assert_eq!(journal.note_case(&note(2)).unwrap(), 2 + KEPT);
    }

    #[test]
    fn a_case_that_was_altered_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = journal(&folder.path().join("l01.journal"));
        journal.note_case(&note(1)).unwrap();
        journal.connection.execute("update case_note set payload = x'7b7d'", []).unwrap();
        let error = journal.reader().unwrap().cases(0, 10).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    }
}
