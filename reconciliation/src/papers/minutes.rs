//! Minutes of reconciliation as a sheet and as CSV. Party A is the operator, party B the other.

use super::sealed::Sealed;
use super::statement::{column, money_columns};
use super::{Both, Cell, PdfError, Place, Sheet, Table, WorkbookError, words};
use crate::cases::{Kind, Outcome};
use crate::matching::Class;
use crate::matching::class::{ClassLine, SideSum};
use crate::minutes::{
    CaseLine, Counted, DayPaper, Difference, Figure, KindLine, Minutes, MinutesPaper, PaidBy,
    Party, Source, Span,
};
use crate::money::Signed;
use crate::papers::period::Period;
use crate::statement::FormError;

impl Sealed<Minutes> {
    /// As pages that both parties sign.
    ///
    /// # Errors
    /// When the stored text is no minutes, or the pages cannot be made.
    pub fn pdf(&self) -> Result<Vec<u8>, PdfError> {
        let minutes = self.read().map_err(PdfError::Text)?;
        super::pdf::render(&sheet(&minutes, self), &self.to_json())
    }

    /// As a workbook.
    ///
    /// # Errors
    /// When the stored text is no minutes, or the workbook cannot be made.
    pub fn xlsx(&self) -> Result<Vec<u8>, WorkbookError> {
        let minutes = self.read().map_err(WorkbookError::Text)?;
        super::xlsx::render(&sheet(&minutes, self))
    }

    /// As one table, each row named by its section.
    ///
    /// # Errors
    /// When the stored text is no minutes, or the writer fails.
    pub fn csv(&self) -> Result<String, FormError> {
        let minutes = self.read().map_err(FormError::Text)?;
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(COLUMNS)?;
        for row in rows(&minutes) {
            table.write_record(row)?;
        }
        table.write_record(row("digest", &self.digest().to_string(), "", [""; 4], ""))?;
        let bytes = table.into_inner().map_err(|error| FormError::End(error.into_error()))?;
        Ok(String::from_utf8(bytes)?)
    }
}

fn sheet(minutes: &Minutes, paper: &MinutesPaper) -> Sheet {
    let net = minutes.owed.net;
    let mut tables = vec![classes(minutes), kinds(minutes), owed(minutes), carried(minutes)];
    if !minutes.cases.is_empty() {
        tables.push(cases(&minutes.cases));
    }
    if !minutes.differences.is_empty() {
        tables.push(differences(minutes));
    }
    tables.push(proofs(minutes));
    Sheet {
        title: title(minutes),
        facts: facts(minutes),
        tables,
        words: [
            words::vietnamese(net, minutes.currency),
            words::english(net, minutes.currency),
        ],
        notes: vec![
            "Hai bên đã đối chiếu các bản ghi nêu trên và xác nhận số liệu; các chênh lệch được xử lý theo \
             mã hồ sơ. / Both parties have held the records above against each other and confirm the figures; \
             differences are dealt with under the codes of their cases."
                .to_owned(),
            "Biên bản lập thành hai bản có giá trị như nhau, mỗi bên giữ một bản. / Made in two copies of \
             equal force, one for each party."
                .to_owned(),
        ],
        signatures: places(minutes),
        digest: paper.digest().to_string(),
        signature: paper.signature().to_text(),
        made_at: minutes.issued_at,
    }
}

fn title(minutes: &Minutes) -> Both {
    match minutes.span {
        Span::Day(_) => {
            Both("BIÊN BẢN ĐỐI SOÁT THU PHÍ THEO NGÀY", "DAILY MINUTES OF RECONCILIATION")
        }
        Span::Period(Period::Month(_)) => {
            Both("BIÊN BẢN ĐỐI SOÁT THU PHÍ THEO THÁNG", "MONTHLY MINUTES OF RECONCILIATION")
        }
        Span::Period(Period::Year(_)) => {
            Both("BIÊN BẢN ĐỐI SOÁT THU PHÍ THEO NĂM", "YEARLY MINUTES OF RECONCILIATION")
        }
    }
}

fn facts(minutes: &Minutes) -> Vec<(Both, String)> {
    let Minutes { operator, operator_name, with, issuer_name, .. } = minutes;
    let operator = format!("{operator_name} ({operator})");
    let other = match with {
        Party::Issuer(issuer) => format!("{issuer_name} ({issuer})"),
        Party::BankOf(issuer) => {
            format!("Ngân hàng của / The bank of {issuer_name} ({issuer})")
        }
    };
    let counted = match minutes.counted {
        Counted::Settled => "ngày quyết toán / the day of settlement",
        Counted::Passed => "thời điểm xe qua trạm / the time of passing",
        Counted::Ordered => "ngày phải chuyển tiền / the day of payment",
    };
    let signer = |name: &str| if name.is_empty() { "…".to_owned() } else { name.to_owned() };
    vec![
        (Both("Bên A (đơn vị khai thác)", "Party A (operator)"), operator),
        (Both("Đại diện bên A", "For party A"), signer(&minutes.signers.operator)),
        (Both("Bên B", "Party B"), other),
        (Both("Đại diện bên B", "For party B"), signer(&minutes.signers.other)),
        (Both("Kỳ đối soát", "Span"), minutes.span.to_string()),
        (Both("Tính theo", "Counted by"), counted.to_owned()),
        (Both("Lần lập", "Revision"), minutes.revision.to_string()),
        (Both("Lập lúc (UTC)", "Issued at (UTC)"), minutes.issued_at.to_string()),
        (Both("Đơn vị tiền", "Currency"), minutes.currency.to_string()),
    ]
}

fn places(minutes: &Minutes) -> Vec<Place> {
    let other = match minutes.with {
        Party::Issuer(_) => Both("ĐẠI DIỆN BÊN B", "For party B, the issuer"),
        Party::BankOf(_) => Both("ĐẠI DIỆN BÊN B", "For party B, the bank"),
    };
    let operator = Both("ĐẠI DIỆN BÊN A", "For party A, the operator");
    vec![
        Place { who: operator, name: minutes.signers.operator.clone() },
        Place { who: other, name: minutes.signers.other.clone() },
    ]
}

const fn class_name(class: Class) -> Both {
    match class {
        Class::Matched => Both("Khớp", "Matched"),
        Class::AmountDiffers => Both("Lệch số tiền", "Amount differs"),
        Class::GroupDiffers => Both("Lệch nhóm xe", "Group differs"),
        Class::OnlyOurs => Both("Chỉ bên A có", "Only party A"),
        Class::OnlyTheirs => Both("Chỉ bên B có", "Only party B"),
        Class::Duplicate => Both("Trùng", "Duplicate"),
        Class::Disputed => Both("Đang khiếu nại", "Disputed"),
    }
}

fn side_cells(side: SideSum) -> [Cell; 3] {
    [
        Cell::count(side.rows),
        Cell::Number(side.amount.minor_units()),
        Cell::Number(side.reversed.minor_units()),
    ]
}

fn joined(Both(vi, en): &Both) -> String {
    format!("{vi} / {en}")
}

fn classes(minutes: &Minutes) -> Table {
    let line = |name: String, ours: SideSum, theirs: SideSum| {
        let cells = side_cells(ours).into_iter().chain(side_cells(theirs));
        std::iter::once(Cell::Text(name)).chain(cells).collect()
    };
    let row = |one: &ClassLine| line(joined(&class_name(one.class)), one.ours, one.theirs);
    Table {
        title: Both("1. Kết quả đối chiếu của hai bên", "Both sides, by the outcome of matching"),
        columns: vec![
            column("Kết quả", "Outcome", 26),
            column("A: Bản ghi", "A: records", 10),
            column("A: Số tiền", "A: amount", 15),
            column("A: Hoàn lại", "A: given back", 12),
            column("B: Bản ghi", "B: records", 10),
            column("B: Số tiền", "B: amount", 15),
            column("B: Hoàn lại", "B: given back", 12),
        ],
        rows: minutes.classes.iter().map(row).collect(),
        total: Some(line("Cộng / Total".to_owned(), minutes.ours, minutes.theirs)),
    }
}

const fn paid_by_name(kind: PaidBy) -> Both {
    match kind {
        PaidBy::Account => Both("Tài khoản giao thông", "From accounts"),
        PaidBy::Correction => Both("Điều chỉnh trên tài khoản", "Corrections on accounts"),
        PaidBy::Cash => Both("Tiền mặt (bên A đã giữ)", "Cash (with party A)"),
        PaidBy::Transfer => Both("Chuyển khoản", "Transfers"),
        PaidBy::GivenBack => Both("Ngân hàng hoàn lại", "Given back by the bank"),
    }
}

fn kinds(minutes: &Minutes) -> Table {
    let cells = |figure: Option<Figure>| match figure {
        Some(Figure { records, amount }) => {
            [Cell::count(records), Cell::Number(amount.minor_units())]
        }
        None => [Cell::text("-"), Cell::text("-")],
    };
    let row = |line: &KindLine| {
        let apart = line.ours.zip(line.theirs).map(|(ours, theirs)| {
            ours.amount.minor_units().saturating_sub(theirs.amount.minor_units())
        });
        let mut row = vec![Cell::Text(joined(&paid_by_name(line.kind)))];
        row.extend(cells(line.ours));
        row.extend(cells(line.theirs));
        row.push(apart.map_or_else(|| Cell::text("-"), Cell::Number));
        row
    };
    Table {
        title: Both("2. Theo hình thức thanh toán", "By kind of payment"),
        columns: vec![
            column("Hình thức", "Kind", 34),
            column("A: Bản ghi", "A: records", 10),
            column("A: Số tiền", "A: amount", 16),
            column("B: Bản ghi", "B: records", 10),
            column("B: Số tiền", "B: amount", 16),
            column("Chênh lệch", "Difference", 14),
        ],
        rows: minutes.kinds.iter().map(row).collect(),
        total: None,
    }
}

fn owed(minutes: &Minutes) -> Table {
    let row = std::iter::once(Cell::text(minutes.with.issuer())).chain(minutes.owed.cells());
    Table {
        title: Both("3. Phải thanh toán theo bảng kê đã ký", "Owed, by the signed statements"),
        columns: money_columns(column("Nhà cung cấp", "Issuer", 16)),
        rows: vec![row.collect()],
        total: None,
    }
}

fn carried_lines(minutes: &Minutes) -> [(Both, Option<u64>, Signed); 4] {
    let carried = minutes.carried;
    let line = |name, Figure { records, amount }| (name, Some(records), amount);
    [
        line(Both("Hồ sơ chưa giải quyết", "Cases not settled"), carried.cases),
        line(
            Both("Lượt của ngày khác, quyết toán kỳ này", "Passages of other days, settled here"),
            carried.from_other_days,
        ),
        line(
            Both("Lượt của kỳ này, quyết toán sau", "Passages of these days, settled later"),
            carried.to_later_days,
        ),
        (
            Both("Phải trả, ngân hàng chưa báo có", "Owed, and not shown by the bank"),
            None,
            carried.not_booked,
        ),
    ]
}

fn carried(minutes: &Minutes) -> Table {
    let row = |(name, records, amount): (Both, Option<u64>, Signed)| {
        let records = records.map_or_else(|| Cell::text("-"), Cell::count);
        vec![Cell::Text(joined(&name)), records, Cell::Number(amount.minor_units())]
    };
    Table {
        title: Both("4. Chuyển kỳ sau", "Carried over"),
        columns: vec![
            column("Nội dung", "What", 60),
            column("Số lượng", "Count", 15),
            column("Số tiền", "Amount", 25),
        ],
        rows: carried_lines(minutes).into_iter().map(row).collect(),
        total: None,
    }
}

const fn kind_name(kind: Kind) -> Both {
    match kind {
        Kind::Hole => Both("Thiếu số", "Numbers missing"),
        Kind::Unproven => Both("Sổ không khớp", "Books differ"),
        Kind::OnlyOurs => Both("Chỉ bên A có", "Only party A"),
        Kind::OnlyTheirs => Both("Chỉ bên B có", "Only party B"),
        Kind::AmountDiffers => Both("Lệch số tiền", "Amount differs"),
        Kind::ClassDiffers => Both("Lệch nhóm xe", "Group differs"),
        Kind::Duplicate => Both("Trùng", "Duplicate"),
        Kind::BankShort => Both("Ngân hàng trả thiếu", "Bank paid less"),
        Kind::BankReturned => Both("Ngân hàng trả lại", "Bank gave back"),
        Kind::BankOver => Both("Ngân hàng trả thừa", "Bank paid more"),
        Kind::BankUnknown => Both("Không rõ khoản nào", "For no known payment"),
        Kind::BankLate => Both("Ngân hàng trả chậm", "Bank is late"),
        Kind::Dispute => Both("Khiếu nại", "Dispute"),
        Kind::ManifestMissing => Both("Làn chưa báo cáo", "Lane did not tell"),
        Kind::ManifestDiffers => Both("Làn báo số khác", "Lane tells otherwise"),
        Kind::LoopsDiffer => Both("Vòng từ lệch", "Loops differ"),
        Kind::ReviewDiffers => Both("Soát ảnh thấy khác", "Review saw otherwise"),
    }
}

fn cases(lines: &[CaseLine]) -> Table {
    let row = |line: &CaseLine| {
        let cells = |Figure { records, amount }: Figure| {
            [Cell::count(records), Cell::Number(amount.minor_units())]
        };
        let mut row = vec![Cell::Text(joined(&kind_name(line.kind)))];
        row.extend(cells(line.settled));
        row.extend(cells(line.open));
        row
    };
    Table {
        title: Both("5. Hồ sơ theo loại", "Cases by kind"),
        columns: vec![
            column("Loại", "Kind", 36),
            column("Đã xong", "Settled", 14),
            column("Số tiền", "Amount", 18),
            column("Chưa xong", "Open", 14),
            column("Số tiền", "Amount", 18),
        ],
        rows: lines.iter().map(row).collect(),
        total: None,
    }
}

/// How a difference ends, for people.
fn end_of(one: &Difference) -> String {
    let how = match &one.outcome {
        None => return "chưa giải quyết / open".to_owned(),
        Some(Outcome::Stands) => "sổ bên A đúng / A's books stand".to_owned(),
        Some(Outcome::TheirsCorrected) => "bên B sửa / B corrects".to_owned(),
        Some(Outcome::Corrected { right: Some(right), day, .. }) => {
            format!("sửa thành / corrected to {right}, {day}")
        }
        Some(Outcome::Corrected { right: None, day, .. }) => format!("hủy / undone, {day}"),
        Some(Outcome::Booked) => "ngân hàng đã sửa / put right by the bank".to_owned(),
        Some(Outcome::Assigned { end_to_end }) => format!("là khoản / is {end_to_end}"),
        Some(Outcome::Charged { amount, day, .. }) => {
            format!("thu bổ sung / charged {amount}, {day}")
        }
    };
    if one.settled { how } else { format!("đề xuất / proposed: {how}") }
}

fn differences(minutes: &Minutes) -> Table {
    let row = |one: &Difference| {
        let side = |text: &Option<String>| Cell::Text(text.clone().unwrap_or_else(|| "-".into()));
        vec![
            Cell::text(&one.case),
            Cell::Text(joined(&kind_name(one.kind))),
            side(&one.ours),
            side(&one.theirs),
            Cell::Number(one.amount.minor_units()),
            Cell::Text(end_of(one)),
        ]
    };
    let title = match minutes.span {
        Span::Day(_) => Both("6. Chênh lệch", "Differences"),
        Span::Period(_) => {
            Both("6. Chênh lệch chưa giải quyết", "Differences that are not settled")
        }
    };
    Table {
        title,
        columns: vec![
            column("Hồ sơ", "Case", 15),
            column("Loại", "Kind", 13),
            column("Bên A", "Party A", 25),
            column("Bên B", "Party B", 25),
            column("Số tiền", "Amount", 11),
            column("Kết quả", "Outcome", 16),
        ],
        rows: minutes.differences.iter().map(row).collect(),
        total: None,
    }
}

fn proofs(minutes: &Minutes) -> Table {
    let day = |what: &str, one: &DayPaper| {
        vec![Cell::Text(format!("{what} {}", one.day)), Cell::text(&one.digest)]
    };
    let file = |one: &Source| vec![Cell::text(&one.file), Cell::text(&one.digest)];
    let rows = minutes.statements.iter().map(|one| day("bảng kê / statement", one));
    let rows = rows.chain(minutes.minutes.iter().map(|one| day("biên bản / minutes", one)));
    Table {
        title: Both("7. Căn cứ", "What this stands on"),
        columns: vec![column("Bản", "Paper or file", 34), column("SHA-256", "SHA-256", 66)],
        rows: rows.chain(minutes.sources.iter().map(file)).collect(),
        total: None,
    }
}

const COLUMNS: [&str; 8] = [
    "section",
    "name",
    "detail",
    "ours_records",
    "ours_amount",
    "theirs_records",
    "theirs_amount",
    "remark",
];

type Line = [String; 8];

fn row(section: &str, name: &str, detail: &str, figures: [&str; 4], remark: &str) -> Line {
    let [a, b, c, d] = figures;
    [section, name, detail, a, b, c, d, remark].map(str::to_owned)
}

fn figures(ours: Option<Figure>, theirs: Option<Figure>) -> [String; 4] {
    let cells = |figure: Option<Figure>| match figure {
        Some(Figure { records, amount }) => [records.to_string(), amount.minor_units().to_string()],
        None => [String::new(), String::new()],
    };
    let ([a, b], [c, d]) = (cells(ours), cells(theirs));
    [a, b, c, d]
}

/// A side in figures: what it gives back is below zero.
fn side_figures(ours: SideSum, theirs: SideSum) -> [String; 4] {
    let figure = |side: SideSum| Figure {
        records: side.rows,
        amount: Signed::new(side.amount.minor_units().saturating_sub(side.reversed.minor_units())),
    };
    figures(Some(figure(ours)), Some(figure(theirs)))
}

fn rows(minutes: &Minutes) -> Vec<Line> {
    let mut rows = Vec::new();
    let mut add = |section: &str, name: &str, detail: &str, figures: [String; 4], remark: &str| {
        rows.push(row(section, name, detail, figures.each_ref().map(String::as_str), remark));
    };
    let (span, none) = (minutes.span.to_string(), || figures(None, None));
    let with = format!("{}/{}", minutes.with.kind(), minutes.with.issuer());
    let about = format!("{} {}", minutes.currency, minutes.issued_at);
    add("minutes", minutes.operator.as_str(), &with, none(), &format!("{span} {about}"));
    for line in &minutes.classes {
        let sides = side_figures(line.ours, line.theirs);
        add("class", line.class.as_str(), "", sides, "");
    }
    add("class", "total", "", side_figures(minutes.ours, minutes.theirs), "");
    for line in &minutes.kinds {
        add("kind", paid_by_name(line.kind).1, "", figures(line.ours, line.theirs), "");
    }
    let owed = minutes.owed;
    for (name, amount) in [
        ("gross", Signed::from(owed.gross)),
        ("adjustment", owed.adjustment),
        ("fee", owed.fee),
        ("vat", owed.vat),
        ("net", owed.net),
    ] {
        let figure = Figure { records: owed.passages, amount };
        add("owed", name, "", figures(Some(figure), None), "");
    }
    for (Both(_, name), records, amount) in carried_lines(minutes) {
        let figure = Figure { records: records.unwrap_or_default(), amount };
        add("carried", name, "", figures(Some(figure), None), "");
    }
    for line in &minutes.cases {
        let settled = figures(Some(line.settled), None);
        add("cases", line.kind.name(), "settled", settled, "");
        add("cases", line.kind.name(), "open", figures(Some(line.open), None), "");
    }
    for one in &minutes.differences {
        let figure = Figure { records: 1, amount: one.amount.into() };
        add("difference", &one.case, one.kind.name(), figures(Some(figure), None), &end_of(one));
    }
    rows
}
