//! A reader on a pseudo-terminal, under a name of one's choice: any client opens it as a
//! serial port.
//!
//! One thread waits in poll(2) for the host's bytes, for a change of the field, and for the
//! reader's next deadline. The reader keeps its own end of the line open, because otherwise the
//! line would break whenever a host leaves; as with a real cable, a host that comes back may find
//! bytes that were sent while it was away.
//!
//! In real time frames take as long as they take at the line's rate. Faster than life they do not,
//! but at most about one report a millisecond leaves, and none is sent late to catch up.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::sys::time::TimeSpec;

use super::wire::{Wire, WireFaults};
use super::{DeviceFault, Emulator, EmulatorSettings, FieldTag, TransmitKind};
use crate::clock;
use crate::codec::FrameBuf;
use crate::protocol::{Protocol, mercury};

/// The least time between two reports when time runs faster than life.
const REPORT_SPACING: Duration = Duration::from_millis(1);
/// How soon a full line is tried again.
const FULL_LINE_PAUSE: Duration = Duration::from_millis(2);
/// Frames that wait for a slow line before reports are dropped, as a real module's buffer does.
const OUTBOX_LEN_MAX: usize = 64;
/// Start bit, eight data bits, stop bit.
const BITS_PER_BYTE: f64 = 10.0;

/// How a reader on a pseudo-terminal behaves.
#[derive(Debug, Clone)]
pub struct PtyReaderConfig {
    /// What it speaks.
    pub protocol: &'static dyn Protocol,
    /// How it behaves.
    pub reader: EmulatorSettings,
    /// What its line does to what it says.
    pub wire: WireFaults,
    /// How much faster than life its time runs; 1 for life.
    pub time_scale: f64,
}

impl Default for PtyReaderConfig {
    /// A Mercury reader on a good line, in real time.
    fn default() -> Self {
        Self {
            protocol: &mercury::Mercury,
            reader: EmulatorSettings::default(),
            wire: WireFaults::NONE,
            time_scale: 1.0,
        }
    }
}

/// What the owner of the reader does to it.
#[derive(Debug)]
enum Turn {
    Field(Vec<FieldTag>),
    Fault(DeviceFault),
}

/// A reader on a pseudo-terminal. Dropping it hangs up and removes its name.
#[derive(Debug)]
pub struct PtyReader {
    link: PathBuf,
    device: PathBuf,
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
    /// not a positive number.
    pub fn start(link: &Path, config: PtyReaderConfig) -> io::Result<Self> {
        if !(config.time_scale.is_finite() && config.time_scale > 0.0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "time runs forwards"));
        }
        let reader = config
            .protocol
            .emulator(&config.reader)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let master =
            posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let device = PathBuf::from(ptsname_r(&master)?);
        let host_end = open_raw(&device)?;
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let (sender, turns) = mpsc::channel();
        let counts = Arc::new(Counts::default());
        let mut line = Line {
            master,
            _host_end: host_end,
            woken,
            turns,
            reader,
            switched_on_at: clock::now(),
            time_scale: config.time_scale,
            reports_held_until: None,
            wire: Wire::new(config.wire, config.reader.seed),
            outbox: Outbox::default(),
            counts: Arc::clone(&counts),
        };
        let thread =
            thread::Builder::new().name("pty-reader".to_owned()).spawn(move || line.run())?;
        let link = link.to_path_buf();
        point(&link, &device)?;
        Ok(Self { link, device, turns: Some(sender), wake, counts, thread: Some(thread) })
    }

    /// Says who is in the antennas' field from now on. A tag that has just come is sent at once.
    pub fn set_field(&self, tags: &[FieldTag]) {
        self.take_turn(Turn::Field(tags.to_vec()));
    }

    /// Breaks the reader, or mends it.
    pub fn break_with(&self, fault: DeviceFault) {
        self.take_turn(Turn::Fault(fault));
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
        // The name goes first, so that no host finds a line that hangs up; unless another reader
        // has taken the name over.
        if fs::read_link(&self.link).is_ok_and(|target| target == self.device)
            && let Err(error) = fs::remove_file(&self.link)
        {
            tracing::warn!(link = %self.link.display(), error = &error as &dyn std::error::Error, "remove link");
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

/// Opens the host's end of the line, without becoming its terminal, and makes it carry bytes as
/// they are.
fn open_raw(device: &Path) -> io::Result<File> {
    let host_end = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags((OFlag::O_NOCTTY | OFlag::O_CLOEXEC).bits())
        .open(device)?;
    let mut settings = tcgetattr(&host_end)?;
    cfmakeraw(&mut settings);
    tcsetattr(&host_end, SetArg::TCSANOW, &settings)?;
    Ok(host_end)
}

/// Lets `link` point at `device`, in one step.
fn point(link: &Path, device: &Path) -> io::Result<()> {
    let line = device.file_name().unwrap_or_default().to_string_lossy();
    let mut name = link.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{line}.new"));
    let fresh = link.with_file_name(name);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    symlink(device, &fresh)?;
    fs::rename(&fresh, link)
}

/// The thread's side.
struct Line {
    master: PtyMaster,
    _host_end: File,
    woken: UnixStream,
    turns: mpsc::Receiver<(Instant, Turn)>,
    reader: Box<dyn Emulator>,
    switched_on_at: Instant,
    time_scale: f64,
    reports_held_until: Option<Instant>,
    wire: Wire,
    outbox: Outbox,
    counts: Arc<Counts>,
}

impl Line {
    fn run(&mut self) {
        loop {
            let now = clock::now();
            if !self.take_turns() {
                return;
            }
            if self.next_deadline().is_some_and(|due| due <= now) {
                self.reader.handle_deadline(self.device_time(now));
            }
            self.collect(now);
            let written = self.outbox.write(&self.master, now, &self.counts);
            let heard = written.and_then(|()| self.wait()).and_then(|()| self.listen());
            if let Err(error) = heard {
                tracing::error!(error = &error as &dyn std::error::Error, "pty line failed");
                return;
            }
        }
    }

    /// Applies what the owner does in its order; `false` when the owner is gone.
    fn take_turns(&mut self) -> bool {
        loop {
            match self.turns.try_recv() {
                // Read when the tag was there, however late this thread is: the report says so.
                Ok((at, Turn::Field(tags))) => self.reader.set_field(&tags, self.device_time(at)),
                Ok((at, Turn::Fault(fault))) => {
                    self.reader.handle_fault(fault, self.device_time(at));
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Moves what the reader sends into the outbox.
    fn collect(&mut self, now: Instant) {
        let in_real_time = self.time_scale <= 1.0;
        let mut reports = 0;
        while let Some(transmit) = self.reader.poll_transmit() {
            match transmit.kind {
                TransmitKind::Tag | TransmitKind::KeepAlive => reports += 1,
                TransmitKind::Answer => {}
            }
            let wire_time = if in_real_time {
                wire_time(transmit.frame.as_ref().len(), transmit.baud)
            } else {
                Duration::ZERO
            };
            self.outbox.push(transmit.frame, transmit.kind, wire_time, now, &self.counts);
        }
        if reports > 0 && !in_real_time {
            self.reports_held_until = Some(now + REPORT_SPACING * reports);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let due = self.switched_on_at + self.reader.next_deadline()?.div_f64(self.time_scale);
        Some(self.reports_held_until.map_or(due, |held| due.max(held)))
    }

    /// Blocks until something is to be done.
    fn wait(&self) -> io::Result<()> {
        let due = self.next_deadline().into_iter().chain(self.outbox.next_deadline()).min();
        let now = clock::now();
        let timeout = due.map(|due| TimeSpec::from_duration(due.saturating_duration_since(now)));
        let mut sources = [
            PollFd::new(self.master.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.woken.as_fd(), PollFlags::POLLIN),
        ];
        match ppoll(&mut sources, timeout, None) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes what the host sent, and the wake-up calls.
    fn listen(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        if let Some(len) = ready((&self.master).read(&mut buffer))? {
            let now = self.device_time(clock::now());
            self.reader.handle_bytes(&buffer[..len], now);
        }
        // What the calls say stands in the channel.
        ready((&self.woken).read(&mut buffer)).map(drop)
    }

    fn device_time(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.switched_on_at).mul_f64(self.time_scale)
    }
}

/// Frames on their way out.
#[derive(Default)]
struct Outbox {
    frames: VecDeque<Outgoing>,
    // When the line has finished all frames that wait.
    line_free_at: Option<Instant>,
    // While the line takes no more: when to try again.
    retry_at: Option<Instant>,
    // How much of the first frame is out.
    written: usize,
}

struct Outgoing {
    frame: FrameBuf,
    kind: TransmitKind,
    // When its last byte has crossed the wire.
    arrives_at: Instant,
}

impl Outbox {
    fn push(
        &mut self,
        frame: FrameBuf,
        kind: TransmitKind,
        wire_time: Duration,
        now: Instant,
        counts: &Counts,
    ) {
        let full = self.retry_at.is_some() || self.frames.len() >= OUTBOX_LEN_MAX;
        // An answer is waited for; reports come again.
        if full && kind != TransmitKind::Answer {
            counts.frames_dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let arrives_at = self.line_free_at.map_or(now, |free| free.max(now)) + wire_time;
        self.line_free_at = Some(arrives_at);
        self.frames.push_back(Outgoing { frame, kind, arrives_at });
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.frames.front().map(|first| self.retry_at.unwrap_or(first.arrives_at))
    }

    /// Writes what has arrived by `now`, as far as the line takes it.
    fn write(&mut self, mut line: &PtyMaster, now: Instant, counts: &Counts) -> io::Result<()> {
        if self.retry_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        self.retry_at = None;
        while let Some(first) = self.frames.front().filter(|first| first.arrives_at <= now) {
            let bytes = first.frame.as_ref();
            match ready(line.write(&bytes[self.written..]))? {
                None | Some(0) => {
                    self.retry_at = Some(now + FULL_LINE_PAUSE);
                    return Ok(());
                }
                Some(len) => self.written += len,
            }
            if self.written == bytes.len() {
                if first.kind == TransmitKind::Tag {
                    counts.tag_frames_sent.fetch_add(1, Ordering::Relaxed);
                }
                self.frames.pop_front();
                self.written = 0;
            }
        }
        Ok(())
    }
}

fn wire_time(len: usize, baud: u32) -> Duration {
    let bytes = u32::try_from(len).unwrap_or(u32::MAX);
    Duration::from_secs_f64(f64::from(bytes) * BITS_PER_BYTE / f64::from(baud))
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
