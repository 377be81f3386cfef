//! A guide shows the whole of its file, in order: who copies its blocks one after the other has what is tested here.

use std::path::Path;

/// The Rust blocks of a page.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while lines.any(|line| line == "```rust") {
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(block.join("\n"));
    }
    blocks
}

/// Lines without those that say nothing: blank ones, and the words about the file in this folder.
fn lines(text: &str) -> Vec<String> {
    let says = |line: &&str| !line.trim().is_empty() && !line.starts_with("//!");
    text.lines().filter(says).map(str::to_owned).collect()
}

#[test]
fn each_guide_shows_its_whole_file() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut guides = 0;
    for entry in std::fs::read_dir(here.join("../docs/guides")).unwrap() {
        let page = entry.unwrap().path();
        let name = page.file_stem().unwrap().to_str().unwrap().to_owned();
        let file = std::fs::read_to_string(here.join(format!("tests/guides/{name}.rs"))).unwrap();
        let shown = blocks(&std::fs::read_to_string(&page).unwrap()).join("\n");
        let (shown, file) = (lines(&shown), lines(&file));
        for (n, (shown, line)) in shown.iter().zip(&file).enumerate() {
            assert_eq!(
                shown, line,
                "line {n} of the code in docs/guides/{name}.md is not that of tests/guides/{name}.rs"
            );
        }
        assert_eq!(shown.len(), file.len(), "docs/guides/{name}.md shows less or more than tests/guides/{name}.rs");
        guides += 1;
    }
    assert!(guides > 0);
}
