//! Lengths as Telegram counts them: in UTF-16 code units.

/// The longest text of a message.
pub(crate) const MESSAGE_MAX: usize = 4096;
/// The longest text below a picture.
pub(crate) const CAPTION_MAX: usize = 1024;
/// The longest description of a command.
pub(crate) const DESCRIPTION_MAX: usize = 256;
/// The longest text that answers a pressed button.
pub(crate) const PRESS_MAX: usize = 200;

/// What stands for the rest.
const MORE: &str = "…";

/// The length of a text.
pub(crate) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The text, or as much of it as fits with `…` after it. Cut between characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if length(text) <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(length(MORE));
    let mut used = 0;
    let kept = text.chars().take_while(|c| {
        used += c.len_utf16();
        used <= room
    });
    let mut kept: String = kept.collect();
    kept.truncate(kept.trim_end().len());
    kept + MORE
}

/// As many of the lines as fit, and `rest` of how many are left.
pub(crate) fn cut_lines(lines: &[String], most: usize, rest: impl Fn(usize) -> String) -> String {
    let whole = lines.join("\n");
    if length(&whole) <= most {
        return whole;
    }
    let room = most.saturating_sub(length(&rest(lines.len())) + 1);
    let mut text = String::new();
    let mut used = 0;
    for (index, line) in lines.iter().enumerate() {
        used += length(line) + 1;
        if used > room {
            return text + &rest(lines.len() - index);
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_utf_16_units_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        // A fox is two units: it fits whole or not at all.
        assert_eq!(length("🦊🦊"), 4);
        assert_eq!(cut("🦊🦊🦊", 4), "🦊…");
        assert_eq!(cut("🦊🦊🦊", 5), "🦊🦊…");
        assert_eq!(cut("one two", 5), "one…");
        assert_eq!(length(&cut(&"ü🦊".repeat(900), CAPTION_MAX)), CAPTION_MAX);
    }

    #[test]
    fn lines_that_do_not_fit_are_counted() {
        let lines: Vec<String> = (0..5).map(|n| format!("line {n}")).collect();
        let rest = |n: usize| format!("{n} more");
        assert_eq!(cut_lines(&lines, 100, rest), lines.join("\n"));
        assert_eq!(cut_lines(&lines, 22, rest), "line 0\nline 1\n3 more");
        assert!(length(&cut_lines(&lines, 22, rest)) <= 22);
    }
}
