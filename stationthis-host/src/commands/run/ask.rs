//! Asking a person for what is missing.

use std::io::{BufRead, IsTerminal, Read, Write};

use crate::face::input::{Field, Fields};

/// The longest line that is taken for an answer: a long prompt, and no file poured in by mistake.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Is there a person who sees questions and can answer them?
pub(super) fn somebody() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for each required input that is not among the pairs. An empty answer asks again; without any more answers what
/// is missing stays so, and validation says it.
///
/// # Errors
/// When nothing can be read or written.
pub(super) fn missing(
    fields: &Fields,
    pairs: &mut Vec<(String, String)>,
    mut answers: impl BufRead,
    mut screen: impl Write,
) -> std::io::Result<()> {
    let given: Vec<&Field> = pairs.iter().filter_map(|(name, _)| fields.find(name)).collect();
    let wanted: Vec<&Field> = fields.required().filter(|field| !given.contains(field)).collect();
    for field in wanted {
        if !field.description.is_empty() {
            writeln!(screen, "{}", field.description)?;
        }
        loop {
            write!(screen, "{} ({}): ", field.title, field.hint())?;
            screen.flush()?;
            let mut line = String::new();
            if answers.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)? == 0 {
                return Ok(());
            }
            let answer = line.trim();
            if !answer.is_empty() {
                pairs.push((field.name.clone(), answer.to_owned()));
                break;
            }
        }
    }
    Ok(())
}

/// A question that is answered by yes or no; anything else is no.
pub(super) fn agrees(question: &str, mut answers: impl BufRead, mut screen: impl Write) -> std::io::Result<bool> {
    write!(screen, "{question} [y/N] ")?;
    screen.flush()?;
    let mut line = String::new();
    answers.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stationthis_core::tool::ToolDefinition;
    use stationthis_core::{JsonDoc, ProviderId, ToolId};

    use super::*;

    fn asked(given: &[(&str, &str)], answers: &str) -> (Vec<(String, String)>, String) {
        let provider = ProviderId::new("p").unwrap();
        let mut tool = ToolDefinition::new(ToolId::for_key(&provider, "t").unwrap(), provider, "service", "Portrait");
        tool.input_schema = JsonDoc::from_value(&json!({ "required": ["prompt", "steps", "seed"], "properties": {
            "prompt": { "type": "string", "title": "Prompt", "description": "What it shows.",
                "x-stationthis": { "order": 0 } },
            "steps": { "type": "integer", "minimum": 1, "x-stationthis": { "order": 1 } },
            "seed": { "type": "integer", "default": 1 },
            "style": { "type": "string" },
        } }));
        let mut pairs = given.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let mut screen = Vec::new();
        missing(&Fields::of(&tool), &mut pairs, answers.as_bytes(), &mut screen).unwrap();
        (pairs, String::from_utf8(screen).unwrap())
    }

    #[test]
    fn what_is_required_and_missing_is_asked_for_until_there_is_an_answer() {
        let (pairs, screen) = asked(&[("style", "old")], "\n a fox \n3\n");
        assert_eq!(pairs[1..], [("prompt".to_owned(), "a fox".to_owned()), ("steps".to_owned(), "3".to_owned())]);
        let questions = "What it shows.\nPrompt (text): Prompt (text): steps (integer from 1): ";
        assert_eq!(screen, questions);
    }

    #[test]
    fn what_is_given_is_not_asked_for_and_no_answer_leaves_it_missing() {
        let (pairs, screen) = asked(&[("Prompt", "a fox")], "");
        assert_eq!((pairs.len(), screen.as_str()), (1, "steps (integer from 1): "));
    }

    #[test]
    fn only_yes_is_yes() {
        for (answer, expected) in [("y\n", true), ("YES\n", true), ("\n", false), ("", false), ("yesterday\n", false)] {
            let mut screen = Vec::new();
            assert_eq!(agrees("Cancel?", answer.as_bytes(), &mut screen).unwrap(), expected, "{answer:?}");
            assert_eq!(screen, b"Cancel? [y/N] ");
        }
    }
}
