//! From any name to one that can be typed.

use sha2::{Digest, Sha256};

use crate::id::ToolId;

/// The most characters of a slug: long enough for real names, and what MCP allows for the name of a tool.
pub const MAX_SLUG: usize = 64;
/// The most characters of a Telegram command, by Telegram's rule (Bot API, `BotCommand`).
pub const MAX_COMMAND: usize = 32;

/// The plain slug that a display name gives: `[a-z0-9]+(-[a-z0-9]+)*`, at most [`MAX_SLUG`] characters.
///
/// Latin letters lose their marks, everything else separates words. A name without Latin letters and digits gives
/// `tool-` and eight hexadecimal digits of the tool id's hash: ugly, but the same for ever, and never empty.
///
/// Two names may give the same slug; [`assign`](super::assign) makes them differ.
///
/// ```
/// # use stationthis_core::{ToolId, tool::naming::slug};
/// let id = ToolId::new("comfydeploy:6b01")?;
/// assert_eq!(slug("Schöne Bilder (v2)", &id), "schone-bilder-v2");
/// assert!(slug("画像生成", &id).starts_with("tool-"));
/// # Ok::<(), stationthis_core::Error>(())
/// ```
#[must_use]
pub fn slug(display_name: &str, tool_id: &ToolId) -> String {
    let mut slug = String::new();
    let mut gap = false;
    for letter in display_name.chars() {
        match fold(letter) {
            Folded::Nothing => {}
            Folded::Gap => gap = true,
            Folded::Letters(letters) => push(&mut slug, &mut gap, letters),
            Folded::Letter(letter) => push(&mut slug, &mut gap, letter.encode_utf8(&mut [0; 4])),
        }
        if slug.len() >= MAX_SLUG {
            break;
        }
    }
    let slug = cut(&slug, MAX_SLUG);
    if slug.is_empty() { format!("tool-{}", short_hash(tool_id.as_str(), 0, 8)) } else { slug.to_owned() }
}

/// The Telegram command of a slug: `[a-z0-9_]{1,32}`. The same for ever for the same slug; unique among slugs that
/// [`assign`](super::assign) gave.
///
/// A slug that is too long is cut and ends in eight hexadecimal digits of its hash.
#[must_use]
pub fn telegram_command(slug: &str) -> String {
    let command = slug.replace('-', "_");
    if command.len() <= MAX_COMMAND {
        return command;
    }
    format!("{}_{}", cut(&command, MAX_COMMAND - 9), short_hash(slug, 0, 8))
}

/// The slug with which a tool goes when its plain one is taken: the same for ever for the same tool, whatever other
/// tools there are, so that a catalogue read anew gives the same names.
pub(super) fn with_suffix(plain: &str, tool_id: &ToolId, attempt: u32) -> String {
    format!("{}-{}", cut(plain, MAX_SLUG - 7), short_hash(tool_id.as_str(), attempt, 6))
}

/// The start of an ASCII slug or command, not ending in a separator.
fn cut(text: &str, most: usize) -> &str {
    text.get(..most).unwrap_or(text).trim_end_matches(['-', '_'])
}

fn short_hash(text: &str, attempt: u32, digits: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(text);
    hash.update(attempt.to_be_bytes());
    let mut hex = crate::hex(hash.finalize().as_slice());
    hex.truncate(digits);
    hex
}

fn push(slug: &mut String, gap: &mut bool, letters: &str) {
    if std::mem::take(gap) && !slug.is_empty() {
        slug.push('-');
    }
    slug.push_str(letters);
}

enum Folded {
    Letter(char),
    Letters(&'static str),
    Gap,
    Nothing,
}

// The plain letters of three blocks of Unicode, one per character, from the canonical decompositions (and by sight for
// those with a stroke); `-` where there is none.
const FROM_00C0: &[u8; 192] = b"aaaaaa-ceeeeiiiidnooooo-ouuuuy--aaaaaa-ceeeeiiiidnooooo-ouuuuy-y\
aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii--jjkkkllllllllllnnnnnnnnnoooooo--rrrrrrssssssssttttttuuuuuuuuuuuu\
wwyyyzzzzzzs";
const FROM_01A0: &[u8; 128] = b"oo-------------uu----------------------------aaiioouuuuuuuuuu-aaaa----ggkkoooo--j\
---gg--nnaa----aaaaeeeeiiiioooorrrruuuusstt--hh";
const FROM_1E00: &[u8; 256] = b"aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooo\
pppprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwy-s----aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeee\
iiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy------";

fn fold(letter: char) -> Folded {
    match letter {
        'a'..='z' | '0'..='9' => Folded::Letter(letter),
        'A'..='Z' => Folded::Letter(letter.to_ascii_lowercase()),
        // "don't" is one word; a combining mark belongs to the letter before it.
        '\'' | '\u{2019}' | '\u{0300}'..='\u{036f}' => Folded::Nothing,
        'Æ' | 'æ' | 'Ǽ' | 'ǽ' => Folded::Letters("ae"),
        'Œ' | 'œ' => Folded::Letters("oe"),
        'Ĳ' | 'ĳ' => Folded::Letters("ij"),
        'ß' | 'ẞ' => Folded::Letters("ss"),
        'Þ' | 'þ' => Folded::Letters("th"),
        // Letters of double width, as Japanese keyboards give them.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter) - 0xfee0).map_or(Folded::Gap, fold),
        '\u{00c0}'..='\u{017f}' => plain(FROM_00C0, letter, 0x00c0),
        '\u{01a0}'..='\u{021f}' => plain(FROM_01A0, letter, 0x01a0),
        '\u{1e00}'..='\u{1eff}' => plain(FROM_1E00, letter, 0x1e00),
        _ => Folded::Gap,
    }
}

fn plain(block: &[u8], letter: char, start: u32) -> Folded {
    let index = usize::try_from(u32::from(letter) - start).unwrap_or(usize::MAX);
    match block.get(index) {
        None | Some(b'-') => Folded::Gap,
        Some(byte) => Folded::Letter(char::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_slug(name: &str, expected: &str) {
        assert_eq!(slug(name, &ToolId::new("p:1").unwrap()), expected);
    }

    #[test]
    fn names_become_what_a_reader_expects() {
        check_slug("Flux Dev", "flux-dev");
        check_slug("  --Flux__Dev!! ", "flux-dev");
        check_slug("Don't stop", "dont-stop");
        check_slug("Ångström & Müßiggang", "angstrom-mussiggang");
        check_slug("e\u{301}te\u{301}", "ete");
        check_slug("Łódź œuvre Đà Nẵng", "lodz-oeuvre-da-nang");
        check_slug("ＡＩ　画像 ２", "ai-2");
        check_slug("SDXL 🚀 Turbo", "sdxl-turbo");
    }

    #[test]
    fn a_name_without_latin_letters_still_has_one() {
        let (a, b) = (ToolId::new("p:1").unwrap(), ToolId::new("p:2").unwrap());
        assert_eq!(slug("画像", &a), slug("🚀", &a));
        assert_ne!(slug("画像", &a), slug("画像", &b));
        assert_eq!(slug("", &a).len(), 13);
    }

    #[test]
    fn long_names_are_cut_at_the_limits() {
        check_slug(&"a".repeat(100), &"a".repeat(64));
        check_slug(&format!("{} bc", "a".repeat(63)), &"a".repeat(63));
        check_slug(&format!("{}ß", "a".repeat(63)), &format!("{}s", "a".repeat(63)));
        let command = telegram_command(&"word-".repeat(12));
        assert!(command.len() <= 32 && command.starts_with("word_word_"), "{command}");
        assert_eq!(telegram_command("flux-dev"), "flux_dev");
    }
}
