//! The panel's protocol: rows of text to bytes. Pure.
//!
//! A row is `MSSL|STATIC|F16|00-00|TEXT` and CR, at 4800 baud: how it is shown, the font, the
//! pixel it starts at from the left and from the top, and the text. `SCROLL` in the place of
//! `STATIC` lets a row run that is wider than the panel. The panel answers nothing.
//!
//! Source: `Protocol_IHMCL_DISPLAY.pdf` in `SoftomationItSolution/HighwaySolutions@61ff8d9`,
//! `Documents/SDK_VARA`.

use super::compose::{Layout, Row};

/// A font of the panel, by its height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "u8")]
pub enum Font {
    /// 16 pixels.
    Px16 = 16,
    /// 7 pixels.
    Px7 = 7,
    /// 5 pixels.
    Px5 = 5,
}

/// A height that no font has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the panel has fonts of 16, 7 and 5 pixels, not {0}")]
pub struct FontError(u8);

impl TryFrom<u8> for Font {
    type Error = FontError;
    fn try_from(height_px: u8) -> Result<Self, FontError> {
        match height_px {
            16 => Ok(Self::Px16),
            7 => Ok(Self::Px7),
            5 => Ok(Self::Px5),
            other => Err(FontError(other)),
        }
    }
}

/// The bytes that show the rows from the top of the panel down.
#[must_use]
pub fn emit(rows: &[Row], font: Font, layout: Layout) -> Vec<u8> {
    let mut line = Vec::new();
    for (row, top_px) in rows.iter().zip((0_u32..).step_by(usize::from(layout.row_px.max(1)))) {
        let (mode, text) = match row {
            Row::Static(text) => ("STATIC", text),
            Row::Scroll(text) => ("SCROLL", text),
        };
        // Two digits are all that the protocol has for a place.
        let top_px = top_px.min(99);
        let start = format!("MSSL|{mode}|F{:02}|00-{top_px:02}|", font as u8);
        line.extend(start.as_bytes());
        // What separates fields or ends a row cannot be part of one.
        let is_text = |c: &char| *c != '|' && !c.is_control();
        line.extend(text.chars().filter(is_text).collect::<String>().into_bytes());
        line.push(b'\r');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::super::compose::Charset;
    use super::*;

    fn check(rows: &[Row], font: Font, expected: &str) {
        let layout = Layout { columns: 16, rows: 2, row_px: 16, charset: Charset::Ascii };
        assert_eq!(String::from_utf8(emit(rows, font, layout)).unwrap(), expected);
    }

    #[test]
    fn rows_stand_one_below_the_other() {
        check(&[Row::Static("TEXT".to_owned())], Font::Px16, "MSSL|STATIC|F16|00-00|TEXT\r");
        check(
            &[Row::Static("35.000d".to_owned()), Row::Scroll("Xin cho".to_owned())],
            Font::Px7,
            "MSSL|STATIC|F07|00-00|35.000d\rMSSL|SCROLL|F07|00-16|Xin cho\r",
        );
    }

    #[test]
    fn text_cannot_break_out_of_its_row() {
        let row = Row::Static("A|B\rMSSL|\u{7}C".to_owned());
        check(&[row], Font::Px5, "MSSL|STATIC|F05|00-00|ABMSSLC\r");
    }

    #[test]
    fn a_font_that_the_panel_does_not_have_is_refused() {
        assert_eq!(Font::try_from(16), Ok(Font::Px16));
        assert_eq!(Font::try_from(8), Err(FontError(8)));
    }
}
