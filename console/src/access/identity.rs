//! Whom this desk vouches for: each session's own key, with a badge that the lanes believe.
//!
//! The desk's own key is in a file; the keys of people are made when they give their first order,
//! live in memory with their session, and end with it. So a person whose session has ended signs
//! nothing, and no file on this machine can sign in anybody's name but the desk's.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::order::Identity;
use domain::signature::SecretKey;
use domain::wire::v1::{Command, DeskRole};
use domain::{Clock, Timestamp};
use tracing::error;

use crate::http::App;
use crate::page::Visit;

use super::session::LIFE_MAX;
use super::{AccessError, Person, Role};

/// How long the badge of somebody is good who only agrees to one order: as long as that, whatever
/// the run's speed.
const MOMENT: Duration = Duration::from_mins(1);

/// The desk's own key, where it has one.
pub(crate) struct DeskKey(Option<SecretKey>);

impl DeskKey {
    /// Reads it.
    pub(crate) fn try_load(file: Option<&Path>) -> Result<Self, AccessError> {
        let Some(path) = file else { return Ok(Self(None)) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| AccessError::Read { path: path.to_owned(), source })?;
        let key = SecretKey::try_from_secret_text(&text)
            .map_err(|source| AccessError::DeskKey { path: path.to_owned(), source })?;
        Ok(Self(Some(key)))
    }

    /// A desk of a test.
    #[cfg(test)]
    pub(crate) const fn of(key: SecretKey) -> Self {
        Self(Some(key))
    }

    /// Makes a key for a person and vouches for it from an instant on, which is that of the order it
    /// is made for; nothing where the desk has none, or the machine gives no random bytes.
    fn vouch(
        &self,
        person: &Person,
        roles: Vec<DeskRole>,
        (from, lasts, clock): (Timestamp, Duration, &Clock),
    ) -> Option<Identity> {
        let desk = self.0.as_ref()?;
        let until = from.saturating_add(lasts.mul_f64(clock.speed())).unwrap_or(Timestamp::MAX);
        let who = (person.name.clone(), roles, person.scope.to_string());
        Identity::try_issue(desk, who, (from, until))
            .inspect_err(|error| error!(%error, "a key for a person"))
            .ok()
    }
}

/// The roles that count at a lane.
fn at_desk(roles: impl IntoIterator<Item = Role>) -> Vec<DeskRole> {
    roles
        .into_iter()
        .filter_map(|role| match role {
            Role::StationOperator => Some(DeskRole::StationOperator),
            Role::Supervisor => Some(DeskRole::Supervisor),
            Role::FinanceMaker
            | Role::FinanceChecker
            | Role::Auditor
            | Role::Authority
            | Role::Administrator
            | Role::Reviewer
            | Role::AccountHolder => None,
        })
        .collect()
}

impl App {
    /// What the person of a visit signs an order with; nothing at a desk without a key.
    pub(crate) fn identity(&self, visit: &Visit, order: &Command) -> Option<Arc<Identity>> {
        let person = visit.person.as_ref()?;
        let roles = at_desk(visit.roles());
        let scope = person.scope.to_string();
        let fits = |identity: &Identity| {
            let badge = identity.badge();
            let is_good =
                badge.issued_at <= order.issued_at && badge.expires_at >= order.expires_at;
            is_good && badge.roles == roles && badge.scope == scope
        };
        let lasts = (order.issued_at, LIFE_MAX, self.clock());
        let make = || self.desk_key().vouch(person, roles.clone(), lasts);
        self.sessions().identity(visit.session_number.as_deref()?, fits, make)
    }
}

/// What somebody signs with who has just shown who they are, to agree to one order.
pub(crate) fn person_of_a_moment(app: &App, person: &Person, order: &Command) -> Option<Identity> {
    let roles = at_desk(person.roles.iter().copied());
    app.desk_key().vouch(person, roles, (order.issued_at, MOMENT, app.clock()))
}
