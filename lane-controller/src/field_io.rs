//! Field I/O over Modbus TCP: what the loops say, and what the arm and light are told.
//!
//! Two connections: one thread a station reads the inputs of all its lanes; each lane's own thread
//! writes its outputs, so that an open command waits for nothing. What a loop did is taken from
//! the module's edge counters, which lose nothing between two readings.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use domain::Clock;
use domain::wire::field_io::{Counter, Input, LANE_BLOCK, Output, address};
use tokio_modbus::client::sync::{Context, Reader, Writer, tcp};

use crate::lane::Inputs;

/// No answer in that real time counts as silence.
const SILENT_AFTER: Duration = Duration::from_millis(500);
/// How long to wait before asking a silent module again, in real time.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Lanes whose counters fit one request (Modbus allows 125 registers).
const LANES_PER_REQUEST: u16 = 15;

/// What the module says of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// The loops.
    pub inputs: Inputs,
    /// Times the safety loop became occupied, modulo 2¹⁶.
    pub safety_rises: u16,
    /// Whether the arm is fully up.
    pub arm_up: bool,
}

/// What the input thread tells a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldWord {
    /// The loops or the arm have changed, or the module answers again.
    Reads {
        /// What it says.
        reading: Reading,
        /// When its answer was here.
        at: Instant,
    },
    /// The module is silent.
    Silent,
}

/// Why the module could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FieldError {
    /// The line failed.
    #[error("reach the I/O module at {address}")]
    Line {
        /// The module.
        address: SocketAddr,
        /// What the line said.
        #[source]
        source: tokio_modbus::Error,
    },
    /// No connection.
    #[error("connect to the I/O module at {address}")]
    Connect {
        /// The module.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The module sent fewer values than it was asked for.
    #[error("the I/O module at {address} sent fewer values than asked for")]
    Short {
        /// The module.
        address: SocketAddr,
    },
    /// The module refused.
    #[error("the I/O module at {address} refused: {code}")]
    Refused {
        /// The module.
        address: SocketAddr,
        /// Its exception code.
        code: tokio_modbus::ExceptionCode,
    },
}

/// A connection that is made when it is needed, and again when it broke.
struct Line {
    address: SocketAddr,
    context: Option<Context>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line({}, connected: {})", self.address, self.context.is_some())
    }
}

impl Line {
    fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Context) -> tokio_modbus::Result<T>,
    ) -> Result<T, FieldError> {
        let address = self.address;
        if self.context.is_none() {
            let context = tcp::connect_with_timeout(address, Some(SILENT_AFTER))
                .map_err(|source| FieldError::Connect { address, source })?;
            self.context = Some(context);
        }
        let Some(context) = &mut self.context else {
            unreachable!("the connection was made above")
        };
        match call(context) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(code)) => Err(FieldError::Refused { address, code }),
            Err(source) => {
                self.context = None;
                Err(FieldError::Line { address, source })
            }
        }
    }
}

/// The outputs of one lane.
#[derive(Debug)]
pub struct Outputs {
    line: Line,
    index: u16,
}

impl Outputs {
    /// The outputs of the lane with this block.
    #[must_use]
    pub fn new(module: SocketAddr, index: u16) -> Self {
        Self { line: Line { address: module, context: None }, index }
    }

    /// Connects before the first vehicle comes, where the module is there. Blocks: to be called
    /// on the lane's own thread, as everything here.
    pub fn connect(&mut self) {
        let index = self.index;
        if let Err(error) = self.line.call(|context| context.read_coils(address(index, 0), 1)) {
            tracing::warn!(error = &error as &dyn std::error::Error, "outputs are not there yet");
        }
    }

    /// Sets an output; a second try is made on a fresh connection.
    ///
    /// # Errors
    /// When both fail.
    pub fn set(&mut self, output: Output, on: bool) -> Result<(), FieldError> {
        let at = address(self.index, output as u16);
        self.line
            .call(|context| context.write_single_coil(at, on))
            .or_else(|_broken| self.line.call(|context| context.write_single_coil(at, on)))
    }

    /// Raises the arm and shows green, in one telegram.
    ///
    /// # Errors
    /// When the module cannot be reached twice.
    pub fn open(&mut self) -> Result<(), FieldError> {
        let at = address(self.index, Output::Open as u16);
        // Open, close, green: neighbours in the lane's block.
        let coils = [true, false, true];
        self.line
            .call(|context| context.write_multiple_coils(at, &coils))
            .or_else(|_broken| self.line.call(|context| context.write_multiple_coils(at, &coils)))
    }
}

/// Reads the inputs of a station's lanes until it is dropped.
#[derive(Debug)]
pub struct InputThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl InputThread {
    /// Starts reading every `period` (real time) and calls `tell` with a lane's place in `indices`
    /// whenever that lane's reading changed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        module: SocketAddr,
        indices: Vec<u16>,
        period: Duration,
        clock: Clock,
        mut tell: impl FnMut(usize, FieldWord) + Send + 'static,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread =
            std::thread::Builder::new().name("field-inputs".to_owned()).spawn(move || {
                let mut line = Line { address: module, context: None };
                let mut last: Vec<Option<Reading>> = vec![None; indices.len()];
                let mut silent = false;
                while !stopped.load(Ordering::Relaxed) {
                    match read_all(&mut line, &indices) {
                        Ok(readings) => {
                            silent = false;
                            let at = clock.real();
                            for (place, reading) in readings.into_iter().enumerate() {
                                if last[place] != Some(reading) {
                                    last[place] = Some(reading);
                                    tell(place, FieldWord::Reads { reading, at });
                                }
                            }
                            std::thread::park_timeout(period);
                        }
                        Err(error) => {
                            if !silent {
                                tracing::error!(
                                    error = &error as &dyn std::error::Error,
                                    "loops are silent"
                                );
                                (0..indices.len()).for_each(|place| tell(place, FieldWord::Silent));
                            }
                            silent = true;
                            last.fill(None);
                            std::thread::park_timeout(ASK_AGAIN_AFTER);
                        }
                    }
                }
            })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for InputThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A thread that panicked has said so already.
            drop(thread.join());
        }
    }
}

fn read_all(line: &mut Line, indices: &[u16]) -> Result<Vec<Reading>, FieldError> {
    let lanes = indices.iter().max().map_or(0, |last| last + 1);
    let mut counters = Vec::with_capacity(usize::from(lanes * LANE_BLOCK));
    let mut first = 0;
    while first < lanes {
        let count = LANES_PER_REQUEST.min(lanes - first) * LANE_BLOCK;
        let part = line.call(|context| {
            context.set_timeout(SILENT_AFTER);
            context.read_input_registers(address(first, 0), count)
        })?;
        counters.extend(part);
        first += LANES_PER_REQUEST;
    }
    let levels = line.call(|context| context.read_discrete_inputs(0, lanes * LANE_BLOCK))?;
    let wanted = usize::from(lanes * LANE_BLOCK);
    if counters.len() < wanted || levels.len() < wanted {
        return Err(FieldError::Short { address: line.address });
    }
    Ok(indices
        .iter()
        .map(|&index| {
            let counter = |which: Counter| counters[usize::from(address(index, which as u16))];
            let presence_rises = counter(Counter::PresenceRise);
            let presence_falls = counter(Counter::PresenceFall);
            let safety_rises = counter(Counter::SafetyRise);
            let safety_falls = counter(Counter::SafetyFall);
            Reading {
                inputs: Inputs {
                    // Levels follow from the counters, so that all of it is of one instant.
                    presence: presence_rises != presence_falls,
                    safety: safety_rises != safety_falls,
                    presence_rises,
                    presence_falls,
                    safety_falls,
                },
                safety_rises,
                arm_up: levels[usize::from(address(index, Input::ArmUp as u16))],
            }
        })
        .collect())
}
