//! How long a port may sit on bytes that have come, and asking it not to.
//!
//! An FTDI adapter waits up to 16 ms for more bytes before it hands on what it has; a 16550 UART
//! waits until its queue is half full or four characters long silent. Both can be told through
//! files of the kernel's (`latency_timer` of the driver `ftdi_sio`, in milliseconds;
//! `rx_trig_bytes` of the driver 8250, in bytes; Documentation/ABI/testing/sysfs-tty). That needs
//! no call outside safe Rust, which the older ioctl (`TIOCSSERIAL` with `ASYNC_LOW_LATENCY`) does,
//! and works for another user too once a udev rule has set it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Whether a port hands bytes on as soon as they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LowLatency {
    /// It does from now on.
    Set {
        /// The kernel's file that was written.
        file: PathBuf,
        /// What stood there before.
        before: String,
    },
    /// It did already.
    Already,
    /// We may not tell it to.
    NotPermitted {
        /// The kernel's file that would have to be written.
        file: PathBuf,
        /// The udev rule that writes it whenever the port appears.
        rule: &'static str,
    },
    /// It has no such mode, or none that is set in this way.
    NotOffered,
}

/// One way to set the mode.
struct Knob {
    /// Under the port's folder in /sys/class/tty.
    file: &'static str,
    rule: &'static str,
}

/// In both, less is not possible.
const LOWEST: &str = "1";

const KNOBS: [Knob; 2] = [
    Knob {
        file: "device/latency_timer",
        rule: r#"ACTION=="add", SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{latency_timer}="1""#,
    },
    Knob {
        file: "rx_trig_bytes",
        rule: r#"ACTION=="add", SUBSYSTEM=="tty", KERNEL=="ttyS[0-9]*", ATTR{rx_trig_bytes}="1""#,
    },
];

/// Asks the port with this name in /dev for low latency. `sys` is /sys.
pub(super) fn lower(sys: &Path, name: &str) -> LowLatency {
    let folder = sys.join("class/tty").join(name);
    KNOBS
        .iter()
        .find_map(|knob| turn(&folder.join(knob.file), knob.rule))
        .unwrap_or(LowLatency::NotOffered)
}

/// `None` where there is no such file, or the port does not take it.
fn turn(file: &Path, rule: &'static str) -> Option<LowLatency> {
    let before = fs::read_to_string(file).ok()?.trim().to_owned();
    if before == LOWEST {
        return Some(LowLatency::Already);
    }
    // Not created where it is absent: these files are the kernel's.
    let written = fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(file)
        .and_then(|mut open| io::Write::write_all(&mut open, LOWEST.as_bytes()));
    let file = file.to_path_buf();
    match written {
        Ok(()) => {
            let now = fs::read_to_string(&file).ok()?;
            (now.trim() == LOWEST).then_some(LowLatency::Set { file, before })
        }
        Err(error) => match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Some(LowLatency::NotPermitted { file, rule })
            }
            _ => None,
        },
    }
}
