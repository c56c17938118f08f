//! Orders of the desk as the lane's thread takes them: each once, while it is fresh; and the one
//! that outlives a restart, how the lane is to work.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use domain::Timestamp;
use domain::order::SignedOrder;
use domain::wire::v1::{CommandAnswer, CommandReply, LaneMode, ReaderHealth, Verb};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::LaneThread;
use crate::desk::admit;
use crate::lane::{Answer, Event};

/// How many replies are remembered at least, so that an order that comes twice has one effect; those
/// to orders that are still good are remembered beyond that.
const REPLIES_MIN: usize = 64;

/// How the desk wants the lane to work, with the order that says so.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptMode {
    mode: LaneMode,
    /// The directive that was in force then; a newer one takes the mode back.
    directive: Option<u64>,
    order: SignedOrder,
}

/// Orders that were answered, and the one in hand.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// With the instant from which the order is good for nothing.
    answered: VecDeque<(Timestamp, CommandReply)>,
    in_hand: Option<(String, Timestamp, oneshot::Sender<CommandReply>)>,
    mode: Option<KeptMode>,
}

impl Orders {
    /// With the mode that a lane's file keeps. A file that cannot be read keeps nothing: the lane
    /// works as the centre has it, and says so.
    pub(super) fn kept(file: Option<&Path>) -> Self {
        let read = |file: &Path| match std::fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let mode = file.map_or(Ok(None), read).unwrap_or_else(|error| {
            tracing::error!(%error, "the mode that the desk ordered is not known any more");
            None
        });
        Self { mode, ..Self::default() }
    }

    /// How the desk wants the lane to work.
    pub(super) fn mode(&self) -> Option<LaneMode> {
        self.mode.as_ref().map(|kept| kept.mode)
    }
}

impl LaneThread {
    pub(super) fn command(&mut self, order: SignedOrder, reply: oneshot::Sender<CommandReply>) {
        let command = &order.command;
        let known = self.orders.answered.iter().find(|(_, before)| before.id == command.id);
        if let Some((_, before)) = known {
            drop(reply.send(before.clone()));
            return;
        }
        let (now, speed) = (self.shared.clock.now(), self.shared.clock.speed());
        if let Err(why) = admit(command, now, self.started_at, speed) {
            // Not remembered: it is refused again, and may say that it is good for ever.
            let answer = CommandAnswer::Refused { why: why.to_owned() };
            drop(reply.send(CommandReply { v: 1, id: command.id.clone(), answer }));
            return;
        }
        self.orders.in_hand = Some((command.id.clone(), command.expires_at, reply));
        if command.verb == Verb::RetryRead && self.reader != ReaderHealth::Reading {
            let why = "the reader does not read".to_owned();
            return self.answer(CommandAnswer::Refused { why });
        }
        let sets_mode = matches!(command.verb, Verb::SetMode { .. });
        let signed = (!order.signers.is_empty()).then(|| Box::new(order.clone()));
        let answer = Answer {
            command: command.id.clone(),
            call: command.call,
            attendant: command.attendant.clone(),
            second: command.second.clone(),
            verb: command.verb.clone(),
            order: signed,
        };
        self.event(Event::Answered(answer));
        if sets_mode && self.lane.ordered_mode() != self.orders.mode() {
            self.keep_mode(order);
        }
    }

    pub(super) fn answer(&mut self, answer: CommandAnswer) {
        if let Some((id, expires_at, reply_to)) = self.orders.in_hand.take() {
            let reply = CommandReply { v: 1, id, answer };
            let now = self.shared.clock.now();
            self.orders.answered.push_back((expires_at, reply.clone()));
            let is_over = |(expires_at, _): &mut (Timestamp, CommandReply)| *expires_at < now;
            if self.orders.answered.len() > REPLIES_MIN {
                self.orders.answered.pop_front_if(is_over);
            }
            // The attendant may have given up waiting; the command is done all the same.
            drop(reply_to.send(reply));
        }
    }

    /// Keeps how the desk wants the lane to work, over a restart too.
    fn keep_mode(&mut self, order: SignedOrder) {
        self.orders.mode = self.lane.ordered_mode().map(|mode| KeptMode {
            mode,
            directive: self.directive,
            order,
        });
        self.write_mode();
    }

    /// A newer directive takes back what the desk ordered before it.
    pub(super) fn directive_replaces_mode(&mut self, version: u64) {
        if self.orders.mode.as_ref().is_some_and(|kept| kept.directive != Some(version)) {
            self.orders.mode = None;
            self.lane.keep_mode(None);
            self.write_mode();
        }
    }

    fn write_mode(&self) {
        let Some(path) = &self.equipment.mode_file else { return };
        if let Err(error) = write(path, self.orders.mode.as_ref()) {
            self.alarm(&error, "the mode that the desk ordered would not survive a restart");
        }
    }
}

/// Puts the mode in the place of the file, whole or not at all.
fn write(path: &PathBuf, mode: Option<&KeptMode>) -> io::Result<()> {
    let folder = || path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all());
    let Some(mode) = mode else {
        return match std::fs::remove_file(path) {
            Ok(()) => folder(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
    };
    let new = path.with_extension("mode-new");
    std::fs::write(&new, serde_json::to_vec(mode)?)?;
    std::fs::File::open(&new)?.sync_all()?;
    std::fs::rename(&new, path)?;
    folder()
}
