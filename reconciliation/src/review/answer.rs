//! What a reviewer may say of a passage's pictures. Pure.
//!
//! *Reading*: the plate and the group that were seen. *Reason*: why there is none, of a closed
//! catalogue whose numbers never change; free text goes with one of them alone.

use domain::{Plate, VehicleGroup};

/// What was seen on the pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The plate.
    pub plate: Plate,
    /// The group that the vehicle belongs to.
    pub group: VehicleGroup,
}

/// Why pictures cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unreadable {
    /// 1: the centre has no picture.
    NoPicture,
    /// 2: blurred.
    Blurred,
    /// 3: too dark.
    TooDark,
    /// 4: too light.
    TooLight,
    /// 5: something stands before the plate.
    Obstructed,
    /// 6: the plate is cut off by the picture's edge.
    CutOff,
    /// 7: the plate is damaged or dirty.
    Damaged,
}

impl Unreadable {
    /// All of them, by number.
    pub const ALL: [Self; 7] = [
        Self::NoPicture,
        Self::Blurred,
        Self::TooDark,
        Self::TooLight,
        Self::Obstructed,
        Self::CutOff,
        Self::Damaged,
    ];

    /// Its number in the catalogue.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::NoPicture => 1,
            Self::Blurred => 2,
            Self::TooDark => 3,
            Self::TooLight => 4,
            Self::Obstructed => 5,
            Self::CutOff => 6,
            Self::Damaged => 7,
        }
    }
}

/// Why a passage is rejected: its charge should not stand, whatever the plate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// 20: the pictures show another vehicle.
    AnotherVehicle,
    /// 21: the vehicle has no plate.
    NoPlate,
    /// 22: a trailer's plate, not the vehicle's.
    TrailerPlate,
    /// 23: a priority vehicle on duty.
    PriorityVehicle,
    /// 24: nobody passed.
    NoVehicle,
    /// 99: something else.
    Other {
        /// What: 1 to 200 characters.
        note: String,
    },
}

impl Rejected {
    /// Those without a note, by number.
    pub const ALL: [Self; 5] = [
        Self::AnotherVehicle,
        Self::NoPlate,
        Self::TrailerPlate,
        Self::PriorityVehicle,
        Self::NoVehicle,
    ];

    /// The number of the one that has a note.
    pub const OTHER: i16 = 99;

    /// Its number in the catalogue.
    #[must_use]
    pub const fn number(&self) -> i16 {
        match self {
            Self::AnotherVehicle => 20,
            Self::NoPlate => 21,
            Self::TrailerPlate => 22,
            Self::PriorityVehicle => 23,
            Self::NoVehicle => 24,
            Self::Other { .. } => Self::OTHER,
        }
    }
}

/// A reviewer's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What was seen.
    Read(Reading),
    /// Nothing can be seen.
    Unreadable(Unreadable),
    /// The charge should not stand.
    Rejected(Rejected),
}

/// The longest note, in characters.
pub const NOTE_LEN_MAX: usize = 200;

impl Answer {
    /// The answer with a number of the catalogue; a note where it takes one, and nowhere else.
    #[must_use]
    pub fn of_reason(number: i16, note: &str) -> Option<Self> {
        let note = note.trim();
        if number == Rejected::OTHER {
            let good = !note.is_empty() && note.chars().count() <= NOTE_LEN_MAX;
            return good.then(|| Self::Rejected(Rejected::Other { note: note.to_owned() }));
        }
        if !note.is_empty() {
            return None;
        }
        let unreadable = Unreadable::ALL.into_iter().find(|one| one.number() == number);
        let rejected = || Rejected::ALL.into_iter().find(|one| one.number() == number);
        unreadable.map(Self::Unreadable).or_else(|| rejected().map(Self::Rejected))
    }

    /// Its name in the books.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::Unreadable(_) => "unreadable",
            Self::Rejected(_) => "rejected",
        }
    }

    /// The number of its reason, where it has one.
    #[must_use]
    pub const fn reason(&self) -> Option<i16> {
        match self {
            Self::Read(_) => None,
            Self::Unreadable(why) => Some(why.number()),
            Self::Rejected(why) => Some(why.number()),
        }
    }

    /// What it says beside its reason.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        match self {
            Self::Rejected(Rejected::Other { note }) => Some(note),
            Self::Rejected(_) | Self::Read(_) | Self::Unreadable(_) => None,
        }
    }

    /// What was seen.
    #[must_use]
    pub const fn reading(&self) -> Option<&Reading> {
        match self {
            Self::Read(reading) => Some(reading),
            Self::Unreadable(_) | Self::Rejected(_) => None,
        }
    }

    /// Whether two people say the same: the same reading, the same reason of rejection, or both
    /// that nothing can be seen, for whatever reason.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Read(own), Self::Read(theirs)) => own == theirs,
            (Self::Unreadable(_), Self::Unreadable(_)) => true,
            (Self::Rejected(own), Self::Rejected(theirs)) => own.number() == theirs.number(),
            (Self::Read(_), Self::Unreadable(_) | Self::Rejected(_))
            | (Self::Unreadable(_), Self::Read(_) | Self::Rejected(_))
            | (Self::Rejected(_), Self::Read(_) | Self::Unreadable(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_the_catalogue_is_one_answer_and_comes_back_as_it_went() {
        let mut numbers: Vec<i16> = Unreadable::ALL.map(Unreadable::number).to_vec();
        numbers.extend(Rejected::ALL.iter().map(Rejected::number));
        for number in &numbers {
            let answer = Answer::of_reason(*number, "").unwrap();
            assert_eq!(answer.reason(), Some(*number));
            assert_eq!(Answer::of_reason(*number, "and more"), None, "a note goes with 99 alone");
        }
        numbers.sort_unstable();
        let before = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), before);
        for unknown in [0, 8, 19, 25, -1, 100] {
            assert_eq!(Answer::of_reason(unknown, ""), None);
        }
    }

    #[test]
    fn another_reason_is_said_in_a_few_words() {
        assert_eq!(Answer::of_reason(99, "  "), None);
        assert_eq!(Answer::of_reason(99, &"x".repeat(201)), None);
        let answer = Answer::of_reason(99, " a parade ").unwrap();
        assert_eq!((answer.name(), answer.note()), ("rejected", Some("a parade")));
    }

    #[test]
    fn two_who_cannot_read_agree_and_two_who_reject_for_other_reasons_do_not() {
        let of = |number| Answer::of_reason(number, "").unwrap();
        assert!(of(2).agrees_with(&of(3)));
        assert!(!of(20).agrees_with(&of(21)));
        assert!(!of(2).agrees_with(&of(20)));
        let read = |plate: &str, group| {
            let group = VehicleGroup::try_new(group).unwrap();
            Answer::Read(Reading { plate: Plate::try_new(plate).unwrap(), group })
        };
        assert!(read("37A12345", 1).agrees_with(&read("37a-123.45", 1)));
        assert!(!read("37A12345", 1).agrees_with(&read("37A12345", 2)));
        assert!(!read("37A12345", 1).agrees_with(&of(2)));
    }
}
