//! Windows: the life of one operator's settlement day. The rules are pure; `repo` keeps the rows.
//!
//! A *window* is an operator's day. *Open*: it takes postings. *Closing*: it takes no more, and is
//! being counted and proven. *Closed*: its statement is signed. *Approved*: two people stand behind
//! it, a *maker* who proposed and a *checker* who approved. *Paid*: the banks have been told to pay.
//! *Matched*: the banks' own statements show the money.
//!
//! There is no way back but for money that a bank returned: all of it makes a window an approved one
//! again, to be paid anew; a part of it makes a matched one paid, until the bank shows the rest.
//! What turns out to be wrong later is corrected in a window that is open. Every change is a row
//! (`window_change`); a trigger in the database holds everybody to the same rules. Deliberately
//! absent: what it takes to make a change (`settlement`, `approval`, `payment`).

pub mod repo;

use std::fmt;
use std::str::FromStr;

use domain::{BusinessDate, OperatorId, Timestamp};

/// An operator's settlement day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The operator.
    pub operator: OperatorId,
    /// The settlement day.
    pub day: BusinessDate,
}

impl Window {
    /// Names a window.
    #[must_use]
    pub const fn new(operator: OperatorId, day: BusinessDate) -> Self {
        Self { operator, day }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operator, self.day)
    }
}

/// How far a window has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It takes postings.
    Open,
    /// It takes no more, and is being counted.
    Closing,
    /// Its statement is signed.
    Closed,
    /// Two people stand behind it.
    Approved,
    /// The banks have been told to pay.
    Paid,
    /// The banks' statements show the money.
    Matched,
}

impl State {
    /// Every state, in order.
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Closing, Self::Closed, Self::Approved, Self::Paid, Self::Matched];

    /// Its name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Approved => "approved",
            Self::Paid => "paid",
            Self::Matched => "matched",
        }
    }

    /// What the window is after an event.
    ///
    /// # Errors
    /// When the event cannot happen in this state.
    pub const fn after(self, event: Event) -> Result<Self, Misplaced> {
        use Event::{Approve, Match, Pay, Return, ReturnPart, Seal, State as Stated};
        match (self, event) {
            (Self::Open, Seal) => Ok(Self::Closing),
            (Self::Closing, Stated) => Ok(Self::Closed),
            (Self::Closed, Approve) | (Self::Paid | Self::Matched, Return) => Ok(Self::Approved),
            (Self::Approved, Pay) | (Self::Matched, ReturnPart) => Ok(Self::Paid),
            (Self::Paid, Match) => Ok(Self::Matched),
            (Self::Open, Stated | Approve | Pay | Return | ReturnPart | Match)
            | (Self::Closing, Seal | Approve | Pay | Return | ReturnPart | Match)
            | (Self::Closed, Seal | Stated | Pay | Return | ReturnPart | Match)
            | (Self::Approved, Seal | Stated | Approve | Return | ReturnPart | Match)
            | (Self::Paid, Seal | Stated | Approve | Pay | ReturnPart)
            | (Self::Matched, Seal | Stated | Approve | Pay | Match) => {
                Err(Misplaced { state: self, event })
            }
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no state of a window: open, closing, closed, approved, paid or matched")]
pub struct UnknownState(String);

impl FromStr for State {
    type Err = UnknownState;
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or_else(|| UnknownState(text.chars().take(32).collect()))
    }
}

/// What happens to a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It takes no more postings.
    Seal,
    /// It was counted, proven and stated.
    State,
    /// A second person approved.
    Approve,
    /// The banks were told to pay.
    Pay,
    /// A bank gave all of the money back.
    Return,
    /// A bank gave back a part of it.
    ReturnPart,
    /// The banks' statements show the money.
    Match,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 7] = [
        Self::Seal,
        Self::State,
        Self::Approve,
        Self::Pay,
        Self::Return,
        Self::ReturnPart,
        Self::Match,
    ];

    const fn doing(self) -> &'static str {
        match self {
            Self::Seal => "sealed",
            Self::State => "stated",
            Self::Approve => "approved",
            Self::Pay => "paid",
            Self::Return => "paid back",
            Self::ReturnPart => "paid back in part",
            Self::Match => "matched",
        }
    }
}

/// An event that cannot happen in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a window that is {state} cannot be {}", event.doing())]
pub struct Misplaced {
    /// The state.
    pub state: State,
    /// The event.
    pub event: Event,
}

/// Who changed a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person.
    Person(crate::approval::Person),
    /// This program, by rule.
    Program,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => fmt::Display::fmt(person, f),
            Self::Program => f.write_str("program"),
        }
    }
}

/// A change of a window, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which change of the window, from 1.
    pub place: u32,
    /// What it became.
    pub state: State,
    /// When.
    pub changed_at: Timestamp,
    /// Through whom: a person's name or `program`.
    pub actor: String,
    /// Why, where there is something to say.
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests;
