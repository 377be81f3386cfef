//! Who asks, in an application that knows its users itself.

use std::fmt;

use async_trait::async_trait;
use axum::http::request::Parts;
use stationthis_core::{CallerId, Result};

/// Says whom a request acts for, from what the application knows: a session, a token of its own, an extension that a
/// layer around the router put into the request.
///
/// With one ([`HttpConfig::with_identify`](crate::http::HttpConfig::with_identify)) the API keys of callers open nothing.
/// It makes callers only, never the operator.
#[async_trait]
pub trait Identify: Send + Sync + fmt::Debug {
    /// Whom a request acts for. Asked once for each request of a caller's or the operator's routes, before anything of
    /// it is looked at; not for webhooks, health and the page at `/docs`.
    ///
    /// Headers and extensions are all there. The path in `request.uri` lacks what the router is nested at, and more.
    ///
    /// Cancellation: dropped when the client goes away or the request takes too long.
    ///
    /// # Errors
    /// `Unauthorized` for who is not signed in and `Forbidden` for who may not, which are answered 401 and 403 with the
    /// error's message; other kinds as everywhere in the API. In doubt give an error: there is no anonymous caller.
    async fn caller(&self, request: &Parts) -> Result<CallerId>;
}
