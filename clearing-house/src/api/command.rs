//! The command `clearing-house api`: the description, and new tokens.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Subcommand;
use domain::signature::Digest256;

/// What to do about the API.
#[derive(Debug, Subcommand)]
pub enum ApiCommand {
    /// Print the description, which `docs/openapi.json` keeps.
    Describe,
    /// Make a token: prints it once, and the digest for the file of tokens.
    Token,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The machine gave no random bytes.
    #[error("no random bytes for a token")]
    Random(#[source] getrandom::Error),
    /// The answer could not be written.
    #[error("write the answer")]
    Write(#[from] std::io::Error),
}

/// Carries out a command.
///
/// # Errors
/// When there are no random bytes or the answer cannot be written.
pub fn carry_out(command: &ApiCommand) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    match command {
        ApiCommand::Describe => write!(out, "{}", super::openapi_text())?,
        ApiCommand::Token => {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).map_err(CommandError::Random)?;
            let token = URL_SAFE_NO_PAD.encode(bytes);
            let sha256 = Digest256::of(token.as_bytes());
            writeln!(out, "token  {token}")?;
            writeln!(out, "sha256 {sha256}")?;
        }
    }
    Ok(())
}
