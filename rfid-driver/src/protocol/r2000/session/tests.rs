//! Stories: a session and a reader made of software, joined by a line, in virtual time.
//!
//! A new story goes to the end; what it needs of the line or the reader becomes a method of
//! [`Lane`].

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::R2000Session;
use crate::codec::FrameBuf;
use crate::emulator::{DeviceFault, Emulator, EmulatorSettings, FieldTag, PowerUp};
use crate::protocol::r2000::codec::{Command, ErrorCode, Reply, opcode};
use crate::protocol::r2000::emulator::R2000Reader;
use crate::session::ReaderState::{Closed, Configuring, Degraded, Probing, Reading};
use crate::session::{
    AntennaState, Gap, GapCause, Level, ReaderSettings, ReaderState, Report, Request, Session,
    SessionEvent, TidReading, Transmit,
};
use crate::{Epc, TagRead, Tid, clock};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn tag(serial: u8) -> FieldTag {
    let epc = Epc::try_from_slice(&[0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, serial]).unwrap();
    FieldTag::new(epc, -60, 1)
}

fn on(antenna: u8) -> FieldTag {
    FieldTag { antenna, ..tag(antenna) }
}

fn antennas(antennas: &[u8]) -> ReaderSettings {
    ReaderSettings { antennas: antennas.to_vec(), ..Default::default() }
}

/// A host's session and a reader on one line.
struct Lane {
    session: R2000Session,
    reader: R2000Reader,
    origin: Instant,
    now: Duration,
    host_baud: u32,
    /// Whether bytes get across.
    line_is_whole: bool,
    /// The command whose one answer does not get across.
    lost_answer: Option<u8>,
    /// What is put before each frame of the reader.
    junk: Vec<u8>,
    commands: Vec<u8>,
    states: Vec<ReaderState>,
    tags: Vec<TagRead>,
    gaps: Vec<Gap>,
    reports: Vec<Report>,
    lines_dead: usize,
}

impl Lane {
    fn with(reader: &EmulatorSettings, settings: &ReaderSettings) -> Self {
        Self {
            session: R2000Session::try_new(settings).unwrap(),
            reader: R2000Reader::try_new(reader).unwrap(),
            origin: clock::now(),
            now: Duration::ZERO,
            host_baud: 0,
            line_is_whole: true,
            lost_answer: None,
            junk: Vec::new(),
            commands: Vec::new(),
            states: Vec::new(),
            tags: Vec::new(),
            gaps: Vec::new(),
            reports: Vec::new(),
            lines_dead: 0,
        }
    }

    /// A lane whose reader reads, with nothing said about how it came to that.
    fn reading_on(settings: &ReaderSettings) -> Self {
        let model = settings.model.clone().or(Some("yr8900".to_owned()));
        let mut lane = Self::with(&EmulatorSettings { model, ..Default::default() }, settings);
        lane.open();
        lane.pass(200 * MILLISECOND);
        assert_eq!(lane.states, [Probing, Configuring, Reading]);
        lane.states.clear();
        lane.reports.clear();
        lane
    }

    fn reading() -> Self {
        Self::reading_on(&ReaderSettings::default())
    }

    fn instant(&self) -> Instant {
        self.origin + self.now
    }

    fn open(&mut self) {
        self.session.handle_open(self.instant());
        self.exchange();
    }

    fn close(&mut self) {
        self.session.handle_closed(self.instant());
        self.exchange();
    }

    fn field(&mut self, tags: &[FieldTag]) {
        self.reader.set_field(tags, self.now);
        self.exchange();
    }

    fn breaks(&mut self, fault: DeviceFault) {
        self.reader.handle_fault(fault, self.now);
        self.exchange();
    }

    fn ask(&mut self, request: Request) {
        self.session.handle_request(request, self.instant());
        self.exchange();
    }

    /// The reader says something of itself.
    fn reader_says(&mut self, reply: &Reply<'_>) {
        self.session.handle_bytes(reply.emit(1).as_ref(), self.instant());
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
                    Transmit::Baud(baud) => self.host_baud = baud,
                    Transmit::Frame(frame) => self.carry_to_reader(frame),
                }
            }
            while let Some(transmit) = self.reader.poll_transmit() {
                moved = true;
                let lost = self.lost_answer.take_if(|lost| *lost == transmit.frame.as_ref()[3]);
                if self.line_is_whole && lost.is_none() && transmit.baud == self.host_baud {
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

    fn carry_to_reader(&mut self, frame: FrameBuf) {
        self.commands.push(frame.as_ref()[3]);
        if self.line_is_whole && self.reader.baud() == self.host_baud {
            self.reader.handle_bytes(frame.as_ref(), self.now);
        }
    }

    fn gap_causes(&self) -> Vec<GapCause> {
        self.gaps.iter().map(|gap| gap.cause).collect()
    }
}

#[test]
fn a_reader_is_set_up_and_a_tag_is_reported_the_moment_it_comes() {
    let mut lane = Lane::with(&EmulatorSettings::default(), &ReaderSettings::default());
    lane.open();
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
    assert_eq!(
        lane.commands,
        [
            opcode::VERSION,
            opcode::REGION,
            opcode::SET_TEMPORARY_POWER,
            opcode::SET_BEEPER,
            opcode::DETECTOR,
            opcode::SET_DETECTOR,
            opcode::SET_FAST_TID,
            opcode::SET_ANTENNA,
            opcode::REAL_TIME,
        ]
    );
    let text = "R2000 firmware 2.8, address 1".to_owned();
    assert_eq!(lane.reports, [Report::Identity { text, baud: Some(115_200) }]);
    lane.pass(7 * MILLISECOND);
    let at = lane.instant();
    lane.field(&[tag(7)]);
    let read = lane.tags[0];
    assert_eq!((read.epc, read.antenna, read.pc, read.at), (tag(7).epc, Some(1), Some(0x3000), at));
    let rssi = read.rssi.unwrap();
    assert!((-62..=-58).contains(&rssi.dbm.unwrap()), "{rssi:?}");
    assert_eq!(i16::from(rssi.raw) - 129, rssi.dbm.unwrap());
    assert!(read.frequency_khz.is_some_and(|khz| (902_000..=928_000).contains(&khz)));
    assert_eq!((read.read_count, read.tid, read.phase_deg), (1, None, None));
}

#[test]
fn the_next_round_begins_when_the_end_record_arrives() {
    let mut lane = Lane::reading();
    lane.commands.clear();
    lane.field(&[tag(7)]);
    lane.pass(SECOND);
    // Forty milliseconds a round, and nothing between.
    assert_eq!(lane.commands, vec![opcode::REAL_TIME; 25]);
    assert_eq!(lane.tags.len(), 21);
    assert_eq!((lane.states, lane.gaps), (vec![], vec![]));
}

#[test]
fn several_antennas_are_read_by_one_command() {
    for (ports, form) in [(&[1, 3][..], 10), (&[2, 5, 8][..], 18)] {
        let mut lane = Lane::reading_on(&antennas(ports));
        let command = lane.session.setup.round().emit(1);
        assert_eq!(command.as_ref().len(), 5 + form, "{ports:?}");
        lane.field(&(1..=8).map(on).collect::<Vec<_>>());
        lane.pass(SECOND);
        let mut heard: Vec<_> = lane.tags.iter().filter_map(|read| read.antenna).collect();
        let of_each = heard.len() / ports.len();
        assert!(of_each >= 10, "{of_each} reads of each");
        heard.sort_unstable();
        heard.dedup();
        assert_eq!(heard, ports);
        assert_eq!((lane.states, lane.gaps), (vec![], vec![]));
    }
}

#[test]
fn an_empty_field_is_not_mistaken_for_a_dead_reader() {
    let mut lane = Lane::reading();
    lane.pass(60 * SECOND);
    assert_eq!((lane.states, lane.gaps), (vec![], vec![]));
}

#[test]
fn a_tid_comes_with_the_epc_where_it_is_wanted() {
    let tid = Tid::try_from_slice(&[0xE2, 0x80, 0x11, 5, 0, 0, 0, 0, 0, 0, 0, 9]).unwrap();
    let settings = ReaderSettings { tid: TidReading::On, ..Default::default() };
    let mut lane = Lane::reading_on(&settings);
    lane.field(&[FieldTag { tid: Some(tid), ..tag(7) }, tag(8)]);
    let found: Vec<_> = lane.tags.iter().map(|read| (read.epc, read.tid)).collect();
    assert_eq!(found, [(tag(7).epc, Some(tid)), (tag(8).epc, None)]);
}

#[test]
fn what_the_flash_holds_already_is_not_written_again() {
    let settings = ReaderSettings { region: Some(3), read_power_cdbm: 1550, ..Default::default() };
    let mut lane = Lane::reading_on(&settings);
    assert!(lane.commands.contains(&opcode::SET_REGION));
    assert!(lane.commands.contains(&opcode::SET_POWER));
    lane.field(&[tag(7)]);
    assert!(lane.tags[0].frequency_khz.is_some_and(|khz| (920_000..=925_000).contains(&khz)));
    lane.close();
    lane.commands.clear();
    lane.open();
    lane.pass(SECOND);
    assert!(!lane.commands.contains(&opcode::SET_REGION));
    assert!(!lane.commands.contains(&opcode::SET_POWER));
    assert!(!lane.commands.contains(&opcode::SET_DETECTOR));
    assert_eq!(lane.states, [Closed, Probing, Configuring, Reading]);
}

#[test]
fn a_setting_that_no_reader_has_is_refused_before_anything_is_sent() {
    let refused =
        |settings: &ReaderSettings| R2000Session::try_new(settings).map(drop).unwrap_err().setting;
    assert_eq!(refused(&antennas(&[9])), "antenna");
    assert_eq!(refused(&antennas(&[])), "antenna");
    let of_model = |model: &str| ReaderSettings { model: Some(model.to_owned()), ..antennas(&[5]) };
    assert_eq!(refused(&of_model("ind903")), "antenna");
    assert_eq!(refused(&of_model("m6e")), "model");
    assert_eq!(refused(&ReaderSettings { region: Some(4), ..Default::default() }), "region");
    let baud = ReaderSettings { baud_wanted: Some(57_600), ..Default::default() };
    assert_eq!(refused(&baud), "baud rate");
}

#[test]
fn a_reader_is_found_at_another_rate_and_brought_to_the_wanted_one() {
    let settings = ReaderSettings { baud_wanted: Some(115_200), ..Default::default() };
    let reader = EmulatorSettings { baud: Some(38_400), ..Default::default() };
    let mut lane = Lane::with(&reader, &settings);
    lane.open();
    lane.pass(3 * SECOND);
    assert_eq!((lane.host_baud, lane.reader.baud()), (115_200, 115_200));
    assert_eq!(lane.states, [Probing, Configuring, Probing, Configuring, Reading]);
    let bauds: Vec<_> = lane
        .reports
        .iter()
        .filter_map(|report| match report {
            Report::Identity { baud, .. } => *baud,
            _ => None,
        })
        .collect();
    assert_eq!(bauds, [38_400, 115_200]);
    assert_eq!(lane.lines_dead, 0);
}

#[test]
fn the_reads_of_an_earlier_hosts_long_round_are_thrown_away() {
    let reader = EmulatorSettings { power_up: PowerUp::Reading, ..Default::default() };
    let mut lane = Lane::with(&reader, &ReaderSettings::default());
    lane.field(&[tag(7)]);
    lane.open();
    lane.pass(2 * SECOND);
    assert_eq!((&lane.states[..], lane.tags.len()), (&[Probing][..], 0));
    lane.pass(2 * SECOND);
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
    assert!(lane.tags.len() > 10, "{} reads", lane.tags.len());
    assert_eq!(lane.gaps, []);
}

#[test]
fn a_reader_that_restarts_unseen_is_set_up_again_and_the_gap_is_reported() {
    let settings = antennas(&[2]);
    let mut lane = Lane::reading_on(&settings);
    lane.field(&[on(2)]);
    lane.breaks(DeviceFault::Reboot);
    lane.commands.clear();
    let before = lane.tags.len();
    lane.pass(1500 * MILLISECOND);
    assert_eq!(lane.states, [Configuring, Reading]);
    assert!(lane.commands.contains(&opcode::SET_ANTENNA));
    assert!(!lane.commands.contains(&opcode::SET_BEEPER), "it is quiet already");
    assert_eq!(lane.gap_causes(), [GapCause::Silence]);
    let gap = lane.gaps[0].until - lane.gaps[0].since;
    assert!(gap >= Duration::from_millis(500) && gap < SECOND, "{gap:?}");
    assert!(lane.tags.len() > before + 5, "{} reads", lane.tags.len());
}

#[test]
fn a_reader_that_says_that_it_was_reset_is_set_up_again() {
    let mut lane = Lane::reading();
    let code = ErrorCode::MCU_RESET;
    lane.reader_says(&Reply::Refused { opcode: opcode::REAL_TIME, code });
    lane.pass(SECOND);
    assert_eq!(lane.states, [Configuring, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Reboot]);
}

#[test]
fn a_lost_end_record_costs_less_than_half_a_second() {
    let mut lane = Lane::reading();
    lane.lost_answer = Some(opcode::REAL_TIME);
    lane.pass(500 * MILLISECOND);
    assert_eq!(lane.states, [Configuring, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Silence]);
    assert!(lane.gaps[0].until - lane.gaps[0].since < 400 * MILLISECOND);
}

#[test]
fn a_round_that_is_only_slow_is_waited_for() {
    let mut lane = Lane::reading();
    lane.breaks(DeviceFault::TagsLost);
    // Another host on the line lets the reader read thirty rounds.
    let frame = Command::RealTime { repeat: 30 }.emit(1);
    lane.reader.handle_bytes(frame.as_ref(), lane.now);
    lane.pass(3 * SECOND);
    assert_eq!((lane.states, lane.gaps), (vec![], vec![]));
    assert!(lane.commands.contains(&opcode::VERSION));
}

#[test]
fn a_silent_reader_is_degraded_within_two_and_a_half_periods_and_then_the_line_is_dead() {
    let mut lane = Lane::reading();
    lane.pass(10 * SECOND);
    lane.line_is_whole = false;
    lane.pass(2600 * MILLISECOND);
    assert_eq!(lane.states, [Degraded, Probing]);
    lane.pass(3 * SECOND);
    assert!(lane.lines_dead >= 1);
    lane.line_is_whole = true;
    lane.pass(2 * SECOND);
    assert_eq!(lane.states, [Degraded, Probing, Configuring, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Silence]);
    assert!(lane.gaps[0].until - lane.gaps[0].since > 5 * SECOND);
}

#[test]
fn a_mute_reader_is_found_again_when_it_speaks() {
    let mut lane = Lane::reading();
    lane.breaks(DeviceFault::Mute);
    lane.pass(10 * SECOND);
    lane.breaks(DeviceFault::Unmute);
    lane.field(&[tag(7)]);
    lane.pass(3 * SECOND);
    assert_eq!(lane.states, [Degraded, Probing, Configuring, Reading]);
    assert!(lane.tags.len() > 10);
}

#[test]
fn an_antenna_that_goes_missing_is_named_and_the_others_go_on() {
    let mut lane = Lane::reading_on(&antennas(&[1, 2]));
    lane.field(&[on(1), on(2)]);
    lane.breaks(DeviceFault::AntennaLost { port: 2 });
    lane.pass(100 * MILLISECOND);
    lane.tags.clear();
    lane.pass(SECOND);
    let missing = Report::Antenna { port: 2, state: AntennaState::Missing };
    assert_eq!(lane.reports, [missing, Report::RadioFault { text: "antenna missing" }]);
    assert!(lane.tags.len() > 10 && lane.tags.iter().all(|read| read.antenna == Some(1)));
    lane.breaks(DeviceFault::AntennaBack { port: 2 });
    lane.pass(SECOND);
    let back = Report::Antenna { port: 2, state: AntennaState::Connected };
    assert_eq!(lane.reports[2..], [back]);
    assert!(lane.tags.iter().any(|read| read.antenna == Some(2)));
    assert_eq!((lane.states, lane.gaps), (vec![], vec![]));
}

#[test]
fn without_any_antenna_the_reader_is_degraded_until_one_is_back() {
    for ports in [&[1][..], &[1, 2]] {
        let mut lane = Lane::reading_on(&antennas(ports));
        lane.field(&[on(1)]);
        for &port in ports {
            lane.breaks(DeviceFault::AntennaLost { port });
        }
        lane.pass(3 * SECOND);
        assert_eq!(lane.states, [Degraded], "{ports:?}");
        lane.breaks(DeviceFault::AntennaBack { port: 1 });
        lane.pass(SECOND);
        assert_eq!(lane.states, [Degraded, Reading], "{ports:?}");
        assert_eq!(lane.gap_causes(), [GapCause::Radio]);
        let back = Report::Antenna { port: 1, state: AntennaState::Connected };
        assert!(lane.reports.contains(&back));
    }
}

#[test]
fn a_reader_that_is_too_warm_is_degraded_and_says_why_once() {
    let mut lane = Lane::reading();
    lane.breaks(DeviceFault::Temperature { celsius: 90 });
    lane.pass(5 * SECOND);
    assert_eq!(lane.states, [Degraded]);
    assert_eq!(lane.reports, [Report::RadioFault { text: "wanted power cannot be reached" }]);
    lane.breaks(DeviceFault::Temperature { celsius: 40 });
    lane.pass(SECOND);
    assert_eq!(lane.states, [Degraded, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Radio]);
}

#[test]
fn without_end_records_the_reader_is_set_up_again_and_again_but_its_tags_are_reported() {
    let mut lane = Lane::reading();
    lane.breaks(DeviceFault::HeartbeatLost);
    lane.field(&[tag(7)]);
    lane.pass(3 * SECOND);
    assert!(lane.tags.len() >= 6, "{} reads", lane.tags.len());
    assert!(lane.gap_causes().iter().all(|cause| *cause == GapCause::Silence));
    assert!(lane.gaps.len() >= 5);
}

#[test]
fn what_the_owner_asks_is_answered_between_two_rounds() {
    let mut lane = Lane::reading_on(&antennas(&[1, 2]));
    lane.breaks(DeviceFault::AntennaLost { port: 2 });
    for request in [
        Request::Temperature,
        Request::Inputs,
        Request::SetOutput { pin: 3, level: Level::High },
        Request::SetOutput { pin: 1, level: Level::High },
        Request::Antennas,
        Request::Statistics,
    ] {
        lane.ask(request);
    }
    lane.pass(200 * MILLISECOND);
    let answers: Vec<_> = lane
        .reports
        .iter()
        .filter(|report| !matches!(report, Report::RadioFault { .. }))
        .cloned()
        .collect();
    let wrong_pin = Request::SetOutput { pin: 1, level: Level::High };
    for expected in [
        Report::Refused { request: Request::Statistics },
        Report::Temperature { celsius: 36 },
        Report::Input { pin: 1, level: Level::Low },
        Report::Input { pin: 2, level: Level::Low },
        Report::OutputSet { pin: 3 },
        Report::Refused { request: wrong_pin },
        Report::Antenna { port: 1, state: AntennaState::Connected },
        Report::Antenna { port: 2, state: AntennaState::Missing },
    ] {
        assert!(answers.contains(&expected), "{expected:?} is not among {answers:?}");
    }
    assert_eq!(lane.gap_causes(), [GapCause::Request]);
    assert_eq!(lane.states, []);
    lane.field(&[on(1)]);
    lane.pass(SECOND);
    assert!(lane.tags.len() > 10);
}

#[test]
fn a_question_without_an_answer_is_refused_and_reading_goes_on() {
    let mut lane = Lane::reading();
    lane.lost_answer = Some(opcode::TEMPERATURE);
    lane.ask(Request::Temperature);
    lane.pass(SECOND);
    assert_eq!(lane.reports, [Report::Refused { request: Request::Temperature }]);
    assert_eq!(lane.states, [Configuring, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Request]);
}

#[test]
fn a_refusal_leaves_the_reader_degraded_and_is_tried_again() {
    let reader = EmulatorSettings { model: Some("ind903".to_owned()), ..Default::default() };
    let mut lane = Lane::with(&reader, &antennas(&[5]));
    lane.open();
    assert_eq!(lane.states, [Probing, Configuring, Degraded]);
    assert!(lane.reports.contains(&Report::RadioFault { text: "antenna out of range" }));
    lane.pass(1500 * MILLISECOND);
    assert_eq!(lane.states[3..], [Probing, Configuring, Degraded]);
    assert_eq!(lane.lines_dead, 0);
}

#[test]
fn noise_is_a_gap_but_loses_no_intact_report() {
    let mut lane = Lane::reading();
    lane.junk = vec![0xA0, 0x13, 0x01, 0xA0, 0x55];
    lane.field(&[tag(7)]);
    lane.pass(SECOND);
    assert!((20..=21).contains(&lane.tags.len()), "{} reads", lane.tags.len());
    assert!(lane.gap_causes().iter().all(|cause| matches!(cause, GapCause::Noise { bytes: 1.. })));
    assert!(!lane.gaps.is_empty());
    assert_eq!(lane.states, []);
}

#[test]
fn another_readers_tags_on_the_same_line_are_not_ours() {
    let mut lane = Lane::reading();
    let mut other = R2000Reader::try_new(&EmulatorSettings::default()).unwrap();
    let now = lane.now;
    other.handle_bytes(Command::SetAddress { address: 9 }.emit(1).as_ref(), now);
    other.set_field(&[tag(7)], now);
    other.handle_bytes(Command::RealTime { repeat: 1 }.emit(9).as_ref(), now);
    let said: Vec<_> = std::iter::from_fn(|| other.poll_transmit()).collect();
    assert_eq!(said.len(), 2);
    for transmit in said {
        lane.session.handle_bytes(transmit.frame.as_ref(), lane.instant());
    }
    lane.exchange();
    assert_eq!(lane.tags, []);
}

#[test]
fn a_lost_port_is_a_gap_from_the_last_sign_of_life_to_the_next() {
    let mut lane = Lane::reading();
    lane.field(&[tag(7)]);
    let since = lane.instant();
    lane.close();
    lane.pass(3 * SECOND);
    lane.open();
    lane.pass(SECOND);
    assert_eq!(lane.states, [Closed, Probing, Configuring, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::PortLost]);
    assert_eq!(lane.gaps[0].since, since);
    assert!(lane.gaps[0].until - since >= 3 * SECOND);
}

#[test]
fn whoever_leaves_leaves_the_reader_quiet_within_a_round() {
    let mut lane = Lane::reading();
    lane.session.handle_shutdown(lane.instant());
    lane.exchange();
    lane.pass(SECOND);
    assert_eq!(lane.reader.next_deadline(), None);
    assert_eq!(lane.states, [Closed]);
}

proptest! {
    #[test]
    fn byte_soup_never_panics_and_never_stops_the_session(
        soup in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..10),
    ) {
        let mut lane = Lane::reading();
        for bytes in soup {
            lane.session.handle_bytes(&bytes, lane.instant());
            lane.exchange();
            lane.pass(30 * MILLISECOND);
        }
        lane.pass(5 * SECOND);
        lane.field(&[tag(7)]);
        lane.pass(SECOND);
        prop_assert!(lane.tags.iter().any(|read| read.epc == tag(7).epc));
    }
}

#[test]
fn what_was_asked_when_the_port_was_lost_is_answered_when_it_is_back() {
    let mut lane = Lane::reading();
    lane.lost_answer = Some(opcode::TEMPERATURE);
    lane.ask(Request::Temperature);
    // Until the round has ended and the question is out.
    lane.pass(60 * MILLISECOND);
    assert_eq!(lane.lost_answer, None);
    lane.close();
    lane.pass(SECOND);
    lane.open();
    lane.pass(SECOND);
    assert!(lane.reports.contains(&Report::Temperature { celsius: 36 }), "{:?}", lane.reports);
}

#[test]
fn an_answer_without_sense_refuses_the_request() {
    let mut lane = Lane::reading();
    lane.lost_answer = Some(opcode::TEMPERATURE);
    lane.ask(Request::Temperature);
    lane.pass(60 * MILLISECOND);
    let done = Reply::Done { opcode: opcode::TEMPERATURE };
    lane.session.handle_bytes(done.emit(1).as_ref(), lane.instant());
    lane.exchange();
    lane.pass(60 * MILLISECOND);
    assert_eq!(lane.reports, [Report::Refused { request: Request::Temperature }]);
    assert_eq!(lane.states, []);
}

#[test]
fn of_two_levels_for_one_pin_the_later_one_stays() {
    let mut lane = Lane::reading();
    for level in [Level::High, Level::Low, Level::High] {
        lane.ask(Request::SetOutput { pin: 3, level });
    }
    lane.commands.clear();
    lane.pass(SECOND);
    let sets = lane.commands.iter().filter(|opcode| **opcode == opcode::WRITE_GPIO).count();
    assert_eq!((sets, lane.reports), (3, vec![Report::OutputSet { pin: 3 }; 3]));
}
