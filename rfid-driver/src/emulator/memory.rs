//! A session and a reader made of software on one line, in memory and in virtual time: hours pass in
//! milliseconds, and the same seed brings the same bytes.
//!
//! Bytes take as long as they take at the reader's rate; a host at another rate hears garbage, and
//! so does the reader. What a slow line has no room for is dropped, as a module's circular buffer
//! does.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::wire::{Fate, Wire, WireFaults};
use super::{DeviceFault, Emulator, EmulatorSettings, FieldTag, TransmitKind};
use crate::clock;
use crate::codec::FrameBuf;
use crate::protocol::{Protocol, Unsupported};
use crate::session::{ReaderSettings, Request, Session, SessionEvent, Transmit};

/// Frames that wait for a slow line before reports are dropped.
const OUTBOX_LEN_MAX: usize = 64;
/// Start bit, eight data bits, stop bit.
const BITS_PER_BYTE: u64 = 10;

/// A frame that the reader put on the line, and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// The frame.
    pub frame: FrameBuf,
    /// What it is.
    pub kind: TransmitKind,
    /// Whether it arrives as it was sent, and at a host that runs at its rate.
    pub fate: Fate,
}

/// The line with its two ends.
#[derive(Debug)]
pub struct MemoryLine {
    session: Box<dyn Session>,
    reader: Box<dyn Emulator>,
    wire: Wire,
    garble: ChaCha8Rng,
    host_baud: u32,
    origin: Instant,
    now: Duration,
    open: bool,
    // Pieces on their way to the host, with the time at which each has arrived.
    arriving: VecDeque<(Duration, Vec<u8>)>,
    line_free_at: Duration,
    sent: VecDeque<Sent>,
}

impl MemoryLine {
    /// A line that is not open yet.
    ///
    /// # Errors
    /// Says which setting the protocol cannot have.
    pub fn new(
        protocol: &dyn Protocol,
        settings: &ReaderSettings,
        reader: &EmulatorSettings,
        faults: WireFaults,
    ) -> Result<Self, Unsupported> {
        Ok(Self {
            session: protocol.session(settings)?,
            reader: protocol.emulator(reader)?,
            wire: Wire::new(faults, reader.seed),
            garble: ChaCha8Rng::seed_from_u64(reader.seed),
            host_baud: 0,
            origin: clock::now(),
            now: Duration::ZERO,
            open: false,
            arriving: VecDeque::new(),
            line_free_at: Duration::ZERO,
            sent: VecDeque::new(),
        })
    }

    /// Opens the host's port.
    pub fn open(&mut self) {
        self.open = true;
        self.session.handle_open(self.instant());
        self.exchange();
    }

    /// Pulls the plug at the host. What is on its way is lost.
    pub fn close(&mut self) {
        self.open = false;
        self.arriving.clear();
        self.session.handle_closed(self.instant());
        self.exchange();
    }

    /// Says who is in the field from now on.
    pub fn set_field(&mut self, tags: &[FieldTag]) {
        self.reader.set_field(tags, self.now);
        self.exchange();
    }

    /// Breaks the reader, or mends it.
    pub fn break_with(&mut self, fault: DeviceFault) {
        self.reader.handle_fault(fault, self.now);
        self.exchange();
    }

    /// Makes the line better or worse from now on.
    pub fn set_faults(&mut self, faults: WireFaults) {
        self.wire.set_faults(faults);
    }

    /// The host asks for something beside reading.
    pub fn request(&mut self, request: Request) {
        self.session.handle_request(request, self.instant());
        self.exchange();
    }

    /// Puts bytes on the line to the host that no reader sent.
    pub fn inject(&mut self, bytes: &[u8]) {
        self.session.handle_bytes(bytes, self.instant());
        self.exchange();
    }

    /// Lets time pass, from deadline to deadline.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            while self.arriving.front().is_some_and(|(at, _)| *at <= self.now) {
                let Some((_, bytes)) = self.arriving.pop_front() else { break };
                self.session.handle_bytes(&bytes, self.instant());
            }
            self.reader.handle_deadline(self.now);
            self.session.handle_deadline(self.instant());
            self.exchange();
        }
        self.now = end;
    }

    /// The next thing that the session has to say.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.session.poll_event()
    }

    /// The next frame that the reader put on the line.
    pub fn poll_sent(&mut self) -> Option<Sent> {
        self.sent.pop_front()
    }

    /// How long the line has existed, in its own time.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Bytes that the session could not use so far.
    #[must_use]
    pub fn dropped_bytes(&self) -> u64 {
        self.session.dropped_bytes()
    }

    fn instant(&self) -> Instant {
        self.origin + self.now
    }

    fn next_deadline(&self) -> Option<Duration> {
        let session = self.session.next_deadline().map(|due| due - self.origin);
        let arriving = self.arriving.front().map(|(at, _)| *at);
        session.into_iter().chain(self.reader.next_deadline()).chain(arriving).min()
    }

    /// Carries bytes both ways until neither end has more to send.
    fn exchange(&mut self) {
        loop {
            let mut moved = false;
            while let Some(transmit) = self.session.poll_transmit() {
                moved = true;
                match transmit {
                    Transmit::Baud(baud) => self.host_baud = baud,
                    Transmit::Frame(frame) => self.carry_to_reader(frame),
                }
            }
            while let Some(transmit) = self.reader.poll_transmit() {
                moved = true;
                self.carry_to_host(transmit.frame, transmit.kind, transmit.baud);
            }
            if !moved {
                return;
            }
        }
    }

    fn carry_to_reader(&mut self, mut frame: FrameBuf) {
        if !self.open {
            return;
        }
        if self.host_baud != self.reader.baud() {
            self.garble.fill(frame.as_mut());
        }
        self.reader.handle_bytes(frame.as_ref(), self.now);
    }

    fn carry_to_host(&mut self, frame: FrameBuf, kind: TransmitKind, baud: u32) {
        if !self.open || (self.arriving.len() >= OUTBOX_LEN_MAX && kind != TransmitKind::Answer) {
            return;
        }
        let mut bytes = Vec::with_capacity(frame.as_ref().len());
        let mut fate = self.wire.carry(frame.as_ref(), &mut bytes);
        if self.host_baud != baud {
            self.garble.fill(&mut bytes[..]);
            fate = Fate::Damaged;
        }
        self.sent.push_back(Sent { frame, kind, fate });
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(self.wire.fragment(rest.len()));
            self.line_free_at = self.line_free_at.max(self.now) + wire_time(piece.len(), baud);
            self.arriving.push_back((self.line_free_at, piece.to_vec()));
            rest = behind;
        }
    }
}

fn wire_time(len: usize, baud: u32) -> Duration {
    let bits = u64::try_from(len).unwrap_or(u64::MAX).saturating_mul(BITS_PER_BYTE);
    Duration::from_nanos(bits.saturating_mul(1_000_000_000) / u64::from(baud.max(1)))
}
