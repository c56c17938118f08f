//! The pseudo-terminal itself, and the name that leads to it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::ioctl_fionbio;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// A pseudo-terminal with both its ends. Dropping it hangs up.
#[derive(Debug)]
pub(super) struct Terminal {
    /// The reader's end; it does not block.
    pub(super) master: File,
    // The host's end: while we hold it, the line does not break when a host leaves.
    host_end: File,
    pub(super) device: PathBuf,
}

impl Terminal {
    /// A line that carries bytes as they are. It begins at `baud`, so that a host that never sets a
    /// rate has the right one.
    pub(super) fn open(baud: u32) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        ioctl_fionbio(&master, true)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let device = PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()));
        // Not to become this process's own terminal.
        let host_end = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(&device)?;
        let mut settings = tcgetattr(&host_end)?;
        settings.make_raw();
        settings.set_speed(baud)?;
        tcsetattr(&host_end, OptionalActions::Now, &settings)?;
        Ok(Self { master: File::from(master), host_end, device })
    }

    /// The rate that the host's end is set to, whatever number it is; `None` where the system does
    /// not say.
    pub(super) fn host_baud(&self) -> Option<u32> {
        tcgetattr(&self.host_end).ok().map(|settings| settings.output_speed())
    }
}

/// Lets `link` point at `device`, in one step.
pub(super) fn point(link: &Path, device: &Path) -> io::Result<()> {
    let line = device.file_name().unwrap_or_default().to_string_lossy();
    let mut name = link.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{line}.new"));
    let fresh = link.with_file_name(name);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    symlink(device, &fresh)?;
    fs::rename(&fresh, link)
}

/// Removes `link` if it still points at `device`; another reader may have taken the name over.
pub(super) fn remove(link: &Path, device: &Path) {
    if fs::read_link(link).is_ok_and(|target| target == device)
        && let Err(error) = fs::remove_file(link)
    {
        tracing::warn!(link = %link.display(), error = &error as &dyn std::error::Error, "remove link");
    }
}
