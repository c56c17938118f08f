//! `rfid emulate`: a reader made of software on a pseudo-terminal.
//!
//! The first line of output is the path under which a client opens it; once that stands there, it
//! can. It runs until it is interrupted and then takes its name away.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use rfid_driver::emulator::pty::{Echo, HostRate, LineHabits, PtyReader, PtyReaderConfig, SentTag};
use rfid_driver::emulator::wire::WireFaults;
use rfid_driver::emulator::{EmulatorSettings, FieldTag, PowerUp};
use rfid_driver::protocol::{Protocol, Transport};
use rfid_driver::{Epc, Tid};

use crate::arguments::{protocol_of, seconds};
use crate::failure::Failure;
use crate::interrupt::{Interrupt, LOOK_PERIOD};
use crate::output::{Format, Output};
use crate::watched::is_over;
use crate::{clock, hex};

mod truth;

use truth::Truth;

/// At the centre of a lane's field.
const RSSI_DBM_DEFAULT: i8 = -50;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What the reader speaks
    #[arg(value_parser = protocol_of)]
    protocol: &'static dyn Protocol,
    /// Which variant of it
    #[arg(long)]
    model: Option<String>,
    /// The path under which it shall be found; its own device where not given
    #[arg(long)]
    link: Option<PathBuf>,
    /// A tag in the field: its EPC in hex, and perhaps its TID, the antenna that hears it, and how
    /// strong in dBm
    #[arg(long = "tag", value_name = "EPC[,tid=HEX][,ant=N][,rssi=N]", value_parser = tag)]
    tags: Vec<FieldTag>,
    /// How often each tag is read, a second
    #[arg(long, default_value_t = 20.0, value_parser = rate)]
    rate: f64,
    /// Of all its chance
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The rate of its line at first
    #[arg(long, value_parser = clap::value_parser!(u32).range(300..=4_000_000))]
    baud: Option<u32>,
    /// What it does when it is switched on
    #[arg(long, default_value = "ready")]
    power_up: PowerUpName,
    /// What its line does: junk and false-header before so large a share of frames, lost-byte and
    /// flipped-bit of so large a share of those, fragment of at most so many bytes
    #[arg(long, value_name = "junk=0.04,false-header=0.04,lost-byte=1e-3,flipped-bit=1e-4,fragment=7",
        value_parser = faults, default_value = "", hide_default_value = true)]
    faults: WireFaults,
    /// Let it be heard at any rate, for a client that sets none
    #[arg(long)]
    any_baud: bool,
    /// Let the host hear itself, as on a two-wire line
    #[arg(long)]
    echo: bool,
    /// Write each report of tags that it sends to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Stop after so many seconds
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    limit: Option<Duration>,
    /// How much faster than life its time runs
    #[arg(long, default_value_t = 1.0, value_parser = rate)]
    speed: f64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PowerUpName {
    /// It waits for commands
    Ready,
    /// It stays in its boot loader until told to boot
    BootLoader,
    /// It reports tags unasked
    Reading,
}

impl From<PowerUpName> for PowerUp {
    fn from(name: PowerUpName) -> Self {
        match name {
            PowerUpName::Ready => Self::Ready,
            PowerUpName::BootLoader => Self::BootLoader,
            PowerUpName::Reading => Self::Reading,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.protocol.transport() != Transport::Serial {
        let name = arguments.protocol.name();
        let what = format!("{name} has no serial line to emulate; choose a serial protocol");
        return Err(Failure::Usage(what));
    }
    let interrupt = Interrupt::catch()?;
    let link = match &arguments.link {
        Some(link) => link.clone(),
        None => std::env::temp_dir().join(format!("rfid-emulate-{}", std::process::id())),
    };
    let (mut truth, sender) = match &arguments.truth {
        Some(file) => Truth::create(file).map(|(truth, sender)| (Some(truth), Some(sender)))?,
        None => (None, None),
    };
    let reader = start(arguments, sender, &link)?;
    reader.set_field(&arguments.tags);
    let shown = match &arguments.link {
        Some(link) => link.clone(),
        None => fs::read_link(&link).map_err(|error| Failure::caused("find its device", error))?,
    };
    let mut output = Output::new(Format::Text);
    output.line(shown.display())?;
    output.flush()?;
    let start = clock::now();
    while !interrupt.is_asked() && !is_over(start, arguments.limit) {
        match &mut truth {
            Some(truth) => truth.write(LOOK_PERIOD)?,
            None => thread::park_timeout(LOOK_PERIOD),
        }
    }
    drop(reader);
    match &mut truth {
        Some(truth) => truth.write(Duration::ZERO),
        None => Ok(()),
    }
}

fn start(
    arguments: &Arguments,
    truth: Option<mpsc::Sender<SentTag>>,
    link: &Path,
) -> Result<PtyReader, Failure> {
    let settings = EmulatorSettings {
        model: arguments.model.clone(),
        seed: arguments.seed,
        read_interval: Duration::from_secs_f64(1.0 / arguments.rate),
        power_up: arguments.power_up.into(),
        baud: arguments.baud,
        ..EmulatorSettings::default()
    };
    // What cannot be played is a wrong command; what cannot be opened is not.
    if let Err(error) = arguments.protocol.emulator(&settings) {
        return Err(Failure::Usage(error.to_string()));
    }
    let config = PtyReaderConfig {
        protocol: arguments.protocol,
        reader: settings,
        wire: arguments.faults,
        line: LineHabits {
            host_rate: if arguments.any_baud { HostRate::Ignored } else { HostRate::Checked },
            echo: if arguments.echo { Echo::On } else { Echo::Off },
            ..LineHabits::default()
        },
        time_scale: arguments.speed,
        truth,
    };
    let what =
        || format!("put a reader at {}; give a path in a folder that is there", link.display());
    PtyReader::start(link, config).map_err(|error| Failure::caused(what(), error))
}

/// A tag as it is written on the command line.
fn tag(text: &str) -> Result<FieldTag, String> {
    let mut parts = text.split(',');
    let epc = hex::bytes(parts.next().unwrap_or_default())?;
    let epc = Epc::try_from_slice(&epc).map_err(|error| error.to_string())?;
    let mut tag = FieldTag::new(epc, RSSI_DBM_DEFAULT, 1);
    for part in parts {
        match part.split_once('=') {
            Some(("tid", tid)) => {
                let tid = hex::bytes(tid)?;
                tag.tid = Some(Tid::try_from_slice(&tid).map_err(|error| error.to_string())?);
            }
            Some(("ant", port)) => {
                let port = port.parse().ok().filter(|port| (1..=16).contains(port));
                tag.antenna = port.ok_or("ant is an antenna port from 1 to 16")?;
            }
            Some(("rssi", dbm)) => {
                tag.rssi_dbm = dbm.parse().map_err(|_unparsed| "rssi is in dBm, -128 to 127")?;
            }
            _ => return Err(format!("{part:?} is none of tid=HEX, ant=N, rssi=N")),
        }
    }
    Ok(tag)
}

/// Faults as they are written on the command line.
fn faults(text: &str) -> Result<WireFaults, String> {
    let mut faults = WireFaults::NONE;
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let field = match name {
            "junk" => &mut faults.junk_share,
            "false-header" => &mut faults.false_header_share,
            "lost-byte" => &mut faults.lost_byte_share,
            "flipped-bit" => &mut faults.flipped_bit_share,
            "fragment" => {
                let len = value.parse().ok().filter(|len| *len > 0);
                let wrong = "fragment is a number of bytes from 1";
                faults.fragment_len_max = Some(len.ok_or(wrong)?);
                continue;
            }
            _ => {
                return Err(format!(
                    "{name:?} is none of junk, false-header, lost-byte, flipped-bit, fragment"
                ));
            }
        };
        let share = value.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        *field = share.ok_or_else(|| format!("{name} is a share from 0 to 1"))?;
    }
    Ok(faults)
}

/// A positive number.
fn rate(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text.parse().ok();
    rate.filter(|rate| rate.is_finite() && *rate >= 0.001 && *rate <= 100_000.0)
        .ok_or_else(|| "a number from 0.001 to 100000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{faults, tag};

    #[test]
    fn a_tag_is_read_with_all_its_parts() {
        let read = tag("3416214b8817620004936445,tid=E2801160,ant=2,rssi=-61").unwrap();
        assert_eq!(read.epc.to_string(), "3416214B8817620004936445");
        assert_eq!(read.tid.unwrap().to_string(), "E2801160");
        assert_eq!((read.antenna, read.rssi_dbm), (2, -61));
        assert_eq!(tag("3416").unwrap().antenna, 1);
        for wrong in ["", "34", "xyz", "3416,ant=0", "3416,ant=17", "3416,rssi=x", "3416,color=red"]
        {
            assert!(tag(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn faults_are_shares_by_name() {
        let read = faults("junk=0.04,false-header=0.5,lost-byte=1e-3,flipped-bit=1e-4,fragment=7");
        let read = read.unwrap();
        assert!(
            (read.junk_share - 0.04).abs() < 1e-9 && (read.lost_byte_share - 1e-3).abs() < 1e-9
        );
        assert_eq!(read.fragment_len_max, Some(7));
        for wrong in ["junk=2", "junk", "fragment=0", "rain=1"] {
            assert!(faults(wrong).is_err(), "{wrong}");
        }
    }
}
