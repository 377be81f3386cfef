//! What Prometheus gets of a host, against what the host's records say.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::bench::client;
use crate::commands::{Host, program};

/// The samples of a scrape by name and labels; each line must be one, or tell about one.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut told = BTreeSet::new();
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (kind, name) = (words.next().unwrap(), words.next().unwrap());
            assert!(["HELP", "TYPE"].contains(&kind) && words.next().is_some_and(|text| !text.is_empty()), "{line}");
            told.insert((kind.to_owned(), name.to_owned()));
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        for kind in ["HELP", "TYPE"] {
            assert!(told.contains(&(kind.to_owned(), family.to_owned())), "no {kind} of {family}");
        }
        assert!(found.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{series} twice");
    }
    found
}

fn nanos(cost: &Value) -> f64 {
    cost.as_str().unwrap().replace('.', "").parse().unwrap()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_says_what_the_records_say() {
    let dir = tempfile::tempdir().unwrap();
    let mut serve = program(dir.path());
    serve.args(["serve", "--sim", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut host = Host(serve.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(host.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let http = client();
    let get = async |path: &str| http.get(format!("{url}{path}")).send().await.unwrap();
    // The catalogue comes a moment after the port.
    while get("/api/internal/tools/sdxl-portrait").await.status() == 404 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for steps in 1..=3 {
        let body = json!({ "inputs": { "steps": steps }, "notify": [{ "channel": "log" }] });
        let run = http.post(format!("{url}/api/internal/run/sdxl-portrait?wait=30")).json(&body);
        let task: Value = run.send().await.unwrap().json().await.unwrap();
        assert_eq!(task["status"], "completed", "{task}");
        let forged = format!("{url}/api/webhook/comfydeploy/{}", task["taskId"].as_str().unwrap());
        assert_eq!(http.post(forged).body("{}").send().await.unwrap().status(), 401);
    }

    let tasks = async || get("/api/internal/tasks").await.json::<Value>().await.unwrap()["tasks"].clone();
    // Webhooks may still come after the ends: a scrape counts when nothing moved around it.
    let (tasks, scraped) = loop {
        let before = tasks().await;
        let notices: Value = get("/api/internal/notices").await.json().await.unwrap();
        let answer = get("/metrics").await;
        assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let scraped = samples(&answer.text().await.unwrap());
        let told = notices["notices"].as_array().unwrap().iter().all(|notice| notice["state"] == "delivered");
        let waiting = scraped.get("stationthis_inbox_webhooks") != Some(&0.0);
        if told && !waiting && before == tasks().await {
            break (before.as_array().unwrap().clone(), scraped);
        }
    };
    let counted = |name: &str| tasks.iter().map(|task| task["counters"][name].as_f64().unwrap()).sum::<f64>();
    let of = |name: &str, labels: &str| {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        *scraped.get(&format!("stationthis_{name}{labels}")).unwrap_or(&0.0)
    };
    let provider = "provider=\"comfydeploy\"";
    assert_eq!(of("tasks_accepted_total", provider), 3.0);
    assert_eq!(of("tasks_ended_total", &format!("{provider},status=\"completed\"")), 3.0);
    assert_eq!(of("submissions_total", &format!("{provider},outcome=\"submitted\"")), 3.0);
    let costs: f64 = tasks.iter().map(|task| nanos(&task["costUsd"])).sum();
    assert!(costs > 0.0);
    assert_eq!(of("settled_nanousd_total", provider), costs);
    assert_eq!(of("polls_total", &format!("{provider},outcome=\"answered\"")), counted("polls"));
    assert!(counted("webhooksKept") > 0.0);
    assert_eq!(of("webhooks_total", &format!("{provider},outcome=\"kept\"")), counted("webhooksKept"));
    let ignored =
        ["ignored", "copy", "unreadable"].map(|o| of("webhooks_total", &format!("{provider},outcome=\"{o}\"")));
    assert_eq!(ignored.iter().sum::<f64>(), counted("webhooksIgnored"));
    assert_eq!(of("webhooks_refused_total", "reason=\"unauthorized\""), 3.0);
    assert_eq!(of("notice_attempts_total", "channel=\"log\",outcome=\"delivered\""), 3.0);
    assert_eq!(of("end_lag_seconds_count", provider), 3.0);
    assert!(of("poll_late_seconds_count", provider) >= 3.0 && of("commit_seconds_count", "") >= 9.0);
    let route = "method=\"POST\",route=\"/api/internal/run/{workflow_name}\"";
    assert_eq!(of("http_requests_total", &format!("{route},status=\"200\"")), 3.0);
    assert_eq!(of("http_request_seconds_count", route), 3.0);
    for (gauge, value) in [("tasks_need_review", 0.0), ("inbox_webhooks", 0.0), ("outbox_pending_notices", 0.0)] {
        assert_eq!(scraped.get(&format!("stationthis_{gauge}")), Some(&value), "{gauge}");
    }
    assert_eq!(scraped.get(&format!("stationthis_tasks{{{provider},status=\"running\"}}")), Some(&0.0));
    let ids: Vec<_> = tasks.iter().map(|task| task["taskId"].as_str().unwrap()).collect();
    assert!(scraped.keys().all(|series| ids.iter().all(|id| !series.contains(id))), "no label is a task");
}
