//! Configuration: one TOML file, unknown keys refused, `ETC_DATABASE_URL` and `ETC_BROKER_URL`
//! override the two addresses. The parts other programs of the centre share are public.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::Duration;

use broker_link::Link;
use domain::OperatorId;
use domain::signature::SecretKey;
use domain::time::ClockConfig;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not as it should be; the cause names the key and what is allowed.
    #[error("{path} is not a valid configuration: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Key, place and what was expected.
        message: String,
    },
    /// A secret key file holds no key.
    #[error("{path} holds no secret key")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: domain::signature::SignatureError,
    },
}

/// Reads a TOML file into a configuration.
///
/// # Errors
/// When the file cannot be read, or a key is missing, unknown or of the wrong kind.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = read(path)?;
    toml::from_str(&text).map_err(|error| ConfigError::Parse {
        path: path.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    })
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// Where the database is.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=FILE`, or over the
    /// server's socket, which is faster, `postgres://user:password@%2Frun%2Fpostgresql:port/database`.
    /// Secret.
    pub url: String,
    /// The same in the role that keeps accounts and lists, for `run`; `url` where absent. Secret.
    pub lists_url: Option<String>,
    /// Whose rows are seen, where the role sees those of one operator only.
    pub operator: Option<OperatorId>,
}

impl Database {
    /// This database, for whoever has its address.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), lists_url: None, operator: None }
    }

    /// The same database in the role that keeps accounts and lists.
    #[must_use]
    pub fn for_lists(&self) -> Self {
        let url = self.lists_url.clone().unwrap_or_else(|| self.url.clone());
        Self { url, ..self.clone() }
    }

    /// The configured database, or the one the environment names.
    #[must_use]
    pub fn or_environment(mut self) -> Self {
        if let Ok(url) = std::env::var("ETC_DATABASE_URL") {
            self.url = url;
        }
        self
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database(…)")
    }
}

/// The centre's own key, which signs receipts, lists and statements.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Centre {
    /// The file that holds the key, readable by this process alone.
    pub secret_key_file: PathBuf,
}

impl Centre {
    /// Reads the key.
    ///
    /// # Errors
    /// When the file cannot be read or holds no key.
    pub fn secret_key(&self) -> Result<SecretKey, ConfigError> {
        let text = read(&self.secret_key_file)?;
        SecretKey::try_from_secret_text(&text)
            .map_err(|source| ConfigError::Key { path: self.secret_key_file.clone(), source })
    }
}

/// From which balance on the lanes are told what.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListPolicy {
    /// Below this balance an account cannot pay, in minor units.
    pub no_money_below: i64,
    /// Below this balance the driver is told, in minor units.
    pub low_below: i64,
}

/// How passages are taken from the broker.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Intake {
    /// How many workers share the partitions in this process; others may run beside it.
    pub workers: u16,
    /// With more messages than this before it, new traffic goes first and the rest is left behind.
    pub lag_max: u64,
    /// How old an entry may be to begin the trip of an exit; an exit whose entry is older has none.
    pub entry_age_max_hours: u16,
}

impl Intake {
    /// How old an entry may be to begin a trip.
    #[must_use]
    pub fn entry_age_max(&self) -> Duration {
        Duration::from_secs(u64::from(self.entry_age_max_hours) * 3_600)
    }
}

impl Default for Intake {
    fn default() -> Self {
        // Some seconds of work; and a day, with a rest on the way.
        Self { workers: 2, lag_max: 200_000, entry_age_max_hours: 24 }
    }
}

/// What is demanded of a broker before passages are taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Production {
    /// How many brokers keep each stream: 3, or 1 at a site that has one broker only.
    pub replicas: u8,
}

impl ListPolicy {
    /// The policy for an account that may have a threshold of its own.
    #[must_use]
    pub fn with_low_below(self, own: Option<i64>) -> Self {
        Self { low_below: own.unwrap_or(self.low_below), ..self }
    }
}

/// Where pictures of passages are filed, and for how long.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pictures {
    /// The folder: the console's `[review] pictures_folder`. Files are readable by the group.
    pub folder: PathBuf,
    /// After how many days a picture is forgotten.
    #[serde(default = "pictures_keep_days")]
    pub keep_days: NonZeroU16,
    /// How many megabytes of them are kept; past that the oldest go.
    #[serde(default = "pictures_mb_max")]
    pub mb_max: NonZeroU64,
}

fn pictures_mb_max() -> NonZeroU64 {
    NonZeroU64::new(50_000).unwrap_or(NonZeroU64::MIN)
}

fn pictures_keep_days() -> NonZeroU16 {
    NonZeroU16::new(90).unwrap_or(NonZeroU16::MIN)
}

/// Where the HTTP API listens, and who may use it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Address and port. TLS is what stands before it.
    pub listen: std::net::SocketAddr,
    /// The database as `etc_auditor`, for what changes nothing; the lists' role where absent.
    pub reading_database: Option<Database>,
    /// The database as `etc_operator`, for operators: row security then holds whatever the program
    /// does. The lists' role where absent.
    pub operator_database: Option<Database>,
    /// How often each key may ask.
    #[serde(default)]
    pub rate: RequestRate,
}

/// How often somebody may ask.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestRate {
    /// Requests a second for as long as they like.
    pub per_s: NonZeroU16,
    /// Requests at once, after a pause.
    pub burst: NonZeroU16,
}

impl Default for RequestRate {
    fn default() -> Self {
        let of = |n| NonZeroU16::new(n).unwrap_or(NonZeroU16::MIN);
        Self { per_s: of(50), burst: of(200) }
    }
}

/// The configuration of `clearing-house`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The run's clock; the machine's where absent.
    pub clock: Option<ClockConfig>,
    /// The broker.
    pub broker: Link,
    /// The same broker as the user of its own account: tells it who is revoked, and reads how it
    /// keeps what it takes.
    pub broker_system: Option<Link>,
    /// What is demanded of the broker where money is at stake; nothing where absent.
    pub production: Option<Production>,
    /// The database.
    pub database: Database,
    /// The centre's key.
    pub centre: Centre,
    /// The list's thresholds.
    pub list: ListPolicy,
    /// The intake.
    #[serde(default)]
    pub intake: Intake,
    /// Where pictures of passages are filed; nowhere where absent.
    pub pictures: Option<Pictures>,
    /// The HTTP API; none where absent.
    pub api: Option<Api>,
}
