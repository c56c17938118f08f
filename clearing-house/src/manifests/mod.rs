//! Manifests: every lane's own account of a settlement day, asked for until it is here.
//!
//! A lane has its *turn* once a minute; the answer is a *call*: which day is wanted of it, if any
//! ([`wanted`], pure). A manifest that comes with a turn is kept with its exact bytes when it is the
//! lane's own, of the day that was wanted, and begins behind the one before. Nobody is told that it
//! was kept: the lane sees it by being asked for the next day. A turn that is forged or foreign gets
//! no answer; one whose manifest is not what was wanted is told again what is. A lane that has *forgotten*
//! what is wanted says up to which number; where the books have every number up to there, they stand for
//! themselves, and what is behind is asked for.
//!
//! Deliberately absent: holding manifests against what is posted, which `reconciliation` does, and
//! whose verdict makes this desk ask again.

mod repo;
pub mod wanted;

use async_nats::Client;
use domain::signature::{Context, Digest256, SecretKey, Signature};
use domain::time::SettlementCalendar;
use domain::wire::subject;
use domain::wire::v1::{
    DayManifest, DecisionRecord, ManifestCall, ManifestTurn, PassageSums, WantedDay, emit,
};
use domain::{Clock, LaneId, Timestamp, VehicleGroup};
use sqlx::{PgConnection, PgPool};

use self::wanted::Wanted;
use crate::lane_desk::{Asked, Clerk, Desk, DeskError};

/// What is wrong with a manifest that came when a day was wanted.
fn amiss(manifest: &DayManifest, wanted: Option<WantedDay>) -> Option<&'static str> {
    let Some(wanted) = wanted else { return Some("no day is wanted") };
    if manifest.day != wanted.day {
        return Some("another day is wanted");
    }
    if Some(manifest.first_seq) != wanted.after_seq.checked_add(1) {
        return Some("it does not begin behind the one before");
    }
    if wanted.last_seq.is_some_and(|last| last != manifest.last_seq) {
        return Some("it does not end where it did before");
    }
    let numbers = manifest.last_seq.checked_sub(wanted.after_seq);
    if numbers != Some(manifest.sums.passages) {
        return Some("its numbers are not as many as it counts");
    }
    if i32::try_from(manifest.last_seq).is_err() {
        return Some("no journal has as many numbers");
    }
    let is_group = |name: &String| {
        let number = name.parse().ok().and_then(|number| VehicleGroup::try_new(number).ok());
        name == "-" || number.is_some_and(|group| group.number().to_string() == *name)
    };
    let is_decision = |name: &String| DecisionRecord::ALL.iter().any(|one| one.name() == name);
    let PassageSums { groups, decisions, .. } = &manifest.sums;
    if !groups.keys().all(is_group) || !decisions.keys().all(is_decision) {
        return Some("it counts by groups or decisions that there are not");
    }
    None
}

/// Takes lanes' turns for as long as the connection lives.
///
/// # Errors
/// When the subscription cannot be made or the lanes' keys cannot be read.
pub async fn serve(
    client: Client,
    pool: PgPool,
    key: SecretKey,
    clock: Clock,
) -> Result<(), DeskError> {
    let turns = Turns { pool: pool.clone() };
    Desk { client, pool, key, clock }.serve(&turns).await
}

/// Takes turns.
struct Turns {
    pool: PgPool,
}

impl Clerk for Turns {
    type Question = ManifestTurn;
    const WHAT: &'static str = "manifest";
    const SUBJECTS: &'static str = subject::ALL_MANIFESTS;
    const CONTEXTS: (Context, Context) = (Context::Manifest, Context::Manifest);
    const AT_ONCE: usize = 2;

    fn lane(turn: &ManifestTurn) -> &LaneId {
        &turn.lane
    }

    async fn answer(&self, asked: Asked<'_, ManifestTurn>) -> Option<Vec<u8>> {
        match self.take(&asked).await {
            Ok(Some(Wanted { day, next_at })) => Some(emit(&ManifestCall {
                v: 1,
                lane: asked.question.lane,
                turn: Digest256::of(asked.payload),
                wanted: day,
                next_at,
            })),
            Ok(None) => {
                tracing::warn!("the turn of an epoch that its lane never had was ignored");
                None
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "a manifest was not kept; its lane comes again");
                None
            }
        }
    }
}

impl Turns {
    /// Keeps what the turn brought, and says what is wanted next; nothing of a journal that there
    /// is not.
    async fn take(&self, asked: &Asked<'_, ManifestTurn>) -> Result<Option<Wanted>, sqlx::Error> {
        let Asked { question: turn, payload, signature, keys, now } = asked;
        let Some(operator) = keys.operator(turn.lane.operator()) else { return Ok(None) };
        let mut tx = self.pool.begin().await?;
        let Some(journal) = repo::journal(&mut tx, &turn.lane, turn.epoch, *now).await? else {
            return Ok(None);
        };
        repo::note_turn(&mut tx, &turn.lane, turn.epoch, *now).await?;
        let mut wanted = wanted::wanted(&operator.calendar, &journal, *now);
        if let Some(upto) = turn.forgotten_upto {
            let calendar = &operator.calendar;
            if forget(&mut tx, turn, upto, calendar, (payload, signature), *now).await?
                && let Some(journal) = repo::journal(&mut tx, &turn.lane, turn.epoch, *now).await?
            {
                wanted = wanted::wanted(calendar, &journal, *now);
            }
        }
        if let Some(manifest) = &turn.manifest {
            if let Some(why) = amiss(manifest, wanted.day) {
                tracing::warn!(lane.id = %turn.lane, day = %manifest.day, why, "a manifest is refused");
            } else {
                repo::keep(&mut tx, turn, manifest, (payload, signature), *now).await?;
                let journal = journal.with(manifest, *now);
                wanted = wanted::wanted(&operator.calendar, &journal, *now);
                tracing::info!(lane.id = %turn.lane, day = %manifest.day, "a manifest is kept");
            }
        }
        tx.commit().await?;
        Ok(Some(wanted))
    }
}

/// Keeps what a lane says it has forgotten; tells whether the books stand for it.
async fn forget(
    tx: &mut PgConnection,
    turn: &ManifestTurn,
    upto: u64,
    calendar: &SettlementCalendar,
    signed: (&[u8], &Signature),
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let (lane, epoch) = (&turn.lane, turn.epoch);
    // A lane forgets what was receipted, and a receipt covers what is stored without a gap.
    let Some(at) = repo::receipted_at(tx, lane, epoch, upto).await? else {
        tracing::warn!(lane.id = %lane, upto, "a lane has forgotten what the books do not have");
        return Ok(false);
    };
    let day = calendar.day_of(at);
    if repo::forget(tx, (lane, epoch), (day, upto), signed, now).await? {
        tracing::warn!(lane.id = %lane, day = %day, upto, "a lane has forgotten days that it did not tell of");
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use domain::wire::v1::PassageSums;

    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut DayManifest, &mut Option<WantedDay>), why: Option<&str>) {
        let mut wanted = Some(WantedDay {
            day: "2026-03-02".parse().unwrap(),
            ends_at: "2026-03-02T17:00:00Z".parse().unwrap(),
            after_seq: 6,
            last_seq: None,
        });
        let mut manifest = DayManifest {
            day: "2026-03-02".parse().unwrap(),
            first_seq: 7,
            last_seq: 9,
            head: Digest256::default(),
            sums: PassageSums { passages: 3, ..PassageSums::default() },
            loops: None,
        };
        change(&mut manifest, &mut wanted);
        assert_eq!(amiss(&manifest, wanted), why);
    }

    #[test]
    fn a_manifest_is_of_the_day_and_the_numbers_that_were_wanted() {
        check(|_, _| {}, None);
        check(|_, wanted| *wanted = None, Some("no day is wanted"));
        check(|it, _| it.day = "2026-03-03".parse().unwrap(), Some("another day is wanted"));
        check(|it, _| it.first_seq = 8, Some("it does not begin behind the one before"));
        check(|it, _| it.last_seq = 10, Some("its numbers are not as many as it counts"));
        check(|it, _| it.last_seq = 0, Some("its numbers are not as many as it counts"));
        check(
            |_, wanted| *wanted = wanted.map(|day| WantedDay { last_seq: Some(8), ..day }),
            Some("it does not end where it did before"),
        );
        let nothing_known = Some("it counts by groups or decisions that there are not");
        for name in ["1", "20", "-"] {
            check(|it, _| it.sums.groups.extend([(name.to_owned(), 3)]), None);
        }
        for name in ["21", "01", "\u{0}", "+1", ""] {
            check(|it, _| it.sums.groups.extend([(name.to_owned(), 3)]), nothing_known);
        }
        check(|it, _| it.sums.decisions.extend([("turned-away".to_owned(), 3)]), None);
        check(|it, _| it.sums.decisions.extend([("turned\u{0}".to_owned(), 3)]), nothing_known);
        check(
            |it, _| {
                it.last_seq = 1 << 40;
                it.sums.passages = it.last_seq - 6;
            },
            Some("no journal has as many numbers"),
        );
        // A day on which nothing was written.
        check(|it, _| (it.last_seq, it.sums.passages) = (6, 0), None);
    }
}
