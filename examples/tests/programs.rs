//! Each program of `src/bin` does what it says it shows.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::process::{Command, Stdio};

/// What a program prints for these arguments and this input; it must end well.
fn printed(program: &str, arguments: &[&str], input: &str) -> String {
    // Some keep a file among the temporary ones, where an older version's may be.
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(program)
        .args(arguments)
        .env("TMPDIR", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let text = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{program}: {}\n{text}", ended.status);
    text
}

fn check(text: &str, expected: &[&str]) {
    for part in expected {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn embed() {
    check(
        &printed(env!("CARGO_BIN_EXE_embed"), &[], ""),
        &["status   completed", "cost     0.", "output   Image http"],
    );
}

#[test]
fn watch() {
    let text = printed(env!("CARGO_BIN_EXE_watch"), &[], "");
    assert_eq!(text.matches("completed").count(), 3, "{text}");
}

#[test]
fn axum_app() {
    let text = printed(env!("CARGO_BIN_EXE_axum_app"), &[], "");
    check(
        &text,
        &[
            "ran         202 /ai/api/internal/tasks/",
            "its owner   200 \"user-17\" \"completed\" http",
            "another     404 \"/ai/api/internal/tasks/",
            "a stranger  401 \"Sign in first.\"",
            "no operator 403",
            "ordered     202, and found 200",
            "a mistake   422 [",
        ],
    );
}

#[test]
fn worker() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.sqlite3");
    let file = file.to_str().unwrap();
    let first = printed(env!("CARGO_BIN_EXE_worker"), &[file], "fox a red fox\nowl a snowy owl\n");
    check(&first, &["fox: accepted", "owl: accepted", "fox: completed for 0.", "owl: completed for 0."]);
    let again = printed(env!("CARGO_BIN_EXE_worker"), &[file], "fox a red fox\nelk an elk\n");
    check(&again, &["fox: was done before", "elk: accepted", "elk: completed for 0."]);
}

#[test]
fn batch() {
    let text = printed(env!("CARGO_BIN_EXE_batch"), &["100"], "");
    check(&text, &[" 10 %", "100 %", "completed    100", "for 100 of them, 0 at a cost unknown"]);
}

#[test]
fn chain() {
    check(
        &printed(env!("CARGO_BIN_EXE_chain"), &[], ""),
        &["step 1   sdxl-portrait: http", "step 2   image-restyle: http", "both     0."],
    );
}

#[test]
fn mail() {
    let text = printed(env!("CARGO_BIN_EXE_mail"), &["bert@example.com"], "");
    check(
        &text,
        &["a mistake  invalid input", "To: bert@example.com", "Subject: Your task is completed", "Message-ID: <"],
    );
}

#[test]
fn three_services() {
    let text = printed(env!("CARGO_BIN_EXE_three_services"), &[], "");
    assert_eq!(text.matches(" completed ").count(), 3, "{text}");
    // Six seconds at 11 credits of 0.005 USD; 20 credits of 0.01 USD.
    check(
        &text,
        &["66 credit    0.330000000 reported", "20 credit    0.200000000 reported", "second", "providerRun", "total"],
    );
}

#[test]
fn margin() {
    let text = printed(env!("CARGO_BIN_EXE_margin"), &[], "");
    // Some 0.45 s at 0.000337 are less than a cent, and a cent is the least.
    check(&text, &["rate  0.0004044 USD a second: ", ", times 1.2", "cost  0.010000000 USD"]);
}

#[test]
fn journal() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.jsonl");
    for starts in 1..=2 {
        let text = printed(env!("CARGO_BIN_EXE_journal"), &[file.to_str().unwrap()], "");
        assert_eq!(text.matches("completed").count(), starts, "{text}");
    }
}
