//! One thing that is done to the books while others post: the close, or a proof.

use std::io::Write as _;
use std::process::Stdio;

use domain::signature::SecretKey;
use domain::{BusinessDate, Clock};
use reconciliation::settlement::{Outcome, Today, close_through};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::Failed;
use crate::matching::peak_kib;
use crate::posting::world::LIST_POLICY;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Close,
    Verify,
    VerifyBooks,
}

const ALL: [What; 3] = [What::Close, What::Verify, What::VerifyBooks];

impl What {
    const fn name(self) -> &'static str {
        match self {
            Self::Close => "reconciliation close",
            Self::Verify => "reconciliation verify",
            Self::VerifyBooks => "clearing-house verify",
        }
    }
}

/// A step and where it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    what: What,
    url: String,
    day: BusinessDate,
}

/// How a step went.
#[derive(Debug)]
pub(super) struct Took {
    pub(super) seconds: f64,
    pub(super) peak_kib: u64,
    /// What a reader of the figures must know.
    pub(super) said: Option<String>,
}

impl Step {
    /// Reads a step.
    ///
    /// # Errors
    /// When there is no such step or day.
    pub fn try_new(what: &str, url: &str, day: &str) -> Result<Self, Failed> {
        let what = ALL.into_iter().find(|one| one.name() == what).ok_or("there is no such step")?;
        Ok(Self { what, url: url.to_owned(), day: day.parse()? })
    }

    /// The steps in the order in which they are done.
    pub(super) fn all(url: &str, day: BusinessDate) -> impl Iterator<Item = Self> {
        ALL.into_iter().map(move |what| Self { what, url: url.to_owned(), day })
    }

    pub(super) const fn name(&self) -> &'static str {
        self.what.name()
    }

    pub(super) const fn is_close(&self) -> bool {
        matches!(self.what, What::Close)
    }

    /// Does it in a process of its own.
    pub(super) async fn run_in_a_process(&self) -> Result<Took, Failed> {
        let output = tokio::process::Command::new(std::env::current_exe()?)
            .args(["--step", self.name(), &self.url, &self.day.to_string()])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {said}", self.name()).into());
        }
        let took: Value = serde_json::from_slice(&output.stdout)?;
        let missing = || format!("{} did not say how it went", self.name());
        Ok(Took {
            seconds: took["seconds"].as_f64().ok_or_else(missing)?,
            peak_kib: took["peak_kib"].as_u64().ok_or_else(missing)?,
            said: took["said"].as_str().map(str::to_owned),
        })
    }
}

/// Does a step and prints how it went, as JSON.
///
/// # Errors
/// When it fails, the day does not close, or something is broken.
pub fn one_step(step: &Step) -> Result<(), Failed> {
    let clock = Clock::system();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let started = clock.real();
    let said = runtime.block_on(done(step, clock))?;
    let seconds = clock.real().duration_since(started).as_secs_f64();
    let took = json!({"seconds": seconds, "peak_kib": peak_kib(None)?, "said": said});
    Ok(writeln!(std::io::stdout().lock(), "{took}")?)
}

async fn done(step: &Step, clock: Clock) -> Result<Option<String>, Failed> {
    let pool = PgPool::connect(&step.url).await?;
    let key = SecretKey::from_seed(&[42; 32]);
    match step.what {
        What::Close => {
            let today = Today { clock: &clock, early_reason: None };
            let closes = close_through(&pool, step.day, today, &key).await?;
            match &closes[..] {
                [close] if matches!(close.outcome, Outcome::Closed { .. }) => Ok(None),
                other => Err(format!("the day did not close: {other:?}").into()),
            }
        }
        What::Verify => {
            let verdict = reconciliation::verify::verify(&pool, &key.public()).await?;
            if verdict.ok { Ok(None) } else { Err(verdict.to_string().into()) }
        }
        What::VerifyBooks => {
            let proof =
                clearing_house::verify::verify(&pool, key.public(), LIST_POLICY, &mut |_, _| ())
                    .await?;
            let broken: Vec<&str> = proof
                .invariants
                .iter()
                .filter(|invariant| invariant.broken > 0)
                .map(|invariant| invariant.what)
                .collect();
            Ok(Some(format!("`clearing-house verify` misses here: {}.", broken.join("; "))))
        }
    }
}
