//! How do many reads become one stay? `cargo run -p rfid-driver --example sightings`
//!
//! A vehicle passes: its tag answers more and more strongly, and then not any more.

use std::io;
use std::time::{Duration, Instant};

use rfid_driver::sighting::{SightingEvent, SightingSettings, Sightings};
use rfid_driver::{Epc, Rssi, TagRead};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut sightings = Sightings::new(SightingSettings::default());
    let epc = Epc::try_from_slice(b"\x34\x16\x21\x4B\x88 example").map_err(io::Error::other)?;
    #[expect(clippy::disallowed_methods, reason = "a program of its own has a clock of its own")]
    let start = Instant::now();
    for (ms, dbm) in [(0, -72), (20, -66), (40, -58), (60, -51), (80, -53), (100, -64)] {
        let at = start + Duration::from_millis(ms);
        let rssi = Some(Rssi { dbm: Some(dbm), raw: 0 });
        let read = TagRead { rssi, antenna: Some(1), ..TagRead::new(epc, at) };
        // Time is an argument: nothing here waits.
        show(&mut out, at - start, &sightings.handle(&read, at))?;
    }
    if let Some(due) = sightings.next_deadline() {
        show(&mut out, due - start, &sightings.handle_deadline(due))?;
    }
    Ok(())
}

fn show(out: &mut impl io::Write, after: Duration, events: &[SightingEvent]) -> io::Result<()> {
    for event in events {
        match event {
            // The moment to decide.
            SightingEvent::FirstSeen(sighting) => writeln!(out, "{after:?}: {} came", sighting.epc),
            SightingEvent::Refined { sighting, news } => {
                let dbm = sighting.strongest.and_then(|strongest| strongest.rssi.dbm);
                writeln!(out, "{after:?}: {news:?}, {} reads, {dbm:?} dBm", sighting.read_count)
            }
            SightingEvent::Left { sighting, departure } => {
                writeln!(out, "{after:?}: left ({departure:?}) after {} reads", sighting.read_count)
            }
        }?;
    }
    Ok(())
}
