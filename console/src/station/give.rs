//! Giving an order: signed by whoever gives it, written down, sent, and answered.
//!
//! An order about a lane that takes two people is agreed to at the same desk: the second person
//! shows who they are, as at the door, and signs this one order. Their own session, if they have
//! one, is not asked for: the one in front of the screen may be the only one there is.

use std::error::Error;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::order::{Identity, needs_second};
use domain::wire::v1::Command;
use tracing::{info, warn};

use crate::access::{Person, person_of_a_moment, random_hex};
use crate::audit::{Author, Deed, Outcome};
use crate::http::{App, answer as told};
use crate::language::Language;
use crate::page::Visit;

use super::desk::{Answer, CommandError};
use super::order::{LaneOrderForm, Order, OrderForm, names_of};

/// What a person is told: how it went, and in which words.
type Told = (StatusCode, String);

/// Carries out what the desk asks for about a vehicle, and says what the lane answered.
pub(crate) async fn answer(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    Form(form): Form<OrderForm>,
) -> Response {
    let given = match form.order() {
        Ok(order) => give(&app, &visit, order, None).await,
        Err(refusal) => Err((StatusCode::UNPROCESSABLE_ENTITY, refusal.text(visit.t).to_owned())),
    };
    let (status, text) = given.unwrap_or_else(|refused| refused);
    told(&app, &visit, &headers, status, &text)
}

/// Carries out what the desk asks for about a lane.
pub(crate) async fn order(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    Form(form): Form<LaneOrderForm>,
) -> Response {
    let given = match form.order() {
        Ok(order) if needs_second(&order.verb) => match second(&app, &visit, &form).await {
            Ok(second) => give(&app, &visit, order, Some(second)).await,
            Err(refused) => Err(refused),
        },
        Ok(order) => give(&app, &visit, order, None).await,
        Err(refusal) => Err((StatusCode::UNPROCESSABLE_ENTITY, refusal.text(visit.t).to_owned())),
    };
    let (status, text) = given.unwrap_or_else(|refused| refused);
    told(&app, &visit, &headers, status, &text)
}

/// Finds out who agrees: somebody else, by password and code.
async fn second(app: &App, visit: &Visit, form: &LaneOrderForm) -> Result<Person, Told> {
    let t = visit.t;
    let name = form.second.trim();
    if name.is_empty() || visit.user() == Some(name) {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, t.second_is_somebody_else().to_owned()));
    }
    let now = app.clock().real();
    let admitted = app.door().admit(name, &form.second_password, visit.from, now).await;
    let admitted = admitted.and_then(|person| {
        if person.second_factor.is_some() {
            app.door().admit_code(&person, &form.second_code, (now, app.machine()))?;
        }
        Ok(person)
    });
    match admitted {
        Ok(person) => Ok(person),
        Err(denied) => {
            warn!(why = ?denied, "a second person is refused");
            let who = app.door().person(name).map(|person| person.name);
            let author = Author { who, from: visit.from };
            app.audit().note(author, Deed::LogInRefused { why: denied.refusal() }).await;
            Err((StatusCode::FORBIDDEN, t.second_not_shown().to_owned()))
        }
    }
}

/// Gives an order in the visitor's name, with a second person where it takes one; says what came
/// of it.
async fn give(
    app: &App,
    visit: &Visit,
    order: Order,
    second: Option<Person>,
) -> Result<Told, Told> {
    let t = visit.t;
    if !visit.scope().covers(&order.lane) {
        return Err((StatusCode::FORBIDDEN, t.no_right().to_owned()));
    }
    let id = random_hex()
        .map_err(|_none| (StatusCode::INTERNAL_SERVER_ERROR, t.problem().to_owned()))?;
    let clock = app.clock();
    let attendant = visit.user().unwrap_or_default();
    let people = (attendant, second.as_ref().map(|person| person.name.as_str()));
    let command = order.command(id, people, clock.now(), clock.speed());
    let first = app.identity(visit, &command);
    let agreed = second.as_ref().and_then(|person| person_of_a_moment(app, person, &command));
    let signers: Vec<_> = [first, agreed.map(Arc::new)]
        .iter()
        .flatten()
        .map(|identity: &Arc<Identity>| identity.sign(&command))
        .collect();
    ask(app, visit, &command, second).await;
    let fare_called = app.desk().fare_of_call(&command.lane, command.call);
    let outcome = app.desk().send(&command, &signers).await;
    let told = text_of(&outcome, t);
    let (lane, call, id) = (&command.lane, command.call, &command.id);
    match &outcome {
        Ok(_) => {
            let status = told.0.as_u16();
            info!(lane.id = %lane, call, command.id = id, attendant, status, "order given");
        }
        Err(failure) => {
            let error = failure as &dyn Error;
            warn!(lane.id = %lane, call, command.id = id, attendant, error, "order not given");
        }
    }
    let outcome = match outcome {
        Ok(Answer::Done { passage }) => {
            let fare = app.desk().fare_of(&passage).await.or(fare_called);
            Outcome::Done { passage, fare: fare.map(domain::Amount::minor_units) }
        }
        Ok(Answer::Obeyed) => Outcome::Obeyed,
        Ok(Answer::Refused { why }) => Outcome::Refused { why },
        Err(failure) => Outcome::Unanswered { why: failure.to_string() },
    };
    let answered = Deed::OrderAnswered { command: command.id.clone(), outcome };
    app.audit().note(visit.author(), answered).await;
    Ok(told)
}

/// Writes down that an order is given, and who agreed to it.
async fn ask(app: &App, visit: &Visit, command: &Command, second: Option<Person>) {
    let (verb, reason) = names_of(&command.verb);
    let asked = Deed::OrderAsked {
        command: command.id.clone(),
        lane: command.lane.clone(),
        call: command.call,
        verb: verb.to_owned(),
        reason: reason.map(str::to_owned),
    };
    // A vehicle waits: where this log cannot be written the order goes on, for the lane's journal
    // has who gave it and why.
    app.audit().note(visit.author(), asked).await;
    if let Some(Person { name, .. }) = second {
        let agreed = Deed::OrderAgreed { command: command.id.clone() };
        app.audit().note(Author { who: Some(name), from: visit.from }, agreed).await;
    }
}

fn text_of(outcome: &Result<Answer, CommandError>, t: Language) -> Told {
    match outcome {
        Ok(Answer::Done { passage }) => {
            (StatusCode::OK, format!("{} {}.", t.answer_done(), passage.seq))
        }
        Ok(Answer::Obeyed) => (StatusCode::OK, t.answer_obeyed().to_owned()),
        Ok(Answer::Refused { why }) => {
            (StatusCode::CONFLICT, format!("{} {why}", t.answer_refused()))
        }
        Err(failure) => (failure.status(), failure.text(t).to_owned()),
    }
}

impl CommandError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BrokerAway => StatusCode::SERVICE_UNAVAILABLE,
            Self::CallGone => StatusCode::GONE,
            Self::NobodyThere => StatusCode::BAD_GATEWAY,
            Self::Silence | Self::Send(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::WrongReply(_) | Self::AnotherReply => StatusCode::BAD_GATEWAY,
        }
    }

    fn text(&self, t: Language) -> &'static str {
        match self {
            Self::BrokerAway => t.answer_broker_away(),
            Self::CallGone => t.answer_call_gone(),
            Self::NobodyThere => t.answer_nobody(),
            Self::Silence | Self::Send(_) => t.answer_silence(),
            Self::WrongReply(_) | Self::AnotherReply => t.answer_wrong_reply(),
        }
    }
}
