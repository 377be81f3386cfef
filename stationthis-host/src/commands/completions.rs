//! `stationthis completions`, and what it completes.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::time::Duration;

use clap::{Command, CommandFactory};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;
use stationthis_core::ToolDefinition;
use stationthis_core::store::SqliteStore;
use stationthis_core::tool::Visibility;

use crate::app::{Service, data_folder};
use crate::cli::{Cli, CompletionsArgs};
use crate::commands::run::flags::ToolFlags;
use crate::config::{Config, Flags};
use crate::data_dir::database_in;
use crate::desk::Desk;
use crate::face::input::Fields;

/// The variable by which a shell asks for completions.
const VARIABLE: &str = "COMPLETE";

/// How long a host may take to name its tools: somebody has pressed a key and waits.
const HOST_WAIT: Duration = Duration::from_secs(2);

/// Prints the script of a shell, which asks this program for what could stand where the cursor is.
///
/// # Errors
/// For a shell that is not known, and when nothing can be written.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let shells = Shells::builtins();
    let shell = shells.completer(&args.shell).ok_or_else(|| anyhow::anyhow!("{}: no such shell", args.shell))?;
    let name = "stationthis";
    shell.write_registration(VARIABLE, name, name, name, &mut std::io::stdout())?;
    Ok(())
}

/// The command line with the tools that there are, for the words that a shell asks about: `-- stationthis run …`.
#[must_use]
pub fn command(asked: impl IntoIterator<Item = OsString>) -> Command {
    let words: Vec<OsString> = asked.into_iter().skip_while(|word| word != "--").skip(1).collect();
    let root = Cli::command();
    if !["run", "tools", "tasks"].iter().any(|name| words.iter().any(|word| word == name)) {
        return root;
    }
    let tools = Arc::new(tools(&words));
    let flags: Vec<clap::Arg> = named(&words, &tools)
        .map(|tool| ToolFlags::of(&Fields::of(tool)).args().map(|arg| arg.help_heading(None)).collect())
        .unwrap_or_default();
    let slugs = |tools: &Arc<Vec<ToolDefinition>>| {
        let tools = Arc::clone(tools);
        ArgValueCandidates::new(move || tools.iter().map(candidate).collect())
    };
    root.mut_subcommand("run", |run| run.mut_arg("tool", |tool| tool.add(slugs(&tools))).args(flags))
        .mut_subcommand("tools", |list| list.mut_arg("tool", |tool| tool.add(slugs(&tools))))
        .mut_subcommand("tasks", |list| list.mut_arg("tool", |tool| tool.add(slugs(&tools))))
}

fn candidate(tool: &ToolDefinition) -> CompletionCandidate {
    CompletionCandidate::new(&tool.slug).help(Some(tool.display_name.clone().into()))
}

/// The tool that stands on the line already.
fn named<'a>(words: &[OsString], tools: &'a [ToolDefinition]) -> Option<&'a ToolDefinition> {
    let after = words.iter().skip_while(|word| *word != "run").skip(1);
    after.filter_map(|word| word.to_str()).find_map(|word| tools.iter().find(|tool| tool.slug == word))
}

/// The listed tools of the host that the line names, else of the data folder's last catalogue. A completion that fails
/// completes nothing: no place to say why.
fn tools(words: &[OsString]) -> Vec<ToolDefinition> {
    let flags = Flags {
        config: value(words, "--config").map(Into::into),
        data_dir: value(words, "--data-dir").map(Into::into),
        ..Flags::default()
    };
    let Ok(config) = Config::from_env(&flags) else { return Vec::new() };
    let found = match value(words, "--host") {
        Some(host) => of_host(&config, &host.to_string_lossy()).unwrap_or_default(),
        None => {
            let simulated = words.iter().any(|word| word == "--sim");
            SqliteStore::stored_tools(database_in(&data_folder(&config, simulated))).unwrap_or_default()
        }
    };
    let mut listed: Vec<_> = found.into_iter().filter(|tool| tool.visibility == Visibility::Listed).collect();
    listed.sort_by(|a, b| a.slug.cmp(&b.slug));
    listed
}

fn of_host(config: &Config, host: &str) -> Option<Vec<ToolDefinition>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let asked = async {
        let desk = Desk::open(config, Some(host), Service::Configured).await?;
        desk.tools().await
    };
    let views = runtime.block_on(async { tokio::time::timeout(HOST_WAIT, asked).await }).ok()?.ok()?;
    Some(views.into_iter().map(|view| view.definition).collect())
}

/// The value of a flag on the line.
fn value<'a>(words: &'a [OsString], flag: &str) -> Option<&'a OsStr> {
    let attached = |word: &'a OsString| word.to_str()?.strip_prefix(flag)?.strip_prefix('=').map(OsStr::new);
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if word == flag {
            return rest.next().map(OsString::as_os_str);
        }
        if let Some(value) = attached(word) {
            return Some(value);
        }
    }
    None
}
