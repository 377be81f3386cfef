//! The chats behind the fake Bot API: who is where, what was said, how fast.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use super::fake::{USERNAME, Upload};
use super::rules::Refusal;

/// The world goes so many times as fast as ours; the bot is told so.
pub const FASTER: u32 = 100;

/// A message as a chat shows it.
#[derive(Clone, Debug)]
pub struct Said {
    pub chat: i64,
    pub id: i64,
    /// Whose it is; the bot's when empty.
    pub who: String,
    /// Its words, as they are now.
    pub text: String,
    /// Its words before they were edited, when they were, with a button for each row.
    pub first: Option<String>,
    /// What it shows: `photo name.png`, one for each.
    pub shows: Vec<String>,
    pub reply_to: Option<i64>,
    pub thread: Option<i64>,
    /// The buttons, as they are now.
    pub buttons: Option<Value>,
    pub edits: usize,
}

#[derive(Debug, Default)]
pub struct Chat {
    pub kind: &'static str,
    pub topics: Vec<i64>,
    /// What every message to it is refused with.
    pub closed: Option<Refusal>,
    last_message: i64,
    /// A second's worth of messages, of which there may be three at once.
    tokens: Option<(f64, Instant)>,
    recent: VecDeque<Instant>,
}

#[derive(Debug, Default)]
pub struct World {
    pub chats: HashMap<i64, Chat>,
    pub said: Vec<Said>,
    pub updates: VecDeque<Value>,
    pub files: HashMap<String, Bytes>,
    pub presses: BTreeMap<String, Option<String>>,
    recent: VecDeque<Instant>,
    last_update: i64,
}

impl World {
    pub fn open(&mut self, id: i64, kind: &'static str) -> &mut Chat {
        let chat = self.chats.entry(id).or_default();
        chat.kind = kind;
        chat
    }

    /// Somebody writes; the number of their message. `more` are further fields of it.
    pub fn write(&mut self, chat: i64, who: (i64, &str), text: &str, more: Value) -> i64 {
        let kind = self.chats.get(&chat).expect("a chat").kind;
        let id = self.next_message(chat);
        let mut message = json!({
            "message_id": id, "date": 1_795_500_000, "chat": { "id": chat, "type": kind },
            "from": { "id": who.0, "is_bot": false, "first_name": who.1 },
        });
        let fields = message.as_object_mut().unwrap();
        fields.extend(more.as_object().cloned().unwrap_or_default());
        let shows = fields.contains_key("photo").then(|| "photo".to_owned());
        if !text.is_empty() {
            fields.insert(if shows.is_some() { "caption" } else { "text" }.to_owned(), text.into());
        }
        let (thread, reply) =
            (message["message_thread_id"].as_i64(), message["reply_to_message"]["message_id"].as_i64());
        self.update("message", message);
        self.said.push(Said {
            chat,
            id,
            who: who.1.to_owned(),
            text: text.to_owned(),
            first: None,
            shows: shows.into_iter().collect(),
            reply_to: reply,
            thread,
            buttons: None,
            edits: 0,
        });
        id
    }

    /// A picture of two sizes, kept at Telegram.
    pub fn picture(&mut self, name: &str, bytes: &[u8]) -> Value {
        self.files.insert(format!("photos/{name}.jpg"), Bytes::copy_from_slice(bytes));
        json!([{ "file_id": format!("{name}-small"), "file_size": 1 }, { "file_id": name, "file_size": bytes.len() }])
    }

    pub fn press(&mut self, who: (i64, &str), chat: i64, message: i64, button: &str) -> String {
        let said = self.said.iter().find(|said| (said.chat, said.id) == (chat, message)).expect("a message");
        let rows = said.buttons.as_ref().expect("buttons")["inline_keyboard"].as_array().unwrap().clone();
        let buttons: Vec<Value> = rows.iter().flat_map(|row| row.as_array().unwrap().clone()).collect();
        let data = buttons.iter().find(|b| b["text"] == button).expect("the button")["callback_data"].clone();
        let id = format!("press-{}", self.presses.len() + 1);
        let kind = self.chats[&chat].kind;
        self.presses.insert(id.clone(), None);
        self.update(
            "callback_query",
            json!({
                "id": id, "from": { "id": who.0, "is_bot": false, "first_name": who.1 }, "data": data,
                "message": { "message_id": message, "date": 1, "chat": { "id": chat, "type": kind } }, "chat_instance": "1",
            }),
        );
        id
    }

    pub fn update(&mut self, kind: &str, content: Value) -> i64 {
        self.last_update += 1;
        self.updates.push_back(json!({ "update_id": 9000 + self.last_update, kind: content }));
        9000 + self.last_update
    }

    pub fn file(&self, id: &str) -> Result<Value, Refusal> {
        let path = format!("photos/{id}.jpg");
        let bytes = self.files.get(&path).ok_or(Refusal::new(400, "Bad Request: invalid file_id"))?;
        Ok(json!({ "file_id": id, "file_unique_id": id, "file_size": bytes.len(), "file_path": path }))
    }

    pub fn answer_press(&mut self, fields: &Map<String, Value>) -> Result<Value, Refusal> {
        let id = fields["callback_query_id"].as_str().unwrap_or_default();
        let slot = self.presses.get_mut(id).ok_or(Refusal::new(400, "Bad Request: query is too old"))?;
        *slot = Some(fields["text"].as_str().unwrap_or_default().to_owned());
        Ok(json!(true))
    }

    pub fn edit(&mut self, fields: &Map<String, Value>) -> Result<Value, Refusal> {
        let (chat, id) = (fields["chat_id"].as_i64().unwrap(), fields["message_id"].as_i64().unwrap());
        self.admit(chat, 1)?;
        let text = fields["text"].as_str().unwrap();
        let buttons = fields.get("reply_markup").cloned();
        let said = self.said.iter_mut().find(|said| (said.chat, said.id) == (chat, id) && said.who.is_empty());
        let said = said.ok_or(Refusal::new(400, "Bad Request: message to edit not found"))?;
        if said.text == text && said.buttons == buttons {
            let unchanged = "Bad Request: message is not modified: specified new message content and reply markup are \
                             exactly the same as a current content and reply markup of the message";
            return Err(Refusal::new(400, unchanged));
        }
        let before = std::mem::replace(&mut said.text, text.to_owned());
        let button = said.buttons.take().map(|buttons| format!("\n<{}>", button_of(&buttons))).unwrap_or_default();
        said.first.get_or_insert(before + &button);
        said.buttons = buttons;
        said.edits += 1;
        Ok(json!({ "message_id": id, "chat": { "id": chat } }))
    }

    pub fn send(
        &mut self,
        method: &str,
        fields: &Map<String, Value>,
        files: &BTreeMap<String, Upload>,
    ) -> Result<Value, Refusal> {
        let chat = fields["chat_id"].as_i64().unwrap();
        let entries = fields.get("media").and_then(Value::as_array).cloned();
        self.admit(chat, entries.as_ref().map_or(1, Vec::len))?;
        let thread = fields.get("message_thread_id").and_then(Value::as_i64);
        if thread.is_some_and(|thread| !self.chats[&chat].topics.contains(&thread)) {
            return Err(Refusal::new(400, "Bad Request: message thread not found"));
        }
        let reply = fields.get("reply_parameters").map(|reply| reply["message_id"].as_i64().unwrap());
        let there = reply.is_none_or(|id| self.said.iter().any(|said| (said.chat, said.id) == (chat, id)));
        if !there && fields["reply_parameters"]["allow_sending_without_reply"] != true {
            return Err(Refusal::new(400, "Bad Request: message to be replied not found"));
        }
        let mut shown = Vec::new();
        let kind = method.trim_start_matches("send").to_lowercase();
        match &entries {
            Some(entries) => {
                for entry in entries {
                    shown.push((entry["type"].as_str().unwrap().to_owned(), entry["media"].clone()));
                }
            }
            None if kind == "message" => {}
            None => shown.push((kind.clone(), fields[&kind].clone())),
        }
        let shows: Vec<String> =
            shown.into_iter().map(|(kind, media)| shown_as(&kind, &media, files)).collect::<Result<_, _>>()?;
        let id = self.next_message(chat);
        for _ in 1..shows.len() {
            self.next_message(chat);
        }
        let words = |value: &Value| value["caption"].as_str().or(value["text"].as_str()).unwrap_or_default().to_owned();
        let text = entries.as_ref().map_or_else(|| words(&Value::Object(fields.clone())), |all| words(&all[0]));
        let items = shows.len();
        self.said.push(Said {
            chat,
            id,
            who: String::new(),
            text,
            first: None,
            shows,
            reply_to: reply.filter(|_| there),
            thread,
            buttons: fields.get("reply_markup").cloned(),
            edits: 0,
        });
        let message = |id: i64| json!({ "message_id": id, "date": 1, "chat": { "id": chat } });
        Ok(if entries.is_some() { (0..items).map(|n| message(id + n as i64)).collect() } else { message(id) })
    }

    /// Within the limits that Telegram states? Short bursts pass.
    fn admit(&mut self, id: i64, items: usize) -> Result<(), Refusal> {
        let now = Instant::now();
        let chat = self.chats.get_mut(&id).ok_or(Refusal::new(400, "Bad Request: chat not found"))?;
        if let Some(closed) = &chat.closed {
            return Err(closed.clone());
        }
        let second = Duration::from_secs(1) / FASTER;
        let (tokens, since) = chat.tokens.unwrap_or((3.0, now));
        let tokens = (tokens + (now - since).as_secs_f64() / second.as_secs_f64()).min(3.0);
        let keep = |times: &mut VecDeque<Instant>, window: Duration| times.retain(|at| *at + window > now);
        keep(&mut chat.recent, second * 60);
        keep(&mut self.recent, second);
        // An album may be more than a burst; what comes after it waits for all of it.
        let flood = tokens < 0.9 || id < 0 && chat.recent.len() + items > 20 || self.recent.len() + items > 30;
        if flood {
            return Err(Refusal::flood(1));
        }
        chat.tokens = Some((tokens - items as f64, now));
        chat.recent.extend(std::iter::repeat_n(now, items));
        self.recent.extend(std::iter::repeat_n(now, items));
        Ok(())
    }

    fn next_message(&mut self, chat: i64) -> i64 {
        let chat = self.chats.get_mut(&chat).expect("a chat");
        chat.last_message += 1;
        chat.last_message
    }

    /// The messages of the bot in a chat.
    pub fn of_bot(&self, chat: i64) -> impl Iterator<Item = &Said> {
        self.said.iter().filter(move |said| said.chat == chat && said.who.is_empty())
    }

    /// All that was said, in order, as it reads now.
    pub fn transcript(&self) -> String {
        let mut text = String::new();
        for said in &self.said {
            let who = if said.who.is_empty() { USERNAME } else { &said.who };
            let reply = said.reply_to.map(|id| format!(", to {id}")).unwrap_or_default();
            let thread = said.thread.map(|id| format!(", topic {id}")).unwrap_or_default();
            writeln!(text, "{who} ({}{reply}{thread}):", said.id).unwrap();
            said.shows.iter().for_each(|shown| writeln!(text, "    [{shown}]").unwrap());
            said.first.iter().flat_map(|first| first.lines()).for_each(|line| writeln!(text, "    {line}").unwrap());
            let edited = if said.first.is_some() { "→ " } else { "" };
            said.text.lines().for_each(|line| writeln!(text, "    {edited}{line}").unwrap());
            if let Some(buttons) = &said.buttons {
                writeln!(text, "    <{}>", button_of(buttons)).unwrap();
            }
        }
        text
    }
}

fn button_of(buttons: &Value) -> &str {
    buttons["inline_keyboard"][0][0]["text"].as_str().unwrap()
}

/// As the chat shows it; Telegram does not reach loopback.
fn shown_as(kind: &str, media: &Value, files: &BTreeMap<String, Upload>) -> Result<String, Refusal> {
    let media = media.as_str().unwrap();
    match media.strip_prefix("attach://") {
        Some(part) if kind == "photo" && !is_picture(&files[part].bytes) => {
            Err(Refusal::new(400, "Bad Request: IMAGE_PROCESS_FAILED"))
        }
        Some(part) => Ok(format!("{kind} {}", files[part].filename)),
        None if media.contains("unreachable") || media.contains("127.0.0.1") => {
            Err(Refusal::new(400, "Bad Request: failed to get HTTP URL content"))
        }
        None => Ok(format!("{kind} {media}")),
    }
}

fn is_picture(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG") || bytes.starts_with(b"\xff\xd8")
}
