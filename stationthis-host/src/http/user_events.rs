//! What users did.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use stationthis_core::Timestamp;

use crate::http::about::{About, Answer, LOCATION};
use crate::http::asker::Asker;
use crate::http::body;
use crate::http::mount::Mount;
use crate::http::problem::Problem;
use crate::http::router::Face;
use crate::user_events::{NewUserEvent, UserEvent, UserEvents};

pub(crate) const RECORD: About =
    About::new("Record what a user did", &[Answer::json::<UserEvent>(201, "The event.").with_headers(&[LOCATION])])
        .body::<NewUserEvent>()
        .problems(&[422]);

/// `POST /api/internal/events`.
pub(crate) async fn record(
    State(face): State<Face>,
    asker: Asker,
    mount: Mount,
    request: Request,
) -> Result<Response, Problem> {
    let event: NewUserEvent = body::read_json(request).await?;
    let event = UserEvents::new(face.station).record(asker.id()?, event, Timestamp::now()).await?;
    let place = format!("/api/internal/events/{}", event.event_id);
    let mut response = (StatusCode::CREATED, Json(event)).into_response();
    mount.locate(&mut response, &place);
    Ok(response)
}

pub(crate) const SHOW: About =
    About::new("What a user did", &[Answer::json::<UserEvent>(200, "The event.")]).problems(&[404, 422]);

/// `GET /api/internal/events/{id}`.
pub(crate) async fn show(
    State(face): State<Face>,
    asker: Asker,
    Path(id): Path<String>,
) -> Result<Json<UserEvent>, Problem> {
    Ok(Json(UserEvents::new(face.station).get(asker.id()?, &id).await?))
}
