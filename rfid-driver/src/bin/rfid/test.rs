//! `rfid test`: a field engineer's check of an installed reader.
//!
//! It reads for a while and judges: PASS is as it should be, WARN works but should be looked at,
//! FAIL will lose vehicles.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rfid_driver::session::{GapCause, ReaderState, Report, Request};
use rfid_driver::supervisor::{AntennaState, ReaderEvent};
use rfid_driver::{Epc, TagRead};
use serde_json::{Value, json};

use crate::arguments::{ReaderArguments, seconds};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Format, Output};
use crate::shown::{antenna_name, cause_name};
use crate::watched::{WatchedReader, is_over};
use crate::{clock, shown};

mod verdict;

use verdict::{Finding, Verdict};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    reader: ReaderArguments,
    /// How many seconds to read
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    limit: Duration,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let interrupt = Interrupt::catch()?;
    let reader = WatchedReader::start(&arguments.reader, &interrupt)?;
    let start = clock::now();
    let mut check = Check::new(arguments.reader.antennas.clone());
    for request in [Request::Antennas, Request::Temperature, Request::Statistics] {
        reader.request(request);
    }
    while !interrupt.is_asked() && !is_over(start, Some(arguments.limit)) {
        if let Some((at, event)) = reader.next(None) {
            check.handle(&event, at);
        }
        while let Some((at, event)) = reader.next_waiting() {
            check.handle(&event, at);
        }
    }
    check.end(clock::now());
    reader.stop();
    let mut output = Output::new(Format::of(arguments.json));
    check.put(&mut output)?;
    let findings = verdict::judge(&check);
    for Finding { verdict, about, reason } in &findings {
        output.put(
            || format!("{verdict}  {about}: {reason}"),
            || json!({ "verdict": verdict.to_string(), "about": about, "reason": reason }),
        )?;
    }
    output.flush()?;
    match findings.iter().any(|finding| finding.verdict == Verdict::Fail) {
        false => Ok(()),
        true => Err(Failure::NotGood),
    }
}

/// What has been seen.
#[derive(Debug)]
struct Check {
    antennas_wanted: Vec<u8>,
    identity: Option<String>,
    baud: Option<u32>,
    celsius: Option<i16>,
    antennas: BTreeMap<u8, AntennaState>,
    refused: Vec<Request>,
    statistics: BTreeMap<&'static str, i64>,
    radio_faults: Vec<&'static str>,
    tags: BTreeMap<Epc, TagFigures>,
    reads: u64,
    gaps: BTreeMap<&'static str, u64>,
    noise_bytes: u64,
    // Time spent reading, and since when it reads now.
    reading_time: Duration,
    reading_since: Option<Instant>,
    state: ReaderState,
}

/// What has been seen of one tag.
#[derive(Debug)]
struct TagFigures {
    reads: u64,
    // How often each strength came: few values, however many reads.
    dbm: BTreeMap<i16, u64>,
    antennas: Vec<u8>,
    last_at: Instant,
    interval_max: Duration,
}

impl Check {
    fn new(antennas_wanted: Vec<u8>) -> Self {
        Self {
            antennas_wanted,
            identity: None,
            baud: None,
            celsius: None,
            antennas: BTreeMap::new(),
            refused: Vec::new(),
            statistics: BTreeMap::new(),
            radio_faults: Vec::new(),
            tags: BTreeMap::new(),
            reads: 0,
            gaps: BTreeMap::new(),
            noise_bytes: 0,
            reading_time: Duration::ZERO,
            reading_since: None,
            state: ReaderState::Closed,
        }
    }

    fn handle(&mut self, event: &ReaderEvent, at: Instant) {
        match event {
            ReaderEvent::Tag(read) => self.count(read),
            ReaderEvent::State(state) => {
                self.end(at);
                self.state = *state;
                self.reading_since = (*state == ReaderState::Reading).then_some(at);
            }
            ReaderEvent::Gap(gap) => {
                *self.gaps.entry(cause_name(gap.cause)).or_default() += 1;
                if let GapCause::Noise { bytes } = gap.cause {
                    self.noise_bytes += bytes;
                }
            }
            ReaderEvent::Report(report) => self.note(report),
        }
    }

    fn note(&mut self, report: &Report) {
        match report {
            Report::Identity { text, baud } => {
                self.identity = Some(text.clone());
                self.baud = *baud;
            }
            Report::Temperature { celsius } => self.celsius = Some(*celsius),
            Report::Antenna { port, state } => {
                self.antennas.insert(*port, *state);
            }
            Report::Statistic { name, value } => {
                self.statistics.insert(name, *value);
            }
            Report::Refused { request } => self.refused.push(*request),
            Report::RadioFault { text } => {
                if !self.radio_faults.contains(text) {
                    self.radio_faults.push(text);
                }
            }
            Report::Input { .. } | Report::OutputSet { .. } => {}
        }
    }

    fn count(&mut self, read: &TagRead) {
        let reads = u64::from(read.read_count);
        self.reads += reads;
        let figures = self.tags.entry(read.epc).or_insert_with(|| TagFigures {
            reads: 0,
            dbm: BTreeMap::new(),
            antennas: Vec::new(),
            last_at: read.at,
            interval_max: Duration::ZERO,
        });
        figures.reads += reads;
        let interval = read.at.saturating_duration_since(figures.last_at);
        figures.interval_max = figures.interval_max.max(interval);
        figures.last_at = read.at;
        if let Some(dbm) = read.rssi.and_then(|rssi| rssi.dbm) {
            *figures.dbm.entry(dbm).or_default() += 1;
        }
        let new = read.antenna.filter(|antenna| !figures.antennas.contains(antenna));
        figures.antennas.extend(new);
    }

    /// Closes the books on the time that it has been reading.
    fn end(&mut self, at: Instant) {
        if let Some(since) = self.reading_since.take() {
            self.reading_time += at.saturating_duration_since(since);
        }
    }

    fn reads_per_second(&self) -> Option<f64> {
        let reads = u32::try_from(self.reads).unwrap_or(u32::MAX);
        let seconds = self.reading_time.as_secs_f64();
        (seconds > 0.0).then(|| f64::from(reads) / seconds)
    }

    /// Prints the figures.
    fn put(&self, output: &mut Output) -> Result<(), Failure> {
        let rate = self.reads_per_second();
        output.put(|| self.text(rate), || self.object(rate))?;
        for (epc, figures) in &self.tags {
            output.put(|| figures.text(epc), || figures.object(epc))?;
        }
        Ok(())
    }

    fn text(&self, rate: Option<f64>) -> String {
        let identity = self.identity.as_deref().unwrap_or("unknown");
        let mut text = format!("reader       {identity}");
        if let Some(baud) = self.baud {
            text += &format!(", at {baud} baud");
        }
        if let Some(celsius) = self.celsius {
            text += &format!("\ntemperature  {celsius} °C");
        }
        for (port, state) in &self.antennas {
            text += &format!("\nantenna {port:<4} {}", antenna_name(*state));
        }
        for (name, value) in &self.statistics {
            text += &format!("\n{name:<12} {value}");
        }
        let rate = rate.map_or("-".to_owned(), |rate| format!("{rate:.1}"));
        text +=
            &format!("\nreads        {} of {} tags, {rate} a second", self.reads, self.tags.len());
        text += &format!("\nnoise        {} bytes", self.noise_bytes);
        for (cause, count) in &self.gaps {
            text += &format!("\ngaps         {count} by {cause}");
        }
        text
    }

    fn object(&self, rate: Option<f64>) -> Value {
        let antennas: Vec<Value> = self
            .antennas
            .iter()
            .map(|(port, state)| json!({ "port": port, "state": antenna_name(*state) }))
            .collect();
        json!({
            "event": "summary",
            "identity": self.identity,
            "baud": self.baud,
            "state": shown::state_name(self.state),
            "temperature_celsius": self.celsius,
            "antennas": antennas,
            "statistics": self.statistics,
            "reads": self.reads,
            "tags": self.tags.len(),
            "reads_per_second": rate,
            "gaps": self.gaps,
            "noise_bytes": self.noise_bytes,
            "radio_faults": self.radio_faults,
        })
    }
}

impl TagFigures {
    /// The strength that half of the reads do not reach.
    fn median_dbm(&self) -> Option<i16> {
        let half = self.dbm.values().sum::<u64>().div_ceil(2);
        let mut seen = 0;
        self.dbm
            .iter()
            .find(|(_, count)| {
                seen += **count;
                seen >= half
            })
            .map(|(dbm, _)| *dbm)
    }

    fn text(&self, epc: &Epc) -> String {
        let ends = self.dbm.first_key_value().zip(self.dbm.last_key_value());
        let rssi =
            ends.zip(self.median_dbm()).map_or("no strength told".to_owned(), |(ends, median)| {
                format!("{} / {median} / {} dBm (min / median / max)", ends.0.0, ends.1.0)
            });
        let on = shown::antennas_text(&self.antennas);
        let ms = self.interval_max.as_millis();
        format!("tag {epc}  {} reads{on}, {rssi}, longest interval {ms} ms", self.reads)
    }

    fn object(&self, epc: &Epc) -> Value {
        json!({
            "event": "tag",
            "epc": epc.to_string(),
            "reads": self.reads,
            "antennas": self.antennas,
            "rssi_dbm_min": self.dbm.first_key_value().map(|(dbm, _)| dbm),
            "rssi_dbm_median": self.median_dbm(),
            "rssi_dbm_max": self.dbm.last_key_value().map(|(dbm, _)| dbm),
            "interval_ms_max": u64::try_from(self.interval_max.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

#[cfg(test)]
mod tests;
