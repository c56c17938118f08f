//! Who calls: roles and scopes, and the door.
//!
//! Which role may do what is one table, [`WHO`]; the door refuses what is not in it, and the
//! description says the same of each operation (`x-roles`). Whose rows a caller sees is its *scope*,
//! which each handler asks for and cannot forget to: there is no other way to a place in the books.

use std::fmt;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::{IssuerId, OperatorId};

use super::App;
use super::keys;
use super::problem::Problem;

/// What a caller may do, and whose data it sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// An issuer: its own accounts, with everything that is done to them.
    Issuer(IssuerId),
    /// An operator: looks at its own passages, settlement, tariffs, lanes and quarantine.
    Operator(OperatorId),
    /// Looks at everything, plates and tags masked, and changes nothing.
    Auditor,
    /// The centre itself: everything.
    Centre,
}

impl Role {
    /// The role of this name with this scope.
    #[must_use]
    pub fn try_new(name: &str, scope: Option<&str>) -> Option<Self> {
        match (name, scope) {
            ("issuer", Some(issuer)) => Some(Self::Issuer(issuer.parse().ok()?)),
            ("operator", Some(operator)) => Some(Self::Operator(operator.parse().ok()?)),
            ("auditor", None) => Some(Self::Auditor),
            ("centre", None) => Some(Self::Centre),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Issuer(_) => "issuer",
            Self::Operator(_) => "operator",
            Self::Auditor => "auditor",
            Self::Centre => "centre",
        }
    }

    /// The issuer whose accounts alone it is about.
    #[must_use]
    pub const fn issuer(&self) -> Option<&IssuerId> {
        match self {
            Self::Issuer(issuer) => Some(issuer),
            Self::Operator(_) | Self::Auditor | Self::Centre => None,
        }
    }

    /// The operator whose roads alone it is about.
    #[must_use]
    pub const fn operator(&self) -> Option<&OperatorId> {
        match self {
            Self::Operator(operator) => Some(operator),
            Self::Issuer(_) | Self::Auditor | Self::Centre => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer(issuer) => write!(f, "issuer {issuer}"),
            Self::Operator(operator) => write!(f, "operator {operator}"),
            Self::Auditor | Self::Centre => f.write_str(self.name()),
        }
    }
}

const EVERYBODY: &[&str] = &["issuer", "operator", "auditor", "centre"];
const SEES_ACCOUNTS: &[&str] = &["issuer", "auditor", "centre"];
const CHANGES_ACCOUNTS: &[&str] = &["issuer", "centre"];
const SEES_ROADS: &[&str] = &["operator", "auditor", "centre"];
const CORRECTS: &[&str] = &["operator", "centre"];
const SEES_PROPOSALS: &[&str] = &["auditor", "centre"];
const APPROVES: &[&str] = &["centre"];

/// Every operation and who may ask for it. What is not here is refused.
#[rustfmt::skip]
pub(super) const WHO: &[(&str, &str, &[&str])] = &[
    ("GET",    "/api/v1/me",                                         EVERYBODY),
    ("GET",    "/api/v1/health",                                     EVERYBODY),
    ("POST",   "/api/v1/accounts",                                   CHANGES_ACCOUNTS),
    ("GET",    "/api/v1/accounts",                                   SEES_ACCOUNTS),
    ("GET",    "/api/v1/accounts/{account}",                         SEES_ACCOUNTS),
    ("GET",    "/api/v1/accounts/{account}/statement",               SEES_ACCOUNTS),
    ("GET",    "/api/v1/accounts/{account}/passages",                SEES_ACCOUNTS),
    ("POST",   "/api/v1/accounts/{account}/top-ups",                 CHANGES_ACCOUNTS),
    ("POST",   "/api/v1/accounts/{account}/refunds",                 CHANGES_ACCOUNTS),
    ("POST",   "/api/v1/accounts/{account}/holds",                   CHANGES_ACCOUNTS),
    ("DELETE", "/api/v1/accounts/{account}/holds/{hold}",            CHANGES_ACCOUNTS),
    ("POST",   "/api/v1/accounts/{account}/state",                   CHANGES_ACCOUNTS),
    ("POST",   "/api/v1/accounts/{account}/links",                   CHANGES_ACCOUNTS),
    ("POST",   "/api/v1/accounts/{account}/unlinks",                 CHANGES_ACCOUNTS),
    ("POST",   "/api/v1/accounts/{account}/disputes",                CHANGES_ACCOUNTS),
    ("GET",    "/api/v1/accounts/{account}/disputes",                SEES_ACCOUNTS),
    ("GET",    "/api/v1/passages",                                   SEES_ROADS),
    ("GET",    "/api/v1/passages/{operator}/{station}/{lane}/{epoch}/{seq}", SEES_ROADS),
    ("GET",    "/api/v1/quarantine",                                 SEES_ROADS),
    ("GET",    "/api/v1/corrections",                                SEES_ROADS),
    ("POST",   "/api/v1/corrections",                                CORRECTS),
    ("GET",    "/api/v1/corrections/proposals",                      SEES_PROPOSALS),
    ("POST",   "/api/v1/corrections/{proposal}/approval",            APPROVES),
    ("GET",    "/api/v1/settlement/days",                            SEES_ROADS),
    ("GET",    "/api/v1/settlement/days/{operator}/{day}",           SEES_ROADS),
    ("GET",    "/api/v1/settlement/days/{operator}/{day}/statement", SEES_ROADS),
    ("GET",    "/api/v1/settlement/payments",                        SEES_ROADS),
    ("GET",    "/api/v1/settlement/cases",                           SEES_ROADS),
    ("GET",    "/api/v1/tariffs",                                    SEES_ROADS),
    ("GET",    "/api/v1/tariffs/{operator}/{version}",               SEES_ROADS),
    ("GET",    "/api/v1/lanes",                                      SEES_ROADS),
    ("GET",    "/api/v1/list",                                       EVERYBODY),
];

/// Who may ask for an operation.
pub(super) fn who_may(method: &str, path: &str) -> &'static [&'static str] {
    let mut rows = WHO.iter();
    rows.find(|(m, p, _)| (*m, *p) == (method, path)).map_or(&[], |(_, _, who)| who)
}

/// A caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// Its key's number.
    pub(super) key: i64,
    pub(super) name: String,
    pub(super) role: Role,
}

impl Caller {
    fn may_not(&self, what: &str) -> Problem {
        let detail = format!("{} is {}, which may not {what}", self.name, self.role);
        Problem::new(StatusCode::FORBIDDEN, "may-not", detail)
    }

    /// The issuer whose accounts alone it sees and changes; nothing where all are.
    pub(super) fn accounts(&self) -> Result<Option<&IssuerId>, Problem> {
        match &self.role {
            Role::Issuer(issuer) => Ok(Some(issuer)),
            Role::Auditor | Role::Centre => Ok(None),
            Role::Operator(_) => Err(self.may_not("see accounts")),
        }
    }

    /// The operator whose roads alone it sees; nothing where all are.
    pub(super) fn roads(&self) -> Result<Option<&OperatorId>, Problem> {
        match &self.role {
            Role::Operator(operator) => Ok(Some(operator)),
            Role::Auditor | Role::Centre => Ok(None),
            Role::Issuer(_) => Err(self.may_not("see what happens on the roads")),
        }
    }
}

/// Lets callers in who show a key that opens, may ask for this, and do not ask too often.
pub(super) async fn admit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default()
        .to_owned();
    let caller = match known(&app, &token).await {
        Ok(caller) => caller,
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED.as_u16() => {
            return ([(header::WWW_AUTHENTICATE, "Bearer")], problem).into_response();
        }
        Err(problem) => return problem.into_response(),
    };
    if let Err(wait_s) = app.0.limits.take(caller.key, app.0.clock.real()) {
        let detail = format!("too many requests of {}: try again in {wait_s} s", caller.name);
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail);
        return ([(header::RETRY_AFTER, wait_s.to_string())], problem).into_response();
    }
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let method = match *request.method() {
        Method::HEAD => &Method::GET,
        _ => request.method(),
    };
    if !who_may(method.as_str(), path).contains(&caller.role.name()) {
        return caller.may_not(&format!("{method} {path}")).into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

async fn known(app: &App, token: &str) -> Result<Caller, Problem> {
    let caller = keys::caller_of(&app.0.pool, token, app.0.clock.now()).await;
    caller.map_err(|error| Problem::books(&error))?.ok_or_else(|| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "no-key",
            "the header Authorization needs a bearer token whose key is neither revoked nor over",
        )
    })
}
