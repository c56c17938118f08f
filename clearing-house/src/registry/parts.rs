//! A registry put together from its parts, for whoever has no database: simulations and measurements.

use domain::signature::PublicKey;
use domain::tariff::TariffBook;
use domain::time::SettlementCalendar;
use domain::{LaneId, OperatorId, StationId, Timestamp};

use super::{LaneKey, Operator, Registry};

impl Registry {
    /// A registry that knows tariffs and nobody.
    #[must_use]
    pub fn of_tariffs(tariffs: TariffBook) -> Self {
        Self { tariffs, ..Self::default() }
    }

    /// Adds an operator by its settlement days.
    pub fn add_operator(&mut self, operator: OperatorId, calendar: SettlementCalendar) {
        self.operators.insert(operator, Operator { calendar });
    }

    /// Makes a station part of an entry/exit road.
    pub fn add_road(&mut self, operator: OperatorId, station: StationId, road: &str) {
        self.roads.insert((operator, station), road.to_owned());
    }

    /// Makes a key the lane's from an instant on; keys before it end there.
    pub fn add_key(&mut self, lane: LaneId, public_key: PublicKey, from: Timestamp) {
        let keys = self.keys.entry(lane).or_default();
        for key in keys.iter_mut().filter(|key| key.valid_until.is_none()) {
            key.valid_until = Some(from);
        }
        keys.push(LaneKey { public_key, valid_from: from, valid_until: None, revoked: false });
    }

    /// Revokes the keys of a lane that have ended.
    #[cfg(test)]
    pub(crate) fn revoke_ended_keys(&mut self, lane: &LaneId) {
        for key in self.keys.get_mut(lane).into_iter().flatten() {
            key.revoked |= key.valid_until.is_some();
        }
    }
}
