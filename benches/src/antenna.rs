//! The reader's end of the serial line: the emulator of `rfid-driver` on a pseudo-terminal, with
//! the instant at which each tag's frame is written.
//!
//! A frame is written at once, not at the line's rate: the time that bytes take on a wire is the
//! same for everybody and would only hide the rest.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use domain::{Clock, TagId};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::sys::time::TimeSpec;
use rfid_driver::Epc;
use rfid_driver::emulator::{Emulator as _, EmulatorSettings, FieldTag};
use rfid_driver::protocol::mercury::emulator::MercuryReader;

use crate::Failed;

/// A tag is reported once: the next vehicle has another.
const READ_INTERVAL: Duration = Duration::from_secs(3600);

/// A reader on a pseudo-terminal that lives in the thread that calls it.
pub(crate) struct Antenna {
    master: PtyMaster,
    /// Kept open, because otherwise the line would hang up whenever a host leaves.
    _host_end: File,
    device: PathBuf,
    reader: MercuryReader,
    clock: Clock,
    switched_on_at: Instant,
}

impl Antenna {
    pub(crate) fn switch_on(clock: Clock) -> io::Result<Self> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let device = PathBuf::from(ptsname_r(&master)?);
        let host_end = File::options().read(true).write(true).open(&device)?;
        let mut settings = tcgetattr(&host_end)?;
        cfmakeraw(&mut settings);
        tcsetattr(&host_end, SetArg::TCSANOW, &settings)?;
        let settings =
            EmulatorSettings { read_interval: READ_INTERVAL, ..EmulatorSettings::default() };
        let reader = MercuryReader::new(&settings);
        let switched_on_at = clock.real();
        Ok(Self { master, _host_end: host_end, device, reader, clock, switched_on_at })
    }

    /// The serial port.
    pub(crate) fn port(&self) -> &Path {
        &self.device
    }

    /// Is a reader until then: answers commands and gives its signs of life.
    pub(crate) fn serve_until(&mut self, end: Instant) -> io::Result<()> {
        loop {
            let now = self.clock.real();
            self.reader.handle_deadline(now.saturating_duration_since(self.switched_on_at));
            self.write()?;
            let left = end.saturating_duration_since(now);
            if left.is_zero() {
                return Ok(());
            }
            let mut line = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
            // Its signs of life are a second apart; being late with one by a vehicle is nothing.
            ppoll(&mut line, Some(TimeSpec::from_duration(left)), None)?;
            self.listen()?;
        }
    }

    /// A vehicle's tag comes into the field; hands back the instant just before its frame is
    /// written.
    pub(crate) fn show(&mut self, tag: &TagId) -> Result<Instant, Failed> {
        let epc = Epc::try_from_slice(tag.as_bytes())?;
        Ok(self.show_tag(FieldTag::new(epc, -50, 1))?)
    }

    /// The same for a tag of any kind.
    pub(crate) fn show_tag(&mut self, tag: FieldTag) -> io::Result<Instant> {
        let now = self.clock.real().saturating_duration_since(self.switched_on_at);
        self.reader.set_field(&[tag], now);
        self.reader.handle_deadline(now);
        let sent_at = self.clock.real();
        self.write()?;
        self.reader.set_field(&[], now);
        Ok(sent_at)
    }

    /// Writes bytes that the reader did not say; hands back the instant just before.
    pub(crate) fn write_raw(&mut self, bytes: &[u8]) -> io::Result<Instant> {
        let sent_at = self.clock.real();
        (&self.master).write_all(bytes)?;
        Ok(sent_at)
    }

    fn write(&mut self) -> io::Result<()> {
        while let Some(transmit) = self.reader.poll_transmit() {
            (&self.master).write_all(transmit.frame.as_ref())?;
        }
        Ok(())
    }

    fn listen(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        match (&self.master).read(&mut buffer) {
            Ok(len) => {
                let now = self.clock.real().saturating_duration_since(self.switched_on_at);
                self.reader.handle_bytes(&buffer[..len], now);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }
}
