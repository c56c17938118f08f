//! Who owned a tag or a plate at the time of a passage, whenever that is asked.
//!
//! A passage may come days late, and the tag may have moved to another vehicle meanwhile: it is
//! charged to whose it was then. Two clocks are involved, the lane's and the centre's. A lane's may
//! run fast, so no passage is taken to be later than when it is asked about; and it may run slow, so
//! a tag that had never been linked at the time is its first owner's if that link began within
//! [`CLOCK_SLACK`]. Links are never rewritten, so asking again with the same `known_at` gives the
//! same answer for ever.

use std::collections::HashMap;

use domain::{AccountId, IssuerId, Plate, TagId, Timestamp, VehicleGroup};
use jiff::SignedDuration;
use sqlx::{PgConnection, Row};

use crate::sql::from_sql;

/// How much a lane's clock may be behind the centre's.
pub const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);

/// What holds from an instant until another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span<T> {
    from: Timestamp,
    until: Option<Timestamp>,
    what: T,
}

/// What held at an instant, by what was known later. `spans` are in the order of time and do not
/// overlap.
fn at<T>(spans: &[Span<T>], at: Timestamp, known_at: Timestamp) -> Option<&T> {
    let at = at.min(known_at);
    let holds = |span: &&Span<T>| span.from <= at && span.until.is_none_or(|until| at < until);
    let first = || {
        spans.first().filter(|first| {
            let soon_after = first.from.duration_since(at) <= CLOCK_SLACK;
            at < first.from && soon_after && first.from <= known_at
        })
    };
    spans.iter().find(holds).or_else(first).map(|span| &span.what)
}

/// Whose a vehicle was, and as what it was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// Its plate.
    pub plate: Plate,
    /// The account that paid for it.
    pub account: AccountId,
    /// Who held that account.
    pub issuer: IssuerId,
    /// Its registered group.
    pub group: VehicleGroup,
    /// Exempt by law.
    pub exempt: bool,
}

/// All that is known of some tags and plates.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    plates: HashMap<Vec<u8>, Vec<Span<Plate>>>,
    vehicles: HashMap<Plate, Vec<Span<Owned>>>,
}

impl Owners {
    /// Reads the links of these tags, in bytes, and plates.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(
        tx: &mut PgConnection,
        tags: &[Vec<u8>],
        plates: &[String],
    ) -> Result<Self, sqlx::Error> {
        let mut owners = Self::default();
        let rows = sqlx::query(
            "select tag, plate, valid_from, valid_until from tag_link where tag = any($1) \
             order by tag, valid_from, tag_link",
        )
        .bind(tags)
        .fetch_all(&mut *tx)
        .await?;
        let mut wanted = plates.to_vec();
        for row in &rows {
            let Ok(plate) = Plate::try_new(row.get(1)) else { continue };
            wanted.push(row.get(1));
            let from = from_sql(row.get(2));
            let until = row.get::<Option<_>, _>(3).map(from_sql);
            owners.plates.entry(row.get(0)).or_default().push(Span { from, until, what: plate });
        }
        let rows = sqlx::query(
            "select v.plate, v.account, a.issuer, v.vehicle_group, v.exempt, v.valid_from, v.valid_until \
             from vehicle_link v join account a using (account) where v.plate = any($1) \
             order by v.plate, v.valid_from, v.vehicle_link",
        )
        .bind(wanted)
        .fetch_all(tx)
        .await?;
        for row in &rows {
            let Some(what) = owned(row) else { continue };
            let from = from_sql(row.get(5));
            let until = row.get::<Option<_>, _>(6).map(from_sql);
            let spans = owners.vehicles.entry(what.plate.clone()).or_default();
            spans.push(Span { from, until, what });
        }
        Ok(owners)
    }

    /// Whose vehicle the tag was on at an instant, by what is known at another.
    #[must_use]
    pub fn by_tag(&self, tag: &TagId, instant: Timestamp, known_at: Timestamp) -> Option<&Owned> {
        let plate = at(self.plates.get(tag.as_bytes())?, instant, known_at)?;
        self.by_plate(plate, instant, known_at)
    }

    /// Whose a vehicle was at an instant, by what is known at another.
    #[must_use]
    pub fn by_plate(
        &self,
        plate: &Plate,
        instant: Timestamp,
        known_at: Timestamp,
    ) -> Option<&Owned> {
        at(self.vehicles.get(plate)?, instant, known_at)
    }
}

fn owned(row: &sqlx::postgres::PgRow) -> Option<Owned> {
    Some(Owned {
        plate: Plate::try_new(row.get(0)).ok()?,
        account: AccountId::new(row.get(1)),
        issuer: IssuerId::try_new(row.get(2)).ok()?,
        group: VehicleGroup::try_new(u8::try_from(row.get::<i16, _>(3)).ok()?).ok()?,
        exempt: row.get(4),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(number: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + number * 60).unwrap()
    }

    /// Spans from minutes: whose, from, until.
    fn spans(of: &[(char, i64, Option<i64>)]) -> Vec<Span<char>> {
        of.iter()
            .map(|&(what, from, until)| Span { from: minute(from), until: until.map(minute), what })
            .collect()
    }

    #[track_caller]
    fn check(of: &[(char, i64, Option<i64>)], asked: &[(i64, i64, Option<char>)]) {
        for &(instant, known_at, whose) in asked {
            let found = at(&spans(of), minute(instant), minute(known_at)).copied();
            assert_eq!(found, whose, "at {instant}, known at {known_at}");
        }
    }

    #[test]
    fn a_late_passage_is_charged_to_who_owned_the_tag_then() {
        check(
            &[('a', 100, Some(200)), ('b', 300, None)],
            &[
                (100, 1_000, Some('a')),
                (199, 1_000, Some('a')),
                (200, 1_000, None),
                (299, 1_000, None),
                (300, 1_000, Some('b')),
                (900, 1_000, Some('b')),
            ],
        );
    }

    #[test]
    fn a_slow_lane_clock_does_not_lose_a_new_customers_first_passage() {
        check(&[('a', 100, None)], &[(95, 101, Some('a')), (94, 101, None), (95, 99, None)]);
    }

    #[test]
    fn between_two_owners_a_tag_is_nobodys_however_short() {
        check(&[('a', 100, Some(200)), ('b', 202, None)], &[(201, 300, None)]);
    }

    #[test]
    fn a_fast_lane_clock_asks_for_no_later_than_now() {
        check(
            &[('a', 100, Some(200)), ('b', 200, None)],
            &[(250, 150, Some('a')), (250, 250, Some('b'))],
        );
    }

    #[test]
    fn a_link_that_was_ended_at_once_owned_nothing() {
        check(&[('a', 100, Some(100)), ('b', 100, None)], &[(100, 150, Some('b'))]);
    }

    #[test]
    fn what_was_known_then_is_answered_the_same_after_later_links() {
        let before = spans(&[('a', 100, None)]);
        let after = spans(&[('a', 100, Some(200)), ('b', 210, None)]);
        for instant in 90..=260 {
            for known_at in 100..200 {
                assert_eq!(
                    at(&before, minute(instant), minute(known_at)),
                    at(&after, minute(instant), minute(known_at)),
                );
            }
        }
    }
}
