//! What a world is made of.

/// One world: a seed, a load, and how hostile everything around the station is.
///
/// The same scenario plays the same, step by step, on every machine (over a store that answers at once; see
/// [`play_over`](super::play_over)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scenario {
    /// Where every number comes from.
    pub seed: u64,
    /// Requests.
    pub tasks: u32,
    /// Callers who make them, taking turns at random.
    pub callers: u32,
    /// Webhooks.
    pub hooks: HookShares,
    /// Times of a thousand that a call to a provider goes wrong, each in a way that is drawn: the answer to a submission
    /// is lost, is a 500 or a 400 although there is a run, or comes late; there is no room; a poll fails, is stale or says an unknown word.
    pub call_faults: u32,
    /// Runs of a thousand that behave oddly: never end, end after the deadline, tell impossible times, run elsewhere.
    pub odd_runs: u32,
    /// Writes of a thousand that the store refuses for the moment, half of them after they were made all the same.
    pub store_faults: u32,
    /// Attempts of a thousand to take an output into custody that go wrong; `None`: there is no custody.
    pub keep_faults: Option<u32>,
    /// When the process dies.
    pub crashes: Crashes,
}

/// What becomes of webhooks, times of a thousand each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookShares {
    /// Never sent.
    pub lost: u32,
    /// Sent twice.
    pub doubled: u32,
    /// Beside it one is sent that is forged: with a wrong token, another task's, none, or about another run.
    pub forged: u32,
    /// Sent up to two minutes late, so that later ones overtake it.
    pub reordered: u32,
    /// Beside it one is sent that lies: a failure, a success without outputs.
    pub lying: u32,
}

/// When the process dies. A write that it dies at was made or not, and nobody is told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crashes {
    /// Never.
    Never,
    /// At so many writes of a thousand, on either side of the write.
    PerMille(u32),
    /// Once, at this write, counted from one.
    At {
        /// The number of the write.
        write: u64,
        /// Was the write made?
        made: bool,
    },
}

impl Scenario {
    /// Everything goes wrong: 30 % of the webhooks are lost, 20 % doubled, 10 % forged, 10 % reordered, and the process
    /// dies at 1 % of its writes. Every third world has custody.
    #[must_use]
    pub const fn hostile(seed: u64, tasks: u32) -> Self {
        let hooks = HookShares { lost: 300, doubled: 200, forged: 100, reordered: 100, lying: 80 };
        let (callers, crashes) = (5, Crashes::PerMille(10));
        let keep_faults = if seed % 3 == 2 { Some(250) } else { None };
        Self { seed, tasks, callers, hooks, call_faults: 250, odd_runs: 120, store_faults: 4, keep_faults, crashes }
    }

    /// No webhook arrives and everything else goes well: how soon do polls alone find the end?
    #[must_use]
    pub const fn unheard(seed: u64, tasks: u32) -> Self {
        let hooks = HookShares { lost: 1000, doubled: 0, forged: 0, reordered: 0, lying: 0 };
        Self {
            seed,
            tasks,
            callers: 5,
            hooks,
            call_faults: 0,
            odd_runs: 0,
            store_faults: 0,
            keep_faults: None,
            crashes: Crashes::Never,
        }
    }

    /// As [`hostile`](Self::hostile), with this in place of the random crashes.
    #[must_use]
    pub const fn with_crashes(mut self, crashes: Crashes) -> Self {
        self.crashes = crashes;
        self
    }

    /// The arguments with which the program `campaign` plays it again.
    #[must_use]
    pub fn replay_arguments(&self) -> String {
        let crash = match self.crashes {
            Crashes::Never => " --crashes 0".to_owned(),
            Crashes::PerMille(10) => String::new(),
            Crashes::PerMille(share) => format!(" --crashes {share}"),
            Crashes::At { write, made } => format!(" --crash-{} {write}", if made { "after" } else { "before" }),
        };
        let kind = if self.hooks.lost == 1000 { " --unheard" } else { "" };
        format!("--world {} --tasks {}{kind}{crash}", self.seed, self.tasks)
    }
}
