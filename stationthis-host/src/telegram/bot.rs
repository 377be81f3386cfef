//! What the bot makes of an update.

mod run;
mod tasks;

use std::sync::Arc;

use serde_json::{Map, Value, json};
use stationthis_core::registry::Tool;
use stationthis_core::station::{Caller, Station};
use stationthis_core::{CallerId, Error, ErrorKind, Result, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::costs::{Costs, Span};
use crate::face::failure;
use crate::telegram::address::Place;
use crate::telegram::door::Door;
use crate::telegram::menu::{Menu, Menus};
use crate::telegram::post::Post;
use crate::telegram::render;
use crate::telegram::request::Command;
use crate::telegram::status::Statuses;
use crate::telegram::text::{MESSAGE_MAX, PRESS_MAX, cut};
use crate::telegram::wire::{Message, Press, Update, What};
use crate::user_events::{NewUserEvent, UserEvents};
use crate::users::Users;
use crate::view::ToolView;

/// The platform of its users' identities and events.
const PLATFORM: &str = "telegram";

/// Messages that wait for their turn at a time. More is a flood; its answers are left out.
const SPEAKING_MAX: usize = 256;

/// How much of a command is kept in the event of it; the task has the whole.
const EVENT_TEXT_CHARS: usize = 1_000;

/// The bot at work.
#[derive(Debug)]
pub(crate) struct Bot {
    pub(crate) post: Arc<Post>,
    door: Door,
    station: Station,
    users: Users,
    events: UserEvents,
    menus: Arc<Menus>,
    statuses: Statuses,
    username: String,
    speaking: Arc<Semaphore>,
    /// What is being said.
    pub(crate) tracker: TaskTracker,
}

/// Who wrote, where.
struct Asker<'a> {
    caller: Caller,
    id: CallerId,
    message: &'a Message,
    /// The messages of the album that it is a part of, or itself.
    album: &'a [&'a Message],
}

impl Bot {
    pub(crate) fn new(
        post: Arc<Post>,
        door: Door,
        station: Station,
        menus: Arc<Menus>,
        statuses: Statuses,
        username: String,
    ) -> Self {
        Self {
            post,
            door,
            users: Users::new(station.clone()),
            events: UserEvents::new(station.clone()),
            station,
            menus,
            statuses,
            username,
            speaking: Arc::new(Semaphore::new(SPEAKING_MAX)),
            tracker: TaskTracker::new(),
        }
    }

    /// Handles one update, or those of one album together. When this returns `Ok`, what it leads to is durable, and the
    /// same updates again lead to nothing more but, perhaps, the same answer.
    ///
    /// # Errors
    /// What may be better later, above all `StoreUnavailable`: the updates are to be handled again.
    pub(crate) async fn handle(&self, updates: &[&Update]) -> Result<()> {
        let messages: Vec<&Message> = updates
            .iter()
            .filter_map(|update| match &update.what {
                What::Message(message) => Some(message.as_ref()),
                What::Press(_) | What::Other => None,
            })
            .collect();
        // The words of an album stand below one of its pictures.
        let speaks = |message: &&&Message| Command::read(message.words()).is_some();
        if let Some(message) = messages.iter().find(speaks).or_else(|| messages.first()) {
            return self.message(message, &messages).await;
        }
        for update in updates {
            if let What::Press(press) = &update.what {
                self.press(press).await?;
            }
        }
        Ok(())
    }

    async fn message(&self, message: &Message, album: &[&Message]) -> Result<()> {
        let chat = message.chat.id;
        if let Some(to) = message.migrate_to_chat_id {
            self.post.book.move_chat(chat, to);
            return Ok(());
        }
        let Some(from) = message.from.as_ref().filter(|user| !user.is_bot) else { return Ok(()) };
        let command = Command::read(message.words());
        // In a group, what is for another bot or for people is none of its business.
        let heard = command.as_ref().map_or_else(|| message.is_private(), |command| command.is_for(&self.username));
        if !heard {
            return Ok(());
        }
        if !self.door.lets_in(chat, &self.post.book) {
            if self.post.book.refuse(chat) {
                self.say(message, format!("This bot serves a closed circle. Its operator can add this chat: {chat}."));
            }
            return Ok(());
        }
        let Some(command) = command else {
            self.say(message, "I only understand commands. /tools lists what I can run, /help says how.".to_owned());
            return Ok(());
        };
        let id = self.users.caller_for(PLATFORM, &from.id.to_string()).await?;
        let asker = Asker { caller: self.station.as_caller(id.clone()), id, message, album };
        let answer = self.command(&asker, &command).await;
        match answer {
            Ok(Some(text)) => self.say(message, text),
            Ok(None) => {}
            Err(error) if is_passing(&error) => return Err(error),
            Err(error) => self.say(message, refusal(&error)),
        }
        Ok(())
    }

    /// Carries out a command; what is said about it, if anything.
    async fn command(&self, asker: &Asker<'_>, command: &Command<'_>) -> Result<Option<String>> {
        let name = command.name.to_ascii_lowercase();
        let caller = &asker.caller;
        let said = match name.as_str() {
            "start" => render::welcome(),
            "help" if command.rest.is_empty() => render::welcome(),
            "help" => {
                let tool = self.named(caller, command.rest)?;
                render::help(&ToolView::new(&tool, &caller.tools(), caller))
            }
            "tools" => render::tools(&self.menu(), caller, command.rest),
            "status" => self.status(asker, command.rest).await?,
            "cancel" => self.cancel(asker, command.rest).await?,
            "cost" => {
                let month: String = Timestamp::now().to_string().chars().take("2026-11".len()).collect();
                render::costs(&Costs::of(caller, Some(month.clone()), Span::Month).await?, &month, caller)
            }
            "run" => {
                let (tool, rest) = command.rest.split_once(char::is_whitespace).unwrap_or((command.rest, ""));
                if tool.is_empty() {
                    return Ok(Some("Say which tool: /run TOOL and its inputs. /tools lists them.".to_owned()));
                }
                let tool = self.named(caller, tool)?;
                return self.run(asker, &tool, rest.trim(), "run").await;
            }
            _ => match self.menu().tool(&name) {
                Some(tool) => return self.run(asker, tool, command.rest, &name).await,
                // In a group it may be another bot's, unless it was said whose it is.
                None if command.bot.is_none() && !asker.message.is_private() => return Ok(None),
                None => {
                    let tool = caller.resolve(&name.replace('_', "-"))?;
                    return self.run(asker, &tool, command.rest, &name).await;
                }
            },
        };
        self.record(asker, &name, command.rest).await?;
        Ok(Some(said))
    }

    fn menu(&self) -> Arc<Menu> {
        self.menus.of(&self.station.registry().snapshot())
    }

    /// The tool of a name, or of a command with or without its slash.
    fn named(&self, caller: &Caller, name: &str) -> Result<Arc<Tool>> {
        let name = name.strip_prefix('/').unwrap_or(name);
        caller.resolve(name).or_else(|error| self.menu().tool(name).cloned().ok_or(error))
    }

    /// Keeps what somebody did, so that a task can name it; its id.
    async fn record(&self, asker: &Asker<'_>, name: &str, text: &str) -> Result<String> {
        let Asker { message, .. } = asker;
        let text: String = text.chars().take(EVENT_TEXT_CHARS).collect();
        let facts = json!({
            "command": name, "text": text, "chatId": message.chat.id, "messageId": message.message_id,
        });
        let at = Timestamp::from_micros(message.date.saturating_mul(1_000_000));
        let event = event("command", facts, message.from.as_ref().map(|user| user.id));
        self.events.record_once(&asker.id, event, at, &key_of(message)).await.map(|event| event.event_id)
    }

    /// Somebody pressed a button. It is answered whatever it was, or their client waits for it.
    async fn press(&self, press: &Press) -> Result<()> {
        let chat = press.message.as_ref().map_or(press.from.id, |message| message.chat.id);
        let said = if self.door.lets_in(chat, &self.post.book) && !press.from.is_bot {
            self.pressed(press).await?
        } else {
            "This bot serves a closed circle."
        };
        let (post, id) = (Arc::clone(&self.post), press.id.clone());
        let said = cut(said, PRESS_MAX);
        self.speak(async move {
            if let Err(error) = post.api.answer_press(&id, &said).await {
                // It may be too old by now; then nobody waits for it.
                tracing::debug!(%error, "a pressed button was not answered");
            }
        });
        Ok(())
    }

    /// Answers a message, when its turn comes.
    fn say(&self, message: &Message, text: String) {
        let post = Arc::clone(&self.post);
        let place = place_of(message);
        self.speak(async move {
            if let Err(error) = post.say(place, &cut(&text, MESSAGE_MAX), None).await {
                tracing::warn!(chat = place.chat, %error, "an answer could not be sent");
            }
        });
    }

    fn speak(&self, words: impl Future<Output = ()> + Send + 'static) {
        let Ok(turn) = Arc::clone(&self.speaking).try_acquire_owned() else {
            tracing::warn!("an answer is left out: too many wait");
            return;
        };
        self.tracker.spawn(async move {
            words.await;
            drop(turn);
        });
    }
}

/// What somebody did.
fn event(kind: &str, facts: Value, user: Option<i64>) -> NewUserEvent {
    let payload = if let Value::Object(facts) = facts { facts } else { Map::new() };
    NewUserEvent::new(kind).with_payload(payload).with_user(PLATFORM, user.unwrap_or_default().to_string())
}

/// Where an answer to a message goes.
fn place_of(message: &Message) -> Place {
    Place { chat: message.chat.id, thread: message.thread(), message: Some(message.message_id) }
}

/// The name of a request, which is the same when the update comes again.
fn key_of(message: &Message) -> String {
    format!("{PLATFORM}:{}:{}", message.chat.id, message.message_id)
}

/// May it be better in a moment, so that the update should be handled again?
fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::StoreUnavailable | ErrorKind::Closed)
}

/// What is said about a request that was not taken.
fn refusal(error: &Error) -> String {
    if matches!(error.kind(), ErrorKind::Unexpected | ErrorKind::Corrupt) {
        tracing::error!(%error, "a command failed");
        return "Something is wrong on my side. Please tell my operator.".to_owned();
    }
    failure::lines(error).join("\n")
}
