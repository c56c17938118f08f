//! Writes lines of fixed width by their layout: numbers filled with zeros from the left, text with
//! blanks on the right, what is absent with the field's own filling.

use crate::partner::layout::{Element, Field, Occurs, fields};
use crate::partner::record::Record;
use crate::partner::refusal::Wrong;

/// Adds a record to `line`, without a line end.
///
/// # Errors
/// When a field is missing or its value does not fit.
pub fn join(record: &Record, elements: &'static [Element], line: &mut String) -> Result<(), Wrong> {
    for field in fields(elements) {
        match record.text(field.name) {
            Some(value) => pad(field, field.take(value)?, line)?,
            None if field.occurs == Occurs::Maybe => {
                line.extend(std::iter::repeat_n(field.absent, field.width));
            }
            None => return Err(Wrong::new(field.name, "is missing", field.kind.wanted())),
        }
    }
    Ok(())
}

fn pad(field: &Field, value: &str, line: &mut String) -> Result<(), Wrong> {
    let written = field.kind.written(value);
    let Some(room) = field.width.checked_sub(written.len()) else {
        let wanted = format!("at most {} bytes", field.width);
        return Err(Wrong::new(field.name, "is too long", wanted));
    };
    if field.kind.is_number() {
        line.extend(std::iter::repeat_n('0', room));
        line.push_str(written);
    } else if room > 0 && written.ends_with(' ') {
        // It could not be told from its filling.
        return Err(Wrong::new(field.name, "ends in a blank", "text without blanks at its end"));
    } else {
        line.push_str(written);
        line.extend(std::iter::repeat_n(' ', room));
    }
    Ok(())
}
