//! What a person says of a side's files: their form, their mapping, and the rules to match by.

use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::Failure;
use crate::matching::Rules;
use crate::sides::{Form, FormError, Mapping, Table, normalised};

/// The form of a side's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormName {
    /// Rows and columns.
    Table,
    /// A bank's statement, ISO 20022.
    Camt053,
    /// A bank's statement, SWIFT.
    Mt940,
    /// Transactions as VETC and stations exchange them.
    Vetc,
}

impl From<FormName> for Form {
    fn from(name: FormName) -> Self {
        match name {
            FormName::Table => Self::Table,
            FormName::Camt053 => Self::Camt053,
            FormName::Mt940 => Self::Mt940,
            FormName::Vetc => Self::Vetc,
        }
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("read {}: {error}", path.display()))
}

/// The rules of a file; the usual ones where none is named.
///
/// # Errors
/// When it cannot be read or has no rules in it.
pub fn rules_of(path: Option<&Path>) -> Result<Rules, Failure> {
    let Some(path) = path else { return Ok(Rules::default()) };
    let rules = toml::from_str(&text_of(path)?);
    Ok(rules.map_err(|error| format!("{}: {error}", path.display()))?)
}

/// The mapping of a side's tables; the normal form where none is named.
///
/// # Errors
/// When it cannot be read, is none, or the files are no tables.
pub fn mapping(form: FormName, path: Option<&Path>) -> Result<Mapping, Failure> {
    match path {
        Some(_) if form != FormName::Table => {
            Err("a mapping is of a table; other forms need none".into())
        }
        None => Ok(Mapping::normal()),
        Some(path) => Ok(Mapping::try_from_toml(&text_of(path)?).map_err(|error| {
            let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
            format!("{}: {error}{cause}", path.display())
        })?),
    }
}

/// Files of any form, as one table.
///
/// # Errors
/// When one cannot be read or is not of its form.
pub fn table(
    paths: &[PathBuf],
    form: FormName,
    mapping: &Mapping,
    folder: &Path,
) -> Result<Table, Failure> {
    let open = |path: &PathBuf| {
        Ok((path.clone(), normalised(form.into(), path, mapping.currency, folder)?))
    };
    let opened = paths.iter().map(open).collect::<Result<Vec<_>, FormError>>()?;
    Ok(Table::of(opened, mapping)?)
}
