//! Why a call of the Bot API gave nothing.

use std::fmt;
use std::time::Duration;

/// Why a call of the Bot API gave nothing. Never holds the token.
#[derive(Clone, Debug)]
pub(crate) enum CallError {
    /// It was answered, and refused.
    Refused {
        /// As HTTP's statuses.
        code: u16,
        /// A sentence for developers; no contract.
        description: String,
        /// Not before so long.
        retry_after: Option<Duration>,
        /// The group has become a supergroup, with this id.
        migrated_to: Option<i64>,
    },
    /// There is no answer that could be used: the call may have had its effect. Why, in a sentence.
    Lost(String),
}

impl CallError {
    /// What became of a request, without the URL.
    pub(super) fn lost(error: &reqwest::Error) -> Self {
        let reason = if error.is_timeout() {
            "Telegram did not answer in time."
        } else if error.is_connect() {
            "Telegram cannot be reached."
        } else {
            "The exchange with Telegram broke off."
        };
        Self::Lost(reason.to_owned())
    }

    /// Does nobody at that chat hear the bot any more: it is blocked, was thrown out, or the chat is gone?
    pub(crate) fn is_nobody(&self) -> bool {
        self.code() == Some(403) || (self.is_400_about("chat not found")) || self.is_400_about("PEER_ID_INVALID")
    }

    /// Is the topic gone that the message was for?
    pub(crate) fn is_no_topic(&self) -> bool {
        self.is_400_about("message thread not found") || self.is_400_about("TOPIC_")
    }

    /// Does the message say already what it was to say?
    pub(crate) fn is_not_modified(&self) -> bool {
        self.is_400_about("message is not modified")
    }

    /// The status that it was refused with.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Lost(_) => None,
        }
    }

    /// The wait that Telegram asks for.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { code: 429, retry_after, .. } => Some(retry_after.unwrap_or(Duration::from_secs(1))),
            _ => None,
        }
    }

    /// The new id of the chat.
    pub(crate) fn migrated_to(&self) -> Option<i64> {
        match self {
            Self::Refused { migrated_to, .. } => *migrated_to,
            Self::Lost(_) => None,
        }
    }

    /// Telegram has one code for many mistakes; where they matter, their descriptions tell them apart.
    fn is_400_about(&self, what: &str) -> bool {
        matches!(self, Self::Refused { code: 400, description, .. }
            if description.to_ascii_lowercase().contains(&what.to_ascii_lowercase()))
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, description, .. } => write!(f, "Telegram answered {code}: {description}"),
            Self::Lost(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for CallError {}
