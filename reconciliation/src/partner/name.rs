//! File names: which layout a name means, and the name a file must have by its header.
//!
//! A name may hold a plate (`ETAG_<plate>_…`). It is shown with a digest in the plate's place.

use sha2::{Digest as _, Sha256};

use super::books::vetc::ALL_PLATES;
use super::layout::Layout;
use super::record::Record;
use super::refusal::{Fault, Refusal};
use super::value::Kind;
use super::{iag, niop, vetc};

/// What a file's name says.
#[derive(Debug, Clone)]
pub struct FileName {
    /// The kind of file.
    pub layout: &'static Layout,
    /// The name as it may be shown, logged and kept: without the plate, if it had one.
    pub shown: String,
    /// The name in its parts, without the ending; the plate is left out.
    parts: Vec<String>,
    ending: String,
}

impl FileName {
    /// Takes a name apart.
    ///
    /// # Errors
    /// When no layout has such names.
    pub fn parse(name: &str) -> Result<Self, Refusal> {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let ending = ending.to_ascii_uppercase();
        let mut parts: Vec<String> = stem.split('_').map(str::to_owned).collect();
        let layout = match ending.as_str() {
            "TXT" => station_layout(&parts),
            "ACK" => acknowledgement_layout(&parts),
            "BTVL" | "DTVL" => Some(&niop::layout::STVL),
            ending => all().find(|layout| layout.code == ending && layout.code != "STVL"),
        };
        let Some(layout) = layout else {
            return Err(Refusal::of_file(Fault::File, "no kind of file has this name", known()));
        };
        let mut shown = name.to_owned();
        let has_plate = parts.get(1).is_some_and(|part| part != ALL_PLATES);
        if has_plate && std::ptr::eq(layout, &raw const vetc::layout::BY_ETAG) {
            let plate = std::mem::take(&mut parts[1]);
            let digest = hex(&Sha256::digest(plate.as_bytes())[..4]);
            shown = shown.replacen(&plate, &digest, 1);
        }
        Ok(Self { layout, shown, parts, ending })
    }

    /// Whether the name is what the header says it must be.
    ///
    /// # Errors
    /// When they differ.
    pub fn agrees(&self, header: &Record) -> Result<(), Refusal> {
        let Some(expected) = parts_of(self.layout, header) else { return Ok(()) };
        let found = self.parts.iter().map(String::as_str);
        // A part of an acknowledgement's name that its text does not say is left open.
        let agrees = |(expected, found): (&Option<String>, &str)| {
            expected.as_deref().is_none_or(|expected| expected == found)
        };
        let is_named = expected.len() == self.parts.len() && expected.iter().zip(found).all(agrees);
        if is_named && self.ending == ending_of(self.layout, header) {
            return Ok(());
        }
        let stamp = self.layout.roles.stamp.and_then(|stamp| header.text(stamp)).map(digits_of);
        let same_time = stamp.is_none_or(|stamp| self.parts.contains(&stamp));
        let fault = if same_time { Fault::File } else { Fault::Date };
        let reason = format!("its name {} is not the one that its header says", self.shown);
        let parts: Vec<&str> = expected.iter().map(|part| part.as_deref().unwrap_or("*")).collect();
        let wanted = format!("{}.{}", parts.join("_"), ending_of(self.layout, header));
        Err(Refusal::of_file(fault, reason, wanted))
    }
}

/// The name of a file with that header; nothing where the format's names say more than headers do.
#[must_use]
pub fn name_of(layout: &'static Layout, header: &Record) -> Option<String> {
    let parts: Option<Vec<String>> = parts_of(layout, header)?.into_iter().collect();
    Some(format!("{}.{}", parts?.join("_"), ending_of(layout, header)))
}

/// Every layout of every format.
pub fn all() -> impl Iterator<Item = &'static Layout> {
    let known = niop::layout::ALL.iter().chain(&iag::layout::ALL).chain(&vetc::layout::ALL);
    known.copied()
}

fn ending_of(layout: &'static Layout, header: &Record) -> String {
    match (layout.code, header.text("BulkIndicator")) {
        ("STVL", Some("D")) => "DTVL".to_owned(),
        ("STVL", _) => "BTVL".to_owned(),
        (code, _) => code.to_owned(),
    }
}

/// The parts of the name that a header says; nothing where there is no header.
fn parts_of(layout: &'static Layout, header: &Record) -> Option<Vec<Option<String>>> {
    let text = |name: &str| header.text(name).map(str::to_owned);
    let stamp = layout.roles.stamp.and_then(|stamp| header.text(stamp)).map(digits_of);
    let from = layout.roles.from.and_then(text);
    let to = layout.roles.to.and_then(text);
    if std::ptr::eq(layout, &raw const niop::layout::ACK) {
        let original = header.text("OrigSubmissionDateTime").map(digits_of);
        let kind = text("OrigSubmissionType");
        let code = text("AckReturnCode");
        // A tag list goes to everybody: its name has no addressee, and its answer's no repetition.
        return Some(match kind.as_deref() {
            Some("STVL") => vec![None, from, None, to, original, code, None],
            _ => vec![None, from.clone(), None, to, from, original, code, kind],
        });
    }
    if std::ptr::eq(layout, &raw const iag::layout::ACK) {
        let original = header.text("ORIG_FILE")?.replace('.', "_");
        let original = original.split('_').map(|part| Some(part.to_owned()));
        return Some(std::iter::once(from).chain(original).collect());
    }
    let hub = header.text("SSIOPHubID").map(|hub| Some(hub.to_owned()));
    let to = layout.roles.to.map(|_| to);
    stamp.map(|stamp| hub.into_iter().chain([from]).chain(to).chain([Some(stamp)]).collect())
}

fn digits_of(instant: &str) -> String {
    instant.chars().filter(char::is_ascii_digit).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// `…_ICTX.ACK` answers a file of IAG, `…_STRAN.ACK` one of NIOP.
fn acknowledgement_layout(parts: &[String]) -> Option<&'static Layout> {
    let answered = parts.last()?.to_ascii_uppercase();
    let of = |layouts: &[&'static Layout]| {
        layouts.iter().any(|layout| layout.code == answered && layout.code != "ACK")
    };
    if of(&iag::layout::ALL) {
        Some(&iag::layout::ACK)
    } else if of(&niop::layout::ALL) || matches!(answered.as_str(), "BTVL" | "DTVL") {
        Some(&niop::layout::ACK)
    } else {
        None
    }
}

/// Names of the station's text files begin with what they are about.
fn station_layout(parts: &[String]) -> Option<&'static Layout> {
    use vetc::layout::{
        BY_ETAG, BY_MONTH, DATASOXE, MINISTRY, NHANVIEN, ONE_WAY, SPECIAL, VELUOT, VETHANG,
        VETHANG_ETAG,
    };
    let upper: Vec<String> = parts.iter().map(|part| part.to_ascii_uppercase()).collect();
    let words: Vec<&str> = upper.iter().map(String::as_str).collect();
    let is_stamp = |text: &str| Kind::Stamp.canonical(text).is_some();
    let is_action = |text: &str| matches!(text, "INSERT" | "DELETE" | "UPDATE");
    match words.as_slice() {
        [about, action, stamp] if is_action(action) && is_stamp(stamp) => match *about {
            "VELUOT" => Some(&VELUOT),
            "VETHANG" => Some(&VETHANG),
            "VETHANGETAG" => Some(&VETHANG_ETAG),
            "NHANVIEN" => Some(&NHANVIEN),
            "DATASOXE" => Some(&DATASOXE),
            _ => None,
        },
        ["ETAGTHANG", _plate, action, stamp] if is_action(action) && is_stamp(stamp) => {
            Some(&VETHANG_ETAG)
        }
        ["TRANSFERONEWAYTICKETS", stamp, _lane] if is_stamp(stamp) => Some(&ONE_WAY),
        ["TRANSFERSPECIAL", stamp, _lane] if is_stamp(stamp) => Some(&SPECIAL),
        ["UUTIEN", .., stamp] if is_stamp(stamp) => Some(&SPECIAL),
        ["VELUOT", _ticket, _lane, stamp] if is_stamp(stamp) => Some(&ONE_WAY),
        ["VETHANG", _ticket, _lane, stamp] if is_stamp(stamp) => Some(&BY_MONTH),
        ["BTC", _transaction, _lane, stamp] if is_stamp(stamp) => Some(&MINISTRY),
        ["ETAG", _plate, _lane, stamp] if is_stamp(stamp) => Some(&BY_ETAG),
        _ => None,
    }
}

fn known() -> String {
    "HUB_FROM_TO_yyyyMMddHHmmss.STRAN, FROM_TO_yyyyMMddHHmmss.ICTX, \
     TransferOneWayTickets_yyyyMMddHHmmss_LLL.txt, or another of docs/partner-files.md"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_its_file_is() {
        for (name, code) in [
            ("9003_0041_0008_20240301120000.STRAN", "STRAN"),
            ("9003_0041_20240301120000.BTVL", "STVL"),
            ("9003_0041_20240301120000.dtvl", "STVL"),
            ("0041_20240301120000.ITAG", "ITAG"),
            ("0041_0008_20240301120000.ICTX", "ICTX"),
            ("0008_0041_0008_20240301120000_ICTX.ACK", "ACK"),
            ("Veluot_INSERT_20160901070908.txt", "VELUOT"),
            ("TransferOneWayTickets_20160901070908_012.txt", "TRANSFERONEWAYTICKETS"),
            ("VETHANG_AA16P22_012_20160901070908.txt", "VETHANG_MAVE"),
        ] {
            assert_eq!(FileName::parse(name).unwrap().layout.code, code, "{name}");
        }
        for name in ["", "x", ".", "notes.txt", "a_b.STVL", "a.ACK", "ICTX"] {
            assert!(FileName::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_plate_in_a_name_is_not_shown() {
        let name = FileName::parse("ETAG_29A1234_012_20160901070908.txt").unwrap();
        assert!(!name.shown.contains("29A1234"), "{}", name.shown);
        assert!(!format!("{name:?}").contains("29A1234"));
        let other = FileName::parse("ETAG_29A1235_012_20160901070908.txt").unwrap();
        assert_ne!(name.shown, other.shown);
        let of_all = FileName::parse("ETAG_ALL_000_20160901070908.txt").unwrap();
        assert_eq!(of_all.shown, "ETAG_ALL_000_20160901070908.txt");
    }
}
