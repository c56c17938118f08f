//! Writes lines `(a,b,c)` by their layout.

use crate::partner::layout::{Element, Occurs, fields};
use crate::partner::record::Record;
use crate::partner::refusal::Wrong;

/// Adds a record to `line`, without a line end.
///
/// # Errors
/// When a field is missing or its value is not of its kind.
pub fn join(record: &Record, elements: &'static [Element], line: &mut String) -> Result<(), Wrong> {
    line.push('(');
    for (index, field) in fields(elements).enumerate() {
        match record.text(field.name) {
            Some(value) => {
                if index > 0 {
                    line.push(',');
                }
                line.push_str(field.kind.written(field.take(value)?));
            }
            // Only the last field of a layout may be left out.
            None if field.occurs == Occurs::Maybe => {}
            None => return Err(Wrong::new(field.name, "is missing", field.kind.wanted())),
        }
    }
    line.push(')');
    Ok(())
}
