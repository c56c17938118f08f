//! What the attendant does about a vehicle: a pure function of its means and the lane's role.

use domain::passage::LaneRole;
use domain::wire::v1::{ReasonRecord, Verb};

use crate::population::{EmptyHanded, Means, Vehicle};
use crate::world::Verdict;

/// The command for a vehicle that a lane has called about, and what it comes to.
///
/// Whoever has an account with money behind the plate is charged by it, also where a tag was not
/// read. An empty or locked account is turned away where the driver can still turn; once on the
/// road the trip is paid in cash where it ends.
pub(crate) fn answer(role: LaneRole, vehicle: &Vehicle) -> (Verb, Verdict) {
    let plate = vehicle.plate.clone();
    let group = vehicle.group;
    let open = |reason| Verb::Open { reason, plate: plate.clone(), group };
    let in_cash = || match role {
        LaneRole::Entry => (open(ReasonRecord::CashAtExit), Verdict::LetThrough),
        LaneRole::Open | LaneRole::Exit => (open(ReasonRecord::CashPaid), Verdict::LetThrough),
    };
    match vehicle.means {
        Means::Tag | Means::Plate | Means::MonthPass | Means::Exempt => {
            (Verb::ChargeByPlate { plate: plate.clone(), group }, Verdict::LetThrough)
        }
        Means::Cash | Means::EmptyAccount { then: EmptyHanded::PaysCash } => in_cash(),
        Means::EmptyAccount { then: EmptyHanded::TopsUp } | Means::Blocked => match role {
            LaneRole::Exit => in_cash(),
            LaneRole::Open | LaneRole::Entry => {
                (Verb::TurnAway { reason: ReasonRecord::NoMeansOfPayment }, Verdict::TurnedAway)
            }
        },
        Means::Priority => (open(ReasonRecord::PriorityVehicle), Verdict::Priority),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(role: LaneRole, means: Means) -> String {
        let vehicle = Vehicle {
            number: 1,
            plate: "37A12345".parse().unwrap(),
            group: 1.try_into().unwrap(),
            tag: None,
            means,
            account: None,
            route: crate::population::Route::Road,
        };
        match answer(role, &vehicle) {
            (Verb::Open { reason, .. }, verdict) => format!("open {reason:?} {verdict:?}"),
            (Verb::ChargeByPlate { .. }, verdict) => format!("charge {verdict:?}"),
            (Verb::TurnAway { reason }, verdict) => format!("turn away {reason:?} {verdict:?}"),
            (verb, _) => panic!("the attendant does not order {verb:?}"),
        }
    }

    #[test]
    fn each_vehicle_gets_the_answer_of_its_means() {
        use LaneRole::{Entry, Exit, Open};
        let empty = Means::EmptyAccount { then: EmptyHanded::TopsUp };
        for (role, means, what) in [
            (Open, Means::Tag, "charge LetThrough"),
            (Exit, Means::Plate, "charge LetThrough"),
            (Open, Means::Cash, "open CashPaid LetThrough"),
            (Entry, Means::Cash, "open CashAtExit LetThrough"),
            (Exit, Means::Cash, "open CashPaid LetThrough"),
            (Open, empty, "turn away NoMeansOfPayment TurnedAway"),
            (Entry, Means::Blocked, "turn away NoMeansOfPayment TurnedAway"),
            (Exit, empty, "open CashPaid LetThrough"),
            (Entry, Means::Priority, "open PriorityVehicle Priority"),
        ] {
            assert_eq!(told(role, means), what, "{role:?} {means:?}");
        }
    }
}
