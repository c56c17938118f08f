//! Cases: what does not add up, with both sides' records beside each other, from the finding to the
//! day two people have settled it.
//!
//! Whoever takes a case sees to it; a maker proposes how it ends, a checker settles it, and the
//! library moves the money with the settling. *Ageing*: open cases by how old they are, with the
//! money that hangs on them. Deliberately absent: finding what does not add up, which is
//! `reconciliation`'s, and what an outcome does to the books.

mod form;
mod looks;
mod one;
mod repo;
mod trend;

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::{Currency, Timestamp};
use jiff::tz::TimeZone;
use reconciliation::cases::{Kind, age};

use crate::access::Role;
use crate::books::BooksError;
use crate::finance::{days_repo::has_settlement, or_notice, respond};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit};

use form::FilterForm;
pub(crate) use looks::unmask_looks;
pub(crate) use one::{case_page, note_case, propose_case, settle_case, take_case, take_cases};
use repo::CaseRow;
use trend::Trend;

/// Every kind of case, in the order people read them.
pub(crate) const KINDS: [Kind; 17] = [
    Kind::Hole,
    Kind::Unproven,
    Kind::OnlyOurs,
    Kind::OnlyTheirs,
    Kind::AmountDiffers,
    Kind::ClassDiffers,
    Kind::Duplicate,
    Kind::BankShort,
    Kind::BankReturned,
    Kind::BankOver,
    Kind::BankUnknown,
    Kind::BankLate,
    Kind::Dispute,
    Kind::ManifestMissing,
    Kind::ManifestDiffers,
    Kind::LoopsDiffer,
    Kind::ReviewDiffers,
];

/// A case in the list.
struct CaseLine {
    code: String,
    kind: &'static str,
    operator: String,
    day: String,
    subject: String,
    amount: String,
    age: &'static str,
    due: String,
    is_overdue: bool,
    is_open: bool,
    state: &'static str,
    owner: String,
}

/// Open cases of one age.
struct AgeLine {
    age: &'static str,
    count: String,
    amount: String,
}

#[derive(Template)]
#[template(path = "cases.html")]
struct CasesPage {
    page: Page,
    form: FilterForm,
    kinds: Vec<(&'static str, &'static str)>,
    states: [(&'static str, &'static str); 3],
    owners: [(&'static str, &'static str); 2],
    operators: Vec<(String, String)>,
    cases: Vec<CaseLine>,
    ages: Vec<AgeLine>,
    trend: Option<Trend>,
    is_more: bool,
    may_take: bool,
}

/// Currency and zone of a case's operator.
fn ways(row: &CaseRow) -> Result<(Currency, TimeZone), BooksError> {
    crate::finance::ways(&row.currency, &row.zone)
}

impl CaseLine {
    fn new(row: &CaseRow, now: Timestamp, t: Language) -> Result<Self, BooksError> {
        let (currency, zone) = ways(row)?;
        let is_open = row.state != "settled";
        Ok(Self {
            code: row.code.clone(),
            kind: t.case_kind(&row.kind),
            operator: row.operator_name.clone(),
            day: row.day().to_string(),
            subject: row.subject.clone(),
            amount: t.money(row.amount, currency),
            age: if is_open { t.case_age(age(row.opened_at(), now)) } else { "" },
            due: t.date_and_time(row.due_at(), &zone),
            is_open,
            is_overdue: is_open && row.due_at() < now,
            state: t.case_state(&row.state),
            owner: row.owner.clone().unwrap_or_default(),
        })
    }
}

/// Open cases by age and currency, the oldest first.
fn ages(rows: &[repo::OpenRow], now: Timestamp, t: Language) -> Vec<AgeLine> {
    let steps = ["30 days or more", "5 to 30 days", "1 to 5 days", "less than a day"];
    let mut sums: BTreeMap<(usize, &str), (u64, i64)> = BTreeMap::new();
    for row in rows {
        let name = age(row.opened_at(), now);
        let place = steps.iter().position(|step| *step == name).unwrap_or(steps.len());
        let sum = sums.entry((place, row.currency.as_str())).or_default();
        *sum = (sum.0 + 1, sum.1 + row.amount);
    }
    let line = |((place, currency), (count, units)): ((usize, &str), (u64, i64))| {
        let amount = currency.parse().map_or_else(|_| units.to_string(), |one| t.money(units, one));
        let name = steps.get(place).copied().unwrap_or_default();
        AgeLine { age: t.case_age(name), count: t.count(count), amount }
    };
    sums.into_iter().map(line).collect()
}

#[derive(Default)]
struct Found {
    operators: Vec<(String, String)>,
    cases: Vec<CaseLine>,
    ages: Vec<AgeLine>,
    trend: Option<Trend>,
    is_more: bool,
}

/// The cases.
pub(crate) async fn page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<FilterForm>, QueryRejection>,
) -> Response {
    let t = visit.t;
    let form = query.map(|Query(form)| form).ok();
    let Some((form, filter)) = form.and_then(|form| form.filter().map(|filter| (form, filter)))
    else {
        return problem(&app, &visit, StatusCode::BAD_REQUEST, t.wrong_search());
    };
    let has = |role| visit.roles().contains(&role);
    let may_take = has(Role::FinanceMaker) || has(Role::FinanceChecker);
    let mut page = app.page(&visit, Section::Cases);
    let found = or_notice(found(&app, &visit, &filter).await, &mut page, t);
    let whole = found.is_some();
    let Found { operators, cases, ages, trend, is_more } = found.unwrap_or_default();
    let template = CasesPage {
        page,
        form,
        kinds: KINDS.map(|kind| (kind.name(), t.case_kind(kind.name()))).to_vec(),
        states: [
            ("proposed", t.case_state("proposed")),
            ("settled", t.case_state("settled")),
            ("all", t.any()),
        ],
        owners: [("mine", t.mine()), ("nobody", t.nobodys())],
        operators,
        cases,
        ages,
        trend,
        is_more,
        may_take,
    };
    respond(whole, &template)
}

async fn found(app: &App, visit: &Visit, filter: &form::Filter) -> Result<Found, BooksError> {
    let (t, books, scope, now) = (visit.t, app.books(), visit.scope(), app.clock().now());
    let operators = repo::operators(books, &scope).await?;
    if !has_settlement(books).await? {
        return Ok(Found { operators, ..Found::default() });
    }
    let (rows, is_more) =
        repo::cases(books, &scope, (filter, visit.user().unwrap_or_default()), now).await?;
    let cases = rows.iter().map(|row| CaseLine::new(row, now, t)).collect::<Result<_, _>>()?;
    let open = repo::open(books, &scope).await?;
    let opened = repo::opened_by_day(books, &scope, now).await?;
    Ok(Found {
        operators,
        cases,
        ages: ages(&open, now, t),
        trend: Trend::new(&opened, now, t),
        is_more,
    })
}
