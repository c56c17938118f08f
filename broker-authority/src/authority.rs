//! The authority's folder, and what is issued from it.
//!
//! ```text
//! operator.nk   signs the account: needed to make the authority, to revoke, to change rights
//! account.nk    signs the programs of the centre
//! lane.nk       signs lanes, within the rights the account gives to lanes
//! system.nk     signs the user that talks to the broker about itself
//! ca.key        signs certificates          ca.crt   what everybody checks them by
//! account.jwt   the account as it is now: rights of lanes, and who is revoked
//! ```
//! Everything but `ca.crt` and `account.jwt` is secret, and readable by its owner alone. A machine
//! that only enrols lanes needs `lane.nk`, `ca.key`, `ca.crt` and `account.jwt`.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::{LaneId, Timestamp};
use nkeys::KeyPair;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::certificate::{Certificate, CertificateAuthority, CertificateError, Span};
use crate::rights::{self, Part};
use crate::token::{self, TokenError};

const CA_NAME: &str = "etc toll CA";
/// Two years: a lane is enrolled anew before that, and its heartbeat is no place to find out.
const CERTIFICATE_LASTS: Duration = Duration::from_hours(24 * 730);

/// Why something was not issued or revoked.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file could not be read or written.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is something in the folder already.
    #[error("{} holds something already; keys are never written over: name a new folder", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
    /// A key file holds no key.
    #[error("{} holds no key of the kind its name says", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: nkeys::error::Error,
    },
    /// No key could be made.
    #[error("make a key")]
    NoKey(#[source] nkeys::error::Error),
    /// A token could not be made or read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Lanes of several stations cannot share a credential.
    #[error("{0} is of another station: a credential is for lanes of one station")]
    TwoStations(LaneId),
    /// A credential is for somebody.
    #[error("a credential is for at least one lane")]
    NoLane,
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AuthorityError {
    let path = path.to_owned();
    move |source| AuthorityError::File { doing, path, source }
}

/// What was issued to a user: who it is, and what it is given.
#[derive(Debug)]
pub struct Issued {
    /// The user's public key, by which it is revoked.
    pub user: String,
    /// The files it is given.
    pub identity: Identity,
}

/// The files of a user; secret but for the CA's certificate.
#[derive(Clone)]
pub struct Identity {
    ca: String,
    certificate: Certificate,
    credential: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(…)")
    }
}

impl Identity {
    /// Writes `ca.crt`, `broker.crt`, `broker.key` and `broker.creds` into a folder, which is made
    /// if it is not there. Files that are there are written over.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), AuthorityError> {
        make_folder(folder)?;
        write(&folder.join("ca.crt"), 0o644, &self.ca)?;
        write(&folder.join("broker.crt"), 0o644, &self.certificate.certificate)?;
        write(&folder.join("broker.key"), 0o600, &self.certificate.key)?;
        write(&folder.join("broker.creds"), 0o600, &self.credential)
    }
}

/// The authority of a network of lanes.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    ca: CertificateAuthority,
}

impl Authority {
    /// Makes a new authority in a folder that is new or empty.
    ///
    /// # Errors
    /// When the folder holds something, or cannot be written.
    pub fn make(folder: &Path, now: Timestamp) -> Result<Self, AuthorityError> {
        make_folder(folder)?;
        let mut entries = fs::read_dir(folder).map_err(failed("look into", folder))?;
        if entries.next().is_some() {
            return Err(AuthorityError::Taken { folder: folder.to_owned() });
        }
        for (name, key) in [
            ("operator.nk", KeyPair::new_operator()),
            ("account.nk", KeyPair::new_account()),
            ("lane.nk", KeyPair::new_account()),
            ("system.nk", KeyPair::new_account()),
        ] {
            write(&folder.join(name), 0o600, &key.seed().map_err(AuthorityError::NoKey)?)?;
        }
        let (ca, kept) = CertificateAuthority::make(CA_NAME, instant(now))?;
        write(&folder.join("ca.key"), 0o600, &kept.key)?;
        write(&folder.join("ca.crt"), 0o644, &kept.certificate)?;
        let authority = Self { folder: folder.to_owned(), ca };
        authority.sign_account(&json!({}), now)?;
        Ok(authority)
    }

    /// The authority that was made in this folder.
    ///
    /// # Errors
    /// When a file is missing or is not what it should be.
    pub fn open(folder: &Path) -> Result<Self, AuthorityError> {
        let kept = Certificate {
            certificate: read(&folder.join("ca.crt"))?,
            key: read(&folder.join("ca.key"))?,
        };
        let ca = CertificateAuthority::load(CA_NAME, kept)?;
        Ok(Self { folder: folder.to_owned(), ca })
    }

    /// What signs certificates, for those that no user is given: a server's.
    #[must_use]
    pub fn certificates(&self) -> &CertificateAuthority {
        &self.ca
    }

    /// Issues the credential and certificate of lanes of one station that one computer serves.
    ///
    /// # Errors
    /// When the lanes are of several stations, or a key cannot be read.
    pub fn issue_to_lanes(
        &self,
        lanes: &[LaneId],
        now: Timestamp,
    ) -> Result<Issued, AuthorityError> {
        let first = lanes.first().ok_or(AuthorityError::NoLane)?;
        let station = (first.operator(), first.station());
        if let Some(other) = lanes.iter().find(|lane| (lane.operator(), lane.station()) != station)
        {
            return Err(AuthorityError::TwoStations(other.clone()));
        }
        let mut tags =
            vec![format!("operator:{}", first.operator()), format!("station:{}", first.station())];
        tags.extend(lanes.iter().map(|lane| format!("lane:{}", lane.lane())));
        // The rights are in the account, under the key that signs: what this token said of rights
        // would make the broker refuse it.
        let nats = json!({
            "issuer_account": self.account_name()?,
            "tags": tags,
            "type": "user",
            "version": 2,
        });
        let names: Vec<String> = lanes.iter().map(ToString::to_string).collect();
        self.issue(&self.key("lane.nk")?, &names.join("+"), now, |_user| nats)
    }

    /// Issues the credential and certificate of a program of the centre, or of a person.
    ///
    /// # Errors
    /// When a key cannot be read.
    pub fn issue_to(&self, part: &Part, now: Timestamp) -> Result<Issued, AuthorityError> {
        let by = match part {
            Part::System => self.key("system.nk")?,
            Part::Centre
            | Part::Console
            | Part::OperatorConsole(_)
            | Part::StationConsole(..)
            | Part::Simulator
            | Part::Observer => self.key("account.nk")?,
        };
        self.issue(&by, &part.name(), now, |user| {
            let mut nats = part.rights(user).claims();
            nats["type"] = "user".into();
            nats["version"] = 2.into();
            nats
        })
    }

    fn issue(
        &self,
        by: &KeyPair,
        name: &str,
        now: Timestamp,
        nats: impl FnOnce(&str) -> Value,
    ) -> Result<Issued, AuthorityError> {
        let key = KeyPair::new_user();
        let user = key.public_key();
        let token = token::sign(by, &user, name, now.as_second(), &nats(&user))?;
        let seed = key.seed().map_err(AuthorityError::NoKey)?;
        let credential = format!(
            "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        let span = Span::starting(instant(now), CERTIFICATE_LASTS);
        let certificate = self.ca.client(name, span)?;
        let ca = self.ca.certificate().to_owned();
        Ok(Issued { user, identity: Identity { ca, certificate, credential } })
    }

    /// Takes back everything these users were given up to now; hands back the account's new token,
    /// which counts from when the broker has it.
    ///
    /// # Errors
    /// When the account's token or the operator's key cannot be read, or the new one not written.
    pub fn revoke(&self, users: &[String], now: Timestamp) -> Result<String, AuthorityError> {
        let mut revoked = token::claims(&self.account_token()?)?["nats"]["revocations"].clone();
        if !revoked.is_object() {
            revoked = json!({});
        }
        for user in users {
            revoked[user] = now.as_second().into();
        }
        self.sign_account(&revoked, now)
    }

    /// Signs the account anew with the rights this program knows, and the same revocations.
    ///
    /// # Errors
    /// As [`Self::revoke`].
    pub fn renew(&self, now: Timestamp) -> Result<String, AuthorityError> {
        self.revoke(&[], now)
    }

    /// The account's token as it is now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn account_token(&self) -> Result<String, AuthorityError> {
        read(&self.folder.join("account.jwt")).map(|token| token.trim().to_owned())
    }

    fn sign_account(&self, revoked: &Value, now: Timestamp) -> Result<String, AuthorityError> {
        let operator = self.key("operator.nk")?;
        let lanes = json!({
            "kind": "user_scope",
            "key": self.key("lane.nk")?.public_key(),
            "role": "lane",
            "template": rights::of_lanes().claims(),
        });
        let nats = json!({
            "limits": limits(-1),
            "signing_keys": [lanes],
            "revocations": revoked,
            "default_permissions": { "pub": {}, "sub": {} },
            "type": "account",
            "version": 2,
        });
        // Of two tokens the broker keeps the one of the later second, and of one second any: what it
        // was set up with would come back with its next start.
        let before = self.account_token().ok().and_then(|token| token::claims(&token).ok());
        let before = before.and_then(|claims| claims["iat"].as_i64());
        let issued_at = before.map_or(now.as_second(), |before| now.as_second().max(before + 1));
        let token = token::sign(&operator, &self.account_name()?, "etc", issued_at, &nats)?;
        let path = self.folder.join("account.jwt");
        let new = self.folder.join("account.jwt.new");
        write(&new, 0o644, &token)?;
        fs::rename(&new, &path).map_err(failed("replace", &path))?;
        Ok(token)
    }

    fn account_name(&self) -> Result<String, AuthorityError> {
        // A machine that only enrols has the token and not the account's key.
        match self.key("account.nk") {
            Ok(key) => Ok(key.public_key()),
            Err(error) => {
                let claims = self.account_token().ok().and_then(|token| token::claims(&token).ok());
                claims.and_then(|claims| claims["sub"].as_str().map(str::to_owned)).ok_or(error)
            }
        }
    }

    /// Writes what a broker of this authority is configured with: `authority.conf`, the CA's
    /// certificate, and the server's own with its key, good for these names and addresses.
    ///
    /// `folder` is where the files will be on the broker's machine, and where they are written.
    ///
    /// # Errors
    /// When a key cannot be read or a file not written.
    pub fn write_broker(
        &self,
        folder: &Path,
        hosts: &[String],
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        make_folder(folder)?;
        let operator = self.key("operator.nk")?;
        let system = self.key("system.nk")?.public_key();
        let said = json!({ "system_account": system, "type": "operator", "version": 2 });
        let by = operator.public_key();
        let operator_token = token::sign(&operator, &by, "etc", now.as_second(), &said)?;
        let nats = json!({ "limits": limits(0), "type": "account", "version": 2 });
        let system_token = token::sign(&operator, &system, "SYS", now.as_second(), &nats)?;
        self.write_certificate("nats-server", folder, hosts, now)?;
        let place = |name: &str| folder.join(name).display().to_string();
        // The broker's syntax takes JSON.
        let preload = json!({
            system.as_str(): system_token,
            self.account_name()?: self.account_token()?,
        });
        let tls = json!({
            "ca_file": place("ca.crt"),
            "cert_file": place("server.crt"),
            "key_file": place("server.key"),
            "verify": true,
            "min_version": "1.3",
            "timeout": 5,
        });
        let resolver = json!({ "type": "full", "dir": place("accounts"), "allow_delete": false, "interval": "30s" });
        let text = format!(
            "# Written by `clearing-house authority`. Whom the broker believes, and how lines are kept.\n\
             tls: {tls}\noperator: {operator_token}\nsystem_account: {system}\n\
             resolver: {resolver}\nresolver_preload: {preload}\n"
        );
        write(&folder.join("authority.conf"), 0o600, &text)
    }

    /// Writes `ca.crt`, `server.crt` and `server.key` of a database server.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_database(
        &self,
        folder: &Path,
        hosts: &[String],
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        make_folder(folder)?;
        self.write_certificate("postgresql", folder, hosts, now)
    }

    fn write_certificate(
        &self,
        name: &str,
        folder: &Path,
        hosts: &[String],
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let span = Span::starting(instant(now), CERTIFICATE_LASTS);
        let own = self.ca.server(name, hosts, span)?;
        write(&folder.join("ca.crt"), 0o644, self.ca.certificate())?;
        write(&folder.join("server.crt"), 0o644, &own.certificate)?;
        write(&folder.join("server.key"), 0o600, &own.key)
    }

    fn key(&self, name: &str) -> Result<KeyPair, AuthorityError> {
        let path = self.folder.join(name);
        KeyPair::from_seed(read(&path)?.trim())
            .map_err(|source| AuthorityError::Key { path, source })
    }
}

/// Everything without limit, and as much stored as `disk` says; 0 is no streams at all.
fn limits(disk: i64) -> Value {
    json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1, "mem_storage": 0, "disk_storage": disk, "streams": -1,
        "consumer": -1,
    })
}

fn instant(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn make_folder(folder: &Path) -> Result<(), AuthorityError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed("make the folder", folder))
}

fn read(path: &Path) -> Result<String, AuthorityError> {
    fs::read_to_string(path).map_err(failed("read", path))
}

fn write(path: &Path, mode: u32, text: &str) -> Result<(), AuthorityError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .map_err(failed("write", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn now() -> Timestamp {
        "2026-03-02T00:00:00Z".parse().unwrap()
    }

    fn lane(text: &str) -> LaneId {
        text.parse().unwrap()
    }

    #[test]
    fn keys_are_readable_by_their_owner_alone_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("authority");
        let authority = Authority::make(&place, now()).unwrap();
        authority.write_broker(&place.join("server"), &["localhost".to_owned()], now()).unwrap();
        for name in
            ["operator.nk", "account.nk", "lane.nk", "system.nk", "ca.key", "server/server.key"]
        {
            let mode = fs::metadata(place.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name}");
        }
        let again = Authority::make(&place, now());
        assert!(matches!(again, Err(AuthorityError::Taken { .. })));
        Authority::open(&place).unwrap();
    }

    #[test]
    fn revocations_add_up_and_survive_a_renewal_of_the_rights() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::make(&folder.path().join("a"), now()).unwrap();
        authority.revoke(&["UA".to_owned()], now()).unwrap();
        authority.revoke(&["UB".to_owned()], now()).unwrap();
        let token = authority.renew(now()).unwrap();
        let said = token::claims(&token).unwrap();
        let revoked: Vec<_> = said["nats"]["revocations"].as_object().unwrap().keys().collect();
        assert_eq!(revoked, ["UA", "UB"]);
        assert_eq!(said["nats"]["signing_keys"][0]["kind"], "user_scope");
    }

    #[test]
    fn each_token_of_the_account_is_later_than_the_one_before_also_within_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::make(&folder.path().join("a"), now()).unwrap();
        let issued_at = |token: &str| token::claims(token).unwrap()["iat"].as_i64().unwrap();
        let first = issued_at(&authority.account_token().unwrap());
        assert_eq!(first, now().as_second());
        let second = issued_at(&authority.revoke(&["UA".to_owned()], now()).unwrap());
        let third = issued_at(&authority.revoke(&["UB".to_owned()], now()).unwrap());
        assert!(first < second && second < third, "{first} {second} {third}");
    }

    #[test]
    fn a_credential_is_for_lanes_of_one_station() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::make(&folder.path().join("a"), now()).unwrap();
        let two = [lane("a/s/l1"), lane("a/t/l1")];
        let refused = authority.issue_to_lanes(&two, now()).unwrap_err();
        assert!(refused.to_string().contains("a/t/l1"), "{refused}");
        assert!(authority.issue_to_lanes(&[], now()).is_err());
        assert!(
            !format!("{:?}", authority.issue_to_lanes(&two[..1], now()).unwrap()).contains("SU")
        );
    }

    #[test]
    fn a_machine_that_enrols_needs_neither_the_operators_key_nor_the_accounts() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a");
        Authority::make(&place, now()).unwrap();
        for name in ["operator.nk", "account.nk", "system.nk"] {
            fs::remove_file(place.join(name)).unwrap();
        }
        let authority = Authority::open(&place).unwrap();
        authority.issue_to_lanes(&[lane("a/s/l1")], now()).unwrap();
        assert!(authority.revoke(&["UA".to_owned()], now()).is_err());
        assert!(authority.issue_to(&Part::Centre, now()).is_err());
    }
}
