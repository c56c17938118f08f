//! The fare display: what the driver is told, and how it gets onto the panel.
//!
//! [`compose()`] makes rows of text from a notice: pure, in the driver's language, within the
//! panel's width and characters. [`panel`] is the panel's protocol. A thread of its own writes,
//! because the line is slow (a row takes 80 ms at 4800 baud); where a newer notice has come
//! meanwhile, the older is not shown any more. The lane never waits for it.
//!
//! Deliberately absent: advertising, time of day, and anything that identifies a driver.
//!
//! Words: a *notice* is what the driver is to know; a *row* is one line of the panel.

pub mod compose;
pub mod panel;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rfid_driver::port::{Port, PortError};

pub use compose::{Charset, Language, Layout, Notice, Row, compose};

/// How long to wait before a port is opened again, in real time.
const OPEN_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A panel on a serial port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplaySettings {
    /// Its port; best one of `/dev/serial/by-id`.
    pub port: PathBuf,
    /// The port's speed.
    pub baud: u32,
    /// What fits on it.
    pub layout: Layout,
    /// The language it speaks.
    pub language: Language,
    /// The font of its text.
    pub font: panel::Font,
}

/// Whether the panel can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisplayWord {
    /// It can, for the first time or again. A panel confirms nothing.
    Works,
    /// Its port is not there or failed. The lane goes on without it.
    Lost,
}

/// A panel that shows the latest notice. Dropping it ends its thread, and the last notice stays.
#[derive(Debug)]
pub struct Display {
    // `None` only while it is being dropped.
    notices: Option<Sender<Notice>>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    /// Starts the panel's thread, and calls `tell` when the panel is lost or found.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        settings: DisplaySettings,
        tell: impl FnMut(DisplayWord) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (notices, shown) = channel();
        let mut writer = Writer { settings, port: None, tell, told: None };
        let thread = std::thread::Builder::new()
            .name("display".to_owned())
            .spawn(move || writer.run(&shown))?;
        Ok(Self { notices: Some(notices), thread: Some(thread) })
    }

    /// Shows a notice in place of what is shown. Returns at once.
    pub fn show(&self, notice: Notice) {
        if let Some(notices) = &self.notices {
            // A thread that panicked has said so already.
            drop(notices.send(notice));
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.notices = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The thread's side.
struct Writer<T> {
    settings: DisplaySettings,
    port: Option<Port>,
    tell: T,
    told: Option<DisplayWord>,
}

impl<T: FnMut(DisplayWord)> Writer<T> {
    fn run(&mut self, notices: &Receiver<Notice>) {
        let mut pending: Option<Notice> = None;
        loop {
            let next = match &pending {
                None => notices.recv().map_err(|_gone| RecvTimeoutError::Disconnected),
                Some(_) => notices.recv_timeout(OPEN_AGAIN_AFTER),
            };
            match next {
                Ok(notice) => pending = Some(notice),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if let Some(newer) = notices.try_iter().last() {
                pending = Some(newer);
            }
            let Some(notice) = pending.take() else { continue };
            match self.write(&notice) {
                Ok(()) => self.say(DisplayWord::Works),
                Err(error) => {
                    if self.told != Some(DisplayWord::Lost) {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "the fare display is lost"
                        );
                    }
                    self.port = None;
                    self.say(DisplayWord::Lost);
                    pending = Some(notice);
                }
            }
        }
    }

    fn write(&mut self, notice: &Notice) -> Result<(), PortError> {
        let DisplaySettings { port, baud, layout, language, font } = &self.settings;
        let line = panel::emit(&compose(notice, *language, *layout), *font, *layout);
        let port = match &mut self.port {
            Some(port) => port,
            closed => closed.insert(Port::open(port, *baud)?),
        };
        port.write(&line)
    }

    fn say(&mut self, word: DisplayWord) {
        if self.told.replace(word) != Some(word) {
            (self.tell)(word);
        }
    }
}
