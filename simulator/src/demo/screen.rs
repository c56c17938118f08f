//! The screen of a run: sentences that stay, and below them a few live lines.
//!
//! On a terminal the live lines are drawn over a few times a second; elsewhere one plain line is
//! written every few seconds, so that a log of a run stays short.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use domain::{Clock, Timestamp};
use jiff::tz::TimeZone;

use super::text::{brief, grouped};
use super::watch::Seen;
use crate::world::Progress;

const BAR_WIDTH: u64 = 30;
const REDRAW_EVERY: Duration = Duration::from_millis(250);
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Where a run is shown.
#[derive(Debug)]
pub struct Screen {
    terminal: bool,
    live_lines: usize,
}

impl Screen {
    /// The standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self { terminal: io::stdout().is_terminal(), live_lines: 0 }
    }

    /// How often the live view is worth a look.
    #[must_use]
    pub fn refresh_every(&self) -> Duration {
        if self.terminal { REDRAW_EVERY } else { PLAIN_EVERY }
    }

    /// Says something that stays.
    pub fn say(&mut self, text: &str) {
        self.write(&format!("{text}\n"));
        self.live_lines = 0;
    }

    /// Shows how the run is.
    pub fn show(&mut self, view: &View<'_>) {
        let lines = if self.terminal { view.lines() } else { vec![view.line()] };
        let mut text = String::new();
        if self.terminal && self.live_lines > 0 {
            text = format!("\x1b[{}A", self.live_lines);
        }
        for line in &lines {
            text.push_str(line);
            text.push_str(if self.terminal { "\x1b[K\n" } else { "\n" });
        }
        self.write(&text);
        self.live_lines = lines.len();
    }

    fn write(&self, text: &str) {
        let mut out = io::stdout().lock();
        // Nobody reads any more: the run goes on all the same.
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
    }
}

/// How a run is at one moment.
#[derive(Debug)]
pub struct View<'a> {
    /// The run's clock.
    pub clock: &'a Clock,
    /// The zone its people live in.
    pub zone: &'a TimeZone,
    /// What the road sees.
    pub progress: &'a Progress,
    /// What the lanes tell.
    pub seen: &'a Seen,
    /// How often servers had to be started again.
    pub restarts: u32,
}

impl View<'_> {
    fn time_of_day(&self) -> String {
        let now: Timestamp = self.clock.now();
        now.to_zoned(self.zone.clone()).strftime("%F %T").to_string()
    }

    fn lines(&self) -> Vec<String> {
        let (progress, seen) = (self.progress, self.seen);
        let (recorded, posted) = seen.recorded_and_posted();
        let open = seen.read_to_open.percentiles();
        let restarts = match self.restarts {
            0 => String::new(),
            n => format!("   {n} restarts"),
        };
        vec![
            format!("  {}   {}× life{restarts}", self.time_of_day(), self.clock.speed()),
            format!(
                "  {} {} of {} vehicles",
                bar(progress.vehicles_done, progress.vehicles),
                grouped(progress.vehicles_done),
                grouped(progress.vehicles)
            ),
            format!(
                "  lanes      {} arrived   {} crossed   {} in a lane now",
                grouped(progress.arrived),
                grouped(progress.crossed),
                grouped(progress.in_lane)
            ),
            format!("  passages   {} recorded   {} posted", grouped(recorded), grouped(posted)),
            format!(
                "  calls      {} waiting   {} answered",
                seen.calls_waiting(),
                grouped(seen.calls_ended)
            ),
            format!("  tolls      {} VND", grouped(seen.fares_shown)),
            format!("  tag→open   {}", brief(&open)),
        ]
    }

    fn line(&self) -> String {
        let (progress, seen) = (self.progress, self.seen);
        let (recorded, posted) = seen.recorded_and_posted();
        let open = seen.read_to_open.percentiles();
        format!(
            "{}  vehicles {}/{}  crossed {}  posted {posted}/{recorded}  calls {} waiting, {} \
             answered  tolls {} VND  tag→open {}",
            self.time_of_day(),
            progress.vehicles_done,
            progress.vehicles,
            progress.crossed,
            seen.calls_waiting(),
            seen.calls_ended,
            grouped(seen.fares_shown),
            brief(&open)
        )
    }
}

fn bar(done: u64, of: u64) -> String {
    let full = (done.min(of) * BAR_WIDTH).checked_div(of).unwrap_or(BAR_WIDTH);
    (0..BAR_WIDTH).map(|place| if place < full { '█' } else { '░' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_when_all_is_done_or_there_was_nothing_to_do() {
        assert!(!bar(9, 10).chars().all(|c| c == '█'));
        assert!(bar(10, 10).chars().all(|c| c == '█'));
        assert!(bar(0, 0).chars().all(|c| c == '█'));
        assert!(bar(0, 10).chars().all(|c| c == '░'));
    }
}
