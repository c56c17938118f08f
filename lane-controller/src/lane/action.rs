//! What the lane core wants done. Closed: the shell is a match.

use std::time::Duration;

use domain::account_list::ListStatus;
use domain::passage::{Attendance, ClockQuality, Decision, EntryRef, ExceptionKind, Payment};
use domain::wire::v1::{CaseKind, EventKind};
use domain::{Amount, Plate, TagId, Timestamp, VehicleGroup};

use super::verdict::{Knowledge, Terms};

/// A passage as the core decided it; the journal adds identity, chain and signature.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of the same names in `domain::passage::Passage`")]
pub struct PassageDraft {
    pub at: Timestamp,
    pub clock: ClockQuality,
    pub uptime: Duration,
    pub tag: Option<TagId>,
    pub plate: Option<Plate>,
    pub group: Option<VehicleGroup>,
    pub list_version: u64,
    pub status_seen: Option<ListStatus>,
    pub tariff: Option<String>,
    pub entry: Option<EntryRef>,
    pub exception: Option<ExceptionKind>,
    pub decision: Decision,
    pub attendance: Option<Attendance>,
    pub fare: Option<Amount>,
    pub payment: Payment,
}

impl PassageDraft {
    /// A passage on the given terms, of a vehicle of which nothing else is known.
    pub(super) fn of(
        decision: Decision,
        terms: &Terms,
        now: Duration,
        known: &Knowledge<'_>,
    ) -> Self {
        Self {
            at: known.at,
            clock: known.clock,
            uptime: now,
            tag: None,
            plate: None,
            group: terms.group,
            list_version: known.list.version(),
            status_seen: terms.status,
            tariff: terms.tariff.clone(),
            entry: terms.entry.clone(),
            exception: None,
            decision,
            attendance: None,
            fare: terms.fare,
            payment: terms.payment,
        }
    }
}

/// Why a vehicle has to be looked at afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// It carries more than one tag; one of them is charged.
    TwoTags,
    /// Another group was measured than the list has; the list's is charged.
    GroupDiffers {
        /// The list's.
        listed: VehicleGroup,
        /// The measured one.
        measured: VehicleGroup,
    },
    /// It was let through and went out backwards: its passage may have to be reversed.
    Reversed,
    /// It was let through and was not seen to go: two may have crossed as one.
    LeftUnseen,
    /// Its tag was let through at another lane before.
    TakenElsewhere,
}

impl From<Case> for CaseKind {
    fn from(case: Case) -> Self {
        match case {
            Case::TwoTags => Self::TwoTags,
            Case::GroupDiffers { listed, measured } => Self::GroupDiffers { listed, measured },
            Case::Reversed => Self::Reversed,
            Case::LeftUnseen => Self::LeftUnseen,
            Case::TakenElsewhere => Self::TakenElsewhere,
        }
    }
}

impl Case {
    /// What it is, for a person to read.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::TwoTags => "a vehicle carries two tags",
            Self::GroupDiffers { .. } => "a vehicle was measured as of another group",
            Self::Reversed => "a vehicle that was let through went out backwards",
            Self::LeftUnseen => "a vehicle that was let through was not seen to go",
            Self::TakenElsewhere => "a vehicle's tag was let through at another lane",
        }
    }
}

/// Something to be done, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write a passage and make it durable before anything that follows.
    Record {
        /// The vehicle it is of, for [`super::Lane::recorded`].
        vehicle: u64,
        /// The passage.
        draft: Box<PassageDraft>,
    },
    /// Raise the arm and show green.
    Open,
    /// Lower the arm and show red; the safety monitor has the last word.
    Close,
    /// Show red, the arm stays.
    Red,
    /// Sound the siren.
    Siren,
    /// Ask the centre once whether the account of this tag has money by now.
    AskCentre {
        /// The vehicle, for the answer.
        vehicle: u64,
        /// Its tag.
        tag: TagId,
        /// What its passage would cost, where that is known.
        fare: Option<Amount>,
    },
    /// Something about a vehicle has to be looked at afterwards; it holds nobody up.
    Case {
        /// The vehicle.
        vehicle: u64,
        /// What.
        case: Case,
    },
    /// What was counted as this vehicle was none: too short for one, and without a tag.
    NoVehicle {
        /// The number it had.
        vehicle: u64,
    },
    /// Tell those who watch.
    Tell(EventKind),
    /// Tell the attendant that the command was carried out.
    Confirm {
        /// As which passage, where that is not the one just written.
        seq: Option<u64>,
    },
    /// Tell the attendant that the command was carried out, and wrote no passage.
    Obeyed,
    /// Tell the attendant that the command was not carried out.
    Refuse {
        /// Why.
        why: &'static str,
    },
}
