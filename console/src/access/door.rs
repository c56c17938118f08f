//! The door: lets people in by password and, where their roles ask for it, a second factor.
//!
//! It answers as slowly for a name that is not there as for a wrong password, and tells neither
//! from the other. Time is an argument, except that codes go by the machine's own clock: a run
//! that is faster than life has no authenticator.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use domain::Clock;
use domain::signature::PublicKey;
use tokio::sync::Semaphore;
use tracing::{error, info};

use crate::audit::{AuditLog, Author, Deed, Refusal};

use super::own_passwords::OwnPasswords;
use super::people::{People, Person};
use super::throttle::{Key, Throttle};
use super::{AccessError, Scope, Sessions, password};

/// How many passwords are checked at once: each takes a processor and 19 MiB for a moment.
const CHECKS_AT_ONCE: usize = 2;

/// How often the people file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why somebody was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Name or password, or the code, are wrong.
    Wrong(Refusal),
    /// They have to wait this long.
    TooFast(Duration),
}

impl Denied {
    /// What the audit log says.
    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Self::Wrong(refusal) => refusal,
            Self::TooFast(_) => Refusal::TooFast,
        }
    }
}

/// The door of a console.
pub(crate) struct Door {
    file: PathBuf,
    key: PublicKey,
    /// Where this console stands, if at one station.
    place: Option<Scope>,
    people: ArcSwap<People>,
    own: Arc<OwnPasswords>,
    /// A hash that no password has, for names that are not there.
    nobody: String,
    throttle: Mutex<Throttle>,
    /// The last step that each person used: no code opens twice.
    steps: Mutex<HashMap<String, u64>>,
    checks: Semaphore,
}

impl Door {
    /// Reads the people, who may not be older than those read before, and their own passwords.
    pub(crate) fn try_load(
        (file, own): (&Path, &Path),
        key: PublicKey,
        place: Option<Scope>,
        known: u64,
    ) -> Result<Self, AccessError> {
        let people = read(file, &key, known)?;
        let own = Arc::new(OwnPasswords::try_load(own)?);
        let nobody = password::hash(&super::random_hex()?)?;
        Ok(Self {
            file: file.to_owned(),
            key,
            place,
            people: ArcSwap::from_pointee(people),
            own,
            nobody,
            throttle: Mutex::default(),
            steps: Mutex::default(),
            checks: Semaphore::new(CHECKS_AT_ONCE),
        })
    }

    /// The people as they are now.
    pub(crate) fn people(&self) -> Arc<People> {
        self.people.load_full()
    }

    /// Somebody who may come in now.
    pub(crate) fn person(&self, name: &str) -> Option<Person> {
        let people = self.people.load();
        people.active(name).filter(|person| self.has_business(person)).cloned()
    }

    fn has_business(&self, person: &Person) -> bool {
        match &self.place {
            Some(Scope::Station(operator, station)) => person.scope.meets(operator, station),
            Some(Scope::Everywhere | Scope::Operator(_)) | None => true,
        }
    }

    fn throttled<T>(&self, act: impl FnOnce(&mut Throttle) -> T) -> T {
        act(&mut self.throttle.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Checks a name and a password.
    pub(crate) async fn admit(
        &self,
        name: &str,
        given: &str,
        from: Option<IpAddr>,
        now: Instant,
    ) -> Result<Person, Denied> {
        let mut keys = vec![Key::Name(name.chars().take(64).collect())];
        keys.extend(from.map(Key::Address));
        self.throttled(|throttle| throttle.admit(&keys, now)).map_err(Denied::TooFast)?;
        let wrong = Denied::Wrong(Refusal::Credentials);
        let known = self.people.load().active(name).cloned();
        let phc =
            known.as_ref().map_or_else(|| self.nobody.clone(), |person| self.own.hash_of(person));
        let (given, turn) = (given.to_owned(), self.checks.acquire().await);
        let checked = tokio::task::spawn_blocking(move || password::verify(&given, &phc)).await;
        drop(turn);
        let Some(person) = known.filter(|_| matches!(checked, Ok(true))) else {
            return Err(wrong);
        };
        if !self.has_business(&person) {
            return Err(Denied::Wrong(Refusal::Place));
        }
        self.throttled(|throttle| throttle.succeeded(&keys));
        Ok(person)
    }

    /// Keeps the password that somebody gave themselves, in the place of the one they were given.
    pub(crate) async fn keep_password(
        &self,
        person: &Person,
        new: String,
    ) -> Result<(), AccessError> {
        let (own, person) = (Arc::clone(&self.own), person.clone());
        let turn = self.checks.acquire().await;
        let kept = tokio::task::spawn_blocking(move || own.keep(&person, password::hash(&new)?));
        let kept = kept.await.unwrap_or(Err(AccessError::Hash));
        drop(turn);
        kept
    }

    /// Checks a code of somebody whose password was right.
    pub(crate) fn admit_code(
        &self,
        person: &Person,
        code: &str,
        (now, machine): (Instant, &Clock),
    ) -> Result<(), Denied> {
        // A name of its own: a right password does not clear the guesses at the code.
        let keys = [Key::Name(format!("{}\u{0}code", person.name))];
        self.throttled(|throttle| throttle.admit(&keys, now)).map_err(Denied::TooFast)?;
        let wrong = Denied::Wrong(Refusal::Code);
        let second = u64::try_from(machine.now().as_second()).or(Err(wrong))?;
        let factor = person.second_factor.as_ref().ok_or(wrong)?;
        let step = factor.step(code, second).ok_or(wrong)?;
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if steps.get(&person.name).is_some_and(|used| *used >= step) {
            return Err(wrong);
        }
        steps.insert(person.name.clone(), step);
        drop(steps);
        self.throttled(|throttle| throttle.succeeded(&keys));
        Ok(())
    }

    /// Takes a newer people file as soon as there is one, for as long as the console lives.
    pub(crate) async fn follow(&self, sessions: &Sessions, audit: &Arc<AuditLog>) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        let mut told = false;
        loop {
            every.tick().await;
            match self.look_once(sessions, audit).await {
                Ok(()) => told = false,
                // Those who were let in before stay: a file that is being copied is not whole.
                Err(failure) if !told => {
                    error!(error = &failure as &dyn std::error::Error, "the people file stays out");
                    told = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Takes the people file now, where it is a newer one; what is wrong with it, `follow` tells.
    pub(crate) async fn look(&self, sessions: &Sessions, audit: &Arc<AuditLog>) {
        self.look_once(sessions, audit).await.ok();
    }

    async fn look_once(
        &self,
        sessions: &Sessions,
        audit: &Arc<AuditLog>,
    ) -> Result<(), AccessError> {
        let known = self.people.load_full();
        let people = read(&self.file, &self.key, known.version())?;
        if people == *known {
            return Ok(());
        }
        let version = people.version();
        sessions.retain_users(|name| is_as_before(known.active(name), people.active(name)));
        self.people.store(Arc::new(people));
        info!(version, "people read");
        audit.note(Author::default(), Deed::PeopleRead { version }).await;
        Ok(())
    }
}

/// Whether somebody's session may go on: roles are asked for at each request anyway.
fn is_as_before(before: Option<&Person>, after: Option<&Person>) -> bool {
    let secrets = |person: &Person| (person.password.clone(), person.second_factor.clone());
    after.is_some() && before.map(secrets) == after.map(secrets)
}

fn read(file: &Path, key: &PublicKey, known: u64) -> Result<People, AccessError> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| AccessError::Read { path: file.to_owned(), source })?;
    People::parse(&text, key)
        .and_then(|people| people.no_older_than(known))
        .map_err(|source| AccessError::People { path: file.to_owned(), source })
}

#[cfg(test)]
mod tests;
