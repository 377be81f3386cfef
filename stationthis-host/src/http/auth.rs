//! Who may use the HTTP API, and as whom.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use stationthis_core::station::{Caller, Station};
use stationthis_core::{CallerId, ErrorKind, Timestamp};
use subtle::ConstantTimeEq;

use crate::http::asker::Asker;
use crate::http::cors::Origin;
use crate::http::identify::Identify;
use crate::http::limits::Limits;
use crate::http::problem::Problem;
use crate::http::router::HttpConfig;
use crate::keys::ApiKeys;

/// The rule of one host. A caller's API key acts for that caller. The operator comes with the host's own key, or, where
/// it has none, without any from this machine.
///
/// Without a key the address of the connection is not enough: a web page in a browser on this machine, a name that
/// resolves to 127.0.0.1, or a tunnel that was opened for webhooks would all come from loopback. So the request must
/// also be addressed to loopback, not come through a proxy, and not be a page of another site.
///
/// Within an application that knows its users, callers are whom it says. The operator comes with the host's own key
/// alone: what the application lets through from this machine may be anybody's.
pub(crate) struct Gate {
    station: Station,
    operator: Caller,
    /// The hash, so that comparing takes the same time whatever the lengths.
    operator_key: Option<[u8; 32]>,
    keys: Arc<ApiKeys>,
    identify: Option<Arc<dyn Identify>>,
    origins: Vec<Origin>,
    limits: Limits,
}

impl Gate {
    pub(crate) fn new(station: Station, keys: Arc<ApiKeys>, config: &HttpConfig) -> Self {
        Self {
            operator: station.as_caller(config.caller.clone()),
            operator_key: config.api_key.as_ref().map(|key| digest(key.expose())),
            // Half of the connections stay free of waits, for webhooks and for what is answered at once.
            limits: Limits::new(config.callers, config.server.connections / 2),
            keys,
            identify: config.identify.clone(),
            origins: config.cors_origins.clone(),
            station,
        }
    }

    async fn admit(&self, request: &Parts) -> Result<Asker, Problem> {
        let token = token(&request.headers);
        let operator = || Ok(Asker::operator(self.operator.clone()));
        if token.zip(self.operator_key.as_ref()).is_some_and(|(token, key)| digest(token).ct_eq(key).into()) {
            return operator();
        }
        if let Some(identify) = &self.identify {
            self.check_site(request)?;
            // Who is refused here showed no key, so it is not counted as a wrong one.
            return Ok(self.caller(identify.caller(request).await?));
        }
        let Some(token) = token else {
            return match &self.operator_key {
                None => check_local(&request.headers, &request.uri).and_then(|()| operator()),
                Some(_) => self.refuse("This host needs an API key: `Authorization: Bearer KEY`."),
            };
        };
        match self.keys.check(token, Timestamp::now()).await? {
            Some(key) => Ok(self.caller(key.caller)),
            // A host without a key of its own too: who shows a key means to be the one whose it is.
            None if token.is_empty() => {
                self.refuse("The API key is empty. Where no key is needed, leave out `Authorization`.")
            }
            None => self.refuse("The API key is wrong, or it has ended."),
        }
    }

    /// A browser sends a user's cookies with whatever page asks: what changes something must come from a page of this
    /// site, of a configured origin, or from no page. Browsers say where it is from.
    fn check_site(&self, request: &Parts) -> Result<(), Problem> {
        let origin = request.headers.get(header::ORIGIN);
        let own = match request.headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            Some(site) => matches!(site, b"same-origin" | b"none"),
            // Browsers of before 2023 say the origin alone.
            None => origin.is_none_or(|origin| is_host(origin, &request.headers)),
        };
        if request.method.is_safe() || own || origin.is_some_and(|it| self.origins.iter().any(|known| known.is(it))) {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, ErrorKind::Forbidden, "A page of another site may not do that."))
    }

    fn caller(&self, id: CallerId) -> Asker {
        let limits = self.limits.of(&id);
        Asker::caller(self.station.as_caller(id), limits)
    }

    fn refuse(&self, detail: &str) -> Result<Asker, Problem> {
        self.limits.failed()?;
        tracing::warn!(detail, "a request was refused");
        Err(Problem::new(StatusCode::UNAUTHORIZED, ErrorKind::Unauthorized, detail))
    }
}

/// The layer that asks the [`Gate`], and counts.
pub(crate) async fn check(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let admitted = gate.admit(&parts).await;
    let mut request = Request::from_parts(parts, body);
    let asker = match admitted {
        Ok(asker) => asker,
        Err(problem) => return problem.into_response(),
    };
    let counted = asker.request();
    let remaining = counted.as_ref().map_or(Some(0), |remaining| *remaining);
    let mut response = match counted {
        Ok(_) => {
            request.extensions_mut().insert(asker.clone());
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    asker.tell(response.headers_mut(), remaining);
    response
}

/// What was sent as a credential, if anything was: an unreadable one is not the same as none.
fn token(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    Some(if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { "" })
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

/// Is the page of the host that is asked?
fn is_host(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let of_page = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    host.is_some() && host == of_page
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

    fn token_of(value: &str) -> Option<String> {
        let mut map = HeaderMap::new();
        map.insert(header::AUTHORIZATION, header::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        token(&map).map(str::to_owned)
    }

    #[test]
    fn a_credential_of_any_kind_counts_as_one() {
        assert_eq!(token(&HeaderMap::new()), None);
        for good in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(token_of(good).as_deref(), Some("abc"), "{good}");
        }
        for bad in ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearer \u{e9}"] {
            assert_eq!(token_of(bad).as_deref(), Some(""), "{bad}");
        }
    }

    fn local(headers: &[(&str, &str)]) -> Result<(), u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(header::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        check_local(&map, &Uri::from_static("/api/internal/tools")).map_err(|p| p.status.as_u16())
    }

    #[test]
    fn without_a_key_only_this_machine_is_answered() {
        for host in ["127.0.0.1:8484", "localhost:8484", "[::1]:8484", "127.0.0.1", "[::1]"] {
            assert_eq!(local(&[("host", host)]), Ok(()), "{host}");
        }
        assert_eq!(local(&[("host", "localhost:8484"), ("origin", "http://localhost:8484")]), Ok(()));
        for host in ["tunnel.example", "10.0.0.1:8484", "localhost.example:8484"] {
            assert_eq!(local(&[("host", host)]), Err(403), "{host}");
        }
        for (name, value) in [("origin", "https://evil.example"), ("origin", "null"), ("x-forwarded-for", "1.2.3.4")] {
            assert_eq!(local(&[("host", "127.0.0.1"), (name, value)]), Err(403), "{name}");
        }
    }
}
