//! A sheet as pages: A4, PDF/A-3b, which is what is archived. The text it was made of is attached.
//!
//! First everything is placed, line by line, and pages are broken; then the pages are written, when
//! it is known how many there are. Lengths are points, 72 to an inch; money is only ever text here.

use std::ops::Range;

use domain::Timestamp;
use krilla::configure::{Archival, ConfigurationBuilder};
use krilla::embed::{AssociationKind, EmbeddedFile, MimeType};
use krilla::error::KrillaError;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use krilla::{Document, SerializeSettings, color::luma};
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::{FontRef, MetadataProvider as _};

use super::{Both, Cell, Place, Sheet, Table};
use crate::money::Signed;

const REGULAR: &[u8] = include_bytes!("fonts/DejaVuSansCondensed.ttf");
const BOLD: &[u8] = include_bytes!("fonts/DejaVuSansCondensed-Bold.ttf");

const PAGE: (f32, f32) = (595.0, 842.0);
const LEFT: f32 = 42.0;
const WIDTH: f32 = PAGE.0 - 2.0 * LEFT;
const TOP: f32 = 48.0;
/// Below this line stands the page's foot alone.
const BOTTOM: f32 = PAGE.1 - 52.0;
const BODY: f32 = 8.5;
const SMALL: f32 = 7.0;
const LINE: f32 = 11.5;
/// Between the text of a cell and its edges.
const PAD: f32 = 3.0;

/// Why pages could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// The stored text is no statement.
    #[error("read the statement")]
    Text(#[source] serde_json::Error),
    /// The built-in font is none.
    #[error("read the built-in font")]
    Font,
    /// The writer refused.
    #[error("write the pages: {0}")]
    Write(String),
}

/// Makes the pages of a sheet, with the text they were made of attached.
pub(super) fn render(sheet: &Sheet, source: &str) -> Result<Vec<u8>, PdfError> {
    let faces = Faces::try_new()?;
    let pages = Layout::new(&faces).place(sheet);
    let configuration = ConfigurationBuilder::new()
        .with_archival_validator(Archival::A3_B)
        .finish()
        .map_err(|error| PdfError::Write(format!("{error:?}")))?;
    let mut document =
        Document::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
    let made_at = date_time(sheet.made_at);
    document.set_metadata(
        Metadata::new()
            .title(format!("{} / {}", sheet.title.0, sheet.title.1))
            .language("vi".to_owned())
            .document_id(sheet.digest.clone())
            .creation_date(made_at),
    );
    let attached = EmbeddedFile {
        path: "statement.json".to_owned(),
        mime_type: MimeType::new("application/json"),
        description: Some("The signed text these pages were made of".to_owned()),
        association_kind: AssociationKind::Source,
        data: source.as_bytes().to_vec().into(),
        modification_date: Some(made_at),
        // As it is, so that a program finds it without reading the rest.
        compress: Some(false),
        location: None,
    };
    document.embed_file(attached).ok_or_else(|| PdfError::Write("attach the text".to_owned()))?;
    let count = pages.len();
    for (index, page) in pages.iter().enumerate() {
        let settings = PageSettings::from_wh(PAGE.0, PAGE.1)
            .ok_or_else(|| PdfError::Write("a page has a size".to_owned()))?;
        let mut written = document.start_page_with(settings);
        let mut surface = written.surface();
        for mark in page {
            draw(&mut surface, &faces, mark);
        }
        foot(&mut surface, &faces, sheet, (index + 1, count));
        surface.finish();
        written.finish();
    }
    document.finish().map_err(|error: KrillaError| PdfError::Write(format!("{error:?}")))
}

/// The signed text that pages carry, as it stands in the file.
pub(super) fn carried(bytes: &[u8]) -> Option<&str> {
    let start = find(bytes, b"{\"statement\":{\"format\":")?;
    let end = start + find(&bytes[start..], b"endstream")?;
    std::str::from_utf8(&bytes[start..end]).ok().map(|text| text.trim_end_matches(['\r', '\n']))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn date_time(at: Timestamp) -> DateTime {
    let utc = at.to_zoned(jiff::tz::TimeZone::UTC);
    let part = |number: i8| u8::try_from(number).unwrap_or_default();
    DateTime::new(u16::try_from(utc.year()).unwrap_or_default())
        .month(part(utc.month()))
        .day(part(utc.day()))
        .hour(part(utc.hour()))
        .minute(part(utc.minute()))
        .second(part(utc.second()))
        .utc_offset_hour(0)
}

/// Regular or bold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Regular,
    Bold,
}

/// One weight of the built-in font: to write with, and to measure by.
struct Face {
    font: Font,
    charmap: skrifa::charmap::Charmap<'static>,
    metrics: GlyphMetrics<'static>,
}

impl Face {
    fn try_new(bytes: &'static [u8]) -> Result<Self, PdfError> {
        let font = Font::new(bytes.into(), 0).ok_or(PdfError::Font)?;
        let read = FontRef::new(bytes).map_err(|_not_a_font| PdfError::Font)?;
        // At size 1 an advance is a share of the em, which is how the writer wants it.
        let metrics = read.glyph_metrics(Size::new(1.0), LocationRef::default());
        Ok(Self { font, charmap: read.charmap(), metrics })
    }

    fn glyph(&self, letter: char) -> skrifa::GlyphId {
        let question_mark = || self.charmap.map('?').unwrap_or_default();
        self.charmap.map(letter).unwrap_or_else(question_mark)
    }

    fn advance(&self, letter: char) -> f32 {
        self.metrics.advance_width(self.glyph(letter)).unwrap_or_default()
    }
}

struct Faces {
    regular: Face,
    bold: Face,
}

impl Faces {
    fn try_new() -> Result<Self, PdfError> {
        Ok(Self { regular: Face::try_new(REGULAR)?, bold: Face::try_new(BOLD)? })
    }

    const fn of(&self, weight: Weight) -> &Face {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }

    fn width(&self, text: &str, weight: Weight, size: f32) -> f32 {
        text.chars().map(|letter| self.of(weight).advance(letter)).sum::<f32>() * size
    }

    /// Breaks a text into lines that fit; a word that does not is broken where it must be.
    fn lines(&self, text: &str, weight: Weight, size: f32, width: f32) -> Vec<String> {
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let longer = |line: &str| {
                if line.is_empty() { word.to_owned() } else { format!("{line} {word}") }
            };
            let last = lines.last().map(String::as_str).unwrap_or_default();
            let tried = longer(last);
            if self.width(&tried, weight, size) <= width {
                lines.pop();
                lines.push(tried);
                continue;
            }
            if !last.is_empty() {
                lines.push(String::new());
            }
            for letter in word.chars() {
                let last = lines.last().map(String::as_str).unwrap_or_default();
                let tried = format!("{last}{letter}");
                if self.width(&tried, weight, size) > width && !last.is_empty() {
                    lines.push(letter.to_string());
                } else {
                    lines.pop();
                    lines.push(tried);
                }
            }
        }
        lines
    }
}

/// Something on a page.
enum Mark {
    Text { at: (f32, f32), text: String, weight: Weight, size: f32 },
    Rule { y: f32, thickness: f32 },
    Shade { y: f32, height: f32 },
}

fn draw(surface: &mut Surface<'_>, faces: &Faces, mark: &Mark) {
    match mark {
        Mark::Text { at, text, weight, size } => {
            write(surface, faces.of(*weight), *at, text, *size);
        }
        Mark::Rule { y, thickness } => {
            let mut path = PathBuilder::new();
            path.move_to(LEFT, *y);
            path.line_to(LEFT + WIDTH, *y);
            if let Some(path) = path.finish() {
                surface.set_fill(None);
                surface.set_stroke(Some(Stroke {
                    paint: luma::Color::new(90).into(),
                    width: *thickness,
                    ..Stroke::default()
                }));
                surface.draw_path(&path);
            }
        }
        Mark::Shade { y, height } => {
            let mut path = PathBuilder::new();
            if let Some(rectangle) = Rect::from_xywh(LEFT, *y, WIDTH, *height) {
                path.push_rect(rectangle);
            }
            if let Some(path) = path.finish() {
                surface.set_stroke(None);
                surface.set_fill(Some(grey(236)));
                surface.draw_path(&path);
            }
        }
    }
}

fn grey(shade: u8) -> Fill {
    Fill { paint: luma::Color::new(shade).into(), opacity: NormalizedF32::ONE, ..Fill::default() }
}

/// Writes one line; every letter of Vietnamese is one glyph, so nothing has to be shaped.
fn write(surface: &mut Surface<'_>, face: &Face, (x, y): (f32, f32), text: &str, size: f32) {
    let glyph = |(start, letter): (usize, char)| {
        let range: Range<usize> = start..start + letter.len_utf8();
        let id = GlyphId::new(face.glyph(letter).to_u32());
        KrillaGlyph::new(id, face.advance(letter), 0.0, 0.0, 0.0, range, None)
    };
    let glyphs: Vec<KrillaGlyph> = text.char_indices().map(glyph).collect();
    surface.set_stroke(None);
    surface.set_fill(Some(grey(0)));
    surface.draw_glyphs(Point::from_xy(x, y), &glyphs, face.font.clone(), text, size, false);
}

fn foot(surface: &mut Surface<'_>, faces: &Faces, sheet: &Sheet, (page, of): (usize, usize)) {
    draw(surface, faces, &Mark::Rule { y: BOTTOM + 12.0, thickness: 0.4 });
    let left = format!("SHA-256 {}", sheet.digest);
    write(surface, &faces.regular, (LEFT, BOTTOM + 23.0), &left, SMALL);
    let right = format!("Trang / Page {page}/{of}");
    let width = faces.width(&right, Weight::Regular, SMALL);
    write(surface, &faces.regular, (LEFT + WIDTH - width, BOTTOM + 23.0), &right, SMALL);
}

/// Places everything, from the top down, and breaks pages.
struct Layout<'a> {
    faces: &'a Faces,
    pages: Vec<Vec<Mark>>,
    y: f32,
}

impl<'a> Layout<'a> {
    fn new(faces: &'a Faces) -> Self {
        Self { faces, pages: vec![Vec::new()], y: TOP }
    }

    fn mark(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    fn text(&mut self, x: f32, text: &str, weight: Weight, size: f32) {
        let at = (x, self.y);
        self.mark(Mark::Text { at, text: text.to_owned(), weight, size });
    }

    fn break_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    /// Sees that so much room is left; says whether a page was broken for it.
    fn room(&mut self, height: f32) -> bool {
        let broken = self.y + height > BOTTOM;
        if broken {
            self.break_page();
        }
        broken
    }

    fn place(mut self, sheet: &Sheet) -> Vec<Vec<Mark>> {
        self.title(&sheet.title);
        for (name, value) in &sheet.facts {
            self.room(LINE);
            self.text(LEFT, &format!("{} / {}", name.0, name.1), Weight::Regular, BODY);
            let lines = self.faces.lines(value, Weight::Bold, BODY, WIDTH * 0.55);
            for line in lines {
                self.text(LEFT + WIDTH * 0.45, &line, Weight::Bold, BODY);
                self.y += LINE;
            }
        }
        for table in &sheet.tables {
            self.table(table);
        }
        self.words(sheet);
        self.signatures(sheet);
        self.proof(sheet);
        self.pages
    }

    fn title(&mut self, title: &Both) {
        for (text, weight, size) in
            [(title.0, Weight::Bold, 14.0), (title.1, Weight::Regular, 10.0)]
        {
            let x = LEFT + (WIDTH - self.faces.width(text, weight, size)) / 2.0;
            self.y += size;
            self.text(x, text, weight, size);
            self.y += 4.0;
        }
        self.y += 14.0;
    }

    fn table(&mut self, table: &Table) {
        // A heading never stands alone at the foot of a page.
        self.room(LINE * 6.0);
        self.y += 10.0;
        self.text(LEFT, &format!("{} / {}", table.title.0, table.title.1), Weight::Bold, 9.5);
        self.y += 6.0;
        let columns = columns(table);
        self.headings(table, &columns);
        for row in &table.rows {
            self.row(table, &columns, row, Weight::Regular);
        }
        if let Some(total) = &table.total {
            self.mark(Mark::Rule { y: self.y, thickness: 0.6 });
            self.row(table, &columns, total, Weight::Bold);
        }
        self.mark(Mark::Rule { y: self.y, thickness: 0.8 });
        self.y += 8.0;
    }

    fn headings(&mut self, table: &Table, columns: &[(f32, f32)]) {
        let height = 2.0 * LINE;
        self.mark(Mark::Shade { y: self.y, height });
        self.mark(Mark::Rule { y: self.y, thickness: 0.8 });
        let top = self.y;
        for (index, (column, place)) in table.columns.iter().zip(columns).enumerate() {
            let numeric = is_number(table, index);
            for (line, (text, weight)) in
                [(column.heading.0, Weight::Bold), (column.heading.1, Weight::Regular)]
                    .into_iter()
                    .enumerate()
            {
                self.y = top + if line == 0 { LINE - 2.5 } else { 2.0 * LINE - 4.0 };
                self.cell(text, *place, numeric, weight, SMALL);
            }
        }
        self.y = top + height;
        self.mark(Mark::Rule { y: self.y, thickness: 0.4 });
    }

    fn cell(&mut self, text: &str, place: (f32, f32), right: bool, weight: Weight, size: f32) {
        let (x, width) = place;
        let x =
            if right { x + width - PAD - self.faces.width(text, weight, size) } else { x + PAD };
        self.text(x, text, weight, size);
    }

    fn row(&mut self, table: &Table, columns: &[(f32, f32)], row: &[Cell], weight: Weight) {
        let texts: Vec<Vec<String>> = row
            .iter()
            .zip(columns)
            .map(|(cell, (_, width))| match cell {
                Cell::Text(text) => self.faces.lines(text, weight, BODY, width - 2.0 * PAD),
                Cell::Number(number) => vec![Signed::new(*number).to_string()],
            })
            .collect();
        let lines = texts.iter().map(Vec::len).max().unwrap_or(1);
        let height: f32 = std::iter::repeat_n(LINE, lines).sum::<f32>() + 1.5;
        if self.room(height) {
            self.headings(table, columns);
        }
        let top = self.y;
        for (index, ((cell, lines), place)) in row.iter().zip(&texts).zip(columns).enumerate() {
            // What stands for a number that there is none of stands where it would.
            let is_none =
                matches!(cell, Cell::Text(text) if text == "-") && is_number(table, index);
            let right = is_none || matches!(cell, Cell::Number(_));
            self.y = top;
            for line in lines {
                self.y += LINE - 2.0;
                self.cell(line, *place, right, weight, BODY);
                self.y += 2.0;
            }
        }
        self.y = top + height;
    }

    fn words(&mut self, sheet: &Sheet) {
        self.room(5.0 * LINE);
        self.y += LINE;
        for (name, text) in ["Bằng chữ", "In words"].into_iter().zip(&sheet.words) {
            let lines = self.faces.lines(&format!("{name}: {text}."), Weight::Bold, 9.0, WIDTH);
            for line in lines {
                self.text(LEFT, &line, Weight::Bold, 9.0);
                self.y += LINE;
            }
        }
        for note in &sheet.notes {
            for line in self.faces.lines(note, Weight::Regular, SMALL, WIDTH) {
                self.room(LINE);
                self.text(LEFT, &line, Weight::Regular, SMALL);
                self.y += 9.5;
            }
        }
    }

    fn signatures(&mut self, sheet: &Sheet) {
        let is_named = sheet.signatures.iter().any(|place| !place.name.is_empty());
        let names = if is_named { 2.0 * LINE } else { 0.0 };
        self.room(90.0 + names);
        self.y += 18.0;
        let places = columns_of(&vec![1; sheet.signatures.len()]);
        for (Place { who: Both(vi, en), name }, (x, width)) in sheet.signatures.iter().zip(places) {
            let top = self.y;
            let lines = [(*vi, Weight::Bold, BODY), (*en, Weight::Regular, SMALL)];
            let hint = ("(ký, ghi rõ họ tên / signature, full name)", Weight::Regular, SMALL);
            for (text, weight, size) in lines.into_iter().chain([hint]) {
                let middle = x + (width - self.faces.width(text, weight, size)) / 2.0;
                self.text(middle, text, weight, size);
                self.y += 10.0;
            }
            // The name stands below the room for the signature.
            self.y = top + 76.0;
            for line in self.faces.lines(name, Weight::Bold, BODY, width - 2.0 * PAD) {
                let middle = x + (width - self.faces.width(&line, Weight::Bold, BODY)) / 2.0;
                if !line.is_empty() {
                    self.text(middle, &line, Weight::Bold, BODY);
                }
                self.y += LINE;
            }
            self.y = top;
        }
        self.y += 84.0 + names;
    }

    fn proof(&mut self, sheet: &Sheet) {
        self.room(4.0 * LINE);
        let text = format!(
            "Chữ ký số Ed25519 của trung tâm / The centre's digital signature: {}. Kiểm tra / Check: \
             reconciliation verify-statement.",
            sheet.signature
        );
        for line in self.faces.lines(&text, Weight::Regular, SMALL, WIDTH) {
            self.text(LEFT, &line, Weight::Regular, SMALL);
            self.y += 9.5;
        }
    }
}

/// Where each column begins and how wide it is.
fn columns(table: &Table) -> Vec<(f32, f32)> {
    columns_of(&table.columns.iter().map(|column| column.share).collect::<Vec<_>>())
}

fn columns_of(shares: &[u16]) -> Vec<(f32, f32)> {
    let all: f32 = shares.iter().copied().map(f32::from).sum();
    let mut x = LEFT;
    let mut places = Vec::new();
    for share in shares {
        let width = WIDTH * f32::from(*share) / all.max(1.0);
        places.push((x, width));
        x += width;
    }
    places
}

fn is_number(table: &Table, column: usize) -> bool {
    let rows = table.rows.iter().chain(&table.total);
    rows.filter_map(|row| row.get(column)).any(|cell| matches!(cell, Cell::Number(_)))
}
