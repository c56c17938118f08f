//! A serial line to a device made of software: a pseudo-terminal under a name of one's choice.
//!
//! It has no thread: whoever plays the device lets it listen and speak. What is said while nobody
//! takes it, and the line is full, is lost, as on a cable that leads nowhere.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

/// The device's end. Dropping it hangs up and removes its name.
#[derive(Debug)]
pub(crate) struct PtyLine {
    link: PathBuf,
    master: PtyMaster,
    _host_end: File,
}

impl PtyLine {
    /// Makes a line that appears as `link`.
    pub(crate) fn start(link: &Path) -> io::Result<Self> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let device = ptsname_r(&master)?;
        // Its own hand on the host's end keeps the line whole while no host is there.
        let host_end = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags((OFlag::O_NOCTTY | OFlag::O_CLOEXEC).bits())
            .open(&device)?;
        let mut settings = tcgetattr(&host_end)?;
        cfmakeraw(&mut settings);
        tcsetattr(&host_end, SetArg::TCSANOW, &settings)?;
        symlink(device, link)?;
        Ok(Self { link: link.to_owned(), master, _host_end: host_end })
    }

    /// Where it appears.
    pub(crate) fn link(&self) -> &Path {
        &self.link
    }

    /// Adds what the host has said since to `heard`.
    pub(crate) fn listen(&mut self, heard: &mut Vec<u8>) -> io::Result<()> {
        let mut buffer = [0; 512];
        loop {
            match self.master.read(&mut buffer) {
                Ok(len) => heard.extend(&buffer[..len]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Says something.
    pub(crate) fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.master.write_all(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            done => done,
        }
    }
}

impl Drop for PtyLine {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.link) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(link = %self.link.display(), error, "remove link");
        }
    }
}
