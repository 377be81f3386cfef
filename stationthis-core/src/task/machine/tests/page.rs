//! The page `docs/reference/states.md`, whose tables are made of the machine.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::*;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/states.md");

/// Those of which the page has columns: an end stays what it is.
fn open() -> impl Iterator<Item = S> {
    S::ALL.into_iter().filter(|status| !status.is_terminal())
}

/// The event's name on the wire.
fn wire_name(event: &Event) -> String {
    serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned()
}

fn transitions() -> String {
    let mut text = String::from("| event |");
    open().for_each(|status| write!(text, " `{status}` |").unwrap());
    text.push_str("\n|---|");
    open().for_each(|_| text.push_str("---|"));
    let mut rows: Vec<_> = table().into_iter().map(|(label, event, _)| (label, event, 20)).collect();
    // The deadline is at 3600; a report that waits for its confirmation has an hour of its own.
    rows.push(("deadline, an hour after the end was reported", Event::DeadlinePassed, 3604));
    let (mut moving, mut still) = (BTreeSet::new(), BTreeSet::new());
    for (label, event, second) in rows {
        let name = wire_name(&event);
        let steps = open().map(|from| (from, after(&reached(from), second, event.clone()).state.status));
        let steps: Vec<_> = steps.collect();
        if steps.iter().all(|(from, to)| from == to) {
            still.insert(name);
            continue;
        }
        let said: String = label.split(' ').collect();
        let label = label.strip_prefix(&format!("{name}: ")).unwrap_or(label);
        let label = label.replace("hook ", "a webhook says ").replace("poll ", "a poll says ");
        let label = if said.eq_ignore_ascii_case(&name) { String::new() } else { format!(": {label}") };
        write!(text, "\n| `{name}`{label} |").unwrap();
        for (from, to) in steps {
            match to {
                _ if to == from => text.push_str(" · |"),
                _ if to.is_terminal() => write!(text, " **{to}** |").unwrap(),
                _ => write!(text, " {to} |").unwrap(),
            }
        }
        moving.insert(name);
    }
    let still: Vec<_> = still.difference(&moving).map(|name| format!("`{name}`")).collect();
    write!(text, "\n\nThese move none of them: {}.", still.join(", ")).unwrap();
    text
}

fn plans() -> String {
    let mut text = String::from("| state | before | after |\n|---|---|---|");
    for status in S::ALL {
        let of = |second| format!("{:?}", plan::plan(&reached(status), at(second)));
        write!(text, "\n| `{status}` | {} | {} |", of(20), of(3604)).unwrap();
    }
    text
}

/// The page with `table` between the marks of `part`.
fn with_part(page: &str, part: &str, table: &str) -> String {
    let begin = format!("machine_does`: {part} -->\n");
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    format!("{before}{begin}\n{table}\n\n<!-- end -->{after}")
}

#[test]
fn the_page_of_states_is_what_the_machine_does() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let now = with_part(&with_part(&page, "transitions", &transitions()), "plan", &plans());
    // After a wanted change: UPDATE=1 cargo test -p stationthis-core page_of_states
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, &now).unwrap();
    }
    let page = std::fs::read_to_string(PAGE).unwrap();
    assert!(page == now, "the machine has changed: run this test once with UPDATE=1 and look at the difference");
    for (_, event, _) in table() {
        let name = wire_name(&event);
        assert!(page.contains(&format!("\n| `{name}` | ")), "the page does not say what the event {name} says");
    }
}
