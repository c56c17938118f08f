//! When people drive, hour by hour of a week, and in which groups.

use simulator::traffic::Recording;
use tests::programs::repository;

const RECORDING: &str = "../shared/data/tollgate-passes-2016-10-18_24.csv.gz";

/// Passes in each hour of a day where no recording is at hand: quiet nights, two peaks.
const HOURS: [u32; 24] =
    [12, 8, 6, 6, 10, 22, 48, 86, 92, 80, 72, 70, 66, 70, 74, 80, 90, 104, 96, 72, 52, 40, 28, 18];
/// The same for groups 1 to 5.
const GROUPS: [u32; 5] = [70, 12, 8, 6, 4];

/// The shape of a week.
#[derive(Debug)]
pub(crate) struct Week {
    /// Where it is from.
    pub source: &'static str,
    /// By weekday, Monday first, and hour.
    pub hours: [[u32; 24]; 7],
    /// By group.
    pub groups: [u32; 5],
}

impl Week {
    /// The recorded one where it is at hand.
    pub(crate) fn found() -> Self {
        let path = repository(RECORDING);
        if !path.is_file() {
            let source = "a week's shape that is written down: no recording is at hand";
            return Self { source, hours: [HOURS; 7], groups: GROUPS };
        }
        let (mut hours, mut groups) = ([[0; 24]; 7], [0; 5]);
        for pass in Recording::read(&path).unwrap().passes {
            let local_h = pass.at.as_second().div_euclid(3_600) + 7;
            // 1 January 1970 was a Thursday.
            let weekday = (local_h.div_euclid(24) + 3).rem_euclid(7);
            let at = |number: i64| usize::try_from(number).unwrap();
            hours[at(weekday)][at(local_h.rem_euclid(24))] += 1;
            groups[usize::from(pass.group().number()) - 1] += 1;
        }
        // The recording lacks a day's first hours; nobody drives in an hour that has none.
        Self { source: "the shape of the recorded week", hours, groups }
    }
}
