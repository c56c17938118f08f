//! What stands at each lane, and how it is switched on.
//!
//! *Mixed* is a plaza as they are found: readers of several makes, one entry lane of a station
//! behind a relay card, a camera and a panel at its first. A card counts nothing while its lane's
//! controller is away, so it stands where nobody is charged. *Alike* has a Mercury reader and a block of the
//! station's Modbus module everywhere.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::passage::LaneRole;
use domain::{Clock, LaneId, OperatorId, Plate, StationId};
use rfid_driver::emulator::EmulatorSettings;
use rfid_driver::emulator::pty::{PtyReader, PtyReaderConfig};
use rfid_driver::protocol::{self, Protocol};
use tokio::runtime::Handle;

use super::{PlazaError, READ_INTERVAL_MIN, READ_INTERVAL_REAL};
use crate::camera::{self, CameraFormat, Read};
use crate::demo::ports::free_port;
use crate::field_io::{FieldIoServer, StationPoints};
use crate::network::Station;
use crate::panel::Panel;
use crate::picture;
use crate::relay_card::RelayCard;
use crate::world::{LaneIndex, World};

/// How the lanes of a plaza are fitted out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fittings {
    /// All lanes alike.
    #[default]
    Alike,
    /// Devices of several makes and families.
    Mixed,
}

/// The readers of a mixed station's lanes, in their order; from the fifth on all speak the first.
const PROTOCOLS: [&str; 4] = ["mercury", "uhfreader", "r2000", "yrm100"];
/// The lane of a mixed station that is behind a relay card, if it is an entry.
const CARD_AT: u16 = 1;
/// The lane of a mixed station that has a camera and a panel.
const SEEN_AT: u16 = 0;

/// How long a camera takes to read a plate.
const READS_A_PLATE_IN: Duration = Duration::from_millis(400);

/// A camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraDevice {
    /// Its name.
    pub name: String,
    /// What it proves itself by.
    pub secret: String,
}

/// Where a lane's devices are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneDevices {
    /// The lane.
    pub lane: LaneId,
    /// What it is for.
    pub role: LaneRole,
    /// What its reader speaks, by name.
    pub protocol: &'static str,
    /// The reader's serial port.
    pub reader: PathBuf,
    /// Its block in the field I/O.
    pub field_io_index: u16,
    /// The port of its relay card, where it has one instead.
    pub relay_card: Option<PathBuf>,
    /// The port of its panel.
    pub panel: Option<PathBuf>,
    /// Its camera.
    pub camera: Option<CameraDevice>,
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
    /// Where its cameras post to, where it has some: the lane controller is to listen there.
    pub cameras: Option<SocketAddr>,
    /// Its lanes.
    pub lanes: Vec<LaneDevices>,
}

/// What stands at the stations; readers and points are in the order of the network's lanes.
#[derive(Default)]
pub(super) struct Equipment {
    pub(super) devices: Vec<StationDevices>,
    pub(super) field_io: Vec<FieldIoServer>,
    pub(super) readers: Vec<PtyReader>,
    pub(super) points: Vec<(Arc<StationPoints>, usize)>,
    pub(super) roadside: Roadside,
}

/// The devices of single lanes, by [`LaneIndex`].
#[derive(Debug, Default)]
pub(super) struct Roadside {
    pub(super) cards: BTreeMap<usize, RelayCard>,
    pub(super) panels: BTreeMap<usize, Panel>,
    pub(super) cameras: BTreeMap<usize, CameraWire>,
}

impl Equipment {
    /// Fits a station out with field I/O, readers and whatever else its lanes have.
    pub(super) async fn fit_out(
        &mut self,
        station: &Station,
        fittings: Fittings,
        devices_folder: &Path,
        clock: &Clock,
        seed: u64,
    ) -> Result<(), PlazaError> {
        let failed = |source| PlazaError::FieldIo { station: station.id.clone(), source };
        let points = Arc::new(StationPoints::new(station.lanes.len()));
        let server = FieldIoServer::start(Arc::clone(&points)).await.map_err(failed)?;
        let lanes = devices_of(station, fittings, devices_folder);
        let has_camera = lanes.iter().any(|lane| lane.camera.is_some());
        let cameras = has_camera
            .then(|| free_port().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
            .transpose()
            .map_err(failed)?;
        for lane in &lanes {
            let index = self.readers.len();
            let device = |source| PlazaError::Device { lane: lane.lane.clone(), source };
            self.readers.push(switch_on(lane, clock, seed)?);
            self.points.push((Arc::clone(&points), usize::from(lane.field_io_index)));
            if let Some(port) = &lane.relay_card {
                let card = RelayCard::start(port).map_err(device)?;
                self.roadside.cards.insert(index, card);
            }
            if let Some(port) = &lane.panel {
                self.roadside.panels.insert(index, Panel::start(port).map_err(device)?);
            }
            if let (Some(camera), Some(listener)) = (&lane.camera, cameras) {
                let path = format!("/camera/{}/{}", camera.name, camera.secret);
                let wire =
                    CameraWire { listener, path, clock: *clock, came: 0, reading: VecDeque::new() };
                self.roadside.cameras.insert(index, wire);
            }
        }
        self.devices.push(StationDevices {
            operator: station.operator.clone(),
            station: station.id.clone(),
            road: station.road.clone(),
            field_io: server.address(),
            cameras,
            lanes,
        });
        self.field_io.push(server);
        Ok(())
    }
}

fn devices_of(station: &Station, fittings: Fittings, folder: &Path) -> Vec<LaneDevices> {
    let is_mixed = fittings == Fittings::Mixed;
    let devices = |lane: &crate::network::Lane| {
        let name = format!("{}-{}", station.id, lane.id.lane());
        let index = lane.field_io_index;
        let protocol = PROTOCOLS.get(usize::from(index)).filter(|_| is_mixed);
        let is_at = |place| is_mixed && index == place;
        let port = |kind: &str| folder.join(format!("{name}.{kind}"));
        LaneDevices {
            lane: lane.id.clone(),
            role: lane.role,
            protocol: protocol.copied().unwrap_or(PROTOCOLS[0]),
            reader: port("reader"),
            field_io_index: index,
            relay_card: (is_at(CARD_AT) && lane.role == LaneRole::Entry).then(|| port("card")),
            panel: is_at(SEEN_AT).then(|| port("panel")),
            camera: is_at(SEEN_AT).then(|| CameraDevice {
                name: name.clone(),
                secret: format!("{:032x}", rand::random::<u128>()),
            }),
        }
    };
    station.lanes.iter().map(devices).collect()
}

fn switch_on(lane: &LaneDevices, clock: &Clock, seed: u64) -> Result<PtyReader, PlazaError> {
    let usual = PtyReaderConfig::default();
    let config = PtyReaderConfig {
        protocol: protocol_of(lane.protocol).unwrap_or(usual.protocol),
        time_scale: clock.speed(),
        reader: EmulatorSettings {
            seed: seed.wrapping_add(u64::from(lane.field_io_index) << 32),
            read_interval: READ_INTERVAL_REAL.mul_f64(clock.speed()).max(READ_INTERVAL_MIN),
            ..EmulatorSettings::default()
        },
        ..usual
    };
    PtyReader::start(&lane.reader, config)
        .map_err(|source| PlazaError::Reader { lane: lane.lane.clone(), source })
}

fn protocol_of(name: &str) -> Option<&'static dyn Protocol> {
    protocol::by_name(name)
}

/// A camera over a presence loop, and its line to the station.
#[derive(Debug)]
pub(super) struct CameraWire {
    listener: SocketAddr,
    path: String,
    clock: Clock,
    came: u16,
    /// What it has taken pictures of and not read yet, and when it will have.
    reading: VecDeque<(Duration, Plate)>,
}

impl CameraWire {
    /// Takes a picture of whoever has just come onto the loop, and posts what it has read.
    pub(super) fn look(&mut self, lane: LaneIndex, world: &World, handle: &Handle) {
        let (came, now) = (world.road(lane).presence_edges().rises, self.clock.uptime());
        if std::mem::replace(&mut self.came, came) != came {
            let plate = world.newest_plate(lane);
            self.reading.extend(plate.map(|plate| (now + READS_A_PLATE_IN, plate)));
        }
        if self.reading.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, plate)) = self.reading.pop_front()
        {
            self.post(&plate, handle);
        }
    }

    fn post(&self, plate: &Plate, handle: &Handle) {
        let (of_plate, of_vehicle) = (picture::of_plate(plate), picture::of_vehicle(plate));
        let pictures: [(&str, &[u8]); 2] =
            [(camera::PLATE_PICTURE, &of_plate), (camera::OVERVIEW_PICTURE, &of_vehicle)];
        let read = Read { plate, confidence: 97, at: self.clock.now(), pictures: &pictures };
        let message = camera::message(CameraFormat::Hikvision, &read);
        let (listener, path) = (self.listener, self.path.clone());
        handle.spawn(async move {
            // A station that does not listen now sees this plate never: so it is with cameras.
            let posted: io::Result<u16> = camera::post(listener, &path, &message).await;
            if !matches!(posted, Ok(200)) {
                tracing::debug!(?posted, "a plate was not taken");
            }
        });
    }
}
