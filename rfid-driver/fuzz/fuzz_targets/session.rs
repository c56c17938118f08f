//! Any bytes from a reader at any time, to a session of any protocol: no panic, bounded queues, and
//! its deadlines always lie ahead once handled.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use rfid_driver::protocol;
use rfid_driver::session::{ReaderSettings, Request, Session, TidReading};

/// More than any session queues before its owner takes it.
const QUEUED_MAX: usize = 100_000;

fuzz_target!(|input: &[u8]| {
    let [choice, tid, script @ ..] = input else { return };
    let kind = protocol::ALL[usize::from(*choice) % protocol::ALL.len()];
    let settings = ReaderSettings {
        tid: if tid & 1 == 0 { TidReading::Off } else { TidReading::On },
        antennas: if tid & 2 == 0 { vec![1] } else { vec![1, 2, 4] },
        baud_wanted: (tid & 4 != 0).then(|| kind.bauds().last().copied()).flatten(),
        ..ReaderSettings::default()
    };
    let Ok(mut session) = kind.session(&settings) else { return };
    let mut now = Instant::now();
    let mut rest = script;
    session.handle_open(now);
    // Each step is an instruction and its bytes.
    while let [step, behind @ ..] = rest {
        rest = behind;
        match step {
            0..=0x0F => now += Duration::from_millis(u64::from(*step) * 40),
            0x10 => session.handle_closed(now),
            0x11 => session.handle_open(now),
            0x12 => session.handle_shutdown(now),
            0x13 => session.handle_request(Request::Temperature, now),
            0x14 => session.handle_request(Request::Antennas, now),
            0x15 => session.handle_request(Request::Inputs, now),
            0x16 => session.handle_request(Request::Statistics, now),
            len => {
                let (bytes, behind) = rest.split_at(usize::from(*len).min(rest.len()));
                session.handle_bytes(bytes, now);
                rest = behind;
            }
        }
        session.handle_deadline(now);
        take(session.as_mut());
    }
    // Left alone it neither spins nor queues without end.
    for _ in 0..200 {
        let Some(due) = session.next_deadline() else { break };
        now = now.max(due);
        session.handle_deadline(now);
        take(session.as_mut());
        assert!(session.next_deadline().is_none_or(|next| next > now), "a deadline stays due");
    }
});

fn take(session: &mut dyn Session) {
    let transmits = std::iter::from_fn(|| session.poll_transmit()).take(QUEUED_MAX).count();
    let events = std::iter::from_fn(|| session.poll_event()).take(QUEUED_MAX).count();
    assert!(transmits < QUEUED_MAX && events < QUEUED_MAX, "queues without end");
}
