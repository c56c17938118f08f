//! Free ports on loopback.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// The lowest port a server of a run listens on.
const LOWEST: u16 = 12_000;
/// Where Linux begins to take ports for outgoing connections, unless it is told otherwise.
const OUTGOING_DEFAULT: u16 = 32_768;
const TRIES: usize = 64;

/// A port that nobody listens on at this moment; somebody may a moment later, so a server that
/// finds it taken is given another.
///
/// It lies below the range that the system takes for outgoing connections. A client that tries to
/// reach a server which is down could else be given that very port for its own end, connect to
/// itself, and keep the server from coming back.
///
/// # Errors
/// When the system has no free port at all.
pub fn free_port() -> io::Result<u16> {
    let below = first_outgoing().unwrap_or(OUTGOING_DEFAULT);
    for _ in 0..TRIES {
        if below <= LOWEST {
            break;
        }
        let port = rand::random_range(LOWEST..below);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn first_outgoing() -> Option<u16> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_none_that_an_outgoing_connection_could_be_given() {
        let below = first_outgoing().unwrap_or(OUTGOING_DEFAULT);
        for port in (0..50).map(|_| free_port().unwrap()) {
            assert!(port >= LOWEST && (port < below || below <= LOWEST), "{port}");
        }
    }
}
