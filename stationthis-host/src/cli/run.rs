//! Options of `run`, and which of its words are its own and which are the tool's.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};

use crate::cli::{Cli, StationArgs};

/// Options of `run`.
#[derive(Debug, Args)]
#[command(override_usage = "stationthis run [OPTIONS] <TOOL> [--INPUT VALUE]...")]
pub struct RunArgs {
    /// The tool, by slug, alias or id; `stationthis run TOOL --help` tells its inputs.
    #[arg(value_name = "TOOL", index = 1)]
    pub tool: String,
    /// The words that are for the tool; see [`own_first`].
    #[arg(last = true, hide = true, index = 2)]
    pub words: Vec<OsString>,
    /// An input by its name, also where that is the name of one of these options. Repeatable.
    #[arg(short, long = "input", value_name = "NAME=VALUE", value_parser = parse_input)]
    pub inputs: Vec<(String, String)>,
    /// Where outputs are saved.
    #[arg(long, value_name = "DIR", default_value = "stationthis-out")]
    pub out: PathBuf,
    /// The same key finds the same task again instead of running twice.
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Do not show pictures in the terminal.
    #[arg(long)]
    pub no_preview: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub station: StationArgs,
}

/// The command line with the options of `run` before its tool, and what is the tool's own behind a `--`: the flags of a
/// tool are known only when it is, which takes the options to find out. Other commands stay as they are.
#[must_use]
pub fn own_first(words: Vec<OsString>) -> Vec<OsString> {
    let root = Cli::command();
    let mut own = Flags::of(&root);
    let mut start = 1;
    while let Some(flag) = words.get(start).and_then(|word| own.words_of(word)) {
        start += flag;
    }
    if words.get(start).is_none_or(|word| word != "run") {
        return words;
    }
    own.0.extend(root.find_subcommand("run").map(Flags::of).unwrap_or_default().0);
    let (before, after) = words.split_at(start + 1);
    let (mut ours, mut theirs) = (before.to_vec(), Vec::new());
    let mut rest = after;
    while let Some((word, more)) = rest.split_first() {
        if word == "--" {
            theirs.extend_from_slice(rest);
            break;
        }
        match own.words_of(word) {
            Some(count) => {
                let (flag, more) = rest.split_at(count.min(rest.len()));
                ours.extend_from_slice(flag);
                rest = more;
            }
            None => {
                theirs.push(word.clone());
                rest = more;
            }
        }
    }
    // A flag where the tool should be is left for the parser to refuse, or to answer when it asks for help.
    let tool = theirs.first().is_some_and(|word| !word.to_string_lossy().starts_with('-'));
    let rest = if tool { theirs.split_off(1) } else { Vec::new() };
    ours.append(&mut theirs);
    if !rest.is_empty() {
        ours.push("--".into());
        ours.extend(rest);
    }
    ours
}

/// The flags of a command, by how they begin, and whether each takes a value.
#[derive(Default)]
struct Flags(BTreeMap<String, bool>);

impl Flags {
    fn of(command: &Command) -> Self {
        let flags = command.get_arguments().filter(|arg| !arg.is_positional()).flat_map(|arg| {
            let takes = arg.get_action().takes_values();
            let long = arg.get_long().map(|long| (format!("--{long}"), takes));
            long.into_iter().chain(arg.get_short().map(|short| (format!("-{short}"), takes)))
        });
        Self(flags.collect())
    }

    /// How many words a flag is, with its value; `None` for what is none of these.
    fn words_of(&self, word: &OsString) -> Option<usize> {
        let word = word.to_str()?;
        if let Some(takes) = self.0.get(word) {
            return Some(if *takes { 2 } else { 1 });
        }
        let attached = match word.strip_prefix("--") {
            Some(_) => word.split_once('=').map(|(flag, _)| flag),
            None => {
                word.strip_prefix('-').and_then(|rest| rest.chars().next()).and_then(|c| word.get(..1 + c.len_utf8()))
            }
        };
        attached.filter(|flag| self.0.get(*flag) == Some(&true)).map(|_| 1)
    }
}

/// The names that a tool's inputs cannot have as flags, because the command has them.
pub(crate) fn own_flags() -> impl Iterator<Item = String> {
    let root = Cli::command();
    let run = root.find_subcommand("run").map(Flags::of).unwrap_or_default();
    let automatic = ["help", "version"].map(str::to_owned);
    let named = Flags::of(&root).0.into_keys().chain(run.0.into_keys());
    named.filter_map(|flag| flag.strip_prefix("--").map(str::to_owned)).chain(automatic)
}

fn parse_input(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("an input is given as NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Command as Sub;

    fn ordered(line: &str) -> String {
        let words = own_first(line.split(' ').map(OsString::from).collect());
        words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn own_options_come_first_wherever_they_stand() {
        let cases = [
            ("st run t2i --prompt fox --json --steps 3", "st run --json t2i -- --prompt fox --steps 3"),
            ("st run t2i --prompt --json", "st run --json t2i -- --prompt"),
            ("st run --sim t2i --seed -1", "st run --sim t2i -- --seed -1"),
            ("st --data-dir d run t2i -ia=b --out=x --a=b", "st --data-dir d run -ia=b --out=x t2i -- --a=b"),
            ("st run t2i -i a=b --host u --config f", "st run -i a=b --host u --config f t2i"),
            ("st run t2i --help", "st run t2i -- --help"),
            ("st run --help", "st run --help"),
            ("st run --prompt fox t2i", "st run --prompt fox t2i"),
            ("st run t2i --host", "st run --host t2i"),
            ("st run t2i -- --json", "st run t2i -- -- --json"),
            ("st tools run --json x", "st tools run --json x"),
            ("st help run", "st help run"),
            ("st", "st"),
        ];
        for (line, expected) in cases {
            assert_eq!(ordered(line), expected, "{line}");
        }
    }

    #[test]
    fn options_and_words_of_the_tool_are_told_apart() {
        let line = "st run t2i --prompt fox -i prompt=a=b --json --steps 3";
        let words = own_first(line.split(' ').map(OsString::from).collect());
        let Sub::Run(run) = Cli::try_parse_from(words).unwrap().command else { panic!("not run") };
        assert_eq!((run.tool.as_str(), run.station.json), ("t2i", true));
        assert_eq!(run.words, ["--prompt", "fox", "--steps", "3"]);
        assert_eq!(run.inputs, [("prompt".to_owned(), "a=b".to_owned())]);
        assert!(Cli::try_parse_from(["st", "run", "t2i", "-i", "prompt"]).is_err());
        assert!(Cli::try_parse_from(["st", "run", "--prompt", "fox", "t2i"]).is_err());
    }
}
