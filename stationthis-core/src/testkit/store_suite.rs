//! The contract of [`TaskStore`] as scenarios: what is not here is not promised. See [`store_suite!`](crate::store_suite).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a scenario fails by panicking"
)]

pub(crate) mod fixtures;
#[doc(hidden)]
pub mod scenarios;

use std::any::Any;
use std::sync::Arc;

use crate::store::{INBOX_MAX, TaskStore};

/// A fresh, empty store for one scenario, and what must live as long as it.
#[derive(Debug)]
pub struct StoreFixture {
    store: Arc<dyn TaskStore>,
    inbox_max: usize,
    _guard: Option<Box<dyn Any + Send + Sync>>,
}

impl StoreFixture {
    /// A store whose inbox holds [`INBOX_MAX`] webhooks.
    #[must_use]
    pub fn new(store: Arc<dyn TaskStore>) -> Self {
        Self { store, inbox_max: INBOX_MAX, _guard: None }
    }

    /// Says that the store was made with a smaller inbox, so that a scenario can fill it in no time.
    #[must_use]
    pub fn with_inbox_max(mut self, max: usize) -> Self {
        self.inbox_max = max;
        self
    }

    /// With something that is dropped after the store: a temporary directory, a database's server.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self._guard = Some(Box::new(guard));
        self
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn TaskStore {
        &*self.store
    }

    /// How many webhooks its inbox holds.
    #[must_use]
    pub fn inbox_max(&self) -> usize {
        self.inbox_max
    }
}

/// Proves a [`TaskStore`](crate::store::TaskStore): expands to one `#[tokio::test]` for each scenario of the contract,
/// and one that fails when a scenario is missing.
///
/// It takes the name of an async function without arguments that gives a
/// [`StoreFixture`](crate::testkit::StoreFixture): a new, empty store each time. The crate that uses it needs `tokio`
/// with `macros` and `rt` among its dev-dependencies, and this crate's feature `testkit`.
///
/// ```
/// mod contract {
///     use std::sync::Arc;
///     use stationthis_core::store::MemoryStore;
///     use stationthis_core::testkit::StoreFixture;
///
///     async fn fresh() -> StoreFixture {
///         StoreFixture::new(Arc::new(MemoryStore::new().with_inbox_max(16))).with_inbox_max(16)
///     }
///
///     stationthis_core::store_suite!(fresh);
/// }
/// ```
#[macro_export]
macro_rules! store_suite {
    ($fresh:ident) => {
        $crate::store_suite!(@tests $fresh [
            tasks::a_full_record_survives_the_round_trip,
            tasks::a_repeated_key_finds_the_first_task,
            tasks::a_double_tap_makes_one_task,
            tasks::a_repeated_id_finds_the_first_task,
            tasks::commits_are_done_stale_or_missing,
            tasks::a_stale_commit_writes_nothing,
            tasks::events_are_numbered_without_gaps_and_filtered,
            tasks::lists_are_filtered_and_paged,
            tasks::a_run_finds_its_task,
            tasks::a_run_belongs_to_one_task,
            documents::documents_have_versions,
            documents::documents_are_pruned_from_the_first_key_on,
            leases::the_longest_due_task_is_claimed_first,
            leases::a_lease_excludes_everybody_until_it_ends,
            leases::claims_at_the_same_time_share_nothing,
            leases::claims_keep_to_their_providers,
            leases::commits_keep_release_and_extend_leases,
            leases::a_claim_tells_when_to_come_back,
            leases::an_owner_frees_all_its_leases,
            turns::a_burst_delays_another_caller_by_one_task,
            turns::callers_alternate,
            turns::no_more_runs_than_slots,
            turns::a_waiting_task_under_a_lease_holds_a_slot,
            turns::what_may_not_be_submitted_yet_is_passed_over,
            turns::tools_that_are_named_are_passed_over,
            turns::each_provider_has_its_own_queue,
            outbox::a_notice_is_added_once,
            outbox::a_notice_is_tried_until_it_arrives_or_dies,
            outbox::what_is_over_stays_over,
            outbox::a_notice_that_is_put_off_was_not_tried,
            outbox::notices_are_filtered_and_paged,
            outbox::a_dead_letter_is_requeued,
            inbox::webhooks_are_kept_until_they_are_settled,
            inbox::copies_are_counted_and_not_kept,
            inbox::a_parked_webhook_waits_for_its_time,
            inbox::a_full_inbox_refuses_all_but_copies,
            totals::stats_count_what_is_to_be_done,
            totals::totals_add_up_what_ended,
            totals::totals_can_be_asked_for_by_day,
            totals::totals_outlive_their_tasks,
            totals::what_is_not_done_with_is_not_pruned,
            totals::what_is_pruned_is_forgotten,
        ]);
    };
    (@tests $fresh:ident [$($module:ident::$name:ident),* $(,)?]) => {
        $(
            #[::tokio::test]
            async fn $name() {
                let fixture = $fresh().await;
                $crate::testkit::store_suite::scenarios::$module::$name(&fixture).await;
            }
        )*

        #[test]
        fn the_store_suite_is_complete() {
            let here: &[&str] = &[$(stringify!($name)),*];
            assert_eq!(here, $crate::testkit::store_suite::scenarios::names());
        }
    };
}
