//! What the owner has asked for and nobody has answered yet; the same for every protocol.

use std::collections::VecDeque;

use super::Request;

/// More than an owner has open at a time.
const WAITING_MAX: usize = 16;

/// The requests that wait for a moment in which the reader listens, in the order in which they were
/// made: of two levels for one pin, the later one stays.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    waiting: VecDeque<Request>,
}

impl Requests {
    /// Puts a request at the end; gives it back where there is no room.
    pub(crate) fn push(&mut self, request: Request) -> Result<(), Request> {
        if self.waiting.len() >= WAITING_MAX {
            return Err(request);
        }
        self.waiting.push_back(request);
        Ok(())
    }

    /// Puts one back that was interrupted.
    pub(crate) fn put_back(&mut self, request: Request) {
        self.waiting.push_front(request);
    }

    /// The next one, which stays.
    pub(crate) fn first(&self) -> Option<Request> {
        self.waiting.front().copied()
    }

    /// The next one.
    pub(crate) fn pop(&mut self) -> Option<Request> {
        self.waiting.pop_front()
    }

    /// The next one, if it is this.
    pub(crate) fn pop_if(&mut self, request: Request) -> Option<Request> {
        self.waiting.pop_front_if(|first| *first == request)
    }
}
