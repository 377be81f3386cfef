//! A few dozen small worlds of the seeded campaign. The large ones are played by `.ci/run`.

#[cfg(feature = "sqlite")]
use std::sync::Arc;

#[cfg(feature = "sqlite")]
use stationthis_core::store::{SqliteStore, TaskStore};
use stationthis_core::testkit::campaign::{Crashes, Figures, Outcome, Scenario, play};
#[cfg(feature = "sqlite")]
use stationthis_core::testkit::campaign::{OpenStore, play_over};

/// Nothing is wrong in it; else says how to see it again.
fn check(scenario: &Scenario) -> Outcome {
    let outcome = play(scenario).unwrap();
    let wrong: Vec<String> = outcome.violations.iter().map(ToString::to_string).collect();
    let again = scenario.replay_arguments();
    assert!(wrong.is_empty(), "{wrong:#?}\ncargo run -p stationthis-benches --bin campaign -- {again}");
    outcome
}

#[test]
fn hostile_worlds_lose_nothing_and_charge_nothing_twice() {
    let mut figures = Figures::default();
    for seed in 0..36 {
        figures.add(check(&Scenario::hostile(seed, 25)).figures);
    }
    assert!(figures.crashes > 100, "only {} crashes: the worlds are not hostile", figures.crashes);
    let (kept, given_up) = (figures.outputs_kept, figures.not_kept);
    assert!(kept > 200 && given_up > 5, "only {kept} outputs were kept, and {given_up} tasks without");
}

#[test]
fn the_same_seed_plays_the_same() {
    let scenario = Scenario::hostile(3, 25);
    let (first, again) = (check(&scenario), check(&scenario));
    assert_eq!(first, again);
    assert_ne!(first.trace, check(&Scenario::hostile(4, 25)).trace);
}

/// I5, at every write of a small world and on both sides of it.
#[test]
fn a_crash_at_every_commit_boundary_breaks_no_promise() {
    let scenario = Scenario::hostile(11, 2);
    let writes = check(&scenario.clone().with_crashes(Crashes::Never)).figures.writes;
    for write in 1..=writes {
        for made in [false, true] {
            let outcome = check(&scenario.clone().with_crashes(Crashes::At { write, made }));
            assert_eq!(outcome.figures.crashes, 1, "at write {write}");
        }
    }
}

/// With every webhook lost, the end is found within a tenth of the time since the submission (1 s to 30 s).
#[test]
fn polls_alone_find_the_end_in_time() {
    let mut figures = check(&Scenario::unheard(1, 200)).figures;
    figures.add(check(&Scenario::unheard(2, 200)).figures);
    assert_eq!(figures.lags.len(), 400, "every run was found by polls");
    let share = figures.lag_share(990).unwrap();
    assert!(share <= 1000, "the p99 is {share} thousandths of the limit");
}

/// Each start opens the file again, as the next process does.
#[cfg(feature = "sqlite")]
#[test]
fn a_file_plays_as_memory_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("campaign.sqlite3");
    let open: OpenStore = Arc::new(move || {
        let path = path.clone();
        Box::pin(async move {
            let store: Arc<dyn TaskStore> = Arc::new(SqliteStore::open(path).await?);
            Ok(store)
        })
    });
    let scenario = Scenario::hostile(5, 12);
    let in_memory = check(&scenario);
    assert!(in_memory.figures.crashes > 0);
    assert_eq!(play_over(&scenario, open).unwrap(), in_memory);
}
