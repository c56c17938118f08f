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

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, HeaderMap, Message};
use domain::signature::{Context, Digest256, SecretKey, Signature};
use domain::time::SettlementCalendar;
use domain::wire::v1::{
    DayManifest, DecisionRecord, ManifestCall, ManifestTurn, PassageSums, WantedDay, emit, parse,
};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, LaneId, Timestamp, VehicleGroup};
use futures::StreamExt as _;
use sqlx::{PgConnection, PgPool};
use tokio::sync::RwLock;

use self::wanted::Wanted;
use crate::registry::{Registry, RegistryError, SignedWhen};

/// Turns taken at the same time.
const AT_ONCE: usize = 2;
/// How often lanes and their keys are read again.
const KEYS_EVERY: Duration = Duration::from_secs(10);

/// Why turns can no longer be taken; the caller begins again.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The broker refused the subscription.
    #[error("subscribe to manifests")]
    Subscribe(#[source] async_nats::SubscribeError),
    /// The lanes' keys could not be read.
    #[error("read the lanes' keys")]
    Keys(#[source] RegistryError),
}

/// Why a turn gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ignored {
    Unreadable,
    Foreign,
    Forged,
    UnknownEpoch,
}

/// A turn that is truly its lane's.
struct Turn {
    turn: ManifestTurn,
    signature: Signature,
}

fn admit(message: &Message, keys: &Registry, now: Timestamp) -> Result<Turn, Ignored> {
    let turn: ManifestTurn =
        parse("manifest", &message.payload).map_err(|_error| Ignored::Unreadable)?;
    if subject::lane_of(&message.subject).as_ref() != Some(&turn.lane) {
        return Err(Ignored::Foreign);
    }
    let signature = message
        .headers
        .as_ref()
        .and_then(|headers| headers.get(SIGNATURE_HEADER))
        .and_then(|text| Signature::try_from(text.as_str().to_owned()).ok())
        .ok_or(Ignored::Forged)?;
    let when = SignedWhen { written_at: None, came_at: now };
    if !keys.signed_by_lane(&turn.lane, when, Context::Manifest, &message.payload, &signature) {
        return Err(Ignored::Forged);
    }
    Ok(Turn { turn, signature })
}

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

/// Takes turns.
#[derive(Debug)]
struct Desk {
    client: Client,
    pool: PgPool,
    key: SecretKey,
    clock: Clock,
    keys: RwLock<Arc<Registry>>,
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
) -> Result<(), ManifestError> {
    let keys = Registry::load(&pool).await.map_err(ManifestError::Keys)?;
    let desk = Desk { client, pool, key, clock, keys: RwLock::new(Arc::new(keys)) };
    let turns = desk
        .client
        .queue_subscribe(subject::ALL_MANIFESTS, "clearing-house".to_owned())
        .await
        .map_err(ManifestError::Subscribe)?;
    let mut every = tokio::time::interval(KEYS_EVERY);
    every.tick().await;
    let answered = turns.for_each_concurrent(AT_ONCE, |message| desk.handle(message));
    let refreshed = async {
        loop {
            every.tick().await;
            match Registry::load(&desk.pool).await {
                Ok(keys) => *desk.keys.write().await = Arc::new(keys),
                Err(error) => return ManifestError::Keys(error),
            }
        }
    };
    tokio::select! {
        () = answered => Ok(()),
        error = refreshed => Err(error),
    }
}

impl Desk {
    async fn handle(&self, message: Message) {
        let Some(reply) = message.reply.clone() else { return };
        let keys = Arc::clone(&*self.keys.read().await);
        let call = match admit(&message, &keys, self.clock.now()) {
            Ok(turn) => self.take(&turn, &message.payload, &keys).await,
            Err(why) => Ok(Err(why)),
        };
        let (lane, wanted) = match call {
            Ok(Ok(call)) => call,
            Ok(Err(why)) => {
                tracing::warn!(?why, "a lane's turn with a manifest was ignored");
                return;
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "a manifest was not kept; its lane comes again");
                return;
            }
        };
        let Wanted { day, next_at } = wanted;
        let turn = Digest256::of(&message.payload);
        let payload = emit(&ManifestCall { v: 1, lane, turn, wanted: day, next_at });
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, self.key.sign(Context::Manifest, &payload).to_text());
        if let Err(error) = self.client.publish_with_headers(reply, headers, payload.into()).await {
            tracing::warn!(%error, "a call for a manifest was not sent; the lane comes again");
        }
    }

    /// Keeps what the turn brought, and says what is wanted next.
    async fn take(
        &self,
        turn: &Turn,
        payload: &[u8],
        keys: &Registry,
    ) -> Result<Result<(LaneId, Wanted), Ignored>, sqlx::Error> {
        let Turn { turn, signature } = turn;
        let now = self.clock.now();
        let Some(operator) = keys.operator(turn.lane.operator()) else {
            return Ok(Err(Ignored::Foreign));
        };
        let mut tx = self.pool.begin().await?;
        let Some(journal) = repo::journal(&mut tx, &turn.lane, turn.epoch, now).await? else {
            return Ok(Err(Ignored::UnknownEpoch));
        };
        repo::note_turn(&mut tx, &turn.lane, turn.epoch, now).await?;
        let mut wanted = wanted::wanted(&operator.calendar, &journal, now);
        if let Some(upto) = turn.forgotten_upto {
            let calendar = &operator.calendar;
            if forget(&mut tx, turn, upto, calendar, (payload, signature), now).await?
                && let Some(journal) = repo::journal(&mut tx, &turn.lane, turn.epoch, now).await?
            {
                wanted = wanted::wanted(calendar, &journal, now);
            }
        }
        if let Some(manifest) = &turn.manifest {
            if let Some(why) = amiss(manifest, wanted.day) {
                tracing::warn!(lane.id = %turn.lane, day = %manifest.day, why, "a manifest is refused");
            } else {
                repo::keep(&mut tx, turn, manifest, (payload, signature), now).await?;
                let journal = journal.with(manifest, now);
                wanted = wanted::wanted(&operator.calendar, &journal, now);
                tracing::info!(lane.id = %turn.lane, day = %manifest.day, "a manifest is kept");
            }
        }
        tx.commit().await?;
        Ok(Ok((turn.lane.clone(), wanted)))
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
