//! `rfid read`: the tags that a reader sees.

use std::time::{Duration, Instant};

use rfid_driver::TagRead;
use rfid_driver::sighting::{SightingEvent, SightingSettings, Sightings};
use rfid_driver::supervisor::ReaderEvent;
use rfid_driver::tag_layout::TagLayout;
use serde_json::{Value, json};

use crate::arguments::{ReaderArguments, seconds};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Format, Output};
use crate::watched::{WatchedReader, is_over};
use crate::{clock, shown};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    reader: ReaderArguments,
    /// Print stays instead of reads: the first sight at once, then what is new, then that it left
    #[arg(long)]
    sightings: bool,
    /// Say what each EPC's layout says
    #[arg(long)]
    layout: bool,
    /// Stop after so many tags: reads, or first sights with --sightings
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Stop after so many seconds
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    limit: Option<Duration>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let interrupt = Interrupt::catch()?;
    let start = clock::now();
    let reader = WatchedReader::start(&arguments.reader, &interrupt)?;
    let mut printer = Printer {
        output: Output::new(Format::of(arguments.json)),
        sightings: arguments.sightings.then(|| Sightings::new(SightingSettings::default())),
        layout: arguments.layout,
        remaining: arguments.count,
    };
    let outcome =
        watch(&reader, &mut printer, || interrupt.is_asked() || is_over(start, arguments.limit));
    reader.stop();
    outcome?;
    printer.output.flush()
}

fn watch(
    reader: &WatchedReader,
    printer: &mut Printer,
    is_over: impl Fn() -> bool,
) -> Result<(), Failure> {
    while printer.remaining != Some(0) && !is_over() {
        if let Some((at, event)) = reader.next(printer.next_deadline()) {
            printer.handle(&event, at)?;
        }
        while printer.remaining != Some(0)
            && let Some((at, event)) = reader.next_waiting()
        {
            printer.handle(&event, at)?;
        }
        printer.handle_deadline(clock::now())?;
        match reader.take_thrown_away() {
            0 => {}
            count => printer.say_thrown_away(count)?,
        }
        printer.output.flush()?;
    }
    Ok(())
}

/// What becomes of events.
struct Printer {
    output: Output,
    sightings: Option<Sightings>,
    layout: bool,
    // How many more tags are wanted.
    remaining: Option<u64>,
}

impl Printer {
    fn handle(&mut self, event: &ReaderEvent, at: Instant) -> Result<(), Failure> {
        match (event, &mut self.sightings) {
            (ReaderEvent::Tag(read), Some(sightings)) => {
                let events = sightings.handle(read, read.at);
                self.put_sightings(&events)
            }
            (ReaderEvent::Tag(read), None) => self.put_read(event, read),
            (_, _) => {
                self.output.put(|| shown::event_text(event), || shown::event_object(event, at))
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.sightings.as_ref().and_then(Sightings::next_deadline)
    }

    fn handle_deadline(&mut self, now: Instant) -> Result<(), Failure> {
        let events = match &mut self.sightings {
            Some(sightings) => sightings.handle_deadline(now),
            None => return Ok(()),
        };
        self.put_sightings(&events)
    }

    fn put_read(&mut self, event: &ReaderEvent, read: &TagRead) -> Result<(), Failure> {
        let layout = self.layout.then(|| TagLayout::of(&read.epc));
        self.output.put(
            || with_layout_text(shown::event_text(event), layout),
            || with_layout(shown::event_object(event, read.at), layout),
        )?;
        self.count_one();
        Ok(())
    }

    fn put_sightings(&mut self, events: &[SightingEvent]) -> Result<(), Failure> {
        for event in events {
            let (_, _, sighting) = shown::sighting_parts(event);
            let layout = self.layout.then(|| TagLayout::of(&sighting.epc));
            self.output.put(
                || with_layout_text(shown::sighting_text(event), layout),
                || with_layout(shown::sighting_object(event), layout),
            )?;
            if matches!(event, SightingEvent::FirstSeen(_)) {
                self.count_one();
            }
        }
        Ok(())
    }

    fn say_thrown_away(&mut self, count: u64) -> Result<(), Failure> {
        self.output.put(
            || format!("{count} events were thrown away: the output does not keep up"),
            || json!({ "event": "thrown_away", "count": count }),
        )
    }

    fn count_one(&mut self) {
        self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(1));
    }
}

fn with_layout(mut object: Value, layout: Option<TagLayout>) -> Value {
    if let (Value::Object(fields), Some(layout)) = (&mut object, layout) {
        fields.insert("layout".to_owned(), shown::layout_object(&layout));
    }
    object
}

fn with_layout_text(text: String, layout: Option<TagLayout>) -> String {
    match layout {
        Some(layout) => format!("{text}  [{layout}]"),
        None => text,
    }
}
