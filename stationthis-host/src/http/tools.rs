//! The catalogue.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use stationthis_core::ToolId;
use stationthis_core::registry::LastChange;
use stationthis_core::station::{Caller, Station};

use crate::http::about::{About, Answer};
use crate::http::asker::Asker;
use crate::http::etag;
use crate::http::named::{self, MOVED, Named};
use crate::http::problem::Problem;
use crate::view::ToolView;

/// Below it are the tools, by name.
const TOOLS: &str = "/api/internal/tools";

/// Tools, by their slugs.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ToolList")]
pub(crate) struct Tools {
    tools: Vec<ToolView>,
}

pub(crate) const LIST: About = About::new("Every listed tool", &[Answer::json::<Tools>(200, "The tools.")]).tagged();

/// `GET /api/internal/tools`.
pub(crate) async fn list(asker: Asker, headers: HeaderMap) -> Result<Response, Problem> {
    etag::hashed(&headers, &Tools { tools: ToolView::all(&asker.caller) })
}

pub(crate) const SHOW: About =
    About::new("One tool", &[Answer::json::<ToolView>(200, "The tool."), MOVED]).problems(&[404, 409, 410]).tagged();

/// `GET /api/internal/tools/{id}`: by id or slug.
pub(crate) async fn show(asker: Asker, Path(name): Path<String>, request: Request) -> Result<Response, Problem> {
    show_at(TOOLS, &name, &asker, request).await
}

/// What a refresh changed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Changes {
    change: Option<LastChange>,
}

pub(crate) const CHANGES: About = About::new(
    "What the last refresh changed that changed anything",
    &[Answer::json::<Changes>(200, "What changed; null when nothing did since tools were first found.")],
);

/// `GET /api/internal/changes`: what the last refresh changed that changed anything.
pub(crate) async fn changes(State(station): State<Station>) -> Result<Json<Changes>, Problem> {
    Ok(Json(Changes { change: station.last_change().await? }))
}

/// The tool of a name below `parent`.
pub(crate) async fn show_at(
    parent: &str,
    name: &str,
    asker: &Asker,
    mut request: Request,
) -> Result<Response, Problem> {
    match named::tool_at(parent, name, &asker.caller, &mut request).await? {
        Named::Tool(tool) => {
            etag::hashed(request.headers(), &ToolView::new(&tool, &asker.caller.tools(), &asker.caller))
        }
        Named::Moved(answer) => Ok(answer),
    }
}

/// The id of a named tool; what is an id already may be of a tool that is gone.
pub(crate) fn resolve_id(caller: &Caller, name: &str) -> Result<ToolId, Problem> {
    match (caller.resolve(name), ToolId::new(name)) {
        (Ok(tool), _) => Ok(tool.definition().tool_id.clone()),
        (Err(_), Ok(id)) => Ok(id),
        (Err(error), Err(_)) => Err(error.into()),
    }
}
