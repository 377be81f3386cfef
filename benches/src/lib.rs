//! What the benches and the measuring programs share. The figures and their commands are in `docs/benchmarks.md`.

pub mod campaign;
pub mod hooks;
pub mod memory;
pub mod process;
pub mod provider;
pub mod sigkill;

use anyhow::Result;
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_core::Secret;

/// A ComfyDeploy provider for a simulator on this machine, which is never behind a proxy.
///
/// # Errors
/// When the address cannot be used.
pub fn provider(base_url: &str) -> Result<ComfyDeploy> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()?;
    Ok(ComfyDeploy::builder(Secret::new("simulated")).base_url(base_url).http_client(http).build()?)
}

/// The middle one; of an even number the upper of the two, of none zero.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
