//! The line to a reader that is being looked for: a serial port or a TCP connection.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::time::Duration;

use rfid_driver::port::Port;

use crate::arguments::is_address;
use crate::failure::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An open line.
#[derive(Debug)]
pub(crate) enum Line {
    Serial(Port),
    Tcp { stream: TcpStream, address: String },
}

impl Line {
    pub(crate) fn open(port: &Path, baud: u32) -> Result<Self, Failure> {
        if is_address(port) {
            return connect(&port.to_string_lossy());
        }
        Port::open(port, baud).map(Self::Serial).map_err(|error| {
            let known = crate::list::port_names().join(", ");
            let hint = match known.as_str() {
                "" => "no serial port is plugged in".to_owned(),
                _ => format!("serial ports here: {known}"),
            };
            match error {
                absent @ rfid_driver::port::PortError::Absent { .. } => {
                    Failure::failed(format!("{absent}; {hint}"))
                }
                other => Failure::caused(format!("open {}", port.display()), other),
            }
        })
    }

    /// Waits up to `timeout` for bytes; 0 means that none came.
    pub(crate) fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize, Failure> {
        match self {
            Self::Serial(port) => {
                port.read(buffer, timeout).map_err(|error| Failure::caused("listen", error))
            }
            Self::Tcp { stream, address } => {
                let read =
                    stream.set_read_timeout(Some(timeout)).and_then(|()| stream.read(buffer));
                match read {
                    Ok(0) => Err(Failure::failed(format!("{address} closed the connection"))),
                    Ok(len) => Ok(len),
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::Interrupted => Ok(0),
                        _ => Err(Failure::caused(format!("listen to {address}"), error)),
                    },
                }
            }
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Serial(port) => port.write(bytes).map_err(|error| Failure::caused("send", error)),
            Self::Tcp { stream, address } => stream
                .write_all(bytes)
                .map_err(|error| Failure::caused(format!("send to {address}"), error)),
        }
    }

    /// Does nothing where a line has no rate.
    pub(crate) fn set_baud(&mut self, baud: u32) -> Result<(), Failure> {
        match self {
            Self::Serial(port) => port
                .set_baud(baud)
                .map_err(|error| Failure::caused(format!("run the line at {baud} baud"), error)),
            Self::Tcp { .. } => Ok(()),
        }
    }
}

fn connect(address: &str) -> Result<Line, Failure> {
    let failed = |error: io::Error| Failure::caused(format!("connect to {address}"), error);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for resolved in address.to_socket_addrs().map_err(failed)? {
        match TcpStream::connect_timeout(&resolved, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(Line::Tcp { stream, address: address.to_owned() }),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}
