//! The part of the configuration that says which reader a lane has.

use std::path::PathBuf;
use std::time::Duration;

use rfid_driver::protocol::{self, Protocol, Transport};
use rfid_driver::session::{ReaderSettings, TidReading};
use rfid_driver::supervisor::ReaderConfig;
use serde::Deserialize;

/// A lane's reader.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reader {
    /// What it speaks, by its name in [`protocol::ALL`].
    pub protocol: String,
    /// Its serial port, best one of `/dev/serial/by-id`; `host:port` for a protocol over TCP.
    pub port: PathBuf,
    /// The rates to look for it at; all that the protocol knows where empty.
    #[serde(default)]
    pub bauds: Vec<u32>,
    /// The rate to bring the line to once it is found.
    pub baud_wanted: Option<u32>,
    /// The variant, by name; found out where absent.
    pub model: Option<String>,
    /// The antenna ports to read on, from 1.
    #[serde(default = "first_antenna")]
    pub antennas: Vec<u8>,
    /// The power for reading, in hundredths of a dBm.
    #[serde(default = "usual_power")]
    pub read_power_cdbm: u16,
    /// The radio region by the vendor's number; as the reader has it where absent.
    pub region: Option<u8>,
    /// Whether tags are asked for their TID too; it about halves the rate of reads.
    #[serde(default)]
    pub tid: bool,
}

/// The protocols that readers are driven by; of some the driver only knows the frames.
fn spoken() -> impl Iterator<Item = &'static dyn Protocol> {
    let usual = ReaderSettings::default();
    protocol::ALL.iter().copied().filter(move |protocol| protocol.session(&usual).is_ok())
}

fn first_antenna() -> Vec<u8> {
    ReaderSettings::default().antennas
}

fn usual_power() -> u16 {
    ReaderSettings::default().read_power_cdbm
}

impl Reader {
    /// The driver's configuration, for a run that is so much faster than life.
    ///
    /// # Errors
    /// Tells which key is wrong, and what it may be.
    pub fn driver(&self, time_scale: f64) -> Result<ReaderConfig, String> {
        let found = spoken().find(|protocol| protocol.name() == self.protocol);
        let protocol = found.ok_or_else(|| {
            let names: Vec<&str> = spoken().map(Protocol::name).collect();
            format!("reader.protocol is one of {}, not {:?}", names.join(", "), self.protocol)
        })?;
        self.check_line(protocol)?;
        let wrong_antenna = |port: &u8| !(1..=16).contains(port);
        if self.antennas.is_empty() || self.antennas.iter().any(wrong_antenna) {
            return Err("reader.antennas is a list of ports from 1 to 16".to_owned());
        }
        let settings = self.settings();
        protocol.session(&settings).map_err(|unsupported| format!("reader: {unsupported}"))?;
        Ok(ReaderConfig { protocol, port: self.port.clone(), settings, time_scale })
    }

    fn settings(&self) -> ReaderSettings {
        ReaderSettings {
            model: self.model.clone(),
            antennas: self.antennas.clone(),
            read_power_cdbm: self.read_power_cdbm,
            region: self.region,
            tid: if self.tid { TidReading::On } else { TidReading::Off },
            bauds: self.bauds.clone(),
            baud_wanted: self.baud_wanted,
            ..ReaderSettings::default()
        }
    }

    fn check_line(&self, protocol: &dyn Protocol) -> Result<(), String> {
        let port = self.port.to_string_lossy();
        match protocol.transport() {
            Transport::Serial => {}
            Transport::Tcp => {
                let is_address = port
                    .rsplit_once(':')
                    .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
                if !is_address {
                    let name = protocol.name();
                    return Err(format!("reader.port of {name} is host:port, not {port:?}"));
                }
                if !self.bauds.is_empty() || self.baud_wanted.is_some() {
                    return Err(
                        "reader.bauds and reader.baud_wanted belong to a serial port, not \
                                to TCP"
                            .to_owned(),
                    );
                }
            }
        }
        Ok(())
    }
}

/// How long a device may take after the start before the lane says that it is not there, in real
/// time: a reader is probed at several rates first.
pub const DEVICES_WITHIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn driver(text: &str) -> Result<ReaderConfig, String> {
        toml::from_str::<Reader>(text).unwrap().driver(1.0)
    }

    #[test]
    fn every_protocol_that_the_driver_speaks_may_be_named() {
        assert!(spoken().count() >= 5);
        for protocol in spoken() {
            let port = match protocol.transport() {
                Transport::Serial => "/dev/ttyS0",
                Transport::Tcp => "192.0.2.1:5084",
            };
            let text = format!("protocol = \"{}\"\nport = \"{port}\"", protocol.name());
            assert_eq!(driver(&text).unwrap().protocol.name(), protocol.name());
        }
    }

    #[test]
    fn a_refusal_names_the_key_and_what_is_allowed() {
        for (text, said) in [
            (
                "protocol = \"mercuri\"\nport = \"p\"",
                "reader.protocol is one of mercury, uhfreader",
            ),
            ("protocol = \"swnet\"\nport = \"p\"", "reader.protocol is one of mercury, uhfreader"),
            ("protocol = \"llrp\"\nport = \"/dev/ttyS0\"", "reader.port of llrp is host:port"),
            ("protocol = \"llrp\"\nport = \"h:1\"\nbauds = [9600]", "belong to a serial port"),
            ("protocol = \"mercury\"\nport = \"p\"\nantennas = [17]", "ports from 1 to 16"),
            ("protocol = \"mercury\"\nport = \"p\"\nmodel = \"m9\"", "it can have"),
        ] {
            let message = driver(text).unwrap_err();
            assert!(message.contains(said), "{text}: {message}");
        }
        assert!(
            toml::from_str::<Reader>("protocol = \"llrp\"\nport = \"h:1\"\nspeed = 1").is_err()
        );
    }
}
