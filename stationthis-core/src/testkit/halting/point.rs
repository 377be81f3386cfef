//! Where a store stops.

use std::str::FromStr;

use serde::Deserialize;
use serde::de::IntoDeserializer;

use crate::error::{Error, ErrorKind, Result};
use crate::task::event::Event;

/// A step and the side of its write on which the store stops; in text `before:submitted`, `after:settled`.
///
/// ```
/// # use stationthis_core::testkit::{HaltPoint, HaltStep, Moment};
/// let point: HaltPoint = "after:submitStarted".parse()?;
/// assert_eq!((point.moment, point.step), (Moment::After, HaltStep::SubmitStarted));
/// assert!("after:submitStart".parse::<HaltPoint>().is_err());
/// # Ok::<(), stationthis_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HaltPoint {
    /// The side.
    pub moment: Moment,
    /// The step.
    pub step: HaltStep,
}

/// A side of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    /// Nothing of it is written.
    Before,
    /// All of it is written, and the writer does not know.
    After,
}

/// A write of the station: one that holds an event of that name, or one without an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HaltStep {
    /// [`Event::Accepted`]: the insertion of a task.
    Accepted,
    /// [`Event::FilesSent`].
    FilesSent,
    /// [`Event::SubmitStarted`].
    SubmitStarted,
    /// [`Event::Submitted`].
    Submitted,
    /// [`Event::SubmitRefused`].
    SubmitRefused,
    /// [`Event::SubmitDeferred`].
    SubmitDeferred,
    /// [`Event::SubmitLost`].
    SubmitLost,
    /// [`Event::LookupFound`].
    LookupFound,
    /// [`Event::LookupAbsent`].
    LookupAbsent,
    /// [`Event::LookupFailed`].
    LookupFailed,
    /// [`Event::Reported`].
    Reported,
    /// [`Event::WebhookReceived`].
    WebhookReceived,
    /// [`Event::WebhookUnreadable`].
    WebhookUnreadable,
    /// [`Event::PollFailed`].
    PollFailed,
    /// [`Event::Diagnosed`].
    Diagnosed,
    /// [`Event::OutputsKept`].
    OutputsKept,
    /// [`Event::KeepFailed`].
    KeepFailed,
    /// [`Event::CancelAsked`].
    CancelAsked,
    /// [`Event::CancelAnswered`].
    CancelAnswered,
    /// [`Event::CancelFailed`].
    CancelFailed,
    /// [`Event::DeadlinePassed`].
    DeadlinePassed,
    /// [`Event::Settled`]: the end, with its cost and its notices.
    Settled,
    /// [`Event::NoticeTried`]: what came of an attempt to deliver.
    NoticeTried,
    /// [`Event::NoticeRequeued`].
    NoticeRequeued,
    /// [`Event::Resolved`].
    Resolved,
    /// [`Event::Reconciled`].
    Reconciled,
    /// [`Event::Amended`].
    Amended,
    /// [`Event::Restored`].
    Restored,
    /// A raw webhook is kept.
    Inbox,
    /// Due tasks are leased: before a claim when there is a task at all, after one that leased something.
    Claimed,
}

impl From<&Event> for HaltStep {
    fn from(event: &Event) -> Self {
        match event {
            Event::Accepted { .. } => Self::Accepted,
            // Written together with what follows it.
            Event::FilesSent { .. } => Self::FilesSent,
            Event::SubmitStarted => Self::SubmitStarted,
            Event::Submitted { .. } => Self::Submitted,
            Event::SubmitRefused { .. } => Self::SubmitRefused,
            Event::SubmitDeferred { .. } => Self::SubmitDeferred,
            Event::SubmitLost { .. } => Self::SubmitLost,
            Event::LookupFound { .. } => Self::LookupFound,
            Event::LookupAbsent => Self::LookupAbsent,
            Event::LookupFailed { .. } => Self::LookupFailed,
            Event::Reported { .. } => Self::Reported,
            Event::WebhookReceived { .. } => Self::WebhookReceived,
            Event::WebhookUnreadable { .. } => Self::WebhookUnreadable,
            Event::PollFailed { .. } => Self::PollFailed,
            Event::Diagnosed { .. } => Self::Diagnosed,
            Event::OutputsKept { .. } => Self::OutputsKept,
            Event::KeepFailed { .. } => Self::KeepFailed,
            Event::CancelAsked => Self::CancelAsked,
            Event::CancelAnswered { .. } => Self::CancelAnswered,
            Event::CancelFailed { .. } => Self::CancelFailed,
            Event::DeadlinePassed => Self::DeadlinePassed,
            Event::Settled { .. } => Self::Settled,
            Event::NoticeTried { .. } => Self::NoticeTried,
            Event::NoticeRequeued { .. } => Self::NoticeRequeued,
            Event::Resolved { .. } => Self::Resolved,
            Event::Reconciled { .. } => Self::Reconciled,
            Event::Amended { .. } => Self::Amended,
            Event::Restored { .. } => Self::Restored,
        }
    }
}

impl FromStr for HaltPoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = |reason: String| Error::new(ErrorKind::InvalidInput, "parse halt point").with_message(reason);
        let (moment, step) =
            text.split_once(':').ok_or_else(|| refused(format!("{text:?} is not `before:STEP` or `after:STEP`.")))?;
        let unknown = |e: serde::de::value::Error| refused(e.to_string());
        Ok(Self {
            moment: Moment::deserialize(moment.into_deserializer()).map_err(unknown)?,
            step: HaltStep::deserialize(step.into_deserializer()).map_err(unknown)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(event: &Event) {
        let tag = serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned();
        let point: HaltPoint = format!("before:{tag}").parse().unwrap();
        assert_eq!(point, HaltPoint { moment: Moment::Before, step: event.into() });
    }

    #[test]
    fn steps_are_named_as_their_events_are_on_the_wire() {
        let at = crate::Timestamp::from_micros(0);
        let terms = crate::task::terms::Terms::new(at, crate::tool::ExactlyOnce::None);
        check(&Event::Accepted { tool_revision: "1".to_owned(), terms: Box::new(terms) });
        check(&Event::SubmitStarted);
        check(&Event::LookupAbsent);
        check(&Event::CancelAnswered { accepted: true, reason: None });
        check(&Event::Diagnosed { failure: None, nodes: Vec::new() });
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        for text in ["submitted", "during:submitted", "before:submited", "before:", ""] {
            let error = text.parse::<HaltPoint>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        }
        let error = "before:submited".parse::<HaltPoint>().unwrap_err();
        assert!(error.message().unwrap().contains("`submitted`"), "{error}");
    }
}
