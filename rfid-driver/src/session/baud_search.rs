//! Which rate to try next on a line whose reader is not known to answer.

/// Goes round the rates at which a reader may be found, beginning with the last one that worked.
#[derive(Debug)]
pub(crate) struct BaudSearch {
    rates: Vec<u32>,
    at: usize,
    tried: usize,
    // The first rate of a round is tried twice: a module may be asleep, or a byte be lost.
    tried_again: bool,
}

impl BaudSearch {
    /// Tries `wanted`, or `all` where that is empty.
    ///
    /// # Panics
    /// If both are empty.
    pub(crate) fn new(wanted: &[u32], all: &[u32]) -> Self {
        let rates = if wanted.is_empty() { all } else { wanted };
        assert!(!rates.is_empty(), "a serial protocol has rates");
        Self { rates: rates.to_vec(), at: 0, tried: 0, tried_again: false }
    }

    /// The rate to try now.
    pub(crate) fn current(&self) -> u32 {
        self.rates[self.at]
    }

    /// The current rate got no answer. Says whether all have now been tried since the last
    /// [`BaudSearch::found`] or the last time they had.
    pub(crate) fn advance(&mut self) -> Round {
        if self.tried == 0 && !self.tried_again {
            self.tried_again = true;
            return Round::Going;
        }
        self.at = (self.at + 1) % self.rates.len();
        self.tried += 1;
        if self.tried < self.rates.len() {
            return Round::Going;
        }
        self.found();
        Round::Complete
    }

    /// The reader answers at the current rate.
    pub(crate) fn found(&mut self) {
        self.tried = 0;
        self.tried_again = false;
    }

    /// The reader has been told to go to another rate.
    pub(crate) fn moved_to(&mut self, baud: u32) {
        self.at = self.rates.iter().position(|rate| *rate == baud).unwrap_or_else(|| {
            self.rates.push(baud);
            self.rates.len() - 1
        });
    }
}

/// Whether every rate has had its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// Not yet.
    Going,
    /// Yes.
    Complete,
}

#[cfg(test)]
mod tests {
    use super::{BaudSearch, Round};

    #[test]
    fn the_rate_that_worked_is_tried_first_and_all_have_their_turn() {
        let mut search = BaudSearch::new(&[], &[115_200, 9600, 57_600]);
        assert_eq!(search.current(), 115_200);
        assert_eq!(search.advance(), Round::Going);
        assert_eq!(search.current(), 115_200);
        assert_eq!(search.advance(), Round::Going);
        assert_eq!(search.current(), 9600);
        search.found();
        assert_eq!(search.current(), 9600);
        for (round, next) in [
            (Round::Going, 9600),
            (Round::Going, 57_600),
            (Round::Going, 115_200),
            (Round::Complete, 9600),
        ] {
            assert_eq!((search.advance(), search.current()), (round, next));
        }
        search.moved_to(921_600);
        assert_eq!(search.current(), 921_600);
        assert_eq!(BaudSearch::new(&[38_400], &[9600]).current(), 38_400);
    }
}
