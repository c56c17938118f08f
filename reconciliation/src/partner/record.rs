//! Records: the values of one header or record in canonical form, whatever format they came in.
//!
//! A record is one buffer and a list of places in it, made to be filled again and again: reading
//! millions of them costs no memory for each. Its `Debug` form names fields and never their values.

use std::fmt;

use serde_json::{Map, Value};

use super::layout::{Element, Occurs};
use super::refusal::Wrong;

/// The values of one header or record.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Record {
    text: String,
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    name: &'static str,
    depth: usize,
    /// Where its value stands; nothing for a group.
    value: Option<(usize, usize)>,
}

impl Record {
    /// Forgets the values and keeps the room.
    pub fn clear(&mut self) {
        self.text.clear();
        self.cells.clear();
    }

    pub(super) fn put(&mut self, depth: usize, name: &'static str, value: &str) {
        let from = self.text.len();
        self.text.push_str(value);
        self.cells.push(Cell { name, depth, value: Some((from, self.text.len())) });
    }

    fn open(&mut self, depth: usize, name: &'static str) {
        self.cells.push(Cell { name, depth, value: None });
    }

    /// The value of a field by its path, such as `TagInfo/TagStatus`; the first where it occurs
    /// more than once, nothing where it is absent.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        let mut cells = self.cells.iter();
        let depth_last = path.split('/').count() - 1;
        for (depth, step) in path.split('/').enumerate() {
            // What is nested deeper is stepped over; a shallower one ends the group.
            let found = cells
                .by_ref()
                .take_while(|cell| cell.depth >= depth)
                .find(|cell| cell.depth == depth && cell.name == step)?;
            if depth == depth_last {
                return found.value.map(|(from, to)| &self.text[from..to]);
            }
        }
        None
    }

    /// Whether a group is there.
    #[must_use]
    pub fn has_group(&self, path: &str) -> bool {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let depth = if parent.is_empty() { 0 } else { parent.split('/').count() };
        self.cells
            .iter()
            .any(|cell| cell.value.is_none() && cell.depth == depth && cell.name == name)
    }

    /// A whole number of a field; nothing where it is absent.
    #[must_use]
    pub fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    /// Everything in it, in order: depth, name, and the value of a field.
    pub fn walk(&self) -> impl Iterator<Item = (usize, &'static str, Option<&str>)> {
        self.cells
            .iter()
            .map(|cell| (cell.depth, cell.name, cell.value.map(|(from, to)| &self.text[from..to])))
    }

    /// The same in JSON: a group is an object, and one that may occur many times a list.
    #[must_use]
    pub fn to_json(&self, elements: &'static [Element]) -> Value {
        json_of(&self.walk().collect::<Vec<_>>(), 0, elements)
    }

    /// The record that a JSON object says.
    ///
    /// # Errors
    /// When a field is unknown, missing or not of its kind.
    pub fn from_json(value: &Value, elements: &'static [Element]) -> Result<Self, Wrong> {
        let mut draft = Draft::new(elements);
        fill(&mut draft, value, elements, "")?;
        draft.end()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.cells.iter().map(|cell| cell.name)).finish()
    }
}

type Walked<'a> = (usize, &'static str, Option<&'a str>);

fn json_of(cells: &[Walked<'_>], depth: usize, elements: &'static [Element]) -> Value {
    let mut object = Map::new();
    let mut rest = cells;
    while let Some((&(_, name, value), after)) = rest.split_first() {
        let inside = after.iter().take_while(|cell| cell.0 > depth).count();
        let (inside, next) = after.split_at(inside);
        rest = next;
        let element = elements.iter().find(|element| element.name() == name);
        let of = match element {
            Some(Element::Group { of, .. }) => *of,
            Some(Element::Field(_)) | None => &[],
        };
        let value = value.map_or_else(|| json_of(inside, depth + 1, of), Value::from);
        if element.is_some_and(|element| element.occurs() == Occurs::Many) {
            if let Value::Array(list) = object.entry(name).or_insert_with(|| Value::Array(vec![])) {
                list.push(value);
            }
        } else {
            object.insert(name.to_owned(), value);
        }
    }
    Value::Object(object)
}

fn fill(
    draft: &mut Draft,
    value: &Value,
    elements: &'static [Element],
    path: &str,
) -> Result<(), Wrong> {
    let Value::Object(object) = value else {
        return Err(Wrong::new(path, "is no object", "an object with a key for each field"));
    };
    if let Some(unknown) = object.keys().find(|key| elements.iter().all(|e| e.name() != *key)) {
        let known: Vec<_> = elements.iter().map(Element::name).collect();
        let unknown: String = unknown.chars().take(40).collect();
        return Err(Wrong::new(path, format!("has no field {unknown:?}"), known.join(", ")));
    }
    for element in elements {
        let Some(value) = object.get(element.name()) else { continue };
        let values = match (element.occurs(), value) {
            (Occurs::Many, Value::Array(values)) => values.as_slice(),
            (Occurs::Many | Occurs::Once | Occurs::Maybe, value) => std::slice::from_ref(value),
        };
        for value in values {
            match (element, value) {
                (Element::Group { name, of, .. }, value) => {
                    draft.enter(name)?;
                    fill(draft, value, of, name)?;
                    draft.leave()?;
                }
                (Element::Field(field), Value::String(text)) => draft.put(field.name, text)?,
                (Element::Field(field), Value::Number(number)) => {
                    draft.put(field.name, &number.to_string())?;
                }
                (
                    Element::Field(field),
                    Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_),
                ) => return Err(Wrong::new(field.name, "is no text", field.kind.wanted())),
            }
        }
    }
    Ok(())
}

/// White space, as XML has it.
const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];

/// A record in the making: takes fields in the layout's order and refuses what does not belong.
#[derive(Debug)]
pub struct Draft {
    record: Record,
    /// The groups it is in, the outermost first; the first is the record itself.
    levels: Vec<Level>,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    name: &'static str,
    elements: &'static [Element],
    /// The next element that may come.
    next: usize,
}

impl Draft {
    /// An empty one.
    #[must_use]
    pub fn new(elements: &'static [Element]) -> Self {
        Self { record: Record::default(), levels: vec![Level { name: "", elements, next: 0 }] }
    }

    /// Starts over, with the room of a record that is not needed any more.
    pub fn restart(&mut self, elements: &'static [Element], mut room: Record) {
        room.clear();
        self.record = room;
        self.levels.clear();
        self.levels.push(Level { name: "", elements, next: 0 });
    }

    /// How many groups it is in.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.levels.len() - 1
    }

    /// The path of a name here.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        let mut path = String::new();
        for level in self.levels.iter().skip(1) {
            path.push_str(level.name);
            path.push('/');
        }
        path + name
    }

    /// Whether a group of that name would be the next; false for a field.
    ///
    /// # Errors
    /// When nothing of that name belongs here.
    pub fn is_group(&self, name: &str) -> Result<bool, Wrong> {
        Ok(matches!(self.find(name)?.1, Element::Group { .. }))
    }

    /// Begins a group.
    ///
    /// # Errors
    /// When it does not belong here.
    pub fn enter(&mut self, name: &str) -> Result<(), Wrong> {
        match self.find(name)? {
            (next, Element::Group { name, of, .. }) => {
                self.record.open(self.depth(), name);
                self.advance(next);
                self.levels.push(Level { name, elements: of, next: 0 });
                Ok(())
            }
            (_, Element::Field(field)) => {
                Err(Wrong::new(self.path(name), "is no group", field.kind.wanted()))
            }
        }
    }

    /// Ends a group, and says which.
    ///
    /// # Errors
    /// When something is missing in it.
    pub fn leave(&mut self) -> Result<(), Wrong> {
        self.complete()?;
        if self.levels.len() > 1 {
            self.levels.pop();
        }
        Ok(())
    }

    /// Takes a field's value.
    ///
    /// # Errors
    /// When it does not belong here or is not of its kind.
    pub fn put(&mut self, name: &str, value: &str) -> Result<(), Wrong> {
        match self.find(name)? {
            (next, Element::Field(field)) => {
                let value = field
                    .take(if field.kind.collapses() { value.trim_matches(WHITE) } else { value })
                    .map_err(|wrong| Wrong { field: self.path(name), ..wrong })?;
                self.record.put(self.depth(), field.name, value);
                self.advance(next);
                Ok(())
            }
            (_, Element::Group { .. }) => {
                Err(Wrong::new(self.path(name), "is a group and no field", "its fields in it"))
            }
        }
    }

    /// The record.
    ///
    /// # Errors
    /// When something is missing.
    pub fn end(&mut self) -> Result<Record, Wrong> {
        self.complete()?;
        Ok(std::mem::take(&mut self.record))
    }

    fn level(&self) -> &Level {
        // The record itself is never left.
        &self.levels[self.levels.len() - 1]
    }

    fn advance(&mut self, next: usize) {
        let last = self.levels.len() - 1;
        self.levels[last].next = next;
    }

    /// The element of that name, and which may come after it.
    fn find(&self, name: &str) -> Result<(usize, &'static Element), Wrong> {
        let Level { elements, next, .. } = *self.level();
        for (index, element) in elements.iter().enumerate().skip(next) {
            if element.name() == name {
                let next = if element.occurs() == Occurs::Many { index } else { index + 1 };
                return Ok((next, element));
            }
            if element.occurs() == Occurs::Once {
                break;
            }
        }
        Err(self.stray(name))
    }

    fn stray(&self, name: &str) -> Wrong {
        let Level { elements, next, .. } = *self.level();
        let name_shown: String = name.chars().take(40).collect();
        let mut expected = Vec::new();
        for element in elements.iter().skip(next) {
            expected.push(element.name());
            if element.occurs() == Occurs::Once {
                break;
            }
        }
        let place = elements.iter().position(|element| element.name() == name);
        let reason = match place {
            Some(index) if index < next => "stands there a second time, or too late",
            Some(_) => "stands there before what must come first",
            None => "has no place there",
        };
        let wanted = match expected.as_slice() {
            [] => "nothing more".to_owned(),
            names => names.join(" or "),
        };
        Wrong::new(self.path(&name_shown), reason, wanted)
    }

    fn complete(&self) -> Result<(), Wrong> {
        let Level { elements, next, .. } = *self.level();
        match elements.iter().skip(next).find(|element| element.occurs() == Occurs::Once) {
            None => Ok(()),
            Some(Element::Field(field)) => {
                Err(Wrong::new(self.path(field.name), "is missing", field.kind.wanted()))
            }
            Some(Element::Group { name, .. }) => {
                Err(Wrong::new(self.path(name), "is missing", "the group with its fields"))
            }
        }
    }
}
