//! Who may come in: the desk user's password, sessions, and where a form came from.
//!
//! *Session*: a random 128-bit number in a cookie that no script can read; it lives in memory, so
//! a restart logs everybody out. *Token*: a second number, in every form of the session, that a
//! foreign page cannot know. Deliberately absent, until there are users and roles: password
//! hashing, second factors, rate limits.

mod pages;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use domain::signature::Digest256;

pub(crate) use pages::{log_in, log_in_page, log_out, require_session};

/// How long a session may lie unused.
const IDLE_MAX: Duration = Duration::from_hours(12);

/// How many sessions there may be; the longest unused makes room.
const SESSIONS_MAX: usize = 256;

/// The session cookie's name.
pub(crate) const SESSION_COOKIE: &str = "etc_session";

/// Why the door could not be opened for business.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The password file could not be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The password file is not one line `user:password`.
    #[error("{path} is not one line user:password")]
    Shape {
        /// The file.
        path: std::path::PathBuf,
    },
    /// The system has no random numbers.
    #[error("take random numbers from the system")]
    Random(#[source] getrandom::Error),
}

/// The digest of the desk user's name and password.
pub(crate) struct Credentials(Digest256);

impl Credentials {
    /// Reads the password file.
    pub(crate) fn try_load(path: &Path) -> Result<Self, AccessError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| AccessError::Read { path: path.to_owned(), source })?;
        Self::of_text(&text).ok_or_else(|| AccessError::Shape { path: path.to_owned() })
    }

    fn of_text(text: &str) -> Option<Self> {
        let (user, password) = text.trim_end_matches(['\r', '\n']).split_once(':')?;
        let whole = !user.is_empty() && !password.is_empty() && !password.contains('\n');
        whole.then(|| Self(digest(user, password)))
    }

    /// Whether user and password are right, in a time that does not depend on how wrong they are.
    pub(crate) fn admit(&self, user: &str, password: &str) -> bool {
        same(&digest(user, password), &self.0)
    }
}

/// A length before the user's name keeps `a:b` + `c` apart from `a` + `b:c`.
fn digest(user: &str, password: &str) -> Digest256 {
    Digest256::of(format!("{}:{user}:{password}", user.len()).as_bytes())
}

fn same(left: &Digest256, right: &Digest256) -> bool {
    let pairs = left.as_bytes().iter().zip(right.as_bytes());
    let difference = pairs.fold(0, |difference, (l, r)| std::hint::black_box(difference | (l ^ r)));
    difference == 0
}

/// A person who is logged in.
#[derive(Clone)]
pub(crate) struct Session {
    /// Their name.
    pub user: String,
    /// The token their forms carry.
    pub csrf: String,
}

impl Session {
    /// Whether a form is one of this session's.
    pub(crate) fn owns(&self, csrf: &str) -> bool {
        same(&Digest256::of(csrf.as_bytes()), &Digest256::of(self.csrf.as_bytes()))
    }
}

struct Seat {
    session: Session,
    used: Instant,
}

/// Everybody who is logged in, by the digest of the cookie.
#[derive(Default)]
pub(crate) struct Sessions {
    seats: Mutex<HashMap<Digest256, Seat>>,
}

impl Sessions {
    /// Begins a session and gives the number for its cookie.
    pub(crate) fn begin(&self, user: &str, now: Instant) -> Result<String, AccessError> {
        let number = random_hex()?;
        let session = Session { user: user.to_owned(), csrf: random_hex()? };
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.retain(|_, seat| now.saturating_duration_since(seat.used) <= IDLE_MAX);
        if seats.len() >= SESSIONS_MAX
            && let Some(oldest) =
                seats.iter().min_by_key(|(_, seat)| seat.used).map(|(number, _)| *number)
        {
            seats.remove(&oldest);
        }
        seats.insert(Digest256::of(number.as_bytes()), Seat { session, used: now });
        Ok(number)
    }

    /// The session of a cookie's number.
    pub(crate) fn session(&self, number: &str, now: Instant) -> Option<Session> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let seat = seats.get_mut(&Digest256::of(number.as_bytes()))?;
        if now.saturating_duration_since(seat.used) > IDLE_MAX {
            return None;
        }
        seat.used = now;
        Some(seat.session.clone())
    }

    /// Ends a session.
    pub(crate) fn end(&self, number: &str) {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.remove(&Digest256::of(number.as_bytes()));
    }
}

/// 128 random bits in hexadecimal.
pub(crate) fn random_hex() -> Result<String, AccessError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(AccessError::Random)?;
    Ok(hex::encode(bytes))
}

/// A cookie of the request.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Whether a request that changes something came from one of our own pages.
///
/// Browsers say so in `Sec-Fetch-Site`, older ones in `Origin`; a program that sends neither has
/// no cookies of a person to misuse.
pub(crate) fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match (headers.get(header::ORIGIN), text("host")) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .is_some_and(|(_, authority)| authority == host),
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests;
