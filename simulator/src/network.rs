//! The simulated network: operators, issuers, stations, lanes and fares of one run.
//!
//! *Approach*: the lanes of a station that a driver may choose from: of one role, and of one
//! direction where the station has two. *Section*: the way between two stations of a road.
//!
//! The network is data: files with their sources in `deploy/viet-nam/`, or the gates of a
//! recording. It renders the same files the centre and the lanes are configured with, so what the
//! truth says a crossing costs and what the centre charges come from one text.

mod file;

use std::collections::BTreeMap;

use domain::passage::LaneRole;
use domain::tariff::{
    FareRow, Segment, Tariff, TariffBook, TariffError, TariffFile, TariffFileError,
};
use domain::{Amount, IdError, IssuerId, LaneId, OperatorId, StationId, Timestamp, VehicleGroup};

pub use file::{IssuerRow, LaneRow, NetworkFile, OperatorRow, Role, StationKind, StationRow};

use file::{GateFares, RoadsFile};

const VIET_NAM: &str = include_str!("../../deploy/viet-nam/network.toml");
const BEN_THUY: &str = include_str!("../../deploy/viet-nam/tariff-ben-thuy.toml");
const BAC_NAM: &str = include_str!("../../deploy/viet-nam/tariff-bac-nam.toml");
const ROADS: &str = include_str!("../../deploy/viet-nam/roads.toml");
const GATES: &str = include_str!("../../deploy/viet-nam/tariff-gates.toml");

/// Vehicles that one lane of a replayed gate is built for. Three of four recorded vehicles need
/// the attendant, who takes about fifteen seconds with the wait for a tag.
pub const LANE_CAPACITY_PER_MINUTE: u32 = 4;

/// Why a network could not be made.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A file is not as the contract has it.
    #[error("read {what}")]
    File {
        /// Which file.
        what: String,
        /// What the parser said.
        #[source]
        source: toml::de::Error,
    },
    /// A name in a file is no id.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A tariff file is none.
    #[error(transparent)]
    Tariff(#[from] TariffFileError),
    /// A lane stands at a station that there is not.
    #[error("lane {0} is at no station of the network")]
    LaneWithoutStation(LaneId),
}

/// Which way a gate's lanes lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Onto the road behind the gate.
    In,
    /// Off it.
    Out,
}

/// What a recorded gate must carry in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateDemand {
    /// The gate's number in the recording.
    pub gate: u32,
    /// The direction.
    pub direction: Direction,
    /// Vehicles in its busiest minute.
    pub peak_per_minute: u32,
}

/// One lane of a station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The lane.
    pub id: LaneId,
    /// What it is for.
    pub role: LaneRole,
    /// Its block in the field I/O of its station, from 0.
    pub field_io_index: u16,
}

/// One station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// The station.
    pub id: StationId,
    /// Who runs it.
    pub operator: OperatorId,
    /// Its name for people.
    pub name: String,
    /// The road, where the station is on an entry/exit road.
    pub road: Option<String>,
    /// Its lanes, in the order of the file.
    pub lanes: Vec<Lane>,
}

/// The lanes of a station that a driver may choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approach {
    /// The station.
    pub station: StationId,
    /// What its lanes are for.
    pub role: LaneRole,
    /// The letters that the lanes' tokens begin with, which tell the directions of a gate apart.
    pub letters: String,
    /// The lanes.
    pub lanes: Vec<LaneId>,
}

/// The place of an [`Approach`] in [`Network::approaches`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApproachIndex(pub(crate) usize);

/// A network of a run.
#[derive(Debug, Clone)]
pub struct Network {
    file: NetworkFile,
    tariff_files: Vec<TariffFile>,
    tariffs: TariffBook,
    stations: Vec<Station>,
    approaches: Vec<Approach>,
    distances_km: BTreeMap<(StationId, StationId), u32>,
}

impl Network {
    /// An open station and an entry/exit road in Viet Nam.
    ///
    /// # Errors
    /// When a file in `deploy/viet-nam/` is broken.
    pub fn viet_nam() -> Result<Self, NetworkError> {
        let file = file::parse("network.toml", VIET_NAM)?;
        let tariffs = vec![
            file::parse("tariff-ben-thuy.toml", BEN_THUY)?,
            file::parse("tariff-bac-nam.toml", BAC_NAM)?,
        ];
        let roads: RoadsFile = file::parse("roads.toml", ROADS)?;
        let mut network = Self::try_new(file, tariffs)?;
        for section in roads.section {
            let [one, other] = section.between;
            network.distances_km.insert((one.clone(), other.clone()), section.distance_km);
            network.distances_km.insert((other, one), section.distance_km);
        }
        Ok(network)
    }

    /// One open station for each gate of a recording, with as many lanes in each direction as its
    /// busiest minute needs at [`LANE_CAPACITY_PER_MINUTE`].
    ///
    /// # Errors
    /// When the fares in `deploy/viet-nam/` are broken, or a gate has more than 99 lanes.
    pub fn of_gates(demands: &[GateDemand]) -> Result<Self, NetworkError> {
        let fares: GateFares = file::parse("tariff-gates.toml", GATES)?;
        let operator = OperatorId::try_new("gates")?;
        let mut file = NetworkFile::of_operator(&operator);
        file.issuer = file::parse::<NetworkFile>("network.toml", VIET_NAM)?.issuer;
        let mut lane_counts: BTreeMap<u32, BTreeMap<Direction, u32>> = BTreeMap::new();
        for demand in demands {
            let lanes = demand.peak_per_minute.div_ceil(LANE_CAPACITY_PER_MINUTE).max(1);
            lane_counts.entry(demand.gate).or_default().insert(demand.direction, lanes);
        }
        let mut fare = Vec::new();
        for (gate, directions) in lane_counts {
            let station = gate_station(gate)?;
            for (direction, lanes) in directions {
                for number in 1..=lanes {
                    let token = format!("{}{number:02}", direction.letter());
                    let id = LaneId::try_new(operator.clone(), station.clone(), &token)?;
                    file.lane.push(LaneRow { id, role: Role::Open });
                }
            }
            fare.push(FareRow {
                station: Some(station.clone()),
                amounts: fares.amounts.clone(),
                ..FareRow::default()
            });
            file.station.push(StationRow {
                name: format!("Gate {gate}"),
                id: station,
                operator: operator.clone(),
                kind: StationKind::Open,
                road: None,
            });
        }
        let tariff = TariffFile::new(
            "gates-2016".to_owned(),
            operator,
            domain::Currency::VND,
            fares.valid_from,
            fares.source,
            fare,
        );
        Self::try_new(file, vec![tariff])
    }

    fn try_new(file: NetworkFile, tariff_files: Vec<TariffFile>) -> Result<Self, NetworkError> {
        let stations = stations(&file)?;
        let approaches = approaches(&stations);
        let mut tariffs = TariffBook::default();
        for tariff in &tariff_files {
            tariffs.insert(Tariff::try_from(tariff.clone())?);
        }
        Ok(Self {
            file,
            tariff_files,
            tariffs,
            stations,
            approaches,
            distances_km: BTreeMap::new(),
        })
    }

    /// Who runs stations.
    #[must_use]
    pub fn operators(&self) -> &[OperatorRow] {
        &self.file.operator
    }

    /// Who holds accounts.
    pub fn issuers(&self) -> impl Iterator<Item = &IssuerId> {
        self.file.issuer.iter().map(|issuer| &issuer.id)
    }

    /// The stations, in the order of the file.
    #[must_use]
    pub fn stations(&self) -> &[Station] {
        &self.stations
    }

    /// Every lane, station by station.
    pub fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.stations.iter().flat_map(|station| &station.lanes)
    }

    /// Where drivers choose a lane.
    #[must_use]
    pub fn approaches(&self) -> &[Approach] {
        &self.approaches
    }

    pub(crate) fn approach(&self, index: ApproachIndex) -> &Approach {
        &self.approaches[index.0]
    }

    /// The approaches of a role, with their stations.
    pub(crate) fn approaches_for(
        &self,
        role: LaneRole,
    ) -> impl Iterator<Item = (ApproachIndex, &Approach)> {
        let indexed = self.approaches.iter().enumerate();
        indexed.filter(move |(_, a)| a.role == role).map(|(i, a)| (ApproachIndex(i), a))
    }

    /// The approach of a recorded gate.
    pub(crate) fn gate(&self, gate: u32, direction: Direction) -> Option<ApproachIndex> {
        let station = gate_station(gate).ok()?;
        self.approaches
            .iter()
            .position(|a| a.station == station && a.letters == direction.letter())
            .map(ApproachIndex)
    }

    /// How far it is from one station of a road to another.
    #[must_use]
    pub fn distance_km(&self, from: &StationId, to: &StationId) -> Option<u32> {
        self.distances_km.get(&(from.clone(), to.clone())).copied()
    }

    /// What a pass or trip costs by the tariff in force.
    ///
    /// # Errors
    /// When no tariff is in force or it has no such fare.
    pub fn fare(
        &self,
        operator: &OperatorId,
        segment: &Segment,
        group: VehicleGroup,
        at: Timestamp,
    ) -> Result<Amount, TariffError> {
        self.tariffs.in_force(operator, at)?.fare(segment, group)
    }

    /// Every tariff of the network.
    #[must_use]
    pub fn tariffs(&self) -> &TariffBook {
        &self.tariffs
    }

    /// The text of `network.toml`.
    ///
    /// # Panics
    /// Never: every row has a TOML form.
    #[must_use]
    pub fn network_toml(&self) -> String {
        toml::to_string(&self.file).expect("the rows of a network have a TOML form")
    }

    /// Name and text of each tariff file, such as `tariff-ben-thuy-2023-12-29.toml`, with the
    /// operator whose lanes need it.
    ///
    /// # Panics
    /// Never: every row has a TOML form.
    #[must_use]
    pub fn tariff_tomls(&self) -> Vec<(OperatorId, String, String)> {
        self.tariff_files
            .iter()
            .map(|tariff| {
                let text = toml::to_string(tariff).expect("the rows of a tariff have a TOML form");
                (tariff.operator.clone(), format!("tariff-{}.toml", tariff.version), text)
            })
            .collect()
    }
}

impl Direction {
    const fn letter(self) -> &'static str {
        match self {
            Self::In => "i",
            Self::Out => "o",
        }
    }
}

fn gate_station(gate: u32) -> Result<StationId, IdError> {
    StationId::try_new(&format!("gate-{gate}"))
}

fn stations(file: &NetworkFile) -> Result<Vec<Station>, NetworkError> {
    let mut stations: Vec<Station> = file
        .station
        .iter()
        .map(|row| Station {
            id: row.id.clone(),
            operator: row.operator.clone(),
            name: row.name.clone(),
            road: row.road.clone(),
            lanes: Vec::new(),
        })
        .collect();
    for row in &file.lane {
        let station = stations
            .iter_mut()
            .find(|s| s.id == *row.id.station() && s.operator == *row.id.operator())
            .ok_or_else(|| NetworkError::LaneWithoutStation(row.id.clone()))?;
        let field_io_index = u16::try_from(station.lanes.len()).unwrap_or(u16::MAX);
        station.lanes.push(Lane { id: row.id.clone(), role: row.role.into(), field_io_index });
    }
    Ok(stations)
}

fn approaches(stations: &[Station]) -> Vec<Approach> {
    let mut approaches: Vec<Approach> = Vec::new();
    for station in stations {
        for lane in &station.lanes {
            let letters = lane.id.lane().trim_end_matches(|c: char| c.is_ascii_digit());
            let known = approaches
                .iter_mut()
                .find(|a| a.station == station.id && a.role == lane.role && a.letters == letters);
            match known {
                Some(approach) => approach.lanes.push(lane.id.clone()),
                None => approaches.push(Approach {
                    station: station.id.clone(),
                    role: lane.role,
                    letters: letters.to_owned(),
                    lanes: vec![lane.id.clone()],
                }),
            }
        }
    }
    approaches
}

#[cfg(test)]
mod tests;
