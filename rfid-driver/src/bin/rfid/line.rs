//! Opening the line to a reader, with a word of what would be right.

use std::path::Path;

use rfid_driver::line::Line;
use rfid_driver::port::PortError;
use rfid_driver::protocol::Transport;

use crate::arguments::is_address;
use crate::failure::Failure;

/// Opens a serial port, or a connection where `port` is "host:port".
pub(crate) fn open(port: &Path) -> Result<Line, Failure> {
    let transport = if is_address(port) { Transport::Tcp } else { Transport::Serial };
    Line::open(transport, port).map_err(|error| match error {
        absent @ PortError::Absent { .. } => {
            let known = crate::list::port_names().join(", ");
            let hint = match known.as_str() {
                "" => "no serial port is plugged in".to_owned(),
                _ => format!("serial ports here: {known}"),
            };
            Failure::failed(format!("{absent}; {hint}"))
        }
        other => Failure::caused(format!("open {}", port.display()), other),
    })
}
