//! The people who may use the consoles: one file, signed, the same at the centre and at stations.
//!
//! *People file*: the first line is JSON, exactly as it was signed; the second is the signature in
//! base64. Whoever holds the key writes it (`console people …`); a console has the public key
//! alone, so a station's computer can neither add a person nor give a right. Each change makes the
//! *version* one higher, and a console never goes back to a lower one: a person who was taken out
//! stays out. Why a file, and not a table: docs/decisions/0028-console.md.

use std::collections::BTreeSet;
use std::fmt;

use domain::signature::{Context, PublicKey, SecretKey, Signature, SignatureError};
use serde::{Deserialize, Serialize};

use super::password;
use super::{Role, Scope, SecondFactor};

/// The longest name.
const NAME_LEN_MAX: usize = 32;

/// Why a people file was not taken, or not changed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// There are not two lines.
    #[error("the people file is not a line of JSON and a line of signature")]
    Shape,
    /// The signature is not one, or not the key's over this file.
    #[error("the people file is not signed by the key of the configuration")]
    Signature(#[source] SignatureError),
    /// The JSON is not a people file.
    #[error("the people file's first line is not what it should be")]
    Json(#[source] serde_json::Error),
    /// A version of tomorrow.
    #[error("the people file has format {found}; this console reads 1")]
    Format {
        /// What it says.
        found: u32,
    },
    /// An older file than one that was read before.
    #[error("the people file has version {found}, but version {known} was read before")]
    Older {
        /// The file's.
        found: u64,
        /// The highest that was read.
        known: u64,
    },
    /// A name is not one.
    #[error(
        "{name:?} is no name: up to {NAME_LEN_MAX} of a-z, 0-9, '-' and '.', beginning with a letter"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Two people of one name.
    #[error("there is a {name} already")]
    Twice {
        /// The name.
        name: String,
    },
    /// Nobody of that name.
    #[error("there is no {name}")]
    Nobody {
        /// The name.
        name: String,
    },
    /// Somebody without a role.
    #[error("{name} has no role")]
    NoRole {
        /// The name.
        name: String,
    },
    /// Who gives rights must not have money in hand.
    #[error("{name} cannot be administrator and have a finance role")]
    Together {
        /// The name.
        name: String,
    },
    /// Who holds an account works nowhere, and has one.
    #[error("{name} is either an account holder, with an account and no other role, or has none")]
    Account {
        /// The name.
        name: String,
    },
    /// Days and statements are an operator's, never a station's.
    #[error("{name} has a finance role, whose scope is * or OPERATOR, not {scope}")]
    Narrow {
        /// The name.
        name: String,
        /// The scope.
        scope: Scope,
    },
    /// Money or administration by password alone.
    #[error("{name} needs a second factor for {}", role.name())]
    NoSecondFactor {
        /// The name.
        name: String,
        /// The role.
        role: Role,
    },
    /// A hash that no argon2id made.
    #[error("the password of {name} is not kept as an argon2id hash")]
    Hash {
        /// The name.
        name: String,
    },
}

/// A person. Debug shows the name alone: hash and second factor are secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The staff id, with which they log in and which stands in passages they answered.
    pub name: String,
    /// What people call them.
    pub full_name: String,
    /// The argon2id hash of their password.
    pub password: String,
    /// The second factor; required for money and administration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<SecondFactor>,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// Where.
    pub scope: Scope,
    /// The account that an account holder holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<i64>,
    /// Whether they may come in at all; a person who left is kept, for the records that name them.
    pub active: bool,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person({})", self.name)
    }
}

impl Person {
    fn check(&self) -> Result<(), PeopleError> {
        let name = || self.name.clone();
        if !is_name(&self.name) {
            return Err(PeopleError::Name { name: name() });
        }
        if self.roles.is_empty() {
            return Err(PeopleError::NoRole { name: name() });
        }
        let money = [Role::FinanceMaker, Role::FinanceChecker];
        if self.roles.contains(&Role::Administrator) && money.iter().any(|r| self.roles.contains(r))
        {
            return Err(PeopleError::Together { name: name() });
        }
        if money.iter().any(|role| self.roles.contains(role)) && self.scope.station().is_some() {
            return Err(PeopleError::Narrow { name: name(), scope: self.scope.clone() });
        }
        let holds = self.roles.contains(&Role::AccountHolder);
        if holds != self.account.is_some() || holds && self.roles.len() > 1 {
            return Err(PeopleError::Account { name: name() });
        }
        let needing = self.roles.iter().find(|role| role.needs_second_factor());
        if let Some(&role) = needing
            && !self.second_factor.as_ref().is_some_and(SecondFactor::is_whole)
        {
            return Err(PeopleError::NoSecondFactor { name: name(), role });
        }
        if !password::is_hash(&self.password) {
            return Err(PeopleError::Hash { name: name() });
        }
        Ok(())
    }
}

/// Whether a text can be a person's name.
fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    text.len() <= NAME_LEN_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(letter)
}

/// Everybody, as one version of the file has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    v: u32,
    /// One higher at each change.
    version: u64,
    people: Vec<Person>,
}

impl Default for People {
    fn default() -> Self {
        Self { v: 1, version: 0, people: Vec::new() }
    }
}

impl People {
    /// Reads a file and believes nothing that its key did not sign.
    ///
    /// # Errors
    /// When it is not whole, not signed by the key, or breaks a rule; the error names who.
    pub fn parse(text: &str, key: &PublicKey) -> Result<Self, PeopleError> {
        let (payload, rest) = text.split_once('\n').ok_or(PeopleError::Shape)?;
        let signature = Signature::try_from(rest.trim_end().to_owned());
        let signature = signature.map_err(PeopleError::Signature)?;
        key.verify(Context::People, payload.as_bytes(), &signature)
            .map_err(PeopleError::Signature)?;
        let people: Self = serde_json::from_str(payload).map_err(PeopleError::Json)?;
        if people.v != 1 {
            return Err(PeopleError::Format { found: people.v });
        }
        for (index, person) in people.people.iter().enumerate() {
            person.check()?;
            if people.people[..index].iter().any(|other| other.name == person.name) {
                return Err(PeopleError::Twice { name: person.name.clone() });
            }
        }
        Ok(people)
    }

    /// The file, signed.
    ///
    /// # Errors
    /// Never for people that were read or made here.
    pub fn emit(&self, key: &SecretKey) -> Result<String, PeopleError> {
        let payload = serde_json::to_string(self).map_err(PeopleError::Json)?;
        let signature = key.sign(Context::People, payload.as_bytes());
        Ok(format!("{payload}\n{}\n", signature.to_text()))
    }

    /// The version of the file.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Refuses to go back.
    ///
    /// # Errors
    /// When a higher version was read before.
    pub fn no_older_than(self, known: u64) -> Result<Self, PeopleError> {
        if self.version < known {
            return Err(PeopleError::Older { found: self.version, known });
        }
        Ok(self)
    }

    /// Everybody, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Person> {
        self.people.iter()
    }

    /// A person by name.
    #[must_use]
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.name == name)
    }

    /// A person by name, if they may come in.
    #[must_use]
    pub fn active(&self, name: &str) -> Option<&Person> {
        self.person(name).filter(|person| person.active)
    }

    /// Adds a person.
    ///
    /// # Errors
    /// When there is one of that name, or a rule is broken.
    pub fn add(&mut self, person: Person) -> Result<(), PeopleError> {
        person.check()?;
        if self.person(&person.name).is_some() {
            return Err(PeopleError::Twice { name: person.name });
        }
        self.people.push(person);
        self.people.sort_by(|left, right| left.name.cmp(&right.name));
        self.version += 1;
        Ok(())
    }

    /// Changes a person.
    ///
    /// # Errors
    /// When there is nobody of that name, or the change breaks a rule; then nothing is changed.
    pub fn change(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Person),
    ) -> Result<(), PeopleError> {
        let place = self.people.iter_mut().find(|person| person.name == name);
        let place = place.ok_or_else(|| PeopleError::Nobody { name: name.to_owned() })?;
        let mut changed = place.clone();
        change(&mut changed);
        changed.check()?;
        *place = changed;
        self.version += 1;
        Ok(())
    }

    /// Those whom a station's computer has to know: it gets nobody's second factor that it does
    /// not need.
    #[must_use]
    pub fn for_station(&self, station: &Scope) -> Self {
        let Scope::Station(operator, at) = station else { return self.clone() };
        let at_desk = [Role::StationOperator, Role::Supervisor, Role::Auditor];
        let needed = self.people.iter().filter(|person| person.scope.meets(operator, at));
        let needed = needed.filter_map(|person| {
            let roles: BTreeSet<Role> =
                person.roles.iter().copied().filter(|role| at_desk.contains(role)).collect();
            // Where a role went, its second factor goes too.
            let second_factor =
                (roles.len() == person.roles.len()).then(|| person.second_factor.clone()).flatten();
            (!roles.is_empty()).then(|| Person { roles, second_factor, ..person.clone() })
        });
        Self { people: needed.collect(), ..self.clone() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A person of these roles, everywhere, with a password that costs a test nothing to check.
    pub(crate) fn person(name: &str, roles: &[Role]) -> Person {
        let phc = password::cheap_hash("nobody's");
        let needs = roles.iter().any(|role| role.needs_second_factor());
        Person {
            name: name.to_owned(),
            full_name: "Lan".to_owned(),
            password: phc,
            second_factor: needs.then(|| SecondFactor::make().unwrap()),
            roles: roles.iter().copied().collect(),
            scope: Scope::Everywhere,
            account: roles.contains(&Role::AccountHolder).then_some(1001),
            active: true,
        }
    }

    fn key() -> SecretKey {
        SecretKey::from_seed(&[7; 32])
    }

    fn some() -> People {
        let mut people = People::default();
        people.add(person("lan", &[Role::StationOperator])).unwrap();
        people.add(person("an", &[Role::FinanceMaker, Role::Auditor])).unwrap();
        people
    }

    #[test]
    fn what_was_signed_is_read_again_and_each_change_counts() {
        let people = some();
        assert_eq!(people.version(), 2);
        let read = People::parse(&people.emit(&key()).unwrap(), &key().public()).unwrap();
        assert_eq!(read, people);
        assert_eq!(read.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["an", "lan"]);
    }

    #[test]
    fn a_file_of_another_key_or_with_one_letter_changed_is_not_believed() {
        let text = some().emit(&key()).unwrap();
        let other = SecretKey::from_seed(&[8; 32]).public();
        assert!(matches!(People::parse(&text, &other), Err(PeopleError::Signature(_))));
        let changed = text.replacen("station-operator", "administrator", 1);
        assert!(matches!(People::parse(&changed, &key().public()), Err(PeopleError::Signature(_))));
        assert!(matches!(People::parse("{}", &key().public()), Err(PeopleError::Shape)));
    }

    #[test]
    fn an_older_file_is_not_taken_back() {
        assert!(some().no_older_than(2).is_ok());
        assert!(matches!(some().no_older_than(3), Err(PeopleError::Older { found: 2, known: 3 })));
    }

    #[test]
    fn rules_are_kept_when_somebody_is_added_and_when_they_are_changed() {
        let mut people = some();
        let refused = |result: Result<(), PeopleError>| result.unwrap_err().to_string();
        assert_eq!(refused(people.add(person("lan", &[Role::Auditor]))), "there is a lan already");
        assert_eq!(refused(people.add(person("kim", &[]))), "kim has no role");
        for name in ["", "Lan", "9lan", "l an", "lan:", &"x".repeat(33)] {
            assert!(refused(people.add(person(name, &[Role::Auditor]))).contains("is no name"));
        }
        let both = person("kim", &[Role::Administrator, Role::FinanceChecker]);
        assert!(refused(people.add(both)).contains("cannot be administrator"));
        let worker = person("kim", &[Role::AccountHolder, Role::Auditor]);
        assert!(refused(people.add(worker)).contains("no other role"));
        let without = Person { account: None, ..person("kim", &[Role::AccountHolder]) };
        assert!(refused(people.add(without)).contains("with an account"));
        let bare = Person { second_factor: None, ..person("kim", &[Role::FinanceMaker]) };
        assert_eq!(refused(people.add(bare)), "kim needs a second factor for finance-maker");
        let narrow = |person: &mut Person| person.scope = "vec/long-phuoc".parse().unwrap();
        assert!(refused(people.change("an", narrow)).contains("not vec/long-phuoc"));
        let role = |person: &mut Person| person.roles.extend([Role::Administrator]);
        assert!(refused(people.change("an", role)).contains("cannot be administrator"));
        assert!(refused(people.change("lan", role)).contains("needs a second factor"));
        assert_eq!(refused(people.change("kim", role)), "there is no kim");
        assert_eq!(people, some_with_the_factors_of(&people));
    }

    /// `some`, whose second factors are new each time.
    fn some_with_the_factors_of(people: &People) -> People {
        let mut same = some();
        for person in &mut same.people {
            person.second_factor =
                people.person(&person.name).and_then(|known| known.second_factor.clone());
        }
        same
    }

    #[test]
    fn who_left_is_kept_and_does_not_come_in() {
        let mut people = some();
        people.change("lan", |person| person.active = false).unwrap();
        assert!(people.person("lan").is_some() && people.active("lan").is_none());
    }

    #[test]
    fn a_station_gets_its_own_people_and_no_factor_of_money() {
        let mut people = some();
        let mut elsewhere = person("kim", &[Role::StationOperator]);
        elsewhere.scope = "vec/long-phuoc".parse().unwrap();
        people.add(elsewhere).unwrap();
        people.add(person("minh", &[Role::Administrator])).unwrap();
        let station = people.for_station(&"cienco4/ben-thuy".parse().unwrap());
        assert_eq!(station.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["an", "lan"]);
        let an = station.person("an").unwrap();
        assert!(an.second_factor.is_none() && !an.roles.contains(&Role::FinanceMaker));
        assert_eq!(station.version(), people.version());
        let text = station.emit(&key()).unwrap();
        assert!(People::parse(&text, &key().public()).is_ok());
    }

    #[test]
    fn nothing_secret_is_in_what_debug_shows() {
        let shown = format!("{:?}", some());
        assert!(!shown.contains("argon2") && shown.contains("Person(lan)"), "{shown}");
    }
}
