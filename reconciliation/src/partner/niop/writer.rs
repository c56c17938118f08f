//! Writes XML by its layout, one element a line.

use quick_xml::escape::escape;

use crate::partner::layout::{Element, Frame};
use crate::partner::record::Record;
use crate::partner::refusal::Wrong;

/// Adds what stands before the first record.
///
/// # Errors
/// When a field of the header is missing or not of its kind.
pub fn begin(
    frame: &Frame,
    header: &Record,
    elements: &'static [Element],
    out: &mut String,
) -> Result<(), Wrong> {
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    tag(out, 0, &format!("<{}>", frame.root));
    if frame.header.is_empty() {
        return join(header, elements, 1, out);
    }
    tag(out, 1, &format!("<{}>", frame.header));
    join(header, elements, 2, out)?;
    tag(out, 1, &format!("</{}>", frame.header));
    tag(out, 1, &format!("<{}>", frame.records));
    Ok(())
}

/// Adds a record.
///
/// # Errors
/// When a field is missing or not of its kind.
pub fn next(
    frame: &Frame,
    record: &Record,
    elements: &'static [Element],
    out: &mut String,
) -> Result<(), Wrong> {
    tag(out, 2, &format!("<{}>", frame.record));
    join(record, elements, 3, out)?;
    tag(out, 2, &format!("</{}>", frame.record));
    Ok(())
}

/// Adds what stands behind the last record.
pub fn end(frame: &Frame, out: &mut String) {
    if !frame.header.is_empty() {
        tag(out, 1, &format!("</{}>", frame.records));
    }
    tag(out, 0, &format!("</{}>", frame.root));
}

/// Adds fields and groups. Records are made by `Draft` alone, which has seen to their order.
fn join(
    record: &Record,
    elements: &'static [Element],
    indent: usize,
    out: &mut String,
) -> Result<(), Wrong> {
    // The groups that are open, each with what it is made of.
    let mut open: Vec<(&'static str, &'static [Element])> = vec![("", elements)];
    for (depth, name, value) in record.walk() {
        while open.len() > depth + 1 {
            close(&mut open, indent, out);
        }
        let here = open.last().map_or(elements, |(_, elements)| elements);
        let element = here.iter().find(|element| element.name() == name);
        match (element, value) {
            (Some(Element::Field(field)), Some(value)) => {
                let value = escape(field.kind.written(field.take(value)?));
                tag(out, indent + depth, &format!("<{name}>{value}</{name}>"));
            }
            (Some(Element::Group { of, .. }), None) => {
                tag(out, indent + depth, &format!("<{name}>"));
                open.push((name, of));
            }
            (Some(Element::Field(_)), None) | (Some(Element::Group { .. }) | None, _) => {
                return Err(Wrong::new(name, "does not belong there", "a field of the layout"));
            }
        }
    }
    while open.len() > 1 {
        close(&mut open, indent, out);
    }
    Ok(())
}

fn close(open: &mut Vec<(&'static str, &'static [Element])>, indent: usize, out: &mut String) {
    if let Some((name, _)) = open.pop() {
        tag(out, indent + open.len() - 1, &format!("</{name}>"));
    }
}

fn tag(out: &mut String, indent: usize, text: &str) {
    out.extend(std::iter::repeat_n("  ", indent));
    out.push_str(text);
    out.push('\n');
}
