//! Rows in the database's binary `COPY` format (manual, `COPY`, "Binary Format"): a header, then for
//! each row the number of its columns and each column's length and bytes, big-endian.
//!
//! Deliberately absent: values above 2 GiB, which the broker's limit on messages keeps out.

use domain::{BusinessDate, Timestamp};
use sqlx::PgConnection;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// 2000-01-01T00:00:00Z, from which the database counts, in microseconds of the Unix epoch.
const ORIGIN_US: i64 = 946_684_800_000_000;
/// 2000-01-01 in days of the Unix epoch.
const ORIGIN_DAY: i32 = 10_957;

/// Rows of one table, ready to be sent.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    bytes: Vec<u8>,
}

impl Rows {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Begins a row of so many columns.
    pub(crate) fn row(&mut self, columns: i16) -> &mut Self {
        self.bytes.extend_from_slice(&columns.to_be_bytes());
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let (len, value) = i32::try_from(value.len()).map_or((0, &[][..]), |len| (len, value));
        self.bytes.extend_from_slice(&len.to_be_bytes());
        self.bytes.extend_from_slice(value);
        self
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
        self
    }

    pub(crate) fn int4(&mut self, value: i32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn int8(&mut self, value: i64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn instant(&mut self, at: Timestamp) -> &mut Self {
        self.int8(at.as_microsecond().saturating_sub(ORIGIN_US))
    }

    pub(crate) fn day(&mut self, day: BusinessDate) -> &mut Self {
        self.int4(days_since_epoch(day) - ORIGIN_DAY)
    }

    /// Sends the rows into a table, as part of the connection's transaction.
    pub(crate) async fn send(
        &self,
        tx: &mut PgConnection,
        into: &'static str,
    ) -> Result<u64, sqlx::Error> {
        let mut copy = tx.copy_in_raw(into).await?;
        copy.send(HEADER).await?;
        copy.send(self.as_bytes()).await?;
        copy.send(&TRAILER[..]).await?;
        copy.finish().await
    }
}

/// Days from 1 January 1970 to that date.
fn days_since_epoch(day: BusinessDate) -> i32 {
    let date = day.date();
    let epoch = jiff::civil::Date::constant(1970, 1, 1);
    date.since(epoch).map_or(0, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_its_columns_with_their_lengths() {
        let mut rows = Rows::default();
        rows.row(3).int4(-2).bytes(b"ab").null();
        let expected = b"\0\x03\0\0\0\x04\xff\xff\xff\xfe\0\0\0\x02ab\xff\xff\xff\xff";
        assert_eq!(rows.as_bytes(), expected);
    }

    #[test]
    fn instants_and_days_count_from_2000() {
        let mut rows = Rows::default();
        rows.instant("2000-01-01T00:00:01Z".parse().unwrap());
        rows.day("2000-03-01".parse().unwrap());
        let mut expected = Rows::default();
        expected.int8(1_000_000).int4(60);
        assert_eq!(rows.as_bytes(), expected.as_bytes());
    }
}
