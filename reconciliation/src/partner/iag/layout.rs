//! The IAG layouts as tables: Inter-CSC files 01.60.02.
//!
//! No free text of the specification was found; widths, codes and patterns are where two public
//! implementations agree (see docs/partner-files.md, which also marks what is our reading).

use crate::partner::layout::Element::Field as F;
use crate::partner::layout::{Element, Form, Layout, Order, Roles, no_rule, wide};
use crate::partner::record::Record;
use crate::partner::refusal::Wrong;
use crate::partner::value::{Alphabet, Choice, Kind, choice};

/// The version that is written; another is refused.
const VERSION: &[Choice] = &[choice("01.60.02", "")];
const AGENCY: Kind = Kind::Digits { min: 4, max: 4 };
const SERIAL: Kind = Kind::Digits { min: 20, max: 20 };
const TAG_SERIAL: Kind = Kind::Digits { min: 10, max: 10 };
const TWO_DIGITS: Kind = Kind::Digits { min: 2, max: 2 };
/// The format's cap: 4,999.99 in the currency of its makers.
const AMOUNT: Kind = Kind::Amount { max: 499_999 };
const DEBIT_CREDIT: Kind = Kind::Code(&[
    choice(" ", "to be paid"),
    choice("+", "to be paid"),
    choice("-", "to be given back"),
]);

const fn text(max: usize, alphabet: Alphabet) -> Kind {
    Kind::Text { min: 1, max, alphabet }
}

macro_rules! type_field {
    ($code:literal) => {
        F(wide(4, "FILE_TYPE", Kind::Code(&[Choice { code: $code, written: $code, means: "" }])))
    };
}
const VERSION_FIELD: Element = F(wide(8, "VERSION", Kind::Code(VERSION)));
const FROM: Element = F(wide(4, "FROM_AGENCY", AGENCY).says("who wrote it"));
const TO: Element = F(wide(4, "TO_AGENCY", AGENCY).says("for whom"));
const STAMP: Element = F(wide(20, "FILE_DATE_TIME", Kind::Instant).says("as in the file's name"));
const COUNT: Element = F(wide(8, "RECORD_COUNT", Kind::Number { min: 1, max: 99_999_999 }));
const LIST_COUNT: Element =
    F(wide(10, "RECORD_COUNT", Kind::Number { min: 1, max: 9_999_999_999 }));
const NUMBER: Element = F(wide(12, "FILE_NUM", Kind::Number { min: 1, max: 999_999_999_999 })
    .says("one higher than the file before"));

const EXCHANGED: Roles = Roles {
    from: Some("FROM_AGENCY"),
    to: Some("TO_AGENCY"),
    stamp: Some("FILE_DATE_TIME"),
    count: Some("RECORD_COUNT"),
    order: Order::Numbered("FILE_NUM"),
    identity: &["ETC_TRX_SERIAL_NUM"],
    amount: Some("ETC_TOLL_AMOUNT"),
    direction: Some("ETC_DEBIT_CREDIT"),
};
const LISTED: Roles = Roles {
    to: None,
    order: Order::Whole,
    identity: &["TAG_AGENCY", "TAG_SERIAL"],
    amount: None,
    direction: None,
    ..EXCHANGED
};

/// One transaction, as ICTX has it and ITXC repeats it behind its own fields.
macro_rules! transaction {
    ($($first:expr),*) => {
        &[
            $($first,)*
            F(wide(20, "ETC_TRX_SERIAL_NUM", SERIAL).says("known by it; once in a file")),
            F(wide(8, "ETC_REVENUE_DATE", Kind::Day)),
            F(wide(4, "ETC_FAC_AGENCY", AGENCY).says("whose road it was")),
            F(wide(1, "ETC_TRX_TYPE", Kind::Code(&[
                choice("B", "barrier"),
                choice("C", "ticketed, complete"),
                choice("X", "ticketed, exit without its entry"),
            ]))),
            F(wide(25, "ETC_ENTRY_DATE_TIME", Kind::ZonedInstant).or_filled('*')),
            F(wide(15, "ETC_ENTRY_PLAZA", text(15, Alphabet::UpperBlank)).or_filled('*')),
            F(wide(3, "ETC_ENTRY_LANE", text(3, Alphabet::UpperBlank)).or_filled('*')),
            F(wide(4, "ETC_TAG_AGENCY", AGENCY).says("who issued the tag")),
            F(wide(10, "ETC_TAG_SERIAL_NUMBER", TAG_SERIAL).personal()),
            F(wide(2, "ETC_READ_PERFORMANCE", TWO_DIGITS).or_filled('*')),
            F(wide(2, "ETC_WRITE_PERF", TWO_DIGITS).or_filled('*')),
            F(wide(1, "ETC_TAG_PGM_STATUS", Kind::Code(&[
                choice("S", ""),
                choice("U", ""),
                choice("F", ""),
            ])).or_filled('*')),
            F(wide(1, "ETC_LANE_MODE", Kind::Code(&[
                choice("E", "electronic"),
                choice("A", "automatic"),
                choice("M", "manual"),
                choice("C", "combined"),
                choice("O", "open road"),
            ]))),
            F(wide(1, "ETC_VALIDATION_STATUS", Kind::Code(&[
                choice("1", "good"),
                choice("2", "low balance"),
                choice("3", "zero or negative balance"),
            ])).or_filled('*').says("what the lane knew of the tag")),
            F(wide(2, "ETC_LIC_STATE", Kind::Text { min: 2, max: 2, alphabet: Alphabet::Upper })
                .or_filled('*')),
            F(wide(10, "ETC_LIC_NUMBER", text(10, Alphabet::Plate)).or_filled('*').personal()),
            F(wide(30, "ETC_LIC_TYPE", text(30, Alphabet::UpperBlank)).or_filled('*')),
            F(wide(3, "ETC_CLASS_CHARGED", text(3, Alphabet::UpperBlank))),
            F(wide(2, "ETC_ACTUAL_AXLES", TWO_DIGITS)),
            F(wide(3, "ETC_EXIT_SPEED", Kind::Digits { min: 3, max: 3 })),
            F(wide(1, "ETC_OVER_SPEED", Kind::Code(&[choice("Y", "yes"), choice("N", "no")]))),
            F(wide(25, "ETC_EXIT_DATE_TIME", Kind::ZonedInstant)),
            F(wide(15, "ETC_EXIT_PLAZA", text(15, Alphabet::UpperBlank))),
            F(wide(3, "ETC_EXIT_LANE", text(3, Alphabet::UpperBlank))),
            F(wide(1, "ETC_DEBIT_CREDIT", DEBIT_CREDIT)),
            F(wide(9, "ETC_TOLL_AMOUNT", AMOUNT)),
        ]
    };
}

/// Transactions of vehicles of one agency on another's roads.
pub static ICTX: Layout = Layout {
    code: "ICTX",
    says: "transactions",
    form: Form::Fixed,
    header: &[type_field!("ICTX"), VERSION_FIELD, FROM, TO, STAMP, COUNT, NUMBER],
    record: transaction!(),
    roles: EXCHANGED,
    rule: entry_rule,
};

/// Corrections of transactions, each with the whole of what it corrects.
pub static ITXC: Layout = Layout {
    code: "ITXC",
    says: "corrections of transactions",
    header: &[type_field!("ITXC"), VERSION_FIELD, FROM, TO, STAMP, COUNT, NUMBER],
    record: transaction!(F(wide(
        2,
        "CORR_REASON",
        Kind::Code(&[
            choice("01", ""),
            choice("02", ""),
            choice("03", ""),
            choice("04", ""),
            choice("05", ""),
            choice("06", ""),
            choice("07", ""),
            choice("08", ""),
        ])
    ))),
    ..ICTX
};

const ANSWER: &[Element] = &[
    F(wide(20, "ETC_TRX_SERIAL_NUM", SERIAL).says("of the transaction it answers")),
    F(wide(
        4,
        "ETC_POST_STATUS",
        Kind::Code(&[
            choice("POST", "posted"),
            choice("PPST", "posted to a plan"),
            choice("NPST", "not posted"),
            choice("INSU", "insufficient balance"),
            choice("RJPL", "plate rejected"),
            choice("OLD1", "too old"),
            choice("OLD2", "too old"),
            choice("ACCB", "account problem"),
            choice("RINV", "invalid"),
            choice("TAGB", "bad tag"),
            choice("RJDP", "duplicate"),
            choice("RJTA", "tag or agency rejected"),
        ]),
    )),
    F(wide(
        5,
        "ETC_POST_PLAN",
        Kind::Code(&[
            choice("00002", ""),
            choice("00003", ""),
            choice("00004", ""),
            choice("00005", ""),
            choice("00006", ""),
            choice("00007", ""),
            choice("00008", ""),
            choice("00009", ""),
            choice("00010", ""),
            choice("00011", ""),
            choice("00012", ""),
            choice("00013", ""),
            choice("00014", ""),
            choice("00023", ""),
        ]),
    )
    .or_filled(' ')),
    F(wide(1, "ETC_DEBIT_CREDIT", DEBIT_CREDIT)),
    F(wide(9, "ETC_OWED_AMOUNT", AMOUNT)),
    F(wide(20, "ETC_DUP_SERIAL_NUM", SERIAL).says("which one it repeats; zeros for none")),
];

/// What became of the transactions of an ICTX.
pub static ICRX: Layout = Layout {
    code: "ICRX",
    says: "what became of transactions",
    header: &[type_field!("ICRX"), VERSION_FIELD, FROM, TO, STAMP, COUNT, NUMBER],
    record: ANSWER,
    roles: Roles { amount: Some("ETC_OWED_AMOUNT"), ..EXCHANGED },
    rule: no_rule,
    ..ICTX
};

/// What became of the corrections of an ITXC.
pub static IRXC: Layout = Layout {
    code: "IRXC",
    says: "what became of corrections",
    header: &[type_field!("IRXC"), VERSION_FIELD, FROM, TO, STAMP, COUNT, NUMBER],
    ..ICRX
};

/// One tag, as ITAG and ITGU have it; the latter may also take one away.
macro_rules! tag {
    ($($status:expr),*) => {
        &[
            F(wide(4, "TAG_AGENCY", AGENCY)),
            F(wide(10, "TAG_SERIAL", TAG_SERIAL).personal()),
            F(wide(1, "STATUS", Kind::Code(&[$($status),*]))),
            F(wide(6, "ACCT_INFO", text(6, Alphabet::UpperBlank))),
            F(wide(4, "HOME_AGENCY", AGENCY)),
            F(wide(1, "AC_TYPE_IND", Kind::Code(&[
                choice("B", ""),
                choice("F", ""),
                choice("P", ""),
                choice("V", ""),
                choice("R", ""),
            ])).or_filled('*')),
            F(wide(50, "ACCOUNT_NO", text(50, Alphabet::UpperBlank)).or_filled('*').personal()),
            F(wide(3, "PROTOCOL", Kind::Code(&[
                Choice { code: "T", written: "T  ", means: "TDM" },
                Choice { code: "S", written: "S  ", means: "SeGo" },
                Choice { code: "6", written: "6  ", means: "6C" },
                Choice { code: "TS", written: "TS ", means: "" },
                Choice { code: "T6", written: "T6 ", means: "" },
                Choice { code: "S6", written: "S6 ", means: "" },
                choice("TS6", ""),
            ])).or_filled('*')),
            F(wide(1, "TYPE", Kind::Code(&[
                choice("F", ""),
                choice("G", ""),
                choice("H", ""),
                choice("S", ""),
                choice("T", ""),
                choice("V", ""),
            ])).or_filled('*')),
            F(wide(1, "MOUNT", Kind::Code(&[
                choice("I", ""),
                choice("L", ""),
                choice("R", ""),
                choice("H", ""),
                choice("V", ""),
            ])).or_filled('*')),
            F(wide(4, "CLASS", text(4, Alphabet::UpperBlank)).or_filled('*')),
        ]
    };
}

/// All tags of an agency.
pub static ITAG: Layout = Layout {
    code: "ITAG",
    says: "all tags of an agency",
    form: Form::Fixed,
    header: &[type_field!("ITAG"), VERSION_FIELD, FROM, STAMP, LIST_COUNT],
    record: tag!(choice("1", "good"), choice("2", "low balance"), choice("3", "invalid")),
    roles: LISTED,
    rule: no_rule,
};

/// What changed in an agency's tags since a named file.
pub static ITGU: Layout = Layout {
    code: "ITGU",
    says: "tags that changed",
    header: &[
        type_field!("ITGU"),
        VERSION_FIELD,
        FROM,
        STAMP,
        F(wide(20, "PREV_FILE_DATE_TIME", Kind::Instant).says("of the file that it changes")),
        LIST_COUNT,
    ],
    record: tag!(
        choice("1", "good"),
        choice("2", "low balance"),
        choice("3", "invalid"),
        choice("4", "removed")
    ),
    roles: Roles { order: Order::Change { of: "PREV_FILE_DATE_TIME" }, ..LISTED },
    ..ITAG
};

/// All plates of an agency's customers.
pub static ICLP: Layout = Layout {
    code: "ICLP",
    says: "all plates of an agency",
    form: Form::Fixed,
    header: &[type_field!("ICLP"), VERSION_FIELD, FROM, STAMP, LIST_COUNT],
    record: &[
        F(wide(2, "LIC_STATE", Kind::Text { min: 2, max: 2, alphabet: Alphabet::Letters })),
        F(wide(10, "LIC_NUMBER", text(10, Alphabet::Plate)).personal()),
        F(wide(30, "LIC_TYPE", text(30, Alphabet::UpperBlank)).or_filled('*')),
        F(wide(4, "TAG_AGENCY", AGENCY)),
        F(wide(10, "TAG_SERIAL", TAG_SERIAL).personal()),
        F(wide(20, "LIC_EFFECTIVE_FROM", Kind::Instant).or_filled('*')),
        F(wide(20, "LIC_EFFECTIVE_TO", Kind::Instant).or_filled('*')),
        F(wide(4, "LIC_HOME_AGENCY", AGENCY)),
        F(wide(50, "LIC_ACCOUNT_NO", text(50, Alphabet::UpperBlank)).or_filled('*').personal()),
        F(wide(17, "LIC_VIN", text(17, Alphabet::UpperBlank)).or_filled('*').personal()),
        F(wide(1, "LIC_GUARANTEED", Kind::Code(&[choice("Y", "yes"), choice("N", "no")]))
            .or_filled('*')),
        F(wide(20, "LIC_REGISTRATION_DATE", Kind::Instant).or_filled('*')),
        F(wide(20, "LIC_UPDATE_DATE", Kind::Instant).or_filled('*')),
    ],
    roles: Roles {
        identity: &["LIC_STATE", "LIC_NUMBER", "LIC_TYPE", "LIC_EFFECTIVE_FROM"],
        ..LISTED
    },
    rule: no_rule,
};

/// The answer to any of the others: taken, or why not.
pub static ACK: Layout = Layout {
    code: "ACK",
    says: "the answer to a file",
    form: Form::Fixed,
    header: &[
        F(wide(4, "FILE_TYPE", Kind::Code(&[Choice { code: "ACK", written: "ACK ", means: "" }]))),
        VERSION_FIELD,
        FROM,
        TO,
        F(wide(50, "ORIG_FILE", text(50, Alphabet::Printable)).says("the name of the file")),
        STAMP,
        F(wide(
            2,
            "RETURN_CODE",
            Kind::Code(&[
                choice("00", "taken"),
                choice("01", "another number of records than its header says"),
                choice("02", "a record is wrong"),
                choice("03", "its times differ"),
                choice("04", "transaction file unavailable"),
                choice("05", "processed before"),
                choice("06", "a number is missing before it"),
                choice("07", "no such file"),
                choice("08", "its header is wrong"),
            ]),
        )),
    ],
    record: &[],
    roles: Roles { count: None, order: Order::Answer, identity: &[], ..LISTED },
    rule: no_rule,
};

/// A barrier has no entry, a complete trip has one, and an exit without its entry has none.
fn entry_rule(record: &Record) -> Result<(), Wrong> {
    const ENTRY: [&str; 3] = ["ETC_ENTRY_DATE_TIME", "ETC_ENTRY_PLAZA", "ETC_ENTRY_LANE"];
    let there = |name: &&str| record.text(name).is_some();
    match record.text("ETC_TRX_TYPE") {
        Some("C") => ENTRY.iter().find(|name| !there(name)).map_or(Ok(()), |missing| {
            let wanted = "the entry of a complete trip (type C)";
            Err(Wrong::new(*missing, "is filled with `*`", wanted))
        }),
        Some("X") => ENTRY.iter().find(|name| there(name)).map_or(Ok(()), |known| {
            let reason = "has a value though the entry is unknown (type X)";
            Err(Wrong::new(*known, reason, "`*` in every column"))
        }),
        Some(_) | None => Ok(()),
    }
}

/// Every layout, in the order of the documentation.
pub static ALL: [&Layout; 8] = [&ITAG, &ITGU, &ICTX, &ITXC, &ICRX, &IRXC, &ICLP, &ACK];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partner::layout::width;

    #[test]
    fn headers_and_records_are_as_wide_as_the_format_says() {
        for (layout, header, record) in [
            (&ITAG, 46, 85),
            (&ITGU, 66, 85),
            (&ICTX, 60, 201),
            (&ITXC, 60, 203),
            (&ICRX, 60, 59),
            (&IRXC, 60, 59),
            (&ICLP, 46, 208),
            (&ACK, 92, 0),
        ] {
            assert_eq!(
                (width(layout.header), width(layout.record)),
                (header, record),
                "{}",
                layout.code
            );
        }
    }
}
