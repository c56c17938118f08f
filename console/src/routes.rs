//! Every route, who may use it, and what answers: one table.
//!
//! The router is made from this table, and the guard asks it at each request, so that a route
//! without a rule does not exist, and one added behind its back is refused.
//! `docs/console-roles.md` is printed from it (`console roles`); tests hold both against it.

use axum::Router;
use axum::http::Method;
use axum::routing::{MethodRouter, get, post};

use crate::access::{self, Role};
use crate::http::App;
use crate::{
    administration, assets, audit_page, authority, cases, equipment, finance, holder, http, review,
    station, tariffs,
};

/// What a request wants: to look, or to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
}

impl Verb {
    /// The verb of a method, if routes have it.
    pub(crate) fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Self::Get),
            Method::POST => Some(Self::Post),
            _ => None,
        }
    }

    /// The other one.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Get => Self::Post,
            Self::Post => Self::Get,
        }
    }

    /// Its name.
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Anybody: the door, the assets, the health checks.
    Everybody,
    /// Anybody who is logged in.
    LoggedIn,
    /// These.
    Roles(&'static [Role]),
}

impl Who {
    /// Whether somebody with these roles, who is logged in, may.
    pub(crate) fn admits(self, roles: &[Role]) -> bool {
        match self {
            Self::Everybody | Self::LoggedIn => true,
            Self::Roles(those) => roles.iter().any(|role| those.contains(role)),
        }
    }
}

/// Where a route is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the centre and at stations.
    Anywhere,
    /// At the centre alone: it needs the books.
    Centre,
}

/// A route and who may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    pub verb: Verb,
    pub path: &'static str,
    pub who: Who,
    pub place: Place,
    /// What it is for, in a few words.
    what: &'static str,
}

use Role::{
    AccountHolder, Administrator, Auditor, Authority, FinanceChecker, FinanceMaker, Reviewer,
    StationOperator, Supervisor,
};

/// Those who see the station.
const LOOKS_AT_STATION: Who = Who::Roles(&[StationOperator, Supervisor, Auditor, Administrator]);
/// Those who work at the desk.
const WORKS_AT_DESK: Who = Who::Roles(&[StationOperator, Supervisor]);
/// Those who read shifts.
const READS_SHIFTS: Who = Who::Roles(&[StationOperator, Supervisor, Auditor]);
/// Those who see passages.
const SEES_PASSAGES: Who = Who::Roles(&[Supervisor, FinanceMaker, FinanceChecker, Auditor]);
/// Those who see settlement.
const SEES_FINANCE: Who = Who::Roles(&[FinanceMaker, FinanceChecker, Auditor]);
/// Those who prepare what moves money.
const MAKES: Who = Who::Roles(&[FinanceMaker]);
/// Those who agree to what another prepared.
const CHECKS: Who = Who::Roles(&[FinanceChecker]);
/// Those who work on cases.
const WORKS_ON_CASES: Who = Who::Roles(&[FinanceMaker, FinanceChecker]);
/// Those who look at pictures again.
const REVIEWS: Who = Who::Roles(&[Reviewer]);
/// Those who see how that goes.
const SEES_REVIEWS: Who = Who::Roles(&[Reviewer, Supervisor, Auditor]);
/// Those who see sums.
const SEES_TRAFFIC: Who =
    Who::Roles(&[Supervisor, FinanceMaker, FinanceChecker, Auditor, Authority]);
/// Those who see tariffs.
const SEES_TARIFFS: Who =
    Who::Roles(&[Supervisor, FinanceMaker, FinanceChecker, Auditor, Authority, Administrator]);
/// Those who see lanes, keys and lists.
const SEES_EQUIPMENT: Who = Who::Roles(&[Supervisor, Auditor, Administrator]);
/// Those who say how lanes are to work.
const DIRECTS_LANES: Who = Who::Roles(&[Supervisor, Administrator]);
/// Those who see what could not be taken.
const SEES_QUARANTINE: Who = Who::Roles(&[FinanceMaker, FinanceChecker, Auditor, Administrator]);
/// Those who hold an account, and see nobody else's.
const HOLDS_AN_ACCOUNT: Who = Who::Roles(&[AccountHolder]);
/// Those who change who is who.
const ADMINISTERS: Who = Who::Roles(&[Administrator]);
/// Those who see who is who, and who did what.
const SEES_PEOPLE: Who = Who::Roles(&[Auditor, Administrator]);

const fn rule(verb: Verb, path: &'static str, who: Who, place: Place, what: &'static str) -> Rule {
    Rule { verb, path, who, place, what }
}

/// A line of the table.
type Row = (Rule, MethodRouter<App>);

/// The table.
fn table() -> Vec<Row> {
    let mut whole = of_the_road();
    whole.extend(of_the_console());
    whole
}

/// What is about lanes, passages and money.
#[rustfmt::skip]
fn of_the_road() -> Vec<Row> {
    use Place::{Anywhere, Centre};
    use Verb::{Get, Post};
    use Who::{Everybody, LoggedIn};
    vec![
        (rule(Get,  "/healthz", Everybody, Anywhere, "the process lives"), get(http::alive)),
        (rule(Get,  "/readyz", Everybody, Anywhere, "broker and books are there"), get(http::ready)),
        (rule(Get,  "/assets/{name}", Everybody, Anywhere, "style, script, icon"), get(assets::asset)),
        (rule(Get,  "/login", Everybody, Anywhere, "the door"), get(access::log_in_page)),
        (rule(Post, "/login", Everybody, Anywhere, "name and password"), post(access::log_in)),
        (rule(Get,  "/login/code", Everybody, Anywhere, "the second factor"), get(access::code_page)),
        (rule(Post, "/login/code", Everybody, Anywhere, "the second factor"), post(access::enter_code)),
        (rule(Post, "/logout", LoggedIn, Anywhere, "log out"), post(access::log_out)),
        (rule(Get,  "/", LoggedIn, Anywhere, "to the first page of one's own"), get(http::home)),

        (rule(Get,  "/station", LOOKS_AT_STATION, Anywhere, "lanes, and vehicles that wait"), get(station::page)),
        (rule(Get,  "/station/live", LOOKS_AT_STATION, Anywhere, "the same, kept up to date"), get(station::live)),
        (rule(Get,  "/station/picture/{operator}/{station}/{lane}/{call}/{digest}", WORKS_AT_DESK, Anywhere, "a picture of a vehicle that waits"), get(station::picture)),
        (rule(Post, "/station/answer", WORKS_AT_DESK, Anywhere, "answer a vehicle that waits"), post(station::answer)),
        (rule(Post, "/station/order", WORKS_AT_DESK, Anywhere, "order a lane's mode, or a convoy with a second person"), post(station::order)),
        (rule(Get,  "/shift", READS_SHIFTS, Anywhere, "one's shift, and all shifts"), get(station::shifts_page)),
        (rule(Get,  "/shift/{number}", READS_SHIFTS, Anywhere, "the report of a shift"), get(station::shift_report)),
        (rule(Post, "/shift/start", WORKS_AT_DESK, Anywhere, "begin a shift"), post(station::start_shift)),
        (rule(Post, "/shift/offer", WORKS_AT_DESK, Anywhere, "hand a shift over"), post(station::offer_shift)),
        (rule(Post, "/shift/take", WORKS_AT_DESK, Anywhere, "take a shift over"), post(station::take_shift)),
        (rule(Post, "/shift/close", WORKS_AT_DESK, Anywhere, "close a shift"), post(station::close_shift)),

        (rule(Get,  "/passages", SEES_PASSAGES, Centre, "search passages, masked"), get(finance::passages_page)),
        (rule(Post, "/passages/find", SEES_PASSAGES, Centre, "search by plate or tag, masked, written down"), post(finance::find_passages)),
        (rule(Get,  "/passages/{operator}/{station}/{lane}/{epoch}/{seq}", SEES_PASSAGES, Centre, "one passage to its raw record, masked"), get(finance::passage_page)),
        (rule(Post, "/passages/{operator}/{station}/{lane}/{epoch}/{seq}", SEES_PASSAGES, Centre, "show plate and tag, for a reason"), post(finance::unmask)),
        (rule(Get,  "/passages/{operator}/{station}/{lane}/{epoch}/{seq}/picture/{number}", SEES_PASSAGES, Centre, "one of its pictures, to who has just said why"), get(finance::passage_picture)),
        (rule(Get,  "/finance", SEES_FINANCE, Centre, "settlement days"), get(finance::days_page)),
        (rule(Get,  "/finance/day/{operator}/{day}", SEES_FINANCE, Centre, "one day, and what is behind it"), get(finance::day_page)),
        (rule(Post, "/finance/day/{operator}/{day}/propose", MAKES, Centre, "propose a day's settlement"), post(finance::propose_day)),
        (rule(Post, "/finance/day/{operator}/{day}/approve", CHECKS, Centre, "approve what another proposed"), post(finance::approve_day)),
        (rule(Get,  "/finance/statement/{operator}/{day}/{form}", SEES_FINANCE, Centre, "a statement: txt, csv, json, pdf, xlsx"), get(finance::statement)),
        (rule(Get,  "/finance/payments", SEES_FINANCE, Centre, "payments and bank lines"), get(finance::payments_page)),
        (rule(Get,  "/finance/payments/{number}", SEES_FINANCE, Centre, "the file of an order, for a bank"), get(finance::payment_file)),
        (rule(Post, "/finance/payments/order", MAKES, Centre, "order the payment of what is approved"), post(finance::order_payments)),
        (rule(Post, "/finance/payments/booking", MAKES, Centre, "take a line of a bank's statement"), post(finance::take_booking)),
        (rule(Get,  "/cases", SEES_FINANCE, Centre, "what does not add up"), get(cases::page)),
        (rule(Get,  "/cases/{code}", SEES_FINANCE, Centre, "one case, both sides beside each other"), get(cases::case_page)),
        (rule(Post, "/cases/{code}/looks", SEES_FINANCE, Centre, "show the plates that reviewers read, for a reason"), post(cases::unmask_looks)),
        (rule(Post, "/cases/take", WORKS_ON_CASES, Centre, "see to the chosen cases"), post(cases::take_cases)),
        (rule(Post, "/cases/{code}/take", WORKS_ON_CASES, Centre, "see to a case"), post(cases::take_case)),
        (rule(Post, "/cases/{code}/note", WORKS_ON_CASES, Centre, "note something about a case"), post(cases::note_case)),
        (rule(Post, "/cases/{code}/propose", MAKES, Centre, "propose how a case ends"), post(cases::propose_case)),
        (rule(Post, "/cases/{code}/settle", CHECKS, Centre, "settle a case as another proposed"), post(cases::settle_case)),
        (rule(Get,  "/review", SEES_REVIEWS, Centre, "passages to look at again, and how reviewers agree"), get(review::page)),
        (rule(Post, "/review/next", REVIEWS, Centre, "claim the passage that waits longest; written down"), post(review::next_item)),
        (rule(Get,  "/review/{item}", REVIEWS, Centre, "the passage one has, in clear"), get(review::item_page)),
        (rule(Get,  "/review/{item}/picture/{number}", REVIEWS, Centre, "one of its pictures"), get(review::picture)),
        (rule(Post, "/review/{item}/answer", REVIEWS, Centre, "say what is on its pictures, and go to the next"), post(review::answer_item)),
        (rule(Post, "/review/{item}/leave", REVIEWS, Centre, "leave it to somebody else"), post(review::leave_item)),
        (rule(Get,  "/authority", SEES_TRAFFIC, Centre, "traffic and revenue, nothing personal"), get(authority::page)),
        (rule(Get,  "/authority/export", SEES_TRAFFIC, Centre, "the same as CSV"), get(authority::export)),

        (rule(Get,  "/tariffs", SEES_TARIFFS, Centre, "versions, and what is proposed"), get(tariffs::page)),
        (rule(Get,  "/tariffs/{operator}/{version}", SEES_TARIFFS, Centre, "what a version charges"), get(tariffs::version_page)),
        (rule(Post, "/tariffs/propose", MAKES, Centre, "propose a version"), post(tariffs::propose)),
        (rule(Post, "/tariffs/proposals/{number}/approve", CHECKS, Centre, "take a version that another proposed"), post(tariffs::approve)),
        (rule(Post, "/tariffs/proposals/{number}/decline", WORKS_ON_CASES, Centre, "decline a version, or take one's own back"), post(tariffs::decline)),
        (rule(Get,  "/equipment", SEES_EQUIPMENT, Centre, "lanes, keys, credentials, lists, and how lanes are to work"), get(equipment::page)),
        (rule(Post, "/equipment/mode", DIRECTS_LANES, Centre, "ask the clearing house to direct a lane's mode"), post(equipment::ask_mode)),
        (rule(Post, "/equipment/requests/{number}/agree", DIRECTS_LANES, Centre, "agree to a mode that another asked for"), post(equipment::agree_mode)),
        (rule(Post, "/equipment/requests/{number}/decline", DIRECTS_LANES, Centre, "decline a mode, or take one's own back"), post(equipment::decline_mode)),
        (rule(Get,  "/quarantine", SEES_QUARANTINE, Centre, "what could not be taken"), get(equipment::quarantine_page)),
        (rule(Get,  "/quarantine/{number}", SEES_QUARANTINE, Centre, "one such message, masked"), get(equipment::quarantined_page)),

        (rule(Get,  "/account", HOLDS_AN_ACCOUNT, Centre, "one's own account and trips"), get(holder::page)),
        (rule(Post, "/account/dispute", HOLDS_AN_ACCOUNT, Centre, "dispute a trip of one's own"), post(holder::dispute)),
    ]
}

/// What is about people and what they may and did.
#[rustfmt::skip]
fn of_the_console() -> Vec<Row> {
    use Place::{Anywhere, Centre};
    use Verb::{Get, Post};
    use Who::LoggedIn;
    vec![
        (rule(Get,  "/password", LoggedIn, Anywhere, "one's own password"), get(access::password_page)),
        (rule(Post, "/password", LoggedIn, Anywhere, "change it"), post(access::change_password)),
        (rule(Get,  "/people", SEES_PEOPLE, Anywhere, "users, their roles and scopes"), get(administration::people_page)),
        (rule(Post, "/people/change", ADMINISTERS, Centre, "change a person, or propose it where it takes two"), post(administration::change_person)),
        (rule(Post, "/people/proposals/{number}/approve", ADMINISTERS, Centre, "make a change so that another administrator proposed"), post(administration::approve_change)),
        (rule(Post, "/people/proposals/{number}/decline", ADMINISTERS, Centre, "decline a change, or take one's own back"), post(administration::decline_change)),
        (rule(Get,  "/keys", SEES_PEOPLE, Centre, "keys of the HTTP API, without their tokens"), get(administration::keys_page)),
        (rule(Post, "/keys/make", ADMINISTERS, Centre, "make a key that only looks, shown once; propose one that does more"), post(administration::make_key)),
        (rule(Post, "/keys/proposals/{number}/approve", ADMINISTERS, Centre, "make a key that another administrator proposed; its token is shown once"), post(administration::approve_key)),
        (rule(Post, "/keys/proposals/{number}/decline", ADMINISTERS, Centre, "decline a key, or take one's own back"), post(administration::decline_key)),
        (rule(Post, "/keys/{number}/revoke", ADMINISTERS, Centre, "revoke a key"), post(administration::revoke_key)),
        (rule(Get,  "/audit", SEES_PEOPLE, Anywhere, "the audit log and its chain"), get(audit_page::page)),
    ]
}

/// Every rule.
pub(crate) fn rules() -> &'static [Rule] {
    static RULES: std::sync::OnceLock<Vec<Rule>> = std::sync::OnceLock::new();
    RULES.get_or_init(|| table().into_iter().map(|(rule, _)| rule).collect())
}

/// Every path that shows something, for tests that have to look at each.
#[must_use]
pub fn shown_paths() -> Vec<&'static str> {
    rules().iter().filter(|rule| rule.verb == Verb::Get).map(|rule| rule.path).collect()
}

/// The rule of a route, as it is served here.
pub(crate) fn rule_of(verb: Verb, path: &str, at_station: bool) -> Option<&'static Rule> {
    let rule = rules().iter().find(|rule| rule.verb == verb && rule.path == path)?;
    (!at_station || rule.place == Place::Anywhere).then_some(rule)
}

/// The router of the table.
pub(crate) fn router() -> Router<App> {
    table()
        .into_iter()
        .fold(Router::new(), |router, (rule, handler)| router.route(rule.path, handler))
}

/// The table for people, as `docs/console-roles.md` has it.
#[must_use]
pub fn roles_document() -> String {
    let mut text = String::from(
        "# Who may do what in the console\n\n\
         Printed by `console roles` from the one table that the router is made of and the guard \
         asks\n(`console/src/routes.rs`); a test fails when this file differs from it. What is not \
         in the table is\nrefused. ● may, · may not. Finance and administrator count only after a \
         second factor.\n\n| | route | what | at a station | no login |",
    );
    for role in Role::ALL {
        text.push_str(&format!(" {} |", role.name()));
    }
    text.push_str("\n|---|---|---|---|---|");
    text.push_str(&"---|".repeat(Role::ALL.len()));
    text.push('\n');
    let mark = |yes: bool| if yes { "●" } else { "·" };
    for rule in rules() {
        text.push_str(&format!(
            "| {} | `{}` | {} | {} | {} |",
            rule.verb.name(),
            rule.path,
            rule.what,
            mark(rule.place == Place::Anywhere),
            mark(rule.who == Who::Everybody)
        ));
        for role in Role::ALL {
            text.push_str(&format!(" {} |", mark(rule.who.admits(&[role]))));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
