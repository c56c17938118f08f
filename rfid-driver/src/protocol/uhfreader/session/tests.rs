//! Stories: a session and a reader made of software, joined by a line, in virtual time.
//!
//! A new story goes to the end; what it needs of the line or the reader becomes a method of
//! [`Lane`].

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::UhfReaderSession;
use crate::codec::{Direction, Opaque};
use crate::emulator::{DeviceFault, Emulator, EmulatorSettings, FieldTag, PowerUp};
use crate::protocol::uhfreader::codec::{
    Command, Frame, InventoryRequest, QFlags, Reply, Status, opcode,
};
use crate::protocol::uhfreader::emulator::UhfReaderDevice;
use crate::session::ReaderState::{Closed, Configuring, Degraded, Probing, Reading};
use crate::session::{
    AntennaState, Gap, GapCause, Level, ReaderSettings, ReaderState, Report, Request, Session,
    SessionEvent, TidReading, Transmit,
};
use crate::{Epc, TagRead, Tid, clock};

fn tag(serial: u8) -> FieldTag {
    let epc = Epc::try_from_slice(&[0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, serial]).unwrap();
    FieldTag::new(epc, -60, 1)
}

/// A host's session and a reader on one line.
struct Lane {
    session: UhfReaderSession,
    reader: UhfReaderDevice,
    origin: Instant,
    now: Duration,
    /// The rate of the host's end.
    baud: u32,
    /// Whether bytes get across.
    line_is_whole: bool,
    /// What is put before each frame of the reader.
    junk: Vec<u8>,
    /// The operations that the host has asked for.
    asked: Vec<u8>,
    states: Vec<ReaderState>,
    tags: Vec<TagRead>,
    gaps: Vec<Gap>,
    reports: Vec<Report>,
    lines_dead: usize,
}

impl Lane {
    fn with(reader: &EmulatorSettings, settings: &ReaderSettings) -> Self {
        Self {
            session: UhfReaderSession::try_new(settings).unwrap(),
            reader: UhfReaderDevice::try_new(reader).unwrap(),
            origin: clock::now(),
            now: Duration::ZERO,
            baud: 0,
            line_is_whole: true,
            junk: Vec::new(),
            asked: Vec::new(),
            states: Vec::new(),
            tags: Vec::new(),
            gaps: Vec::new(),
            reports: Vec::new(),
            lines_dead: 0,
        }
    }

    fn of_model(model: &str) -> Self {
        let model = Some(model.to_owned());
        Self::with(
            &EmulatorSettings { model, ..EmulatorSettings::default() },
            &ReaderSettings::default(),
        )
    }

    fn set_to(settings: &ReaderSettings) -> Self {
        Self::with(&EmulatorSettings::default(), settings)
    }

    /// Opens the line and waits until the reader reads, with nothing said about how it came to that.
    fn read(mut self) -> Self {
        self.open();
        self.pass(SECOND / 2);
        assert_eq!(self.states, [Probing, Configuring, Reading]);
        self.states.clear();
        self.asked.clear();
        self
    }

    fn instant(&self) -> Instant {
        self.origin + self.now
    }

    fn open(&mut self) {
        self.session.handle_open(self.instant());
        self.exchange();
    }

    fn field(&mut self, tags: &[FieldTag]) {
        self.reader.set_field(tags, self.now);
        self.exchange();
    }

    fn fault(&mut self, fault: DeviceFault) {
        self.reader.handle_fault(fault, self.now);
        self.exchange();
    }

    fn request(&mut self, request: Request) {
        self.session.handle_request(request, self.instant());
        self.exchange();
    }

    /// Lets time pass, from deadline to deadline.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let session = self.session.next_deadline().map(|due| due - self.origin);
            let due = session.into_iter().chain(self.reader.next_deadline()).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            self.reader.handle_deadline(self.now);
            self.session.handle_deadline(self.instant());
            self.exchange();
        }
        self.now = end;
    }

    /// Carries bytes and takes events until nothing moves.
    fn exchange(&mut self) {
        loop {
            let mut moved = false;
            while let Some(transmit) = self.session.poll_transmit() {
                moved = true;
                match transmit {
                    Transmit::Baud(baud) => self.baud = baud,
                    Transmit::Frame(frame) => {
                        self.asked.push(frame.as_ref()[2]);
                        if self.line_is_whole && self.baud == self.reader.baud() {
                            self.reader.handle_bytes(frame.as_ref(), self.now);
                        }
                    }
                }
            }
            while let Some(transmit) = self.reader.poll_transmit() {
                moved = true;
                if self.line_is_whole && self.baud == transmit.baud {
                    let at = self.instant();
                    self.session.handle_bytes(&self.junk, at);
                    self.session.handle_bytes(transmit.frame.as_ref(), at);
                }
            }
            while let Some(event) = self.session.poll_event() {
                match event {
                    SessionEvent::Tag(read) => self.tags.push(read),
                    SessionEvent::State(state) => self.states.push(state),
                    SessionEvent::Gap(gap) => self.gaps.push(gap),
                    SessionEvent::Report(report) => self.reports.push(report),
                    SessionEvent::LineDead => self.lines_dead += 1,
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn gap_causes(&self) -> Vec<GapCause> {
        self.gaps.iter().map(|gap| gap.cause).collect()
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn a_tag_is_reported_the_moment_it_comes() {
    let mut lane = Lane::of_model("288").read();
    lane.pass(MILLISECOND * 123);
    let at = lane.instant();
    lane.field(&[tag(7)]);
    let read = lane.tags[0];
    assert_eq!((read.epc, read.antenna, read.at), (tag(7).epc, Some(1), at));
    let rssi = read.rssi.unwrap();
    assert!(rssi.dbm.is_none() && (68..=72).contains(&rssi.raw), "{rssi:?}");
    assert_eq!((read.read_count, read.tid), (1, None));
}

#[test]
fn the_older_reader_reports_a_tag_when_it_is_sure_that_there_is_no_other() {
    let mut lane = Lane::of_model("18").read();
    lane.pass(MILLISECOND * 123);
    lane.field(&[tag(7), tag(8)]);
    lane.pass(10 * MILLISECOND);
    let epcs: Vec<_> = lane.tags.iter().map(|read| (read.epc, read.antenna, read.rssi)).collect();
    assert_eq!(epcs, [(tag(7).epc, None, None), (tag(8).epc, None, None)]);
}

#[test]
fn rounds_follow_one_another_and_an_empty_field_is_not_mistaken_for_a_dead_reader() {
    for model in ["288", "18"] {
        let mut lane = Lane::of_model(model).read();
        lane.pass(60 * SECOND);
        assert_eq!((&lane.states[..], &lane.gaps[..]), (&[][..], &[][..]));
        let rounds = lane.asked.iter().filter(|opcode| **opcode == opcode::INVENTORY).count();
        assert!((199..=201).contains(&rounds), "{rounds} rounds");
        lane.field(&[tag(7)]);
        lane.pass(SECOND);
        assert!(lane.tags.len() >= 15, "{model}: {} reads", lane.tags.len());
    }
}

#[test]
fn only_the_configured_antennas_read() {
    let settings = ReaderSettings { antennas: vec![2, 4], ..Default::default() };
    let mut lane = Lane::set_to(&settings).read();
    let on = |antenna| FieldTag { antenna, ..tag(antenna) };
    lane.field(&[on(1), on(2), on(4)]);
    let antennas: Vec<_> = lane.tags.iter().map(|read| read.antenna).collect();
    assert_eq!(antennas, [Some(2), Some(4)]);
}

#[test]
fn the_tid_is_read_where_asked_for() {
    let settings = ReaderSettings { tid: TidReading::On, ..Default::default() };
    let mut lane = Lane::set_to(&settings).read();
    let tid = Tid::try_from_slice(&[0xE2, 0x80, 0x11, 0x05, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    lane.field(&[FieldTag { tid: Some(tid), ..tag(7) }, tag(8)]);
    let tids: Vec<_> = lane.tags.iter().map(|read| (read.epc, read.tid)).collect();
    assert_eq!(tids, [(tag(7).epc, Some(tid)), (tag(8).epc, None)]);
}

#[test]
fn only_what_differs_is_set_so_that_the_readers_memory_lasts() {
    let mut lane = Lane::of_model("288");
    lane.open();
    lane.pass(SECOND / 2);
    let first = [
        opcode::READER_INFO,
        opcode::WORK_MODE,
        opcode::SET_POWER,
        opcode::SET_SCAN_TIME,
        opcode::SET_ANTENNA_CHECK,
        opcode::INVENTORY,
    ];
    assert_eq!(lane.asked[..6], first);
    lane.asked.clear();
    lane.session.handle_closed(lane.instant());
    lane.pass(SECOND);
    lane.open();
    let again = [opcode::READER_INFO, opcode::WORK_MODE, opcode::INVENTORY];
    assert_eq!(lane.asked[..3], again);
}

#[test]
fn a_reader_is_found_at_whatever_rate_it_has_and_brought_to_the_one_that_is_wanted() {
    let reader = EmulatorSettings { baud: Some(9600), ..Default::default() };
    let settings = ReaderSettings { baud_wanted: Some(115_200), ..Default::default() };
    let mut lane = Lane::with(&reader, &settings);
    lane.open();
    lane.pass(2 * SECOND);
    assert_eq!((lane.reader.baud(), lane.baud), (115_200, 115_200));
    assert_eq!(lane.states.last(), Some(&Reading));
    let bauds: Vec<_> = lane
        .reports
        .iter()
        .filter_map(|report| match report {
            Report::Identity { baud, text } => Some((baud.unwrap(), text.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(bauds, [(9600, "type 20, firmware 5.2"), (115_200, "type 20, firmware 5.2")]);
}

#[test]
fn a_reader_left_pushing_is_told_to_answer_and_what_it_pushed_is_thrown_away() {
    for model in ["288", "18"] {
        let reader = EmulatorSettings {
            power_up: PowerUp::Reading,
            model: Some(model.to_owned()),
            ..Default::default()
        };
        let mut lane = Lane::with(&reader, &ReaderSettings::default());
        lane.field(&[tag(7)]);
        lane.pass(SECOND);
        lane.open();
        assert_eq!(lane.tags, []);
        lane.field(&[]);
        lane.pass(SECOND);
        assert_eq!(lane.states, [Probing, Configuring, Reading], "{model}");
        lane.field(&[tag(8)]);
        lane.pass(SECOND / 10);
        assert_eq!(lane.tags[0].epc, tag(8).epc);
    }
}

#[test]
fn a_reader_that_somebody_else_lets_push_is_taken_back() {
    let mut lane = Lane::of_model("288").read();
    lane.reader.handle_bytes(Command::Stop.emit(0).as_ref(), lane.now);
    while lane.reader.poll_transmit().is_some() {}
    lane.reader.handle_bytes(Command::SetWorkMode { mode: 1 }.emit(0).as_ref(), lane.now);
    lane.field(&[tag(7)]);
    lane.pass(2 * SECOND);
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Stopped]);
    assert!(lane.tags.len() > 5, "{} reads", lane.tags.len());
}

#[test]
fn a_lost_round_is_a_gap_and_asked_for_again() {
    let mut lane = Lane::of_model("288").read();
    lane.line_is_whole = false;
    lane.pass(SECOND / 5);
    lane.line_is_whole = true;
    lane.pass(SECOND);
    assert_eq!((&lane.states[..], lane.gap_causes()), (&[][..], vec![GapCause::Silence]));
}

#[test]
fn a_silent_reader_is_degraded_and_then_the_line_is_dead() {
    for model in ["288", "18"] {
        let mut lane = Lane::of_model(model).read();
        lane.fault(DeviceFault::Mute);
        lane.pass(2 * SECOND);
        assert_eq!(lane.states, [Degraded, Probing]);
        lane.pass(2 * SECOND);
        assert!(lane.lines_dead >= 1);
        lane.fault(DeviceFault::Unmute);
        lane.pass(2 * SECOND);
        assert_eq!(lane.states, [Degraded, Probing, Configuring, Reading]);
        assert_eq!(lane.gap_causes(), [GapCause::Silence]);
        assert!(lane.gaps[0].until - lane.gaps[0].since > 4 * SECOND);
    }
}

#[test]
fn a_restart_is_survived_and_is_a_gap() {
    let mut lane = Lane::of_model("288").read();
    lane.fault(DeviceFault::Reboot);
    lane.pass(3 * SECOND);
    lane.field(&[tag(7)]);
    assert_eq!(lane.gap_causes(), [GapCause::Silence]);
    assert_eq!(lane.tags.len(), 1);
}

#[test]
fn a_lost_antenna_is_a_fault_of_the_radio_until_it_is_back() {
    let mut lane = Lane::of_model("288").read();
    lane.fault(DeviceFault::AntennaLost { port: 1 });
    lane.pass(2 * SECOND);
    assert_eq!(lane.states, [Degraded]);
    let faults: Vec<_> =
        lane.reports.iter().filter(|report| matches!(report, Report::RadioFault { .. })).collect();
    assert_eq!(faults, [&Report::RadioFault { text: "antenna error" }]);
    lane.fault(DeviceFault::AntennaBack { port: 1 });
    lane.pass(SECOND);
    assert_eq!(lane.states, [Degraded, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Radio]);
    lane.fault(DeviceFault::Temperature { celsius: 90 });
    lane.pass(SECOND);
    assert_eq!(lane.states, [Degraded, Reading, Degraded]);
}

#[test]
fn what_the_owner_asks_is_answered_between_rounds_and_is_a_gap() {
    let settings = ReaderSettings { antennas: vec![1, 2], ..Default::default() };
    let mut lane = Lane::set_to(&settings).read();
    lane.reports.clear();
    lane.fault(DeviceFault::AntennaLost { port: 2 });
    lane.fault(DeviceFault::Temperature { celsius: -7 });
    let out = |pin| Request::SetOutput { pin, level: Level::Low };
    let requests = [
        Request::Temperature,
        Request::Antennas,
        Request::Inputs,
        out(2),
        out(9),
        Request::Statistics,
    ];
    for request in requests {
        lane.request(request);
    }
    lane.field(&[tag(7)]);
    lane.pass(2 * SECOND);
    let antenna = |port, state| Report::Antenna { port, state };
    assert_eq!(
        lane.reports[..7],
        [
            Report::Temperature { celsius: -7 },
            antenna(1, AntennaState::Connected),
            antenna(2, AntennaState::Missing),
            Report::Input { pin: 1, level: Level::High },
            Report::OutputSet { pin: 2 },
            Report::Refused { request: out(9) },
            Report::Statistic { name: "reads_per_s", value: 20 },
        ]
    );
    assert_eq!(lane.reports[7..], [Report::Statistic { name: "reads", value: 1 }]);
    assert_eq!(lane.gap_causes(), [GapCause::Request; 4]);
    assert_eq!(lane.states, []);
}

#[test]
fn the_older_reader_has_nothing_to_be_asked() {
    let mut lane = Lane::of_model("18").read();
    lane.request(Request::Temperature);
    lane.pass(SECOND);
    assert_eq!(lane.reports.last(), Some(&Report::Refused { request: Request::Temperature }));
    assert_eq!(lane.gaps, []);
}

#[test]
fn a_request_to_a_reader_that_is_not_there_waits_for_it() {
    let mut lane = Lane::of_model("288");
    lane.request(Request::Temperature);
    lane.open();
    lane.pass(SECOND);
    assert!(lane.reports.contains(&Report::Temperature { celsius: 35 }));
}

#[test]
fn noise_is_a_gap_but_loses_no_intact_report() {
    let mut lane = Lane::of_model("288").read();
    lane.field(&[tag(7)]);
    let before = lane.tags.len();
    lane.junk = vec![0x15, 0x00, 0x01, 0x03, 0xFF];
    lane.pass(SECOND);
    let reads = lane.tags.len() - before;
    assert!((10..=21).contains(&reads), "{reads} reads");
    assert!(lane.gap_causes().contains(&GapCause::Noise { bytes: 5 }));
    assert_eq!(lane.states, []);
}

#[test]
fn a_damaged_end_of_a_round_costs_no_more_than_a_silence() {
    let mut lane = Lane::of_model("288").read();
    lane.field(&[tag(7)]);
    lane.line_is_whole = false;
    lane.pass(10 * MILLISECOND);
    lane.line_is_whole = true;
    let reads = lane.tags.len();
    lane.session.handle_bytes(&[0x07, 0x00, 0x01, 0x01, 0x01, 0x00, 0x1E, 0x4C], lane.instant());
    lane.exchange();
    lane.pass(70 * MILLISECOND);
    assert_eq!(lane.tags.len(), reads + 1);
}

#[test]
fn a_refused_setting_leaves_the_reader_degraded_and_is_tried_again() {
    let settings = ReaderSettings { antennas: vec![8], ..Default::default() };
    let mut lane = Lane::set_to(&settings);
    lane.open();
    lane.pass(SECOND * 3 / 2);
    assert_eq!(lane.states, [Probing, Configuring, Degraded, Probing, Configuring, Degraded]);
}

#[test]
fn another_reader_on_the_line_is_not_listened_to() {
    let mut lane = Lane::of_model("288").read();
    let data = Opaque(&[1, 1, 2, 0x30, 0x31, 70]);
    let other = Reply::Done { opcode: opcode::INVENTORY_SINGLE, data }.emit(9);
    let listed = Reply::Refused { opcode: opcode::INVENTORY, status: Status::INVENTORY_MORE, data };
    lane.session.handle_bytes(other.as_ref(), lane.instant());
    lane.session.handle_bytes(listed.emit(9).as_ref(), lane.instant());
    lane.exchange();
    assert_eq!(lane.tags, []);
    lane.session.handle_bytes(listed.emit(0).as_ref(), lane.instant());
    lane.exchange();
    assert_eq!(lane.tags.len(), 1);
}

#[test]
fn whoever_leaves_leaves_the_reader_quiet() {
    let mut lane = Lane::of_model("288").read();
    lane.field(&[tag(7)]);
    lane.session.handle_shutdown(lane.instant());
    lane.exchange();
    lane.pass(SECOND);
    assert_eq!(lane.reader.next_deadline(), None);
    assert_eq!(lane.states, [Closed]);
}

#[test]
fn a_setting_that_no_such_reader_can_have_is_refused() {
    let refused =
        |settings: ReaderSettings| UhfReaderSession::try_new(&settings).unwrap_err().to_string();
    let default = ReaderSettings::default;
    for (settings, text) in [
        (ReaderSettings { model: Some("x".into()), ..default() }, "model x"),
        (ReaderSettings { region: Some(5), ..default() }, "region 5"),
        (ReaderSettings { baud_wanted: Some(230_400), ..default() }, "baud rate 230400"),
        (
            ReaderSettings { model: Some("18".into()), antennas: vec![2], ..default() },
            "antennas [2]",
        ),
    ] {
        let error = refused(settings);
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn the_band_is_set_where_it_is_another() {
    let settings = ReaderSettings { region: Some(12), ..Default::default() };
    let mut lane = Lane::set_to(&settings).read();
    lane.session.handle_shutdown(lane.instant());
    lane.exchange();
    lane.reader.handle_bytes(Command::ReaderInfo.emit(0).as_ref(), lane.now);
    let answer = lane.reader.poll_transmit().unwrap().frame;
    let frame = Frame::new_checked(answer.as_ref(), Direction::FromReader).unwrap();
    let Ok(Reply::Info(info)) = Reply::parse(frame) else { panic!("no information") };
    assert_eq!((info.frequency_max, info.frequency_min), (0xF4, 0x00));
}

#[test]
fn a_reader_that_pushes_and_does_not_say_who_it_is_is_told_to_answer() {
    let mut lane = Lane::of_model("288");
    lane.line_is_whole = false;
    lane.open();
    for (data, told) in [
        (&[1, 2, 0x34, 0x16, 70][..], opcode::SET_WORK_MODE),
        (&[0x34, 0x16, 0x30, 0x31], opcode::SET_SCAN_MODE),
    ] {
        let pushed = Reply::Done { opcode: opcode::PUSH, data: Opaque(data) }.emit(0);
        lane.session.handle_bytes(pushed.as_ref(), lane.instant());
        lane.asked.clear();
        lane.pass(SECOND / 5);
        assert_eq!(lane.asked[..2], [told, opcode::READER_INFO]);
    }
    assert_eq!(lane.tags, []);
}

#[test]
fn a_reader_that_is_busy_for_an_earlier_host_is_waited_for() {
    let mut lane = Lane::of_model("288");
    // Two seconds, in which it hears nothing.
    let inventory = InventoryRequest::plain(QFlags(4), 0);
    lane.reader.handle_bytes(Command::Inventory(inventory).emit(0).as_ref(), lane.now);
    lane.open();
    lane.pass(4 * SECOND);
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
}

proptest! {
    #[test]
    fn byte_soup_never_panics_and_never_stops_the_session(
        soup in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..10),
    ) {
        let mut lane = Lane::of_model("288").read();
        for bytes in soup {
            lane.session.handle_bytes(&bytes, lane.instant());
            lane.exchange();
            lane.pass(Duration::from_millis(30));
        }
        lane.pass(5 * SECOND);
        lane.field(&[tag(7)]);
        lane.pass(SECOND);
        prop_assert!(lane.tags.iter().any(|read| read.epc == tag(7).epc));
    }
}

#[test]
fn of_two_levels_for_one_pin_the_later_one_stays() {
    let mut lane = Lane::of_model("288").read();
    lane.reports.clear();
    let to = |level| Request::SetOutput { pin: 1, level };
    for level in [Level::Low, Level::High, Level::Low] {
        lane.request(to(level));
    }
    lane.asked.clear();
    lane.pass(2 * SECOND);
    assert_eq!(lane.reports, vec![Report::OutputSet { pin: 1 }; 3]);
    let sets = lane.asked.iter().filter(|opcode| **opcode == opcode::SET_OUTPUTS).count();
    assert_eq!(sets, 3);
}

#[test]
fn bursts_of_noise_do_not_pass_for_life() {
    let mut lane = Lane::of_model("288").read();
    lane.fault(DeviceFault::Mute);
    for _ in 0..100 {
        let at = lane.instant();
        lane.session.handle_bytes(&[0x00, 0xFF, 0x00], at);
        lane.exchange();
        lane.pass(40 * MILLISECOND);
    }
    assert_eq!(lane.states[..2], [Degraded, Probing]);
}

#[test]
fn an_antenna_that_no_reader_has_is_refused() {
    for antennas in [vec![], vec![0], vec![17]] {
        let settings = ReaderSettings { antennas, ..Default::default() };
        assert!(UhfReaderSession::try_new(&settings).is_err());
    }
}
