//! The registry with 2,000 tools: names, snapshots, a restart, and what is done with one tool.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result};
use criterion::{BatchSize, Criterion};
use serde_json::{Map, Value};
use stationthis_comfydeploy::sim::{Sim, SimCatalogue, SimConfig, SimServer, SimTiming};
use stationthis_core::registry::{RegistryPolicy, Resolution, ToolRegistry};
use stationthis_core::station::Station;
use stationthis_core::tool::validate::InputValidator;
use stationthis_core::{CallerId, SystemClock};

/// A large account.
const TOOLS: u32 = 2_000;
/// What the host of the start-up target restores.
const RESTORED: u32 = 1_000;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut criterion = Criterion::default().configure_from_args();

    let (sim, station) = runtime.block_on(discovered(TOOLS))?;
    names(&mut criterion, station.registry())?;
    one_tool(&mut criterion, &station)?;
    drop(sim);

    let (sim, station) = runtime.block_on(discovered(RESTORED))?;
    restart(&mut criterion, station.registry(), &sim.base_url())?;
    criterion.final_summary();
    Ok(())
}

/// A station that knows a simulated account; one tool has been renamed since.
async fn discovered(workflows: u32) -> Result<(SimServer, Station)> {
    let catalogue = SimCatalogue::sized(workflows);
    let sim = Sim::serve(SimConfig { catalogue, timing: SimTiming::instant(), ..SimConfig::default() }).await?;
    let provider = Arc::new(stationthis_benches::provider(&sim.base_url())?);
    let station = Station::builder().provider(provider).build()?;
    station.refresh().await?;
    sim.sim.rename_workflow("Workflow 00007", "Renamed");
    station.refresh().await?;
    Ok((sim, station))
}

fn names(criterion: &mut Criterion, registry: &ToolRegistry) -> Result<()> {
    let snapshot = registry.snapshot();
    let renamed = snapshot.tools().iter().find(|tool| !tool.definition().aliases.is_empty());
    let tool = renamed.context("no tool has an alias")?.definition();
    let alias = tool.aliases.first().context("no alias")?;
    let mut group = criterion.benchmark_group("registry of 2,000");
    for (what, name) in [("id", tool.tool_id.as_str()), ("slug", &tool.slug), ("alias", alias)] {
        anyhow::ensure!(matches!(snapshot.resolve(name), Resolution::Exact(_)), "{name} is not found");
        group.bench_function(format!("resolve by {what}"), |b| b.iter(|| black_box(snapshot.resolve(black_box(name)))));
    }
    group.bench_function("resolve an unknown name, with suggestions", |b| {
        b.iter(|| black_box(snapshot.resolve(black_box("workflwo-00007"))));
    });
    group.bench_function("snapshot", |b| b.iter(|| black_box(registry.snapshot())));
    group.finish();
    Ok(())
}

fn one_tool(criterion: &mut Criterion, station: &Station) -> Result<()> {
    let snapshot = station.registry().snapshot();
    let most = snapshot.tools().iter().max_by_key(|tool| tool.definition().input_schema.as_str().len());
    let tool = most.context("no tool")?;
    let inputs = valid_inputs(&tool.definition().input_schema.to_value());
    let validator = tool.validator()?;
    if let Err(problems) = validator.check(&inputs) {
        anyhow::bail!("the inputs are not valid: {problems:?}");
    }
    let caller = station.as_caller(CallerId::new("bench")?);
    let slug = tool.definition().slug.as_str();
    caller.quote(slug, &inputs)?;

    let mut group = criterion.benchmark_group("one tool");
    group.bench_function("compile its schema", |b| {
        b.iter(|| black_box(InputValidator::compile(&tool.definition().input_schema)));
    });
    group.bench_function("validate its inputs", |b| b.iter(|| black_box(validator.check(black_box(&inputs)))));
    group.bench_function("quote: resolve, validate, price", |b| {
        b.iter(|| black_box(caller.quote(slug, black_box(&inputs))));
    });
    group.finish();
    Ok(())
}

/// A value for each input: its default, else one by its type.
fn valid_inputs(schema: &Value) -> Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let value = |property: &Value| match property.get("type").and_then(Value::as_str) {
        _ if property.get("default").is_some() => property.get("default").cloned().unwrap_or_default(),
        Some("integer" | "number") => property.get("minimum").cloned().unwrap_or_else(|| Value::from(1)),
        Some("boolean") => Value::from(true),
        _ if property.get("format").is_some() => Value::from("https://assets.example.com/in.png"),
        _ => Value::from("a red fox in deep snow at dawn"),
    };
    properties.iter().map(|(name, property)| (name.clone(), value(property))).collect()
}

fn restart(criterion: &mut Criterion, registry: &ToolRegistry, base_url: &str) -> Result<()> {
    let bytes = registry.export()?;
    let provider = Arc::new(stationthis_benches::provider(base_url)?);
    let empty = || ToolRegistry::new(vec![provider.clone()], Arc::new(SystemClock), RegistryPolicy::default());
    empty()?.restore(&bytes)?;
    let mut group = criterion.benchmark_group("registry of 1,000");
    group.sample_size(20);
    group.bench_function("export", |b| b.iter(|| black_box(registry.export())));
    group.bench_function("restore", |b| {
        b.iter_batched(
            empty,
            |registry| {
                let done = registry.and_then(|registry| registry.restore(&bytes).map(|()| registry));
                black_box(done)
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
    Ok(())
}
