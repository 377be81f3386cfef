//! Tools as data: the file that is compiled in, or one of the operator's in its form.

mod file;
mod schema;

use crate::details::{EndpointDetails, Place, is_place};
use crate::provider::SERVICE_NAME;
use file::{CatalogueFile, PriceEntry, RowEntry, ToolEntry};
use rust_decimal::Decimal;
use serde_json::Value;
use stationthis_core::cost::Unit;
use stationthis_core::tool::validate::InputValidator;
use stationthis_core::tool::{CostingModel, Execution, TableRow};
use stationthis_core::{Error, ErrorKind, JsonDoc, ProviderId, Result, ToolDefinition, ToolId};
use std::collections::BTreeSet;
use std::path::Path;

/// What Tripo offered on 2026-11-23.
const BUILTIN: &str = include_str!("catalogue.toml");

/// The largest file: the one that is compiled in has 30 KB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The most tools: each is checked and compiled at the start.
const TOOLS_MAX: usize = 500;

/// What can be run, as data. The one that is compiled in is of 2026-11-23.
///
/// A catalogue in the form of this crate's `catalogue.toml` takes its place, so a new model needs no release:
///
/// ```
/// use stationthis_core::Secret;
/// use stationthis_tripo::{Catalogue, Tripo};
///
/// let catalogue = Catalogue::from_toml(r#"
/// source = "our own notes, 2026-12"
///
/// [fields.prompt]
/// schema = { title = "Prompt", type = "string", minLength = 1, maxLength = 1024 }
///
/// [prices.sixty]
/// rows = [{ credits = 60 }]
///
/// [[tools]]
/// key = "text-to-model-P3"
/// name = "Text to 3D, Tripo P3"
/// route = "/generation/text-to-model"
/// send = { model = "P3-20270101" }
/// inputs = ["prompt"]
/// required = ["prompt"]
/// price = "sixty"
/// outputs = ["model3d"]
/// "#)?;
/// let provider = Tripo::builder(Secret::new("tsk_any")).catalogue(catalogue).build()?;
/// # let _ = provider;
///
/// let mistaken = Catalogue::from_toml("source = \"\"\n[[tools]]\nkey = \"a\"\ncolour = 1");
/// assert!(mistaken.unwrap_err().message().unwrap().contains("unknown field `colour`"));
/// # Ok::<(), stationthis_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Catalogue(CatalogueFile);

impl Catalogue {
    /// The one that is compiled in.
    ///
    /// # Errors
    /// None in practice: a test checks all of it.
    pub fn builtin() -> Result<Self> {
        Self::parsed(BUILTIN)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `InvalidInput` when it cannot be read, `TooLarge` beyond 1 MiB; else as [`from_toml`](Self::from_toml).
    pub fn from_file(path: &Path) -> Result<Self> {
        let failed = |e: std::io::Error| {
            refused(format!("The catalogue {} cannot be read: {e}.", path.display())).with_source(e)
        };
        if std::fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_MAX {
            return Err(
                Error::new(ErrorKind::TooLarge, "read catalogue").with_message("A catalogue has at most 1 MiB.")
            );
        }
        Self::from_toml(&std::fs::read_to_string(path).map_err(failed)?)
    }

    /// Reads its text, and checks all of it.
    ///
    /// # Errors
    /// `InvalidInput` with the line, or with the tool and the field: an unknown name, an input, a rule or a price that is
    /// not there, a key twice, a route or a place that cannot be one, a schema that cannot be compiled.
    pub fn from_toml(text: &str) -> Result<Self> {
        let catalogue = Self::parsed(text)?;
        // Whatever the instance is called: what is wrong is wrong for each.
        let tools = catalogue.tools(&ProviderId::new(SERVICE_NAME)?, false)?;
        for (tool, entry) in tools.iter().zip(&catalogue.0.tools) {
            InputValidator::compile(&tool.input_schema).map_err(|e| {
                let why = e.message().unwrap_or_default();
                refused(format!("tool {}: the schema cannot be used: {why}.", entry.key)).with_source(e)
            })?;
        }
        Ok(catalogue)
    }

    fn parsed(text: &str) -> Result<Self> {
        toml::from_str(text).map(Self).map_err(|e| refused(e.to_string()).with_source(e))
    }

    /// The tools of an instance.
    pub(crate) fn tools(&self, provider: &ProviderId, webhooks: bool) -> Result<Vec<ToolDefinition>> {
        let file = &self.0;
        if file.tools.is_empty() || file.tools.len() > TOOLS_MAX {
            return Err(refused(format!("A catalogue has 1 to {TOOLS_MAX} tools.")));
        }
        let mut keys = BTreeSet::new();
        file.tools
            .iter()
            .map(|entry| {
                if !keys.insert(entry.key.as_str()) {
                    return Err(refused(format!("tools: the key {} stands twice.", entry.key)));
                }
                self.tool(provider, webhooks, entry)
            })
            .collect()
    }

    fn tool(&self, provider: &ProviderId, webhooks: bool, entry: &ToolEntry) -> Result<ToolDefinition> {
        let wrong = |what: String| refused(format!("tool {}: {what}", entry.key));
        let id =
            ToolId::for_key(provider, &entry.key).map_err(|e| wrong("the key cannot be one.".into()).with_source(e))?;
        if entry.name.trim().is_empty() {
            return Err(wrong("the name is empty.".to_owned()));
        }
        let segment = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !entry.route.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment)) {
            return Err(wrong(format!("route {:?} is not a path of letters, digits and dashes.", entry.route)));
        }
        let mut tool = ToolDefinition::new(id, provider.clone(), SERVICE_NAME, entry.name.clone());
        tool.description.clone_from(&entry.description);
        tool.category.clone_from(&entry.category);
        let schema = schema::of(&self.0, entry).map_err(&wrong)?;
        tool.input_schema = JsonDoc::from_value(&schema);
        tool.costing_model = match &entry.price {
            Some(name) => {
                let price =
                    self.0.prices.get(name).ok_or_else(|| wrong(format!("price {name:?} is not in [prices].")))?;
                table(&self.0, price).map_err(|what| wrong(format!("price {name}: {what}")))?
            }
            None => CostingModel::PerCredit,
        };
        tool.outputs.clone_from(&entry.outputs);
        tool.execution = if webhooks { Execution::CallbackAndPoll } else { Execution::Poll };
        tool.limits.concurrency = entry.concurrency;
        tool.endpoint_details = JsonDoc::of(&EndpointDetails::new(
            entry.route.clone(),
            entry.send.clone(),
            self.places(entry).map_err(&wrong)?,
        ))?;
        Ok(tool.seal())
    }

    fn places(&self, entry: &ToolEntry) -> Result<Vec<Place>, String> {
        let place = |input: &String| {
            let at = self.0.fields.get(input).and_then(|field| field.at.clone()).unwrap_or_else(|| input.clone());
            if is_place(&at) {
                Ok(Place { input: input.clone(), at })
            } else {
                Err(format!("at {at:?} of {input} is none of name, name.key and name[].key."))
            }
        };
        entry.inputs.iter().map(place).collect()
    }
}

/// The table of a price. Its conditions must name fields: a typing error would be a row that never matches.
fn table(file: &CatalogueFile, price: &PriceEntry) -> Result<CostingModel, String> {
    let row = |row: &RowEntry| {
        let mut when = row.when.clone();
        when.extend(row.unset.iter().map(|name| (name.clone(), Value::Null)));
        match when.keys().chain(&row.times).find(|name| !file.fields.contains_key(*name)) {
            Some(name) => Err(format!("{name} is not in [fields].")),
            None => Ok(table_row(when, row)),
        }
    };
    let rows: Result<Vec<_>, _> = price.rows.iter().map(row).collect();
    let addons: Result<Vec<_>, _> = price.addons.iter().map(row).collect();
    Ok(CostingModel::Table { unit: Unit::Credit, rows: rows?, addons: addons? })
}

fn table_row(when: serde_json::Map<String, Value>, entry: &RowEntry) -> TableRow {
    let row = TableRow::new(when, Decimal::from(entry.credits));
    match &entry.times {
        Some(input) => row.times(input.clone()),
        None => row,
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "read catalogue").with_message(message)
}

#[cfg(test)]
mod tests;
