//! The passes of the engine: read, match, read again, tell what is left. Each by all workers at once.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::class::{Both, Class, OfRule};
use super::engine::{MatchError, Means};
use super::finding::{Finding, Sink};
use super::merge::{Outlet, merge};
use super::rule::Rule;
use super::shelf::{Shape, Shelves};
use super::side::{Side, Taken};
use super::stub::{Stub, Whose};

type Done<T> = Result<T, MatchError>;

/// What each worker put on shelves, of both sides.
pub(super) struct Filled<'a> {
    ours: Vec<Shelves<'a>>,
    theirs: Vec<Shelves<'a>>,
}

impl<'a> Filled<'a> {
    const fn new() -> Self {
        Self { ours: Vec::new(), theirs: Vec::new() }
    }

    fn of(&self, whose: Whose) -> &[Shelves<'a>] {
        match whose {
            Whose::Ours => &self.ours,
            Whose::Theirs => &self.theirs,
        }
    }

    pub(super) fn push(&mut self, pair: Pair<'a>) -> Done<()> {
        let Pair { mut ours, mut theirs } = pair;
        ours.complete()
            .and_then(|()| theirs.complete())
            .map_err(MatchError::disk("write the spill file"))?;
        self.ours.push(ours);
        self.theirs.push(theirs);
        Ok(())
    }
}

/// One worker's shelves of both sides.
pub(super) struct Pair<'a> {
    ours: Shelves<'a>,
    theirs: Shelves<'a>,
}

impl<'a> Pair<'a> {
    fn new(means: &'a Means) -> Self {
        let shelves = || Shelves::new(&means.shape, &means.room);
        Self { ours: shelves(), theirs: shelves() }
    }

    fn of(&mut self, whose: Whose) -> &mut Shelves<'a> {
        match whose {
            Whose::Ours => &mut self.ours,
            Whose::Theirs => &mut self.theirs,
        }
    }
}

/// Above every place, by side.
#[derive(Clone, Copy)]
pub(super) struct Extents {
    ours: u64,
    theirs: u64,
}

impl Extents {
    pub(super) fn of_sides(ours: &impl Side, theirs: &impl Side) -> Self {
        Self { ours: ours.extent(), theirs: theirs.extent() }
    }

    const fn of(self, whose: Whose) -> u64 {
        match whose {
            Whose::Ours => self.ours,
            Whose::Theirs => self.theirs,
        }
    }
}

/// Lets every worker do its share; the first failure is the answer.
fn workers<T: Send>(means: &Means, work: impl Fn(usize) -> Done<T> + Sync) -> Done<Vec<T>> {
    thread::scope(|scope| {
        let work = &work;
        let all: Vec<_> =
            (0..means.workers).map(|number| scope.spawn(move || work(number))).collect();
        all.into_iter()
            .map(|worker| match worker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

/// The shelves that are this worker's to match: the first worker has the first.
fn share_of(worker: usize, means: &Means) -> std::ops::Range<usize> {
    let shelves = means.shape.shelves();
    worker * shelves / means.workers..(worker + 1) * shelves / means.workers
}

/// Puts a row on the shelf of its key, or with what is left.
fn shelve(
    taken: &Taken,
    rule: &Rule,
    shape: &Shape,
    extent: u64,
    keyed: &mut Shelves<'_>,
    left: &mut Shelves<'_>,
) {
    match taken.stub(rule) {
        Some(stub) => keyed.put(shape.by_digest(&stub), stub),
        None => {
            let stub = Stub::new(taken.facts);
            left.put(shape.by_place(&stub, extent), stub);
        }
    }
}

/// Reads both sides whole, for the first rule.
pub(super) fn read_all<'a>(
    ours: &impl Side,
    theirs: &impl Side,
    rule: &Rule,
    extents: Extents,
    means: &'a Means,
) -> Done<(Filled<'a>, Filled<'a>, Both)> {
    let next_part = AtomicUsize::new(0);
    let of_ours = ours.parts();
    let parts = of_ours + theirs.parts();
    let done = workers(means, |_worker| {
        let (mut keyed, mut left) = (Pair::new(means), Pair::new(means));
        let mut read = Both::default();
        let (mut ours_scratch, mut theirs_scratch) = (Default::default(), Default::default());
        loop {
            let part = next_part.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                return Ok((keyed, left, read));
            }
            let whose = if part < of_ours { Whose::Ours } else { Whose::Theirs };
            let (keyed, left, extent) = (keyed.of(whose), left.of(whose), extents.of(whose));
            let sum = read.of(whose);
            let take = |taken: Taken| {
                sum.count(&Stub::new(taken.facts));
                shelve(&taken, rule, &means.shape, extent, keyed, left);
            };
            match whose {
                Whose::Ours => ours.read_part(part, rule, &mut ours_scratch, take),
                Whose::Theirs => theirs.read_part(part - of_ours, rule, &mut theirs_scratch, take),
            }
            .map_err(|source| MatchError::Side { whose, source })?;
        }
    })?;
    let (mut keyed, mut left, mut read) = (Filled::new(), Filled::new(), Both::default());
    for (of_keyed, of_left, of_read) in done {
        keyed.push(of_keyed)?;
        left.push(of_left)?;
        read.add(&of_read);
    }
    Ok((keyed, left, read))
}

/// Reads what is left again, for the next rule.
pub(super) fn read_left<'a>(
    ours: &impl Side,
    theirs: &impl Side,
    rule: &Rule,
    left: &Filled<'_>,
    extents: Extents,
    means: &'a Means,
) -> Done<(Filled<'a>, Filled<'a>)> {
    let done = workers(means, |worker| {
        let (mut keyed, mut next) = (Pair::new(means), Pair::new(means));
        let (mut ours_scratch, mut theirs_scratch) = (Default::default(), Default::default());
        let mut gather = Gather::default();
        for shelf in share_of(worker, means) {
            for whose in [Whose::Ours, Whose::Theirs] {
                let places = gather.by_place(left.of(whose), shelf)?.map(Stub::place);
                let (keyed, next, extent) = (keyed.of(whose), next.of(whose), extents.of(whose));
                let take = |taken: Taken| shelve(&taken, rule, &means.shape, extent, keyed, next);
                match whose {
                    Whose::Ours => ours.read_again(places, rule, &mut ours_scratch, take),
                    Whose::Theirs => theirs.read_again(places, rule, &mut theirs_scratch, take),
                }
                .map_err(|source| MatchError::Side { whose, source })?;
            }
        }
        Ok((keyed, next))
    })?;
    let (mut keyed, mut next) = (Filled::new(), Filled::new());
    for (of_keyed, of_next) in done {
        keyed.push(of_keyed)?;
        next.push(of_next)?;
    }
    Ok((keyed, next))
}

/// What a worker takes off a shelf into.
#[derive(Default)]
struct Gather {
    bytes: Vec<u8>,
    stubs: Vec<Stub>,
}

impl Gather {
    fn all(&mut self, shelves: &[Shelves<'_>], shelf: usize) -> Done<&mut [Stub]> {
        self.stubs.clear();
        for of_worker in shelves {
            of_worker
                .gather(shelf, &mut self.bytes, &mut self.stubs)
                .map_err(MatchError::disk("read the spill file"))?;
        }
        Ok(&mut self.stubs)
    }

    fn by_place(
        &mut self,
        shelves: &[Shelves<'_>],
        shelf: usize,
    ) -> Done<impl Iterator<Item = &Stub>> {
        let stubs = self.all(shelves, shelf)?;
        stubs.sort_unstable_by_key(Stub::place);
        Ok(stubs.iter())
    }
}

/// One worker's findings under one rule.
struct Findings<S> {
    rule: Option<usize>,
    of_rule: OfRule,
    sink: S,
    failed: Option<io::Error>,
}

impl<S: Sink> Findings<S> {
    fn new(rule: Option<usize>, sink: S) -> Self {
        Self { rule, of_rule: OfRule::default(), sink, failed: None }
    }

    #[inline]
    fn count(&mut self, class: Class, ours: &[Stub], theirs: &[Stub]) {
        let both = &mut self.of_rule[class.index()];
        ours.iter().for_each(|stub| both.ours.count(stub));
        theirs.iter().for_each(|stub| both.theirs.count(stub));
        if self.failed.is_none() {
            let finding = Finding { class, rule: self.rule, ours, theirs };
            self.failed = self.sink.take(&finding).err();
        }
    }

    fn finish(self) -> Done<(OfRule, S)> {
        match self.failed {
            None => Ok((self.of_rule, self.sink)),
            Some(error) => Err(MatchError::disk("keep a finding")(error)),
        }
    }
}

/// Counts what is found, and puts what is left on its shelves.
struct Matched<'w, 'a, S> {
    findings: &'w mut Findings<S>,
    left: &'w mut Pair<'a>,
    extents: Extents,
    shape: &'a Shape,
}

impl<S: Sink> Outlet for Matched<'_, '_, S> {
    #[inline]
    fn found(&mut self, class: Class, ours: &[Stub], theirs: &[Stub]) {
        self.findings.count(class, ours, theirs);
    }

    fn left(&mut self, whose: Whose, stub: Stub) {
        let shelf = self.shape.by_place(&stub, self.extents.of(whose));
        self.left.of(whose).put(shelf, stub);
    }
}

/// Merges every shelf.
pub(super) fn match_shelves<'a, S: Sink>(
    rule: &Rule,
    number: usize,
    keyed: &Filled<'_>,
    extents: Extents,
    means: &'a Means,
    sink: &(impl Fn() -> S + Sync),
) -> Done<Vec<(OfRule, Pair<'a>, S)>> {
    workers(means, |worker| {
        let mut left = Pair::new(means);
        let mut findings = Findings::new(Some(number), sink());
        let (mut ours, mut theirs) = (Gather::default(), Gather::default());
        for shelf in share_of(worker, means) {
            let ours = ours.all(&keyed.ours, shelf)?;
            let theirs = theirs.all(&keyed.theirs, shelf)?;
            let mut outlet =
                Matched { findings: &mut findings, left: &mut left, extents, shape: &means.shape };
            merge(rule, ours, theirs, &mut outlet);
        }
        let (of_rule, sink) = findings.finish()?;
        Ok((of_rule, left, sink))
    })
}

/// What no rule paired is only on its side.
pub(super) fn tell_left<S: Sink>(
    left: &Filled<'_>,
    means: &Means,
    sink: &(impl Fn() -> S + Sync),
) -> Done<Vec<(OfRule, S)>> {
    workers(means, |worker| {
        let mut findings = Findings::new(None, sink());
        let mut gather = Gather::default();
        for shelf in share_of(worker, means) {
            for stub in gather.by_place(&left.ours, shelf)? {
                findings.count(only(*stub, Class::OnlyOurs), &[*stub], &[]);
            }
            for stub in gather.by_place(&left.theirs, shelf)? {
                findings.count(only(*stub, Class::OnlyTheirs), &[], &[*stub]);
            }
        }
        findings.finish()
    })
}

fn only(stub: Stub, class: Class) -> Class {
    if stub.is_disputed() { Class::Disputed } else { class }
}
