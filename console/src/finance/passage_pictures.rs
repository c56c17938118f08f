//! The pictures of a passage on its page. A picture shows the plate in clear: it is served to the
//! session that has just said why, after that was written down, and to no other.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::PassageId;
use tracing::error;

use crate::http::App;
use crate::page::Visit;

use super::passage::{Sight, identity};

/// The pictures that the centre has of a passage.
pub(super) struct OfPassage {
    /// How many there are.
    pub count: usize,
    /// Where they are, for whoever may see them.
    pub urls: Vec<String>,
}

/// Looks which pictures there are, and lets whoever may see the plate in clear see them.
pub(super) async fn of_passage(
    app: &App,
    visit: &Visit,
    passage: &PassageId,
    sight: Sight,
) -> OfPassage {
    let (pictures, id) = (app.review().pictures.clone(), passage.clone());
    let count = match tokio::task::spawn_blocking(move || pictures.of(&id)).await {
        Ok(Ok(files)) => files.len(),
        Ok(Err(failure)) => {
            error!(error = &failure as &dyn std::error::Error, "look for pictures");
            0
        }
        Err(_) => 0,
    };
    let urls = match (sight, &visit.session_number) {
        (Sight::Clear, Some(session)) => {
            app.review().pictures.let_see(session, passage, app.clock().real());
            (1..=count).map(|number| format!("{}/picture/{number}", visit.path)).collect()
        }
        (Sight::Clear, None) | (Sight::Masked, _) => Vec::new(),
    };
    OfPassage { count, urls }
}

type PicturePath = (String, String, String, String, String, usize);

/// One of a passage's pictures, for the session that has said why.
pub(crate) async fn passage_picture(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path((operator, station, lane, epoch, seq, number)): Path<PicturePath>,
) -> Response {
    let path = (operator, station, lane, epoch, seq);
    let pictures = app.review().pictures.clone();
    let may_see = |id: &PassageId| {
        let session = visit.session_number.as_deref();
        session.is_some_and(|session| pictures.may_see(session, id, app.clock().real()))
            && visit.scope().covers(&id.lane)
    };
    let Some(passage) = identity(&path).filter(may_see) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match tokio::task::spawn_blocking(move || pictures.picture(&passage, number)).await {
        Ok(Ok(Some(picture))) => picture.into_response(),
        Ok(Ok(None) | Err(_)) | Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
