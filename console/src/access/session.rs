//! Sessions: who is logged in, and how far. Pure but for the random numbers.
//!
//! *Session*: a random 128-bit number in a cookie that no script can read; it lives in memory, so
//! a restart logs everybody out. *Token*: a second number, in every form of the session, that a
//! foreign page cannot know. *Standing*: what the person has shown so far. Each step up is a new
//! session with a new number (rotation): a number that somebody planted or saw before is worth
//! nothing after it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::order::Identity;
use domain::signature::Digest256;

use super::{AccessError, random_hex, same};

/// How long a session lives at most: a shift and its hand-over.
pub(super) const LIFE_MAX: Duration = Duration::from_hours(14);

/// How long one may lie unused, where a vehicle may need somebody at once.
const IDLE_MAX: Duration = Duration::from_hours(12);

/// How long one may lie unused that opens money and administration.
const IDLE_MAX_SECOND_FACTOR: Duration = Duration::from_mins(30);

/// How long a code may take.
const CODE_WITHIN: Duration = Duration::from_mins(5);

/// How many sessions there may be; the longest unused makes room.
const SESSIONS_MAX: usize = 1024;

/// What a person has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The password; the code is still to come, and nothing opens before it.
    AwaitsCode,
    /// The password, which is all that is asked of them.
    Password,
    /// The password and a code.
    SecondFactor,
}

/// Somebody's session.
#[derive(Clone)]
pub(crate) struct Session {
    /// Their name.
    pub user: String,
    /// The token their forms carry.
    pub csrf: String,
    /// What they have shown.
    pub standing: Standing,
}

impl Session {
    /// Whether a form is one of this session's.
    pub(crate) fn owns(&self, csrf: &str) -> bool {
        same(&Digest256::of(csrf.as_bytes()), &Digest256::of(self.csrf.as_bytes()))
    }
}

struct Seat {
    session: Session,
    begun: Instant,
    used: Instant,
    /// What the person signs orders with; it ends with the session.
    identity: Option<Arc<Identity>>,
}

impl Seat {
    fn lives(&self, now: Instant) -> bool {
        let (idle, life) = match self.session.standing {
            Standing::AwaitsCode => (CODE_WITHIN, CODE_WITHIN),
            Standing::Password => (IDLE_MAX, LIFE_MAX),
            Standing::SecondFactor => (IDLE_MAX_SECOND_FACTOR, LIFE_MAX),
        };
        now.saturating_duration_since(self.used) <= idle
            && now.saturating_duration_since(self.begun) <= life
    }
}

/// Everybody who is logged in, by the digest of the cookie.
#[derive(Default)]
pub(crate) struct Sessions {
    seats: Mutex<HashMap<Digest256, Seat>>,
}

impl Sessions {
    fn seats(&self) -> MutexGuard<'_, HashMap<Digest256, Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session and gives the number for its cookie.
    pub(crate) fn begin(
        &self,
        user: &str,
        standing: Standing,
        now: Instant,
    ) -> Result<String, AccessError> {
        let number = random_hex()?;
        let session = Session { user: user.to_owned(), csrf: random_hex()?, standing };
        let mut seats = self.seats();
        seats.retain(|_, seat| seat.lives(now));
        if seats.len() >= SESSIONS_MAX
            && let Some(oldest) =
                seats.iter().min_by_key(|(_, seat)| seat.used).map(|(number, _)| *number)
        {
            seats.remove(&oldest);
        }
        let seat = Seat { session, begun: now, used: now, identity: None };
        seats.insert(Digest256::of(number.as_bytes()), seat);
        Ok(number)
    }

    /// The session of a cookie's number, which counts as use.
    pub(crate) fn session(&self, number: &str, now: Instant) -> Option<Session> {
        let mut seats = self.seats();
        let seat = seats.get_mut(&Digest256::of(number.as_bytes()))?;
        if !seat.lives(now) {
            return None;
        }
        seat.used = now;
        Some(seat.session.clone())
    }

    /// Whether a session still lives, without using it: an open page is not a person at work.
    pub(crate) fn lives(&self, number: &str, now: Instant) -> bool {
        self.seats().get(&Digest256::of(number.as_bytes())).is_some_and(|seat| seat.lives(now))
    }

    /// What the person of a session signs with: what they have, if that still fits, or a new one.
    pub(crate) fn identity(
        &self,
        number: &str,
        fits: impl Fn(&Identity) -> bool,
        make: impl FnOnce() -> Option<Identity>,
    ) -> Option<Arc<Identity>> {
        let mut seats = self.seats();
        let seat = seats.get_mut(&Digest256::of(number.as_bytes()))?;
        if !seat.identity.as_ref().is_some_and(|identity| fits(identity)) {
            seat.identity = make().map(Arc::new);
        }
        seat.identity.clone()
    }

    /// Ends a session.
    pub(crate) fn end(&self, number: &str) {
        self.seats().remove(&Digest256::of(number.as_bytes()));
    }

    /// Ends the sessions of everybody whom a new people file no longer knows as it did.
    pub(crate) fn retain_users(&self, keeps: impl Fn(&str) -> bool) {
        self.seats().retain(|_, seat| keeps(&seat.session.user));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use domain::Clock;

    use super::{
        CODE_WITHIN, IDLE_MAX, IDLE_MAX_SECOND_FACTOR, LIFE_MAX, SESSIONS_MAX, Sessions, Standing,
    };

    fn start() -> Instant {
        Clock::system().real()
    }

    #[test]
    fn a_session_lives_until_it_ends_or_lies_unused() {
        let sessions = Sessions::default();
        let start = start();
        let number = sessions.begin("lan", Standing::Password, start).unwrap();
        assert_eq!(number.len(), 32);
        let later = start + IDLE_MAX;
        let session = sessions.session(&number, later).unwrap();
        assert_eq!(session.user, "lan");
        assert!(session.owns(&session.csrf.clone()));
        assert!(!session.owns("") && !session.owns(&number));
        assert!(sessions.lives(&number, start + LIFE_MAX - Duration::from_secs(60)));
        assert!(sessions.session(&number, start + LIFE_MAX + Duration::from_secs(60)).is_none());

        let other = sessions.begin("lan", Standing::Password, start).unwrap();
        assert_ne!(other, number);
        sessions.end(&other);
        assert!(sessions.session(&other, start).is_none());
        assert!(sessions.session("", start).is_none());
    }

    #[test]
    fn what_opens_money_ends_after_half_an_hour_unused_and_a_code_cannot_wait() {
        let sessions = Sessions::default();
        for (standing, idle) in
            [(Standing::AwaitsCode, CODE_WITHIN), (Standing::SecondFactor, IDLE_MAX_SECOND_FACTOR)]
        {
            let start = start();
            let number = sessions.begin("an", standing, start).unwrap();
            assert!(sessions.lives(&number, start + idle), "{standing:?}");
            assert!(!sessions.lives(&number, start + idle + Duration::from_secs(1)));
            assert!(sessions.session(&number, start + idle + Duration::from_secs(1)).is_none());
        }
    }

    #[test]
    fn an_open_page_does_not_keep_a_session_alive() {
        let sessions = Sessions::default();
        let start = start();
        let number = sessions.begin("an", Standing::SecondFactor, start).unwrap();
        assert!(sessions.lives(&number, start + IDLE_MAX_SECOND_FACTOR));
        assert!(!sessions.lives(&number, start + IDLE_MAX_SECOND_FACTOR * 2));
    }

    #[test]
    fn the_longest_unused_session_makes_room() {
        let sessions = Sessions::default();
        let start = start();
        let begin = |second| {
            sessions.begin("lan", Standing::Password, start + Duration::from_secs(second)).unwrap()
        };
        let (first, second) = (begin(0), begin(1));
        for _ in 0..SESSIONS_MAX - 1 {
            begin(2);
        }
        assert!(sessions.session(&first, start).is_none());
        assert!(sessions.session(&second, start).is_some());
    }

    #[test]
    fn who_is_taken_out_is_logged_out() {
        let sessions = Sessions::default();
        let start = start();
        let lan = sessions.begin("lan", Standing::Password, start).unwrap();
        let kim = sessions.begin("kim", Standing::Password, start).unwrap();
        sessions.retain_users(|user| user == "kim");
        assert!(!sessions.lives(&lan, start) && sessions.lives(&kim, start));
    }
}
