//! How a reader is set up: its rate, antennas, power, TID, and steps without an answer.

use super::{Lane, SECOND, tag};
use crate::Tid;
use crate::codec::Opaque;
use crate::emulator::{Emulator as _, EmulatorSettings};
use crate::protocol::mercury::codec::{
    Answer, EmbeddedData, Moduletech, PowerLimits, Reply, SilionForm, SilionTag, Status, TagRecord,
    opcode,
};
use crate::session::ReaderState::{Configuring, Degraded, Probing, Reading};
use crate::session::{AntennaState, ReaderSettings, Report, Request, Session as _, TidReading};

const OLD: u32 = 115_200;
const NEW: u32 = 460_800;

fn with(settings: &ReaderSettings) -> Lane {
    Lane::with(&EmulatorSettings::default(), settings)
}

fn wanting_another_rate() -> Lane {
    with(&ReaderSettings { bauds: vec![OLD], baud_wanted: Some(NEW), ..Default::default() })
}

fn done(opcode: u8, data: &[u8]) -> Reply<'_> {
    Reply::Done { opcode, data: Opaque(data) }
}

fn refused(opcode: u8, status: Status) -> Reply<'static> {
    Reply::Refused { opcode, status, data: Opaque(&[]) }
}

/// It reads, and both ends have this rate.
fn check_reads_at(lane: &mut Lane, baud: u32) {
    assert_eq!(lane.states.last(), Some(&Reading));
    assert_eq!((lane.host_baud, lane.reader.baud()), (baud, baud));
    lane.field(&[tag(7)]);
    assert_eq!(lane.tags.len(), 1);
}

#[test]
fn a_reader_is_brought_to_another_rate_before_it_reads() {
    let mut lane = wanting_another_rate();
    lane.open();
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
    check_reads_at(&mut lane, NEW);
    let identities: Vec<_> = lane
        .reports
        .iter()
        .filter(|report| matches!(report, Report::Identity { baud: Some(OLD), .. }))
        .collect();
    assert_eq!(identities.len(), 1);
}

#[test]
fn a_reader_that_has_the_wanted_rate_is_not_told_to_change_it() {
    let mut lane = with(&ReaderSettings { baud_wanted: Some(OLD), ..Default::default() });
    lane.open();
    assert_eq!(lane.count_sent(opcode::SET_BAUD), 0);
    check_reads_at(&mut lane, OLD);
}

#[test]
fn a_change_of_rate_whose_acknowledgement_is_lost_is_found_out() {
    let mut lane = wanting_another_rate();
    lane.lost_answer = Some(opcode::SET_BAUD);
    lane.open();
    lane.pass(SECOND);
    assert_eq!(lane.states, [Probing, Configuring, Probing, Configuring, Reading]);
    check_reads_at(&mut lane, NEW);
}

#[test]
fn a_change_of_rate_that_never_happens_is_given_up_after_two_attempts() {
    for answer in [None, Some(done(opcode::SET_BAUD, &[]))] {
        let mut lane = wanting_another_rate();
        for _ in 0..2 {
            lane.scripts.push((opcode::SET_BAUD, answer.map(|answer| answer.emit())));
        }
        lane.open();
        lane.pass(5 * SECOND);
        assert_eq!(lane.count_sent(opcode::SET_BAUD), 2);
        check_reads_at(&mut lane, OLD);
    }
}

#[test]
fn a_refused_rate_leaves_the_line_as_it_is() {
    let mut lane = wanting_another_rate();
    lane.script(opcode::SET_BAUD, &refused(opcode::SET_BAUD, Status::INVALID_BAUD));
    lane.open();
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
    check_reads_at(&mut lane, OLD);
}

#[test]
fn a_reader_left_at_the_wanted_rate_is_found_there() {
    let reader = EmulatorSettings { baud: Some(NEW), ..Default::default() };
    let settings =
        ReaderSettings { bauds: vec![OLD], baud_wanted: Some(NEW), ..Default::default() };
    let mut lane = Lane::with(&reader, &settings);
    lane.open();
    lane.pass(SECOND);
    check_reads_at(&mut lane, NEW);
}

#[test]
fn a_missing_antenna_is_reported_and_reading_goes_on() {
    let mut lane = with(&ReaderSettings { antennas: vec![1, 2, 7], ..Default::default() });
    lane.script(opcode::ANTENNAS, &done(opcode::ANTENNAS, &[5, 1, 1, 2, 0]));
    lane.open();
    let antenna = |port, state| Report::Antenna { port, state };
    assert_eq!(
        lane.reports[1..],
        [
            antenna(1, AntennaState::Connected),
            antenna(2, AntennaState::Missing),
            antenna(7, AntennaState::Missing),
        ]
    );
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
}

#[test]
fn a_reader_that_cannot_check_its_antennas_reads() {
    let mut lane = Lane::new();
    lane.script(opcode::ANTENNAS, &refused(opcode::ANTENNAS, Status::UNIMPLEMENTED_FEATURE));
    lane.open();
    assert_eq!((lane.states.last(), lane.reports.len()), (Some(&Reading), 1));
}

#[test]
fn too_much_power_is_rounded_down_to_what_the_reader_can_set() {
    let mut lane = with(&ReaderSettings { read_power_cdbm: 3300, ..Default::default() });
    let limits = Answer::Power {
        opcode: opcode::READ_POWER,
        power_cdbm: 3150,
        limits: Some(PowerLimits { max_cdbm: 3150, min_cdbm: 500 }),
    };
    let too_high = refused(opcode::SET_READ_POWER, Status::POWER_TOO_HIGH);
    lane.script(opcode::SET_READ_POWER, &too_high);
    lane.scripts.push((opcode::READ_POWER, Some(limits.emit())));
    lane.open();
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
    let powers: Vec<_> = lane
        .sent
        .iter()
        .filter(|frame| frame.as_ref()[2] == opcode::SET_READ_POWER)
        .map(|frame| u16::from_be_bytes([frame.as_ref()[3], frame.as_ref()[4]]))
        .collect();
    assert_eq!(powers, [3300, 3150]);
}

#[test]
fn a_power_that_stays_too_high_is_not_tried_for_ever() {
    let mut lane = Lane::new();
    for _ in 0..2 {
        lane.script(
            opcode::SET_READ_POWER,
            &refused(opcode::SET_READ_POWER, Status::POWER_TOO_HIGH),
        );
    }
    lane.script(opcode::READ_POWER, &done(opcode::READ_POWER, &[1, 0x0C, 0, 0x0C, 0, 0, 1]));
    lane.open();
    assert_eq!(lane.states, [Probing, Configuring, Degraded]);
    assert_eq!(lane.count_sent(opcode::SET_READ_POWER), 2);
}

#[test]
fn a_tid_that_is_asked_for_arrives_with_the_tag() {
    let mut lane = with(&ReaderSettings { tid: TidReading::On, ..Default::default() });
    lane.script(opcode::STREAM, &Reply::StreamStarted);
    lane.open();
    assert!(lane.sent.last().unwrap().as_ref().windows(2).any(|pair| pair == [0x28, 0x01]));
    let tid = [0xE2, 0x80, 0x11, 0x05, 0x20, 0, 0, 0, 0, 0, 0, 9];
    let record = TagRecord {
        data: Some(EmbeddedData::Bits { bits: 96, bytes: Opaque(&tid) }),
        pc: 0x3000,
        epc: Opaque(&[7; 12]),
        ..TagRecord::EMPTY
    };
    lane.reader_says(&Reply::Tag(record));
    assert_eq!(lane.tags[0].tid, Some(Tid::try_from_slice(&tid).unwrap()));
    let failed = EmbeddedData::Failed(Status::NO_DATA_READ);
    lane.reader_says(&Reply::Tag(TagRecord { data: Some(failed), ..record }));
    assert_eq!((lane.tags.len(), lane.tags[1].tid), (2, None));
}

#[test]
fn a_reader_that_will_not_read_the_tid_reads_without() {
    let mut lane = with(&ReaderSettings { tid: TidReading::On, ..Default::default() });
    lane.script(opcode::STREAM, &refused(opcode::STREAM, Status::INVALID_VALUE));
    lane.open();
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
    let starts: Vec<_> =
        lane.sent.iter().filter(|frame| frame.as_ref()[2] == opcode::STREAM).collect();
    assert_eq!(starts.len(), 2);
    assert!(starts[0].as_ref().len() > starts[1].as_ref().len());
}

#[test]
fn a_step_that_gets_lost_is_asked_again() {
    for step in [opcode::CURRENT_PROGRAM, opcode::SET_REGION, opcode::SET_READER_CONFIG] {
        let mut lane = Lane::new();
        lane.lose(step);
        lane.open();
        lane.pass(SECOND / 2);
        assert_eq!(lane.states, [Probing, Configuring, Reading], "{step:02x}");
    }
}

#[test]
fn an_answer_that_never_comes_is_done_without_or_waited_for() {
    let mut lane = Lane::new();
    lane.lose(opcode::SET_READER_CONFIG);
    lane.lose(opcode::SET_READER_CONFIG);
    lane.open();
    lane.pass(SECOND);
    assert_eq!(lane.states, [Probing, Configuring, Reading]);

    let mut lane = Lane::new();
    lane.lose(opcode::SET_REGION);
    lane.lose(opcode::SET_REGION);
    lane.open();
    lane.pass(SECOND);
    assert_eq!(lane.states, [Probing, Configuring, Degraded]);
    lane.pass(SECOND);
    assert_eq!(lane.states[3..], [Probing, Configuring, Reading]);
}

#[test]
fn a_step_that_is_never_answered_degrades_the_reader_and_does_not_spin() {
    let mut lane = Lane::new();
    for _ in 0..100 {
        lane.lose(opcode::SET_PROTOCOL);
    }
    lane.open();
    lane.pass(60 * SECOND);
    assert_eq!(lane.states[..3], [Probing, Configuring, Degraded]);
    assert!(lane.count_sent(opcode::SET_PROTOCOL) <= 84);
    assert_eq!(lane.lines_dead, 0);
}

#[test]
fn a_read_that_the_radio_refuses_is_a_fault_of_the_radio() {
    let mut lane = Lane::new();
    for _ in 0..3 {
        lane.script(opcode::STREAM, &refused(opcode::STREAM, Status::ANTENNA_NOT_CONNECTED));
    }
    lane.open();
    lane.pass(5 * SECOND);
    let faults: Vec<_> =
        lane.reports.iter().filter(|report| matches!(report, Report::RadioFault { .. })).collect();
    assert_eq!(faults.len(), 1);
    assert_eq!(lane.states[..3], [Probing, Configuring, Degraded]);
    assert_eq!(lane.states.last(), Some(&Reading));
}

#[test]
fn a_command_that_only_the_boot_loader_does_not_know_boots_the_module() {
    let mut lane = Lane::new();
    lane.script(opcode::SET_REGION, &refused(opcode::SET_REGION, Status::INVALID_OPCODE));
    lane.open();
    assert_eq!(lane.count_sent(opcode::BOOT_FIRMWARE), 1);
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
}

#[test]
fn a_module_that_never_heard_of_a_command_is_booted_once_and_left_alone() {
    let mut lane = Lane::new();
    for _ in 0..2 {
        let unknown = refused(opcode::SET_PROTOCOL, Status::INVALID_OPCODE);
        lane.script(opcode::SET_PROTOCOL, &unknown);
    }
    lane.open();
    assert_eq!(lane.count_sent(opcode::BOOT_FIRMWARE), 1);
    assert_eq!(lane.states, [Probing, Configuring, Degraded]);
}

#[test]
fn a_reader_that_restarts_at_another_rate_is_found_and_brought_back() {
    let mut lane = wanting_another_rate();
    lane.open();
    assert_eq!(lane.host_baud, NEW);
    // It restarts with the rate that it was delivered with.
    lane.reader = super::MercuryReader::new(&EmulatorSettings::default());
    lane.pass(10 * SECOND);
    check_reads_at(&mut lane, NEW);
    lane.session.handle_shutdown(lane.instant());
    lane.exchange();
}

#[test]
fn a_module_of_silion_reads_in_its_own_way() {
    let silion =
        |subcommand| Answer::Moduletech(Moduletech { subcommand, data: Opaque(&[]) }).emit();
    let mut lane = Lane::new();
    lane.script(opcode::STREAM, &refused(opcode::STREAM, Status::INVALID_OPCODE));
    lane.scripts.push((opcode::MODULETECH, Some(silion(0xAA48))));
    lane.open();
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
    let record = TagRecord {
        rssi_dbm: Some(-60),
        antenna: Some(2),
        pc: 0x3000,
        epc: Opaque(&[7; 12]),
        ..TagRecord::EMPTY
    };
    let tag = Answer::SilionTag(SilionTag { form: SilionForm::Bytes, record }).emit();
    lane.session.handle_bytes(tag.as_ref(), lane.instant());
    lane.exchange();
    assert_eq!(lane.tags[0].antenna, Some(2));
    let heartbeat = Answer::SilionHeartbeat { data: Opaque(&[0x80, 0, 1]) }.emit();
    for _ in 0..5 {
        lane.pass(SECOND);
        lane.session.handle_bytes(heartbeat.as_ref(), lane.instant());
        lane.exchange();
    }
    assert_eq!((lane.states.len(), lane.gaps.len()), (3, 0));
    lane.reader_says(&refused(opcode::MODULETECH, Status::TEMPERATURE));
    assert_eq!(lane.states[3..], [Degraded]);
    lane.session.handle_bytes(tag.as_ref(), lane.instant());
    lane.exchange();
    assert_eq!((&lane.states[4..], lane.gaps.len()), (&[Reading][..], 1));
    // A request stops it in its own way, and starts it again.
    lane.scripts.push((opcode::MODULETECH, Some(silion(0xAA49))));
    lane.script(opcode::TEMPERATURE, &done(opcode::TEMPERATURE, &[40]));
    lane.scripts.push((opcode::MODULETECH, Some(silion(0xAA48))));
    lane.session.handle_request(Request::Temperature, lane.instant());
    lane.exchange();
    assert_eq!(lane.reports.last(), Some(&Report::Temperature { celsius: 40 }));
    assert_eq!(lane.states[5..], [Configuring, Reading]);
}

#[test]
fn a_module_that_reads_in_no_known_way_is_left_alone() {
    let mut lane = Lane::new();
    lane.script(opcode::STREAM, &refused(opcode::STREAM, Status::INVALID_OPCODE));
    lane.script(opcode::MODULETECH, &refused(opcode::MODULETECH, Status::INVALID_OPCODE));
    lane.open();
    assert_eq!(lane.states, [Probing, Configuring, Degraded]);
    lane.pass(2 * SECOND);
    assert_eq!(lane.states.last(), Some(&Reading));
}
