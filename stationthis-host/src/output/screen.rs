//! A part of a terminal that is drawn over and over.

use std::io::{IsTerminal, Stdout, Write, stdout};

/// Lines at the end of standard output that take the place of those before them.
///
/// Written as they are: what leaves colours out would leave out the moves of the cursor as well.
#[derive(Debug)]
pub struct Screen<W> {
    out: W,
    drawn: usize,
}

impl Screen<Stdout> {
    /// The terminal that standard output is, if it is one that can move its cursor.
    #[must_use]
    pub fn of_stdout() -> Option<Self> {
        let can_move = std::env::var("TERM").is_ok_and(|term| !matches!(term.as_str(), "" | "dumb"));
        (stdout().is_terminal() && can_move).then(|| Self::new(stdout()))
    }

    /// Shows these lines in place of the former ones, as many as there is room for.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn show(&mut self, text: &str) -> std::io::Result<()> {
        self.draw(text, rows())
    }
}

impl<W: Write> Screen<W> {
    const fn new(out: W) -> Self {
        Self { out, drawn: 0 }
    }

    fn draw(&mut self, text: &str, rows: Option<usize>) -> std::io::Result<()> {
        // The last row is the cursor's. Above the first one it could not go back to.
        let room = rows.map_or(usize::MAX, |rows| rows.saturating_sub(1).max(1));
        let lines: Vec<&str> = text.lines().take(room).collect();
        let up = if self.drawn == 0 { String::new() } else { format!("\x1b[{}A\x1b[J", self.drawn) };
        self.drawn = lines.len();
        // Without wrapping: a line that is too long is cut off at the edge, and takes one row all the same.
        write!(self.out, "{up}\x1b[?7l{}\n\x1b[?7h", lines.join("\n"))?;
        self.out.flush()
    }
}

/// How many rows the terminal has, where that is known.
fn rows() -> Option<usize> {
    #[cfg(unix)]
    return rustix::termios::tcgetwinsize(stdout()).ok().map(|size| usize::from(size.ws_row)).filter(|rows| *rows > 0);
    #[cfg(not(unix))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_take_the_place_of_those_before_and_no_more_than_there_is_room_for() {
        let mut screen = Screen::new(Vec::new());
        for (text, rows) in [("a\nb", Some(24)), ("c\nd\ne\nf", Some(4)), ("g", Some(0)), ("h\ni", None)] {
            screen.draw(text, rows).unwrap();
        }
        let over = |up: usize, text: &str| format!("\x1b[{up}A\x1b[J\x1b[?7l{text}\n\x1b[?7h");
        let expected = format!("\x1b[?7la\nb\n\x1b[?7h{}{}{}", over(2, "c\nd\ne"), over(3, "g"), over(1, "h\ni"));
        assert_eq!(String::from_utf8(screen.out).unwrap(), expected);
    }
}
