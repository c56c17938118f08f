//! How long what is posted stays in the journal: by number and by age, and never before its receipt.
//!
//! The journal is the last place that a passage can be had from again when broker and centre have
//! both lost it, so a posted record stays for some days. Its age is counted from the receipt that
//! covers it, which the journal notes about once an hour; a clock that is not to be trusted ages
//! nothing. Records go a few at a time, between two passages: a long delete would hold a barrier up.

use std::time::Duration;

use domain::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::store;
use super::store::{number, set_meta};
use super::{Journal, JournalError};

/// Receipts are not noted more often than this.
const NOTE_EVERY_S: i64 = 3_600;
/// How many records go at once.
const FORGET_AT_ONCE: u64 = 256;

/// How long posted records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// For so long after their receipt.
    pub keep_for: Duration,
    /// At most so many.
    pub records_max: u64,
}

impl Journal {
    /// Notes a receipt, and when it came, where the clock is to be trusted.
    ///
    /// # Errors
    /// When the store fails.
    pub fn note_receipt(
        &mut self,
        posted_upto: u64,
        at: Option<Timestamp>,
    ) -> Result<(), JournalError> {
        let note = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            set_meta(&transaction, "posted-upto", &posted_upto.to_string())?;
            if let Some(at_s) = at.map(Timestamp::as_second) {
                transaction.execute(
                    "insert into receipt (upto, at_s) select ?1, ?2 where not exists \
                     (select 1 from receipt where at_s > ?2 - ?3) \
                     on conflict (upto) do nothing",
                    params![posted_upto, at_s, NOTE_EVERY_S],
                )?;
            }
            transaction.commit()
        };
        note(&mut self.connection).map_err(store(&self.path, "note a receipt"))
    }

    /// Up to where records may be forgotten: they are posted, and too old or too many. Never the
    /// last record, which the next one is chained to.
    ///
    /// # Errors
    /// When the store fails.
    pub fn forgettable(
        &self,
        retention: Retention,
        now: Option<Timestamp>,
    ) -> Result<u64, JournalError> {
        let posted_upto = number(&self.connection, &self.path, "posted-upto")?.unwrap_or(0);
        let by_number = posted_upto.saturating_sub(retention.records_max);
        let keep_s = i64::try_from(retention.keep_for.as_secs()).unwrap_or(i64::MAX);
        let by_age = match now {
            None => None,
            Some(now) => self
                .connection
                .query_row(
                    "select max(upto) from receipt where at_s <= ?1",
                    [now.as_second().saturating_sub(keep_s)],
                    |row| row.get::<_, Option<u64>>(0),
                )
                .optional()
                .map_err(store(&self.path, "read the receipts"))?
                .flatten(),
        };
        Ok(by_age.unwrap_or(0).max(by_number).min(posted_upto).min(self.last.saturating_sub(1)))
    }

    /// Forgets some of the records up to `upto`, the oldest first; tells how many.
    ///
    /// # Errors
    /// When the store fails.
    pub fn forget_some(&mut self, upto: u64) -> Result<usize, JournalError> {
        let forget = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let first: Option<u64> =
                transaction.query_row("select min(seq) from record", [], |row| row.get(0))?;
            let last = first.unwrap_or(0).saturating_add(FORGET_AT_ONCE - 1).min(upto);
            let gone = transaction.execute("delete from record where seq <= ?1", [last])?;
            // The newest of them still says from when on what comes after it counts.
            transaction.execute(
                "delete from receipt where upto < (select max(upto) from receipt where upto <= ?1)",
                [last],
            )?;
            transaction.commit()?;
            Ok(gone)
        };
        forget(&mut self.connection).map_err(store(&self.path, "forget records"))
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;
    use crate::journal::tests::{append, open};

    const DAY: i64 = 86_400;

    fn day(day: i64) -> Option<Timestamp> {
        Some(Timestamp::from_second(day * DAY).unwrap())
    }

    fn keep(days: u64, records_max: u64) -> Retention {
        Retention { keep_for: Duration::from_secs(days * 86_400), records_max }
    }

    fn journal_of(records: i64) -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = open(&folder.path().join("a.journal")).unwrap();
        for minute in 0..records {
            append(&mut journal, minute);
        }
        (folder, journal)
    }

    #[test]
    fn what_has_no_receipt_stays_however_old_and_however_much_it_is() {
        let (_folder, mut journal) = journal_of(20);
        journal.note_receipt(5, day(1)).unwrap();
        assert_eq!(journal.forgettable(keep(0, 0), day(1_000)).unwrap(), 5);
        assert_eq!(journal.forget_some(5).unwrap(), 5);
        assert_eq!(journal.reader().unwrap().read(1, 100).unwrap().len(), 15);
    }

    #[test]
    fn the_age_of_a_record_counts_from_its_receipt() {
        let (_folder, mut journal) = journal_of(20);
        journal.note_receipt(5, day(1)).unwrap();
        journal.note_receipt(9, day(3)).unwrap();
        let upto = |now| journal.forgettable(keep(30, 100), now).unwrap();
        assert_eq!((upto(day(30)), upto(day(31)), upto(day(32)), upto(day(33))), (0, 5, 5, 9));
    }

    #[test]
    fn a_clock_that_is_not_to_be_trusted_ages_nothing() {
        let (_folder, mut journal) = journal_of(20);
        journal.note_receipt(5, None).unwrap();
        assert_eq!(journal.forgettable(keep(30, 100), day(40_000)).unwrap(), 0);
        journal.note_receipt(6, day(1)).unwrap();
        assert_eq!(journal.forgettable(keep(30, 100), None).unwrap(), 0);
        assert_eq!(journal.forgettable(keep(30, 4), None).unwrap(), 2);
    }

    #[test]
    fn records_go_a_few_at_a_time_and_never_the_last() {
        let (_folder, mut journal) = journal_of(600);
        journal.note_receipt(600, day(1)).unwrap();
        let upto = journal.forgettable(keep(0, 0), day(9)).unwrap();
        assert_eq!(upto, 599);
        let gone: Vec<_> = (0..4).map(|_| journal.forget_some(upto).unwrap()).collect();
        assert_eq!(gone, [256, 256, 87, 0]);
    }

    #[test]
    fn receipts_are_noted_once_an_hour_and_forgotten_with_their_records() {
        let (_folder, mut journal) = journal_of(300);
        for hour in 0..40 {
            for minute in [0, 20, 40] {
                let at = Timestamp::from_second(hour * 3_600 + minute * 60).unwrap();
                journal
                    .note_receipt(u64::try_from(hour * 3 + minute / 20).unwrap(), Some(at))
                    .unwrap();
            }
        }
        let noted = |journal: &Journal| -> u64 {
            journal
                .connection
                .query_row("select count(*) from receipt", [], |row| row.get(0))
                .unwrap()
        };
        assert_eq!(noted(&journal), 40);
        journal.forget_some(90).unwrap();
        assert_eq!(noted(&journal), 10);
    }
}
