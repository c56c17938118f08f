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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Duration;

    use super::TcpLine;
    use crate::port::PortError;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn line_and_other_end() -> (TcpLine, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let line = TcpLine::connect(&address, PATIENCE).unwrap();
        (line, listener.accept().unwrap().0)
    }

    #[test]
    fn nothing_is_no_error_and_what_comes_is_read() {
        let (mut line, mut other) = line_and_other_end();
        let mut buffer = [0; 16];
        assert_eq!(line.read(&mut buffer, Duration::ZERO).unwrap(), 0);
        other.write_all(b"tag").unwrap();
        assert_eq!(line.read(&mut buffer, PATIENCE).unwrap(), 3);
        line.write(b"ack").unwrap();
        let mut answer = [0; 3];
        other.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"ack");
    }

    #[test]
    fn an_end_that_closed_is_gone() {
        let (mut line, other) = line_and_other_end();
        drop(other);
        let error = line.read(&mut [0; 16], PATIENCE).unwrap_err();
        assert!(matches!(error, PortError::HungUp { .. }), "{error:?}");
    }

    #[test]
    fn nobody_there_is_an_error_that_names_the_address() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let error = TcpLine::connect(&address, PATIENCE).unwrap_err();
        assert_eq!(error.to_string(), format!("connect to port {address}"));
        assert!(TcpLine::connect("no port", PATIENCE).is_err());
    }

    #[test]
    fn last_words_arrive_though_much_was_left_unread() {
        let (mut line, mut other) = line_and_other_end();
        other.write_all(&[7; 20_000]).unwrap();
        line.write(b"farewell").unwrap();
        drop(line);
        let mut words = Vec::new();
        other.read_to_end(&mut words).unwrap();
        assert_eq!(words, b"farewell");
    }
}
