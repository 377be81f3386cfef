//! Options of the commands about keys in the data folder.

use clap::{Args, Subcommand};

/// Options of `callback-keys`.
#[derive(Debug, Args)]
pub struct CallbackKeysArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: KeyAction,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub folder: FolderArgs,
}

/// Options of `webhooks`.
#[derive(Debug, Args)]
pub struct WebhooksArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: WebhooksAction,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub folder: FolderArgs,
}

/// Which keys.
#[derive(Clone, Debug, Args)]
pub struct FolderArgs {
    /// Those of the built-in simulator's folder.
    #[arg(long, global = true)]
    pub sim: bool,
    /// Print JSON and nothing else.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What is done with a file of keys. A host takes it over at its next start.
#[derive(Clone, Debug, Subcommand)]
pub enum KeyAction {
    /// List the keys.
    List,
    /// Make a new key that signs; the one before counts for eight days more.
    Rotate,
    /// End a key at once, and make a new one when it was the one that signs.
    Revoke {
        /// Its id, such as `k1`.
        #[arg(value_name = "KEY")]
        key: String,
    },
}

/// What is done about outgoing webhooks.
#[derive(Clone, Debug, Subcommand)]
pub enum WebhooksAction {
    /// Print the secret with which a caller verifies its webhooks.
    Secret {
        /// The caller.
        #[arg(long, value_name = "NAME", default_value = crate::app::CALLER)]
        caller: String,
    },
    #[command(flatten)]
    #[allow(missing_docs)]
    Keys(KeyAction),
}
