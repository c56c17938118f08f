//! A broker of the run's own: `nats-server`, with streams, on a free loopback port.
//!
//! Its settings are `deploy/nats-server.conf`; beside it stands what the run's own authority wrote:
//! whom the broker believes, and its certificate. Users are given what they show the broker in a
//! folder each, under `secrets/`. Lanes of a run are enrolled by the command that enrols real ones.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use broker_authority::{Authority, Issued, Part};
use broker_link::{Link, LinkError};
use domain::{Clock, LaneId, OperatorId, StationId};

use super::authority::{authority_of, refused};
use super::ports::free_port;
use super::process::{ProcessError, Recipe, Supervised};
use super::run_folder::{RunFolder, make_folder};

const SETTINGS: &str = include_str!("../../../deploy/nats-server.conf");
/// How long a start may take; a store with something in it is read first.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// A port may be taken between the moment it was found free and the moment it is listened on.
const PORT_TRIES: usize = 4;

/// Who may talk to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerUser {
    /// The clearing house: everything.
    Centre,
    /// The console: sees what lanes tell, and sends commands.
    Console,
    /// The console of one station: the same for its lanes alone.
    StationConsole(OperatorId, StationId),
    /// The simulator's attendant and the demo's watch: as the console.
    Simulator,
    /// A person who looks on during a run: hears everything, says nothing.
    Observer,
    /// The clearing house as the user of the broker's own account.
    System,
    /// The computer that serves these lanes of one station.
    Lanes(Vec<LaneId>),
}

impl BrokerUser {
    /// The name of the user's folder.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Centre => Part::Centre.name(),
            Self::Console => Part::Console.name(),
            Self::StationConsole(operator, station) => {
                Part::StationConsole(operator.clone(), station.clone()).name()
            }
            Self::Simulator => Part::Simulator.name(),
            Self::Observer => Part::Observer.name(),
            Self::System => Part::System.name(),
            Self::Lanes(lanes) => {
                let names = lanes.iter().map(|lane| lane.to_string().replace('/', "-"));
                format!("lane-{}", names.collect::<Vec<_>>().join("+"))
            }
        }
    }

    fn issue(&self, authority: &Authority) -> Result<Issued, broker_authority::AuthorityError> {
        let now = Clock::system().now();
        match self {
            Self::Centre => authority.issue_to(&Part::Centre, now),
            Self::Console => authority.issue_to(&Part::Console, now),
            Self::StationConsole(operator, station) => {
                let part = Part::StationConsole(operator.clone(), station.clone());
                authority.issue_to(&part, now)
            }
            Self::Simulator => authority.issue_to(&Part::Simulator, now),
            Self::Observer => authority.issue_to(&Part::Observer, now),
            Self::System => authority.issue_to(&Part::System, now),
            Self::Lanes(lanes) => authority.issue_to_lanes(lanes, now),
        }
    }
}

/// How soon what is stored is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Before it is acknowledged, as in production.
    BeforeItIsAcknowledged,
    /// Within a second: for a test that fills a stream with what it made up.
    WithinASecond,
}

/// A running broker; dropping it stops it.
#[derive(Debug)]
pub struct Broker {
    process: Supervised,
    port: u16,
    secrets: PathBuf,
    authority: PathBuf,
}

impl Broker {
    /// Starts a broker for these users and waits until it takes connections.
    ///
    /// # Errors
    /// When its files cannot be written, or it does not come up.
    pub fn start(
        run: &RunFolder,
        nats_server: &Path,
        users: &[BrokerUser],
    ) -> Result<Self, ProcessError> {
        Self::start_storing(run, nats_server, users, Stored::BeforeItIsAcknowledged)
    }

    /// As [`Self::start`], and says how soon what is stored is on the disk.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_storing(
        run: &RunFolder,
        nats_server: &Path,
        users: &[BrokerUser],
        stored: Stored,
    ) -> Result<Self, ProcessError> {
        let settings = write_settings(run, stored)?;
        let (secrets, authority) = (run.join("secrets"), run.join("authority"));
        let mut tries = 1;
        let broker = loop {
            let port = free_port().map_err(ProcessError::preparing(&settings))?;
            let recipe = Recipe::new("nats-server", nats_server, run)
                .env("ETC_BROKER_NAME", "etc-toll")
                .arg("--config")
                .arg(&settings)
                .arg("--addr")
                .arg(Ipv4Addr::LOCALHOST.to_string())
                .arg("--port")
                .arg(port.to_string())
                .arg("--store_dir")
                .arg(run.join("broker/store"));
            let process = Supervised::start(recipe)?;
            let (secrets, authority) = (secrets.clone(), authority.clone());
            let broker = Self { process, port, secrets, authority };
            match broker.wait_until_ready() {
                Err(ProcessError::Died { .. }) if tries < PORT_TRIES => tries += 1,
                Err(error) => return Err(error),
                Ok(()) => break broker,
            }
        };
        for user in users {
            broker.admit(user)?;
        }
        Ok(broker)
    }

    fn wait_until_ready(&self) -> Result<(), ProcessError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        self.process.wait_until(READY_WITHIN, |_| greets(address))
    }

    /// Gives a user what it shows the broker; hands back its public key. What it had before stays
    /// good, and is written over.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn admit(&self, user: &BrokerUser) -> Result<String, ProcessError> {
        let failed = |error| refused(&self.authority, error);
        let authority = Authority::open(&self.authority).map_err(failed)?;
        let issued = user.issue(&authority).map_err(failed)?;
        issued.identity.write(&self.folder_of(user)).map_err(failed)?;
        Ok(issued.user)
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("tls://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// The folder with the keys of its authority.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// The folder with what a user shows.
    #[must_use]
    pub fn folder_of(&self, user: &BrokerUser) -> PathBuf {
        self.secrets.join(format!("broker-{}", user.name()))
    }

    /// How a user reaches the broker; one that was not admitted has no files.
    #[must_use]
    pub fn link(&self, user: &BrokerUser) -> Link {
        Link::of_folder(self.url(), &self.folder_of(user))
    }

    /// What a person gives to the `nats` tool to look on.
    #[must_use]
    pub fn tool_arguments(&self, user: &BrokerUser) -> String {
        let Link { url, ca_file, certificate_file, certificate_key_file, credentials_file } =
            self.link(user);
        format!(
            "--server '{url}' --tlsca '{}' --tlscert '{}' --tlskey '{}' --creds '{}'",
            ca_file.display(),
            certificate_file.display(),
            certificate_key_file.display(),
            credentials_file.display()
        )
    }

    /// Connects as a user, now.
    ///
    /// # Errors
    /// When the broker is down, or refuses, or the user was not admitted.
    pub async fn connect(&self, user: &BrokerUser) -> Result<async_nats::Client, LinkError> {
        self.link(user).connect_now(&user.name()).await
    }

    /// The process, for whoever watches over it.
    #[must_use]
    pub fn process(&self) -> &Supervised {
        &self.process
    }

    /// Kills the broker as `kill -9` does; it stays down until [`Self::restart`].
    pub fn kill9(&self) {
        self.process.kill9();
    }

    /// Starts the broker that was killed, on the same port, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&self) -> Result<(), ProcessError> {
        self.process.resume();
        self.wait_until_ready()
    }
}

/// Whether a broker says hello at this address; it does so once its store is open.
fn greets(address: SocketAddr) -> bool {
    let patience = Duration::from_millis(500);
    let Ok(stream) = TcpStream::connect_timeout(&address, patience) else { return false };
    if stream.set_read_timeout(Some(patience)).is_err() {
        return false;
    }
    let mut hello = String::new();
    BufReader::new(stream).read_line(&mut hello).is_ok() && hello.starts_with("INFO ")
}

/// Writes the settings and what the authority adds to them; hands back the settings' path.
fn write_settings(run: &RunFolder, stored: Stored) -> Result<PathBuf, ProcessError> {
    let folder = run.join("broker");
    make_folder(&folder, 0o700).map_err(ProcessError::preparing(&folder))?;
    let hosts = [Ipv4Addr::LOCALHOST.to_string(), "localhost".to_owned()];
    authority_of(run)?
        .write_broker(&folder, &hosts, Clock::system().now())
        .map_err(|error| refused(&folder, error))?;
    let settings = folder.join("nats-server.conf");
    let text = match stored {
        Stored::BeforeItIsAcknowledged => SETTINGS.to_owned(),
        Stored::WithinASecond => {
            SETTINGS.replace("sync_interval: \"always\"", "sync_interval: \"1s\"")
        }
    };
    fs::write(&settings, text).map_err(ProcessError::preparing(&settings))?;
    Ok(settings)
}
