//! The lane's manifests: what it wrote on each settlement day, told to the centre until it is taken.
//!
//! The lane has its turn once a minute, and again at once while a day is wanted. Which day, and when
//! it ended, the centre says; which numbers fall in it, the lane's own clock said when it wrote them.
//! A manifest is made from the records themselves, whenever it is wanted: nothing is prepared that a
//! restart could lose, and one that is asked for again is counted again. What the journal has forgotten
//! meanwhile cannot be counted: then the lane says up to where, and the centre asks for what is behind.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Client, HeaderMap, Request};
use domain::signature::{Context as Purpose, Digest256, PublicKey, SecretKey, Signature};
use domain::wire::v1::{DayManifest, ManifestCall, ManifestTurn, WantedDay, emit, parse};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, LaneId};

use crate::journal::{JournalError, JournalReader};

/// How long to wait for a call, in real time.
const CALLED_WITHIN: Duration = Duration::from_secs(5);
/// How long it is from a turn to the next, in real time, at most: where a day ends sooner, until then.
const TURN_EVERY: Duration = Duration::from_secs(60);
/// The least, in real time: also when nobody answers.
const TURN_AFTER: Duration = Duration::from_secs(2);

/// One lane's teller of manifests.
#[derive(Debug)]
pub struct Teller {
    /// The lane.
    pub lane: LaneId,
    /// The epoch of its journal.
    pub epoch: u32,
    /// Its key.
    pub key: SecretKey,
    /// The centre's.
    pub centre: PublicKey,
    /// The connection.
    pub client: Client,
    /// The run's clock.
    pub clock: Clock,
    /// Whether its loops count who leaves.
    pub loops_count: bool,
}

impl Teller {
    /// Takes turns for as long as the lane lives.
    pub async fn run(self, journal: JournalReader) {
        // The store's connection belongs to one thread at a time.
        let journal = Arc::new(Mutex::new(journal));
        let mut said = Said::default();
        let mut told_upto = None;
        loop {
            let Some(call) = self.turn(std::mem::take(&mut said)).await else {
                tokio::time::sleep(TURN_AFTER).await;
                continue;
            };
            let now = self.clock.now();
            let wanted = call.wanted.filter(|wanted| wanted.ends_at <= now);
            if let Some(wanted) = wanted {
                match self.make(&journal, wanted).await {
                    Ok(made) => {
                        let is_known = told_upto.is_some() && made.forgotten_upto == told_upto;
                        told_upto = made.forgotten_upto;
                        said = made;
                        // A centre that does not take it is told again, a turn later.
                        if !is_known {
                            continue;
                        }
                    }
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        let day = wanted.day.to_string();
                        tracing::error!(lane.id = %self.lane, day, error, "no manifest can be made");
                    }
                }
            }
            let until = call.next_at.duration_since(now);
            let until = Duration::try_from(until).unwrap_or_default();
            let real = self.clock.to_real(until).clamp(TURN_AFTER, TURN_EVERY);
            tokio::time::sleep(real).await;
        }
    }

    async fn make(
        &self,
        journal: &Arc<Mutex<JournalReader>>,
        wanted: WantedDay,
    ) -> Result<Said, JournalError> {
        let (journal, loops_count) = (Arc::clone(journal), self.loops_count);
        let making = tokio::task::spawn_blocking(move || {
            say(&journal.lock().unwrap_or_else(PoisonError::into_inner), wanted, loops_count)
        });
        match making.await {
            Ok(made) => made,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Has its turn; the centre's call, where it is the centre's and of this turn.
    async fn turn(&self, said: Said) -> Option<ManifestCall> {
        let (lane, epoch, at) = (self.lane.clone(), self.epoch, self.clock.now());
        let Said { manifest, forgotten_upto } = said;
        let payload = emit(&ManifestTurn { v: 1, lane, epoch, at, manifest, forgotten_upto });
        let turn = Digest256::of(&payload);
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, self.key.sign(Purpose::Manifest, &payload).to_text());
        let request =
            Request::new().headers(headers).payload(payload.into()).timeout(Some(CALLED_WITHIN));
        let answer = match self.client.send_request(subject::manifest(&self.lane), request).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(lane.id = %self.lane, %error, "no call for a manifest");
                return None;
            }
        };
        let is_signed = answer
            .headers
            .as_ref()
            .and_then(|headers| headers.get(SIGNATURE_HEADER))
            .and_then(|text| Signature::try_from(text.as_str().to_owned()).ok())
            .is_some_and(|signature| {
                self.centre.verify(Purpose::Manifest, &answer.payload, &signature).is_ok()
            });
        let call: Option<ManifestCall> = parse("call for a manifest", &answer.payload).ok();
        let call = call.filter(|call| is_signed && call.lane == self.lane && call.turn == turn);
        if call.is_none() {
            tracing::error!(lane.id = %self.lane, "an answer is no call of the centre");
        }
        call
    }
}

/// What a lane says in its turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Said {
    manifest: Option<DayManifest>,
    forgotten_upto: Option<u64>,
}

/// The manifest that is wanted, or up to where it is forgotten.
fn say(
    journal: &JournalReader,
    wanted: WantedDay,
    loops_count: bool,
) -> Result<Said, JournalError> {
    let forgotten = journal.forgotten_upto()?;
    if forgotten > wanted.after_seq {
        return Ok(Said { manifest: None, forgotten_upto: Some(forgotten) });
    }
    let manifest = Some(of_day(journal, wanted, loops_count)?);
    Ok(Said { manifest, forgotten_upto: None })
}

/// The manifest of a day, from the records.
///
/// # Errors
/// When the journal cannot be read, or no longer has the day.
pub fn of_day(
    journal: &JournalReader,
    wanted: WantedDay,
    loops_count: bool,
) -> Result<DayManifest, JournalError> {
    let first_seq = wanted.after_seq + 1;
    let last_seq = match wanted.last_seq {
        Some(last) => last,
        None => journal.last_before(wanted.ends_at)?.max(wanted.after_seq),
    };
    let counted = journal.count(first_seq, last_seq)?;
    let loops = if loops_count { journal.loops(first_seq, last_seq)? } else { None };
    let (day, head, sums) = (wanted.day, counted.head, counted.sums);
    Ok(DayManifest { day, first_seq, last_seq, head, sums, loops })
}

#[cfg(test)]
mod tests;
