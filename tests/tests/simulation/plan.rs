//! What a seed has in store: how many vehicles come, and which faults there are.
//!
//! Each seed draws a few kinds of faults and leaves the others out, so that one does not hide
//! another: a lane that is killed every minute would never keep a torn list for long.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A minute in microseconds.
pub(crate) const MINUTE: u64 = 60 * SECOND;
/// A second in microseconds.
pub(crate) const SECOND: u64 = 1_000_000;
/// A millisecond in microseconds.
pub(crate) const MILLI: u64 = 1_000;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A lane's process dies, at any moment and in the middle of writes.
    LaneDies,
    /// A lane's disk refuses to flush for a while.
    FlushFails,
    /// A lane's disk is replaced by a blank one.
    DiskLost,
    /// A byte of a kept record changes.
    ByteFlips,
    /// An older copy of a journal is put back.
    RolledBack,
    /// Loops and arm are silent for a while.
    FieldSilent,
    /// A lane's or the centre's wall clock jumps.
    ClockJumps,
    /// The broker dies, and what it had not flushed is gone.
    BrokerDies,
    /// The broker's disk is wiped.
    BrokerWiped,
    /// Messages and acknowledgements are lost.
    LinkLoses,
    /// A lane has no line to the broker for minutes.
    LineCut,
    /// Deliveries come again, and out of order.
    Redelivered,
    /// The clearing house dies.
    CentreDies,
    /// The database is away, refuses to serialise, or does not tell how a commit ended.
    DatabaseFails,
    /// A settlement day is closed while passages of it are under way.
    DayCloses,
    /// Forged, altered, foreign and unreadable messages, old lists, false receipts.
    Strangers,
}

/// All of them.
pub(crate) const FAULTS: [Fault; 16] = [
    Fault::LaneDies,
    Fault::FlushFails,
    Fault::DiskLost,
    Fault::ByteFlips,
    Fault::RolledBack,
    Fault::FieldSilent,
    Fault::ClockJumps,
    Fault::BrokerDies,
    Fault::BrokerWiped,
    Fault::LinkLoses,
    Fault::LineCut,
    Fault::Redelivered,
    Fault::CentreDies,
    Fault::DatabaseFails,
    Fault::DayCloses,
    Fault::Strangers,
];

/// A seed's plan.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How many crossings there are; a trip is two.
    pub crossings: usize,
    /// How many vehicles make them.
    pub vehicles: usize,
    /// When the last of them sets out, and the last fault begins.
    pub span: u64,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// How often what can strike again does, in microseconds.
    pub every: u64,
    /// How many workers the clearing house has.
    pub workers: usize,
    /// How many messages a worker takes at once.
    pub batch: usize,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed ^ 0x0050_6c61_6e00);
        let kinds = dice.random_range(0..=5);
        let faults = (0..kinds).map(|_| FAULTS[dice.random_range(0..FAULTS.len())]).collect();
        Self {
            crossings: dice.random_range(6..=26),
            vehicles: dice.random_range(2..=8),
            span: dice.random_range(8..=30) * MINUTE,
            faults,
            every: dice.random_range(1..=6) * MINUTE,
            workers: dice.random_range(1..=2),
            batch: dice.random_range(1..=8),
        }
    }

    /// Whether a kind of fault is in store.
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}
