//! The configuration of `reconciliation`: one TOML file, unknown keys refused.

use std::path::PathBuf;

use clearing_house::config::{Centre, Database};
use domain::time::ClockConfig;
use serde::Deserialize;

use crate::partner::books::Agencies;

/// Where statements are filed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statements {
    /// The folder; made when it is not there.
    pub folder: PathBuf,
}

/// The configuration of `reconciliation`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The run's clock; the machine's where absent.
    pub clock: Option<ClockConfig>,
    /// The database of the clearing house.
    pub database: Database,
    /// The centre's key, which signs statements.
    pub centre: Centre,
    /// The statements' folder.
    pub statements: Statements,
    /// What operators and issuers are called in partners' files; needed for files out of the books.
    pub partner: Option<Agencies>,
}
