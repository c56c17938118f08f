//! A relay card on a serial port: one lane's loops, arm, light and siren.
//!
//! One thread reads the card; the lane's own thread writes to it, so that an open command waits
//! for nothing but the line. The card answers no command: that the arm rose is seen by its switch.
//! Commands are pulses that the card times, except the light, which holds.
//!
//! The card is silent while its port is closed, from then until every wired input was heard of
//! again, and when it has said nothing for so long that a state must have been missed. A cable of
//! which only the card's half is cut is found no sooner: until then the last word stands.

mod codec;
mod inputs;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use domain::Clock;
use domain::wire::field_io::Output;
use rfid_driver::deframe::Deframer;
use rfid_driver::port::{Port, PortError};

use super::{FieldError, FieldWord, Reading};
use crate::lane::SavedLane;

pub use codec::{
    CardFraming, CardState, Command, INPUTS, InputNumber, InputNumberError, Level, Message,
    PulseTime, Relay, StateOrder,
};
pub use inputs::{CardInputs, Wiring};

/// How long a read waits, and so how long a stop takes, in real time.
const READ_WAIT: Duration = Duration::from_millis(50);
/// How long to wait before a port is opened again, in real time.
const OPEN_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// How long the siren sounds.
const SIREN: PulseTime = match PulseTime::of_seconds(10) {
    Some(time) => time,
    None => PulseTime::SHORTEST,
};

/// Where a card is and how it is wired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardSettings {
    /// Its port; best one of `/dev/serial/by-id`.
    pub port: PathBuf,
    /// The port's speed.
    pub baud: u32,
    /// Which input is what.
    pub wiring: Wiring,
    /// Nothing heard for that real time counts as silence: two and a half times the 15 s that a
    /// state takes at most.
    pub silent_after: Duration,
}

/// The way to write to a card; nothing while its port is closed.
type Writer = Arc<Mutex<Option<Port>>>;

/// The relays of a card. Clones write on the same line.
#[derive(Debug, Clone)]
pub struct Outputs {
    port: PathBuf,
    writer: Writer,
}

impl Outputs {
    pub(super) fn set(&self, output: Output, on: bool) -> Result<(), FieldError> {
        self.tell(commands_for(output, on))
    }

    pub(super) fn open(&self) -> Result<(), FieldError> {
        self.tell(
            commands_for(Output::Open, true).into_iter().chain(commands_for(Output::Green, true)),
        )
    }

    fn tell(&self, commands: impl IntoIterator<Item = Command>) -> Result<(), FieldError> {
        let mut line = Vec::new();
        commands.into_iter().for_each(|command| command.emit(&mut line));
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        match writer.as_mut() {
            Some(port) => port.write(&line).map_err(FieldError::Card),
            None => Err(FieldError::CardAbsent { port: self.port.clone() }),
        }
    }
}

/// The commands that bring an output about. The relay that would drive the arm the other way is
/// released, so that the arm is never left driven both ways; up comes first.
fn commands_for(output: Output, on: bool) -> Vec<Command> {
    let energise = |relay, time| Command { relay, level: Level::High, time };
    let release = |relay| Command { relay, level: Level::Low, time: PulseTime::HOLD };
    match (output, on) {
        (Output::Open, true) => {
            vec![energise(Relay::Open, PulseTime::SHORTEST), release(Relay::Close)]
        }
        (Output::Close, true) => {
            vec![release(Relay::Open), energise(Relay::Close, PulseTime::SHORTEST)]
        }
        (Output::Green, true) => vec![energise(Relay::Light, PulseTime::HOLD)],
        (Output::Siren, true) => vec![energise(Relay::Siren, SIREN)],
        (Output::Open, false) => vec![release(Relay::Open)],
        (Output::Close, false) => vec![release(Relay::Close)],
        (Output::Green, false) => vec![release(Relay::Light)],
        (Output::Siren, false) => vec![release(Relay::Siren)],
    }
}

/// Reads a card until it is dropped.
#[derive(Debug)]
pub struct CardThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl CardThread {
    /// Starts reading and calls `tell` whenever the reading changed or the card fell silent.
    /// Counting goes on where `saved` ended. A port that is not there is no error: the card is
    /// silent until it is.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        settings: CardSettings,
        saved: Option<&SavedLane>,
        clock: Clock,
        tell: impl FnMut(FieldWord) + Send + 'static,
    ) -> std::io::Result<(Self, Outputs)> {
        let stop = Arc::new(AtomicBool::new(false));
        let writer = Writer::default();
        let outputs = Outputs { port: settings.port.clone(), writer: Arc::clone(&writer) };
        let inputs = CardInputs::new(settings.wiring, saved);
        let mut card = Card { settings, clock, inputs, tell, writer, told: None };
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("relay-card".to_owned())
            .spawn(move || card.run(&stopped))?;
        Ok((Self { stop, thread: Some(thread) }, outputs))
    }
}

impl Drop for CardThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A thread that panicked has said so already.
            drop(thread.join());
        }
    }
}

/// What was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Reading(Reading),
    Silence,
}

/// The thread's side.
struct Card<T> {
    settings: CardSettings,
    clock: Clock,
    inputs: CardInputs,
    tell: T,
    writer: Writer,
    told: Option<Told>,
}

impl<T: FnMut(FieldWord)> Card<T> {
    fn run(&mut self, stop: &AtomicBool) {
        let mut is_first_failure = true;
        while !stop.load(Ordering::Relaxed) {
            let ended = self.open().and_then(|port| {
                is_first_failure = true;
                self.listen(port, stop)
            });
            self.offer(None);
            let Err(error) = ended else { return };
            if std::mem::take(&mut is_first_failure) {
                tracing::error!(error = &error as &dyn std::error::Error, "the relay card is lost");
            }
            self.lose();
            std::thread::park_timeout(OPEN_AGAIN_AFTER);
        }
    }

    fn open(&mut self) -> Result<Port, PortError> {
        let CardSettings { port, baud, .. } = &self.settings;
        let port = Port::open(Path::new(port), *baud)?;
        self.offer(Some(port.try_clone()?));
        Ok(port)
    }

    /// Lets the lane's thread write, or no longer.
    fn offer(&self, port: Option<Port>) {
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = port;
    }

    /// Hears the card until it is told to stop or the line fails.
    fn listen(&mut self, mut port: Port, stop: &AtomicBool) -> Result<(), PortError> {
        let mut deframer = Deframer::<CardFraming>::new();
        let mut heard_at = self.clock.real();
        let mut buffer = [0; 256];
        while !stop.load(Ordering::Relaxed) {
            let len = port.read(&mut buffer, READ_WAIT)?;
            let now = self.clock.real();
            if len == 0 {
                deframer.handle_silence();
                if now.duration_since(heard_at) >= self.settings.silent_after {
                    self.lose();
                }
            }
            let mut bytes = &buffer[..len];
            loop {
                bytes = deframer.push(bytes);
                while let Some(frame) = deframer.next_frame() {
                    if let Some(message) = Message::parse(frame) {
                        heard_at = now;
                        self.take(message, now);
                    }
                }
                if bytes.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, message: Message, at: Instant) {
        self.inputs.handle(message);
        if let Some(reading) = self.inputs.reading()
            && self.told != Some(Told::Reading(reading))
        {
            self.told = Some(Told::Reading(reading));
            (self.tell)(FieldWord::Reads { reading, at });
        }
    }

    fn lose(&mut self) {
        self.inputs.forget();
        if self.told != Some(Told::Silence) {
            self.told = Some(Told::Silence);
            (self.tell)(FieldWord::Silent);
        }
    }
}

#[cfg(test)]
mod tests;
