//! What is known about one provider, and what its answer is worth.

use std::collections::HashSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cost::RateCard;
use crate::error::{Error, ErrorKind, FailureRecord, Result, Retry};
use crate::id::{ProviderId, ToolId};
use crate::provider::{Catalogue, ServiceProvider};
use crate::registry::snapshot::Snapshot;
use crate::time::Timestamp;
use crate::tool::ToolDefinition;

/// The most tools of one provider, because a snapshot is held in memory whole; real accounts have some hundreds.
pub const MAX_TOOLS_PER_PROVIDER: usize = 10_000;
/// The most warnings kept of one discovery: enough to see the pattern.
const MAX_WARNINGS: usize = 50;
/// The most characters of one warning.
const MAX_WARNING_CHARS: usize = 300;

/// How one provider's part of a snapshot came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProviderStatus {
    /// The provider.
    pub provider_id: ProviderId,
    /// Are its tools older than the last time it was asked? True until the first good answer after a restart.
    pub stale: bool,
    /// When it last gave its catalogue; absent when it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<Timestamp>,
    /// Why the last refresh failed; absent when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureRecord>,
    /// How many tools it has.
    pub tools: usize,
    /// What was left out or looked odd in its last catalogue.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The price list that its service published with its last catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_card: Option<RateCard>,
}

impl ProviderStatus {
    pub(super) fn never_asked(provider_id: ProviderId) -> Self {
        Self {
            provider_id,
            stale: true,
            refreshed_at: None,
            error: None,
            tools: 0,
            warnings: Vec::new(),
            rate_card: None,
        }
    }

    /// How old its tools are; `None` when it never gave any.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        self.refreshed_at.map(|at| now.since(at))
    }
}

/// Asks a provider for its catalogue, within `timeout`, and believes a great loss only when it is told twice.
///
/// A service with a fault of its own may answer with a good status and an empty or a cut list. A list that has lost
/// half of the known tools or more is therefore read again at once, and counts only when the second says the same.
pub(super) async fn ask(provider: &dyn ServiceProvider, known: &Snapshot, timeout: Duration) -> Result<Catalogue> {
    let asking = async {
        let catalogue = checked(provider, provider.discover().await?)?;
        if !has_lost_half(provider.id(), known, &catalogue) {
            return Ok(catalogue);
        }
        let again = checked(provider, provider.discover().await?)?;
        let same = ids(&again.tools) == ids(&catalogue.tools);
        if same || !has_lost_half(provider.id(), known, &again) {
            return Ok(again);
        }
        Err(Error::new(ErrorKind::Unavailable, "discover tools")
            .with_message("the catalogue lost half of its tools or more, and a second look showed others missing")
            .with_context("provider", provider.id())
            .with_retry(Retry::Backoff))
    };
    match tokio::time::timeout(timeout, asking).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::new(ErrorKind::Timeout, "discover tools")
            .with_message(format!("no catalogue within {} s", timeout.as_secs_f64()))
            .with_context("provider", provider.id())
            .with_retry(Retry::Backoff)),
    }
}

fn ids(tools: &[ToolDefinition]) -> HashSet<&ToolId> {
    tools.iter().map(|tool| &tool.tool_id).collect()
}

fn has_lost_half(provider: &ProviderId, known: &Snapshot, catalogue: &Catalogue) -> bool {
    let now = ids(&catalogue.tools);
    let (mut before, mut lost) = (0_usize, 0_usize);
    for tool in known.definitions_of(provider) {
        before += 1;
        lost += usize::from(!now.contains(&tool.tool_id));
    }
    lost > 0 && lost * 2 >= before
}

/// The catalogue without tools that cannot be this provider's, and with bounded warnings.
fn checked(provider: &dyn ServiceProvider, mut catalogue: Catalogue) -> Result<Catalogue> {
    let id = provider.id();
    if catalogue.tools.len() > MAX_TOOLS_PER_PROVIDER {
        return Err(Error::new(ErrorKind::TooLarge, "discover tools")
            .with_context("provider", id)
            .with_context("tools", catalogue.tools.len())
            .with_context("limit", MAX_TOOLS_PER_PROVIDER));
    }
    let mut seen = HashSet::new();
    let Catalogue { tools, warnings, .. } = &mut catalogue;
    tools.retain(|tool| {
        let key = tool.tool_id.as_str().strip_prefix(id.as_str()).and_then(|rest| rest.strip_prefix(':'));
        let wrong = if tool.provider_id != *id || key.is_none_or(str::is_empty) {
            "does not have the provider's id"
        } else if !seen.insert(tool.tool_id.clone()) {
            "is there twice; the first counts"
        } else {
            return true;
        };
        warnings.push(format!("the tool {} ({}) {wrong}", tool.tool_id, tool.display_name));
        false
    });
    let more = warnings.len().saturating_sub(MAX_WARNINGS);
    warnings.truncate(MAX_WARNINGS);
    for warning in warnings.iter_mut() {
        *warning = warning.chars().take(MAX_WARNING_CHARS).collect();
    }
    if more > 0 {
        warnings.push(format!("and {more} warnings more"));
    }
    Ok(catalogue)
}
