//! What holds for every layout of every format, tried with records made by dice.

mod examples;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::examine::{Doubles, Pass, examine};
use super::file::{Reader, Writer};
use super::layout::{Element, Form, Layout, Occurs, Order};
use super::name::{FileName, all, name_of};
use super::record::{Draft, Record};
use super::refusal::{Fault, FileError, Refusal};
use super::value::{Alphabet, Kind};

/// A stream of chance from one seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64: every seed gives another stream, and the same one everywhere.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap())).collect()
    }

    fn number(&mut self, min: u64, max: u64) -> String {
        let span = usize::try_from((max - min).min(1 << 40)).unwrap();
        let near_max = self.below(4) == 0;
        let step = self.below(span + 1) as u64;
        (if near_max { max - step } else { min + step }).to_string()
    }

    fn date(&mut self, between: &str) -> String {
        let (year, month) = (2000 + self.below(200), 1 + self.below(12));
        format!("{year}{between}{month:02}{between}{:02}", 1 + self.below(28))
    }

    fn time(&mut self, between: &str) -> String {
        let (hour, minute, second) = (self.below(24), self.below(60), self.below(60));
        format!("{hour:02}{between}{minute:02}{between}{second:02}")
    }

    fn text(&mut self, min: usize, max: usize, alphabet: Alphabet) -> String {
        let letters = match alphabet {
            Alphabet::Letters => "AMZ",
            Alphabet::Upper => "AZ09",
            Alphabet::UpperBlank => "AZ09 ",
            Alphabet::Plate => "AZ09 -.&",
            Alphabet::Hex => "0189ABEF",
            Alphabet::Flag => "01",
            Alphabet::Ticket => "AZ09/-",
            Alphabet::Printable => "aZ0_.-",
            Alphabet::Name => "aZ0 .ễđ'\"<&;",
        };
        let letters: Vec<char> = letters.chars().collect();
        let text: String = (0..min + self.below(max.min(40) - min + 1))
            .map(|_| letters[self.below(letters.len())])
            .collect();
        // Of a fixed width, text cannot end in blanks; elsewhere it need not.
        let trimmed = text.trim_end_matches(' ');
        let lacking = min.saturating_sub(trimmed.chars().count());
        format!("{trimmed}{}", "A0".repeat(lacking).chars().take(lacking).collect::<String>())
    }

    fn value(&mut self, kind: &Kind) -> String {
        match *kind {
            Kind::Digits { min, max } => {
                let count = min + self.below(max - min + 1);
                self.digits(count)
            }
            Kind::Long { max } => {
                let count = 1 + self.below(max.min(18));
                self.digits(count)
            }
            Kind::Number { min, max } => self.number(min, max),
            Kind::Amount { max } => self.number(0, max),
            Kind::SignedAmount { max } => {
                let sign = if self.below(2) == 0 { "-" } else { "" };
                format!("{sign}{}", self.number(1, max))
            }
            Kind::Code(choices) => choices[self.below(choices.len())].code.to_owned(),
            Kind::Text { min, max, alphabet } => self.text(min, max, alphabet),
            Kind::Instant => format!("{}T{}Z", self.date("-"), self.time(":")),
            Kind::ZonedInstant => format!("{}T{}+07:00", self.date("-"), self.time(":")),
            Kind::Day => self.date(""),
            Kind::DashedDay => self.date("-"),
            Kind::TimeOfDay => self.time(":"),
            Kind::Stamp => format!("{}{}", self.date(""), self.time("")),
        }
    }

    fn fill(&mut self, draft: &mut Draft, elements: &'static [Element]) {
        for element in elements {
            let times = match element.occurs() {
                Occurs::Once => 1,
                Occurs::Maybe => self.below(2),
                Occurs::Many => self.below(3),
            };
            for _ in 0..times {
                match element {
                    Element::Field(field) => {
                        draft.put(field.name, &self.value(&field.kind)).unwrap();
                    }
                    Element::Group { name, of, .. } => {
                        draft.enter(name).unwrap();
                        self.fill(draft, of);
                        draft.leave().unwrap();
                    }
                }
            }
        }
    }

    /// A record that also keeps the rules between its fields.
    fn record(&mut self, layout: &'static Layout) -> Record {
        for _ in 0..10_000 {
            let mut draft = Draft::new(layout.record);
            self.fill(&mut draft, layout.record);
            let record = draft.end().unwrap();
            let code = record.text("OriginalTransactionDetail/RecordType");
            let record = match code {
                // Dice hit the original's code too seldom.
                Some(code) => {
                    let mut values = record.to_json(layout.record);
                    values["RecordType"] = json!(format!("{code}A"));
                    Record::from_json(&values, layout.record).unwrap()
                }
                None => record,
            };
            if (layout.rule)(&record).is_ok() {
                return record;
            }
        }
        panic!("no record of {} keeps its rules", layout.code)
    }

    fn header(&mut self, layout: &'static Layout, records: usize) -> Record {
        let mut draft = Draft::new(layout.header);
        self.fill(&mut draft, layout.header);
        let header = draft.end().unwrap();
        let mut values = header.to_json(layout.header);
        if let Some(count) = layout.roles.count {
            values[count] = json!(records.to_string());
        }
        Record::from_json(&values, layout.header).unwrap()
    }

    /// A whole file: header, records, bytes.
    fn file(&mut self, layout: &'static Layout) -> Made {
        let count = if layout.record.is_empty() { 0 } else { 1 + self.below(4) };
        let records: Vec<Record> = (0..count).map(|_| self.record(layout)).collect();
        let header = self.header(layout, count);
        let bytes = written(layout, &header, &records).unwrap();
        (header, records, bytes)
    }
}

type Made = (Record, Vec<Record>, Vec<u8>);

fn written(
    layout: &'static Layout,
    header: &Record,
    records: &[Record],
) -> Result<Vec<u8>, FileError> {
    let mut writer = Writer::open(layout, header, Vec::new())?;
    for record in records {
        writer.write(record)?;
    }
    writer.finish()
}

fn read(layout: &'static Layout, bytes: &[u8]) -> Result<(Record, Vec<Record>), Refusal> {
    let refused = |error| match error {
        FileError::Refused(refusal) => *refusal,
        // Memory does not fail.
        FileError::Io(error) => {
            Refusal::of_file(Fault::File, error.to_string(), "a disk that reads")
        }
    };
    let mut reader = Reader::open(layout, bytes).map_err(refused)?;
    let mut records = Vec::new();
    let mut record = Record::default();
    while reader.next(&mut record).map_err(refused)? {
        records.push(record.clone());
    }
    Ok((reader.header().clone(), records))
}

/// Every value by where it stands.
fn values((header, records): &(Record, Vec<Record>)) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (number, record) in std::iter::once(header).chain(records).enumerate() {
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        let mut path: Vec<String> = Vec::new();
        for (depth, name, value) in record.walk() {
            path.truncate(depth);
            path.push(name.to_owned());
            let here = path.join("/");
            let time = times.entry(here.clone()).or_default();
            *time += 1;
            path[depth] = format!("{name}[{time}]");
            let here = format!("{number} {}", path.join("/"));
            values.insert(here, value.unwrap_or("(group)").to_owned());
        }
    }
    values
}

proptest! {
    // Each file is cut at each of its bytes.
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_file_cut_anywhere_is_refused(seed in any::<u64>()) {
        for layout in all() {
            let (_, records, bytes) = Dice(seed).file(layout);
            // Without its very last line end a file is still whole.
            for end in 0..bytes.len() - 1 {
                let cut = read(layout, &bytes[..end]);
                // A format without a count needs somebody who says how many there must be.
                let is_short = matches!(layout.form, Form::Tuples)
                    && cut.as_ref().is_ok_and(|(_, found)| found.len() < records.len());
                prop_assert!(cut.is_err() || is_short, "{} cut at {end}", layout.code);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_written_is_read_again_and_written_again_to_the_byte(seed in any::<u64>()) {
        for layout in all() {
            let (header, records, bytes) = Dice(seed).file(layout);
            let again = read(layout, &bytes);
            prop_assert!(again.is_ok(), "{}: {}", layout.code, again.unwrap_err());
            let again = again.unwrap();
            prop_assert_eq!(values(&again), values(&(header, records)), "{}", layout.code);
            let bytes_again = written(layout, &again.0, &again.1).unwrap();
            prop_assert_eq!(bytes_again, bytes, "{}", layout.code);
        }
    }

    #[test]
    fn a_damaged_byte_is_refused_or_has_changed_one_value_at_most(
        seed in any::<u64>(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        for layout in all() {
            let (header, records, mut bytes) = Dice(seed).file(layout);
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            if let Ok(damaged) = read(layout, &bytes) {
                let (good, damaged) = (values(&(header, records)), values(&damaged));
                let keys = good.keys().chain(damaged.keys());
                let mut changed: Vec<_> = keys.filter(|k| good.get(*k) != damaged.get(*k)).collect();
                changed.dedup();
                changed.sort();
                changed.dedup();
                prop_assert!(changed.len() <= 1, "{}: {changed:?}", layout.code);
            }
        }
    }

    #[test]
    fn no_bytes_bring_a_reader_down(
        seed in any::<u64>(), keep in any::<prop::sample::Index>(),
        soup in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        for layout in all() {
            let (_, _, mut bytes) = Dice(seed).file(layout);
            bytes.truncate(keep.index(bytes.len()));
            bytes.extend(&soup);
            // Whether it is refused is another property's matter.
            drop(read(layout, &bytes));
            drop(read(layout, &soup));
        }
    }

    #[test]
    fn a_header_says_the_name_of_its_file(seed in any::<u64>()) {
        for layout in all() {
            let (header, _, bytes) = Dice(seed).file(layout);
            let Some(name) = name_of(layout, &header) else { continue };
            if layout.roles.order == Order::Answer {
                // Dice name files that do not exist; the examples have good ones.
                continue;
            }
            let parsed = FileName::parse(&name).unwrap();
            prop_assert_eq!(parsed.layout.code, layout.code);
            prop_assert_eq!(parsed.agrees(&header), Ok(()));
            let other = name.replacen('_', "_9", 1);
            if let Ok(other) = FileName::parse(&other) {
                let examined = examine(&other, &bytes[..]);
                prop_assert!(matches!(examined, Err(FileError::Refused(_))), "{}", name);
            }
        }
    }

    #[test]
    fn a_record_survives_json(seed in any::<u64>()) {
        for layout in all().filter(|layout| !layout.record.is_empty()) {
            let record = Dice(seed).record(layout);
            let json = record.to_json(layout.record);
            let again = Record::from_json(&json, layout.record).unwrap();
            prop_assert_eq!(again.walk().collect::<Vec<_>>(), record.walk().collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_record_that_stands_there_twice_is_refused_and_in_any_order_found() {
    for layout in all().filter(|layout| !layout.roles.identity.is_empty()) {
        let mut dice = Dice(7);
        let mut records: Vec<Record> = (0..5).map(|_| dice.record(layout)).collect();
        records.push(records[1].clone());
        let header = dice.header(layout, records.len());
        let bytes = written(layout, &header, &records).unwrap();
        let Some(name) = name_of(layout, &header) else { continue };
        let examined = examine(&FileName::parse(&name).unwrap(), &bytes[..]);
        let Err(FileError::Refused(refusal)) = examined else { panic!("{} passes", layout.code) };
        assert_eq!((refusal.fault, refusal.record), (Fault::Detail, 6), "{}", layout.code);
        assert_eq!(refusal.field, layout.roles.identity.join(" + "));
    }
}

#[test]
fn another_number_of_records_than_the_header_says_is_refused() {
    for layout in all().filter(|layout| layout.roles.count.is_some()) {
        for claimed in [2, 4] {
            let mut dice = Dice(11);
            let records: Vec<Record> = (0..3).map(|_| dice.record(layout)).collect();
            let good = written(layout, &dice.header(layout, 3), &records).unwrap();
            // The writer refuses it as well, so the count is changed in the bytes.
            let count = layout.roles.count.unwrap();
            let (from, to) = match layout.form {
                Form::Xml(_) => (format!("<{count}>3<"), format!("<{count}>{claimed}<")),
                Form::Fixed | Form::Tuples => ("00000003".to_owned(), format!("0000000{claimed}")),
            };
            let text = String::from_utf8(good).unwrap();
            let refusal = read(layout, text.replacen(&from, &to, 1).as_bytes()).unwrap_err();
            assert_eq!(refusal.fault, Fault::Count, "{}: {refusal}", layout.code);
            assert!(refusal.wanted.contains(&claimed.to_string()), "{refusal}");
            let miscounted = dice.header(layout, claimed);
            assert!(written(layout, &miscounted, &records).is_err(), "{}", layout.code);
        }
    }
}

#[test]
fn an_ascending_list_is_known_to_have_no_doubles_without_keeping_it() {
    let layout = &super::iag::layout::ITAG;
    let mut dice = Dice(3);
    let records: Vec<Record> = (0..50)
        .map(|serial| {
            let mut values = dice.record(layout).to_json(layout.record);
            values["TAG_AGENCY"] = json!("4081");
            values["TAG_SERIAL"] = json!(format!("{serial:010}"));
            Record::from_json(&values, layout.record).unwrap()
        })
        .collect();
    let header = dice.header(layout, 50);
    let bytes = written(layout, &header, &records).unwrap();
    let name = FileName::parse(&name_of(layout, &header).unwrap()).unwrap();
    let mut pass = Pass::open(&name, &bytes[..]).unwrap();
    let mut record = Record::default();
    while pass.next(&mut record).unwrap() {}
    let examined = pass.finish();
    assert_eq!((examined.doubles, examined.bytes), (Doubles::None, bytes.len() as u64));
}

#[test]
fn what_is_personal_is_in_no_error_and_no_debug_form() {
    let layout = &super::iag::layout::ICTX;
    let mut dice = Dice(5);
    let (_, records, bytes) = dice.file(layout);
    let tag = records[0].text("ETC_TAG_SERIAL_NUMBER").unwrap().to_owned();
    assert!(!format!("{records:?}").contains(&tag));
    let text = String::from_utf8(bytes).unwrap();
    let spoiled = text.replacen(&tag, &format!("{}x", &tag[..9]), 1);
    let refusal = read(layout, spoiled.as_bytes()).unwrap_err();
    assert_eq!((refusal.line, refusal.record), (2, 1));
    assert_eq!(refusal.field, "ETC_TAG_SERIAL_NUMBER");
    assert!(!format!("{refusal} {refusal:?}").contains(&tag[..9]), "{refusal}");
}
