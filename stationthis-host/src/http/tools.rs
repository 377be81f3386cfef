//! The catalogue.

use axum::Json;
use axum::extract::Path;
use serde::Serialize;
use stationthis_core::ToolId;
use stationthis_core::station::Caller;

use crate::http::asker::Asker;
use crate::http::problem::Problem;
use crate::view::ToolView;

#[derive(Serialize)]
pub(crate) struct Tools {
    tools: Vec<ToolView>,
}

/// `GET /api/internal/tools`.
pub(crate) async fn list(asker: Asker) -> Json<Tools> {
    Json(Tools { tools: ToolView::all(&asker.caller) })
}

/// `GET /api/internal/tools/{id}`: by id, slug or alias.
pub(crate) async fn show(asker: Asker, Path(name): Path<String>) -> Result<Json<ToolView>, Problem> {
    let tool = asker.caller.resolve(&name)?;
    Ok(Json(ToolView::new(&tool, &asker.caller.tools(), &asker.caller)))
}

/// The id of a named tool; what is an id already may be of a tool that is gone.
pub(crate) fn resolve_id(caller: &Caller, name: &str) -> Result<ToolId, Problem> {
    match (caller.resolve(name), ToolId::new(name)) {
        (Ok(tool), _) => Ok(tool.definition().tool_id.clone()),
        (Err(_), Ok(id)) => Ok(id),
        (Err(error), Err(_)) => Err(error.into()),
    }
}
