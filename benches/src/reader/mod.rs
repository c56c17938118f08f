//! From the bytes of a tag's report on a pseudo-terminal to the tag read in the host's hands, one
//! report every 2 ms.
//!
//! Ours is the supervised reader as it is: its thread, its session, its sink. Beside it stand what a
//! user would put together otherwise, `tokio-serial` with the frame and record parsers of
//! `rfid-silion-compat`, and the floor: a thread that blocks in `serialport` and decodes nothing.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use domain::Clock;
use rfid_driver::emulator::memory::{numbered_tag, reading, tag_frames};
use rfid_driver::protocol::mercury::Mercury;
use rfid_driver::supervisor::{Reader, ReaderConfig, ReaderEvent, ReaderState};
use serialport::SerialPort as _;
use tokio::io::AsyncReadExt as _;

use crate::Failed;
use crate::antenna::Antenna;
use crate::arguments::Extent;
use crate::latency::Latency;
use crate::report::Report;
use crate::silion::{as_silion_sends, parsed};

const REPORT_EVERY: Duration = Duration::from_millis(2);
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Turns that each takes.
const ROUNDS: usize = 10;
/// Reports in a turn before any is measured.
const WARM_UP: usize = 50;
const READ_LEN: usize = 4096;
const BAUD: u32 = 115_200;
/// The bytes of a frame of the reader beside its data: header, status, check.
const OVERHEAD_LEN: usize = 7;

const OURS: &str = "**ours** (rfid-driver)";
const ASYNC: &str = "tokio-serial + rfid-silion-compat";
const FLOOR: &str = "serialport, blocking, nothing decoded";
const METRIC: &str = "bytes written to tag read";

/// Compares them.
///
/// # Errors
/// Where the system gives no pseudo-terminal, or a report does not arrive.
pub fn compare(extent: Extent) -> Result<Report, Failed> {
    let reports = extent.pick(2000, 20_000);
    let clock = Clock::system();
    let mut report = Report::new("reader");
    let mut line = reading(&Mercury, "m6e", 1)?.ok_or("the emulator does not come to read")?;
    let frame = tag_frames(&mut line, 1)[0].as_ref().to_vec();

    let silion_frame = as_silion_sends(&frame);
    let (mut ours, mut beside, mut floor) =
        (Latency::try_new()?, Latency::try_new()?, Latency::try_new()?);
    // In turn, so that whatever else the machine does disturbs all of them alike.
    for _ in 0..ROUNDS {
        of_ours(clock, reports / ROUNDS, &mut ours)?;
        of_listener(clock, reports / ROUNDS, &silion_frame, listen_async, &mut beside)?;
        of_listener(clock, reports / ROUNDS, &frame, listen_blocking, &mut floor)?;
    }
    report.latency(OURS, METRIC, &ours);
    report.latency(ASYNC, METRIC, &beside);
    report.latency(FLOOR, METRIC, &floor);
    for (name, other) in [("tokio-serial + rfid-silion-compat", &beside), ("floor", &floor)] {
        for (quantile, at) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
            let ratio = ours.micros_at(at) / other.micros_at(at);
            report.ratio(&format!("ours / {name}, {quantile}"), ratio);
        }
    }
    report.note(
        "Bound by waking a thread that waits in poll(2): what is decoded is a fraction of a \
         microsecond (bench frames). A real line adds 87 us for each byte at 115200 baud.",
    );
    Ok(report)
}

/// Our supervised reader, with the emulator's whole conversation before.
fn of_ours(clock: Clock, reports: usize, latency: &mut Latency) -> Result<(), Failed> {
    let mut antenna = Antenna::switch_on(clock)?;
    let (heard, tags) = mpsc::channel();
    let (reads, states) = mpsc::channel();
    let reader = Reader::spawn(ReaderConfig::new(antenna.port()), move |event| {
        // The bench may have heard enough.
        match event {
            ReaderEvent::Tag(_) => heard.send(clock.real()).ok(),
            ReaderEvent::State(ReaderState::Reading) => reads.send(()).ok(),
            ReaderEvent::State(_) | ReaderEvent::Gap(_) | ReaderEvent::Report(_) => None,
        };
    })?;
    let end = clock.real() + PATIENCE;
    while states.try_recv().is_err() {
        let now = clock.real();
        if now > end {
            return Err("the reader does not come to read".into());
        }
        antenna.serve_until(now + REPORT_EVERY)?;
    }
    let show = |antenna: &mut Antenna, number| Ok(antenna.show_tag(numbered_tag(number))?);
    measure(clock, reports, &tags, &mut antenna, show, latency)?;
    drop(tags);
    reader.stop();
    Ok(())
}

/// Somebody else who listens to a line on which `frame` comes again and again.
fn of_listener(
    clock: Clock,
    reports: usize,
    frame: &[u8],
    listen: fn(Clock, &Path, usize, &Sender<Instant>) -> Result<(), Failed>,
    latency: &mut Latency,
) -> Result<(), Failed> {
    let mut antenna = Antenna::switch_on(clock)?;
    let (heard, tags) = mpsc::channel();
    let (port, frame_len) = (antenna.port().to_owned(), frame.len());
    let listener = std::thread::spawn(move || listen(clock, &port, frame_len, &heard));
    // Nothing is written before somebody listens: opening a port discards what came before.
    let end = clock.real() + PATIENCE;
    while tags.try_recv().is_err() {
        let now = clock.real();
        if now > end {
            return Err("the listener hears nothing".into());
        }
        antenna.write_raw(frame)?;
        antenna.serve_until(now + REPORT_EVERY)?;
    }
    let write = |antenna: &mut Antenna, _number| Ok(antenna.write_raw(frame)?);
    measure(clock, reports, &tags, &mut antenna, write, latency)?;
    drop((tags, antenna));
    listener.join().map_err(|_panic| "the listener panicked")??;
    Ok(())
}

fn measure(
    clock: Clock,
    reports: usize,
    tags: &Receiver<Instant>,
    antenna: &mut Antenna,
    mut send: impl FnMut(&mut Antenna, u64) -> Result<Instant, Failed>,
    latency: &mut Latency,
) -> Result<(), Failed> {
    let mut next = clock.real();
    for number in 0..WARM_UP + reports {
        next = (next + REPORT_EVERY).max(clock.real());
        antenna.serve_until(next)?;
        while tags.try_recv().is_ok() {}
        let sent_at = send(antenna, u64::try_from(number)?)?;
        let heard_at = tags.recv_timeout(PATIENCE)?;
        if number >= WARM_UP {
            latency.record(heard_at.saturating_duration_since(sent_at));
        }
    }
    Ok(())
}

fn listen_blocking(
    clock: Clock,
    port: &Path,
    frame_len: usize,
    heard: &Sender<Instant>,
) -> Result<(), Failed> {
    let mut line = serialport::new(port.to_string_lossy(), BAUD).open_native()?;
    line.set_timeout(PATIENCE)?;
    let mut bytes = [0; READ_LEN];
    let mut received = 0;
    loop {
        received += match std::io::Read::read(&mut line, &mut bytes) {
            // The line hangs up when the bench has heard enough.
            Ok(0) | Err(_) => return Ok(()),
            Ok(len) => len,
        };
        if received >= frame_len {
            received %= frame_len;
            if heard.send(clock.real()).is_err() {
                return Ok(());
            }
        }
    }
}

fn listen_async(
    clock: Clock,
    port: &Path,
    _frame_len: usize,
    heard: &Sender<Instant>,
) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut line =
            tokio_serial::SerialStream::open(&tokio_serial::new(port.to_string_lossy(), BAUD))?;
        let mut bytes = Vec::with_capacity(READ_LEN);
        loop {
            match line.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return Ok(()),
                Ok(_) => {}
            }
            while let Some(len) = bytes.get(1).map(|len| usize::from(*len) + OVERHEAD_LEN)
                && bytes.len() >= len
            {
                let tag = parsed(&bytes[..len]).ok_or("a frame that does not parse")?;
                std::hint::black_box(tag);
                bytes.drain(..len);
                if heard.send(clock.real()).is_err() {
                    return Ok(());
                }
            }
        }
    })
}
