//! The I/O module of one lane: a real Modbus TCP server, with the instant at which each open
//! command arrives.

use std::future::{self, Ready};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use domain::Clock;
use domain::wire::field_io::{Counter, Output};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::Server;
use tokio_modbus::{ExceptionCode, Request, Response};

use crate::Failed;

#[derive(Debug)]
struct Points {
    /// By [`Counter`].
    counters: [AtomicU16; 4],
    readings: AtomicU64,
    opened: Sender<Instant>,
    clock: Clock,
}

impl Points {
    fn answer(&self, request: &Request<'_>) -> Result<Response, ExceptionCode> {
        match request {
            Request::ReadInputRegisters(0, count) => {
                self.readings.fetch_add(1, Ordering::Release);
                let value = |at: u16| {
                    let counter = self.counters.get(usize::from(at));
                    counter.map_or(0, |counter| counter.load(Ordering::Acquire))
                };
                Ok(Response::ReadInputRegisters((0..*count).map(value).collect()))
            }
            // The arm's position is nobody's matter here.
            Request::ReadDiscreteInputs(_, count) => {
                Ok(Response::ReadDiscreteInputs(vec![false; usize::from(*count)]))
            }
            Request::ReadCoils(_, count) => {
                Ok(Response::ReadCoils(vec![false; usize::from(*count)]))
            }
            Request::WriteSingleCoil(at, on) => Ok(Response::WriteSingleCoil(*at, *on)),
            Request::WriteMultipleCoils(first, coils) => {
                if *first == Output::Open as u16 && coils.first() == Some(&true) {
                    // Nobody waits for the arm any more at the very end.
                    self.opened.send(self.clock.real()).ok();
                }
                let count = u16::try_from(coils.len())
                    .map_err(|_too_many| ExceptionCode::IllegalDataValue)?;
                Ok(Response::WriteMultipleCoils(*first, count))
            }
            _ => Err(ExceptionCode::IllegalFunction),
        }
    }

    fn count(&self, counter: Counter) {
        self.counters[counter as usize].fetch_add(1, Ordering::AcqRel);
    }
}

#[derive(Debug, Clone)]
struct PointService(Arc<Points>);

impl Service for PointService {
    type Request = Request<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Request<'static>) -> Self::Future {
        future::ready(self.0.answer(&request))
    }
}

/// A running I/O module; dropping it stops it.
#[derive(Debug)]
pub(super) struct IoModule {
    address: SocketAddr,
    points: Arc<Points>,
    opened: Receiver<Instant>,
    _runtime: Runtime,
}

impl IoModule {
    pub(super) fn start(clock: Clock) -> Result<Self, Failed> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let (tell_opened, opened) = channel();
        let points = Arc::new(Points {
            counters: Default::default(),
            readings: AtomicU64::new(0),
            opened: tell_opened,
            clock,
        });
        let served = Arc::clone(&points);
        runtime.spawn(async move {
            let on_connected = |stream: tokio::net::TcpStream, _from| {
                let service = PointService(Arc::clone(&served));
                async move { Ok(stream.set_nodelay(true).ok().map(|()| (service, stream))) }
            };
            // A line that ends is a lane that ends.
            Server::new(listener).serve(&on_connected, |_ended| {}).await
        });
        Ok(Self { address, points, opened, _runtime: runtime })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often the inputs have been read.
    pub(super) fn readings(&self) -> u64 {
        self.points.readings.load(Ordering::Acquire)
    }

    /// When the arm was told to rise, each time.
    pub(super) fn opened(&self) -> &Receiver<Instant> {
        &self.opened
    }

    /// A vehicle comes onto the presence loop.
    pub(super) fn vehicle_arrives(&self) {
        self.points.count(Counter::PresenceRise);
    }

    /// It goes on under the arm, and is gone.
    pub(super) fn vehicle_leaves(&self) {
        self.points.count(Counter::PresenceFall);
        self.points.count(Counter::SafetyRise);
        self.points.count(Counter::SafetyFall);
    }
}
