//! A sheet as a workbook: one worksheet a table, the facts first, numbers as numbers.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::{Cell, Sheet, Table};

/// Why a workbook could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WorkbookError {
    /// The stored text is no statement.
    #[error("read the statement")]
    Text(#[source] serde_json::Error),
    /// The writer refused.
    #[error("write the workbook")]
    Write(#[from] XlsxError),
    /// A number has more digits than a spreadsheet keeps.
    #[error("{0} has more digits than a spreadsheet keeps without rounding")]
    TooLarge(i64),
}

/// Whole numbers up to here are kept to the last digit by every spreadsheet (2^53).
const EXACT_MAX: u64 = 9_007_199_254_740_992;

pub(super) fn render(sheet: &Sheet) -> Result<Vec<u8>, WorkbookError> {
    let mut book = Workbook::new();
    let made_at = sheet.made_at.to_zoned(jiff::tz::TimeZone::UTC);
    let created = ExcelDateTime::from_timestamp(made_at.timestamp().as_second())?;
    let title = format!("{} / {}", sheet.title.0, sheet.title.1);
    let properties = DocProperties::new().set_title(&title).set_creation_datetime(&created);
    book.set_properties(&properties);
    let bold = Format::new().set_bold();
    let first = book.add_worksheet();
    first.set_name("0")?.set_column_width(0, 56)?.set_column_width(1, 60)?;
    first.write_with_format(0, 0, &title, &bold)?;
    let mut row = 2;
    let mut line = |first: &mut Worksheet, name: String, value: &str| {
        first.write(row, 0, name)?.write(row, 1, value)?;
        row += 1;
        Ok::<_, XlsxError>(())
    };
    for (name, value) in &sheet.facts {
        line(first, format!("{} / {}", name.0, name.1), value)?;
    }
    line(first, "Bằng chữ".to_owned(), &sheet.words[0])?;
    line(first, "In words".to_owned(), &sheet.words[1])?;
    line(first, "SHA-256".to_owned(), &sheet.digest)?;
    line(first, "Ed25519".to_owned(), &sheet.signature)?;
    for (number, table) in sheet.tables.iter().enumerate() {
        let worksheet = book.add_worksheet();
        worksheet.set_name((number + 1).to_string())?;
        write_table(worksheet, table)?;
    }
    Ok(book.save_to_buffer()?)
}

fn write_table(worksheet: &mut Worksheet, table: &Table) -> Result<(), WorkbookError> {
    let bold = Format::new().set_bold();
    let heading = Format::new().set_bold().set_text_wrap().set_background_color("#ECECEC");
    worksheet.write_with_format(0, 0, format!("{} / {}", table.title.0, table.title.1), &bold)?;
    for (column, at) in table.columns.iter().zip(0_u16..) {
        let text = format!("{}\n{}", column.heading.0, column.heading.1);
        worksheet.write_with_format(2, at, text, &heading)?;
        worksheet.set_column_width(at, 22)?;
    }
    worksheet.set_freeze_panes(3, 0)?;
    let rows = table.rows.iter().map(|row| (row, false));
    let total = table.total.iter().map(|row| (row, true));
    for ((row, is_total), number) in rows.chain(total).zip(3_u32..) {
        for (cell, at) in row.iter().zip(0_u16..) {
            let format = Format::new();
            let format = if is_total { format.set_bold() } else { format };
            match cell {
                Cell::Text(text) => worksheet.write_with_format(number, at, text, &format)?,
                Cell::Number(units) => {
                    if units.unsigned_abs() > EXACT_MAX {
                        return Err(WorkbookError::TooLarge(*units));
                    }
                    let format = format.set_num_format("#,##0");
                    worksheet.write_with_format(number, at, *units, &format)?
                }
            };
        }
    }
    Ok(())
}
