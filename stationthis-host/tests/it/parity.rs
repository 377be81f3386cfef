//! The faces, side by side: the same requests are taken or refused with the same words on each, at the same price, and
//! bring the same outputs. HTTP, in its own words and in those of generations; the program; the bot.

#[path = "parity/command_line.rs"]
mod command_line;
#[path = "parity/corpus.rs"]
mod corpus;
#[path = "parity/http.rs"]
mod http;
#[path = "parity/scene.rs"]
mod scene;
#[path = "parity/sources.rs"]
mod sources;
#[path = "parity/telegram.rs"]
mod telegram;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use serde_json::{Value, json};
use stationthis_core::ToolDefinition;
use stationthis_core::task::TaskRecord;

use corpus::{Ask, End, Given, Price, Run, asks, tools};
use scene::{PICTURE, Scene, TEXT};

/// Requests of one face at a time: programs are started for some, on machines with few cores.
const AT_A_TIME: usize = 4;

/// A face, used as its users do.
#[async_trait]
pub trait Face: Send + Sync {
    fn name(&self) -> &'static str;

    /// Why users of this face cannot run a tool, where the face says so. Else nothing is different.
    fn leaves_out(&self, _: &ToolDefinition) -> Option<String> {
        None
    }

    /// What a user is told that a tool costs.
    async fn price(&self, scene: &Scene, tool: &str) -> String;

    /// What a user sees come of a request; `user` is one of its own.
    async fn ask(&self, scene: &Scene, user: usize, ask: &Ask) -> Outcome;
}

/// What a user sees.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    Made {
        /// The inputs as they were sent; `null` for the user's own picture.
        sent: Value,
        /// How it ended when that was not well, with `…` for the task's id.
        failed: Option<String>,
        /// What the user is told that it cost.
        cost: String,
        /// What arrived, in order.
        outputs: Vec<Vec<u8>>,
    },
    /// The tool is none for this face, for this reason.
    LeftOut(String),
    /// The sentences, with the pointers where the face shows them.
    Refused(Vec<(Option<String>, String)>),
}

/// Every face there is; `sources` fails for one that is not here.
fn faces() -> Vec<Arc<dyn Face>> {
    vec![Arc::new(http::Run), Arc::new(http::Generations), Arc::new(command_line::Run), Arc::new(telegram::Bot)]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_has_the_same_outcome_on_every_face() {
    let scene = Scene::new().await;
    let asks = asks();
    let asked = faces().into_iter().map(|face| {
        let (asks, scene) = (&asks, &scene);
        async move {
            let outcomes = stream::iter(asks.iter().enumerate()).map(|(n, ask)| {
                let face = &face;
                async move { (ask, face.ask(scene, n, ask).await) }
            });
            let outcomes: Vec<_> = outcomes.buffered(AT_A_TIME).collect().await;
            outcomes.into_iter().for_each(|(ask, outcome)| check(scene, face.as_ref(), ask, outcome));
        }
    });
    join_all(asked).await;
    scene.fake.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_price_is_shown_on_every_face() {
    let scene = Scene::new().await;
    let shown = [
        ("draw", "at most $0.15 ($0.0005 per second)"),
        ("lists", "$0.04 ($0.04 per run)"),
        ("unicode", "$0.00 ($0 per run)"),
        ("unpriced", "no price is known"),
    ];
    for face in faces() {
        for (tool, expected) in shown {
            assert_eq!(face.price(&scene, tool).await, expected, "{tool} on {}", face.name());
        }
    }
}

fn check(scene: &Scene, face: &dyn Face, ask: &Ask, outcome: Outcome) {
    let what = format!("{} with {:?} on {}", ask.tool, ask.inputs, face.name());
    if let Some(reason) = face.leaves_out(&scene.definition(ask.tool)) {
        assert_eq!(outcome, Outcome::LeftOut(reason), "{what}");
        return;
    }
    let expected = match &ask.end {
        End::Sent(sent) => made(ask.tool, sent.clone()),
        End::Refused(problems) => {
            let shown = matches!(&outcome, Outcome::Refused(seen) if seen.iter().all(|(pointer, _)| pointer.is_some()));
            let problem =
                |(pointer, sentence): &(&str, &str)| (shown.then(|| (*pointer).to_owned()), (*sentence).to_owned());
            Outcome::Refused(problems.iter().map(problem).collect())
        }
        End::Denied(sentence) => Outcome::Refused(vec![(None, (*sentence).to_owned())]),
    };
    assert_eq!(outcome, expected, "{what}");
}

fn made(tool: &str, sent: Value) -> Outcome {
    let tool = tools().into_iter().find(|known| known.key == tool).unwrap();
    let cost = match tool.price {
        Price::PerSecond => "$0.0125",
        Price::PerRun => "$0.04",
        Price::Free => "$0.00",
        Price::Unknown => "unknown",
    };
    let (failed, outputs) = match tool.run {
        Run::Well => (None, vec![PICTURE.to_vec(), TEXT.as_bytes().to_vec()]),
        Run::Badly(reason) => {
            let slug = tool.name.to_lowercase();
            (Some(format!("{slug} failed: {} (task …).", reason.trim_end_matches('.'))), Vec::new())
        }
    };
    Outcome::Made { sent, failed, cost: cost.to_owned(), outputs }
}

/// The inputs that were sent, with `null` where the user's own picture was.
pub fn sent(ask: &Ask, inputs: &serde_json::Map<String, Value>) -> Value {
    let mut sent = Value::Object(inputs.clone());
    for (name, _) in ask.inputs.iter().filter(|(_, given)| matches!(given, Given::Picture)) {
        let picture = if let Value::Array(only) = &sent[*name] { &only[0] } else { &sent[*name] };
        assert!(picture.as_str().is_some_and(|text| !text.is_empty()), "{name} was sent: {sent}");
        sent[*name] = json!(null);
    }
    sent
}

/// What a person types for a value.
pub fn typed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(entries) if !entries.iter().any(Value::is_array) => {
            entries.iter().map(typed).collect::<Vec<_>>().join(",")
        }
        Value::Array(_) | Value::Null | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// A sentence about a task, without its id.
pub fn without_id(sentence: &str, task: &TaskRecord) -> String {
    sentence.replace(&task.task_id.to_string(), "…")
}
