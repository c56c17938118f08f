//! The thread that moves the world, and everything it is wired to.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::Clock;
use rfid_driver::emulator::pty::PtyReader;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::fittings::Roadside;
use super::{PlazaError, lock};
use crate::field_io::StationPoints;
use crate::road::STEP_MAX;
use crate::truth::TruthLine;
use crate::world::{LaneIndex, Progress, TopUp, World};

const TICK_MIN: Duration = Duration::from_millis(1);
const TICK_MAX: Duration = Duration::from_millis(5);

pub(super) struct Wires {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) clock: Clock,
    /// By [`LaneIndex`], as the points are.
    pub(super) readers: Vec<PtyReader>,
    /// The points of each lane's station, and the lane's place in them.
    pub(super) points: Vec<(Arc<StationPoints>, usize)>,
    pub(super) roadside: Roadside,
    /// Where cameras post from.
    pub(super) handle: Handle,
    pub(super) truth: TruthFile,
    pub(super) top_ups: mpsc::UnboundedSender<TopUp>,
    pub(super) progress: watch::Sender<Progress>,
}

impl Wires {
    /// Moves the world until the owner is gone.
    pub(super) fn run(mut self, stopped: &Receiver<()>) -> Result<(), PlazaError> {
        let tick = self.clock.to_real(STEP_MAX).clamp(TICK_MIN, TICK_MAX);
        loop {
            self.tick()?;
            if stopped.recv_timeout(tick) != Err(RecvTimeoutError::Timeout) {
                return Ok(());
            }
        }
    }

    fn tick(&mut self) -> Result<(), PlazaError> {
        let (fields, truths, top_ups, progress) = {
            let mut world = lock(&self.world);
            for (index, (points, lane)) in self.points.iter().enumerate() {
                let pulses = match self.roadside.cards.get_mut(&index) {
                    Some(card) => card.listen().map_err(PlazaError::Line)?,
                    None => points.take_pulses(*lane),
                };
                for pulse in pulses {
                    world.handle_pulse(LaneIndex(index), pulse);
                }
            }
            let now = self.clock.uptime();
            world.advance(now).map_err(PlazaError::Fare)?;
            for (index, (points, lane)) in self.points.iter().enumerate() {
                match self.roadside.cards.get_mut(&index) {
                    Some(card) => {
                        let inputs = world.road(LaneIndex(index)).inputs();
                        card.speak(inputs, now).map_err(PlazaError::Line)?;
                    }
                    None => points.show(*lane, world.road(LaneIndex(index))),
                }
            }
            for (index, camera) in &mut self.roadside.cameras {
                camera.look(LaneIndex(*index), &world, &self.handle);
            }
            for panel in self.roadside.panels.values_mut() {
                panel.listen().map_err(PlazaError::Line)?;
            }
            let fields = world.take_field_changes();
            (fields, world.take_truths(), world.take_top_ups(), world.progress())
        };
        for (lane, tags) in fields {
            self.readers[lane.0].set_field(&tags);
        }
        self.truth.write(&truths)?;
        for top_up in top_ups {
            if self.top_ups.send(top_up).is_err() {
                tracing::debug!("nobody carries out top-ups");
            }
        }
        self.progress.send_if_modified(|last| {
            let changed = *last != progress;
            *last = progress;
            changed
        });
        Ok(())
    }
}

/// The file that the truth is written to, line by line as crossings end.
pub(super) struct TruthFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl TruthFile {
    pub(super) fn create(path: PathBuf) -> Result<Self, PlazaError> {
        match File::create(&path) {
            Ok(file) => Ok(Self { path, file: BufWriter::new(file) }),
            Err(source) => Err(PlazaError::Truth { path, source }),
        }
    }

    fn write(&mut self, lines: &[TruthLine]) -> Result<(), PlazaError> {
        if lines.is_empty() {
            return Ok(());
        }
        let written = lines
            .iter()
            .try_for_each(|line| {
                serde_json::to_writer(&mut self.file, line)?;
                self.file.write_all(b"\n")
            })
            .and_then(|()| self.file.flush());
        written.map_err(|source| PlazaError::Truth { path: self.path.clone(), source })
    }
}
