//! The contract of [`ServiceProvider`] as scenarios. See [`provider_suite!`](crate::provider_suite).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a scenario fails by panicking"
)]

#[doc(hidden)]
pub mod scenarios;

use serde_json::{Map, Value};

use crate::provider::{RunRef, ServiceProvider};
use crate::tool::ToolDefinition;
use crate::webhook::WebhookRequest;

/// A provider over a fresh service, for one scenario: a simulator, a fake over loopback HTTP, or recorded traffic.
pub trait ProviderFixture: Send + Sync {
    /// The provider.
    fn provider(&self) -> &dyn ServiceProvider;

    /// The same, but configured for an address where nobody listens.
    fn unreachable(&self) -> &dyn ServiceProvider;

    /// Every credential that it was given: text that must show nowhere.
    fn secrets(&self) -> Vec<String>;

    /// The service behaves so from now on; runs of before may go on as they were.
    fn set(&self, conduct: Conduct);

    /// How many runs the service made so far, by its own books.
    fn runs_made(&self) -> usize;

    /// Inputs with which a tool's run succeeds; `None` for a tool that the scenarios should leave alone. At least one of the
    /// tools that do not answer at once must have some.
    fn inputs(&self, tool: &ToolDefinition) -> Option<Map<String, Value>>;

    /// What the service would send about the end of a run, with what proves that it did; `None` when it sends nothing.
    fn webhook(&self, run: &RunRef) -> Option<WebhookRequest>;
}

/// How a service behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// As it should.
    Good,
    /// Every list, submission and question about a run is answered with an error of the service's, and no run is made.
    Down,
    /// A submission makes a run, and the answer never comes: the connection is cut.
    LosesAnswers,
    /// Every run fails.
    RunsFail,
    /// Every run goes on for ever, unless it is cancelled.
    RunsStay,
    /// As many of our runs are at work as it takes, and it refuses more; as [`Good`](Self::Good) for a service that lets
    /// them wait at its side.
    Full,
}

/// Proves a [`ServiceProvider`](crate::provider::ServiceProvider): expands to one `#[tokio::test]` for each scenario of
/// the contract, and one that fails when a scenario is missing.
///
/// It takes the name of an async function without arguments that gives a
/// [`ProviderFixture`](crate::testkit::ProviderFixture) over a fresh service each time. What the provider declares in
/// its capabilities is checked in both directions. The crate that uses it needs `tokio` with `macros` and `rt` among its
/// dev-dependencies, and this crate's feature `testkit`.
///
/// ```
/// # use serde_json::{Map, Value, json};
/// # use stationthis_core::provider::{RunRef, ServiceProvider};
/// # use stationthis_core::testkit::{Conduct, ProviderFixture, ScriptedProvider};
/// # use stationthis_core::webhook::WebhookRequest;
/// # use stationthis_core::ToolDefinition;
/// struct Service {
///     provider: ScriptedProvider,
///     nowhere: ScriptedProvider,
/// }
///
/// impl ProviderFixture for Service {
///     fn provider(&self) -> &dyn ServiceProvider {
///         &self.provider
///     }
///     fn unreachable(&self) -> &dyn ServiceProvider {
///         &self.nowhere
///     }
///     fn secrets(&self) -> Vec<String> {
///         Vec::new()
///     }
///     fn set(&self, conduct: Conduct) {
///         // Let the service fail, lose answers, …
/// #       let _ = conduct;
///     }
///     fn runs_made(&self) -> usize {
///         self.provider.script().calls.submit
///     }
///     fn inputs(&self, _: &ToolDefinition) -> Option<Map<String, Value>> {
///         Some(Map::from_iter([("prompt".to_owned(), json!("a red fox"))]))
///     }
///     fn webhook(&self, _: &RunRef) -> Option<WebhookRequest> {
///         None
///     }
/// }
///
/// mod contract {
///     # use super::Service;
///     # use stationthis_core::testkit::ScriptedProvider;
///     async fn fresh() -> Service {
///         Service { provider: ScriptedProvider::new().unwrap(), nowhere: ScriptedProvider::new().unwrap() }
///     }
///
///     stationthis_core::provider_suite!(fresh);
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! provider_suite {
    ($fresh:ident) => {
        $crate::provider_suite!(@tests $fresh [
            tools::its_names_and_capabilities_are_constant,
            tools::its_catalogue_is_valid,
            tools::a_catalogue_is_all_or_nothing,
            tools::no_secret_shows,
            runs::a_run_is_followed_to_its_end,
            runs::a_failed_run_says_so,
            runs::what_answers_at_once_brings_its_end,
            runs::a_refusal_for_want_of_room_says_so,
            runs::a_refused_connection_had_no_effect,
            runs::a_lost_answer_may_have_had_one,
            runs::an_error_keeps_the_answer,
            runs::its_promise_about_lost_answers_holds,
            runs::it_finds_runs_if_it_says_so,
            runs::it_cancels_if_it_says_so,
            runs::it_takes_files_if_it_says_so,
            webhooks::it_reads_webhooks_if_it_says_so,
            webhooks::garbage_is_no_webhook,
            webhooks::a_forged_signature_is_refused,
        ]);
    };
    (@tests $fresh:ident [$($module:ident::$name:ident),* $(,)?]) => {
        $(
            #[::tokio::test]
            async fn $name() {
                let fixture = $fresh().await;
                $crate::testkit::provider_suite::scenarios::$module::$name(&fixture).await;
            }
        )*

        #[test]
        fn the_provider_suite_is_complete() {
            let here: &[&str] = &[$(stringify!($name)),*];
            assert_eq!(here, $crate::testkit::provider_suite::scenarios::names());
        }
    };
}
