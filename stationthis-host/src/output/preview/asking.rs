//! Asking a terminal what it can do.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::{ioctl_fionread, read};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// "Primary device attributes", which every terminal since the VT100 answers: `ESC [ ? 62 ; 4 c`.
const QUESTION: &[u8] = b"\x1b[c";

/// The attribute that says: draws sixel.
const SIXEL: &str = "4";

/// The longest answer: some thirty numbers.
const ANSWER_BYTES_MAX: usize = 128;

/// How long the terminal may think before each character, in tenths of a second: several round trips around the world. An
/// answer that comes later would be the shell's.
const PATIENCE_TENTHS: u8 = 10;

/// Does the terminal of standard input and output say that it draws sixel? A terminal that does not answer does not.
///
/// Nothing is asked while somebody has typed ahead: the answer comes in the same way as what is typed.
pub(super) fn draws_sixel() -> bool {
    let input = std::io::stdin();
    // In the background, a program that changes its terminal is stopped.
    let is_in_front = tcgetpgrp(&input).is_ok_and(|group| group == getpgrp());
    is_in_front && ask(input.as_fd(), &mut std::io::stdout()).is_ok_and(|answer| says_sixel(&answer))
}

fn ask(input: BorrowedFd<'_>, output: &mut impl Write) -> std::io::Result<String> {
    // Without it the answer would be shown, and wait for a return key.
    let _raw = Raw::begin(input)?;
    let mut answer = Vec::new();
    if ioctl_fionread(input)? == 0 {
        output.write_all(QUESTION)?;
        output.flush()?;
        let mut byte = [0];
        // Not one character beyond the answer, which would be the shell's.
        while answer.len() < ANSWER_BYTES_MAX && !answer.ends_with(b"c") && read(input, &mut byte)? == 1 {
            answer.extend(byte);
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn says_sixel(answer: &str) -> bool {
    let attributes = answer.strip_prefix("\x1b[?").and_then(|rest| rest.strip_suffix('c'));
    attributes.is_some_and(|attributes| attributes.split(';').any(|attribute| attribute == SIXEL))
}

/// A terminal that gives each character at once and shows none. Dropped, it is as it was.
struct Raw<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Raw<'a> {
    fn begin(terminal: BorrowedFd<'a>) -> std::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut raw = before.clone();
        raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = PATIENCE_TENTHS;
        tcsetattr(terminal, OptionalActions::Now, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        // It may be gone; then nobody looks at it.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_says_what_it_draws() {
        for (answer, expected) in [
            ("\x1b[?62;4;22c", true),
            ("\x1b[?4c", true),
            ("\x1b[?64;1;2;4;6;9;15;16;17;18;21;22;28c", true),
            ("\x1b[?62;22c", false),
            ("\x1b[?64;14;44c", false),
            ("\x1b[?62;4", false),
            ("4;c", false),
            ("", false),
        ] {
            assert_eq!(says_sixel(answer), expected, "{answer:?}");
        }
    }
}
