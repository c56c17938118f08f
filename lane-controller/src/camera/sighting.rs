//! What one event of a camera says, whatever its format, and why it says nothing. Pure.

use domain::vehicle::PlateError;
use domain::{Plate, Timestamp};
use jiff::civil::DateTime;

/// How sure a camera is, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Confidence(u8);

impl Confidence {
    /// Not at all, or the camera does not say.
    pub const NONE: Self = Self(0);

    /// Takes a camera's figure on its own scale, which begins at 0; rounded down.
    ///
    /// # Errors
    /// When it is no whole number on that scale.
    pub fn try_of(text: &str, scale_max: u16) -> Result<Self, EventError> {
        let value: u16 = text.parse().map_err(|_not_a_number| EventError::Confidence)?;
        if value > scale_max {
            return Err(EventError::Confidence);
        }
        let percent = u32::from(value) * 100 / u32::from(scale_max.max(1));
        u8::try_from(percent).map(Self).map_err(|_too_much| EventError::Confidence)
    }

    /// The figure, 0 to 100.
    #[must_use]
    pub const fn percent(self) -> u8 {
        self.0
    }
}

/// What one event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The plate.
    pub plate: Plate,
    /// How sure the camera is.
    pub confidence: Confidence,
    /// When it was by the camera's clock, where that tells an instant.
    pub camera_time: Option<Timestamp>,
}

/// Why an event was not understood. Never holds what it said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not UTF-8.
    #[error("the event is no text")]
    Text,
    /// Not what the format is written in.
    #[error("the event is no {0}")]
    Syntax(&'static str),
    /// Nested deeper than any event is.
    #[error("the event is nested too deep")]
    Depth,
    /// A document type, which no event has and which could define anything.
    #[error("the event has a document type")]
    DocumentType,
    /// Well written, but something else.
    #[error("the document is no event: it begins with another element")]
    Root,
    /// What every event of a plate has is not there.
    #[error("the event has no {0}")]
    Missing(&'static str),
    /// Said twice.
    #[error("the event says its {0} twice")]
    Repeated(&'static str),
    /// Several events at once.
    #[error("the message holds {0} events")]
    Several(usize),
    /// The plate is none.
    #[error("the event's plate is none")]
    Plate(#[source] PlateError),
    /// The confidence is no number on its scale.
    #[error("the event's confidence is no whole number on the camera's scale")]
    Confidence,
    /// The time is none.
    #[error("the event's time is none")]
    Time,
    /// The message has no part that could be an event.
    #[error("the message has no event")]
    NoEvent,
    /// The parts cannot be told apart.
    #[error("the message's parts cannot be told apart")]
    Parts,
    /// More parts, or larger ones, than a camera sends.
    #[error("the message has too many parts, or too large ones")]
    Limit,
}

/// The plate of an event; nothing where the camera says that it could read none.
pub(super) fn plate(text: &str) -> Result<Option<Plate>, EventError> {
    match text.trim() {
        "" | "unknown" | "Unknown" | "UNKNOWN" | "-" => Ok(None),
        plate => Plate::try_new(plate).map(Some).map_err(EventError::Plate),
    }
}

/// The instant of a camera's time; nothing where it is a local time without an offset.
pub(super) fn instant(text: &str) -> Result<Option<Timestamp>, EventError> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Some(at));
    }
    text.parse::<DateTime>().map(|_local| None).map_err(|_no_time| EventError::Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_is_taken_on_the_cameras_own_scale() {
        let check = |text: &str, scale_max, expected: Option<u8>| {
            assert_eq!(Confidence::try_of(text, scale_max).ok().map(Confidence::percent), expected);
        };
        check("98", 100, Some(98));
        check("255", 255, Some(100));
        check("128", 255, Some(50));
        check("101", 100, None);
        check("0.95", 100, None);
        check("-1", 100, None);
        check("", 100, None);
    }

    #[test]
    fn a_time_without_an_offset_tells_no_instant() {
        let at: Timestamp = "2024-05-07T10:48:03.847Z".parse().unwrap();
        assert_eq!(instant("2024-05-07T17:48:03.847+07:00"), Ok(Some(at)));
        assert_eq!(instant("2024-05-07T17:48:03"), Ok(None));
        assert_eq!(instant("yesterday"), Err(EventError::Time));
    }
}
