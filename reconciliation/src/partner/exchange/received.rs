//! Received files: whether one is taken, and with what answer.

use std::collections::BTreeSet;

use super::code::Code;
use crate::partner::layout::{Layout, Order};
use crate::partner::record::Record;

/// What is known of a partner's files of one kind, before one more is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Channel {
    /// The highest number that was taken; 0 before the first.
    pub last: u64,
    /// Numbers below it that were not.
    pub missing: BTreeSet<u64>,
    /// The list that is in force, for kinds that are lists.
    pub list: Option<List>,
}

/// A list that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// What a change of it must name: the time of the last file, or the number of the whole list.
    pub name: String,
    /// The time of the last file.
    pub stamp: String,
    /// How many entries the last whole list had.
    pub entries: u64,
}

/// A good file that asks to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its number, for kinds that have one.
    pub number: Option<u64>,
    /// What it is to the list, for kinds that are lists.
    pub listing: Option<Listing>,
    /// Its time.
    pub stamp: String,
    /// Its records.
    pub records: u64,
}

/// What a file is to its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// It is the whole list, of that name.
    Whole(String),
    /// It changes the list of that name and is a list of the second name afterwards.
    Change {
        /// Which list it changes.
        of: String,
        /// What the list is called afterwards.
        becomes: String,
    },
}

/// What the log knows of a file of that name or number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Never,
    /// It was taken, with the same bytes.
    Same,
    /// One of that name or number was taken, with other bytes.
    Other,
}

/// How far a whole list may differ in size from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeGuard {
    /// Per cent of the entries before.
    pub percent: u64,
}

impl Default for SizeGuard {
    /// A tenth: what a public implementation refuses a tag list by.
    fn default() -> Self {
        Self { percent: 10 }
    }
}

/// What becomes of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken.
    Take {
        /// The answer: 00, or 06 where numbers are missing before it.
        answer: Code,
        /// Numbers that are missing since this file.
        missing: BTreeSet<u64>,
        /// Whether it was missing itself.
        fills: bool,
    },
    /// It was taken before; nothing changes.
    Again,
    /// It is not taken; nothing changes.
    Refuse {
        /// The answer.
        answer: Code,
        /// Why.
        reason: String,
        /// What would be right.
        wanted: String,
    },
}

/// Numbers that one file may jump over: past that it is a misprint, not a gap.
pub const GAP_MAX: u64 = 1000;

impl Offer {
    /// What a file says of its place among its like.
    #[must_use]
    pub fn of(layout: &'static Layout, header: &Record, records: u64) -> Self {
        let text = |path: &str| header.text(path).unwrap_or_default().to_owned();
        let stamp = layout.roles.stamp.map(text).unwrap_or_default();
        let (number, listing) = match layout.roles.order {
            Order::Numbered(field) => (header.number(field), None),
            Order::Whole => (None, Some(Listing::Whole(stamp.clone()))),
            Order::Change { of } => {
                (None, Some(Listing::Change { of: text(of), becomes: stamp.clone() }))
            }
            Order::WholeOrChange { by, change, of } => {
                let name = text(of);
                let is_change = header.text(by) == Some(change);
                let becomes = name.clone();
                let listing = if is_change {
                    Listing::Change { of: name, becomes }
                } else {
                    Listing::Whole(name)
                };
                (None, Some(listing))
            }
            Order::Answer | Order::Alone => (None, None),
        };
        Self { number, listing, stamp, records }
    }
}

/// Decides about a file that is good in itself.
#[must_use]
pub fn judge(channel: &Channel, offer: &Offer, before: Before, guard: SizeGuard) -> Verdict {
    match before {
        Before::Same => return Verdict::Again,
        Before::Other => {
            return Verdict::Refuse {
                answer: Code::Again,
                reason: "a file of this name or number was taken, with other bytes".to_owned(),
                wanted: "a name and number of its own for each file".to_owned(),
            };
        }
        Before::Never => {}
    }
    match (&offer.number, &offer.listing) {
        (Some(number), _) => judge_number(channel, *number),
        (None, Some(listing)) => judge_list(channel.list.as_ref(), listing, offer, guard),
        (None, None) => taken(Code::Taken),
    }
}

fn taken(answer: Code) -> Verdict {
    Verdict::Take { answer, missing: BTreeSet::new(), fills: false }
}

fn judge_number(channel: &Channel, number: u64) -> Verdict {
    if number <= channel.last {
        // One that was neither taken nor missed cannot be: it was refused as `Before::Other`.
        let fills = channel.missing.contains(&number);
        return Verdict::Take { answer: Code::Taken, missing: BTreeSet::new(), fills };
    }
    let jumped = number - channel.last - 1;
    // Before the first file nothing is known: whatever number it has begins the count.
    if channel.last == 0 || jumped == 0 {
        return taken(Code::Taken);
    }
    if jumped > GAP_MAX {
        return Verdict::Refuse {
            answer: Code::Gap,
            reason: format!("its number {number} is {jumped} past the last"),
            wanted: format!("{}, as {} was the last", channel.last + 1, channel.last),
        };
    }
    let missing = (channel.last + 1..number).collect();
    Verdict::Take { answer: Code::Gap, missing, fills: false }
}

fn judge_list(list: Option<&List>, listing: &Listing, offer: &Offer, guard: SizeGuard) -> Verdict {
    if let Some(list) = list.filter(|list| offer.stamp <= list.stamp) {
        return Verdict::Refuse {
            answer: Code::Date,
            reason: format!("its time {} is not after the last list's", offer.stamp),
            wanted: format!("a time after {}", list.stamp),
        };
    }
    match (listing, list) {
        (Listing::Whole(_), Some(list)) if !is_near(list.entries, offer.records, guard) => {
            Verdict::Refuse {
                answer: Code::Count,
                reason: format!(
                    "it has {} entries, the one before {}",
                    offer.records, list.entries
                ),
                wanted: format!("a list within {} % of it, or a person's word", guard.percent),
            }
        }
        (Listing::Whole(_), Some(_) | None) => taken(Code::Taken),
        (Listing::Change { of, .. }, Some(list)) if *of == list.name => taken(Code::Taken),
        (Listing::Change { of, .. }, list) => Verdict::Refuse {
            answer: Code::Gap,
            reason: format!("it changes the list {of}"),
            wanted: list.map_or_else(
                || "a whole list first".to_owned(),
                |list| format!("a change of the list {}, which is the last", list.name),
            ),
        },
    }
}

fn is_near(before: u64, now: u64, guard: SizeGuard) -> bool {
    let apart = u128::from(before.abs_diff(now));
    apart * 100 <= u128::from(before) * u128::from(guard.percent)
}
