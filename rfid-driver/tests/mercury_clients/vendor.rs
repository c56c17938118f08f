//! What `MercuryAPI` C 1.35.1.43 and 1.37.4.8 send, in their order, and what they make of the
//! answers. Each method names the function whose rules it follows; offsets into a message are those
//! of the source, where byte 5 is the first of the data.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use rfid_driver::emulator::{DeviceFault, FieldTag, PowerUp};
use serialport::TTYPort;

use super::{Rig, TID, epc, tag};

/// `commandTimeout` and `transportTimeout` of the client, together.
const PATIENCE: Duration = Duration::from_secs(6);
const ALL_METADATA: u16 = 0x0FFF;

/// What a function of the client returns instead of success.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    Timeout,
    Check,
    DeviceReset,
    Status(u16),
}

struct Client {
    port: TTYPort,
    multiselect: bool,
    // `txRxMap`: the ports that the module has, and whether an antenna was found there.
    ports: Vec<(u8, bool)>,
}

/// `TMR_TagReadData`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Read {
    epc: Vec<u8>,
    read_count: u8,
    rssi: i8,
    antenna: u8,
    frequency: u32,
    dsp_ms: u32,
    phase: u16,
    data: Vec<u8>,
    data_error: Option<u16>,
    link_frequency: u8,
}

/// What `TMR_SR_hasMoreTags` found.
#[derive(Debug)]
enum More {
    Tag(Read),
    NoTagsFound,
    Started,
    Wrapped(Vec<u8>),
    Report(Vec<u8>),
    EndOfReading,
}

/// `tm_crc`, bit by bit.
fn check(bytes: &[u8]) -> u16 {
    let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1));
    bits.fold(0xFFFF, |crc: u16, bit| {
        let shifted = crc << 1 | u16::from(bit);
        if crc & 0x8000 == 0 { shifted } else { shifted ^ 0x1021 }
    })
}

fn u16_at(msg: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(msg[at..at + 2].try_into().unwrap())
}

fn u32_at(msg: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(msg[at..at + 4].try_into().unwrap())
}

fn take<'a>(msg: &'a [u8], at: &mut usize, len: usize) -> &'a [u8] {
    *at += len;
    &msg[*at - len..*at]
}

#[expect(clippy::disallowed_methods, reason = "a client has a clock of its own")]
fn now() -> Instant {
    Instant::now()
}

impl Client {
    fn open(rig: &Rig) -> Self {
        let port = serialport::new(rig.path(), 115_200)
            .timeout(Duration::from_millis(100))
            .open_native()
            .unwrap();
        Self { port, multiselect: false, ports: Vec::new() }
    }

    fn send(&mut self, message: &[u8]) {
        let mut bytes = vec![0xFF, u8::try_from(message.len() - 1).unwrap()];
        bytes.extend_from_slice(message);
        bytes.extend_from_slice(&check(&bytes[1..]).to_be_bytes());
        self.port.write_all(&bytes).unwrap();
    }

    fn receive_bytes(&mut self, bytes: &mut [u8], until: Instant) -> Result<(), Trouble> {
        let mut len = 0;
        while len < bytes.len() {
            match self.port.read(&mut bytes[len..]) {
                Ok(more) => len += more,
                Err(error) if error.kind() == ErrorKind::TimedOut && now() < until => {}
                Err(error) if error.kind() == ErrorKind::TimedOut => return Err(Trouble::Timeout),
                Err(error) => panic!("{error}"),
            }
        }
        Ok(())
    }

    /// `TMR_SR_receiveMessage`: seven bytes first, which must begin with FF, a length up to F8 and
    /// an operation code that is expected or one of a read; then as many as the length says.
    fn receive(&mut self, opcode: u8, patience: Duration) -> Result<Vec<u8>, Trouble> {
        let until = now() + patience;
        let mut msg = vec![0; 7];
        self.receive_bytes(&mut msg, until)?;
        let expected = [opcode, 0x22, 0x2F, 0x9D];
        assert!(
            msg[0] == 0xFF && msg[1] <= 0xF8 && (expected.contains(&msg[2]) || msg[2] == 0x04),
            "not the beginning of an answer to {opcode:02x}: {msg:02x?}"
        );
        msg.resize(7 + usize::from(msg[1]), 0);
        self.receive_bytes(&mut msg[7..], until)?;
        let end = msg.len() - 2;
        if u16_at(&msg, end) != check(&msg[1..end]) {
            return Err(Trouble::Check);
        }
        msg.truncate(end);
        // A continuous read also takes what is said about it.
        if msg[2] != opcode && !(opcode == 0x22 && msg[2] == 0x2F) {
            return Err(Trouble::DeviceReset);
        }
        match u16_at(&msg, 3) {
            0 => Ok(msg),
            // Kept, because newer firmware says more with it.
            0x0400 if msg.len() > 5 => Ok(msg),
            status => Err(Trouble::Status(status)),
        }
    }

    /// `TMR_SR_send`.
    fn ask(&mut self, message: &[u8]) -> Result<Vec<u8>, Trouble> {
        self.send(message);
        self.receive(message[0], PATIENCE)
    }

    fn config(&mut self, key: u8) -> Vec<u8> {
        // `TMR_SR_cmdGetReaderConfiguration`: the value is at 7.
        let msg = self.ask(&[0x6A, 0x01, key]).unwrap();
        assert_eq!(msg[5..7], [0x01, key]);
        msg[7..].to_vec()
    }

    fn set_config(&mut self, key: u8, value: u8) {
        assert_eq!(self.ask(&[0x9A, 0x01, key, value]).unwrap().len(), 5);
    }

    /// `TMR_SR_connect` and `TMR_SR_boot` of 1.35.
    fn connect(&mut self) -> u32 {
        // `fillVersionInfo`: five numbers, the hardware at 9.
        let msg = self.ask(&[0x03]).unwrap();
        assert_eq!(msg.len(), 25);
        let hardware = u32_at(&msg, 9);
        let program = self.ask(&[0x0C]).unwrap()[5];
        if program & 0x03 == 1 {
            // `TMR_SR_cmdBootFirmware` wants the version in the answer.
            assert_eq!(self.ask(&[0x04]).unwrap().len(), 25);
        }
        // 0 is full power, where no wake-up bytes are needed.
        assert_eq!(self.ask(&[0x68]).unwrap()[5], 0);
        // 3 would be USB.
        assert_eq!(self.config(0x0E), [0]);
        assert_eq!(self.ask(&[0x06, 0x00, 0x01, 0xC2, 0x00]).unwrap().len(), 5);
        assert_eq!(self.config(0x12).len(), 2);
        let protocol = u16_at(&self.ask(&[0x63]).unwrap(), 5);
        // `TMR_SR_cmdGetAvailableProtocols`: two bytes each.
        assert_eq!(self.ask(&[0x70]).unwrap()[5..], [0x00, 0x05]);
        if protocol == 0 {
            assert_eq!(self.ask(&[0x93, 0x00, 0x05]).unwrap().len(), 5);
        }
        self.detect_antennas();
        assert_eq!((self.config(0x0C).len(), self.config(0x0D).len()), (1, 4));
        hardware
    }

    /// `TMR_SR_cmdAntennaDetect`: pairs from 6 on.
    fn detect_antennas(&mut self) {
        let msg = self.ask(&[0x61, 0x05]).unwrap();
        assert_eq!(msg[5], 0x05);
        self.ports = msg[6..].chunks(2).map(|pair| (pair[0], pair[1] == 1)).collect();
    }

    fn set_region(&mut self) {
        // `TMR_PARAM_REGION_ID`, as the samples do it: the first of those that can be had.
        assert_eq!(self.ask(&[0x67]).unwrap()[5], 0);
        let supported = self.ask(&[0x71]).unwrap()[5];
        self.ask(&[0x97, supported]).unwrap();
        assert_eq!(self.ask(&[0x67]).unwrap()[5], supported);
    }

    fn set_antennas(&mut self, ports: &[u8]) {
        // `TMR_SR_cmdSetAntennaSearchList`.
        let pairs = ports.iter().flat_map(|&port| [port, port]);
        let message: Vec<u8> = [0x91, 0x02].into_iter().chain(pairs).collect();
        self.ask(&message).unwrap();
    }

    /// `TMR_SR_msgSetupReadTagMultipleWithMetadata`.
    fn search(&self, flags: u16, time_ms: u16, metadata: u16, tail: &[u8]) -> Vec<u8> {
        let mut message = vec![0x22];
        if self.multiselect {
            message.push(0x88);
        }
        message.push(0x10);
        for number in [flags, time_ms, metadata] {
            message.extend_from_slice(&number.to_be_bytes());
        }
        message.extend_from_slice(tail);
        message
    }

    /// `TMR_SR_read` and `TMR_SR_cmdReadTagMultiple`: how many tags were found.
    fn read(&mut self, time_ms: u16) -> Result<u32, Trouble> {
        self.ask(&[0x6C, 0x01, 0x9F, 0x41]).unwrap();
        self.ask(&[0x2A]).unwrap();
        self.set_config(0x0C, 1);
        let message = self.search(0x0013, time_ms, ALL_METADATA, &[]);
        let started = now();
        let msg = match self.ask(&message) {
            Err(Trouble::Status(0x0400)) => return Ok(0),
            outcome => outcome?,
        };
        // An answer before its time makes the client search again and count twice.
        assert!(started.elapsed() >= Duration::from_millis(time_ms.into()));
        let at = if self.multiselect { 9 } else { 8 };
        assert_eq!(msg[1], if self.multiselect { 8 } else { 7 }, "four bytes of count");
        Ok(u32_at(&msg, at))
    }

    /// `TMR_SR_getNextTag` until none remains.
    fn buffered(&mut self, mut remaining: u32) -> Vec<Read> {
        let mut reads = Vec::new();
        while remaining > 0 {
            let [high, low] = ALL_METADATA.to_be_bytes();
            let msg = self.ask(&[0x29, high, low, 0x00]).unwrap();
            let (flags, count) = (u16_at(&msg, 5), msg[8]);
            assert!(count > 0, "the module holds back {remaining} tags");
            let mut at = 9;
            for _ in 0..count {
                reads.push(parse(&msg, flags, &mut at));
                remaining -= 1;
            }
            assert_eq!(at, msg.len(), "bytes behind the last record");
        }
        reads
    }

    /// `TMR_SR_cmdMultipleProtocolSearch` of a continuous read; `tail` follows the metadata flags.
    fn start_reading(&mut self, flags: u16, tail: &[u8]) {
        self.set_config(0x0C, 0);
        let search = self.search(flags, 250, ALL_METADATA, tail);
        let len = u8::try_from(search.len() - 1).unwrap();
        let mut message = vec![0x2F, 0x00, 0x00, 0x01, 0x22, 0x00, 0x00, 0x05, len];
        message.extend(search);
        self.send(&message);
    }

    /// `TMR_SR_hasMoreTags` and `TMR_SR_getNextTag`.
    fn more(&mut self) -> Result<More, Trouble> {
        let msg = match self.receive(0x22, PATIENCE) {
            Err(Trouble::Status(0x0400)) => return Ok(More::NoTagsFound),
            outcome => outcome?,
        };
        if u16_at(&msg, 3) == 0x0400 {
            // Only with several filters does the client expect more: the elapsed time at 12.
            assert!(self.multiselect && msg[5] == 0x88 && msg.len() == 16);
            return Ok(More::NoTagsFound);
        }
        if msg[2] == 0x2F {
            return Ok(match msg[5] {
                0x01 => More::Started,
                0x02 => More::EndOfReading,
                0x04 => More::Wrapped(msg[5..].to_vec()),
                other => panic!("a message about reading of kind {other:02x}"),
            });
        }
        let shift = usize::from(self.multiselect);
        let with_metadata = msg[5 + shift] & 0x10 != 0;
        let kind = if with_metadata { 10 } else { 8 } + shift;
        match msg[kind] {
            0x01 => {
                let mut at = 11 + shift;
                let read = parse(&msg, u16_at(&msg, 8 + shift), &mut at);
                assert_eq!(at, msg.len());
                Ok(More::Tag(read))
            }
            0x02 => Ok(More::Report(msg[9 + shift..].to_vec())),
            other => panic!("a record of kind {other:02x}"),
        }
    }

    fn next_tag(&mut self) -> Read {
        loop {
            if let More::Tag(read) = self.more().unwrap() {
                return read;
            }
        }
    }

    /// `TMR_SR_cmdStopReading`, then what was on its way; how many tags that was.
    fn stop_reading(&mut self) -> usize {
        self.send(&[0x2F, 0x00, 0x00, 0x02]);
        let mut late = 0;
        loop {
            match self.more().unwrap() {
                More::EndOfReading => return late,
                More::Tag(_) => late += 1,
                More::NoTagsFound | More::Started | More::Wrapped(_) | More::Report(_) => {}
            }
        }
    }
}

/// `TMR_SR_parseMetadataFromMessage`.
fn parse(msg: &[u8], flags: u16, at: &mut usize) -> Read {
    assert_eq!(flags, ALL_METADATA);
    let read_count = take(msg, at, 1)[0];
    let rssi = i8::from_be_bytes([take(msg, at, 1)[0]]);
    let antenna = take(msg, at, 1)[0];
    let frequency = u32::from_be_bytes([&[0], take(msg, at, 3)].concat().try_into().unwrap());
    let dsp_ms = u32_at(take(msg, at, 4), 0);
    let phase = u16_at(take(msg, at, 2), 0);
    assert_eq!(take(msg, at, 1), [0x05], "Gen2");
    let (data, data_error) = match u16_at(take(msg, at, 2), 0) {
        0x8000 => (Vec::new(), Some(u16_at(take(msg, at, 2), 0))),
        bits => (take(msg, at, usize::from(bits.div_ceil(8))).to_vec(), None),
    };
    // A high output 3 or 4 would be taken for a multiplexed antenna.
    assert_eq!(take(msg, at, 1)[0] & 0x0C, 0);
    let _q = take(msg, at, 1);
    let link_frequency = take(msg, at, 1)[0];
    assert!(take(msg, at, 1)[0] <= 1, "target A or B");
    let len = usize::from(u16_at(take(msg, at, 2), 0).div_ceil(8)) - 4;
    let control = u16_at(take(msg, at, 2), 0);
    assert_eq!(usize::from(control >> 11) * 2, len);
    let epc = take(msg, at, len).to_vec();
    let _check = take(msg, at, 2);
    Read {
        epc,
        read_count,
        rssi,
        antenna: antenna >> 4,
        frequency,
        dsp_ms,
        phase,
        data,
        data_error,
        link_frequency,
    }
}

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
