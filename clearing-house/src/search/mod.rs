//! Finding passages in the books: by day and time, and by whose they are, the newest first.
//!
//! The order is that of the settlement day a passage fell into, and within it of the time by the
//! lane's clock. So each step reads one day's partition, however many there are. Within a day it
//! looks at a *slice* of time, and at one twice as long where that did not fill the page. A search
//! that finds little in much ends when its *patience* does, and hands back what it has with the
//! *place* where it stopped: the next page goes on from there, and may be the first with anything
//! on it. What is looked for by vehicle or account is found by the tags and plates it ever had.
//!
//! Deliberately absent: who may see what is found, and showing it.

mod repo;

use std::fmt;
use std::time::Duration;

use domain::{BusinessDate, Clock, PassageId, Plate, TagId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

pub use repo::Found;
use repo::Slice;
pub(crate) use repo::Toll;

/// What is looked for; what is absent may be anything.
#[derive(Clone, Default)]
pub struct Sought {
    /// Whose road.
    pub operator: Option<String>,
    /// Which of its stations.
    pub station: Option<String>,
    /// Which lane of the station, by its own name.
    pub lane: Option<String>,
    /// What became of it. What is `pending` has no day yet, and is found by asking for it alone.
    pub disposition: Option<String>,
    /// Whether there was an exception.
    pub has_exception: Option<bool>,
    /// Which.
    pub exception: Option<String>,
    /// What it cost, in minor units.
    pub amount: Option<i64>,
    /// Whose it is.
    pub whose: Option<Whose>,
}

/// Whose passages are looked for.
#[derive(Clone, PartialEq, Eq)]
pub enum Whose {
    /// Of a vehicle: what was read or known by this plate.
    Plate(Plate),
    /// Of a tag.
    Tag(TagId),
    /// Paid by an account.
    Account(i64),
}

impl fmt::Debug for Sought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sought(…)")
    }
}

impl fmt::Debug for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Whose(…)")
    }
}

/// The place after which a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The settlement day; absent where what is found has none yet.
    pub day: Option<BusinessDate>,
    /// Before this instant.
    pub at: Timestamp,
    /// And at it before this journal,
    pub journal: i32,
    /// and in it before this number.
    pub seq: i32,
}

/// A page.
#[derive(Debug, Default)]
pub struct Page {
    /// The newest first.
    pub passages: Vec<Found>,
    /// Where to go on; absent where there is nothing more.
    pub next: Option<Place>,
}

/// Which days are looked at, both inclusive; without a bound where absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Days {
    /// The oldest.
    pub first: Option<BusinessDate>,
    /// The newest.
    pub last: Option<BusinessDate>,
}

impl Days {
    /// One day alone.
    #[must_use]
    pub const fn only(day: BusinessDate) -> Self {
        Self { first: Some(day), last: Some(day) }
    }
}

/// The first slice of a day: some thousands of passages where a day has a million.
const SLICE: Duration = Duration::from_secs(4 * 60);
/// How much longer each slice is than the one before.
const GROWS_BY: u32 = 2;
/// After how long a search hands back what it has.
pub const PATIENCE: Duration = Duration::from_millis(30);

/// From which size on a day is counted ahead: some hundred thousand passages.
const LARGE_FROM_BYTES: i64 = 16 * 1024 * 1024;

/// Makes ready what pages are quick by: gives closed days their indexes, and counts what passed on
/// days that are large. Doing it twice, or not at all for a while, does no harm.
///
/// # Errors
/// When the database fails.
pub async fn make_ready(pool: &PgPool, now: Timestamp) -> Result<(), sqlx::Error> {
    repo::file_days(pool).await?;
    count_days(pool, LARGE_FROM_BYTES, now).await
}

/// Counts what passed on the days that are as large as this.
///
/// # Errors
/// When the database fails.
pub async fn count_days(
    pool: &PgPool,
    large_from_bytes: i64,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    for day in repo::days_to_count(pool).await? {
        repo::count(pool, day, large_from_bytes, now).await?;
    }
    Ok(())
}

/// Finds one passage by its identity.
///
/// # Errors
/// When the database fails.
pub async fn one(
    books: &mut PgConnection,
    passage: &PassageId,
) -> Result<Option<Found>, sqlx::Error> {
    repo::one(books, passage).await
}

/// Finds one passage of a settlement day by its identity; no other day's rows are looked at.
///
/// # Errors
/// When the database fails.
pub async fn one_of_day(
    books: &mut PgConnection,
    passage: &PassageId,
    day: BusinessDate,
) -> Result<Option<Found>, sqlx::Error> {
    repo::one_of_day(books, passage, day).await
}

/// The tolls that an account paid, posted from an instant on, in no order.
pub(crate) async fn tolls(
    books: &mut PgConnection,
    account: i64,
    from: Timestamp,
) -> Result<Vec<Toll>, sqlx::Error> {
    repo::tolls(books, account, from).await
}

/// Finds one page of passages.
///
/// # Errors
/// When the database fails.
pub async fn page(
    books: &mut PgConnection,
    sought: &Sought,
    days: Days,
    after: Option<Place>,
    len: usize,
    clock: Clock,
) -> Result<Page, sqlx::Error> {
    let started = clock.real();
    let impatient = || clock.real().duration_since(started) > PATIENCE;
    let lanes = repo::journals(books, sought).await?;
    if sought.disposition.as_deref() == Some("pending") {
        let found = repo::waiting(books, (sought, &lanes), after.as_ref(), len + 1).await?;
        return Ok(cut(found, len, None));
    }
    let newest = match &after {
        None => days.last,
        Some(Place { day: Some(day), .. }) => Some(*day),
        Some(Place { day: None, .. }) => return Ok(Page::default()),
    };
    let days = repo::days(books, sought, (days.first, newest)).await?;
    if let Some(whose) = &sought.whose {
        let found =
            repo::of(books, (sought, &lanes), whose, &days, after.as_ref(), len + 1).await?;
        return Ok(cut(found, len, None));
    }
    let mut passages = Vec::new();
    for (day, ends_at) in days {
        let mut place = after.clone().filter(|place| place.day == Some(day));
        // A lane's clock may be ahead: the first slice is open towards the future.
        let mut slice = match &place {
            Some(place) => Slice { from: Some(before(place.at, SLICE)), until: None },
            None => Slice { from: Some(before(ends_at.min(clock.now()), SLICE)), until: None },
        };
        let mut length = SLICE;
        loop {
            let lacks = len + 1 - passages.len();
            let asked = (sought, &lanes);
            passages.extend(repo::slice(books, asked, day, slice, place.as_ref(), lacks).await?);
            if passages.len() > len {
                return Ok(cut(passages, len, None));
            }
            let Some(until) = slice.from else { break };
            if impatient() {
                let stopped = Place { day: Some(day), at: until, journal: 0, seq: 0 };
                return Ok(cut(passages, len, Some(stopped)));
            }
            // What lies before belongs to no cursor of this day any more.
            place = None;
            length *= GROWS_BY;
            let is_last = length > Duration::from_secs(24 * 60 * 60);
            slice = Slice { from: (!is_last).then(|| before(until, length)), until: Some(until) };
        }
    }
    Ok(cut(passages, len, None))
}

/// An instant so long before another, as far as the books go back.
fn before(at: Timestamp, length: Duration) -> Timestamp {
    at.saturating_sub(length).unwrap_or(Timestamp::UNIX_EPOCH).max(Timestamp::UNIX_EPOCH)
}

/// A page of what was found, which may be one too many.
fn cut(mut passages: Vec<Found>, len: usize, stopped: Option<Place>) -> Page {
    let is_more = passages.len() > len;
    passages.truncate(len);
    let next = if is_more { passages.last().map(Found::place) } else { stopped };
    Page { passages, next }
}
