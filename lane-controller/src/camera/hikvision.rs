//! Events of the `EventNotificationAlert` format (ISAPI): XML, alone or as a part beside pictures.
//! Pure.
//!
//! An event of a plate has the type `ANPR`, and in its element `ANPR` the plate and how sure the
//! camera is, 0 to 100. Some firmware leaves the element `ANPR` out and says both one level higher.
//! Other types (`videoloss`, which cameras also send as a sign of life, motion, …) are no sighting.
//!
//! Strict where it matters: no document type, no nesting beyond what events have, nothing that
//! counts said twice, and no entity in what counts.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::sighting::{Confidence, EventError, Sighting, instant, plate};

/// No event is nested deeper.
const DEPTH_MAX: usize = 16;

/// What counts in an event.
#[derive(Debug, Default)]
struct Said {
    event_type: Option<String>,
    date_time: Option<String>,
    plate: Option<String>,
    confidence: Option<String>,
}

/// Reads an event; nothing where it is one of another type, or no plate could be read.
///
/// # Errors
/// When the text is not exactly an event.
pub fn parse(text: &str, scale_max: u16) -> Result<Option<Sighting>, EventError> {
    let said = read(text)?;
    if said.event_type.ok_or(EventError::Missing("eventType"))? != "ANPR" {
        return Ok(None);
    }
    let Some(plate) = plate(&said.plate.ok_or(EventError::Missing("licensePlate"))?)? else {
        return Ok(None);
    };
    let confidence = said.confidence.ok_or(EventError::Missing("confidenceLevel"))?;
    let confidence = Confidence::try_of(&confidence, scale_max)?;
    let camera_time = said.date_time.map_or(Ok(None), |text| instant(&text))?;
    Ok(Some(Sighting { plate, confidence, camera_time }))
}

fn read(text: &str) -> Result<Said, EventError> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut said = Said::default();
    let mut path: Vec<String> = Vec::new();
    let mut value = String::new();
    let mut has_entity = false;
    let mut is_over = false;
    loop {
        match reader.read_event().map_err(|_why| EventError::Syntax("XML"))? {
            Event::Start(start) => {
                let name = start.local_name().into_inner().to_owned();
                if path.is_empty() && (name != "EventNotificationAlert" || is_over) {
                    return Err(EventError::Root);
                }
                if path.len() == DEPTH_MAX {
                    return Err(EventError::Depth);
                }
                path.push(name);
                value.clear();
                has_entity = false;
            }
            Event::End(_) => {
                if let Some((name, field)) = said.field(&path) {
                    if has_entity {
                        return Err(EventError::Syntax("plain text where it counts"));
                    }
                    if field.replace(std::mem::take(&mut value)).is_some() {
                        return Err(EventError::Repeated(name));
                    }
                }
                path.pop();
                is_over |= path.is_empty();
                value.clear();
            }
            Event::Text(text) => value.push_str(text.xml10_content().trim()),
            Event::GeneralRef(_) | Event::CData(_) => has_entity = true,
            Event::DocType(_) => return Err(EventError::DocumentType),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof if is_over && path.is_empty() => return Ok(said),
            Event::Eof => return Err(EventError::Syntax("XML that ends")),
        }
    }
}

impl Said {
    /// What an element at this place says, if it counts.
    fn field(&mut self, path: &[String]) -> Option<(&'static str, &mut Option<String>)> {
        let inside: Vec<&str> = path.iter().skip(1).map(String::as_str).collect();
        Some(match inside.as_slice() {
            ["eventType"] => ("eventType", &mut self.event_type),
            ["dateTime"] => ("dateTime", &mut self.date_time),
            ["ANPR", "licensePlate"] | ["licensePlate"] => ("licensePlate", &mut self.plate),
            ["ANPR", "confidenceLevel"] | ["confidenceLevel"] => {
                ("confidenceLevel", &mut self.confidence)
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(body: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<EventNotificationAlert version=\"2.0\" \
             xmlns=\"http://www.isapi.org/ver20/XMLSchema\">\n{body}\n</EventNotificationAlert>\n"
        )
    }

    const ANPR: &str = "<ipAddress>192.0.2.40</ipAddress>\n<channelID>1</channelID>\n\
        <dateTime>2024-05-07T17:48:03.847+07:00</dateTime>\n<eventType>ANPR</eventType>\n\
        <eventState>active</eventState>\n<channelName>L&#224;n 1 &amp; 2</channelName>\n<ANPR>\n\
        <country>64</country>\n<licensePlate>37A-123.45</licensePlate>\n<line>1</line>\n\
        <confidenceLevel>98</confidenceLevel>\n<plateColor>white</plateColor>\n\
        <vehicleInfo><index>3301</index><color>black</color></vehicleInfo>\n\
        <originalLicensePlate>37A12345</originalLicensePlate>\n</ANPR>";

    #[test]
    fn an_event_of_a_plate_is_a_sighting() {
        let sighting = parse(&event(ANPR), 100).unwrap().unwrap();
        assert_eq!(sighting.plate.as_str(), "37A12345");
        assert_eq!(sighting.confidence.percent(), 98);
        assert_eq!(sighting.camera_time, Some("2024-05-07T10:48:03.847Z".parse().unwrap()));
    }

    #[test]
    fn firmware_that_leaves_the_inner_element_out_is_understood() {
        let flat = "<eventType>ANPR</eventType><licensePlate>51F97022</licensePlate>\
                    <confidenceLevel>92</confidenceLevel>";
        let sighting = parse(&event(flat), 100).unwrap().unwrap();
        assert_eq!(sighting.plate.as_str(), "51F97022");
        assert_eq!(sighting.camera_time, None);
    }

    #[test]
    fn other_events_and_plates_that_could_not_be_read_are_no_sighting() {
        let alive = "<eventType>videoloss</eventType><eventState>inactive</eventState>";
        assert_eq!(parse(&event(alive), 100), Ok(None));
        assert_eq!(parse(&event(&ANPR.replace("37A-123.45", "unknown")), 100), Ok(None));
    }

    #[test]
    fn what_is_not_exactly_an_event_is_refused_with_the_reason() {
        let check = |text: &str, expected: &EventError| {
            assert_eq!(parse(text, 100).as_ref(), Err(expected), "{text}");
        };
        let change = |from: &str, to: &str| event(&ANPR.replace(from, to));
        check("", &EventError::Syntax("XML that ends"));
        check("{}", &EventError::Syntax("XML that ends"));
        check("<a/>", &EventError::Syntax("XML that ends"));
        check("<html></html>", &EventError::Root);
        check(&event("<eventType>ANPR"), &EventError::Syntax("XML"));
        check(&event("").repeat(2), &EventError::Root);
        check(&event(""), &EventError::Missing("eventType"));
        check(&event("<eventType>ANPR</eventType>"), &EventError::Missing("licensePlate"));
        check(&change("confidenceLevel>", "confidence>"), &EventError::Missing("confidenceLevel"));
        check(&change(">98<", ">high<"), &EventError::Confidence);
        check(&change("2024-05-07T", "once "), &EventError::Time);
        check(
            &change("37A-123.45", "37A&amp;1"),
            &EventError::Syntax("plain text where it counts"),
        );
        check(
            &change("<line>1</line>", "<licensePlate>30A1</licensePlate>"),
            &EventError::Repeated("licensePlate"),
        );
        let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
        check(&event(&deep), &EventError::Depth);
        let bomb = format!("<!DOCTYPE x [<!ENTITY a \"aa\">]>{}", event(ANPR));
        check(&bomb, &EventError::DocumentType);
    }

    #[test]
    fn a_refusal_never_shows_the_plate() {
        let text = event(&ANPR.replace("37A-123.45", "37A/123.45"));
        let error = parse(&text, 100).unwrap_err();
        assert!(matches!(error, EventError::Plate(_)));
        assert!(!format!("{error:?} {error}").contains("37A"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,300}") {
            let _any = parse(&text, 100);
        }

        #[test]
        fn no_damaged_event_panics(at in 0_usize..600, text in ".{0,3}") {
            let mut damaged: Vec<char> = event(ANPR).chars().collect();
            let at = at.min(damaged.len());
            damaged.splice(at..(at + 2).min(damaged.len()), text.chars());
            let _any = parse(&damaged.into_iter().collect::<String>(), 100);
        }
    }
}
