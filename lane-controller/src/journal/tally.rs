//! The tally: what the loops had counted at each quarter of an hour, kept beside the records.
//!
//! One row for each quarter in which something was written, updated in the transaction that writes a
//! record: the last number, and the counts of the loops as they stood then. The rows stand in the
//! order of the numbers, so a clock that steps makes a row of its own and moves none. With them a
//! day's last number is found without reading the day, and each hour's vehicles can be held against
//! its passages.

use domain::Timestamp;
use domain::signature::Digest256;
use domain::wire::v1::{LoopCounts, LoopDay, LoopHour, PassageRecord, PassageSums, parse};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::store;
use super::{JournalError, JournalReader};

const QUARTER_S: i64 = 900;
const HOUR_S: i64 = 3_600;
/// Records that are read at once.
const PAGE: usize = 512;

/// Writes down how the loops stood at a record.
pub(super) fn note(
    connection: &Connection,
    seq: u64,
    at: Timestamp,
    counts: &LoopCounts,
) -> Result<(), rusqlite::Error> {
    let quarter = at.as_second().div_euclid(QUARTER_S);
    let counts = serde_json::to_string(counts).expect("counts have a JSON form");
    let same = connection
        .prepare_cached(
            "update tally set last_seq = ?1, counts = ?2 \
             where from_seq = (select max(from_seq) from tally) and quarter = ?3",
        )?
        .execute(params![seq, counts, quarter])?;
    if same == 0 {
        connection
            .prepare_cached(
                "insert into tally (from_seq, quarter, last_seq, counts) values (?1, ?2, ?1, ?3)",
            )?
            .execute(params![seq, quarter, counts])?;
    }
    Ok(())
}

/// Passages of a journal, counted from the records themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// What they come to.
    pub sums: PassageSums,
    /// The digest of the last, or of the one before the first where there is none.
    pub head: Digest256,
}

struct Row {
    quarter: i64,
    last_seq: u64,
    counts: LoopCounts,
}

impl JournalReader {
    /// The last number written before an instant, by the lane's clock; 0 where there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub fn last_before(&self, at: Timestamp) -> Result<u64, JournalError> {
        let quarter = at.as_second().div_euclid(QUARTER_S);
        let last: Option<u64> = self
            .connection()
            .query_row(
                "select last_seq from tally where quarter < ?1 order by from_seq desc limit 1",
                [quarter],
                |row| row.get(0),
            )
            .optional()
            .map_err(store(self.path(), "read the tally"))?;
        Ok(last.unwrap_or(0))
    }

    /// How the loops stood in the hours of these numbers; nothing where nothing is known of before
    /// them.
    ///
    /// # Errors
    /// When the store fails.
    pub fn loops(&self, first: u64, last: u64) -> Result<Option<LoopDay>, JournalError> {
        let before = match first {
            0 | 1 => self.row("where last_seq <= ?1", 0)?.map(|row| row.counts),
            _ => match self.row("where last_seq <= ?1", first - 1)? {
                Some(row) if row.last_seq == first - 1 => Some(row.counts),
                Some(_) | None => return Ok(None),
            },
        };
        let mut hours: Vec<LoopHour> = Vec::new();
        let mut at = first;
        while at <= last {
            let Some(row) = self.row("where from_seq <= ?1", at)?.filter(|row| row.last_seq >= at)
            else {
                return Ok(None);
            };
            // What lies behind the last number belongs to the next day, and so does its hour.
            if row.last_seq > last {
                return Ok(None);
            }
            let from_s = (row.quarter * QUARTER_S).div_euclid(HOUR_S) * HOUR_S;
            let from = Timestamp::from_second(from_s).unwrap_or_default();
            let hour = LoopHour { from, last_seq: row.last_seq, counts: row.counts };
            match hours.last_mut() {
                Some(same) if same.from == from => *same = hour,
                Some(_) | None => hours.push(hour),
            }
            at = row.last_seq + 1;
        }
        Ok(Some(LoopDay { before: before.unwrap_or_default(), hours }))
    }

    fn row(&self, which: &str, seq: u64) -> Result<Option<Row>, JournalError> {
        self.connection()
            .prepare_cached(&format!(
                "select quarter, last_seq, counts from tally {which} order by from_seq desc limit 1"
            ))
            .and_then(|mut statement| {
                statement
                    .query_row([seq], |row| {
                        let counts: String = row.get(2)?;
                        Ok(Row {
                            quarter: row.get(0)?,
                            last_seq: row.get(1)?,
                            counts: serde_json::from_str(&counts).unwrap_or_default(),
                        })
                    })
                    .optional()
            })
            .map_err(store(self.path(), "read the tally"))
    }

    /// Counts the records of these numbers, and follows their chain.
    ///
    /// # Errors
    /// When the store fails, or a record is gone, unreadable or not the next in the chain.
    pub fn count(&self, first: u64, last: u64) -> Result<Counted, JournalError> {
        let damaged = |seq, why| JournalError::Damaged { path: self.path().to_owned(), seq, why };
        let mut head = match first.checked_sub(1) {
            None | Some(0) => Some(Digest256::default()),
            Some(before) => self.digest(before)?,
        };
        let mut sums = PassageSums::default();
        let mut next = first;
        while next <= last {
            let page = self.read(next, PAGE)?;
            if page.is_empty() {
                return Err(damaged(next, "it is no longer there to be counted"));
            }
            for record in page.into_iter().take_while(|record| record.seq <= last) {
                if record.seq != next {
                    return Err(damaged(next, "it is no longer there to be counted"));
                }
                let passage: PassageRecord = parse("passage", &record.payload)
                    .map_err(|_unreadable| damaged(next, "it cannot be read"))?;
                if head.is_some_and(|head| head != passage.previous) {
                    return Err(damaged(next, "it does not follow the record before it"));
                }
                if !sums.count(&passage) {
                    return Err(damaged(next, "the fares up to it are more than an amount holds"));
                }
                head = Some(Digest256::of(&record.payload));
                next += 1;
            }
        }
        let head = head.ok_or_else(|| damaged(first, "the record before it is gone"))?;
        Ok(Counted { sums, head })
    }
}
