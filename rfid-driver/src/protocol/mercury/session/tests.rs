//! Stories: a session and a reader made of software, joined by a line, in virtual time.
//!
//! A new story goes to the end of the file that it belongs to: this one for how a reader is found,
//! read and lost again, [`setup`] for how it is set up, [`faults`] for what it complains of,
//! [`requests`] for what the owner asks. What it needs of the line or the reader becomes a method of
//! [`Lane`].

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::MercurySession;
use crate::codec::{FrameBuf, Opaque};
use crate::emulator::{DeviceFault, Emulator, EmulatorSettings, FieldTag, PowerUp};
use crate::protocol::mercury::codec::{Reply, TagRecord, opcode};
use crate::protocol::mercury::emulator::MercuryReader;
use crate::session::ReaderState::{Closed, Configuring, Degraded, Probing, Reading};
use crate::session::{
    Gap, GapCause, ReaderSettings, ReaderState, Report, Session, SessionEvent, Timing, Transmit,
};
use crate::{Epc, TagRead, clock};

mod faults;
mod requests;
mod setup;

fn tag(serial: u8) -> FieldTag {
    let epc = Epc::try_from_slice(&[0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, serial]).unwrap();
    FieldTag::new(epc, -60, 1)
}

/// A host's session and a reader on one line.
struct Lane {
    session: MercurySession,
    reader: MercuryReader,
    origin: Instant,
    now: Duration,
    /// Whether bytes get across.
    line_is_whole: bool,
    /// The rate of the host's end: what is sent at another does not get across.
    host_baud: u32,
    /// The opcode of the one answer that does not get across.
    lost_answer: Option<u8>,
    /// What comes back for the next command of an opcode instead of the reader's own answer; `None`
    /// for a command that is lost.
    scripts: Vec<(u8, Option<FrameBuf>)>,
    /// What the host has sent.
    sent: Vec<FrameBuf>,
    /// What is put before each frame of the reader.
    junk: Vec<u8>,
    states: Vec<ReaderState>,
    tags: Vec<TagRead>,
    gaps: Vec<Gap>,
    reports: Vec<Report>,
    lines_dead: usize,
}

impl Lane {
    fn new() -> Self {
        Self::with(&EmulatorSettings::default(), &ReaderSettings::default())
    }

    fn with(reader: &EmulatorSettings, settings: &ReaderSettings) -> Self {
        Self {
            session: MercurySession::new(settings),
            reader: MercuryReader::new(reader),
            origin: clock::now(),
            now: Duration::ZERO,
            line_is_whole: true,
            host_baud: 0,
            lost_answer: None,
            scripts: Vec::new(),
            sent: Vec::new(),
            junk: Vec::new(),
            states: Vec::new(),
            tags: Vec::new(),
            gaps: Vec::new(),
            reports: Vec::new(),
            lines_dead: 0,
        }
    }

    /// A lane whose reader reads, with nothing said about how it came to that.
    fn reading() -> Self {
        let mut lane = Self::new();
        lane.open();
        lane.pass(Duration::from_millis(100));
        assert_eq!(lane.states, [Probing, Configuring, Reading]);
        lane.states.clear();
        lane.reports.clear();
        lane.sent.clear();
        lane
    }

    /// The next command of this opcode is answered so.
    fn script(&mut self, opcode: u8, answer: &Reply<'_>) {
        self.scripts.push((opcode, Some(answer.emit())));
    }

    /// The next command of this opcode is lost.
    fn lose(&mut self, opcode: u8) {
        self.scripts.push((opcode, None));
    }

    /// How often a command of this opcode was sent.
    fn count_sent(&self, opcode: u8) -> usize {
        self.sent.iter().filter(|frame| frame.as_ref()[2] == opcode).count()
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

    /// The reader says something of itself.
    fn reader_says(&mut self, reply: &Reply<'_>) {
        self.session.handle_bytes(reply.emit().as_ref(), self.instant());
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
                    Transmit::Frame(frame) => self.carry_command(frame),
                }
            }
            while let Some(transmit) = self.reader.poll_transmit() {
                moved = true;
                let lost = self.lost_answer.take_if(|lost| *lost == transmit.frame.as_ref()[2]);
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

    fn carry_command(&mut self, frame: FrameBuf) {
        self.sent.push(frame);
        let opcode = frame.as_ref()[2];
        if let Some(at) = self.scripts.iter().position(|(scripted, _)| *scripted == opcode) {
            let (_, answer) = self.scripts.remove(at);
            if let Some(answer) = answer {
                self.session.handle_bytes(answer.as_ref(), self.instant());
            }
        } else if self.line_is_whole && self.host_baud == self.reader.baud() {
            self.reader.handle_bytes(frame.as_ref(), self.now);
        }
    }

    fn gap_causes(&self) -> Vec<GapCause> {
        self.gaps.iter().map(|gap| gap.cause).collect()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_reader_is_set_up_and_a_tag_is_reported_the_moment_it_comes() {
    let mut lane = Lane::reading();
    let at = lane.instant();
    lane.field(&[tag(7)]);
    let read = lane.tags[0];
    assert_eq!((read.epc, read.antenna, read.pc, read.at), (tag(7).epc, Some(1), Some(0x3000), at));
    let dbm = read.rssi.and_then(|rssi| rssi.dbm).unwrap();
    assert!((-62..=-58).contains(&dbm), "{dbm} dBm");
    assert_eq!((read.read_count, read.reader_timestamp_ms), (1, Some(100)));
    assert!(read.frequency_khz.is_some_and(|khz| (920_000..925_000).contains(&khz)));
    assert!(read.phase_deg.is_some_and(|phase| phase <= 180));
}

#[test]
fn the_read_filter_is_turned_off_so_that_each_read_is_reported() {
    let mut lane = Lane::reading();
    lane.field(&[tag(7), tag(8)]);
    lane.pass(SECOND);
    assert_eq!(lane.tags.len(), 2 * 21);
    lane.field(&[]);
    lane.pass(SECOND);
    assert_eq!(lane.tags.len(), 2 * 21);
}

#[test]
fn only_the_configured_antennas_read() {
    let mut lane = Lane::with(
        &EmulatorSettings::default(),
        &ReaderSettings { antennas: vec![2, 16], ..Default::default() },
    );
    lane.open();
    let on = |antenna| FieldTag { antenna, ..tag(antenna) };
    lane.field(&[on(1), on(2), on(16)]);
    let antennas: Vec<_> = lane.tags.iter().map(|read| read.antenna).collect();
    assert_eq!(antennas, [Some(2), Some(16)]);
}

#[test]
fn an_empty_field_is_not_mistaken_for_a_dead_reader() {
    let mut lane = Lane::reading();
    lane.pass(60 * SECOND);
    assert_eq!((lane.states, lane.gaps), (vec![], vec![]));
}

#[test]
fn a_reader_that_still_reads_for_somebody_else_is_stopped_and_its_old_reports_are_thrown_away() {
    let mut lane = Lane::reading();
    lane.field(&[tag(7)]);
    // The host is killed and a new one comes.
    let settings = &ReaderSettings::default();
    lane.session = MercurySession::new(settings);
    lane.tags.clear();
    lane.open();
    lane.pass(SECOND);
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
    // A timestamp that began anew shows that the first report is of the new read.
    assert_eq!(lane.tags[0].reader_timestamp_ms, Some(0));
    assert_eq!(lane.gaps, []);
}

#[test]
fn a_module_in_its_boot_loader_is_booted() {
    let config = EmulatorSettings { power_up: PowerUp::BootLoader, ..Default::default() };
    let mut lane = Lane::with(&config, &ReaderSettings::default());
    lane.open();
    lane.pass(SECOND);
    lane.field(&[tag(7)]);
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
    assert_eq!(lane.tags.len(), 1);
}

#[test]
fn a_reader_that_restarts_is_set_up_again_and_the_gap_is_reported() {
    let mut lane = Lane::reading();
    lane.field(&[tag(7)]);
    let since = lane.instant();
    lane.reader.handle_fault(DeviceFault::Reboot, lane.now);
    lane.pass(SECOND);
    assert_eq!(lane.states, [Configuring, Reading]);
    let until = since + Duration::from_millis(120);
    assert_eq!(lane.gaps, [Gap { since, until, cause: GapCause::Reboot }]);
    assert!(lane.tags.len() > 2, "{} reads", lane.tags.len());
}

#[test]
fn a_silent_reader_is_degraded_within_two_and_a_half_periods_and_then_the_line_is_dead() {
    let mut lane = Lane::reading();
    lane.pass(10 * SECOND);
    lane.line_is_whole = false;
    lane.pass(Duration::from_millis(2600));
    assert_eq!(lane.states, [Degraded]);
    lane.pass(3 * SECOND);
    assert_eq!(lane.states, [Degraded, Probing]);
    assert!(lane.lines_dead >= 1);
    lane.line_is_whole = true;
    lane.pass(2 * SECOND);
    assert_eq!(lane.states, [Degraded, Probing, Configuring, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Silence]);
    assert!(lane.gaps[0].until - lane.gaps[0].since > 5 * SECOND);
}

#[test]
fn a_lost_acknowledgement_of_start_is_noticed_by_the_reports_that_come() {
    let mut lane = Lane::new();
    lane.lost_answer = Some(opcode::STREAM);
    lane.field(&[tag(7)]);
    lane.open();
    assert_eq!((&lane.states[..], &lane.tags[..]), (&[Probing, Configuring][..], &[][..]));
    lane.pass(SECOND);
    assert_eq!(lane.states, [Probing, Configuring, Probing, Configuring, Reading]);
    assert_eq!(lane.tags[0].reader_timestamp_ms, Some(0));
}

#[test]
fn a_refusal_leaves_the_reader_degraded_and_is_tried_again() {
    let no_such_region = ReaderSettings { region: Some(0), ..Default::default() };
    let mut lane = Lane::with(&EmulatorSettings::default(), &no_such_region);
    lane.open();
    assert_eq!(lane.states, [Probing, Configuring, Degraded]);
    lane.pass(Duration::from_millis(2500));
    assert_eq!(lane.states[3..], [Probing, Configuring, Degraded, Probing, Configuring, Degraded]);
    assert_eq!(lane.lines_dead, 0);
}

#[test]
fn noise_is_a_gap_but_loses_no_intact_report() {
    let mut lane = Lane::reading();
    lane.junk = vec![0xFF, 0x30, 0x22];
    lane.field(&[tag(7)]);
    lane.pass(SECOND);
    let reads = lane.tags.len();
    assert!((20..=21).contains(&reads), "{reads} reads");
    assert!(lane.gap_causes().iter().all(|cause| matches!(cause, GapCause::Noise { bytes: 1.. })));
    assert!(!lane.gaps.is_empty());
    assert_eq!(lane.states, []);
}

#[test]
fn a_report_behind_a_false_header_waits_no_longer_than_a_silence() {
    let mut lane = Lane::reading();
    let frame = Reply::Tag(TagRecord {
        rssi_dbm: Some(-50),
        antenna: Some(0x11),
        pc: 0x3000,
        epc: Opaque(tag(7).epc.as_bytes()),
        ..TagRecord::EMPTY
    })
    .emit();
    lane.session.handle_bytes(&[0xFF, 0xF0, 0x22], lane.instant());
    lane.session.handle_bytes(frame.as_ref(), lane.instant());
    lane.exchange();
    assert_eq!(lane.tags.len(), 0);
    lane.pass(Duration::from_millis(21));
    assert_eq!(lane.tags.len(), 1);
}

#[test]
fn a_tag_without_a_usable_identity_is_a_gap_and_not_a_tag() {
    let mut lane = Lane::reading();
    let record = TagRecord { rssi_dbm: Some(-50), antenna: Some(0x11), ..TagRecord::EMPTY };
    lane.reader_says(&Reply::Tag(record));
    assert_eq!(lane.gap_causes(), [GapCause::Unusable]);
    assert_eq!(lane.tags, []);
}

#[test]
fn a_read_that_ends_unasked_is_started_again() {
    let mut lane = Lane::reading();
    lane.reader.handle_bytes(
        crate::protocol::mercury::codec::Command::StopStream.emit().as_ref(),
        lane.now,
    );
    lane.pass(SECOND);
    assert_eq!(lane.states, [Configuring, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Stopped]);
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
fn whoever_leaves_leaves_the_reader_quiet() {
    let mut lane = Lane::reading();
    lane.session.handle_shutdown(lane.instant());
    lane.exchange();
    lane.pass(SECOND);
    assert_eq!(lane.reader.next_deadline(), None);
    assert_eq!(lane.states, [Closed]);
}

#[test]
fn whoever_leaves_before_the_reader_was_heard_leaves_it_quiet_too() {
    let mut lane = Lane::reading();
    // The host is killed, and a new one is told to leave at once.
    lane.session = MercurySession::new(&ReaderSettings::default());
    lane.line_is_whole = false;
    lane.open();
    lane.line_is_whole = true;
    lane.session.handle_shutdown(lane.instant());
    lane.exchange();
    lane.pass(SECOND);
    assert_eq!(lane.reader.next_deadline(), None);
}

#[test]
fn time_that_runs_faster_shortens_waiting_but_not_below_what_a_busy_host_needs() {
    let timing = Timing::LIFE.faster(50.0);
    assert_eq!(timing.life_timeout, Duration::from_millis(500));
    assert_eq!(timing.answer_timeout, Timing::LIFE.answer_timeout);
    assert_eq!(Timing::LIFE.faster(2.0).life_timeout, Duration::from_millis(1250));
    assert_eq!(Timing::LIFE.faster(1.0), Timing::LIFE);
}

#[test]
fn a_reader_left_reading_with_nothing_in_its_field_is_taken_over() {
    let mut lane = Lane::reading();
    lane.session = MercurySession::new(&ReaderSettings::default());
    lane.open();
    lane.pass(SECOND / 2);
    assert_eq!(lane.states, [Probing, Configuring, Reading]);
    lane.field(&[tag(7)]);
    assert_eq!(lane.tags.len(), 1);
}

#[test]
fn a_reader_that_will_not_stop_is_left_alone_and_taken_over_when_it_does() {
    let mut lane = Lane::reading();
    lane.session = MercurySession::new(&ReaderSettings::default());
    lane.line_is_whole = false;
    lane.open();
    for _ in 0..100 {
        lane.reader_says(&Reply::KeepAlive { data: Opaque(&[]) });
        lane.pass(SECOND / 20);
    }
    assert_eq!(lane.states[..2], [Probing, Degraded]);
    assert!(lane.count_sent(opcode::STREAM) < 20, "{}", lane.count_sent(opcode::STREAM));
    lane.line_is_whole = true;
    lane.pass(3 * SECOND);
    assert_eq!(lane.states.last(), Some(&Reading));
}

#[test]
fn tags_are_a_sign_of_life_and_so_is_a_keep_alive_alone() {
    let record = TagRecord { pc: 0x3000, epc: Opaque(&[7; 12]), ..TagRecord::EMPTY };
    for sign in [Reply::Tag(record), Reply::KeepAlive { data: Opaque(&[]) }] {
        let mut lane = Lane::reading();
        lane.line_is_whole = false;
        for _ in 0..10 {
            lane.pass(SECOND);
            lane.reader_says(&sign);
        }
        assert_eq!((lane.states, lane.gaps), (vec![], vec![]));
    }
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
            lane.pass(Duration::from_millis(30));
        }
        lane.pass(5 * SECOND);
        lane.field(&[tag(7)]);
        prop_assert!(lane.tags.iter().any(|read| read.epc == tag(7).epc));
    }
}
