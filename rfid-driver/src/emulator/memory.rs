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
use crate::Epc;
use crate::clock;
use crate::codec::FrameBuf;
use crate::protocol::{Protocol, Unsupported};
use crate::session::{ReaderSettings, ReaderState, Request, Session, SessionEvent, Transmit};

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

/// A line on which a reader of `protocol` reads, as the default settings have it, one read of each
/// tag every 5 ms; `None` where it does not come to read within 20 s.
///
/// # Errors
/// Says which setting the protocol cannot have.
pub fn reading(
    protocol: &dyn Protocol,
    model: &str,
    seed: u64,
) -> Result<Option<MemoryLine>, Unsupported> {
    let reader = EmulatorSettings {
        model: Some(model.to_owned()),
        seed,
        read_interval: Duration::from_millis(5),
        ..EmulatorSettings::default()
    };
    let mut line =
        MemoryLine::new(protocol, &ReaderSettings::default(), &reader, WireFaults::NONE)?;
    line.open();
    while line.now() < Duration::from_secs(20) {
        line.pass(Duration::from_millis(5));
        while let Some(event) = line.poll_event() {
            if event == SessionEvent::State(ReaderState::Reading) {
                while line.poll_sent().is_some() {}
                return Ok(Some(line));
            }
        }
    }
    Ok(None)
}

/// At least `count` frames with reports of tags, as the reader of `line` really sends them, each
/// tag another. The EPCs begin with the protocols' own start bytes, which is the worst for a
/// deframer.
///
/// # Panics
/// If the reader hardly reads.
pub fn tag_frames(line: &mut MemoryLine, count: usize) -> Vec<FrameBuf> {
    let mut frames = Vec::new();
    let mut serials = 0..;
    for _ in 0..10 * count {
        let field: Vec<_> = serials.by_ref().take(8).map(numbered_tag).collect();
        line.set_field(&field);
        line.pass(Duration::from_millis(5) * 8);
        while line.poll_event().is_some() {}
        while let Some(sent) = line.poll_sent() {
            if sent.kind == TransmitKind::Tag {
                frames.push(sent.frame);
            }
        }
        if frames.len() >= count {
            frames.truncate(count);
            return frames;
        }
    }
    panic!("{} frames in {:?}", frames.len(), line.now());
}

/// A tag on antenna 1 with an EPC of 96 bits that holds `serial` and begins like a frame.
#[must_use]
pub fn numbered_tag(serial: u64) -> FieldTag {
    const STARTS: [u8; 6] = [0xFF, 0xA0, 0xBB, 0xAA, 0x11, 0x34];
    let start = STARTS[usize::try_from(serial % 6).unwrap_or(0)];
    let mut epc = [start, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    epc[4..].copy_from_slice(&serial.to_be_bytes());
    FieldTag::new(Epc::from(epc), -55, 1)
}

fn wire_time(len: usize, baud: u32) -> Duration {
    let bits = u64::try_from(len).unwrap_or(u64::MAX).saturating_mul(BITS_PER_BYTE);
    Duration::from_nanos(bits.saturating_mul(1_000_000_000) / u64::from(baud.max(1)))
}
