//! What a reader shall be set to, and how long it is given; the same for every protocol.

use std::time::Duration;

/// How long the host is allowed to be late. Time that runs faster than life shortens waiting, but
/// never below this: a busy host must not look like a dead reader.
const HOST_LATENESS: Duration = Duration::from_millis(500);

/// What a reader shall be set to.
#[derive(Debug, Clone, PartialEq)]
pub struct ReaderSettings {
    /// A variant by one of the names in [`crate::protocol::Protocol::models`]; `None` to find out.
    pub model: Option<String>,
    /// The antenna ports to read on, counted from 1, at most 16.
    pub antennas: Vec<u8>,
    /// The power for reading, in hundredths of a dBm; rounded down to what the reader can set.
    pub read_power_cdbm: u16,
    /// The radio region by the vendor's number; `None` leaves what the reader is set to, or takes
    /// the protocol's first where a reader forgets it.
    pub region: Option<u8>,
    /// Whether tags are asked for their TID too.
    pub tid: TidReading,
    /// The rates to look for the reader at; empty for all that the protocol knows.
    pub bauds: Vec<u32>,
    /// The rate to bring the line to once the reader is found; `None` to leave it.
    pub baud_wanted: Option<u32>,
    /// How long to wait.
    pub timing: Timing,
}

/// Whether tags are asked for their TID too. It costs a second exchange with each tag, which about
/// halves the rate of reads and, above 90 km/h, their chance (DOI 10.1109/JRFID.2017.2751592).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TidReading {
    /// Only the EPC.
    #[default]
    Off,
    /// The TID too, where the reader can.
    On,
}

impl Default for ReaderSettings {
    /// A reader as it comes out of the box: antenna 1, 27 dBm.
    fn default() -> Self {
        Self {
            model: None,
            antennas: vec![1],
            read_power_cdbm: 2700,
            region: None,
            tid: TidReading::Off,
            bauds: Vec::new(),
            baud_wanted: None,
            timing: Timing::LIFE,
        }
    }
}

/// How long a session waits, in the host's time. A protocol whose readers are slower or faster than
/// this has its own factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// For the answer to a probe at one rate.
    pub probe_timeout: Duration,
    /// For the answer to a command.
    pub answer_timeout: Duration,
    /// For the reports that a reader has queued when it is told to stop.
    pub stop_timeout: Duration,
    /// For the application to start: the first boot after an update takes 1.5 s (M6e User Guide).
    pub boot_timeout: Duration,
    /// For a sign of life while reading: two and a half periods of a keep-alive of one second.
    pub life_timeout: Duration,
    /// For the next byte of a frame.
    pub silence_in_frame: Duration,
    /// Before a reader that refused is asked again.
    pub rest: Duration,
}

impl Timing {
    /// For a reader in real time.
    pub const LIFE: Self = Self {
        probe_timeout: Duration::from_millis(120),
        answer_timeout: Duration::from_millis(250),
        stop_timeout: Duration::from_millis(500),
        boot_timeout: Duration::from_millis(2500),
        life_timeout: Duration::from_millis(2500),
        silence_in_frame: Duration::from_millis(20),
        rest: Duration::from_secs(1),
    };

    /// For a reader whose time runs `time_scale` times as fast.
    ///
    /// # Panics
    /// If `time_scale` is not a positive number.
    #[must_use]
    pub fn faster(self, time_scale: f64) -> Self {
        assert!(time_scale.is_finite() && time_scale > 0.0, "time runs forwards");
        let scaled = |wait: Duration| wait.div_f64(time_scale).max(wait.min(HOST_LATENESS));
        Self {
            probe_timeout: scaled(self.probe_timeout),
            answer_timeout: scaled(self.answer_timeout),
            stop_timeout: scaled(self.stop_timeout),
            boot_timeout: scaled(self.boot_timeout),
            life_timeout: scaled(self.life_timeout),
            silence_in_frame: scaled(self.silence_in_frame),
            rest: scaled(self.rest),
        }
    }
}
