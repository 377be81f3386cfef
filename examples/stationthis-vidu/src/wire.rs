//! What the service sends, as types that take what they know and forgive the rest.
//!
//! Unknown fields are skipped, unknown words stay text, numbers may be strings and ids numbers. Where the service's own
//! pages disagree, both forms are read: `state` and `status`, `remains` and `remaining_credits`, `creations` as a list
//! and as an object.

mod lenient;

use rust_decimal::Decimal;
use serde::Deserialize;

/// A task, as the answers to a submission and to a query, and callbacks show it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Task {
    /// `task_id` in answers to a submission, `id` in all others; in some old ones neither.
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) task_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) state: Option<String>,
    /// The page on callbacks calls it so; its example does not.
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) err_code: Option<String>,
    /// A number in the examples, "String" in the tables.
    #[serde(deserialize_with = "lenient::decimal")]
    pub(crate) credits: Option<Decimal>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) payload: Option<String>,
    #[serde(deserialize_with = "lenient::list")]
    pub(crate) creations: Vec<Creation>,
    /// What sound is called is known from others' code alone; see [`Task::sound`].
    #[serde(flatten)]
    pub(crate) sound: Sound,
}

/// The names under which a file of sound was seen; the page that documents one of them is not at hand.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sound {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) file_url: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) speech_url: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) sound_url: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) audio_url: Option<String>,
}

/// A file that a task made.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Creation {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) url: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) watermarked_url: Option<String>,
    #[serde(flatten)]
    pub(crate) sound: Sound,
}

impl Task {
    /// The task's id, under either name.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref().or(self.task_id.as_deref()).filter(|id| !id.is_empty())
    }

    /// The word for its state, under either name.
    pub(crate) fn word(&self) -> Option<&str> {
        self.state.as_deref().or(self.status.as_deref())
    }

    /// Why it failed; the service writes an empty text when it did not.
    pub(crate) fn error(&self) -> Option<&str> {
        self.err_code.as_deref().filter(|code| !code.is_empty())
    }
}

impl Sound {
    pub(crate) fn url(&self) -> Option<&str> {
        let all = [&self.file_url, &self.speech_url, &self.sound_url, &self.audio_url];
        all.into_iter().find_map(|url| url.as_deref().filter(|url| !url.is_empty()))
    }
}

/// What is left on the account.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Credits {
    #[serde(deserialize_with = "lenient::list")]
    pub(crate) remains: Vec<Remain>,
    /// The name in the page's table; the example has the other.
    #[serde(deserialize_with = "lenient::list")]
    pub(crate) remaining_credits: Vec<Remain>,
}

/// One kind of credits.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Remain {
    #[serde(deserialize_with = "lenient::decimal")]
    pub(crate) credit_remain: Option<Decimal>,
}

impl Credits {
    /// All credits together; `None` when the answer says nothing of any.
    pub(crate) fn left(&self) -> Option<Decimal> {
        let amounts = self.remains.iter().chain(&self.remaining_credits).filter_map(|remain| remain.credit_remain);
        amounts.reduce(|sum, more| sum.checked_add(more).unwrap_or(Decimal::MAX))
    }
}

/// The answer to the first step of an upload.
#[derive(Debug, Deserialize)]
pub(crate) struct UploadPlace {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) id: Option<String>,
    pub(crate) put_url: String,
}

/// The answer to the last step of an upload.
#[derive(Debug, Deserialize)]
pub(crate) struct Uploaded {
    pub(crate) uri: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(text: &str) -> Task {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn both_forms_of_each_field_are_read() {
        let created = task(r#"{"task_id":"871234567890123456","state":"created","credits":"66"}"#);
        assert_eq!((created.id(), created.word()), (Some("871234567890123456"), Some("created")));
        assert_eq!(created.credits, Some(Decimal::from(66)));
        // Beyond 2^53, and a number: every digit counts.
        let queried = task(
            r#"{"id":871234567890123457,"status":"success","credits":66.50,"err_code":"","creations":{"id":9,"url":"u"}}"#,
        );
        assert_eq!((queried.id(), queried.word()), (Some("871234567890123457"), Some("success")));
        assert_eq!((queried.credits, queried.error()), (Some("66.50".parse().unwrap()), None));
        assert_eq!((queried.creations.len(), queried.creations[0].id.as_deref()), (1, Some("9")));
        let both = task(r#"{"id":"1","state":"failed","status":"processing","err_code":"SystemThrottling"}"#);
        assert_eq!((both.word(), both.error()), (Some("failed"), Some("SystemThrottling")));
        for sound in ["file_url", "speech_url", "sound_url", "audio_url"] {
            assert_eq!(task(&format!(r#"{{"{sound}":"u","state":"success"}}"#)).sound.url(), Some("u"));
        }
    }

    #[test]
    fn what_has_another_shape_is_absent_and_costs_nothing_else() {
        let odd =
            task(r#"{"id":["x"],"state":{},"credits":"many","payload":7,"creations":[3,{"url":"u"},null],"new":1}"#);
        assert_eq!((odd.id(), odd.word(), odd.credits, odd.payload.as_deref()), (None, None, None, Some("7")));
        assert_eq!(odd.creations.len(), 1);
        assert!(task(r#"{"creations":"none"}"#).creations.is_empty());
        assert!(
            serde_json::from_str::<Task>("[]").is_ok_and(|t| t.id().is_none())
                || serde_json::from_str::<Task>("[]").is_err()
        );
    }

    #[test]
    fn credits_are_added_up_under_either_name() {
        let read = |text: &str| serde_json::from_str::<Credits>(text).unwrap().left();
        let page = r#"{"remains":[{"type":"metered","credit_remain":1840,"concurrency_limit":5}],"packages":[]}"#;
        assert_eq!(read(page), Some(Decimal::from(1840)));
        let table = r#"{"remaining_credits":[{"type":"test","credit_remain":"10"},{"credit_remain":2.5}]}"#;
        assert_eq!(read(table), Some("12.5".parse().unwrap()));
        assert_eq!((read("{}"), read(r#"{"remains":[]}"#)), (None, None));
    }
}
