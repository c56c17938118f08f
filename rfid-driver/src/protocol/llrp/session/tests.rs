//! Stories: a session and a scripted reader, joined by a connection, in virtual time.
//!
//! A new story goes to the end of its theme; what it needs of the reader becomes a field of
//! [`Reader`], what it needs of the connection a method of [`Lane`].

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::LlrpSession;
use crate::codec::Opaque;
use crate::protocol::llrp::codec::{
    Frame, LEN_MAX, MessageKind, ParameterKind, StatusCode, TagReport, Timestamp, Version,
};
use crate::session::ReaderState::{Closed, Configuring, Degraded, Probing, Reading};
use crate::session::{
    AntennaState, Gap, GapCause, ReaderSettings, ReaderState, Report, Request, Session,
    SessionEvent, Transmit,
};
use crate::{TagRead, clock};

mod reader;
mod setting;

use reader::{Reader, TURNED_AWAY, notification, words};

const SECOND: Duration = Duration::from_secs(1);
const EPC: [u8; 12] = [0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
const TID: [u8; 12] = [0xE2, 0x80, 0x11, 0x05, 0, 0, 0, 0, 0, 0, 0, 9];

/// What the reader reports of a tag, seen so long after it was started.
fn tag(uptime_ms: u64) -> TagReport<'static> {
    TagReport {
        epc: Opaque(&EPC),
        antenna: Some(1),
        peak_rssi_dbm: Some(-57),
        channel_index: Some(2),
        first_seen: Some(Timestamp::Uptime(1000 * uptime_ms)),
        seen_count: Some(3),
        pc: Some(0x3000),
        ..TagReport::default()
    }
}

/// A host's session and a reader on one connection.
struct Lane {
    session: LlrpSession,
    reader: Reader,
    origin: Instant,
    now: Duration,
    states: Vec<ReaderState>,
    tags: Vec<TagRead>,
    gaps: Vec<Gap>,
    reports: Vec<Report>,
    lines_dead: usize,
}

impl Lane {
    fn new(reader: Reader) -> Self {
        Self::with(reader, &ReaderSettings::default())
    }

    fn with(reader: Reader, settings: &ReaderSettings) -> Self {
        Self {
            session: LlrpSession::new(settings),
            reader,
            origin: clock::now(),
            now: Duration::ZERO,
            states: Vec::new(),
            tags: Vec::new(),
            gaps: Vec::new(),
            reports: Vec::new(),
            lines_dead: 0,
        }
    }

    /// A lane whose reader reads, with nothing said about how it came to that.
    fn reading() -> Self {
        let mut lane = Self::new(Reader::new());
        lane.open();
        assert_eq!(lane.states, [Probing, Configuring, Reading]);
        lane.states.clear();
        lane.reports.clear();
        lane.reader.heard.clear();
        lane
    }

    fn instant(&self) -> Instant {
        self.origin + self.now
    }

    fn open(&mut self) {
        self.reader.greet();
        self.session.handle_open(self.instant());
        self.exchange();
    }

    /// The reader says something.
    fn hear(&mut self, bytes: Vec<u8>) {
        self.reader.say(bytes);
        self.exchange();
    }

    fn hear_tag(&mut self, uptime_ms: u64) {
        self.reader.say_tag(&tag(uptime_ms));
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
            self.exchange();
            self.session.handle_deadline(self.instant());
            self.exchange();
        }
        self.now = end;
    }

    /// Carries messages and takes events until nothing moves.
    fn exchange(&mut self) {
        loop {
            let mut moved = false;
            while let Some(transmit) = self.session.poll_transmit() {
                moved = true;
                let Transmit::Frame(frame) = transmit else { panic!("TCP has no rate") };
                self.reader.handle(frame.as_ref(), self.now);
            }
            while let Some(bytes) = self.reader.poll() {
                moved = true;
                self.session.handle_bytes(&bytes, self.instant());
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

    fn heard(&self) -> Vec<MessageKind> {
        self.reader.heard.iter().map(|(_, kind)| *kind).collect()
    }
}

#[test]
fn a_reader_is_set_up_step_by_step_and_a_tag_is_reported_the_moment_it_comes() {
    let mut lane = Lane::new(Reader::new());
    lane.open();
    assert_eq!(
        lane.heard(),
        [
            MessageKind::GET_READER_CAPABILITIES,
            MessageKind::GET_READER_CONFIG,
            MessageKind::SET_READER_CONFIG,
            MessageKind::DELETE_ROSPEC,
            MessageKind::DELETE_ACCESSSPEC,
            MessageKind::ADD_ROSPEC,
            MessageKind::ENABLE_ROSPEC,
            MessageKind::START_ROSPEC,
        ]
    );
    let identity = "Impinj model 700, firmware 9.9, 2 antenna ports".to_owned();
    assert_eq!(lane.reports, [Report::Identity { text: identity, baud: None }]);
    lane.hear_tag(5000);
    lane.hear_tag(5020);
    let read = lane.tags[0];
    assert_eq!(read.epc.as_bytes(), EPC);
    assert_eq!((read.antenna, read.pc, read.read_count), (Some(1), Some(0x3000), 3));
    assert_eq!(read.rssi.and_then(|rssi| rssi.dbm), Some(-57));
    assert_eq!(read.at, lane.instant());
    // The channel is one of the table that the reader is set to.
    assert_eq!(read.frequency_khz, Some(920_750));
    // The reader's clock counts from the first report.
    let since = lane.tags.iter().map(|read| read.reader_timestamp_ms).collect::<Vec<_>>();
    assert_eq!(since, [Some(0), Some(20)]);
}

#[test]
fn an_empty_field_is_not_mistaken_for_a_dead_reader_and_each_sign_of_life_is_acknowledged() {
    let mut lane = Lane::reading();
    lane.pass(60 * SECOND);
    assert_eq!((&lane.states[..], &lane.gaps[..]), (&[][..], &[][..]));
    assert_eq!(lane.reader.acknowledged, (1001..=1060).collect::<Vec<_>>());
}

#[test]
fn a_silent_reader_is_given_up_after_two_and_a_half_periods_and_the_gap_lasts_until_it_reads() {
    let mut lane = Lane::reading();
    lane.pass(10 * SECOND);
    let since = lane.instant();
    lane.reader.mute = true;
    lane.pass(Duration::from_millis(2499));
    assert_eq!((&lane.states[..], lane.lines_dead), (&[][..], 0));
    lane.pass(Duration::from_millis(1));
    assert_eq!((&lane.states[..], lane.lines_dead), (&[Degraded][..], 1));
    // Nothing that comes over the old connection any more is believed.
    lane.reader.mute = false;
    lane.hear_tag(1);
    assert_eq!(lane.tags, []);
    lane.open();
    assert_eq!(lane.states, [Degraded, Probing, Configuring, Reading]);
    assert_eq!(lane.gaps, [Gap { since, until: lane.instant(), cause: GapCause::Silence }]);
}

#[test]
fn a_lost_connection_is_a_gap_until_the_reader_reads_again() {
    let mut lane = Lane::reading();
    lane.session.handle_closed(lane.instant());
    lane.pass(SECOND);
    lane.open();
    assert_eq!(lane.states, [Closed, Probing, Configuring, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::PortLost]);
}

#[test]
fn behind_bytes_without_sense_nothing_is_believed() {
    let mut lane = Lane::reading();
    lane.hear_tag(1);
    let report = tag(2).emit(Version::V1_0_1, 0);
    lane.hear([&[0x13, 0x37, 0x00][..], report.as_ref()].concat());
    assert_eq!(lane.tags.len(), 1);
    assert_eq!((&lane.states[..], lane.lines_dead), (&[Degraded][..], 1));
    lane.open();
    let bytes = u64::try_from(3 + report.as_ref().len()).unwrap();
    assert_eq!(lane.gap_causes(), [GapCause::Noise { bytes }]);
    assert_eq!(lane.session.dropped_bytes(), bytes);
}

#[test]
fn a_message_longer_than_any_reader_sends_is_not_waited_for() {
    let mut lane = Lane::reading();
    let len = u32::try_from(LEN_MAX + 1).unwrap().to_be_bytes();
    lane.hear([&[0x04, 0x3D][..], &len].concat());
    assert_eq!(lane.lines_dead, 1);
}

#[test]
fn a_message_of_an_unknown_type_is_passed_over() {
    let mut lane = Lane::reading();
    lane.hear(vec![0x04, 0x65, 0, 0, 0, 12, 0, 0, 0, 1, 0xAA, 0xBB]);
    lane.hear_tag(1);
    assert_eq!((lane.tags.len(), &lane.gaps[..]), (1, &[][..]));
}

#[test]
fn a_message_whose_parts_do_not_fit_is_a_gap_and_the_next_is_read() {
    let mut lane = Lane::reading();
    let mut report = tag(1).emit(Version::V1_0_1, 0).as_ref().to_vec();
    // The tag's data claim a byte more than there is.
    report[13] += 1;
    lane.hear(report);
    lane.hear_tag(2);
    assert_eq!((lane.tags.len(), lane.gap_causes()), (1, vec![GapCause::Unusable]));
}

#[test]
fn a_tag_without_a_usable_identity_is_a_gap_and_not_a_tag() {
    let mut lane = Lane::reading();
    lane.reader.say_tag(&TagReport { epc: Opaque(&[]), ..tag(1) });
    lane.exchange();
    assert_eq!((&lane.tags[..], lane.gap_causes()), (&[][..], vec![GapCause::Unusable]));
}

#[test]
fn a_reader_that_serves_somebody_else_is_asked_again_and_it_is_said_once() {
    for (status, _) in (1..).zip(TURNED_AWAY) {
        let mut lane = Lane::new(Reader { greeting: status, ..Reader::new() });
        for _ in 0..3 {
            lane.open();
            assert_eq!(lane.heard(), []);
            // It closes the connection; if it does not, we do.
            lane.pass(SECOND);
        }
        assert_eq!(lane.lines_dead, 3);
        assert!(matches!(lane.reports[..], [Report::RadioFault { .. }]), "{:?}", lane.reports);
        lane.reader.greeting = 0;
        lane.open();
        assert_eq!(lane.states.last(), Some(&Reading));
    }
}

#[test]
fn a_reader_that_does_not_greet_is_given_up() {
    let mut lane = Lane::new(Reader { mute: true, ..Reader::new() });
    lane.open();
    lane.pass(5 * SECOND);
    assert_eq!((&lane.states[..], lane.lines_dead), (&[Probing, Degraded][..], 1));
}

fn inventory_ended(id: u32) -> Vec<u8> {
    let body = [&[1][..], &id.to_be_bytes(), &[0; 4]].concat();
    notification(ParameterKind::RO_SPEC_EVENT, &body)
}

#[test]
fn an_inventory_that_ends_by_itself_is_begun_again_and_old_news_of_it_is_ignored() {
    let mut lane = Lane::reading();
    let ours = lane.session.setup.inventory();
    lane.hear(inventory_ended(ours));
    assert_eq!(lane.states, [Configuring, Reading]);
    assert_eq!(lane.gap_causes(), [GapCause::Stopped]);
    lane.hear(inventory_ended(ours));
    assert_eq!(lane.reader.count(MessageKind::START_ROSPEC), 1);
}

fn antenna_event(port: u16, connected: u8) -> Vec<u8> {
    notification(ParameterKind::ANTENNA_EVENT, &[&[connected][..], &words(&[port])].concat())
}

#[test]
fn a_reader_without_its_antenna_is_degraded_however_lively_it_is() {
    let mut lane = Lane::reading();
    // Nobody uses this one.
    lane.hear(antenna_event(2, 0));
    assert_eq!(lane.states, []);
    lane.pass(SECOND);
    let since = lane.instant();
    lane.hear(antenna_event(1, 0));
    lane.pass(10 * SECOND);
    assert_eq!((&lane.states[..], &lane.gaps[..]), (&[Degraded][..], &[][..]));
    lane.hear(antenna_event(1, 1));
    assert_eq!(lane.states, [Degraded, Reading]);
    assert_eq!(lane.gaps, [Gap { since, until: lane.instant(), cause: GapCause::Radio }]);
    let said =
        [(2, AntennaState::Missing), (1, AntennaState::Missing), (1, AntennaState::Connected)];
    assert_eq!(lane.reports, said.map(|(port, state)| Report::Antenna { port, state }));
}

#[test]
fn the_antennas_are_told_at_once_or_when_the_reader_reads() {
    let both = [(1, AntennaState::Connected), (2, AntennaState::Connected)]
        .map(|(port, state)| Report::Antenna { port, state });
    let mut lane = Lane::reading();
    lane.session.handle_request(Request::Antennas, lane.instant());
    lane.exchange();
    assert_eq!(lane.reports, both);
    let mut lane = Lane::new(Reader::new());
    lane.session.handle_request(Request::Antennas, lane.instant());
    lane.open();
    assert_eq!(lane.reports[1..], both);
    lane.reports.clear();
    for request in [Request::Temperature, Request::Inputs, Request::Statistics] {
        lane.session.handle_request(request, lane.instant());
        lane.exchange();
        assert_eq!(lane.reports.pop(), Some(Report::Refused { request }));
    }
}

#[test]
fn a_reader_that_does_not_tell_its_antennas_is_said_to_refuse() {
    for ports in [Vec::new(), vec![(1, true)]] {
        let mut lane = Lane::reading();
        lane.reader.ports = ports;
        let times = lane.reader.ports.len();
        let refused = (MessageKind::GET_READER_CONFIG, times, StatusCode::M_FIELD_ERROR);
        lane.reader.refusals.push(refused);
        lane.session.handle_request(Request::Antennas, lane.instant());
        lane.exchange();
        assert_eq!(lane.reports, [Report::Refused { request: Request::Antennas }]);
    }
}

#[test]
fn exceptions_and_lost_reports_are_told() {
    let mut lane = Lane::reading();
    let text = [&words(&[4])[..], b"boom"].concat();
    lane.hear(notification(ParameterKind::READER_EXCEPTION_EVENT, &text));
    assert!(matches!(lane.reports[..], [Report::RadioFault { .. }]));
    lane.hear(notification(ParameterKind::REPORT_BUFFER_OVERFLOW_ERROR_EVENT, &[]));
    assert_eq!(lane.gap_causes(), [GapCause::Stopped]);
    lane.hear(notification(ParameterKind::CONNECTION_CLOSE_EVENT, &[]));
    assert_eq!((&lane.states[..], lane.lines_dead), (&[Degraded][..], 1));
}

#[test]
fn a_host_that_leaves_deletes_its_inventory_and_takes_its_leave() {
    let mut lane = Lane::reading();
    lane.session.handle_shutdown(lane.instant());
    lane.exchange();
    assert_eq!(
        lane.heard(),
        [MessageKind::STOP_ROSPEC, MessageKind::DELETE_ROSPEC, MessageKind::CLOSE_CONNECTION]
    );
    assert_eq!(lane.states, [Closed]);
    assert_eq!(lane.session.next_deadline(), None);
}

#[test]
fn the_readers_clock_begins_anew_with_each_stay_in_reading() {
    let mut lane = Lane::reading();
    lane.hear_tag(5000);
    lane.hear(inventory_ended(lane.session.setup.inventory()));
    lane.hear_tag(9000);
    let since: Vec<_> = lane.tags.iter().map(|read| read.reader_timestamp_ms).collect();
    assert_eq!(since, [Some(0), Some(0)]);
}

proptest! {
    #[test]
    fn fragments_of_any_size_give_the_same_tags(sizes in proptest::collection::vec(1_usize..40, 1..80)) {
        let mut lane = Lane::reading();
        let stream: Vec<u8> =
            (0..20).flat_map(|ms| tag(ms).emit(Version::V1_0_1, 0).as_ref().to_vec()).collect();
        let mut rest = &stream[..];
        for size in sizes.iter().cycle() {
            let (piece, behind) = rest.split_at(*size.min(&rest.len()));
            lane.hear(piece.to_vec());
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        let since: Vec<_> = lane.tags.iter().filter_map(|read| read.reader_timestamp_ms).collect();
        prop_assert_eq!(since, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_are_survived_and_the_next_connection_reads(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        kind in 0_u16..110,
        body in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut lane = Lane::reading();
        let len = u32::try_from(10 + body.len()).unwrap().to_be_bytes();
        let message =
            [&(0x0400 | kind).to_be_bytes()[..], &len, &[0; 4], &body].concat();
        prop_assert!(kind == 0 || Frame::new_checked(&message).is_ok());
        for ms in [0, 3, 30] {
            lane.hear(message.clone());
            lane.hear(bytes.clone());
            lane.pass(Duration::from_millis(ms));
        }
        lane.reader.refusals.clear();
        lane.states.clear();
        lane.session.handle_closed(lane.instant());
        lane.open();
        prop_assert_eq!(lane.states.last(), Some(&Reading));
    }
}
