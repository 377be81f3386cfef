//! A terminal of eighty columns, with the program in it.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

const PATIENCE: Duration = Duration::from_secs(30);

const PROGRAM: &str = env!("CARGO_BIN_EXE_stationthis");

/// What a program asks a terminal that it wants to know.
const QUESTION: &str = "\x1b[c";

pub struct Pty {
    keyboard: File,
    screen: Arc<Screen>,
    program: Child,
    /// How much of the screen was read.
    read: usize,
}

#[derive(Default)]
struct Screen {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    text: String,
    ended: bool,
}

impl Pty {
    /// Starts the program in a folder, in a terminal that answers so when it is asked what it is.
    pub fn open(dir: &Path, words: &[&str], env: &[(&str, &str)], answer: Option<&'static str>) -> Self {
        Self::start(dir, &[&[PROGRAM], words].concat(), env, answer)
    }

    /// Starts the program behind a shell that has the terminal, as `stationthis … &` does, and says how it ended.
    pub fn behind(dir: &Path, words: &[&str], answer: Option<&'static str>) -> Self {
        let script = "set -m; \"$0\" \"$@\" & wait $!; echo \"ended with $?\"";
        Self::start(dir, &[&["/bin/sh", "-c", script, PROGRAM], words].concat(), &[], answer)
    }

    fn start(dir: &Path, command: &[&str], env: &[(&str, &str)], answer: Option<&'static str>) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let terminal = openpt(flags).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        tcsetwinsize(&terminal, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let inside = || ioctl_tiocgptpeer(&terminal, flags).unwrap();
        // A session of its own, so that Ctrl-C in it is the terminal's to send.
        let program = Command::new("/usr/bin/setsid")
            .arg("--ctty")
            .args(command)
            .current_dir(dir)
            .env_clear()
            .env("TERM", "xterm-256color")
            .envs(env.iter().copied())
            .stdin(inside())
            .stdout(inside())
            .stderr(inside())
            .spawn()
            .unwrap();
        let keyboard = File::from(terminal);
        let screen = Arc::new(Screen::default());
        let (output, shown) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        std::thread::spawn(move || shown.fill(output, answer));
        Self { keyboard, screen, program, read: 0 }
    }

    /// Somebody types.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// What comes until this is there, with it.
    pub fn until(&mut self, part: &str) -> String {
        let state = self.screen.state.lock().unwrap();
        let missing = |state: &mut State| !state.ended && !state.text[self.read..].contains(part);
        let (state, _) = self.screen.changed.wait_timeout_while(state, PATIENCE, missing).unwrap();
        let new = &state.text[self.read..];
        let end = new.find(part).unwrap_or_else(|| panic!("{part:?} did not come, but: {new}")) + part.len();
        let text = new[..end].to_owned();
        self.read += end;
        text
    }

    /// Does it show what is typed, and give it line by line?
    pub fn is_cooked(&self) -> bool {
        tcgetattr(&self.keyboard).unwrap().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// The program's exit code, when it has one, and what came until then.
    pub fn end(mut self) -> (Option<i32>, String) {
        let state = self.screen.state.lock().unwrap();
        let (state, _) = self.screen.changed.wait_timeout_while(state, PATIENCE, |state| !state.ended).unwrap();
        let text = state.text[self.read..].to_owned();
        assert!(state.ended, "it goes on: {text}");
        drop(state);
        (self.program.wait().unwrap().code(), text)
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Gone already when all went well.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Screen {
    /// Shows what the program writes until nobody has the terminal any more.
    fn fill(&self, mut terminal: File, answer: Option<&str>) {
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = terminal.read(&mut piece) {
            let asked = occurrences(&bytes);
            bytes.extend_from_slice(&piece[..count]);
            for _ in asked..occurrences(&bytes) {
                terminal.write_all(answer.unwrap_or_default().as_bytes()).unwrap();
            }
            let whole = match std::str::from_utf8(&bytes) {
                Ok(text) => text,
                Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap(),
            };
            let text = whole.to_owned();
            self.change(|state| state.text = text);
        }
        self.change(|state| state.ended = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }
}

fn occurrences(bytes: &[u8]) -> usize {
    bytes.windows(QUESTION.len()).filter(|part| *part == QUESTION.as_bytes()).count()
}
