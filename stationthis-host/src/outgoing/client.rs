//! The HTTP client for addresses that somebody else names.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, redirect, retry};
use stationthis_core::{Error, ErrorKind, Result};
use url::Url;

use crate::outgoing::guard::Guard;

/// How long a name may take to resolve and a connection to open: a host that is there answers within a few seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections kept for the next request to the same host: callers choose the hosts, and each one is a socket.
const IDLE_PER_HOST_MAX: usize = 1;

/// How long they are kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Calls addresses that a caller or a provider named, and only those that a [`Guard`] allows.
///
/// A name is resolved once for each connection, and the connection goes to an address that was judged then: a name that
/// resolves differently a moment later gains nothing. No proxy of the environment is asked, no redirect is followed,
/// nothing is sent twice.
#[derive(Clone, Debug)]
pub struct GuardedClient {
    guard: Arc<Guard>,
    guarded: Client,
    /// For the origins that the operator configured; made when one is called first, as each client has its own copy of
    /// the system's certificates.
    trusting: Arc<OnceLock<Client>>,
}

impl GuardedClient {
    /// A client that resolves names as the system does.
    ///
    /// # Errors
    /// `Unexpected` when no HTTP client can be made.
    pub fn new(guard: Guard) -> Result<Self> {
        Self::with_resolver(guard, Arc::new(SystemResolver))
    }

    /// A client with a resolver of your own; what it finds is judged all the same.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_resolver(guard: Guard, resolver: Arc<dyn Resolve>) -> Result<Self> {
        let guard = Arc::new(guard);
        let judging = JudgingResolver { guard: guard.clone(), inner: resolver };
        let guarded = plain().dns_resolver(judging).build();
        let guarded = guarded.map_err(|e| Error::new(ErrorKind::Unexpected, "make HTTP client").with_source(e))?;
        Ok(Self { guard, guarded, trusting: Arc::default() })
    }

    /// As it is, but that an origin is called without being judged: see [`Guard::trusting`]. The connections to all
    /// others stay shared with this one.
    #[must_use]
    pub fn trusting(&self, origin: &Url) -> Self {
        let guard = Arc::new(Guard::clone(&self.guard).trusting(origin));
        Self { guard, guarded: self.guarded.clone(), trusting: Arc::default() }
    }

    /// As [`Guard::check`].
    ///
    /// # Errors
    /// As [`Guard::check`].
    pub fn check(&self, address: &str) -> Result<Url> {
        self.guard.check(address)
    }

    /// Posts `body`, which takes `timeout` at most until the head of the answer is here.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn post(
        &self,
        address: &str,
        headers: HeaderMap,
        body: Vec<u8>,
        timeout: Duration,
    ) -> std::result::Result<Response, SendError> {
        let send = async |client: &Client, url: Url| self.send(client.post(url).headers(headers).body(body)).await;
        let url = self.guard.check(address).map_err(SendError::Refused)?;
        match tokio::time::timeout(timeout, send(self.client(&url)?, url)).await {
            Ok(sent) => sent,
            Err(_) => Err(SendError::Timeout),
        }
    }

    /// Gets, with `timeout` for the whole answer with its body.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn fetch(
        &self,
        address: &str,
        headers: HeaderMap,
        timeout: Duration,
    ) -> std::result::Result<Response, SendError> {
        let url = self.guard.check(address).map_err(SendError::Refused)?;
        let client = self.client(&url)?;
        self.send(client.get(url).headers(headers).timeout(timeout)).await
    }

    fn client(&self, url: &Url) -> std::result::Result<&Client, SendError> {
        if !self.guard.trusts(url) {
            return Ok(&self.guarded);
        }
        if let Some(client) = self.trusting.get() {
            return Ok(client);
        }
        // The guarded one was made of the same parts, so this has little reason to fail.
        let made = plain().build().map_err(|error| {
            tracing::error!(%error, "an HTTP client cannot be made");
            SendError::Unreachable
        })?;
        Ok(self.trusting.get_or_init(|| made))
    }

    async fn send(&self, request: RequestBuilder) -> std::result::Result<Response, SendError> {
        request.send().await.map_err(|error| {
            if is_refusal(&error) {
                let refused = Error::new(ErrorKind::InvalidInput, "call address");
                return SendError::Refused(refused.with_message(RefusedName.to_string()));
            }
            if error.is_timeout() {
                return SendError::Timeout;
            }
            if error.is_connect() { SendError::Unreachable } else { SendError::Broken }
        })
    }
}

/// Why there is no answer. Says nothing that the receiver or the network said: whoever named the address may read it.
#[derive(Debug)]
pub enum SendError {
    /// The guard refuses the address, as it is written or as it resolved. Nothing was sent.
    Refused(Error),
    /// It could not be resolved or connected to. Nothing was sent.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The exchange broke off.
    Broken,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => f.write_str(error.message().unwrap_or_default()),
            Self::Unreachable => f.write_str("It cannot be reached."),
            Self::Timeout => f.write_str("It did not answer in time."),
            Self::Broken => f.write_str("The exchange broke off."),
        }
    }
}

impl StdError for SendError {}

fn plain() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("stationthis/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .pool_idle_timeout(IDLE_TIMEOUT)
}

/// Does the error come from [`JudgingResolver`]?
fn is_refusal(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.is::<RefusedName>() {
            return true;
        }
        source = inner.source();
    }
    false
}

/// Every address of a name is private or reserved.
#[derive(Debug)]
struct RefusedName;

impl fmt::Display for RefusedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("This host has no address that may be called: it is private, or reserved.")
    }
}

impl StdError for RefusedName {}

/// Hands on only those addresses of a name that the guard allows.
struct JudgingResolver {
    guard: Arc<Guard>,
    inner: Arc<dyn Resolve>,
}

impl Resolve for JudgingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard.clone();
        let found = self.inner.resolve(name);
        Box::pin(async move {
            let found: Vec<_> = found.await?.collect();
            let none = found.is_empty();
            let allowed: Vec<_> = found.into_iter().filter(|address| guard.allows(address.ip())).collect();
            if allowed.is_empty() && !none {
                return Err(RefusedName.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}
