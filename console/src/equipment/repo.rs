//! What the pages of equipment ask the books.

use clearing_house::sql::from_sql;
use domain::Timestamp;
use sqlx::types::time::OffsetDateTime;

use crate::access::Scope;
use crate::books::{Books, BooksError, in_time};

/// How many rows a list has.
const ROWS_MAX: i64 = 200;

/// A lane with the last of its keys, credentials and journals.
#[derive(sqlx::FromRow)]
pub(super) struct LaneRow {
    pub lane: String,
    pub role: String,
    key_from: Option<OffsetDateTime>,
    key_until: Option<OffsetDateTime>,
    pub key_revoked: bool,
    credential_issued: Option<OffsetDateTime>,
    credential_revoked: Option<OffsetDateTime>,
    pub epoch: Option<i32>,
    pub posted_upto: i64,
    pub last_seq: i64,
}

impl LaneRow {
    pub(super) fn key_from(&self) -> Option<Timestamp> {
        self.key_from.map(from_sql)
    }

    pub(super) fn key_until(&self) -> Option<Timestamp> {
        self.key_until.map(from_sql)
    }

    pub(super) fn credential_issued(&self) -> Option<Timestamp> {
        self.credential_issued.map(from_sql)
    }

    pub(super) fn credential_revoked(&self) -> Option<Timestamp> {
        self.credential_revoked.map(from_sql)
    }
}

/// The lanes of a scope.
pub(super) async fn lanes(books: &Books, scope: &Scope) -> Result<Vec<LaneRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select l.lane, l.role, k.valid_from as key_from, k.valid_until as key_until,
                    coalesce(k.revoked, false) as key_revoked, c.issued_at as credential_issued,
                    c.revoked_at as credential_revoked, e.epoch,
                    coalesce(e.posted_upto, 0) as posted_upto, coalesce(e.last_seq, 0) as last_seq
             from lane l
             left join lateral (select * from lane_key k where k.lane = l.lane
                                order by k.valid_from desc limit 1) k on true
             left join lateral (select * from lane_credential c where c.lane = l.lane
                                order by c.issued_at desc limit 1) c on true
             left join lateral (select * from lane_epoch e where e.lane = l.lane
                                order by e.epoch desc limit 1) e on true
             where ($1::text is null or l.operator = $1) and ($2::text is null or l.station = $2)
             order by l.lane",
        )
        .bind(scope.operator())
        .bind(scope.station())
        .fetch_all(books.pool()?),
    )
    .await
}

/// A version of the account list.
#[derive(sqlx::FromRow)]
pub(super) struct ListRow {
    pub version: i64,
    issued_at: OffsetDateTime,
    published_at: Option<OffsetDateTime>,
}

impl ListRow {
    pub(super) fn issued_at(&self) -> Timestamp {
        from_sql(self.issued_at)
    }

    pub(super) fn published_at(&self) -> Option<Timestamp> {
        self.published_at.map(from_sql)
    }
}

/// About how many tags the list has, and its last versions. A count of each would read millions.
pub(super) async fn lists(books: &Books) -> Result<(i64, Vec<ListRow>), BooksError> {
    let pool = books.pool()?;
    let entries: i64 = in_time(
        sqlx::query_scalar(
            "select case when c.reltuples < 100000 then (select count(*) from list_entry)
                         else c.reltuples::bigint end
             from pg_class c where c.oid = 'list_entry'::regclass",
        )
        .fetch_one(pool),
    )
    .await?;
    let versions = in_time(
        sqlx::query_as(
            "select version, issued_at, published_at from list_delta order by version desc limit 10",
        )
        .fetch_all(pool),
    )
    .await?;
    Ok((entries, versions))
}

/// A message that could not be taken.
#[derive(sqlx::FromRow)]
pub(super) struct QuarantineRow {
    pub quarantine: i64,
    received_at: OffsetDateTime,
    pub subject: String,
    pub reason: String,
    pub bytes: i32,
}

impl QuarantineRow {
    pub(super) fn received_at(&self) -> Timestamp {
        from_sql(self.received_at)
    }
}

/// What could not be taken, the newest first; an operator's are those of its lanes' subjects.
pub(super) async fn quarantine(
    books: &Books,
    scope: &Scope,
) -> Result<Vec<QuarantineRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select quarantine, received_at, subject, reason, length(payload) as bytes
             from quarantine
             where ($1::text is null or split_part(subject, '.', 4) = $1)
               and ($2::text is null or split_part(subject, '.', 5) = $2)
             order by quarantine desc limit $3",
        )
        .bind(scope.operator())
        .bind(scope.station())
        .bind(ROWS_MAX)
        .fetch_all(books.pool()?),
    )
    .await
}

/// One of them with its bytes.
pub(super) async fn quarantined(
    books: &Books,
    scope: &Scope,
    number: i64,
) -> Result<Option<(QuarantineRow, Vec<u8>)>, BooksError> {
    #[derive(sqlx::FromRow)]
    struct Whole {
        #[sqlx(flatten)]
        row: QuarantineRow,
        payload: Vec<u8>,
    }
    let whole: Option<Whole> = in_time(
        sqlx::query_as(
            "select quarantine, received_at, subject, reason, length(payload) as bytes, payload
             from quarantine
             where quarantine = $3
               and ($1::text is null or split_part(subject, '.', 4) = $1)
               and ($2::text is null or split_part(subject, '.', 5) = $2)",
        )
        .bind(scope.operator())
        .bind(scope.station())
        .bind(number)
        .fetch_optional(books.pool()?),
    )
    .await?;
    Ok(whole.map(|whole| (whole.row, whole.payload)))
}
