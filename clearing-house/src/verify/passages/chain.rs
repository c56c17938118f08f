//! Following the lanes' own chains through passages that come in any order. Pure.

use std::collections::HashMap;

use domain::PassageId;
use domain::signature::Digest256;

/// What is known of a place in a journal whose neighbour has not been seen.
#[derive(Debug, Default)]
pub(super) struct LaneChains {
    /// Digests of passages by the place after them.
    digests: HashMap<PassageId, Digest256>,
    /// What passages say of the one before them.
    awaited: HashMap<PassageId, Digest256>,
}

impl LaneChains {
    /// Takes a passage with its digest and what it says of the one before; tells what can now be
    /// said of it, and of the one after it. A passage that cannot be read says nothing.
    pub(super) fn follow(
        &mut self,
        id: &PassageId,
        digest: Digest256,
        previous: Option<Digest256>,
    ) -> Vec<(PassageId, bool)> {
        let mut told = Vec::new();
        if id.seq.get() == 1 {
            told.extend(previous.map(|previous| (id.clone(), previous == Digest256::default())));
        } else if let Some(before) = self.digests.remove(id) {
            told.extend(previous.map(|previous| (id.clone(), previous == before)));
        } else if let Some(previous) = previous {
            self.awaited.insert(id.clone(), previous);
        }
        let next = PassageId { seq: id.seq.saturating_add(1), ..id.clone() };
        match self.awaited.remove(&next) {
            Some(said) => told.push((next, said == digest)),
            None => {
                self.digests.insert(next, digest);
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seq: u64) -> PassageId {
        format!("cienco4/ben-thuy/l01:1:{seq}").parse().unwrap()
    }

    fn digest(of: u64) -> Digest256 {
        Digest256::of(&of.to_be_bytes())
    }

    fn told(order: &[u64], previous: impl Fn(u64) -> Digest256) -> Vec<(u64, bool)> {
        let mut chains = LaneChains::default();
        let mut told: Vec<(u64, bool)> = order
            .iter()
            .flat_map(|&seq| chains.follow(&id(seq), digest(seq), Some(previous(seq))))
            .map(|(id, holds)| (id.seq.get(), holds))
            .collect();
        told.sort_unstable();
        told
    }

    fn right(seq: u64) -> Digest256 {
        if seq == 1 { Digest256::default() } else { digest(seq - 1) }
    }

    #[test]
    fn a_whole_chain_holds_in_whatever_order_it_is_seen() {
        let all = vec![(1, true), (2, true), (3, true)];
        for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1], [1, 3, 2]] {
            assert_eq!(told(&order, right), all, "{order:?}");
        }
    }

    #[test]
    fn a_passage_that_was_replaced_breaks_the_chain_at_the_next() {
        let forged = |seq| if seq == 3 { digest(99) } else { right(seq) };
        assert_eq!(told(&[1, 2, 3], forged), [(1, true), (2, true), (3, false)]);
        assert_eq!(told(&[3, 2, 1], forged), [(1, true), (2, true), (3, false)]);
    }

    #[test]
    fn after_a_gap_nothing_can_be_said() {
        assert_eq!(told(&[1, 3], right), [(1, true)]);
    }
}
