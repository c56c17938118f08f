//! Why a passage is looked at again. Pure.

/// Why a person looks at a passage's pictures again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// An account paid because somebody typed its plate.
    ChargedByPlate,
    /// Somebody corrected the group that it was charged by.
    GroupCorrected,
    /// Somebody opened without a means of payment.
    OpenedByHand,
    /// It went through, and nobody is known who could pay.
    Unpaid,
}

/// What the books have of a passage that decides whether it is looked at, by the names they have
/// for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manner<'a> {
    /// What the lane did.
    pub decision: Option<&'a str>,
    /// Why, where a person answered.
    pub reason: Option<&'a str>,
    /// Why it costs what it costs.
    pub why: Option<&'a str>,
}

impl Cause {
    /// All of them, in the order people read them.
    pub const ALL: [Self; 4] =
        [Self::ChargedByPlate, Self::GroupCorrected, Self::OpenedByHand, Self::Unpaid];

    /// Its name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChargedByPlate => "charged-by-plate",
            Self::GroupCorrected => "group-corrected",
            Self::OpenedByHand => "opened-by-hand",
            Self::Unpaid => "unpaid",
        }
    }

    /// Whether it applies.
    fn applies(self, manner: &Manner<'_>) -> bool {
        let Manner { decision, reason, why } = *manner;
        let in_cash = matches!(reason, Some("cash-paid" | "cash-at-exit"));
        match self {
            Self::ChargedByPlate => decision == Some("charged-by-plate"),
            Self::GroupCorrected => reason == Some("group-corrected"),
            // Whoever pays in cash gets a receipt with the group, and answers for it themselves.
            Self::OpenedByHand => {
                decision == Some("opened-by-attendant")
                    && !in_cash
                    && !Self::GroupCorrected.applies(manner)
            }
            Self::Unpaid => matches!(why, Some("unknown-vehicle" | "no-fare")),
        }
    }

    /// Why a passage is looked at; nothing for most.
    #[must_use]
    pub fn of(manner: &Manner<'_>) -> Vec<Self> {
        Self::ALL.into_iter().filter(|cause| cause.applies(manner)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_decided_or_nobody_paid_for_is_looked_at_and_nothing_else() {
        let check = |decision, reason, why, expected: &[Cause]| {
            let manner = Manner { decision: Some(decision), reason, why: Some(why) };
            assert_eq!(Cause::of(&manner), expected, "{manner:?}");
        };
        check("opened-by-tag", None, "fare", &[]);
        check("charged-by-plate", Some("plate-read"), "fare", &[Cause::ChargedByPlate]);
        check(
            "charged-by-plate",
            Some("plate-read"),
            "unknown-vehicle",
            &[Cause::ChargedByPlate, Cause::Unpaid],
        );
        check("opened-by-attendant", Some("group-corrected"), "fare", &[Cause::GroupCorrected]);
        check("opened-by-attendant", Some("priority-vehicle"), "exempt", &[Cause::OpenedByHand]);
        check("opened-by-attendant", Some("cash-paid"), "fare", &[]);
        check("opened-by-tag", None, "no-fare", &[Cause::Unpaid]);
        check("turned-away", Some("no-means-of-payment"), "turned-away", &[]);
        check("left-undecided", None, "left-undecided", &[]);
    }
}
