//! `lane-controller journal …`: looks at a journal, beside the lane that writes it or as a copy.
//!
//! Reads only. Tags and plates are masked unless `--clear` is given.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use domain::signature::{PublicKey, Signature};
use domain::wire::v1::PassageRecord;
use serde_json::{Value, json};

use crate::journal::{Finding, Found, JournalError, Survey};

/// What to do with a journal.
#[derive(Debug, Clone, Subcommand)]
pub enum JournalCommand {
    /// List the records.
    Ls(Look),
    /// Show one record in full.
    Show {
        /// Its sequence.
        seq: u64,
        /// In which journal, and how.
        #[command(flatten)]
        look: Look,
    },
    /// Check every record: check sum, digest, chain, sequence, and with a key the signatures.
    Verify(Look),
    /// Write every record as one line of JSON, those around damage too.
    Export(Look),
}

/// Which journal, and how.
#[derive(Debug, Clone, Args)]
pub struct Look {
    /// The journal's file.
    #[arg(long)]
    file: PathBuf,
    /// The lane's public key in base64; signatures are not checked without it.
    #[arg(long, value_parser = public_key)]
    public_key: Option<PublicKey>,
    /// The first sequence to look at.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// For programs.
    #[arg(long)]
    json: bool,
    /// Show tags and plates.
    #[arg(long)]
    clear: bool,
}

/// Why a journal was not looked at to the end.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What was found could not be written.
    #[error("write what was found")]
    Write(#[from] io::Error),
    /// It is not as it was written.
    #[error("{broken} of {count} sequences are broken, the first is {first}: {why}")]
    Broken {
        /// How many.
        broken: u64,
        /// Of how many.
        count: u64,
        /// The first.
        first: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no such record.
    #[error("there is no sequence {seq}")]
    NoSuch {
        /// Which was asked for.
        seq: u64,
    },
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::try_from(text.to_owned()).map_err(|error| error.to_string())
}

/// Carries out a command.
///
/// # Errors
/// When the journal cannot be opened, is broken, or nobody takes what was found.
pub fn run(command: &JournalCommand, out: &mut impl Write) -> Result<(), LookError> {
    match command {
        JournalCommand::Ls(look) => {
            let survey = Survey::open(&look.file)?;
            for found in survey.walk(look.from, look.public_key) {
                list_one(look, &found, out)?;
            }
            Ok(())
        }
        JournalCommand::Show { seq, look } => {
            let survey = Survey::open(&look.file)?;
            let found = survey
                .walk(*seq, look.public_key)
                .next()
                .filter(|found| found.seq == *seq)
                .ok_or(LookError::NoSuch { seq: *seq })?;
            let shown = exported(look, &found);
            let text = if look.json { shown.to_string() } else { format!("{shown:#}") };
            Ok(writeln!(out, "{text}")?)
        }
        JournalCommand::Verify(look) => verify(look, out),
        JournalCommand::Export(look) => {
            let survey = Survey::open(&look.file)?;
            for found in survey.walk(look.from, look.public_key) {
                writeln!(out, "{}", exported(look, &found))?;
            }
            Ok(())
        }
    }
}

fn list_one(look: &Look, found: &Found, out: &mut impl Write) -> Result<(), LookError> {
    if look.json {
        return Ok(writeln!(out, "{}", exported(look, found))?);
    }
    let seq = found.seq;
    match &found.finding {
        Finding::Whole { record, before_durable, .. } => {
            let masked = |text: Option<(String, String)>| {
                text.map_or(
                    "-".to_owned(),
                    |(clear, masked)| if look.clear { clear } else { masked },
                )
            };
            let tag = masked(record.tag.as_ref().map(|tag| (tag.to_hex(), tag.masked())));
            let plate =
                record.plate.as_ref().map(|plate| (String::from(plate.clone()), plate.masked()));
            let decision = json!(record.decision);
            let decision = decision.as_str().unwrap_or_default();
            let mark = if *before_durable { "  before it was durable" } else { "" };
            writeln!(
                out,
                "{seq:>8}  {}  {decision:<19}  {tag}  {}{mark}",
                record.at,
                masked(plate)
            )?;
        }
        Finding::Broken { why, .. } => writeln!(out, "{seq:>8}  BROKEN: {why}")?,
        Finding::Missing => writeln!(out, "{seq:>8}  MISSING")?,
    }
    Ok(())
}

fn verify(look: &Look, out: &mut impl Write) -> Result<(), LookError> {
    let survey = Survey::open(&look.file)?;
    let (mut count, mut broken, mut first) = (0, 0, None);
    for found in survey.walk(look.from, look.public_key) {
        count += 1;
        let why = match found.finding {
            Finding::Whole { .. } => continue,
            Finding::Broken { why, .. } => why,
            Finding::Missing => "it is missing",
        };
        broken += 1;
        first = first.or(Some((found.seq, why)));
    }
    let signatures = if look.public_key.is_some() { "checked" } else { "not checked" };
    if look.json {
        let first = first.map(|(seq, why)| json!({"seq": seq, "why": why}));
        let episodes: Vec<Value> = survey
            .episodes
            .iter()
            .map(|episode| {
                json!({
                    "from_seq": episode.from_seq, "upto_seq": episode.upto_seq,
                    "since": episode.since, "until": episode.until, "cause": episode.cause,
                })
            })
            .collect();
        let report = json!({
            "lane": survey.lane, "epoch": survey.epoch, "posted_upto": survey.posted_upto,
            "sequences": count, "broken": broken, "first_break": first,
            "signatures": signatures, "episodes": episodes,
        });
        writeln!(out, "{report}")?;
    } else {
        let (lane, epoch, episodes) = (&survey.lane, survey.epoch, survey.episodes.len());
        writeln!(
            out,
            "{lane}, epoch {epoch}: {count} sequences, {broken} broken, signatures {signatures}, \
             {episodes} episodes without the disk"
        )?;
    }
    match first {
        None => Ok(()),
        Some((first, why)) => Err(LookError::Broken { broken, count, first, why }),
    }
}

/// A sequence as one JSON value: with `--clear` the exact bytes and their signature, as they
/// travel; otherwise the passage with tag and plate masked.
fn exported(look: &Look, found: &Found) -> Value {
    let seq = found.seq;
    let signed = |payload: &[u8], signature: &[u8]| {
        json!({
            "payload": String::from_utf8_lossy(payload),
            "payload_hex": payload.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            "signature": Signature::try_from_slice(signature).ok(),
        })
    };
    let (mut value, extra) = match &found.finding {
        Finding::Whole { record, payload, signature, digest, before_durable } => {
            let value = json!({
                "seq": seq, "whole": true, "digest": digest, "before_durable": before_durable,
            });
            let extra = if look.clear {
                signed(payload, signature)
            } else {
                json!({"passage": masked(record)})
            };
            (value, extra)
        }
        Finding::Broken { why, payload, signature } => {
            let value = json!({"seq": seq, "whole": false, "why": why});
            // Bytes that cannot be read cannot be masked either.
            (value, if look.clear { signed(payload, signature) } else { json!({}) })
        }
        Finding::Missing => {
            (json!({"seq": seq, "whole": false, "why": "it is missing"}), json!({}))
        }
    };
    if let (Value::Object(value), Value::Object(extra)) = (&mut value, extra) {
        value.extend(extra);
    }
    value
}

fn masked(record: &PassageRecord) -> Value {
    let mut value = json!(record);
    value["tag"] = json!(record.tag.as_ref().map(domain::TagId::masked));
    value["plate"] = json!(record.plate.as_ref().map(domain::Plate::masked));
    // An attendant's note is free text.
    if let Some(attendance) = value.get_mut("attendance").filter(|found| !found.is_null()) {
        *attendance = json!("…");
    }
    value
}

#[cfg(test)]
mod tests;
