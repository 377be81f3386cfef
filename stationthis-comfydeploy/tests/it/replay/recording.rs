//! A recording as data.

use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;

/// The recordings that are of no single run.
const NOT_RUNS: [&str; 4] = ["errors", "failed_run_four_views", "files", "lists"];

/// One recorded run. Times are seconds after the queue call answered; a hook may come before.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Recording {
    #[serde(skip)]
    pub(crate) name: String,
    /// When the queue call answered, in seconds since 1970.
    pub(crate) t0: f64,
    requests: Vec<Exchange>,
    #[serde(default)]
    mid: Vec<Exchange>,
    #[serde(default, rename = "polls_on_change")]
    polls: Vec<Poll>,
    webhooks: Vec<Hook>,
    /// What a redirected hook's target received.
    #[serde(default)]
    target: Vec<Hook>,
    #[serde(default, rename = "final")]
    last: Option<Answer>,
    /// The run as the service's database had it, where the queue call answered with an error.
    #[serde(default)]
    row: Option<String>,
}

/// A request and its answer.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) json: Option<Value>,
    pub(crate) status: u16,
    pub(crate) seconds: f64,
    pub(crate) body: String,
}

/// `GET /run/{id}` when it had changed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Poll {
    pub(crate) rel: f64,
    pub(crate) status: u16,
    pub(crate) body: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// One delivery of a webhook, retries included.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Hook {
    /// When it arrived, in seconds since 1970.
    pub(crate) t: f64,
    pub(crate) rel: f64,
    pub(crate) method: String,
    pub(crate) headers: std::collections::BTreeMap<String, String>,
    /// The exact bytes.
    pub(crate) body: String,
}

impl Recording {
    /// The names of all recordings of runs.
    pub(crate) fn names() -> Vec<String> {
        let entries = std::fs::read_dir(folder()).unwrap();
        let names = entries.map(|e| e.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| !NOT_RUNS.contains(&name.as_str())).collect();
        names.sort();
        names
    }

    /// The recording of that name.
    pub(crate) fn load(name: &str) -> Self {
        let recording: Self = serde_json::from_value(read(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        Self { name: name.to_owned(), ..recording }
    }

    /// The call that made the run: to `/run/deployment/queue`, in one recording to `/run/deployment/sync`.
    pub(crate) fn queue(&self) -> &Exchange {
        self.requests.iter().find(|r| r.path.starts_with("/run/deployment/")).unwrap()
    }

    /// The answer to the cancel call, where there was one.
    pub(crate) fn cancel(&self) -> Option<&Exchange> {
        self.requests.iter().chain(&self.mid).find(|r| r.path.ends_with("/cancel"))
    }

    pub(crate) fn deployment_id(&self) -> String {
        self.queue().json.as_ref().unwrap()["deployment_id"].as_str().unwrap().to_owned()
    }

    /// The inputs that were sent.
    pub(crate) fn inputs(&self) -> serde_json::Map<String, Value> {
        self.queue().json.as_ref().unwrap()["inputs"].as_object().unwrap().clone()
    }

    /// The run's id, where the queue call answered with one.
    pub(crate) fn run_id(&self) -> Option<String> {
        let answer: Value = serde_json::from_str(&self.queue().body).ok()?;
        Some(answer.get("run_id")?.as_str()?.to_owned())
    }

    /// The run that the service made although its queue call answered with an error: from the database, or from the
    /// workflow's run list.
    pub(crate) fn row(&self) -> Option<Value> {
        if let Some(row) = &self.row {
            return serde_json::from_str(row).ok();
        }
        let list = self.requests.iter().find(|r| r.path.ends_with("/runs"))?;
        let rows: Vec<Value> = serde_json::from_str(&list.body).ok()?;
        rows.into_iter().next()
    }

    /// Every delivery in the order of arrival.
    pub(crate) fn hooks(&self) -> &[Hook] {
        &self.webhooks
    }

    /// The distinct status answers in their order; empty when the run was not followed.
    pub(crate) fn polls(&self) -> &[Poll] {
        &self.polls
    }

    /// The body of the last status answer.
    pub(crate) fn last(&self) -> Option<&str> {
        self.last.as_ref().map(|answer| answer.body.as_str())
    }

    /// The status answer at a position: the last one recorded up to it, before all of them the first.
    pub(crate) fn poll_at(&self, rel: f64) -> Option<(u16, &str)> {
        if let (true, Some(last)) = (rel.is_infinite(), &self.last) {
            return Some((last.status, &last.body));
        }
        let poll = self.polls.iter().rev().find(|poll| poll.rel <= rel).or_else(|| self.polls.first())?;
        Some((poll.status, &poll.body))
    }
}

/// The JSON of a recording, also one that is of no run.
pub(crate) fn read(name: &str) -> Value {
    let path = folder().join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"))).unwrap()
}

fn folder() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let beside = here.join("../stationthis-comfydeploy/tests/recordings");
    [here.join("tests/recordings"), beside].into_iter().find(|path| path.join("lists.json").is_file()).unwrap()
}
