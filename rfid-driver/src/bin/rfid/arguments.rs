//! Arguments that several commands share, and how words become values.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rfid_driver::protocol::{self, Protocol, Transport};
use rfid_driver::session::{ReaderSettings, TidReading};

use crate::failure::Failure;

/// Which reader, and what it shall be set to.
#[derive(Debug, Args)]
pub(crate) struct ReaderArguments {
    /// The serial port, best by a name of /dev/serial/by-id; HOST:PORT for a reader on a network
    pub(crate) port: PathBuf,
    /// What the reader speaks; found out where not given
    #[arg(long, value_name = "NAME", value_parser = protocol_of)]
    pub(crate) protocol: Option<&'static dyn Protocol>,
    /// The rate of the line; found out where not given
    #[arg(long, value_parser = clap::value_parser!(u32).range(300..=4_000_000))]
    baud: Option<u32>,
    /// The antenna ports to read on, counted from 1
    #[arg(long, value_name = "1,2", value_delimiter = ',', default_value = "1",
        value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) antennas: Vec<u8>,
    /// The power for reading, in dBm
    #[arg(long, value_name = "DBM", value_parser = power_cdbm)]
    power_dbm: Option<u16>,
    /// The vendor's number of the radio region
    #[arg(long)]
    region: Option<u8>,
    /// Ask each tag for its TID too
    #[arg(long)]
    tid: bool,
}

impl ReaderArguments {
    /// The settings, for a reader that may have been found at `baud`.
    pub(crate) fn settings(&self, baud: Option<u32>) -> ReaderSettings {
        let default = ReaderSettings::default();
        ReaderSettings {
            antennas: self.antennas.clone(),
            read_power_cdbm: self.power_dbm.unwrap_or(default.read_power_cdbm),
            region: self.region,
            tid: if self.tid { TidReading::On } else { TidReading::Off },
            bauds: self.baud.or(baud).into_iter().collect(),
            ..default
        }
    }

    /// The protocols to look for on this port.
    pub(crate) fn candidates(&self) -> Result<Vec<&'static dyn Protocol>, Failure> {
        candidates(&self.port, self.protocol)
    }
}

/// The protocols that a reader on `port` may speak.
pub(crate) fn candidates(
    port: &Path,
    wanted: Option<&'static dyn Protocol>,
) -> Result<Vec<&'static dyn Protocol>, Failure> {
    let transport = if is_address(port) { Transport::Tcp } else { Transport::Serial };
    match wanted {
        Some(wanted) if wanted.transport() == transport => Ok(vec![wanted]),
        Some(wanted) => Err(Failure::Usage(format!(
            "{} is spoken over {}, and {} is not; give {}",
            wanted.name(),
            transport_name(wanted.transport()),
            port.display(),
            match wanted.transport() {
                Transport::Serial => "a serial port such as /dev/ttyUSB0",
                Transport::Tcp => "HOST:PORT",
            }
        ))),
        None => Ok(protocol::ALL
            .iter()
            .copied()
            .filter(|protocol| protocol.transport() == transport)
            .collect()),
    }
}

pub(crate) fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Serial => "serial",
        Transport::Tcp => "tcp",
    }
}

/// Whether this is HOST:PORT and not a file.
pub(crate) fn is_address(port: &Path) -> bool {
    let is_number = |text: &str| text.parse::<u16>().is_ok();
    let text = port.to_string_lossy();
    !port.exists()
        && !text.starts_with('/')
        && text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && is_number(port))
}

/// The protocol of this name.
pub(crate) fn protocol_of(name: &str) -> Result<&'static dyn Protocol, String> {
    protocol::by_name(name).ok_or_else(|| {
        let names: Vec<&str> = protocol::ALL.iter().map(|protocol| protocol.name()).collect();
        format!("no such protocol; there is {}", names.join(", "))
    })
}

/// Seconds, with a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 =
        text.parse().map_err(|_unparsed| "a number of seconds, such as 10 or 0.5")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// A power in dBm, in hundredths.
fn power_cdbm(text: &str) -> Result<u16, String> {
    let wrong = "a power from 0 to 40 dBm, such as 27 or 27.5";
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: u16 = whole.parse().map_err(|_unparsed| wrong)?;
    let hundredths: u16 = match fraction.len() {
        0 => 0,
        1 | 2 => format!("{fraction:0<2}").parse().map_err(|_unparsed| wrong)?,
        _ => return Err(wrong.to_owned()),
    };
    let power = whole.checked_mul(100).and_then(|whole| whole.checked_add(hundredths));
    power.filter(|power| *power <= 4000).ok_or_else(|| wrong.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{is_address, power_cdbm, protocol_of, seconds};

    #[test]
    fn words_become_values_or_say_what_would_be_right() {
        assert_eq!(power_cdbm("27"), Ok(2700));
        assert_eq!(power_cdbm("27.5"), Ok(2750));
        assert_eq!(power_cdbm("30.05"), Ok(3005));
        for wrong in ["", "-1", "41", "1.234", "x", "700.0"] {
            assert!(power_cdbm(wrong).is_err(), "{wrong}");
        }
        assert_eq!(seconds("0.5").map(|wait| wait.as_millis()), Ok(500));
        assert!(seconds("-1").is_err() && seconds("soon").is_err());
        assert!(protocol_of("morse").unwrap_err().contains("mercury"));
    }

    #[test]
    fn an_address_is_not_a_file() {
        assert!(is_address("gantry-3:5084".as_ref()));
        assert!(!is_address("/dev/serial/by-path/pci-0000:00:14.0:1".as_ref()));
        assert!(!is_address("/dev/ttyUSB0".as_ref()));
    }
}
