//! The truth: what the hostile provider did, whatever it said.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rust_decimal::Decimal;

use crate::cost::{Unit, Usage, UsageBasis};
use crate::id::{ProviderId, RunId, TaskId};
use crate::task::output::{Output, OutputKind};
use crate::task::report::{RunReport, RunStatus, RunTimes};
use crate::testkit::campaign::hooks::{HookCounts, HookPlan};
use crate::testkit::campaign::rng::Rng;
use crate::time::Timestamp;

/// One run as it really was.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) provider: ProviderId,
    pub(super) task: TaskId,
    pub(super) made_at: Timestamp,
    pub(super) started_at: Timestamp,
    /// `None`: it goes on for ever.
    pub(super) ended_at: Option<Timestamp>,
    pub(super) end: RunStatus,
    pub(super) outputs: Vec<Output>,
    /// Outputs show a little after the end.
    pub(super) outputs_at: Timestamp,
    /// Which of its times the provider tells.
    pub(super) tells: Tells,
    /// How wrong the provider's clock is.
    pub(super) skew_ms: i64,
    pub(super) resource: Option<&'static str>,
    /// What the provider counts itself.
    pub(super) credits: Option<u32>,
    /// How long its URLs are good; `None`: for ever.
    pub(super) urls: Option<Urls>,
}

/// URLs that end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Urls {
    /// From the answer that names one.
    pub(super) life: Duration,
    /// From then on the service names no new ones.
    pub(super) gone_at: Timestamp,
}

impl Urls {
    /// Where an answer of now names them, they are good until then.
    fn end(self, now: Timestamp) -> Timestamp {
        now.min(self.gone_at).plus(self.life)
    }

    /// From when on none of them is good.
    pub(super) fn last_end(self) -> Timestamp {
        self.gone_at.plus(self.life)
    }
}

/// Which of its times a provider tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tells {
    Everything,
    /// As services without a start.
    Nothing,
    /// A start after the end.
    Nonsense,
}

impl Run {
    pub(super) fn ended_by(&self, now: Timestamp) -> bool {
        self.ended_at.is_some_and(|at| at <= now)
    }

    /// What it says of itself at some time.
    pub(super) fn report_at(&self, now: Timestamp) -> RunReport {
        let status = match () {
            () if self.ended_by(now) => self.end,
            () if self.started_at <= now => RunStatus::Running,
            () => RunStatus::Queued,
        };
        let mut report = RunReport::new(self.id.clone(), status, format!("{status:?}").to_lowercase());
        if status.is_terminal() {
            if self.outputs_at <= now {
                report.outputs.clone_from(&self.outputs);
                if let Some(urls) = self.urls {
                    report.outputs.iter_mut().for_each(|output| sign(output, urls.end(now)));
                }
            }
            report.usage =
                self.credits.map(|credits| Usage::of(Unit::Credit, Decimal::from(credits), UsageBasis::Reported));
        }
        report.times = self.times_at(now);
        report.resource = self.resource.filter(|_| status != RunStatus::Queued).map(str::to_owned);
        report
    }

    fn times_at(&self, now: Timestamp) -> RunTimes {
        let told = |at: Timestamp| Timestamp::from_micros(at.as_micros() + self.skew_ms * 1000);
        let reached = |at: Timestamp| (at <= now).then(|| told(at));
        let (created_at, started_at) = (Some(told(self.made_at)), reached(self.started_at));
        let ended_at = self.ended_at.and_then(reached);
        match self.tells {
            Tells::Everything => RunTimes { created_at, queued_at: started_at, started_at, ended_at },
            Tells::Nothing => RunTimes { created_at, ..RunTimes::default() },
            Tells::Nonsense => RunTimes {
                created_at,
                queued_at: None,
                started_at: ended_at.and(started_at),
                ended_at: created_at.filter(|_| ended_at.is_some()).map(|at| at.minus(Duration::from_secs(1))),
            },
        }
    }

    /// Microseconds of work until its end, or until `now` when that is earlier.
    pub(super) fn worked_micros(&self, now: Timestamp) -> i64 {
        let end = self.ended_at.map_or(now, |end| end.min(now));
        end.micros_since(self.started_at).max(0)
    }
}

/// Runs that are looked at for one of another task: nearly always there is one among them.
const OTHERS_TRIED: usize = 20;

/// What it did and was asked, over all its instances.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) runs: Vec<Run>,
    by_id: HashMap<(ProviderId, RunId), usize>,
    pub(super) by_task: BTreeMap<TaskId, Vec<usize>>,
    /// When a poll first answered with the end of a run.
    pub(super) end_polled: BTreeMap<usize, Timestamp>,
    /// Webhooks that are to be sent.
    pub(super) hooks: Vec<HookPlan>,
    pub(super) hook_counts: HookCounts,
    /// Webhooks that the station has taken, and when.
    pub(super) taken: Vec<(HookPlan, Timestamp)>,
    pub(super) rng: Rng,
    pub(super) submissions: u64,
    pub(super) polls: u64,
    pub(super) lookups: u64,
}

impl Books {
    pub(super) fn new(rng: Rng) -> Self {
        Self {
            runs: Vec::new(),
            by_id: HashMap::new(),
            by_task: BTreeMap::new(),
            end_polled: BTreeMap::new(),
            hooks: Vec::new(),
            hook_counts: HookCounts::default(),
            taken: Vec::new(),
            rng,
            submissions: 0,
            polls: 0,
            lookups: 0,
        }
    }

    pub(super) fn add(&mut self, run: Run) -> usize {
        let nth = self.runs.len();
        self.by_id.insert((run.provider.clone(), run.id.clone()), nth);
        self.by_task.entry(run.task).or_default().push(nth);
        self.runs.push(run);
        nth
    }

    pub(super) fn nth(&self, provider: &ProviderId, id: &RunId) -> Option<usize> {
        self.by_id.get(&(provider.clone(), id.clone())).copied()
    }

    /// A run of another task at the same provider that the station has asked about, so that it knows whose it is.
    ///
    /// A service that names, in one task's webhook, the run of another whose own answer was lost cannot be seen through
    /// where runs cannot be looked up: that is beyond what is played here.
    pub(super) fn another(&self, run: &Run, drawn: u64) -> Option<&Run> {
        let known = self.end_polled.len();
        let from = usize::try_from(drawn).unwrap_or(0).checked_rem(known)?;
        let others = self.end_polled.keys().cycle().skip(from).take(known.min(OTHERS_TRIED));
        let mut others = others.filter_map(|nth| self.runs.get(*nth));
        others.find(|other| other.provider == run.provider && other.task != run.task)
    }

    /// The runs that were made for a task.
    pub(super) fn runs_of(&self, task: TaskId) -> impl Iterator<Item = (usize, &Run)> {
        let nths = self.by_task.get(&task).map_or(&[][..], Vec::as_slice);
        nths.iter().filter_map(|nth| Some((*nth, self.runs.get(*nth)?)))
    }
}

/// As storages do: the same address with another signature.
fn sign(output: &mut Output, end: Timestamp) {
    output.url = output.url.take().map(|url| format!("{url}?until={}", end.as_micros()));
    output.expires_at = Some(end);
}

/// The outputs of a run.
pub(super) fn outputs_of(run: &RunId, count: u64) -> Vec<Output> {
    (0..count).map(|n| Output::file(OutputKind::Image, format!("https://b.example/{run}/{n}.png"))).collect()
}
