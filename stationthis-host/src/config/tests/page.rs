//! The page `docs/operate/settings.md`, made of `config.default.toml`, which must have the keys of the type.

use std::fmt::Write;

use super::*;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operate/settings.md");

const HEAD: &str = "\
# Settings

Every setting of a host. This page is made of `stationthis-host/src/config.default.toml` by a test, which also holds that
file to the type that reads it.

Later layers win: the defaults; a TOML file (`--config FILE` or `STATIONTHIS_CONFIG`), which needs only the keys that
differ; the environment; flags. A key that is not listed here is refused at start, and so is a value that does not fit: the
message names the file or variable and the key, and never the value of a secret. An empty variable counts as not set.
";

/// A key, or a section, as the file documents it.
struct Entry {
    /// With its section: `comfydeploy.api_key`. A section ends with a dot.
    key: String,
    /// As in the file; for a key without a default an example.
    value: String,
    has_default: bool,
    text: String,
}

/// The file, read as a person reads it.
fn documented() -> Vec<Entry> {
    let (mut entries, mut section, mut text) = (Vec::new(), String::new(), String::new());
    for line in DEFAULTS.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let named = bare.split_once(" = ").filter(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        // A section of which there may be several, or none, is commented out as an example.
        if let Some(name) = bare.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
            let text = std::mem::take(&mut text);
            entries.push(Entry { key: section.clone(), value: String::new(), has_default: false, text });
        } else if let Some((key, value)) = named {
            let (key, value, text) = (format!("{section}{key}"), value.to_owned(), std::mem::take(&mut text));
            entries.push(Entry { key, value, has_default: bare == line, text });
        } else if line.is_empty() {
            text.clear();
        } else {
            writeln!(text, "{}", bare.trim_start_matches('#')).unwrap();
        }
    }
    entries
}

/// What the type reads in a section (empty: at the top), as serde says when it is given something else.
fn fields(section: &str) -> Vec<String> {
    let mut table: Table = toml::from_str(DEFAULTS).unwrap();
    let mut within = &mut table;
    for name in section.split('.').filter(|name| !name.is_empty()) {
        within = within.entry(name).or_insert_with(|| Table::new().into()).as_table_mut().unwrap();
    }
    within.insert("no_such_key".to_owned(), Value::Boolean(true));
    let error = table.try_into::<Config>().unwrap_err();
    let known = error.message().split_once("expected ").unwrap_or_else(|| panic!("{section}: {error}")).1;
    known.split('`').skip(1).step_by(2).map(|field| format!("{section}{field}")).collect()
}

#[test]
fn the_file_of_defaults_has_the_keys_of_the_type() {
    let entries = documented();
    // A section stands for the key that holds it.
    let place = |entry: &Entry| match entry.key.strip_suffix('.') {
        Some(section) => section.split('.').next().unwrap().to_owned(),
        None => entry.key.clone(),
    };
    let mut listed: Vec<_> = entries.iter().map(place).collect();
    let sections = entries.iter().filter(|entry| entry.key.ends_with('.')).map(|entry| entry.key.clone());
    let mut known: Vec<_> = std::iter::once(String::new()).chain(sections).flat_map(|s| fields(&s)).collect();
    listed.sort();
    listed.dedup();
    known.sort();
    assert_eq!(listed, known);
    let named = |entry: &Entry| {
        let variable =
            entry.text.split_once("\nEnvironment: ").map(|(_, rest)| rest.split(['.', '\n']).next().unwrap());
        Some((variable?.to_owned(), entry.key.clone()))
    };
    // Of a section with a name of the operator's choice, no variable can be for every key.
    let is_chosen = |entry: &&Entry| entry.key.starts_with("providers.") && named(entry).is_none();
    let keys = entries.iter().filter(|entry| !entry.key.ends_with('.') && !is_chosen(entry));
    let mut named: Vec<_> =
        keys.map(|entry| named(entry).unwrap_or_else(|| panic!("no variable: {}", entry.key))).collect();
    let mut read = VARIABLES.map(|(variable, key)| (variable.to_owned(), key.to_owned()));
    named.sort();
    read.sort();
    assert_eq!(named, read, "the variables of the file are those that are read");
}

#[test]
fn the_page_of_settings_is_what_the_defaults_say() {
    let mut now = HEAD.to_owned();
    for Entry { key, value, has_default, text } in documented() {
        if let Some(section) = key.strip_suffix('.') {
            write!(now, "\n## `[{section}]`\n").unwrap();
            if !text.is_empty() {
                write!(now, "\n{text}").unwrap();
            }
            continue;
        }
        let (what, set_by) = text.split_once("Environment: ").unwrap_or((text.as_str(), ""));
        let set_by = set_by.trim().trim_end_matches('.').replace(". Flag: ", "`, flag `");
        let set_by = if set_by.is_empty() { set_by } else { format!(" · variable `{set_by}`") };
        let value = if has_default { format!("Default: `{value}`") } else { format!("No default; such as `{value}`") };
        write!(now, "\n### `{key}`\n\n{value}{set_by}\n\n{what}").unwrap();
    }
    // After a wanted change: UPDATE=1 cargo test -p stationthis-host page_of_settings
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, &now).unwrap();
    }
    let page = std::fs::read_to_string(PAGE).unwrap();
    assert!(page == now, "the settings have changed: run this test once with UPDATE=1 and look at the difference");
}
