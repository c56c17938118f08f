//! The accounts behind the vehicles, and the file they are imported from.

use std::time::Duration;

use domain::{AccountId, Amount, IssuerId, Plate, TagId, Timestamp, VehicleGroup};
use serde::Serialize;

use super::{Means, Population, VehicleIndex};

/// The number of the first account.
pub(super) const ACCOUNT_FIRST: i64 = 1001;
/// More than any vehicle of a run can use.
const RICH: i64 = 50_000_000;
/// Less than a lane lets pass on.
const EMPTY: i64 = 20_000;
/// The station that month passes are for.
const PASS_STATION: &str = "ben-thuy";
pub(super) const PASS_BEHIND: Duration = Duration::from_secs(10 * 86_400);
pub(super) const PASS_AHEAD: Duration = Duration::from_secs(20 * 86_400);

/// What an account is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountState {
    /// In use.
    Open,
    /// Locked.
    Blocked,
}

impl AccountState {
    pub(super) const fn of(means: Means) -> Self {
        match means {
            Means::Blocked => Self::Blocked,
            Means::Tag
            | Means::Plate
            | Means::Cash
            | Means::EmptyAccount { .. }
            | Means::MonthPass
            | Means::Exempt
            | Means::Priority => Self::Open,
        }
    }
}

/// Who gave out the tag. Both use GIAI-96, partition 5, with a GS1 company prefix of their own:
/// VETC 8934114, VDTC 8934117.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Issuer {
    Vetc,
    Vdtc,
}

impl Issuer {
    pub(super) const fn tag_prefix(self) -> &'static str {
        match self {
            Self::Vetc => "3416214B88",
            Self::Vdtc => "3416214B94",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Vetc => "vetc",
            Self::Vdtc => "vdtc",
        }
    }
}

/// A traffic account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// What it is in.
    pub state: AccountState,
    /// What was paid in at first.
    pub opening: Amount,
    /// The vehicles that belong to it.
    pub vehicles: Vec<VehicleIndex>,
    pub(super) issuer: Issuer,
    pub(super) pass: Option<(Timestamp, Timestamp)>,
}

impl Account {
    /// Who holds it.
    ///
    /// # Panics
    /// Never: the issuers' names are ids.
    #[must_use]
    pub fn issuer(&self) -> IssuerId {
        IssuerId::try_new(self.issuer.name()).expect("the issuers' names are ids")
    }
}

pub(super) fn opening_balance(means: Means) -> Amount {
    let minor_units = if matches!(means, Means::EmptyAccount { .. }) { EMPTY } else { RICH };
    Amount::try_new(minor_units).expect("opening balances are not negative")
}

/// A line of `accounts.ndjson`.
#[derive(Serialize)]
struct AccountLine<'a> {
    account: AccountId,
    issuer: &'static str,
    state: AccountState,
    top_up: TopUpLine,
    vehicles: Vec<VehicleLine<'a>>,
}

#[derive(Serialize)]
struct TopUpLine {
    reference: String,
    amount: Amount,
}

#[derive(Serialize)]
struct VehicleLine<'a> {
    plate: &'a Plate,
    group: VehicleGroup,
    tag: Option<&'a TagId>,
    exempt: bool,
    pass: Option<PassLine>,
}

#[derive(Serialize)]
struct PassLine {
    station: &'static str,
    from: Timestamp,
    until: Timestamp,
}

impl Population {
    /// The text of `accounts.ndjson`: one account a line.
    ///
    /// # Panics
    /// Never: every line has a JSON form.
    #[must_use]
    pub fn accounts_ndjson(&self) -> String {
        let mut text = String::new();
        for account in &self.accounts {
            let line = AccountLine {
                account: account.id,
                issuer: account.issuer.name(),
                state: account.state,
                top_up: TopUpLine {
                    reference: format!("open-{}", account.id),
                    amount: account.opening,
                },
                vehicles: account.vehicles.iter().map(|v| self.line(account, *v)).collect(),
            };
            text.push_str(&serde_json::to_string(&line).expect("a line has a JSON form"));
            text.push('\n');
        }
        text
    }

    fn line(&self, account: &Account, vehicle: VehicleIndex) -> VehicleLine<'_> {
        let vehicle = self.vehicle(vehicle);
        VehicleLine {
            plate: &vehicle.plate,
            group: vehicle.group,
            tag: vehicle.tag.as_ref(),
            exempt: vehicle.means == Means::Exempt,
            pass: account.pass.map(|(from, until)| PassLine { station: PASS_STATION, from, until }),
        }
    }
}
