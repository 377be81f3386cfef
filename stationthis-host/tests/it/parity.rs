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
use serde_json::{Value, json};

use corpus::{Ask, End, Given, asks, tools};
use scene::{PICTURE, Scene, TEXT};

/// Requests of one face at a time: programs are started for some, on machines with few cores.
const AT_A_TIME: usize = 4;

/// A face, used as its users do.
#[async_trait]
pub trait Face: Send + Sync {
    fn name(&self) -> &'static str;

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
        /// What the user is told that it cost.
        cost: String,
        /// What arrived, in order.
        outputs: Vec<Vec<u8>>,
    },
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
    for face in faces() {
        let outcomes = futures_util::stream::iter(asks.iter().enumerate()).map(|(n, ask)| {
            let (face, scene) = (&face, &scene);
            async move { (ask, face.ask(scene, n, ask).await) }
        });
        for (ask, outcome) in outcomes.buffered(AT_A_TIME).collect::<Vec<_>>().await {
            check(face.name(), ask, outcome);
        }
    }
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

fn check(face: &str, ask: &Ask, outcome: Outcome) {
    let what = format!("{} with {:?} on {face}", ask.tool, ask.inputs);
    let expected = match &ask.end {
        End::Sent(sent) => Outcome::Made { sent: sent.clone(), cost: cost(ask.tool), outputs: outputs() },
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

fn cost(tool: &str) -> String {
    let price = tools().into_iter().find(|known| known.key == tool).unwrap().price;
    let cost = match price {
        corpus::Price::PerSecond => "$0.0125",
        corpus::Price::PerRun => "$0.04",
        corpus::Price::Free => "$0.00",
        corpus::Price::Unknown => "unknown",
    };
    cost.to_owned()
}

fn outputs() -> Vec<Vec<u8>> {
    vec![PICTURE.to_vec(), TEXT.as_bytes().to_vec()]
}

/// The inputs that were sent, with `null` where the user's own picture was.
pub fn sent(ask: &Ask, inputs: &serde_json::Map<String, Value>) -> Value {
    let mut sent = Value::Object(inputs.clone());
    for (name, _) in ask.inputs.iter().filter(|(_, given)| matches!(given, Given::Picture)) {
        assert!(sent[*name].as_str().is_some_and(|text| !text.is_empty()), "{name} was sent: {sent}");
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
        Value::Array(entries) => entries.iter().map(typed).collect::<Vec<_>>().join(","),
        Value::Null | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
