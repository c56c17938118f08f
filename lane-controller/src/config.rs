//! Configuration of a station's controller: one TOML file, unknown keys refused, `ETC_BROKER_URL`
//! overrides the broker's address.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::signature::{PublicKey, SecretKey, SignatureError};
use domain::tariff::{Tariff, TariffBook, TariffFile};
use domain::time::ClockConfig;
use domain::wire::v1::RoleRecord;
use domain::{IdError, LaneId, OperatorId, StationId};
use serde::Deserialize;

use crate::lane::LanePolicy;

mod field_io;

pub use field_io::FieldIo;

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
    /// A file is not as it should be; the text names the key and what is allowed.
    #[error("{path} is not valid: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Key, place and what was expected.
        message: String,
    },
    /// A lane's key file holds no key.
    #[error("{path} holds no secret key")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: SignatureError,
    },
    /// A lane's place in the field I/O is not said, or said in another family's words.
    #[error("lane {lane} of the configuration: {wrong}")]
    LaneFieldIo {
        /// The lane's token.
        lane: String,
        /// What is wrong, with its key.
        wrong: &'static str,
    },
    /// A lane's id is no token.
    #[error("lane of the configuration")]
    Lane(#[source] IdError),
}

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The run's clock; the machine's where absent.
    pub clock: Option<ClockConfig>,
    /// Where this is.
    pub station: Station,
    /// The broker.
    pub broker: Broker,
    /// The clearing house.
    pub centre: Centre,
    /// What is kept here.
    pub data: Data,
    /// Loops, arm and light.
    pub field_io: FieldIo,
    /// How lanes behave.
    #[serde(default)]
    pub policy: Policy,
    /// The lanes.
    #[serde(rename = "lane")]
    pub lanes: Vec<Lane>,
}

/// Where this is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Station {
    /// The operator.
    pub operator: OperatorId,
    /// The station.
    pub station: StationId,
    /// The entry/exit road it belongs to; none for an open station.
    pub road: Option<String>,
}

/// The broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// `nats://host:port`.
    pub url: String,
    /// The station's user.
    pub user: String,
    /// The file that holds its password.
    pub password_file: PathBuf,
}

/// The clearing house.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Centre {
    /// The key that signs lists, receipts, entries and epochs.
    pub public_key: PublicKey,
}

/// What is kept here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The folder of journals and list.
    pub folder: PathBuf,
    /// Tariff files.
    pub tariffs: Vec<PathBuf>,
}

/// How lanes behave; milliseconds and seconds are run time.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// How long a tag is waited for.
    pub tag_wait_ms: u64,
    /// How long a tag that was dealt with stays so.
    pub duplicate_window_s: u64,
    /// How long a tag may be seen before its vehicle.
    pub floating_tag_ms: u64,
    /// How often a call is told again.
    pub call_repeat_s: u64,
    /// How many posted records are kept all the same.
    pub keep_records: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            tag_wait_ms: 3_000,
            duplicate_window_s: 30,
            floating_tag_ms: 2_000,
            call_repeat_s: 5,
            keep_records: 100_000,
        }
    }
}

impl From<Policy> for LanePolicy {
    fn from(policy: Policy) -> Self {
        Self {
            tag_wait: Duration::from_millis(policy.tag_wait_ms),
            duplicate_window: Duration::from_secs(policy.duplicate_window_s),
            floating_tag: Duration::from_millis(policy.floating_tag_ms),
            call_repeat: Duration::from_secs(policy.call_repeat_s),
            ..Self::default()
        }
    }
}

/// A lane.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lane {
    /// Its token.
    pub id: String,
    /// What it is for.
    pub role: RoleRecord,
    /// The serial port of its reader; best one of `/dev/serial/by-id`.
    pub reader: PathBuf,
    /// The reader's speed.
    pub baud: u32,
    /// Its block in the I/O module, from 0; where there is one.
    pub field_io_index: Option<u16>,
    /// The serial port of its relay card, where it has one; best one of `/dev/serial/by-id`.
    pub relay_card: Option<PathBuf>,
    /// The file that holds its secret key.
    pub key_file: PathBuf,
}

impl Lane {
    /// Reads the lane's key.
    ///
    /// # Errors
    /// When the file cannot be read or holds no key.
    pub fn key(&self) -> Result<SecretKey, ConfigError> {
        SecretKey::try_from_secret_text(&read(&self.key_file)?)
            .map_err(|source| ConfigError::Key { path: self.key_file.clone(), source })
    }
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or a key is missing, unknown or of the wrong kind.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = parse(path)?;
        if let Ok(url) = std::env::var("ETC_BROKER_URL") {
            config.broker.url = url;
        }
        for lane in &config.lanes {
            config.lane_id(lane)?;
            let (index, card) = (lane.field_io_index, lane.relay_card.as_ref());
            if let Some(wrong) = config.field_io.wrong_of_lane(index, card) {
                return Err(ConfigError::LaneFieldIo { lane: lane.id.clone(), wrong });
            }
        }
        Ok(config)
    }

    /// The id of one of the lanes.
    ///
    /// # Errors
    /// When its token is none.
    pub fn lane_id(&self, lane: &Lane) -> Result<LaneId, ConfigError> {
        LaneId::try_new(self.station.operator.clone(), self.station.station.clone(), &lane.id)
            .map_err(ConfigError::Lane)
    }

    /// Reads the tariffs.
    ///
    /// # Errors
    /// When a file cannot be read or is no tariff.
    pub fn tariffs(&self) -> Result<TariffBook, ConfigError> {
        let mut book = TariffBook::default();
        for path in &self.data.tariffs {
            let file: TariffFile = parse(path)?;
            let tariff = Tariff::try_from(file).map_err(|error| ConfigError::Parse {
                path: path.clone(),
                message: error.to_string(),
            })?;
            book.insert(tariff);
        }
        Ok(book)
    }

    /// Reads the broker's password.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn broker_password(&self) -> Result<String, ConfigError> {
        read(&self.broker.password_file).map(|text| text.trim().to_owned())
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    toml::from_str(&read(path)?).map_err(|error| ConfigError::Parse {
        path: path.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    })
}
