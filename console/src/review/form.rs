//! What a reviewer sends: what was read, or a number of the catalogue.

use domain::{Plate, VehicleGroup};
use reconciliation::review::answer::{Answer, Reading};
use serde::Deserialize;

/// A reviewer's form.
#[derive(Default, Deserialize)]
pub(crate) struct AnswerForm {
    /// `read` or `reason`.
    #[serde(default)]
    pub answer: String,
    #[serde(default)]
    pub plate: String,
    #[serde(default)]
    pub group: String,
    /// Of the catalogue, by its number.
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub note: String,
}

impl AnswerForm {
    /// The answer; nothing where the form is not whole.
    pub(super) fn answer(&self) -> Option<Answer> {
        match self.answer.as_str() {
            "read" => {
                let plate = Plate::try_new(self.plate.trim()).ok()?;
                let group = VehicleGroup::try_new(self.group.parse().ok()?).ok()?;
                Some(Answer::Read(Reading { plate, group }))
            }
            "reason" => Answer::of_reason(self.reason.parse().ok()?, &self.note),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(answer: &str, [plate, group, reason, note]: [&str; 4]) -> Option<Answer> {
        let text = str::to_owned;
        let form = AnswerForm {
            answer: text(answer),
            plate: text(plate),
            group: text(group),
            reason: text(reason),
            note: text(note),
        };
        form.answer()
    }

    #[test]
    fn an_answer_is_a_plate_with_its_group_or_a_reason_and_nothing_half() {
        let read = form("read", ["37a-123.45", "2", "20", "not sent with this"]).unwrap();
        let reading = read.reading().unwrap();
        assert_eq!((reading.plate.as_str(), reading.group.number()), ("37A12345", 2));
        assert_eq!(form("reason", ["", "", "3", ""]).unwrap().reason(), Some(3));
        assert_eq!(form("reason", ["", "", "99", "a parade"]).unwrap().note(), Some("a parade"));
        for half in [
            form("read", ["", "2", "", ""]),
            form("read", ["37A12345", "", "", ""]),
            form("read", ["37A12345", "0", "", ""]),
            form("reason", ["", "", "", ""]),
            form("reason", ["", "", "99", ""]),
            form("reason", ["", "", "12", ""]),
            form("", ["37A12345", "2", "3", ""]),
        ] {
            assert_eq!(half, None);
        }
    }
}
