//! Configuration of a station's controller: one TOML file, unknown keys refused, `ETC_BROKER_URL`
//! overrides the broker's address.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::signature::{PublicKey, SecretKey, SignatureError};
use domain::tariff::{Tariff, TariffBook, TariffFile};
use domain::time::ClockConfig;
use domain::wire::v1::{PaymentRecord, RoleRecord};
use domain::{IdError, LaneId, OperatorId, StationId};
use serde::Deserialize;

use crate::clock_quality::ClockBounds;
use crate::lane::policy::{Choice, LanePolicy, Layout, VerdictPolicy};
use crate::list::guard::ListSettings;
use crate::runner::{JournalPolicy, WhenFailing};
use crate::supervise::SafePosition;

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
    /// How the account list is kept.
    #[serde(default)]
    pub list: ListSettings,
    /// From where on the clock is not to be trusted.
    #[serde(default)]
    pub clock_bounds: ClockBounds,
    /// Where health and metrics can be asked for; nowhere where absent.
    pub health: Option<Health>,
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

/// Loops, arm and light.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldIo {
    /// The I/O module (Modbus TCP).
    pub address: SocketAddr,
    /// How often the inputs are read, in milliseconds of run time.
    pub poll_ms: u64,
}

/// Where health and metrics can be asked for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Address and port; best a loopback one, there is no password.
    pub listen: SocketAddr,
}

/// Where the barrier of a lane that does not run is left, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SafePositionRecord {
    /// Where it is.
    AsItIs,
    /// Up.
    Open,
    /// Down, as soon as the safety loop allows it.
    Closed,
}

/// What a lane does while its journal cannot be written, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFailingRecord {
    /// Good vehicles go on; their passages are kept in memory.
    GoOn,
    /// Nothing opens before it is durable.
    Hold,
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
    /// How many posted records are kept at most.
    pub keep_records: u64,
    /// For how many days posted records are kept after their receipt, of those.
    pub keep_days: u64,
    /// How often a tag must be read before it counts.
    pub reads_needed: u32,
    /// Pulses and first reads that are closer together are of one vehicle.
    pub same_vehicle_ms: u64,
    /// A pulse that is shorter, without a tag, is no vehicle.
    pub shortest_vehicle_ms: u64,
    /// How long a vehicle may take to the safety loop once the arm is up for it.
    pub drive_timeout_s: u64,
    /// Whether an arm stands at the lane's end: `barrier` or `free-flow`.
    pub layout: Layout,
    /// A tag on no list: `call` (a white list) or `serve` (a black list).
    pub unlisted: Choice,
    /// A balance that is low and still enough.
    pub low: Choice,
    /// A list older than `list_age_max_s`.
    pub old_list: Choice,
    /// The age from which a list is old.
    pub list_age_max_s: u64,
    /// A wall clock that is not to be trusted.
    pub bad_clock: Choice,
    /// An exit that knows of no entry.
    pub missing_entry: Choice,
    /// How it is paid for where equipment failed: `account` or `nothing`.
    pub equipment_fault: PaymentRecord,
    /// The longest a barrier waits for the disk, in real milliseconds.
    pub journal_wait_max_ms: u64,
    /// What a lane does while its journal cannot be written.
    pub journal_failing: WhenFailingRecord,
    /// The most passages that are kept in memory meanwhile.
    pub journal_memory_max: usize,
    /// Where the barrier of a lane that does not run is left.
    pub safe_position: SafePositionRecord,
}

impl Policy {
    /// How far a lane depends on its disk.
    #[must_use]
    pub fn journal(self) -> JournalPolicy {
        JournalPolicy {
            wait_max: Duration::from_millis(self.journal_wait_max_ms),
            memory_max: self.journal_memory_max,
            when_failing: match self.journal_failing {
                WhenFailingRecord::GoOn => WhenFailing::GoOn,
                WhenFailingRecord::Hold => WhenFailing::Hold,
            },
            keep_for: Duration::from_secs(self.keep_days * 24 * 3_600),
        }
    }

    /// Where the barrier of a lane that does not run is left.
    #[must_use]
    pub fn safe_position(self) -> SafePosition {
        match self.safe_position {
            SafePositionRecord::AsItIs => SafePosition::AsItIs,
            SafePositionRecord::Open => SafePosition::Open,
            SafePositionRecord::Closed => SafePosition::Closed,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            tag_wait_ms: 3_000,
            duplicate_window_s: 30,
            floating_tag_ms: 2_000,
            call_repeat_s: 5,
            keep_records: 1_000_000,
            keep_days: 30,
            journal_wait_max_ms: 500,
            journal_failing: WhenFailingRecord::GoOn,
            journal_memory_max: 1_000,
            safe_position: SafePositionRecord::AsItIs,
            reads_needed: 1,
            same_vehicle_ms: 300,
            shortest_vehicle_ms: 300,
            drive_timeout_s: 60,
            layout: Layout::Barrier,
            unlisted: Choice::Call,
            low: Choice::Serve,
            old_list: Choice::Serve,
            list_age_max_s: 24 * 3_600,
            bad_clock: Choice::Serve,
            missing_entry: Choice::Serve,
            equipment_fault: PaymentRecord::Account,
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
            reads_needed: policy.reads_needed,
            same_vehicle: Duration::from_millis(policy.same_vehicle_ms),
            shortest_vehicle: Duration::from_millis(policy.shortest_vehicle_ms),
            drive_timeout: Duration::from_secs(policy.drive_timeout_s),
            layout: policy.layout,
            verdict: VerdictPolicy {
                by_tag: Choice::Serve,
                unlisted: policy.unlisted,
                low: policy.low,
                old_list: policy.old_list,
                list_age_max: Duration::from_secs(policy.list_age_max_s),
                bad_clock: policy.bad_clock,
                missing_entry: policy.missing_entry,
                equipment_fault: policy.equipment_fault.into(),
            },
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
    /// Its block in the I/O module, from 0.
    pub field_io_index: u16,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_says_nothing_is_the_usual_one() {
        let said = LanePolicy::from(toml::from_str::<Policy>("").unwrap());
        assert_eq!(said, LanePolicy::default());
    }

    #[test]
    fn an_operator_chooses_by_name_and_unknown_names_are_refused() {
        let text = "unlisted = 'serve'\nlayout = 'free-flow'\nequipment_fault = 'nothing'";
        let said = LanePolicy::from(toml::from_str::<Policy>(text).unwrap());
        assert_eq!((said.layout, said.verdict.unlisted), (Layout::FreeFlow, Choice::Serve));
        assert_eq!(said.verdict.equipment_fault, domain::passage::Payment::Nothing);
        assert!(toml::from_str::<Policy>("unlisted = 'perhaps'").is_err());
        assert!(toml::from_str::<Policy>("not_a_key = 1").is_err());
    }
}
