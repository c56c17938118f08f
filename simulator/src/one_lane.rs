//! A lane on its own: one road and the device between it and a controller, without a world.
//!
//! For tests and for trying a controller's field I/O: the same road stands behind a Modbus module
//! or a relay card, and whoever holds it lets time pass.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::field_io::{FieldIoBus, FieldIoServer, StationPoints};
use crate::relay_card::RelayCard;
use crate::road::{CrossingKey, LaneRoad, STEP_MAX};

enum Device {
    Modbus {
        points: Arc<StationPoints>,
        _server: Served,
    },
    Card(RelayCard),
    /// A card whose cable is pulled, and where its port was.
    CardAway(PathBuf),
}

/// What serves a module's points, for as long as it is kept.
enum Served {
    OnNetwork { _server: FieldIoServer },
    OnBus { _bus: FieldIoBus },
}

/// A lane on its own.
pub struct OneLane {
    road: LaneRoad,
    device: Option<Device>,
    now: Duration,
    came: u64,
}

impl std::fmt::Debug for OneLane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OneLane").field("now", &self.now).finish_non_exhaustive()
    }
}

impl OneLane {
    /// A lane behind block 0 of a Modbus TCP module on the loopback.
    ///
    /// # Errors
    /// When the system gives no port.
    pub async fn behind_modbus() -> io::Result<(Self, SocketAddr)> {
        let points = Arc::new(StationPoints::new(1));
        let server = FieldIoServer::start(Arc::clone(&points)).await?;
        let address = server.address();
        let server = Served::OnNetwork { _server: server };
        Ok((Self::of(Device::Modbus { points, _server: server }), address))
    }

    /// A lane behind a Modbus module on a serial bus, and the bus's port.
    ///
    /// # Errors
    /// When the system gives no pseudo-terminal.
    pub fn behind_modbus_bus() -> io::Result<(Self, PathBuf)> {
        let points = Arc::new(StationPoints::new(1));
        let bus = FieldIoBus::start(Arc::clone(&points))?;
        let port = bus.port().to_owned();
        let server = Served::OnBus { _bus: bus };
        Ok((Self::of(Device::Modbus { points, _server: server }), port))
    }

    /// A lane behind a relay card, whose port appears as `link`.
    ///
    /// # Errors
    /// When the system gives no pseudo-terminal, or the link cannot be made.
    pub fn behind_relay_card(link: &Path) -> io::Result<Self> {
        RelayCard::start(link).map(|card| Self::of(Device::Card(card)))
    }

    fn of(device: Device) -> Self {
        Self { road: LaneRoad::new(), device: Some(device), now: Duration::ZERO, came: 0 }
    }

    /// Lets a car come.
    pub fn car_comes(&mut self) {
        self.came += 1;
        self.road.appear(CrossingKey(self.came), 4.5, 7.0);
    }

    /// Lets one step of the road pass, and the device speak and listen.
    ///
    /// # Errors
    /// When the device's line failed.
    pub fn step(&mut self) -> io::Result<()> {
        let pulses = match &mut self.device {
            Some(Device::Modbus { points, .. }) => points.take_pulses(0),
            Some(Device::Card(card)) => card.listen()?,
            Some(Device::CardAway(_)) | None => Vec::new(),
        };
        pulses.into_iter().for_each(|pulse| self.road.handle_pulse(pulse));
        self.road.step(STEP_MAX, &mut Vec::new());
        self.now += STEP_MAX;
        match &mut self.device {
            Some(Device::Modbus { points, .. }) => points.show(0, &self.road),
            Some(Device::Card(card)) => card.speak(self.road.inputs(), self.now)?,
            Some(Device::CardAway(_)) | None => {}
        }
        Ok(())
    }

    /// Takes the device away, as when its cable is pulled.
    pub fn lose_device(&mut self) {
        self.device = None;
    }

    /// Lets the device fail: a module refuses everything, a card's cable is pulled.
    pub fn fail_device(&mut self) {
        if let Some(Device::Modbus { points, .. }) = &self.device {
            points.set_failing(true);
        } else if let Some(Device::Card(card)) = self.device.take() {
            let port = card.port().to_owned();
            drop(card);
            self.device = Some(Device::CardAway(port));
        }
    }

    /// Mends what [`Self::fail_device`] broke.
    ///
    /// # Errors
    /// When the system gives no pseudo-terminal, or the link cannot be made.
    pub fn mend_device(&mut self) -> io::Result<()> {
        match &self.device {
            Some(Device::Modbus { points, .. }) => points.set_failing(false),
            Some(Device::CardAway(port)) => {
                self.device = Some(Device::Card(RelayCard::start(port)?));
            }
            Some(Device::Card(_)) | None => {}
        }
        Ok(())
    }

    /// Whether somebody is on the presence loop.
    #[must_use]
    pub fn presence(&self) -> bool {
        self.road.inputs().presence
    }

    /// Whether the arm is fully up.
    #[must_use]
    pub fn arm_is_up(&self) -> bool {
        self.road.inputs().arm_up
    }

    /// Whether nobody is in the lane.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.road.is_empty()
    }

    /// Whether the arm is fully down.
    #[must_use]
    pub fn arm_is_down(&self) -> bool {
        self.road.inputs().arm_down
    }

    /// Whether a relay card's light shows green.
    #[must_use]
    pub fn card_shows_green(&self) -> bool {
        matches!(&self.device, Some(Device::Card(card)) if card.is_green())
    }

    /// Vehicles that the arm came down on.
    #[must_use]
    pub fn struck(&self) -> u64 {
        self.road.struck()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::{Read as _, Write as _};

    #[test]
    fn a_relay_card_tells_the_road_and_moves_the_arm() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("card");
        let mut card = RelayCard::start(&link).unwrap();
        let mut host = std::fs::OpenOptions::new().read(true).write(true).open(&link).unwrap();
        let mut told = |len: usize| {
            let mut bytes = vec![0; len];
            host.read_exact(&mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let mut road = LaneRoad::new();
        card.speak(road.inputs(), Duration::ZERO).unwrap();
        assert_eq!(told(15), "MSSL07M00000000");
        road.appear(CrossingKey(1), 4.5, 7.0);
        while !road.inputs().presence {
            road.step(STEP_MAX, &mut Vec::new());
        }
        card.speak(road.inputs(), Duration::from_secs(1)).unwrap();
        assert_eq!(told(15), "VARAINPUT1HIGH\r");
        card.speak(road.inputs(), Duration::from_secs(12)).unwrap();
        assert_eq!(told(15), "MSSL07M10000000");
        host.write_all(b"R3,N,01\r\nR4,F,60\r\nR1,N,60\r\nR4,N").unwrap();
        assert_eq!(card.listen().unwrap(), [crate::road::Pulse::Open]);
        assert!(card.is_green());
        host.write_all(b",01\r\nR1,F,60\r\n").unwrap();
        assert_eq!(card.listen().unwrap(), [crate::road::Pulse::Close]);
        assert!(!card.is_green());
        drop(card);
        assert!(!link.exists());
    }
}
