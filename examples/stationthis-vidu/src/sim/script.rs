//! How the service behaves.

/// How the service behaves from the moment it is set. The default is as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Script {
    /// The states that a task shows, one for each time it is asked about, before its last.
    pub on_the_way: Vec<&'static str>,
    /// The last state, and the error code of it.
    pub last: (&'static str, &'static str),
    /// What a task takes.
    pub credits: u32,
    /// How they are written.
    pub credits_as: CreditsAs,
    /// A failed task takes nothing.
    pub failures_are_free: bool,
    /// A refusal of every submission: status, reason, message.
    pub refuses: Option<(u16, &'static str, &'static str)>,
    /// How many submissions are refused so; after them none is.
    pub refusals: u32,
    /// Everything is answered with 500.
    pub is_down: bool,
    /// A submission makes a task, and the answer never comes: the connection is cut.
    pub loses_answers: bool,
    /// Tasks that can no longer be cancelled.
    pub is_scheduled: bool,
    /// A callback is sent at the end, before anybody asks.
    pub calls_back: bool,
    /// The URLs of outputs have ended.
    pub outputs_ended: bool,
    /// Credits that are left on the account.
    pub credits_left: i64,
}

/// How credits are written: the examples have numbers, the tables say text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditsAs {
    /// `66`.
    Number,
    /// `"66"`.
    Text,
    /// Not at all.
    Nothing,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            on_the_way: vec!["queueing", "processing"],
            last: ("success", ""),
            credits: 66,
            credits_as: CreditsAs::Number,
            failures_are_free: true,
            refuses: None,
            refusals: u32::MAX,
            is_down: false,
            loses_answers: false,
            is_scheduled: false,
            calls_back: false,
            outputs_ended: false,
            credits_left: 1840,
        }
    }
}
