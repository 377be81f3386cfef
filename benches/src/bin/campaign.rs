//! The seeded campaign over many worlds: `campaign [--tasks 100000] [--sqlite 2000] [--unheard-tasks 2000] [--seed N]
//! [--json]`, as `.ci/run` plays it; `--every-boundary [--tasks 8]` crashes a small world at each of its writes.
//!
//! A world that fails is played again by `--world SEED --tasks N`, with what its command says besides.
// It is for people to read.
#![allow(clippy::print_stdout)]

use anyhow::{Context, Result, bail};
use serde_json::json;
use stationthis_benches::campaign::{Campaign, Keep, Sum, WORLD_TASKS};
use stationthis_core::testkit::campaign::{Crashes, Scenario};

/// Thousandths: how late the end of a run is found by polls alone, against a tenth of the time since its submission.
const LAG_SHARE_MAX: u64 = 1000;

#[derive(Debug, Default)]
struct Args {
    tasks: Option<u32>,
    sqlite: Option<u32>,
    unheard_tasks: Option<u32>,
    seed: Option<u64>,
    world: Option<u64>,
    crashes: Option<Crashes>,
    unheard: bool,
    sqlite_world: bool,
    every_boundary: bool,
    json: bool,
}

fn main() -> Result<()> {
    let args = args(std::env::args().skip(1))?;
    let scenario = if args.unheard { Scenario::unheard } else { Scenario::hostile };
    let keep = if args.sqlite_world { Keep::Sqlite } else { Keep::Memory };
    let seed = args.seed.unwrap_or(1);
    if let Some(world) = args.world {
        let mut scenario = scenario(world, args.tasks.unwrap_or(WORLD_TASKS));
        if let Some(crashes) = args.crashes {
            scenario = scenario.with_crashes(crashes);
        }
        return report(&args, &[("one world", Campaign { worlds: vec![scenario], keep, threads: 1 })]);
    }
    if args.every_boundary {
        let world = scenario(seed, args.tasks.unwrap_or(8));
        return report(&args, &[("a crash at every write", Campaign::every_boundary(&world)?)]);
    }
    let parts = [
        ("in memory", args.tasks.unwrap_or(0), Keep::Memory, Scenario::hostile as fn(u64, u32) -> Scenario),
        ("SQLite files", args.sqlite.unwrap_or(0), Keep::Sqlite, Scenario::hostile),
        ("all webhooks lost", args.unheard_tasks.unwrap_or(0), Keep::Memory, Scenario::unheard),
    ];
    let campaigns: Vec<_> = parts
        .into_iter()
        .filter(|(_, tasks, ..)| *tasks > 0)
        .map(|(name, tasks, keep, scenario)| (name, Campaign::of(tasks, seed, keep, scenario)))
        .collect();
    if campaigns.is_empty() {
        bail!("nothing to play: name --tasks, --sqlite, --unheard-tasks, --world or --every-boundary");
    }
    report(&args, &campaigns)
}

/// Plays them and says what came of it; an error when anything is wrong.
fn report(args: &Args, campaigns: &[(&str, Campaign)]) -> Result<()> {
    let (mut failed, mut all) = (0, serde_json::Map::new());
    for (name, campaign) in campaigns {
        let sum = campaign.play()?;
        failed += sum.failed_count;
        if args.json {
            all.insert((*name).to_owned(), sum.json()?);
        } else {
            println!("{name}");
            for (row, value) in sum.rows() {
                println!("  {row:<28}{value:>14}");
            }
        }
        if campaign.worlds.iter().all(|world| world.hooks.lost == 1000) {
            failed += late(args, &sum);
        }
        for outcome in &sum.failed {
            for violation in &outcome.violations {
                eprintln!("world {}: {violation}", outcome.scenario.seed);
            }
            eprintln!("play it again: {}", campaign.replay(&outcome.scenario));
        }
    }
    if args.json {
        println!("{}", json!(all));
    }
    if failed > 0 {
        bail!("{failed} worlds in which something is wrong");
    }
    Ok(())
}

/// Are the ends that polls alone must find found in time?
fn late(args: &Args, sum: &Sum) -> u64 {
    let figures = &sum.figures;
    let (Some(p50), Some(p99), Some(share)) = (figures.lag_ms(500), figures.lag_ms(990), figures.lag_share(990)) else {
        return 0;
    };
    if !args.json {
        println!("  lag p50, ms                 {p50:>14}");
        println!("  lag p99, ms                 {p99:>14}");
        println!("  p99 of lag / limit, 1/1000  {share:>14}");
    }
    if share > LAG_SHARE_MAX {
        eprintln!("ends are found too late: the p99 is {share} thousandths of a tenth of the time elapsed");
        return 1;
    }
    0
}

fn args(mut words: impl Iterator<Item = String>) -> Result<Args> {
    let mut args = Args::default();
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64> {
            let text = words.next().with_context(|| format!("{word} needs a number"))?;
            text.parse().with_context(|| format!("{word} {text}"))
        };
        match word.as_str() {
            "--tasks" => args.tasks = Some(u32::try_from(number()?)?),
            "--sqlite" => args.sqlite = Some(u32::try_from(number()?)?),
            "--unheard-tasks" => args.unheard_tasks = Some(u32::try_from(number()?)?),
            "--seed" => args.seed = Some(number()?),
            "--world" => args.world = Some(number()?),
            "--crashes" => args.crashes = Some(Crashes::PerMille(u32::try_from(number()?)?)),
            "--crash-before" => args.crashes = Some(Crashes::At { write: number()?, made: false }),
            "--crash-after" => args.crashes = Some(Crashes::At { write: number()?, made: true }),
            "--unheard" => args.unheard = true,
            "--sqlite-world" => args.sqlite_world = true,
            "--every-boundary" => args.every_boundary = true,
            "--json" => args.json = true,
            _ => bail!("{word} is not an argument of this program"),
        }
    }
    Ok(args)
}
