//! skeleton
use std::net::SocketAddr;
use std::path::PathBuf;

use domain::passage::LaneRole;
use domain::{Clock, LaneId, OperatorId, StationId};
use tokio::sync::mpsc;

use crate::network::Network;
use crate::plan::Plan;
pub use crate::world::{Progress, TopUp};

/// How to reach the broker.
#[derive(Clone)]
pub struct BrokerAccess {
    /// Such as `nats://127.0.0.1:4222`.
    pub url: String,
    /// The user.
    pub user: String,
    /// The password; never printed.
    pub password: String,
}

impl std::fmt::Debug for BrokerAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BrokerAccess").field("url", &self.url).field("user", &self.user).finish_non_exhaustive()
    }
}

/// What a plaza is made of.
#[derive(Debug)]
pub struct PlazaSetup {
    /// Stations, lanes and fares.
    pub network: Network,
    /// Who comes when.
    pub plan: Plan,
    /// The run's clock.
    pub clock: Clock,
    /// Of the attendants' chance.
    pub seed: u64,
    /// Where the readers' ports appear.
    pub devices_folder: PathBuf,
    /// Where the attendants work.
    pub broker: BrokerAccess,
    /// Where the truth is written.
    pub truth: PathBuf,
}

/// Why a plaza failed.
#[derive(Debug, thiserror::Error)]
pub enum PlazaError {
    /// X
    #[error("x")]
    X,
}

/// Where a lane's devices are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneDevices {
    /// The lane.
    pub lane: LaneId,
    /// What it is for.
    pub role: LaneRole,
    /// The reader's serial port.
    pub reader: PathBuf,
    /// Its block in the field I/O.
    pub field_io_index: u16,
}

/// Where a station's devices are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StationDevices {
    /// Who runs it.
    pub operator: OperatorId,
    /// The station.
    pub station: StationId,
    /// The road, where the station is on an entry/exit road.
    pub road: Option<String>,
    /// Its Modbus TCP server.
    pub field_io: SocketAddr,
    /// Its lanes.
    pub lanes: Vec<LaneDevices>,
}

/// A running plaza.
#[derive(Debug)]
pub struct Plaza {}

#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::allow_attributes_without_reason, unused)]
impl Plaza {
    /// Starts.
    pub async fn start(setup: PlazaSetup) -> Result<Self, PlazaError> {
        unimplemented!()
    }
    /// Devices
    #[must_use]
    pub fn devices(&self) -> &[StationDevices] {
        unimplemented!()
    }
    /// Lets vehicles come from now on.
    pub fn begin(&self) {
        unimplemented!()
    }
    /// How far
    #[must_use]
    pub fn progress(&self) -> Progress {
        unimplemented!()
    }
    /// The top-ups that drivers ask for; once.
    pub fn top_ups(&mut self) -> Option<mpsc::UnboundedReceiver<TopUp>> {
        unimplemented!()
    }
    /// Waits until every journey is over and the truth is written.
    pub async fn finished(&self) -> Result<(), PlazaError> {
        unimplemented!()
    }
    /// Stops everything.
    pub async fn stop(self) -> Result<(), PlazaError> {
        unimplemented!()
    }
}
