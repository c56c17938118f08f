//! The NIOP layouts as tables: the five submissions of ICD 1.02.
//!
//! Order, cardinality and codes are those of the public schema; lengths and alphabets, of which the
//! schema says only "string" or "long", are those that a public validator applies.

use crate::partner::layout::Element::Field as F;
use crate::partner::layout::{Element, Form, Frame, Layout, Occurs, Order, Roles, field, no_rule};
use crate::partner::record::Record;
use crate::partner::refusal::Wrong;
use crate::partner::value::{Alphabet, Choice, Kind, choice};

const AGENCY: Kind = Kind::Digits { min: 4, max: 4 };
const REFERENCE: Kind = Kind::Long { max: 20 };
const COUNT: Kind = Kind::Number { min: 1, max: 9_999_999_999 };
const AMOUNT: Kind = Kind::Amount { max: 999_999_999 };
const TIMES: Kind = Kind::Number { min: 0, max: 999 };
const PLAN: Kind = text(12, Alphabet::UpperBlank);
const SPARE: Kind = text(10, Alphabet::UpperBlank);
const LANE: Kind = text(4, Alphabet::Upper);
const PLAZA: Kind = text(15, Alphabet::Upper);
const DESCRIPTION: Kind = text(30, Alphabet::UpperBlank);
const TAG_STATUS: Kind = Kind::Code(&[
    choice("V", "valid"),
    choice("I", "invalid"),
    choice("Z", "zero or negative balance"),
]);
/// The schema's last code ends in a blank, and a strict validator takes no other: it is written
/// with the blank, and read with and without.
const RECORD_TYPE: Kind = Kind::Code(&[
    choice("TB01", "tag, open road"),
    choice("TC01", "tag, closed road"),
    choice("TC02", "tag, closed road"),
    choice("VB01", "plate, open road"),
    choice("VC01", "plate, closed road"),
    Choice { code: "VC02", written: "VC02 ", means: "plate, closed road" },
]);

const fn text(max: usize, alphabet: Alphabet) -> Kind {
    Kind::Text { min: 1, max, alphabet }
}

macro_rules! submission {
    ($code:literal) => {
        F(field("SubmissionType", Kind::Code(&[Choice { code: $code, written: $code, means: "" }])))
    };
}
const SUBMITTED: Element =
    F(field("SubmissionDateTime", Kind::Instant).says("as in the file's name"));
const HUB: Element = F(field("SSIOPHubID", AGENCY));
const AWAY: Element = F(field("AwayAgencyID", AGENCY).says("where the vehicle drove"));
const HOME: Element = F(field("HomeAgencyID", AGENCY).says("who holds the account"));
const NUMBER: Element = F(field("TxnDataSeqNo", Kind::Number { min: 1, max: 999_999_999_999 })
    .says("one higher than the file before"));
const RECORDS: Element = F(field("RecordCount", COUNT));

const PLATE: [Element; 4] = [
    F(field("PlateCountry", Kind::Code(&[choice("US", ""), choice("CA", ""), choice("MX", "")]))),
    F(field("PlateState", Kind::Text { min: 1, max: 2, alphabet: Alphabet::Letters })),
    F(field("PlateNumber", text(15, Alphabet::UpperBlank)).personal()),
    F(field("PlateType", text(30, Alphabet::UpperBlank)).maybe()),
];
const TO_AWAY: Roles = Roles {
    from: Some("AwayAgencyID"),
    to: Some("HomeAgencyID"),
    stamp: Some("SubmissionDateTime"),
    count: Some("RecordCount"),
    order: Order::Numbered("TxnDataSeqNo"),
    identity: &["TxnReferenceID"],
    amount: Some("TollAmount"),
    direction: None,
};

/// The tags that one agency honours the payments of: all of them, or what changed.
pub static STVL: Layout = Layout {
    code: "STVL",
    says: "tag validation list, whole (`.BTVL`) or what changed (`.DTVL`)",
    form: Form::Xml(Frame {
        root: "TagValidationList",
        header: "TVLHeader",
        records: "TVLDetail",
        record: "TVLTagDetails",
    }),
    header: &[
        submission!("STVL"),
        SUBMITTED,
        HUB,
        HOME,
        F(field("BulkIndicator", Kind::Code(&[choice("B", "whole"), choice("D", "changes")]))),
        F(field("BulkIdentifier", Kind::Number { min: 0, max: 999_999_999 })
            .says("the whole list's own, or the one that is changed")),
        RECORDS,
    ],
    record: &[
        HOME,
        F(field("TagAgencyID", AGENCY).says("who issued the tag")),
        F(field("TagSerialNumber", Kind::Digits { min: 1, max: 10 }).personal()),
        F(field("TagStatus", TAG_STATUS)),
        Element::Group {
            name: "DiscountPlans",
            occurs: Occurs::Many,
            of: &[
                F(field("DiscountPlanType", PLAN)),
                F(field("DiscountPlanStart", Kind::Instant)),
                F(field("DiscountPlanEnd", Kind::Instant)),
            ],
        },
        F(field(
            "TagType",
            Kind::Code(&[choice("S", ""), choice("L", ""), choice("F", ""), choice("G", "")]),
        )
        .maybe()),
        F(field("TagClass", Kind::Number { min: 0, max: 32_767 })),
        Element::Group {
            name: "TVLPlateDetails",
            occurs: Occurs::Many,
            of: &[
                PLATE[0],
                PLATE[1],
                PLATE[2],
                PLATE[3],
                F(field("PlateEffectiveFrom", Kind::Instant).maybe()),
                F(field("PlateEffectiveTo", Kind::Instant).maybe()),
            ],
        },
        Element::Group {
            name: "TVLAccountDetails",
            occurs: Occurs::Maybe,
            of: &[
                F(field("AccountNumber", text(50, Alphabet::UpperBlank)).personal()),
                F(field("FleetIndicator", Kind::Code(&[choice("Y", "yes"), choice("N", "no")]))),
            ],
        },
    ],
    roles: Roles {
        from: Some("HomeAgencyID"),
        to: None,
        stamp: Some("SubmissionDateTime"),
        count: Some("RecordCount"),
        order: Order::WholeOrChange { by: "BulkIndicator", change: "D", of: "BulkIdentifier" },
        identity: &["TagAgencyID", "TagSerialNumber"],
        amount: None,
        direction: None,
    },
    rule: no_rule,
};

/// One transaction, as STRAN has it and SCORR repeats it.
const TRANSACTION: &[Element] = &[
    F(field("RecordType", RECORD_TYPE)),
    F(field("TxnReferenceID", REFERENCE).says("known by it; once in a file")),
    F(field("ExitDateTime", Kind::Instant)),
    F(field("FacilityID", text(10, Alphabet::UpperBlank))),
    F(field("FacilityDesc", DESCRIPTION)),
    F(field("ExitPlaza", PLAZA)),
    F(field("ExitPlazaDesc", DESCRIPTION)),
    F(field("ExitLane", LANE)),
    Element::Group {
        name: "EntryData",
        occurs: Occurs::Maybe,
        of: &[
            F(field("EntryDateTime", Kind::Instant)),
            F(field("EntryPlaza", PLAZA)),
            F(field("EntryPlazaDesc", DESCRIPTION)),
            F(field("EntryLane", LANE)),
        ],
    },
    Element::Group {
        name: "TagInfo",
        occurs: Occurs::Maybe,
        of: &[
            F(field("TagAgencyID", AGENCY)),
            F(field("TagSerialNo", Kind::Digits { min: 1, max: 10 }).personal()),
            F(field("TagStatus", TAG_STATUS).says("as the lane knew it")),
        ],
    },
    F(field("OccupancyInd", Kind::Code(&[choice("1", ""), choice("2", ""), choice("3", "")]))
        .maybe()),
    F(field("VehicleClass", text(4, Alphabet::UpperBlank)).maybe()),
    F(field("TollAmount", AMOUNT)),
    F(field("DiscountPlanType", PLAN).maybe()),
    Element::Group { name: "PlateInfo", occurs: Occurs::Maybe, of: &PLATE },
    F(field("VehicleClassAdj", Kind::Code(&[choice("A", "")])).maybe()),
    F(field("SystemMatchInd", Kind::Code(&[choice("0", "no"), choice("1", "yes")])).maybe()),
    F(field("Spare1", text(1, Alphabet::Flag)).maybe()),
    F(field("Spare2", SPARE).maybe()),
    F(field("Spare3", SPARE).maybe()),
    F(field("Spare4", SPARE).maybe()),
    F(field("Spare5", SPARE).maybe()),
    F(field("ExitDateTimeTZ", Kind::ZonedInstant)),
    F(field("EntryDateTimeTZ", Kind::ZonedInstant).maybe()),
];

/// Transactions of vehicles of one agency on another's roads.
pub static STRAN: Layout = Layout {
    code: "STRAN",
    says: "transactions",
    form: Form::Xml(Frame {
        root: "TransactionData",
        header: "TransactionHeader",
        records: "TransactionDetail",
        record: "TransactionRecord",
    }),
    header: &[submission!("STRAN"), SUBMITTED, HUB, AWAY, HOME, NUMBER, RECORDS],
    record: TRANSACTION,
    roles: TO_AWAY,
    rule: transaction_rule,
};

/// Corrections of transactions, each with the whole of what it corrects.
pub static SCORR: Layout = Layout {
    code: "SCORR",
    says: "corrections of transactions",
    form: Form::Xml(Frame {
        root: "CorrectionData",
        header: "CorrectionHeader",
        records: "CorrectionDetail",
        record: "CorrectionRecord",
    }),
    header: &[submission!("SCORR"), SUBMITTED, HUB, AWAY, HOME, NUMBER, RECORDS],
    record: &[
        F(field(
            "RecordType",
            Kind::Code(&[
                choice("TB01A", ""),
                choice("TC01A", ""),
                choice("TC02A", ""),
                choice("VB01A", ""),
                choice("VC01A", ""),
                choice("VC02A", ""),
            ]),
        )
        .says("the original's, with an A")),
        F(field("CorrectionDateTime", Kind::Instant).maybe()),
        F(field(
            "CorrectionReason",
            Kind::Code(&[
                choice("C", ""),
                choice("I", ""),
                choice("L", ""),
                choice("T", ""),
                choice("O", "another, described"),
            ]),
        )
        .maybe()),
        F(field("ResubmitReason", Kind::Code(&[choice("R", ""), choice("S", "")])).maybe()),
        F(field("CorrectionOtherDesc", text(255, Alphabet::UpperBlank)).maybe()),
        F(field("CorrectionSeqNo", TIMES).says("which correction of the transaction")),
        F(field("ResubmitCount", TIMES)),
        F(field("HomeAgencyTxnRefID", REFERENCE).maybe()),
        Element::Group { name: "OriginalTransactionDetail", occurs: Occurs::Once, of: TRANSACTION },
    ],
    roles: Roles {
        identity: &["OriginalTransactionDetail/TxnReferenceID", "CorrectionSeqNo"],
        amount: Some("OriginalTransactionDetail/TollAmount"),
        ..TO_AWAY
    },
    rule: correction_rule,
};

/// What became of transactions: one answer each.
pub static SRECON: Layout = Layout {
    code: "SRECON",
    says: "what became of transactions",
    form: Form::Xml(Frame {
        root: "ReconciliationData",
        header: "ReconciliationHeader",
        records: "ReconciliationDetail",
        record: "ReconciliationRecord",
    }),
    header: &[submission!("SRECON"), SUBMITTED, HUB, AWAY, HOME, NUMBER, RECORDS],
    record: &[
        F(field("TxnReferenceID", REFERENCE).says("of the transaction it answers")),
        F(field("AdjustmentCount", TIMES).says("which correction of it")),
        F(field("ResubmitCount", TIMES)),
        F(field("ReconHomeAgencyID", AGENCY)),
        F(field("HomeAgencyTxnRefID", REFERENCE).maybe()),
        F(field(
            "PostingDisposition",
            Kind::Code(&[
                choice("P", "posted"),
                choice("D", "duplicate"),
                choice("I", "invalid tag or plate"),
                choice("N", "not posted"),
                choice("S", "system or communication"),
                choice("T", "content or format"),
                choice("C", "not on file"),
                choice("O", "too old"),
            ]),
        )),
        F(field("DiscountPlanType", PLAN).maybe()),
        F(field("PostedAmount", Kind::SignedAmount { max: 999_999_999 })
            .says("below zero where it goes back")),
        F(field("PostedDateTime", Kind::Instant)),
        F(field("TransFlatFee", AMOUNT)),
        F(field("TransPercentFee", AMOUNT)),
        F(field("Spare1", SPARE).maybe()),
        F(field("Spare2", SPARE).maybe()),
        F(field("Spare3", SPARE).maybe()),
        F(field("Spare4", SPARE).maybe()),
        F(field("Spare5", SPARE).maybe()),
    ],
    roles: Roles {
        // The home agency answers the away agency.
        from: Some("HomeAgencyID"),
        to: Some("AwayAgencyID"),
        identity: &["TxnReferenceID", "AdjustmentCount"],
        amount: Some("PostedAmount"),
        ..TO_AWAY
    },
    rule: no_rule,
};

/// The answer to any of the others: taken, or why not.
pub static ACK: Layout = Layout {
    code: "ACK",
    says: "the answer to a file",
    form: Form::Xml(Frame { root: "Acknowledgement", header: "", records: "", record: "" }),
    header: &[
        submission!("ACK"),
        F(field(
            "OrigSubmissionType",
            Kind::Code(&[
                choice("STVL", ""),
                choice("STRAN", ""),
                choice("SCORR", ""),
                choice("SRECON", ""),
            ]),
        )),
        F(field("OrigSubmissionDateTime", Kind::Instant)),
        HUB,
        F(field("FromAgencyID", AGENCY).says("who wrote the file that is answered")),
        F(field("ToAgencyID", AGENCY).says("who answers it")),
        F(field("AckDateTime", Kind::Instant)),
        F(field(
            "AckReturnCode",
            Kind::Code(&[
                choice("00", "taken"),
                choice("01", "another number of records than its header says"),
                choice("02", "a record is wrong"),
                choice("03", "its times differ"),
                choice("04", "transaction file unavailable"),
                choice("05", "processed before"),
                choice("06", "a number is missing before it"),
                choice("07", "no such file, or its header is wrong"),
                choice("10", ""),
                choice("11", ""),
                choice("12", ""),
                choice("13", ""),
            ]),
        )),
    ],
    record: &[],
    roles: Roles {
        // The names are those of the file that is answered.
        from: Some("ToAgencyID"),
        to: Some("FromAgencyID"),
        stamp: Some("AckDateTime"),
        order: Order::Answer,
        ..Roles::NONE
    },
    rule: no_rule,
};

fn transaction_rule(record: &Record) -> Result<(), Wrong> {
    transaction_rule_in(record, "")
}

/// A tag's transaction has the tag, a plate's the plate, and one on a closed road its entry.
fn transaction_rule_in(record: &Record, within: &str) -> Result<(), Wrong> {
    let path = |name: &str| format!("{within}{name}");
    let code = record.text(&path("RecordType")).unwrap_or_default();
    let needed = [
        (code.starts_with('T'), "TagInfo", "the tag of a tag's transaction"),
        (code.starts_with('V'), "PlateInfo", "the plate of a plate's transaction"),
        (code[code.len().min(1)..].starts_with('C'), "EntryData", "the entry on a closed road"),
    ];
    let missing =
        needed.iter().find(|(is_needed, group, _)| *is_needed && !record.has_group(&path(group)));
    match missing {
        None => Ok(()),
        Some((_, group, wanted)) => {
            Err(Wrong::new(path(group), format!("is missing in a {code}"), *wanted))
        }
    }
}

fn correction_rule(record: &Record) -> Result<(), Wrong> {
    const ORIGINAL: &str = "OriginalTransactionDetail/";
    let original = record.text("OriginalTransactionDetail/RecordType").unwrap_or_default();
    if record.text("RecordType").and_then(|code| code.strip_suffix('A')) != Some(original) {
        let wanted = format!("{original}A, as the original is a {original}");
        return Err(Wrong::new("RecordType", "is not the original's", wanted));
    }
    let is_other = record.text("CorrectionReason") == Some("O");
    if is_other && record.text("CorrectionOtherDesc").is_none() {
        let wanted = "the description of reason O";
        return Err(Wrong::new("CorrectionOtherDesc", "is missing", wanted));
    }
    transaction_rule_in(record, ORIGINAL)
}

/// Every layout, in the order of the documentation.
pub static ALL: [&Layout; 5] = [&STVL, &STRAN, &SCORR, &SRECON, &ACK];
