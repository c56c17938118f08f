//! Stories of setting a reader up, whatever it refuses.

use super::reader::{Reader, tlv, words};
use super::{EPC, Lane, SECOND, TID, tag};
use crate::codec::Opaque;
use crate::protocol::llrp::codec::{
    MessageKind, ParameterKind, ReadResult, StatusCode, TagReport, Version,
};
use crate::session::ReaderState::{Configuring, Degraded, Probing, Reading};
use crate::session::{AntennaState, ReaderSettings, Report, TidReading};

/// Whether bytes stand in other bytes.
fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn refusing(kind: MessageKind, times: usize) -> Reader {
    let refusals = vec![(kind, times, StatusCode::M_FIELD_ERROR)];
    Reader { refusals, ..Reader::new() }
}

#[test]
fn the_power_is_the_nearest_that_is_not_above_what_is_wanted_and_the_channel_stays() {
    for (wanted_cdbm, index) in [(2700, 40), (2750, 41), (3300, 41), (900, 1)] {
        let settings = ReaderSettings { read_power_cdbm: wanted_cdbm, ..Default::default() };
        let mut lane = Lane::with(Reader::new(), &settings);
        lane.open();
        let radio = tlv(ParameterKind::RF_TRANSMITTER, &words(&[2, 7, index]));
        assert!(holds(&lane.reader.inventory, &radio), "{wanted_cdbm}");
    }
}

#[test]
fn only_the_configured_antennas_read() {
    let settings = ReaderSettings { antennas: vec![1, 2], ..Default::default() };
    let mut lane = Lane::with(Reader::new(), &settings);
    lane.open();
    assert!(holds(
        &lane.reader.inventory,
        &words(&[2, 1, 2, ParameterKind::AI_SPEC_STOP_TRIGGER.0])
    ));
}

#[test]
fn a_reader_that_accepts_only_1_1_is_spoken_to_in_1_1() {
    let mut lane = Lane::new(Reader { only: Some(Version::V1_1), ..Reader::new() });
    lane.open();
    assert_eq!(lane.states.last(), Some(&Reading));
    let versions = lane.reader.heard.iter().map(|(version, _)| *version);
    assert_eq!(versions.filter(|version| *version == Version::V1_0_1).count(), 1);
    assert_eq!(lane.heard()[1], MessageKind::SET_PROTOCOL_VERSION);
}

#[test]
fn a_reader_that_refuses_both_versions_is_left_alone_for_a_while() {
    let refuses = |kind| (kind, 2, StatusCode::M_UNSUPPORTED_VERSION);
    let mut lane = Lane::new(Reader {
        refusals: vec![
            refuses(MessageKind::GET_READER_CAPABILITIES),
            refuses(MessageKind::SET_PROTOCOL_VERSION),
        ],
        ..Reader::new()
    });
    lane.open();
    assert_eq!(lane.states, [Probing, Configuring, Degraded]);
    lane.pass(2 * SECOND);
    assert_eq!(lane.states.last(), Some(&Reading));
}

#[test]
fn what_can_be_done_without_may_be_refused() {
    for kind in [
        MessageKind::GET_READER_CAPABILITIES,
        MessageKind::GET_READER_CONFIG,
        MessageKind::SET_READER_CONFIG,
        MessageKind::DELETE_ROSPEC,
        MessageKind::DELETE_ACCESSSPEC,
        MessageKind::ADD_ROSPEC,
    ] {
        let mut lane = Lane::new(refusing(kind, 1));
        lane.open();
        assert_eq!(lane.states, [Probing, Configuring, Reading], "{kind}");
    }
}

#[test]
fn a_reader_that_will_not_be_told_how_to_send_sends_as_it_is_set() {
    let mut lane = Lane::new(refusing(MessageKind::ADD_ROSPEC, 1));
    lane.open();
    let radio = ParameterKind::RF_TRANSMITTER.0.to_be_bytes();
    assert!(!holds(&lane.reader.inventory, &radio));
    assert!(matches!(lane.reports[..], [Report::Identity { .. }, Report::RadioFault { .. }]));
}

#[test]
fn a_refusal_of_what_must_be_leaves_the_reader_degraded_and_is_tried_again() {
    for (kind, times) in [
        (MessageKind::SET_READER_CONFIG, 2),
        (MessageKind::ADD_ROSPEC, 2),
        (MessageKind::ENABLE_ROSPEC, 1),
        (MessageKind::START_ROSPEC, 1),
    ] {
        let mut lane = Lane::new(refusing(kind, times));
        lane.open();
        assert_eq!(lane.states, [Probing, Configuring, Degraded], "{kind}");
        lane.pass(SECOND);
        assert_eq!(lane.states[3..], [Configuring, Reading], "{kind}");
        assert_eq!(lane.lines_dead, 0);
    }
}

#[test]
fn what_an_earlier_session_left_is_deleted_and_its_reports_are_thrown_away() {
    let old = tag(1).emit(Version::V1_0_1, 0).as_ref().to_vec();
    for kind in [MessageKind::GET_READER_CAPABILITIES, MessageKind::DELETE_ROSPEC] {
        let before_answer = Some((kind, old.clone()));
        let mut lane = Lane::new(Reader { before_answer, ..Reader::new() });
        lane.open();
        assert_eq!((lane.states.last(), &lane.tags[..]), (Some(&Reading), &[][..]));
    }
}

#[test]
fn a_report_that_overtakes_the_answer_to_start_is_believed() {
    let report = tag(1).emit(Version::V1_0_1, 0).as_ref().to_vec();
    let before_answer = Some((MessageKind::START_ROSPEC, report));
    let mut lane = Lane::new(Reader { before_answer, ..Reader::new() });
    lane.open();
    assert_eq!((lane.states.last(), lane.tags.len()), (Some(&Reading), 1));
}

#[test]
fn reports_that_the_reader_holds_back_are_let_go_before_ours_begin() {
    let mut lane = Lane::new(Reader { holds: true, ..Reader::new() });
    lane.open();
    let release = MessageKind::ENABLE_EVENTS_AND_REPORTS;
    let at = |wanted| lane.heard().iter().position(|kind| *kind == wanted).unwrap();
    assert!(at(release) < at(MessageKind::DELETE_ROSPEC));
}

#[test]
fn tids_are_read_where_the_reader_can() {
    let settings = ReaderSettings { tid: TidReading::On, ..Default::default() };
    let mut lane = Lane::with(Reader::new(), &settings);
    lane.open();
    assert_eq!(lane.reader.count(MessageKind::ENABLE_ACCESSSPEC), 1);
    let read = |result, data| Some(ReadResult { result, op_spec_id: 1, data: Opaque(data) });
    for (read, tid) in [
        (read(0, &TID[..]), Some(&TID[..])),
        // The tag did not answer in time.
        (read(2, &[]), None),
        // Other memory than the TID's.
        (read(0, &EPC), None),
    ] {
        lane.tags.clear();
        lane.reader.say_tag(&TagReport { read, ..tag(1) });
        lane.exchange();
        assert_eq!(lane.tags[0].tid.as_ref().map(crate::Tid::as_bytes), tid);
    }
}

#[test]
fn a_reader_that_cannot_read_tids_reads_without() {
    for kind in [MessageKind::ADD_ACCESSSPEC, MessageKind::ENABLE_ACCESSSPEC] {
        let settings = ReaderSettings { tid: TidReading::On, ..Default::default() };
        let mut lane = Lane::with(refusing(kind, 1), &settings);
        lane.open();
        assert_eq!(lane.states.last(), Some(&Reading));
        assert!(matches!(lane.reports[1..], [Report::RadioFault { .. }]));
    }
}

#[test]
fn an_antenna_that_is_missing_from_the_start_is_reported() {
    let mut lane = Lane::new(Reader { ports: vec![(1, false), (2, true)], ..Reader::new() });
    lane.open();
    assert!(lane.reports.contains(&Report::Antenna { port: 1, state: AntennaState::Missing }));
    assert_eq!(lane.states.last(), Some(&Degraded));
    let settings = ReaderSettings { antennas: vec![1, 3], ..Default::default() };
    let mut lane = Lane::with(Reader::new(), &settings);
    lane.open();
    assert!(lane.reports.contains(&Report::Antenna { port: 3, state: AntennaState::Missing }));
    assert_eq!(lane.states.last(), Some(&Reading));
}
