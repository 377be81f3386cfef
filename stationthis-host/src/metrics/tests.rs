use std::collections::BTreeSet;
use std::sync::Mutex;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString};

use super::*;

/// Where operators read what there is.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operate.md");

/// Hears what each metric is, and keeps no sample.
#[derive(Default)]
struct Described(Mutex<BTreeSet<String>>);

impl Described {
    fn hear(&self, key: &KeyName) {
        self.0.lock().unwrap().insert(key.as_str().to_owned());
    }
}

impl Recorder for Described {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.hear(&key);
    }

    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.hear(&key);
    }

    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.hear(&key);
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn the_operators_page_has_every_metric_and_no_other() {
    let described = Described::default();
    metrics::with_local_recorder(&described, describe);
    let page = std::fs::read_to_string(PAGE).unwrap();
    let table = page.split_once("\n## Metrics\n").unwrap().1.split_once("Worth an alert").unwrap().0;
    let first_columns = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let named = first_columns.flat_map(|names| names.split('`').skip(1).step_by(2)).map(str::to_owned);
    assert_eq!(named.collect::<BTreeSet<_>>(), *described.0.lock().unwrap());
}
