//! A second server that follows the run's database, and takes its place when that is lost.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Database, NAME, READY_WITHIN, STOP_WITHIN, Store};
use crate::demo::ports::free_port;
use crate::demo::process::{ProcessError, Recipe, Supervised};
use crate::demo::run_folder::RunFolder;

/// A server that follows; dropping it stops it.
#[derive(Debug)]
pub struct Standby {
    process: Supervised,
    store: Store,
    promote: Recipe,
}

impl Database {
    /// Starts a second server that follows this one. From then on a commit counts when both have it,
    /// once the superuser has set `synchronous_standby_names` to `*`.
    ///
    /// # Errors
    /// When the copy cannot be made, or the second server does not come up.
    pub fn stand_by(&self, run: &RunFolder, postgres_bin: &Path) -> Result<Standby, ProcessError> {
        let who_may_come = self.store.data.join("pg_hba.conf");
        fs::OpenOptions::new()
            .append(true)
            .open(&who_may_come)
            .and_then(|mut file| writeln!(file, "local replication all scram-sha-256"))
            .map_err(ProcessError::preparing(&who_may_come))?;
        if let Some(pid) = self.process.pid().and_then(|pid| i32::try_from(pid).ok()) {
            // One that is gone meanwhile is noticed by what follows.
            let _gone = kill(Pid::from_raw(pid), Signal::SIGHUP);
        }
        let store = Store {
            data: self.store.data.with_file_name("standby"),
            to_remove: None,
            ..self.store
        };
        Recipe::new("pg_basebackup", &postgres_bin.join("pg_basebackup"), run)
            .arg("--pgdata")
            .arg(&store.data)
            .arg("--write-recovery-conf")
            .arg("--checkpoint=fast")
            .arg("--no-sync")
            .arg("--host")
            .arg(self.store.socket_folder())
            .arg(format!("--port={}", self.port))
            .arg(format!("--username={NAME}"))
            .env("PGPASSWORD", self.password.reveal())
            .user(store.user)
            .run_to_end()?;
        let port = free_port().map_err(ProcessError::preparing(&store.data))?;
        let recipe = Recipe::new("postgres-standby", &postgres_bin.join("postgres"), run)
            .arg("-D")
            .arg(&store.data)
            .arg("-p")
            .arg(port.to_string())
            .user(store.user)
            .stop_signal(Signal::SIGINT);
        let process = Supervised::start(recipe)?;
        process.wait_until(READY_WITHIN, |pid| store.is_ready(pid))?;
        let promote = Recipe::new("pg_ctl", &postgres_bin.join("pg_ctl"), run)
            .arg("promote")
            .arg("-D")
            .arg(&store.data)
            .user(store.user);
        Ok(Standby { process, store, promote })
    }

    /// Kills this server as `kill -9` does and puts the other in its place: it is promoted, and from
    /// then on reached at this one's address. What the first server stored is thrown away.
    ///
    /// # Errors
    /// When the other cannot be promoted, or does not come up.
    pub fn fail_over(&self, standby: Standby) -> Result<(), ProcessError> {
        let Standby { mut process, store, promote } = standby;
        self.process.kill9();
        // It waits until that is done.
        promote.run_to_end()?;
        process.stop(STOP_WITHIN);
        let own = &self.store.data;
        fs::remove_dir_all(own)
            .and_then(|()| fs::rename(&store.data, own))
            .map_err(ProcessError::preparing(own))?;
        self.restart()
    }
}
