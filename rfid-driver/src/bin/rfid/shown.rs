//! What the library reports, as text for a person and as objects for a program.

use std::time::Instant;

use rfid_driver::TagRead;
use rfid_driver::codec::Value as FieldValue;
use rfid_driver::session::{Gap, GapCause, Level, ReaderState, Report, Request};
use rfid_driver::sighting::{Departure, News, Sighting, SightingEvent};
use rfid_driver::supervisor::{AntennaState, ReaderEvent};
use rfid_driver::tag_layout::TagLayout;
use serde_json::{Map, Value, json};

use crate::clock;
use crate::hex::hex;

/// A tag, as all commands show it.
pub(crate) fn tag_object(read: &TagRead) -> Map<String, Value> {
    let word = |word: u16| format!("{word:04X}");
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("epc", json!(read.epc.to_string()));
    put("tid", json!(read.tid.map(|tid| tid.to_string())));
    put("pc", json!(read.pc.map(word)));
    if let Some(xpc) = read.xpc[0] {
        put(
            "xpc",
            json!([Some(xpc), read.xpc[1]].into_iter().flatten().map(word).collect::<Vec<_>>()),
        );
    }
    put("antenna", json!(read.antenna));
    put("rssi_dbm", json!(read.rssi.and_then(|rssi| rssi.dbm)));
    put("rssi_raw", json!(read.rssi.map(|rssi| rssi.raw)));
    put("frequency_khz", json!(read.frequency_khz));
    put("phase", json!(read.phase_deg));
    put("read_count", json!(read.read_count));
    put("timestamp_ms", json!(read.reader_timestamp_ms));
    object
}

/// The same, on a line.
pub(crate) fn tag_text(read: &TagRead) -> String {
    let mut text = read.epc.to_string();
    let mut add = |part: Option<String>| {
        if let Some(part) = part {
            text.push_str("  ");
            text.push_str(&part);
        }
    };
    add(read.antenna.map(|port| format!("antenna {port}")));
    add(read.rssi.map(|rssi| match rssi.dbm {
        Some(dbm) => format!("{dbm} dBm"),
        None => format!("strength {}", rssi.raw),
    }));
    add(read.frequency_khz.map(|frequency| format!("{frequency} kHz")));
    add(read.phase_deg.map(|phase| format!("phase {phase}")));
    add((read.read_count != 1).then(|| format!("{} reads", read.read_count)));
    add(read.reader_timestamp_ms.map(|at| format!("at {at} ms")));
    add(read.tid.map(|tid| format!("TID {tid}")));
    text
}

pub(crate) fn layout_object(layout: &TagLayout) -> Value {
    let fields: Map<String, Value> = layout
        .fields()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), field_object(&value)))
        .collect();
    json!({ "name": layout.name(), "text": layout.to_string(), "fields": fields })
}

/// What a field says: a number stays one, codes and bytes are hex.
pub(crate) fn field_object(value: &FieldValue) -> Value {
    match value {
        FieldValue::Number(number) => json!(number),
        FieldValue::Code { .. } | FieldValue::Text(_) | FieldValue::Bytes(_) => {
            json!(field_text(value))
        }
    }
}

pub(crate) fn field_text(value: &FieldValue) -> String {
    match value {
        FieldValue::Number(number) => number.to_string(),
        FieldValue::Code { code, digits } => {
            format!("0x{code:0width$X}", width = usize::from(*digits))
        }
        FieldValue::Text(text) => text.clone(),
        FieldValue::Bytes(bytes) => hex(bytes),
    }
}

/// Whatever a reader reports but tags.
pub(crate) fn event_object(event: &ReaderEvent, at: Instant) -> Value {
    let mut object = match event {
        ReaderEvent::Tag(read) => Value::Object(tag_object(read)),
        ReaderEvent::State(state) => json!({ "event": "state", "state": state_name(*state) }),
        ReaderEvent::Gap(gap) => gap_object(gap),
        ReaderEvent::Report(report) => report_object(report),
    };
    if let Value::Object(fields) = &mut object {
        fields.insert("at".to_owned(), json!(clock::rfc3339(at)));
    }
    object
}

pub(crate) fn event_text(event: &ReaderEvent) -> String {
    match event {
        ReaderEvent::Tag(read) => tag_text(read),
        ReaderEvent::State(state) => format!("reader: {}", state_name(*state)),
        ReaderEvent::Gap(gap) => {
            let ms = gap.until.saturating_duration_since(gap.since).as_millis();
            format!("gap: tags may be missing over {ms} ms: {}", cause_text(gap.cause))
        }
        ReaderEvent::Report(report) => report_text(report),
    }
}

pub(crate) fn state_name(state: ReaderState) -> &'static str {
    match state {
        ReaderState::Closed => "closed",
        ReaderState::Probing => "probing",
        ReaderState::Configuring => "configuring",
        ReaderState::Reading => "reading",
        ReaderState::Degraded => "degraded",
    }
}

fn gap_object(gap: &Gap) -> Value {
    let ms = gap.until.saturating_duration_since(gap.since).as_millis();
    let bytes = match gap.cause {
        GapCause::Noise { bytes } => Some(bytes),
        _ => None,
    };
    let ms = u64::try_from(ms).unwrap_or(u64::MAX);
    json!({ "event": "gap", "cause": cause_name(gap.cause), "bytes": bytes, "duration_ms": ms })
}

pub(crate) fn cause_name(cause: GapCause) -> &'static str {
    match cause {
        GapCause::Noise { .. } => "noise",
        GapCause::Unusable => "unusable",
        GapCause::Silence => "silence",
        GapCause::Stopped => "stopped",
        GapCause::Request => "request",
        GapCause::Reboot => "reboot",
        GapCause::PortLost => "port_lost",
        GapCause::Radio => "radio",
    }
}

fn cause_text(cause: GapCause) -> String {
    match cause {
        GapCause::Noise { bytes } => format!("{bytes} bytes of noise"),
        GapCause::Unusable => "a report of a tag without a usable identity".to_owned(),
        GapCause::Silence => "the reader gave no sign of life".to_owned(),
        GapCause::Stopped => "the reader stopped by itself".to_owned(),
        GapCause::Request => "the reader was asked something else".to_owned(),
        GapCause::Reboot => "the reader restarted".to_owned(),
        GapCause::PortLost => "the port was lost".to_owned(),
        GapCause::Radio => "the radio could not work".to_owned(),
    }
}

fn report_object(report: &Report) -> Value {
    match report {
        Report::Identity { text, baud } => {
            json!({ "event": "identity", "text": text, "baud": baud })
        }
        Report::Temperature { celsius } => json!({ "event": "temperature", "celsius": celsius }),
        Report::Antenna { port, state } => {
            json!({ "event": "antenna", "port": port, "state": antenna_name(*state) })
        }
        Report::Input { pin, level } => {
            json!({ "event": "input", "pin": pin, "level": level_name(*level) })
        }
        Report::OutputSet { pin } => json!({ "event": "output_set", "pin": pin }),
        Report::Statistic { name, value } => {
            json!({ "event": "statistic", "name": name, "value": value })
        }
        Report::Refused { request } => {
            json!({ "event": "refused", "request": request_name(*request) })
        }
        Report::RadioFault { text } => json!({ "event": "radio_fault", "text": text }),
    }
}

pub(crate) fn report_text(report: &Report) -> String {
    match report {
        Report::Identity { text, baud } => match baud {
            Some(baud) => format!("reader is {text}, at {baud} baud"),
            None => format!("reader is {text}"),
        },
        Report::Temperature { celsius } => format!("temperature {celsius} °C"),
        Report::Antenna { port, state } => format!("antenna {port} is {}", antenna_name(*state)),
        Report::Input { pin, level } => format!("input {pin} is {}", level_name(*level)),
        Report::OutputSet { pin } => format!("output {pin} is set"),
        Report::Statistic { name, value } => format!("{name} {value}"),
        Report::Refused { request } => {
            format!("the reader cannot do this: {}", request_name(*request))
        }
        Report::RadioFault { text } => format!("radio fault: {text}"),
    }
}

pub(crate) fn antenna_name(state: AntennaState) -> &'static str {
    match state {
        AntennaState::Connected => "connected",
        AntennaState::Missing => "missing",
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Low => "low",
        Level::High => "high",
    }
}

fn request_name(request: Request) -> &'static str {
    match request {
        Request::Temperature => "temperature",
        Request::Antennas => "antennas",
        Request::Inputs => "inputs",
        Request::SetOutput { .. } => "set_output",
        Request::Statistics => "statistics",
    }
}

pub(crate) fn sighting_object(event: &SightingEvent) -> Value {
    let (name, detail, sighting) = sighting_parts(event);
    let strongest = sighting.strongest;
    json!({
        "event": name,
        "news": detail,
        "epc": sighting.epc.to_string(),
        "tid": sighting.tid.map(|tid| tid.to_string()),
        "first_seen": clock::rfc3339(sighting.first_seen),
        "last_seen": clock::rfc3339(sighting.last_seen),
        "read_count": sighting.read_count,
        "antennas": sighting.antennas,
        "rssi_dbm": strongest.and_then(|strongest| strongest.rssi.dbm),
        "rssi_raw": strongest.map(|strongest| strongest.rssi.raw),
        "antenna": strongest.and_then(|strongest| strongest.antenna),
    })
}

pub(crate) fn sighting_text(event: &SightingEvent) -> String {
    let (name, detail, sighting) = sighting_parts(event);
    let detail = detail.map_or(String::new(), |detail| format!(" ({detail})"));
    let reads = sighting.read_count;
    let rssi = sighting.strongest.and_then(|strongest| strongest.rssi.dbm);
    let rssi = rssi.map_or(String::new(), |dbm| format!(", {dbm} dBm"));
    let on = antennas_text(&sighting.antennas);
    format!("{} {name}{detail}: {reads} reads{on}{rssi}", sighting.epc)
}

/// ", antenna 1+2"; nothing where the reader tells none.
pub(crate) fn antennas_text(antennas: &[u8]) -> String {
    let ports: Vec<String> = antennas.iter().map(u8::to_string).collect();
    if ports.is_empty() { String::new() } else { format!(", antenna {}", ports.join("+")) }
}

pub(crate) fn sighting_parts(
    event: &SightingEvent,
) -> (&'static str, Option<&'static str>, &Sighting) {
    match event {
        SightingEvent::FirstSeen(sighting) => ("first_seen", None, sighting),
        SightingEvent::Refined { sighting, news } => {
            let news = match news {
                News::Stronger => "stronger",
                News::TidLearned => "tid_learned",
                News::TidDiffers => "tid_differs",
                News::OtherAntenna => "other_antenna",
                News::Count => "count",
            };
            ("refined", Some(news), sighting)
        }
        SightingEvent::Left { sighting, departure } => {
            let how = match departure {
                Departure::Absent => "absent",
                Departure::Crowded => "crowded",
            };
            ("left", Some(how), sighting)
        }
    }
}
