//! Are these inputs what the tool takes? Every problem at once, each in a sentence.

mod bounds;
mod media;
mod sentence;
#[cfg(test)]
mod tests;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};

pub use self::bounds::{MAX_DEPTH, MAX_INPUT_BYTES, MAX_MEDIA_BYTES, MAX_MEDIA_TOTAL_BYTES, MAX_VALUES};
use self::media::MediaInputs;
pub(crate) use self::media::MediaText;
use crate::error::{Error, ErrorKind, Result};
use crate::json_doc::JsonDoc;
use crate::tool::problem::InputProblem;

/// The most bytes of an input schema, because compiling takes time and memory by its size; the largest real ones (lists
/// of hundreds of checkpoints) have some tens of thousands.
pub const MAX_SCHEMA_BYTES: usize = 1 << 20;
/// The most bytes that a compiled `pattern` may take: patterns come from a service, and small ones can unfold hugely.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// Checks inputs against one tool's schema, compiled once.
///
/// Besides the schema (JSON Schema 2020-12, formats included, nothing fetched from anywhere) it refuses:
/// - inputs that the schema forbids by `additionalProperties: false`, as rule `unknownInput`, with what was probably
///   meant;
/// - the character U+0000 anywhere, in names too, as rule `nul`, because stores and services cannot hold it;
/// - more than [`MAX_INPUT_BYTES`], [`MAX_MEDIA_BYTES`], [`MAX_MEDIA_TOTAL_BYTES`], [`MAX_VALUES`] or [`MAX_DEPTH`],
///   as rule `tooLarge`; then the schema is not asked;
/// - at a property with `format: "uri"` and a `contentMediaType`, as rule `media`: what is neither an http(s) URL nor
///   a data URL of that media type nor a [`FileUri`](crate::media::FileUri). Nothing is fetched.
///
/// ```
/// use stationthis_core::{JsonDoc, tool::validate::InputValidator};
/// use serde_json::json;
///
/// let validator = InputValidator::compile(&JsonDoc::from_value(&json!({
///     "type": "object",
///     "properties": { "prompt": { "type": "string" }, "steps": { "type": "integer", "maximum": 50, "default": 20 } },
///     "required": ["prompt"],
///     "additionalProperties": false,
/// })))?;
///
/// let sent = validator.check(json!({ "prompt": "a cat" }).as_object().unwrap()).unwrap();
/// assert_eq!(sent["steps"], 20);
///
/// let problems = validator.check(json!({ "promt": "a cat", "steps": 80 }).as_object().unwrap()).unwrap_err();
/// let text: Vec<String> = problems.iter().map(|p| p.message.clone()).collect();
/// assert_eq!(text, [
///     "prompt is required.",
///     "there is no input promt. Did you mean prompt?",
///     "steps must be at most 50; it is 80.",
/// ]);
/// # Ok::<(), stationthis_core::Error>(())
/// ```
#[derive(Debug)]
pub struct InputValidator {
    validator: Validator,
    known: Vec<String>,
    defaults: Vec<(String, Value)>,
    media: MediaInputs,
}

impl InputValidator {
    /// Compiles a tool's `input_schema`.
    ///
    /// A `default` that is itself invalid (services publish an empty text where a URL belongs) is not filled in.
    ///
    /// # Errors
    /// `InvalidInput` when the schema is no object, larger than [`MAX_SCHEMA_BYTES`], refers to something outside of
    /// itself, or cannot be compiled.
    pub fn compile(schema: &JsonDoc) -> Result<Self> {
        let unusable = || Error::new(ErrorKind::InvalidInput, "compile input schema");
        if schema.as_str().len() > MAX_SCHEMA_BYTES {
            return Err(unusable()
                .with_message("the schema is too large")
                .with_context("bytes", schema.as_str().len())
                .with_context("limit", MAX_SCHEMA_BYTES));
        }
        let Value::Object(mut schema) = schema.to_value() else {
            return Err(unusable().with_message("the schema is not an object"));
        };
        let media = MediaInputs::take_from(&mut schema);
        let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let validator = jsonschema::options()
            // The contract says 2020-12, whatever `$schema` claims: older drafts would check other things.
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            // Linear in time for every pattern, unlike the library's default engine.
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN_BYTES))
            .offline()
            .build(&Value::Object(schema))
            .map_err(|e| unusable().with_message(e.masked().to_string().chars().take(500).collect::<String>()))?;
        let known = properties.keys().cloned().collect();
        let mut compiled = Self { validator, known, defaults: Vec::new(), media };
        for (name, property) in properties {
            if let Some(default) = property.get("default").filter(|value| compiled.takes(&name, value)) {
                compiled.defaults.push((name, default.clone()));
            }
        }
        Ok(compiled)
    }

    /// The inputs to send: those asked for, and the defaults of those left out at the top level.
    ///
    /// Pure, and safe to call with anything that came from outside.
    ///
    /// # Errors
    /// All problems, at most 100, those of sizes and U+0000 first, then in the order of their pointers. No message
    /// repeats more than a line of any value.
    pub fn check(&self, asked: &Map<String, Value>) -> Result<Map<String, Value>, Vec<InputProblem>> {
        let mut problems = bounds::check(asked, &self.media);
        if problems.iter().any(|problem| problem.rule == "tooLarge") {
            return Err(problems);
        }
        let mut inputs = asked.clone();
        for (name, value) in &self.defaults {
            if !inputs.contains_key(name) {
                inputs.insert(name.clone(), value.clone());
            }
        }
        let mut found = self.media.check(&inputs);
        let inputs = Value::Object(inputs);
        for error in self.validator.iter_errors(&inputs).take(bounds::MAX_PROBLEMS) {
            found.extend(sentence::problems_of(&error, &self.known));
        }
        found.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        problems.extend(found);
        problems.truncate(bounds::MAX_PROBLEMS);
        match inputs {
            Value::Object(inputs) if problems.is_empty() => Ok(inputs),
            _ => Err(problems),
        }
    }

    /// The texts that stand for files.
    pub(crate) fn media<'a>(&'a self, inputs: &'a Map<String, Value>) -> Vec<MediaText<'a>> {
        self.media.texts(inputs)
    }

    /// Is the value right for this input, whatever the others are?
    fn takes(&self, name: &str, value: &Value) -> bool {
        let inputs = Map::from_iter([(name.to_owned(), value.clone())]);
        if !bounds::check(&inputs, &self.media).is_empty() || !self.media.check(&inputs).is_empty() {
            return false;
        }
        let here = format!("/{}", sentence::escape(name));
        let below = format!("{here}/");
        let inputs = Value::Object(inputs);
        self.validator.iter_errors(&inputs).all(|error| {
            let at = error.instance_path().as_str();
            at != here && !at.starts_with(&below)
        })
    }
}
