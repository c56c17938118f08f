//! A database of the run's own: `postgres` on a free loopback port, with data checksums.
//!
//! Its settings are `deploy/postgresql.conf` and `deploy/pg_hba.conf`, its roles those of
//! `deploy/postgresql-roles.sql`, each with a password that nobody chose. It listens on loopback
//! alone, over TLS alone, with a certificate of the run's authority; there is no socket file, whose
//! path would have to be short.

mod standby;

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::Clock;
use nix::sys::signal::Signal;

use super::authority::{authority_of, refused};
use super::password::Password;
use super::ports::free_port;
use super::process::{ProcessError, Recipe, Supervised};
use super::run_folder::{RunFolder, make_folder, write_secret};
use super::system_user::SystemUser;

pub use self::standby::Standby;

const SETTINGS: &str = include_str!("../../../deploy/postgresql.conf");
const WHO_MAY_COME: &str = include_str!("../../../deploy/pg_hba.conf");
const ROLES: &str = include_str!("../../../deploy/postgresql-roles.sql");
/// The superuser of the server, and the name of the run's database.
const NAME: &str = "etc";
/// How long a start may take; after a crash the log is replayed first.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a stop may take: it writes back what it has in memory.
const STOP_WITHIN: Duration = Duration::from_secs(20);
/// A port may be taken between the moment it was found free and the moment it is listened on.
const PORT_TRIES: usize = 4;

/// As whom a program comes to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "deploy/postgresql-roles.sql says what each is for")]
pub enum Role {
    Migrator,
    Intake,
    Accounts,
    Registrar,
    Reconciliation,
    Operator,
    Authority,
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 8] = [
        Self::Migrator,
        Self::Intake,
        Self::Accounts,
        Self::Registrar,
        Self::Reconciliation,
        Self::Operator,
        Self::Authority,
        Self::Auditor,
    ];

    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Migrator => "etc_migrator",
            Self::Intake => "etc_intake",
            Self::Accounts => "etc_accounts",
            Self::Registrar => "etc_registrar",
            Self::Reconciliation => "etc_reconciliation",
            Self::Operator => "etc_operator",
            Self::Authority => "etc_authority",
            Self::Auditor => "etc_auditor",
        }
    }
}

/// A running database; dropping it stops it.
#[derive(Debug)]
pub struct Database {
    process: Supervised,
    store: Store,
    port: u16,
    password: Password,
    roles: BTreeMap<Role, Password>,
    ca_file: PathBuf,
    /// `createdb` and its kin.
    createdb: Recipe,
}

impl Database {
    /// Makes a database cluster in the run's folder, starts it, and creates the database `etc`.
    ///
    /// # Errors
    /// When the cluster cannot be made, or the server does not come up.
    pub fn start(run: &RunFolder, postgres_bin: &Path) -> Result<Self, ProcessError> {
        let password = Password::random();
        let store = Store::make(run, postgres_bin, &password)?;
        let mut tries = 1;
        let (process, port) = loop {
            let port = free_port().map_err(ProcessError::preparing(&store.data))?;
            let recipe = Recipe::new("postgres", &postgres_bin.join("postgres"), run)
                .arg("-D")
                .arg(&store.data)
                .arg("-p")
                .arg(port.to_string())
                .arg("-k")
                .arg(store.socket_folder())
                .user(store.user)
                // The fast stop: no new work, what is running is rolled back.
                .stop_signal(Signal::SIGINT);
            let process = Supervised::start(recipe)?;
            match store.wait_until_ready(&process) {
                Err(ProcessError::Died { .. }) if tries < PORT_TRIES => tries += 1,
                Err(error) => return Err(error),
                Ok(()) => break (process, port),
            }
        };
        let ca_file = run.join("authority/ca.crt");
        let tool = |name: &str| {
            Recipe::new(name, &postgres_bin.join(name), run)
                .arg("--no-password")
                .arg(format!("--host={}", Ipv4Addr::LOCALHOST))
                .arg(format!("--port={port}"))
                .arg(format!("--username={NAME}"))
                .env("PGPASSWORD", password.reveal())
                .env("PGSSLMODE", "verify-full")
                .env("PGSSLROOTCERT", &ca_file)
        };
        let roles = make_roles(run, tool("psql"))?;
        let createdb = tool("createdb").arg("--maintenance-db=postgres");
        let database =
            Self { process, store, port, password: password.clone(), roles, ca_file, createdb };
        database.create_for(NAME, Role::Migrator)?;
        Ok(database)
    }

    /// The run's database, for its superuser: for a person, and for tests.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(NAME)
    }

    /// A database of this server by its name.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        self.url_with(NAME, &self.password, database)
    }

    /// The run's database, for a role of a program on this machine.
    #[must_use]
    pub fn url_for(&self, role: Role) -> String {
        self.local_url_with(role.name(), &self.roles[&role], NAME)
    }

    /// The run's database, for each role of a program on this machine.
    #[must_use]
    pub fn urls(&self) -> BTreeMap<Role, String> {
        BTreeMap::from(Role::ALL.map(|role| (role, self.url_for(role))))
    }

    /// A database of this server by its name, for a role.
    #[must_use]
    pub fn url_of_for(&self, database: &str, role: Role) -> String {
        self.url_with(role.name(), &self.roles[&role], database)
    }

    /// A database of this server by its name, over the server's socket; with TLS where there is none.
    #[must_use]
    pub fn local_url_of(&self, database: &str) -> String {
        self.local_url_with(NAME, &self.password, database)
    }

    fn local_url_with(&self, user: &str, password: &Password, database: &str) -> String {
        let folder = self.store.socket_folder();
        match folder.to_str().map(|folder| folder.replace('/', "%2F")) {
            Some(folder) if !folder.is_empty() => {
                format!("postgres://{user}:{}@{folder}:{}/{database}", password.reveal(), self.port)
            }
            Some(_) | None => self.url_with(user, password, database),
        }
    }

    fn url_with(&self, user: &str, password: &Password, database: &str) -> String {
        let (address, ca_file) = (Ipv4Addr::LOCALHOST, self.ca_file.display());
        format!(
            "postgres://{user}:{}@{address}:{}/{database}?sslmode=verify-full&sslrootcert={ca_file}",
            password.reveal(),
            self.port
        )
    }

    /// Every password of the run's roles, for whoever looks for them where they must not be.
    #[must_use]
    pub fn passwords(&self) -> Vec<&str> {
        [&self.password].into_iter().chain(self.roles.values()).map(Password::reveal).collect()
    }

    /// Creates one more database that belongs to a role, and hands back its address for it.
    ///
    /// # Errors
    /// When there is one of that name, or the server is down.
    pub fn create_for(&self, name: &str, owner: Role) -> Result<String, ProcessError> {
        let owned = format!("--owner={}", owner.name());
        self.createdb.clone().arg(owned).arg(name).run_to_end()?;
        Ok(self.url_of_for(name, owner))
    }

    /// Creates one more database, such as one for a test, and hands back its address.
    ///
    /// # Errors
    /// When there is one of that name, or the server is down.
    pub fn create(&self, name: &str) -> Result<String, ProcessError> {
        self.createdb.clone().arg(name).run_to_end()?;
        Ok(self.url_of(name))
    }

    /// The process, for whoever watches over it.
    #[must_use]
    pub fn process(&self) -> &Supervised {
        &self.process
    }

    /// Kills the server as `kill -9` does; it stays down until [`Self::restart`].
    pub fn kill9(&self) {
        self.process.kill9();
    }

    /// Starts the server that was killed, on the same port, and waits until it has recovered.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&self) -> Result<(), ProcessError> {
        self.process.resume();
        self.store.wait_until_ready(&self.process)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.process.stop(STOP_WITHIN);
        if let Some(elsewhere) = &self.store.to_remove {
            fs::remove_dir_all(elsewhere).ok();
        }
    }
}

/// Makes the roles, each with a password of its own.
fn make_roles(run: &RunFolder, psql: Recipe) -> Result<BTreeMap<Role, Password>, ProcessError> {
    let passwords = BTreeMap::from(Role::ALL.map(|role| (role, Password::random())));
    let mut text = ROLES.to_owned();
    for (role, password) in &passwords {
        text.push_str(&format!("alter role {} password '{}';\n", role.name(), password.reveal()));
    }
    let file = run.secret("roles.sql");
    write_secret(&file, &text)?;
    psql.arg("--quiet")
        .arg("--no-psqlrc")
        .arg("--set=ON_ERROR_STOP=1")
        .arg("--file")
        .arg(&file)
        .arg("postgres")
        .run_to_end()?;
    fs::remove_file(&file).map_err(ProcessError::preparing(&file))?;
    Ok(passwords)
}

/// A socket's path has at most 107 bytes, and the server's file is named `/.s.PGSQL.65535.lock`.
const SOCKET_FOLDER_LEN_MAX: usize = 85;

/// Where the data is, and whose.
#[derive(Debug)]
struct Store {
    data: PathBuf,
    user: Option<SystemUser>,
    /// A folder outside the run's that goes with the run.
    to_remove: Option<PathBuf>,
}

impl Store {
    fn make(
        run: &RunFolder,
        postgres_bin: &Path,
        password: &Password,
    ) -> Result<Self, ProcessError> {
        let inside = run.join("database");
        let user = SystemUser::for_database().map_err(ProcessError::preparing(&inside))?;
        let mut store = Self { data: inside.join("data"), user, to_remove: None };
        let mut folder = inside;
        if user.is_some_and(|user| !user.reaches(&folder)) {
            // As root, and in a folder that the database's own user may not enter.
            let elsewhere =
                std::env::temp_dir().join(format!("etc-db-{:08x}", rand::random::<u32>()));
            std::os::unix::fs::symlink(&elsewhere, &folder)
                .map_err(ProcessError::preparing(&folder))?;
            store.data = elsewhere.join("data");
            store.to_remove = (!run.is_kept()).then(|| elsewhere.clone());
            folder = elsewhere;
        }
        make_folder(&folder, 0o711).map_err(ProcessError::preparing(&folder))?;
        let password_file = folder.join("password");
        write_secret(&password_file, password.reveal())?;
        if let Some(user) = user {
            for path in [&folder, &password_file] {
                user.own(path).map_err(ProcessError::preparing(path))?;
            }
        }
        Recipe::new("initdb", &postgres_bin.join("initdb"), run)
            .arg("--pgdata")
            .arg(&store.data)
            .arg(format!("--username={NAME}"))
            .arg("--pwfile")
            .arg(&password_file)
            .arg("--auth-host=scram-sha-256")
            .arg("--auth-local=reject")
            .arg("--encoding=UTF8")
            .arg("--locale=C")
            .arg("--data-checksums")
            // A cluster half made is thrown away; what is written from now on is synced.
            .arg("--no-sync")
            .user(user)
            .run_to_end()?;
        for (name, text) in [("postgresql.conf", SETTINGS), ("pg_hba.conf", WHO_MAY_COME)] {
            let path = store.data.join(name);
            fs::write(&path, text).map_err(ProcessError::preparing(&path))?;
        }
        store.write_certificate(run)?;
        Ok(store)
    }

    fn write_certificate(&self, run: &RunFolder) -> Result<(), ProcessError> {
        let hosts = [Ipv4Addr::LOCALHOST.to_string(), "localhost".to_owned()];
        authority_of(run)?
            .write_database(&self.data, &hosts, Clock::system().now())
            .map_err(|error| refused(&self.data, error))?;
        for name in ["server.crt", "server.key"] {
            let path = self.data.join(name);
            if let Some(user) = self.user {
                user.own(&path).map_err(ProcessError::preparing(&path))?;
            }
        }
        Ok(())
    }

    fn wait_until_ready(&self, process: &Supervised) -> Result<(), ProcessError> {
        process.wait_until(READY_WITHIN, |pid| self.is_ready(pid))
    }

    /// Where the server's socket is; nowhere if its path would be too long.
    fn socket_folder(&self) -> PathBuf {
        let folder = self.data.parent().unwrap_or(&self.data);
        let fits = folder.as_os_str().len() <= SOCKET_FOLDER_LEN_MAX;
        if fits { folder.to_owned() } else { PathBuf::new() }
    }

    /// Whether the server with this number says in its status file that it takes connections.
    ///
    /// The first line of `postmaster.pid` is the server's number and the eighth its status, as
    /// `pg_ctl` reads them (its source, `src/include/utils/pidfile.h`).
    fn is_ready(&self, pid: u32) -> bool {
        let Ok(status) = fs::read_to_string(self.data.join("postmaster.pid")) else {
            return false;
        };
        let lines: Vec<&str> = status.lines().map(str::trim).collect();
        lines.first().is_some_and(|first| *first == pid.to_string())
            && lines.get(7) == Some(&"ready")
    }
}
