//! The rows of a batch, and the batch itself in its chain.

use domain::signature::Digest256;
use domain::{Amount, BusinessDate, Timestamp};
use sqlx::{PgConnection, Row as _};

use super::super::post::{BooksError, failed};
use super::copy::Rows;
use super::journals::{HalfDigest, Place};
use crate::sql::to_sql;

/// A batch that has begun: its number, and the chain that is its own until the transaction ends.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    pub(crate) batch: i32,
    chain: i32,
    place: i64,
    head: Vec<u8>,
}

/// Takes a number and a chain that no other worker has.
pub(crate) async fn begin(tx: &mut PgConnection) -> Result<Begun, BooksError> {
    for statement in [
        "with free as (select chain, place, head from posting_chain order by chain limit 1 \
                       for update skip locked) \
         select nextval('posting_batch_batch_seq')::int4, chain, place, head from free",
        "with made as (insert into posting_chain default values returning chain, place, head) \
         select nextval('posting_batch_batch_seq')::int4, chain, place, head from made",
    ] {
        let row = sqlx::query(statement)
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed("take a place in a chain of batches"))?;
        if let Some(row) = row {
            return Ok(Begun {
                batch: row.get(0),
                chain: row.get(1),
                place: row.get::<i64, _>(2) + 1,
                head: row.get(3),
            });
        }
    }
    Err(BooksError::Raced)
}

/// The hash of a batch: over the head of its chain and its rows in the order of their places.
pub(crate) fn hash(head: &[u8], rows: &[u8]) -> Digest256 {
    Digest256::of_parts(&[head, rows])
}

impl Begun {
    /// Writes the batch down and makes it the head of its chain.
    pub(crate) async fn end(
        &self,
        tx: &mut PgConnection,
        rows: &Rows,
        (passages, amount): (usize, i64),
        now: Timestamp,
    ) -> Result<(), BooksError> {
        sqlx::query(
            "with written as ( \
                 insert into posting_batch (batch, chain, place, posted_at, passages, amount, hash) \
                 overriding system value values ($1, $2, $3, $4, $5, $6, $7)) \
             update posting_chain set place = $3, head = $7 where chain = $2",
        )
        .bind(self.batch)
        .bind(self.chain)
        .bind(self.place)
        .bind(to_sql(now))
        .bind(i32::try_from(passages).unwrap_or(i32::MAX))
        .bind(amount)
        .bind(hash(&self.head, rows.as_bytes()).as_bytes().as_slice())
        .execute(tx)
        .await
        .map_err(failed("chain a batch"))?;
        Ok(())
    }
}

/// A passage, its charge and its toll, as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Posting<'a> {
    pub(crate) amount: Amount,
    pub(crate) at: Timestamp,
    pub(crate) digest: HalfDigest,
    pub(crate) place: Place,
    pub(crate) batch: i32,
    pub(crate) manner: i32,
    /// Ledger accounts; 0 where nothing is to be paid.
    pub(crate) debit: i32,
    pub(crate) credit: i32,
    pub(crate) operator_no: i32,
    pub(crate) day: BusinessDate,
    pub(crate) tag: &'a [u8],
    pub(crate) plate: &'a str,
}

/// What `COPY` takes them by.
pub(crate) const INTO_POSTING: &str = "copy posting (amount, at, digest, journal_no, seq, batch, manner, debit, credit, operator_no, day, tag, \
     plate) from stdin (format binary)";

impl Posting<'_> {
    /// Appends the row; these bytes are also what the batch's hash is over.
    pub(crate) fn append(&self, rows: &mut Rows) {
        rows.row(13).int8(self.amount.minor_units()).instant(self.at).bytes(&self.digest);
        rows.int4(self.place.0).int4(self.place.1).int4(self.batch).int4(self.manner);
        rows.int4(self.debit).int4(self.credit).int4(self.operator_no).day(self.day);
        rows.bytes(self.tag).bytes(self.plate.as_bytes());
    }
}

/// What few passages have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct More {
    pub(crate) place: Place,
    pub(crate) operator_no: i32,
    pub(crate) received_batch: Option<i32>,
    pub(crate) attendant: Option<String>,
    /// Who agreed, where it took two.
    pub(crate) second: Option<String>,
    pub(crate) fare: Option<Amount>,
}

pub(crate) async fn insert_more(tx: &mut PgConnection, more: &[More]) -> Result<(), BooksError> {
    if more.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::default();
    for one in more {
        rows.row(7).int4(one.place.0).int4(one.place.1).int4(one.operator_no);
        match one.received_batch {
            Some(batch) => rows.int4(batch),
            None => rows.null(),
        };
        for person in [&one.attendant, &one.second] {
            match person {
                Some(person) => rows.bytes(person.as_bytes()),
                None => rows.null(),
            };
        }
        match one.fare {
            Some(fare) => rows.int8(fare.minor_units()),
            None => rows.null(),
        };
    }
    rows.send(
        tx,
        "copy passage_more (journal_no, seq, operator_no, received_batch, attendant, second, fare) \
         from stdin (format binary)",
    )
    .await
    .map_err(failed("store what few passages have"))?;
    Ok(())
}
