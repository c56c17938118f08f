//! What the owner asks for beside reading.

use super::{Lane, SECOND, tag};
use crate::codec::Opaque;
use crate::emulator::DeviceFault;
use crate::emulator::Emulator as _;
use crate::protocol::mercury::codec::{Reply, Status, opcode};
use crate::session::ReaderState::{Closed, Configuring, Probing, Reading};
use crate::session::{AntennaState, GapCause, Level, Report, Request, Session as _};

impl Lane {
    fn ask(&mut self, request: Request) {
        let now = self.instant();
        self.session.handle_request(request, now);
        self.exchange();
        // The reader takes a moment to stop.
        self.pass(SECOND / 20);
    }
}

fn done(opcode: u8, data: &[u8]) -> Reply<'_> {
    Reply::Done { opcode, data: Opaque(data) }
}

/// What is reported of `data` in answer to `request`.
fn check(request: Request, opcode: u8, data: &[u8], wanted: &[Report]) {
    let mut lane = Lane::reading();
    lane.script(opcode, &done(opcode, data));
    lane.ask(request);
    assert_eq!(lane.reports, wanted, "{request:?}");
    assert_eq!((lane.states, lane.gaps.len()), (vec![Configuring, Reading], 1));
}

#[test]
fn each_request_is_answered_by_its_reports() {
    check(
        Request::Temperature,
        opcode::TEMPERATURE,
        &[0xF6],
        &[Report::Temperature { celsius: -10 }],
    );
    check(
        Request::Antennas,
        opcode::ANTENNAS,
        &[5, 1, 1, 2, 0],
        &[
            Report::Antenna { port: 1, state: AntennaState::Connected },
            Report::Antenna { port: 2, state: AntennaState::Missing },
        ],
    );
    check(
        Request::Inputs,
        opcode::INPUTS,
        &[1, 1, 0, 1, 2, 1, 1, 3, 0, 0],
        &[
            Report::Input { pin: 1, level: Level::High },
            Report::Input { pin: 3, level: Level::Low },
        ],
    );
    check(
        Request::SetOutput { pin: 2, level: Level::High },
        opcode::SET_OUTPUT,
        &[],
        &[Report::OutputSet { pin: 2 }],
    );
    let statistic = |name, value| Report::Statistic { name, value };
    check(
        Request::Statistics,
        opcode::STATISTICS,
        &[
            2, 0x9F, 0x41, 0x01, 10, 1, 0, 0, 0, 100, 2, 0, 0, 0, 5, 0x40, 6, 1, 1, 0xB0, 2, 2,
            0xA6, 0x82, 0x00, 1, 42, 0x90, 0x00, 2, 1, 1,
        ],
        &[
            statistic("temperature_celsius", 42),
            Report::Antenna { port: 1, state: AntennaState::Connected },
            statistic("radio_on_time_ms", 105),
            statistic("noise_floor_dbm", -80),
        ],
    );
}

#[test]
fn an_answer_without_sense_is_a_refusal() {
    let request = Request::Temperature;
    check(request, opcode::TEMPERATURE, &[1, 2, 3], &[Report::Refused { request }]);
}

#[test]
fn reading_is_interrupted_only_for_the_answer_and_what_was_read_until_then_counts() {
    let mut lane = Lane::reading();
    lane.script(opcode::TEMPERATURE, &done(opcode::TEMPERATURE, &[40]));
    lane.field(&[tag(7)]);
    lane.pass(SECOND / 10);
    let before = lane.tags.len();
    lane.ask(Request::Temperature);
    assert_eq!(lane.reports, [Report::Temperature { celsius: 40 }]);
    assert_eq!(lane.gap_causes(), [GapCause::Request]);
    assert!(lane.gaps[0].until - lane.gaps[0].since < SECOND / 20, "{:?}", lane.gaps);
    assert!(lane.tags.len() > before);
    lane.pass(SECOND);
    assert!(lane.tags.len() > before + 15);
}

#[test]
fn a_refused_request_is_reported_and_reading_goes_on() {
    let mut lane = Lane::reading();
    let refusal = Reply::Refused {
        opcode: opcode::TEMPERATURE,
        status: Status::UNIMPLEMENTED_FEATURE,
        data: Opaque(&[]),
    };
    lane.script(opcode::TEMPERATURE, &refusal);
    lane.ask(Request::Temperature);
    assert_eq!(lane.reports, [Report::Refused { request: Request::Temperature }]);
    assert_eq!(lane.states, [Configuring, Reading]);
}

#[test]
fn a_request_without_an_answer_is_refused_and_reading_goes_on() {
    let mut lane = Lane::reading();
    lane.lose(opcode::TEMPERATURE);
    lane.ask(Request::Temperature);
    lane.pass(SECOND);
    let refusal = Report::Refused { request: Request::Temperature };
    assert!(lane.reports.contains(&refusal), "{:?}", lane.reports);
    assert_eq!(lane.states.last(), Some(&Reading));
    assert_eq!(lane.gap_causes(), [GapCause::Request]);
}

#[test]
fn requests_made_together_cost_one_gap() {
    let mut lane = Lane::reading();
    lane.script(opcode::TEMPERATURE, &done(opcode::TEMPERATURE, &[40]));
    lane.script(opcode::SET_OUTPUT, &done(opcode::SET_OUTPUT, &[]));
    let now = lane.instant();
    lane.session.handle_request(Request::Temperature, now);
    lane.ask(Request::SetOutput { pin: 1, level: Level::Low });
    assert_eq!(lane.reports, [Report::Temperature { celsius: 40 }, Report::OutputSet { pin: 1 }]);
    assert_eq!(lane.gap_causes(), [GapCause::Request]);
    assert_eq!(lane.count_sent(opcode::STREAM), 2);
}

#[test]
fn a_request_made_before_the_port_is_open_is_answered_before_the_reader_reads() {
    let mut lane = Lane::new();
    lane.ask(Request::Temperature);
    assert_eq!(lane.reports, []);
    lane.script(opcode::TEMPERATURE, &done(opcode::TEMPERATURE, &[40]));
    lane.open();
    assert_eq!(lane.reports.last(), Some(&Report::Temperature { celsius: 40 }));
    assert_eq!((lane.states, lane.gaps), (vec![Probing, Configuring, Reading], vec![]));
}

#[test]
fn no_more_requests_wait_than_an_owner_has() {
    let mut lane = Lane::new();
    for _ in 0..17 {
        lane.ask(Request::Temperature);
    }
    assert_eq!(lane.reports, [Report::Refused { request: Request::Temperature }]);
}

#[test]
fn a_request_survives_a_stop_that_is_not_acknowledged() {
    let mut lane = Lane::reading();
    lane.lose(opcode::STREAM);
    lane.script(opcode::TEMPERATURE, &done(opcode::TEMPERATURE, &[40]));
    lane.ask(Request::Temperature);
    lane.pass(2 * SECOND);
    assert_eq!(lane.reports.last(), Some(&Report::Temperature { celsius: 40 }));
    assert_eq!(lane.states.last(), Some(&Reading));
    assert_eq!(lane.gap_causes(), [GapCause::Request]);
}

#[test]
fn a_reader_that_restarts_while_it_is_asked_is_set_up_again() {
    let mut lane = Lane::reading();
    lane.lose(opcode::TEMPERATURE);
    lane.ask(Request::Temperature);
    lane.reader.handle_fault(DeviceFault::Reboot, lane.now);
    lane.pass(SECOND);
    assert!(lane.reports.contains(&Report::Refused { request: Request::Temperature }));
    assert_eq!(lane.states.last(), Some(&Reading));
}

#[test]
fn a_request_that_the_port_is_lost_under_is_asked_again() {
    let mut lane = Lane::reading();
    lane.lose(opcode::TEMPERATURE);
    lane.ask(Request::Temperature);
    lane.close();
    lane.script(opcode::TEMPERATURE, &done(opcode::TEMPERATURE, &[40]));
    lane.open();
    lane.pass(SECOND);
    assert_eq!(lane.states, [Configuring, Closed, Probing, Configuring, Reading]);
    assert_eq!(lane.reports.last(), Some(&Report::Temperature { celsius: 40 }));
}
