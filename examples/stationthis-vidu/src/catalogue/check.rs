//! What a catalogue file must not say, found before anything is offered.

use super::sheet::{Entry, Prices, Row, Sheet};
use stationthis_core::tool::validate::InputValidator;
use stationthis_core::{Error, ErrorKind, JsonDoc, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

pub(super) const OPERATION: &str = "read Vidu catalogue";

/// The most entries of a file: the one that is compiled in has a tenth of that.
const ENTRIES_MAX: usize = 200;

/// The most models of one entry.
const MODELS_MAX: usize = 50;

pub(super) fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, OPERATION).with_message(message)
}

/// The line of a place in the text, from one.
pub(super) fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    before.matches('\n').count() + 1
}

/// # Errors
/// `InvalidInput` with file, line, tool and what is wrong.
pub(super) fn check(place: &str, text: &str, sheet: &Sheet) -> Result<()> {
    let at = |span: Range<usize>, what: String| refused(format!("{place}: line {}: {what}", line_of(text, Some(span))));
    if sheet.source.trim().is_empty() || sheet.tools.is_empty() || sheet.tools.len() > ENTRIES_MAX {
        return Err(refused(format!("{place}: a catalogue has a source and 1 to {ENTRIES_MAX} tools.")));
    }
    let mut inputs = BTreeMap::new();
    for spanned in &sheet.tools {
        let entry = spanned.get_ref();
        let name = entry.route.name();
        tool(sheet, entry).map_err(|what| at(spanned.span(), format!("{name}: {what}")))?;
        for model in entry.each() {
            if inputs.insert((entry.route, model), entry).is_some() {
                let which = model.unwrap_or("without a model");
                return Err(at(spanned.span(), format!("{name}: {which} stands here for the second time.")));
            }
        }
    }
    for spanned in &sheet.prices {
        let prices = spanned.get_ref();
        for route in &prices.routes {
            let models: Vec<Option<&str>> = match prices.models.as_slice() {
                [] => vec![None],
                models => models.iter().map(|model| Some(model.as_str())).collect(),
            };
            for model in models {
                let which = format!("the price of {}/{}", route.name(), model.unwrap_or("-"));
                let Some(entry) = inputs.get(&(*route, model)) else {
                    return Err(at(spanned.span(), format!("{which}: there is no such tool.")));
                };
                rows(sheet, entry, prices).map_err(|what| at(spanned.span(), format!("{which}: {what}")))?;
            }
        }
    }
    Ok(())
}

fn tool(sheet: &Sheet, entry: &Entry) -> Result<(), String> {
    if entry.models.len() > MODELS_MAX {
        return Err(format!("a route has at most {MODELS_MAX} models at once."));
    }
    if let Some(model) = entry.models.iter().find(|model| !sheet.models.contains_key(*model)) {
        return Err(format!("the model {model:?} has no name under [models]."));
    }
    if let Some(model) = entry.models.iter().find(|model| model.contains(char::is_whitespace) || model.is_empty()) {
        return Err(format!("{model:?} cannot be a model's id."));
    }
    let reserved = ["model", "payload", "callback_url"];
    if let Some(name) = reserved.into_iter().find(|name| entry.inputs.contains_key(*name)) {
        return Err(format!("the input {name} is set by the provider itself."));
    }
    if let Some(name) = entry.required.iter().find(|name| !entry.inputs.contains_key(*name)) {
        return Err(format!("the input {name} is required, and there is none of that name."));
    }
    let missing = |name: &str| !entry.inputs.contains_key(name) || !entry.required.iter().any(|known| known == name);
    if let Some(name) = entry.route.frames().iter().find(|name| missing(name)) {
        return Err(format!("this route needs the input {name}, required."));
    }
    let schema = sheet.schema(entry);
    let validator = InputValidator::compile(&JsonDoc::from_value(&schema))
        .map_err(|e| format!("the inputs are no JSON Schema: {}.", e.message().unwrap_or("unknown reason")))?;
    for (name, own) in &entry.inputs {
        let property = sheet.property(name, own);
        if property.get("type").is_none() && property.get("enum").is_none() {
            return Err(format!("the input {name} has no type, here or under [inputs]."));
        }
        // The validator leaves out a default that it would refuse, and a price may need it.
        let Some(default) = property.get("default") else { continue };
        let alone = serde_json::Map::from_iter([(name.clone(), default.clone())]);
        let pointer = format!("/{name}");
        let problems = validator.check(&alone).err().unwrap_or_default();
        if let Some(problem) = problems.iter().find(|problem| problem.pointer == pointer) {
            return Err(format!("the default of {name}: {}", problem.message));
        }
    }
    Ok(())
}

fn rows(sheet: &Sheet, entry: &Entry, prices: &Prices) -> Result<(), String> {
    if prices.rows.is_empty() {
        return Err("it has no rows.".to_owned());
    }
    let names = |row: &Row| row.when.keys().chain(&row.times).cloned().collect::<BTreeSet<String>>();
    for row in prices.rows.iter().chain(&prices.addons) {
        if let Some(name) = names(row).into_iter().find(|name| !entry.inputs.contains_key(name)) {
            return Err(format!("it goes by the input {name}, which the tool does not have."));
        }
        for (name, value) in &row.when {
            let own = entry.inputs.get(name).cloned().unwrap_or_default();
            let property = sheet.property(name, &own);
            let options = property.get("enum").and_then(serde_json::Value::as_array);
            if options.is_some_and(|options| !options.contains(value)) {
                return Err(format!("{name} is never {value}."));
            }
        }
    }
    Ok(())
}
