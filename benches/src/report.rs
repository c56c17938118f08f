//! The result of a bench: tables for people, JSON for programs.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::Failed;
use crate::latency::Latency;
use crate::machine::Machine;

/// The percentiles that are told of every latency.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];

/// One figure.
#[derive(Debug)]
struct Figure {
    subject: String,
    metric: String,
    value: f64,
    unit: &'static str,
    n: u64,
}

/// What a bench found.
#[derive(Debug)]
pub struct Report {
    name: &'static str,
    machine: Machine,
    latencies: Vec<(String, String, Latency)>,
    figures: Vec<Figure>,
    ratios: BTreeMap<String, f64>,
    notes: Vec<String>,
}

impl Report {
    /// An empty report of the bench with this name.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            machine: Machine::this(),
            latencies: Vec::new(),
            figures: Vec::new(),
            ratios: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a latency.
    pub fn latency(&mut self, subject: &str, metric: &str, latency: &Latency) {
        self.latencies.push((subject.to_owned(), metric.to_owned(), latency.clone()));
    }

    /// Adds a figure that `n` samples stand behind.
    pub fn figure(&mut self, subject: &str, metric: &str, value: f64, unit: &'static str, n: u64) {
        let (subject, metric) = (subject.to_owned(), metric.to_owned());
        self.figures.push(Figure { subject, metric, value, unit, n });
    }

    /// Adds a ratio by its name, `ours/other`.
    pub fn ratio(&mut self, name: &str, ratio: f64) {
        self.ratios.insert(name.to_owned(), ratio);
    }

    /// Adds a sentence that a reader of the figures must know.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Prints the tables and writes `target/bench/NAME.json`.
    ///
    /// # Errors
    /// When the file cannot be written, or nobody takes the output.
    pub fn finish(self) -> Result<(), Failed> {
        let mut out = std::io::stdout().lock();
        // First, so that nothing that fails afterwards loses what may have taken half an hour.
        writeln!(out, "{}", self.to_markdown())?;
        let folder = target()?.join("bench");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.json", self.name));
        std::fs::write(&path, serde_json::to_string_pretty(&self.to_json())? + "\n")?;
        Ok(writeln!(out, "The same as JSON: {}", path.display())?)
    }

    fn to_markdown(&self) -> String {
        let mut text = format!("### {}\n\n{}.\n", self.name, self.machine.to_line());
        if !self.latencies.is_empty() {
            text += "\n| subject | µs | p50 | p99 | p99.9 | max | n |\n|---|---|---:|---:|---:|---:|---:|\n";
            for (subject, metric, latency) in &self.latencies {
                let spans = QUANTILES.map(|(_, quantile)| number(latency.micros_at(quantile)));
                let max = number(latency.max_micros());
                text += &format!(
                    "| {subject} | {metric} | {} | {max} | {} |\n",
                    spans.join(" | "),
                    latency.count()
                );
            }
        }
        if !self.figures.is_empty() {
            text += "\n| subject | metric | value | unit | n |\n|---|---|---:|---|---:|\n";
            for Figure { subject, metric, value, unit, n } in &self.figures {
                text += &format!("| {subject} | {metric} | {} | {unit} | {n} |\n", number(*value));
            }
        }
        text += "\n| ratio | |\n|---|---:|\n";
        for (name, ratio) in &self.ratios {
            text += &format!("| {name} | {} |\n", number(*ratio));
        }
        text += "\n";
        for note in &self.notes {
            text += &format!("* {note}\n");
        }
        text
    }

    fn to_json(&self) -> Value {
        let latencies = self.latencies.iter().flat_map(|(subject, metric, latency)| {
            let spans = QUANTILES.map(|(name, quantile)| (name, latency.micros_at(quantile)));
            spans.into_iter().chain([("max", latency.max_micros())]).map(move |(name, value)| {
                json!({
                    "subject": subject,
                    "metric": format!("{metric}, {name}"),
                    "value": value,
                    "unit": "µs",
                    "n": latency.count(),
                })
            })
        });
        let figures = self.figures.iter().map(|Figure { subject, metric, value, unit, n }| {
            json!({"subject": subject, "metric": metric, "value": value, "unit": unit, "n": n})
        });
        json!({
            "name": self.name,
            "machine": self.machine.to_json(),
            "results": latencies.chain(figures).collect::<Vec<_>>(),
            "ratios": self.ratios,
            "notes": self.notes,
        })
    }
}

/// Three digits are all that a run on a shared machine is good for.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The folder cargo builds into: this program lies in its `release/deps`.
pub(crate) fn target() -> Result<PathBuf, Failed> {
    match std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from) {
        Some(target) if target.is_absolute() => Ok(target),
        Some(_) | None => {
            let program = std::env::current_exe()?;
            let target = program.ancestors().nth(3).ok_or("this program lies in no folder")?;
            Ok(target.to_owned())
        }
    }
}

/// A count as a number to divide by; above 2⁵³ the last digits are lost.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2⁵³")]
pub const fn count(n: u64) -> f64 {
    n as f64
}
