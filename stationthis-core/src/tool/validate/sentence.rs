//! From an error of the JSON Schema library to problems in our words.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use super::bounds::MAX_PROBLEMS;
use crate::tool::nearest::nearest;
use crate::tool::problem::InputProblem;

/// How many characters of a value are shown, because values can be pictures.
const SHOWN_CHARS: usize = 60;
/// How many of the allowed values are listed; a list of all checkpoints has hundreds.
const SHOWN_OPTIONS: usize = 12;
/// How long a pointer may be: more than the longest of any real schema.
const MAX_POINTER_CHARS: usize = 500;

/// The problems that one error stands for: several where it names several unknown inputs.
pub(super) fn problems_of(error: &ValidationError<'_>, known: &[String]) -> Vec<InputProblem> {
    // A hostile name can be as long as all inputs may be, and would be repeated in every problem below it.
    let pointer: String = error.instance_path().as_str().chars().take(MAX_POINTER_CHARS).collect();
    let pointer = pointer.as_str();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let known = if pointer.is_empty() { known } else { &[] };
            unexpected.iter().take(MAX_PROBLEMS).map(|name| unknown(pointer, name, known)).collect()
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let pointer = format!("{pointer}/{}", escape(name));
            let message = format!("{} is required.", label(&pointer));
            vec![InputProblem::new(pointer, "required", message)]
        }
        kind => {
            let message = format!("{} {}.", label(pointer), sentence(kind, error.instance()));
            let problem = InputProblem::new(pointer, kind.keyword(), message);
            vec![match closest_option(kind, error.instance()) {
                Some(option) => problem.with_suggestion(option),
                None => problem,
            }]
        }
    }
}

/// An input that the tool does not have.
fn unknown(parent: &str, name: &str, known: &[String]) -> InputProblem {
    let pointer = format!("{parent}/{}", escape(&name.chars().take(SHOWN_CHARS).collect::<String>()));
    let suggestion = nearest(name, known.iter().map(String::as_str), 1).first().copied();
    let hint = suggestion.map(|known| format!(" Did you mean {known}?")).unwrap_or_default();
    let message = format!("there is no input {}.{hint}", label(&pointer));
    let problem = InputProblem::new(pointer, "unknownInput", message);
    match suggestion {
        Some(suggestion) => problem.with_suggestion(suggestion),
        None => problem,
    }
}

fn closest_option(kind: &ValidationErrorKind, value: &Value) -> Option<String> {
    let ValidationErrorKind::Enum { options } = kind else { return None };
    let options = options.as_array()?.iter().filter_map(Value::as_str);
    nearest(value.as_str()?, options, 1).first().map(|option| (*option).to_owned())
}

/// What must be, and what is: the rest of the sentence after the input's name.
fn sentence(kind: &ValidationErrorKind, value: &Value) -> String {
    use ValidationErrorKind as Kind;
    let is = shown(value);
    match kind {
        Kind::Maximum { limit } => format!("must be at most {limit}; it is {is}"),
        Kind::Minimum { limit } => format!("must be at least {limit}; it is {is}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}; it is {is}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}; it is {is}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}; it is {is}"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters; it has {}", characters(value)),
        Kind::MinLength { limit } => format!("must have at least {limit} characters; it has {}", characters(value)),
        Kind::MaxItems { limit } => format!("must have at most {limit} entries; it has {}", entries(value)),
        Kind::MinItems { limit } => format!("must have at least {limit} entries; it has {}", entries(value)),
        Kind::AdditionalItems { limit } => format!("must have at most {limit} entries; it has {}", entries(value)),
        Kind::MaxProperties { limit } => format!("must have at most {limit} fields; it has {}", entries(value)),
        Kind::MinProperties { limit } => format!("must have at least {limit} fields; it has {}", entries(value)),
        Kind::UniqueItems => "must not have the same entry twice".to_owned(),
        Kind::FalseSchema => "must not be given together with the other inputs".to_owned(),
        Kind::Contains => "does not have an entry that it must have".to_owned(),
        Kind::Constant { expected_value } => format!("must be {}; it is {is}", shown(expected_value)),
        Kind::Enum { options } => format!("must be one of {}; it is {is}", listed(options)),
        Kind::Format { format } => format!("must be a valid {format}; it is {is}"),
        Kind::Pattern { pattern } => format!("must match {}; it is {is}", clipped(pattern)),
        Kind::Type { kind: TypeKind::Single(wanted) } => format!("must be of type {wanted}; it is {is}"),
        Kind::Type { kind: TypeKind::Multiple(wanted) } => {
            let wanted: Vec<String> = wanted.iter().map(|wanted| wanted.to_string()).collect();
            format!("must be of type {}; it is {is}", wanted.join(" or "))
        }
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => format!("has none of the forms it may have; it is {is}"),
        Kind::OneOfMultipleValid { .. } => format!("has several forms of which it may have one only; it is {is}"),
        Kind::PropertyNames { .. } => "has a field with a name that is not allowed".to_owned(),
        other => format!("breaks the rule {}; it is {is}", other.keyword()),
    }
}

fn characters(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

fn entries(value: &Value) -> usize {
    value.as_array().map(Vec::len).or_else(|| value.as_object().map(serde_json::Map::len)).unwrap_or(0)
}

fn listed(options: &Value) -> String {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut text = options.iter().take(SHOWN_OPTIONS).map(shown).collect::<Vec<_>>().join(", ");
    if options.len() > SHOWN_OPTIONS {
        text.push_str(&format!(" and {} more", options.len() - SHOWN_OPTIONS));
    }
    text
}

/// A value for people; never more than a line of it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "empty (null)".to_owned(),
        Value::Bool(_) | Value::Number(_) => clipped(&value.to_string()),
        Value::String(text) => format!("{:?}", clipped(text)),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn clipped(text: &str) -> String {
    let mut clipped: String = text.chars().take(SHOWN_CHARS).collect();
    if clipped.len() < text.len() {
        clipped.push('…');
    }
    clipped
}

/// What people call the place of a pointer: `/loras/0/strength` is loras.0.strength.
pub(super) fn label(pointer: &str) -> String {
    if pointer.is_empty() {
        return "the input".to_owned();
    }
    let path = pointer.strip_prefix('/').unwrap_or(pointer).replace('/', ".");
    let path = clipped(&path.replace("~1", "/").replace("~0", "~"));
    path.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// One step of a JSON pointer (RFC 6901).
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
