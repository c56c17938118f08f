//! What `MercuryAPI` C 1.35.1.43 and 1.37.4.8 send, in their order, and what they make of the
//! answers. Each method names the function whose rules it follows; offsets into a message are those
//! of the source, where byte 5 is the first of the data.

use rfid_driver::emulator::{DeviceFault, FieldTag, PowerUp};

use super::{Rig, TID, epc, tag};

mod client;

use client::{ALL_METADATA, Client, More, PATIENCE, Trouble, u16_at, u32_at};

impl Client {
    /// Breaks the reader and waits until it is broken: what follows an answer follows that.
    fn break_reader(&mut self, rig: &Rig, fault: DeviceFault) {
        rig.reader.break_with(fault);
        self.ask(&[0x03]).unwrap();
    }
}

fn connected(rig: &Rig) -> Client {
    let mut client = Client::open(rig);
    client.connect();
    client.set_region();
    client.set_antennas(&[1]);
    client
}

#[test]
fn it_connects_to_a_module_and_learns_all_about_it() {
    let rig = Rig::new("m6e", PowerUp::Ready);
    let mut client = Client::open(&rig);
    assert_eq!(client.connect() >> 24, 0x18, "TMR_SR_MODEL_M6E");
    assert_eq!(client.ports, [(1, true), (2, true), (3, true), (4, true)]);
    client.set_region();
    // `TMR_SR_cmdGetReadTxPowerWithLimits`: at 6, 8 and 10; `TMR_SR_cmdGetReadWriteTxPower`: at 6.
    let msg = client.ask(&[0x62, 0x01]).unwrap();
    assert_eq!([u16_at(&msg, 6), u16_at(&msg, 8), u16_at(&msg, 10)], [3150, 3150, 500]);
    client.ask(&[0x92, 0x0B, 0xB8]).unwrap();
    assert_eq!(u16_at(&client.ask(&[0x62, 0x00]).unwrap(), 6), 3000);
    assert_eq!(client.ask(&[0x92, 0x13, 0x88]), Err(Trouble::Status(0x0103)));
    // `getSerialNumber`: its length at 8 of the message, its text behind that.
    let msg = client.ask(&[0x10, 0x00, 0x40]).unwrap();
    assert_eq!(usize::from(msg[8]), msg.len() - 9);
    assert!(msg[9..].iter().all(u8::is_ascii_alphanumeric));
    // `TMR_SR_cmdGetTemperature`, `TMR_SR_cmdGetFrequencyHopTable`, hop time at 6.
    assert_eq!(client.ask(&[0x72]).unwrap().len(), 6);
    assert_eq!(client.ask(&[0x65]).unwrap().len(), 5 + 50 * 4);
    assert_eq!(u32_at(&client.ask(&[0x65, 0x01]).unwrap(), 6), 375);
    // `TMR_SR_cmdGetGPIO`: triples from 6 on; `TMR_SR_cmdGetGPIODirection`: at 6.
    client.ask(&[0x96, 0x01, 0x02, 0x01, 0x00]).unwrap();
    client.ask(&[0x96, 0x02, 0x01]).unwrap();
    let msg = client.ask(&[0x66, 0x01]).unwrap();
    assert_eq!(msg[6..], [1, 0, 0, 2, 1, 1, 3, 0, 0, 4, 0, 0]);
    assert_eq!(client.ask(&[0x96, 0x02]).unwrap()[6], 1);
    // `TMR_SR_cmdGetProtocolConfiguration`: values from 7 on.
    assert_eq!(client.ask(&[0x6B, 0x05, 0x00]).unwrap()[7..], [0]);
    client.ask(&[0x9B, 0x05, 0x12, 0x01, 0x03]).unwrap();
    assert_eq!(client.ask(&[0x6B, 0x05, 0x12]).unwrap()[7..], [1, 3]);
    assert_eq!(client.ask(&[0x6B, 0x05, 0x01]).unwrap()[7..], [1, 0]);
    assert_eq!(client.ask(&[0x7F]), Err(Trouble::Status(0x0101)));
}

#[test]
fn its_timed_read_takes_its_time_and_finds_each_tag_once_with_all_about_it() {
    let rig = Rig::new("m6e", PowerUp::Ready);
    let mut client = connected(&rig);
    assert_eq!(client.read(50), Ok(0));
    let tags: Vec<_> = (0..40).map(|serial| tag(serial, 1)).collect();
    rig.reader.set_field(&tags);
    assert_eq!(client.read(320), Ok(40));
    let mut reads = client.buffered(40);
    reads.sort_by_key(|read| read.epc[11]);
    for (serial, read) in (0..).zip(&reads) {
        assert_eq!(read.epc, epc(serial));
        assert_eq!(read.antenna, 1);
        assert!((1..=7).contains(&read.read_count), "{} reads in 320 ms", read.read_count);
        assert!((-57..=-53).contains(&read.rssi), "{}", read.rssi);
        assert!((902_000..928_000).contains(&read.frequency));
        assert!(read.dsp_ms <= 320 && read.phase <= 180 && read.link_frequency == 0);
        assert!(read.data.is_empty() && read.data_error.is_none());
    }
    // `TMR_SR_cmdGetTagsRemaining`.
    let msg = client.ask(&[0x29]).unwrap();
    assert_eq!(u16_at(&msg, 7) - u16_at(&msg, 5), 0);
}

#[test]
fn its_continuous_read_gets_tags_signs_of_life_and_answers_until_it_stops() {
    let rig = Rig::new("m6e", PowerUp::Ready);
    let mut client = connected(&rig);
    rig.reader.set_field(&[tag(1, 1)]);
    client.start_reading(0x001B, &[]);
    assert!(matches!(client.more().unwrap(), More::Started));
    let first = client.next_tag();
    assert_eq!((first.epc.as_slice(), first.read_count), (&epc(1)[..], 1));
    assert!(client.next_tag().dsp_ms > first.dsp_ms, "the same tag again, later");
    // `TMR_SR_sendTimeout` while reading: the command is wrapped, and so is its answer.
    client.send(&[0x2F, 0x00, 0x00, 0x04, 0x00, 0x72]);
    let wrapped = loop {
        if let More::Wrapped(wrapped) = client.more().unwrap() {
            break wrapped;
        }
    };
    assert_eq!(wrapped, [0x04, 0x01, 0x72, 0x00, 0x00, 34]);
    rig.reader.set_field(&[]);
    while !matches!(client.more().unwrap(), More::NoTagsFound) {}
    rig.reader.set_field(&[tag(2, 1)]);
    let last = client.next_tag();
    assert_eq!(last.epc, epc(2));
    assert!(client.stop_reading() > 0, "what was queued comes before the end");
    client.start_reading(0x001B, &[]);
    assert!(client.next_tag().dsp_ms < last.dsp_ms, "timestamps begin anew");
    client.stop_reading();
    assert_eq!(client.connect() >> 24, 0x18);
}

#[test]
fn it_reads_the_tid_along_with_each_tag_and_on_its_own() {
    let rig = Rig::new("m6e", PowerUp::Ready);
    let mut client = connected(&rig);
    let nameless = FieldTag { tid: None, ..tag(2, 1) };
    rig.reader.set_field(&[tag(1, 1), nameless]);
    // `TMR_SR_addTagOp`, `TMR_SR_executeEmbeddedRead`: counts at 8, 14 and 16.
    let read_tid = [0x01, 0x09, 0x28, 0x07, 0xD0, 0x00, 0x02, 0, 0, 0, 0, 0x04];
    let message = client.search(0x0017, 120, ALL_METADATA, &read_tid);
    let msg = client.ask(&message).unwrap();
    assert_eq!(u32_at(&msg, 8), 2);
    assert!(u16_at(&msg, 14) > 0 && u16_at(&msg, 16) > 0);
    let mut reads = client.buffered(2);
    reads.sort_by_key(|read| read.epc[11]);
    assert_eq!(reads[0].data, TID);
    assert_eq!(reads[1].data_error, Some(0x0404));
    client.start_reading(0x001F, &read_tid);
    while client.next_tag().data != TID {}
    client.stop_reading();
    // `TMR_SR_cmdGEN2ReadTagData`: metadata from 8 on, then the words. The filter is the EPC.
    let mut message =
        vec![0x28, 0x03, 0xE8, 0x11, 0x00, 0xC0, 0x02, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 96];
    message.extend_from_slice(&epc(1));
    let msg = client.ask(&message).unwrap();
    assert_eq!(msg[8..11], [0x05, 0x00, 0x00]);
    assert_eq!(msg[11..], TID);
    // Behind the last word; a bank without an answer; a tag that is not there.
    message[10] = 0x40;
    assert_eq!(client.ask(&message), Err(Trouble::Status(0x0423)));
    message[10] = 0;
    *message.last_mut().unwrap() = 2;
    assert_eq!(client.ask(&message), Err(Trouble::Status(0x0404)));
    *message.last_mut().unwrap() = 9;
    message[1..3].copy_from_slice(&[0x00, 0x32]);
    assert_eq!(client.ask(&message), Err(Trouble::Status(0x0400)));
}

#[test]
fn the_newer_client_reads_from_a_newer_module_with_several_filters() {
    let rig = Rig::new("m7e", PowerUp::Ready);
    let mut client = Client::open(&rig);
    client.multiselect = true;
    // `TMR_SR_getVersion`, `TMR_SR_boot` of 1.37: protocols of 0 would be the boot loader's.
    let msg = client.ask(&[0x03]).unwrap();
    assert_eq!((msg[9], u32_at(&msg, 21)), (0x38, 0x10));
    client.set_region();
    client.ask(&[0x62, 0x00]).unwrap();
    client.detect_antennas();
    client.ask(&[0x93, 0x00, 0x05]).unwrap();
    client.ask(&[0x91, 0x82, 0x01]).unwrap();
    rig.reader.set_field(&[tag(1, 1), tag(2, 1)]);
    assert_eq!(client.read(100), Ok(2));
    assert_eq!(client.buffered(2).len(), 2);
    client.start_reading(0x001B, &[]);
    assert_eq!(client.next_tag().antenna, 1);
    rig.reader.set_field(&[]);
    while !matches!(client.more().unwrap(), More::NoTagsFound) {}
    client.stop_reading();
}

#[test]
fn it_is_told_the_statistics_while_it_reads_and_after() {
    let rig = Rig::new("m6e", PowerUp::Ready);
    let mut client = connected(&rig);
    // Statistics with each cycle: flags 0100 is the temperature.
    client.start_reading(0x011B, &[0x01, 0x00]);
    let report = loop {
        if let More::Report(report) = client.more().unwrap() {
            break report;
        }
    };
    assert_eq!(report, [0x82, 0x00, 0x82, 0x00, 0x01, 34], "the record of ten bytes");
    client.stop_reading();
    // `TMR_SR_cmdGetReaderStats`, `TMR_fillReaderStats`: all of them, from 8 on.
    let msg = client.ask(&[0x6C, 0x02, 0x9F, 0x41]).unwrap();
    let (mut at, mut seen) = (8, Vec::new());
    while at < usize::from(msg[1]) + 2 {
        let wide = usize::from(msg[at] >> 7);
        let len = usize::from(msg[at + wide + 1]);
        seen.push((msg[at], msg[at + wide + 2..][..len].to_vec()));
        at += wide + 2 + len;
    }
    assert_eq!(at, msg.len());
    let flags: Vec<u8> = seen.iter().map(|(flag, _)| *flag).collect();
    assert_eq!(flags, [0x01, 0x40, 0x81, 0x82, 0x84, 0x88, 0x90]);
    assert!(u32_at(&seen[0].1, 1) >= 1000, "the radio was on for a cycle");
    assert_eq!(seen[6].1, [1, 1, 2, 1, 3, 1, 4, 1]);
}

#[test]
fn it_boots_a_module_and_takes_over_one_that_still_reads() {
    let rig = Rig::new("nano", PowerUp::BootLoader);
    let mut client = Client::open(&rig);
    assert_eq!(client.connect() >> 24, 0x30, "TMR_SR_MODEL_M6E_NANO");
    // `TMR_SR_reboot`: 9600 first, the answer still at the old rate; then the boot loader.
    assert_eq!(client.ask(&[0x06, 0x00, 0x00, 0x25, 0x80]).unwrap().len(), 5);
    client.run_at(9600);
    assert_eq!(client.ask(&[0x09]).unwrap().len(), 5);
    assert_eq!(client.ask(&[0x67]), Err(Trouble::Status(0x0101)));
    assert_eq!(client.connect() >> 24, 0x30);

    let rig = Rig::new("m6e", PowerUp::Reading);
    rig.reader.set_field(&[tag(1, 1)]);
    let mut client = Client::open(&rig);
    // `TMR_SR_cmdProbeBaudRate`: the answer to version is a tag, so `verifySearchStatus`.
    client.send(&[0x03]);
    assert_eq!(client.next_tag().epc, epc(1));
    client.stop_reading();
    assert_eq!(client.connect() >> 24, 0x18);
}

#[test]
fn it_is_told_what_goes_wrong() {
    let rig = Rig::new("m6e", PowerUp::Ready);
    let mut client = Client::open(&rig);
    client.connect();
    // No region.
    assert_eq!(client.read(20), Err(Trouble::Status(0x0405)));
    client.set_region();
    client.set_antennas(&[1]);
    rig.reader.set_field(&[tag(1, 1)]);
    for (fault, end, status) in [
        (DeviceFault::AntennaLost { port: 1 }, DeviceFault::AntennaBack { port: 1 }, 0x0503),
        (
            DeviceFault::Temperature { celsius: 90 },
            DeviceFault::Temperature { celsius: 40 },
            0x0504,
        ),
        (DeviceFault::ReturnLossHigh, DeviceFault::ReturnLossGood, 0x0505),
    ] {
        client.break_reader(&rig, fault);
        client.detect_antennas();
        assert_eq!(client.ports[0], (1, status != 0x0503));
        assert_eq!(client.read(20), Err(Trouble::Status(status)));
        client.break_reader(&rig, end);
        assert_eq!(client.read(20), Ok(1));
        // In a continuous read it is said between tags, which come back when it is over.
        client.start_reading(0x001B, &[]);
        client.next_tag();
        rig.reader.break_with(fault);
        while client.more().is_ok() {}
        rig.reader.break_with(end);
        client.next_tag();
        client.stop_reading();
    }
    // A module that restarts says so to whatever it is asked next.
    rig.reader.break_with(DeviceFault::Reboot);
    assert_eq!(client.receive(0x03, PATIENCE), Err(Trouble::DeviceReset));
    client.connect();
    client.set_region();
}
