//! A reader on a pseudo-terminal, under a name of one's choice: any client opens it as a
//! serial port.
//!
//! One thread waits in poll(2) for the host's bytes, for a change of the field, and for the
//! reader's next deadline. The reader keeps its own end of the line open, because otherwise the
//! line would break whenever a host leaves; as with a real cable, a host that comes back may find
//! bytes that were sent while it was away.
//!
//! In real time bytes take as long as they take at the line's rate, in both directions. Faster than
//! life they do not, but at most about one report a millisecond leaves, and none is sent late to
//! catch up.
//!
//! A host at another rate than the reader's hears garbage and is not understood, as in life; which
//! rate it has set, the pseudo-terminal tells. It begins at the reader's.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::wire::{Fate, WireFaults};
use super::{DeviceFault, EmulatorSettings, FieldTag};
use crate::TagRead;
use crate::clock;
use crate::codec::FrameBuf;
use crate::protocol::{Protocol, mercury};

mod line;
mod outbox;
mod terminal;

use line::{Line, Turn};
use terminal::Terminal;

/// How a reader on a pseudo-terminal behaves.
#[derive(Debug, Clone)]
pub struct PtyReaderConfig {
    /// What it speaks.
    pub protocol: &'static dyn Protocol,
    /// How it behaves.
    pub reader: EmulatorSettings,
    /// What its line does to what it says; drawn from the reader's seed.
    pub wire: WireFaults,
    /// What its line is like besides.
    pub line: LineHabits,
    /// How much faster than life its time runs; 1 for life.
    pub time_scale: f64,
    /// Gets every report of tags that has gone out, right after its last byte was given to the
    /// line. It is never waited for: a receiver that does not receive lets them pile up.
    pub truth: Option<mpsc::Sender<SentTag>>,
}

impl Default for PtyReaderConfig {
    /// A Mercury reader on a good line, in real time.
    fn default() -> Self {
        Self {
            protocol: &mercury::Mercury,
            reader: EmulatorSettings::default(),
            wire: WireFaults::NONE,
            line: LineHabits::default(),
            time_scale: 1.0,
            truth: None,
        }
    }
}

/// What a line is like apart from its faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineHabits {
    /// Whether it matters at which rate the host runs its end.
    pub host_rate: HostRate,
    /// Whether the host hears itself.
    pub echo: Echo,
    /// How long the host's USB adapter keeps bytes in case more come: 16 ms for an FTDI adapter as
    /// it is delivered; `None` for a port that hands them on at once.
    pub usb_latency: Option<Duration>,
    /// Where the host comes in.
    pub begins: Begins,
}

/// Whether it matters at which rate the host runs its end of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostRate {
    /// At another rate than the reader's there is only garbage.
    #[default]
    Checked,
    /// It does not: for a client that cannot set a rate.
    Ignored,
}

/// Whether the host hears what it says itself, as on a two-wire RS-485 line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Echo {
    /// No.
    #[default]
    Off,
    /// Yes.
    On,
}

/// Where a host comes in when the line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Begins {
    /// Between two frames.
    #[default]
    BetweenFrames,
    /// Within one: its second half comes before the first frame.
    WithinAFrame,
}

/// What became of a reader's power while it was unplugged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// It has its own supply: it goes on with what it was told.
    Kept,
    /// It gets it from the plug: it was switched off, and on again.
    Lost,
}

/// A report of tags that a reader has sent: what a host should have heard.
#[derive(Debug, Clone)]
pub struct SentTag {
    /// When its last byte was given to the line, on the host's clock.
    pub at: Instant,
    /// The same on the reader's own clock, from when it was switched on.
    pub reader_time: Duration,
    /// The tags it reports.
    pub tags: Vec<TagRead>,
    /// Its bytes, before the line did something to them.
    pub frame: FrameBuf,
    /// Whether it arrives as it was sent, at the right rate.
    pub fate: Fate,
}

/// A reader on a pseudo-terminal. Dropping it hangs up and removes its name.
#[derive(Debug)]
pub struct PtyReader {
    link: PathBuf,
    // `None` while it is unplugged.
    device: Option<PathBuf>,
    baud: u32,
    // `None` only while it is being dropped.
    turns: Option<mpsc::Sender<(Instant, Turn)>>,
    wake: UnixStream,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    tag_frames_sent: AtomicU64,
    frames_dropped: AtomicU64,
}

impl PtyReader {
    /// Switches a reader on and lets `link` point at its line, replacing what `link` was before.
    ///
    /// # Errors
    /// Fails where the system gives no pseudo-terminal, thread or link, and on a time scale that is
    /// not a positive number or settings that the protocol cannot play.
    pub fn start(link: &Path, config: PtyReaderConfig) -> io::Result<Self> {
        if !(config.time_scale.is_finite() && config.time_scale > 0.0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "time runs forwards"));
        }
        let reader = config
            .protocol
            .emulator(&config.reader)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let baud = reader.baud();
        let terminal = Terminal::open(baud)?;
        let device = terminal.device.clone();
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let (sender, turns) = mpsc::channel();
        let counts = Arc::new(Counts::default());
        let mut line = Line::new(terminal, reader, config, (woken, turns), Arc::clone(&counts));
        let thread =
            thread::Builder::new().name("pty-reader".to_owned()).spawn(move || line.run())?;
        let link = link.to_path_buf();
        terminal::point(&link, &device)?;
        Ok(Self {
            link,
            device: Some(device),
            baud,
            turns: Some(sender),
            wake,
            counts,
            thread: Some(thread),
        })
    }

    /// Says who is in the antennas' field from now on. A tag that has just come is sent at once.
    pub fn set_field(&self, tags: &[FieldTag]) {
        self.take_turn(Turn::Field(tags.to_vec()));
    }

    /// Breaks the reader, or mends it.
    pub fn break_with(&self, fault: DeviceFault) {
        self.take_turn(Turn::Fault(fault));
    }

    /// Pulls the plug: removes the name, hangs up, and returns when both are done. What the reader
    /// sends from now on is lost. Harmless when it is pulled already.
    pub fn unplug(&mut self) {
        if let Some(device) = self.device.take() {
            // The name goes first, so that no host finds a line that hangs up.
            terminal::remove(&self.link, &device);
            let (done, hung_up) = mpsc::channel();
            self.take_turn(Turn::Unplug(done));
            // It never says anything but is dropped.
            hung_up.recv().unwrap_or_default();
        }
    }

    /// Puts the plug back: the name now leads to another device, as it does when something still
    /// holds the old one. A reader that is plugged in is unplugged first.
    ///
    /// # Errors
    /// Fails where the system gives no pseudo-terminal or link.
    pub fn replug(&mut self, power: Power) -> io::Result<()> {
        self.unplug();
        let terminal = Terminal::open(self.baud)?;
        let device = terminal.device.clone();
        self.take_turn(Turn::Plug(terminal, power));
        terminal::point(&self.link, &device)?;
        self.device = Some(device);
        Ok(())
    }

    fn take_turn(&self, turn: Turn) {
        if let Some(turns) = &self.turns
            && turns.send((clock::now(), turn)).is_ok()
        {
            self.wake();
        }
    }

    /// How many reports of tags have gone out on the line.
    #[must_use]
    pub fn tag_frames_sent(&self) -> u64 {
        self.counts.tag_frames_sent.load(Ordering::Relaxed)
    }

    /// How many frames were dropped because nobody took them from the line.
    #[must_use]
    pub fn frames_dropped(&self) -> u64 {
        self.counts.frames_dropped.load(Ordering::Relaxed)
    }

    fn wake(&self) {
        match (&self.wake).write(&[0]) {
            // A full pipe means that the thread has been woken already; a broken one, that it is
            // gone.
            Ok(_) | Err(_) => {}
        }
    }
}

impl Drop for PtyReader {
    fn drop(&mut self) {
        // The name goes first, so that no host finds a line that hangs up.
        if let Some(device) = &self.device {
            terminal::remove(&self.link, device);
        }
        self.turns = None;
        self.wake();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(link = %self.link.display(), "the thread of a pty reader panicked");
        }
    }
}

/// What a call on a non-blocking file came to; `None` where it would have blocked.
fn ready(outcome: io::Result<usize>) -> io::Result<Option<usize>> {
    match outcome {
        Ok(len) => Ok(Some(len)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
            _ => Err(error),
        },
    }
}
