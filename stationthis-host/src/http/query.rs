//! The parameters of queries.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use stationthis_core::TaskId;
use stationthis_core::store::PAGE_MAX;

use crate::http::problem::Problem;

/// `?wait=`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitQuery {
    /// Seconds to wait for the task's end; at most 60 are waited. The answer then is the task as it is.
    pub(crate) wait: Option<u64>,
}

/// `?status=&tool=&needsReview=&limit=&cursor=`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Statuses, separated by commas.
    pub(crate) status: Option<String>,
    /// A tool, by any of its names.
    pub(crate) tool: Option<String>,
    /// Only those that need review.
    #[serde(default)]
    pub(crate) needs_review: bool,
    /// At most so many; 50 when left out.
    #[schemars(range(min = 1, max = 500))]
    pub(crate) limit: Option<usize>,
    /// The `nextCursor` of the page before.
    #[schemars(with = "Option<TaskId>")]
    pub(crate) cursor: Option<String>,
}

/// A page size, zero for the store's own.
pub(crate) fn page_size(limit: Option<usize>) -> Result<usize, Problem> {
    match limit {
        None => Ok(0),
        Some(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::malformed(format!("limit is a number from 1 to {PAGE_MAX}."))),
    }
}

/// Reads a query; an unknown or unreadable parameter is named.
pub(crate) fn parse<T: DeserializeOwned>(uri: &axum::http::Uri) -> Result<T, Problem> {
    axum::extract::Query::<T>::try_from_uri(uri)
        .map(|query| query.0)
        .map_err(|e| Problem::malformed(format!("The query cannot be read: {}.", e.body_text().trim_end_matches('.'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_at_least_one_and_at_most_the_stores_limit() {
        let limit = |query: &str| page_size(parse::<ListQuery>(&format!("/x?{query}").parse().unwrap()).unwrap().limit);
        assert_eq!(limit("limit=7").unwrap(), 7);
        assert_eq!(limit("").unwrap(), 0);
        assert!(limit("limit=0").is_err() && limit("limit=501").is_err());
    }
}
