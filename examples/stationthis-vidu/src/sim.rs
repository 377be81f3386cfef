//! A scripted server of the Vidu API (feature `sim`): for demos, for the tests of this crate, and for yours.
//!
//! It plays the service over real HTTP on a loopback port, by the pages of the API and the examples on them; nothing in
//! it knows the provider, nor any other client. It keeps no clock: a task is a step further each time it is asked about,
//! by the [`Script`], so that nobody waits. Its [`Books`] hold what was asked for, and what was charged.
//!
//! ```
//! use serde_json::{Value, json};
//! use stationthis_vidu::sim::Sim;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sim = Sim::serve("vda_key").await?;
//! let http = reqwest::Client::builder().no_proxy().build()?;
//! let ask = http.post(format!("{}/ent/v2/text2video", sim.base_url())).header("authorization", "Token vda_key");
//! let body = json!({ "model": "viduq3-turbo", "prompt": "a paper boat", "duration": 6, "resolution": "720p" });
//! let made: Value = ask.json(&body).send().await?.json().await?;
//! assert_eq!(made["state"], "created");
//! assert_eq!(sim.books().tasks.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Where it differs from the service
//!
//! - It looks at no picture and makes no film: outputs are a few bytes, and their URLs end when the script says so.
//! - Of the bodies it checks that the fields are documented for the route, and that the required ones are there.
//! - What a task takes is what the script says, whatever its length.
//! - All state is in memory, and bounded: the first thousand tasks.

mod answers;
mod callbacks;
mod files;
mod script;
mod state;

pub use script::{CreditsAs, Script};
pub use state::{Books, SimTask};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post, put};
use state::Shared;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The largest body: what the service takes in one request, pictures included.
const BODY_BYTES_MAX: usize = 20 * 1024 * 1024;

/// A running server. Dropping it stops the server.
#[derive(Debug)]
pub struct Sim {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Sim {
    /// Serves an account with one API key on a free port of 127.0.0.1. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn serve(key: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared::new(key.to_owned(), origin));
        let router = router(shared.clone());
        let task = tokio::spawn(async move {
            // The accept loop of axum ends only with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { shared, task })
    }

    /// What a client takes as its base URL: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.shared.origin
    }

    /// What happened so far, by the service's own books.
    #[must_use]
    pub fn books(&self) -> Books {
        self.shared.books()
    }

    /// The service behaves so from now on; tasks of before go on as they were to.
    pub fn set_script(&self, script: Script) {
        self.shared.set_script(script);
    }

    /// The headers of a callback to a URL, signed at `date` (an HTTP date).
    #[must_use]
    pub fn callback_headers(&self, url: &str, date: &str) -> Vec<(String, String)> {
        callbacks::headers(&self.shared.key, url, date)
    }

    /// The body of a callback about a task as it stands; `None` for one that the server does not have.
    #[must_use]
    pub fn callback_body(&self, task: &str) -> Option<String> {
        self.shared.shown(task).map(|shown| shown.to_string())
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/ent/v2/credits", get(answers::credits))
        .route("/ent/v2/tasks/{id}/creations", get(answers::query))
        .route("/ent/v2/tasks/{id}/cancel", post(answers::cancel))
        .route("/ent/v2/{route}", post(answers::create))
        .route("/tools/v2/files/uploads", post(files::begin))
        .route("/tools/v2/files/uploads/{id}/finish", put(files::finish))
        .route("/bucket/{id}", put(files::put))
        .route("/outputs/{file}", get(files::output))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}
