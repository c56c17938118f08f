//! Lines: which line of a file a byte is on. Made when it is first asked for.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;

use memchr::memchr_iter;

const STEP: u64 = 64 << 10;

/// How many lines end before every 64 kB of a file.
#[derive(Debug, Default)]
pub(super) struct Lines(OnceLock<Vec<u64>>);

impl Lines {
    /// The line that the byte at `at` is on, from 1.
    pub(super) fn line_at(&self, file: &File, len: u64, at: u64) -> io::Result<u64> {
        let ends = match self.0.get() {
            Some(ends) => ends,
            None => {
                let ends = count(file, len)?;
                self.0.get_or_init(|| ends)
            }
        };
        let step = at / STEP;
        let before = usize::try_from(step).ok().and_then(|step| ends.get(step)).copied();
        let mut rest = vec![0; usize::try_from(at % STEP).unwrap_or(0)];
        file.read_exact_at(&mut rest, step * STEP)?;
        Ok(before.unwrap_or(0) + memchr_iter(b'\n', &rest).count() as u64 + 1)
    }
}

fn count(file: &File, len: u64) -> io::Result<Vec<u64>> {
    let mut block = vec![0; usize::try_from(STEP).unwrap_or(0)];
    let (mut ends, mut at, mut so_far) = (Vec::new(), 0, 0);
    while at < len {
        ends.push(so_far);
        let wanted = usize::try_from(STEP.min(len - at)).unwrap_or(0);
        file.read_exact_at(&mut block[..wanted], at)?;
        so_far += memchr_iter(b'\n', &block[..wanted]).count() as u64;
        at += STEP;
    }
    ends.push(so_far);
    Ok(ends)
}
