//! What is wrong with inputs before any schema is asked: sizes, depth, and characters that nothing downstream can hold.

use serde_json::{Map, Value};

use super::media::{self, MediaInputs};
use super::sentence::{escape, label};
use crate::tool::problem::InputProblem;

/// The most bytes of JSON that inputs may have, pictures aside, because they are stored on the task's record, sent on
/// and shown: a prompt has a few thousand.
pub const MAX_INPUT_BYTES: usize = 1 << 20;
/// The most bytes of one data URL, because it is held in memory whole and base64 makes a third more of a file; larger
/// files are uploaded and given by URL.
pub const MAX_MEDIA_BYTES: usize = 10 << 20;
/// The most bytes of all data URLs together: four of the largest.
pub const MAX_MEDIA_TOTAL_BYTES: usize = 4 * MAX_MEDIA_BYTES;
/// The most levels of lists and objects, because deeper values are attacks on recursive readers, not inputs.
pub const MAX_DEPTH: usize = 32;

/// How many problems are listed, because nobody reads more and hostile inputs can have one per byte.
pub(super) const MAX_PROBLEMS: usize = 100;

/// Walks through all values; stops descending at [`MAX_DEPTH`].
pub(super) fn check(asked: &Map<String, Value>, media_inputs: &MediaInputs) -> Vec<InputProblem> {
    let mut walk = Walk { problems: Vec::new(), text_bytes: 0, media_bytes: 0 };
    for (name, value) in asked {
        let pointer = format!("/{}", escape(name));
        walk.key(name, "");
        walk.value(value, &pointer, 1, media_inputs.has(name));
    }
    if walk.text_bytes > MAX_INPUT_BYTES {
        let message = format!("the inputs must have at most {MAX_INPUT_BYTES} bytes; they have {}.", walk.text_bytes);
        walk.problems.insert(0, InputProblem::new("", "tooLarge", message));
    }
    if walk.media_bytes > MAX_MEDIA_TOTAL_BYTES {
        let message = format!("the files given as data URLs must have at most {MAX_MEDIA_TOTAL_BYTES} bytes together.");
        walk.problems.insert(0, InputProblem::new("", "tooLarge", message));
    }
    walk.problems
}

struct Walk {
    problems: Vec<InputProblem>,
    text_bytes: usize,
    media_bytes: usize,
}

impl Walk {
    fn problem(&mut self, pointer: &str, rule: &str, message: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(InputProblem::new(pointer, rule, message));
        }
    }

    fn key(&mut self, key: &str, parent: &str) {
        // The quotes, the colon and the comma.
        self.text_bytes += key.len() + 4;
        if key.contains('\0') {
            let message = format!("the name of an input must not hold the character U+0000: {}.", label(key));
            self.problem(parent, "nul", message);
        }
    }

    fn value(&mut self, value: &Value, pointer: &str, depth: usize, is_media: bool) {
        if depth > MAX_DEPTH {
            self.problem(pointer, "tooLarge", format!("the inputs must have at most {MAX_DEPTH} levels."));
            return;
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => self.text_bytes += 8,
            Value::String(text) => self.text(text, pointer, is_media),
            Value::Array(items) => {
                self.text_bytes += 2;
                for (index, item) in items.iter().enumerate() {
                    self.value(item, &format!("{pointer}/{index}"), depth + 1, is_media);
                }
            }
            Value::Object(fields) => {
                self.text_bytes += 2;
                for (key, field) in fields {
                    self.key(key, pointer);
                    self.value(field, &format!("{pointer}/{}", escape(key)), depth + 1, false);
                }
            }
        }
    }

    fn text(&mut self, text: &str, pointer: &str, is_media: bool) {
        if text.contains('\0') {
            let message = format!("{} must not hold the character U+0000.", label(pointer));
            self.problem(pointer, "nul", message);
        }
        if !(is_media && media::is_data_url(text)) {
            self.text_bytes += text.len() + 3;
            return;
        }
        self.media_bytes += text.len();
        if text.len() > MAX_MEDIA_BYTES {
            let message = format!(
                "{} must have at most {MAX_MEDIA_BYTES} bytes as a data URL; it has {}. Give a URL instead.",
                label(pointer),
                text.len()
            );
            self.problem(pointer, "tooLarge", message);
        }
    }
}
