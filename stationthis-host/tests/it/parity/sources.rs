//! Who runs tools is a face, and every face is in the suite.

use std::fs;
use std::path::{Path, PathBuf};

use super::faces;

/// Where a request to run a tool is made, and as which faces that is in the suite. The command line asks through its desk.
const PLACES: [(&str, &str); 5] = [
    ("http/run.rs", "http"),
    ("http/generations.rs", "generations"),
    ("telegram/bot/run.rs", "telegram"),
    ("desk.rs", "command line"),
    // The same, over a simulator, for a first look.
    ("commands/demo.rs", "command line"),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.file_name().is_some_and(|name| name != "tests.rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_face_is_in_the_suite() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    let mut seen = Vec::new();
    for file in all {
        let place = file.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
        // No other way leads to a task: `Caller::run` takes nothing else, and a request is made in these ways alone.
        let text = fs::read_to_string(&file).unwrap();
        if ["RunRequest::new", "RunRequest::default", "RunRequest as Default"].iter().any(|way| text.contains(way)) {
            let known = PLACES.iter().find(|(known, _)| *known == place);
            let (_, face) =
                known.unwrap_or_else(|| panic!("{place} runs tools: which face is it of, and is it in the suite?"));
            assert!(faces().iter().any(|driven| driven.name() == *face), "{face} has no driver");
            seen.push(place);
        }
    }
    assert_eq!(seen.len(), PLACES.len(), "PLACES names what is no more: {seen:?}");
}
