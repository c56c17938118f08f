//! A server of a run: started, watched, started again when it dies, and gone when the run is.
//!
//! *Recipe*: how a server is started. *Supervised*: a thread of its own starts the server, waits
//! for its end and starts it again, until it is told to stop or to hold. Deliberately absent: any
//! knowledge of what the server is; readiness is a question the caller asks.
//!
//! A server is its own process group, so that Ctrl-C in a terminal reaches only the demo, which
//! then stops everything in order. Where `setpriv` is at hand the kernel ends the server should
//! the demo itself be killed: the signal follows the death of the thread that started the server,
//! and the supervising thread lives exactly as long as its server may.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use domain::Clock;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use serde::de::DeserializeOwned;

use super::run_folder::RunFolder;
use super::system_user::SystemUser;

/// How long a server that died at once waits before its next start, at first and at most.
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(2);
/// A server that lived this long has earned a quick restart.
const LIVED_WELL: Duration = Duration::from_secs(10);
/// How often a condition is looked at while nothing else wakes the one who waits.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How much of a log stands in an error.
const TAIL_LINES: usize = 12;

/// Why a server, or a program that ends by itself, did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program could not be started at all.
    #[error("start {name}")]
    Start {
        /// Which program.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The server ended before it was ready.
    #[error("{name} ended before it was ready; its log ends with:\n{tail}")]
    Died {
        /// Which server.
        name: String,
        /// The end of its log.
        tail: String,
    },
    /// The server was not ready in time.
    #[error("{name} was not ready within {} s; its log ends with:\n{tail}", within.as_secs())]
    Late {
        /// Which server.
        name: String,
        /// How long was waited.
        within: Duration,
        /// The end of its log.
        tail: String,
    },
    /// A program that should have done its work and ended well did not.
    #[error("{name} failed ({status}):\n{tail}")]
    Failed {
        /// Which program, with its arguments.
        name: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of what it said.
        tail: String,
    },
    /// A program did not print the JSON that it should.
    #[error("{name} gave no answer that could be read:\n{tail}")]
    Answer {
        /// Which program, with its arguments.
        name: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
        /// The end of what it logged.
        tail: String,
    },
    /// A file or folder that the server needs could not be made.
    #[error("prepare {}", path.display())]
    Prepare {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl ProcessError {
    /// For `map_err`: a file or folder could not be made.
    pub(super) fn preparing(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        |source| Self::Prepare { path, source }
    }
}

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Recipe {
    name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    user: Option<SystemUser>,
    stop_signal: Signal,
    log: PathBuf,
    pid_file: PathBuf,
}

impl Recipe {
    /// A server that logs to `logs/NAME.log` of the run and has its number in `pids/NAME.pid`.
    #[must_use]
    pub fn new(name: &str, program: &Path, run: &RunFolder) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            user: None,
            stop_signal: Signal::SIGTERM,
            log: run.log(name),
            pid_file: run.pid_file(name),
        }
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Run as another user of the system; only root can.
    #[must_use]
    pub fn user(mut self, user: Option<SystemUser>) -> Self {
        self.user = user;
        self
    }

    /// Asked to end by this signal instead of `SIGTERM`.
    #[must_use]
    pub fn stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signal = signal;
        self
    }

    /// The command line, behind `setpriv` where that is needed or helps.
    fn command(&self) -> Command {
        let mut command = match setpriv() {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.arg("--pdeathsig").arg(self.stop_signal.as_str());
                command.args(self.user.iter().flat_map(SystemUser::setpriv_arguments));
                command.arg("--").arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        // What overrides a configuration, or leads a client elsewhere, is for other servers.
        let leads_astray = |name: &OsString| {
            let name = name.as_encoded_bytes();
            name.starts_with(b"ETC_") || name.starts_with(b"PG")
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| leads_astray(name)) {
            command.env_remove(name);
        }
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end and hands back what it printed.
    ///
    /// # Errors
    /// When it cannot be started, or ends otherwise than well.
    pub fn run_to_end(&self) -> Result<String, ProcessError> {
        let output = self.output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        let all = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
        let (name, status) = (self.title(), output.status);
        Err(ProcessError::Failed { name, status, tail: last_lines(&all) })
    }

    /// Runs the program to its end and reads the JSON that it printed, whether it ended well or
    /// not: a check that found something ends otherwise than well and still says what.
    ///
    /// # Errors
    /// When it cannot be started, or printed no such JSON.
    pub fn run_for_json<T: DeserializeOwned>(&self) -> Result<T, ProcessError> {
        let output = self.output()?;
        serde_json::from_slice(&output.stdout).map_err(|source| ProcessError::Answer {
            name: self.title(),
            source,
            tail: last_lines(&String::from_utf8_lossy(&output.stderr)),
        })
    }

    /// Runs the program to its end; what it logged goes to its log.
    fn output(&self) -> Result<Output, ProcessError> {
        let start = |source| ProcessError::Start { name: self.title(), source };
        let output = self.command().stdin(Stdio::null()).output().map_err(start)?;
        open_log(&self.log)
            .and_then(|mut log| log.write_all(&output.stderr))
            .map_err(ProcessError::preparing(&self.log))?;
        Ok(output)
    }

    /// Name and arguments, for an error.
    fn title(&self) -> String {
        let words = self.arguments.iter().map(|word| word.to_string_lossy());
        std::iter::once(self.name.as_str().into()).chain(words).collect::<Vec<_>>().join(" ")
    }

    fn spawn(&self) -> io::Result<Child> {
        let log = open_log(&self.log)?;
        self.command()
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Where `setpriv` is; Debian and its kin always have it.
fn setpriv() -> Option<&'static Path> {
    ["/usr/bin/setpriv", "/bin/setpriv"].map(Path::new).into_iter().find(|path| path.exists())
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(TAIL_LINES);
    lines[skipped..].iter().map(|line| format!("  {line}\n")).collect()
}

/// The last lines of a log, for a person.
#[must_use]
pub fn tail_of(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    last_lines(&String::from_utf8_lossy(&text))
}

/// What the owner wants of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Running,
    Held,
    Stopped,
}

#[derive(Debug)]
struct State {
    wanted: Wanted,
    /// The living server; never a number that the system may have given to another.
    pid: Option<Pid>,
    starts: u32,
    ends: u32,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is plain data: a panic elsewhere leaves it true.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, guard: MutexGuard<'a, State>, at_most: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(guard, at_most).unwrap_or_else(PoisonError::into_inner).0
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

impl State {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // A group that has just ended cannot be signalled, and need not be.
            killpg(pid, signal).ok();
        }
    }
}

/// A server under supervision; dropping it stops the server.
#[derive(Debug)]
pub struct Supervised {
    recipe: Arc<Recipe>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Supervised {
    /// Starts the server and keeps it running.
    ///
    /// # Errors
    /// When no thread can be had for it.
    pub fn start(recipe: Recipe) -> Result<Self, ProcessError> {
        let recipe = Arc::new(recipe);
        let state = State { wanted: Wanted::Running, pid: None, starts: 0, ends: 0 };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let thread = std::thread::Builder::new()
            .name(format!("watch {}", recipe.name))
            .spawn({
                let (recipe, shared) = (Arc::clone(&recipe), Arc::clone(&shared));
                move || watch(&recipe, &shared)
            })
            .map_err(|source| ProcessError::Start { name: recipe.name.clone(), source })?;
        Ok(Self { recipe, shared, thread: Some(thread) })
    }

    /// The server's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.recipe.name
    }

    /// The number of the living process, if it lives.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.shared.lock().pid.and_then(|pid| pid.as_raw().try_into().ok())
    }

    /// How often it had to be started again.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.shared.lock().starts.saturating_sub(1)
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        tail_of(&self.recipe.log)
    }

    /// Waits until the server answers as `ready` asks it.
    ///
    /// # Errors
    /// When the server ends first, or the time is over.
    pub fn wait_until(
        &self,
        within: Duration,
        mut ready: impl FnMut(u32) -> bool,
    ) -> Result<(), ProcessError> {
        let clock = Clock::system();
        let name = || self.recipe.name.clone();
        let mut state = self.shared.lock();
        let ends = state.ends;
        loop {
            let pid = state.pid.and_then(|pid| u32::try_from(pid.as_raw()).ok());
            let ended = state.ends > ends;
            drop(state);
            if ended {
                return Err(ProcessError::Died { name: name(), tail: self.log_tail() });
            }
            if pid.is_some_and(&mut ready) {
                return Ok(());
            }
            if clock.uptime() > within {
                return Err(ProcessError::Late { name: name(), within, tail: self.log_tail() });
            }
            state = self.shared.wait(self.shared.lock(), LOOK_AGAIN);
        }
    }

    /// Kills the server as `kill -9` does; it stays down until [`Self::resume`].
    pub fn kill9(&self) {
        self.shared.update(|state| {
            state.wanted = Wanted::Held;
            state.signal(Signal::SIGKILL);
        });
        let mut state = self.shared.lock();
        while state.pid.is_some() {
            state = self.shared.wait(state, LOOK_AGAIN);
        }
    }

    /// Lets a server that was killed start again.
    pub fn resume(&self) {
        self.shared.update(|state| state.wanted = Wanted::Running);
    }

    /// Asks the server to end, and does not wait for it.
    pub fn ask_to_stop(&self) {
        self.shared.update(|state| {
            state.wanted = Wanted::Stopped;
            state.signal(self.recipe.stop_signal);
        });
    }

    /// Asks the server to end and waits for it; one that takes longer than `grace` is killed.
    pub fn stop(&mut self, grace: Duration) {
        let Some(thread) = self.thread.take() else { return };
        self.ask_to_stop();
        let clock = Clock::system();
        let mut state = self.shared.lock();
        while state.pid.is_some() {
            if clock.uptime() > grace {
                state.signal(Signal::SIGKILL);
            }
            state = self.shared.wait(state, LOOK_AGAIN);
        }
        drop(state);
        if thread.join().is_err() {
            tracing::error!(server = self.name(), "the thread that watched it panicked");
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.stop(Duration::from_secs(5));
    }
}

/// The supervising thread: one turn is one life of the server.
fn watch(recipe: &Recipe, shared: &Shared) {
    let mut back_off = BACK_OFF_MIN;
    while may_start(shared) {
        let clock = Clock::system();
        match recipe.spawn() {
            Ok(child) => live(recipe, shared, child),
            Err(error) => {
                tracing::error!(server = recipe.name, %error, "cannot be started");
                shared.update(|state| state.ends += 1);
            }
        }
        back_off = if clock.uptime() > LIVED_WELL { BACK_OFF_MIN } else { back_off };
        let rested = Clock::system();
        let mut state = shared.lock();
        while state.wanted == Wanted::Running && rested.uptime() < back_off {
            state = shared.wait(state, back_off.saturating_sub(rested.uptime()));
        }
        back_off = (back_off * 2).min(BACK_OFF_MAX);
    }
}

/// Waits while the server is held; false when it is wanted no more.
fn may_start(shared: &Shared) -> bool {
    let mut state = shared.lock();
    loop {
        match state.wanted {
            Wanted::Running => return true,
            Wanted::Stopped => return false,
            Wanted::Held => state = shared.wait(state, BACK_OFF_MAX),
        }
    }
}

/// From a start to the end that follows.
fn live(recipe: &Recipe, shared: &Shared, mut child: Child) {
    let pid = Pid::from_raw(child.id().cast_signed());
    if let Err(error) = fs::write(&recipe.pid_file, format!("{pid}\n")) {
        tracing::warn!(server = recipe.name, %error, "its process number could not be written");
    }
    shared.update(|state| {
        state.pid = Some(pid);
        state.starts += 1;
        match state.wanted {
            Wanted::Running => {}
            Wanted::Held => state.signal(Signal::SIGKILL),
            // Told to stop while it was being started.
            Wanted::Stopped => state.signal(recipe.stop_signal),
        }
    });
    // Learns of the end and leaves the number taken, so that nobody can signal a stranger.
    while let Err(nix::Error::EINTR) =
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
    {}
    let mut state = shared.lock();
    let status = child.wait();
    state.pid = None;
    state.ends += 1;
    let unexpected = state.wanted == Wanted::Running;
    drop(state);
    shared.changed.notify_all();
    fs::remove_file(&recipe.pid_file).ok();
    if unexpected {
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        tracing::warn!(server = recipe.name, status, "ended by itself; it is started again");
    }
}

#[cfg(test)]
mod tests;
