//! What every page has: its language, its person, its way back, and what is away at the moment.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use tracing::error;

use crate::access::{SESSION_COOKIE, Session, cookie};
use crate::http::App;
use crate::language::Language;

/// The cookie that remembers the language.
const LANGUAGE_COOKIE: &str = "etc_language";

/// Which page it is, for the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Login,
    Station,
    Passages,
    Finance,
    Authority,
    Problem,
}

/// One person's request: who, in which language, and for what.
#[derive(Clone)]
pub(crate) struct Visit {
    pub t: Language,
    pub session: Option<Session>,
    pub session_number: Option<String>,
    pub path: String,
    query: String,
}

impl Visit {
    /// The name of the person who is logged in.
    pub(crate) fn user(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.user.as_str())
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
    let number = cookie(headers, SESSION_COOKIE).map(str::to_owned);
    let session =
        number.as_deref().and_then(|number| app.sessions().session(number, app.clock().real()));
    let visit = Visit {
        t: chosen.or(remembered).unwrap_or_default(),
        session,
        session_number: number,
        path: request.uri().path().to_owned(),
        query,
    };
    request.extensions_mut().insert(visit);
    let mut response = next.run(request).await;
    if let Some(language) = chosen {
        let cookie = format!(
            "{LANGUAGE_COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
            language.code()
        );
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
        match self.section {
            Section::Login => self.t.log_in(),
            Section::Station => self.t.nav_station(),
            Section::Passages => self.t.nav_passages(),
            Section::Finance => self.t.nav_finance(),
            Section::Authority => self.t.nav_authority(),
            Section::Problem => self.t.problem(),
        }
    }

    /// The pages a person can go to: address, name, and whether it is this one.
    pub(crate) fn navigation(&self) -> [(&'static str, &'static str, bool); 4] {
        let t = self.t;
        [
            ("/", t.nav_station(), self.section == Section::Station),
            ("/passages", t.nav_passages(), self.section == Section::Passages),
            ("/finance", t.nav_finance(), self.section == Section::Finance),
            ("/authority", t.nav_authority(), self.section == Section::Authority),
        ]
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
