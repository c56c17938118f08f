//! `cargo bench -p benches --bench frames`: from the bytes of a report to the tag read, by protocol.
//!
//! Ours takes the stream as it comes from the line, finds the frames in it, checks them, runs the
//! session and hands out the tag reads. Beside it, for Mercury, the crate `rfid-silion-compat`,
//! which is given each frame alone and only has to check and parse it: it finds no frames in a
//! stream that holds noise. It knows the record as Silion's modules send it, with the length of the
//! EPC as one byte, so it gets the same records in that form.
//!
//! Bound by the table lookup per byte of the check.

use std::hint::black_box;

use benches::silion::{as_silion_sends, parsed};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rfid_driver::codec::FrameBuf;
use rfid_driver::emulator::EmulatorSettings;
use rfid_driver::emulator::memory::{MemoryLine, reading, tag_frames};
use rfid_driver::protocol::{self, Protocol};
use rfid_driver::session::SessionEvent;

const FRAMES: usize = 1000;
/// What one read(2) brings at most.
const READ_LEN: usize = 4096;
criterion_group!(benches, frames);
criterion_main!(benches);

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frames");
    for &protocol in protocol::ALL {
        if protocol.emulator(&EmulatorSettings::default()).is_err() {
            continue;
        }
        for model in protocol.models() {
            let frames = recorded(protocol, model);
            let stream =
                frames.iter().flat_map(|frame| frame.as_ref().to_vec()).collect::<Vec<_>>();
            let tags = take_tags(&mut line(protocol, model), &stream);
            assert!(tags >= FRAMES, "{} {model}: {tags} tags", protocol.name());
            group.throughput(Throughput::Elements(FRAMES as u64));
            let id = BenchmarkId::new(format!("{} {model}", protocol.name()), "rfid-driver");
            group.bench_function(id, |bencher| {
                bencher.iter_batched_ref(
                    || line(protocol, model),
                    |line| take_tags(line, black_box(&stream)),
                    BatchSize::LargeInput,
                );
            });
            if protocol.name() == "mercury" {
                let frames: Vec<_> =
                    frames.iter().map(|frame| as_silion_sends(frame.as_ref())).collect();
                let id = BenchmarkId::new("mercury m6e", "rfid-silion-compat, frames given");
                group.bench_function(id, |bencher| {
                    bencher.iter(|| {
                        frames.iter().filter(|frame| parsed(black_box(frame)).is_some()).count()
                    });
                });
                assert!(
                    frames.iter().all(|frame| parsed(frame).is_some()),
                    "the other crate parses them all"
                );
            }
        }
    }
    group.finish();
}

fn line(protocol: &dyn Protocol, model: &str) -> MemoryLine {
    reading(protocol, model, 1).expect("a model of its own").expect("it comes to read")
}

fn recorded(protocol: &dyn Protocol, model: &str) -> Vec<FrameBuf> {
    tag_frames(&mut line(protocol, model), FRAMES)
}

/// Feeds the stream to the session and counts the tag reads that it hands out.
fn take_tags(line: &mut MemoryLine, stream: &[u8]) -> usize {
    let mut tags = 0;
    for piece in stream.chunks(READ_LEN) {
        line.inject(piece);
        while let Some(event) = line.poll_event() {
            if let SessionEvent::Tag(read) = event {
                black_box(read);
                tags += 1;
            }
        }
    }
    tags
}
