//! Bugs that are planted to see whether the simulation finds them.
//!
//! Each is a switch in what the simulation plays itself: a shell around a core, a disk, a
//! database. No program has any of them. The list is of `docs/simulation.md`.

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlantedBug {
    // The lane and its journal.
    /// The journal says that a passage is durable and does not flush it.
    SkipsFlush,
    /// The arm goes up first, and then the passage is written.
    OpensBeforeDurable,
    /// After a flush that failed the next one is believed.
    TrustsFlushAfterFailure,
    /// What stands behind the first record that is damaged is thrown away.
    TruncatesAtDamage,
    /// Records are forgotten when the broker has them.
    PrunesOnPubAck,
    /// Sequences are seconds of the wall clock.
    SequenceFromClock,
    /// A blank journal goes on in the epoch of the lost one.
    ReusesEpoch,
    /// A lane believes a receipt whoever signed it.
    ReceiptUnchecked,
    /// A lane believes a receipt whatever record it has under the receipt's number.
    DigestUnchecked,
    /// A lane takes a list whoever signed it.
    ListUnchecked,
    /// A list that is older than the one in use is taken.
    TakesOlderList,
    /// Half a delta may be on the disk under the new version.
    TearsList,
    /// The arm is lowered at the start whatever is under it.
    ClosesOnRestart,
    /// A loop that is silent counts as free.
    SilentLoopIsFree,
    /// Records are not sent again when the watermark stands still.
    SendsOnce,
    // The clearing house.
    /// Messages are acknowledged before the commit.
    AcksBeforeCommit,
    /// A receipt goes out before the commit.
    ReceiptBeforeCommit,
    /// Only the broker's window keeps a passage from being posted twice.
    DedupesByWindowOnly,
    /// The same key is a duplicate, whatever the content.
    NoContentHash,
    /// Passages are committed first, and their charges in a second transaction.
    HalfTransaction,
    /// A balance is written as it was read plus the change.
    LosesUpdates,
    /// Any enrolled lane's signature will do.
    LaneNotBound,
    /// Messages are taken unexamined.
    NotExamined,
    /// What cannot be taken is handed back, with its batch, for ever.
    NacksPoison,
    /// The watermark is the highest sequence there is.
    WatermarkIgnoresGaps,
    /// A charge goes into its own day, closed or not.
    PostsIntoClosedDay,
    /// Changed accounts are noted for the list after the commit.
    OutboxAfterCommit,
    /// An entry is used by every exit that asks.
    EntryUsedTwice,
}

/// All of them.
pub(crate) const BUGS: [PlantedBug; 28] = [
    PlantedBug::SkipsFlush,
    PlantedBug::OpensBeforeDurable,
    PlantedBug::TrustsFlushAfterFailure,
    PlantedBug::TruncatesAtDamage,
    PlantedBug::PrunesOnPubAck,
    PlantedBug::SequenceFromClock,
    PlantedBug::ReusesEpoch,
    PlantedBug::ReceiptUnchecked,
    PlantedBug::DigestUnchecked,
    PlantedBug::ListUnchecked,
    PlantedBug::TakesOlderList,
    PlantedBug::TearsList,
    PlantedBug::ClosesOnRestart,
    PlantedBug::SilentLoopIsFree,
    PlantedBug::SendsOnce,
    PlantedBug::AcksBeforeCommit,
    PlantedBug::ReceiptBeforeCommit,
    PlantedBug::DedupesByWindowOnly,
    PlantedBug::NoContentHash,
    PlantedBug::HalfTransaction,
    PlantedBug::LosesUpdates,
    PlantedBug::LaneNotBound,
    PlantedBug::NotExamined,
    PlantedBug::NacksPoison,
    PlantedBug::WatermarkIgnoresGaps,
    PlantedBug::PostsIntoClosedDay,
    PlantedBug::OutboxAfterCommit,
    PlantedBug::EntryUsedTwice,
];
