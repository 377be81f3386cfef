//! Where a message goes.

use std::fmt;
use std::str::FromStr;

use stationthis_core::{Error, ErrorKind};

/// A place in a chat: `CHAT`, `CHAT:THREAD` or `CHAT:THREAD:MESSAGE`, where the thread may be left empty. The address of
/// a notification target of the channel `telegram`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The chat; negative for groups.
    pub(crate) chat: i64,
    /// The topic in it.
    pub(crate) thread: Option<i64>,
    /// The message that is answered.
    pub(crate) message: Option<i64>,
}

impl Place {
    /// Groups have limits of their own.
    pub(crate) const fn is_group(chat: i64) -> bool {
        chat < 0
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || {
            Error::new(ErrorKind::InvalidInput, "read Telegram address")
                .with_message("A Telegram address is CHAT, CHAT:THREAD or CHAT:THREAD:MESSAGE, in numbers.")
        };
        let id = |text: &str| text.parse::<i64>().map_err(|e| refused().with_source(e));
        let id_maybe = |text: &str| if text.is_empty() { Ok(None) } else { id(text).map(Some) };
        let mut parts = text.split(':');
        let chat = id(parts.next().unwrap_or_default())?;
        let thread = id_maybe(parts.next().unwrap_or_default())?;
        let message = id_maybe(parts.next().unwrap_or_default())?;
        if parts.next().is_some() || chat == 0 {
            return Err(refused());
        }
        Ok(Self { chat, thread, message })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.chat)?;
        match (self.thread, self.message) {
            (None, None) => Ok(()),
            (Some(thread), None) => write!(f, ":{thread}"),
            (None, Some(message)) => write!(f, "::{message}"),
            (Some(thread), Some(message)) => write!(f, ":{thread}:{message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_survive_being_written() {
        for text in ["4242", "-1001234567890", "4242:7", "4242::88", "-100:7:88"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for bad in ["", "0", "x", "1:x", "1:2:x", "1:2:3:4", "@name", " 1", "1.5"] {
            assert_eq!(bad.parse::<Place>().unwrap_err().kind(), ErrorKind::InvalidInput, "{bad}");
        }
    }
}
