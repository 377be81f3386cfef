//! What ended tasks cost.

use axum::Json;
use axum::http::Uri;
use serde::Deserialize;

use crate::costs::Costs;
use crate::http::asker::Asker;
use crate::http::problem::Problem;
use crate::http::query;

/// `?month=`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CostsQuery {
    month: Option<String>,
}

/// `GET …/costs`: by month, caller and tool.
pub(crate) async fn show(asker: Asker, uri: Uri) -> Result<Json<Costs>, Problem> {
    let wanted: CostsQuery = query::parse(&uri)?;
    Ok(Json(Costs::of(&asker.caller, wanted.month).await?))
}
