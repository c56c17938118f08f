//! The configuration files of a run, one for each program.
//!
//! These structs mirror what the programs read; the files are theirs to refuse.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use broker_link::Link;
use domain::passage::LaneRole;
use domain::signature::{PublicKey, SecretKey};
use domain::time::ClockConfig;
use domain::{OperatorId, StationId};
use serde::Serialize;

use super::broker::{Broker, BrokerUser};
use super::database::Role;
use super::people::ConsolePeople;
use super::process::ProcessError;
use super::run_folder::{RunFolder, write_secret};
use crate::plaza::{CameraDevice, LaneDevices, StationDevices};

/// How often the lanes look at loops and arm: in run time, and on the machine at most.
const POLL_MS: f64 = 20.0;
const POLL_REAL_MS_MIN: f64 = 2.0;
const BAUD: u32 = 115_200;

/// What every configuration of the run has in common.
#[derive(Debug)]
pub struct Common<'a> {
    /// The run's folder.
    pub run: &'a RunFolder,
    /// The run's clock.
    pub clock: ClockConfig,
    /// The run's broker.
    pub broker: &'a Broker,
    /// The run's database, for each role.
    pub database_urls: &'a BTreeMap<Role, String>,
}

#[derive(Serialize)]
struct DatabasePart {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lists_url: Option<String>,
}

#[derive(Serialize)]
struct ProductionPart {
    replicas: u8,
}

#[derive(Serialize)]
struct SecretKeyPart<'a> {
    secret_key_file: &'a Path,
}

#[derive(Serialize)]
struct ListPart {
    no_money_below: i64,
    low_below: i64,
}

#[derive(Serialize)]
struct PicturesPart {
    folder: PathBuf,
}

#[derive(Serialize)]
struct ReviewPart {
    pictures_folder: PathBuf,
}

#[derive(Serialize)]
struct ClearingHouseFile<'a> {
    clock: ClockConfig,
    broker: Link,
    broker_system: Link,
    production: ProductionPart,
    database: DatabasePart,
    centre: SecretKeyPart<'a>,
    list: ListPart,
    pictures: PicturesPart,
}

#[derive(Serialize)]
struct StatementsPart {
    folder: PathBuf,
}

#[derive(Serialize)]
struct ReconciliationFile<'a> {
    clock: ClockConfig,
    database: DatabasePart,
    centre: SecretKeyPart<'a>,
    statements: StatementsPart,
}

#[derive(Serialize)]
struct HttpPart {
    listen: SocketAddr,
    behind_tls: bool,
}

#[derive(Serialize)]
struct AccessPart<'a> {
    people_file: &'a Path,
    people_key: &'a str,
}

#[derive(Serialize)]
struct AuditPart {
    file: PathBuf,
}

#[derive(Serialize)]
struct DeskFilePart {
    key_file: PathBuf,
}

/// The desk whose people the lanes obey.
#[derive(Serialize)]
struct DeskPart {
    keys: Vec<PublicKey>,
}

#[derive(Serialize)]
struct ConsoleFile<'a> {
    clock: ClockConfig,
    broker: Link,
    database: DatabasePart,
    settlement_database: DatabasePart,
    registry_database: DatabasePart,
    http: HttpPart,
    access: AccessPart<'a>,
    audit: AuditPart,
    desk: DeskFilePart,
    review: ReviewPart,
}

#[derive(Serialize)]
struct StationPart<'a> {
    operator: &'a OperatorId,
    station: &'a StationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    road: Option<&'a str>,
}

#[derive(Serialize)]
struct PublicKeyPart<'a> {
    public_key: &'a str,
}

#[derive(Serialize)]
struct DataPart {
    folder: PathBuf,
    tariffs: Vec<PathBuf>,
}

#[derive(Serialize)]
struct FieldIoPart {
    address: SocketAddr,
    poll_ms: u64,
}

/// In run time; a fast run does not ask more often than the machine likes.
fn poll_ms(speed: f64) -> u64 {
    let poll = Duration::from_secs_f64(POLL_MS.max(POLL_REAL_MS_MIN * speed) / 1000.0);
    poll.as_millis().try_into().unwrap_or(u64::MAX)
}

#[derive(Serialize)]
struct ReaderPart<'a> {
    protocol: &'a str,
    port: &'a Path,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bauds: Vec<u32>,
}

/// A simulated relay card, as it is wired.
#[derive(Serialize)]
struct CardPart<'a> {
    family: &'static str,
    port: &'a Path,
    presence_input: u8,
    safety_input: u8,
    arm_up_input: u8,
}

#[derive(Serialize)]
struct PanelPart<'a> {
    port: &'a Path,
}

#[derive(Serialize)]
struct CameraPart<'a> {
    name: &'a str,
    format: &'static str,
    secret_file: PathBuf,
    /// A simulated camera has nothing to say while nobody comes.
    silent_after_s: u64,
}

#[derive(Serialize)]
struct LanePart<'a> {
    id: &'a str,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field_io_index: Option<u16>,
    key_file: PathBuf,
    reader: ReaderPart<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field_io: Option<CardPart<'a>>,
    display: Vec<PanelPart<'a>>,
    camera: Vec<CameraPart<'a>>,
}

#[derive(Serialize)]
struct CamerasPart {
    listen: SocketAddr,
}

#[derive(Serialize)]
struct LaneControllerFile<'a> {
    clock: ClockConfig,
    station: StationPart<'a>,
    broker: Link,
    centre: PublicKeyPart<'a>,
    desk: DeskPart,
    data: DataPart,
    field_io: FieldIoPart,
    #[serde(skip_serializing_if = "Option::is_none")]
    cameras: Option<CamerasPart>,
    lane: Vec<LanePart<'a>>,
}

impl Common<'_> {
    /// Writes `clearing-house.toml`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn clearing_house(&self, key: &Path) -> Result<PathBuf, ProcessError> {
        let file = ClearingHouseFile {
            clock: self.clock,
            broker: self.broker.link(&BrokerUser::Centre),
            broker_system: self.broker.link(&BrokerUser::System),
            // A site with one broker.
            production: ProductionPart { replicas: 1 },
            database: DatabasePart {
                url: self.database_urls[&Role::Intake].clone(),
                lists_url: Some(self.database_urls[&Role::Accounts].clone()),
            },
            centre: SecretKeyPart { secret_key_file: key },
            list: ListPart { no_money_below: 50_000, low_below: 300_000 },
            pictures: PicturesPart { folder: self.pictures() },
        };
        self.write("clearing-house", &file)
    }

    /// Writes `reconciliation.toml`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn reconciliation(&self, key: &Path) -> Result<PathBuf, ProcessError> {
        let file = ReconciliationFile {
            clock: self.clock,
            database: self.database_part(Role::Reconciliation),
            centre: SecretKeyPart { secret_key_file: key },
            statements: StatementsPart { folder: self.run.join("statements") },
        };
        self.write("reconciliation", &file)
    }

    /// Writes `console.toml`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn console(
        &self,
        listen: SocketAddr,
        people: &ConsolePeople,
    ) -> Result<PathBuf, ProcessError> {
        let file = ConsoleFile {
            clock: self.clock,
            broker: self.broker.link(&BrokerUser::Console),
            // It reads, of all operators; what people decide goes in the roles of those who do it.
            database: self.database_part(Role::Auditor),
            settlement_database: self.database_part(Role::Reconciliation),
            registry_database: self.database_part(Role::Registrar),
            // The demo is looked at on its own machine.
            http: HttpPart { listen, behind_tls: false },
            access: AccessPart { people_file: &people.file, people_key: &people.public_key },
            audit: AuditPart { file: self.run.join("console-audit.log") },
            desk: DeskFilePart { key_file: desk_key_file(self.run) },
            review: ReviewPart { pictures_folder: self.pictures() },
        };
        self.write("console", &file)
    }

    /// Writes the lane controller's file of a station.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn lane_controller(
        &self,
        devices: &StationDevices,
        public_key: &str,
        tariffs: Vec<PathBuf>,
    ) -> Result<PathBuf, ProcessError> {
        let name = lane_controller_name(&devices.operator, &devices.station);
        let lanes = devices.lanes.iter().map(|lane| self.lane_part(&name, lane));
        let lanes = lanes.collect::<Result<Vec<_>, _>>()?;
        let file = LaneControllerFile {
            clock: self.clock,
            station: StationPart {
                operator: &devices.operator,
                station: &devices.station,
                road: devices.road.as_deref(),
            },
            broker: Link::of_folder(self.broker.url(), &lane_folder(self.run, &name)),
            centre: PublicKeyPart { public_key },
            desk: DeskPart { keys: vec![desk_key(self.run)?.public()] },
            data: DataPart { folder: self.run.join("data").join(&name), tariffs },
            field_io: FieldIoPart { address: devices.field_io, poll_ms: poll_ms(self.clock.speed) },
            cameras: devices.cameras.map(|listen| CamerasPart { listen }),
            lane: lanes,
        };
        self.write(&name, &file)
    }

    /// Where the centre has pictures of passages.
    fn pictures(&self) -> PathBuf {
        self.run.join("pictures")
    }

    fn database_part(&self, role: Role) -> DatabasePart {
        DatabasePart { url: self.database_urls[&role].clone(), lists_url: None }
    }

    fn lane_part<'a>(
        &self,
        name: &str,
        lane: &'a LaneDevices,
    ) -> Result<LanePart<'a>, ProcessError> {
        let mut cameras = Vec::new();
        if let Some(CameraDevice { name: camera, secret }) = &lane.camera {
            let secret_file = self.run.secret(&format!("camera-{camera}.secret"));
            write_secret(&secret_file, secret)?;
            cameras.push(CameraPart {
                name: camera,
                format: "hikvision",
                secret_file,
                silent_after_s: 0,
            });
        }
        let is_mercury = lane.protocol == "mercury";
        Ok(LanePart {
            id: lane.lane.lane(),
            role: role_name(lane.role),
            field_io_index: lane.relay_card.is_none().then_some(lane.field_io_index),
            key_file: lane_folder(self.run, name).join(format!("{}.key", lane.lane.lane())),
            reader: ReaderPart {
                protocol: lane.protocol,
                port: &lane.reader,
                // The others are looked for at every rate that they may have.
                bauds: if is_mercury { vec![BAUD] } else { Vec::new() },
            },
            field_io: lane.relay_card.as_deref().map(|port| CardPart {
                family: "relay-card",
                port,
                presence_input: 1,
                safety_input: 2,
                arm_up_input: 3,
            }),
            display: lane.panel.as_deref().map(|port| PanelPart { port }).into_iter().collect(),
            camera: cameras,
        })
    }

    /// A configuration may hold the database's password: only its owner reads it.
    fn write(&self, name: &str, file: &impl Serialize) -> Result<PathBuf, ProcessError> {
        let path = self.run.join("config").join(format!("{name}.toml"));
        let text = toml::to_string(file).expect("a configuration has a TOML form");
        write_secret(&path, &text)?;
        Ok(path)
    }
}

/// The name of a station's lane controller, in files and logs.
#[must_use]
pub fn lane_controller_name(operator: &OperatorId, station: &StationId) -> String {
    format!("lane-controller-{operator}-{station}")
}

fn desk_key_file(run: &RunFolder) -> PathBuf {
    run.secret("desk.key")
}

/// The key of the run's desk: of its console, and of the attendants who stand in for people. The
/// first who asks makes it.
///
/// # Errors
/// When its file cannot be read or written.
pub fn desk_key(run: &RunFolder) -> Result<SecretKey, ProcessError> {
    let file = desk_key_file(run);
    if let Ok(text) = fs::read_to_string(&file)
        && let Ok(key) = SecretKey::try_from_secret_text(&text)
    {
        return Ok(key);
    }
    let no_random = |error| ProcessError::preparing(&file)(std::io::Error::other(error));
    let key = SecretKey::try_generate().map_err(no_random)?;
    write_secret(&file, &key.to_secret_text())?;
    Ok(key)
}

/// Where what a station's lanes were given at their enrolment is, by their controller's name.
#[must_use]
pub fn lane_folder(run: &RunFolder, controller: &str) -> PathBuf {
    run.secret(controller)
}

/// Writes a file that anybody of the run may read.
///
/// # Errors
/// When it cannot be written.
pub fn write_text(path: &Path, text: &str) -> Result<(), ProcessError> {
    fs::write(path, text).map_err(ProcessError::preparing(path))
}

const fn role_name(role: LaneRole) -> &'static str {
    match role {
        LaneRole::Open => "open",
        LaneRole::Entry => "entry",
        LaneRole::Exit => "exit",
    }
}
