//! The window: which records go to the broker next, which go once more, and when. Pure.
//!
//! Contract: a record is sent until the broker has taken it, and is kept in mind until a receipt
//! covers it. A failure of any kind is answered by the same record under the same message id,
//! for ever; time-outs prove nothing, and an equal id makes a second copy harmless. What the broker
//! had taken and is asked for all the same goes out in a new *round*, so under another id: with
//! the old one the broker would keep it to itself.
//!
//! What the broker has taken and nobody has posted is not sent again on a hunch: a clearing house
//! that is down for a day would find every passage a hundred times. The broker is *asked* what it
//! holds last; only where that is not what it took last has it lost its disk, and then everything
//! from the watermark on goes out once more. Holes in the middle are named by receipts.
//!
//! Time is real time since the lane started. No I/O, no clock, no randomness.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use domain::signature::HalfDigest;

/// How many records may be under way at once.
pub const WIDTH: usize = 16;
/// As long as the last thing known is a failure, one at a time finds out.
const WIDTH_PROBING: usize = 1;
/// How long to wait after a failure; doubled each time in a row.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// The longest such wait: a request that nobody answers costs the client memory.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long the watermark may stand still before the broker is asked what it holds; doubled each
/// time the answer was that nothing is lost.
const ASK_AFTER_MIN: Duration = Duration::from_secs(3);
/// The longest such wait.
const ASK_AFTER_MAX: Duration = Duration::from_secs(300);
/// How long the watermark may stand still before the first record after it goes out again though
/// the broker holds everything: the last net, one record wide. Doubled each time.
const KNOCK_AFTER_MIN: Duration = Duration::from_secs(600);
/// The longest such wait.
const KNOCK_AFTER_MAX: Duration = Duration::from_secs(6 * 3600);
/// How long a gap that stays the same may stay before it is filled again; doubled each time.
const FILL_AFTER_MIN: Duration = Duration::from_secs(10);
/// The longest such wait.
const FILL_AFTER_MAX: Duration = Duration::from_secs(300);
/// The most ranges that wait to go out once more.
const AGAIN_MAX: usize = 1_024;

/// What a receipt said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Posted {
    /// Everything up to here is posted.
    pub upto: u64,
    /// What is posted there, where the receipt says so.
    pub digest: Option<HalfDigest>,
    /// Ranges past a gap that the centre lacks, both ends included.
    pub missing: Vec<(u64, u64)>,
}

/// A record to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    /// Its sequence.
    pub seq: u64,
    /// 0 the first time; greater where the broker had taken it and it goes out all the same.
    pub round: u32,
}

/// A wait that doubles while it does not help.
#[derive(Debug, Clone, Copy)]
struct Patience {
    now: Duration,
    least: Duration,
    most: Duration,
}

impl Patience {
    const fn new(least: Duration, most: Duration) -> Self {
        Self { now: least, least, most }
    }

    fn spend(&mut self) -> Duration {
        let wait = self.now;
        self.now = (wait * 2).min(self.most);
        wait
    }

    fn restore(&mut self) {
        self.now = self.least;
    }
}

/// What is under way, for one epoch of one lane.
#[derive(Debug)]
pub struct Window {
    connected: bool,
    written: u64,
    posted: u64,
    /// The first sequence that was never handed out.
    next: u64,
    /// Handed out, and neither taken nor failed yet; with their rounds.
    in_flight: BTreeMap<u64, u32>,
    /// Failed, to go out again as they were.
    failed: BTreeMap<u64, u32>,
    /// To go out again under a new id: ranges with both ends, and their round.
    again: VecDeque<(u64, u64, u32)>,
    /// What the broker took last, the newest behind.
    taken: VecDeque<u64>,
    round: u32,
    probing: bool,
    pause: Patience,
    resume_at: Duration,
    ask: Patience,
    ask_at: Option<Duration>,
    knock: Patience,
    knock_at: Option<Duration>,
    gaps: Vec<(u64, u64)>,
    fill: Patience,
    fill_at: Duration,
}

impl Window {
    /// A window over a journal that ends at `written` and is posted up to `posted`.
    #[must_use]
    pub fn new(written: u64, posted: u64) -> Self {
        Self {
            connected: false,
            written,
            posted,
            next: posted + 1,
            in_flight: BTreeMap::new(),
            failed: BTreeMap::new(),
            again: VecDeque::new(),
            taken: VecDeque::new(),
            round: 0,
            probing: true,
            pause: Patience::new(PAUSE_MIN, PAUSE_MAX),
            resume_at: Duration::ZERO,
            ask: Patience::new(ASK_AFTER_MIN, ASK_AFTER_MAX),
            ask_at: None,
            knock: Patience::new(KNOCK_AFTER_MIN, KNOCK_AFTER_MAX),
            knock_at: None,
            gaps: Vec::new(),
            fill: Patience::new(FILL_AFTER_MIN, FILL_AFTER_MAX),
            fill_at: Duration::ZERO,
        }
    }

    /// The watermark.
    #[must_use]
    pub const fn posted(&self) -> u64 {
        self.posted
    }

    /// The journal has got so far.
    pub fn handle_written(&mut self, upto: u64) {
        self.written = self.written.max(upto);
    }

    /// The connection came or went. What is in flight keeps its own time limit.
    pub fn handle_connection(&mut self, connected: bool, now: Duration) {
        if connected && !self.connected {
            self.probing = true;
            self.pause.restore();
            self.resume_at = now;
            // A broker that comes back may have come back empty.
            self.ask.restore();
            self.ask_at = self.is_unposted().then_some(now);
        }
        self.connected = connected;
    }

    /// The broker has taken a record.
    pub fn handle_taken(&mut self, seq: u64, now: Duration) {
        if self.in_flight.remove(&seq).is_none() {
            return;
        }
        self.probing = false;
        self.pause.restore();
        self.taken.push_back(seq);
        if self.taken.len() > 2 * WIDTH {
            self.taken.pop_front();
        }
        if self.ask_at.is_none() && seq > self.posted {
            self.ask_at = Some(now + self.ask.spend());
            self.knock_at = Some(now + self.knock.spend());
        }
    }

    /// A record was refused, or nobody answered; it may be stored all the same.
    pub fn handle_failed(&mut self, seq: u64, now: Duration) {
        let Some(round) = self.in_flight.remove(&seq) else { return };
        if seq > self.posted {
            self.failed.insert(seq, round);
        }
        self.probing = true;
        // What was under way together fails together, and is one failure.
        if now >= self.resume_at {
            self.resume_at = now + self.pause.spend();
        }
    }

    /// The journal has no such record any more.
    pub fn handle_gone(&mut self, seq: u64) {
        self.in_flight.remove(&seq);
    }

    /// A receipt came.
    pub fn handle_posted(&mut self, posted: &Posted, now: Duration) {
        if posted.upto < self.posted {
            return;
        }
        if posted.upto > self.posted {
            self.move_watermark(posted.upto, now);
        }
        let new: Vec<_> =
            posted.missing.iter().filter(|gap| !self.gaps.contains(gap)).copied().collect();
        self.gaps.clone_from(&posted.missing);
        if self.gaps.is_empty() {
            self.fill.restore();
        } else if !new.is_empty() {
            self.fill_at = now + self.fill.spend();
            self.send_again(&new);
        } else if now >= self.fill_at && self.again.is_empty() {
            self.fill_at = now + self.fill.spend();
            let gaps = self.gaps.clone();
            self.send_again(&gaps);
        }
    }

    fn move_watermark(&mut self, upto: u64, now: Duration) {
        self.posted = upto;
        self.next = self.next.max(upto + 1);
        self.failed = self.failed.split_off(&(upto + 1));
        self.again.retain(|(_, last, _)| *last > upto);
        for (first, ..) in &mut self.again {
            *first = (*first).max(upto + 1);
        }
        self.ask.restore();
        self.knock.restore();
        let unposted = self.is_unposted();
        self.ask_at = unposted.then(|| now + self.ask.spend());
        self.knock_at = unposted.then(|| now + self.knock.spend());
    }

    /// The broker answered what it holds last of this epoch: nothing, or this sequence.
    pub fn handle_held(&mut self, last: Option<u64>) {
        if !self.is_unposted() || last.is_some_and(|last| self.taken.contains(&last)) {
            return;
        }
        self.taken.clear();
        self.again.clear();
        self.send_again(&[(self.posted + 1, self.next - 1)]);
    }

    /// Whether something was handed out that no receipt covers.
    const fn is_unposted(&self) -> bool {
        self.next > self.posted + 1
    }

    /// Puts ranges behind what already waits, without what is on its way or was never sent.
    fn send_again(&mut self, ranges: &[(u64, u64)]) {
        self.round += 1;
        for (first, last) in ranges {
            // What finds no room now is named again.
            if self.again.len() >= AGAIN_MAX {
                return;
            }
            let (mut first, last) = ((*first).max(self.posted + 1), (*last).min(self.next - 1));
            let on_its_way: Vec<u64> =
                self.in_flight.range(first..).map(|(seq, _)| *seq).take(WIDTH).collect();
            for seq in on_its_way.into_iter().take_while(|seq| *seq <= last) {
                if first < seq {
                    self.again.push_back((first, seq - 1, self.round));
                }
                first = seq + 1;
            }
            if first <= last {
                self.again.push_back((first, last, self.round));
            }
        }
    }

    /// Does what is due; call when [`Self::next_deadline`] has come.
    pub fn handle_deadline(&mut self, now: Duration) {
        if self.knock_at.is_some_and(|at| at <= now) {
            self.knock_at = Some(now + self.knock.spend());
            if self.connected && self.again.is_empty() {
                self.send_again(&[(self.posted + 1, self.posted + 1)]);
            }
        }
    }

    /// Whether the broker is to be asked now what it holds last; says so once.
    pub fn poll_ask(&mut self, now: Duration) -> bool {
        let is_due = self.connected && self.ask_at.is_some_and(|at| at <= now);
        if is_due {
            self.ask_at = Some(now + self.ask.spend());
        }
        is_due
    }

    /// The records to be sent now, in order. Each must come to [`Self::handle_taken`],
    /// [`Self::handle_failed`] or [`Self::handle_gone`].
    pub fn poll_send(&mut self, now: Duration) -> Vec<Sending> {
        let width = if self.probing { WIDTH_PROBING } else { WIDTH };
        let mut out = Vec::new();
        if !self.connected || now < self.resume_at {
            return out;
        }
        while self.in_flight.len() < width {
            let Some(sending) = self.pick() else { break };
            self.in_flight.insert(sending.seq, sending.round);
            out.push(sending);
        }
        out
    }

    fn pick(&mut self) -> Option<Sending> {
        if let Some((seq, round)) = self.failed.pop_first() {
            return Some(Sending { seq, round });
        }
        while let Some((first, last, round)) = self.again.pop_front() {
            if first < last {
                self.again.push_front((first + 1, last, round));
            }
            if !self.in_flight.contains_key(&first) {
                return Some(Sending { seq: first, round });
            }
        }
        (self.next <= self.written).then(|| {
            self.next += 1;
            Sending { seq: self.next - 1, round: 0 }
        })
    }

    fn has_work(&self) -> bool {
        let width = if self.probing { WIDTH_PROBING } else { WIDTH };
        self.in_flight.len() < width
            && (!self.failed.is_empty() || !self.again.is_empty() || self.next <= self.written)
    }

    /// When to look again, whatever happens until then.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        if !self.connected {
            return None;
        }
        let resume = self.has_work().then_some(self.resume_at);
        resume.into_iter().chain(self.ask_at).chain(self.knock_at).min()
    }
}

#[cfg(test)]
mod tests;
