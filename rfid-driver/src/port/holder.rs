//! Who has a device open, as far as /proc lets us see it.

use std::fs;
use std::path::Path;

/// Names a process that has `device` open, a path without links. `None` where there is none, or
/// where it belongs to another user and we may not look.
pub(super) fn holder(proc: &Path, device: &Path) -> Option<String> {
    let has_it_open = |process: &Path| {
        fs::read_dir(process.join("fd"))
            .into_iter()
            .flatten()
            .flatten()
            .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == device))
    };
    fs::read_dir(proc)
        .ok()?
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())))
        .filter(|(_, process)| has_it_open(process))
        .map(|(id, process)| {
            let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
            format!("{} (process {id})", name.trim())
        })
        .next()
}
