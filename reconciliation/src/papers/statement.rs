//! A day's statement as a sheet.

use domain::Amount;

use super::{Both, Cell, Column, Place, Sheet, Table, words};
use crate::contract::FeeTerms;
use crate::matching::Tally;
use crate::money::Signed;
use crate::statement::{Adjustment, Paper, Position, Statement, Totals};

pub(super) fn sheet(statement: &Statement, paper: &Paper) -> Sheet {
    let net = statement.totals.net;
    Sheet {
        title: Both("BẢNG KÊ THANH TOÁN PHÍ ĐƯỜNG BỘ THEO NGÀY", "DAILY TOLL SETTLEMENT STATEMENT"),
        facts: facts(statement),
        tables: tables(statement),
        words: [
            words::vietnamese(net, statement.currency),
            words::english(net, statement.currency),
        ],
        notes: notes(statement),
        signatures: signatures(),
        digest: paper.digest.to_string(),
        signature: paper.signature.to_text(),
        made_at: statement.issued_at,
    }
}

/// Who signs a statement.
pub(super) fn signatures() -> Vec<Place> {
    let place = |vi, en| Place { who: Both(vi, en), name: String::new() };
    vec![
        place("NGƯỜI LẬP", "Prepared by"),
        place("KẾ TOÁN TRƯỞNG", "Chief accountant"),
        place("ĐƠN VỊ KHAI THÁC", "For the operator"),
    ]
}

fn facts(statement: &Statement) -> Vec<(Both, String)> {
    let operator = format!("{} ({})", statement.operator_name, statement.operator);
    let mut facts = vec![
        (Both("Đơn vị khai thác", "Operator"), operator),
        (Both("Ngày quyết toán", "Settlement day"), statement.day.to_string()),
        (Both("Lần lập", "Revision"), statement.revision.to_string()),
        (Both("Lập lúc (UTC)", "Issued at (UTC)"), statement.issued_at.to_string()),
        (Both("Đơn vị tiền", "Currency"), statement.currency.to_string()),
        (Both("Biểu giá áp dụng", "Tariffs used"), statement.tariffs.join(", ")),
    ];
    if let Some(reason) = &statement.early_reason {
        facts.push((Both("Chốt sớm vì", "Closed early because"), reason.clone()));
    }
    facts
}

pub(super) fn column(vi: &'static str, en: &'static str, share: u16) -> Column {
    Column { heading: Both(vi, en), share }
}

fn tables(statement: &Statement) -> Vec<Table> {
    let mut tables = vec![money(statement), cash(statement)];
    if !statement.adjustments.is_empty() {
        tables.push(adjustments(&statement.adjustments));
    }
    tables.extend([traffic(statement), dispositions(statement), lanes(statement)]);
    if !statement.holes.is_empty() {
        tables.push(holes(statement));
    }
    tables.push(matching(statement));
    tables
}

/// The columns of what issuers owe, after the first.
pub(super) fn money_columns(first: Column) -> Vec<Column> {
    vec![
        first,
        column("Lượt", "Passages", 9),
        column("Doanh thu", "Gross", 15),
        column("Điều chỉnh", "Adjustment", 13),
        column("Phí dịch vụ", "Fee", 13),
        column("Thuế GTGT", "VAT", 11),
        column("Thực nhận", "Net", 16),
    ]
}

/// What stands in those columns; what comes after gross may be below zero: adjustment, fee, VAT, net.
pub(super) fn money_cells(passages: u64, gross: Amount, signed: [Signed; 4]) -> [Cell; 6] {
    let [adjustment, fee, vat, net] = signed.map(|sum| Cell::Number(sum.minor_units()));
    [Cell::count(passages), Cell::Number(gross.minor_units()), adjustment, fee, vat, net]
}

fn money(statement: &Statement) -> Table {
    let line = |name: Cell, money: [Cell; 6]| std::iter::once(name).chain(money).collect();
    let row = |position: &Position| {
        let Position { issuer, passages, gross, adjustment, fee, vat, net, .. } = position;
        let money = money_cells(*passages, *gross, [*adjustment, *fee, *vat, *net]);
        line(Cell::text(issuer), money)
    };
    let Totals { passages, gross, adjustment, fee, vat, net, .. } = statement.totals;
    let passages = passages.saturating_sub(statement.cash.passages);
    let total = money_cells(passages, gross, [adjustment, fee, vat, net]);
    Table {
        title: Both("1. Phải thu từ nhà cung cấp dịch vụ", "Due from issuers"),
        columns: money_columns(column("Nhà cung cấp", "Issuer", 16)),
        rows: statement.issuers.iter().map(row).collect(),
        total: Some(line(Cell::text("Cộng / Total"), total)),
    }
}

fn cash(statement: &Statement) -> Table {
    let (cash, totals) = (statement.cash, statement.totals);
    Table {
        title: Both("2. Thu tiền mặt, đơn vị đã giữ", "Cash, already with the operator"),
        columns: vec![
            column("Hình thức", "Kind", 30),
            column("Lượt", "Passages", 20),
            column("Số tiền", "Amount", 25),
            column("Điều chỉnh", "Adjustment", 25),
        ],
        rows: vec![vec![
            Cell::text("Tiền mặt / Cash"),
            Cell::count(cash.passages),
            Cell::Number(cash.amount.minor_units()),
            Cell::Number(totals.cash_adjustment.minor_units()),
        ]],
        total: None,
    }
}

fn adjustments(adjustments: &[Adjustment]) -> Table {
    let row = |one: &Adjustment| {
        let (id, at, day) = one.passage.as_ref().map_or_else(Default::default, |passage| {
            (passage.id.to_string(), passage.at.to_string(), passage.day.to_string())
        });
        let kind = match one.kind.as_str() {
            "reversal" => "hủy / undone",
            "repost" => "ghi lại / made again",
            _ => "điều chỉnh / adjusted",
        };
        let of =
            one.issuer.as_ref().map_or_else(|| "tiền mặt / cash".to_owned(), ToString::to_string);
        vec![
            Cell::text(&one.transfer),
            Cell::text(kind),
            Cell::Text(of),
            Cell::Text(format!("{id} {}", one.reference.as_deref().unwrap_or_default())),
            Cell::Text(at),
            Cell::Text(day),
            Cell::Number(one.amount.minor_units()),
        ]
    };
    Table {
        title: Both("Điều chỉnh của các ngày trước", "Corrections of earlier days"),
        columns: vec![
            column("Bút toán", "Transfer", 10),
            column("Loại", "Kind", 14),
            column("Nhà cung cấp", "Issuer", 11),
            column("Lượt qua trạm", "Passage", 21),
            column("Lúc (UTC)", "At (UTC)", 20),
            column("Đã quyết toán", "Settled on", 11),
            column("Số tiền", "Amount", 13),
        ],
        rows: adjustments.iter().map(row).collect(),
        total: None,
    }
}

fn traffic(statement: &Statement) -> Table {
    let row = |line: &crate::statement::Traffic| {
        vec![
            Cell::text(&line.station),
            Cell::Text(line.group.map_or_else(|| "-".to_owned(), |group| group.to_string())),
            Cell::count(line.passages),
            Cell::Number(line.amount.minor_units()),
        ]
    };
    Table {
        title: Both("3. Theo trạm và nhóm xe", "By station and vehicle group"),
        columns: vec![
            column("Trạm", "Station", 40),
            column("Nhóm xe", "Group", 15),
            column("Lượt", "Passages", 20),
            column("Số tiền", "Amount", 25),
        ],
        rows: statement.traffic.iter().map(row).collect(),
        total: None,
    }
}

fn dispositions(statement: &Statement) -> Table {
    let rows = statement.dispositions.iter();
    Table {
        title: Both("4. Theo kết quả xử lý", "By disposition"),
        columns: vec![column("Kết quả", "Disposition", 70), column("Lượt", "Passages", 30)],
        rows: rows
            .map(|one| vec![Cell::text(&one.disposition), Cell::count(one.passages)])
            .collect(),
        total: None,
    }
}

fn lanes(statement: &Statement) -> Table {
    let row = |span: &crate::statement::LaneSpan| {
        vec![
            Cell::text(&span.lane),
            Cell::count(span.epoch.into()),
            Cell::count(span.first_seq),
            Cell::count(span.last_seq),
            Cell::count(span.passages),
        ]
    };
    Table {
        title: Both("5. Dãy số của từng làn", "Numbers of each lane"),
        columns: vec![
            column("Làn", "Lane", 40),
            column("Kỳ", "Epoch", 12),
            column("Từ số", "From", 16),
            column("Đến số", "To", 16),
            column("Lượt", "Passages", 16),
        ],
        rows: statement.lanes.iter().map(row).collect(),
        total: None,
    }
}

fn holes(statement: &Statement) -> Table {
    let row = |hole: &crate::statement::Hole| {
        let missing = &hole.decision.hole;
        vec![
            Cell::Text(format!("{} ({})", missing.lane, missing.epoch)),
            Cell::count(missing.first_seq),
            Cell::count(missing.last_seq),
            Cell::text(&hole.decision.reason),
            Cell::Text(format!("{}, {}", hole.maker, hole.checker)),
        ]
    };
    Table {
        title: Both("Số bị thiếu được chấp nhận", "Missing numbers that were accepted"),
        columns: vec![
            column("Làn (kỳ)", "Lane (epoch)", 28),
            column("Từ số", "From", 10),
            column("Đến số", "To", 10),
            column("Lý do", "Reason", 32),
            column("Người quyết định", "Decided by", 20),
        ],
        rows: statement.holes.iter().map(row).collect(),
        total: None,
    }
}

fn matching(statement: &Statement) -> Table {
    let matched = &statement.matching;
    let row = |name: &str, tally: Tally| {
        vec![Cell::text(name), Cell::count(tally.records), Cell::Number(tally.amount.minor_units())]
    };
    Table {
        title: Both("6. Đối chiếu sổ cái với bản ghi tại làn", "Ledger against lane records"),
        columns: vec![
            column("Kết quả", "Outcome", 56),
            column("Bản ghi", "Records", 18),
            column("Số tiền", "Amount", 26),
        ],
        rows: vec![
            row("Khớp / Matched", matched.matched),
            row("Lệch số tiền, sổ cái / Amount differs, ledger", matched.amount_differs_ours),
            row("Lệch số tiền, làn / Amount differs, lane", matched.amount_differs_theirs),
            row("Chỉ có ở sổ cái / Only in the ledger", matched.only_ours),
            row("Chỉ có ở làn / Only at the lane", matched.only_theirs),
            row("Trùng, sổ cái / Duplicate, ledger", matched.duplicate_ours),
            row("Trùng, làn / Duplicate, lane", matched.duplicate_theirs),
        ],
        total: None,
    }
}

/// How each fee came about, so that it can be worked out again.
fn notes(statement: &Statement) -> Vec<String> {
    let general = FeeTerms::share(statement.fee_share);
    let note = |position: &Position| {
        let terms = position.terms.as_ref().unwrap_or(&general);
        let rounding = match terms.rounding {
            domain::Rounding::HalfUp => "làm tròn nửa lên / half up",
            domain::Rounding::Down => "làm tròn xuống / down",
        };
        format!(
            "{}: phí / fee = (doanh thu + điều chỉnh / gross + adjustment) × {} + lượt / passages × {}; \
             thuế GTGT / VAT = phí / fee × {}; {rounding}.",
            position.issuer, terms.fee_share, terms.fee_per_passage, terms.vat_share
        )
    };
    statement.issuers.iter().map(note).collect()
}
