//! What people ask of cases: a filter in the address, and how one ends. Pure.

use domain::{Amount, BusinessDate, OperatorId};
use reconciliation::cases::{Kind, Outcome};
use serde::Deserialize;

use super::KINDS;

/// The filter as it stands in the address; an empty field asks for nothing.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct FilterForm {
    #[serde(default)]
    pub operator: String,
    #[serde(default)]
    pub day: String,
    #[serde(default)]
    pub kind: String,
    /// `open` where empty, `proposed`, `settled` or `all`.
    #[serde(default)]
    pub state: String,
    /// `mine`, `nobody`, or whoever where empty.
    #[serde(default)]
    pub owner: String,
    /// `overdue`, or whenever where empty.
    #[serde(default)]
    pub due: String,
}

/// In which states cases are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum States {
    Unsettled,
    Proposed,
    Settled,
    All,
}

/// Whose cases are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owned {
    Whoever,
    Mine,
    Nobody,
}

/// A filter that is understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub operator: Option<OperatorId>,
    pub day: Option<BusinessDate>,
    pub kind: Option<Kind>,
    pub states: States,
    pub owned: Owned,
    pub overdue_only: bool,
}

/// Reads a field that may be empty.
fn field<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { read(text).map(Some) }
}

impl FilterForm {
    /// Reads the form; nothing when a field is not what it should be.
    pub(super) fn filter(&self) -> Option<Filter> {
        Some(Filter {
            operator: field(&self.operator, |text| text.parse().ok())?,
            day: field(&self.day, |text| text.parse().ok())?,
            kind: field(&self.kind, |text| KINDS.into_iter().find(|kind| kind.name() == text))?,
            states: match self.state.as_str() {
                "" | "open" => States::Unsettled,
                "proposed" => States::Proposed,
                "settled" => States::Settled,
                "all" => States::All,
                _ => return None,
            },
            owned: match self.owner.as_str() {
                "" => Owned::Whoever,
                "mine" => Owned::Mine,
                "nobody" => Owned::Nobody,
                _ => return None,
            },
            overdue_only: match self.due.as_str() {
                "" => false,
                "overdue" => true,
                _ => return None,
            },
        })
    }
}

/// What somebody says about a case.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct CaseForm {
    #[serde(default)]
    pub note: String,
    /// `stands`, `theirs-corrected` or `corrected`.
    #[serde(default)]
    pub outcome: String,
    #[serde(default)]
    pub transfer: String,
    /// What it should have been; nothing where empty.
    #[serde(default)]
    pub right: String,
    #[serde(default)]
    pub day: String,
}

/// The longest note, in characters; the books take no longer one.
const NOTE_LEN_MAX: usize = 2_000;

impl CaseForm {
    /// The note, which nothing goes without.
    pub(super) fn note(&self) -> Option<&str> {
        let note = self.note.trim();
        (!note.is_empty() && note.chars().count() <= NOTE_LEN_MAX).then_some(note)
    }

    /// How the case is to end.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self.outcome.as_str() {
            "stands" => Some(Outcome::Stands),
            "theirs-corrected" => Some(Outcome::TheirsCorrected),
            "corrected" => {
                let right: String = self
                    .right
                    .chars()
                    .filter(|c| !matches!(c, '.' | ',' | ' ' | '\u{a0}'))
                    .collect();
                let right = field(&right, |text| Amount::try_new(text.parse().ok()?).ok())?;
                Some(Outcome::Corrected {
                    transfer: self.transfer.parse().ok()?,
                    right: right.filter(|amount| !amount.is_zero()),
                    day: self.day.parse().ok()?,
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_filter_asks_for_what_is_not_settled() {
        let filter = FilterForm::default().filter().unwrap();
        assert_eq!((filter.states, filter.owned), (States::Unsettled, Owned::Whoever));
        assert!(filter.kind.is_none() && !filter.overdue_only);
    }

    #[test]
    fn a_filter_that_is_not_understood_is_not_left_out_in_silence() {
        let with = |change: fn(&mut FilterForm)| {
            let mut form = FilterForm::default();
            change(&mut form);
            form.filter()
        };
        assert_eq!(
            with(|form| form.kind = "dispute".to_owned()).unwrap().kind,
            Some(Kind::Dispute)
        );
        assert_eq!(with(|form| form.kind = "odd".to_owned()), None);
        assert_eq!(with(|form| form.day = "today".to_owned()), None);
        assert_eq!(with(|form| form.state = "lost".to_owned()), None);
        assert_eq!(with(|form| form.owner = "me".to_owned()), None);
        assert_eq!(with(|form| form.due = "soon".to_owned()), None);
        assert_eq!(with(|form| form.operator = "A B".to_owned()), None);
    }

    fn form(outcome: &str, transfer: &str, right: &str, day: &str) -> CaseForm {
        CaseForm {
            note: String::new(),
            outcome: outcome.to_owned(),
            transfer: transfer.to_owned(),
            right: right.to_owned(),
            day: day.to_owned(),
        }
    }

    #[test]
    fn a_correction_names_transfer_amount_and_day_or_is_none() {
        let day = "2026-03-03".parse().unwrap();
        let right = Amount::try_new(40_000).ok();
        assert_eq!(
            form("corrected", "7", "40.000", "2026-03-03").outcome(),
            Some(Outcome::Corrected { transfer: 7, right, day })
        );
        assert_eq!(
            form("corrected", "7", "", "2026-03-03").outcome(),
            Some(Outcome::Corrected { transfer: 7, right: None, day })
        );
        assert_eq!(form("stands", "", "", "").outcome(), Some(Outcome::Stands));
        for wrong in [
            form("", "", "", ""),
            form("corrected", "", "1", "2026-03-03"),
            form("corrected", "7", "-1", "2026-03-03"),
            form("corrected", "7", "1", ""),
        ] {
            assert_eq!(wrong.outcome(), None, "{wrong:?}");
        }
    }
}
