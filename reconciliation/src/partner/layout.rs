//! Layouts: what a kind of file is made of, as data. Reader, writer and documentation come from
//! one table.
//!
//! A *file* has one *header* and any number of *records*; a record has *fields* and, in XML,
//! *groups* of fields. A layout's *roles* say which field is its count, its number, its identity.

use super::record::Record;
use super::refusal::Wrong;
use super::value::Kind;

/// How often something may stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurs {
    /// Exactly once.
    Once,
    /// Once or not at all.
    Maybe,
    /// Any number of times.
    Many,
}

impl Occurs {
    /// As the documentation writes it.
    #[must_use]
    pub const fn described(self) -> &'static str {
        match self {
            Self::Once => "1",
            Self::Maybe => "0..1",
            Self::Many => "0..n",
        }
    }
}

/// Whether what stands in a field may be repeated in errors and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// It may.
    Open,
    /// It is of a person: a plate, a tag, an account. It may not.
    Personal,
}

/// A field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in the format.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// How often it occurs.
    pub occurs: Occurs,
    /// Its bytes in a fixed-width record; 0 where width is not fixed.
    pub width: usize,
    /// What fills the field where it has no value.
    pub absent: char,
    /// Whether its value may be repeated.
    pub privacy: Privacy,
    /// What it says.
    pub says: &'static str,
}

impl Field {
    /// The same, with or without a value.
    #[must_use]
    pub const fn maybe(self) -> Self {
        Self { occurs: Occurs::Maybe, ..self }
    }

    /// The same, filled with this character where it has no value.
    #[must_use]
    pub const fn or_filled(self, absent: char) -> Self {
        Self { occurs: Occurs::Maybe, absent, ..self }
    }

    /// The same, never repeated in errors and logs.
    #[must_use]
    pub const fn personal(self) -> Self {
        Self { privacy: Privacy::Personal, ..self }
    }

    /// The same, with what it says.
    #[must_use]
    pub const fn says(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    /// The value in its canonical form.
    ///
    /// # Errors
    /// When it is not of the field's kind.
    pub fn take<'a>(&self, value: &'a str) -> Result<&'a str, Wrong> {
        self.kind.canonical(value).ok_or_else(|| {
            let reason = match self.privacy {
                Privacy::Open => {
                    let shown: String = value.chars().take(40).collect();
                    format!("{shown:?} is not one of its values")
                }
                Privacy::Personal => "what stands there is not one of its values".to_owned(),
            };
            Wrong::new(self.name, reason, self.kind.wanted())
        })
    }
}

/// A field of XML or of a list between commas.
#[must_use]
pub const fn field(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        occurs: Occurs::Once,
        width: 0,
        absent: ' ',
        privacy: Privacy::Open,
        says: "",
    }
}

/// A field of a fixed width.
#[must_use]
pub const fn wide(width: usize, name: &'static str, kind: Kind) -> Field {
    Field { width, ..field(name, kind) }
}

/// What a header or record is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// A field.
    Field(Field),
    /// Fields that belong together.
    Group {
        /// Its name.
        name: &'static str,
        /// How often it occurs.
        occurs: Occurs,
        /// What it is made of.
        of: &'static [Self],
    },
}

impl Element {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Field(field) => field.name,
            Self::Group { name, .. } => name,
        }
    }

    /// How often it occurs.
    #[must_use]
    pub const fn occurs(&self) -> Occurs {
        match self {
            Self::Field(field) => field.occurs,
            Self::Group { occurs, .. } => *occurs,
        }
    }
}

/// Whose way of writing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// XML: the names of the elements around header and records.
    Xml(Frame),
    /// Lines of fixed width.
    Fixed,
    /// Lines `(a,b,c)` without a header.
    Tuples,
}

/// The elements around header and records. All but `root` are empty where the header is all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The document's element.
    pub root: &'static str,
    /// Around the header's fields.
    pub header: &'static str,
    /// Around all records.
    pub records: &'static str,
    /// Around one record.
    pub record: &'static str,
}

/// How a file says where it stands among its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It has a number, one higher than the file before.
    Numbered(&'static str),
    /// It replaces the list before it.
    Whole,
    /// It changes the list of the named time or number, and that one only.
    Change {
        /// The field that names the list it changes.
        of: &'static str,
    },
    /// One or the other, as the field says: this value for a change.
    WholeOrChange {
        /// The field.
        by: &'static str,
        /// Its value in a change.
        change: &'static str,
        /// The field that names the whole list: its own, or the one that is changed.
        of: &'static str,
    },
    /// It answers one file, which it names.
    Answer,
    /// It says nothing.
    Alone,
}

/// A kind of file.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Its code, such as `ICTX`; also the ending of its name.
    pub code: &'static str,
    /// What it is, in a line.
    pub says: &'static str,
    /// How it is written.
    pub form: Form,
    /// The header.
    pub header: &'static [Element],
    /// One record; empty where the header is all there is.
    pub record: &'static [Element],
    /// What its fields are to the exchange.
    pub roles: Roles,
    /// What must hold between the fields of a record.
    pub rule: fn(&Record) -> Result<(), Wrong>,
}

/// Which field is what. Paths are as in [`Record::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// The header's sender.
    pub from: Option<&'static str>,
    /// The header's addressee.
    pub to: Option<&'static str>,
    /// The header's time.
    pub stamp: Option<&'static str>,
    /// The header's number of records.
    pub count: Option<&'static str>,
    /// Where the file stands among its like.
    pub order: Order,
    /// What a record is known by: no two in a file have the same.
    pub identity: &'static [&'static str],
    /// A record's money.
    pub amount: Option<&'static str>,
    /// The field that is `-` where the money goes back.
    pub direction: Option<&'static str>,
}

impl Roles {
    /// A file of which nothing is known.
    pub const NONE: Self = Self {
        from: None,
        to: None,
        stamp: None,
        count: None,
        order: Order::Alone,
        identity: &[],
        amount: None,
        direction: None,
    };
}

/// The rule of records whose fields are free of each other.
///
/// # Errors
/// Never.
pub const fn no_rule(_record: &Record) -> Result<(), Wrong> {
    Ok(())
}

/// The fields of a flat header or record.
pub fn fields(elements: &'static [Element]) -> impl Iterator<Item = &'static Field> {
    elements.iter().filter_map(|element| match element {
        Element::Field(field) => Some(field),
        Element::Group { .. } => None,
    })
}

/// The bytes of a flat header or record of fixed width.
#[must_use]
pub fn width(elements: &'static [Element]) -> usize {
    fields(elements).map(|field| field.width).sum()
}
