//! On what it was measured.

use std::process::Command;

use domain::Clock;
use serde_json::{Value, json};

/// The machine, as far as a reader of the figures must know it.
#[derive(Debug)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
    rustc: String,
    date: String,
    load: String,
}

impl Machine {
    /// This machine, now.
    pub(crate) fn this() -> Self {
        let unknown = || "unknown".to_owned();
        let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(unknown);
        let memory_kib: Option<u64> = field("/proc/meminfo", "MemTotal")
            .and_then(|text| text.trim_end_matches(" kB").parse().ok());
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease");
        let rustc = Command::new("rustc").arg("--version").output();
        // Of the last minute, at the beginning: what others did meanwhile.
        let load = std::fs::read_to_string("/proc/loadavg").ok();
        let load = load.and_then(|text| text.split_whitespace().next().map(str::to_owned));
        Self {
            cpu,
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: memory_kib.unwrap_or(0) / 1024,
            kernel: kernel.map_or_else(|_| unknown(), |text| text.trim().to_owned()),
            rustc: rustc.map_or_else(
                |_| unknown(),
                |said| String::from_utf8_lossy(&said.stdout).trim().to_owned(),
            ),
            date: Clock::system().now().strftime("%Y-%m-%d").to_string(),
            load: load.unwrap_or_else(unknown),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "cpu": self.cpu,
            "cores": self.cores,
            "memory_mib": self.memory_mib,
            "kernel": self.kernel,
            "rustc": self.rustc,
            "date": self.date,
            "load_before": self.load,
        })
    }

    pub(crate) fn to_line(&self) -> String {
        format!(
            "{} × {}, {} MiB, Linux {}, {}, {}; load {} before it began",
            self.cores, self.cpu, self.memory_mib, self.kernel, self.rustc, self.date, self.load
        )
    }
}

/// The first value of that name in a file of `name : value` lines.
fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}
