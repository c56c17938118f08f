//! Who calls: bearer tokens, roles and scopes.
//!
//! The file holds no token, only its SHA-256: a token is 32 random bytes, so nobody finds one from
//! its digest. It is read when the process starts.

use std::collections::HashMap;
use std::path::Path;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::signature::Digest256;
use domain::{IssuerId, OperatorId};
use serde::Deserialize;

use super::App;
use super::problem::Problem;
use crate::config::{self, ConfigError};

/// What a caller may do, and whose data it sees.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Role {
    /// An issuer: its own accounts, with everything that is done to them.
    Issuer {
        /// Which.
        issuer: IssuerId,
    },
    /// An operator: looks at its own passages, tariffs, lanes and quarantine.
    Operator {
        /// Which.
        operator: OperatorId,
    },
    /// Looks at everything and changes nothing.
    Auditor,
    /// The centre itself: everything.
    Centre,
}

/// A caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) name: String,
    pub(super) role: Role,
}

impl Caller {
    fn may_not(&self, what: &str) -> Problem {
        let detail = format!("{} may not {what}", self.name);
        Problem::new(StatusCode::FORBIDDEN, "may-not", detail)
    }

    /// The issuer whose accounts alone are seen; nothing where all are.
    pub(super) fn may_see_accounts(&self) -> Result<Option<&IssuerId>, Problem> {
        match &self.role {
            Role::Issuer { issuer } => Ok(Some(issuer)),
            Role::Auditor | Role::Centre => Ok(None),
            Role::Operator { .. } => Err(self.may_not("see accounts")),
        }
    }

    /// The issuer whose accounts alone are changed; nothing where all are.
    pub(super) fn may_change_accounts(&self) -> Result<Option<&IssuerId>, Problem> {
        match &self.role {
            Role::Issuer { issuer } => Ok(Some(issuer)),
            Role::Centre => Ok(None),
            Role::Auditor | Role::Operator { .. } => Err(self.may_not("change accounts")),
        }
    }

    /// The operator whose transfers alone may be said to be wrong; nothing where all may.
    pub(super) fn may_propose_corrections(&self) -> Result<Option<&OperatorId>, Problem> {
        match &self.role {
            Role::Operator { operator } => Ok(Some(operator)),
            Role::Centre => Ok(None),
            Role::Auditor | Role::Issuer { .. } => Err(self.may_not("propose corrections")),
        }
    }

    /// Whether corrections are this caller's to approve.
    pub(super) fn may_approve_corrections(&self) -> Result<(), Problem> {
        match &self.role {
            Role::Centre => Ok(()),
            Role::Auditor | Role::Issuer { .. } | Role::Operator { .. } => {
                Err(self.may_not("approve corrections"))
            }
        }
    }

    /// Whether proposals of all operators are this caller's to see.
    pub(super) fn may_see_proposals(&self) -> Result<(), Problem> {
        match &self.role {
            Role::Auditor | Role::Centre => Ok(()),
            Role::Issuer { .. } | Role::Operator { .. } => Err(self.may_not("see proposals")),
        }
    }

    /// The operator whose roads alone are seen; nothing where all are.
    pub(super) fn may_see_roads(&self) -> Result<Option<&OperatorId>, Problem> {
        match &self.role {
            Role::Operator { operator } => Ok(Some(operator)),
            Role::Auditor | Role::Centre => Ok(None),
            Role::Issuer { .. } => Err(self.may_not("see what happens on the roads")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensFile {
    #[serde(rename = "token", default)]
    tokens: Vec<TokenLine>,
}

#[derive(Deserialize)]
struct TokenLine {
    name: String,
    sha256: Digest256,
    #[serde(flatten)]
    role: Role,
}

/// All callers by the digest of their token.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<Digest256, Caller>);

impl Tokens {
    /// Reads the file.
    pub(super) fn load(path: &Path) -> Result<Self, ConfigError> {
        let file: TokensFile = config::load(path)?;
        let caller = |line: TokenLine| (line.sha256, Caller { name: line.name, role: line.role });
        Ok(Self(file.tokens.into_iter().map(caller).collect()))
    }

    fn of(&self, token: &str) -> Option<&Caller> {
        self.0.get(&Digest256::of(token.as_bytes()))
    }
}

/// Lets callers in whose token is known, and nobody else.
pub(super) async fn admit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let Some(caller) = token.and_then(|token| app.0.tokens.of(token)) else {
        let problem = Problem::new(
            StatusCode::UNAUTHORIZED,
            "no-token",
            "a known bearer token is needed in the header Authorization",
        );
        return ([(header::WWW_AUTHENTICATE, "Bearer")], problem).into_response();
    };
    request.extensions_mut().insert(caller.clone());
    next.run(request).await
}
