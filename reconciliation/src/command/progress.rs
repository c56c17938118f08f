//! How far long work is, for a person who watches: a bar with count, rate and time left, on standard error
//! and only where that is a terminal. Standard output is for what a command finds, and is never touched.
//!
//! Deliberately absent: anything that a program could read; with `--json` there is no bar.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::Clock;

use crate::matching::{Rule, Side, Taken, Unreadable};
use crate::sides::Table;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of files, shown in megabytes.
    Bytes,
    /// Records, days, or whatever else is counted one by one.
    Pieces,
}

/// A bar, or nothing.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    unit: Unit,
    /// None where nobody watches.
    drawn: Option<Mutex<Drawn>>,
}

#[derive(Debug)]
struct Drawn {
    clock: Clock,
    at: u64,
    of: u64,
    /// When a bar was drawn last.
    last: Option<Duration>,
}

/// A bar is drawn that often at most.
const EVERY: Duration = Duration::from_millis(100);
/// How many signs a bar has.
const SIGNS: u64 = 30;

impl Progress {
    /// Begins a bar for so much; nothing is shown where the answer is for a program or nobody watches.
    #[must_use]
    pub fn new(what: &'static str, of: u64, unit: Unit, as_json: bool) -> Self {
        let is_watched = !as_json && io::stderr().is_terminal();
        let clock = Clock::system();
        let drawn = is_watched.then(|| Mutex::new(Drawn { clock, at: 0, of, last: None }));
        Self { what, unit, drawn }
    }

    /// Says how far it is now, of how much.
    pub fn tell(&self, at: u64, of: u64) {
        self.change(|drawn| (drawn.at, drawn.of) = (at, of));
    }

    /// Says that so much more is done.
    pub fn add(&self, more: u64) {
        self.change(|drawn| drawn.at = drawn.at.saturating_add(more));
    }

    /// Whether somebody watches.
    #[must_use]
    pub const fn is_watched(&self) -> bool {
        self.drawn.is_some()
    }

    fn change(&self, change: impl FnOnce(&mut Drawn)) {
        let Some(mut drawn) = self.drawn() else { return };
        change(&mut drawn);
        let now = drawn.clock.uptime();
        if drawn.last.is_some_and(|last| now < last + EVERY) {
            return;
        }
        drawn.last = Some(now);
        let line = line(self.what, self.unit, (drawn.at, drawn.of), now);
        // Nobody is hurt when a terminal does not take it.
        drop(write!(io::stderr(), "\r{line}\x1b[K"));
    }

    fn drawn(&self) -> Option<MutexGuard<'_, Drawn>> {
        let drawn = self.drawn.as_ref()?;
        Some(drawn.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Progress {
    /// The bar goes, so that what comes next stands on a line of its own.
    fn drop(&mut self) {
        if self.drawn().is_some_and(|drawn| drawn.last.is_some()) {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}

/// A bar as it is drawn: how far, how much of how much, how fast, and how long it still takes.
fn line(what: &str, unit: Unit, (at, of): (u64, u64), elapsed: Duration) -> String {
    let at = at.min(of);
    let done = at * SIGNS / of.max(1);
    let bar: String = (0..SIGNS).map(|sign| if sign < done { '#' } else { '-' }).collect();
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let per_s = at.saturating_mul(1_000) / elapsed_ms;
    let left = match per_s {
        0 => "?".to_owned(),
        _ => {
            let left_s = (of - at) / per_s;
            format!("{}:{:02}", left_s / 60, left_s % 60)
        }
    };
    let told = |count: u64| match unit {
        Unit::Bytes => format!("{}.{} MB", count / 1_000_000, count / 100_000 % 10),
        Unit::Pieces => count.to_string(),
    };
    format!("{what} [{bar}] {} of {}, {}/s, {left} left", told(at), told(of), told(per_s))
}

/// A side that tells how far it was read.
#[derive(Debug)]
pub struct Watched<'a> {
    table: &'a Table,
    progress: &'a Progress,
    /// Bytes that nobody was told of yet; every rule reads a side anew, and only the first time counts.
    left: AtomicU64,
}

impl<'a> Watched<'a> {
    /// Watches a table.
    #[must_use]
    pub fn new(table: &'a Table, progress: &'a Progress) -> Self {
        Self { table, progress, left: AtomicU64::new(table.extent()) }
    }
}

impl Side for Watched<'_> {
    type Scratch = <Table as Side>::Scratch;

    fn extent(&self) -> u64 {
        self.table.extent()
    }

    fn rows_about(&self) -> u64 {
        self.table.rows_about()
    }

    fn parts(&self) -> usize {
        self.table.parts()
    }

    fn read_part(
        &self,
        part: usize,
        rule: &Rule,
        scratch: &mut Self::Scratch,
        take: impl FnMut(Taken),
    ) -> Result<(), Unreadable> {
        self.table.read_part(part, rule, scratch, take)?;
        let share = self.table.extent().div_ceil((self.table.parts() as u64).max(1));
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(share.min(left)).filter(|_| left > 0)
        });
        if let Ok(left) = taken {
            self.progress.add(share.min(left));
        }
        Ok(())
    }

    fn read_again(
        &self,
        places: impl Iterator<Item = u64>,
        rule: &Rule,
        scratch: &mut Self::Scratch,
        take: impl FnMut(Taken),
    ) -> Result<(), Unreadable> {
        self.table.read_again(places, rule, scratch, take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_how_far_how_fast_and_how_long_it_still_takes() {
        let ten = Duration::from_secs(10);
        assert_eq!(
            line("matching", Unit::Bytes, (25_000_000, 100_000_000), ten),
            "matching [#######-----------------------] 25.0 MB of 100.0 MB, 2.5 MB/s, 0:30 left"
        );
        assert_eq!(
            line("closing", Unit::Pieces, (0, 3), Duration::ZERO),
            "closing [------------------------------] 0 of 3, 0/s, ? left"
        );
        let over = line("taking", Unit::Pieces, (9, 3), ten);
        assert!(over.contains("3 of 3") && over.ends_with("? left"), "{over}");
        assert!(line("taking", Unit::Bytes, (0, 0), ten).contains("0.0 MB of 0.0 MB"));
    }

    #[test]
    fn nothing_is_drawn_where_nobody_watches() {
        let progress = Progress::new("taking", 3, Unit::Pieces, true);
        progress.add(1);
        progress.tell(2, 3);
        assert!(progress.drawn().is_none());
    }
}
