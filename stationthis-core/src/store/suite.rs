//! The contract of [`TaskStore`](super::TaskStore) as scenarios: what is not here is not promised.
//!
//! Each scenario takes a fresh, empty store. [`store_suite!`] makes one named test of each.

pub(crate) mod fixtures;
pub(crate) mod queues;
pub(crate) mod tasks;

/// Makes a test of every scenario. `$fresh` is an async function that gives an empty store and whatever must live as
/// long as it.
macro_rules! store_suite {
    ($fresh:ident) => {
        $crate::store::suite::store_suite!(@tests $fresh, tasks: [
            a_full_record_survives_the_round_trip,
            a_repeated_key_finds_the_first_task,
            a_double_tap_makes_one_task,
            a_repeated_id_finds_the_first_task,
            commits_are_done_stale_or_missing,
            a_stale_commit_writes_nothing,
            events_are_numbered_without_gaps_and_filtered,
            lists_are_filtered_and_paged,
            a_run_finds_its_task,
            a_run_belongs_to_one_task,
            documents_have_versions,
        ]);
        $crate::store::suite::store_suite!(@tests $fresh, queues: [
            the_longest_due_task_is_claimed_first,
            a_lease_excludes_everybody_until_it_ends,
            claims_at_the_same_time_share_nothing,
            commits_keep_release_and_extend_leases,
            a_claim_tells_when_to_come_back,
            an_owner_frees_all_its_leases,
            a_notice_is_added_once,
            a_notice_is_tried_until_it_arrives_or_dies,
            a_delivered_notice_stays_delivered,
            webhooks_are_kept_until_they_are_settled,
        ]);
    };
    (@tests $fresh:ident, $module:ident: [$($name:ident),* $(,)?]) => {
        $(
            #[tokio::test]
            async fn $name() {
                let (store, _guard) = $fresh().await;
                $crate::store::suite::$module::$name(store).await;
            }
        )*
    };
}

pub(crate) use store_suite;
