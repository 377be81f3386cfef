//! What a caller sends to change a generation: its own fields, and others only as they are.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use stationthis_core::notify::NotifyTarget;
use stationthis_core::station::TaskAmendment;
use stationthis_core::task::TaskRecord;
use stationthis_core::tool::problem::InputProblem;
use stationthis_core::{Error, ErrorKind, Result};

use super::{Generation, machine_metadata};

/// The caller's own fields of a generation. `notify` names whom to tell besides the policy's and the caller's default;
/// `notificationPlatform` with `notificationContext.address` names one of them in older words.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct GenerationChange {
    /// All of the caller's facts.
    pub metadata: Option<Map<String, Value>>,
    /// The event that led to it.
    pub initiating_event_id: Option<String>,
    /// Whom to tell.
    pub notify: Option<Vec<NotifyTarget>>,
    /// Whom to tell, in older words: a notifier, or `none`.
    pub notification_platform: Option<String>,
    /// Where to tell it.
    pub notification_context: Option<NotificationContext>,
}

/// Where a notifier is to tell something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NotificationContext {
    /// The address in that notifier's terms: a URL, a chat.
    #[serde(default)]
    pub address: String,
}

impl GenerationChange {
    /// The names of the fields that may be changed.
    pub const FIELDS: [&'static str; 5] =
        ["metadata", "initiatingEventId", "notify", "notificationPlatform", "notificationContext"];

    /// Reads a change of a task. A field that is the station's may be sent back as it is, so that a whole generation can
    /// be read, edited and written.
    ///
    /// # Errors
    /// `Conflict`, with a problem for each, when fields that are the station's would change; `InvalidInput` for what no
    /// generation has, or of another type.
    pub fn read(task: &TaskRecord, body: Map<String, Value>) -> Result<Self> {
        let refused = |message: String| Error::new(ErrorKind::InvalidInput, "read generation").with_message(message);
        let unreadable = |e: serde_json::Error| refused(format!("The generation cannot be read: {e}."));
        let Value::Object(shown) = serde_json::to_value(Generation::of(task.clone())?).map_err(unreadable)? else {
            return Err(refused(String::new()));
        };
        let mut own = Map::new();
        let mut taken = Vec::new();
        for (name, value) in body {
            if Self::FIELDS.contains(&name.as_str()) {
                own.insert(name, value);
            } else if !MACHINE_FIELDS.contains(&name.as_str()) {
                return Err(refused(format!("A generation has no field {name:?}.")));
            } else if shown.get(&name).unwrap_or(&Value::Null) != &value {
                taken.push(name);
            }
        }
        let mut change: Self = serde_json::from_value(Value::Object(own)).map_err(unreadable)?;
        if let Some(metadata) = &mut change.metadata {
            for (key, value) in machine_metadata(task)? {
                if metadata.remove(key).is_some_and(|given| Some(&given) != value.as_ref()) {
                    taken.push(format!("metadata/{key}"));
                }
            }
        }
        if taken.is_empty() { Ok(change) } else { Err(machine_owned(&taken)) }
    }

    /// Refuses the station's keys of `metadata` in a request for a new generation, which has none yet.
    ///
    /// # Errors
    /// `Conflict`, with a problem for each.
    pub fn check_new(metadata: &Map<String, Value>) -> Result<()> {
        let taken = [super::RUN_ID, super::COST_RATE].into_iter().filter(|key| metadata.contains_key(*key));
        let taken: Vec<_> = taken.map(|key| format!("metadata/{key}")).collect();
        if taken.is_empty() { Ok(()) } else { Err(machine_owned(&taken)) }
    }

    /// Whom to tell, in whichever words.
    ///
    /// # Errors
    /// `InvalidInput` for both words at once, or a context without a platform.
    pub fn targets(&self) -> Result<Option<Vec<NotifyTarget>>> {
        let refused = |message: &str| Err(Error::new(ErrorKind::InvalidInput, "read generation").with_message(message));
        match (&self.notify, self.notification_platform.as_deref(), &self.notification_context) {
            (notify, None, None) => Ok(notify.clone()),
            (Some(_), _, _) => refused("Give either notify, or notificationPlatform and notificationContext."),
            (None, None, Some(_)) => refused("notificationContext needs a notificationPlatform."),
            (None, Some("none"), _) => Ok(Some(Vec::new())),
            (None, Some(channel), context) => {
                let address = context.as_ref().map(|context| context.address.clone()).unwrap_or_default();
                Ok(Some(vec![NotifyTarget::new(channel, address)]))
            }
        }
    }

    /// The change as the station takes it.
    ///
    /// # Errors
    /// As [`targets`](Self::targets).
    pub fn into_amendment(self) -> Result<TaskAmendment> {
        let targets = self.targets()?;
        Ok(TaskAmendment::default()
            .with_metadata(self.metadata)
            .with_initiating_event_id(self.initiating_event_id)
            .with_notify(targets))
    }
}

/// The fields of a generation that only the station changes.
pub(super) const MACHINE_FIELDS: [&str; 13] = [
    "generationId",
    "userId",
    "status",
    "statusReason",
    "serviceName",
    "toolId",
    "toolDisplayName",
    "requestPayload",
    "requestTimestamp",
    "responsePayload",
    "responseTimestamp",
    "durationMs",
    "costUsd",
];

fn machine_owned(taken: &[String]) -> Error {
    let names = taken.iter().map(|name| name.replace('/', ".")).collect::<Vec<_>>().join(", ");
    let problem = |name: &String| {
        InputProblem::new(format!("/{name}"), "machineOwned", format!("{} is the station's.", name.replace('/', ".")))
    };
    Error::new(ErrorKind::Conflict, "change generation")
        .with_message(format!("Only the station changes {names}."))
        .with_problems(taken.iter().map(problem).collect())
}
