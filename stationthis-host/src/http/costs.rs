//! What ended tasks cost.

use axum::Json;
use axum::http::Uri;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::costs::{Costs, Span};
use crate::http::about::{About, Answer};
use crate::http::asker::Asker;
use crate::http::problem::Problem;
use crate::http::query;

/// `?month=&by=`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CostsQuery {
    /// Of this month (UTC) only: `2026-11`.
    #[schemars(regex(pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$"))]
    month: Option<String>,
    /// A sum for each month, or for each day.
    #[serde(default)]
    by: Span,
}

pub(crate) const SHOW: About =
    About::new("What ended tasks cost, in sums", &[Answer::json::<Costs>(200, "The sums, of pruned tasks too.")])
        .query::<CostsQuery>()
        .problems(&[422]);

/// `GET …/costs`: by month or day, caller and tool.
pub(crate) async fn show(asker: Asker, uri: Uri) -> Result<Json<Costs>, Problem> {
    let wanted: CostsQuery = query::parse(&uri)?;
    Ok(Json(Costs::of(&asker.caller, wanted.month, wanted.by).await?))
}
