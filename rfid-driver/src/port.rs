//! The serial port: opened for us alone, read with a deadline, and with errors that say which port
//! and who has it.
//!
//! It does not look for ports and does not reopen one; that is the supervisor's business.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serialport::{ClearBuffer, SerialPort as _, TTYPort};

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
    /// It was there and is gone: unplugged, or its other end hung up.
    #[error("port {port} hung up")]
    HungUp {
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
}

impl Port {
    /// Opens `path` for this process alone and throws away what has been received before.
    ///
    /// # Errors
    /// Says whether the port is absent, in use (and by whom), or otherwise not to be opened.
    pub fn open(path: &Path, baud: u32) -> Result<Self, PortError> {
        let port = path.to_path_buf();
        let open = || {
            let line = serialport::new(path.to_string_lossy(), baud).open_native()?;
            if is_pseudo_terminal(path) {
                release_exclusive_mark(&line)?;
            }
            line.clear(ClearBuffer::Input)?;
            Ok(line)
        };
        open().map(|line| Self { path: port.clone(), line }).map_err(|source: serialport::Error| {
            match fs::metadata(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => PortError::Absent { port },
                _ if is_in_use(&source) => {
                    let holder = holder(path).unwrap_or_else(|| "another process".to_owned());
                    PortError::Held { port, holder, source }
                }
                _ => PortError::Open { port, source },
            }
        })
    }

    /// A second way to the same open port, so that one thread can write while another reads.
    ///
    /// # Errors
    /// When the system gives no second way.
    pub fn try_clone(&self) -> Result<Self, PortError> {
        let port = self.path.clone();
        match self.line.try_clone_native() {
            Ok(line) => Ok(Self { path: port, line }),
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
    /// Says whether the port hung up or does not know the rate.
    pub fn set_baud(&mut self, baud: u32) -> Result<(), PortError> {
        self.line.flush().map_err(|source| self.transfer_error("drain", source))?;
        self.line
            .set_baud_rate(baud)
            .map_err(|source| self.transfer_error("set the rate of", source.into()))
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

/// Names the process that has the device behind `path` open, as far as /proc lets us see it.
fn holder(path: &Path) -> Option<String> {
    let device = fs::canonicalize(path).ok()?;
    let has_it_open = |process: &Path| {
        fs::read_dir(process.join("fd"))
            .into_iter()
            .flatten()
            .flatten()
            .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == device))
    };
    fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())))
        .filter(|(_, process)| has_it_open(process))
        .map(|(id, process)| {
            let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
            format!("{} (process {id})", name.trim())
        })
        .next()
}
