//! Our passages as records of the stations' text files (VETC and ITD, 2016).
//!
//! A station is told what passed there on a closed day: by tag (`ETAG`), and with priority
//! (`TRANSFERSPECIAL`). Deliberately absent: what our books do not have, such as paper tickets and their
//! books (`VELUOT`, `TransferOneWayTickets`, `BTC`), the price of a pass (`VETHANG`, `VethangEtag`), and a
//! register of staff (`NHANVIEN`).

use std::collections::BTreeMap;
use std::fmt;

use domain::{LaneId, OperatorId, StationId, Timestamp};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Passage, Unnamed};
use crate::partner::layout::Layout;

/// Stands where a name has one vehicle's plate, in a file of a whole day.
pub(in crate::partner) const ALL_PLATES: &str = "ALL";
/// Stands where a name has one lane.
const ALL_LANES: &str = "000";
/// Our lanes open by themselves, and our attendants have names: the files get no shift and no staff.
const NO_SHIFT: &str = "000";
const NO_STAFF: &str = "0000";

/// A lane's number at its station: three digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct LaneNumber(String);

impl TryFrom<String> for LaneNumber {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let is_one = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_one { Ok(Self(text)) } else { Err(format!("{text:?} is no lane such as \"101\"")) }
    }
}

impl fmt::Display for LaneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which lane a number is of, as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct LaneName(LaneId);

impl TryFrom<String> for LaneName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_wrong| format!("{text:?} is no lane such as \"cienco4/ben-thuy/l01\""))
    }
}

/// The lanes of a station and what they are called in its files.
pub(super) struct StationLanes<'a> {
    operator: &'a OperatorId,
    station: &'a StationId,
    numbers: &'a BTreeMap<LaneName, LaneNumber>,
}

impl<'a> StationLanes<'a> {
    /// The lanes of a station; two of them are never called the same.
    pub(super) fn try_new(
        operator: &'a OperatorId,
        station: &'a StationId,
        numbers: &'a BTreeMap<LaneName, LaneNumber>,
    ) -> Result<Self, Unnamed> {
        let own = || {
            numbers
                .iter()
                .filter(|(lane, _)| lane.0.operator() == operator && lane.0.station() == station)
        };
        for (lane, number) in own() {
            if own().any(|(other, same)| other < lane && same == number) {
                return Err(Unnamed(format!(
                    "lanes.\"{}\" as another than {number}, which is taken",
                    lane.0
                )));
            }
        }
        Ok(Self { operator, station, numbers })
    }

    fn number(&self, lane: &str) -> Result<&LaneNumber, Unnamed> {
        let lane = format!("{}/{}/{lane}", self.operator, self.station);
        let known = LaneName::try_from(lane.clone()).ok();
        known
            .and_then(|lane| self.numbers.get(&lane))
            .ok_or_else(|| Unnamed(format!("lanes.\"{lane}\", a number of three digits")))
    }
}

/// The first time from `now` on whose name is not taken: a name says no station, and two of them may be written
/// within one second.
pub(super) async fn free_name<E>(
    layout: &'static Layout,
    now: Timestamp,
    zone: &TimeZone,
    is_taken: impl AsyncFn(&str) -> Result<bool, E>,
) -> Result<String, E> {
    let mut at = now;
    loop {
        let name = name_of(layout, at, zone);
        if !is_taken(&name).await? {
            return Ok(name);
        }
        at += SignedDuration::from_secs(1);
    }
}

/// The name of a file of a whole day of a station.
fn name_of(layout: &'static Layout, now: Timestamp, zone: &TimeZone) -> String {
    let stamp = stamp_of(now, zone);
    match layout.code {
        "TRANSFERSPECIAL" => format!("TransferSpecial_{stamp}_{ALL_LANES}.txt"),
        _ => format!("ETAG_{ALL_PLATES}_{ALL_LANES}_{stamp}.txt"),
    }
}

fn stamp_of(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y%m%d%H%M%S").to_string()
}

/// A passage, by its tag or as one with priority.
pub(super) fn transaction(
    layout: &'static Layout,
    passage: &Passage,
    lanes: &StationLanes<'_>,
    zone: &TimeZone,
) -> Result<Value, Unnamed> {
    let local = passage.at.to_zoned(zone.clone());
    let tag: String = passage.tag.iter().map(|byte| format!("{byte:02X}")).collect();
    let mut record = json!({
        "transaction": stamp_of(passage.at, zone),
        "time": local.strftime("%H:%M:%S").to_string(),
        "plate-recognised": passage.plate,
        "staff": NO_STAFF,
        "shift": NO_SHIFT,
        "lane": lanes.number(&passage.lane)?.to_string(),
    });
    if layout.code == "TRANSFERSPECIAL" {
        record["tid"] = json!(tag);
        record["priority-kind"] = json!(match (passage.is_of_convoy, passage.is_lanes) {
            (false, true) => "20",
            (false, false) => "21",
            (true, true) => "30",
            (true, false) => "31",
        });
        record["zero-1"] = json!("0");
        record["zero-2"] = json!("0");
    } else {
        record["etag"] = json!(tag);
        record["price"] = json!(passage.amount.to_string());
        // A single passage of its group: what a pass covers costs nothing and is not in the file.
        record["ticket-code"] = json!(format!("1{}", passage.group + 1));
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::partner::vetc::layout::{BY_ETAG, SPECIAL};

    #[tokio::test]
    async fn a_second_file_within_a_second_has_a_name_of_its_own() {
        let now: Timestamp = "2026-03-03T19:00:59Z".parse().unwrap();
        for (layout, free) in [
            (&BY_ETAG, "ETAG_ALL_000_20260303190101.txt"),
            (&SPECIAL, "TransferSpecial_20260303190101_000.txt"),
        ] {
            let taken = async |name: &str| {
                Ok::<_, Infallible>(name.contains("190059") || name.contains("190100"))
            };
            assert_eq!(free_name(layout, now, &TimeZone::UTC, taken).await, Ok(free.to_owned()));
        }
    }
}
