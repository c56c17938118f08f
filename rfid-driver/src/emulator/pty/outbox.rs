//! What is on its way from the reader to the host: on the wire, then in the host's adapter, then in
//! the line's own buffer.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::mem;
use std::time::{Duration, Instant};

use super::ready;
use super::terminal::Terminal;
use crate::codec::FrameBuf;
use crate::emulator::TransmitKind;
use crate::emulator::wire::{Fate, hear};

/// How soon a full line is tried again.
const FULL_LINE_PAUSE: Duration = Duration::from_millis(2);
/// Frames that wait for a slow line before reports are dropped, as a real module's buffer does.
const FRAMES_MAX: usize = 64;
/// An FTDI adapter hands on what it has when a USB packet is full: 64 bytes, two of them its own.
const ADAPTER_LEN: usize = 62;

/// Bytes that arrive at the host together.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// At which rate they are sent.
    pub(super) baud: u32,
    /// How long they are on the wire, behind everything before them.
    pub(super) wire_time: Duration,
    /// The frame that ends with them.
    pub(super) ends: Option<SentFrame>,
}

/// A frame, and what became of it.
#[derive(Debug)]
pub(super) struct SentFrame {
    pub(super) frame: FrameBuf,
    pub(super) kind: TransmitKind,
    pub(super) fate: Fate,
}

/// How the host's end takes what arrives.
#[derive(Debug, Clone, Copy)]
pub(super) struct HostEnd {
    /// How long its adapter keeps bytes in case more come.
    pub(super) adapter_latency: Option<Duration>,
    /// The rate it listens at; `None` for whatever it is sent at.
    pub(super) baud: Option<u32>,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    // With the instant at which its last byte has crossed the wire.
    wire: VecDeque<(Instant, Piece)>,
    frames_waiting: usize,
    // When the wire is free for the next piece.
    wire_free_at: Option<Instant>,
    // Whether part of the frame that is arriving was already heard wrong.
    is_damaged: bool,
    // What has arrived, and the frames that end so many bytes into it.
    arrived: Vec<u8>,
    ends: VecDeque<(usize, SentFrame)>,
    // How much of it may be handed on, and when the adapter will hand on the rest.
    released: usize,
    release_at: Option<Instant>,
    // While the line takes no more: when to try again.
    retry_at: Option<Instant>,
}

impl Outbox {
    /// Whether a real module would drop a report now.
    pub(super) fn is_full(&self) -> bool {
        self.retry_at.is_some() || self.frames_waiting >= FRAMES_MAX
    }

    pub(super) fn push(&mut self, piece: Piece, now: Instant) {
        let arrives_at = self.wire_free_at.map_or(now, |free| free.max(now)) + piece.wire_time;
        self.wire_free_at = Some(arrives_at);
        self.frames_waiting += usize::from(piece.ends.is_some());
        self.wire.push_back((arrives_at, piece));
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let arrival = self.wire.front().map(|(arrives_at, _)| *arrives_at);
        self.retry_at.or_else(|| arrival.into_iter().chain(self.release_at).min())
    }

    /// Hands on what has arrived by `now`, as far as the line takes it, and calls `sent` with each
    /// frame whose last byte went.
    pub(super) fn write(
        &mut self,
        terminal: &Terminal,
        host: HostEnd,
        now: Instant,
        mut sent: impl FnMut(SentFrame),
    ) -> io::Result<()> {
        if self.retry_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        self.retry_at = None;
        loop {
            self.flush(terminal, now, &mut sent)?;
            let due = self.wire.front().is_some_and(|(arrives_at, _)| *arrives_at <= now);
            if self.retry_at.is_some() || !due {
                break;
            }
            if let Some((arrives_at, piece)) = self.wire.pop_front() {
                self.arrive(piece, arrives_at, host);
            }
        }
        if self.release_at.is_some_and(|at| at <= now) {
            self.release_at = None;
            self.released = self.arrived.len();
            self.flush(terminal, now, &mut sent)?;
        }
        Ok(())
    }

    fn arrive(&mut self, piece: Piece, at: Instant, host: HostEnd) {
        let before = self.arrived.len();
        hear(&piece.bytes, piece.baud, host.baud.unwrap_or(piece.baud), &mut self.arrived);
        self.is_damaged |= self.arrived[before..] != piece.bytes;
        if let Some(mut frame) = piece.ends {
            self.frames_waiting -= 1;
            if mem::take(&mut self.is_damaged) {
                frame.fate = Fate::Damaged;
            }
            self.ends.push_back((self.arrived.len(), frame));
        }
        match host.adapter_latency {
            None => self.released = self.arrived.len(),
            Some(latency) => {
                let packets = self.arrived.len() / ADAPTER_LEN;
                self.released = self.released.max(packets * ADAPTER_LEN);
                if self.released < self.arrived.len() {
                    self.release_at.get_or_insert(at + latency);
                } else {
                    self.release_at = None;
                }
            }
        }
    }

    fn flush(
        &mut self,
        terminal: &Terminal,
        now: Instant,
        sent: &mut impl FnMut(SentFrame),
    ) -> io::Result<()> {
        while self.released > 0 {
            match ready((&terminal.master).write(&self.arrived[..self.released]))? {
                None | Some(0) => {
                    self.retry_at = Some(now + FULL_LINE_PAUSE);
                    return Ok(());
                }
                Some(len) => {
                    self.arrived.drain(..len);
                    self.released -= len;
                    for (end, _) in &mut self.ends {
                        *end = end.saturating_sub(len);
                    }
                }
            }
            while let Some((_, frame)) = self.ends.pop_front_if(|(end, _)| *end == 0) {
                sent(frame);
            }
        }
        // A frame of which nothing at all was heard ends with no byte.
        while let Some((_, frame)) = self.ends.pop_front_if(|(end, _)| *end == 0) {
            sent(frame);
        }
        Ok(())
    }
}
