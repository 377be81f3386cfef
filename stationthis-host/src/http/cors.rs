//! Which web pages may use the API from a browser.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use stationthis_core::{Error, ErrorKind, Result};
use tower_http::cors::CorsLayer;

/// How long a browser may remember what it was allowed: longer than a page's work, shorter than a change of the
/// configuration should take to be seen.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Where a web page comes from: `https://studio.example.org`, as browsers send it in `Origin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

impl FromStr for Origin {
    type Err = Error;

    /// # Errors
    /// `InvalidInput` for what no browser sends: a path, a user, another scheme than http and https, `*`.
    fn from_str(text: &str) -> Result<Self> {
        let refused = || {
            let message = format!("{text:?} is no origin: scheme, host and perhaps a port, as in https://app.example");
            Error::new(ErrorKind::InvalidInput, "read origin").with_message(message)
        };
        let url = url::Url::parse(text).map_err(|_| refused())?;
        // Written otherwise (a slash at the end, the default port) it would never be equal to what browsers send.
        let same = url.origin().ascii_serialization() == text;
        if !same || !matches!(url.scheme(), "http" | "https") {
            return Err(refused());
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| refused())
    }
}

impl Origin {
    /// Is it what a browser says in `Origin`?
    pub(crate) fn is(&self, header: &HeaderValue) -> bool {
        self.0 == header
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// What tells browsers about these origins; `None` when there are none: then pages of other sites may read nothing.
///
/// Keys go into a header that a page must set itself, so no cookies are allowed.
pub(crate) fn layer(origins: &[Origin]) -> Option<CorsLayer> {
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(origins.iter().map(|origin| origin.0.clone()).collect::<Vec<_>>())
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
            .allow_headers(allowed())
            .expose_headers(exposed())
            .max_age(REMEMBERED)
    })
}

/// What pages may send, besides what any page may.
fn allowed() -> Vec<HeaderName> {
    let others = ["idempotency-key", "last-event-id", "prefer", "traceparent", "x-request-id"];
    let known = [header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_NONE_MATCH, header::RANGE];
    known.into_iter().chain(others.map(HeaderName::from_static)).collect()
}

/// What pages may read, besides what any page may.
fn exposed() -> Vec<HeaderName> {
    let others = ["preference-applied", "ratelimit", "ratelimit-policy", "x-request-id"];
    let of_content = [header::ACCEPT_RANGES, header::CONTENT_DISPOSITION, header::CONTENT_RANGE];
    let known = [header::ETAG, header::LOCATION, header::RETRY_AFTER];
    known.into_iter().chain(of_content).chain(others.map(HeaderName::from_static)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::ROUTES;

    #[test]
    fn pages_may_use_every_header_that_routes_know() {
        for route in ROUTES {
            let asked = route.about.headers.iter().map(|header| (header, allowed()));
            let told = route.about.answers.iter().flat_map(|answer| answer.headers).map(|header| (header, exposed()));
            for (header, names) in asked.chain(told) {
                let name: HeaderName = header.name.parse().unwrap();
                assert!(names.contains(&name), "{name} of {}", route.path);
            }
        }
    }

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for text in ["https://app.example", "http://localhost:3000", "https://[::1]:8443"] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        }
        let others =
            ["*", "null", "app.example", "https://app.example/", "https://app.example/x", "https://APP.example"];
        for text in
            others.into_iter().chain(["https://app.example:443", "ftp://app.example", "https://u@app.example", ""])
        {
            assert!(text.parse::<Origin>().is_err(), "{text:?}");
        }
    }
}
