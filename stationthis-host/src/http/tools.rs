//! The catalogue.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use stationthis_core::ToolId;

use crate::http::problem::Problem;
use crate::http::router::Face;
use crate::view::ToolView;

#[derive(Serialize)]
pub(crate) struct Tools {
    tools: Vec<ToolView>,
}

/// `GET /api/internal/tools`.
pub(crate) async fn list(State(face): State<Face>) -> Json<Tools> {
    Json(Tools { tools: ToolView::all(&face.caller) })
}

/// `GET /api/internal/tools/{id}`: by id, slug or alias.
pub(crate) async fn show(State(face): State<Face>, Path(name): Path<String>) -> Result<Json<ToolView>, Problem> {
    let tool = face.caller.resolve(&name)?;
    Ok(Json(ToolView::new(&tool, &face.caller.tools(), &face.caller)))
}

/// The id of a named tool; what is an id already may be of a tool that is gone.
pub(crate) fn resolve_id(face: &Face, name: &str) -> Result<ToolId, Problem> {
    match (face.caller.resolve(name), ToolId::new(name)) {
        (Ok(tool), _) => Ok(tool.definition().tool_id.clone()),
        (Err(_), Ok(id)) => Ok(id),
        (Err(error), Err(_)) => Err(error.into()),
    }
}
