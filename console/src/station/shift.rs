//! Shifts of the station's operators: begun, handed over, closed. Pure: folded from the audit log.
//!
//! *Shift*: the time in which one person answers for the desk; its number is that of the entry it
//! began with. *Offer*: a hand-over that the next person has not taken yet; until they do, the
//! shift is still the first one's. *Open items*: what a shift leaves behind, by name; one that
//! leaves something behind is closed with a note, never in silence.
//!
//! Vehicles are helped with or without a shift: a queue must not wait for paper.

use std::collections::BTreeMap;

use domain::Timestamp;

use crate::audit::{Deed, Entry, OpenItem, Outcome};

/// How many ended shifts are kept at hand.
const ENDED_MAX: usize = 200;

/// Why a deed about shifts is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShiftError {
    /// They have a shift already.
    #[error("they have a shift already")]
    Begun,
    /// The shift is not theirs, or has ended.
    #[error("the shift is not theirs, or has ended")]
    NotTheirs,
    /// Nobody offered it to them.
    #[error("the shift was not offered to them")]
    NotOffered,
    /// A shift cannot be handed to oneself.
    #[error("a shift cannot be handed over to oneself")]
    Oneself,
    /// Something is open, and nothing is said about it.
    #[error("open items need a note")]
    Note,
}

/// How a shift stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Somebody answers for the desk.
    Open,
    /// The same, and somebody else is asked to take over.
    Offered { to: String, note: String, open: Vec<OpenItem> },
    /// Taken over by somebody.
    HandedOver { to: String, at: Timestamp, note: String, open: Vec<OpenItem> },
    /// Ended.
    Closed { at: Timestamp, note: String, open: Vec<OpenItem> },
}

/// How often something was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Figure {
    /// How often.
    pub count: u64,
    /// What it came to, in minor units, where fares were known.
    pub amount: i64,
    /// How often the fare was not known.
    pub without_fare: u64,
}

/// An order that has no answer yet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    shift: u64,
    item: OpenItem,
    verb: String,
    reason: Option<String>,
}

/// One person's shift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shift {
    /// Its number.
    pub number: u64,
    /// Whose.
    pub who: String,
    /// Since when.
    pub begun: Timestamp,
    /// Whose it was before, where it was taken over.
    pub taken_from: Option<u64>,
    /// How it stands.
    pub standing: Standing,
    /// Orders carried out, by verb and reason.
    pub done: BTreeMap<(String, String), Figure>,
    /// Orders that lanes refused.
    pub refused: u64,
    /// Orders without an answer that was understood.
    pub unanswered: Vec<OpenItem>,
}

impl Shift {
    fn new(number: u64, who: &str, begun: Timestamp, taken_from: Option<u64>) -> Self {
        Self {
            number,
            who: who.to_owned(),
            begun,
            taken_from,
            standing: Standing::Open,
            done: BTreeMap::new(),
            refused: 0,
            unanswered: Vec::new(),
        }
    }

    /// Whether somebody still answers for it.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Open | Standing::Offered { .. })
    }

    /// What it came to in cash.
    pub(crate) fn cash(&self) -> Figure {
        let cash = self.done.iter().filter(|((_, reason), _)| reason == "cash-paid");
        cash.fold(Figure::default(), |sum, (_, figure)| Figure {
            count: sum.count + figure.count,
            amount: sum.amount + figure.amount,
            without_fare: sum.without_fare + figure.without_fare,
        })
    }
}

/// All shifts at this console.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shifts {
    shifts: BTreeMap<u64, Shift>,
    asked: BTreeMap<String, Asked>,
}

impl Shifts {
    /// The shift that somebody answers for.
    pub(crate) fn open_of(&self, who: &str) -> Option<&Shift> {
        self.shifts.values().find(|shift| shift.who == who && shift.is_open())
    }

    /// All of them, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Shift> {
        self.shifts.values().rev()
    }

    /// Those that somebody is asked to take over.
    pub(crate) fn offered_to<'a>(&'a self, who: &'a str) -> impl Iterator<Item = &'a Shift> {
        self.shifts.values().filter(
            move |shift| matches!(&shift.standing, Standing::Offered { to, .. } if to == who),
        )
    }

    /// Whether a deed may be written down; deeds that are not about shifts always may.
    pub(crate) fn admits(&self, who: Option<&str>, deed: &Deed) -> Result<(), ShiftError> {
        let own = who.and_then(|who| self.open_of(who));
        let is_own = |number: u64| own.is_some_and(|shift| shift.number == number);
        let said = |note: &str, open: &[OpenItem]| !note.trim().is_empty() || open.is_empty();
        let held = |holds: bool, otherwise| if holds { Ok(()) } else { Err(otherwise) };
        match deed {
            Deed::ShiftStarted => held(who.is_some() && own.is_none(), ShiftError::Begun),
            Deed::ShiftOffered { shift, to, note, open } => {
                held(is_own(*shift), ShiftError::NotTheirs)?;
                held(who != Some(to.as_str()), ShiftError::Oneself)?;
                held(said(note, open), ShiftError::Note)
            }
            Deed::ShiftTaken { shift } => {
                held(own.is_none(), ShiftError::Begun)?;
                let offered = who.is_some_and(|who| {
                    self.offered_to(who).any(|offered| offered.number == *shift)
                });
                held(offered, ShiftError::NotOffered)
            }
            Deed::ShiftClosed { shift, note, open } => {
                held(is_own(*shift), ShiftError::NotTheirs)?;
                held(said(note, open), ShiftError::Note)
            }
            Deed::Started
            | Deed::PutAside { .. }
            | Deed::PeopleRead { .. }
            | Deed::LoggedIn { .. }
            | Deed::LogInRefused { .. }
            | Deed::LoggedOut
            | Deed::RouteRefused { .. }
            | Deed::OrderAsked { .. }
            | Deed::OrderAgreed { .. }
            | Deed::OrderAnswered { .. }
            | Deed::Unmasked { .. }
            | Deed::BooksAsked { .. }
            | Deed::BooksRefused { .. }
            | Deed::Searched { .. }
            | Deed::PasswordChanged
            | Deed::PersonProposed { .. }
            | Deed::PersonChanged { .. }
            | Deed::PersonNotChanged { .. }
            | Deed::PersonDeclined { .. }
            | Deed::KeyProposed { .. }
            | Deed::KeyAgreed { .. }
            | Deed::KeyNotMade { .. }
            | Deed::KeyDeclined { .. }
            | Deed::TariffProposed { .. }
            | Deed::TariffApproved { .. }
            | Deed::TariffDeclined { .. } => Ok(()),
        }
    }

    /// Takes what was written down.
    pub(crate) fn handle(&mut self, entry: &Entry) {
        let who = entry.who.as_deref().unwrap_or_default();
        match &entry.deed {
            Deed::ShiftStarted => self.begin(Shift::new(entry.seq, who, entry.at, None)),
            Deed::ShiftOffered { shift, to, note, open } => {
                self.stand(*shift, |_| Standing::Offered {
                    to: to.clone(),
                    note: note.clone(),
                    open: open.clone(),
                });
            }
            Deed::ShiftTaken { shift } => {
                self.stand(*shift, |before| {
                    let (note, open) = match before {
                        Standing::Offered { note, open, .. } => (note, open),
                        Standing::Open | Standing::HandedOver { .. } | Standing::Closed { .. } => {
                            (String::new(), Vec::new())
                        }
                    };
                    Standing::HandedOver { to: who.to_owned(), at: entry.at, note, open }
                });
                self.begin(Shift::new(entry.seq, who, entry.at, Some(*shift)));
            }
            Deed::ShiftClosed { shift, note, open } => {
                self.stand(*shift, |_| Standing::Closed {
                    at: entry.at,
                    note: note.clone(),
                    open: open.clone(),
                });
            }
            Deed::OrderAsked { command, lane, verb, reason, .. } => {
                if let Some(shift) = self.open_of(who).map(|shift| shift.number) {
                    let item = OpenItem::Order { lane: lane.clone(), command: command.clone() };
                    let asked = Asked { shift, item, verb: verb.clone(), reason: reason.clone() };
                    self.asked.insert(command.clone(), asked);
                }
            }
            Deed::OrderAnswered { command, outcome } => self.answer(command, outcome),
            Deed::Started
            | Deed::PutAside { .. }
            | Deed::PeopleRead { .. }
            | Deed::LoggedIn { .. }
            | Deed::LogInRefused { .. }
            | Deed::LoggedOut
            | Deed::RouteRefused { .. }
            | Deed::OrderAgreed { .. }
            | Deed::Unmasked { .. }
            | Deed::BooksAsked { .. }
            | Deed::BooksRefused { .. }
            | Deed::Searched { .. }
            | Deed::PasswordChanged
            | Deed::PersonProposed { .. }
            | Deed::PersonChanged { .. }
            | Deed::PersonNotChanged { .. }
            | Deed::PersonDeclined { .. }
            | Deed::KeyProposed { .. }
            | Deed::KeyAgreed { .. }
            | Deed::KeyNotMade { .. }
            | Deed::KeyDeclined { .. }
            | Deed::TariffProposed { .. }
            | Deed::TariffApproved { .. }
            | Deed::TariffDeclined { .. } => {}
        }
    }

    fn begin(&mut self, shift: Shift) {
        self.shifts.insert(shift.number, shift);
        let ended: Vec<u64> =
            self.shifts.values().filter(|shift| !shift.is_open()).map(|s| s.number).collect();
        for number in ended.iter().take(ended.len().saturating_sub(ENDED_MAX)) {
            self.shifts.remove(number);
        }
    }

    fn stand(&mut self, number: u64, change: impl FnOnce(Standing) -> Standing) {
        if let Some(shift) = self.shifts.get_mut(&number) {
            shift.standing = change(shift.standing.clone());
        }
    }

    fn answer(&mut self, command: &str, outcome: &Outcome) {
        let Some(asked) = self.asked.remove(command) else { return };
        let Some(shift) = self.shifts.get_mut(&asked.shift) else { return };
        let key = (asked.verb, asked.reason.unwrap_or_default());
        match outcome {
            Outcome::Obeyed => shift.done.entry(key).or_default().count += 1,
            Outcome::Done { fare, .. } => {
                let figure = shift.done.entry(key).or_default();
                figure.count += 1;
                match fare {
                    Some(fare) => figure.amount = figure.amount.saturating_add(*fare),
                    None => figure.without_fare += 1,
                }
            }
            Outcome::Refused { .. } => shift.refused += 1,
            Outcome::Unanswered { .. } => shift.unanswered.push(asked.item),
        }
    }
}

#[cfg(test)]
mod tests;
