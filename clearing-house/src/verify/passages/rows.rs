//! The rows of passages in the order of their batches.

use std::collections::{HashMap, VecDeque};

use domain::{Amount, BusinessDate, PassageId, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::Tally;
use crate::intake::stored::{HalfDigest, Posting};
use crate::sql::{day_from_sql, from_sql};

/// A row as it is stored, with the words its numbers stand for.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) amount: i64,
    at: Timestamp,
    pub(super) digest: HalfDigest,
    pub(super) place: (i32, i32),
    batch: i32,
    manner: i32,
    debit: i32,
    credit: i32,
    operator_no: i32,
    day: BusinessDate,
    tag: Vec<u8>,
    plate: String,
    /// Disposition and why; nothing while it waits.
    pub(super) found: Option<(String, String)>,
    pub(super) payer: String,
    pub(super) account: Option<i64>,
    pub(super) tariff: Option<String>,
    pub(super) entry: Option<(PassageId, Timestamp)>,
    pub(super) received_batch: Option<i32>,
    /// When it was rated; nothing where its batch is not there.
    pub(super) rated_at: Option<Timestamp>,
}

impl Row {
    pub(super) fn posting(&self) -> Posting<'_> {
        Posting {
            amount: Amount::try_new(self.amount).unwrap_or(Amount::ZERO),
            at: self.at,
            digest: self.digest,
            place: self.place,
            batch: self.batch,
            manner: self.manner,
            debit: self.debit,
            credit: self.credit,
            operator_no: self.operator_no,
            day: self.day,
            tag: &self.tag,
            plate: &self.plate,
        }
    }

    fn try_from(row: &PgRow) -> Option<Self> {
        let entry = row.get::<Option<String>, _>(16).zip(row.get::<Option<_>, _>(17));
        Some(Self {
            amount: row.get(0),
            at: from_sql(row.get(1)),
            digest: row.get::<&[u8], _>(2).try_into().ok()?,
            place: (row.get(3), row.get(4)),
            batch: row.get(5),
            manner: row.get(6),
            debit: row.get(7),
            credit: row.get(8),
            operator_no: row.get(9),
            day: day_from_sql(row.get(10)),
            tag: row.get(11),
            plate: row.get(12),
            found: row.get::<Option<_>, _>(13).zip(row.get::<Option<_>, _>(14)),
            payer: row.get::<Option<_>, _>(15).unwrap_or_default(),
            entry: entry.and_then(|(id, at)| Some((id.parse().ok()?, from_sql(at)))),
            account: row.get(18),
            tariff: row.get(19),
            received_batch: row.get(20),
            rated_at: row.get::<Option<_>, _>(21).map(from_sql),
        })
    }
}

macro_rules! select_rows {
    ($from:literal, $rest:literal) => {
        concat!(
            "select p.amount, p.at, uuid_send(p.digest), p.journal_no, p.seq, p.batch, p.manner, p.debit, p.credit, \
                 p.operator_no, p.day, p.tag, p.plate, n.disposition, n.why, n.payer, \
                 i.lane || ':' || i.epoch || ':' || t.entry_seq, r.at, d.account, n.tariff, m.received_batch, b.posted_at from ",
            $from,
            " left join manner n on n.manner = p.manner \
             left join posting_batch b on b.batch = p.batch \
             left join ledger_account d on d.ledger_account = p.debit \
             left join passage_more m on m.journal_no = p.journal_no and m.seq = p.seq \
             left join trip t on t.exit_journal = p.journal_no and t.exit_seq = p.seq \
             left join lane_epoch i on i.journal_no = t.entry_journal \
             left join road_entry r on r.journal_no = t.entry_journal and r.seq = t.entry_seq ",
            $rest
        )
    };
}

/// All rows, by a cursor: the database sorts them, on its disk where they are many.
pub(super) struct Rows {
    ahead: VecDeque<Row>,
}

impl Rows {
    pub(super) async fn open(tx: &mut PgConnection) -> Result<Self, sqlx::Error> {
        sqlx::query(concat!(
            "declare posting_rows no scroll cursor for ",
            select_rows!("posting p", "order by p.batch, p.journal_no, p.seq")
        ))
        .execute(tx)
        .await?;
        Ok(Self { ahead: VecDeque::new() })
    }

    async fn look_ahead(&mut self, tx: &mut PgConnection) -> Result<Option<&Row>, sqlx::Error> {
        if self.ahead.is_empty() {
            let rows = sqlx::query("fetch 2000 from posting_rows").fetch_all(tx).await?;
            self.ahead.extend(rows.iter().filter_map(Row::try_from));
        }
        Ok(self.ahead.front())
    }

    /// The rows of a batch; rows of a batch before it, that nobody wrote down, are counted as broken.
    pub(super) async fn of_batch(
        &mut self,
        tx: &mut PgConnection,
        batch: i32,
        tally: &mut Tally,
    ) -> Result<Vec<Row>, sqlx::Error> {
        let mut rows = Vec::new();
        while let Some(next) = self.look_ahead(tx).await?.map(|row| row.batch) {
            if next > batch {
                break;
            }
            let Some(row) = self.ahead.pop_front() else { break };
            if next == batch {
                rows.push(row);
            } else {
                tally.count(false, || format!("batch {next}, which nobody wrote down"));
            }
        }
        Ok(rows)
    }

    /// Counts the rows after the last batch as broken.
    pub(super) async fn count_the_rest(
        &mut self,
        tx: &mut PgConnection,
        tally: &mut Tally,
    ) -> Result<(), sqlx::Error> {
        self.of_batch(tx, i32::MAX, tally).await?.iter().for_each(|row| {
            tally.count(false, || format!("batch {}, which nobody wrote down", row.batch));
        });
        Ok(())
    }
}

/// The rows at these places, also of exits that still wait.
pub(super) async fn by_places(
    tx: &mut PgConnection,
    places: &[(i32, i32)],
) -> Result<HashMap<(i32, i32), Row>, sqlx::Error> {
    if places.is_empty() {
        return Ok(HashMap::new());
    }
    let (journals, seqs): (Vec<i32>, Vec<i32>) = places.iter().copied().unzip();
    let rows = sqlx::query(select_rows!(
        "(select p.* from unnest($1::int4[], $2::int4[]) as w (journal_no, seq) \
          join (select amount, at, digest, journal_no, seq, batch, manner, debit, credit, operator_no, day, tag, \
                    plate from posting \
                union all select 0, at, digest, journal_no, seq, batch, manner, 0, 0, operator_no, \
                    '2000-01-01'::date, tag, plate from waiting_exit) p using (journal_no, seq)) p",
        ""
    ))
    .bind(journals)
    .bind(seqs)
    .fetch_all(tx)
    .await?;
    Ok(rows.iter().filter_map(Row::try_from).map(|row| (row.place, row)).collect())
}
