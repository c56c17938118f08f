//! A Redis of the bench's own: what a team would ask that keeps its list in one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use domain::Clock;

use crate::Failed;

/// Between two looks whether it has come up.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOKS_MAX: u32 = 1_000;

/// A Redis on a unix socket, without a copy on the disk; it ends with this.
pub(crate) struct RedisServer {
    process: Child,
    socket: PathBuf,
}

impl RedisServer {
    /// Starts it; none where the machine has none.
    pub(crate) fn start(folder: &Path, clock: Clock) -> Result<Option<Self>, Failed> {
        let socket = folder.join("redis");
        let started = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(folder)
            .stdout(Stdio::null())
            .spawn();
        let process = match started {
            Ok(process) => process,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let server = Self { process, socket };
        let mut looks = 0;
        while !server.socket.exists() {
            looks += 1;
            if looks > LOOKS_MAX {
                return Err("Redis does not come up".into());
            }
            crate::lane::wait_until(clock, clock.real() + LOOK_EVERY);
        }
        Ok(Some(server))
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> Result<Resp, Failed> {
        Ok(Resp(BufReader::new(UnixStream::connect(&self.socket)?)))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// As much of Redis's protocol as the benches need.
pub(crate) struct Resp(BufReader<UnixStream>);

impl Resp {
    /// One command, and what it answers where that is text.
    pub(crate) fn ask(&mut self, words: &[&[u8]]) -> Result<Option<Vec<u8>>, Failed> {
        let mut request = Vec::new();
        push_command(&mut request, words);
        self.0.get_mut().write_all(&request)?;
        self.answer()
    }

    /// Many values in one write; comes back when all are in.
    pub(crate) fn set_all<K: AsRef<[u8]>>(&mut self, values: &[(K, &[u8])]) -> Result<(), Failed> {
        let mut request = Vec::new();
        for (key, value) in values {
            push_command(&mut request, &[b"SET", key.as_ref(), value]);
        }
        self.0.get_mut().write_all(&request)?;
        for _ in values {
            self.answer()?;
        }
        Ok(())
    }

    fn answer(&mut self) -> Result<Option<Vec<u8>>, Failed> {
        let mut head = String::new();
        self.0.read_line(&mut head)?;
        match head.trim_end().split_at_checked(1) {
            Some(("+", _)) | Some(("$", "-1")) => Ok(None),
            Some(("$", len)) => {
                let mut value = vec![0; len.parse::<usize>()? + 2];
                self.0.read_exact(&mut value)?;
                value.truncate(value.len() - 2);
                Ok(Some(value))
            }
            _ => Err("Redis says something else".into()),
        }
    }
}

fn push_command(request: &mut Vec<u8>, words: &[&[u8]]) {
    request.extend(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        request.extend(format!("${}\r\n", word.len()).as_bytes());
        request.extend(*word);
        request.extend(b"\r\n");
    }
}
