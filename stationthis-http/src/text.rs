//! What a service said, fit to be kept in an error and shown.

use stationthis_core::webhook::WEBHOOK_PATH;

/// Cuts `secrets` and every callback URL out of a text that the service sent.
///
/// Services echo what they were sent. A secret is cut as it stands, not in another spelling of it; empty ones are passed
/// over.
#[must_use]
pub fn scrub(text: &str, secrets: &[&str]) -> String {
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    let text = secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "[cut]"));
    if !text.contains(WEBHOOK_PATH) {
        return text;
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '\\');
    let cut = |word: &str| if word.contains(WEBHOOK_PATH) { "[callback]".to_owned() } else { word.to_owned() };
    text.split_inclusive(ends)
        .map(|piece| match piece.char_indices().next_back() {
            Some((at, last)) if ends(last) => format!("{}{last}", cut(piece.get(..at).unwrap_or_default())),
            _ => cut(piece),
        })
        .collect()
}

/// The first `max_chars` characters on one line, each run of white space as one blank; `…` at the end says that there was
/// more.
#[must_use]
pub fn one_line(text: &str, max_chars: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max_chars) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_callback_urls_are_cut_and_nothing_else() {
        for (text, secrets, left) in [
            ("key the-key, again the-key", &["the-key"][..], "key [cut], again [cut]"),
            ("nothing to cut", &[""], "nothing to cut"),
            ("a https://x/api/webhook/y?t=1 b", &[], "a [callback] b"),
            (r#"{"input":"https://x/api/webhook/y?t=1","n":1}"#, &[], r#"{"input":"[callback]","n":1}"#),
            ("https://x/api/webhook/y?t=1", &["https://x/api/webhook/y?t=1"], "[cut]"),
            ("über https://x/api/webhook/y\u{a0}ü", &[], "über [callback]\u{a0}ü"),
        ] {
            assert_eq!(scrub(text, secrets), left);
        }
    }

    #[test]
    fn a_line_is_cut_between_characters() {
        assert_eq!(one_line(" not\n enough\t credits ", 100), "not enough credits");
        assert_eq!(one_line("äöü", 3), "äöü");
        assert_eq!(one_line("äöü!", 3), "äöü…");
        assert_eq!(one_line("", 3), "");
    }
}
