//! What the module does with what its radio hears: reports it, keeps it, or works on it.

use std::time::Duration;

use super::access::Access;
use super::buffer::Kept;
use super::search::{Count, Report, Search, Tally};
use super::sighting::{Sighting, TagData};
use super::silion::{self, SILION};
use super::statistics::{Present, status_values};
use super::stream::{CYCLE, Language, Stream};
use super::{
    Activity, CONFIG_READ_FILTER, CONFIG_RSSI_IN_DBM, Heard, MercuryReader, Opaque, Pending, Reply,
    Status, Timed, TransmitKind, opcode,
};

/// Between the last queued report and the acknowledgement of stop.
const STOP_TIME: Duration = Duration::from_millis(5);
/// M6e User Guide: 20 ms from the command to the radio, at full power mode. What can be known
/// without the radio's help is answered then.
const RADIO_ON_TIME: Duration = Duration::from_millis(20);
/// The shortest search: one round.
const SEARCH_TIME_MIN: Duration = Duration::from_millis(5);
/// The ports of the configured list, as search flags.
const CONFIGURED_LIST: u16 = 0x0003;
const KIND_REPORT: u8 = 0x02;
/// Where the scale of signal strength begins when it is not in dBm.
const RSSI_SCALE: i16 = 128;

impl MercuryReader {
    pub(super) fn begin_stream(
        &mut self,
        search: Search,
        language: Language,
        now: Duration,
    ) -> Result<(), Status> {
        self.check_radio(Status::INVALID_PROTOCOL)?;
        let flags = match language {
            Language::ThingMagic => search.flags,
            Language::Silion => CONFIGURED_LIST,
        };
        let ports = self.configuration.antennas.used(flags);
        self.radio.begin(now);
        let stream = Stream::new(search, language, ports, now);
        self.activity = Activity::Streaming(Box::new(stream));
        self.complain_at_once(now);
        Ok(())
    }

    pub(super) fn begin_search(
        &mut self,
        search: Search,
        time: Duration,
        now: Duration,
    ) -> Result<(), Status> {
        self.check_radio(Status::NO_PROTOCOL)?;
        let ports = self.configuration.antennas.used(search.flags);
        let time = match self.faults.is_deaf(&ports) {
            true => RADIO_ON_TIME,
            false => time.max(SEARCH_TIME_MIN),
        };
        self.radio.begin(now);
        self.activity = Activity::Searching(Box::new(Timed {
            search,
            ports,
            started_at: now,
            ends_at: now + time,
            found: 0,
            heard: false,
            full: false,
            tally: Tally::default(),
        }));
        Ok(())
    }

    pub(super) fn begin_access(&mut self, access: Access, now: Duration) -> Result<(), Status> {
        self.check_radio(Status::NO_PROTOCOL)?;
        let deaf = self.faults.is_deaf(&self.ports());
        let time = if deaf { RADIO_ON_TIME } else { access.timeout.max(SEARCH_TIME_MIN) };
        self.radio.begin(now);
        self.activity =
            Activity::Accessing(Box::new(Pending { access, started_at: now, ends_at: now + time }));
        self.read(now);
        Ok(())
    }

    /// Without a region the radio stays off, and without a protocol it has nothing to say.
    fn check_radio(&self, without_protocol: Status) -> Result<(), Status> {
        match (self.configuration.region, self.configuration.protocol) {
            (None, _) => Err(Status::RADIO_OFF),
            (Some(_), None) => Err(without_protocol),
            (Some(_), Some(_)) => Ok(()),
        }
    }

    pub(super) fn stop_stream(&mut self, now: Duration) {
        if self.radio_on_at(now) == Some(now) {
            // What the radio had in its queue comes out first.
            for heard in self.radio.read_all() {
                self.hear(&heard, now);
            }
        }
        if let Activity::Streaming(stream) = &mut self.activity {
            stream.acknowledge_at.get_or_insert(now + STOP_TIME);
        }
    }

    /// Takes in what the radio has heard.
    pub(super) fn read(&mut self, now: Duration) {
        if let Activity::Streaming(stream) = &mut self.activity {
            stream.looked_at = now;
        }
        if self.radio_on_at(now) == Some(now) {
            for heard in self.radio.read(now) {
                self.hear(&heard, now);
            }
        }
    }

    /// When the radio is on next, now or later; `None` while nothing is to be heard.
    fn radio_on_at(&self, now: Duration) -> Option<Duration> {
        if self.faults.is_deaf(&self.ports()) {
            return None;
        }
        match &self.activity {
            Activity::Idle => None,
            Activity::Streaming(stream) if stream.is_exhausted() => None,
            Activity::Streaming(stream) => Some(stream.radio_on_at(now)),
            Activity::Searching(_) | Activity::Accessing(_) => Some(now),
        }
    }

    fn ports(&self) -> Vec<u8> {
        match &self.activity {
            Activity::Idle | Activity::Accessing(_) => {
                vec![self.configuration.antennas.access_port()]
            }
            Activity::Streaming(stream) => stream.ports.clone(),
            Activity::Searching(timed) => timed.ports.clone(),
        }
    }

    fn hear(&mut self, heard: &Heard, now: Duration) {
        let port = heard.tag.antenna;
        let image = self.memories.image(&heard.tag);
        let (select, embedded, since) = match &self.activity {
            Activity::Idle => return,
            Activity::Streaming(stream) => {
                (&stream.search.select, stream.search.embedded, stream.started_at)
            }
            Activity::Searching(timed) => {
                (&timed.search.select, timed.search.embedded, timed.started_at)
            }
            Activity::Accessing(pending) => (&pending.access.select, None, pending.started_at),
        };
        let on_air = self.ports().contains(&port) && self.faults.is_connected(port);
        if !on_air || self.faults.tags_lost || image.is_dead() || !select.takes(&image) {
            return;
        }
        let data = embedded.map_or(TagData::NotAsked, |own| own.run(&image, select.password));
        let sighting = self.sight(heard, now.saturating_sub(since), data);
        match &self.activity {
            Activity::Idle => {}
            Activity::Streaming(_) => self.report(&sighting, now),
            Activity::Searching(_) => self.keep(sighting, now),
            Activity::Accessing(_) => self.work_on(heard, &sighting, now),
        }
    }

    fn sight(&self, heard: &Heard, since: Duration, data: TagData) -> Sighting {
        let Self { configuration, .. } = self;
        let [rssi] = match configuration.keys.is_on(CONFIG_RSSI_IN_DBM) {
            true => heard.rssi_dbm.to_be_bytes(),
            false => {
                let scaled = i16::from(heard.rssi_dbm) + RSSI_SCALE;
                [u8::try_from(scaled).unwrap_or(u8::MAX)]
            }
        };
        Sighting {
            epc: self.memories.image(&heard.tag).epc(),
            antenna: heard.tag.antenna,
            read_count: 1,
            rssi,
            rssi_dbm: heard.rssi_dbm,
            frequency_khz: configuration.channel_khz(heard.channel),
            timestamp_ms: u32::try_from(since.as_millis()).unwrap_or(u32::MAX),
            phase_deg: heard.phase_deg,
            data,
            pins: configuration.pins.metadata(),
            gen2_q: configuration.keys.gen2_q(),
            gen2_link_frequency: configuration.keys.gen2_link_frequency(),
            gen2_target: configuration.keys.gen2_target(),
        }
    }

    /// Reports a tag of a continuous read, if the filter lets it through.
    fn report(&mut self, sighting: &Sighting, now: Duration) {
        let Self { activity: Activity::Streaming(stream), configuration, .. } = self else {
            return;
        };
        if stream.is_exhausted() {
            return;
        }
        if configuration.keys.is_on(CONFIG_READ_FILTER) {
            let timeout = Duration::from_millis(configuration.keys.read_filter_timeout_ms().into());
            if !stream.filter.lets_through(sighting.epc, timeout, now) {
                return;
            }
        }
        stream.reported = stream.reported.saturating_add(1);
        let mut last = None;
        if stream.is_exhausted() {
            last = Some([stream.search.echo(), stream.reported.to_be_bytes().to_vec()].concat());
        }
        let (opcode, record) = (stream_opcode(stream.language), stream.record(sighting));
        self.send(opcode, &Ok(record), TransmitKind::Tag);
        if let Some(counted) = last {
            self.send(opcode, &Ok(counted), TransmitKind::KeepAlive);
        }
    }

    /// Keeps a tag of a timed read.
    fn keep(&mut self, sighting: Sighting, now: Duration) {
        let Self { activity: Activity::Searching(timed), buffer, configuration, .. } = self else {
            return;
        };
        timed.heard = true;
        timed.tally.add(&sighting.data);
        match buffer.put(sighting, &configuration.keys) {
            Kept::Again => {}
            Kept::New => {
                timed.found += 1;
                if timed.search.stop_after.is_some_and(|most| timed.found >= most) {
                    timed.ends_at = now;
                }
            }
            Kept::Full => {
                timed.full = true;
                timed.ends_at = now;
            }
        }
    }

    fn work_on(&mut self, heard: &Heard, sighting: &Sighting, now: Duration) {
        let Self { activity: Activity::Accessing(pending), memories, .. } = self else { return };
        let answer = pending.access.run(&heard.tag, sighting, memories);
        let opcode = pending.access.opcode;
        self.answer(opcode, answer);
        self.finish(now);
    }

    pub(super) fn handle_activity_deadline(&mut self, now: Duration) {
        match &self.activity {
            Activity::Idle => {}
            Activity::Streaming(stream) => {
                let (cycle_at, language) = (stream.cycle_at, stream.language);
                let stopped = stream.acknowledge_at.is_some_and(|at| at <= now);
                if cycle_at <= now {
                    self.end_cycle(now);
                }
                if stopped {
                    self.count_radio_time(now);
                    self.acknowledge_stop(language);
                    self.finish(now);
                }
            }
            Activity::Searching(timed) if timed.ends_at <= now => self.end_search(now),
            Activity::Accessing(pending) if pending.ends_at <= now => {
                let opcode = pending.access.opcode;
                let status = self.faults.complaint(&self.ports()).unwrap_or(Status::NO_TAGS);
                self.answer(opcode, Err(status));
                self.finish(now);
            }
            Activity::Searching(_) | Activity::Accessing(_) => {}
        }
    }

    pub(super) fn next_activity_deadline(&self) -> Option<Duration> {
        let looked_at = match &self.activity {
            Activity::Streaming(stream) => stream.looked_at,
            Activity::Idle | Activity::Searching(_) | Activity::Accessing(_) => Duration::ZERO,
        };
        let next_read = self.radio.next_read().map(|at| at.max(looked_at));
        let read_at = next_read.and_then(|at| self.radio_on_at(at));
        match &self.activity {
            Activity::Idle => None,
            Activity::Streaming(stream) => {
                read_at.into_iter().chain(stream.acknowledge_at).chain([stream.cycle_at]).min()
            }
            Activity::Searching(timed) => read_at.into_iter().chain([timed.ends_at]).min(),
            Activity::Accessing(pending) => read_at.into_iter().chain([pending.ends_at]).min(),
        }
    }

    /// What goes wrong in the radio is said at once, not only at the end of the cycle.
    pub(super) fn complain_at_once(&mut self, now: Duration) {
        let complaint = self.faults.complaint(&self.ports());
        if let (Activity::Streaming(stream), Some(_)) = (&mut self.activity, complaint) {
            stream.cycle_at = now;
        }
    }

    fn end_search(&mut self, now: Duration) {
        let complaint = self.faults.complaint(&self.ports());
        let Activity::Searching(timed) = &self.activity else { return };
        let answer = match complaint {
            Some(status) => Err(status),
            None if timed.full => Err(Status::BUFFER_FULL),
            None if !timed.heard => Err(Status::NO_TAGS),
            None => Ok(timed.search.counted(timed.found, timed.tally)),
        };
        let opcode = match timed.search.count {
            Count::Several { .. } => opcode::STREAM,
            Count::Bare | Count::Echoed => opcode::READ_MULTIPLE,
        };
        let (ports, time) = (timed.ports.clone(), now.saturating_sub(timed.started_at));
        self.statistics.add(&ports, time);
        self.answer(opcode, answer);
        self.finish(now);
    }

    /// The sign of life, what is wrong, and the reports that were asked for.
    fn end_cycle(&mut self, now: Duration) {
        self.count_radio_time(now);
        let complaint = self.faults.complaint(&self.ports());
        let Self { activity, statistics, configuration, faults, module, .. } = self;
        let Activity::Streaming(stream) = activity else { return };
        stream.cycle_at = now + CYCLE;
        let port = stream.ports.first().copied().unwrap_or(1);
        let frequency_khz = configuration.channel_khz(0);
        let present = Present { ports: module.ports, port, frequency_khz, faults };
        let values = match stream.search.report {
            Report::Nothing => None,
            Report::Status(flags) => Some(status_values(flags, &present)),
            Report::Stats(flags) => Some(statistics.values(flags, &present)),
        };
        let report = values.map(|values| [stream.search.report_head(KIND_REPORT), values].concat());
        let opcode = stream_opcode(stream.language);
        let language = stream.language;
        let alive = match language {
            Language::ThingMagic => {
                Some(stream.search.keep_alive(now.saturating_sub(stream.started_at)))
            }
            Language::Silion => silion::sign_of_life(&stream.search),
        };
        let alive = alive.filter(|_| !faults.heartbeat_lost);
        if let Some(report) = report {
            self.send(opcode, &Ok(report), TransmitKind::KeepAlive);
        }
        if let Some(complaint) = complaint {
            self.send(opcode, &Err(complaint), TransmitKind::KeepAlive);
        } else if let Some(data) = alive {
            let (status, data) = (Status::NO_TAGS, Opaque(&data));
            let reply = match language {
                Language::ThingMagic => Reply::Refused { opcode, status, data },
                Language::Silion => Reply::Done { opcode, data },
            };
            self.push(&reply, TransmitKind::KeepAlive);
        }
    }

    fn count_radio_time(&mut self, now: Duration) {
        let Self { activity: Activity::Streaming(stream), statistics, .. } = self else { return };
        statistics.add(&stream.ports, now.saturating_sub(stream.counted_until));
        stream.counted_until = now;
    }

    /// Goes on to what has waited.
    fn finish(&mut self, now: Duration) {
        self.activity = Activity::Idle;
        while let (Activity::Idle, Some(frame)) = (&self.activity, self.waiting.pop_front()) {
            self.handle_frame(frame.as_ref(), now);
        }
    }
}

fn stream_opcode(language: Language) -> u8 {
    match language {
        Language::ThingMagic => opcode::READ_MULTIPLE,
        Language::Silion => SILION,
    }
}
