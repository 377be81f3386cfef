//! Does the public URL reach this host, and not another one or a page of somebody's?

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Check, Outcome};
use crate::app::{SHUTDOWN_GRACE, data_folder, direct_client};
use crate::config::Config;
use crate::data_dir::{DataDir, host_id_in};
use crate::http;
use crate::http::server::ServerLimits;

const NAME: &str = "public url";

/// How long the way out and back may take.
const WAIT: Duration = Duration::from_secs(10);

/// The most bytes of an answer that are read: a host's own has a hundred.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    host_id: Option<String>,
}

/// Asks the public URL for the host's id. A running host answers itself; while none runs, `folder` is held, and this
/// process answers in its place for as long.
pub(super) async fn check(config: &Config, sim: bool, folder: Option<DataDir>) -> Check {
    let Some(url) = &config.public_url else {
        return Check::new(NAME, Outcome::Warning, "None is set: tasks are followed by polling alone.");
    };
    let Some(folder) = folder else {
        return match host_id_in(&data_folder(config, sim)) {
            Some(id) => judged(url, &id, ask(url).await),
            None => Check::new(NAME, Outcome::Skipped, "The data folder cannot be read."),
        };
    };
    let id = match folder.host_id() {
        Ok(id) => id,
        Err(error) => return Check::failed(NAME, &error),
    };
    let listener = match TcpListener::bind(config.listen).await {
        Ok(listener) => listener,
        Err(error) => {
            let message = format!("It cannot be tried: no host could listen on {}: {error}.", config.listen);
            return Check::new(NAME, Outcome::Failed, message);
        }
    };
    let stop = CancellationToken::new();
    let router = http::health_router(Arc::from(id.as_str()));
    let limits = ServerLimits::default();
    let server = tokio::spawn(http::server::serve(listener, router, limits, stop.clone(), SHUTDOWN_GRACE));
    let answer = ask(url).await;
    stop.cancel();
    // It ends with this process in any case.
    let _ = server.await;
    judged(url, &id, answer)
}

fn judged(url: &str, own: &str, answer: Result<Option<String>, String>) -> Check {
    match answer {
        Ok(Some(id)) if id == own => Check::new(NAME, Outcome::Ok, format!("{url} reaches this host.")),
        Ok(Some(_)) => Check::new(NAME, Outcome::Failed, format!("{url} reaches another host than this one.")),
        Ok(None) => Check::new(NAME, Outcome::Failed, format!("{url} reaches something, but not this host.")),
        Err(reason) => Check::new(NAME, Outcome::Failed, format!("{url} does not reach this host: {reason}.")),
    }
}

/// The id that answers there; `None` for an answer that is no host's.
async fn ask(url: &str) -> Result<Option<String>, String> {
    let mut address = Url::parse(url).map_err(|e| e.to_string())?;
    address.path_segments_mut().map_err(|()| "it has no path".to_owned())?.pop_if_empty().push("healthz");
    let client = direct_client().map_err(|e| e.to_string())?;
    let told = |e: reqwest::Error| {
        let e = e.without_url();
        if e.is_timeout() { format!("no answer within {} s", WAIT.as_secs()) } else { chain(&e) }
    };
    let mut answer = client.get(address).timeout(WAIT).send().await.map_err(told)?;
    if !answer.status().is_success() {
        return Err(format!("it answers {}", answer.status().as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(told)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER_BYTES_MAX {
            return Ok(None);
        }
    }
    Ok(serde_json::from_slice::<Health>(&bytes).ok().and_then(|health| health.host_id))
}

/// The innermost reason says most: "connection refused", not "error sending request".
fn chain(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
