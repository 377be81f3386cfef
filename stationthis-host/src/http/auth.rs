//! Who may use the HTTP API.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use stationthis_core::{ErrorKind, Secret};
use subtle::ConstantTimeEq;

use crate::http::problem::Problem;

/// The rule of one host: a bearer key, or, without one, this machine only.
///
/// Without a key the address of the connection is not enough: a web page in a browser on this machine, a name that
/// resolves to 127.0.0.1, or a tunnel that was opened for webhooks would all come from loopback. So the request must
/// also be addressed to loopback, not come through a proxy, and not be a page of another site.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The hash, so that comparing takes the same time whatever the lengths.
    key: Option<[u8; 32]>,
}

impl Gate {
    /// The rule for a host with this key.
    #[must_use]
    pub fn new(key: Option<&Secret>) -> Self {
        Self { key: key.map(|key| digest(key.expose())) }
    }

    fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
        let Some(key) = &self.key else { return check_local(headers, uri) };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let refused = |detail| Err(Problem::new(StatusCode::UNAUTHORIZED, ErrorKind::Unauthorized, detail));
        match given {
            None => refused("This host needs an API key: `Authorization: Bearer KEY`."),
            Some(token) if bool::from(digest(token).ct_eq(key)) => Ok(()),
            Some(_) => refused("The API key is wrong."),
        }
    }
}

/// The layer that asks the [`Gate`].
pub(crate) async fn check(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match gate.check(request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check_local(headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = uri.host().or_else(|| text(header::HOST).map(without_port));
    let local = host.is_none_or(is_local);
    let proxied = ["x-forwarded-for", "x-forwarded-host", "forwarded"].iter().any(|name| headers.contains_key(*name));
    let foreign_page = text(header::ORIGIN)
        .is_some_and(|origin| !origin.split_once("://").is_some_and(|(_, host)| is_local(without_port(host))));
    if local && !proxied && !foreign_page {
        return Ok(());
    }
    let detail = "Without an API key, only requests from this machine and to it are answered: set STATIONTHIS_API_KEY.";
    Err(Problem::new(StatusCode::FORBIDDEN, ErrorKind::Forbidden, detail))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: Option<&str>, headers: &[(&str, &str)]) -> Result<(), u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(header::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let gate = Gate::new(key.map(Secret::new).as_ref());
        gate.check(&map, &Uri::from_static("/api/internal/tools")).map_err(|p| p.status.as_u16())
    }

    #[test]
    fn a_key_must_be_the_key() {
        let key = Some("0123456789abcdef");
        assert_eq!(check(key, &[("authorization", "Bearer 0123456789abcdef")]), Ok(()));
        assert_eq!(check(key, &[("authorization", "bearer 0123456789abcdef"), ("host", "tools.example")]), Ok(()));
        for bad in ["Bearer 0123456789abcde", "Bearer ", "Basic 0123456789abcdef", "0123456789abcdef"] {
            assert_eq!(check(key, &[("authorization", bad)]), Err(401), "{bad}");
        }
        assert_eq!(check(key, &[("host", "127.0.0.1")]), Err(401));
    }

    #[test]
    fn without_a_key_only_this_machine_is_answered() {
        for host in ["127.0.0.1:8484", "localhost:8484", "[::1]:8484", "127.0.0.1", "[::1]"] {
            assert_eq!(check(None, &[("host", host)]), Ok(()), "{host}");
        }
        assert_eq!(check(None, &[("host", "localhost:8484"), ("origin", "http://localhost:8484")]), Ok(()));
        for host in ["tunnel.example", "10.0.0.1:8484", "localhost.example:8484"] {
            assert_eq!(check(None, &[("host", host)]), Err(403), "{host}");
        }
        for (name, value) in [("origin", "https://evil.example"), ("origin", "null"), ("x-forwarded-for", "1.2.3.4")] {
            assert_eq!(check(None, &[("host", "127.0.0.1"), (name, value)]), Err(403), "{name}");
        }
    }
}
