//! A vehicle classifier made of software, on a pseudo-terminal: written from the same manual as the
//! lane controller's driver and nothing else. It says every 5 s that it is there, and each vehicle
//! once, with its count.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::pty_line::PtyLine;

/// How often it says that it is there.
const IDLE_EVERY: Duration = Duration::from_secs(5);

/// A classifier on its line. Dropping it hangs up and removes its name.
#[derive(Debug)]
pub struct Classifier {
    line: PtyLine,
    idle_due: Duration,
    count: u32,
}

impl Classifier {
    /// Switches one on and lets `link` point at its line.
    ///
    /// # Errors
    /// When the system gives no pseudo-terminal, or the link cannot be made.
    pub fn start(link: &Path) -> io::Result<Self> {
        Ok(Self { line: PtyLine::start(link)?, idle_due: Duration::ZERO, count: 0 })
    }

    /// Says that it is there, when that is due by `now`.
    ///
    /// # Errors
    /// When the line failed.
    pub fn idle(&mut self, now: Duration) -> io::Result<()> {
        if now < self.idle_due {
            return Ok(());
        }
        self.idle_due = now + IDLE_EVERY;
        self.line.say(b"STX,01,11111111,11111111,ETX\r\n")
    }

    /// Lets a vehicle of a class go through, forwards or in reverse.
    ///
    /// # Errors
    /// When the line failed.
    pub fn vehicle(&mut self, class: u8, axles: u8, forwards: bool) -> io::Result<()> {
        self.count += 1;
        let direction = if forwards { 'F' } else { 'R' };
        let count = self.count;
        self.line.say(format!("STX,02,{class},{axles},{direction},260,{count},ETX\r\n").as_bytes())
    }
}
