//! A simulation of counted traffic from a file: what it costs by one version and by another. Pure.
//!
//! Each line is `at,entry,station,group,passages`: an instant; where trips began, `?` where nobody
//! knows, and nothing at an open station; where it is paid; group; and how many passed. Counted
//! vehicles have no names, so nobody is entitled to anything and no day is capped.

use domain::tariff::{Crossing, Passing, Tariff};
use domain::{StationId, Timestamp, VehicleGroup};

use super::simulate::{Difference, Simulation};

/// The first line of a file.
const HEADER: &str = "at,entry,station,group,passages";

/// A line that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}: {what}; a line is at,entry,station,group,passages, such as 2026-03-02T08:00:00+07:00,ql45,nghi-son,1,250"
)]
pub struct TrafficError {
    /// Which line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// What the traffic of a file costs by `against`, and by `under`.
///
/// # Errors
/// When a line is none; it is named.
pub fn simulate(text: &str, against: &Tariff, under: &Tariff) -> Result<Simulation, TrafficError> {
    let mut simulation = Simulation::default();
    for (line, row) in (1..).zip(text.lines()) {
        if row.trim().is_empty() || (line == 1 && row.trim() == HEADER) {
            continue;
        }
        let refused = |what: String| TrafficError { line, what };
        let cells: Vec<&str> = row.split(',').map(str::trim).collect();
        let &[at, entry, station, group, passages] = cells.as_slice() else {
            return Err(refused(format!("{} cells, not 5", cells.len())));
        };
        let at: Timestamp = at.parse().map_err(|_none| refused(format!("{at:?} is no instant")))?;
        let station_of =
            |name| StationId::try_new(name).map_err(|error| refused(error.to_string()));
        let exit = station_of(station)?;
        let entry = match entry {
            "" | "?" => None,
            name => Some(station_of(name)?),
        };
        let passing = match (&entry, cells[1]) {
            (Some(entry), _) => Passing::Trip { entry, exit: &exit, took: None, via: &[] },
            (None, "?") => Passing::WithoutEntry { exit: &exit },
            (None, _) => Passing::Open { station: &exit },
        };
        let number: u8 =
            group.parse().map_err(|_none| refused(format!("{group:?} is no group")))?;
        let group = VehicleGroup::try_new(number).map_err(|error| refused(error.to_string()))?;
        let count: u32 =
            passages.parse().map_err(|_none| refused(format!("{passages:?} is no number")))?;
        let crossing = Crossing { passing, group, at, entitlements: &[] };
        let price = |tariff: &Tariff| tariff.price(&crossing).ok().map(|price| price.amount());
        let (before, after) = (price(against), price(under));
        let times = |amount: Option<domain::Amount>| {
            let units = amount.unwrap_or_default().minor_units().checked_mul(i64::from(count));
            units.ok_or_else(|| refused("the sum is more than can be written down".to_owned()))
        };
        let unrated = |amount: Option<domain::Amount>| match amount {
            Some(_) => 0,
            None => u64::from(count),
        };
        let row = simulation.0.entry((exit.clone(), number)).or_default();
        row.add(Difference {
            passages: u64::from(count),
            before: times(before)?,
            after: times(after)?,
            unrated_before: unrated(before),
            unrated_after: unrated(after),
        });
    }
    Ok(simulation)
}

#[cfg(test)]
mod tests {
    use domain::tariff::TariffFile;

    use super::*;

    fn bac_nam(change: (&str, &str)) -> Tariff {
        let text = include_str!("../../../deploy/viet-nam/tariff-bac-nam.toml");
        let file: TariffFile = toml::from_str(&text.replace(change.0, change.1)).unwrap();
        Tariff::try_from(file).unwrap()
    }

    #[test]
    fn counted_traffic_is_priced_by_both_versions() {
        let published = bac_nam(("", ""));
        let corrected = bac_nam(("109781", "109818"));
        let traffic = "at,entry,station,group,passages\n\
                       2026-03-02T08:00:00+07:00,mai-son,ql45,3,100\n\
                       2026-03-02T09:00:00+07:00,?,ql45,1,2\n\
                       2026-03-02T09:00:00+07:00,,ben-thuy,1,5\n";
        let told = simulate(traffic, &published, &corrected).unwrap();
        let rows: Vec<String> = told
            .0
            .iter()
            .map(|((station, group), one)| {
                format!("{station} {group}: {} to {}, {}", one.before, one.after, one.unrated_after)
            })
            .collect();
        assert_eq!(
            rows,
            [
                "ben-thuy 1: 0 to 0, 5",
                "ql45 1: 109818 to 109818, 0",
                "ql45 3: 10978100 to 10981800, 0"
            ]
        );
        assert_eq!(told.total().more(), 3_700);
    }

    #[test]
    fn a_line_that_is_none_is_named_with_what_would_be_right() {
        let tariff = bac_nam(("", ""));
        let refused = |line: &str| simulate(line, &tariff, &tariff).unwrap_err().to_string();
        let right = "; a line is at,entry,station,group,passages, such as \
                     2026-03-02T08:00:00+07:00,ql45,nghi-son,1,250";
        assert_eq!(refused("\n1,2"), format!("line 2: 2 cells, not 5{right}"));
        assert_eq!(refused("today,,a,1,1"), format!("line 1: \"today\" is no instant{right}"));
        let group = refused("2026-03-02T08:00:00Z,,a,0,1");
        assert_eq!(group, format!("line 1: a vehicle group is 1 to 20, not 0{right}"));
    }
}
