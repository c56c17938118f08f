//! A relay card made of software, on a pseudo-terminal: the other side of the lane controller's
//! relay-card family, written from the same manual and nothing else.
//!
//! It says each change of an input once and its state every 12 s, and takes lines such as
//! `R3,N,01`. It has no thread: whoever moves the road lets it listen and speak. Input 1 is the
//! presence loop, 2 the safety loop, 3 the switch of an arm that is up.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::pty_line::PtyLine;
use crate::road::{Inputs, Pulse};

/// How often it says its state.
const STATE_EVERY: Duration = Duration::from_secs(12);

/// A card on its line. Dropping it hangs up and removes its name.
#[derive(Debug)]
pub(crate) struct RelayCard {
    line: PtyLine,
    heard: Vec<u8>,
    shown: [bool; 3],
    state_due: Duration,
    green: bool,
}

impl RelayCard {
    /// Switches a card on and lets `link` point at its line.
    pub(crate) fn start(link: &Path) -> io::Result<Self> {
        Ok(Self {
            line: PtyLine::start(link)?,
            heard: Vec::new(),
            shown: [false; 3],
            state_due: Duration::ZERO,
            green: false,
        })
    }

    /// Where its port appears.
    pub(crate) fn port(&self) -> &Path {
        self.line.link()
    }

    /// Takes what the host has said since, and returns the pulses for the arm in their order.
    pub(crate) fn listen(&mut self) -> io::Result<Vec<Pulse>> {
        self.line.listen(&mut self.heard)?;
        let mut pulses = Vec::new();
        while let Some(end) = self.heard.windows(2).position(|pair| pair == b"\r\n") {
            let line: Vec<u8> = self.heard.drain(..end + 2).collect();
            match line.strip_suffix(b"\r\n").unwrap_or_default() {
                b"R3,N,01" => pulses.push(Pulse::Open),
                b"R4,N,01" => pulses.push(Pulse::Close),
                b"R1,N,60" => self.green = true,
                b"R1,F,60" => self.green = false,
                // A relay that is released, or the siren, which nobody hears here.
                _ => {}
            }
        }
        Ok(pulses)
    }

    /// Says what has changed on the road by `now`, and the state when it is due.
    pub(crate) fn speak(&mut self, inputs: Inputs, now: Duration) -> io::Result<()> {
        let levels = [inputs.presence, inputs.safety, inputs.arm_up];
        for (number, (shown, level)) in (1..).zip(self.shown.iter_mut().zip(levels)) {
            if std::mem::replace(shown, level) != level {
                let word = if level { "HIGH" } else { "LOW" };
                self.line.say(format!("VARAINPUT{number}{word}\r").as_bytes())?;
            }
        }
        if now >= self.state_due {
            self.state_due = now + STATE_EVERY;
            let digits: String = levels.map(|level| if level { '1' } else { '0' }).iter().collect();
            self.line.say(format!("MSSL07M{digits}00000").as_bytes())?;
        }
        Ok(())
    }

    /// Whether the light shows green.
    pub(crate) fn is_green(&self) -> bool {
        self.green
    }
}
