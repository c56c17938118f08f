//! How fast somebody may guess. Pure: time is an argument.
//!
//! Attempts are counted for each *name* that is tried and each *address* that tries. A try counts
//! as failed before its outcome is known, so that a hundred at once are no way around. After the
//! free ones each further try has to wait twice as long as the one before.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The first wait, and the longest.
const WAIT_MIN: Duration = Duration::from_secs(2);
const WAIT_MAX: Duration = Duration::from_mins(15);

/// How many names and addresses are kept in mind; the longest quiet one makes room.
const KEYS_MAX: usize = 10_000;

/// Who or what is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A name, whether or not there is such a user: the answer must not tell.
    Name(String),
    /// Where the tries come from; a whole station may share one.
    Address(IpAddr),
}

impl Key {
    /// Tries that cost no wait.
    const fn free(&self) -> u32 {
        match self {
            Self::Name(_) => 5,
            Self::Address(_) => 30,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    count: u32,
    last: Instant,
}

/// Everybody's failed tries of late.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    tries: HashMap<Key, Tries>,
}

fn wait_after(count: u32, free: u32) -> Duration {
    match count.checked_sub(free) {
        None => Duration::ZERO,
        Some(over) => WAIT_MIN.saturating_mul(1 << over.min(16)).min(WAIT_MAX),
    }
}

impl Throttle {
    /// Takes a try, or says how long to wait.
    ///
    /// # Errors
    /// When one of the keys has to wait; then nothing is counted.
    pub(crate) fn admit(&mut self, keys: &[Key], now: Instant) -> Result<(), Duration> {
        let waits = keys.iter().filter_map(|key| {
            let tries = self.tries.get(key)?;
            let due = tries.last + wait_after(tries.count, key.free());
            due.checked_duration_since(now).filter(|wait| !wait.is_zero())
        });
        if let Some(wait) = waits.max() {
            return Err(wait);
        }
        for key in keys {
            self.count(key, now);
        }
        Ok(())
    }

    fn count(&mut self, key: &Key, now: Instant) {
        if !self.tries.contains_key(key) && self.tries.len() >= KEYS_MAX {
            let quietest = self.tries.iter().min_by_key(|(_, tries)| tries.last);
            if let Some(quietest) = quietest.map(|(key, _)| key.clone()) {
                self.tries.remove(&quietest);
            }
        }
        let tries = self.tries.entry(key.clone()).or_insert(Tries { count: 0, last: now });
        // Long quiet: it begins anew.
        if now.saturating_duration_since(tries.last) > WAIT_MAX * 2 {
            tries.count = 0;
        }
        tries.count = tries.count.saturating_add(1);
        tries.last = now;
    }

    /// The try was right: the keys are clean again.
    pub(crate) fn succeeded(&mut self, keys: &[Key]) {
        for key in keys {
            self.tries.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use domain::Clock;

    use super::{KEYS_MAX, Key, Throttle, WAIT_MAX};

    fn name(text: &str) -> Key {
        Key::Name(text.to_owned())
    }

    fn address(last: u8) -> Key {
        Key::Address([10, 0, 0, last].into())
    }

    fn fail(throttle: &mut Throttle, key: &Key, times: u32, now: Instant) {
        for _ in 0..times {
            assert_eq!(throttle.admit(std::slice::from_ref(key), now), Ok(()));
        }
    }

    #[test]
    fn after_the_free_tries_each_wait_is_twice_the_last() {
        let mut throttle = Throttle::default();
        let mut now = Clock::system().real();
        let keys = [name("lan")];
        fail(&mut throttle, &keys[0], 5, now);
        for seconds in [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            let wait = Duration::from_secs(seconds);
            assert_eq!(throttle.admit(&keys, now), Err(wait));
            now += wait;
            assert_eq!(throttle.admit(&keys, now), Ok(()));
        }
    }

    #[test]
    fn the_right_password_or_a_long_silence_clears_the_name() {
        let mut throttle = Throttle::default();
        let now = Clock::system().real();
        let key = name("lan");
        fail(&mut throttle, &key, 5, now);
        throttle.succeeded(std::slice::from_ref(&key));
        fail(&mut throttle, &key, 5, now);
        fail(&mut throttle, &key, 5, now + WAIT_MAX * 3);
    }

    #[test]
    fn one_address_cannot_try_many_names_and_one_name_not_from_many_addresses() {
        let mut throttle = Throttle::default();
        let now = Clock::system().real();
        for number in 0..30 {
            let keys = [name(&format!("user{number}")), address(1)];
            assert_eq!(throttle.admit(&keys, now), Ok(()));
        }
        assert!(throttle.admit(&[name("another"), address(1)], now).is_err());
        assert_eq!(throttle.admit(&[name("another"), address(2)], now), Ok(()));
        for number in 0..5 {
            throttle.admit(&[name("lan"), address(100 + number)], now).unwrap();
        }
        assert!(throttle.admit(&[name("lan"), address(200)], now).is_err());
    }

    #[test]
    fn what_is_kept_in_mind_has_an_end() {
        let mut throttle = Throttle::default();
        let now = Clock::system().real();
        for number in 0..=KEYS_MAX {
            throttle.admit(&[name(&number.to_string())], now).unwrap();
        }
        assert_eq!(throttle.tries.len(), KEYS_MAX);
    }
}
