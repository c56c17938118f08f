//! The serial port: opened for us alone, read with a deadline, and with errors that say which port
//! and who has it.
//!
//! It does not reopen a port; that is the supervisor's business.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serialport::{ClearBuffer, SerialPort as _, TTYPort};

mod holder;
mod latency;
mod list;

use holder::holder;
pub use latency::LowLatency;
pub use list::{PortInfo, UsbIdentity};

/// Why a port is of no use.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// It is not there.
    #[error("port {port} does not exist")]
    Absent {
        /// The port.
        port: PathBuf,
    },
    /// Another process has it.
    #[error("port {port} is in use by {holder}")]
    Held {
        /// The port.
        port: PathBuf,
        /// That process, as far as it can be found out.
        holder: String,
        /// What the system said.
        #[source]
        source: serialport::Error,
    },
    /// It cannot be opened.
    #[error("open port {port}")]
    Open {
        /// The port.
        port: PathBuf,
        /// What the system said.
        #[source]
        source: serialport::Error,
    },
    /// The host cannot run it at this rate; it now runs at another.
    #[error("port {port} cannot run at {baud} baud; the nearest it has is {nearest_baud}")]
    Rate {
        /// The port.
        port: PathBuf,
        /// The rate that was asked for.
        baud: u32,
        /// The rate that the host chose instead.
        nearest_baud: u32,
    },
    /// It was there and is gone: unplugged, or its other end hung up.
    #[error("port {port} hung up")]
    HungUp {
        /// The port.
        port: PathBuf,
    },
    /// Its name has come to lead to another device: see [`Port::is_replaced`].
    #[error("port {port} is another device now")]
    Replaced {
        /// The port.
        port: PathBuf,
    },
    /// Reading or writing failed.
    #[error("{operation} port {port}")]
    Transfer {
        /// Which of them.
        operation: &'static str,
        /// The port.
        port: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// An open serial port, 8N1.
#[derive(Debug)]
pub struct Port {
    path: PathBuf,
    line: TTYPort,
    // Which device the path led to when it was opened.
    device: Option<u64>,
}

impl Port {
    /// The serial ports of this machine.
    #[must_use]
    pub fn list() -> Vec<PortInfo> {
        list::ports(Path::new("/"))
    }

    /// Opens `path` for this process alone and throws away what has been received before.
    ///
    /// # Errors
    /// Says whether the port is absent, in use (and by whom), cannot run at this rate, or is
    /// otherwise not to be opened.
    pub fn open(path: &Path, baud: u32) -> Result<Self, PortError> {
        let port = path.to_path_buf();
        let device = device_behind(path);
        let open = || {
            let line = serialport::new(path.to_string_lossy(), baud).open_native()?;
            if is_pseudo_terminal(path) {
                release_exclusive_mark(&line)?;
            }
            line.clear(ClearBuffer::Input)?;
            Ok(line)
        };
        let line = open().map_err(|source: serialport::Error| match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                PortError::Absent { port: port.clone() }
            }
            _ if is_in_use(&source) => {
                let process =
                    fs::canonicalize(path).ok().and_then(|path| holder(Path::new("/proc"), &path));
                let holder = process.unwrap_or_else(|| "another process".to_owned());
                PortError::Held { port: port.clone(), holder, source }
            }
            _ => PortError::Open { port: port.clone(), source },
        })?;
        let opened = Self { path: port, line, device };
        opened.check_rate(baud)?;
        Ok(opened)
    }

    /// Asks the port to hand on bytes as soon as they come, where it can be told so. See
    /// [`LowLatency`].
    #[must_use]
    pub fn lower_latency(&self) -> LowLatency {
        let device = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let name = device.strip_prefix("/dev").unwrap_or(&device);
        latency::lower(Path::new("/sys"), &name.to_string_lossy())
    }

    /// Whether the path has come to lead to another device: the reader was plugged in again under
    /// another name, although this line has not hung up. A path that leads nowhere proves nothing.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        let now = device_behind(&self.path);
        now.is_some() && now != self.device
    }

    /// A second way to the same open port, so that one thread can write while another reads.
    ///
    /// # Errors
    /// When the system gives no second way.
    pub fn try_clone(&self) -> Result<Self, PortError> {
        let port = self.path.clone();
        match self.line.try_clone_native() {
            Ok(line) => Ok(Self { path: port, line, device: self.device }),
            Err(source) => Err(PortError::Open { port, source }),
        }
    }

    /// Waits up to `timeout` for bytes; 0 means that none came.
    ///
    /// # Errors
    /// Says whether the port hung up or the read failed.
    pub fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize, PortError> {
        self.line
            .set_timeout(timeout)
            .map_err(|source| self.transfer_error("read", source.into()))?;
        match self.line.read(buffer) {
            // A pseudo-terminal whose other end is gone reads as empty, for ever and at once.
            Ok(0) => Err(PortError::HungUp { port: self.path.clone() }),
            Ok(len) => Ok(len),
            Err(error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(0),
                _ => Err(self.transfer_error("read", error)),
            },
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// Says whether the port hung up or the write failed.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        // The timeout of the read before it may have been nothing at all.
        self.line
            .set_timeout(WRITE_TIMEOUT)
            .map_err(|source| self.transfer_error("write", source.into()))?;
        self.line.write_all(bytes).map_err(|source| self.transfer_error("write", source))
    }

    /// Waits until what was written has left, then runs the line at `baud`.
    ///
    /// # Errors
    /// Says whether the port hung up or does not have the rate.
    pub fn set_baud(&mut self, baud: u32) -> Result<(), PortError> {
        self.line.flush().map_err(|source| self.transfer_error("drain", source))?;
        self.line
            .set_baud_rate(baud)
            .map_err(|source| self.transfer_error("set the rate of", source.into()))?;
        self.check_rate(baud)
    }

    /// A driver that lacks a rate takes its nearest without a word.
    fn check_rate(&self, baud: u32) -> Result<(), PortError> {
        let port = self.path.clone();
        match self.line.baud_rate() {
            Ok(nearest_baud) if !is_as_good_as(baud, nearest_baud) => {
                Err(PortError::Rate { port, baud, nearest_baud })
            }
            // A port that cannot say is believed.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn transfer_error(&self, operation: &'static str, source: io::Error) -> PortError {
        let port = self.path.clone();
        match source.kind() {
            io::ErrorKind::BrokenPipe => PortError::HungUp { port },
            _ => PortError::Transfer { operation, port, source },
        }
    }
}

const WRITE_TIMEOUT: Duration = Duration::from_millis(200);
/// A rate that is off by less than one part in so many does no harm: a receiver finds its place
/// anew at each byte, and is half a bit off after ten bits only if the rate is off by one in twenty.
const RATE_TOLERANCE: u32 = 33;

fn is_as_good_as(wanted_baud: u32, baud: u32) -> bool {
    baud.abs_diff(wanted_baud) <= wanted_baud / RATE_TOLERANCE
}

fn device_behind(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| metadata.rdev())
}

fn is_pseudo_terminal(path: &Path) -> bool {
    fs::canonicalize(path).is_ok_and(|device| device.starts_with("/dev/pts"))
}

/// Takes the TIOCEXCL mark off the line again and keeps the lock on the file.
///
/// A real port forgets the mark when its last user dies. An emulator keeps its end of a
/// pseudo-terminal open, so that a killed host's mark would lock out its own successor. Dropping a
/// clone clears the mark; the lock belongs to the open file, which both share, and stays.
fn release_exclusive_mark(line: &TTYPort) -> Result<(), serialport::Error> {
    line.try_clone_native().map(drop)
}

fn is_in_use(error: &serialport::Error) -> bool {
    match error.kind() {
        serialport::ErrorKind::NoDevice => true,
        serialport::ErrorKind::Io(kind) => {
            matches!(kind, io::ErrorKind::ResourceBusy | io::ErrorKind::WouldBlock)
        }
        serialport::ErrorKind::InvalidInput | serialport::ErrorKind::Unknown => {
            error.description.contains("exclusive")
        }
    }
}

#[cfg(test)]
mod tests;
