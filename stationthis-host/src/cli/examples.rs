//! An example for the help of each command.

use clap::{Command, CommandFactory};

use crate::cli::{Cli, exit};

/// For each command, by its words, the line that its help shows.
const EXAMPLES: &[(&str, &str)] = &[
    ("", "stationthis demo a red fox in the snow"),
    ("demo", "stationthis demo a red fox in the snow"),
    ("serve", "stationthis serve --listen 127.0.0.1:8484 --public-url https://tools.example.org"),
    ("tools", "stationthis tools sdxl-portrait"),
    ("tools diff", "stationthis tools diff --host http://127.0.0.1:8484"),
    ("run", "stationthis run sdxl-portrait --prompt \"a red fox\" --steps 20 --out pictures"),
    ("tasks", "stationthis tasks --status failed,timedOut --limit 50"),
    ("tasks watch", "stationthis tasks watch --host http://127.0.0.1:8484"),
    ("callback-keys", "stationthis callback-keys rotate"),
    ("callback-keys list", "stationthis callback-keys list --json"),
    ("callback-keys rotate", "stationthis callback-keys rotate"),
    ("callback-keys revoke", "stationthis callback-keys revoke k1"),
    ("webhooks", "stationthis webhooks secret --caller website"),
    ("webhooks secret", "stationthis webhooks secret --caller website"),
    ("webhooks list", "stationthis webhooks list --json"),
    ("webhooks rotate", "stationthis webhooks rotate"),
    ("webhooks revoke", "stationthis webhooks revoke w1"),
    ("keys", "stationthis keys create --caller website --label production"),
    ("keys create", "stationthis keys create --caller website --label production --expires-in 90"),
    ("keys list", "stationthis keys list --host http://127.0.0.1:8484"),
    ("keys revoke", "stationthis keys revoke 5f0c1d2e3a4b5c6d"),
    ("notify", "stationthis notify set --caller website webhook:https://example.org/done"),
    ("notify show", "stationthis notify show --caller website"),
    ("notify set", "stationthis notify set --caller website webhook:https://example.org/done"),
    ("explain", "stationthis explain 01a213ea-759c-70a7-9535-98a0b0dcf314"),
    ("resolve", "stationthis resolve 01a213ea-759c-70a7-9535-98a0b0dcf314 not-sent"),
    ("reconcile", "stationthis reconcile 01a213ea-759c-70a7-9535-98a0b0dcf314"),
    ("notices", "stationthis notices --dead"),
    (
        "notices requeue",
        "stationthis notices requeue 01a213ea-759c-70a7-9535-98a0b0dcf314 4a2d7f0e-5c55-5f0e-8d5b-0f6f7d1f2a3b",
    ),
    ("costs", "stationthis costs --month 2026-11 --by day,tool"),
    ("prune", "stationthis prune --older-than 90d"),
    ("backup", "stationthis backup before-the-update.sqlite3"),
    ("restore", "stationthis restore before-the-update.sqlite3 --force"),
    ("doctor", "stationthis doctor --json"),
    ("completions", "stationthis completions bash > ~/.local/share/bash-completion/completions/stationthis"),
];

impl Cli {
    /// The command line with examples and exit codes in its help.
    #[must_use]
    pub fn with_examples() -> Command {
        shown(Self::command(), "")
    }
}

fn shown(command: Command, path: &str) -> Command {
    let line = EXAMPLES.iter().find(|(known, _)| *known == path).map(|(_, line)| *line);
    let mut after = line.map(|line| format!("Example:\n  {line}")).unwrap_or_default();
    if matches!(path, "" | "run" | "tasks watch") {
        after.push_str(&format!("\n\n{}", exit::CODES));
    }
    let command = command.after_help(after);
    command.mut_subcommands(|sub| {
        let path = format!("{path} {}", sub.get_name());
        shown(sub, path.trim_start())
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli::run::own_first;

    fn walk(command: &Command, path: &str, check: &mut dyn FnMut(&Command, &str)) {
        check(command, path);
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            walk(sub, format!("{path} {}", sub.get_name()).trim_start(), check);
        }
    }

    #[test]
    fn every_command_has_an_example_that_is_one_of_it() {
        let mut seen = 0;
        walk(&Cli::with_examples(), "", &mut |command, path| {
            seen += 1;
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let line = help.strip_prefix("Example:\n  ").and_then(|rest| rest.lines().next());
            let line = line.unwrap_or_else(|| panic!("{path:?} has no example"));
            assert!(line.starts_with(format!("stationthis {path}").trim_end()), "{path}: {line}");
            // What a shell would make of it.
            let line = line.split(" > ").next().unwrap();
            let words = line.split('"').enumerate().flat_map(|(at, part)| {
                let whole = at % 2 == 1;
                if whole { vec![part] } else { part.split_whitespace().collect() }
            });
            let words = own_first(words.map(OsString::from).collect());
            if let Err(error) = Cli::command().try_get_matches_from(words) {
                panic!("{line}: {error}");
            }
        });
        assert_eq!(seen, EXAMPLES.len(), "an example of no command");
    }

    #[test]
    fn the_help_of_run_tells_the_exit_codes() {
        let mut root = Cli::with_examples().term_width(100);
        root.build();
        let run = root.find_subcommand_mut("run").unwrap();
        insta::assert_snapshot!(run.render_help());
    }
}
