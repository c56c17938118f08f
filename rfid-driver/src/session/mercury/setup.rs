//! How a Mercury reader is set up, in which order, and how long it is given.

use std::time::Duration;

use crate::codec::mercury::{
    CONFIG_READ_FILTER, CONFIG_RSSI_IN_DBM, Command, MetadataFlags, PROTOCOL_GEN2, StreamRequest,
    opcode,
};

/// How long the host is allowed to be late. Time that runs faster than life shortens waiting, but
/// never below this: a busy host must not look like a dead reader.
const HOST_LATENESS: Duration = Duration::from_millis(500);

/// What each record shall carry: everything a [`crate::TagRead`] holds.
const METADATA: MetadataFlags = MetadataFlags::READ_COUNT
    .with(MetadataFlags::RSSI)
    .with(MetadataFlags::ANTENNA)
    .with(MetadataFlags::FREQUENCY)
    .with(MetadataFlags::TIMESTAMP)
    .with(MetadataFlags::PHASE)
    .with(MetadataFlags::PROTOCOL);

/// What a reader shall be set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MercurySettings {
    antenna_pairs: Vec<u8>,
    read_power_cdbm: u16,
    region: u8,
}

impl MercurySettings {
    /// Reads on `antennas` (ports counted from 1) in turn, in the vendor's `region`.
    #[must_use]
    pub fn new(antennas: &[u8], read_power_cdbm: u16, region: u8) -> Self {
        let antenna_pairs = antennas.iter().flat_map(|&port| [port, port]).collect();
        Self { antenna_pairs, read_power_cdbm, region }
    }

    pub(super) fn command(&self, step: Step) -> Command<'_> {
        match step {
            Step::AskProgram => Command::CurrentProgram,
            Step::Boot => Command::BootFirmware,
            Step::Region => Command::SetRegion { region: self.region },
            Step::Antennas => Command::SetAntennas { pairs: &self.antenna_pairs },
            Step::ReadPower => Command::SetReadPower { power_cdbm: self.read_power_cdbm },
            Step::Protocol => Command::SetProtocol { protocol: PROTOCOL_GEN2 },
            Step::ReadFilterOff => Command::SetReaderConfig { key: CONFIG_READ_FILTER, value: 0 },
            Step::RssiInDbm => Command::SetReaderConfig { key: CONFIG_RSSI_IN_DBM, value: 1 },
            Step::Start => Command::StartStream(StreamRequest::without_pause(METADATA)),
        }
    }
}

/// One command of the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    AskProgram,
    /// Only where the boot loader runs.
    Boot,
    Region,
    Antennas,
    ReadPower,
    Protocol,
    /// The filter is on after power-up and would report each tag once, which hides the curve of
    /// its signal (python-mercuryapi issue 149).
    ReadFilterOff,
    RssiInDbm,
    Start,
}

impl Step {
    pub(super) fn next(self) -> Option<Self> {
        match self {
            Self::AskProgram | Self::Boot => Some(Self::Region),
            Self::Region => Some(Self::Antennas),
            Self::Antennas => Some(Self::ReadPower),
            Self::ReadPower => Some(Self::Protocol),
            Self::Protocol => Some(Self::ReadFilterOff),
            Self::ReadFilterOff => Some(Self::RssiInDbm),
            Self::RssiInDbm => Some(Self::Start),
            Self::Start => None,
        }
    }

    pub(super) fn opcode(self) -> u8 {
        match self {
            Self::AskProgram => opcode::CURRENT_PROGRAM,
            Self::Boot => opcode::BOOT_FIRMWARE,
            Self::Region => opcode::SET_REGION,
            Self::Antennas => opcode::SET_ANTENNAS,
            Self::ReadPower => opcode::SET_READ_POWER,
            Self::Protocol => opcode::SET_PROTOCOL,
            Self::ReadFilterOff | Self::RssiInDbm => opcode::SET_READER_CONFIG,
            Self::Start => opcode::STREAM,
        }
    }
}

/// How long a session waits, in the host's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MercuryTiming {
    /// For the answer to a command.
    pub answer_timeout: Duration,
    /// For the reports that a reader has queued when it is told to stop.
    pub stop_timeout: Duration,
    /// For the application to start: the first boot after an update takes 1.5 s (M6e User Guide).
    pub boot_timeout: Duration,
    /// For a sign of life while reading: two and a half periods of the keep-alive.
    pub life_timeout: Duration,
    /// For the next byte of a frame.
    pub silence_in_frame: Duration,
    /// Before a reader that refused is asked again.
    pub rest: Duration,
}

impl MercuryTiming {
    /// For a reader in real time.
    pub const LIFE: Self = Self {
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
            answer_timeout: scaled(self.answer_timeout),
            stop_timeout: scaled(self.stop_timeout),
            boot_timeout: scaled(self.boot_timeout),
            life_timeout: scaled(self.life_timeout),
            silence_in_frame: scaled(self.silence_in_frame),
            rest: scaled(self.rest),
        }
    }
}
