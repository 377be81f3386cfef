//! One world: a station, everything around it, and a scheduler of virtual time.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::error::{ErrorKind, Result, Retry};
use crate::secret::Secret;
use crate::station::Station;
use crate::store::TaskStore;
use crate::task::TaskRecord;
use crate::task::policy::Policy;
use crate::testkit::campaign::OpenStore;
use crate::testkit::campaign::books::Books;
use crate::testkit::campaign::client::{self, Asked};
use crate::testkit::campaign::custody::HostileCustody;
use crate::testkit::campaign::hooks::{self, HookPlan, PUBLIC_URL};
use crate::testkit::campaign::provider::{Class, HostileProvider, Outside};
use crate::testkit::campaign::receiver::{CampaignNotifier, Receivers};
use crate::testkit::campaign::rng::Rng;
use crate::testkit::campaign::scenario::Scenario;
use crate::testkit::campaign::store::{Control, MortalStore, at_once};
use crate::time::{Clock, Timestamp, TokioClock};
use crate::webhook::CallbackKeys;

/// When every world begins, in microseconds: 2025-11-24.
const START_MICROS: i64 = 1_764_000_000_000_000;

/// Looks of the station that may be under way at a time: one waits as long as the slowest call in it.
const TICKS_MAX: usize = 64;

/// The longest sleep of the station's loops.
const IDLE: Duration = Duration::from_secs(2);

/// Steps of the scheduler per task before a world counts as one that never rests: a task takes some hundred.
const STEPS_PER_TASK_MAX: u64 = 3_000;

/// Attempts of a service to deliver a webhook, as ComfyDeploy's.
const HOOK_TRIES: u32 = 3;

/// The name of the station in every life.
const INSTANCE: &str = "campaign";

/// The longest that the process stays dead.
pub(super) const DOWN_MAX: Duration = Duration::from_secs(300);

type Flight = Pin<Box<dyn Future<Output = Landed> + Send>>;

/// What is to happen at some time.
#[derive(Clone, Debug)]
enum Act {
    Start,
    Ask(usize),
    Repeat(usize),
    Cancel(usize),
    Hook { plan: HookPlan, tries: u32 },
}

/// What came of something that took its time.
#[derive(Debug)]
enum Landed {
    Started(Result<(Arc<dyn TaskStore>, Station)>),
    Ticked(Result<usize>),
    Asked(u64, usize, Result<TaskRecord>),
    Cancelled(u64, Result<TaskRecord>),
    HookTaken(u64, HookPlan, u32, Result<()>),
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) crashes: u64,
    pub(super) ticks: u64,
    /// What was seen to be wrong while it ran.
    pub(super) wrong: Vec<String>,
}

/// One world.
pub(super) struct World {
    pub(super) outside: Arc<Outside>,
    pub(super) receivers: Arc<Receivers>,
    pub(super) asked: Vec<Asked>,
    pub(super) tally: Tally,
    control: Arc<Control>,
    keys: CallbackKeys,
    open: OpenStore,
    station: Option<(Arc<dyn TaskStore>, Station)>,
    flights: FuturesUnordered<Flight>,
    ticks: usize,
    agenda: BTreeMap<(Timestamp, u64), Act>,
    /// Acts that are under way: a crash interrupts them.
    under_way: BTreeMap<u64, Act>,
    count: u64,
    rng: Rng,
}

impl World {
    /// Must be made within a paused tokio runtime.
    pub(super) fn new(scenario: &Scenario, open: OpenStore) -> Result<Self> {
        let mut rng = Rng::new(scenario.seed);
        let start = Timestamp::from_micros(START_MICROS);
        let clock = TokioClock::starting_at(start);
        let outside = Arc::new(Outside::new(scenario.clone(), clock, Books::new(rng.fork())));
        let receivers = Receivers::new(rng.fork());
        let control = Arc::new(Control::new(rng.fork(), scenario.crashes, scenario.store_faults));
        let asked = client::load(scenario, &mut rng.fork())?;
        let keys = CallbackKeys::new("c1", Secret::new("campaign".repeat(8)))?;
        let mut world = Self {
            outside,
            receivers,
            asked,
            tally: Tally::default(),
            control,
            keys,
            open,
            station: None,
            flights: FuturesUnordered::new(),
            ticks: 0,
            agenda: BTreeMap::new(),
            under_way: BTreeMap::new(),
            count: 0,
            rng,
        };
        world.at(start, Act::Start);
        for nth in 0..world.asked.len() {
            let after = world.asked.get(nth).map_or(Duration::ZERO, |asked| asked.after);
            world.at(start.plus(after), Act::Ask(nth));
        }
        Ok(world)
    }

    fn now(&self) -> Timestamp {
        self.outside.clock.now()
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn at(&mut self, at: Timestamp, act: Act) {
        let nth = self.next();
        self.agenda.insert((at, nth), act);
    }

    fn after(&mut self, pause: Duration, act: Act) {
        self.at(self.now().plus(pause), act);
    }

    /// Plays until nothing is left to do; then the store and the station, as they are in the end.
    pub(super) async fn play(&mut self) -> Result<Option<(Arc<dyn TaskStore>, Station)>> {
        let steps_max = STEPS_PER_TASK_MAX * (self.asked.len() as u64 + 1);
        for _ in 0..steps_max {
            if self.control.died() {
                self.crash();
            }
            if self.control.faulted() {
                // As the station's own loops look again.
                self.control.wake_by(Some(self.now().plus(IDLE)));
            }
            self.plan_hooks();
            self.launch_due();
            self.look();
            let wake_at = self.control.wake_at();
            if self.flights.is_empty() && self.agenda.is_empty() && wake_at.is_none() && self.station.is_some() {
                self.control.leash();
                return Ok(self.station.clone());
            }
            let can_look = self.station.is_some() && self.ticks < TICKS_MAX;
            let next =
                self.agenda.keys().next().map(|(at, _)| *at).into_iter().chain(wake_at.filter(|_| can_look)).min();
            let pause = next.map(|at| at.since(self.now()));
            let control = self.control.clone();
            let landed = tokio::select! {
                biased;
                Some(landed) = self.flights.next() => Some(landed),
                () = control.changed.notified() => None,
                () = sleep(pause) => None,
            };
            if let Some(landed) = landed {
                self.landed(landed);
            }
        }
        let (wake_at, flights) = (self.control.wake_at(), self.flights.len());
        self.tally.wrong.push(format!("the world never rests: {flights} under way, next at {wake_at:?}"));
        Ok(None)
    }

    /// The process is gone, and with it everything that it had not written.
    fn crash(&mut self) {
        self.tally.crashes += 1;
        self.flights = FuturesUnordered::new();
        (self.station, self.ticks) = (None, 0);
        self.control.reborn();
        let down = match self.rng.below(20) {
            0..=13 => self.rng.millis(50, 5000),
            14..=18 => self.rng.millis(5000, 60_000),
            _ => self.rng.millis(60_000, 300_000),
        };
        self.after(down, Act::Start);
        for act in std::mem::take(&mut self.under_way).into_values() {
            self.again(act);
        }
    }

    /// Whoever was interrupted, or refused for the moment, comes again.
    fn again(&mut self, act: Act) {
        match act {
            Act::Start => self.after(Duration::from_secs(1), Act::Start),
            Act::Ask(_) | Act::Repeat(_) | Act::Cancel(_) => {
                let pause = self.rng.millis(500, 10_000);
                self.after(pause, act);
            }
            Act::Hook { plan, tries } if tries < HOOK_TRIES => {
                self.after(Duration::from_secs(1), Act::Hook { plan, tries: tries + 1 });
            }
            Act::Hook { .. } => {}
        }
    }

    fn plan_hooks(&mut self) {
        let plans = std::mem::take(&mut self.outside.books().hooks);
        for plan in plans {
            self.at(plan.at, Act::Hook { plan, tries: 1 });
        }
    }

    fn launch_due(&mut self) {
        let now = self.now();
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let act = entry.remove();
            self.launch(act);
        }
    }

    fn launch(&mut self, act: Act) {
        let nth = self.next();
        let Some((_, station)) = self.station.clone() else {
            match act {
                Act::Start => self.flights.push(self.start()),
                Act::Ask(_) | Act::Repeat(_) | Act::Cancel(_) | Act::Hook { .. } => self.again(act),
            }
            return;
        };
        let flight: Flight = match &act {
            Act::Start => return,
            Act::Ask(n) | Act::Repeat(n) => {
                let n = *n;
                let Some(asked) = self.asked.get(n) else { return };
                let (caller, request) = (station.as_caller(asked.caller.clone()), asked.request.clone());
                Box::pin(async move { Landed::Asked(nth, n, caller.run(request).await) })
            }
            Act::Cancel(n) => {
                let n = *n;
                let Some(asked) = self.asked.get(n) else { return };
                let Some(task) = asked.answers.first().copied() else { return };
                let caller = station.as_caller(asked.caller.clone());
                Box::pin(async move { Landed::Cancelled(nth, caller.cancel(task).await) })
            }
            Act::Hook { plan, tries } => match self.hook(&station, nth, plan.clone(), *tries) {
                Some(flight) => flight,
                None => return,
            },
        };
        self.under_way.insert(nth, act);
        self.flights.push(flight);
    }

    fn start(&self) -> Flight {
        let (open, control) = (self.open.clone(), self.control.clone());
        let (outside, receivers, keys) = (self.outside.clone(), self.receivers.clone(), self.keys.clone());
        Box::pin(async move {
            let started = async {
                let inner = at_once(open())?;
                let store = Arc::new(MortalStore::new(inner.clone(), control));
                let mut builder = Station::builder()
                    .store(store)
                    .clock(Arc::new(outside.clock))
                    .callback_keys(keys)
                    .public_url(Some(PUBLIC_URL.to_owned()))
                    .policy(policy())
                    .notifier(Arc::new(CampaignNotifier(receivers)))
                    .instance(INSTANCE);
                if let Some(faults) = outside.scenario.keep_faults {
                    builder = builder.custody(Arc::new(HostileCustody { outside: outside.clone(), faults }));
                }
                for class in Class::ALL {
                    builder = builder.provider(Arc::new(HostileProvider::new(class, outside.clone())?));
                }
                let station = builder.build()?;
                station.resume().await?;
                if station.registry().snapshot().tools().is_empty() {
                    station.refresh().await?;
                }
                Ok((inner, station))
            };
            Landed::Started(started.await)
        })
    }

    fn hook(&mut self, station: &Station, nth: u64, plan: HookPlan, tries: u32) -> Option<Flight> {
        let now = self.now();
        let request = {
            let mut books = self.outside.books();
            let drawn = books.rng.next();
            let run = books.runs.get(plan.run)?;
            let other = books.another(run, drawn).cloned().and_then(|other| {
                let until = now.plus(Duration::from_secs(3600));
                let url = self.keys.url(PUBLIC_URL, &other.provider, other.task, until)?;
                Some((other, url))
            });
            let class = Class::ALL.into_iter().find(|class| class.name() == run.provider.as_str())?;
            hooks::request(&plan, run, class.auth(), other.as_ref(), now)
        };
        let station = station.clone();
        Some(Box::pin(async move {
            let taken = station.receive_webhook(request).await;
            Landed::HookTaken(nth, plan, tries, taken)
        }))
    }

    /// The station looks for what is due.
    fn look(&mut self) {
        let due = self.control.wake_at().is_some_and(|at| at <= self.now());
        if let Some((_, station)) = self.station.clone().filter(|_| due && self.ticks < TICKS_MAX) {
            self.control.looks();
            self.ticks += 1;
            self.tally.ticks += 1;
            self.flights.push(Box::pin(async move { Landed::Ticked(station.tick().await) }));
        }
    }

    fn landed(&mut self, landed: Landed) {
        match landed {
            Landed::Started(Ok(started)) => {
                self.station = Some(started);
                self.control.unleash();
                self.control.wake_by(Some(self.now()));
            }
            Landed::Started(Err(error)) if error.kind() == ErrorKind::StoreUnavailable => self.again(Act::Start),
            Landed::Started(Err(error)) => self.wrong("the station does not start", &error),
            Landed::Ticked(done) => {
                self.ticks -= 1;
                if done.is_err() {
                    self.control.wake_by(Some(self.now().plus(IDLE)));
                }
            }
            Landed::Asked(nth, n, done) => {
                let act = self.under_way.remove(&nth);
                match (done, act) {
                    (Ok(task), act) => self.answered(n, &task, matches!(act, Some(Act::Ask(_)))),
                    (Err(error), Some(act)) if error.retry() != Retry::Never => self.again(act),
                    (Err(error), _) => self.wrong("a request was refused", &error),
                }
            }
            Landed::Cancelled(nth, done) => {
                let act = self.under_way.remove(&nth);
                match (done, act) {
                    (Ok(_), _) => {}
                    (Err(error), Some(act)) if error.retry() != Retry::Never => self.again(act),
                    (Err(error), _) => self.wrong("a wish to cancel was refused", &error),
                }
            }
            Landed::HookTaken(nth, plan, tries, done) => {
                self.under_way.remove(&nth);
                self.hook_taken(plan, tries, done);
            }
        }
    }

    fn answered(&mut self, n: usize, task: &TaskRecord, first: bool) {
        let Some(asked) = self.asked.get_mut(n) else { return };
        asked.answers.push(task.task_id);
        let (repeated, cancelled) = (asked.repeated_after, asked.cancelled_after);
        if first {
            if let Some(pause) = repeated {
                self.after(pause, Act::Repeat(n));
            }
            if let Some(pause) = cancelled {
                self.after(pause, Act::Cancel(n));
            }
        }
    }

    fn hook_taken(&mut self, plan: HookPlan, tries: u32, done: Result<()>) {
        let forged = plan.kind.is_forged();
        match done {
            Ok(()) if forged => self.tally.wrong.push(format!("a forged webhook was taken: {:?}", plan.kind)),
            Ok(()) => {
                let mut books = self.outside.books();
                books.hook_counts.taken += 1;
                books.taken.push((plan, self.outside.clock.now()));
            }
            Err(error) if error.kind() == ErrorKind::Unauthorized => {
                // An URL ends by itself an hour after the task's deadline.
                self.outside.books().hook_counts.refused += 1;
            }
            Err(_) => self.again(Act::Hook { plan, tries }),
        }
    }

    fn wrong(&mut self, what: &str, error: &crate::Error) {
        self.tally.wrong.push(format!("{what}: {error}"));
    }

    pub(super) fn writes(&self) -> u64 {
        self.control.writes()
    }
}

async fn sleep(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => pending().await,
    }
}

/// Shorter waits than the default: what takes an hour there must be seen to end here.
pub(super) fn policy() -> Policy {
    Policy {
        queue_allowance: Duration::from_secs(300),
        finalizing_deadline: Duration::from_secs(900),
        keep_timeout: Duration::from_secs(60),
        custody_deadline: Duration::from_secs(900),
        default_notify: Vec::new(),
        ..Policy::default()
    }
}
