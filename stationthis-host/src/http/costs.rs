//! What ended tasks cost.

use axum::Json;
use axum::http::Uri;
use serde::Deserialize;

use crate::costs::{Costs, Span};
use crate::http::asker::Asker;
use crate::http::problem::Problem;
use crate::http::query;

/// `?month=&by=`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CostsQuery {
    month: Option<String>,
    #[serde(default)]
    by: Span,
}

/// `GET …/costs`: by month or day, caller and tool.
pub(crate) async fn show(asker: Asker, uri: Uri) -> Result<Json<Costs>, Problem> {
    let wanted: CostsQuery = query::parse(&uri)?;
    Ok(Json(Costs::of(&asker.caller, wanted.month, wanted.by).await?))
}
