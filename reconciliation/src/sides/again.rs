//! Files that are another one again, byte for byte: whoever sent one twice is told, and it is taken
//! once. A file that was made anew with the same rows is a matter of the matching.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

/// A file that is another one again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// The file.
    pub file: PathBuf,
    /// The one before it that it is.
    pub of: PathBuf,
}

/// Parts files into those that are new and those that came before.
///
/// # Errors
/// When one cannot be read.
pub fn once_each(paths: &[PathBuf]) -> io::Result<(Vec<PathBuf>, Vec<Again>)> {
    let (mut once, mut again): (Vec<PathBuf>, Vec<Again>) = (Vec::new(), Vec::new());
    'files: for file in paths {
        for of in &once {
            if are_same(file, of)? {
                again.push(Again { file: file.clone(), of: of.clone() });
                continue 'files;
            }
        }
        once.push(file.clone());
    }
    Ok((once, again))
}

/// Reads only files of the same length, and only as far as they are the same.
fn are_same(a: &Path, b: &Path) -> io::Result<bool> {
    let (a, b) = (File::open(a)?, File::open(b)?);
    let len = a.metadata()?.len();
    if len == 0 || len != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut a, mut b) = (BufReader::new(a), BufReader::new(b));
    let (mut of_a, mut of_b) = ([0; 8192], [0; 8192]);
    let mut left = len;
    while left > 0 {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(of_a.len());
        a.read_exact(&mut of_a[..take])?;
        b.read_exact(&mut of_b[..take])?;
        if of_a[..take] != of_b[..take] {
            return Ok(false);
        }
        left -= take as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_taken_once_under_whatever_name_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let long = "id,amount\n".repeat(2_000);
        let other = long.clone() + "x";
        let almost = long[..long.len() - 1].to_owned() + "x";
        let texts = [("a", &long), ("b", &other), ("c", &long), ("d", &almost)];
        let paths = texts.map(|(name, text)| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        });
        let (once, again) = once_each(&paths).unwrap();
        assert_eq!(once, [0, 1, 3].map(|at: usize| paths[at].clone()));
        assert_eq!(again, [Again { file: paths[2].clone(), of: paths[0].clone() }]);
    }
}
