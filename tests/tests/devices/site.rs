//! A station of two lanes with every device, in this process: `l01` behind a Modbus module, with
//! classifier, two panels and a camera; `l02` behind a relay card, with a reader of another make.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use broker_authority::Authority;
use broker_link::Link;
use domain::account_list::{AccountList, ListChange, ListEntry, ListStatus};
use domain::signature::{Context, SecretKey};
use domain::wire::v1::{DeltaRecord, emit};
use domain::{Clock, LaneId, Plate, TagId, Timestamp, VehicleGroup};
use lane_controller::config::Config;
use lane_controller::journal::{Journal, JournalReader};
use lane_controller::list::{ListStore, SignedMessage};
use lane_controller::station::{self, StationError};
use rfid_driver::emulator::FieldTag;
use rfid_driver::emulator::pty::{PtyReader, PtyReaderConfig};
use rfid_driver::{Epc, protocol};
use serde_json::Value;
use simulator::camera::{CameraFormat, OVERVIEW_PICTURE, PLATE_PICTURE, Read, message, post};
use simulator::classifier::Classifier;
use simulator::demo::ports::free_port;
use simulator::one_lane::OneLane;
use simulator::panel::Panel;
use simulator::picture;
use tests::programs::repository;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const WITHIN: Duration = Duration::from_secs(60);
const SECRET: &str = "a1b2c3d4e5f6a7b8";

/// The centre's key.
pub(crate) fn centre() -> SecretKey {
    SecretKey::from_seed(&[9; 32])
}

/// A lane's key.
pub(crate) fn lane_key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

pub(crate) fn lane(name: &str) -> LaneId {
    format!("cienco4/ben-thuy/{name}").parse().expect("a lane's path")
}

pub(crate) fn tag(serial: u8) -> TagId {
    format!("3416{serial:020}").parse().expect("a tag")
}

fn field(tags: &[TagId]) -> Vec<FieldTag> {
    let field =
        |tag: &TagId| FieldTag::new(Epc::try_from_slice(tag.as_bytes()).expect("an EPC"), -50, 1);
    tags.iter().map(field).collect()
}

/// The station with its devices.
pub(crate) struct Site {
    pub(crate) l01: OneLane,
    pub(crate) l02: OneLane,
    pub(crate) readers: [PtyReader; 2],
    pub(crate) classifier: Option<Classifier>,
    pub(crate) panels: Vec<Panel>,
    pub(crate) camera_posts: bool,
    folder: tempfile::TempDir,
    /// What the station shows a broker that is not there; gone with the site.
    _identity: Option<tempfile::TempDir>,
    clock: Clock,
    health: SocketAddr,
    cameras: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    station: JoinHandle<Result<(), StationError>>,
}

impl Site {
    /// A station without a link to anybody, of which the policy says this besides.
    pub(crate) async fn alone(policy: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let now = Clock::system().now();
        let authority = Authority::make(&folder.path().join("authority"), now).expect("keys");
        let issued = authority.issue_to_lanes(&[lane("l01"), lane("l02")], now);
        let shown = folder.path().join("shown");
        issued.and_then(|issued| issued.identity.write(&shown)).expect("a credential");
        let site = Self::with(policy, &Link::of_folder("tls://127.0.0.1:9", &shown)).await;
        Self { _identity: Some(folder), ..site }
    }

    pub(crate) async fn with(policy: &str, link: &Link) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let (l01, module) = OneLane::behind_modbus().await.expect("a module");
        let l02 = OneLane::behind_relay_card(&at("card")).expect("a card");
        let readers = [("reader1", "mercury"), ("reader2", "uhfreader")].map(|(port, protocol)| {
            let protocol = protocol::by_name(protocol).expect("a protocol");
            let config = PtyReaderConfig { protocol, ..PtyReaderConfig::default() };
            PtyReader::start(&at(port), config).expect("a reader")
        });
        let classifier = Classifier::start(&at("classifier")).expect("a classifier");
        let panels = ["panel-vi", "panel-en"].map(|port| Panel::start(&at(port)).expect("a panel"));
        let [health, cameras] = [(); 2]
            .map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port().expect("a free port"))));
        fs::write(at("key"), lane_key().to_secret_text()).expect("a key file");
        fs::write(at("secret"), SECRET).expect("a secret file");
        prepare(&at("data"));
        let text = config(folder.path(), module, (health, cameras), policy, link);
        fs::write(at("station.toml"), text).expect("a configuration");
        let config = Config::load(&at("station.toml")).expect("the configuration is good");
        let (stop, stopped) = oneshot::channel::<()>();
        let station = tokio::spawn(station::run_until(config, async move {
            stopped.await.ok();
        }));
        Self {
            l01,
            l02,
            readers,
            classifier: Some(classifier),
            panels: panels.into(),
            camera_posts: true,
            folder,
            _identity: None,
            clock: Clock::system(),
            health,
            cameras,
            stop: Some(stop),
            station,
        }
    }

    /// Where a device's line appears.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets road and devices go on until something is so.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = self.clock.real() + WITHIN;
        while !is_so(self) {
            let rows: Vec<_> = self.panels.iter().map(Panel::rows).collect();
            assert!(self.clock.real() < deadline, "{what}; the panels show {rows:?}");
            self.step().await;
        }
    }

    /// Lets road and devices go on for as long as a camera or a classifier takes.
    pub(crate) async fn a_moment(&mut self) {
        for _ in 0..100 {
            self.step().await;
        }
    }

    async fn step(&mut self) {
        for lane in [&mut self.l01, &mut self.l02] {
            lane.step().expect("the device's line holds");
        }
        for panel in &mut self.panels {
            panel.listen().expect("the panel's line holds");
        }
        if let Some(classifier) = &mut self.classifier {
            classifier.idle(self.clock.uptime()).expect("the classifier's line holds");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    /// Lets everything go on until `/health` says of a lane that it lacks exactly this.
    pub(crate) async fn until_degraded(&mut self, lane: &str, modes: &[&str]) {
        let deadline = self.clock.real() + WITHIN;
        loop {
            let (status, said) = self.health().await;
            let lanes = said["lanes"].as_array().cloned().unwrap_or_default();
            let path = format!("cienco4/ben-thuy/{lane}");
            let found = lanes.iter().find(|known| known["lane"] == path.as_str());
            let is_running = found.is_some_and(|lane| lane["state"] == "running");
            let is = found.map(|lane| lane["degraded"].clone()).unwrap_or_default();
            if is_running && is == serde_json::json!(modes) {
                if !modes.is_empty() {
                    assert_eq!(status, 503, "{lane} lacks {modes:?}");
                }
                return;
            }
            assert!(self.clock.real() < deadline, "{lane} should lack {modes:?}: {said}");
            for _ in 0..20 {
                self.step().await;
            }
            if self.camera_posts {
                self.see("51F97022").await;
            }
        }
    }

    /// The camera reads a plate.
    pub(crate) async fn see(&self, plate: &str) {
        let plate = Plate::try_new(plate).expect("a plate");
        let (of_plate, of_vehicle) = (picture::of_plate(&plate), picture::of_vehicle(&plate));
        let pictures: [(&str, &[u8]); 2] =
            [(PLATE_PICTURE, &of_plate), (OVERVIEW_PICTURE, &of_vehicle)];
        let at = Timestamp::UNIX_EPOCH;
        let read = Read { plate: &plate, confidence: 97, at, pictures: &pictures };
        let path = format!("/camera/front/{SECRET}");
        // The station may not listen yet.
        post(self.cameras, &path, &message(CameraFormat::Hikvision, &read)).await.ok();
    }

    pub(crate) async fn health(&self) -> (u16, Value) {
        let Some((status, body)) = self.get("/health").await else { return (0, Value::Null) };
        (status, serde_json::from_str(&body).expect("health is JSON"))
    }

    /// Asks the station by HTTP; nothing while it does not listen.
    pub(crate) async fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.health).await.ok()?;
        let ask = format!("GET {path} HTTP/1.1\r\nHost: station\r\nConnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// A tag comes into the field of a lane's antenna, or all leave it.
    pub(crate) fn read(&self, reader: usize, tags: &[TagId]) {
        self.readers[reader].set_field(&field(tags));
    }

    /// A lane's journal, to look at.
    pub(crate) fn journal(&self, lane: &str) -> JournalReader {
        JournalReader::open(&self.path("data").join(format!("{lane}.journal"))).expect("a journal")
    }

    /// Stops the station as a person would, while the road goes on.
    pub(crate) async fn stop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
        let deadline = self.clock.real() + WITHIN;
        while !self.station.is_finished() {
            assert!(self.clock.real() < deadline, "the station does not stop");
            self.step().await;
        }
    }
}

/// Journals that have their epoch, and a list with tags 1, 2 and 4 good and 3 without money.
fn prepare(data: &Path) {
    fs::create_dir_all(data).expect("a folder");
    for name in ["l01", "l02"] {
        let path = data.join(format!("{name}.journal"));
        Journal::open(&path, lane(name), lane_key(), 1, "first".to_owned()).expect("a journal");
    }
    let entry = |serial, status| ListEntry {
        tag: tag(serial),
        status,
        group: VehicleGroup::try_new(1).expect("a group"),
        exempt: false,
        pass: None,
    };
    let changes = vec![
        ListChange::Upsert(entry(1, ListStatus::Good)),
        ListChange::Upsert(entry(2, ListStatus::Good)),
        ListChange::Upsert(entry(3, ListStatus::NoMoney)),
        ListChange::Upsert(entry(4, ListStatus::Good)),
    ];
    let delta = AccountList::default().plan(changes, Clock::system().now());
    let payload = emit(&DeltaRecord::from(delta));
    let signature = centre().sign(Context::List, &payload).to_text();
    let list = ListStore::open(&data.join("list"), centre().public(), Default::default());
    let message = SignedMessage::try_new(&payload, Some(&signature)).expect("a message");
    list.expect("a list").apply(&message).expect("the delta is taken");
}

fn config(
    folder: &Path,
    module: SocketAddr,
    (health, cameras): (SocketAddr, SocketAddr),
    policy: &str,
    link: &Link,
) -> String {
    let (dir, public) = (folder.display(), String::from(centre().public()));
    let tariff = repository("deploy/viet-nam/tariff-ben-thuy.toml");
    let tariff = tariff.display();
    let broker = toml::to_string(link).expect("a link has a TOML form");
    format!(
        r#"
station = {{ operator = "cienco4", station = "ben-thuy" }}
centre = {{ public_key = "{public}" }}
data = {{ folder = "{dir}/data", tariffs = ["{tariff}"] }}
field_io = {{ address = "{module}", poll_ms = 5 }}
health = {{ listen = "{health}" }}
cameras = {{ listen = "{cameras}" }}

[broker]
{broker}
[policy]
# The road runs faster here than the lanes' clock: a pulse is short.
shortest_vehicle_ms = 0
{policy}

[[lane]]
id = "l01"
role = "open"
key_file = "{dir}/key"
field_io_index = 0
reader = {{ protocol = "mercury", port = "{dir}/reader1", bauds = [115200] }}
classifier = {{ port = "{dir}/classifier", groups = {{ light = 1, truck-or-bus = 3 }} }}
display = [
  {{ port = "{dir}/panel-vi" }},
  {{ port = "{dir}/panel-en", language = "english" }},
]
camera = [{{ name = "front", format = "hikvision", secret_file = "{dir}/secret", silent_after_s = 1 }}]

[[lane]]
id = "l02"
role = "open"
key_file = "{dir}/key"
reader = {{ protocol = "uhfreader", port = "{dir}/reader2" }}

[lane.field_io]
family = "relay-card"
port = "{dir}/card"
presence_input = 1
safety_input = 2
arm_up_input = 3
"#
    )
}
