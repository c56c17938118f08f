//! What the owner asks for beside reading: the command of each request, and what its answer reports.

use crate::codec::FrameBuf;
use crate::protocol::mercury::codec::{
    Answer, AntennaQuery, Operation, Statistic, Statistics, StatisticsRequest,
};
use crate::session::{AntennaState, Level, Report, Request};

fn operation(request: Request) -> Operation<'static> {
    match request {
        Request::Temperature => Operation::Temperature,
        Request::Antennas => Operation::Antennas(AntennaQuery::Detect),
        Request::Inputs => Operation::Pins,
        Request::SetOutput { pin, level } => {
            Operation::SetOutput { pin, level: u8::from(level == Level::High) }
        }
        Request::Statistics => Operation::Statistics(StatisticsRequest::ALL_BY_PORT),
    }
}

pub(super) fn frame(request: Request) -> FrameBuf {
    operation(request).emit()
}

pub(super) fn opcode(request: Request) -> u8 {
    operation(request).opcode()
}

/// What the answer to `request` says. An answer that makes no sense refuses it.
pub(super) fn reports(request: Request, data: &[u8]) -> Vec<Report> {
    match (request, Answer::parse(opcode(request), data)) {
        (Request::Temperature, Some(Answer::Temperature { celsius })) => {
            vec![Report::Temperature { celsius: celsius.into() }]
        }
        (Request::Antennas, Some(Answer::AntennasDetected { pairs })) => {
            let (pairs, _) = pairs.0.as_chunks::<2>();
            pairs.iter().map(|&[port, connected]| antenna(port, connected)).collect()
        }
        (Request::Inputs, Some(Answer::Pins { triples })) => {
            let (triples, _) = triples.0.as_chunks::<3>();
            triples
                .iter()
                .filter(|[_, output, _]| *output == 0)
                .map(|&[pin, _, level]| Report::Input { pin, level: Level::from(level != 0) })
                .collect()
        }
        (Request::SetOutput { pin, .. }, None) if data.is_empty() => {
            vec![Report::OutputSet { pin }]
        }
        (Request::Statistics, Some(Answer::Statistics(statistics))) => figures(&statistics),
        (
            Request::Temperature
            | Request::Antennas
            | Request::Inputs
            | Request::SetOutput { .. }
            | Request::Statistics,
            _,
        ) => vec![Report::Refused { request }],
    }
}

fn antenna(port: u8, connected: u8) -> Report {
    let state = if connected == 0 { AntennaState::Missing } else { AntennaState::Connected };
    Report::Antenna { port, state }
}

/// The figures of a reader. Those by port become one: the radio's time is added up, of the noise
/// the strongest counts.
fn figures(statistics: &Statistics<'_>) -> Vec<Report> {
    let mut reports = Vec::new();
    let mut on_time_ms: Option<i64> = None;
    let mut noise_dbm: Option<i64> = None;
    for figure in statistics.iter() {
        let (name, value) = match figure {
            Statistic::RadioOnTime { on_time_ms: more_ms, .. } => {
                on_time_ms = Some(on_time_ms.unwrap_or(0) + i64::from(more_ms));
                continue;
            }
            Statistic::NoiseFloor { noise_dbm: noise, .. } => {
                noise_dbm = noise_dbm.max(Some(noise.into()));
                continue;
            }
            Statistic::Connected { port, connected } => {
                reports.push(antenna(port, connected));
                continue;
            }
            Statistic::Frequency { frequency_khz } => ("frequency_khz", frequency_khz.into()),
            Statistic::Temperature { celsius } => ("temperature_celsius", celsius.into()),
            Statistic::Antenna { transmit, .. } => ("antenna_port", transmit.into()),
            Statistic::Protocol { protocol } => ("tag_protocol", protocol.into()),
        };
        reports.push(Report::Statistic { name, value });
    }
    let by_port = [("radio_on_time_ms", on_time_ms), ("noise_floor_dbm", noise_dbm)];
    reports.extend(
        by_port
            .into_iter()
            .filter_map(|(name, value)| Some(Report::Statistic { name, value: value? })),
    );
    reports
}
