//! The layouts as tables of Markdown, for docs/partner-files.md and `partner layouts`.

use std::fmt::{self, Write as _};

use super::layout::{Element, Field, Form, Layout, Occurs, Order, fields, width};
use super::{iag, niop, vetc};

/// Every layout of every format.
#[must_use]
pub fn tables() -> String {
    let mut text = String::new();
    for (title, layouts) in [
        ("NIOP ICD 1.02", &niop::layout::ALL[..]),
        ("IAG Inter-CSC 01.60.02", &iag::layout::ALL[..]),
        ("VETC and ITD, 2016", &vetc::layout::ALL[..]),
    ] {
        // Writing into a string does not fail.
        let _ok = write_format(&mut text, title, layouts);
    }
    text
}

fn write_format(text: &mut String, title: &str, layouts: &[&'static Layout]) -> fmt::Result {
    writeln!(text, "## {title}\n")?;
    for layout in layouts {
        writeln!(text, "### {}: {}\n", layout.code, layout.says)?;
        write_roles(text, layout)?;
        match layout.form {
            Form::Xml(frame) => {
                write_tree(
                    text,
                    if frame.header.is_empty() { frame.root } else { frame.header },
                    layout.header,
                )?;
                if !layout.record.is_empty() {
                    write_tree(text, frame.record, layout.record)?;
                }
            }
            Form::Fixed => {
                write_columns(text, "header", layout.header)?;
                if !layout.record.is_empty() {
                    write_columns(text, "record", layout.record)?;
                }
            }
            Form::Tuples => write_positions(text, layout)?,
        }
    }
    Ok(())
}

fn write_roles(text: &mut String, layout: &Layout) -> fmt::Result {
    let roles = &layout.roles;
    let mut parts = Vec::new();
    if !roles.identity.is_empty() {
        parts.push(format!("known by {}", roles.identity.join(" + ")));
    }
    parts.extend(roles.count.map(|count| format!("counted by {count}")));
    parts.extend(roles.amount.map(|amount| format!("money in {amount}")));
    match roles.order {
        Order::Numbered(field) => parts.push(format!("numbered by {field}")),
        Order::Whole => parts.push("a whole list".to_owned()),
        Order::Change { of } => parts.push(format!("changes the list that {of} names")),
        Order::WholeOrChange { by, of, .. } => {
            parts.push(format!("a whole list or a change, by {by}, of the list that {of} names"));
        }
        Order::Answer | Order::Alone => {}
    }
    if parts.is_empty() { Ok(()) } else { writeln!(text, "{}.\n", capital(&parts.join("; "))) }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn write_columns(text: &mut String, what: &str, elements: &'static [Element]) -> fmt::Result {
    writeln!(text, "| {what}, {} bytes | columns | holds |\n|---|---|---|", width(elements))?;
    let mut from = 1;
    for field in fields(elements) {
        let to = from + field.width - 1;
        writeln!(text, "| `{}` | {from}–{to} | {} |", field.name, held(field))?;
        from = to + 1;
    }
    writeln!(text)
}

fn write_positions(text: &mut String, layout: &Layout) -> fmt::Result {
    writeln!(text, "| value | place | holds |\n|---|---|---|")?;
    for (index, field) in fields(layout.record).enumerate() {
        writeln!(text, "| `{}` | {} | {} |", field.name, index + 1, held(field))?;
    }
    writeln!(text)
}

fn write_tree(text: &mut String, what: &str, elements: &'static [Element]) -> fmt::Result {
    writeln!(text, "| in `{what}` | times | holds |\n|---|---|---|")?;
    write_branch(text, "", elements)?;
    writeln!(text)
}

fn write_branch(text: &mut String, within: &str, elements: &'static [Element]) -> fmt::Result {
    for element in elements {
        let times = element.occurs().described();
        match element {
            Element::Field(field) => {
                writeln!(text, "| `{within}{}` | {times} | {} |", field.name, held(field))?;
            }
            Element::Group { name, of, .. } => {
                writeln!(text, "| `{within}{name}` | {times} | a group |")?;
                write_branch(text, &format!("{within}{name}/"), of)?;
            }
        }
    }
    Ok(())
}

fn held(field: &Field) -> String {
    let mut text = field.kind.wanted();
    if field.width > 0 && field.occurs == Occurs::Maybe {
        let filling = if field.absent == ' ' { "blanks" } else { "`*`" };
        let _ok = write!(text, "; {filling} where absent");
    } else if field.width == 0 && field.occurs == Occurs::Maybe {
        text.push_str("; may be left out");
    }
    if !field.says.is_empty() {
        let _ok = write!(text, "; {}", field.says);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_layouts_as_they_are() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/partner-files.md");
        let document = std::fs::read_to_string(path).unwrap();
        let (_, said) = document.split_once("<!-- layouts -->\n\n").unwrap();
        assert!(
            said == tables(),
            "docs/partner-files.md: `reconciliation partner layouts` prints it"
        );
    }
}
