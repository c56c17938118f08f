//! The vendor's client, as far as its messages go: each method follows the rules of the function of
//! `MercuryAPI` C that its comment names.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use serialport::{SerialPort as _, TTYPort};

use crate::Rig;

/// `commandTimeout` and `transportTimeout` of the client, together.
pub(super) const PATIENCE: Duration = Duration::from_secs(6);
pub(super) const ALL_METADATA: u16 = 0x0FFF;

/// What a function of the client returns instead of success.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Timeout,
    Check,
    DeviceReset,
    Status(u16),
}

pub(super) struct Client {
    pub(super) port: TTYPort,
    pub(super) multiselect: bool,
    // `txRxMap`: the ports that the module has, and whether an antenna was found there.
    pub(super) ports: Vec<(u8, bool)>,
}

/// `TMR_TagReadData`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) epc: Vec<u8>,
    pub(super) read_count: u8,
    pub(super) rssi: i8,
    pub(super) antenna: u8,
    pub(super) frequency: u32,
    pub(super) dsp_ms: u32,
    pub(super) phase: u16,
    pub(super) data: Vec<u8>,
    pub(super) data_error: Option<u16>,
    pub(super) link_frequency: u8,
}

/// What `TMR_SR_hasMoreTags` found.
#[derive(Debug)]
pub(super) enum More {
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

pub(super) fn u16_at(msg: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(msg[at..at + 2].try_into().unwrap())
}

pub(super) fn u32_at(msg: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(msg[at..at + 4].try_into().unwrap())
}

fn take<'a>(msg: &'a [u8], at: &mut usize, len: usize) -> &'a [u8] {
    *at += len;
    &msg[*at - len..*at]
}

#[expect(clippy::disallowed_methods, reason = "a client has a clock of its own")]
pub(super) fn now() -> Instant {
    Instant::now()
}

impl Client {
    pub(super) fn open(rig: &Rig) -> Self {
        let port = serialport::new(rig.path(), 115_200)
            .timeout(Duration::from_millis(100))
            .open_native()
            .unwrap();
        Self { port, multiselect: false, ports: Vec::new() }
    }

    pub(super) fn run_at(&mut self, baud: u32) {
        self.port.set_baud_rate(baud).unwrap();
    }

    pub(super) fn send(&mut self, message: &[u8]) {
        let mut bytes = vec![0xFF, u8::try_from(message.len() - 1).unwrap()];
        bytes.extend_from_slice(message);
        bytes.extend_from_slice(&check(&bytes[1..]).to_be_bytes());
        self.port.write_all(&bytes).unwrap();
    }

    pub(super) fn receive_bytes(
        &mut self,
        bytes: &mut [u8],
        until: Instant,
    ) -> Result<(), Trouble> {
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
    pub(super) fn receive(&mut self, opcode: u8, patience: Duration) -> Result<Vec<u8>, Trouble> {
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
    pub(super) fn ask(&mut self, message: &[u8]) -> Result<Vec<u8>, Trouble> {
        self.send(message);
        self.receive(message[0], PATIENCE)
    }

    pub(super) fn config(&mut self, key: u8) -> Vec<u8> {
        // `TMR_SR_cmdGetReaderConfiguration`: the value is at 7.
        let msg = self.ask(&[0x6A, 0x01, key]).unwrap();
        assert_eq!(msg[5..7], [0x01, key]);
        msg[7..].to_vec()
    }

    pub(super) fn set_config(&mut self, key: u8, value: u8) {
        assert_eq!(self.ask(&[0x9A, 0x01, key, value]).unwrap().len(), 5);
    }

    /// `TMR_SR_connect` and `TMR_SR_boot` of 1.35.
    pub(super) fn connect(&mut self) -> u32 {
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
        self.run_at(115_200);
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
    pub(super) fn detect_antennas(&mut self) {
        let msg = self.ask(&[0x61, 0x05]).unwrap();
        assert_eq!(msg[5], 0x05);
        self.ports = msg[6..].chunks(2).map(|pair| (pair[0], pair[1] == 1)).collect();
    }

    pub(super) fn set_region(&mut self) {
        // `TMR_PARAM_REGION_ID`, as the samples do it: the first of those that can be had.
        assert_eq!(self.ask(&[0x67]).unwrap()[5], 0);
        let supported = self.ask(&[0x71]).unwrap()[5];
        self.ask(&[0x97, supported]).unwrap();
        assert_eq!(self.ask(&[0x67]).unwrap()[5], supported);
    }

    pub(super) fn set_antennas(&mut self, ports: &[u8]) {
        // `TMR_SR_cmdSetAntennaSearchList`.
        let pairs = ports.iter().flat_map(|&port| [port, port]);
        let message: Vec<u8> = [0x91, 0x02].into_iter().chain(pairs).collect();
        self.ask(&message).unwrap();
    }

    /// `TMR_SR_msgSetupReadTagMultipleWithMetadata`.
    pub(super) fn search(&self, flags: u16, time_ms: u16, metadata: u16, tail: &[u8]) -> Vec<u8> {
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
    pub(super) fn read(&mut self, time_ms: u16) -> Result<u32, Trouble> {
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
    pub(super) fn buffered(&mut self, mut remaining: u32) -> Vec<Read> {
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
    pub(super) fn start_reading(&mut self, flags: u16, tail: &[u8]) {
        self.set_config(0x0C, 0);
        let search = self.search(flags, 250, ALL_METADATA, tail);
        let len = u8::try_from(search.len() - 1).unwrap();
        let mut message = vec![0x2F, 0x00, 0x00, 0x01, 0x22, 0x00, 0x00, 0x05, len];
        message.extend(search);
        self.send(&message);
    }

    /// `TMR_SR_hasMoreTags` and `TMR_SR_getNextTag`.
    pub(super) fn more(&mut self) -> Result<More, Trouble> {
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

    pub(super) fn next_tag(&mut self) -> Read {
        loop {
            if let More::Tag(read) = self.more().unwrap() {
                return read;
            }
        }
    }

    /// `TMR_SR_cmdStopReading`, then what was on its way; how many tags that was.
    pub(super) fn stop_reading(&mut self) -> usize {
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
