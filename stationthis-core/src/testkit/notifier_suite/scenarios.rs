//! The scenarios, each a function of its own name.

#![allow(missing_docs, reason = "the name of a scenario says what it proves")]

use std::time::Duration;

use futures_util::future::join_all;

use crate::error::ErrorKind;
use crate::id::NoticeId;
use crate::notify::{Notice, NoticeKind, NotifyTarget, Receipt};
use crate::testkit::notifier_suite::{NotifierFixture, ReceiverConduct};
use crate::testkit::scenario_names;
use crate::testkit::store_suite::fixtures::{at, ended};

/// The longest attempt: the station ends one after its own limit, and a notifier should be done before.
const ATTEMPT_MAX: Duration = Duration::from_secs(30);

/// Every scenario that there is, in order.
#[must_use]
pub fn names() -> Vec<&'static str> {
    scenario_names(&[include_str!("scenarios.rs")])
}

/// A notice about a task that ended.
fn notice(fixture: &dyn NotifierFixture) -> Notice {
    let task = ended("anna", at(6), None);
    let target = NotifyTarget::new(fixture.notifier().channel(), fixture.address());
    Notice::new(NoticeId::derive(task.task_id, "finished", "somewhere"), target, NoticeKind::Finished, 1, task)
}

/// A notice that was delivered to a receiver that behaves so; `None` when it cannot.
async fn answer(fixture: &dyn NotifierFixture, conduct: ReceiverConduct) -> Option<Receipt> {
    if !fixture.set(conduct) {
        return None;
    }
    Some(fixture.notifier().deliver(&notice(fixture)).await)
}

fn reason(receipt: &Receipt) -> &str {
    match receipt {
        Receipt::Retry { reason, .. } | Receipt::Permanent { reason } => reason,
        Receipt::Delivered | Receipt::NoRecipient => "",
    }
}

pub async fn its_channel_is_a_constant_word(fixture: &dyn NotifierFixture) {
    let channel = fixture.notifier().channel().to_owned();
    assert!(!channel.is_empty() && channel.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{channel:?}");
    fixture.notifier().deliver(&notice(fixture)).await;
    assert_eq!(fixture.notifier().channel(), channel);
}

pub async fn it_tells_good_addresses_from_bad_ones(fixture: &dyn NotifierFixture) {
    let notifier = fixture.notifier();
    let good = fixture.address();
    notifier.check(&good).unwrap();
    assert_eq!(notifier.destination(&good), notifier.destination(&good), "the same receiver each time");
    for bad in fixture.bad_addresses() {
        let error = notifier.check(&bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad:?}: {error}");
        assert!(error.message().is_some(), "{bad:?}: whoever named it is told why");
        // One that was taken before may be bad now: whatever is said then, nobody is told.
        let mut notice = notice(fixture);
        notice.target.address.clone_from(&bad);
        notifier.destination(&bad);
        notifier.deliver(&notice).await;
    }
    if let Some(heard) = fixture.heard() {
        assert_eq!(heard, [], "nobody hears what was for nobody");
    }
}

pub async fn a_notice_arrives(fixture: &dyn NotifierFixture) {
    let notice = notice(fixture);
    assert_eq!(fixture.notifier().deliver(&notice).await, Receipt::Delivered);
    if let Some(heard) = fixture.heard() {
        assert_eq!(heard, [notice.id]);
    }
}

pub async fn a_repeated_notice_has_the_same_id(fixture: &dyn NotifierFixture) {
    let mut notice = notice(fixture);
    for attempt in 1..=3 {
        notice.attempt = attempt;
        assert_eq!(fixture.notifier().deliver(&notice).await, Receipt::Delivered);
    }
    if let Some(heard) = fixture.heard() {
        assert_eq!(heard, [notice.id; 3], "so that the receiver can drop repeats");
    }
}

pub async fn many_notices_arrive_at_once(fixture: &dyn NotifierFixture) {
    let notices: Vec<_> = (0..16).map(|_| notice(fixture)).collect();
    let receipts = join_all(notices.iter().map(|notice| fixture.notifier().deliver(notice))).await;
    assert!(receipts.iter().all(|receipt| *receipt == Receipt::Delivered), "{receipts:?}");
    if let Some(mut heard) = fixture.heard() {
        let mut sent: Vec<_> = notices.iter().map(|notice| notice.id).collect();
        heard.sort_unstable();
        sent.sort_unstable();
        assert_eq!(heard, sent);
    }
}

pub async fn a_busy_receiver_is_tried_again(fixture: &dyn NotifierFixture) {
    let Some(receipt) = answer(fixture, ReceiverConduct::Busy).await else { return };
    assert!(matches!(receipt, Receipt::Retry { .. }), "{receipt:?}");
    assert!(!reason(&receipt).is_empty(), "{receipt:?}");
    let again = answer(fixture, ReceiverConduct::Good).await;
    assert_eq!(again, Some(Receipt::Delivered), "nothing is remembered of it");
}

pub async fn a_receiver_that_is_gone_is_given_up(fixture: &dyn NotifierFixture) {
    let Some(receipt) = answer(fixture, ReceiverConduct::Gone).await else { return };
    assert!(matches!(receipt, Receipt::NoRecipient | Receipt::Permanent { .. }), "{receipt:?}");
}

pub async fn no_secret_shows(fixture: &dyn NotifierFixture) {
    let mut shown = format!("{:?}", fixture.notifier());
    for conduct in [ReceiverConduct::Busy, ReceiverConduct::Gone, ReceiverConduct::Good] {
        if let Some(receipt) = answer(fixture, conduct).await {
            shown.push_str(reason(&receipt));
        }
    }
    for bad in fixture.bad_addresses() {
        shown.push_str(&fixture.notifier().check(&bad).unwrap_err().to_string());
    }
    for secret in fixture.secrets() {
        assert!(!shown.contains(&secret), "a secret shows: {shown}");
    }
}

pub async fn a_silent_receiver_is_not_waited_for(fixture: &dyn NotifierFixture) {
    let started = tokio::time::Instant::now();
    let Some(receipt) = answer(fixture, ReceiverConduct::Silent).await else { return };
    assert!(started.elapsed() < ATTEMPT_MAX, "it took {:?}", started.elapsed());
    assert!(matches!(receipt, Receipt::Retry { .. }), "{receipt:?}");
}
