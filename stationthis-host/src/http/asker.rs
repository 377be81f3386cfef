//! Who asks.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use stationthis_core::station::Caller;
use stationthis_core::{CallerId, ErrorKind};

use crate::http::limits::{Allowance, WaitPlace};
use crate::http::problem::Problem;

/// Who a request acts for; put into it by the gate, taken by handlers.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    /// The station as they see it.
    pub(crate) caller: Caller,
    /// `None`: the operator, who has no limits.
    limits: Option<Arc<Allowance>>,
}

impl Asker {
    pub(crate) const fn operator(caller: Caller) -> Self {
        Self { caller, limits: None }
    }

    pub(crate) const fn caller(caller: Caller, limits: Arc<Allowance>) -> Self {
        Self { caller, limits: Some(limits) }
    }

    /// Whose things this request is about.
    pub(crate) fn id(&self) -> Result<&CallerId, Problem> {
        // Missing only where a caller's route was mounted among the operator's.
        let missing = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Unexpected, "");
        self.caller.id().ok_or_else(missing)
    }

    /// Counts this request; gives how many more may follow, where they are counted.
    pub(crate) fn request(&self) -> Result<Option<u32>, Problem> {
        self.limits.as_ref().map(|limits| limits.request()).transpose()
    }

    /// A place among those of this caller who wait for something; keep it meanwhile.
    pub(crate) fn wait(&self) -> Result<Option<WaitPlace>, Problem> {
        self.limits.as_ref().map(|limits| limits.wait()).transpose()
    }

    pub(crate) fn tell(&self, headers: &mut HeaderMap, remaining: Option<u32>) {
        if let (Some(limits), Some(remaining)) = (&self.limits, remaining) {
            limits.tell(headers, remaining);
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Missing only where a route was mounted outside the gate: then nobody is let in.
        let missing = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Unexpected, "");
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

/// The layer around the operator's routes, which act across callers.
pub(crate) async fn operator_only(
    State(admin): State<Caller>,
    asker: Asker,
    mut request: Request,
    next: Next,
) -> Response {
    if asker.limits.is_none() {
        request.extensions_mut().insert(Asker::operator(admin));
        return next.run(request).await;
    }
    let detail = "This is the operator's alone, and not for callers.";
    Problem::new(StatusCode::FORBIDDEN, ErrorKind::Forbidden, detail).into_response()
}
