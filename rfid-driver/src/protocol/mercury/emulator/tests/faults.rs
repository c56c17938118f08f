//! What the reader does when something is wrong with it.

use std::time::Duration;

use super::{SECOND, START, ask, hex_ask, pass, ready, said, tag};
use crate::emulator::{DeviceFault, Emulator, FieldTag};
use crate::protocol::mercury::codec::Command;

#[test]
fn a_fault_of_the_radio_ends_reads_with_its_status_until_it_is_mended() {
    for (fault, end, status) in [
        (DeviceFault::AntennaLost { port: 1 }, DeviceFault::AntennaBack { port: 1 }, "0503"),
        (
            DeviceFault::Temperature { celsius: 85 },
            DeviceFault::Temperature { celsius: 84 },
            "0504",
        ),
        (DeviceFault::ReturnLossHigh, DeviceFault::ReturnLossGood, "0505"),
    ] {
        let mut reader = ready();
        reader.set_field(&[tag(7)], Duration::ZERO);
        ask(&mut reader, START, Duration::ZERO);
        assert_eq!(pass(&mut reader, Duration::ZERO, Duration::ZERO), ["tag 7 at 0"]);
        reader.handle_fault(fault, SECOND / 100);
        let complaint = format!("22 {status}");
        // At once, and with every cycle instead of the sign of life.
        let lines = pass(&mut reader, SECOND / 100, 5 * SECOND / 2);
        assert_eq!(lines, [complaint.as_str(); 3]);
        reader.handle_fault(end, 5 * SECOND / 2);
        assert_eq!(
            pass(&mut reader, 5 * SECOND / 2, 5 * SECOND / 2 + SECOND / 100),
            ["tag 7 at 2500"]
        );
        ask(&mut reader, Command::StopStream, 3 * SECOND);
        pass(&mut reader, 3 * SECOND, 4 * SECOND);
        // In a timed read, and for one tag.
        reader.handle_fault(fault, 4 * SECOND);
        hex_ask(&mut reader, 0x22, &[0x03, 0xE8], 4 * SECOND);
        assert_eq!(pass(&mut reader, 4 * SECOND, 5 * SECOND), [complaint.as_str()]);
        hex_ask(&mut reader, 0x21, &[0x03, 0xE8], 5 * SECOND);
        assert_eq!(pass(&mut reader, 5 * SECOND, 6 * SECOND), [format!("21 {status}")]);
    }
}

#[test]
fn one_antenna_of_two_goes_on_while_the_other_is_missed() {
    let mut reader = ready();
    ask(&mut reader, Command::SetAntennas { pairs: &[1, 1, 2, 2] }, Duration::ZERO);
    reader.handle_fault(DeviceFault::AntennaLost { port: 2 }, Duration::ZERO);
    assert_eq!(
        hex_ask(&mut reader, 0x61, &[0x05], Duration::ZERO),
        ["61 [05, 01, 01, 02, 00, 03, 01, 04, 01]"]
    );
    assert_eq!(
        hex_ask(&mut reader, 0x61, &[0x06], Duration::ZERO),
        ["61 [06, 01, 11, 02, 03, 03, 11, 04, 11]"]
    );
    reader.set_field(&[tag(1), FieldTag { antenna: 2, ..tag(2) }], Duration::ZERO);
    ask(&mut reader, START, Duration::ZERO);
    let lines = pass(&mut reader, Duration::ZERO, SECOND / 100);
    assert_eq!(lines, ["tag 1 at 0", "22 0503"]);
}

#[test]
fn a_warm_reader_says_how_warm_it_is() {
    let mut reader = ready();
    reader.handle_fault(DeviceFault::Temperature { celsius: -5 }, Duration::ZERO);
    assert_eq!(hex_ask(&mut reader, 0x72, &[], Duration::ZERO), ["72 [fb]"]);
    // Heat does not go away by restarting.
    reader.handle_fault(DeviceFault::Reboot, Duration::ZERO);
    pass(&mut reader, Duration::ZERO, SECOND);
    assert_eq!(hex_ask(&mut reader, 0x72, &[], SECOND), ["72 [fb]"]);
}

#[test]
fn a_mute_reader_hears_and_a_reader_without_heartbeat_or_tags_says_the_rest() {
    let mut reader = ready();
    reader.set_field(&[tag(7)], Duration::ZERO);
    reader.handle_fault(DeviceFault::Mute, Duration::ZERO);
    ask(&mut reader, START, Duration::ZERO);
    assert_eq!(pass(&mut reader, Duration::ZERO, SECOND), [""; 0]);
    reader.handle_fault(DeviceFault::Unmute, SECOND);
    assert_eq!(pass(&mut reader, SECOND, SECOND + SECOND / 20), ["tag 7 at 1050"]);
    reader.handle_fault(DeviceFault::TagsLost, SECOND + SECOND / 20);
    assert_eq!(pass(&mut reader, SECOND, 2 * SECOND + SECOND / 40), ["alive"]);
    reader.handle_fault(DeviceFault::HeartbeatLost, 3 * SECOND - SECOND / 20);
    reader.handle_fault(DeviceFault::TagsBack, 3 * SECOND - SECOND / 20);
    let lines = pass(&mut reader, 3 * SECOND - SECOND / 20, 3 * SECOND + SECOND / 40);
    assert!(!lines.is_empty() && lines.iter().all(|line| line.starts_with("tag 7")), "{lines:?}");
    reader.handle_fault(DeviceFault::HeartbeatBack, 3 * SECOND + SECOND / 40);
    said(&mut reader);
    let lines = pass(&mut reader, 3 * SECOND + SECOND / 40, 4 * SECOND + SECOND / 40);
    assert!(lines.contains(&"alive".to_owned()), "{lines:?}");
}
