//! The VETC layouts as tables: the text files that a toll station and VETC exchange (ITD, 2016).
//!
//! The format has no header, no count, no check sum and no answer; a transaction's identity is a
//! second and a lane. What this system adds to be sure nevertheless stands in `partner::exchange`.

use crate::partner::layout::Element::Field as F;
use crate::partner::layout::{Element, Form, Layout, Roles, field, no_rule};
use crate::partner::value::{Alphabet, Choice, Kind, choice};

const PRICE: Kind = Kind::Amount { max: 999_999_999 };
const STAFF: Kind = Kind::Text { min: 3, max: 4, alphabet: Alphabet::Upper };
const SHIFT: Kind = Kind::Digits { min: 3, max: 3 };
const LANE: Kind = Kind::Digits { min: 3, max: 3 };
const STATION: Kind = Kind::Digits { min: 1, max: 3 };
const TICKET: Kind = Kind::Text { min: 1, max: 20, alphabet: Alphabet::Ticket };
const TAG: Kind = Kind::Text { min: 24, max: 24, alphabet: Alphabet::Hex };
const PLATE: Kind = Kind::Text { min: 1, max: 12, alphabet: Alphabet::Plate };
const READ_PLATE: Kind = Kind::Text { min: 0, max: 12, alphabet: Alphabet::Plate };
const TEXT: Kind = Kind::Text { min: 0, max: 200, alphabet: Alphabet::Name };
const NAME: Kind = Kind::Text { min: 1, max: 100, alphabet: Alphabet::Name };
const ZERO: Kind = Kind::Code(&[choice("0", "")]);
const YES_NO: Kind = Kind::Code(&[choice("0", "no"), choice("1", "yes")]);
/// First digit: single, month, quarter. Second digit: group 1 to 5 and one more.
const TICKET_CODE: Kind = Kind::Code(&[
    choice("12", "single, group 1"),
    choice("13", "single, group 2"),
    choice("14", "single, group 3"),
    choice("15", "single, group 4"),
    choice("16", "single, group 5"),
    choice("22", "month, group 1"),
    choice("23", "month, group 2"),
    choice("24", "month, group 3"),
    choice("25", "month, group 4"),
    choice("26", "month, group 5"),
    choice("32", "quarter, group 1"),
    choice("33", "quarter, group 2"),
    choice("34", "quarter, group 3"),
    choice("35", "quarter, group 4"),
    choice("36", "quarter, group 5"),
]);
const PRIORITY_KINDS: &[Choice] = &[
    choice("20", "one vehicle, opened by card"),
    choice("21", "one vehicle, opened at the keyboard"),
    choice("30", "convoy, opened by card"),
    choice("31", "convoy, opened at the keyboard"),
];

const TRANSACTION: Element =
    F(field("transaction", Kind::Stamp).says("the second: two in one second share it"));
const TIME: Element = F(field("time", Kind::TimeOfDay));
const PASSED: Element = F(field("plate-recognised", READ_PLATE)
    .personal()
    .says("as the camera read it; empty where it could not"));
const BY: Element = F(field("staff", STAFF));
const IN_SHIFT: Element = F(field("shift", SHIFT));
const AT_LANE: Element = F(field("lane", LANE));
const COST: Element = F(field("price", PRICE));
const SERIAL: Element = F(field("ticket", TICKET));
const ETAG: Element = F(field("etag", TAG).personal());
const SORT: Element = F(field("ticket-code", TICKET_CODE));
const OF_PLATE: Element = F(field("plate", PLATE).personal());
const FIRST_DAY: Element = F(field("from", Kind::DashedDay));
const LAST_DAY: Element = F(field("to", Kind::DashedDay));

const PASSAGES: Roles =
    Roles { identity: &["transaction", "lane", "ticket"], amount: Some("price"), ..Roles::NONE };

const fn layout(
    code: &'static str,
    says: &'static str,
    record: &'static [Element],
    roles: Roles,
) -> Layout {
    Layout { code, says, form: Form::Tuples, header: &[], record, roles, rule: no_rule }
}

/// Books of single tickets handed to staff. Station to VETC.
pub static VELUOT: Layout = layout(
    "VELUOT",
    "single tickets in books",
    &[
        COST,
        F(field("quantity", Kind::Number { min: 1, max: 999_999 })),
        F(field("first-ticket", TICKET)),
        F(field("last-ticket", TICKET)),
        BY,
    ],
    Roles { identity: &["first-ticket"], amount: None, ..Roles::NONE },
);

/// Month and quarter tickets. Station to VETC.
pub static VETHANG: Layout = layout(
    "VETHANG",
    "month and quarter tickets",
    &[SERIAL, COST, SORT, OF_PLATE, FIRST_DAY, LAST_DAY],
    Roles { identity: &["ticket"], amount: Some("price"), ..Roles::NONE },
);

/// The same by tag. VETC to station.
pub static VETHANG_ETAG: Layout = layout(
    "VETHANGETAG",
    "month and quarter tickets by tag",
    &[ETAG, COST, SORT, OF_PLATE, FIRST_DAY, LAST_DAY, F(field("staff", STAFF).maybe())],
    Roles { identity: &["etag", "from"], amount: Some("price"), ..Roles::NONE },
);

/// Staff. Station to VETC.
pub static NHANVIEN: Layout = layout(
    "NHANVIEN",
    "staff",
    &[
        BY,
        F(field("team", NAME)),
        F(field("surname", NAME).personal()),
        F(field("name", NAME).personal()),
        F(field("name-plain", NAME).personal()),
        F(field("address", TEXT).personal()),
        F(field("phone", TEXT).personal()),
        F(field("note", TEXT).personal()),
        F(field("station", STATION)),
    ],
    Roles { identity: &["staff"], ..Roles::NONE },
);

/// Known vehicles. Station to VETC.
pub static DATASOXE: Layout = layout(
    "DATASOXE",
    "known vehicles",
    &[
        OF_PLATE,
        SORT,
        COST,
        F(field("registered", Kind::DashedDay)),
        F(field("inspection", TEXT).personal()),
        F(field("payload", TEXT)),
        F(field("status", TEXT)),
        F(field("note", TEXT).personal()),
        BY,
        F(field("day", Kind::DashedDay)),
        F(field("zero", ZERO)),
        F(field("show-note", YES_NO)),
        F(field("priority", YES_NO)),
        F(field("lane-note", TEXT).personal()),
        F(field("station", STATION)),
    ],
    Roles { identity: &["plate"], ..Roles::NONE },
);

/// Passages on single tickets. VETC to station.
pub static ONE_WAY: Layout = layout(
    "TRANSFERONEWAYTICKETS",
    "passages on single tickets",
    &[
        TRANSACTION,
        TIME,
        SERIAL,
        COST,
        PASSED,
        BY,
        IN_SHIFT,
        AT_LANE,
        SORT,
        F(field("station", STATION)),
        F(field("inter-station", YES_NO)),
    ],
    PASSAGES,
);

/// Passages on month and quarter tickets. VETC to station.
pub static BY_MONTH: Layout =
    Layout { code: "VETHANG_MAVE", says: "passages on month and quarter tickets", ..ONE_WAY };

/// Passages by tag. VETC to station.
pub static BY_ETAG: Layout = layout(
    "ETAG",
    "passages by tag",
    &[
        TRANSACTION,
        TIME,
        ETAG,
        COST,
        PASSED,
        BY,
        IN_SHIFT,
        AT_LANE,
        SORT,
        F(field("plate-registered", PLATE).maybe().personal()),
    ],
    Roles { identity: &["transaction", "lane", "etag"], ..PASSAGES },
);

/// Passages of vehicles with priority, alone or in a convoy. VETC to station.
pub static SPECIAL: Layout = layout(
    "TRANSFERSPECIAL",
    "passages of vehicles with priority",
    &[
        TRANSACTION,
        TIME,
        F(field("tid", Kind::Text { min: 1, max: 24, alphabet: Alphabet::Upper }).personal()),
        PASSED,
        BY,
        IN_SHIFT,
        AT_LANE,
        F(field("priority-kind", Kind::Code(PRIORITY_KINDS))),
        F(field("zero-1", ZERO)),
        F(field("zero-2", ZERO)),
    ],
    Roles { identity: &["transaction", "lane", "tid", "plate-recognised"], ..Roles::NONE },
);

/// Passages on tickets of the Ministry of Finance. VETC to station.
pub static MINISTRY: Layout = layout(
    "BTC",
    "passages on the ministry's tickets",
    &[
        TRANSACTION,
        TIME,
        F(field("tid", Kind::Text { min: 1, max: 24, alphabet: Alphabet::Upper }).personal()),
        F(field("class", Kind::Digits { min: 1, max: 2 })),
        PASSED,
        BY,
        IN_SHIFT,
        AT_LANE,
        F(field("zero-1", ZERO)),
        F(field("zero-2", ZERO)),
    ],
    Roles { identity: &["transaction", "lane", "tid"], ..Roles::NONE },
);

/// Every layout, in the order of the documentation.
pub static ALL: [&Layout; 10] = [
    &VELUOT,
    &VETHANG,
    &VETHANG_ETAG,
    &NHANVIEN,
    &DATASOXE,
    &ONE_WAY,
    &BY_MONTH,
    &BY_ETAG,
    &SPECIAL,
    &MINISTRY,
];
