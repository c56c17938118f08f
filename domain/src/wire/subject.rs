//! Subjects and streams of the broker. Nothing personal is ever part of a subject.

use crate::signature::Digest256;
use crate::{LaneId, OperatorId};

/// A stream and the subjects it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamName {
    /// The stream's name.
    pub name: &'static str,
    /// What it keeps.
    pub subjects: &'static str,
}

/// Passages on their way to the clearing house.
pub const PASSAGES: StreamName = StreamName { name: "PASSAGE", subjects: "etc.v1.passage.>" };
/// How many partitions the stream of passages has. Each lane is in one of them, so that several
/// workers share the load and the order of a lane holds.
pub const PARTITIONS: u16 = 16;
/// What the stream of passages takes in under another subject, and which: the partition is chosen
/// by operator, station and lane. What does not look like a lane's keeps its subject.
pub const PARTITION_SOURCE: &str = "etc.v1.passage.*.*.*";
/// Where it puts that.
#[must_use]
pub fn partition_target() -> String {
    format!(
        "etc.v1.partition.{{{{partition({PARTITIONS},1,2,3)}}}}.{{{{wildcard(1)}}}}.{{{{wildcard(2)}}}}.{{{{wildcard(3)}}}}"
    )
}
/// Where the stream keeps a lane's passages. The partition is the broker's own: FNV-1a over the
/// tokens, one behind the other.
#[must_use]
pub fn kept_passages(lane: &LaneId) -> String {
    let tokens = [lane.operator().as_str(), lane.station().as_str(), lane.lane()];
    let hash = tokens
        .iter()
        .flat_map(|token| token.bytes())
        .fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let partition = hash % u32::from(PARTITIONS);
    format!("etc.v1.partition.{partition}.{}.{}.{}", tokens[0], tokens[1], tokens[2])
}
/// All passages of one partition.
#[must_use]
pub fn partition(partition: u16) -> String {
    format!("etc.v1.partition.{partition}.>")
}
/// The subject a passage was published on, from the one the stream keeps it under.
#[must_use]
pub fn published_on(kept_under: &str) -> String {
    kept_under
        .strip_prefix("etc.v1.partition.")
        .and_then(|rest| rest.split_once('.'))
        .map_or_else(|| kept_under.to_owned(), |(_, lane)| format!("etc.v1.passage.{lane}"))
}
/// The last receipt of every lane.
pub const RECEIPTS: StreamName = StreamName { name: "RECEIPT", subjects: "etc.v1.receipt.>" };
/// Deltas of the account list.
pub const LIST_DELTAS: StreamName =
    StreamName { name: "LIST_DELTA", subjects: "etc.v1.list.delta.*" };
/// Snapshots of the account list: one manifest, and its parts.
pub const LIST_SNAPSHOTS: StreamName =
    StreamName { name: "LIST_SNAPSHOT", subjects: "etc.v1.list.snapshot.>" };
/// Entries onto entry/exit roads, for the exits.
pub const ENTRIES: StreamName = StreamName { name: "ENTRY", subjects: "etc.v1.entry.*" };
/// What lanes did and saw, for people who watch.
pub const EVENTS: StreamName = StreamName { name: "EVENT", subjects: "etc.v1.event.>" };

/// What the centre wants to be so: one document a subject.
pub const DIRECTIVES: StreamName = StreamName { name: "DIRECTIVE", subjects: "etc.v1.directive.>" };

/// Pictures of vehicles, and which belong to whom; bounded, and never waited for.
pub const PICTURES: StreamName = StreamName { name: "PICTURE", subjects: "etc.v1.picture.>" };

/// Every stream there is.
pub const STREAMS: [StreamName; 8] =
    [PASSAGES, RECEIPTS, LIST_DELTAS, LIST_SNAPSHOTS, ENTRIES, EVENTS, DIRECTIVES, PICTURES];

/// The one manifest of the newest snapshot.
pub const LIST_MANIFEST: &str = "etc.v1.list.snapshot.manifest";
/// The centre's last word that the newest version of the list is still the newest.
pub const LIST_CONFIRMED: &str = "etc.v1.list.snapshot.confirmed";
/// Where lanes ask what time it is. Request and reply; never stored.
pub const TIME: &str = "etc.v1.time";
/// Where a lane with a blank journal asks for its epoch.
pub const EPOCH_REQUEST: &str = "etc.v1.epoch";
/// Every lane's questions about accounts, for the centre that answers them.
pub const ALL_QUESTIONS: &str = "etc.v1.ask.>";
/// Every lane's manifests, for the centre that takes them in.
pub const ALL_MANIFESTS: &str = "etc.v1.manifest.>";
/// Everything lanes tell, for a subscriber.
pub const ALL_EVENTS: &str = "etc.v1.event.>";
/// What all lanes say of their pictures, for a subscriber: not the pictures themselves.
pub const ALL_PICTURE_NOTES: &str = "etc.v1.picture.*.*.*";
/// Every lane's heartbeat, for a subscriber.
pub const ALL_HEARTBEATS: &str = "etc.v1.heartbeat.>";

fn of(kind: &str, lane: &LaneId) -> String {
    format!("etc.v1.{kind}.{}.{}.{}", lane.operator(), lane.station(), lane.lane())
}

/// Where a lane publishes its passages.
#[must_use]
pub fn passage(lane: &LaneId) -> String {
    of("passage", lane)
}

/// Where the centre publishes a lane's receipts.
#[must_use]
pub fn receipt(lane: &LaneId) -> String {
    of("receipt", lane)
}

/// Where a lane tells what it did.
#[must_use]
pub fn event(lane: &LaneId) -> String {
    of("event", lane)
}

/// Where a lane says that it lives. Never stored.
#[must_use]
pub fn heartbeat(lane: &LaneId) -> String {
    of("heartbeat", lane)
}

/// Where a lane says which pictures belong to whom.
#[must_use]
pub fn picture_note(lane: &LaneId) -> String {
    of("picture", lane)
}

/// Where a lane publishes the bytes of a picture. A digest tells nothing of what is on it.
#[must_use]
pub fn picture(lane: &LaneId, digest: &Digest256) -> String {
    format!("{}.{digest}", picture_note(lane))
}

/// Where a lane answers commands. Request and reply; never stored.
#[must_use]
pub fn command(lane: &LaneId) -> String {
    of("command", lane)
}

/// Where a lane asks whether a tag may pass. Request and reply; never stored.
#[must_use]
pub fn question(lane: &LaneId) -> String {
    of("ask", lane)
}

/// Where a lane has its turn with a manifest. Request and reply; never stored.
#[must_use]
pub fn manifest(lane: &LaneId) -> String {
    of("manifest", lane)
}

/// The tariffs of an operator.
#[must_use]
pub fn tariff_directive(operator: &OperatorId) -> String {
    format!("etc.v1.directive.tariff.{operator}")
}

/// How a lane is to work.
#[must_use]
pub fn lane_directive(lane: &LaneId) -> String {
    of("directive.lane", lane)
}

/// The delta that leads to a version of the list.
#[must_use]
pub fn list_delta(version: u64) -> String {
    format!("etc.v1.list.delta.{version}")
}

/// A part of a snapshot.
#[must_use]
pub fn list_part(version: u64, part: usize) -> String {
    format!("etc.v1.list.snapshot.{version}.{part}")
}

/// The entries of one road.
#[must_use]
pub fn entry(road: &str) -> String {
    format!("etc.v1.entry.{road}")
}

/// The lane a subject of a lane belongs to.
#[must_use]
pub fn lane_of(subject: &str) -> Option<LaneId> {
    let mut tokens = subject.split('.').skip(3);
    let (Some(operator), Some(station), Some(lane), None) =
        (tokens.next(), tokens.next(), tokens.next(), tokens.next())
    else {
        return None;
    };
    format!("{operator}/{station}/{lane}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_told_from_its_subject() {
        let lane: LaneId = "cienco4/ben-thuy/l01".parse().unwrap();
        assert_eq!(passage(&lane), "etc.v1.passage.cienco4.ben-thuy.l01");
        assert_eq!(question(&lane), "etc.v1.ask.cienco4.ben-thuy.l01");
        assert_eq!(lane_of(&question(&lane)), Some(lane.clone()));
        assert_eq!(lane_of(&passage(&lane)), Some(lane.clone()));
        let kept_under = "etc.v1.partition.7.cienco4.ben-thuy.l01";
        assert_eq!(published_on(kept_under), "etc.v1.passage.cienco4.ben-thuy.l01");
        assert_eq!(published_on("etc.v1.passage.odd"), "etc.v1.passage.odd");
        let digest = Digest256::of(b"a picture");
        assert_eq!(lane_of(&picture_note(&lane)), Some(lane.clone()));
        assert_eq!(lane_of(&picture(&lane, &digest)), None, "the bytes are no message of a lane");
        assert_eq!(lane_of("etc.v1.passage.cienco4.ben-thuy"), None);
        assert_eq!(lane_of("etc.v1.passage.cienco4.ben-thuy.l01.x"), None);
    }
}
