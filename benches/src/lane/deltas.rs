//! The account list changes while vehicles pass, as it does at a station: signed deltas are
//! checked, applied, kept on the disk, and told to the lane.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use domain::account_list::{AccountList, ListChange, ListStatus};
use domain::signature::{Context, SecretKey};
use domain::wire::v1::{DeltaRecord, emit};
use domain::{Clock, TagId};
use lane_controller::list::{ListStore, SignedMessage};
use lane_controller::runner::Wake;

use super::Scene;
use super::drive::wait_until;
use crate::Failed;

/// Changed tags in one delta.
pub(super) const CHANGES_A_DELTA: usize = 10;
/// Changed tags in a second.
pub(super) const CHANGES_A_SECOND: usize = 1_000;
/// Between two deltas.
const DELTA_EVERY: Duration = Duration::from_millis(10);
/// Steps through the list that meet every tag before any twice; a prime number.
const STRIDE: usize = 7_919;

type Lane = Arc<Mutex<Option<Sender<Wake>>>>;

/// The list's changes, in a thread of their own.
pub(super) struct Deltas {
    lane: Lane,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<u64, Failed>>,
}

impl Deltas {
    pub(super) fn start(scene: &Scene) -> Result<Self, Failed> {
        let lane = Lane::default();
        let stop = Arc::new(AtomicBool::new(false));
        let mut source = Source {
            clock: scene.clock,
            list: scene.shared.list.clone(),
            centre_list: scene.centre_list.clone(),
            tags: scene.tags.clone(),
            at: 0,
            centre: scene.centre.clone(),
            lane: Arc::clone(&lane),
        };
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("deltas".to_owned()).spawn(move || {
            let mut changes = 0;
            let mut next = source.clock.real();
            while !stopped.load(Ordering::Relaxed) {
                wait_until(source.clock, next);
                source.step()?;
                changes += CHANGES_A_DELTA as u64;
                next += DELTA_EVERY;
            }
            Ok(changes)
        })?;
        Ok(Self { lane, stop, thread })
    }

    /// Names the lane that is told of changes.
    pub(super) fn tell(&self, lane: Option<Sender<Wake>>) {
        *self.lane.lock().unwrap_or_else(PoisonError::into_inner) = lane;
    }

    /// Ends the changes; hands back how many tags were changed.
    pub(super) fn stop(self) -> Result<u64, Failed> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_panic| "the thread of the deltas panicked")?
    }
}

struct Source {
    clock: Clock,
    list: ListStore,
    centre_list: AccountList,
    tags: Vec<TagId>,
    at: usize,
    centre: SecretKey,
    lane: Lane,
}

impl Source {
    /// One delta: made as the centre makes it, taken as a station takes it.
    fn step(&mut self) -> Result<(), Failed> {
        let delta = {
            let list = &self.centre_list;
            let changes = (0..CHANGES_A_DELTA).filter_map(|step| {
                let tag = &self.tags[(self.at + step * STRIDE) % self.tags.len()];
                let mut entry = list.find(tag)?.clone();
                // Whatever comes, the vehicle may pass.
                entry.status = match entry.status {
                    ListStatus::Good => ListStatus::Low,
                    _ => ListStatus::Good,
                };
                Some(ListChange::Upsert(entry))
            });
            list.plan(changes.collect(), self.clock.now())
        };
        self.at = (self.at + CHANGES_A_DELTA * STRIDE) % self.tags.len();
        self.centre_list.apply(&delta)?;
        let payload = emit(&DeltaRecord::from(delta));
        let signature = self.centre.sign(Context::List, &payload).to_text();

        let message = SignedMessage::try_new(&payload, Some(&signature))?;
        self.list.apply(&message)?;
        self.list.compact_if_due()?;
        if let Some(lane) = &*self.lane.lock().unwrap_or_else(PoisonError::into_inner) {
            // A lane that has stopped needs no list.
            lane.send(Wake::ListChanged).ok();
        }
        Ok(())
    }
}
