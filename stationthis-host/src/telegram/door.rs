//! Who is let in.

use std::collections::BTreeSet;

use crate::telegram::book::Book;

/// The chats that the bot serves. A private chat has the id of its person, a group a negative one of its own; whoever
/// writes in a group that is let in is served there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Door(BTreeSet<i64>);

impl Door {
    pub(crate) fn new(allowed: impl IntoIterator<Item = i64>) -> Self {
        Self(allowed.into_iter().collect())
    }

    /// Is this chat served? A group that became a supergroup is, when it was before.
    pub(crate) fn lets_in(&self, chat: i64, book: &Book) -> bool {
        self.0.contains(&chat) || book.chat_before(chat).iter().any(|former| self.0.contains(former))
    }
}
