//! The suites of the contracts, over the notifiers of this crate and over a provider that does as little as one may.

use std::sync::{Arc, Mutex};

use stationthis_core::NoticeId;
use stationthis_core::notify::{EventsNotifier, LogNotifier, Notice, Notifier};
use stationthis_core::testkit::{NotifierFixture, ReceiverConduct};
use tokio::sync::broadcast::Receiver;

struct Log;

impl NotifierFixture for Log {
    fn notifier(&self) -> &dyn Notifier {
        &LogNotifier
    }

    fn address(&self) -> String {
        String::new()
    }

    fn bad_addresses(&self) -> Vec<String> {
        vec!["somewhere".to_owned()]
    }

    fn heard(&self) -> Option<Vec<NoticeId>> {
        None
    }

    fn set(&self, conduct: ReceiverConduct) -> bool {
        conduct == ReceiverConduct::Good
    }

    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }
}

mod log {
    use super::Log;

    async fn fresh() -> Log {
        Log
    }

    stationthis_core::notifier_suite!(fresh);
}

struct Events {
    notifier: EventsNotifier,
    heard: Mutex<(Receiver<Arc<Notice>>, Vec<NoticeId>)>,
}

impl NotifierFixture for Events {
    fn notifier(&self) -> &dyn Notifier {
        &self.notifier
    }

    fn address(&self) -> String {
        "a label".to_owned()
    }

    fn bad_addresses(&self) -> Vec<String> {
        Vec::new()
    }

    fn heard(&self) -> Option<Vec<NoticeId>> {
        let mut heard = self.heard.lock().unwrap();
        while let Ok(notice) = heard.0.try_recv() {
            heard.1.push(notice.id);
        }
        Some(heard.1.clone())
    }

    fn set(&self, conduct: ReceiverConduct) -> bool {
        conduct == ReceiverConduct::Good
    }

    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }
}

mod events {
    use super::*;

    async fn fresh() -> Events {
        let notifier = EventsNotifier::new();
        let heard = Mutex::new((notifier.subscribe(), Vec::new()));
        Events { notifier, heard }
    }

    stationthis_core::notifier_suite!(fresh);
}

mod minimal {
    use crate::minimal::Minimal;

    async fn fresh() -> Minimal {
        Minimal::new()
    }

    stationthis_core::provider_suite!(fresh);
}
