//! Whether a tariff fits the network: its operator, zone, stations, and every way of paying.

use std::collections::{BTreeMap, BTreeSet};

use domain::tariff::Segment;
use domain::{OperatorId, StationId};

use super::Finding;
use super::document::{Document, Place};
use crate::registry::NetworkFile;

/// Zones and stations of the operators.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stations {
    /// The zone of each operator, by name.
    pub zones: BTreeMap<OperatorId, String>,
    /// Each station with its road; an open station has none.
    pub roads: BTreeMap<(OperatorId, StationId), Option<String>>,
}

impl From<&NetworkFile> for Stations {
    fn from(file: &NetworkFile) -> Self {
        let operators = file.operators.iter();
        let stations = file.stations.iter();
        Self {
            zones: operators.map(|one| (one.id.clone(), one.zone.clone())).collect(),
            roads: stations
                .map(|one| ((one.operator.clone(), one.id.clone()), one.road.clone()))
                .collect(),
        }
    }
}

pub(super) fn check(document: &Document, stations: &Stations) -> Vec<Finding> {
    let operator = &document.file.operator;
    let Some(zone) = stations.zones.get(operator) else {
        let known: Vec<&str> = stations.zones.keys().map(OperatorId::as_str).collect();
        let message =
            format!("operator {operator} is not in the network, which has {}", known.join(", "));
        return vec![document.error("operator", Place::Version, message)];
    };
    let mut findings = Vec::new();
    if let Some(own) = document.file.zone.as_ref().filter(|own| *own != zone) {
        let message =
            format!("`zone` is {own:?}; the operator's days are in {zone:?}, so it would be that");
        findings.push(document.error("zone", Place::Zone, message));
    }
    findings.extend(unknown_stations(document, stations));
    findings.extend(unpriced(document, stations));
    findings
}

/// Every station that the file names, and where.
fn named(document: &Document) -> Vec<(Place, &StationId)> {
    let file = &document.file;
    let fares = file.fares.iter().enumerate().flat_map(|(index, fare)| {
        let names = [&fare.station, &fare.entry, &fare.exit];
        names.into_iter().flatten().map(move |station| (Place::Fare(index), station))
    });
    let discounts = file.discounts.iter().enumerate().flat_map(|(index, discount)| {
        discount.stations.iter().map(move |station| (Place::Discount(index), station))
    });
    let roads = file.roads.iter().enumerate().flat_map(|(index, road)| {
        let sections = road.sections.iter().enumerate().flat_map(move |(number, section)| {
            section.between.iter().map(move |station| (Place::Section(index, number), station))
        });
        sections.chain(road.gantries.iter().map(move |station| (Place::Road(index), station)))
    });
    fares.chain(discounts).chain(roads).collect()
}

fn unknown_stations(document: &Document, stations: &Stations) -> Vec<Finding> {
    let operator = &document.file.operator;
    let known: Vec<&str> = stations
        .roads
        .keys()
        .filter(|(whose, _)| whose == operator)
        .map(|(_, station)| station.as_str())
        .collect();
    let mut told: BTreeSet<&StationId> = BTreeSet::new();
    let mut findings = Vec::new();
    for (place, station) in named(document) {
        if !known.contains(&station.as_str()) && told.insert(station) {
            let message = format!(
                "{operator} has no station {station}; the network has {}",
                known.join(", ")
            );
            findings.push(document.error("station", place, message));
        }
    }
    findings
}

/// Passes and trips of the network for which nobody would be charged.
fn unpriced(document: &Document, stations: &Stations) -> Vec<Finding> {
    let operator = &document.file.operator;
    let own = || stations.roads.iter().filter(|((whose, _), _)| whose == operator);
    let mut segments: Vec<Segment> = own()
        .filter(|(_, road)| road.is_none())
        .map(|((_, station), _)| Segment::Pass { station: station.clone() })
        .collect();
    for ((_, entry), road) in own().filter(|(_, road)| road.is_some()) {
        for ((_, exit), other) in own() {
            if road == other && entry != exit {
                segments.push(Segment::Trip { entry: entry.clone(), exit: exit.clone() });
            }
        }
    }
    let is_priced = |segment: &Segment| {
        document.file.fares.iter().any(|fare| fare.segment().as_ref() == Some(segment))
            || matches!(segment, Segment::Trip { entry, exit } if document.file.roads.iter().any(
                |road| road.charged_by != domain::tariff::ChargedBy::Published
                    && road.length_m(entry, exit).is_some()
            ))
    };
    segments
        .into_iter()
        .filter(|segment| !is_priced(segment))
        .map(|segment| {
            let message = format!(
                "there is no fare for {segment}: nobody would be charged for it; add a [[fare]]"
            );
            document.error("unpriced", Place::Version, message)
        })
        .collect()
}
