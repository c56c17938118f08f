//! One protocol's view of a stream of bytes: every intact frame of either direction, in order.
//!
//! A capture does not say who sent what, so both directions are cut out of the same bytes. Where
//! their frames overlap, the one is kept that explains more.

use rfid_driver::codec::Direction;
use rfid_driver::deframe::Deframe;
use rfid_driver::protocol::Protocol;

use super::interpretation::{Interpretation, Interpreter};

/// A frame in a stream.
#[derive(Debug)]
pub(super) struct FoundFrame {
    /// How many bytes of the stream stand before it.
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) interpretation: Interpretation,
}

impl FoundFrame {
    pub(super) fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

/// The frames of one protocol in a stream.
#[derive(Debug)]
pub(super) struct Track {
    protocol: &'static dyn Protocol,
    interpreter: Interpreter,
    scanners: Vec<Scanner>,
    // Not yet certain: what another scanner is still looking at may overlap them. By offset.
    pending: Vec<FoundFrame>,
    certain: Vec<FoundFrame>,
    explained_bytes: u64,
}

impl Track {
    pub(super) fn new(protocol: &'static dyn Protocol, interpreter: &Interpreter) -> Self {
        let scanners = interpreter
            .directions(None)
            .into_iter()
            .map(|direction| Scanner {
                direction,
                deframer: protocol.deframer(direction),
                delivered: 0,
            })
            .collect();
        Self {
            protocol,
            interpreter: interpreter.clone(),
            scanners,
            pending: Vec::new(),
            certain: Vec::new(),
            explained_bytes: 0,
        }
    }

    /// Takes the next bytes of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let Self { protocol, interpreter, scanners, pending, .. } = self;
        for scanner in scanners {
            let mut rest = bytes;
            while !rest.is_empty() {
                rest = scanner.deframer.push(rest);
                scanner.scan(|offset, direction, bytes| {
                    let interpretation =
                        interpreter.interpret(bytes, Some(*protocol), Some(direction));
                    pending.push(FoundFrame { offset, bytes: bytes.to_vec(), interpretation });
                });
            }
        }
        let decided = self.scanners.iter().map(Scanner::position).min().unwrap_or(0);
        self.settle(decided);
    }

    /// No more bytes come: what waits for more is looked past.
    pub(super) fn finish(&mut self) {
        let Self { protocol, interpreter, scanners, pending, .. } = self;
        for scanner in scanners {
            scanner.deframer.handle_silence();
            scanner.scan(|offset, direction, bytes| {
                let interpretation = interpreter.interpret(bytes, Some(*protocol), Some(direction));
                pending.push(FoundFrame { offset, bytes: bytes.to_vec(), interpretation });
            });
        }
        self.settle(u64::MAX);
    }

    /// The frames that have become certain, in order.
    pub(super) fn take(&mut self) -> Vec<FoundFrame> {
        std::mem::take(&mut self.certain)
    }

    /// How many frames wait to be taken.
    pub(super) fn certain_count(&self) -> usize {
        self.certain.len()
    }

    /// How many bytes frames with a meaning have explained.
    pub(super) fn explained_bytes(&self) -> u64 {
        self.explained_bytes
    }

    /// Makes frames certain that end before `decided`: up to there every scanner has looked.
    fn settle(&mut self, decided: u64) {
        // Stable, so that of two equal ones the reader's stays in front.
        self.pending.sort_by_key(|frame| frame.offset);
        let mut waiting = std::mem::take(&mut self.pending).into_iter().peekable();
        while let Some(mut frame) = waiting.next() {
            while let Some(rival) = waiting.next_if(|rival| rival.offset < frame.end()) {
                if rival.interpretation.rank() > frame.interpretation.rank() {
                    frame = rival;
                }
            }
            if frame.end() > decided {
                self.pending.push(frame);
                self.pending.extend(waiting);
                return;
            }
            if frame.interpretation.is_good() {
                self.explained_bytes += frame.bytes.len() as u64;
            }
            self.certain.push(frame);
        }
    }
}

/// One direction of the line.
#[derive(Debug)]
struct Scanner {
    direction: Direction,
    deframer: Box<dyn Deframe>,
    // Bytes of frames that it has handed out.
    delivered: u64,
}

impl Scanner {
    fn scan(&mut self, mut found: impl FnMut(u64, Direction, &[u8])) {
        // Every byte before the frame was dropped or handed out.
        while let Some(frame) = self.deframer.next_frame() {
            let bytes = frame.to_vec();
            found(self.position(), self.direction, &bytes);
            self.delivered += bytes.len() as u64;
        }
    }

    /// Up to where it has decided what the bytes are.
    fn position(&self) -> u64 {
        self.deframer.dropped_bytes() + self.delivered
    }
}
