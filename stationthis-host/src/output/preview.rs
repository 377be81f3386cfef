//! Pictures inside a terminal that can show them.

#[cfg(unix)]
mod asking;
mod sixel;

use std::io::{IsTerminal, Write};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// The most bytes of a picture that is shown: a slow connection to the terminal takes a while for more.
const PICTURE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The most characters of one piece that kitty takes.
const KITTY_PIECE: usize = 4096;

/// How a terminal wants pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// The kitty graphics protocol: kitty, Ghostty, Konsole.
    Kitty,
    /// iTerm's: iTerm2, WezTerm, mintty, VS Code.
    ITerm,
    /// Sixel: foot, xterm, mlterm, Windows Terminal and others that say so when they are asked.
    Sixel,
}

impl Terminal {
    /// The terminal that standard output is: by what it says of itself in the environment, else by its answer, for which
    /// it has a second.
    #[must_use]
    pub fn detect() -> Option<Self> {
        if !std::io::stdout().is_terminal() {
            return None;
        }
        let variable = |name: &str| std::env::var(name).ok();
        Self::named(&variable).or_else(|| Self::asked(&variable))
    }

    /// By the terminal's answer, where a question does no harm.
    fn asked(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let mute = matches!(variable("TERM").as_deref(), None | Some("" | "dumb" | "linux"));
        if mute || is_multiplexed(variable) || !std::io::stdin().is_terminal() {
            return None;
        }
        #[cfg(unix)]
        return asking::draws_sixel().then_some(Self::Sixel);
        #[cfg(not(unix))]
        None
    }

    fn named(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let value = |name: &str| variable(name).unwrap_or_default();
        if is_multiplexed(variable) {
            return None;
        }
        match value("TERM_PROGRAM").as_str() {
            "iTerm.app" | "WezTerm" | "mintty" | "vscode" => return Some(Self::ITerm),
            "ghostty" => return Some(Self::Kitty),
            _ => {}
        }
        let kitty = !value("KITTY_WINDOW_ID").is_empty() || value("TERM").contains("kitty");
        let kitty = kitty || !value("KONSOLE_VERSION").is_empty();
        kitty.then_some(Self::Kitty).or_else(|| (value("LC_TERMINAL") == "iTerm2").then_some(Self::ITerm))
    }

    /// Shows a picture file; one that is too large or of a format that the terminal does not take is left out.
    ///
    /// # Errors
    /// When the file cannot be read, or the terminal not be written to.
    pub fn show(self, path: &Path, mut screen: impl Write) -> std::io::Result<()> {
        if std::fs::metadata(path)?.len() > PICTURE_BYTES_MAX {
            return Ok(());
        }
        if let Some(text) = self.escape(&std::fs::read(path)?) {
            writeln!(screen, "{text}")?;
        }
        Ok(())
    }

    /// The characters that show a picture.
    fn escape(self, bytes: &[u8]) -> Option<String> {
        let is_picture = is_png(bytes) || bytes.starts_with(b"\xff\xd8\xff") || bytes.starts_with(b"GIF8");
        match self {
            // PNG is all that kitty decodes itself.
            Self::Kitty if is_png(bytes) => Some(kitty(&BASE64_STANDARD.encode(bytes))),
            Self::ITerm if is_picture || is_webp(bytes) => {
                let (size, text) = (bytes.len(), BASE64_STANDARD.encode(bytes));
                Some(format!("\x1b]1337;File=inline=1;size={size};preserveAspectRatio=1:{text}\x07"))
            }
            Self::Sixel => sixel::escape(bytes),
            Self::Kitty | Self::ITerm => None,
        }
    }
}

/// A multiplexer between us and the terminal swallows or garbles pictures.
fn is_multiplexed(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let value = |name: &str| variable(name).unwrap_or_default();
    !value("TMUX").is_empty() || value("TERM").starts_with("screen")
}

fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
}

fn is_webp(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP")
}

fn kitty(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / KITTY_PIECE * 16 + 64);
    let mut rest = text;
    let mut first = true;
    while !rest.is_empty() {
        // Base64 is ASCII: every place is between two characters.
        let (piece, more) = rest.split_at(rest.len().min(KITTY_PIECE));
        rest = more;
        out.push_str("\x1b_G");
        if std::mem::take(&mut first) {
            // Transmit and show, as PNG, and answer nothing into the shell's input.
            out.push_str("a=T,f=100,q=2,");
        }
        out.push_str(if rest.is_empty() { "m=0;" } else { "m=1;" });
        out.push_str(piece);
        out.push_str("\x1b\\");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

    /// Variables, and the terminal that they speak of.
    type Case<'a> = (&'a [(&'a str, &'a str)], Option<Terminal>);

    #[test]
    fn terminals_are_told_by_their_environment() {
        let cases: [Case<'_>; 7] = [
            (&[("TERM", "xterm-kitty")], Some(Terminal::Kitty)),
            (&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "ghostty")], Some(Terminal::Kitty)),
            (&[("TERM_PROGRAM", "iTerm.app")], Some(Terminal::ITerm)),
            (&[("LC_TERMINAL", "iTerm2"), ("TERM", "xterm")], Some(Terminal::ITerm)),
            (&[("TERM_PROGRAM", "iTerm.app"), ("TMUX", "/tmp/x")], None),
            (&[("TERM", "xterm-256color")], None),
            (&[], None),
        ];
        for (variables, expected) in cases {
            let found = Terminal::named(&|name| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            });
            assert_eq!(found, expected, "{variables:?}");
        }
    }

    #[test]
    fn a_picture_is_sent_whole_and_in_pieces_that_are_taken() {
        let mut large = PNG.to_vec();
        large.resize(10_000, 7);
        let text = Terminal::Kitty.escape(&large).unwrap();
        let pieces: Vec<&str> = text.split("\x1b\\").filter(|piece| !piece.is_empty()).collect();
        assert_eq!(pieces.len(), 4);
        assert!(pieces[0].starts_with("\x1b_Ga=T,f=100,q=2,m=1;") && pieces[3].starts_with("\x1b_Gm=0;"));
        let content: String = pieces.iter().map(|piece| piece.split_once(';').unwrap().1).collect();
        assert_eq!(BASE64_STANDARD.decode(content).unwrap(), large);
        let text = Terminal::ITerm.escape(PNG).unwrap();
        assert_eq!(text, "\x1b]1337;File=inline=1;size=12;preserveAspectRatio=1:iVBORw0KGgpyZXN0\x07");
        assert_eq!(Terminal::Kitty.escape(b"\xff\xd8\xff"), None);
        assert_eq!(Terminal::ITerm.escape(b"<svg onload=1>"), None);
    }
}
