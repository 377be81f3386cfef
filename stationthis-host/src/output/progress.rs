//! A progress bar of one task, on standard error.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use stationthis_core::task::TaskRecord;

/// The bar's length: progress is known to the ten-thousandth.
const STEPS: u64 = 10_000;

/// Shows how far a task is: a bar on a terminal, a line per change elsewhere, nothing when quiet.
#[derive(Debug)]
pub struct TaskProgress {
    bar: ProgressBar,
    lines: bool,
    last: String,
}

impl TaskProgress {
    /// A display; `quiet` shows nothing.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if quiet || !terminal { ProgressBar::hidden() } else { ProgressBar::new(STEPS) };
        if !bar.is_hidden() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {elapsed:>4} [{bar:32}] {percent:>3}% {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { bar, lines: !quiet && !terminal, last: String::new() }
    }

    /// Shows the task as it is now.
    pub fn show(&mut self, task: &TaskRecord) {
        let live = task.state.live_status.as_deref().unwrap_or_default();
        let text = if live.is_empty() || task.is_terminal() {
            task.state.status.to_string()
        } else {
            format!("{}: {live}", task.state.status)
        };
        if let Some(progress) = task.state.progress {
            // Ten-thousandths of a number from 0 to 1.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            self.bar.set_position((progress.fraction() * 10_000.0) as u64);
        }
        self.bar.set_message(text.clone());
        if self.lines && text != self.last {
            anstream::eprintln!("  {text}");
        }
        self.last = text;
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}
