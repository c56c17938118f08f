//! `rfid probe`: which reader is on a port, and at which rate.
//!
//! Each protocol's own session looks for its reader until that says who it is or every rate has had
//! its turn. The reader is left quiet.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rfid_driver::line::Line;
use rfid_driver::protocol::Protocol;
use rfid_driver::session::{
    AntennaState, ReaderSettings, ReaderState, Report, Request, Session, SessionEvent, Transmit,
};
use serde_json::json;

use crate::Output;
use crate::arguments::{candidates, protocol_of};
use crate::clock;
use crate::failure::Failure;
use crate::interrupt::{Interrupt, LOOK_PERIOD};
use crate::line;
use crate::output::Format;
use crate::shown::antenna_name;

/// Longer than any protocol takes to go round its rates.
const PROTOCOL_TIME_MAX: Duration = Duration::from_secs(20);
/// For a reader that has said who it is to say which antennas it has.
const ANTENNAS_TIME_MAX: Duration = Duration::from_secs(3);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The serial port, or HOST:PORT
    port: PathBuf,
    /// Look for this protocol only
    #[arg(long, value_name = "NAME", value_parser = protocol_of)]
    protocol: Option<&'static dyn Protocol>,
    /// Look at this rate only
    #[arg(long, value_parser = clap::value_parser!(u32).range(300..=4_000_000))]
    baud: Option<u32>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let interrupt = Interrupt::catch()?;
    let search = Search {
        port: arguments.port.clone(),
        candidates: candidates(&arguments.port, arguments.protocol)?,
        bauds: arguments.baud.into_iter().collect(),
        antennas: AskAntennas::Yes,
    };
    let found = search.run(&interrupt)?;
    let mut output = Output::new(Format::of(arguments.json));
    output.put(
        || found.text(),
        || {
            let antennas: Vec<_> = found
                .antennas
                .iter()
                .map(|(port, state)| json!({ "port": port, "state": antenna_name(*state) }))
                .collect();
            json!({
                "port": arguments.port,
                "protocol": found.protocol.name(),
                "baud": found.baud,
                "identity": found.identity,
                "antennas": antennas,
            })
        },
    )?;
    output.flush()
}

/// What to look for, and where.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) port: PathBuf,
    pub(crate) candidates: Vec<&'static dyn Protocol>,
    /// Empty for all that a protocol knows.
    pub(crate) bauds: Vec<u32>,
    pub(crate) antennas: AskAntennas,
}

/// Whether the reader that is found is asked for its antennas; many must read for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskAntennas {
    Yes,
    No,
}

/// The reader on the port.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) protocol: &'static dyn Protocol,
    pub(crate) baud: Option<u32>,
    /// `None` of a reader that reports tags but answers nothing.
    pub(crate) identity: Option<String>,
    antennas: BTreeMap<u8, AntennaState>,
}

impl Found {
    fn text(&self) -> String {
        let baud = self.baud.map_or("-".to_owned(), |baud| baud.to_string());
        let identity = self.identity.as_deref().unwrap_or("unknown: it answers no question");
        let mut text =
            format!("protocol  {}\nbaud      {baud}\nidentity  {identity}", self.protocol.name());
        for (port, state) in &self.antennas {
            text += &format!("\nantenna {port} {}", antenna_name(*state));
        }
        text
    }
}

impl Search {
    /// Asks one protocol after the other.
    pub(crate) fn run(&self, interrupt: &Interrupt) -> Result<Found, Failure> {
        let (mut bytes_heard, mut tried) = (0, Vec::new());
        for protocol in &self.candidates {
            let Some(mut attempt) = Attempt::begin(self, *protocol)? else { continue };
            tried.push(self.tried(*protocol));
            let found = attempt.run(interrupt)?;
            bytes_heard += attempt.bytes_heard;
            if let Some(found) = found {
                return Ok(found);
            }
            if interrupt.is_asked() {
                return Err(Failure::failed("interrupted before a reader was found"));
            }
        }
        Err(self.nothing(bytes_heard, &tried))
    }

    fn nothing(&self, bytes_heard: usize, tried: &[String]) -> Failure {
        let heard = match bytes_heard {
            0 => "nothing was heard; check power, cable and ground".to_owned(),
            heard => format!(
                "{heard} bytes were heard that fit none of them; another rate or another protocol?"
            ),
        };
        let port = self.port.display();
        Failure::failed(format!("no reader answers on {port}: tried {}; {heard}", tried.join(", ")))
    }

    fn tried(&self, protocol: &dyn Protocol) -> String {
        let bauds = if self.bauds.is_empty() { protocol.bauds() } else { &self.bauds };
        let bauds: Vec<String> = bauds.iter().map(u32::to_string).collect();
        match bauds.is_empty() {
            true => protocol.name().to_owned(),
            false => format!("{} at {} baud", protocol.name(), bauds.join("/")),
        }
    }
}

/// The search for a reader of one protocol.
struct Attempt {
    protocol: &'static dyn Protocol,
    session: Box<dyn Session>,
    line: Line,
    ask_antennas: AskAntennas,
    baud: Option<u32>,
    bytes_heard: usize,
    found: Option<Found>,
    until: Instant,
}

/// Whether there is more to wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Waiting,
    Over,
}

impl Attempt {
    /// `None` where the protocol cannot be looked for so, and there are others.
    fn begin(search: &Search, protocol: &'static dyn Protocol) -> Result<Option<Self>, Failure> {
        let settings = ReaderSettings { bauds: search.bauds.clone(), ..ReaderSettings::default() };
        let session = match protocol.session(&settings) {
            Ok(session) => session,
            Err(_) if search.candidates.len() > 1 => return Ok(None),
            Err(error) => return Err(Failure::Usage(error.to_string())),
        };
        Ok(Some(Self {
            protocol,
            session,
            line: line::open(&search.port)?,
            ask_antennas: search.antennas,
            baud: None,
            bytes_heard: 0,
            found: None,
            until: clock::now() + PROTOCOL_TIME_MAX,
        }))
    }

    /// `None` where no reader of this protocol answers.
    fn run(&mut self, interrupt: &Interrupt) -> Result<Option<Found>, Failure> {
        let mut buffer = [0; 4096];
        self.session.handle_open(clock::now());
        while self.take_events() == Progress::Waiting && !interrupt.is_asked() {
            self.transmit()?;
            let now = clock::now();
            if now >= self.until {
                break;
            }
            let due = self.session.next_deadline().map(|due| due.saturating_duration_since(now));
            let wait = due.unwrap_or(LOOK_PERIOD).clamp(Duration::from_millis(1), LOOK_PERIOD);
            let len = self
                .line
                .read(&mut buffer, wait)
                .map_err(|error| Failure::caused("listen", error))?;
            self.bytes_heard += len;
            if len > 0 {
                self.session.handle_bytes(&buffer[..len], clock::now());
            }
            self.session.handle_deadline(clock::now());
        }
        self.session.handle_shutdown(clock::now());
        self.transmit()?;
        Ok(self.found.take())
    }

    fn transmit(&mut self) -> Result<(), Failure> {
        while let Some(transmit) = self.session.poll_transmit() {
            let done = match transmit {
                Transmit::Frame(frame) => self.line.write(frame.as_ref()),
                Transmit::Baud(baud) => {
                    self.baud = Some(baud);
                    self.line.set_baud(baud)
                }
            };
            done.map_err(|error| Failure::caused("send", error))?;
        }
        Ok(())
    }

    fn take_events(&mut self) -> Progress {
        let mut antennas_told = false;
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::Report(Report::Identity { text, baud }) => {
                    if self.find(Some(text), baud) == Progress::Over {
                        return Progress::Over;
                    }
                }
                SessionEvent::Tag(_) | SessionEvent::State(ReaderState::Reading) => {
                    if self.find(None, None) == Progress::Over {
                        return Progress::Over;
                    }
                }
                SessionEvent::Report(Report::Antenna { port, state }) => {
                    antennas_told = true;
                    if let Some(found) = &mut self.found {
                        found.antennas.insert(port, state);
                    }
                }
                SessionEvent::Report(Report::Refused { request: Request::Antennas }) => {
                    return Progress::Over;
                }
                SessionEvent::State(ReaderState::Degraded) if self.found.is_some() => {
                    return Progress::Over;
                }
                SessionEvent::LineDead => return Progress::Over,
                SessionEvent::State(_) | SessionEvent::Gap(_) | SessionEvent::Report(_) => {}
            }
        }
        if antennas_told { Progress::Over } else { Progress::Waiting }
    }

    /// A reader is there; asks for its antennas, once.
    fn find(&mut self, identity: Option<String>, baud: Option<u32>) -> Progress {
        if let Some(found) = &mut self.found {
            found.identity = found.identity.take().or(identity);
            return Progress::Waiting;
        }
        let baud = baud.or(self.baud);
        let antennas = BTreeMap::new();
        self.found = Some(Found { protocol: self.protocol, baud, identity, antennas });
        match self.ask_antennas {
            AskAntennas::No => Progress::Over,
            AskAntennas::Yes => {
                let now = clock::now();
                self.session.handle_request(Request::Antennas, now);
                self.until = now + ANTENNAS_TIME_MAX;
                Progress::Waiting
            }
        }
    }
}
