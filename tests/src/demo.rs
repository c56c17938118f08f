//! The built `simulator demo` as a child process, which ends with the test.
//!
//! *Held*: after its summary the lanes are stopped and the books are kept up to be asked, until the
//! demo is told to end.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use simulator::demo::process::tail_of;
use simulator::demo::run_folder::RunFolder;
use simulator::truth::TruthLine;

use crate::programs::{built, nats_server, postgres_bin};
use crate::wait;

/// How long a run may take to its summary; a busy machine is slow.
const SUMMARY_WITHIN: Duration = Duration::from_secs(240);
const END_WITHIN: Duration = Duration::from_secs(60);
/// Demos want the processor for themselves: one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A demo that runs.
#[derive(Debug)]
pub struct Demo {
    child: Child,
    /// Whatever the test writes and the demo keeps.
    folder: RunFolder,
    /// The ports that everybody's own broker and database would have, taken.
    _taken: Vec<TcpListener>,
    _alone: MutexGuard<'static, ()>,
}

impl Demo {
    /// Starts a held run with these arguments besides.
    #[must_use]
    pub fn start(arguments: &[&str]) -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = RunFolder::temporary().expect("a folder for the run");
        // Where they are taken already, that is as good.
        let taken = [4222, 5432].map(|port| TcpListener::bind(("127.0.0.1", port)));
        let output = File::create(folder.join("screen")).expect("a file for what it shows");
        let child = Command::new(built("simulator"))
            .args(["demo", "--speed", "50", "--exit", "--hold"])
            .arg("--keep")
            .arg(folder.join("run"))
            .arg("--report")
            .arg(folder.join("r.json"))
            .arg("--truth")
            .arg(folder.join("t.ndjson"))
            .args(arguments)
            .env("NATS_SERVER", nats_server())
            .env("POSTGRES_BIN", postgres_bin())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the file twice"))
            .stderr(output)
            .spawn()
            .expect("the demo starts");
        let _taken = taken.into_iter().flatten().collect();
        Self { child, folder, _taken, _alone: alone }
    }

    /// The run's own folder.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// Everything it has shown so far.
    #[must_use]
    pub fn screen(&self) -> String {
        fs::read_to_string(self.folder.join("screen")).unwrap_or_default()
    }

    /// The truth so far; a line that is being written is not part of it yet.
    #[must_use]
    pub fn truth(&self) -> Vec<TruthLine> {
        let text = fs::read_to_string(self.folder.join("t.ndjson")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).expect("a line of truth")).collect()
    }

    /// Waits until so many crossings are over.
    pub fn wait_for_truth(&mut self, lines: usize) {
        self.wait(&format!("truth of {lines} lines"), |demo| {
            (demo.truth().len() >= lines).then_some(())
        });
    }

    /// Kills a server of the run as `kill -9` does, and waits until the demo has started it again.
    pub fn kill9(&mut self, server: &str) {
        let pid_file = self.run().join("pids").join(format!("{server}.pid"));
        let pid =
            |_: &Self| -> Option<i32> { fs::read_to_string(&pid_file).ok()?.trim().parse().ok() };
        let before = pid(self).unwrap_or_else(|| panic!("{server} does not run"));
        kill(Pid::from_raw(before), Signal::SIGKILL).expect("a server that runs can be killed");
        self.wait(&format!("new {server}"), |demo| pid(demo).filter(|now| *now != before));
    }

    /// Waits for the summary, and hands back the report.
    pub fn report(&mut self) -> Value {
        self.wait("report", |demo| {
            let text = fs::read_to_string(demo.folder.join("r.json")).ok()?;
            serde_json::from_str(&text).ok()
        })
    }

    /// Tells a held run to end, sees that it ends well, and that it leaves no server behind.
    pub fn end(mut self) {
        self.ask_to_end();
        let status = wait::until("end of the demo", END_WITHIN, || self.ended());
        assert!(status.success(), "the demo ended with {status}:\n{}", self.tail());
        let left: Vec<_> = fs::read_dir(self.run().join("pids"))
            .expect("a kept folder")
            .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
            .filter(|pid| Path::new("/proc").join(pid.trim()).exists())
            .collect();
        assert!(left.is_empty(), "still running: {left:?}");
    }

    fn wait<T>(&mut self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        wait::until(what, SUMMARY_WITHIN, || {
            let found = look(self);
            if found.is_none()
                && let Some(status) = self.ended()
            {
                panic!("the demo ended with {status} before its {what}:\n{}", self.tail());
            }
            found
        })
    }

    fn ask_to_end(&self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            kill(Pid::from_raw(pid), Signal::SIGINT).ok();
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    fn tail(&self) -> String {
        tail_of(&self.folder.join("screen"))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        self.ask_to_end();
        let asked = domain::Clock::system();
        while self.ended().is_none() && asked.uptime() < END_WITHIN {
            wait::pause();
        }
        // Servers go with the one who started them.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
