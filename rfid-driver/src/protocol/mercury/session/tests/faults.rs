//! What a reader complains of while it reads.

use super::{Lane, SECOND, tag};
use crate::codec::Opaque;
use crate::emulator::Emulator as _;
use crate::protocol::mercury::codec::{Command, Reply, Status, opcode};
use crate::session::ReaderState::{Configuring, Degraded, Probing, Reading};
use crate::session::{GapCause, Report};

#[test]
fn a_fault_of_the_radio_degrades_the_reader_until_it_reads_again() {
    let mut lane = Lane::reading();
    lane.reader_says(&Reply::Refused {
        opcode: opcode::READ_MULTIPLE,
        status: Status::TEMPERATURE,
        data: Opaque(&[]),
    });
    assert_eq!(lane.states, [Degraded]);
    lane.field(&[tag(7)]);
    assert_eq!(lane.states, [Degraded, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Radio]);
}

#[test]
fn a_fault_of_the_radio_is_reported_once_until_it_has_been_gone_for_a_while() {
    let mut lane = Lane::reading();
    let fault =
        |status| Reply::Refused { opcode: opcode::READ_MULTIPLE, status, data: Opaque(&[]) };
    for _ in 0..5 {
        lane.reader_says(&fault(Status::TEMPERATURE));
        lane.reader_says(&Reply::KeepAlive { data: Opaque(&[]) });
        lane.pass(SECOND);
    }
    let text = Status::TEMPERATURE.name().unwrap();
    assert_eq!(lane.reports, [Report::RadioFault { text }]);
    lane.reader_says(&fault(Status::HIGH_RETURN_LOSS));
    assert_eq!(lane.reports.len(), 2);
    lane.pass(10 * SECOND);
    lane.reader_says(&fault(Status::HIGH_RETURN_LOSS));
    assert_eq!(lane.reports.len(), 3);
    assert_eq!(lane.states.last(), Some(&Degraded));
}

#[test]
fn every_fault_of_the_radio_degrades_the_reader_and_none_ends_the_read() {
    for status in [
        Status::CHANNEL_OCCUPIED,
        Status::ANTENNA_NOT_CONNECTED,
        Status::TEMPERATURE,
        Status::HIGH_RETURN_LOSS,
        Status::SUPPLY_VOLTAGE,
    ] {
        let mut lane = Lane::reading();
        let data = Opaque(&[]);
        lane.reader_says(&Reply::Refused { opcode: opcode::READ_MULTIPLE, status, data });
        assert_eq!(lane.states, [Degraded]);
        assert_eq!(lane.count_sent(opcode::STREAM), 0);
        lane.pass(2 * SECOND);
        assert_eq!((lane.states, lane.gaps.len()), (vec![Degraded, Reading], 1));
    }
}

#[test]
fn a_search_that_has_lost_its_settings_is_set_up_again() {
    for status in [Status::RADIO_OFF, Status::BUFFER_FULL, Status::ASSERTION] {
        let mut lane = Lane::reading();
        let data = Opaque(&[]);
        lane.reader_says(&Reply::Refused { opcode: opcode::READ_MULTIPLE, status, data });
        lane.pass(SECOND);
        assert_eq!(lane.states, [Probing, Configuring, Reading]);
        assert_eq!(lane.gap_causes(), [GapCause::Stopped]);
    }
}

#[test]
fn a_failure_with_one_tag_changes_nothing() {
    let mut lane = Lane::reading();
    let data = Opaque(&[]);
    let status = Status::GEN2_LOCKED;
    lane.reader_says(&Reply::Refused { opcode: opcode::READ_MULTIPLE, status, data });
    lane.pass(SECOND);
    assert_eq!((lane.states, lane.gaps, lane.reports), (vec![], vec![], vec![]));
}

#[test]
fn an_end_record_is_the_end_of_reading() {
    let mut lane = Lane::reading();
    // The reader stopped, and said so with the last record of the read.
    lane.lost_answer = Some(opcode::STREAM);
    let stop = Command::StopStream.emit();
    lane.reader.handle_bytes(stop.as_ref(), lane.now);
    lane.pass(SECOND / 100);
    lane.reader_says(&Reply::StreamNote { data: Opaque(&[0x10, 0, 0x1B, 0, 0, 0, 0, 0, 0, 9]) });
    assert_eq!(lane.states, [Configuring, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Stopped]);
}
