//! A host killed by SIGKILL under load, and the accounts after it: `sigkill [--kills 50] [--tasks 300] [--seed 1]`.
//!
//! The host is the `stationthis` beside this program, or the one that STATIONTHIS_BIN names.
// It is for people to read.
#![allow(clippy::print_stdout)]

use anyhow::{Context, Result, bail};
use stationthis_benches::sigkill::{Plan, SIMULATE, simulate};

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == SIMULATE).is_some() {
        return runtime.block_on(simulate(words.next()));
    }
    let program = match std::env::var_os("STATIONTHIS_BIN") {
        Some(path) => path.into(),
        None => std::env::current_exe()?.with_file_name("stationthis"),
    };
    let mut plan = Plan { kills: 50, tasks: 300, seed: 1, program };
    while let Some(word) = words.next() {
        let text = words.next().with_context(|| format!("{word} needs a number"))?;
        match word.as_str() {
            "--kills" => plan.kills = text.parse()?,
            "--tasks" => plan.tasks = text.parse()?,
            "--seed" => plan.seed = text.parse()?,
            _ => bail!("{word} is not an argument of this program"),
        }
    }
    let account = runtime.block_on(plan.play())?;
    for (row, value) in &account.rows {
        println!("{row:<32}{value:>10}");
    }
    for wrong in &account.wrong {
        eprintln!("{wrong}");
    }
    if !account.wrong.is_empty() {
        bail!("the accounts are wrong; --seed {} plays the same moments", plan.seed);
    }
    Ok(())
}
