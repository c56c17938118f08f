//! Events of the other common format: `key=value` lines such as `Events[0].Code=…`, or the same
//! tree as JSON, alone or as a part beside pictures. Pure.
//!
//! The plate is in `TrafficCar.PlateNumber`, or in `Object.Text` where `Object.ObjectType` is
//! `Plate` (otherwise that is the vehicle's make), or, in the newer push, in
//! `Picture.Plate.PlateNumber`. The confidence is the object's, on a scale that differs between
//! models and is configured. An event without a plate (a sign of life, a motion) is no sighting.

use std::collections::BTreeMap;

use domain::Timestamp;
use serde_json::Value;

use super::sighting::{Confidence, EventError, Sighting, instant, plate};

/// No event has more lines.
const LINES_MAX: usize = 2_000;

/// An event, whichever way it was written.
enum Fields {
    Lines(BTreeMap<String, String>),
    Json(Value),
}

impl Fields {
    /// What stands under a path such as `TrafficCar.PlateNumber`, if that is text or a number.
    fn at(&self, path: &str) -> Option<String> {
        match self {
            Self::Lines(lines) => lines.get(path).cloned(),
            Self::Json(event) => {
                let value = path.split('.').try_fold(event, |value, name| value.get(name))?;
                match value {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(number) => Some(number.to_string()),
                    Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
                }
            }
        }
    }

    fn first_of(&self, paths: &[&str]) -> Option<String> {
        paths.iter().find_map(|path| self.at(path)).map(|text| text.trim().to_owned())
    }
}

/// Reads an event; nothing where it is of no plate.
///
/// # Errors
/// When the text is not exactly an event.
pub fn parse(text: &str, scale_max: u16) -> Result<Option<Sighting>, EventError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let event = if text.starts_with('{') { json(text)? } else { lines(text)? };
    let said = match event.at("Object.ObjectType").as_deref() {
        Some("Plate") => event.first_of(&["Object.Text"]),
        Some(_) | None => None,
    };
    let paths = ["TrafficCar.PlateNumber", "Picture.Plate.PlateNumber", "Plate.PlateNumber"];
    let Some(said) = said.filter(|text| !text.is_empty()).or_else(|| event.first_of(&paths)) else {
        return Ok(None);
    };
    let Some(plate) = plate(&said)? else { return Ok(None) };
    let paths = ["Object.Confidence", "Picture.Plate.Confidence", "Plate.Confidence"];
    let confidence = match event.first_of(&paths) {
        Some(text) => Confidence::try_of(&text, scale_max)?,
        None => Confidence::NONE,
    };
    Ok(Some(Sighting { plate, confidence, camera_time: camera_time(&event)? }))
}

fn camera_time(event: &Fields) -> Result<Option<Timestamp>, EventError> {
    let Some(seconds) = event.first_of(&["UTC"]) else {
        let local = event.first_of(&["Picture.SnapInfo.AccurateTime", "LocaleTime"]);
        return local.map_or(Ok(None), |text| instant(&text));
    };
    let seconds: i64 = seconds.parse().map_err(|_no_number| EventError::Time)?;
    let millis = match event.first_of(&["UTCMS"]) {
        Some(text) => text.parse().map_err(|_no_number| EventError::Time)?,
        None => 0_i32,
    };
    if !(0..1_000).contains(&millis) {
        return Err(EventError::Time);
    }
    let at = Timestamp::new(seconds, millis * 1_000_000);
    at.map(Some).map_err(|_out_of_range| EventError::Time)
}

fn json(text: &str) -> Result<Fields, EventError> {
    let mut message: Value =
        serde_json::from_str(text).map_err(|_why| EventError::Syntax("JSON"))?;
    match message.get_mut("Events") {
        None => Ok(Fields::Json(message)),
        Some(Value::Array(events)) => match events.len() {
            1 => Ok(Fields::Json(events.remove(0))),
            count => Err(EventError::Several(count)),
        },
        Some(_) => Err(EventError::Syntax("list of events")),
    }
}

fn lines(text: &str) -> Result<Fields, EventError> {
    let mut event = BTreeMap::new();
    for (count, line) in text.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        if count == LINES_MAX {
            return Err(EventError::Limit);
        }
        let (key, value) = line.split_once('=').ok_or(EventError::Syntax("list of key=value"))?;
        let key = key.trim();
        let own = key.strip_prefix("Events[0].").or_else(|| key.strip_prefix("ReturnEvents[0]."));
        if own.is_none() && (key.starts_with("Events[") || key.starts_with("ReturnEvents[")) {
            return Err(EventError::Several(2));
        }
        if event.insert(own.unwrap_or(key).to_owned(), value.trim().to_owned()).is_some() {
            return Err(EventError::Repeated("key"));
        }
    }
    if event.is_empty() { Err(EventError::NoEvent) } else { Ok(Fields::Lines(event)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINES: &str = "Events[0].EventBaseInfo.Code=TrafficJunction\r\n\
        Events[0].EventBaseInfo.Action=Pulse\r\nEvents[0].Object.ObjectType=Plate\r\n\
        Events[0].Object.Text=30A-567.89\r\nEvents[0].Object.Confidence=204\r\n\
        Events[0].TrafficCar.PlateNumber=30A56789\r\nEvents[0].UTC=1715078883\r\n\
        Events[0].UTCMS=847\r\n";
    const JSON: &str = r#"{"Events":[{"Code":"TrafficJunction","Action":"Pulse","UTC":1715078883,
        "UTCMS":847,"Object":{"ObjectType":"Vehicle","Text":"Toyota","Confidence":204},
        "TrafficCar":{"PlateNumber":"30A56789","Speed":12}}]}"#;

    fn check(text: &str) {
        let sighting = parse(text, 255).unwrap().unwrap();
        assert_eq!(sighting.plate.as_str(), "30A56789");
        assert_eq!(sighting.confidence.percent(), 80);
        assert_eq!(sighting.camera_time, Some("2024-05-07T10:48:03.847Z".parse().unwrap()));
    }

    #[test]
    fn lines_and_json_say_the_same() {
        check(LINES);
        check(JSON);
        check(&LINES.replace("Events[0]", "ReturnEvents[0]"));
    }

    #[test]
    fn the_newer_push_is_understood() {
        let text = r#"{"Picture":{"Plate":{"IsExist":true,"PlateNumber":"51F97022"},
            "SnapInfo":{"AccurateTime":"2024-05-07 17:48:03.847"}}}"#;
        let sighting = parse(text, 100).unwrap().unwrap();
        assert_eq!(sighting.plate.as_str(), "51F97022");
        assert_eq!(sighting.confidence, Confidence::NONE, "it does not say");
        assert_eq!(sighting.camera_time, None, "a local time tells no instant");
    }

    #[test]
    fn events_without_a_plate_are_no_sighting() {
        for text in [
            r#"{"Active":"keepAlive","DeviceID":"c1"}"#,
            "Events[0].Code=VideoMotion\r\nEvents[0].Action=Start\r\n",
            r#"{"Events":[{"Code":"TrafficJunction","TrafficCar":{"PlateNumber":""}}]}"#,
            r#"{"Object":{"ObjectType":"Vehicle","Text":"Toyota"}}"#,
        ] {
            assert_eq!(parse(text, 100), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_is_not_exactly_an_event_is_refused_with_the_reason() {
        let check = |text: &str, expected: &EventError| {
            assert_eq!(parse(text, 255).as_ref(), Err(expected), "{text}");
        };
        check("", &EventError::NoEvent);
        check("hello", &EventError::Syntax("list of key=value"));
        check("{", &EventError::Syntax("JSON"));
        check(&"{\"a\":".repeat(500), &EventError::Syntax("JSON"));
        check(r#"{"Events":[]}"#, &EventError::Several(0));
        check(r#"{"Events":[{},{}]}"#, &EventError::Several(2));
        check(r#"{"Events":1}"#, &EventError::Syntax("list of events"));
        check("Events[1].Code=x", &EventError::Several(2));
        check("a=1\na=2", &EventError::Repeated("key"));
        check("a\n", &EventError::Syntax("list of key=value"));
        check(&LINES.replace("=204", "=256"), &EventError::Confidence);
        check(&LINES.replace("=847", "=1000"), &EventError::Time);
        check(&LINES.replace("=1715078883", "=99999999999999999"), &EventError::Time);
    }

    #[test]
    fn a_refusal_never_shows_the_plate() {
        let error = parse(&LINES.replace("30A-567.89", "30A/567.89"), 255).unwrap_err();
        assert!(matches!(error, EventError::Plate(_)));
        assert!(!format!("{error:?} {error}").contains("30A"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[{}\\[\\]\":,=a-zA-Z0-9 .\\n]{0,300}") {
            let _any = parse(&text, 255);
        }
    }
}
