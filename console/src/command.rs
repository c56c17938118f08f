//! What the command line does besides serving: the people file, and the audit log.
//!
//! Each function reads, changes and writes files, and returns what to tell. The people file is
//! written whole beside the old one and renamed over it, readable by its owner alone; whoever changes
//! it holds a lock beside it from reading to writing, so that no two programs undo each other.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use domain::Clock;
use domain::signature::{PublicKey, SecretKey, SignatureError};

use crate::access::password;
use crate::{
    AccessError, Chain, ChainBreak, People, PeopleError, Person, Role, Scope, SecondFactor,
};

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A file could not be read or written.
    #[error("{what} {path}")]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A key would be overwritten.
    #[error("{path} is there already; a new key would make every people file worthless")]
    KeyIsThere {
        /// The file.
        path: PathBuf,
    },
    /// A desk's key would be overwritten.
    #[error("{path} is there already; the lanes know that desk by it")]
    DeskKeyIsThere {
        /// The file.
        path: PathBuf,
    },
    /// The key file holds no key.
    #[error("{path} holds no key")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: SignatureError,
    },
    /// The people file was refused.
    #[error("{path} was refused")]
    People {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: PeopleError,
    },
    /// A password could not be made or hashed.
    #[error("prepare a password")]
    Password(#[source] AccessError),
    /// A password that is too short or too long.
    #[error(
        "a password has {} to {} bytes; this one has {found}",
        password::LEN_MIN,
        password::LEN_MAX
    )]
    PasswordLen {
        /// How many it has.
        found: usize,
    },
    /// The scope is no station.
    #[error("{scope} is no station: say OPERATOR/STATION")]
    NoStation {
        /// The scope.
        scope: Scope,
    },
    /// The chain breaks.
    #[error("the audit log {path} does not hold")]
    Chain {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: ChainBreak,
    },
    /// The log does not reach the head that somebody has on paper.
    #[error("the audit log {path} does not contain entry {head}: its tail was cut off or replaced")]
    Head {
        /// The file.
        path: PathBuf,
        /// The head.
        head: String,
    },
}

/// The people file and the key that signs it.
#[derive(Debug, Clone)]
pub struct PeopleFiles {
    /// The people file.
    pub file: PathBuf,
    /// The secret key.
    pub key: PathBuf,
}

/// A new person.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// The staff id.
    pub name: String,
    /// What people call them.
    pub full_name: String,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// Where.
    pub scope: Scope,
    /// The account of an account holder.
    pub account: Option<i64>,
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CommandError {
    move |source| CommandError::File { what, path: path.to_owned(), source }
}

/// Writes a file that its owner alone may read, whole or not at all.
fn write_secret(path: &Path, text: &str) -> Result<(), CommandError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let write = || {
        let mut file = options.open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(failed("write", path))
}

/// Makes the key that signs people files, and an empty file; tells the public key.
///
/// # Errors
/// When there is a key already, or a file cannot be written.
pub fn make_key(files: &PeopleFiles) -> Result<String, CommandError> {
    if files.key.exists() {
        return Err(CommandError::KeyIsThere { path: files.key.clone() });
    }
    let key = SecretKey::try_generate()
        .map_err(|source| CommandError::Key { path: files.key.clone(), source })?;
    write_secret(&files.key, &format!("{}\n", key.to_secret_text()))?;
    files.write(&People::default(), &key)?;
    Ok(String::from(key.public()))
}

/// Makes the key of a desk; tells the public key, as the configuration of its lanes has it.
///
/// # Errors
/// When there is a key already, or the file cannot be written.
pub fn make_desk_key(path: &Path) -> Result<String, CommandError> {
    if path.exists() {
        return Err(CommandError::DeskKeyIsThere { path: path.to_owned() });
    }
    let key = SecretKey::try_generate()
        .map_err(|source| CommandError::Key { path: path.to_owned(), source })?;
    write_secret(path, &format!("{}\n", key.to_secret_text()))?;
    Ok(format!("[desk]\nkeys = [\"{}\"]\n", String::from(key.public())))
}

impl PeopleFiles {
    fn key(&self) -> Result<SecretKey, CommandError> {
        let text = std::fs::read_to_string(&self.key).map_err(failed("read", &self.key))?;
        SecretKey::try_from_secret_text(&text)
            .map_err(|source| CommandError::Key { path: self.key.clone(), source })
    }

    fn refused(&self) -> impl FnOnce(PeopleError) -> CommandError {
        let path = self.file.clone();
        move |source| CommandError::People { path, source }
    }

    /// Reads the people.
    ///
    /// # Errors
    /// When a file cannot be read, or is not signed by the key.
    pub fn read(&self) -> Result<People, CommandError> {
        self.read_with(&self.key()?.public())
    }

    fn read_with(&self, key: &PublicKey) -> Result<People, CommandError> {
        let text = std::fs::read_to_string(&self.file).map_err(failed("read", &self.file))?;
        People::parse(&text, key).map_err(self.refused())
    }

    fn write(&self, people: &People, key: &SecretKey) -> Result<(), CommandError> {
        let text = people.emit(key).map_err(self.refused())?;
        write_secret(&self.file, &text)
    }

    /// Holds the people file against every other program that changes it, and reads it.
    ///
    /// # Errors
    /// When a file cannot be read, or is not signed by the key.
    pub(crate) fn hold(&self) -> Result<Held<'_>, CommandError> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let key = self.key()?;
        let path = self.lock_path();
        // Beside the file: the file itself is another one after each change.
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&path).map_err(failed("open", &path))?;
        lock.lock().map_err(failed("lock", &path))?;
        let people = self.read_with(&key.public())?;
        Ok(Held { files: self, key, people, _lock: lock })
    }

    fn lock_path(&self) -> PathBuf {
        let mut beside = self.file.as_os_str().to_owned();
        beside.push(".lock");
        PathBuf::from(beside)
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Held<'_>) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let mut held = self.hold()?;
        let told = change(&mut held)?;
        held.write()?;
        Ok(told)
    }

    /// Adds a person; tells what they log in with.
    ///
    /// # Errors
    /// When a rule is broken, or a file cannot be read or written.
    pub fn add(&self, new: NewPerson, given: Option<&str>) -> Result<String, CommandError> {
        self.change(|held| held.add(new, given))
    }

    /// Gives a person a new password; tells it.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn set_password(&self, name: &str, given: Option<&str>) -> Result<String, CommandError> {
        self.change(|held| held.set_password(name, given))
    }

    /// Gives a person a new second factor; tells it.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn set_second_factor(&self, name: &str) -> Result<String, CommandError> {
        self.change(|held| held.set_second_factor(name))
    }

    /// Gives a person other roles, and another scope if one is said. Roles that need a second
    /// factor need it before.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn set_roles(
        &self,
        name: &str,
        roles: BTreeSet<Role>,
        scope: Option<Scope>,
    ) -> Result<(), CommandError> {
        self.change(|held| held.set_roles(name, roles, scope))
    }

    /// Lets a person in no more, or again.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn set_active(&self, name: &str, active: bool) -> Result<(), CommandError> {
        self.change(|held| held.set_active(name, active))
    }

    /// The code that a person's authenticator shows now: for tests and demonstrations, where there
    /// is none.
    ///
    /// # Errors
    /// When there is nobody of that name, or they have no second factor.
    pub fn code(&self, name: &str) -> Result<String, CommandError> {
        let nobody = || PeopleError::Nobody { name: name.to_owned() };
        let second = u64::try_from(Clock::system().now().as_second()).unwrap_or_default();
        let people = self.read()?;
        let factor = people.person(name).and_then(|person| person.second_factor.clone());
        let code = factor.and_then(|factor| factor.code(second));
        code.ok_or_else(nobody).map_err(self.refused())
    }

    /// Writes the file of a station: its own people, without second factors of money.
    ///
    /// # Errors
    /// When the scope is no station, or a file cannot be read or written.
    pub fn export(&self, station: &Scope, to: &Path) -> Result<(), CommandError> {
        if !matches!(station, Scope::Station(_, _)) {
            return Err(CommandError::NoStation { scope: station.clone() });
        }
        let key = self.key()?;
        let people = self.read_with(&key.public())?.for_station(station);
        Self { file: to.to_owned(), key: self.key.clone() }.write(&people, &key)
    }

    /// Everybody, one a line.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn list(&self) -> Result<String, CommandError> {
        let people = self.read()?;
        let mut text = format!("version {}\n", people.version());
        for person in people.iter() {
            let roles: Vec<&str> = person.roles.iter().map(|role| role.name()).collect();
            text.push_str(&format!(
                "{:<16} {:<24} {:<40} {}{}{}\n",
                person.name,
                person.scope,
                roles.join(","),
                person.full_name,
                if person.second_factor.is_some() { " (second factor)" } else { "" },
                if person.active { "" } else { " (no longer active)" },
            ));
        }
        Ok(text)
    }
}

/// The people, held until this is dropped. What is changed is changed on a copy, which may refuse it,
/// until it is written.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    files: &'a PeopleFiles,
    key: SecretKey,
    people: People,
    /// Let go of when it is closed.
    _lock: std::fs::File,
}

impl Held<'_> {
    /// As the file has them, and with what was changed since.
    pub(crate) fn people(&self) -> &People {
        &self.people
    }

    /// Writes what was changed.
    pub(crate) fn write(self) -> Result<(), CommandError> {
        self.files.write(&self.people, &self.key)
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut Person)) -> Result<(), CommandError> {
        self.people.change(name, change).map_err(self.files.refused())
    }

    pub(crate) fn add(
        &mut self,
        new: NewPerson,
        given: Option<&str>,
    ) -> Result<String, CommandError> {
        let (hash, mut told) = hashed(given)?;
        let needs = new.roles.iter().copied().any(Role::needs_second_factor);
        let second_factor = needs.then(SecondFactor::make).transpose();
        let second_factor = second_factor.map_err(CommandError::Password)?;
        if let Some(factor) = &second_factor {
            told.push_str(&factor_text(&new.name, factor));
        }
        let NewPerson { name, full_name, roles, scope, account } = new;
        let person = Person {
            name,
            full_name,
            password: hash,
            second_factor,
            roles,
            scope,
            account,
            active: true,
        };
        self.people.add(person).map_err(self.files.refused())?;
        Ok(told)
    }

    pub(crate) fn set_password(
        &mut self,
        name: &str,
        given: Option<&str>,
    ) -> Result<String, CommandError> {
        let (hash, told) = hashed(given)?;
        self.change(name, |person| person.password = hash)?;
        Ok(told)
    }

    pub(crate) fn set_second_factor(&mut self, name: &str) -> Result<String, CommandError> {
        let factor = SecondFactor::make().map_err(CommandError::Password)?;
        let told = factor_text(name, &factor);
        self.change(name, |person| person.second_factor = Some(factor))?;
        Ok(told)
    }

    pub(crate) fn set_roles(
        &mut self,
        name: &str,
        roles: BTreeSet<Role>,
        scope: Option<Scope>,
    ) -> Result<(), CommandError> {
        self.change(name, |person| {
            person.roles = roles;
            if let Some(scope) = scope {
                person.scope = scope;
            }
        })
    }

    pub(crate) fn set_active(&mut self, name: &str, active: bool) -> Result<(), CommandError> {
        self.change(name, |person| person.active = active)
    }
}

/// The hash of the password that was given, or of a new one, which is told.
fn hashed(given: Option<&str>) -> Result<(String, String), CommandError> {
    let (password, told) = match given {
        Some(given) => (given.to_owned(), String::new()),
        None => {
            let made = password::make().map_err(CommandError::Password)?;
            let told = format!("password {made}\n");
            (made, told)
        }
    };
    let found = password.len();
    if !(password::LEN_MIN..=password::LEN_MAX).contains(&found) {
        return Err(CommandError::PasswordLen { found });
    }
    Ok((password::hash(&password).map_err(CommandError::Password)?, told))
}

fn factor_text(name: &str, factor: &SecondFactor) -> String {
    format!("second factor {}\n", factor.url(name))
}

/// Checks an audit log; with a head from a shift report, also that the log still has that entry.
///
/// # Errors
/// When it cannot be read, breaks, or does not contain the head.
pub fn check_audit(path: &Path, head: Option<&str>) -> Result<Chain, CommandError> {
    let file = std::fs::File::open(path).map_err(failed("read", path))?;
    let mut found = head.is_none();
    let chain = crate::audit::check_with(BufReader::new(file), |chain| {
        found |= head == Some(format!("{}:{}", chain.entries, chain.head).as_str());
    })
    .map_err(failed("read", path))?
    .map_err(|source| CommandError::Chain { path: path.to_owned(), source })?;
    match head {
        Some(head) if !found => {
            Err(CommandError::Head { path: path.to_owned(), head: head.to_owned() })
        }
        Some(_) | None => Ok(chain),
    }
}

#[cfg(test)]
mod tests;
