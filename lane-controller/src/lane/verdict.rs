//! The verdict: may this vehicle pass, and on which terms? From what the lane holds, alone.

use domain::account_list::{ListEntry, ListStatus};
use domain::passage::{ClockQuality, EntryRef, ExceptionKind, LaneRole, Payment};
use domain::tariff::{Crossing, Passing, TariffBook};
use domain::wire::v1::LaneMode;
use domain::{Amount, LaneId, Plate, TagId, Timestamp, VehicleGroup};

use super::policy::{Choice, VerdictPolicy};
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

/// Where a verdict is reached, and by which rules.
#[derive(Debug, Clone, Copy)]
pub struct Court<'a> {
    /// The lane.
    pub lane: &'a LaneId,
    /// What it is for.
    pub role: LaneRole,
    /// What its operator chose.
    pub policy: &'a VerdictPolicy,
    /// How the lane works now.
    pub mode: LaneMode,
    /// The vehicle's group, where a person corrected it.
    pub corrected: Option<VehicleGroup>,
}

impl Court<'_> {
    /// The verdict about a tag.
    #[must_use]
    pub fn of_tag(&self, tag: &TagId, known: &Knowledge<'_>) -> Verdict {
        let refuse = |exception, fare| Verdict::Refuse { exception, fare };
        match self.mode {
            LaneMode::Automatic | LaneMode::EtcOnly => {}
            LaneMode::Attended => return refuse(ExceptionKind::UnknownTag, None),
            LaneMode::Closed | LaneMode::Maintenance => {
                return refuse(ExceptionKind::LaneClosed, None);
            }
        }
        // Without a list nothing is known, and least of all that a tag is on no black list.
        if known.list.version() == 0 || self.must_not_believe(known) {
            return refuse(ExceptionKind::UnknownTag, None);
        }
        match (known.list.find(tag), self.policy.unlisted) {
            (Some(listed), _) => self.of_entry(&listed, listed.status, known),
            (None, Choice::Call) => refuse(ExceptionKind::UnknownTag, None),
            // Its group is the centre's to find.
            (None, Choice::Serve) => Verdict::Open(Terms {
                payment: if self.role == LaneRole::Entry {
                    Payment::Nothing
                } else {
                    Payment::Account
                },
                entry: known.entries.by_tag(tag),
                ..Terms::nothing(known, None)
            }),
        }
    }

    /// The verdict about a tag of which the centre has just said that its account has money.
    #[must_use]
    pub(super) fn of_tag_with_money(&self, tag: &TagId, known: &Knowledge<'_>) -> Verdict {
        match known.list.find(tag) {
            Some(listed) if listed.status == ListStatus::NoMoney => {
                self.of_entry(&listed, ListStatus::Good, known)
            }
            Some(_) | None => self.of_tag(tag, known),
        }
    }

    fn must_not_believe(&self, known: &Knowledge<'_>) -> bool {
        let age_us =
            known.at.as_microsecond().saturating_sub(known.list.confirmed_at().as_microsecond());
        let is_old = i128::from(age_us)
            > i128::try_from(self.policy.list_age_max.as_micros()).unwrap_or(i128::MAX);
        let bad_clock = known.clock == ClockQuality::Unsynchronised;
        (is_old && self.policy.old_list == Choice::Call)
            || (bad_clock && self.policy.bad_clock == Choice::Call)
    }

    fn of_entry(&self, listed: &ListEntry, status: ListStatus, known: &Knowledge<'_>) -> Verdict {
        let entry = known.entries.by_tag(&listed.tag);
        let group = self.corrected.unwrap_or(listed.group);
        let (tariff, fare) = fare(self.lane, self.role, entry.as_ref(), group, known);
        let terms = |fare, payment| Terms {
            group: Some(group),
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
        let has_pass = has_pass(self.lane, self.role, listed, known.at);
        let exception = match status {
            ListStatus::Good => None,
            ListStatus::Low if has_pass || self.policy.low == Choice::Serve => None,
            ListStatus::NoMoney if has_pass => None,
            ListStatus::Low | ListStatus::NoMoney => Some(ExceptionKind::NoMoney),
            ListStatus::Blocked => Some(ExceptionKind::Blocked),
            ListStatus::Closed => Some(ExceptionKind::Closed),
            ListStatus::NotConverted => Some(ExceptionKind::NotConverted),
        };
        if let Some(exception) = exception {
            return Verdict::Refuse { exception, fare };
        }
        if has_pass {
            return Verdict::Open(terms(Some(Amount::ZERO), Payment::Nothing));
        }
        let no_fare = Verdict::Refuse { exception: ExceptionKind::NoFare, fare: None };
        match (self.role, fare) {
            (LaneRole::Entry, _) => Verdict::Open(terms(Some(Amount::ZERO), Payment::Nothing)),
            (LaneRole::Open, None) => no_fare,
            (LaneRole::Exit, None) if self.policy.missing_entry == Choice::Call => no_fare,
            // At an exit the centre knows the entry, even where the lane does not.
            (LaneRole::Open | LaneRole::Exit, fare) => Verdict::Open(terms(fare, Payment::Account)),
        }
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

/// The tariff in force, and what a vehicle of this group is due by it, where that is known.
pub(super) fn fare(
    lane: &LaneId,
    role: LaneRole,
    entry: Option<&EntryRef>,
    group: VehicleGroup,
    known: &Knowledge<'_>,
) -> (Option<String>, Option<Amount>) {
    let Ok(tariff) = known.tariffs.in_force(lane.operator(), known.at) else {
        return (None, None);
    };
    let station = lane.station();
    let entered = entry.map(|entry| (&entry.station, entry.at));
    let fare = match Passing::of_lane(role, station, entered, known.at, known.clock) {
        // At an exit the centre may know the entry, even where the lane does not.
        None | Some(Passing::WithoutEntry { .. }) => None,
        Some(passing @ (Passing::Open { .. } | Passing::Trip { .. })) => {
            // Who is entitled to a discount, and what a day has cost, only the centre knows.
            let crossing = Crossing { passing, group, at: known.at, entitlements: &[] };
            tariff.price(&crossing).ok().map(|price| price.amount())
        }
    };
    (Some(tariff.version.clone()), fare)
}
