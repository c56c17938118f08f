//! A statement as a clerk files it: plain text, Vietnamese first, English beside it.

use std::fmt::{self, Write as _};

use super::{Paper, Statement};
use crate::matching::{Tally, Totals as Matched};

const RULE: &str =
    "------------------------------------------------------------------------------------------";

pub(super) fn render(statement: &Statement, paper: &Paper) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let written = write_page(&mut page, statement, paper);
    debug_assert!(written.is_ok(), "a string takes every line");
    page
}

fn write_page(page: &mut String, statement: &Statement, paper: &Paper) -> fmt::Result {
    header(page, statement)?;
    money(page, statement)?;
    corrections(page, statement)?;
    traffic(page, statement)?;
    records(page, statement)?;
    matching(page, &statement.matching)?;
    writeln!(page, "\n{RULE}")?;
    writeln!(page, "SHA-256   {}", paper.digest)?;
    writeln!(page, "Chữ ký số / Signature (Ed25519)\n{}", paper.signature.to_text())
}

fn header(page: &mut String, statement: &Statement) -> fmt::Result {
    writeln!(page, "BẢNG KÊ THANH TOÁN PHÍ ĐƯỜNG BỘ THEO NGÀY")?;
    writeln!(page, "DAILY TOLL SETTLEMENT STATEMENT\n{RULE}")?;
    let operator = format!("{} ({})", statement.operator_name, statement.operator);
    let mut line = |vi: &str, en: &str, value: &dyn fmt::Display| {
        writeln!(page, "{:<48} {value}", format!("{vi} / {en}"))
    };
    line("Đơn vị khai thác", "Operator", &operator)?;
    line("Ngày quyết toán", "Settlement day", &statement.day)?;
    line("Lần lập", "Revision", &statement.revision)?;
    line("Lập lúc (UTC)", "Issued at (UTC)", &statement.issued_at)?;
    line("Đơn vị tiền", "Currency", &statement.currency)?;
    line("Tỷ lệ phí dịch vụ", "Service fee share", &statement.fee_share)?;
    line("Biểu giá áp dụng", "Tariffs used", &statement.tariffs.join(", "))?;
    if let Some(reason) = &statement.early_reason {
        line("Chốt sớm vì", "Closed early because", reason)?;
    }
    Ok(())
}

fn section(page: &mut String, number: u32, vi: &str, en: &str) -> fmt::Result {
    writeln!(page, "\n{number}. {vi} / {en}\n{RULE}")
}

fn money(page: &mut String, statement: &Statement) -> fmt::Result {
    section(page, 1, "Phải thu từ nhà cung cấp dịch vụ", "Due from issuers")?;
    let heading = |page: &mut String, words: [&str; 5]| {
        let [name, passages, gross, fee, net] = words;
        writeln!(page, "{name:<24} {passages:>12} {gross:>16} {fee:>16} {net:>18}")
    };
    heading(page, ["Nhà cung cấp", "Lượt", "Doanh thu", "Phí dịch vụ", "Thực nhận"])?;
    heading(page, ["Issuer", "Passages", "Gross", "Fee", "Net"])?;
    for position in &statement.issuers {
        writeln!(
            page,
            "{:<24} {:>12} {:>16} {:>16} {:>18}",
            position.issuer.as_str(),
            position.passages,
            position.gross,
            position.fee,
            position.net
        )?;
        if !position.adjustment.is_zero() {
            writeln!(page, "{:<37} {:>16}", "  + điều chỉnh / adjustment", position.adjustment)?;
        }
        if !position.vat.is_zero() {
            writeln!(
                page,
                "{:<54} {:>16}",
                "  + thuế GTGT của phí / VAT on the fee", position.vat
            )?;
        }
    }
    let totals = statement.totals;
    let from_accounts = totals.passages - statement.cash.passages;
    writeln!(
        page,
        "{:<24} {from_accounts:>12} {:>16} {:>16} {:>18}",
        "Cộng / Total", totals.gross, totals.fee, totals.net
    )?;
    section(page, 2, "Thu tiền mặt, đơn vị đã giữ", "Cash, already with the operator")?;
    let cash = statement.cash;
    writeln!(page, "{:<24} {:>12} {:>16}", "Tiền mặt / Cash", cash.passages, cash.amount)
}

/// What was corrected of earlier days, and what was given up; nothing where there is neither.
fn corrections(page: &mut String, statement: &Statement) -> fmt::Result {
    if !statement.adjustments.is_empty() {
        writeln!(page, "\nĐiều chỉnh của các ngày trước / Corrections of earlier days\n{RULE}")?;
    }
    for one in &statement.adjustments {
        let of = one.issuer.as_ref().map_or_else(|| "cash".to_owned(), ToString::to_string);
        let passage = one.passage.as_ref().map_or_else(String::new, |passage| {
            format!("{} {} ({})", passage.id, passage.at, passage.day)
        });
        writeln!(page, "{:<12} {:<12} {:>16}  {passage}", one.kind, of, one.amount)?;
    }
    for hole in &statement.holes {
        let missing = &hole.decision.hole;
        writeln!(
            page,
            "\nThiếu số / Missing: {} {}: {}-{}; {} ({}, {})",
            missing.lane,
            missing.epoch,
            missing.first_seq,
            missing.last_seq,
            hole.decision.reason,
            hole.maker,
            hole.checker
        )?;
    }
    Ok(())
}

fn traffic(page: &mut String, statement: &Statement) -> fmt::Result {
    section(page, 3, "Theo trạm và nhóm xe", "By station and vehicle group")?;
    let title = ["Trạm / Station", "Nhóm / Group", "Lượt / Passages", "Số tiền / Amount"];
    writeln!(page, "{:<34} {:>14} {:>18} {:>20}", title[0], title[1], title[2], title[3])?;
    for line in &statement.traffic {
        let group = line.group.map_or_else(|| "-".to_owned(), |group| group.to_string());
        writeln!(
            page,
            "{:<34} {group:>14} {:>18} {:>20}",
            line.station.as_str(),
            line.passages,
            line.amount
        )?;
    }
    Ok(())
}

fn records(page: &mut String, statement: &Statement) -> fmt::Result {
    section(page, 4, "Theo kết quả xử lý", "By disposition")?;
    for count in &statement.dispositions {
        writeln!(page, "{:<34} {:>14}", count.disposition, count.passages)?;
    }
    section(page, 5, "Dãy số của từng làn", "Numbers of each lane")?;
    let title = ["Làn / Lane", "Kỳ / Epoch", "Từ / From", "Đến / To", "Lượt / Passages"];
    let [lane, epoch, first, last, passages] = title;
    writeln!(page, "{lane:<34} {epoch:>10} {first:>12} {last:>12} {passages:>18}")?;
    for span in &statement.lanes {
        writeln!(
            page,
            "{:<34} {:>10} {:>12} {:>12} {:>18}",
            span.lane.to_string(),
            span.epoch,
            span.first_seq,
            span.last_seq,
            span.passages
        )?;
    }
    Ok(())
}

fn matching(page: &mut String, matched: &Matched) -> fmt::Result {
    section(page, 6, "Đối chiếu sổ cái với bản ghi tại làn", "Ledger against lane records")?;
    let mut line = |words: &str, tally: Tally| {
        writeln!(page, "{words:<56} {:>12} {:>18}", tally.records, tally.amount)
    };
    line("Khớp / Matched", matched.matched)?;
    line("Lệch số tiền, sổ cái / Amount differs, ledger", matched.amount_differs_ours)?;
    line("Lệch số tiền, làn / Amount differs, lane", matched.amount_differs_theirs)?;
    line("Chỉ có ở sổ cái / Only in the ledger", matched.only_ours)?;
    line("Chỉ có ở làn / Only at the lane", matched.only_theirs)?;
    line("Trùng, sổ cái / Duplicate, ledger", matched.duplicate_ours)?;
    line("Trùng, làn / Duplicate, lane", matched.duplicate_theirs)
}
