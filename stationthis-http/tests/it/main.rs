//! Calls over real connections: each way to lose an answer, and what it proves.

// Helpers of tests may fail like tests.
#![allow(clippy::unwrap_used)]

mod body;
mod server;
mod unanswered;

use stationthis_http::Call;

const CHANGE: Call = Call { service: "Echo", operation: "submit run", changes: true };
const READ: Call = Call { service: "Echo", operation: "read run", changes: false };

fn http() -> reqwest::Client {
    stationthis_http::client_builder().no_proxy().build().unwrap()
}
