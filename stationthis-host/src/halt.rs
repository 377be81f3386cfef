//! Stopping at a chosen step, for tests that kill the host there (feature `testkit`).

use std::sync::Arc;

use stationthis_core::store::TaskStore;
use stationthis_core::testkit::HaltingStore;
use stationthis_core::{Error, ErrorKind, Result};

/// The variable that names the step and the file that says that it was reached: `after:submitted=/path/to/marker`.
const VARIABLE: &str = "STATIONTHIS_TEST_HALT";

/// The store, stopping at the step that the environment names, if it names one.
pub(crate) fn wrapped(store: Arc<dyn TaskStore>) -> Result<Arc<dyn TaskStore>> {
    let Ok(text) = std::env::var(VARIABLE) else { return Ok(store) };
    let (point, marker) = text.split_once('=').ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "read configuration")
            .with_message(format!("{VARIABLE}: POINT=FILE is needed."))
    })?;
    Ok(Arc::new(HaltingStore::new(store, point.parse()?, marker)))
}
