//! Many worlds of the seeded campaign, on several threads, and a table of what came of them.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use stationthis_core::store::{SqliteStore, TaskStore};
use stationthis_core::testkit::campaign::{Crashes, Figures, OpenStore, Outcome, Scenario, play, play_over};

/// Tasks of one world: few, so that a failing seed is small and memory stays bounded; enough that run slots run out.
pub const WORLD_TASKS: u32 = 250;

/// Failing worlds that are shown; one is enough to work with.
const SHOWN_MAX: usize = 5;

/// Where the worlds of a campaign keep their tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// In memory.
    Memory,
    /// In an SQLite file each, opened again after every crash.
    Sqlite,
}

/// Many worlds.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The worlds.
    pub worlds: Vec<Scenario>,
    /// Where they keep their tasks.
    pub keep: Keep,
    /// How many are played at a time.
    pub threads: usize,
}

/// What came of them.
#[derive(Debug, Default)]
pub struct Sum {
    /// Added up.
    pub figures: Figures,
    /// The first few worlds in which something was wrong, and how many there were.
    pub failed: Vec<Outcome>,
    /// All of those.
    pub failed_count: u64,
    /// How long it took.
    pub took: Duration,
}

impl Campaign {
    /// `tasks` tasks in worlds of [`WORLD_TASKS`], with seeds from `seed` on.
    #[must_use]
    pub fn of(tasks: u32, seed: u64, keep: Keep, scenario: fn(u64, u32) -> Scenario) -> Self {
        let worlds = u64::from(tasks.div_ceil(WORLD_TASKS));
        let size = |nth: u64| {
            WORLD_TASKS.min(tasks.saturating_sub(u32::try_from(nth).unwrap_or(u32::MAX).saturating_mul(WORLD_TASKS)))
        };
        let worlds = (0..worlds).map(|nth| scenario(seed + nth, size(nth))).collect();
        Self { worlds, keep, threads: std::thread::available_parallelism().map_or(2, usize::from) }
    }

    /// A world of `tasks` tasks, once for each write of its calm play and each side of it, with a crash there.
    ///
    /// # Errors
    /// When the calm play fails.
    pub fn every_boundary(scenario: &Scenario) -> Result<Self> {
        let calm = play(&scenario.clone().with_crashes(Crashes::Never))?;
        let points = (1..=calm.figures.writes).flat_map(|write| [false, true].map(|made| Crashes::At { write, made }));
        let worlds = points.map(|crash| scenario.clone().with_crashes(crash)).collect();
        Ok(Self { worlds, keep: Keep::Memory, threads: std::thread::available_parallelism().map_or(2, usize::from) })
    }

    /// Plays all of them.
    ///
    /// # Errors
    /// When a world cannot be played; what is wrong in one is in the [`Sum`].
    pub fn play(&self) -> Result<Sum> {
        let (began, next) = (Instant::now(), AtomicU64::new(0));
        let sum = Mutex::new(Sum::default());
        let work = || -> Result<()> {
            loop {
                let nth = usize::try_from(next.fetch_add(1, Ordering::SeqCst))?;
                let Some(scenario) = self.worlds.get(nth) else { return Ok(()) };
                let outcome = self.keep.play(scenario).with_context(|| self.replay(scenario))?;
                let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                sum.figures.add(outcome.figures.clone());
                if !outcome.violations.is_empty() {
                    sum.failed_count += 1;
                    if sum.failed.len() < SHOWN_MAX {
                        sum.failed.push(outcome);
                    }
                }
            }
        };
        std::thread::scope(|scope| -> Result<()> {
            let threads: Vec<_> = (0..self.threads.max(1)).map(|_| scope.spawn(work)).collect();
            for thread in threads {
                match thread.join() {
                    Ok(done) => done?,
                    Err(_) => bail!("a thread of the campaign panicked"),
                }
            }
            Ok(())
        })?;
        let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Sum { took: began.elapsed(), ..sum })
    }

    /// The command that plays one world again.
    #[must_use]
    pub fn replay(&self, scenario: &Scenario) -> String {
        let kept = if self.keep == Keep::Sqlite { " --sqlite-world" } else { "" };
        format!("cargo run -p stationthis-benches --release --bin campaign -- {}{kept}", scenario.replay_arguments())
    }
}

impl Keep {
    fn play(self, scenario: &Scenario) -> Result<Outcome> {
        match self {
            Self::Memory => Ok(play(scenario)?),
            Self::Sqlite => {
                let folder = tempfile::tempdir()?;
                Ok(play_over(scenario, opener(folder.path()))?)
            }
        }
    }
}

/// Opens the file anew each time, as the next process does.
fn opener(folder: &Path) -> OpenStore {
    let path = folder.join("campaign.sqlite3");
    Arc::new(move || {
        let path = path.clone();
        Box::pin(async move {
            let store: Arc<dyn TaskStore> = Arc::new(SqliteStore::open(path).await?);
            Ok(store)
        })
    })
}

impl Sum {
    /// The figures as rows of a table.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, String)> {
        let f = &self.figures;
        let number = |name: &str, value: u64| (name.to_owned(), grouped(value));
        let mut rows = vec![number("worlds", f.worlds), number("tasks", f.tasks)];
        rows.extend(f.ends.iter().map(|(end, count)| number(&format!("  {end}"), *count)));
        rows.extend([
            number("need review", f.needs_review),
            number("cost unknown, with a bound", f.cost_unknown),
            number("crashes", f.crashes),
            number("writes", f.writes),
            number("events", f.events),
            number("submissions", f.submissions),
            number("runs made", f.runs),
            number("polls", f.polls),
            number("lookups", f.lookups),
            number("webhooks lost", f.hooks_lost),
            number("webhooks doubled", f.hooks_doubled),
            number("webhooks forged", f.hooks_forged),
            number("webhooks reordered", f.hooks_reordered),
            number("webhooks taken", f.hooks_taken),
            number("webhooks refused", f.hooks_refused),
            number("notices that arrived", f.notices_arrived),
            number("notices given up", f.notices_dead),
            number("worlds with a violation", self.failed_count),
            ("seconds".to_owned(), format!("{:.1}", self.took.as_secs_f64())),
            ("tasks per second".to_owned(), format!("{:.0}", per_second(f.tasks, self.took))),
        ]);
        rows
    }

    /// The figures as JSON.
    ///
    /// # Errors
    /// None in practice.
    pub fn json(&self) -> Result<Value> {
        let mut value = serde_json::to_value(&self.figures)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("failedWorlds".to_owned(), json!(self.failed_count));
            object.insert("seconds".to_owned(), json!(self.took.as_secs_f64()));
            object.insert("tasksPerSecond".to_owned(), json!(per_second(self.figures.tasks, self.took)));
            let lag = |per_mille| json!({ "ms": self.figures.lag_ms(per_mille), "limitPerMille": self.figures.lag_share(per_mille) });
            object.insert("lag".to_owned(), json!({ "p50": lag(500), "p99": lag(990) }));
        }
        Ok(value)
    }
}

#[allow(clippy::cast_precision_loss)]
fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(0.001)
}

fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}
