//! The tools: models × routes, from a dated file.

mod check;
mod sheet;

use crate::details::EndpointDetails;
use crate::provider::SERVICE_NAME;
use crate::route::Route;
use serde_json::{Map, Value, json};
use sheet::{Entry, Prices, Sheet};
use stationthis_core::cost::Unit;
use stationthis_core::tool::{CostingModel, ExactlyOnce, TableRow, TimeoutRow};
use stationthis_core::{Error, ErrorKind, JsonDoc, ProviderId, Result, ToolDefinition, ToolId};
use std::path::Path;

/// The largest catalogue file: the one that is compiled in has some 20 KB.
pub const CATALOGUE_BYTES_MAX: u64 = 256 * 1024;

/// The catalogue that is compiled in.
const BUILTIN: &str = include_str!("catalogue.toml");

/// The input that asks for the lower price.
const OFF_PEAK: &str = "off_peak";

/// Off-peak work is done within 48 hours, or cancelled and given back.
const OFF_PEAK_TIMEOUT_S: u32 = 48 * 3600;

/// A catalogue: which models each route has, with which inputs, bounds and prices.
///
/// The service has no endpoint that lists them, so the crate ships one, with its date; a file of the same form takes its
/// place when a model appears before a release does. The file that is compiled in explains the form.
///
/// ```
/// let sheet = stationthis_vidu::ToolSheet::builtin()?;
/// assert!(sheet.source().contains("2026-08"));
/// # Ok::<(), stationthis_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ToolSheet {
    sheet: Sheet,
}

impl ToolSheet {
    /// The one that is compiled in.
    ///
    /// # Errors
    /// None: a test reads it.
    pub fn builtin() -> Result<Self> {
        Self::parse("catalogue.toml", BUILTIN)
    }

    /// A file of your own.
    ///
    /// # Errors
    /// `InvalidInput` when it cannot be read, or says what cannot be, with file, line and the tool; `TooLarge` beyond
    /// [`CATALOGUE_BYTES_MAX`].
    pub fn read(path: &Path) -> Result<Self> {
        use std::io::Read;
        let place = path.display().to_string();
        let failed = |e: std::io::Error| check::refused(format!("{place}: {e}.")).with_source(e);
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(CATALOGUE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > CATALOGUE_BYTES_MAX {
            return Err(Error::new(ErrorKind::TooLarge, check::OPERATION)
                .with_message(format!("{place}: a catalogue has at most {CATALOGUE_BYTES_MAX} bytes.")));
        }
        Self::parse(&place, &text)
    }

    /// The text of such a file; `place` is its name in errors.
    ///
    /// # Errors
    /// `InvalidInput`, as [`ToolSheet::read`].
    pub fn parse(place: &str, text: &str) -> Result<Self> {
        let sheet: Sheet = toml::from_str(text).map_err(|e| {
            let line = check::line_of(text, e.span());
            check::refused(format!("{place}: line {line}: {}.", e.message().replace('\n', " ")))
        })?;
        check::check(place, text, &sheet)?;
        Ok(Self { sheet })
    }

    /// Where its facts come from, and of when.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.sheet.source
    }

    /// The tools, for an instance of this id: one for each model on each route.
    ///
    /// # Errors
    /// `InvalidInput` when a tool's id would be longer than ids may be.
    pub fn definitions(&self, provider: &ProviderId) -> Result<Vec<ToolDefinition>> {
        let entries = self.sheet.tools.iter().map(toml::Spanned::get_ref);
        let models = entries.flat_map(|entry| entry.each().map(move |model| (entry, model)));
        models.map(|(entry, model)| self.definition(provider, entry, model)).collect()
    }

    fn definition(&self, provider: &ProviderId, entry: &Entry, model: Option<&str>) -> Result<ToolDefinition> {
        let route = entry.route;
        let key = model.map_or_else(|| route.name().to_owned(), |model| format!("{}/{model}", route.name()));
        let name = model.map_or("Vidu", |model| self.sheet.models.get(model).map_or(model, String::as_str));
        let title = format!("{name}, {}", route.title());
        let id = ToolId::for_key(provider, &key)?;
        let mut tool = ToolDefinition::new(id, provider.clone(), SERVICE_NAME, title);
        tool.description.clone_from(&entry.description);
        tool.input_schema = JsonDoc::from_value(&self.sheet.schema(entry));
        tool.outputs = vec![route.output()];
        tool.category = serde_json::to_value(route.output()).ok().and_then(|v| v.as_str().map(str::to_owned));
        tool.tags = vec![SERVICE_NAME.to_owned(), route.name().to_owned()];
        tool.costing_model = self.sheet.prices_of(route, model).map_or(CostingModel::PerCredit, table);
        tool.execution = route.execution();
        tool.exactly_once = ExactlyOnce::None;
        if entry.inputs.contains_key(OFF_PEAK) {
            let when = Map::from_iter([(OFF_PEAK.to_owned(), json!(true))]);
            tool.limits.run_timeout_when = vec![TimeoutRow::new(when, OFF_PEAK_TIMEOUT_S)];
        }
        tool.endpoint_details = JsonDoc::of(&EndpointDetails::new(route, model.map(str::to_owned)))?;
        Ok(tool.seal())
    }
}

fn table(prices: &Prices) -> CostingModel {
    let rows = |rows: &[sheet::Row]| {
        rows.iter()
            .map(|row| {
                let table = TableRow::new(row.when.clone(), row.credits.into());
                row.times.iter().fold(table, |table, input| table.times(input))
            })
            .collect()
    };
    CostingModel::Table { unit: Unit::Credit, rows: rows(&prices.rows), addons: rows(&prices.addons) }
}

impl Sheet {
    /// The inputs of an entry as JSON Schema.
    fn schema(&self, entry: &Entry) -> Value {
        let properties: Map<String, Value> =
            entry.inputs.iter().map(|(name, own)| (name.clone(), self.property(name, own))).collect();
        let mut schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": properties,
            "required": entry.required,
            "additionalProperties": false,
        });
        if let (Some(fields), false) = (schema.as_object_mut(), entry.rules.is_empty()) {
            fields.insert("allOf".to_owned(), entry.rules.iter().cloned().map(Value::Object).collect());
        }
        schema
    }

    /// What all tools say of an input, and what this one says besides.
    fn property(&self, name: &str, own: &Map<String, Value>) -> Value {
        let mut property = self.inputs.get(name).cloned().unwrap_or_default();
        property.extend(own.clone());
        Value::Object(property)
    }

    fn prices_of(&self, route: Route, model: Option<&str>) -> Option<&Prices> {
        let fits = |prices: &&Prices| prices.routes.contains(&route) && prices.fits(model);
        self.prices.iter().map(toml::Spanned::get_ref).find(fits)
    }
}

#[cfg(test)]
mod tests;
