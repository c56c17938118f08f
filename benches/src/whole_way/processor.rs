//! How much of the processor each part of the system has used, as the kernel counts it.

use std::fs;
use std::time::Duration;

use crate::Failed;

/// Processor time by part.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    pub(super) broker: Duration,
    pub(super) database: Duration,
    pub(super) ours: Duration,
}

impl Used {
    /// Since the system began: of two servers by their numbers, and of this process.
    pub(super) fn so_far(broker: u32, database: u32) -> Result<Self, Failed> {
        let mut backends = Duration::ZERO;
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // One that has just ended is counted with its parent's ended children.
            let Ok(process) = Process::read(&pid.to_string()) else { continue };
            if process.parent == database {
                backends += process.own;
            }
        }
        let postmaster = Process::read(&database.to_string())?;
        Ok(Self {
            broker: Process::read(&broker.to_string())?.own,
            database: postmaster.own + postmaster.ended_children + backends,
            ours: Process::read("self")?.own,
        })
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self {
            broker: self.broker.saturating_sub(before.broker),
            database: self.database.saturating_sub(before.database),
            ours: self.ours.saturating_sub(before.ours),
        }
    }

    pub(super) fn total(self) -> Duration {
        self.broker + self.database + self.ours
    }
}

/// A line of `/proc/PID/stat`; see proc(5).
struct Process {
    parent: u32,
    own: Duration,
    ended_children: Duration,
}

impl Process {
    fn read(pid: &str) -> Result<Self, Failed> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, in brackets, may hold anything; what follows begins with field 3.
        let after_name = text.rsplit_once(')').ok_or("a process without a name")?.1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or("0");
        // Clock ticks of user space: a hundredth of a second, on every Linux there is.
        let ticks = |number: usize| -> Result<u64, Failed> { Ok(field(number).parse()?) };
        let time = |ticks: u64| Duration::from_millis(ticks * 10);
        Ok(Self {
            parent: field(4).parse()?,
            own: time(ticks(14)? + ticks(15)?),
            ended_children: time(ticks(16)? + ticks(17)?),
        })
    }
}
