//! The verdict: may this vehicle pass, and on which terms? From what the lane holds, alone.

use domain::account_list::{ListEntry, ListStatus};
use domain::passage::{ClockQuality, EntryRef, ExceptionKind, LaneRole, Payment};
use domain::tariff::{Segment, TariffBook};
use domain::{Amount, LaneId, Plate, TagId, Timestamp, VehicleGroup};

use crate::entries::EntryBook;
use crate::list::AccountLookup;

/// What the lane knows at the moment of a decision.
#[derive(Debug, Clone, Copy)]
pub struct Knowledge<'a> {
    /// The account list.
    pub list: &'a dyn AccountLookup,
    /// The tariffs.
    pub tariffs: &'a TariffBook,
    /// Who came onto the road, where this is one of its exits.
    pub entries: &'a EntryBook,
    /// The lane's wall clock.
    pub at: Timestamp,
    /// How far it is trusted.
    pub clock: ClockQuality,
}

/// On which terms a vehicle passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The group.
    pub group: Option<VehicleGroup>,
    /// What the list says of the tag.
    pub status: Option<ListStatus>,
    /// The tariff version.
    pub tariff: Option<String>,
    /// Where the trip began.
    pub entry: Option<EntryRef>,
    /// The fare; absent where the lane cannot tell, and the centre will.
    pub fare: Option<Amount>,
    /// How it is paid for.
    pub payment: Payment,
}

impl Terms {
    /// The terms of a vehicle that does not pass.
    pub(super) fn nothing(known: &Knowledge<'_>, tag: Option<&TagId>) -> Self {
        let entry = tag.and_then(|tag| known.list.find(tag));
        Self {
            group: entry.as_ref().map(|entry| entry.group),
            status: entry.map(|entry| entry.status),
            tariff: None,
            entry: None,
            fare: None,
            payment: Payment::Nothing,
        }
    }
}

/// What is to be done with a vehicle whose tag is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Let it pass.
    Open(Terms),
    /// Call a person.
    Refuse {
        /// Why.
        exception: ExceptionKind,
        /// The fare that is due, where it is known.
        fare: Option<Amount>,
    },
}

/// The verdict about a tag.
#[must_use]
pub fn of_tag(lane: &LaneId, role: LaneRole, tag: &TagId, known: &Knowledge<'_>) -> Verdict {
    let Some(listed) = known.list.find(tag) else {
        return Verdict::Refuse { exception: ExceptionKind::UnknownTag, fare: None };
    };
    let entry = known.entries.by_tag(tag);
    let (tariff, fare) = fare(lane, role, entry.as_ref(), listed.group, known);
    let terms = |fare, payment| Terms {
        group: Some(listed.group),
        status: Some(listed.status),
        tariff: tariff.clone(),
        entry: entry.clone(),
        fare,
        payment,
    };
    // An exempt vehicle passes whatever its account says; the account is not asked for anything.
    if listed.exempt {
        return Verdict::Open(terms(Some(Amount::ZERO), Payment::Nothing));
    }
    let exception = match listed.status {
        ListStatus::Good | ListStatus::Low => None,
        ListStatus::NoMoney if has_pass(lane, role, &listed, known.at) => None,
        ListStatus::NoMoney => Some(ExceptionKind::NoMoney),
        ListStatus::Blocked => Some(ExceptionKind::Blocked),
        ListStatus::Closed => Some(ExceptionKind::Closed),
        ListStatus::NotConverted => Some(ExceptionKind::NotConverted),
    };
    if let Some(exception) = exception {
        return Verdict::Refuse { exception, fare };
    }
    if has_pass(lane, role, &listed, known.at) {
        return Verdict::Open(terms(Some(Amount::ZERO), Payment::Nothing));
    }
    match (role, fare) {
        (LaneRole::Entry, _) => Verdict::Open(terms(Some(Amount::ZERO), Payment::Nothing)),
        (LaneRole::Open, None) => Verdict::Refuse { exception: ExceptionKind::NoFare, fare: None },
        // At an exit the centre knows the entry, even where the lane does not.
        (LaneRole::Open | LaneRole::Exit, fare) => Verdict::Open(terms(fare, Payment::Account)),
    }
}

/// The terms for a vehicle that an attendant identified by its plate.
pub(super) fn terms_by_plate(
    lane: &LaneId,
    role: LaneRole,
    plate: &Plate,
    group: VehicleGroup,
    tag: Option<&TagId>,
    payment: Payment,
    known: &Knowledge<'_>,
) -> Terms {
    let entry =
        known.entries.by_plate(plate).or_else(|| tag.and_then(|tag| known.entries.by_tag(tag)));
    let (tariff, due) = fare(lane, role, entry.as_ref(), group, known);
    let fare = if payment == Payment::Nothing { Some(Amount::ZERO) } else { due };
    Terms {
        group: Some(group),
        status: tag.and_then(|tag| known.list.find(tag)).map(|listed| listed.status),
        tariff,
        entry,
        fare,
        payment,
    }
}

fn has_pass(lane: &LaneId, role: LaneRole, listed: &ListEntry, at: Timestamp) -> bool {
    role == LaneRole::Open
        && listed
            .pass
            .as_ref()
            .is_some_and(|pass| pass.station == *lane.station() && at < pass.until)
}

fn fare(
    lane: &LaneId,
    role: LaneRole,
    entry: Option<&EntryRef>,
    group: VehicleGroup,
    known: &Knowledge<'_>,
) -> (Option<String>, Option<Amount>) {
    let Ok(tariff) = known.tariffs.in_force(lane.operator(), known.at) else {
        return (None, None);
    };
    let station = lane.station().clone();
    let segment = match (role, entry) {
        (LaneRole::Entry, _) | (LaneRole::Exit, None) => None,
        (LaneRole::Open, _) => Some(Segment::Pass { station }),
        (LaneRole::Exit, Some(entry)) => {
            Some(Segment::Trip { entry: entry.station.clone(), exit: station })
        }
    };
    let fare = segment.and_then(|segment| tariff.fare(&segment, group).ok());
    (Some(tariff.version.clone()), fare)
}
