//! Who vouches for whom: one good signature speaks for every passage that it names. Pure.
//!
//! Each passage names the digest of the one before it in its journal, under its own signature. Where
//! several of a journal come together, they form *runs*: each names the one before it. The newest of a
//! run is its *head*; whose key signed that vouches, link by link, for what stands below it: nobody
//! can put another content there without a second message of the same digest.
//!
//! A key vouches only for what it could have signed itself: see
//! [`LaneKey::vouches`](crate::registry::LaneKey::vouches). Where it does not, or the head's signature
//! is not good, the next one below is the head and its own signature counts. What that means for
//! proofs: `docs/decisions/0029-signatures-by-the-chain.md`.

use domain::signature::Digest256;

/// Where a delivery says it stands, and what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Standing {
    /// The lane, by its number in the batch.
    pub(super) lane: usize,
    pub(super) epoch: u32,
    pub(super) seq: u64,
}

/// A passage as its neighbours see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) standing: Standing,
    /// The digest of its bytes.
    pub(super) digest: Digest256,
    /// The digest that it names as that of the one before it.
    pub(super) named: Digest256,
}

/// Divides a batch into runs, the head of each last. What has no link is a run by itself, and so is
/// a passage that comes twice, the second time.
pub(super) fn runs(links: &[Option<Link>]) -> Vec<Vec<usize>> {
    let mut linked: Vec<(usize, Link)> =
        links.iter().enumerate().filter_map(|(at, link)| Some((at, (*link)?))).collect();
    linked.sort_unstable_by_key(|(at, link)| (link.standing, *at));
    let alone = links.iter().enumerate().filter(|(_, link)| link.is_none());
    let mut runs: Vec<Vec<usize>> = alone.map(|(at, _)| vec![at]).collect();
    // The runs whose last one stands directly before the passages that are looked at.
    let mut open: Vec<(Link, Vec<usize>)> = Vec::new();
    let mut here: Vec<(Link, Vec<usize>)> = Vec::new();
    for same in linked.chunk_by(|(_, one), (_, next)| one.standing == next.standing) {
        let follows = open.first().is_some_and(|(before, _)| {
            let next = before.standing.seq.checked_add(1);
            same.first().is_some_and(|(_, link)| {
                next.map(|seq| Standing { seq, ..before.standing }) == Some(link.standing)
            })
        });
        if !follows {
            runs.extend(open.drain(..).map(|(_, run)| run));
        }
        for (at, link) in same {
            let named = open.iter().position(|(before, _)| before.digest == link.named);
            let mut run = named.map(|named| open.swap_remove(named).1).unwrap_or_default();
            run.push(*at);
            here.push((*link, run));
        }
        runs.extend(open.drain(..).map(|(_, run)| run));
        std::mem::swap(&mut open, &mut here);
    }
    runs.extend(open.into_iter().map(|(_, run)| run));
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(of: u64) -> Digest256 {
        Digest256::of(&of.to_be_bytes())
    }

    /// Passages as (lane, sequence, own digest, digest named), and the runs as their places.
    #[track_caller]
    fn check(passages: &[(usize, u64, u64, u64)], expected: &[&[usize]]) {
        let link = |&(lane, seq, own, named): &(usize, u64, u64, u64)| {
            let standing = Standing { lane, epoch: 1, seq };
            Some(Link { standing, digest: digest(own), named: digest(named) })
        };
        let links: Vec<Option<Link>> = passages.iter().map(link).collect();
        let mut found = runs(&links);
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_follows_each_other_is_one_run_in_whatever_order_it_came() {
        check(&[(0, 3, 13, 12), (0, 1, 11, 10), (0, 2, 12, 11)], &[&[1, 2, 0]]);
    }

    #[test]
    fn each_lane_has_runs_of_its_own() {
        check(
            &[(0, 1, 11, 10), (1, 1, 21, 20), (0, 2, 12, 11), (1, 2, 22, 21)],
            &[&[0, 2], &[1, 3]],
        );
    }

    #[test]
    fn what_is_not_named_or_not_there_breaks_a_run() {
        // The second was altered; the third is missing.
        check(
            &[(0, 1, 11, 10), (0, 2, 99, 11), (0, 4, 14, 13), (0, 5, 15, 14)],
            &[&[0, 1], &[2, 3]],
        );
        check(&[(0, 1, 99, 10), (0, 2, 12, 11)], &[&[0], &[1]]);
    }

    #[test]
    fn what_was_slipped_in_under_a_number_stands_alone() {
        check(
            &[(0, 1, 11, 10), (0, 2, 66, 11), (0, 2, 12, 11), (0, 3, 13, 12)],
            &[&[0, 1], &[2, 3]],
        );
        check(
            &[(0, 1, 11, 10), (0, 2, 12, 11), (0, 2, 66, 11), (0, 3, 13, 12)],
            &[&[0, 1, 3], &[2]],
        );
    }

    #[test]
    fn what_comes_twice_is_in_two_runs() {
        check(&[(0, 1, 11, 10), (0, 1, 11, 10), (0, 2, 12, 11)], &[&[0, 2], &[1]]);
    }

    #[test]
    fn what_has_no_link_stands_alone() {
        let link = |seq| Link {
            standing: Standing { lane: 0, epoch: 1, seq },
            digest: digest(seq),
            named: digest(seq - 1),
        };
        let found = runs(&[Some(link(1)), None, Some(link(2))]);
        assert_eq!(found, [vec![1], vec![0, 2]]);
    }
}
