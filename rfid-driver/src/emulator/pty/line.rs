//! The thread's side: the reader, its end of the line, and what lies between them.

use std::collections::VecDeque;
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, TryRecvError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::outbox::{HostEnd, Outbox, Piece, SentFrame};
use super::terminal::Terminal;
use super::{Begins, Counts, Echo, HostRate, Power, PtyReaderConfig, SentTag, ready};
use crate::clock;
use crate::codec::Direction;
use crate::emulator::wire::{Wire, hear};
use crate::emulator::{DeviceFault, Emulator, FieldTag, Transmit, TransmitKind};

/// The least time between two reports when time runs faster than life.
const REPORT_SPACING: Duration = Duration::from_millis(1);
/// The same between two pieces of a frame: more than a host needs to take the first.
const FRAGMENT_SPACING: Duration = Duration::from_micros(200);
/// Start bit, eight data bits, stop bit.
const BITS_PER_BYTE: f64 = 10.0;

/// What the owner of the reader does to it.
#[derive(Debug)]
pub(super) enum Turn {
    Field(Vec<FieldTag>),
    Fault(DeviceFault),
    /// The sender is dropped once the line has hung up.
    Unplug(mpsc::Sender<()>),
    Plug(Terminal, Power),
}

pub(super) struct Line {
    // `None` while it is unplugged.
    terminal: Option<Terminal>,
    woken: UnixStream,
    turns: mpsc::Receiver<(Instant, Turn)>,
    config: PtyReaderConfig,
    reader: Box<dyn Emulator>,
    // Who is there, whether or not the reader is on.
    field: Vec<FieldTag>,
    switched_on_at: Instant,
    reports_held_until: Option<Instant>,
    wire: Wire,
    // On the wire towards the reader: when it has arrived, and at which rate it was sent.
    incoming: VecDeque<(Instant, u32, Vec<u8>)>,
    outbox: Outbox,
    // Whether a stale half frame is still to come.
    begins: Begins,
    counts: Arc<Counts>,
}

impl Line {
    pub(super) fn new(
        terminal: Terminal,
        reader: Box<dyn Emulator>,
        config: PtyReaderConfig,
        (woken, turns): (UnixStream, mpsc::Receiver<(Instant, Turn)>),
        counts: Arc<Counts>,
    ) -> Self {
        Self {
            terminal: Some(terminal),
            woken,
            turns,
            reader,
            field: Vec::new(),
            switched_on_at: clock::now(),
            reports_held_until: None,
            wire: Wire::new(config.wire, config.reader.seed),
            incoming: VecDeque::new(),
            outbox: Outbox::default(),
            begins: config.line.begins,
            counts,
            config,
        }
    }

    pub(super) fn run(&mut self) {
        loop {
            let now = clock::now();
            if !self.take_turns() {
                return;
            }
            if self.next_read().is_some_and(|due| due <= now) {
                self.reader.handle_deadline(self.device_time(now));
            }
            self.deliver_incoming(now);
            self.collect(now);
            let written = self.write(now);
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
                Ok((at, Turn::Field(tags))) => {
                    self.field = tags;
                    self.reader.set_field(&self.field, self.device_time(at));
                }
                Ok((at, Turn::Fault(fault))) => {
                    self.reader.handle_fault(fault, self.device_time(at));
                }
                Ok((_, Turn::Unplug(done))) => {
                    self.terminal = None;
                    self.outbox = Outbox::default();
                    self.incoming.clear();
                    drop(done);
                }
                Ok((at, Turn::Plug(terminal, power))) => self.plug(terminal, power, at),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn plug(&mut self, terminal: Terminal, power: Power, at: Instant) {
        self.terminal = Some(terminal);
        self.begins = self.config.line.begins;
        if power == Power::Lost {
            // It could be built once, so it can be built again.
            if let Ok(reader) = self.config.protocol.emulator(&self.config.reader) {
                self.reader = reader;
                self.switched_on_at = at;
                self.reports_held_until = None;
                self.reader.set_field(&self.field, self.device_time(at));
            }
        }
    }

    fn is_in_real_time(&self) -> bool {
        self.config.time_scale <= 1.0
    }

    fn wire_time(&self, len: usize, baud: u32) -> Duration {
        let bytes = u32::try_from(len).unwrap_or(u32::MAX);
        if self.is_in_real_time() && baud > 0 {
            Duration::from_secs_f64(f64::from(bytes) * BITS_PER_BYTE / f64::from(baud))
        } else {
            Duration::ZERO
        }
    }

    /// The rate of the host's end, where the line cares; else the reader's own.
    fn host_baud(&self) -> u32 {
        let checked = match self.config.line.host_rate {
            HostRate::Checked => self.terminal.as_ref().and_then(Terminal::host_baud),
            HostRate::Ignored => None,
        };
        checked.unwrap_or_else(|| self.reader.baud())
    }

    /// Moves what the reader sends onto the wire.
    fn collect(&mut self, now: Instant) {
        let mut reports = 0;
        while let Some(transmit) = self.reader.poll_transmit() {
            match transmit.kind {
                TransmitKind::Tag | TransmitKind::KeepAlive => reports += 1,
                TransmitKind::Answer => {}
            }
            if self.terminal.is_none() {
                continue;
            }
            // An answer is waited for; reports come again.
            if self.outbox.is_full() && transmit.kind != TransmitKind::Answer {
                self.counts.frames_dropped.fetch_add(1, Ordering::Relaxed);
            } else {
                self.send(&transmit, now);
            }
        }
        if reports > 0 && !self.is_in_real_time() {
            self.reports_held_until = Some(now + REPORT_SPACING * reports);
        }
    }

    fn send(&mut self, transmit: &Transmit, now: Instant) {
        let frame = transmit.frame.as_ref();
        let mut arriving = Vec::new();
        if std::mem::replace(&mut self.begins, Begins::BetweenFrames) == Begins::WithinAFrame {
            arriving.extend_from_slice(&frame[frame.len() / 2..]);
        }
        let fate = self.wire.carry(frame, &mut arriving);
        let mut ends = Some(SentFrame { frame: transmit.frame, kind: transmit.kind, fate });
        let mut rest = arriving;
        loop {
            let len = self.wire.fragment(rest.len());
            let behind = rest.split_off(len);
            let spacing = if self.is_in_real_time() || behind.is_empty() {
                self.wire_time(len, transmit.baud)
            } else {
                FRAGMENT_SPACING
            };
            let ends = if behind.is_empty() { ends.take() } else { None };
            let piece = Piece { bytes: rest, baud: transmit.baud, wire_time: spacing, ends };
            self.outbox.push(piece, now);
            if behind.is_empty() {
                return;
            }
            rest = behind;
        }
    }

    fn write(&mut self, now: Instant) -> io::Result<()> {
        let Some(terminal) = &self.terminal else { return Ok(()) };
        let host = HostEnd {
            adapter_latency: self.config.line.usb_latency,
            baud: match self.config.line.host_rate {
                HostRate::Checked => terminal.host_baud(),
                HostRate::Ignored => None,
            },
        };
        let reader_time = self.device_time(now);
        let Self { outbox, counts, config, .. } = self;
        outbox.write(terminal, host, now, |sent| {
            if sent.kind == TransmitKind::Tag {
                counts.tag_frames_sent.fetch_add(1, Ordering::Relaxed);
                if let Some(truth) = &config.truth {
                    // Whoever wanted to know may have left.
                    truth.send(sent_tag(config, &sent, now, reader_time)).ok();
                }
            }
        })
    }

    fn next_read(&self) -> Option<Instant> {
        let due =
            self.switched_on_at + self.reader.next_deadline()?.div_f64(self.config.time_scale);
        Some(self.reports_held_until.map_or(due, |held| due.max(held)))
    }

    /// Blocks until something is to be done.
    fn wait(&self) -> io::Result<()> {
        let incoming = self.incoming.front().map(|(arrives_at, ..)| *arrives_at);
        let due =
            self.next_read().into_iter().chain(self.outbox.next_deadline()).chain(incoming).min();
        let wait = due.map(|due| due.saturating_duration_since(clock::now()));
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let mut sources = vec![PollFd::new(&self.woken, PollFlags::IN)];
        if let Some(terminal) = &self.terminal {
            sources.push(PollFd::new(&terminal.master, PollFlags::IN));
        }
        match poll(&mut sources, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes what the host sent, and the wake-up calls.
    fn listen(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        let heard = self.terminal.as_ref().map(|line| ready((&line.master).read(&mut buffer)));
        if let Some(len) = heard.transpose()?.flatten() {
            let bytes = buffer[..len].to_vec();
            let (now, baud) = (clock::now(), self.host_baud());
            let wire_time = self.wire_time(len, baud);
            if self.config.line.echo == Echo::On {
                let echo = Piece { bytes: bytes.clone(), baud, wire_time, ends: None };
                self.outbox.push(echo, now);
            }
            let free_at = self.incoming.back().map_or(now, |(arrives_at, ..)| *arrives_at);
            self.incoming.push_back((free_at.max(now) + wire_time, baud, bytes));
        }
        // What the calls say stands in the channel.
        ready((&self.woken).read(&mut buffer)).map(drop)
    }

    fn deliver_incoming(&mut self, now: Instant) {
        while let Some((_, baud, bytes)) =
            self.incoming.pop_front_if(|(arrives_at, ..)| *arrives_at <= now)
        {
            let mut heard = Vec::new();
            hear(&bytes, baud, self.reader.baud(), &mut heard);
            self.reader.handle_bytes(&heard, self.device_time(now));
        }
    }

    fn device_time(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.switched_on_at).mul_f64(self.config.time_scale)
    }
}

fn sent_tag(
    config: &PtyReaderConfig,
    sent: &SentFrame,
    at: Instant,
    reader_time: Duration,
) -> SentTag {
    let described = config.protocol.describe(sent.frame.as_ref(), Direction::FromReader, at);
    let tags = described.map(|description| description.tags).unwrap_or_default();
    SentTag { at, reader_time, tags, frame: sent.frame, fate: sent.fate }
}
