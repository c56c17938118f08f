//! Streams with noise in them.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::Deframer;
use crate::codec::Opaque;
use crate::protocol::mercury::codec::{FromReader, Reply, TagRecord};

const VERSION_COMMAND_ECHO: [u8; 5] = [0xFF, 0x00, 0x03, 0x1D, 0x0C];

fn tag_frame(serial: u8) -> Vec<u8> {
    let epc = [0xE2, 0xFF, 0x00, 0xFF, 0x22, 0, 0, 0, 0, 0, 0, serial];
    let record = TagRecord { pc: 0x3000, epc: Opaque(&epc), ..TagRecord::EMPTY };
    Reply::Tag(record).emit().as_ref().to_vec()
}

/// Feeds `pieces` one by one, then falls silent.
fn frames_in(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, u64) {
    let mut deframer = Deframer::<FromReader>::new();
    let mut frames = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            rest = deframer.push(rest);
            while let Some(frame) = deframer.next_frame() {
                frames.push(frame.to_vec());
            }
        }
    }
    deframer.handle_silence();
    while let Some(frame) = deframer.next_frame() {
        frames.push(frame.to_vec());
    }
    (frames, deframer.dropped_bytes())
}

fn check(stream: &[u8], frames: &[&[u8]], dropped: u64) {
    assert_eq!(frames_in(&[stream]), (frames.iter().map(|f| f.to_vec()).collect(), dropped));
}

#[test]
fn noise_costs_only_its_own_bytes() {
    let (a, b) = (tag_frame(1), tag_frame(2));
    check(&[&a[..], &b].concat(), &[&a, &b], 0);
    check(&[&a[..], &[0x13, 0x37, 0x00], &b].concat(), &[&a, &b], 3);
    // The wake-up preamble of a host, echoed.
    check(&[&[0xFF; 64], &a[..]].concat(), &[&a], 64);
    check(&[&VERSION_COMMAND_ECHO, &a[..]].concat(), &[&a], 5);
}

#[test]
fn a_false_header_does_not_swallow_the_frames_behind_it() {
    let (a, b) = (tag_frame(1), tag_frame(2));
    check(&[&[0xFF, 0x30, 0x22], &a[..], &b].concat(), &[&a, &b], 3);
    // With nothing behind the frame, silence shows that the header was false.
    check(&[&[0xFF, 0xF0, 0x22], &a[..]].concat(), &[&a], 3);
}

#[test]
fn a_frame_that_lost_a_byte_does_not_take_its_neighbour_with_it() {
    let (a, b, c) = (tag_frame(1), tag_frame(2), tag_frame(3));
    let damaged = [&a[..10], &a[11..]].concat();
    let lost = u64::try_from(damaged.len()).unwrap();
    check(&[&damaged[..], &b, &c].concat(), &[&b, &c], lost);
}

#[test]
fn silence_within_a_frame_does_not_lose_it() {
    let a = tag_frame(1);
    let mut deframer = Deframer::<FromReader>::new();
    deframer.push(&a[..20]);
    assert_eq!(deframer.next_frame(), None);
    deframer.handle_silence();
    assert!(deframer.is_waiting());
    deframer.push(&a[20..]);
    assert_eq!(deframer.next_frame(), Some(&a[..]));
    assert_eq!(deframer.dropped_bytes(), 0);
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut deframer = Deframer::<FromReader>::new();
    for _ in 0..1000 {
        let mut rest: &[u8] = &[0xFF, 0xF8, 0x22].repeat(100);
        while !rest.is_empty() {
            rest = deframer.push(rest);
            assert!(deframer.buffer.len() <= 510);
            assert_eq!(deframer.next_frame(), None);
        }
    }
}

/// Junk that likes to look like a header.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![2 => any::<u8>(), 1 => Just(0xFF), 1 => 0u8..0x40];
    proptest::collection::vec(byte, 0..40)
}

proptest! {
    // Two bytes of check let one false frame in 65536 through, which may swallow a true one; a
    // fixed seed keeps that out of the build.
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() })]

    #[test]
    fn every_intact_frame_survives_noise_and_fragmentation(
        stream in proptest::collection::vec((noise(), any::<u8>()), 1..20),
        tail in noise(),
        pieces in proptest::collection::vec(1usize..60, 1..50),
    ) {
        let frames: Vec<_> = stream.iter().map(|(_, serial)| tag_frame(*serial)).collect();
        let mut bytes = Vec::new();
        for ((noise, _), frame) in stream.iter().zip(&frames) {
            bytes.extend_from_slice(noise);
            bytes.extend_from_slice(frame);
        }
        bytes.extend_from_slice(&tail);
        let mut rest = &bytes[..];
        let mut cut = Vec::new();
        for len in pieces.iter().cycle() {
            let (piece, after) = rest.split_at((*len).min(rest.len()));
            cut.push(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let (found, dropped) = frames_in(&cut);
        let noise: usize = stream.iter().map(|(noise, _)| noise.len()).sum();
        prop_assert_eq!(&found, &frames);
        prop_assert!(dropped <= u64::try_from(noise + tail.len()).unwrap());
    }
}
