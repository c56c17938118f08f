//! A broker of the run's own: `nats-server`, with streams, on a free loopback port.
//!
//! Its settings are `deploy/nats-server.conf`; beside it stands a file with the run's users, each
//! with a password that nobody chose and the rights that its part needs, and no more.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::{OperatorId, StationId};

use super::password::Password;
use super::ports::free_port;
use super::process::{ProcessError, Recipe, Supervised};
use super::run_folder::{RunFolder, make_folder, write_secret};

const SETTINGS: &str = include_str!("../../../deploy/nats-server.conf");
/// How long a start may take; a store with something in it is read first.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// A broker that was killed is back within a second or so.
const RECONNECT_AFTER: Duration = Duration::from_millis(100);
/// A port may be taken between the moment it was found free and the moment it is listened on.
const PORT_TRIES: usize = 4;

/// Who may talk to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerUser {
    /// The clearing house: everything.
    Centre,
    /// The console: sees what lanes tell, and sends commands.
    Console,
    /// The simulator's attendant and the demo's watch: as the console, without the streams.
    Simulator,
    /// A person who looks on during a run: everything.
    Observer,
    /// The lanes of one station.
    Lane {
        /// Whose station.
        operator: OperatorId,
        /// Which one.
        station: StationId,
    },
}

impl BrokerUser {
    /// The name the user connects with.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Centre => "centre".to_owned(),
            Self::Console => "console".to_owned(),
            Self::Simulator => "simulator".to_owned(),
            Self::Observer => "observer".to_owned(),
            Self::Lane { operator, station } => format!("lane-{operator}-{station}"),
        }
    }

    /// The subjects the user may publish to, and those it may subscribe to.
    fn rights(&self) -> (Vec<String>, Vec<String>) {
        let own = |subjects: &[&str]| subjects.iter().map(|&s| s.to_owned()).collect();
        match self {
            Self::Centre | Self::Observer => (own(&[">"]), own(&[">"])),
            Self::Console => (
                own(&["etc.v1.command.>", "_INBOX.>", "$JS.API.>"]),
                own(&["etc.v1.event.>", "etc.v1.heartbeat.>", "_INBOX.>"]),
            ),
            Self::Simulator => (
                own(&["etc.v1.command.>", "_INBOX.>"]),
                own(&["etc.v1.event.>", "etc.v1.heartbeat.>", "_INBOX.>"]),
            ),
            Self::Lane { operator, station } => {
                let of = |kind: &str| format!("etc.v1.{kind}.{operator}.{station}.>");
                let mut publish =
                    own(&["etc.v1.epoch", "etc.v1.time", "$JS.API.DIRECT.GET.>", "_INBOX.>"]);
                publish.extend(["passage", "event", "heartbeat"].map(of));
                let mut subscribe = own(&["etc.v1.list.>", "etc.v1.entry.>", "_INBOX.>"]);
                subscribe.extend(["receipt", "command"].map(of));
                (publish, subscribe)
            }
        }
    }

    /// The user's entry in the broker's configuration, whose syntax takes JSON.
    fn entry(&self, password: &Password) -> String {
        let (publish, subscribe) = self.rights();
        let entry = serde_json::json!({
            "user": self.name(),
            "password": password.reveal(),
            "permissions": {
                "publish": publish,
                "subscribe": subscribe,
                "allow_responses": true,
            },
        });
        format!("    {entry}\n")
    }
}

/// A running broker; dropping it stops it.
#[derive(Debug)]
pub struct Broker {
    process: Supervised,
    port: u16,
    secrets: PathBuf,
    users: Vec<(BrokerUser, Password)>,
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
        let users: Vec<(BrokerUser, Password)> =
            users.iter().map(|user| (user.clone(), Password::random())).collect();
        let settings = write_settings(run, &users)?;
        let mut tries = 1;
        loop {
            let port = free_port().map_err(ProcessError::preparing(&settings))?;
            let recipe = Recipe::new("nats-server", nats_server, run)
                .arg("--config")
                .arg(&settings)
                .arg("--addr")
                .arg(Ipv4Addr::LOCALHOST.to_string())
                .arg("--port")
                .arg(port.to_string())
                .arg("--store_dir")
                .arg(run.join("broker/store"));
            let process = Supervised::start(recipe)?;
            let (secrets, users) = (run.join("secrets"), users.clone());
            let broker = Self { process, port, secrets, users };
            match broker.wait_until_ready() {
                Err(ProcessError::Died { .. }) if tries < PORT_TRIES => tries += 1,
                Err(error) => return Err(error),
                Ok(()) => return Ok(broker),
            }
        }
    }

    fn wait_until_ready(&self) -> Result<(), ProcessError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        self.process.wait_until(READY_WITHIN, |_| greets(address))
    }

    /// Where it listens, without a user.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// The file with a user's password.
    #[must_use]
    pub fn password_file(&self, user: &BrokerUser) -> PathBuf {
        password_file(&self.secrets, user)
    }

    /// Where it listens, with a user and the password: for people and their tools.
    #[must_use]
    pub fn url_for(&self, user: &BrokerUser) -> String {
        let (name, address) = (user.name(), Ipv4Addr::LOCALHOST);
        format!("nats://{name}:{}@{address}:{}", self.password(user), self.port)
    }

    /// Connects as a user; one that the broker was not started for is refused by it.
    ///
    /// # Errors
    /// When the broker is down, or refuses.
    pub async fn connect(
        &self,
        user: &BrokerUser,
    ) -> Result<async_nats::Client, async_nats::ConnectError> {
        let password = self.password(user).to_owned();
        async_nats::ConnectOptions::with_user_and_password(user.name(), password)
            .name(user.name())
            .reconnect_delay_callback(|_attempt| RECONNECT_AFTER)
            .connect(self.url())
            .await
    }

    /// A user's password; empty for one that the broker was not started for.
    #[must_use]
    pub fn password(&self, user: &BrokerUser) -> &str {
        self.users.iter().find(|(known, _)| known == user).map_or("", |(_, word)| word.reveal())
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

fn password_file(secrets: &Path, user: &BrokerUser) -> PathBuf {
    secrets.join(format!("broker-{}.password", user.name()))
}

/// Writes the settings, the users and their password files; hands back the settings' path.
fn write_settings(
    run: &RunFolder,
    users: &[(BrokerUser, Password)],
) -> Result<PathBuf, ProcessError> {
    let folder = run.join("broker");
    make_folder(&folder, 0o700).map_err(ProcessError::preparing(&folder))?;
    let mut entries = String::new();
    for (user, password) in users {
        write_secret(&password_file(&run.join("secrets"), user), password.reveal())?;
        entries.push_str(&user.entry(password));
    }
    let text = format!("authorization: {{\n  users: [\n{entries}  ]\n}}\n");
    write_secret(&folder.join("users.conf"), &text)?;
    let settings = folder.join("nats-server.conf");
    fs::write(&settings, SETTINGS).map_err(ProcessError::preparing(&settings))?;
    Ok(settings)
}
