//! ComfyDeploy for StationThis: ComfyUI workflows as durable, priced, validated tools.
//!
//! [`ComfyDeploy`] discovers the deployments of an account, derives a JSON Schema of the inputs from each workflow's
//! graph, queues runs, reads webhooks and status answers, finds the run of a lost answer, and finds out why a run
//! failed.
#![cfg_attr(
    feature = "sim",
    doc = r##"
```
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Sim, SimConfig, SimTiming};
use stationthis_core::Secret;
use stationthis_core::provider::ServiceProvider;

# #[tokio::main(flavor = "current_thread")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
let config = SimConfig { timing: SimTiming::instant(), ..SimConfig::default() };
let server = Sim::serve(config).await?;
let provider = ComfyDeploy::builder(Secret::new("any-key")).base_url(server.base_url()).build()?;

let catalogue = provider.discover().await?;
let portrait = catalogue.tools.iter().find(|tool| tool.display_name == "SDXL Portrait").ok_or("no portrait")?;
let schema = portrait.input_schema.to_value();
assert_eq!(schema["properties"]["steps"]["maximum"], 60);
assert_eq!(schema["additionalProperties"], false);
server.shutdown().await;
# Ok(())
# }
```
"##
)]
//!
//! # Map
//!
//! | file | what |
//! |---|---|
//! | `provider.rs` | [`ComfyDeploy`]: the contract's methods, each in a file of its name |
//! | `config.rs`, `client.rs` | settings and builder; HTTP with limits of time and size |
//! | `error.rs` | what each refusal means: kind, retry, and whether a run may exist all the same |
//! | `discovery.rs` | lists, page by page; which deployment a tool runs; one tool per workflow |
//! | `inputs.rs` | input nodes to JSON Schema |
//! | `details.rs` | what a tool's `endpointDetails` hold |
//! | `submit.rs`, `lookup.rs`, `cancel.rs`, `upload.rs`, `diagnose.rs` | the calls |
//! | `wire.rs` | what the service sends |
//! | `convert.rs`, `outputs.rs`, `times.rs`, `webhook.rs` | from its words to ours |
//! | `pricing.rs` | the builtin prices and the live ones |
//! | `sim.rs` | the simulator, feature `sim` |
//!
//! # What it does not do
//!
//! It never resends a submission, follows no redirect, and remembers nothing between calls. Synchronous and streamed
//! runs, batches, sessions and everything that changes the account are not used: they cannot be made durable.

mod cancel;
mod client;
mod config;
mod convert;
mod details;
mod diagnose;
mod discovery;
mod error;
mod inputs;
mod lookup;
mod outputs;
mod pricing;
mod provider;
#[cfg(feature = "sim")]
pub mod sim;
mod submit;
mod times;
mod upload;
mod webhook;
mod wire;

pub use config::{ComfyDeployBuilder, ComfyDeployConfig, DEFAULT_BASE_URL};
pub use details::EndpointDetails;
pub use discovery::read_catalogue;
#[doc(hidden)]
pub use discovery::read_page;
pub use inputs::SendAs;
pub use provider::{ComfyDeploy, SERVICE_NAME};
pub use upload::UPLOAD_BYTES_MAX;
