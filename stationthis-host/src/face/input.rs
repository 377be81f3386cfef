//! The inputs of a tool as an ordered list of fields.

mod kind;
mod read;
#[cfg(test)]
mod tests;

use serde_json::{Map, Number, Value};
use stationthis_core::ToolDefinition;

pub use kind::{FieldKind, Media};

/// The most choices that [`Field::hint`] lists: a list of all checkpoints has hundreds.
const HINT_CHOICES_MAX: usize = 12;

/// One input of a tool.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Field {
    /// Its name in the inputs, exactly.
    pub name: String,
    /// Its name for people; the name itself where the schema has no other.
    pub title: String,
    /// What it does; empty where nothing is said.
    pub description: String,
    /// What values it takes.
    pub kind: FieldKind,
    /// Is a run refused without it? `false` where there is a default.
    pub required: bool,
    /// Is null a value of it?
    pub nullable: bool,
    /// What is sent where it is left out.
    pub default: Option<Value>,
    /// The lowest number that is taken.
    pub minimum: Option<Number>,
    /// The highest number that is taken.
    pub maximum: Option<Number>,
    /// The step of a slider: a hint, or the number that it must be a multiple of.
    pub step: Option<Number>,
    /// The heading that it stands under.
    pub group: Option<String>,
    /// Is it for those who know what they do?
    pub advanced: bool,
}

/// The inputs of a tool, in the order its author gave them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Vec<Field>);

impl Fields {
    /// The fields of a tool's input schema: by `x-stationthis.order`, those without one last and by name.
    #[must_use]
    pub fn of(tool: &ToolDefinition) -> Self {
        Self::of_schema(&tool.input_schema.to_value())
    }

    fn of_schema(schema: &Value) -> Self {
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        let mut found: Vec<(u64, Field)> = properties
            .map(|(name, property)| {
                let order = hint(property, "order").and_then(Value::as_u64).unwrap_or(u64::MAX);
                (order, Field::of_property(name, property, required.contains(&name.as_str())))
            })
            .collect();
        found.sort_by(|(a, left), (b, right)| a.cmp(b).then_with(|| left.name.cmp(&right.name)));
        Self(found.into_iter().map(|(_, field)| field).collect())
    }

    /// The fields, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.0.iter()
    }

    /// Those that a run is refused without.
    pub fn required(&self) -> impl Iterator<Item = &Field> {
        self.iter().filter(|field| field.required)
    }

    /// The field that a person means by `key`: its exact name; else the only one of that name when letter case does not
    /// count, nor which of `-`, `_`, `.` and space stands between its words. Nothing is guessed beyond that.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Field> {
        if let Some(exact) = self.iter().find(|field| field.name == key) {
            return Some(exact);
        }
        let mut alike = self.iter().filter(|field| folded(&field.name) == folded(key));
        alike.next().filter(|_| alike.next().is_none())
    }

    /// The inputs that pairs of names and texts stand for, to be given to a run as they are.
    ///
    /// Names are found as in [`find`](Self::find), texts are read as in [`Field::read`]. A name that is not known stays as
    /// it is, with its value as JSON where it is JSON and else as text: validation says what was probably meant. Of
    /// several values of one field the last one counts, but those of a list are put together.
    #[must_use]
    pub fn read<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Map<String, Value> {
        let mut inputs = Map::new();
        for (key, text) in pairs {
            let Some(field) = self.find(key) else {
                inputs.insert(key.to_owned(), read::any(text));
                continue;
            };
            match (inputs.get_mut(&field.name), field.read(text)) {
                (Some(Value::Array(before)), Value::Array(more)) if field.kind.is_list() => before.extend(more),
                (_, value) => {
                    inputs.insert(field.name.clone(), value);
                }
            }
        }
        inputs
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = &'a Field;
    type IntoIter = std::slice::Iter<'a, Field>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Field {
    fn of_property(name: &str, property: &Value, required: bool) -> Self {
        let (property, nullable) = kind::without_null(property);
        let property = property.as_ref();
        let text = |key: &str| property.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let number = |key: &str| property.get(key).and_then(Value::as_number).cloned();
        let default = property.get("default").cloned();
        Self {
            name: name.to_owned(),
            title: text("title").unwrap_or(name).to_owned(),
            description: text("description").unwrap_or_default().to_owned(),
            kind: FieldKind::of(property),
            required: required && default.is_none(),
            nullable,
            default,
            minimum: number("minimum"),
            maximum: number("maximum"),
            step: hint(property, "step").and_then(Value::as_number).cloned().or_else(|| number("multipleOf")),
            group: hint(property, "group").and_then(Value::as_str).map(str::to_owned),
            advanced: hint(property, "advanced").and_then(Value::as_bool).unwrap_or(false),
        }
    }

    /// The value that a text stands for, by the field's kind.
    ///
    /// Numbers as JSON writes them, also `+5` and `.5`; `yes`, `no`, `true`, `false`, `on`, `off`, `1` and `0` for yes
    /// and no, in any letter case; a choice as it is listed; a list as a JSON array or separated by commas; `null` where
    /// null is a value. A text that is none of these stays a text, for validation to name the problem.
    #[must_use]
    pub fn read(&self, text: &str) -> Value {
        if self.nullable && self.kind != FieldKind::Text && text.trim() == "null" {
            return Value::Null;
        }
        read::value(&self.kind, text)
    }

    /// What it takes, in words: `integer from 1 to 60`, `one of euler, ddim`, `image`.
    #[must_use]
    pub fn hint(&self) -> String {
        let kind = match &self.kind {
            FieldKind::Choice(choices) => {
                let mut listed: Vec<String> = choices.iter().take(HINT_CHOICES_MAX).map(plain).collect();
                if choices.len() > HINT_CHOICES_MAX {
                    listed.push(format!("{} more", choices.len() - HINT_CHOICES_MAX));
                }
                return format!("one of {}", listed.join(", "));
            }
            kind => kind.word(),
        };
        match (self.minimum.as_ref().map(short), self.maximum.as_ref().map(short)) {
            (Some(low), Some(high)) => format!("{kind} from {low} to {high}"),
            (Some(low), None) => format!("{kind} from {low}"),
            (None, Some(high)) => format!("{kind} up to {high}"),
            (None, None) => kind,
        }
    }

    /// The default in words, where there is one that says something.
    #[must_use]
    pub fn default_text(&self) -> Option<String> {
        self.default.as_ref().map(plain).filter(|text| !text.is_empty())
    }
}

/// A value as a person would write it: texts without quotes, all else as JSON.
#[must_use]
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Without a fraction that is nothing: 20, not 20.0.
fn short(number: &Number) -> String {
    let text = number.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn hint<'a>(property: &'a Value, key: &str) -> Option<&'a Value> {
    property.get("x-stationthis")?.get(key)
}

fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).map(|c| if matches!(c, '_' | '.' | ' ') { '-' } else { c }).collect()
}
