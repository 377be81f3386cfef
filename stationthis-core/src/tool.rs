//! What a tool is, and how it describes itself.

pub(crate) mod condition;
pub mod naming;
pub(crate) mod nearest;
pub mod problem;
#[cfg(test)]
mod published_schema;
pub mod validate;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::id::{ProviderId, ToolId};
use crate::json_doc::JsonDoc;
use crate::task::output::OutputKind;

/// Something a user can run: one ComfyDeploy workflow, one Vidu endpoint and model, one Tripo task type.
///
/// One schema for every service; faces (HTTP, command line, chat) are generated from it. Serialised in camelCase; its
/// own JSON Schema is [`ToolDefinition::json_schema`].
///
/// Providers fill everything but `slug` and `aliases`, which the registry assigns so that they are unique.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolDefinition {
    /// Stable across redeploys and renames.
    pub tool_id: ToolId,
    /// The configured instance that runs it.
    pub provider_id: ProviderId,
    /// The kind of service (`comfydeploy`).
    pub service_name: String,
    /// What people type, unique in the registry: `[a-z0-9]+(-[a-z0-9]+)*`.
    #[serde(default)]
    pub slug: String,
    /// Names it had before, which still find it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Its name as its author wrote it.
    pub display_name: String,
    /// What it does; whole, never cut to a platform's limit.
    #[serde(default)]
    pub description: String,
    /// One word for grouping: `image`, `video`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Free words for searching.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Hash of everything that decides how it runs; see [`ToolDefinition::seal`].
    #[serde(default)]
    pub revision: String,
    /// JSON Schema 2020-12 of the inputs, an object with `additionalProperties: false`.
    pub input_schema: JsonDoc,
    /// JSON Schema 2020-12 of the outputs.
    pub output_schema: JsonDoc,
    /// How its cost comes about.
    pub costing_model: CostingModel,
    /// How its end becomes known.
    pub execution: Execution,
    /// What its provider can promise about a submission whose answer was lost.
    pub exactly_once: ExactlyOnce,
    /// The kinds of output it may give.
    #[serde(default)]
    pub outputs: Vec<OutputKind>,
    /// Who sees it in lists.
    #[serde(default)]
    pub visibility: Visibility,
    /// Its bounds.
    #[serde(default)]
    pub limits: Limits,
    /// Its provider's own facts (deployment id, machine id, GPU): typed by the provider, opaque to everybody else.
    #[serde(default)]
    pub endpoint_details: JsonDoc,
}

impl ToolDefinition {
    /// A free, poll-only tool without inputs; set the fields that differ, then [`seal`](Self::seal) it.
    pub fn new(
        tool_id: ToolId,
        provider_id: ProviderId,
        service_name: impl Into<String>,
        display_name: impl Into<String>,
    ) -> Self {
        Self {
            tool_id,
            provider_id,
            service_name: service_name.into(),
            slug: String::new(),
            aliases: Vec::new(),
            display_name: display_name.into(),
            description: String::new(),
            category: None,
            tags: Vec::new(),
            revision: String::new(),
            input_schema: JsonDoc::from_value(&serde_json::json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object", "properties": {}, "additionalProperties": false
            })),
            output_schema: crate::task::output::schema_of_outputs(),
            costing_model: CostingModel::Free,
            execution: Execution::Poll,
            exactly_once: ExactlyOnce::None,
            outputs: Vec::new(),
            visibility: Visibility::default(),
            limits: Limits::default(),
            endpoint_details: JsonDoc::default(),
        }
    }

    /// Sets `revision` to the hash of the content (names excluded, so a rename is not a new revision).
    #[must_use]
    pub fn seal(mut self) -> Self {
        let mut hash = Sha256::new();
        let parts = (
            &self.tool_id,
            &self.input_schema,
            &self.output_schema,
            &self.costing_model,
            (self.execution, self.exactly_once, &self.outputs, &self.limits),
            &self.endpoint_details,
        );
        // A tuple of serialisable parts always serialises; an empty text would only make two revisions look alike.
        hash.update(serde_json::to_vec(&parts).unwrap_or_default());
        self.revision = crate::hex(hash.finalize().get(..8).unwrap_or_default());
        self
    }

    /// Seconds after which the service itself ends a run with these inputs, defaults filled in: by the first row of
    /// [`Limits::run_timeout_when`] that matches, else [`Limits::run_timeout_s`].
    #[must_use]
    pub fn run_timeout_s(&self, inputs: &Map<String, Value>) -> Option<u32> {
        let row = self.limits.run_timeout_when.iter().find(|row| condition::holds(&row.when, inputs));
        row.map(|row| row.run_timeout_s).or(self.limits.run_timeout_s)
    }

    /// The JSON Schema of a tool definition itself.
    #[must_use]
    pub fn json_schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}

/// How the cost of a run comes about; the price itself is on a rate card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum CostingModel {
    /// By the second on a resource.
    PerSecond {
        /// The resource class (`A10G`); absent when the service does not name it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
        /// The machine, for rates given by machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        machine: Option<String>,
    },
    /// A fixed price each time.
    PerRequest,
    /// By tokens in and out.
    PerToken,
    /// By the service's credits, as many as it reports to have used.
    PerCredit,
    /// So many of a unit, by the values of some inputs: what the first row that matches says, and what each add-on says
    /// that matches. Without a matching row, or where a number is missing by which one is multiplied, the price is
    /// unknown. A run that ended well is settled by it, unless its service reports what it used.
    Table {
        /// What the rows count.
        unit: crate::cost::Unit,
        /// The rows, most specific first.
        rows: Vec<TableRow>,
        /// What comes on top: every one that matches.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        addons: Vec<TableRow>,
    },
    /// It costs nothing.
    Free,
}

/// One row of [`CostingModel::Table`].
///
/// ```
/// use serde_json::{Map, json};
/// use stationthis_core::tool::TableRow;
///
/// // Eleven credits for each second of a film in 720p; two for each of four to seven pictures.
/// let film = Map::from_iter([("resolution".to_owned(), json!("720p"))]);
/// let film = TableRow::new(film, 11.into()).times("duration");
/// let many = Map::from_iter([("images".to_owned(), json!({ "min": 4, "max": 7 }))]);
/// let many = TableRow::new(many, 2.into()).times("images");
/// # assert_eq!((film.times.unwrap().as_str(), many.times.unwrap().as_str()), ("duration", "images"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TableRow {
    /// The inputs and what each must be; empty matches everything. A value must be equal (numbers by their value, so 5
    /// is 5.0); `null` matches an input that was not given; an object of `min` and `max`, or one of them, matches a number
    /// in that range, ends included, and a list with so many entries.
    pub when: Map<String, Value>,
    /// How many units that takes, as decimal text.
    #[schemars(with = "String")]
    pub amount: Decimal,
    /// The input by which `amount` is multiplied: a number by its value, a list by how many entries it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<String>,
}

impl TableRow {
    /// So many units when the inputs are such.
    #[must_use]
    pub const fn new(when: Map<String, Value>, amount: Decimal) -> Self {
        Self { when, amount, times: None }
    }

    /// For each one of an input: a second asked for, a picture given.
    #[must_use]
    pub fn times(mut self, input: impl Into<String>) -> Self {
        self.times = Some(input.into());
        self
    }
}

/// How the end of a run becomes known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Execution {
    /// The answer to the submission is the result ([`Submission::report`](crate::provider::Submission::report), with an
    /// end): nobody is asked about the run, and no webhook tells of it.
    Immediate,
    /// Only by callbacks.
    Callback,
    /// Only by asking.
    Poll,
    /// By both; each alone is enough.
    CallbackAndPoll,
}

/// What a provider can promise about a submission whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ExactlyOnce {
    /// The same key never makes a second run: it may be sent again.
    IdempotencyKey,
    /// We choose the run's id, so it can be asked for.
    ClientChosenId,
    /// A run can be found by our task id.
    Lookup,
    /// Nothing: only a callback or a person can tell.
    None,
}

/// Who sees a tool in lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Visibility {
    /// Everybody.
    #[default]
    Listed,
    /// Nobody; it still runs by its name.
    Unlisted,
}

/// Bounds of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Limits {
    /// Seconds after which the service itself ends a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_timeout_s: Option<u32>,
    /// Other run timeouts for some inputs; see [`ToolDefinition::run_timeout_s`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run_timeout_when: Vec<TimeoutRow>,
    /// Runs at a time that the service starts; more wait there. For people to see: the station does not count by it,
    /// since a service that takes no more refuses with [`AtCapacity`](crate::ErrorKind::AtCapacity), and the task waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
}

/// A run timeout for some inputs: a service may take days for what is asked for at a lower price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TimeoutRow {
    /// The inputs and what each must be, as in [`TableRow::when`].
    pub when: Map<String, Value>,
    /// Seconds after which the service itself ends such a run.
    pub run_timeout_s: u32,
}

impl TimeoutRow {
    /// A run timeout when the inputs are such.
    #[must_use]
    pub const fn new(when: Map<String, Value>, run_timeout_s: u32) -> Self {
        Self { when, run_timeout_s }
    }
}
