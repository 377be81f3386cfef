//! The Telegram face: the bot at work, over a Bot API of our own. Each user has a chat of its own.

use async_trait::async_trait;
use serde_json::{Value, json};
use stationthis_core::store::TaskQuery;
use stationthis_core::task::TaskRecord;
use stationthis_core::tool::naming::telegram_command;
use stationthis_core::{CallerId, ToolDefinition};
use stationthis_host::face::chat::chat_reason;

use super::corpus::{Ask, Given, tools};
use super::scene::{Scene, TEXT};
use super::{Face, Outcome};
use crate::telegram::world::Said;

pub struct Bot;

/// The chats that the bot serves: a user's is its number in this one.
pub const CHATS: std::ops::Range<i64> = 1000..1100;

/// Who asks for prices.
const PRICES: i64 = 1099;

#[async_trait]
impl Face for Bot {
    fn name(&self) -> &'static str {
        "telegram"
    }

    fn leaves_out(&self, tool: &ToolDefinition) -> Option<String> {
        chat_reason(tool)
    }

    async fn price(&self, scene: &Scene, tool: &str) -> String {
        let message = write(scene, PRICES, &format!("/help {}", scene.slug(tool)), json!({}));
        let help = first_answer(scene, PRICES, message).await;
        let price = help.lines().find_map(|line| line.strip_prefix("Price: "));
        price.unwrap_or_else(|| panic!("no price: {help}")).to_owned()
    }

    async fn ask(&self, scene: &Scene, user: usize, ask: &Ask) -> Outcome {
        let chat = CHATS.start + i64::try_from(user).unwrap();
        let tool = tools().into_iter().find(|tool| tool.key == ask.tool).unwrap();
        let (mut free, mut pairs, mut more) = (String::new(), String::new(), json!({}));
        for (name, given) in &ask.inputs {
            match given {
                Given::Value(value) if tool.properties[name]["x-stationthis"]["kind"] == "text" => {
                    free = super::typed(value)
                }
                Given::Value(value) => pairs.push_str(&format!(" {name}={}", quoted(&super::typed(value)))),
                Given::Picture => {
                    let picture = |name: &str| scene.fake.change(|state| state.world.picture(name, super::PICTURE));
                    more = json!({ "photo": picture(&format!("of-{user}")) });
                }
            }
        }
        let words = format!("/{} {free}{pairs}", telegram_command(scene.slug(ask.tool)));
        let message = write(scene, chat, &words, more);
        let first = first_answer(scene, chat, message).await;
        let caller = scene.station.as_caller(CallerId::new(format!("telegram-{chat}")).unwrap());
        let tasks = caller.list(TaskQuery::default()).await.unwrap().tasks;
        let Some(task) = tasks.first() else {
            if self.leaves_out(&scene.definition(ask.tool)).is_some() {
                return Outcome::LeftOut(first);
            }
            let sentences = first.lines().filter(|line| !line.starts_with("/help "));
            return Outcome::Refused(sentences.map(|line| (None, line.to_owned())).collect());
        };
        let ended = scene.fake.until("an end", |state| {
            let said = || state.world.of_bot(chat).filter(|said| said.reply_to == Some(message));
            let told =
                said().find(|said| said.text.contains("Cost: ") && (!said.shows.is_empty() || names(said, task)))?;
            (names(told, task) || said().any(|said| said.text == TEXT)).then(|| told.text.clone())
        });
        let ended = ended.await;
        let (how, cost) = ended.split_once("Cost: ").unwrap();
        let mut outputs: Vec<Vec<u8>> = Vec::new();
        for call in scene.fake.calls("sendPhoto").iter().filter(|call| call.fields["chat_id"] == chat) {
            outputs.extend(call.files.values().map(|file| file.bytes.to_vec()));
        }
        outputs.extend((!outputs.is_empty()).then(|| TEXT.as_bytes().to_vec()));
        Outcome::Made {
            sent: super::sent(ask, &task.inputs_sent),
            failed: outputs.is_empty().then(|| super::without_id(how.trim_end(), task)),
            cost: cost.trim_end_matches('.').to_owned(),
            outputs,
        }
    }
}

/// A bot names the task of a failure.
fn names(said: &Said, task: &TaskRecord) -> bool {
    said.text.contains(&task.task_id.to_string())
}

fn write(scene: &Scene, chat: i64, words: &str, more: Value) -> i64 {
    scene.fake.change(|state| {
        state.world.open(chat, "private");
        state.world.write(chat, (chat, "Ana"), words, more)
    })
}

async fn first_answer(scene: &Scene, chat: i64, message: i64) -> String {
    let first = scene.fake.until("an answer", |state| {
        state.world.of_bot(chat).find(|said| said.reply_to == Some(message)).map(|said| said.text.clone())
    });
    first.await
}

/// As people write a value of several words.
fn quoted(text: &str) -> String {
    if text.contains(char::is_whitespace) { format!("\"{text}\"") } else { text.to_owned() }
}
