//! Where the router stands in the application around it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, NestedPath};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderValue, header};
use axum::response::Response;

/// The path that the router is nested at, without a slash at its end: empty where it is at the root.
///
/// The outer layer finds it, since the router has nests of its own further in. Every path in an answer goes through it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mount(Arc<str>);

impl Mount {
    /// As the outer layer sees it.
    pub(super) fn outermost(extensions: &Extensions) -> Self {
        let nested = extensions.get::<NestedPath>().map_or("", NestedPath::as_str);
        Self(nested.trim_end_matches('/').into())
    }

    /// As the outer layer found it.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// A path of the router's as clients know it.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Says where it can be found what the answer is about, by the router's own path of it.
    pub(crate) fn locate(&self, response: &mut Response, path: &str) {
        // Ids and slugs fit into headers.
        if let Ok(place) = HeaderValue::from_str(&self.path(path)) {
            response.headers_mut().insert(header::LOCATION, place);
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Mount {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}
