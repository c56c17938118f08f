//! A fare display made of software, on a pseudo-terminal: written from the same manual as the lane
//! controller's driver and nothing else. It keeps what each of its rows shows.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::pty_line::PtyLine;

/// So many of the last rows are remembered.
const SHOWN_MAX: usize = 100;

/// A panel on its line. Dropping it hangs up and removes its name.
#[derive(Debug)]
pub struct Panel {
    line: PtyLine,
    heard: Vec<u8>,
    rows: BTreeMap<u32, String>,
    shown: Vec<String>,
}

impl Panel {
    /// Switches one on and lets `link` point at its line.
    ///
    /// # Errors
    /// When the system gives no pseudo-terminal, or the link cannot be made.
    pub fn start(link: &Path) -> io::Result<Self> {
        Ok(Self {
            line: PtyLine::start(link)?,
            heard: Vec::new(),
            rows: BTreeMap::new(),
            shown: Vec::new(),
        })
    }

    /// Takes what the host has said since.
    ///
    /// # Errors
    /// When the line failed.
    pub fn listen(&mut self) -> io::Result<()> {
        self.line.listen(&mut self.heard)?;
        while let Some(end) = self.heard.iter().position(|byte| *byte == b'\r') {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line[..end]).into_owned();
            let fields: Vec<&str> = line.splitn(5, '|').collect();
            if let ["MSSL", "STATIC" | "SCROLL", _font, place, text] = fields[..]
                && let Some(top_px) = place.split_once('-').and_then(|(_, top)| top.parse().ok())
            {
                let text = text.trim_end().to_owned();
                if self.shown.len() == SHOWN_MAX {
                    self.shown.remove(0);
                }
                self.shown.push(text.clone());
                self.rows.insert(top_px, text);
            }
        }
        Ok(())
    }

    /// Whether a row had this text in it, now or not long ago: a notice may be gone in a moment.
    #[must_use]
    pub fn has_shown(&self, text: &str) -> bool {
        self.shown.iter().any(|row| row.contains(text))
    }

    /// What it shows, from the top down.
    #[must_use]
    pub fn rows(&self) -> Vec<&str> {
        self.rows.values().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_panel_shows_whole_rows_from_the_top_down() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("panel");
        let mut panel = Panel::start(&link).unwrap();
        let mut host = std::fs::OpenOptions::new().write(true).open(&link).unwrap();
        host.write_all(b"MSSL|STATIC|F16|00-16|Balance 5\rMSSL|STATIC|F16|00-00|35.000d  \r")
            .unwrap();
        host.write_all(b"MSSL|STATIC|F16|00-00|half").unwrap();
        panel.listen().unwrap();
        assert_eq!(panel.rows(), ["35.000d", "Balance 5"]);
        host.write_all(b" a row\r").unwrap();
        panel.listen().unwrap();
        assert_eq!(panel.rows(), ["half a row", "Balance 5"]);
    }
}
