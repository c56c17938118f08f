//! `lane-controller list`: what is kept here, for a person. It may run beside the lanes.

use std::io::Write;

use clap::Subcommand;

use super::{ListError, ListStore};
use crate::config::Config;

/// What a person may ask of the kept list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ListCommand {
    /// Say which list is kept, and what waits to be confirmed.
    Show,
    /// Read all of the list and prove that it is what the clearing house signed.
    Verify,
    /// Let the list that waits be taken, though it shrinks or grows by so much.
    Confirm,
}

impl ListCommand {
    /// Does it, and says what came of it.
    ///
    /// # Errors
    /// When the list cannot be read, is not what was signed, or nothing waits to be confirmed.
    pub fn run(self, config: &Config, out: &mut impl Write) -> Result<(), ListError> {
        let folder = config.data.folder.join("list");
        let kept = ListStore::look(&folder, &config.centre.public_key)?;
        let keep = |source| ListError::Keep { path: folder.clone(), source };
        match self {
            Self::Show => {
                let view = &kept.view;
                writeln!(
                    out,
                    "version {} of {}, confirmed at {}: {} tags",
                    view.version(),
                    view.issued_at(),
                    view.confirmed_at(),
                    view.len()
                )
                .map_err(keep)?;
                if let Some(held) = &kept.held {
                    writeln!(
                        out,
                        "version {} waits: {} tags after {}; `lane-controller list confirm` takes it",
                        held.version, held.tags_after, held.tags_before
                    )
                    .map_err(keep)?;
                }
            }
            Self::Verify => {
                kept.view.prove()?;
                let (version, tags) = (kept.view.version(), kept.view.len());
                writeln!(out, "version {version} is as it was signed: {tags} tags")
                    .map_err(keep)?;
            }
            Self::Confirm => {
                let nothing = || keep(std::io::Error::other("nothing waits to be confirmed"));
                let held = kept.held.ok_or_else(nothing)?;
                ListStore::confirm(&folder, &held)?;
                let (version, tags) = (held.version, held.tags_after);
                writeln!(out, "version {version} with {tags} tags will be taken").map_err(keep)?;
            }
        }
        Ok(())
    }
}
