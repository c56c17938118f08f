//! Any bytes, through the deframer and the description of any protocol, in either direction: no
//! panic, bounded memory, and a frame that comes out is a frame when looked at alone.

#![no_main]

use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use rfid_driver::codec::Direction;
use rfid_driver::protocol;

fuzz_target!(|input: &[u8]| {
    let [choice, piece_len, stream @ ..] = input else { return };
    let kind = protocol::ALL[usize::from(choice >> 1) % protocol::ALL.len()];
    let direction = if choice & 1 == 0 { Direction::FromReader } else { Direction::FromHost };
    let at = Instant::now();
    // Alone, whatever it is.
    drop(kind.describe(stream, direction, at));
    let mut deframer = kind.deframer(direction);
    let mut framed = 0;
    for piece in stream.chunks(usize::from(*piece_len).max(1)) {
        let mut rest = piece;
        while !rest.is_empty() {
            let left = rest.len();
            rest = deframer.push(rest);
            let mut moved = rest.len() < left;
            while let Some(frame) = deframer.next_frame() {
                moved = true;
                framed += frame.len();
                let described = kind.describe(frame, direction, at);
                assert!(
                    !matches!(described, Err(rfid_driver::codec::Undecodable::Frame(_))),
                    "the deframer and the codec disagree about a frame of {}",
                    kind.name()
                );
                if let Ok(description) = described {
                    let ends = description.fields.iter().map(|field| field.bytes.end);
                    assert!(ends.max().unwrap_or(0) <= frame.len());
                }
            }
            assert!(moved, "the deframer of {} takes nothing and gives nothing", kind.name());
        }
    }
    deframer.handle_silence();
    while let Some(frame) = deframer.next_frame() {
        framed += frame.len();
    }
    let dropped = usize::try_from(deframer.dropped_bytes()).expect("fewer than were pushed");
    assert!(framed + dropped <= stream.len(), "bytes were counted twice");
});
