//! Configuration of the console: one TOML file, unknown keys refused.
//!
//! The parts that every program of the centre has are `clearing_house::config`'s.

use std::net::SocketAddr;
use std::path::PathBuf;

use broker_link::Link;
use clearing_house::config::Database;
use domain::time::ClockConfig;
use serde::Deserialize;

/// Where the pages are served.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The address to listen on; port 0 takes a free one, and the log says which.
    pub listen: SocketAddr,
}

/// Who may come in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The file with the desk user's `user:password` in one line, readable by this process alone.
    pub password_file: PathBuf,
}

/// The configuration of `console`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The run's clock; the machine's where absent.
    pub clock: Option<ClockConfig>,
    /// The broker.
    pub broker: Link,
    /// The database.
    pub database: Database,
    /// The pages.
    pub http: Http,
    /// The people.
    pub access: Access,
}

#[cfg(test)]
mod tests {
    use super::Config;

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
        password_file = "desk.password"
    "#;

    #[test]
    fn a_whole_configuration_is_read_and_an_unknown_key_is_named() {
        let config: Config = toml::from_str(WHOLE).unwrap();
        assert_eq!(config.http.listen.port(), 0);
        let typo = WHOLE.replace("listen", "listne");
        assert!(toml::from_str::<Config>(&typo).unwrap_err().to_string().contains("listne"));
    }

    #[test]
    fn a_configuration_without_a_clock_goes_by_the_machines() {
        let text = WHOLE.split("[broker]").nth(1).unwrap();
        let config: Config = toml::from_str(&format!("[broker]{text}")).unwrap();
        assert!(config.clock.is_none());
    }
}
