//! Something on a line that is no reader: it hears the host, and says what a test makes it say.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// What it says, given what it has just heard and how long it has been there. It is asked every few
/// milliseconds.
pub(crate) type Talk = Box<dyn FnMut(&[u8], Duration) -> Vec<u8> + Send>;

/// It notes at which rates the host speaks.
pub(crate) struct Stranger {
    // Held so that the line does not break when the host leaves.
    _host_end: File,
    spoken_at: Arc<Mutex<Vec<u32>>>,
    leaves: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stranger {
    pub(crate) fn at(link: &Path, mut talk: Talk) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let mut master = File::from(master.unwrap());
        ioctl_fionbio(&master, true).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let device = PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()));
        let host_end = File::options().read(true).write(true).open(&device).unwrap();
        let mut settings = tcgetattr(&host_end).unwrap();
        settings.make_raw();
        tcsetattr(&host_end, OptionalActions::Now, &settings).unwrap();
        symlink(&device, link).unwrap();
        let spoken_at = Arc::new(Mutex::new(Vec::new()));
        let leaves = Arc::new(AtomicBool::new(false));
        let (rates, left) = (Arc::clone(&spoken_at), Arc::clone(&leaves));
        let thread = thread::spawn(move || {
            let begun_at = now();
            let mut buffer = [0; 64];
            let wait = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
            while !left.load(Ordering::Relaxed) {
                let mut sources = [PollFd::new(&master, PollFlags::IN)];
                let mut len = 0;
                if poll(&mut sources, Some(&wait)).unwrap() > 0 {
                    len = master.read(&mut buffer).unwrap();
                    rates.lock().unwrap().push(tcgetattr(&master).unwrap().output_speed());
                }
                let said = talk(&buffer[..len], begun_at.elapsed());
                // A host that does not listen misses it.
                master.write(&said).unwrap_or_default();
            }
        });
        Self { _host_end: host_end, spoken_at, leaves, thread: Some(thread) }
    }

    /// The rates at which the host has spoken, in order.
    pub(crate) fn spoken_at(&self) -> Vec<u32> {
        self.spoken_at.lock().unwrap().clone()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.leaves.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "these tests are about real time")]
fn now() -> Instant {
    Instant::now()
}
