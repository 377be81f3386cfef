//! JSON as Python's `json.dumps` writes it: the service's webhooks look like that.

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use std::io::{self, Write};

/// `", "` and `": "` between things, and nothing outside ASCII.
pub(crate) fn to_string(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Python(CompactFormatter));
    // Serialising plain data into memory does not fail; an empty body would show if it did.
    if value.serialize(&mut serializer).is_err() {
        return String::new();
    }
    String::from_utf8(bytes).unwrap_or_default()
}

struct Python(CompactFormatter);

impl Formatter for Python {
    fn begin_array_value<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        w.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, w: &mut W, fragment: &str) -> io::Result<()> {
        let mut units = [0; 2];
        for c in fragment.chars() {
            if c.is_ascii() {
                self.0.write_string_fragment(w, c.encode_utf8(&mut [0; 4]))?;
                continue;
            }
            for unit in c.encode_utf16(&mut units) {
                write!(w, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn writes_what_python_writes() {
        // json.dumps({"a": [1, "é😀\n"], "b": 0.62})
        let value = json!({ "a": [1, "é😀\n"], "b": 0.62 });
        let text = r#"{"a": [1, "\u00e9\ud83d\ude00\n"], "b": 0.62}"#;
        assert_eq!(super::to_string(&value), text);
    }
}
