//! A Modbus I/O module: over TCP, or as RTU on a serial bus.
//!
//! Over TCP there are two kinds of connection: one thread a station reads the inputs of all its
//! lanes; each lane's own thread writes its outputs, so that an open command waits for nothing. A
//! serial bus is one line that they take turns on, a telegram each. What a loop did is taken from
//! the module's edge counters, which lose nothing between two readings.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use domain::Clock;
use domain::wire::field_io::{Counter, Input, LANE_BLOCK, Output, address};
use tokio_modbus::client::sync::{Context, Reader, Writer, rtu, tcp};
use tokio_modbus::slave::Slave;

use super::{FieldError, FieldWord, Reading};
use crate::lane::Inputs;

/// No answer in that real time counts as silence.
const SILENT_AFTER: Duration = Duration::from_millis(500);
/// How long to wait before asking a silent module again, in real time.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Lanes whose counters fit one request (Modbus allows 125 registers).
const LANES_PER_REQUEST: u16 = 15;

/// Where a module is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On the network.
    Tcp(SocketAddr),
    /// On a serial bus, 8N1.
    Rtu {
        /// The bus's port.
        port: PathBuf,
        /// The bus's speed.
        baud: u32,
        /// The module's address on the bus.
        unit: u8,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Rtu { port, unit, .. } => write!(f, "{} unit {unit}", port.display()),
        }
    }
}

/// A connection that is made when it is needed, and again when it broke.
struct Line {
    module: Place,
    context: Option<Context>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({}, connected: {})", self.module, self.context.is_some())
    }
}

impl Line {
    fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Context) -> tokio_modbus::Result<T>,
    ) -> Result<T, FieldError> {
        if self.context.is_none() {
            self.context = Some(self.connect()?);
        }
        let Some(context) = &mut self.context else {
            unreachable!("the connection was made above")
        };
        match call(context) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(code)) => Err(FieldError::Refused { module: self.module.clone(), code }),
            Err(source) => {
                self.context = None;
                Err(FieldError::Line { module: self.module.clone(), source })
            }
        }
    }

    fn connect(&self) -> Result<Context, FieldError> {
        let connected = match &self.module {
            Place::Tcp(address) => tcp::connect_with_timeout(*address, Some(SILENT_AFTER)),
            Place::Rtu { port, baud, unit } => {
                let port = tokio_serial::new(port.to_string_lossy(), *baud);
                rtu::connect_slave_with_timeout(&port, Slave(*unit), Some(SILENT_AFTER))
            }
        };
        connected.map_err(|source| FieldError::Connect { module: self.module.clone(), source })
    }
}

/// A way to a module. Clones share one line, and take turns on it.
#[derive(Debug, Clone)]
pub struct Bus(Arc<Mutex<Line>>);

impl Bus {
    /// A line of one's own to a module on the network.
    #[must_use]
    pub fn tcp(module: SocketAddr) -> Self {
        Self::to(Place::Tcp(module))
    }

    /// A line to a module.
    #[must_use]
    pub fn to(module: Place) -> Self {
        Self(Arc::new(Mutex::new(Line { module, context: None })))
    }

    fn call<T>(
        &self,
        call: impl FnOnce(&mut Context) -> tokio_modbus::Result<T>,
    ) -> Result<T, FieldError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).call(call)
    }

    /// A way for a lane's outputs: over TCP a line of its own, on a serial bus this one.
    #[must_use]
    pub fn for_outputs(&self) -> Self {
        match self.module() {
            module @ Place::Tcp(_) => Self::to(module),
            Place::Rtu { .. } => self.clone(),
        }
    }

    fn module(&self) -> Place {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).module.clone()
    }
}

/// The outputs of one lane.
#[derive(Debug)]
pub struct Outputs {
    bus: Bus,
    index: u16,
}

impl Outputs {
    /// The outputs of the lane with this block.
    #[must_use]
    pub fn new(bus: &Bus, index: u16) -> Self {
        Self { bus: bus.clone(), index }
    }

    pub(super) fn another(&self) -> Self {
        Self { bus: self.bus.for_outputs(), index: self.index }
    }

    pub(super) fn connect(&self) {
        let index = self.index;
        if let Err(error) = self.bus.call(|context| context.read_coils(address(index, 0), 1)) {
            tracing::warn!(error = &error as &dyn std::error::Error, "outputs are not there yet");
        }
    }

    /// Sets an output; a second try is made on a fresh connection.
    pub(super) fn set(&self, output: Output, on: bool) -> Result<(), FieldError> {
        let at = address(self.index, output as u16);
        self.bus
            .call(|context| context.write_single_coil(at, on))
            .or_else(|_broken| self.bus.call(|context| context.write_single_coil(at, on)))
    }

    pub(super) fn open(&self) -> Result<(), FieldError> {
        let at = address(self.index, Output::Open as u16);
        // Open, close, green: neighbours in the lane's block.
        let coils = [true, false, true];
        self.bus
            .call(|context| context.write_multiple_coils(at, &coils))
            .or_else(|_broken| self.bus.call(|context| context.write_multiple_coils(at, &coils)))
    }
}

impl From<SocketAddr> for Bus {
    fn from(module: SocketAddr) -> Self {
        Self::tcp(module)
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
        bus: impl Into<Bus>,
        indices: Vec<u16>,
        period: Duration,
        clock: Clock,
        mut tell: impl FnMut(usize, FieldWord) + Send + 'static,
    ) -> std::io::Result<Self> {
        let bus = bus.into();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread =
            std::thread::Builder::new().name("field-inputs".to_owned()).spawn(move || {
                let mut last: Vec<Option<Reading>> = vec![None; indices.len()];
                let mut silent = false;
                while !stopped.load(Ordering::Relaxed) {
                    match read_all(&bus, &indices) {
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

fn read_all(bus: &Bus, indices: &[u16]) -> Result<Vec<Reading>, FieldError> {
    let lanes = indices.iter().max().map_or(0, |last| last + 1);
    let mut counters = Vec::with_capacity(usize::from(lanes * LANE_BLOCK));
    let mut first = 0;
    while first < lanes {
        let count = LANES_PER_REQUEST.min(lanes - first) * LANE_BLOCK;
        let part = bus.call(|context| {
            context.set_timeout(SILENT_AFTER);
            context.read_input_registers(address(first, 0), count)
        })?;
        counters.extend(part);
        first += LANES_PER_REQUEST;
    }
    let levels = bus.call(|context| context.read_discrete_inputs(0, lanes * LANE_BLOCK))?;
    let wanted = usize::from(lanes * LANE_BLOCK);
    if counters.len() < wanted || levels.len() < wanted {
        return Err(FieldError::Short { module: bus.module() });
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
