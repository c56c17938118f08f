//! Who drives: vehicles, their plates and tags, and the accounts behind them.
//!
//! *Means*: what a vehicle can pay with, and so what becomes of it at a lane. Accounts with money
//! have far more than a run can use, so outcomes follow from the seed and never from the order in
//! which lanes were quick.

mod account;

use std::collections::HashSet;

use domain::{AccountId, Plate, TagId, Timestamp, VehicleGroup};
use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

pub use account::{Account, AccountState};

use account::{ACCOUNT_FIRST, Issuer, PASS_AHEAD, PASS_BEHIND};

use crate::traffic::RecordedPass;

/// Per thousand vehicles, how many have other means than a tag and money. The rest have both.
mod per_thousand {
    pub(super) const PLATE: u32 = 20;
    pub(super) const CASH: u32 = 20;
    pub(super) const EMPTY: u32 = 30;
    pub(super) const BLOCKED: u32 = 5;
    pub(super) const EXEMPT: u32 = 10;
    pub(super) const PRIORITY: u32 = 3;
    pub(super) const MONTH_PASS: u32 = 40;
    /// Of the empty ones, how many pay in cash rather than top up.
    pub(super) const EMPTY_PAYS_CASH: u32 = 250;
    /// Of recorded vehicles without a tag, how many have an account under their plate.
    pub(super) const RECORDED_PLATE: u32 = 300;
    /// Chance that an account of a tagged vehicle is a fleet's.
    pub(super) const FLEET: u32 = 50;
}

/// How often each of the groups 1 to 5 drives by, of a hundred.
const GROUP_SHARES: [u32; 5] = [72, 9, 7, 7, 5];
const FLEET_SIZES: std::ops::RangeInclusive<u32> = 2..=6;

/// What a vehicle can pay with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Means {
    /// A good tag of an account with money.
    Tag,
    /// An account that knows the plate; no tag on the windscreen.
    Plate,
    /// No account at all.
    Cash,
    /// A good tag of an account without money.
    EmptyAccount {
        /// What the driver does about it.
        then: EmptyHanded,
    },
    /// A tag of an account that is locked.
    Blocked,
    /// A tag with a month pass for the open station.
    MonthPass,
    /// A tag of a vehicle that is exempt by law.
    Exempt,
    /// A priority vehicle on duty, without a tag.
    Priority,
}

/// What a driver does whose account is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmptyHanded {
    /// Is turned away, tops up, and comes again.
    TopsUp,
    /// Pays at the lane.
    PaysCash,
}

/// Where a vehicle is bound for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// Through an open station.
    OpenStation,
    /// A trip on an entry/exit road.
    Road,
}

/// The place of a vehicle in [`Population::vehicles`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VehicleIndex(pub(crate) usize);

/// One vehicle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vehicle {
    /// Its number in the truth, from 1.
    pub number: u64,
    /// Its plate.
    pub plate: Plate,
    /// Its tariff group.
    pub group: VehicleGroup,
    /// The tag on its windscreen.
    pub tag: Option<TagId>,
    /// What it can pay with.
    pub means: Means,
    /// The account it belongs to.
    pub account: Option<AccountId>,
    /// Where it is bound for.
    pub route: Route,
}

/// Everyone who drives in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Population {
    vehicles: Vec<Vehicle>,
    accounts: Vec<Account>,
}

impl Population {
    /// Makes up `count` vehicles, every other one bound for the open station.
    ///
    /// Month passes begin some days before `starts_at` and end some days after it.
    #[must_use]
    pub fn of_seed(count: usize, seed: u64, starts_at: Timestamp) -> Self {
        let mut registry = Registry::new(seed, starts_at);
        for index in 0..count {
            let route = if index % 2 == 0 { Route::OpenStation } else { Route::Road };
            let group = registry.group();
            let means = registry.means(route);
            registry.register(route, group, means);
        }
        registry.population
    }

    /// Makes up one vehicle for each recorded pass: a good tag for those that had one; for the
    /// others an account under the plate, or none.
    #[must_use]
    pub fn of_recording(passes: &[RecordedPass], seed: u64, starts_at: Timestamp) -> Self {
        let mut registry = Registry::new(seed, starts_at);
        for pass in passes {
            let by_plate = registry.chance(per_thousand::RECORDED_PLATE);
            let means = match (pass.has_tag, by_plate) {
                (true, _) => Means::Tag,
                (false, true) => Means::Plate,
                (false, false) => Means::Cash,
            };
            registry.register(Route::OpenStation, pass.group(), means);
        }
        registry.population
    }

    /// The vehicles, by number.
    #[must_use]
    pub fn vehicles(&self) -> &[Vehicle] {
        &self.vehicles
    }

    /// The accounts, by number.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    pub(crate) fn vehicle(&self, index: VehicleIndex) -> &Vehicle {
        &self.vehicles[index.0]
    }

    pub(crate) fn indexed(&self) -> impl Iterator<Item = (VehicleIndex, &Vehicle)> {
        self.vehicles.iter().enumerate().map(|(index, vehicle)| (VehicleIndex(index), vehicle))
    }
}

/// Hands out plates, tags and accounts, none of them twice.
struct Registry {
    chance: ChaCha8Rng,
    starts_at: Timestamp,
    plates: HashSet<String>,
    fleet: Option<Fleet>,
    population: Population,
}

/// An account that still takes vehicles.
struct Fleet {
    account: usize,
    places_left: u32,
}

impl Registry {
    fn new(seed: u64, starts_at: Timestamp) -> Self {
        Self {
            chance: ChaCha8Rng::seed_from_u64(seed),
            starts_at,
            plates: HashSet::new(),
            fleet: None,
            population: Population { vehicles: Vec::new(), accounts: Vec::new() },
        }
    }

    fn chance(&mut self, per_thousand: u32) -> bool {
        self.chance.random_ratio(per_thousand, 1000)
    }

    fn group(&mut self) -> VehicleGroup {
        let mut draw = self.chance.random_range(0..GROUP_SHARES.iter().sum::<u32>());
        let mut number = 1;
        for share in GROUP_SHARES {
            if draw < share {
                break;
            }
            draw -= share;
            number += 1;
        }
        VehicleGroup::try_new(number).expect("the shares are of groups 1 to 5")
    }

    fn means(&mut self, route: Route) -> Means {
        let month_pass = match route {
            Route::OpenStation => per_thousand::MONTH_PASS,
            Route::Road => 0,
        };
        let draw = self.chance.random_range(0..1000);
        let pays_cash = self.chance(per_thousand::EMPTY_PAYS_CASH);
        let then = if pays_cash { EmptyHanded::PaysCash } else { EmptyHanded::TopsUp };
        let shares = [
            (per_thousand::PLATE, Means::Plate),
            (per_thousand::CASH, Means::Cash),
            (per_thousand::EMPTY, Means::EmptyAccount { then }),
            (per_thousand::BLOCKED, Means::Blocked),
            (per_thousand::EXEMPT, Means::Exempt),
            (per_thousand::PRIORITY, Means::Priority),
            (month_pass, Means::MonthPass),
        ];
        let mut upto = 0;
        for (share, means) in shares {
            upto += share;
            if draw < upto {
                return means;
            }
        }
        Means::Tag
    }

    fn register(&mut self, route: Route, group: VehicleGroup, means: Means) {
        let index = self.population.vehicles.len();
        let account = match means {
            Means::Cash | Means::Priority => None,
            Means::Tag => Some(self.account_or_fleet()),
            Means::Plate
            | Means::EmptyAccount { .. }
            | Means::Blocked
            | Means::MonthPass
            | Means::Exempt => Some(self.open_account(AccountState::of(means), means)),
        };
        let tag = match (means, account) {
            (Means::Plate, _) | (_, None) => None,
            (_, Some(account)) => {
                let issuer = self.population.accounts[account].issuer;
                Some(self.tag(issuer, index))
            }
        };
        let plate = self.plate();
        if let Some(account) = account {
            self.population.accounts[account].vehicles.push(VehicleIndex(index));
        }
        self.population.vehicles.push(Vehicle {
            number: index as u64 + 1,
            plate,
            group,
            tag,
            means,
            account: account.map(|account| self.population.accounts[account].id),
            route,
        });
    }

    fn account_or_fleet(&mut self) -> usize {
        if let Some(fleet) = &mut self.fleet {
            fleet.places_left -= 1;
            let account = fleet.account;
            if fleet.places_left == 0 {
                self.fleet = None;
            }
            return account;
        }
        let account = self.open_account(AccountState::Open, Means::Tag);
        if self.chance(per_thousand::FLEET) {
            let places_left = self.chance.random_range(FLEET_SIZES) - 1;
            self.fleet = Some(Fleet { account, places_left });
        }
        account
    }

    fn open_account(&mut self, state: AccountState, means: Means) -> usize {
        let issuer = if self.chance(600) { Issuer::Vetc } else { Issuer::Vdtc };
        let index = self.population.accounts.len();
        let pass = (means == Means::MonthPass).then(|| {
            let from = self.starts_at.saturating_sub(PASS_BEHIND).unwrap_or(Timestamp::MIN);
            let until = self.starts_at.saturating_add(PASS_AHEAD).unwrap_or(Timestamp::MAX);
            (from, until)
        });
        self.population.accounts.push(Account {
            id: AccountId::new(ACCOUNT_FIRST + i64::try_from(index).unwrap_or(i64::MAX)),
            issuer,
            state,
            opening: account::opening_balance(means),
            vehicles: Vec::new(),
            pass,
        });
        index
    }

    /// The issuer's prefix, two bytes that vary, and ten decimal digits that count.
    fn tag(&mut self, issuer: Issuer, index: usize) -> TagId {
        let varying: u16 = self.chance.random();
        let hex = format!("{}{varying:04X}{:010}", issuer.tag_prefix(), index + 1);
        hex.parse().expect("a GIAI-96 tag has twelve bytes")
    }

    /// A province, a letter, and five digits, as on a private vehicle's plate.
    fn plate(&mut self) -> Plate {
        loop {
            let text = plate_text(&mut self.chance);
            if self.plates.insert(text.clone()) {
                return Plate::try_new(&text).expect("a made-up plate has eight good characters");
            }
        }
    }
}

fn plate_text(chance: &mut impl Rng) -> String {
    let province = chance.random_range(11..=99);
    let letter = char::from(b"ABCDEFGH"[chance.random_range(0..8)]);
    format!("{province}{letter}{:05}", chance.random_range(0..100_000))
}

#[cfg(test)]
mod tests;
