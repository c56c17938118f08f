//! The station's page as a browser holds it open: a session, and one stream of server-sent events.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Failed;

/// What is kept of what was read, so that something that two reads share is found.
const KEPT: usize = 4_096;

/// An open page.
#[derive(Debug)]
pub(super) struct OpenPage {
    stream: TcpStream,
    read: Vec<u8>,
}

impl OpenPage {
    /// Logs a person in, in English, and opens the page's stream.
    pub(super) async fn open(address: &str, person: &str, password: &str) -> Result<Self, Failed> {
        let form = format!("user={person}&password={}", password.replace(' ', "+"));
        let ask = format!(
            "POST /login HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        );
        let mut door = TcpStream::connect(address).await?;
        door.write_all(ask.as_bytes()).await?;
        let mut answer = String::new();
        door.read_to_string(&mut answer).await?;
        let cookie = answer
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "))
            .and_then(|cookie| cookie.split(';').next())
            .ok_or_else(|| format!("nobody is let in: {}", answer.lines().next().unwrap_or("")))?;
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let ask = format!(
            "GET /station/live HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}; etc_language=en\r\n\
             Accept: text/event-stream\r\n\r\n"
        );
        stream.write_all(ask.as_bytes()).await?;
        Ok(Self { stream, read: Vec::new() })
    }

    /// Waits until the page has been sent a text; what was sent before it is done with.
    pub(super) async fn shows(&mut self, needle: &str, within: Duration) -> Result<(), Failed> {
        let reading = async {
            loop {
                let found = self.read.windows(needle.len()).rposition(|at| at == needle.as_bytes());
                if let Some(at) = found {
                    self.read.drain(..at + needle.len());
                    return Ok(());
                }
                let old = self.read.len().saturating_sub(KEPT);
                self.read.drain(..old);
                let mut some = [0; 65_536];
                match self.stream.read(&mut some).await? {
                    0 => return Err(Failed::from("the page's stream has ended")),
                    count => self.read.extend_from_slice(&some[..count]),
                }
            }
        };
        let late = |_| Failed::from(format!("{needle} never comes"));
        tokio::time::timeout(within, reading).await.map_err(late)?
    }
}
