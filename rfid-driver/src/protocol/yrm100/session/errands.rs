//! What the owner has asked for and the module has still to be told. A module has pins and nothing
//! else to tell of: neither temperature nor statistics, and no antenna check.

use std::collections::VecDeque;

use super::super::codec::PinOperation;
use crate::session::{Level, Report, Request, Watch};

const PINS: [u8; 4] = [1, 2, 3, 4];
/// Operations of more requests than an owner has open at a time; what goes beyond is refused.
const WAITING_MAX: usize = 64;

/// One operation of one request.
#[derive(Debug, Clone, Copy)]
struct Errand {
    // Two equal requests are two.
    number: u64,
    request: Request,
    operation: PinOperation,
}

/// Operations, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Errands {
    waiting: VecDeque<Errand>,
    requests: u64,
}

impl Errands {
    /// Takes a request, or refuses what no module can do.
    pub(super) fn add(&mut self, request: Request, watch: &mut Watch) {
        let is_full = self.waiting.len() >= WAITING_MAX;
        self.requests += 1;
        let number = self.requests;
        let mut add = |operation, pin, value| {
            let operation = PinOperation { operation, pin, value };
            self.waiting.push_back(Errand { number, request, operation });
        };
        match request {
            Request::Inputs | Request::SetOutput { .. } if is_full => {
                watch.report(Report::Refused { request });
            }
            Request::Inputs => PINS.into_iter().for_each(|pin| add(PinOperation::READ, pin, 0)),
            Request::SetOutput { pin, level } if PINS.contains(&pin) => {
                add(PinOperation::DIRECTION, pin, 1);
                add(PinOperation::SET, pin, u8::from(level == Level::High));
            }
            Request::SetOutput { .. }
            | Request::Temperature
            | Request::Antennas
            | Request::Statistics => watch.report(Report::Refused { request }),
        }
    }

    /// What the module is to be told next.
    pub(super) fn first(&self) -> Option<PinOperation> {
        self.waiting.front().map(|errand| errand.operation)
    }

    /// Says whether that was the answer to the first errand, which is then done.
    pub(super) fn handle_pin(&mut self, answer: PinOperation, watch: &mut Watch) -> bool {
        let PinOperation { operation, pin, value } = answer;
        let answered = |errand: &mut Errand| {
            (errand.operation.operation, errand.operation.pin) == (operation, pin)
        };
        if operation != PinOperation::READ && value == 0 {
            let ours = self.waiting.front_mut().is_some_and(answered);
            if ours {
                self.refuse_first(watch);
            }
            return ours;
        }
        if self.waiting.pop_front_if(answered).is_none() {
            return false;
        }
        match operation {
            PinOperation::READ => watch.report(Report::Input { pin, level: (value != 0).into() }),
            PinOperation::SET => watch.report(Report::OutputSet { pin }),
            _ => {}
        }
        true
    }

    /// The module will not do it, nor what else the same request needs.
    pub(super) fn refuse_first(&mut self, watch: &mut Watch) {
        if let Some(first) = self.waiting.pop_front() {
            self.waiting.retain(|errand| errand.number != first.number);
            watch.report(Report::Refused { request: first.request });
        }
    }
}
