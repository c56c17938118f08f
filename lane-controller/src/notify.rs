//! Tells the service manager that the station runs, lives, and stops (`sd_notify`).
//!
//! The protocol is one datagram of text to the socket named in `NOTIFY_SOCKET` (systemd's manual,
//! `sd_notify(3)`); without that variable nothing is told. The watchdog is fed as long as at least
//! one lane answers, or none should: one lane that hangs is for people to see, and no reason to
//! stop the others for.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::health::Health;

/// How often lanes are asked where nobody watches.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// Tells the service manager something; whether it hears is its own business.
pub fn tell(text: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = tell_at(name.as_bytes(), text) {
        tracing::warn!(%error, "the service manager was not told");
    }
}

/// Tells at a socket: a path, or a name in the abstract space behind an `@`.
fn tell_at(name: &[u8], text: &str) -> std::io::Result<()> {
    let address = match name.split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        Some(_) | None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address).map(drop)
}

/// Half of what the service manager waits for a sign of life, as `WATCHDOG_USEC` says.
fn period(usec: Option<&str>) -> Option<Duration> {
    let usec: u64 = usec?.parse().ok()?;
    Some(Duration::from_micros(usec) / 2).filter(|period| !period.is_zero())
}

/// Says that the station is ready, and from then on that it lives.
pub async fn keep_alive(health: Health) {
    tell("READY=1");
    let watched = period(std::env::var("WATCHDOG_USEC").ok().as_deref());
    let mut round = tokio::time::interval(watched.unwrap_or(ASK_EVERY));
    loop {
        round.tick().await;
        let seen = health.look().await;
        let summary = seen.summary();
        if seen.lives() {
            tell(&format!("WATCHDOG=1\nSTATUS={summary}"));
        } else {
            tracing::error!(summary, "no lane answers");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_manager_hears_at_a_path_and_at_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("etc-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let by_name = UnixDatagram::bind_addr(&address).unwrap();
        for (socket, at) in [
            (by_path, path.as_os_str().as_bytes().to_vec()),
            (by_name, format!("@{name}").into_bytes()),
        ] {
            tell_at(&at, "READY=1").unwrap();
            let mut heard = [0; 64];
            let len = socket.recv(&mut heard).unwrap();
            assert_eq!(&heard[..len], b"READY=1");
        }
        tell_at(folder.path().join("nobody").as_os_str().as_bytes(), "READY=1").unwrap_err();
    }

    #[test]
    fn a_sign_of_life_comes_twice_as_often_as_it_must() {
        assert_eq!(period(Some("30000000")), Some(Duration::from_secs(15)));
        assert_eq!(period(None), None);
        assert_eq!(period(Some("0")), None);
        assert_eq!(period(Some("soon")), None);
    }
}
