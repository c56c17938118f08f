//! The files of a network, row by row, as the centre and the lanes read them.

use domain::passage::LaneRole;
use domain::tariff::Begin;
use domain::{Amount, Currency, IssuerId, LaneId, OperatorId, StationId};
use serde::{Deserialize, Serialize};

use super::NetworkError;

/// `network.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFile {
    /// Who runs stations.
    pub operator: Vec<OperatorRow>,
    /// Who holds accounts.
    pub issuer: Vec<IssuerRow>,
    /// Stations.
    pub station: Vec<StationRow>,
    /// Lanes.
    pub lane: Vec<LaneRow>,
}

/// An operator in `network.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorRow {
    /// The operator.
    pub id: OperatorId,
    /// Its name for people.
    pub name: String,
    /// What it charges in.
    pub currency: Currency,
    /// The zone its settlement day is in.
    pub zone: String,
    /// When its settlement day ends.
    pub cut_off: String,
    /// What issuers keep of its tolls, as a decimal.
    pub fee_share: String,
}

/// An issuer in `network.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerRow {
    /// The issuer.
    pub id: IssuerId,
    /// Its name for people.
    pub name: String,
}

/// How a station charges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StationKind {
    /// Every pass costs its fare.
    Open,
    /// A trip between two stations of a road costs its fare.
    EntryExit,
}

/// A station in `network.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StationRow {
    /// The station.
    pub id: StationId,
    /// Who runs it.
    pub operator: OperatorId,
    /// Its name for people.
    pub name: String,
    /// How it charges.
    pub kind: StationKind,
    /// The road, for an entry/exit station.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub road: Option<String>,
}

/// A lane in `network.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneRow {
    /// The lane.
    pub id: LaneId,
    /// What it is for.
    pub role: Role,
}

/// A lane's role by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant mirrors the one of the same name in `LaneRole`")]
pub enum Role {
    Open,
    Entry,
    Exit,
}

impl From<Role> for LaneRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Open => Self::Open,
            Role::Entry => Self::Entry,
            Role::Exit => Self::Exit,
        }
    }
}

/// `roads.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoadsFile {
    pub(super) section: Vec<SectionRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SectionRow {
    #[serde(rename = "road")]
    _road: String,
    pub(super) between: [StationId; 2],
    pub(super) distance_km: u32,
}

/// `tariff-gates.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GateFares {
    pub(super) amounts: Vec<Amount>,
    pub(super) valid_from: Begin,
    pub(super) source: String,
}

impl NetworkFile {
    /// A network of one operator of recorded gates, still without stations.
    pub(super) fn of_operator(operator: &OperatorId) -> Self {
        Self {
            operator: vec![OperatorRow {
                id: operator.clone(),
                name: "Recorded gates".to_owned(),
                currency: Currency::VND,
                zone: "Asia/Ho_Chi_Minh".to_owned(),
                cut_off: "00:00".to_owned(),
                fee_share: "0.03".to_owned(),
            }],
            issuer: Vec::new(),
            station: Vec::new(),
            lane: Vec::new(),
        }
    }
}

pub(super) fn parse<T: for<'a> Deserialize<'a>>(what: &str, text: &str) -> Result<T, NetworkError> {
    toml::from_str(text).map_err(|source| NetworkError::File { what: what.to_owned(), source })
}
