//! The ground truth: one line for each crossing, written by the road alone.
//!
//! It follows from what the vehicle carried, what the attendant did and what the tariff says. It
//! never asks a lane or the centre, so that both can be checked against it. It holds plates and
//! tags: it is a test's record of made-up vehicles, never a log.

use domain::{Amount, LaneId, OperatorId, Plate, StationId, TagId, Timestamp, VehicleGroup};
use serde::{Deserialize, Serialize};

/// How a crossing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Through on the tag alone, and charged.
    Tag,
    /// Through on a pass.
    Pass,
    /// Through, and exempt: by the list, or as a priority vehicle.
    Exempt,
    /// Let through by the attendant: charged by plate, or paid in cash.
    Attendant,
    /// Sent back.
    TurnedAway,
}

/// A line of the truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TruthLine {
    /// The vehicle's number.
    pub vehicle: u64,
    /// Whose lane.
    pub operator: OperatorId,
    /// At which station.
    pub station: StationId,
    /// The lane's token.
    pub lane: String,
    /// The run time at which the vehicle passed the arm, or turned back.
    pub at: Timestamp,
    /// The tag on its windscreen, read or not.
    pub tag: Option<TagId>,
    /// Its plate.
    pub plate: Plate,
    /// Its group.
    pub group: VehicleGroup,
    /// How it ended.
    pub how: How,
    /// What follows from tariff and trip, in cash or not; 0 where nothing is due.
    pub fare_vnd: Amount,
}

impl TruthLine {
    pub(crate) fn new(
        lane: &LaneId,
        at: Timestamp,
        vehicle: &crate::population::Vehicle,
        how: How,
        fare_vnd: Amount,
    ) -> Self {
        Self {
            vehicle: vehicle.number,
            operator: lane.operator().clone(),
            station: lane.station().clone(),
            lane: lane.lane().to_owned(),
            at,
            tag: vehicle.tag.clone(),
            plate: vehicle.plate.clone(),
            group: vehicle.group,
            how,
            fare_vnd,
        }
    }
}
