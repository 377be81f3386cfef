//! Running a tool.

use serde_json::{Map, Value, json};
use stationthis_core::notify::NotifyTarget;
use stationthis_core::registry::Tool;
use stationthis_core::station::RunRequest;
use stationthis_core::tool::naming::telegram_command;
use stationthis_core::{ErrorKind, IdempotencyKey, Result, ToolDefinition};

use super::{Asker, Bot, key_of, place_of, refusal};
use crate::face::chat::chat_reason;
use crate::telegram::attachments;
use crate::telegram::request;

impl Bot {
    /// Runs a tool with what a message says and shows; what is said about it, if anything: its status message and its
    /// answer come by themselves.
    pub(super) async fn run(&self, asker: &Asker<'_>, tool: &Tool, words: &str, name: &str) -> Result<Option<String>> {
        let definition = tool.definition();
        if let Some(reason) = chat_reason(definition) {
            return Ok(Some(reason));
        }
        let mut inputs = match request::inputs(definition, words) {
            Ok(inputs) => inputs,
            Err(reason) => return Ok(Some(reason)),
        };
        let own = asker.album.iter().flat_map(|message| attachments::of(message));
        let replied = asker.message.reply_to_message.iter().flat_map(|message| attachments::of(message));
        let assigned = match attachments::assign(definition, &inputs, own.chain(replied).collect()) {
            Ok(assigned) => assigned,
            Err(reason) => return Ok(Some(reason)),
        };
        attachments::keep(&self.post, &asker.id, definition, &mut inputs, assigned).await?;
        self.request(asker, definition, inputs, words, name).await
    }

    /// Has the station take the request.
    async fn request(
        &self,
        asker: &Asker<'_>,
        definition: &ToolDefinition,
        inputs: Map<String, Value>,
        words: &str,
        name: &str,
    ) -> Result<Option<String>> {
        let event = self.record(asker, name, words).await?;
        let place = place_of(asker.message);
        let about = json!({ "chatId": place.chat, "messageId": asker.message.message_id });
        let request = RunRequest::new(definition.tool_id.as_str(), inputs)
            .with_idempotency_key(Some(IdempotencyKey::new(key_of(asker.message))?))
            .with_initiating_event_id(Some(event))
            .with_metadata(Map::from_iter([("telegram".to_owned(), about)]))
            .with_notify(vec![NotifyTarget::new("telegram", place.to_string())]);
        match asker.caller.run(request).await {
            Ok(task) => {
                let statuses = self.statuses.clone();
                self.speak(async move { statuses.open(&task, place).await });
                Ok(None)
            }
            // The message was carried out before, when the tool took other inputs.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                tracing::info!(%error, "a message that came again is left alone");
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                let hint = format!("/help {} says what it takes.", telegram_command(&definition.slug));
                let quotes = error.problems().iter().any(|problem| problem.rule == "unknownInput");
                let quotes = if quotes { " Words with = in them go in quotes when they are no input." } else { "" };
                Ok(Some(format!("{}\n{hint}{quotes}", refusal(&error))))
            }
            Err(error) => Err(error),
        }
    }
}
