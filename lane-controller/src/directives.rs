//! Directives of the centre as a lane follows them: tariffs, and how each lane is to work.
//!
//! A directive is a whole signed document; its version only rises. It is checked whole, written to
//! the disk, and only then in use, for all lanes at one moment; one that cannot be read, is signed by
//! somebody else or would lead back changes nothing, and what was in use stays. Each says from when
//! on it counts: a tariff by the beginning of each of its versions, a lane's directive by
//! `effective_at`; until then the one before it stays in force.
//!
//! Deliberately absent: the wire (the downlink fetches), and what a lane does with a policy.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use domain::signature::{Context, PublicKey};
use domain::tariff::{Tariff, TariffBook, TariffFile};
use domain::wire::v1::{ChoiceRecord, LaneDirective, TariffDirective, parse};
use domain::{LaneId, OperatorId, Timestamp};

use crate::lane::LanePolicy;
use crate::lane::policy::Choice;
use crate::list::SignedMessage;

/// So many directives of one lane are kept: the one in force, and those that are to come.
const KEPT_MAX: usize = 8;
/// The longest that a tag may be waited for by a directive.
const TAG_WAIT_MAX_MS: u64 = 60_000;
/// No threshold in seconds is longer than this: a year.
const SECONDS_MAX: u64 = 366 * 24 * 3_600;

/// Why a directive is not followed; what was in use stays in use.
#[derive(Debug, thiserror::Error)]
pub enum DirectiveError {
    /// The centre has not signed it.
    #[error("a directive is not signed by the clearing house")]
    Forged,
    /// It is no directive, or one of a later version of the contract.
    #[error("a directive cannot be read")]
    Unreadable(#[source] domain::wire::v1::WireError),
    /// It contradicts itself, or asks for what no lane does.
    #[error("directive {version} asks for what cannot be: {why}")]
    Senseless {
        /// Its version.
        version: u64,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// It is for somebody else.
    #[error("a directive is for {whose}")]
    NotOurs {
        /// For whom.
        whose: String,
    },
    /// It is older than what is in use.
    #[error("directive {offered} is older than {have}, which is in use")]
    Older {
        /// The version in use.
        have: u64,
        /// The version that came.
        offered: u64,
    },
    /// Two documents have one version.
    #[error("directive {version} came with another content than before")]
    Conflict {
        /// Their version.
        version: u64,
    },
    /// The disk failed.
    #[error("keep a directive in {path}")]
    Keep {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// What came of a directive that was taken or known already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is in use now, or will be from its own instant on.
    New,
    /// It was known.
    Known,
}

/// A tariff directive that was taken.
#[derive(Debug, Clone)]
struct Tariffs {
    version: u64,
    message: SignedMessage,
    /// With the tariffs of the configuration under it.
    book: Arc<TariffBook>,
}

/// Every directive that counts, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Directives {
    tariffs: Option<Tariffs>,
    /// By lane: the newest last, each version greater than the one before.
    lanes: BTreeMap<LaneId, Vec<(LaneDirective, SignedMessage)>>,
}

impl Directives {
    /// The tariffs to go by; none where no directive named any.
    #[must_use]
    pub fn tariffs(&self) -> Option<&TariffBook> {
        self.tariffs.as_ref().map(|tariffs| &*tariffs.book)
    }

    /// The version of the tariff directive; 0 for none.
    #[must_use]
    pub fn tariff_version(&self) -> u64 {
        self.tariffs.as_ref().map_or(0, |tariffs| tariffs.version)
    }

    /// The directive that is in force for a lane: the newest of those that have begun.
    #[must_use]
    pub fn in_force(&self, lane: &LaneId, now: Timestamp) -> Option<&LaneDirective> {
        let all = self.lanes.get(lane)?;
        all.iter().map(|(directive, _)| directive).rfind(|one| one.effective_at <= now)
    }
}

/// Where everybody who follows directives looks.
#[derive(Debug, Clone, Default)]
pub struct DirectiveBoard(Arc<ArcSwap<Directives>>);

impl DirectiveBoard {
    /// What counts now. It stays as it is for as long as it is held.
    #[must_use]
    pub fn view(&self) -> Arc<Directives> {
        self.0.load_full()
    }
}

/// Keeps directives on the disk; clones keep the same ones.
#[derive(Debug, Clone)]
pub struct DirectiveStore {
    folder: Arc<Path>,
    centre: PublicKey,
    operator: OperatorId,
    own: Arc<[LaneId]>,
    /// What the configuration has.
    base: Arc<TariffBook>,
    board: DirectiveBoard,
    writing: Arc<Mutex<()>>,
}

impl DirectiveStore {
    /// Opens what a folder keeps. What is there and cannot be used is left out, and said: the centre
    /// has it again.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(
        folder: &Path,
        centre: PublicKey,
        operator: OperatorId,
        own: Vec<LaneId>,
        base: Arc<TariffBook>,
    ) -> Result<Self, DirectiveError> {
        let keep = |source| DirectiveError::Keep { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(keep)?;
        let store = Self {
            folder: folder.into(),
            centre,
            operator,
            own: own.into(),
            base,
            board: DirectiveBoard::default(),
            writing: Arc::default(),
        };
        let files = std::iter::once(store.tariff_file())
            .chain(store.own.iter().map(|lane| store.lane_file(lane)));
        for path in files.filter(|path| path.exists()) {
            if let Err(error) = store.read(&path) {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "a kept directive is not used");
            }
        }
        Ok(store)
    }

    /// Where those look who follow.
    #[must_use]
    pub fn board(&self) -> DirectiveBoard {
        self.board.clone()
    }

    /// The lanes that these directives are for.
    #[must_use]
    pub fn lanes(&self) -> &[LaneId] {
        &self.own
    }

    /// The operator whose tariffs these are.
    #[must_use]
    pub fn operator(&self) -> &OperatorId {
        &self.operator
    }

    fn tariff_file(&self) -> PathBuf {
        self.folder.join("tariffs.json")
    }

    fn lane_file(&self, lane: &LaneId) -> PathBuf {
        self.folder.join(format!("{}.json", lane.lane()))
    }

    fn read(&self, path: &Path) -> Result<(), DirectiveError> {
        let keep = |source| DirectiveError::Keep { path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(keep)?;
        let messages: Vec<SignedMessage> =
            serde_json::from_slice(&bytes).map_err(|error| keep(error.into()))?;
        let mut next = Directives::clone(&self.board.view());
        for message in &messages {
            if *path == self.tariff_file() {
                self.add_tariffs(&mut next, message)?;
            } else {
                self.add_lane(&mut next, message)?;
            }
        }
        self.board.0.store(Arc::new(next));
        Ok(())
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the operator's tariffs.
    ///
    /// # Errors
    /// When they are refused, or cannot be kept; what was in use still is.
    pub fn take_tariffs(&self, message: &SignedMessage) -> Result<Taken, DirectiveError> {
        let _alone = self.alone();
        let mut next = Directives::clone(&self.board.view());
        let taken = self.add_tariffs(&mut next, message)?;
        if taken == Taken::New {
            write(&self.tariff_file(), std::slice::from_ref(message))?;
            self.board.0.store(Arc::new(next));
        }
        Ok(taken)
    }

    /// Takes a lane's directive; `now` says which of those before it are still needed.
    ///
    /// # Errors
    /// When it is refused, or cannot be kept; what was in force still is.
    pub fn take_lane(
        &self,
        message: &SignedMessage,
        now: Timestamp,
    ) -> Result<Taken, DirectiveError> {
        let _alone = self.alone();
        let mut next = Directives::clone(&self.board.view());
        let (lane, taken) = self.add_lane(&mut next, message)?;
        if taken == Taken::New
            && let Some(all) = next.lanes.get_mut(&lane)
        {
            let in_force = all.iter().rposition(|(one, _)| one.effective_at <= now).unwrap_or(0);
            all.drain(..in_force);
            let messages: Vec<_> = all.iter().map(|(_, message)| message.clone()).collect();
            write(&self.lane_file(&lane), &messages)?;
            self.board.0.store(Arc::new(next));
        }
        Ok(taken)
    }

    fn proved(&self, message: &SignedMessage) -> Result<(), DirectiveError> {
        self.centre
            .verify(Context::Directive, message.payload.as_bytes(), &message.signature)
            .map_err(|_forged| DirectiveError::Forged)
    }

    fn add_tariffs(
        &self,
        to: &mut Directives,
        message: &SignedMessage,
    ) -> Result<Taken, DirectiveError> {
        self.proved(message)?;
        let directive: TariffDirective = parse("tariff directive", message.payload.as_bytes())
            .map_err(DirectiveError::Unreadable)?;
        let TariffDirective { operator, version, tariffs, .. } = directive;
        if operator != self.operator {
            return Err(DirectiveError::NotOurs { whose: operator.to_string() });
        }
        if let Some(have) = &to.tariffs {
            match known(have.version, &have.message, version, message)? {
                Taken::Known => return Ok(Taken::Known),
                Taken::New => {}
            }
        }
        let mut book = TariffBook::clone(&self.base);
        let senseless = |why| DirectiveError::Senseless { version, why };
        for file in tariffs {
            let file: TariffFile =
                serde_json::from_value(file).map_err(|error| senseless(error.to_string()))?;
            let tariff = Tariff::try_from(file).map_err(|error| senseless(error.to_string()))?;
            if tariff.operator != operator {
                let whose = format!("tariff {} is of {}", tariff.version, tariff.operator);
                return Err(senseless(whose));
            }
            book.insert(tariff);
        }
        to.tariffs = Some(Tariffs { version, message: message.clone(), book: Arc::new(book) });
        Ok(Taken::New)
    }

    fn add_lane(
        &self,
        to: &mut Directives,
        message: &SignedMessage,
    ) -> Result<(LaneId, Taken), DirectiveError> {
        self.proved(message)?;
        let directive: LaneDirective = parse("lane directive", message.payload.as_bytes())
            .map_err(DirectiveError::Unreadable)?;
        let (lane, version) = (directive.lane.clone(), directive.version);
        if !self.own.contains(&lane) {
            return Err(DirectiveError::NotOurs { whose: lane.to_string() });
        }
        check(&directive).map_err(|why| DirectiveError::Senseless { version, why })?;
        let all = to.lanes.entry(lane.clone()).or_default();
        if let Some((last, before)) = all.last() {
            match known(last.version, before, version, message)? {
                Taken::Known => return Ok((lane, Taken::Known)),
                Taken::New => {}
            }
        }
        // A newer word about the same time or an earlier one takes the place of the older.
        all.retain(|(one, _)| one.effective_at < directive.effective_at);
        all.push((directive, message.clone()));
        if all.len() > KEPT_MAX {
            // The first is in force, perhaps; of those to come the nearest can be spared least.
            all.remove(KEPT_MAX - 1);
        }
        Ok((lane, Taken::New))
    }
}

fn known(
    have: u64,
    before: &SignedMessage,
    offered: u64,
    message: &SignedMessage,
) -> Result<Taken, DirectiveError> {
    if offered > have {
        return Ok(Taken::New);
    }
    if offered < have {
        return Err(DirectiveError::Older { have, offered });
    }
    if before.payload == message.payload {
        return Ok(Taken::Known);
    }
    Err(DirectiveError::Conflict { version: have })
}

/// Whether a directive asks for what a lane can do.
fn check(directive: &LaneDirective) -> Result<(), String> {
    let policy = &directive.policy;
    if policy.tag_wait_ms.is_some_and(|ms| ms > TAG_WAIT_MAX_MS) {
        return Err(format!("tag_wait_ms is more than {TAG_WAIT_MAX_MS}"));
    }
    if policy.reads_needed == Some(0) {
        return Err("reads_needed is 0, and 1 is the least".to_owned());
    }
    let spans = [policy.duplicate_window_s, policy.drive_timeout_s, policy.list_age_max_s];
    if spans.into_iter().flatten().any(|seconds| seconds > SECONDS_MAX) {
        return Err(format!("a span is more than {SECONDS_MAX} seconds"));
    }
    Ok(())
}

/// A lane's policy, as a directive amends it.
#[must_use]
pub fn amended(base: LanePolicy, directive: &LaneDirective) -> LanePolicy {
    let asked = &directive.policy;
    let choice = |asked: Option<ChoiceRecord>, own: Choice| match asked {
        None => own,
        Some(ChoiceRecord::Serve) => Choice::Serve,
        Some(ChoiceRecord::Call) => Choice::Call,
    };
    let mut policy = base;
    let verdict = &mut policy.verdict;
    verdict.mode = directive.mode;
    verdict.unlisted = choice(asked.unlisted, verdict.unlisted);
    verdict.low = choice(asked.low, verdict.low);
    verdict.old_list = choice(asked.old_list, verdict.old_list);
    verdict.bad_clock = choice(asked.bad_clock, verdict.bad_clock);
    verdict.missing_entry = choice(asked.missing_entry, verdict.missing_entry);
    verdict.list_age_max = asked.list_age_max_s.map_or(verdict.list_age_max, Duration::from_secs);
    verdict.equipment_fault = asked.equipment_fault.map_or(verdict.equipment_fault, Into::into);
    policy.tag_wait = asked.tag_wait_ms.map_or(policy.tag_wait, Duration::from_millis);
    policy.duplicate_window =
        asked.duplicate_window_s.map_or(policy.duplicate_window, Duration::from_secs);
    policy.drive_timeout = asked.drive_timeout_s.map_or(policy.drive_timeout, Duration::from_secs);
    policy.reads_needed = asked.reads_needed.unwrap_or(policy.reads_needed);
    policy
}

/// Puts messages in the place of a file, whole or not at all.
fn write(path: &Path, messages: &[SignedMessage]) -> Result<(), DirectiveError> {
    let put = || {
        let new = path.with_extension("new");
        std::fs::write(&new, serde_json::to_vec(messages)?)?;
        std::fs::File::open(&new)?.sync_all()?;
        std::fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
    };
    put().map_err(|source| DirectiveError::Keep { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
