//! Requests to addresses that somebody else names: callers' webhooks, providers' outputs.
//!
//! What the operator configures is trusted; everything else passes a [`Guard`], as it is written and as it is resolved.
//! [`GuardedClient`] is the only way out for such addresses.

pub mod client;
pub mod guard;
pub mod webhook;

pub use client::{GuardedClient, SendError};
pub use guard::{AddressRange, Guard};
pub use webhook::WebhookNotifier;
