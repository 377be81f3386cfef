//! The account's tasks.

use super::callbacks;
use super::script::{CreditsAs, Script};
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most tasks that are kept.
const TASKS_MAX: usize = 1000;

/// The first task's id: beyond 2^53, as the service's are.
const FIRST_ID: u64 = 871_234_567_890_123_456;

/// What happened so far.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Books {
    /// Every task, in the order in which they were made.
    pub tasks: Vec<SimTask>,
    /// The size of each file that was uploaded.
    pub uploads: Vec<usize>,
    /// Submissions that were refused.
    pub refused: u32,
}

/// A task at the service.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SimTask {
    /// Its id.
    pub id: String,
    /// The route that made it.
    pub route: String,
    /// What was sent.
    pub body: Value,
    /// How it stands.
    pub state: &'static str,
    /// Why it failed.
    pub err_code: &'static str,
    /// What it takes.
    pub credits: u32,
    left: Vec<&'static str>,
    last: (&'static str, &'static str),
    script: Script,
}

pub(super) struct Shared {
    pub(super) key: String,
    pub(super) origin: String,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    books: Books,
    script: Script,
    /// Uploads begun, with the bytes where they are there.
    places: Vec<Option<usize>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(key: String, origin: String) -> Self {
        Self { key, origin, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn books(&self) -> Books {
        self.inner().books.clone()
    }

    pub(super) fn script(&self) -> Script {
        self.inner().script.clone()
    }

    pub(super) fn set_script(&self, script: Script) {
        self.inner().script = script;
    }

    /// One refusal less to give, if there is one.
    pub(super) fn refusal(&self) -> Option<(u16, &'static str, &'static str)> {
        let mut inner = self.inner();
        let refusal = inner.script.refuses.filter(|_| inner.script.refusals > 0)?;
        inner.script.refusals -= 1;
        inner.books.refused += 1;
        Some(refusal)
    }

    /// A new task; `None` when there are too many.
    pub(super) fn make(&self, route: &str, body: Value) -> Option<SimTask> {
        let mut inner = self.inner();
        let number = inner.books.tasks.len();
        if number >= TASKS_MAX {
            return None;
        }
        let script = inner.script.clone();
        let task = SimTask {
            id: (FIRST_ID + u64::try_from(number).unwrap_or(0)).to_string(),
            route: route.to_owned(),
            body,
            state: "created",
            err_code: "",
            credits: script.credits,
            left: script.on_the_way.iter().rev().copied().collect(),
            last: script.last,
            script,
        };
        inner.books.tasks.push(task.clone());
        Some(task)
    }

    /// A task, a step further.
    pub(super) fn step(&self, id: &str) -> Option<Value> {
        self.on(id, SimTask::step)?;
        self.shown(id)
    }

    /// A task at its end, whatever was to come before.
    pub(super) fn finish(&self, id: &str) -> Option<Value> {
        self.on(id, |task| {
            task.left.clear();
            task.step();
        })?;
        self.shown(id)
    }

    /// Ends a task as cancelled; why not, when it cannot be.
    pub(super) fn cancel(&self, id: &str) -> Option<Result<(), String>> {
        self.on(id, |task| {
            let is_over = matches!(task.state, "success" | "failed");
            if task.script.is_scheduled || is_over {
                let state = if is_over { task.state } else { "scheduled" };
                return Err(format!("task state is {state}, can not cancel"));
            }
            (task.state, task.err_code, task.credits) = ("failed", "UserCancelled", 0);
            task.left.clear();
            task.last = (task.state, task.err_code);
            Ok(())
        })
    }

    fn on<T>(&self, id: &str, change: impl FnOnce(&mut SimTask) -> T) -> Option<T> {
        self.inner().books.tasks.iter_mut().find(|task| task.id == id).map(change)
    }

    /// As the state query and callbacks show it.
    pub(super) fn shown(&self, id: &str) -> Option<Value> {
        let inner = self.inner();
        let task = inner.books.tasks.iter().find(|task| task.id == id)?;
        let mut shown = json!({
            "id": task.id, "state": task.state, "err_code": task.err_code, "payload": task.body.get("payload"),
            "bgm": false, "off_peak": task.body.get("off_peak") == Some(&Value::Bool(true)), "creations": [],
        });
        task.write_credits(&mut shown);
        if task.state == "success" {
            let ending = match task.route.as_str() {
                "reference2image" => "png",
                "text2audio" | "audio-tts" => "mp3",
                _ => "mp4",
            };
            let file = |what: &str| format!("{}/outputs/{}{what}?sig=a", self.origin, task.id);
            let creation = json!({
                "id": format!("99{}", task.id),
                "url": file(&format!(".{ending}")),
                "cover_url": file("-cover.jpg"),
                "watermarked_url": file(&format!("-wm.{ending}")),
            });
            put(&mut shown, "creations", json!([creation]));
        }
        Some(shown)
    }

    pub(super) fn begin_upload(&self) -> usize {
        let mut inner = self.inner();
        inner.places.push(None);
        inner.places.len() - 1
    }

    pub(super) fn put(&self, number: usize, size: usize) -> bool {
        self.inner().places.get_mut(number).is_some_and(|place| place.replace(size).is_none())
    }

    /// Is the file there, with this etag?
    pub(super) fn end_upload(&self, number: usize, etag: &str) -> bool {
        let mut inner = self.inner();
        let size = inner.places.get(number).copied().flatten();
        match size.filter(|size| etag == callbacks::etag(*size)) {
            Some(size) => {
                inner.books.uploads.push(size);
                true
            }
            None => false,
        }
    }
}

impl SimTask {
    fn step(&mut self) {
        match self.left.pop() {
            Some(state) => self.state = state,
            None => {
                (self.state, self.err_code) = self.last;
                if self.state == "failed" && self.script.failures_are_free {
                    self.credits = 0;
                }
            }
        }
    }

    pub(super) fn write_credits(&self, into: &mut Value) {
        match self.script.credits_as {
            CreditsAs::Number => put(into, "credits", json!(self.credits)),
            CreditsAs::Text => put(into, "credits", json!(self.credits.to_string())),
            CreditsAs::Nothing => {}
        }
    }
}

/// Sets a field of an object.
pub(super) fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}
