//! What every page has: its language, its person, its way back, and what is away at the moment.

use std::net::{IpAddr, SocketAddr};

use askama::Template;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use tracing::error;

use crate::access::{Person, Role, Scope, Session, Standing, cookie};
use crate::audit::Author;
use crate::http::App;
use crate::language::Language;
use crate::routes::{Verb, rule_of};

/// The cookie that remembers the language.
const LANGUAGE_COOKIE: &str = "etc_language";

/// Which page it is, for the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Login,
    Station,
    Shift,
    Passages,
    Finance,
    Cases,
    Review,
    Authority,
    Tariffs,
    Equipment,
    Quarantine,
    People,
    Keys,
    Audit,
    Password,
    Account,
    Problem,
}

/// The pages one can go to, in the order of the bar.
const NAVIGATION: [(&str, Section); 14] = [
    ("/station", Section::Station),
    ("/shift", Section::Shift),
    ("/passages", Section::Passages),
    ("/finance", Section::Finance),
    ("/cases", Section::Cases),
    ("/review", Section::Review),
    ("/authority", Section::Authority),
    ("/tariffs", Section::Tariffs),
    ("/equipment", Section::Equipment),
    ("/quarantine", Section::Quarantine),
    ("/people", Section::People),
    ("/keys", Section::Keys),
    ("/audit", Section::Audit),
    ("/account", Section::Account),
];

/// One person's request: who, in which language, and for what.
#[derive(Clone)]
pub(crate) struct Visit {
    pub t: Language,
    pub session: Option<Session>,
    pub session_number: Option<String>,
    /// Whose session it is, as the people file has them at this moment.
    pub person: Option<Person>,
    pub from: Option<IpAddr>,
    pub path: String,
    query: String,
}

impl Visit {
    fn standing(&self) -> Option<Standing> {
        self.session.as_ref().map(|session| session.standing)
    }

    /// Whether somebody is logged in, wholly.
    pub(crate) fn is_in(&self) -> bool {
        matches!(self.standing(), Some(Standing::Password | Standing::SecondFactor))
    }

    /// Whether somebody's code is still to come.
    pub(crate) fn awaits_code(&self) -> bool {
        self.standing() == Some(Standing::AwaitsCode)
    }

    /// The name of the person who is logged in.
    pub(crate) fn user(&self) -> Option<&str> {
        let person = self.person.as_ref().filter(|_| self.is_in());
        person.map(|person| person.name.as_str())
    }

    /// What they may do now: money and administration count after a second factor only.
    pub(crate) fn roles(&self) -> Vec<Role> {
        let person = self.person.iter().filter(|_| self.is_in());
        let shown = self.standing() == Some(Standing::SecondFactor);
        person
            .flat_map(|person| person.roles.iter().copied())
            .filter(|role| shown || !role.needs_second_factor())
            .collect()
    }

    /// Where they may do it; nobody's scope is everywhere, and nobody comes to a page.
    pub(crate) fn scope(&self) -> Scope {
        self.person.as_ref().map_or(Scope::Everywhere, |person| person.scope.clone())
    }

    /// Who this is for the audit log.
    pub(crate) fn author(&self) -> Author {
        Author { who: self.person.as_ref().map(|person| person.name.clone()), from: self.from }
    }

    /// The pages they may go to.
    pub(crate) fn pages(&self, at_station: bool) -> Vec<(&'static str, Section)> {
        let roles = self.roles();
        let may = |path: &str| {
            rule_of(Verb::Get, path, at_station).is_some_and(|rule| rule.who.admits(&roles))
        };
        NAVIGATION.into_iter().filter(|(path, _)| may(path)).collect()
    }

    /// Whether a form is one of this person's.
    pub(crate) fn owns(&self, csrf: &str) -> bool {
        self.session.as_ref().is_some_and(|session| session.owns(csrf))
    }

    /// This page in the other language.
    fn switch_url(&self) -> String {
        let others = self
            .query
            .split('&')
            .filter(|pair| !pair.is_empty() && *pair != "lang" && !pair.starts_with("lang="));
        let mut url = format!("{}?", self.path);
        for pair in others {
            url.push_str(pair);
            url.push('&');
        }
        url.push_str("lang=");
        url.push_str(self.t.other().code());
        url
    }
}

/// Finds out who asks and in which language, and remembers a language that was chosen.
pub(crate) async fn receive(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let chosen =
        query.split('&').filter_map(|pair| pair.strip_prefix("lang=")).find_map(Language::of_code);
    let headers = request.headers();
    let remembered = cookie(headers, LANGUAGE_COOKIE).and_then(Language::of_code);
    let number = cookie(headers, app.cookies().session_name()).map(str::to_owned);
    let session =
        number.as_deref().and_then(|number| app.sessions().session(number, app.clock().real()));
    // Somebody who was taken out since has no session any more.
    let found = session.and_then(|session| Some((app.door().person(&session.user)?, session)));
    let (person, session) = found.unzip();
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let visit = Visit {
        t: chosen.or(remembered).unwrap_or_default(),
        session,
        session_number: number,
        person,
        from,
        path: request.uri().path().to_owned(),
        query,
    };
    request.extensions_mut().insert(visit);
    let mut response = next.run(request).await;
    if let Some(language) = chosen {
        let cookie = app.cookies().language(LANGUAGE_COOKIE, language);
        if let Ok(cookie) = cookie.parse() {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// What the frame of a page shows.
pub(crate) struct Page {
    pub t: Language,
    pub section: Section,
    pub user: Option<String>,
    /// What the person is called.
    pub full_name: String,
    navigation: Vec<(&'static str, Section)>,
    pub csrf: String,
    pub switch_url: String,
    pub style_url: String,
    pub script_url: String,
    pub icon_url: String,
    pub notices: Vec<&'static str>,
    /// The run's date and time, in UTC where no operator's zone is known.
    pub run_time: String,
    /// How much faster than life, where it is.
    pub speed: Option<String>,
}

impl Page {
    /// The title of the page's section.
    pub(crate) fn title(&self) -> &'static str {
        self.name_of(self.section)
    }

    fn name_of(&self, section: Section) -> &'static str {
        match section {
            Section::Login => self.t.log_in(),
            Section::Station => self.t.nav_station(),
            Section::Shift => self.t.nav_shift(),
            Section::Passages => self.t.nav_passages(),
            Section::Finance => self.t.nav_finance(),
            Section::Cases => self.t.nav_cases(),
            Section::Review => self.t.nav_review(),
            Section::Authority => self.t.nav_authority(),
            Section::Tariffs => self.t.nav_tariffs(),
            Section::Equipment => self.t.nav_equipment(),
            Section::Quarantine => self.t.nav_quarantine(),
            Section::Account => self.t.nav_account(),
            Section::Password => self.t.nav_password(),
            Section::People => self.t.nav_people(),
            Section::Keys => self.t.nav_keys(),
            Section::Audit => self.t.nav_audit(),
            Section::Problem => self.t.problem(),
        }
    }

    /// The pages a person can go to: address, name, and whether it is this one.
    pub(crate) fn navigation(&self) -> Vec<(&'static str, &'static str, bool)> {
        let entry = |&(address, section): &(&'static str, Section)| {
            (address, self.name_of(section), section == self.section)
        };
        self.navigation.iter().map(entry).collect()
    }
}

impl App {
    /// The frame of a page.
    pub(crate) fn page(&self, visit: &Visit, section: Section) -> Page {
        let speed = self.clock().speed();
        Page {
            t: visit.t,
            section,
            user: visit.user().map(str::to_owned),
            full_name: visit.person.as_ref().map(|p| p.full_name.clone()).unwrap_or_default(),
            navigation: visit.pages(self.is_at_station()),
            csrf: visit.session.as_ref().map(|session| session.csrf.clone()).unwrap_or_default(),
            switch_url: visit.switch_url(),
            style_url: crate::assets::url("console.css"),
            script_url: crate::assets::url("console.js"),
            icon_url: crate::assets::url("icon.svg"),
            notices: Vec::new(),
            run_time: visit.t.date_and_time(self.clock().now(), &self.desk().zone()),
            speed: ((speed - 1.0).abs() > f64::EPSILON).then(|| format!("{speed}×")),
        }
    }
}

/// Writes a page, or says that it could not be.
pub(crate) fn render(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(failure) => {
            error!(error = &failure as &dyn std::error::Error, "render a page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Language, Visit};

    #[test]
    fn the_switch_keeps_the_search_and_changes_the_language_alone() {
        let visit = |query: &str| Visit {
            t: Language::English,
            session: None,
            session_number: None,
            person: None,
            from: None,
            path: "/passages".to_owned(),
            query: query.to_owned(),
        };
        assert_eq!(visit("").switch_url(), "/passages?lang=vi");
        assert_eq!(
            visit("day=2026-11-21&lang=en&language=x").switch_url(),
            "/passages?day=2026-11-21&language=x&lang=vi"
        );
    }
}
