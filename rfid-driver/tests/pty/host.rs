//! A supervised reader, seen from its owner.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rfid_driver::emulator::pty::PtyReaderConfig;
use rfid_driver::emulator::{EmulatorSettings, FieldTag};
use rfid_driver::supervisor::{Reader, ReaderConfig, ReaderEvent, ReaderState};
use rfid_driver::{Epc, TagRead};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn tag(serial: u8) -> FieldTag {
    let epc = Epc::try_from_slice(&[0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, serial]).unwrap();
    FieldTag::new(epc, -55, 1)
}

pub(crate) fn fast() -> PtyReaderConfig {
    PtyReaderConfig {
        time_scale: 20.0,
        reader: EmulatorSettings { seed: 7, ..EmulatorSettings::default() },
        ..PtyReaderConfig::default()
    }
}

/// A supervised reader and what it says.
pub(crate) struct Host {
    pub(crate) reader: Reader,
    pub(crate) events: mpsc::Receiver<ReaderEvent>,
}

impl Host {
    pub(crate) fn on(port: PathBuf, time_scale: f64) -> Self {
        Self::with(ReaderConfig { time_scale, ..ReaderConfig::new(port) })
    }

    pub(crate) fn with(config: ReaderConfig) -> Self {
        let (sender, events) = mpsc::channel();
        let reader = Reader::spawn(config, move |event| {
            // The test may have seen enough.
            sender.send(event).ok();
        })
        .unwrap();
        Self { reader, events }
    }

    pub(crate) fn wait_for(
        &self,
        what: &str,
        wanted: impl Fn(&ReaderEvent) -> bool,
    ) -> ReaderEvent {
        let until = now() + PATIENCE;
        loop {
            match self.events.recv_timeout(until.saturating_duration_since(now())) {
                Ok(event) if wanted(&event) => return event,
                Ok(_) => {}
                Err(error) => panic!("{what}: {error}"),
            }
        }
    }

    pub(crate) fn wait_for_state(&self, state: ReaderState) {
        self.wait_for("state", |event| *event == ReaderEvent::State(state));
    }

    pub(crate) fn wait_for_tag(&self, tag: FieldTag) {
        self.wait_for(
            "tag",
            |event| matches!(event, ReaderEvent::Tag(read) if read.epc == tag.epc),
        );
    }

    /// All tags that come until none has come for a while.
    pub(crate) fn remaining_tags(&self) -> Vec<TagRead> {
        const QUIET: Duration = Duration::from_millis(500);
        let mut tags = Vec::new();
        while let Ok(event) = self.events.recv_timeout(QUIET) {
            if let ReaderEvent::Tag(read) = event {
                tags.push(read);
            }
        }
        tags
    }
}

/// The host's clock.
#[expect(clippy::disallowed_methods, reason = "these tests are about real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
