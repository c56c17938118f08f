//! Stories: a session and a module made of software, joined by a line, in virtual time.
//!
//! A new story goes to the end; what it needs of the line or the module becomes a method of
//! [`Lane`].

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Yrm100Session, errands};
use crate::codec::Opaque;
use crate::emulator::{DeviceFault, Emulator, EmulatorSettings, FieldTag, PowerUp, TransmitKind};
use crate::protocol::yrm100::codec::{
    Command, ErrorCode, Frame, Marks, Reply, Select, TagIdentity, TagNotice, opcode,
};
use crate::protocol::yrm100::emulator::Yrm100Reader;
use crate::session::ReaderState::{Closed, Configuring, Degraded, Probing, Reading};
use crate::session::{
    Gap, GapCause, Level, ReaderSettings, ReaderState, Report, Request, Session, SessionEvent,
    Transmit,
};
use crate::{Epc, TagRead, clock};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

fn tag(serial: u8) -> FieldTag {
    let epc = Epc::try_from_slice(&[0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, serial]).unwrap();
    FieldTag::new(epc, -60, 1)
}

/// A host's session and a module on one line.
struct Lane {
    session: Yrm100Session,
    reader: Yrm100Reader,
    origin: Instant,
    now: Duration,
    /// The rate of the host's end.
    baud: u32,
    /// Whether bytes get across.
    line_is_whole: bool,
    /// The command whose answer does not get across, once.
    lost_answer: Option<u8>,
    /// What is put before each frame of the module.
    junk: Vec<u8>,
    /// The commands that the session sent, by their codes.
    commands: Vec<u8>,
    states: Vec<ReaderState>,
    tags: Vec<TagRead>,
    gaps: Vec<Gap>,
    reports: Vec<Report>,
    lines_dead: usize,
}

impl Lane {
    fn new() -> Self {
        Self::with(Marks::Bb7e, &EmulatorSettings::default(), &ReaderSettings::default())
    }

    fn with(marks: Marks, reader: &EmulatorSettings, settings: &ReaderSettings) -> Self {
        Self {
            session: Yrm100Session::new(settings, None),
            reader: Yrm100Reader::new(reader, Some(marks)),
            origin: clock::now(),
            now: Duration::ZERO,
            baud: 0,
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

    /// A lane whose module reads, with nothing said about how it came to that.
    fn reading() -> Self {
        let mut lane = Self::new();
        lane.open();
        lane.pass(100 * MILLISECOND);
        assert_eq!(lane.states, [Probing, Configuring, Reading]);
        lane.forget();
        lane
    }

    fn forget(&mut self) {
        self.states.clear();
        self.commands.clear();
        self.reports.clear();
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

    fn fault(&mut self, fault: DeviceFault) {
        self.reader.handle_fault(fault, self.now);
        self.exchange();
    }

    fn request(&mut self, request: Request) {
        self.session.handle_request(request, self.instant());
        self.exchange();
    }

    /// The module says something of itself.
    fn reader_says(&mut self, reply: &Reply<'_>) {
        self.session.handle_bytes(reply.emit(Marks::Bb7e).as_ref(), self.instant());
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
                        self.commands.push(frame.as_ref()[2]);
                        if self.line_is_whole && self.baud == self.reader.baud() {
                            self.reader.handle_bytes(frame.as_ref(), self.now);
                        }
                    }
                }
            }
            while let Some(transmit) = self.reader.poll_transmit() {
                moved = true;
                let lost = self.lost_answer.take_if(|lost| *lost == transmit.frame.as_ref()[2]);
                if self.line_is_whole && self.baud == transmit.baud && lost.is_none() {
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

#[test]
fn a_module_is_set_up_and_a_tag_is_reported_the_moment_it_comes() {
    let mut lane = Lane::new();
    lane.open();
    lane.pass(100 * MILLISECOND);
    assert_eq!(
        lane.commands,
        [
            opcode::INFO,
            opcode::INFO,
            opcode::STOP_POLL,
            opcode::SET_POWER,
            // 27 dBm are more than it has.
            opcode::SET_POWER,
            opcode::SET_SELECT_MODE,
            opcode::SET_QUERY,
            opcode::MULTI_POLL
        ]
    );
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
    let text = "YRM100, firmware V2.3.5".to_owned();
    assert_eq!(lane.reports, [Report::Identity { text, baud: Some(115_200) }]);
    let at = lane.instant();
    lane.field(&[tag(7)]);
    let read = lane.tags[0];
    assert_eq!((read.epc, read.antenna, read.pc, read.at), (tag(7).epc, None, Some(0x3000), at));
    let rssi = read.rssi.unwrap();
    assert!(rssi.dbm.is_some_and(|dbm| (-62..=-58).contains(&dbm)), "{rssi:?}");
    assert_eq!(rssi.dbm.map(|dbm| dbm.to_be_bytes()[1]), Some(rssi.raw));
    assert_eq!(lane.gaps, []);
}

#[test]
fn the_other_firmware_is_found_by_the_same_question_at_whatever_rate() {
    for baud in [115_200, 9600, 19_200, 38_400, 57_600] {
        let reader = EmulatorSettings { baud: Some(baud), ..EmulatorSettings::default() };
        let mut lane = Lane::with(Marks::AaDd, &reader, &ReaderSettings::default());
        lane.open();
        lane.pass(SECOND);
        lane.field(&[tag(7)]);
        assert_eq!((&lane.states[..], lane.tags.len()), (&[Probing, Configuring, Reading][..], 1));
        let text = "R200, firmware V2.3.5".to_owned();
        assert_eq!(lane.reports, [Report::Identity { text, baud: Some(baud) }]);
    }
}

#[test]
fn the_line_is_brought_to_the_wanted_rate() {
    let settings = ReaderSettings { baud_wanted: Some(38_400), ..ReaderSettings::default() };
    let mut lane = Lane::with(Marks::Bb7e, &EmulatorSettings::default(), &settings);
    lane.open();
    lane.pass(SECOND);
    lane.field(&[tag(7)]);
    assert_eq!((lane.baud, lane.reader.baud(), lane.tags.len()), (38_400, 38_400, 1));
}

#[test]
fn a_module_that_does_not_follow_to_the_wanted_rate_is_read_at_its_own() {
    let settings = ReaderSettings { baud_wanted: Some(460_800), ..ReaderSettings::default() };
    let mut lane = Lane::with(Marks::Bb7e, &EmulatorSettings::default(), &settings);
    lane.open();
    lane.pass(2 * SECOND);
    lane.field(&[tag(7)]);
    assert_eq!((lane.baud, lane.tags.len()), (115_200, 1));
}

#[test]
fn an_empty_field_is_not_mistaken_for_a_dead_module() {
    let mut lane = Lane::reading();
    lane.pass(60 * SECOND);
    assert_eq!((lane.states, lane.gaps, lane.commands), (vec![], vec![], vec![]));
}

#[test]
fn a_poll_is_begun_anew_before_its_rounds_are_used_up() {
    let mut lane = Lane::reading();
    lane.pass(1800 * SECOND);
    assert_eq!(lane.commands, [opcode::MULTI_POLL]);
    assert_eq!((&lane.states[..], &lane.gaps[..]), (&[][..], &[][..]));
    lane.field(&[tag(7)]);
    assert_eq!(lane.tags.len(), 1);
}

#[test]
fn a_poll_that_ended_is_noticed_by_the_silence_and_started_again() {
    let mut lane = Lane::reading();
    let since = lane.instant();
    // Somebody else on the line gives it a short poll.
    let short = Command::MultiPoll { rounds: 3 }.emit(Marks::Bb7e);
    lane.reader.handle_bytes(short.as_ref(), lane.now);
    lane.pass(2 * SECOND);
    assert_eq!(lane.states, [Degraded, Probing, Configuring, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Silence]);
    assert!(lane.gaps[0].since > since && lane.gaps[0].until - since < SECOND);
    lane.field(&[tag(7)]);
    assert_eq!(lane.tags.len(), 1);
}

#[test]
fn a_module_that_still_polls_for_somebody_else_is_stopped_and_its_old_reports_are_thrown_away() {
    let reader = EmulatorSettings { power_up: PowerUp::Reading, ..EmulatorSettings::default() };
    for marks in Marks::ALL {
        let mut lane = Lane::with(marks, &reader, &ReaderSettings::default());
        lane.field(&[tag(7)]);
        lane.pass(SECOND);
        lane.open();
        assert_eq!(lane.tags.len(), 0);
        lane.pass(SECOND);
        assert_eq!(lane.states, [Probing, Configuring, Reading]);
        assert!(lane.commands.contains(&opcode::STOP_POLL));
        let before = lane.origin + SECOND + 5 * MILLISECOND;
        assert!(lane.tags.len() > 10 && lane.tags.iter().all(|read| read.at >= before));
        assert_eq!(lane.gaps, []);
    }
}

#[test]
fn an_earlier_hosts_selection_does_not_hide_tags() {
    let mut lane = Lane::new();
    let mask = Opaque(&[0xFF; 12]);
    let select = Select { parameters: 1, pointer_bits: 0x20, mask_bits: 96, truncate: 0, mask };
    for command in [Command::SetSelect(select), Command::SetSelectMode { mode: 0 }] {
        lane.reader.handle_bytes(command.emit(Marks::Bb7e).as_ref(), Duration::ZERO);
    }
    while lane.reader.poll_transmit().is_some() {}
    lane.open();
    lane.pass(SECOND);
    lane.field(&[tag(7)]);
    assert_eq!(lane.tags.len(), 1);
}

#[test]
fn a_module_that_restarts_without_a_word_is_set_up_again_and_the_gap_is_reported() {
    let settings = ReaderSettings { read_power_cdbm: 2000, ..ReaderSettings::default() };
    let mut lane = Lane::with(Marks::Bb7e, &EmulatorSettings::default(), &settings);
    lane.open();
    lane.pass(SECOND);
    lane.field(&[tag(7)]);
    let since = lane.instant();
    lane.forget();
    lane.fault(DeviceFault::Reboot);
    lane.pass(2 * SECOND);
    assert_eq!(lane.states, [Degraded, Probing, Configuring, Reading]);
    assert!(lane.commands.contains(&opcode::SET_POWER));
    assert_eq!((lane.gap_causes(), lane.gaps[0].since), (vec![GapCause::Silence], since));
    assert!(lane.gaps[0].until - since < SECOND);
    assert!(lane.tags.len() > 10);
}

#[test]
fn a_silent_module_is_degraded_and_then_the_line_is_dead() {
    let mut lane = Lane::reading();
    lane.pass(10 * SECOND);
    lane.fault(DeviceFault::Mute);
    lane.pass(600 * MILLISECOND);
    assert_eq!(lane.states, [Degraded]);
    lane.pass(3 * SECOND);
    assert_eq!(lane.states, [Degraded, Probing]);
    assert!(lane.lines_dead >= 1);
    lane.fault(DeviceFault::Unmute);
    lane.pass(2 * SECOND);
    assert_eq!(lane.states, [Degraded, Probing, Configuring, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Silence]);
    assert!(lane.gaps[0].until - lane.gaps[0].since > 3 * SECOND);
}

#[test]
fn tags_alone_are_life_enough() {
    let mut lane = Lane::reading();
    lane.field(&[tag(7)]);
    lane.fault(DeviceFault::HeartbeatLost);
    lane.pass(5 * SECOND);
    assert_eq!((&lane.states[..], &lane.gaps[..]), (&[][..], &[][..]));
}

#[test]
fn a_lost_answer_to_any_step_delays_but_does_not_stop_the_setup() {
    for lost in
        [opcode::INFO, opcode::STOP_POLL, opcode::SET_POWER, opcode::SET_SELECT, opcode::SET_QUERY]
    {
        let mut lane = Lane::new();
        lane.lost_answer = Some(lost);
        lane.open();
        lane.pass(2 * SECOND);
        assert_eq!(lane.states.last(), Some(&Reading), "{lost:02x}");
        assert_eq!((lane.lost_answer, lane.lines_dead), (None, 0));
    }
}

#[test]
fn a_refused_region_leaves_the_module_degraded_and_is_tried_again() {
    let no_such_region = ReaderSettings { region: Some(9), ..Default::default() };
    let mut lane = Lane::with(Marks::Bb7e, &EmulatorSettings::default(), &no_such_region);
    lane.open();
    assert_eq!(lane.states, [Probing, Configuring, Degraded]);
    lane.pass(2500 * MILLISECOND);
    assert_eq!(lane.states[3..], [Probing, Configuring, Degraded, Probing, Configuring, Degraded]);
    assert_eq!(lane.lines_dead, 0);
}

#[test]
fn noise_is_a_gap_but_loses_no_intact_report() {
    let mut lane = Lane::reading();
    lane.junk = vec![0xBB, 0x02, 0x22, 0x00];
    lane.field(&[tag(7)]);
    lane.pass(SECOND);
    let reads = lane.tags.len();
    assert!((20..=21).contains(&reads), "{reads} reads");
    assert!(!lane.gaps.is_empty());
    assert!(lane.gap_causes().iter().all(|cause| matches!(cause, GapCause::Noise { bytes: 1.. })));
    assert_eq!(lane.states, []);
}

#[test]
fn a_tag_without_an_identity_is_a_gap_and_not_a_tag() {
    let mut lane = Lane::reading();
    let identity = TagIdentity { pc: 0, xpc: Opaque(&[]), epc: Opaque(&[]) };
    let notice = TagNotice { rssi_dbm: -50, identity, tag_crc: 0 };
    let notice = TagNotice { tag_crc: notice.computed_crc(), ..notice };
    lane.reader_says(&Reply::Tag { command: opcode::SINGLE_POLL, notice });
    assert_eq!(lane.gap_causes(), [GapCause::Unusable]);
    assert_eq!(lane.tags, []);
}

#[test]
fn occupied_channels_degrade_the_module_until_it_reads_again_and_are_told_once() {
    let mut lane = Lane::reading();
    for _ in 0..3 {
        lane.reader_says(&Reply::Refused { code: ErrorCode::NO_FREE_CHANNEL, tag: None });
    }
    assert_eq!(lane.states, [Degraded]);
    assert_eq!(lane.reports, [Report::RadioFault { text: "all channels occupied" }]);
    lane.field(&[tag(7)]);
    assert_eq!(lane.states, [Degraded, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Radio]);
}

#[test]
fn a_poll_that_finds_no_channel_is_a_poll_all_the_same() {
    let no_channel = Reply::Refused { code: ErrorCode::NO_FREE_CHANNEL, tag: None };
    let reader = EmulatorSettings { power_up: PowerUp::Reading, ..EmulatorSettings::default() };
    let mut lane = Lane::with(Marks::Bb7e, &reader, &ReaderSettings::default());
    lane.line_is_whole = false;
    lane.open();
    lane.line_is_whole = true;
    lane.commands.clear();
    // Twice: before it is told to stop, and before it has stopped.
    lane.reader_says(&no_channel);
    lane.reader_says(&no_channel);
    assert_eq!(lane.commands, [opcode::STOP_POLL]);
    lane.pass(SECOND);
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
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
fn pins_are_read_and_set_with_reading_interrupted_which_is_a_gap() {
    let mut lane = Lane::reading();
    lane.request(Request::SetOutput { pin: 2, level: Level::Low });
    lane.request(Request::Inputs);
    lane.pass(100 * MILLISECOND);
    let inputs = [(1, Level::High), (2, Level::Low), (3, Level::High), (4, Level::High)];
    let mut reports = vec![Report::OutputSet { pin: 2 }];
    reports.extend(inputs.map(|(pin, level)| Report::Input { pin, level }));
    assert_eq!(lane.reports, reports);
    assert_eq!(lane.gap_causes(), [GapCause::Request]);
    assert_eq!(lane.states, []);
    lane.field(&[tag(7)]);
    assert_eq!(lane.tags.len(), 1);
}

#[test]
fn what_no_module_can_do_is_refused_without_interrupting() {
    let mut lane = Lane::reading();
    let requests = [
        Request::Temperature,
        Request::Antennas,
        Request::Statistics,
        Request::SetOutput { pin: 5, level: Level::High },
    ];
    for request in requests {
        lane.request(request);
    }
    assert_eq!(lane.reports, requests.map(|request| Report::Refused { request }));
    assert_eq!((lane.commands, lane.gaps), (vec![], vec![]));
}

#[test]
fn what_is_asked_of_an_absent_module_is_done_before_it_reads() {
    let mut lane = Lane::new();
    lane.request(Request::SetOutput { pin: 1, level: Level::High });
    assert_eq!(lane.reports, []);
    lane.open();
    lane.pass(SECOND);
    assert_eq!(lane.reports[1..], [Report::OutputSet { pin: 1 }]);
    assert_eq!(lane.gaps, []);
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
}

#[test]
fn an_operation_that_is_not_answered_is_refused_and_reading_goes_on() {
    let mut lane = Lane::reading();
    lane.lost_answer = Some(opcode::PIN);
    let request = Request::SetOutput { pin: 1, level: Level::High };
    lane.request(request);
    lane.pass(2 * SECOND);
    assert_eq!(lane.reports[0], Report::Refused { request });
    assert_eq!(lane.states.last(), Some(&Reading));
    let mut errands = errands::Errands::default();
    assert_eq!(errands.first(), None);
    errands.refuse_first(&mut crate::session::Watch::new());
}

#[test]
fn whoever_leaves_leaves_the_module_quiet() {
    let mut lane = Lane::reading();
    lane.session.handle_shutdown(lane.instant());
    lane.exchange();
    lane.pass(SECOND);
    assert_eq!(lane.reader.next_deadline(), None);
    assert_eq!(lane.states, [Closed]);
}

#[test]
fn whoever_leaves_before_the_module_was_heard_leaves_it_quiet_too() {
    let mut lane = Lane::reading();
    // The host is killed, and a new one is told to leave at once.
    lane.session = Yrm100Session::new(&ReaderSettings::default(), None);
    lane.line_is_whole = false;
    lane.open();
    lane.line_is_whole = true;
    lane.session.handle_shutdown(lane.instant());
    lane.exchange();
    lane.pass(SECOND);
    assert_eq!(lane.reader.next_deadline(), None);
}

#[test]
fn requests_without_end_are_refused_and_not_kept() {
    let mut errands = errands::Errands::default();
    let mut watch = crate::session::Watch::new();
    for _ in 0..1000 {
        errands.add(Request::Inputs, &mut watch);
    }
    let refused = std::iter::from_fn(|| watch.poll()).count();
    assert!((900..1000).contains(&refused), "{refused} refused");
}

#[test]
fn reports_of_the_emulator_say_what_they_are() {
    let reader = EmulatorSettings { power_up: PowerUp::Reading, ..EmulatorSettings::default() };
    let mut reader = Yrm100Reader::new(&reader, Some(Marks::Bb7e));
    reader.set_field(&[tag(7)], Duration::ZERO);
    reader.handle_deadline(20 * MILLISECOND);
    reader.handle_deadline(40 * MILLISECOND);
    let kinds: Vec<_> = std::iter::from_fn(|| reader.poll_transmit())
        .map(|transmit| {
            let bytes = transmit.frame.as_ref().to_vec();
            let frame = Frame::new_checked(&bytes, crate::codec::Direction::FromReader).unwrap();
            (transmit.kind, frame.command())
        })
        .collect();
    assert_eq!(
        kinds,
        [(TransmitKind::Tag, opcode::SINGLE_POLL), (TransmitKind::KeepAlive, opcode::FAILED)]
    );
}

proptest! {
    #[test]
    fn byte_soup_never_panics_and_never_stops_the_session(
        soup in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..10),
        frames in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..8)), 0..10),
    ) {
        let mut lane = Lane::reading();
        for bytes in soup {
            lane.session.handle_bytes(&bytes, lane.instant());
            lane.exchange();
            lane.pass(Duration::from_millis(30));
        }
        for (command, parameters) in &frames {
            let kind = crate::protocol::yrm100::codec::FrameKind::Answer;
            let parameters = Opaque(parameters);
            lane.reader_says(&Reply::Other { kind, command: *command, parameters });
            lane.pass(Duration::from_millis(30));
        }
        lane.pass(5 * SECOND);
        lane.field(&[tag(7)]);
        prop_assert!(lane.tags.iter().any(|read| read.epc == tag(7).epc));
    }
}
