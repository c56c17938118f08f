//! The example files: read, counted, and written again to the byte.

use std::fs::{self, File};
use std::path::PathBuf;

use super::written;
use crate::partner::examine::{Figures, Pass};
use crate::partner::file::Reader;
use crate::partner::name::{FileName, all};
use crate::partner::record::Record;
use crate::partner::refusal::FileError;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/partner/examples")
}

/// File, kind, records, to be paid, to be given back.
const EXAMPLES: [(&str, &str, u64, i64, i64); 24] = [
    ("4082_20240301000000.ITAG", "ITAG", 3, 0, 0),
    ("4082_20240302000000.ITGU", "ITGU", 1, 0, 0),
    ("4081_4082_20240301180000.ICTX", "ICTX", 4, 15_525, 1_250),
    ("4081_4082_20240305180000.ITXC", "ITXC", 1, 1_750, 0),
    ("4082_4081_20240302060000.ICRX", "ICRX", 4, 5_250, 1_250),
    ("4082_4081_20240306060000.IRXC", "IRXC", 1, 0, 0),
    ("4082_20240301000000.ICLP", "ICLP", 2, 0, 0),
    ("4082_4081_4082_20240301180000_ICTX.ACK", "ACK", 0, 0, 0),
    ("4090_4082_20240301000000.BTVL", "STVL", 2, 0, 0),
    ("4090_4082_20240301060000.DTVL", "STVL", 1, 0, 0),
    ("4090_4081_4082_20240301180000.STRAN", "STRAN", 3, 6_615, 0),
    ("4090_4081_4082_20240305180000.SCORR", "SCORR", 1, 1_750, 0),
    ("4090_4082_4081_20240302060000.SRECON", "SRECON", 4, 5_625, 2_625),
    ("4090_4082_4090_4081_4082_20240301180000_00_STRAN.ACK", "ACK", 0, 0, 0),
    ("Veluot_INSERT_20260901070000.txt", "VELUOT", 1, 0, 0),
    ("Vethang_INSERT_20260901070000.txt", "VETHANG", 1, 1_050_000, 0),
    ("VethangEtag_UPDATE_20260901070000.txt", "VETHANGETAG", 2, 3_885_000, 0),
    ("Nhanvien_INSERT_20260901070000.txt", "NHANVIEN", 1, 0, 0),
    ("Datasoxe_INSERT_20260901070000.txt", "DATASOXE", 1, 0, 0),
    ("TransferOneWayTickets_20260901070908_101.txt", "TRANSFERONEWAYTICKETS", 2, 85_000, 0),
    ("VETHANG_22_101_20260901070908.txt", "VETHANG_MAVE", 1, 0, 0),
    ("ETAG_51X00004_101_20260901070930.txt", "ETAG", 2, 85_000, 0),
    ("TransferSpecial_20260901071000_101.txt", "TRANSFERSPECIAL", 1, 0, 0),
    ("BTC_20260901071100_101_20260901071100.txt", "BTC", 1, 0, 0),
];

fn passed(name: &str) -> Result<(String, Figures), FileError> {
    let parsed = FileName::parse(name)?;
    let mut pass = Pass::open(&parsed, File::open(folder().join(name))?)?;
    let mut record = Record::default();
    while pass.next(&mut record)? {}
    let examined = pass.finish();
    Ok((examined.layout.code.to_owned(), examined.figures))
}

#[test]
fn each_example_is_good_and_comes_to_what_it_says() {
    for (name, code, records, to_pay, to_give_back) in EXAMPLES {
        let (found, figures) = passed(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let sums = (figures.to_pay.minor_units(), figures.to_give_back.minor_units());
        assert_eq!((found.as_str(), figures.records), (code, records), "{name}");
        assert_eq!(sums, (to_pay, to_give_back), "{name}");
    }
}

#[test]
fn each_example_is_written_again_to_the_byte() {
    for (name, ..) in EXAMPLES {
        let bytes = fs::read(folder().join(name)).unwrap();
        let layout = FileName::parse(name).unwrap().layout;
        let mut reader = Reader::open(layout, &bytes[..]).unwrap();
        let mut records = Vec::new();
        let mut record = Record::default();
        while reader.next(&mut record).unwrap() {
            records.push(record.clone());
        }
        let again = written(layout, reader.header(), &records).unwrap();
        assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&bytes), "{name}");
    }
}

#[test]
fn there_is_an_example_of_every_kind_and_none_that_nobody_reads() {
    for layout in all() {
        assert!(
            EXAMPLES.iter().any(|(name, ..)| std::ptr::eq(
                FileName::parse(name).unwrap().layout,
                std::ptr::from_ref(layout)
            )),
            "{}",
            layout.code
        );
    }
    let there = fs::read_dir(folder()).unwrap().count();
    assert_eq!(there, EXAMPLES.len() + 1, "the examples and their README");
}

/// What is done to an example, and how it is refused.
fn check(name: &str, from: &str, to: &str, expected: &str) {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    assert!(text.contains(from), "{name} has no {from:?}");
    let spoiled = text.replacen(from, to, 1);
    let parsed = FileName::parse(name).unwrap();
    let refused = (|| {
        let mut pass = Pass::open(&parsed, spoiled.as_bytes())?;
        let mut record = Record::default();
        while pass.next(&mut record)? {}
        Ok::<_, FileError>(())
    })();
    assert_eq!(refused.map_err(|error| error.to_string()), Err(expected.to_owned()), "{name}");
}

#[test]
fn a_refusal_names_line_field_reason_and_what_would_be_right() {
    let ictx = "4081_4082_20240301180000.ICTX";
    check(
        ictx,
        "000004375",
        "0000043.5",
        "line 3, record 2, field ETC_TOLL_AMOUNT: columns 193 to 201: \"0000043.5\" is not one of \
         its values; wanted: whole minor units, 0 to 499999",
    );
    check(
        ictx,
        "C2024-03-01T08:40:00-05:00",
        "C*************************",
        "line 3, record 2, field ETC_ENTRY_DATE_TIME: is filled with `*`; wanted: the entry of a \
         complete trip (type C)",
    );
    check(
        ictx,
        "00000004000000000017\n",
        "00000005000000000017\n",
        "line 5, record 4, field RECORD_COUNT: there are 4 records in all; wanted: 5, as the \
         header says",
    );
    check(
        "4082_20240301000000.ITAG",
        "T  SI2   ",
        "T  SI2",
        "line 2, record 1: has 82 bytes; wanted: 85 bytes of ASCII, the blanks at the end included",
    );
    let stran = "4090_4081_4082_20240301180000.STRAN";
    check(
        stran,
        "<TollAmount>4375</TollAmount>",
        "",
        "line 53, record 2, field ExitDateTimeTZ: stands there before what must come first; \
         wanted: TollAmount",
    );
    check(
        stran,
        "<TagStatus>V<",
        "<TagStatus>v<",
        "line 25, record 1, field TagInfo/TagStatus: \"v\" is not one of its values; wanted: one \
         of `V` (valid), `I` (invalid), `Z` (zero or negative balance)",
    );
    check(
        "TransferOneWayTickets_20260901070908_101.txt",
        "(20260901070908,07:09:08,",
        "(20260901070908,",
        "line 1, record 1: has 10 values; wanted: 11",
    );
}
