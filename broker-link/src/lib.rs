//! How a program of the system reaches the broker: who it is there, and over which line.
//!
//! *Link*: the broker's address with everything that is needed to be let in. Both sides prove who
//! they are: the broker by a certificate of the CA, the program by one too, and then by its
//! *credential*, a token with the subjects it may use, which it signs a challenge for. Files are
//! read again at every connection, so what was replaced on disk counts from the next one on.
//!
//! Deliberately absent: what is said over the line, and making credentials or certificates, which
//! is `broker-authority`'s. A lane links this crate and not that one.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

/// The oldest broker that works with us: older ones lose filters and streams' settings.
const SERVER_MIN: (u64, u64) = (2, 14);
/// A line that is dead is noticed within three of these.
const PING_EVERY: Duration = Duration::from_secs(5);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The first wait before a connection is tried again; doubled with each try.
const AGAIN_AFTER_MIN: Duration = Duration::from_millis(50);
/// The longest such wait. The wait itself is drawn between nothing and this, so that thousands of
/// lanes do not come back in one moment.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(4);
/// What may wait to be written while there is no connection: small, because it is sent late.
const WAITING_MAX: usize = 128;

/// Why the broker could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// A file of the link could not be read.
    #[error("read the broker's {what} {}", path.display())]
    Read {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The credential file does not hold one.
    #[error(
        "{} holds no credential: it must have a block NATS USER JWT and a block USER NKEY SEED, as `clearing-house lane enrol` writes them",
        path.display()
    )]
    NoCredential {
        /// The file.
        path: PathBuf,
    },
    /// The address would carry everything in the clear.
    #[error("{url} is not an address of the broker: it begins with tls://")]
    NotSecure {
        /// The address.
        url: String,
    },
    /// The connection was refused for good.
    #[error("connect to the broker at {url}")]
    Connect {
        /// Where it should be.
        url: String,
        /// What the client said.
        #[source]
        source: async_nats::ConnectError,
    },
    /// The broker is too old.
    #[error("the broker at {url} is version {version}; {}.{} or newer is needed", SERVER_MIN.0, SERVER_MIN.1)]
    TooOld {
        /// Where it is.
        url: String,
        /// What it says it is.
        version: String,
    },
}

/// The broker, and who we are there: the section `[broker]` of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// `tls://host:port`; several, separated by commas, are tried in this order.
    pub url: String,
    /// The CA whose certificate the broker must show.
    pub ca_file: PathBuf,
    /// The certificate that is shown to the broker.
    pub certificate_file: PathBuf,
    /// Its key, readable by this process alone.
    pub certificate_key_file: PathBuf,
    /// The credential, readable by this process alone.
    pub credentials_file: PathBuf,
}

impl Link {
    /// The configured broker, or the one that `ETC_BROKER_URL` names.
    #[must_use]
    pub fn or_environment(mut self) -> Self {
        if let Ok(url) = std::env::var("ETC_BROKER_URL") {
            self.url = url;
        }
        self
    }

    /// The files that `enrol` and its kin write into one folder.
    #[must_use]
    pub fn of_folder(url: impl Into<String>, folder: &Path) -> Self {
        Self {
            url: url.into(),
            ca_file: folder.join("ca.crt"),
            certificate_file: folder.join("broker.crt"),
            certificate_key_file: folder.join("broker.key"),
            credentials_file: folder.join("broker.creds"),
        }
    }

    /// Connects, and keeps trying for as long as it takes.
    ///
    /// # Errors
    /// When a file cannot be read, or the address is not one.
    pub async fn connect(&self, name: &str) -> Result<Client, LinkError> {
        let options = self.options(name).await?.retry_on_initial_connect();
        self.dial(options).await
    }

    /// Connects now, or fails; a broker that is too old is refused.
    ///
    /// # Errors
    /// When a file cannot be read, the broker is away, refuses, or is too old.
    pub async fn connect_now(&self, name: &str) -> Result<Client, LinkError> {
        let client = self.dial(self.options(name).await?).await?;
        let version = client.server_info().version;
        if is_too_old(&version) {
            return Err(LinkError::TooOld { url: self.url.clone(), version });
        }
        Ok(client)
    }

    async fn dial(&self, options: ConnectOptions) -> Result<Client, LinkError> {
        let failed = |source| LinkError::Connect { url: self.url.clone(), source };
        let addresses: Vec<&str> = self.url.split(',').map(str::trim).collect();
        if addresses.iter().any(|address| !address.starts_with("tls://")) {
            return Err(LinkError::NotSecure { url: self.url.clone() });
        }
        options.connect(addresses).await.map_err(failed)
    }

    async fn options(&self, name: &str) -> Result<ConnectOptions, LinkError> {
        for (what, path) in [
            ("CA", &self.ca_file),
            ("certificate", &self.certificate_file),
            ("certificate's key", &self.certificate_key_file),
        ] {
            read(what, path).await?;
        }
        let credential = read("credential", &self.credentials_file).await?;
        let no_credential = || LinkError::NoCredential { path: self.credentials_file.clone() };
        let user = user_of(&credential).ok_or_else(no_credential)?;
        let options =
            ConnectOptions::with_credentials(&credential).map_err(|_unread| no_credential())?;
        Ok(options
            .name(name)
            // What is answered to us nobody else may hear: the credential names this prefix.
            .custom_inbox_prefix(format!("_INBOX.{user}"))
            .add_root_certificates(self.ca_file.clone())
            .add_client_certificate(
                self.certificate_file.clone(),
                self.certificate_key_file.clone(),
            )
            .require_tls(true)
            .ping_interval(PING_EVERY)
            .connection_timeout(CONNECT_WITHIN)
            .client_capacity(WAITING_MAX)
            .retain_servers_order()
            .ignore_discovered_servers()
            .reconnect_delay_callback(again_after)
            .event_callback(|event| async move { tell(&event) }))
    }
}

async fn read(what: &'static str, path: &Path) -> Result<String, LinkError> {
    tokio::fs::read_to_string(path).await.map_err(|source| LinkError::Read {
        what,
        path: path.to_owned(),
        source,
    })
}

/// A refused subject looks like a time-out to the one who publishes: this is where it is told.
fn tell(event: &Event) {
    match event {
        Event::Connected => tracing::info!("broker connected"),
        Event::Disconnected => tracing::warn!("broker disconnected"),
        Event::ServerError(error) => tracing::error!(%error, "broker refused something"),
        Event::ClientError(error) => tracing::warn!(%error, "no connection to the broker"),
        Event::SlowConsumer(_) => tracing::warn!("a subscription is slow; messages were dropped"),
        Event::LameDuckMode => tracing::warn!("the broker is about to stop"),
        other => tracing::debug!(%other, "broker"),
    }
}

/// How long to wait before try number `attempt`: anything up to a bound that doubles.
fn again_after(attempt: usize) -> Duration {
    let doubled = AGAIN_AFTER_MIN.saturating_mul(1 << attempt.min(10));
    let drawn = getrandom::u32().unwrap_or(u32::MAX);
    doubled.min(AGAIN_AFTER_MAX).mul_f64(f64::from(drawn) / f64::from(u32::MAX))
}

fn is_too_old(version: &str) -> bool {
    let mut parts = version.split(['.', '-']).map(|part| part.parse::<u64>().ok());
    let (major, minor) = (parts.next().flatten(), parts.next().flatten());
    match (major, minor) {
        (Some(major), Some(minor)) => (major, minor) < SERVER_MIN,
        _ => true,
    }
}

/// The user that a credential is for: its public key, the subject of the token.
fn user_of(credential: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let token = credential.split("-----BEGIN NATS USER JWT-----").nth(1)?;
    let claims = token.trim_start().lines().next()?.split('.').nth(1)?;
    let claims = BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    claims.sub.bytes().all(|c| c.is_ascii_alphanumeric()).then_some(claims.sub)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_are_drawn_anew_for_each_lane() {
        assert!((0..100).all(|_| again_after(0) <= AGAIN_AFTER_MIN));
        assert!((0..100).all(|attempt| again_after(attempt) <= AGAIN_AFTER_MAX));
        let drawn: std::collections::BTreeSet<_> = (0..20).map(|_| again_after(20)).collect();
        assert!(drawn.len() > 15, "{drawn:?}");
    }

    #[test]
    fn a_broker_below_the_oldest_version_is_told_from_one_that_will_do() {
        for old in ["2.9.10", "2.13.9", "1.4.1", "", "unknown"] {
            assert!(is_too_old(old), "{old:?} was taken");
        }
        for good in ["2.14.0", "2.15.1", "2.15.0-beta.1", "3.0.0"] {
            assert!(!is_too_old(good), "{good:?} was refused");
        }
    }

    #[test]
    fn a_file_without_a_token_is_no_credential() {
        for text in ["", "-----BEGIN NATS USER JWT-----", "-----BEGIN NATS USER JWT-----\na.b.c\n"]
        {
            assert_eq!(user_of(text), None, "{text:?}");
        }
    }

    #[tokio::test]
    async fn an_address_in_the_clear_and_a_missing_file_are_refused_by_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let link = Link::of_folder("tls://127.0.0.1:1", folder);
        let told = link.connect("test").await.unwrap_err().to_string();
        assert!(told.contains("CA") && told.contains("ca.crt"), "{told}");
        let link = Link { url: "nats://127.0.0.1:1".to_owned(), ..link };
        let told = link.dial(ConnectOptions::new()).await.unwrap_err().to_string();
        assert!(told.contains("nats://127.0.0.1:1") && told.contains("tls://"), "{told}");
    }

    #[test]
    fn a_link_is_read_from_its_section_and_an_unknown_key_is_named() {
        let text = "url = 'tls://a:4222'\nca_file = 'ca'\ncertificate_file = 'c'\n\
                    certificate_key_file = 'k'\ncredentials_file = 'u'\n";
        assert_eq!(toml::from_str::<Link>(text).unwrap().url, "tls://a:4222");
        let old = format!("{text}password_file = 'p'\n");
        assert!(toml::from_str::<Link>(&old).unwrap_err().to_string().contains("password_file"));
    }
}
