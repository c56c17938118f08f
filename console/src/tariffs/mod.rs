//! Tariffs: the versions in the books with when they hold, and new ones brought in by two people.
//!
//! A proposal is looked at by the lint that the command line has too, when it is made and again when
//! it is taken: a document with an error is neither. A version begins in the future, so that nothing
//! that was charged would cost another amount. Deliberately absent: what a crossing costs
//! (`domain::tariff`), and telling the lanes, which is the registrar's with the centre's key.

pub(crate) mod proposal;
mod repo;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use clearing_house::tariff::lint::{Document, has_errors, lint};
use clearing_house::tariff::{import, load, stations};
use serde::Deserialize;
use tracing::{error, warn};

use crate::access::Role;
use crate::audit::{Deed, NotAllowed};
use crate::books::{BooksError, Purpose};
use crate::finance::{or_notice, respond};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit};

use proposal::{Proposal, Standing, TariffError};
use repo::VersionRow;

struct VersionLine {
    operator: String,
    version: String,
    from: String,
    until: String,
    in_force: bool,
    source: String,
    url: String,
}

struct ProposalLine {
    number: u64,
    title: String,
    maker: String,
    at: String,
    standing: String,
    waits: bool,
    document: String,
    may_approve: bool,
    may_decline: bool,
}

#[derive(Template)]
#[template(path = "tariffs.html")]
struct TariffsPage {
    page: Page,
    done: Option<&'static str>,
    versions: Vec<VersionLine>,
    proposals: Vec<ProposalLine>,
    may_propose: bool,
}

#[derive(Template)]
#[template(path = "tariff.html")]
struct TariffPage {
    page: Page,
    title: String,
    groups: Vec<usize>,
    fares: Vec<(String, Vec<String>)>,
}

#[derive(Deserialize)]
pub(crate) struct DoneForm {
    #[serde(default)]
    done: String,
}

#[derive(Deserialize)]
pub(crate) struct DocumentForm {
    #[serde(default)]
    document: String,
}

/// The versions, and what is proposed.
pub(crate) async fn page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Query(form): Query<DoneForm>,
) -> Response {
    let t = visit.t;
    let mut page = app.page(&visit, Section::Tariffs);
    let versions = versions(&app, &visit).await;
    let versions = or_notice(versions, &mut page, t);
    let whole = versions.is_some();
    let proposals = app.audit().proposals();
    let visible = |one: &&Proposal| may_touch(&visit, one);
    let proposals =
        proposals.newest_first().filter(visible).map(|one| proposal_line(one, &app, &visit));
    let done = match form.done.as_str() {
        "proposed" => Some(t.done_tariff_proposed()),
        "approved" => Some(t.done_tariff_approved()),
        "declined" => Some(t.done_tariff_declined()),
        _ => None,
    };
    let template = TariffsPage {
        page,
        done,
        versions: versions.unwrap_or_default(),
        proposals: proposals.collect(),
        may_propose: visit.roles().contains(&Role::FinanceMaker),
    };
    respond(whole, &template)
}

async fn versions(app: &App, visit: &Visit) -> Result<Vec<VersionLine>, BooksError> {
    let (t, now) = (visit.t, app.clock().now());
    let rows = repo::versions(app.books(), &visit.scope(), now).await?;
    rows.iter().map(|row| version_line(row, now, t)).collect()
}

fn version_line(
    row: &VersionRow,
    now: domain::Timestamp,
    t: Language,
) -> Result<VersionLine, BooksError> {
    let (_, zone) = crate::finance::ways(&row.currency, &row.zone)?;
    let until = row.valid_until();
    Ok(VersionLine {
        operator: row.operator_name.clone(),
        version: row.version.clone(),
        from: t.date_and_time(row.valid_from(), &zone),
        until: until.map(|at| t.date_and_time(at, &zone)).unwrap_or_default(),
        in_force: row.is_newest_begun && until.is_none_or(|until| until > now),
        source: row.source.clone(),
        url: format!("/tariffs/{}/{}", row.operator, row.version),
    })
}

fn may_touch(visit: &Visit, proposal: &Proposal) -> bool {
    visit.scope().operator().is_none_or(|own| own == proposal.operator.as_str())
}

fn proposal_line(one: &Proposal, app: &App, visit: &Visit) -> ProposalLine {
    let (t, zone) = (visit.t, app.desk().zone());
    let standing = match &one.standing {
        Standing::Waits => t.tariff_waits().to_owned(),
        Standing::Approved { by, at } => {
            format!("{} {by} ({})", t.tariff_approved_by(), t.date_and_time(*at, &zone))
        }
        Standing::Declined { by, at } => {
            format!("{} {by} ({})", t.tariff_declined_by(), t.date_and_time(*at, &zone))
        }
    };
    let waits = one.standing == Standing::Waits;
    let has = |role| visit.roles().contains(&role);
    ProposalLine {
        number: one.number,
        title: format!("{} {}", one.operator, one.version),
        maker: one.maker.clone(),
        at: t.date_and_time(one.at, &zone),
        standing,
        waits,
        document: one.document.clone(),
        may_approve: waits && has(Role::FinanceChecker),
        may_decline: waits && (has(Role::FinanceChecker) || has(Role::FinanceMaker)),
    }
}

/// What one version charges.
pub(crate) async fn version_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path((operator, version)): Path<(String, String)>,
) -> Response {
    let t = visit.t;
    let missing = || problem(&app, &visit, StatusCode::NOT_FOUND, t.not_found());
    if visit.scope().operator().is_some_and(|own| own != operator) {
        return missing();
    }
    let page = app.page(&visit, Section::Tariffs);
    match repo::fares(app.books(), &operator, &version).await {
        Ok((_, rows)) if rows.is_empty() => missing(),
        Ok((currency, rows)) => {
            let money = |units: i64| {
                currency.parse().map_or_else(|_| units.to_string(), |one| t.money(units, one))
            };
            let groups = rows.iter().map(|row| row.amounts.len()).max().unwrap_or(0);
            let line = |row: &repo::FareRow| {
                let amounts = (0..groups).map(|place| {
                    row.amounts.get(place).map(|units| money(*units)).unwrap_or_default()
                });
                (row.name(), amounts.collect())
            };
            let title = format!("{operator} {version}");
            let fares = rows.iter().map(line).collect();
            respond(true, &TariffPage { page, title, groups: (1..=groups).collect(), fares })
        }
        Err(failure) => {
            warn!(error = &failure as &dyn std::error::Error, "read a tariff");
            problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, t.books_away())
        }
    }
}

/// Why a document was not taken.
enum Doubt {
    /// It says something wrong, told for people.
    Wrong(String),
    /// It is another operator's.
    Foreign,
    /// The books cannot be read.
    Away,
}

/// Reads a document and looks at it against the network, the versions in the books, and the time.
async fn looked_at(app: &App, visit: &Visit, text: &str) -> Result<Document, Doubt> {
    let t = visit.t;
    let document = Document::parse("tariff".to_owned(), text.replace("\r\n", "\n"))
        .map_err(|error| Doubt::Wrong(error.to_string()))?;
    let tariff = &document.tariff;
    if visit.scope().operator().is_some_and(|own| own != tariff.operator.as_str()) {
        return Err(Doubt::Foreign);
    }
    let away = |failure: &(dyn std::error::Error + 'static)| {
        warn!(error = failure, "look at a tariff");
        Doubt::Away
    };
    let pool = app.books().pool().map_err(|failure| away(&failure))?;
    let known = load(pool).await.map_err(|failure| away(&failure))?;
    let network = stations(pool).await.map_err(|failure| away(&failure))?;
    if tariff.valid_from <= app.clock().now() {
        return Err(Doubt::Wrong(t.tariff_in_the_past().to_owned()));
    }
    let findings = lint(std::slice::from_ref(&document), known.versions(), Some(&network));
    if has_errors(&findings) {
        let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
        return Err(Doubt::Wrong(told.join(" · ")));
    }
    Ok(document)
}

fn doubted(app: &App, visit: &Visit, doubt: &Doubt) -> Response {
    let t = visit.t;
    match doubt {
        Doubt::Wrong(told) => {
            let text = format!("{} {told}", t.tariff_refused());
            problem(app, visit, StatusCode::UNPROCESSABLE_ENTITY, &text)
        }
        Doubt::Foreign => problem(app, visit, StatusCode::NOT_FOUND, t.not_found()),
        Doubt::Away => problem(app, visit, StatusCode::SERVICE_UNAVAILABLE, t.books_away()),
    }
}

/// Writes a deed about a proposal down; the answer of what may not be is a page that says why.
async fn write_down(app: &App, visit: &Visit, deed: Deed) -> Option<Response> {
    let t = visit.t;
    let (status, text) = match app.audit().record(visit.author(), deed).await {
        Ok(Ok(_)) => return None,
        Ok(Err(NotAllowed::Tariff(TariffError::Own))) => (StatusCode::CONFLICT, t.refused_own()),
        Ok(Err(
            NotAllowed::Tariff(TariffError::Decided)
            | NotAllowed::Shift(_)
            | NotAllowed::Person(_)
            | NotAllowed::Key(_),
        )) => (StatusCode::CONFLICT, t.tariff_decided()),
        Err(failure) => {
            error!(error = &failure as &dyn std::error::Error, "write a proposal down");
            (StatusCode::SERVICE_UNAVAILABLE, t.audit_away())
        }
    };
    Some(problem(app, visit, status, text))
}

/// To propose a version.
pub(crate) async fn propose(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<DocumentForm>,
) -> Response {
    let document = match looked_at(&app, &visit, &form.document).await {
        Ok(document) => document,
        Err(doubt) => return doubted(&app, &visit, &doubt),
    };
    let deed = Deed::TariffProposed {
        operator: document.tariff.operator.clone(),
        version: document.tariff.version.clone(),
        document: form.document,
    };
    let refused = write_down(&app, &visit, deed).await;
    refused.unwrap_or_else(|| Redirect::to("/tariffs?done=proposed").into_response())
}

/// The proposal of an address, if it lies in the person's scope.
fn proposal_of(app: &App, visit: &Visit, number: &str) -> Option<Proposal> {
    let proposals = app.audit().proposals();
    let proposal = proposals.proposal(number.parse().ok()?)?;
    may_touch(visit, proposal).then(|| proposal.clone())
}

/// To take a version as the second person.
pub(crate) async fn approve(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<String>,
) -> Response {
    let t = visit.t;
    let Some(proposal) = proposal_of(&app, &visit, &number) else {
        return problem(&app, &visit, StatusCode::NOT_FOUND, t.not_found());
    };
    let document = match looked_at(&app, &visit, &proposal.document).await {
        Ok(document) => document,
        Err(doubt) => return doubted(&app, &visit, &doubt),
    };
    // Before it is written down that somebody agreed.
    let Ok(pool) = app.books().pool_for(Purpose::Registry) else {
        return problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, t.change_away());
    };
    let deed = Deed::TariffApproved { proposal: proposal.number };
    if let Some(refused) = write_down(&app, &visit, deed).await {
        return refused;
    }
    match import(pool, &document.tariff).await {
        Ok(()) => Redirect::to("/tariffs?done=approved").into_response(),
        Err(failure) => {
            // Agreed and not in the books: it is proposed anew, which costs nothing.
            error!(error = &failure as &dyn std::error::Error, "bring a tariff in");
            let text = format!("{} {failure}", t.tariff_refused());
            problem(&app, &visit, StatusCode::CONFLICT, &text)
        }
    }
}

/// To decline a proposal, or take back one's own.
pub(crate) async fn decline(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<String>,
) -> Response {
    let Some(proposal) = proposal_of(&app, &visit, &number) else {
        return problem(&app, &visit, StatusCode::NOT_FOUND, visit.t.not_found());
    };
    let deed = Deed::TariffDeclined { proposal: proposal.number };
    let refused = write_down(&app, &visit, deed).await;
    refused.unwrap_or_else(|| Redirect::to("/tariffs?done=declined").into_response())
}
