//! One task, through any number of deaths of its host.

use std::time::Duration;

use stationthis_comfydeploy::sim::{Misbehaviour, SimTiming};
use stationthis_core::cost::UsageBasis;
use tokio::sync::Semaphore;

use crate::check;
use crate::scene::{Machine, Scene, timing};

/// Hosts at a time, over all tests of this file: few, as each is a process and machines that test have few cores.
static HOSTS: Semaphore = Semaphore::const_new(3);

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With outputs.
    Completed,
    /// As a wish.
    Cancelled,
    /// The submission was never sent, and nothing is charged.
    NeverSubmitted,
    /// The service refused the submission, and nothing is charged.
    Refused,
    /// The run failed, for a reason that was found.
    RunFailed,
    /// By its deadline, while its run goes on; nobody knows the cost.
    TimedOut,
}

/// Where the host dies, and what must come of it all the same.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Where it dies, one life after the other.
    pub halts: &'static [&'static str],
    pub machine: Machine,
    /// Do webhooks arrive?
    pub hooks: bool,
    /// Is a file one of its inputs?
    pub file: bool,
    /// Is the task cancelled once it runs?
    pub cancel: bool,
    /// Is it completed only when its outputs are kept?
    pub custody: bool,
    /// What else the service does wrong.
    pub fault: fn(Misbehaviour) -> Misbehaviour,
    pub end: End,
}

impl Case {
    /// Without a single webhook, and never cancelled.
    pub fn new(halts: &'static [&'static str], machine: Machine, end: End) -> Self {
        Self { halts, machine, hooks: false, file: false, cancel: false, custody: false, fault: |well| well, end }
    }

    pub fn dies_at(&self, point: &str) -> bool {
        self.halts.contains(&point)
    }

    /// Does the run end while no host is there to see it?
    pub fn ends_unseen(&self) -> bool {
        self.dies_at("before:submitted") || self.dies_at("after:submitted")
    }

    fn timing(&self) -> SimTiming {
        match (self.cancel, self.machine) {
            (false, _) => timing(),
            // The wish must find it running, after a restart too; on a classic machine it runs on to its own end.
            (true, Machine::Serverless) => SimTiming { per_node: Duration::from_secs(3), ..timing() },
            (true, Machine::Classic) => SimTiming { per_node: Duration::from_millis(300), ..timing() },
        }
    }

    /// Plays it; the basis of its cost.
    pub async fn play(self) -> UsageBasis {
        let _turn = HOSTS.acquire().await.unwrap();
        let hooks_lost = if self.hooks { 0.0 } else { 1.0 };
        let misbehaviour = (self.fault)(Misbehaviour { hooks_lost, ..Misbehaviour::default() });
        let mut scene = Scene::new(self.machine, self.timing(), misbehaviour).await;
        scene.file = self.file;
        if self.end == End::TimedOut {
            scene.set("STATIONTHIS_TASK_DEADLINE_S", "2");
        }
        if self.custody {
            scene.set("STATIONTHIS_CUSTODY", "true");
        }
        scene.play(&format!("{self:?}"), self.act(&scene)).await
    }

    async fn act(&self, scene: &Scene) -> UsageBasis {
        let mut first = None;
        for halt in self.halts {
            let host = scene.host(Some(halt));
            tokio::select! {
                () = host.halted() => {}
                never = self.ask(scene, &mut first) => match never {}
            }
            host.kill().await;
            if halt.ends_with(":submitted") {
                scene.runs_ended().await;
            }
        }
        let host = scene.host(None);
        let task = scene.run().await;
        let id = task["taskId"].as_str().unwrap().to_owned();
        assert!(first.as_ref().is_none_or(|first| *first == id), "{self:?}: another task for the same key");
        if self.dies_at("before:cancelAsked") {
            // Nobody heard the wish, and whoever made it knows.
            scene.cancel(&id).await;
        }
        scene.ended(&id).await;
        assert!(host.terminate().await, "{self:?}: no clean end\n{}", scene.log());
        check::all(self, scene, &id).await
    }

    /// What a client does until the host dies under it.
    async fn ask(&self, scene: &Scene, first: &mut Option<String>) -> std::convert::Infallible {
        let task = scene.run().await;
        let id = first.insert(task["taskId"].as_str().unwrap().to_owned());
        if self.cancel {
            scene.reached(id, "running").await;
            scene.cancel(id).await;
        }
        std::future::pending().await
    }
}
