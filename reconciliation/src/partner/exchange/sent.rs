//! Sent files: each waits for its acknowledgement, and is sent again until a person is called.
//!
//! `handle` takes what happened and says what to do; `handle_deadline` is one of those things. Time
//! is an argument. Every pair of state and event is spelled out.

use std::time::Duration;

use domain::Timestamp;

use super::code::Code;

/// How long a partner has after each sending; there are as many sendings as entries.
pub const WAITS: [Duration; 4] = [
    Duration::from_secs(4 * 3600),
    Duration::from_secs(8 * 3600),
    Duration::from_secs(24 * 3600),
    Duration::from_secs(24 * 3600),
];

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is written and logged, and nobody has it yet.
    Written,
    /// The partner has it and has not answered.
    Sent {
        /// How often it was sent.
        times: usize,
        /// When it is sent again, or a person is called.
        due: Timestamp,
    },
    /// The partner took it.
    Acknowledged,
    /// The partner did not take it, and sending the same again would not help.
    Refused(Code),
    /// The partner never answered.
    Unanswered,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It was handed over.
    Delivered,
    /// The partner answered.
    Answered(Code),
    /// The time was up.
    Due,
    /// A person wants it sent again.
    Asked,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send the same bytes.
    Send,
    /// Send the files before it that the partner does not have.
    SendMissing,
    /// Call a person.
    Call(Why),
}

/// Why a person is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The partner refused it.
    Refused(Code),
    /// The partner does not answer.
    Silence,
    /// The partner says two things.
    Contradiction(Code),
}

/// What follows from an event: the state after it, and what to do.
#[must_use]
pub fn handle(state: State, event: Event, now: Timestamp) -> (State, Vec<Action>) {
    let sent = |times: usize| {
        let wait = WAITS.get(times - 1).copied().unwrap_or(WAITS[WAITS.len() - 1]);
        State::Sent { times, due: now.saturating_add(wait).unwrap_or(Timestamp::MAX) }
    };
    match (state, event) {
        (State::Written, Event::Delivered) => (sent(1), vec![]),
        (State::Sent { times, .. }, Event::Delivered) => (sent(times + 1), vec![]),
        // A person had it sent again by hand.
        (State::Refused(_) | State::Unanswered, Event::Delivered) => (sent(1), vec![]),
        (State::Acknowledged, Event::Delivered) => (state, vec![]),

        (State::Written | State::Sent { .. } | State::Unanswered, Event::Answered(code)) => {
            answered(state, code, now)
        }
        // The same answer again says nothing new; another contradicts.
        (State::Acknowledged, Event::Answered(Code::Taken | Code::Again | Code::Gap)) => {
            (state, vec![])
        }
        (State::Acknowledged, Event::Answered(code)) => {
            (state, vec![Action::Call(Why::Contradiction(code))])
        }
        (State::Refused(known), Event::Answered(code)) if known == code => (state, vec![]),
        (State::Refused(_), Event::Answered(code)) => answered(state, code, now),

        (State::Written, Event::Due) => (state, vec![Action::Send]),
        (State::Sent { due, .. }, Event::Due) if now < due => (state, vec![]),
        (State::Sent { times, .. }, Event::Due) if times < WAITS.len() => {
            (state, vec![Action::Send])
        }
        (State::Sent { .. }, Event::Due) => (State::Unanswered, vec![Action::Call(Why::Silence)]),
        (State::Acknowledged | State::Refused(_) | State::Unanswered, Event::Due) => {
            (state, vec![])
        }

        (
            State::Written | State::Sent { .. } | State::Refused(_) | State::Unanswered,
            Event::Asked,
        ) => (state, vec![Action::Send]),
        (State::Acknowledged, Event::Asked) => (state, vec![]),
    }
}

/// What an answer means for a file that was not taken so far.
fn answered(state: State, code: Code, now: Timestamp) -> (State, Vec<Action>) {
    match code {
        Code::Taken | Code::Again => (State::Acknowledged, vec![]),
        // It is taken, and others are not.
        Code::Gap => (State::Acknowledged, vec![Action::SendMissing]),
        // The way was broken, not the file.
        Code::Unavailable => {
            let times = match state {
                State::Sent { times, .. } => times,
                State::Written | State::Acknowledged | State::Refused(_) | State::Unanswered => 1,
            };
            (State::Sent { times, due: now }, vec![Action::Send])
        }
        Code::Count
        | Code::Detail
        | Code::Date
        | Code::File
        | Code::Header
        | Code::Unexplained(_) => (State::Refused(code), vec![Action::Call(Why::Refused(code))]),
    }
}

/// When the file needs a look next; nothing where it does not.
#[must_use]
pub const fn next_deadline(state: State) -> Option<Timestamp> {
    match state {
        State::Sent { due, .. } => Some(due),
        State::Written | State::Acknowledged | State::Refused(_) | State::Unanswered => None,
    }
}
