//! The built program in a terminal, with somebody at its keyboard.

#[path = "terminal/pty.rs"]
mod pty;

use std::time::Duration;

use serde_json::json;
use stationthis_comfydeploy::sim::SimTiming;

use crate::bench::Bench;
use pty::Pty;

/// The answer of a terminal that draws sixel, and of one that does not.
const SIXEL: &str = "\x1b[?62;4;22c";
const PLAIN: &str = "\x1b[?62;22c";

/// Ctrl-C.
const INTERRUPT: &str = "\x03";

/// Runs go on for longer than any test.
fn endless() -> SimTiming {
    SimTiming { per_node: Duration::from_secs(3600), ..SimTiming::instant() }
}

/// A host, and a picture in its folder.
async fn scene(timing: SimTiming) -> Bench {
    let bench = Bench::with(timing, None).await;
    let mut picture = Vec::new();
    let mut encoder = png::Encoder::new(&mut picture, 2, 1);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[0, 255]).unwrap();
    std::fs::write(bench.dir.path().join("x.png"), picture).unwrap();
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_for_what_is_missing_and_shown_what_was_made() {
    let bench = scene(SimTiming::instant()).await;
    let words = ["run", "image-restyle", "--host", &bench.base, "--strength", "0.5"];
    let mut pty = Pty::open(bench.dir.path(), &words, &[], Some(SIXEL));
    pty.until("(image): ");
    pty.press("\r");
    pty.until("(image): ");
    pty.press("none.png\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7fx.png\r");
    let quote = pty.until("cost     $");
    assert!(quote.contains("quote    "), "{quote}");
    // A bar meanwhile, which is gone by then.
    assert!(quote.contains('[') && quote.contains('%') && quote.contains("\x1b[2K"), "{quote:?}");
    assert!(quote.contains("saved    ") && quote.contains("completed"), "{quote:?}");
    let shown = pty.until("\x1b\\");
    assert!(shown.contains("\x1bP0;1;0q\"1;1;"), "{}", shown.escape_debug());
    assert!(pty.is_cooked(), "the shell gets its terminal back");
    let (code, rest) = pty.end();
    assert_eq!((code, rest.trim()), (Some(0), ""));
    let (_, tasks) = bench.get("/api/internal/tasks").await;
    assert_eq!(tasks["tasks"][0]["inputsAsked"]["strength"], 0.5, "{tasks}");
    bench.close().await;
}

/// Variables, flags, the terminal's answer, and which of the three ways is used.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], Option<&'static str>, Option<usize>);

#[tokio::test(flavor = "multi_thread")]
async fn each_terminal_is_shown_pictures_in_its_own_way() {
    let bench = scene(SimTiming::instant()).await;
    let mark = ["\x1bP", "\x1b_Ga=T,f=100,q=2,", "\x1b]1337;File=inline=1;"];
    let cases: [Case; 8] = [
        (&[], &[], Some(SIXEL), Some(0)),
        (&[], &[], Some(PLAIN), None),
        // It does not answer, and is not waited for long.
        (&[], &[], None, None),
        (&[("TERM", "xterm-kitty")], &[], None, Some(1)),
        (&[("TERM_PROGRAM", "WezTerm")], &[], Some(SIXEL), Some(2)),
        (&[("TMUX", "/tmp/tmux")], &[], Some(SIXEL), None),
        (&[("TERM", "dumb")], &[], Some(SIXEL), None),
        (&[], &["--no-preview"], Some(SIXEL), None),
    ];
    for (env, more, answer, expected) in cases {
        let words = [&["run", "sdxl-portrait", "--host", &bench.base, "--prompt", "a fox"], more].concat();
        let (code, text) = Pty::open(bench.dir.path(), &words, env, answer).end();
        assert_eq!(code, Some(0), "{text}");
        let found: Vec<bool> = mark.iter().map(|mark| text.contains(mark)).collect();
        let expected: Vec<bool> = (0..mark.len()).map(|n| expected == Some(n)).collect();
        assert_eq!(found, expected, "{env:?} {more:?} {answer:?}: {}", text.escape_debug());
        let asked = text.contains("\x1b[c");
        assert_eq!(asked, env.is_empty() && more.is_empty(), "only who might draw sixel is asked: {env:?} {more:?}");
    }
    // In the background it would be stopped for asking.
    let words = ["run", "sdxl-portrait", "--host", &bench.base, "--prompt", "a fox"];
    let mut pty = Pty::behind(bench.dir.path(), &words, Some(SIXEL));
    let text = pty.until("ended with 0");
    assert!(text.contains("saved    ") && !text.contains("\x1b[c"), "{}", text.escape_debug());
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_asks_and_a_second_one_leaves_the_task_going() {
    let bench = scene(endless()).await;
    let words = ["run", "sdxl-portrait", "--host", &bench.base, "--prompt", "a fox"];
    let cases = [("y\r", 4, true), ("n\r", 130, false), (INTERRUPT, 130, false)];
    for (answer, code, cancelled) in cases {
        let mut pty = Pty::open(bench.dir.path(), &words, &[], Some(PLAIN));
        pty.until("running");
        pty.press(INTERRUPT);
        pty.until("Cancel the task? No leaves it going. [y/N] ");
        pty.press(answer);
        let (ended, text) = pty.end();
        assert_eq!(ended, Some(code), "{answer:?}: {text}");
        let (_, tasks) = bench.get("/api/internal/tasks?limit=1").await;
        let task = &tasks["tasks"][0];
        assert_eq!(!task["cancel"].is_null(), cancelled, "{answer:?}: {task}");
        let said = format!("see it with: stationthis tasks watch {}", task["taskId"].as_str().unwrap());
        assert_eq!(text.contains(&said), !cancelled, "{text}");
    }
    // One that was left is followed again, and may be left again.
    let (_, tasks) = bench.get("/api/internal/tasks?limit=1").await;
    let watch = ["tasks", "watch", tasks["tasks"][0]["taskId"].as_str().unwrap(), "--host", &bench.base];
    let mut pty = Pty::open(bench.dir.path(), &watch, &[], None);
    pty.until("running");
    pty.press(INTERRUPT);
    pty.until("[y/N] ");
    pty.press("\r");
    assert_eq!(pty.end().0, Some(130));
    // Before there is a task, an interrupt is the end of the program.
    let mut pty = Pty::open(bench.dir.path(), &["run", "image-restyle", "--host", &bench.base], &[], None);
    pty.until("(image): ");
    pty.press(INTERRUPT);
    assert_eq!(pty.end().0, None, "by the signal");
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_tasks_is_drawn_over_itself() {
    let bench = scene(SimTiming::instant()).await;
    // Neither colours nor their absence have to do with where it is drawn.
    for env in [&[][..], &[("NO_COLOR", "1")]] {
        let mut pty = Pty::open(bench.dir.path(), &["tasks", "watch", "--host", &bench.base], env, None);
        let mut text = pty.until("COST");
        let task = bench.run("sdxl-portrait", json!({ "prompt": "a fox" })).await;
        let id = task["taskId"].as_str().unwrap();
        text += &pty.until(id);
        bench.ended(&task).await;
        text += &pty.until("\x1b[J\x1b[?7l TASK");
        text += &pty.until("completed");
        pty.press(INTERRUPT);
        let (code, rest) = pty.end();
        assert_eq!(code, Some(0), "{rest}");
        let screen = drawn(&(text + &rest));
        let count = |part: &str| screen.iter().filter(|line| line.contains(part)).count();
        assert_eq!((count("TASK"), count(id)), (1, 1), "{screen:#?}");
        let line = screen.iter().find(|line| line.contains(id)).unwrap();
        assert!(line.contains("sdxl-portrait") && line.contains("completed"), "{line}");
    }
    bench.close().await;
}

#[test]
fn log_lines_are_coloured_only_where_colours_are_wanted() {
    let dir = tempfile::tempdir().unwrap();
    for (env, coloured) in [(&[][..], true), (&[("NO_COLOR", "1")], false), (&[("TERM", "dumb")], false)] {
        let mut pty = Pty::open(dir.path(), &["serve", "--sim", "--listen", "127.0.0.1:0"], env, None);
        pty.until("listening on http://");
        pty.press(INTERRUPT);
        let log = pty.until("stopping");
        let (code, rest) = pty.end();
        assert_eq!(code, Some(0), "{rest}");
        assert_eq!(log.contains("\x1b["), coloured, "{env:?}: {}", log.escape_debug());
    }
}

/// The lines that stand there in the end, on a terminal that knows how to go up and how to erase.
fn drawn(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut row = 0;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '\r' => {}
            '\n' => {
                row += 1;
                lines.resize((row + 1).max(lines.len()), String::new());
            }
            '\x1b' => {
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                match (&rest[end..=end], rest[1..end].parse::<usize>()) {
                    ("A", up) => row -= up.unwrap(),
                    ("J", _) => {
                        lines.truncate(row);
                        lines.push(String::new());
                    }
                    _ => {}
                }
                rest = &rest[end + 1..];
            }
            other => lines[row].push(other),
        }
    }
    lines
}
