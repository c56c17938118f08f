//! A TCP connection to a reader, with the contract of the serial port ([`crate::port::Port`]): read
//! with a deadline, nothing is no error, and gone is gone.
//!
//! It does not connect again; that is the supervisor's business.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use crate::port::PortError;

/// For the other end to take what is written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// For the other end to take what was written last and to close, when we leave.
const LINGER: Duration = Duration::from_millis(100);
/// Pieces of what the other end still sends, when we leave.
const LINGER_READS_MAX: usize = 64;

/// An open connection.
#[derive(Debug)]
pub struct TcpLine {
    address: PathBuf,
    stream: TcpStream,
}

impl TcpLine {
    /// Connects to "host:port", waiting up to `timeout` for each address that the host has.
    ///
    /// # Errors
    /// Says that nobody is there, or what the system said.
    pub fn connect(address: &str, timeout: Duration) -> Result<Self, PortError> {
        let error =
            |source| PortError::Transfer { operation: "connect to", port: address.into(), source };
        let none = io::Error::new(io::ErrorKind::NotFound, "no address behind this name");
        let mut last = none;
        for resolved in address.to_socket_addrs().map_err(error)? {
            match TcpStream::connect_timeout(&resolved, timeout).and_then(prepared) {
                Ok(stream) => return Ok(Self { address: address.into(), stream }),
                Err(source) => last = source,
            }
        }
        Err(error(last))
    }

    /// Waits up to `timeout` for bytes; 0 means that none came.
    ///
    /// # Errors
    /// Says whether the other end closed or the read failed.
    pub fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize, PortError> {
        // The system takes no time at all for all the time there is.
        let timeout = timeout.max(Duration::from_millis(1));
        self.stream
            .set_read_timeout(Some(timeout))
            .map_err(|source| self.transfer_error("read", source))?;
        match self.stream.read(buffer) {
            Ok(0) => Err(PortError::HungUp { port: self.address.clone() }),
            Ok(len) => Ok(len),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => Ok(0),
                _ => Err(self.transfer_error("read", error)),
            },
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// Says whether the other end closed or the write failed.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.stream.write_all(bytes).map_err(|source| self.transfer_error("write", source))
    }

    fn transfer_error(&self, operation: &'static str, source: io::Error) -> PortError {
        let port = self.address.clone();
        match source.kind() {
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted => PortError::HungUp { port },
            _ => PortError::Transfer { operation, port, source },
        }
    }
}

impl Drop for TcpLine {
    /// Closes so that what was written last arrives: a connection that is closed over bytes that
    /// nobody has read is torn down, and takes with it what the other end has not read yet.
    fn drop(&mut self) {
        let mut unread = [0; 4096];
        let mut linger = || -> io::Result<()> {
            self.stream.shutdown(Shutdown::Write)?;
            self.stream.set_read_timeout(Some(LINGER))?;
            for _ in 0..LINGER_READS_MAX {
                if self.stream.read(&mut unread)? == 0 {
                    break;
                }
            }
            Ok(())
        };
        // The other end was gone already, or takes too long: there is nobody to tell.
        linger().ok();
    }
}

fn prepared(stream: TcpStream) -> io::Result<TcpStream> {
    // Commands are short and each waits for its answer.
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    Ok(stream)
}
