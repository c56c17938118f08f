//! Image review: one passage at a time, its pictures large, the answer by keys, and the next one by
//! itself.
//!
//! What an item, a claim and a look are, is `reconciliation::review`'s. An item shows plate and tag in
//! clear to the one person who has it, for as long as they have it; that it was shown is in the audit
//! log before it is. Nothing on a page says whether somebody else looked, or will. Deliberately
//! absent: which passages are looked at, what answers come to, and money.

mod form;
mod item;
mod pictures;

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::SignedDuration;
use reconciliation::approval::Person;
use reconciliation::review::{self, Policy, Waiting, Within, Work};
use serde::Deserialize;

use crate::access::{Role, Scope};
use crate::books::{BooksError, in_time};
use crate::config;
use crate::finance::{days_repo::has_settlement, or_notice, respond};
use crate::http::App;
use crate::language::Language;
use crate::page::{Page, Section, Visit};

pub(crate) use item::{answer_item, item_page, leave_item, next_item, picture};
use pictures::Pictures;

/// How this console has passages looked at again.
#[derive(Debug, Clone)]
pub(crate) struct Reviewing {
    pub policy: Policy,
    pub pictures: Pictures,
}

impl Reviewing {
    pub(crate) fn new(config: &config::Review) -> Self {
        let pictures = Pictures::new(config.pictures_folder.clone());
        Self { policy: config.policy(), pictures }
    }
}

impl Default for Reviewing {
    fn default() -> Self {
        Self { policy: Policy::DEFAULT, pictures: Pictures::default() }
    }
}

/// Over how long reviewers' work is counted.
const COUNTED: SignedDuration = SignedDuration::from_hours(24 * 30);

/// What was done last, as it stands in the address.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DoneForm {
    #[serde(default)]
    done: String,
}

struct CountLine {
    name: &'static str,
    count: String,
}

/// What one reviewer did.
struct WorkLine {
    reviewer: String,
    looks: String,
    /// How long one took, in seconds.
    seconds: String,
    judged: String,
    /// The share that others agreed with.
    agreed: String,
}

#[derive(Template)]
#[template(path = "review.html")]
struct ReviewPage {
    page: Page,
    told: Option<&'static str>,
    may_review: bool,
    waiting: String,
    claimed: String,
    oldest: String,
    causes: Vec<CountLine>,
    outcomes: Vec<CountLine>,
    work: Vec<WorkLine>,
}

/// The part of the road that a scope has.
fn within(scope: &Scope) -> Within<'_> {
    Within { operator: scope.operator(), station: scope.station() }
}

/// The queue, what reviewers did, and how often they agree.
pub(crate) async fn page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Query(form): Query<DoneForm>,
) -> Response {
    let t = visit.t;
    let mut page = app.page(&visit, Section::Review);
    let found = or_notice(found(&app, &visit).await, &mut page, t);
    let whole = found.is_some();
    let Found { waiting, outcomes, work } = found.unwrap_or_default();
    let has = |role| visit.roles().contains(&role);
    let sees_all = has(Role::Supervisor) || has(Role::Auditor);
    let zone = app.desk().zone();
    let own = |name: &Person| sees_all || visit.user() == Some(name.as_str());
    let template = ReviewPage {
        page,
        told: match form.done.as_str() {
            "nothing" => Some(t.review_nothing_waits()),
            "late" => Some(t.review_lease_over()),
            _ => None,
        },
        may_review: has(Role::Reviewer),
        waiting: t.count(waiting.items),
        claimed: t.count(waiting.claimed),
        oldest: waiting.oldest.map(|at| t.date_and_time(at, &zone)).unwrap_or_default(),
        causes: lines(&waiting.causes, |name| t.review_cause(name), t),
        outcomes: lines(&outcomes, |name| t.review_outcome(name), t),
        work: work.iter().filter(|(name, _)| own(name)).map(|one| WorkLine::new(one, t)).collect(),
    };
    respond(whole, &template)
}

fn lines(
    counts: &[(String, u64)],
    text: impl Fn(&str) -> &'static str,
    t: Language,
) -> Vec<CountLine> {
    let line =
        |(name, count): &(String, u64)| CountLine { name: text(name), count: t.count(*count) };
    counts.iter().map(line).collect()
}

impl WorkLine {
    fn new((reviewer, work): (&Person, &Work), t: Language) -> Self {
        let Work { looks, took, judged, agreed } = *work;
        let share = (u64::from(agreed) * 100).checked_div(u64::from(judged));
        let seconds = took.as_secs().unsigned_abs().checked_div(u64::from(looks));
        Self {
            reviewer: reviewer.to_string(),
            looks: t.count(u64::from(looks)),
            seconds: seconds.map(|seconds| format!("{seconds} s")).unwrap_or_default(),
            judged: t.count(u64::from(judged)),
            agreed: share.map_or_else(|| "–".to_owned(), |share| format!("{share} %")),
        }
    }
}

#[derive(Default)]
struct Found {
    waiting: Waiting,
    outcomes: Vec<(String, u64)>,
    work: BTreeMap<Person, Work>,
}

async fn found(app: &App, visit: &Visit) -> Result<Found, BooksError> {
    let (books, scope, now) = (app.books(), visit.scope(), app.clock().now());
    if !has_settlement(books).await? {
        return Ok(Found::default());
    }
    let (pool, within, since) = (books.pool()?, within(&scope), now - COUNTED);
    let ended = in_time(review::ended(pool, within, since)).await?;
    Ok(Found {
        waiting: in_time(review::waiting(pool, within, now)).await?,
        outcomes: ended.into_iter().map(|one| (one.outcome, one.items)).collect(),
        work: in_time(review::work(pool, within, since)).await?,
    })
}
