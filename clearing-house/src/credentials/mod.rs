//! Credentials: who is let in, and who no longer.
//!
//! *Enrolment*: a lane is given its signing key, its broker credential and its certificate, once; a
//! lane that has them is enrolled anew only by saying so, which ends the old ones. *Revocation*:
//! the lane's key ends in the books, and the broker is told, which closes what is open.
//!
//! What the broker has been told is kept in the books too, signed as it is: `run` says it again to
//! a broker that was away, or that lost its disk, without any key to sign with.
//!
//! Deliberately absent: the keys themselves, which only these commands read
//! (`broker-authority`), and what a lane's signature is worth (`crate::registry`).

pub mod command;
mod account;
mod repo;

use self::repo::Ending;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use broker_authority::{Authority, AuthorityError};
use broker_link::Link;
use domain::signature::{SecretKey, SignatureError};
use domain::{LaneId, Timestamp};
use sqlx::PgPool;

pub use account::{PushError, keep_told, push};

/// Why a lane was not enrolled or revoked.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The lane is enrolled already.
    #[error("{lane} is enrolled since {since}: revoke it first, or enrol with --replace")]
    Enrolled {
        /// The lane.
        lane: LaneId,
        /// Since when.
        since: Timestamp,
    },
    /// There is no such lane.
    #[error("{lane} is not in the network: import it with `clearing-house network import`")]
    Unknown {
        /// The lane.
        lane: LaneId,
    },
    /// A file could not be written.
    #[error("write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// No signing key could be made.
    #[error("make a signing key")]
    Key(#[from] SignatureError),
    /// The authority refused or failed.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The books failed.
    #[error("{doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
}

/// What is to happen with a lane that is enrolled already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It is refused.
    Refuse,
    /// What it has ends, and it is given new ones.
    Replace,
}

/// When: keys go by the clock of the run, credentials by the machine's, as the broker does.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The run's time.
    pub run: Timestamp,
    /// The machine's time.
    pub real: Timestamp,
}

/// What an enrolment asks for.
#[derive(Debug)]
pub struct Enrolment<'a> {
    /// The lanes that one computer serves, all of one station.
    pub lanes: &'a [LaneId],
    /// Where its files are written.
    pub folder: &'a Path,
    /// What if one is enrolled already.
    pub again: Again,
    /// When.
    pub at: Moment,
}

/// Enrols lanes: writes `LANE.key` for each, the broker's files for all of them, and
/// `lanes.toml`, the part of the configuration that names them.
///
/// Hands back the account's new token where an old credential ended: the broker is to be told.
///
/// # Errors
/// When a lane is unknown or enrolled already, or something cannot be written; the books are then
/// as they were.
pub async fn enrol(
    pool: &PgPool,
    authority: &Authority,
    broker_url: &str,
    what: &Enrolment<'_>,
) -> Result<Option<String>, CredentialError> {
    let mut tx = pool.begin().await.map_err(repo::failed("begin the enrolment"))?;
    let mut ended = Vec::new();
    for lane in what.lanes {
        let before = repo::enrolled_in_tx(&mut tx, lane).await?;
        if let (Some(since), Again::Refuse) = (before.since, what.again) {
            return Err(CredentialError::Enrolled { lane: lane.clone(), since });
        }
        ended.extend(before.users);
    }
    let issued = authority.issue_to_lanes(what.lanes, what.at.real)?;
    issued.identity.write(what.folder)?;
    for lane in what.lanes {
        let key = SecretKey::try_generate()?;
        write(&key_file(what.folder, lane), &format!("{}\n", key.to_secret_text()))?;
        repo::end_in_tx(&mut tx, lane, what.at, Ending::Replaced).await?;
        repo::begin_in_tx(&mut tx, lane, key.public(), &issued.user, what.at).await?;
    }
    write(&what.folder.join("lanes.toml"), &snippet(broker_url, what.folder, what.lanes))?;
    let token = end_users(&mut tx, authority, &ended, what.at).await?;
    tx.commit().await.map_err(repo::failed("commit the enrolment"))?;
    Ok(token)
}

/// Revokes lanes: their keys end now, and every credential that was good for one of them.
///
/// Hands back the account's new token: the broker is to be told.
///
/// # Errors
/// When a lane is unknown, or the books or the authority fail; the books are then as they were.
pub async fn revoke(
    pool: &PgPool,
    authority: &Authority,
    lanes: &[LaneId],
    at: Moment,
) -> Result<Option<String>, CredentialError> {
    let mut tx = pool.begin().await.map_err(repo::failed("begin the revocation"))?;
    let mut users = Vec::new();
    for lane in lanes {
        users.extend(repo::enrolled_in_tx(&mut tx, lane).await?.users);
        repo::end_in_tx(&mut tx, lane, at, Ending::Revoked).await?;
    }
    let token = end_users(&mut tx, authority, &users, at).await?;
    tx.commit().await.map_err(repo::failed("commit the revocation"))?;
    Ok(token)
}

async fn end_users(
    tx: &mut sqlx::PgConnection,
    authority: &Authority,
    users: &[String],
    at: Moment,
) -> Result<Option<String>, CredentialError> {
    if users.is_empty() {
        return Ok(None);
    }
    // Before the commit: a credential that is revoked without a row is safe, the reverse is not.
    let token = authority.revoke(users, at.real)?;
    repo::end_users_in_tx(tx, users, at.real).await?;
    repo::keep_account_in_tx(tx, &token, at.real).await?;
    Ok(Some(token))
}

/// Signs the account anew, with the rights this version of the program gives, and keeps it.
///
/// # Errors
/// When the books or the authority fail.
pub async fn renew_account(
    pool: &PgPool,
    authority: &Authority,
    at: Moment,
) -> Result<String, CredentialError> {
    let token = authority.renew(at.real)?;
    let mut tx = pool.begin().await.map_err(repo::failed("begin to renew the account"))?;
    repo::keep_account_in_tx(&mut tx, &token, at.real).await?;
    tx.commit().await.map_err(repo::failed("commit the account"))?;
    Ok(token)
}

/// Where a lane's signing key is, among the files of its enrolment.
#[must_use]
pub fn key_file(folder: &Path, lane: &LaneId) -> PathBuf {
    folder.join(format!("{}.key", lane.lane()))
}

fn write(path: &Path, text: &str) -> Result<(), CredentialError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .map_err(|source| CredentialError::File { path: path.to_owned(), source })
}

/// The part of a lane controller's configuration that comes with the files.
fn snippet(broker_url: &str, folder: &Path, lanes: &[LaneId]) -> String {
    let link = Link::of_folder(broker_url, folder);
    let link = toml::to_string(&link).expect("a link has a TOML form");
    let mut text = format!(
        "# For the configuration of the lane controller; the paths are those of this machine.\n\
         [broker]\n{link}"
    );
    for lane in lanes {
        let key = toml::Value::String(key_file(folder, lane).display().to_string());
        text.push_str(&format!(
            "\n# Its role, reader and field I/O stand here too.\n[[lane]]\nid = \"{}\"\nkey_file = {key}\n",
            lane.lane()
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_of_the_configuration_is_toml_and_names_every_file() {
        let lanes = ["a/s/l1", "a/s/l2"].map(|lane| lane.parse().unwrap());
        let text = snippet("tls://b:4222", Path::new("/etc/lane's \"own\""), &lanes);
        let read: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(
            read["broker"]["credentials_file"].as_str(),
            Some("/etc/lane's \"own\"/broker.creds")
        );
        assert_eq!(read["lane"][1]["key_file"].as_str(), Some("/etc/lane's \"own\"/l2.key"));
    }
}
