//! The flags of one tool, made from its inputs.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory};

use crate::cli::Cli;
use crate::cli::run::own_flags;
use crate::face::input::{Field, FieldKind, Fields};
use crate::face::summary;
use crate::view::ToolView;

/// The flags of a tool's inputs; an input without one is given by `-i NAME=VALUE`.
#[derive(Debug)]
pub(crate) struct ToolFlags<'a> {
    flags: Vec<(&'a Field, Vec<String>)>,
}

impl<'a> ToolFlags<'a> {
    /// Each input has the flag of its name in small letters with `-` between words, and its name itself where that is
    /// another. What the command itself has is its own: such an input is `--input-NAME`.
    pub(crate) fn of(fields: &'a Fields) -> Self {
        let mut taken: BTreeSet<String> = own_flags().collect();
        let flags = fields.iter().map(|field| {
            let base = flag_text(&field.name);
            let wanted = [base.clone(), format!("input-{base}")];
            let found = wanted.into_iter().find(|flag| !base.is_empty() && !taken.contains(flag));
            let mut names: Vec<String> = found.into_iter().collect();
            if !names.is_empty() && is_flag(&field.name) && !taken.contains(&field.name) && !names.contains(&field.name)
            {
                names.push(field.name.clone());
            }
            taken.extend(names.iter().cloned());
            (field, names)
        });
        Self { flags: flags.collect() }
    }

    /// The flags as arguments, under the headings that the tool's author gave.
    pub(crate) fn args(&self) -> impl Iterator<Item = Arg> {
        self.flags.iter().filter_map(|(field, names)| {
            let (first, others) = names.split_first()?;
            let heading = match &field.group {
                _ if field.advanced => "Advanced inputs".to_owned(),
                Some(group) => format!("Inputs ({group})"),
                None => "Inputs".to_owned(),
            };
            let arg = Arg::new(id(field))
                .long(first.clone())
                .aliases(others.to_vec())
                .value_name(value_name(&field.kind))
                .value_parser(ValueParser::string())
                .allow_negative_numbers(true)
                .help(help(field))
                .help_heading(heading)
                .action(if field.kind.is_list() { ArgAction::Append } else { ArgAction::Set });
            Some(match field.kind {
                FieldKind::Boolean => arg.num_args(0..=1).default_missing_value("yes"),
                _ => arg,
            })
        })
    }

    /// What the words behind the tool's name give its inputs, by their names.
    ///
    /// # Errors
    /// The parser's, and its help where that was asked for.
    pub(crate) fn read(&self, tool: &ToolView, words: &[OsString]) -> Result<Vec<(String, String)>, clap::Error> {
        let matches = self.command(tool).try_get_matches_from(words)?;
        let texts = |field: &Field, matches: &ArgMatches| -> Vec<String> {
            // An input without a flag is no argument.
            matches.try_get_many::<String>(&id(field)).ok().flatten().into_iter().flatten().cloned().collect()
        };
        let named = self.flags.iter().flat_map(|(field, _)| {
            texts(field, &matches).into_iter().map(|text| (field.name.clone(), text)).collect::<Vec<_>>()
        });
        Ok(named.collect())
    }

    fn command(&self, tool: &ToolView) -> Command {
        let definition = &tool.definition;
        let name = format!("stationthis run {}", definition.slug);
        let about = match definition.description.as_str() {
            "" => definition.display_name.clone(),
            text => format!("{}: {text}", definition.display_name),
        };
        let mut facts = vec![format!("Price: {}", summary::price(tool))];
        facts.extend(tool.typical_duration().map(|typical| format!("Time: {}", summary::typical_time(typical))));
        let without: Vec<&str> =
            self.flags.iter().filter(|(_, names)| names.is_empty()).map(|(field, _)| field.name.as_str()).collect();
        if !without.is_empty() {
            facts.push(format!("Given by -i NAME=VALUE: {}", without.join(", ")));
        }
        facts.push(format!("\nExample:\n  {}", self.example(tool)));
        let root = Cli::command().max_term_width(100);
        let own = root.find_subcommand("run").into_iter().flat_map(Command::get_arguments);
        let own = own.chain(root.get_arguments()).filter(|arg| !arg.is_positional()).cloned();
        let help = Arg::new("help").short('h').long("help").action(ArgAction::Help).help("Print help");
        Command::new(name.clone())
            .bin_name(name)
            .no_binary_name(true)
            .max_term_width(100)
            .about(about)
            .args(self.args())
            // They were taken out of the words before; here they are for the help.
            .args(own.chain([help]).map(|arg| arg.help_heading("Options")))
            .disable_help_flag(true)
            .after_help(facts.join("\n"))
    }

    /// A line that runs the tool: with what is required, else with its first text.
    fn example(&self, tool: &ToolView) -> String {
        let mut line = format!("stationthis run {}", tool.definition.slug);
        let required: Vec<_> = self.flags.iter().filter(|(field, _)| field.required).collect();
        let first_text = || self.flags.iter().find(|(field, _)| field.kind == FieldKind::Text);
        let shown = if required.is_empty() { first_text().into_iter().collect() } else { required };
        for (field, names) in shown {
            let value = match &field.kind {
                FieldKind::Text => "\"a red fox in the snow\"".to_owned(),
                kind if kind.media().is_some() => "./file".to_owned(),
                FieldKind::Choice(choices) => choices.first().map_or_else(|| "…".to_owned(), crate::face::input::plain),
                FieldKind::Boolean => "yes".to_owned(),
                _ => field.minimum.as_ref().map_or_else(|| "1".to_owned(), ToString::to_string),
            };
            match names.first() {
                Some(flag) => line.push_str(&format!(" --{flag} {value}")),
                None => line.push_str(&format!(" -i {:?}={value}", field.name)),
            }
        }
        line
    }
}

/// Apart from the command's own arguments.
fn id(field: &Field) -> String {
    format!("input {}", field.name)
}

fn help(field: &Field) -> String {
    // A title that is the name in other words says nothing beside the flag.
    let title = if flag_text(&field.title) == flag_text(&field.name) { "" } else { field.title.as_str() };
    let text = if field.description.is_empty() { title } else { field.description.as_str() };
    let mut facts = field.hint();
    if field.required {
        facts.push_str("; required");
    } else if let Some(default) = field.default_text() {
        facts.push_str(&format!("; default {default}"));
    }
    if text.is_empty() { facts } else { format!("{text} ({facts})") }
}

fn value_name(kind: &FieldKind) -> &'static str {
    if kind.media().is_some() {
        return "FILE|URL";
    }
    match kind {
        FieldKind::Text => "TEXT",
        FieldKind::Integer | FieldKind::Number => "NUMBER",
        FieldKind::Boolean => "YES|NO",
        FieldKind::Choice(_) => "CHOICE",
        FieldKind::List(_) => "LIST",
        FieldKind::Media(_) | FieldKind::Json => "VALUE",
    }
}

fn flag_text(name: &str) -> String {
    let text: String = name
        .chars()
        .filter(|c| !c.is_control() && *c != '=')
        .flat_map(char::to_lowercase)
        .map(|c| if c.is_whitespace() || matches!(c, '_' | '.') { '-' } else { c })
        .collect();
    text.trim_matches('-').to_owned()
}

/// Can it be typed as a flag as it is?
fn is_flag(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '=')
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stationthis_core::tool::ToolDefinition;
    use stationthis_core::{JsonDoc, ProviderId, ToolId};

    use super::*;

    fn tool() -> ToolView {
        let provider = ProviderId::new("p").unwrap();
        let mut tool = ToolDefinition::new(ToolId::for_key(&provider, "t").unwrap(), provider, "service", "Portrait");
        tool.slug = "portrait".to_owned();
        tool.description = "Draws a face.".to_owned();
        tool.input_schema = JsonDoc::from_value(&json!({ "type": "object", "required": ["prompt"], "properties": {
            "prompt": { "type": "string", "description": "What it shows.", "x-stationthis": { "order": 0 } },
            "negative_prompt": { "type": "string", "default": "blurry", "x-stationthis": { "order": 1 } },
            "Steps": { "type": "integer", "minimum": 1, "maximum": 60, "default": 28, "x-stationthis": { "order": 2 } },
            "hires": { "type": "boolean", "default": false, "x-stationthis": { "order": 3 } },
            "images": { "type": "array", "items": { "type": "string", "format": "uri", "contentMediaType": "image/*" } },
            "strength": { "type": "number", "x-stationthis": { "advanced": true, "order": 4 } },
            "sampler": { "enum": ["euler", "ddim"], "x-stationthis": { "group": "Sampling", "order": 5 } },
            "host": { "type": "string" },
            "Größe": { "type": "integer" },
            "steps": { "type": "string" },
        } }));
        ToolView::of_definition(tool)
    }

    fn read(words: &[&str]) -> Result<Vec<(String, String)>, clap::Error> {
        let (tool, words) = (tool(), words.iter().map(OsString::from).collect::<Vec<_>>());
        ToolFlags::of(&Fields::of(&tool.definition)).read(&tool, &words)
    }

    fn pairs(words: &[&str]) -> String {
        let pairs = read(words).unwrap();
        pairs.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flags_find_their_inputs() {
        let cases: [(&[&str], &str); 8] = [
            (&["--prompt", "a fox", "--steps=-3"], "prompt=a fox Steps=-3"),
            (&["--negative-prompt", "x"], "negative_prompt=x"),
            (&["--negative_prompt", "x"], "negative_prompt=x"),
            (&["--hires", "--prompt", "x"], "prompt=x hires=yes"),
            (&["--hires", "no"], "hires=no"),
            (&["--images", "a.png", "--images", "b.png"], "images=a.png images=b.png"),
            (&["--input-host", "h", "--größe", "-1"], "Größe=-1 host=h"),
            (&[], ""),
        ];
        for (words, expected) in cases {
            assert_eq!(pairs(words), expected, "{words:?}");
        }
    }

    #[test]
    fn what_is_no_flag_of_the_tool_is_refused_with_what_was_meant() {
        let error = read(&["--promt", "x"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--prompt"), "{error}");
        assert!(read(&["--prompt", "x", "--prompt", "y"]).is_err());
        assert!(read(&["a fox"]).is_err());
    }

    #[test]
    fn the_help_of_a_tool_tells_its_inputs() {
        assert_eq!(read(&["--help"]).unwrap_err().exit_code(), 0);
        let tool = tool();
        let fields = Fields::of(&tool.definition);
        // As wide wherever the test runs.
        insta::assert_snapshot!(ToolFlags::of(&fields).command(&tool).term_width(100).render_help());
    }
}
