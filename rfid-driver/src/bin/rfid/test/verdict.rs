//! What the figures of a check mean.

use std::fmt;

use rfid_driver::session::{ReaderState, Request};
use rfid_driver::supervisor::AntennaState;

use super::Check;
use crate::shown::state_name;

/// Warm for a module in the sun; modules throttle or stop not far above (M6e User Guide).
const WARM_CELSIUS: i16 = 70;
const HOT_CELSIUS: i16 = 85;
/// The edge of a lane's field; at its centre a tag answers with -45 to -55 dBm.
const WEAK_DBM: i16 = -70;

/// How good something is, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Warn,
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "PASS",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        })
    }
}

/// One judgement with its reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    pub(super) about: &'static str,
    pub(super) reason: String,
}

fn finding(verdict: Verdict, about: &'static str, reason: impl Into<String>) -> Finding {
    Finding { verdict, about, reason: reason.into() }
}

/// Judges everything that a check has seen.
pub(super) fn judge(check: &Check) -> Vec<Finding> {
    let mut findings = vec![reader(check)];
    findings.extend(check.antennas_wanted.iter().map(|port| antenna(check, *port)));
    findings.extend(check.celsius.map(temperature));
    findings.push(tags(check));
    findings.push(gaps(check));
    findings.push(noise(check));
    let faults = check.radio_faults.iter();
    findings.extend(faults.map(|fault| finding(Verdict::Fail, "radio", *fault)));
    findings
}

fn reader(check: &Check) -> Finding {
    match (check.state, check.reading_time.is_zero()) {
        (ReaderState::Reading, false) => finding(Verdict::Pass, "reader", "it reads"),
        (state, false) => {
            finding(Verdict::Fail, "reader", format!("it stopped reading: {}", state_name(state)))
        }
        (state, true) => {
            let reason = format!("it never began to read: {}", state_name(state));
            finding(Verdict::Fail, "reader", reason)
        }
    }
}

fn antenna(check: &Check, port: u8) -> Finding {
    match check.antennas.get(&port) {
        Some(AntennaState::Connected) => {
            finding(Verdict::Pass, "antenna", format!("{port} is connected"))
        }
        Some(AntennaState::Missing) => finding(
            Verdict::Fail,
            "antenna",
            format!("{port} is missing: check the cable and the plug"),
        ),
        None if check.refused.contains(&Request::Antennas) => finding(
            Verdict::Warn,
            "antenna",
            format!("{port} is unknown: this reader cannot tell; look at the reads"),
        ),
        None => {
            finding(Verdict::Warn, "antenna", format!("{port} is unknown: the reader did not say"))
        }
    }
}

fn temperature(celsius: i16) -> Finding {
    let about = "temperature";
    let reason = format!("{celsius} °C");
    match celsius {
        HOT_CELSIUS.. => finding(Verdict::Fail, about, format!("{reason}: too hot to read")),
        WARM_CELSIUS.. => finding(Verdict::Warn, about, format!("{reason}: give it shade")),
        _ => finding(Verdict::Pass, about, reason),
    }
}

fn tags(check: &Check) -> Finding {
    let weakest = check.tags.values().filter_map(super::TagFigures::median_dbm).min();
    let rate = check.reads_per_second().unwrap_or_default();
    let reason = format!("{} tags, {rate:.1} reads a second", check.tags.len());
    match weakest {
        _ if check.tags.is_empty() => {
            finding(Verdict::Warn, "tags", "none was read: hold one into the field and try again")
        }
        Some(dbm) if dbm < WEAK_DBM => {
            finding(Verdict::Warn, "tags", format!("{reason}; the weakest at {dbm} dBm"))
        }
        Some(_) | None => finding(Verdict::Pass, "tags", reason),
    }
}

fn gaps(check: &Check) -> Finding {
    // What noise did is judged by itself, and what this check asked for is its own doing.
    let bad: Vec<String> = check
        .gaps
        .iter()
        .filter(|(cause, _)| !matches!(**cause, "noise" | "request"))
        .map(|(cause, count)| format!("{count} by {cause}"))
        .collect();
    match bad.is_empty() {
        true => finding(Verdict::Pass, "gaps", "none"),
        false => finding(Verdict::Fail, "gaps", bad.join(", ")),
    }
}

fn noise(check: &Check) -> Finding {
    match check.noise_bytes {
        0 => finding(Verdict::Pass, "line", "no noise"),
        bytes => finding(
            Verdict::Warn,
            "line",
            format!("{bytes} bytes of noise: check shielding, ground and the rate"),
        ),
    }
}
