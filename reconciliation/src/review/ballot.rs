//! What the looks at one item come to, which items are looked at twice, and how often reviewers
//! agree. Pure.
//!
//! *Drawn*: whether a second reviewer looks whatever the first one says, by a draw that nobody can
//! foresee and everybody can repeat. *Judged*: said of a look that another one can be held against.

use domain::signature::Digest256;
use serde::Deserialize;

use super::answer::Answer;

/// How many people look at an item at most.
pub const LOOKS_MAX: usize = 3;

/// What the looks at an item come to so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Somebody else has to look.
    Wanted,
    /// It is decided.
    Ended(Verdict),
}

/// What reviewers came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This is what was seen, by one where one was enough, else by two.
    Agreed(Answer),
    /// Three people saw three things.
    Split,
}

/// What the looks come to: one is enough where the item was not drawn, two that agree always are,
/// and a third decides between two that do not.
#[must_use]
pub fn standing(looks: &[Answer], is_drawn: bool) -> Standing {
    let agreed = |answer: &Answer| Standing::Ended(Verdict::Agreed(answer.clone()));
    match looks {
        [] => Standing::Wanted,
        [_] if is_drawn => Standing::Wanted,
        [only] => agreed(only),
        [first, second] if first.agrees_with(second) => agreed(first),
        [_, _] => Standing::Wanted,
        [first, second, third, ..] => {
            let deciding = [first, second].into_iter().find(|one| one.agrees_with(third));
            let deciding = deciding.or_else(|| first.agrees_with(second).then_some(first));
            deciding.map_or(Standing::Ended(Verdict::Split), agreed)
        }
    }
}

/// The share of items that a second reviewer looks at, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "u8")]
pub struct Share(u8);

impl TryFrom<u8> for Share {
    type Error = NotAShare;
    fn try_from(percent: u8) -> Result<Self, NotAShare> {
        Self::try_new(percent)
    }
}

/// A share that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a share of items is 0 to 100 percent, not {0}")]
pub struct NotAShare(pub u8);

impl Share {
    /// One in ten.
    pub const DEFAULT: Self = Self(10);

    /// Takes a share in percent.
    ///
    /// # Errors
    /// When it is above 100.
    pub const fn try_new(percent: u8) -> Result<Self, NotAShare> {
        if percent <= 100 { Ok(Self(percent)) } else { Err(NotAShare(percent)) }
    }

    /// In percent.
    #[must_use]
    pub const fn percent(self) -> u8 {
        self.0
    }
}

/// Whether an item is drawn. The draw is over the digest of what the lane signed, which nobody at
/// the centre chose and no reviewer is shown.
#[must_use]
pub fn is_drawn(signed: &str, share: Share) -> bool {
    let digest = Digest256::of_parts(&[b"second look at ", signed.as_bytes()]);
    let [a, b, c, d, ..] = *digest.as_bytes();
    u64::from(u32::from_be_bytes([a, b, c, d])) * 100 < u64::from(share.0) << 32
}

/// Which looks at an item agree with what it came to; nothing where no two looked, for one look
/// cannot be held against itself.
#[must_use]
pub fn judged(looks: &[Answer], is_drawn: bool) -> Vec<bool> {
    if looks.len() < 2 {
        return Vec::new();
    }
    match standing(looks, is_drawn) {
        Standing::Wanted => Vec::new(),
        Standing::Ended(Verdict::Split) => vec![false; looks.len()],
        Standing::Ended(Verdict::Agreed(answer)) => {
            looks.iter().map(|look| look.agrees_with(&answer)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{Plate, VehicleGroup};
    use proptest::prelude::*;

    use super::*;
    use crate::review::answer::Reading;

    fn answers() -> impl Strategy<Value = Answer> {
        // Few different ones, so that people often agree.
        prop_oneof![
            (0_u8..2, 1_u8..3).prop_map(|(plate, group)| {
                let plate = Plate::try_new(&format!("37A1234{plate}")).unwrap();
                Answer::Read(Reading { plate, group: VehicleGroup::try_new(group).unwrap() })
            }),
            prop_oneof![Just(1_i16), Just(2), Just(20), Just(21)]
                .prop_map(|number| Answer::of_reason(number, "").unwrap()),
        ]
    }

    proptest! {
        #[test]
        fn an_item_ends_after_three_looks_at_the_latest(
            looks in proptest::collection::vec(answers(), 3..6), drawn: bool,
        ) {
            prop_assert_ne!(standing(&looks, drawn), Standing::Wanted);
        }

        #[test]
        fn what_was_decided_stays_whatever_is_said_afterwards(
            looks in proptest::collection::vec(answers(), 2..4), more in answers(), drawn: bool,
        ) {
            if let Standing::Ended(verdict) = standing(&looks, drawn) {
                let mut later = looks.clone();
                later.push(more);
                // Two who agreed are not outvoted.
                if looks[0].agrees_with(&looks[1]) {
                    let same = match (&verdict, standing(&later, drawn)) {
                        (Verdict::Agreed(one), Standing::Ended(Verdict::Agreed(other))) => {
                            one.agrees_with(&other)
                        }
                        _ => false,
                    };
                    prop_assert!(same);
                }
            }
        }

        #[test]
        fn nothing_is_agreed_that_two_did_not_say_unless_one_was_enough(
            looks in proptest::collection::vec(answers(), 0..4), drawn: bool,
        ) {
            if let Standing::Ended(Verdict::Agreed(answer)) = standing(&looks, drawn) {
                let with = looks.iter().filter(|look| look.agrees_with(&answer)).count();
                prop_assert!(with >= 2 || (looks.len() == 1 && !drawn));
            }
        }

        #[test]
        fn who_looked_first_makes_no_difference(first in answers(), second in answers()) {
            let ended = |looks: &[Answer]| matches!(standing(looks, true), Standing::Ended(_));
            let both = [first.clone(), second.clone()];
            prop_assert_eq!(ended(&both), ended(&[second, first]));
        }

        #[test]
        fn a_larger_share_draws_all_that_a_smaller_one_did(
            signed in "[0-9a-f]{8}", small in 0_u8..=100, more in 0_u8..=100,
        ) {
            let large = Share::try_new(small.max(more)).unwrap();
            let small = Share::try_new(small.min(more)).unwrap();
            prop_assert!(!is_drawn(&signed, small) || is_drawn(&signed, large));
        }
    }

    #[test]
    fn none_all_and_about_the_share_between_are_drawn() {
        let drawn = |percent| {
            let share = Share::try_new(percent).unwrap();
            (0..10_000).filter(|n| is_drawn(&format!("passage {n}"), share)).count()
        };
        assert_eq!((drawn(0), drawn(100)), (0, 10_000));
        assert!((900..1_100).contains(&drawn(10)), "{}", drawn(10));
        assert!(Share::try_new(101).is_err());
    }

    #[test]
    fn a_look_is_judged_by_what_two_people_saw() {
        let of = |number| Answer::of_reason(number, "").unwrap();
        assert!(judged(&[of(1)], false).is_empty(), "one look is nobody's measure");
        assert_eq!(judged(&[of(20), of(20)], true), [true, true]);
        assert_eq!(judged(&[of(20), of(21)], true), [false; 0], "the third is still to come");
        assert_eq!(judged(&[of(20), of(21), of(21)], true), [false, true, true]);
        assert_eq!(judged(&[of(20), of(21), of(22)], true), [false; 3]);
    }
}
