//! What lanes are to go by: tariffs and directives for single lanes, as signed documents whose
//! versions only rise; and two small services that lanes rely on, the time and the word that their
//! list is still the newest.
//!
//! A document is numbered, signed and stored in one transaction; publishing repeats until the
//! broker holds the last version of each subject, also after it lost its disk. How a lane is to work
//! is said by command, or asked for from a page ([`request`]). Deliberately absent: what a tariff
//! means, and whether a lane follows.

pub mod request;

use std::time::Duration;

use async_nats::jetstream::Context as JetStream;
use async_nats::jetstream::stream::DirectGetErrorKind;
use async_nats::{Client, HeaderMap};
use domain::signature::{Context, SecretKey};
use domain::wire::v1::{
    LaneDirective, ListConfirmation, TariffDirective, TimeAnswer, TimeQuestion, emit, parse,
};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, LaneId, OperatorId, Timestamp};
use futures::StreamExt as _;
use serde::Deserialize;
use sqlx::{PgConnection, PgPool, Row as _};

use crate::sql::to_sql;

/// How often the broker is compared with the books, and lanes hear that their list is the newest,
/// in real time.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How soon all is begun again after something failed, in real time.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// The largest document: what the stream takes, with room for its headers.
pub const DOCUMENT_LEN_MAX: usize = 500 * 1024;

/// Why a directive was not stored or published.
#[derive(Debug, thiserror::Error)]
pub enum DirectiveError {
    /// The database failed.
    #[error("store a directive")]
    Database(#[from] sqlx::Error),
    /// What is stored is not what was stored.
    #[error("the stored directive for {subject} cannot be read")]
    Stored {
        /// The subject it is for.
        subject: String,
    },
    /// The document would be refused by the broker.
    #[error("the directive for {subject} would have {len} bytes; {DOCUMENT_LEN_MAX} are allowed")]
    TooLarge {
        /// The subject it is for.
        subject: String,
        /// How long it is.
        len: usize,
    },
    /// The broker failed.
    #[error("publish a directive")]
    Publish(#[source] async_nats::Error),
}

/// Stores an operator's tariff file for its lanes, beside those of before; the same file twice is
/// one. Tells the version of the document.
///
/// # Errors
/// When the database fails, or the document would be too large.
pub async fn note_tariff(
    pool: &PgPool,
    key: &SecretKey,
    operator: &OperatorId,
    file: &serde_json::Value,
    now: Timestamp,
) -> Result<u64, DirectiveError> {
    let to = subject::tariff_directive(operator);
    let mut tx = pool.begin().await?;
    let last = last_in_tx(&mut tx, &to).await?;
    let unreadable = |_error| DirectiveError::Stored { subject: to.clone() };
    let (before, mut tariffs) = match last {
        None => (0, Vec::new()),
        Some((version, payload)) => {
            let before: TariffDirective =
                parse("tariff directive", &payload).map_err(unreadable)?;
            (version, before.tariffs)
        }
    };
    if tariffs.contains(file) {
        return Ok(before);
    }
    tariffs.push(file.clone());
    let version = before + 1;
    let operator = operator.clone();
    let payload = emit(&TariffDirective { v: 1, operator, version, issued_at: now, tariffs });
    insert_in_tx(&mut tx, key, &to, version, payload, now).await?;
    tx.commit().await?;
    Ok(version)
}

/// Stores how a lane is to work; its version follows on the one before, whatever it says. Tells the
/// version.
///
/// # Errors
/// When the database fails.
pub async fn order_lane(
    pool: &PgPool,
    key: &SecretKey,
    wanted: LaneDirective,
    now: Timestamp,
) -> Result<u64, DirectiveError> {
    let mut tx = pool.begin().await?;
    let version = order_lane_in_tx(&mut tx, key, wanted, now).await?;
    tx.commit().await?;
    Ok(version)
}

async fn order_lane_in_tx(
    tx: &mut PgConnection,
    key: &SecretKey,
    wanted: LaneDirective,
    now: Timestamp,
) -> Result<u64, DirectiveError> {
    let to = subject::lane_directive(&wanted.lane);
    let version = last_in_tx(tx, &to).await?.map_or(0, |(version, _)| version) + 1;
    let payload = emit(&LaneDirective { v: 1, version, issued_at: now, ..wanted });
    insert_in_tx(tx, key, &to, version, payload, now).await?;
    Ok(version)
}

/// The last version of a subject. Who else wants to write one waits until this transaction ends.
async fn last_in_tx(
    tx: &mut PgConnection,
    subject: &str,
) -> Result<Option<(u64, Vec<u8>)>, sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(subject)
        .execute(&mut *tx)
        .await?;
    let row = sqlx::query(
        "select version, payload from directive where subject = $1 order by version desc limit 1",
    )
    .bind(subject)
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row.map(|row| (u64::try_from(row.get::<i64, _>(0)).unwrap_or(0), row.get(1))))
}

async fn insert_in_tx(
    tx: &mut PgConnection,
    key: &SecretKey,
    subject: &str,
    version: u64,
    payload: Vec<u8>,
    now: Timestamp,
) -> Result<(), DirectiveError> {
    if payload.len() > DOCUMENT_LEN_MAX {
        return Err(DirectiveError::TooLarge { subject: subject.to_owned(), len: payload.len() });
    }
    let signature = key.sign(Context::Directive, &payload).to_text();
    sqlx::query("insert into directive values ($1, $2, $3, $4, $5)")
        .bind(subject)
        .bind(i64::try_from(version).unwrap_or(i64::MAX))
        .bind(payload)
        .bind(signature)
        .bind(to_sql(now))
        .execute(tx)
        .await?;
    Ok(())
}

/// How a lane is to work, as a file that a person writes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields of the same names in `LaneDirective`")]
pub struct LaneDirectiveFile {
    pub lane: LaneId,
    /// Now where absent.
    pub effective_at: Option<Timestamp>,
    pub ordered_by: String,
    #[serde(default)]
    pub mode: domain::wire::v1::LaneMode,
    #[serde(default)]
    pub policy: domain::wire::v1::PolicyRecord,
}

impl LaneDirectiveFile {
    /// The directive, without its version yet.
    #[must_use]
    pub fn into_directive(self, now: Timestamp) -> LaneDirective {
        LaneDirective {
            v: 1,
            lane: self.lane,
            version: 0,
            issued_at: now,
            effective_at: self.effective_at.unwrap_or(now),
            ordered_by: self.ordered_by,
            mode: self.mode,
            policy: self.policy,
        }
    }
}

/// Publishes directives and the word about the list, and answers what time it is.
#[derive(Debug, Clone)]
pub struct Herald {
    /// The books.
    pub pool: PgPool,
    /// The connection.
    pub client: Client,
    /// The same, for what is stored at the broker.
    pub jetstream: JetStream,
    /// The centre's key.
    pub key: SecretKey,
    /// The run's clock.
    pub clock: Clock,
}

impl Herald {
    /// Does so for as long as the process lives.
    pub async fn run(self) {
        tokio::join!(self.publish(), self.tell_time());
    }

    async fn publish(&self) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            look.tick().await;
            for done in [self.publish_directives().await, self.confirm_list().await] {
                if let Err(error) = done {
                    tracing::warn!(error = &error as &dyn std::error::Error, "lanes wait");
                }
            }
        }
    }

    /// Makes directives of what was asked for, and publishes the last version of each subject where
    /// the broker holds another, or none.
    async fn publish_directives(&self) -> Result<(), DirectiveError> {
        // What cannot be asked for holds up nothing that is directed already.
        if let Err(error) = request::answer_all(&self.pool, &self.key, self.clock.now()).await {
            tracing::error!(error = &error as &dyn std::error::Error, "requests are not answered");
        }
        let rows = sqlx::query(
            "select distinct on (subject) subject, payload, signature from directive \
             order by subject, version desc",
        )
        .fetch_all(&self.pool)
        .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let stream = self
            .jetstream
            .get_stream_no_info(subject::DIRECTIVES.name)
            .await
            .map_err(|error| DirectiveError::Publish(error.into()))?;
        for row in rows {
            let (to, payload): (String, Vec<u8>) = (row.get(0), row.get(1));
            let held = match stream.direct_get_last_for_subject(to.clone()).await {
                Ok(message) => Some(message.payload),
                Err(error) if error.kind() == DirectGetErrorKind::NotFound => None,
                Err(error) => return Err(DirectiveError::Publish(error.into())),
            };
            if held.as_deref() != Some(payload.as_slice()) {
                tracing::info!(subject = to, "directive published");
                self.send(to, payload, row.get(2)).await?;
            }
        }
        Ok(())
    }

    /// Says which version of the list is the newest.
    async fn confirm_list(&self) -> Result<(), DirectiveError> {
        #[derive(Deserialize)]
        struct Said {
            version: u64,
            hash: domain::signature::Digest256,
        }
        let newest = "select payload from list_delta order by version desc limit 1";
        let Some(payload) =
            sqlx::query_scalar::<_, Vec<u8>>(newest).fetch_optional(&self.pool).await?
        else {
            return Ok(());
        };
        let unreadable = |_error| DirectiveError::Stored { subject: subject::list_delta(0) };
        let Said { version, hash } = serde_json::from_slice(&payload).map_err(unreadable)?;
        let payload = emit(&ListConfirmation { v: 1, version, hash, at: self.clock.now() });
        let signature = self.key.sign(Context::ListConfirmation, &payload).to_text();
        self.send(subject::LIST_CONFIRMED.to_owned(), payload, signature).await
    }

    async fn send(
        &self,
        to: String,
        payload: Vec<u8>,
        signature: String,
    ) -> Result<(), DirectiveError> {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, signature);
        let publish =
            async { self.jetstream.publish_with_headers(to, headers, payload.into()).await?.await };
        publish.await.map_err(|error| DirectiveError::Publish(error.into()))?;
        Ok(())
    }

    async fn tell_time(&self) {
        loop {
            let asked =
                self.client.queue_subscribe(subject::TIME, "clearing-house".to_owned()).await;
            match asked {
                Ok(mut questions) => {
                    while let Some(question) = questions.next().await {
                        let received_at = self.clock.now();
                        self.answer(&question, received_at).await;
                    }
                }
                Err(error) => tracing::warn!(%error, "nobody hears what time it is"),
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    async fn answer(&self, question: &async_nats::Message, received_at: Timestamp) {
        let Some(reply) = question.reply.clone() else { return };
        let asked: TimeQuestion = match parse("question about the time", &question.payload) {
            Ok(asked) => asked,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no question");
                return;
            }
        };
        let TimeQuestion { lane, sent_at, .. } = asked;
        let answered_at = self.clock.now();
        let payload = emit(&TimeAnswer { v: 1, lane, sent_at, received_at, answered_at });
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, self.key.sign(Context::Time, &payload).to_text());
        let sent = self.client.publish_with_headers(reply, headers, payload.into()).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "a lane was not told the time");
        }
    }
}
