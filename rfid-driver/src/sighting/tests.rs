//! Stories: "ms tag=… rssi= ant= tid= count=" is a read, "ms" alone a deadline, "> …" what comes
//! of it.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Departure, SightingEvent, SightingSettings, Sightings};
use crate::{Epc, Rssi, TagRead, Tid};

fn epc(name: &str) -> Epc {
    Epc::try_from_slice(format!("tag {name}").as_bytes()).unwrap()
}

fn read(words: &[&str], at: Instant) -> TagRead {
    let word = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let mut read = TagRead::new(epc(word("tag=").unwrap()), at);
    read.rssi = word("rssi=").map(|dbm| Rssi { dbm: Some(dbm.parse().unwrap()), raw: 0 });
    read.antenna = word("ant=").map(|port| port.parse().unwrap());
    read.tid = word("tid=").map(|tid| Tid::try_from_slice(tid.as_bytes()).unwrap());
    read.read_count = word("count=").map_or(1, |count| count.parse().unwrap());
    read
}

fn shown(event: &SightingEvent) -> String {
    let (what, sighting) = match event {
        SightingEvent::FirstSeen(sighting) => ("FirstSeen".to_owned(), sighting),
        SightingEvent::Refined { sighting, news } => (format!("{news:?}"), sighting),
        SightingEvent::Left { sighting, departure } => (format!("Left {departure:?}"), sighting),
    };
    let name = String::from_utf8_lossy(&sighting.epc.as_bytes()[4..]).into_owned();
    let dbm = sighting.strongest.and_then(|strongest| strongest.rssi.dbm);
    let dbm = dbm.map_or(String::new(), |dbm| format!(" {dbm} dBm"));
    format!("{what} {name}: {} reads on {:?}{dbm}", sighting.read_count, sighting.antennas)
}

#[track_caller]
fn check(sightings_max: usize, story: &str) {
    let settings =
        SightingSettings { absence: Duration::from_millis(1000), rssi_step_db: 3, sightings_max };
    let mut sightings = Sightings::new(settings);
    let start = crate::clock::now();
    let mut told = Vec::new();
    let lines = story.lines().map(str::trim).filter(|line| !line.is_empty());
    for line in lines.clone().filter(|line| !line.starts_with('>')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let now = start + Duration::from_millis(words[0].parse().unwrap());
        let events = match words.len() {
            1 => sightings.handle_deadline(now),
            _ => sightings.handle(&read(&words[1..], now), now),
        };
        told.push(line.to_owned());
        told.extend(events.iter().map(|event| format!("> {}", shown(event))));
    }
    assert_eq!(told, lines.collect::<Vec<_>>());
}

#[test]
fn the_first_read_is_told_at_once_and_an_equal_one_is_not_news() {
    check(
        8,
        "0   tag=A rssi=-60 ant=1
             > FirstSeen A: 1 reads on [1] -60 dBm
         20  tag=A rssi=-59 ant=1
             > Count A: 2 reads on [1] -60 dBm
         40  tag=A rssi=-61 ant=1",
    );
}

#[test]
fn a_passing_vehicle_grows_stronger_and_then_leaves() {
    check(
        8,
        "0   tag=A rssi=-70 ant=1
             > FirstSeen A: 1 reads on [1] -70 dBm
         20  tag=A rssi=-67 ant=1
             > Stronger A: 2 reads on [1] -67 dBm
             > Count A: 2 reads on [1] -67 dBm
         40  tag=A rssi=-65 ant=2
             > OtherAntenna A: 3 reads on [1, 2] -67 dBm
         60  tag=A rssi=-50 ant=2
             > Stronger A: 4 reads on [1, 2] -50 dBm
             > Count A: 4 reads on [1, 2] -50 dBm
         1059
         1060
             > Left Absent A: 4 reads on [1, 2] -50 dBm
         1061",
    );
}

#[test]
fn a_tag_that_comes_back_after_it_left_is_seen_anew_though_nobody_looked_at_the_clock() {
    check(
        8,
        "0    tag=A
              > FirstSeen A: 1 reads on []
         5000 tag=A
              > Left Absent A: 1 reads on []
              > FirstSeen A: 1 reads on []",
    );
}

#[test]
fn a_tid_is_learned_once_and_a_second_one_betrays_a_copy() {
    check(
        8,
        "0   tag=A count=9
             > FirstSeen A: 9 reads on []
         20  tag=A tid=chip-1
             > TidLearned A: 10 reads on []
         40  tag=A tid=chip-1
         60  tag=A tid=chip-2
             > TidDiffers A: 12 reads on []",
    );
}

#[test]
fn a_tag_too_many_is_seen_and_the_one_longest_unread_goes() {
    check(
        2,
        "0   tag=A
             > FirstSeen A: 1 reads on []
         10  tag=B
             > FirstSeen B: 1 reads on []
         20  tag=A
             > Count A: 2 reads on []
         30  tag=C
             > Left Crowded B: 1 reads on []
             > FirstSeen C: 1 reads on []",
    );
}

#[test]
fn an_answer_with_a_strength_is_news_after_one_without() {
    check(
        8,
        "0   tag=A
             > FirstSeen A: 1 reads on []
         5   tag=A rssi=-70
             > Stronger A: 2 reads on [] -70 dBm
             > Count A: 2 reads on [] -70 dBm",
    );
}

proptest! {
    /// Whatever comes: room is never exceeded, and of each tag first sights and departures take
    /// turns, so that no first sight is lost.
    #[test]
    fn every_stay_begins_with_a_first_sight_and_memory_is_bounded(
        reads in proptest::collection::vec((0_u8..12, 0_u64..700), 0..200)
    ) {
        let absence = Duration::from_millis(1000);
        let mut sightings = Sightings::new(SightingSettings {
            absence, rssi_step_db: 3, sightings_max: 5,
        });
        let mut now = crate::clock::now();
        let mut present = std::collections::HashSet::new();
        for (tag, pause_ms) in reads {
            now += Duration::from_millis(pause_ms);
            let read = TagRead::new(epc(&tag.to_string()), now);
            for event in sightings.handle(&read, now) {
                match event {
                    SightingEvent::FirstSeen(sighting) => {
                        prop_assert!(present.insert(sighting.epc));
                    }
                    SightingEvent::Refined { sighting, .. } => {
                        prop_assert!(present.contains(&sighting.epc));
                    }
                    SightingEvent::Left { sighting, departure } => {
                        prop_assert!(present.remove(&sighting.epc));
                        let unread = now - sighting.last_seen;
                        prop_assert_eq!(departure == Departure::Absent, unread >= absence);
                    }
                }
            }
            prop_assert!(present.contains(&read.epc));
            prop_assert_eq!(sightings.open_count(), present.len());
            prop_assert!(present.len() <= 5);
        }
    }
}
