//! Configuration of the console: one TOML file, unknown keys refused.
//!
//! The parts that every program of the centre has are `clearing_house::config`'s.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use broker_link::Link;
use clearing_house::config::Database;
use domain::signature::PublicKey;
use domain::time::ClockConfig;
use domain::{Currency, OperatorId, StationId};
use jiff::SignedDuration;
use reconciliation::review::Policy;
use reconciliation::review::ballot::Share;
use serde::Deserialize;

use crate::access::Scope;
use crate::command::PeopleFiles;

/// Where the pages are served.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The address to listen on; port 0 takes a free one, and the log says which.
    pub listen: SocketAddr,
    /// Whether a TLS proxy stands before it; without one only the machine itself may be served.
    #[serde(default = "yes")]
    pub behind_tls: bool,
}

const fn yes() -> bool {
    true
}

/// Who may come in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The people file, readable by this process alone; `console people` writes it.
    pub people_file: PathBuf,
    /// The public key that has signed it.
    pub people_key: PublicKey,
    /// The secret key that signs it, where administrators change people from pages of the centre;
    /// readable by this process alone. Without it the pages show people and change none.
    pub people_key_file: Option<PathBuf>,
}

impl Access {
    /// What people are changed with from pages.
    pub(crate) fn people_files(&self) -> Option<PeopleFiles> {
        let key = self.people_key_file.clone()?;
        Some(PeopleFiles { file: self.people_file.clone(), key })
    }
}

impl Config {
    /// Where the passwords are kept that people gave themselves: beside the audit log.
    #[must_use]
    pub fn own_passwords_file(&self) -> PathBuf {
        self.audit.file.with_extension("own-passwords")
    }
}

/// What is kept of who did what.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The audit log; only this process writes it.
    pub file: PathBuf,
}

/// What this desk vouches with for the people who give orders at it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Desk {
    /// The desk's own key, readable by this process alone; `console desk-key` makes it.
    pub key_file: PathBuf,
}

/// How passages are looked at again.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Review {
    /// The share of items that a second reviewer looks at too, in percent.
    pub second_looks_percent: Share,
    /// How long an item is one reviewer's, in seconds.
    pub lease_s: NonZeroU16,
    /// Where pictures of passages are, in `OPERATOR/STATION/LANE/EPOCH/SEQ/`; the centre has none
    /// where absent.
    pub pictures_folder: Option<PathBuf>,
}

impl Default for Review {
    fn default() -> Self {
        Self {
            second_looks_percent: Share::DEFAULT,
            lease_s: NonZeroU16::new(300).unwrap_or(NonZeroU16::MIN),
            pictures_folder: None,
        }
    }
}

impl Review {
    /// As the review goes by it.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let lease = SignedDuration::from_secs(i64::from(self.lease_s.get()));
        Policy { second_looks: self.second_looks_percent, lease, ..Policy::DEFAULT }
    }
}

/// The station a console stands at. With it the console needs no books: it shows this station's
/// lanes, and works while the centre cannot be reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Station {
    /// Whose station it is.
    pub operator: OperatorId,
    /// The station.
    pub station: StationId,
    /// What people call the operator.
    pub operator_name: String,
    /// What people call the station.
    pub station_name: String,
    /// The operator's zone, of the IANA list.
    pub zone: String,
    /// The operator's currency.
    pub currency: Currency,
}

impl Station {
    /// It, as people's scopes name it.
    pub(crate) fn scope(&self) -> Scope {
        Scope::Station(self.operator.clone(), self.station.clone())
    }
}

/// The configuration of `console`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The run's clock; the machine's where absent.
    pub clock: Option<ClockConfig>,
    /// The broker.
    pub broker: Link,
    /// The database, in a role that reads; required unless there is a station.
    pub database: Option<Database>,
    /// The same database in the role of settlement, for those who propose, approve and pay. Without
    /// it the console shows money and moves none.
    pub settlement_database: Option<Database>,
    /// The same database in the role that keeps the network, for tariffs. Without it the console
    /// shows tariffs and takes none.
    pub registry_database: Option<Database>,
    /// The pages.
    pub http: Http,
    /// The people.
    pub access: Access,
    /// The audit log.
    pub audit: Audit,
    /// The desk's own key. Without it orders are not signed, and only lanes that know no desk take
    /// them.
    pub desk: Option<Desk>,
    /// How passages are looked at again.
    #[serde(default)]
    pub review: Review,
    /// The station, for a station's desk.
    pub station: Option<Station>,
}

/// Why a configuration cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Passwords over a network in clear.
    #[error(
        "[http] behind_tls = false is for a loopback address; {listen} is not one. \
         Put a TLS proxy before it and leave the key out"
    )]
    PlainHttp {
        /// The address.
        listen: SocketAddr,
    },
    /// Neither books nor a station.
    #[error("the configuration has neither [database] (at the centre) nor [station]")]
    Place,
    /// Both.
    #[error("[station] works without books: leave [database] out")]
    BothPlaces,
    /// The key above all roles on a computer that will be stolen one day.
    #[error(
        "[access] people_key_file is for the centre: a station gets its people by `people export`"
    )]
    KeyAtStation,
    /// A zone that is not one.
    #[error("[station] zone is not in the IANA list of zones")]
    Zone,
}

impl Config {
    /// Checks what one key alone does not tell.
    ///
    /// # Errors
    /// When parts do not go together.
    pub fn check(&self) -> Result<(), ConfigError> {
        let Http { listen, behind_tls } = self.http;
        if !behind_tls && !listen.ip().is_loopback() {
            return Err(ConfigError::PlainHttp { listen });
        }
        if self.station.is_some() && self.access.people_key_file.is_some() {
            return Err(ConfigError::KeyAtStation);
        }
        match (&self.database, &self.station) {
            (None, None) => Err(ConfigError::Place),
            (Some(_), Some(_)) => Err(ConfigError::BothPlaces),
            (None, Some(_))
                if self.settlement_database.is_some() || self.registry_database.is_some() =>
            {
                Err(ConfigError::BothPlaces)
            }
            (None, Some(station)) if jiff::tz::TimeZone::get(&station.zone).is_err() => {
                Err(ConfigError::Zone)
            }
            (Some(_), None) | (None, Some(_)) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, ConfigError};

    const WHOLE: &str = r#"
        [clock]
        real = "2026-11-21T05:00:00Z"
        run = "2026-11-21T00:00:00Z"
        speed = 50.0
        [broker]
        url = "tls://127.0.0.1:4333"
        ca_file = "ca.crt"
        certificate_file = "broker.crt"
        certificate_key_file = "broker.key"
        credentials_file = "broker.creds"
        [database]
        url = "postgres://etc@127.0.0.1:5433/etc"
        [http]
        listen = "127.0.0.1:0"
        [access]
        people_file = "people"
        people_key = "KEY"
        [audit]
        file = "audit.log"
    "#;

    const STATION: &str = r#"
        [station]
        operator = "cienco4"
        station = "ben-thuy"
        operator_name = "Cienco4"
        station_name = "Bến Thủy"
        zone = "Asia/Ho_Chi_Minh"
        currency = "VND"
    "#;

    fn read(text: &str) -> Result<Config, toml::de::Error> {
        let key = domain::signature::SecretKey::from_seed(&[7; 32]).public();
        toml::from_str(&text.replace("KEY", &String::from(key)))
    }

    fn without(section: &str) -> String {
        let start = WHOLE.find(&format!("[{section}]")).unwrap();
        let end = WHOLE[start + 1..].find('[').map_or(WHOLE.len(), |end| start + 1 + end);
        format!("{}{}", &WHOLE[..start], &WHOLE[end..])
    }

    #[test]
    fn a_whole_configuration_is_read_and_an_unknown_key_is_named() {
        let config = read(WHOLE).unwrap();
        assert_eq!((config.http.listen.port(), config.http.behind_tls), (0, true));
        assert_eq!(config.check(), Ok(()));
        let typo = WHOLE.replace("listen", "listne");
        assert!(read(&typo).unwrap_err().to_string().contains("listne"));
    }

    #[test]
    fn a_configuration_without_a_clock_goes_by_the_machines() {
        assert!(read(&without("clock")).unwrap().clock.is_none());
    }

    #[test]
    fn a_station_has_no_books_and_the_centre_has() {
        let check = |text: &str| read(text).unwrap().check();
        let station = format!("{}{STATION}", without("database"));
        assert_eq!(check(&station), Ok(()));
        assert_eq!(check(&without("database")), Err(ConfigError::Place));
        assert_eq!(check(&format!("{WHOLE}{STATION}")), Err(ConfigError::BothPlaces));
        let with_key = station.replace("people_key =", "people_key_file = \"key\"\npeople_key =");
        assert_eq!(check(&with_key), Err(ConfigError::KeyAtStation));
        let nowhere = station.replace("Ho_Chi_Minh", "Atlantis");
        assert_eq!(check(&nowhere), Err(ConfigError::Zone));
    }

    #[test]
    fn plain_http_is_for_the_machine_itself() {
        let plain = WHOLE.replace("[access]", "behind_tls = false\n[access]");
        assert_eq!(read(&plain).unwrap().check(), Ok(()));
        let open = plain.replace("127.0.0.1:0", "0.0.0.0:80");
        let error = read(&open).unwrap().check().unwrap_err();
        assert!(error.to_string().contains("0.0.0.0:80 is not one"), "{error}");
    }
}
