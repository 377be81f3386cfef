//! The contract of [`Notifier`] as scenarios. See [`notifier_suite!`](crate::notifier_suite).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a scenario fails by panicking"
)]

#[doc(hidden)]
pub mod scenarios;

use crate::id::NoticeId;
use crate::notify::Notifier;

/// A notifier with a receiver that hears what it delivers, for one scenario.
pub trait NotifierFixture: Send + Sync {
    /// The notifier.
    fn notifier(&self) -> &dyn Notifier;

    /// An address at which the receiver is.
    fn address(&self) -> String;

    /// Addresses to which nothing could ever be delivered; none where every one is good.
    fn bad_addresses(&self) -> Vec<String>;

    /// The ids of the notices that arrived so far, in order; `None` when nobody can tell.
    fn heard(&self) -> Option<Vec<NoticeId>>;

    /// The receiver behaves so from now on; `false` when it cannot.
    fn set(&self, conduct: ReceiverConduct) -> bool;

    /// Every credential that the notifier was given: text that must show nowhere.
    fn secrets(&self) -> Vec<String>;
}

/// How a receiver behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverConduct {
    /// It takes what comes.
    Good,
    /// It says that it cannot take it now.
    Busy,
    /// It takes the connection and never answers.
    Silent,
    /// It says that there is nobody at the address any more.
    Gone,
}

/// Proves a [`Notifier`](crate::notify::Notifier): expands to one `#[tokio::test]` for each scenario of the contract,
/// and one that fails when a scenario is missing.
///
/// It takes the name of an async function without arguments that gives a
/// [`NotifierFixture`](crate::testkit::NotifierFixture). The crate that uses it needs `tokio` with `macros`, `rt` and
/// `test-util` among its dev-dependencies, and this crate's feature `testkit`.
///
/// ```
/// use std::sync::Mutex;
/// use std::sync::Arc;
/// use stationthis_core::notify::{EventsNotifier, Notice, Notifier};
/// use stationthis_core::testkit::{NotifierFixture, ReceiverConduct};
/// use stationthis_core::NoticeId;
/// use tokio::sync::broadcast::Receiver;
///
/// struct Events {
///     notifier: EventsNotifier,
///     receiver: Mutex<(Receiver<Arc<Notice>>, Vec<NoticeId>)>,
/// }
///
/// impl NotifierFixture for Events {
///     fn notifier(&self) -> &dyn Notifier {
///         &self.notifier
///     }
///     fn address(&self) -> String {
///         String::new()
///     }
///     fn bad_addresses(&self) -> Vec<String> {
///         Vec::new()
///     }
///     fn heard(&self) -> Option<Vec<NoticeId>> {
///         let mut receiver = self.receiver.lock().unwrap();
///         while let Ok(notice) = receiver.0.try_recv() {
///             receiver.1.push(notice.id);
///         }
///         Some(receiver.1.clone())
///     }
///     fn set(&self, conduct: ReceiverConduct) -> bool {
///         conduct == ReceiverConduct::Good
///     }
///     fn secrets(&self) -> Vec<String> {
///         Vec::new()
///     }
/// }
///
/// mod contract {
///     # use super::*;
///     async fn fresh() -> Events {
///         let notifier = EventsNotifier::new();
///         let receiver = Mutex::new((notifier.subscribe(), Vec::new()));
///         Events { notifier, receiver }
///     }
///
///     stationthis_core::notifier_suite!(fresh);
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! notifier_suite {
    ($fresh:ident) => {
        $crate::notifier_suite!(@tests $fresh [
            its_channel_is_a_constant_word,
            it_tells_good_addresses_from_bad_ones,
            a_notice_arrives,
            a_repeated_notice_has_the_same_id,
            many_notices_arrive_at_once,
            a_busy_receiver_is_tried_again,
            a_receiver_that_is_gone_is_given_up,
            no_secret_shows,
        ] in_virtual_time [
            a_silent_receiver_is_not_waited_for,
        ]);
    };
    (@tests $fresh:ident [$($name:ident),* $(,)?] in_virtual_time [$($slow:ident),* $(,)?]) => {
        $(
            #[::tokio::test]
            async fn $name() {
                let fixture = $fresh().await;
                $crate::testkit::notifier_suite::scenarios::$name(&fixture).await;
            }
        )*

        $(
            // No wait is real: with nothing else to do, the clock goes to the end of the next one.
            #[::tokio::test(start_paused = true)]
            async fn $slow() {
                let fixture = $fresh().await;
                $crate::testkit::notifier_suite::scenarios::$slow(&fixture).await;
            }
        )*

        #[test]
        fn the_notifier_suite_is_complete() {
            let here: &[&str] = &[$(stringify!($name),)* $(stringify!($slow),)*];
            assert_eq!(here, $crate::testkit::notifier_suite::scenarios::names());
        }
    };
}
