//! The field I/O of a station: a Modbus module between the lanes' loops and arms and their
//! controller, on the network or on a serial bus. The register map is [`domain::wire::field_io`].
//!
//! The world writes inputs and counters, the controller reads them; pulses go the other way and
//! wait here for the world's next step. A pulse coil reads back as false: the module times it.
//! What the map leaves open in a lane's block reads as zero and cannot be written.

use std::future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::wire::field_io::{Counter, Input, LANE_BLOCK, Output};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_modbus::server::Service;
use tokio_modbus::server::rtu::Server as RtuServer;
use tokio_modbus::server::tcp::Server;
use tokio_modbus::{ExceptionCode, Request, Response};
use tokio_serial::{SerialPort as _, SerialStream};

use crate::road::{LaneRoad, Pulse};

/// The most bits and registers that one request may ask for (MODBUS Application Protocol V1.1b3,
/// 6.1 to 6.4).
const BITS_MAX: u16 = 2000;
const REGISTERS_MAX: u16 = 125;

/// One lane's points.
#[derive(Debug, Default)]
struct LanePoints {
    inputs: AtomicU8,
    counters: [AtomicU16; 4],
    green: AtomicBool,
    pulses: Mutex<Vec<Pulse>>,
}

/// The points of all lanes of a station.
#[derive(Debug)]
pub(crate) struct StationPoints {
    lanes: Vec<LanePoints>,
    /// Whether the module refuses everything.
    failing: AtomicBool,
}

impl StationPoints {
    pub(crate) fn new(lanes: usize) -> Self {
        let lanes = (0..lanes).map(|_| LanePoints::default()).collect();
        Self { lanes, failing: AtomicBool::new(false) }
    }

    /// Lets the module fail, or mends it; what its lanes do meanwhile is counted all the same.
    pub(crate) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Release);
    }

    /// Shows what a lane's loops and arm say now.
    pub(crate) fn show(&self, lane: usize, road: &LaneRoad) {
        let Some(points) = self.lanes.get(lane) else { return };
        let inputs = road.inputs();
        let bits = [
            (Input::Presence, inputs.presence),
            (Input::Safety, inputs.safety),
            (Input::ArmUp, inputs.arm_up),
            (Input::ArmDown, inputs.arm_down),
        ];
        let word = bits.iter().fold(0, |word, (bit, on)| word | (u8::from(*on) << *bit as u16));
        let (presence, safety) = (road.presence_edges(), road.safety_edges());
        // Counters first: who sees an input change finds its edge counted.
        for (counter, count) in [
            (Counter::PresenceRise, presence.rises),
            (Counter::PresenceFall, presence.falls),
            (Counter::SafetyRise, safety.rises),
            (Counter::SafetyFall, safety.falls),
        ] {
            points.counters[counter as usize].store(count, Ordering::Release);
        }
        points.inputs.store(word, Ordering::Release);
    }

    /// The pulses that have come for a lane's arm, in their order.
    pub(crate) fn take_pulses(&self, lane: usize) -> Vec<Pulse> {
        let Some(points) = self.lanes.get(lane) else { return Vec::new() };
        std::mem::take(&mut *points.pulses.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn point(&self, address: u16) -> Result<(&LanePoints, u16), ExceptionCode> {
        let lane = self.lanes.get(usize::from(address / LANE_BLOCK));
        lane.map(|points| (points, address % LANE_BLOCK)).ok_or(ExceptionCode::IllegalDataAddress)
    }

    fn input(&self, address: u16) -> Result<bool, ExceptionCode> {
        let (points, offset) = self.point(address)?;
        Ok(points.inputs.load(Ordering::Acquire) >> offset & 1 == 1)
    }

    fn counter(&self, address: u16) -> Result<u16, ExceptionCode> {
        let (points, offset) = self.point(address)?;
        let counter = points.counters.get(usize::from(offset));
        Ok(counter.map_or(0, |counter| counter.load(Ordering::Acquire)))
    }

    fn coil(&self, address: u16) -> Result<bool, ExceptionCode> {
        let (points, offset) = self.point(address)?;
        Ok(offset == Output::Green as u16 && points.green.load(Ordering::Acquire))
    }

    fn write_coil(&self, address: u16, on: bool) -> Result<(), ExceptionCode> {
        let (points, offset) = self.point(address)?;
        let pulse = |pulse| {
            if on {
                points.pulses.lock().unwrap_or_else(PoisonError::into_inner).push(pulse);
            }
        };
        match offset {
            o if o == Output::Open as u16 => pulse(Pulse::Open),
            o if o == Output::Close as u16 => pulse(Pulse::Close),
            o if o == Output::Green as u16 => points.green.store(on, Ordering::Release),
            // Nobody hears the siren of a simulated plaza.
            o if o == Output::Siren as u16 => {}
            _ => return Err(ExceptionCode::IllegalDataAddress),
        }
        Ok(())
    }

    fn answer(&self, request: &Request<'_>) -> Result<Response, ExceptionCode> {
        if self.failing.load(Ordering::Acquire) {
            return Err(ExceptionCode::ServerDeviceFailure);
        }
        match request {
            Request::ReadDiscreteInputs(first, count) => {
                let read = span(*first, *count, BITS_MAX)?.map(|address| self.input(address));
                read.collect::<Result<_, _>>().map(Response::ReadDiscreteInputs)
            }
            Request::ReadInputRegisters(first, count) => {
                let read =
                    span(*first, *count, REGISTERS_MAX)?.map(|address| self.counter(address));
                read.collect::<Result<_, _>>().map(Response::ReadInputRegisters)
            }
            Request::ReadCoils(first, count) => {
                let read = span(*first, *count, BITS_MAX)?.map(|address| self.coil(address));
                read.collect::<Result<_, _>>().map(Response::ReadCoils)
            }
            Request::WriteSingleCoil(address, on) => {
                self.write_coil(*address, *on)?;
                Ok(Response::WriteSingleCoil(*address, *on))
            }
            Request::WriteMultipleCoils(first, coils) => {
                let count = u16::try_from(coils.len())
                    .map_err(|_too_many| ExceptionCode::IllegalDataValue)?;
                for (address, on) in span(*first, count, BITS_MAX)?.zip(coils.iter()) {
                    self.write_coil(address, *on)?;
                }
                Ok(Response::WriteMultipleCoils(*first, count))
            }
            _ => Err(ExceptionCode::IllegalFunction),
        }
    }
}

/// The addresses of a request.
fn span(first: u16, count: u16, count_max: u16) -> Result<std::ops::Range<u16>, ExceptionCode> {
    if count == 0 || count > count_max {
        return Err(ExceptionCode::IllegalDataValue);
    }
    let end = first.checked_add(count).ok_or(ExceptionCode::IllegalDataAddress)?;
    Ok(first..end)
}

#[derive(Debug, Clone)]
struct PointService(Arc<StationPoints>);

impl Service for PointService {
    type Request = Request<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = future::Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Request<'static>) -> Self::Future {
        future::ready(self.0.answer(&request))
    }
}

/// A running Modbus TCP server. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct FieldIoServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl FieldIoServer {
    /// Serves a station's points on a free port of the loopback.
    pub(crate) async fn start(points: Arc<StationPoints>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let server = Server::new(listener);
        let task = tokio::spawn(async move {
            let on_connected = |stream: tokio::net::TcpStream, _from| {
                let service = PointService(Arc::clone(&points));
                async move {
                    // A controller that went away at once is no reason to stop serving.
                    Ok(stream.set_nodelay(true).ok().map(|()| (service, stream)))
                }
            };
            let on_process_error = |error: io::Error| {
                tracing::debug!(error = &error as &dyn std::error::Error, "field I/O line ended");
            };
            if let Err(error) = server.serve(&on_connected, on_process_error).await {
                tracing::error!(error = &error as &dyn std::error::Error, "field I/O stopped");
            }
        });
        Ok(Self { address, task })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A module on a serial bus of its own, made of a pseudo-terminal. Dropping it pulls the cable.
pub(crate) struct FieldIoBus {
    port: PathBuf,
    task: JoinHandle<()>,
    /// Its own hand on the controller's end keeps the bus whole while no controller is there.
    _controllers_end: SerialStream,
}

impl FieldIoBus {
    /// Serves a station's points under every address of the bus.
    pub(crate) fn start(points: Arc<StationPoints>) -> io::Result<Self> {
        let (modules_end, controllers_end) = SerialStream::pair()?;
        let port = controllers_end.name().map(PathBuf::from).ok_or(io::ErrorKind::NotFound)?;
        let server = RtuServer::new(modules_end);
        let task = tokio::spawn(async move {
            if let Err(error) = server.serve_forever(PointService(points)).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "field I/O bus ended");
            }
        });
        Ok(Self { port, task, _controllers_end: controllers_end })
    }

    pub(crate) fn port(&self) -> &Path {
        &self.port
    }
}

impl Drop for FieldIoBus {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Drop for FieldIoServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
