//! Configuration of a station's controller: one TOML file, unknown keys refused, `ETC_BROKER_URL`
//! overrides the broker's address. `deploy/lane-controller.example.toml` shows every key.
//!
//! A key that is unknown, missing or of the wrong kind is told by the TOML reader, with its line;
//! everything else that is wrong is told at once, each with its lane and key.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use broker_link::Link;
use domain::signature::{PublicKey, SecretKey, SignatureError};
use domain::tariff::{Tariff, TariffBook, TariffFile};
use domain::time::ClockConfig;
use domain::wire::v1::RoleRecord;
use domain::{IdError, LaneId, OperatorId, StationId};
use serde::Deserialize;

use crate::clock_quality::ClockBounds;
use crate::list::guard::ListSettings;

mod devices;
mod field_io;
mod policy;
mod reader;

pub use devices::{Camera, Cameras, Classifier, Display};
pub use field_io::{Card, FieldIo, LaneFieldIo, Module};
pub use policy::{Policy, SafePositionRecord, WhenFailingRecord};
pub use reader::{DEVICES_WITHIN, Reader};

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
    /// Values that may not be so.
    #[error("{path} is not usable:\n  {}", wrongs.join("\n  "))]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong, each with its place, its key and what would be right.
        wrongs: Vec<String>,
    },
    /// A lane's place in the field I/O, or its reader, is not said.
    #[error("lane {lane}: {wrong}")]
    Device {
        /// The lane's token.
        lane: String,
        /// What is wrong, with its key.
        wrong: String,
    },
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
    pub broker: Link,
    /// The clearing house.
    pub centre: Centre,
    /// The desks whose people give orders here.
    #[serde(default)]
    pub desk: Desk,
    /// What is kept here.
    pub data: Data,
    /// The I/O module that lanes share, where there is one.
    pub field_io: Option<FieldIo>,
    /// How the account list is kept.
    #[serde(default)]
    pub list: ListSettings,
    /// From where on the clock is not to be trusted.
    #[serde(default)]
    pub clock_bounds: ClockBounds,
    /// Where health and metrics can be asked for; nowhere where absent.
    pub health: Option<Health>,
    /// Where cameras are listened for; needed where a lane has one.
    pub cameras: Option<Cameras>,
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

/// The clearing house.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Centre {
    /// The key that signs lists, receipts, entries and epochs.
    pub public_key: PublicKey,
}

/// The desks whose people give orders here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Desk {
    /// Their keys, as `console desk-key` tells them. Where there is one, every order has to be
    /// signed by a person whom one of them vouches for; where there is none, the orders are taken
    /// that need no signature.
    pub keys: Vec<PublicKey>,
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

/// Where health and metrics can be asked for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Address and port; best a loopback one, there is no password.
    pub listen: SocketAddr,
}

/// A lane.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lane {
    /// Its token.
    pub id: String,
    /// What it is for.
    pub role: RoleRecord,
    /// Its reader.
    pub reader: Reader,
    /// Its block in the I/O module, from 0.
    pub field_io_index: Option<u16>,
    /// The device of its loops and arm, where that is not the station's module.
    pub field_io: Option<FieldIo>,
    /// What measures its vehicles.
    pub classifier: Option<Classifier>,
    /// Its fare displays.
    #[serde(default, rename = "display")]
    pub displays: Vec<Display>,
    /// Its cameras.
    #[serde(default, rename = "camera")]
    pub cameras: Vec<Camera>,
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
        config.broker = config.broker.or_environment();
        let wrongs = config.wrongs();
        if wrongs.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError::Unusable { path: path.to_owned(), wrongs })
        }
    }

    /// Everything that may not be so, as far as the file itself tells.
    fn wrongs(&self) -> Vec<String> {
        let mut wrongs: Vec<String> = self.policy.wrongs().collect();
        if self.lanes.is_empty() {
            wrongs.push("[[lane]] is missing: a station has one lane at least".to_owned());
        }
        let (mut ids, mut cameras, mut places) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for lane in &self.lanes {
            let mut wrong = |text: String| wrongs.push(format!("lane {}: {text}", lane.id));
            if let Err(error) = self.lane_id(lane) {
                wrong(format!("id: {}", in_full(&error)));
            }
            if !ids.insert(lane.id.as_str()) {
                wrong("id: another lane has it already".to_owned());
            }
            if let Err(text) = lane.reader.driver(1.0) {
                wrong(text);
            }
            match LaneFieldIo::of(
                self.field_io.as_ref(),
                lane.field_io.as_ref(),
                lane.field_io_index,
            ) {
                Err(text) => wrong(text.to_owned()),
                Ok(place) if places.contains(&place) => {
                    wrong("field_io: another lane has that device or block already".to_owned());
                }
                Ok(place) => places.push(place),
            }
            lane.displays.iter().flat_map(Display::wrongs).for_each(&mut wrong);
            lane.classifier.iter().flat_map(Classifier::wrongs).for_each(&mut wrong);
            for camera in &lane.cameras {
                camera.wrongs().for_each(&mut wrong);
                if !cameras.insert(camera.name.as_str()) {
                    wrong(format!("camera.name: another camera is called {}, too", camera.name));
                }
                if self.cameras.is_none() {
                    wrong("camera: [cameras] with listen is missing".to_owned());
                }
            }
        }
        wrongs
    }

    /// Everything that a station needs besides and does not find: keys, tariffs, secrets.
    ///
    /// # Errors
    /// Names each file with what is wrong with it.
    pub fn check_files(&self, path: &Path) -> Result<(), ConfigError> {
        let mut wrongs = Vec::new();
        wrongs.extend(self.tariffs().err().map(|error| format!("data: {}", in_full(&error))));
        for (key, file) in [
            ("ca_file", &self.broker.ca_file),
            ("certificate_file", &self.broker.certificate_file),
            ("certificate_key_file", &self.broker.certificate_key_file),
            ("credentials_file", &self.broker.credentials_file),
        ] {
            let wrong = read(file).err();
            wrongs.extend(wrong.map(|error| format!("broker.{key}: {}", in_full(&error))));
        }
        for lane in &self.lanes {
            let key = lane.key().err().map(|error| format!("key_file: {}", in_full(&error)));
            let secrets = lane.cameras.iter().filter_map(|camera| camera.secret().err());
            let lanes = key.into_iter().chain(secrets);
            wrongs.extend(lanes.map(|text| format!("lane {}: {text}", lane.id)));
        }
        if wrongs.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Unusable { path: path.to_owned(), wrongs })
        }
    }

    /// What a lane's loops and arm are behind.
    ///
    /// # Errors
    /// When that is not said, or said twice.
    pub fn field_io_of(&self, lane: &Lane) -> Result<LaneFieldIo, ConfigError> {
        LaneFieldIo::of(self.field_io.as_ref(), lane.field_io.as_ref(), lane.field_io_index)
            .map_err(|wrong| ConfigError::Device { lane: lane.id.clone(), wrong: wrong.to_owned() })
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

/// An error with its causes, in one line.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
