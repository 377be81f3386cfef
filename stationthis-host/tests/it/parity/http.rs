//! The HTTP face: `run`, with files and outputs that go through the host, and the same in the words of `generations`, with
//! data URLs and the addresses of outputs.

use async_trait::async_trait;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use stationthis_core::task::TaskRecord;
use stationthis_core::tool::problem::InputProblem;
use stationthis_core::{Error, ErrorKind};
use stationthis_host::face::{failure, summary};
use stationthis_host::view::ToolView;

use super::corpus::{Ask, Given, tools};
use super::scene::{KEY, Scene};
use super::{Face, Outcome};
use crate::bench::answer;

pub struct Run;
pub struct Generations;

#[async_trait]
impl Face for Run {
    fn name(&self) -> &'static str {
        "http"
    }

    async fn price(&self, scene: &Scene, tool: &str) -> String {
        price(scene, tool).await
    }

    async fn ask(&self, scene: &Scene, _: usize, ask: &Ask) -> Outcome {
        let path = format!("/api/internal/run/{}?wait=30", scene.slug(ask.tool));
        let inputs = inputs(ask, &kept(scene).await);
        let (status, body) = call(scene, Method::POST, &path, Some(json!({ "inputs": inputs }))).await;
        if status != StatusCode::OK {
            return refused(status, &body);
        }
        let task: TaskRecord = serde_json::from_value(body).unwrap();
        let place = |n: usize| format!("{}/api/internal/tasks/{}/outputs/{n}", scene.base, task.task_id);
        let mut outputs = Vec::new();
        for n in 0..task.state.outputs.len() {
            let answer = scene.http.get(place(n)).bearer_auth(KEY).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            outputs.push(answer.bytes().await.unwrap().to_vec());
        }
        made(ask, &task, outputs)
    }
}

#[async_trait]
impl Face for Generations {
    fn name(&self) -> &'static str {
        "generations"
    }

    async fn price(&self, scene: &Scene, tool: &str) -> String {
        price(scene, tool).await
    }

    async fn ask(&self, scene: &Scene, _: usize, ask: &Ask) -> Outcome {
        let wish = json!({ "toolId": scene.slug(ask.tool), "requestPayload": inputs(ask, DATA_URL) });
        let (status, generation) = call(scene, Method::POST, "/api/internal/generations", Some(wish)).await;
        if status != StatusCode::CREATED {
            return refused(status, &generation);
        }
        let task = format!("/api/internal/tasks/{}?wait=30", generation["generationId"].as_str().unwrap());
        let (status, task) = call(scene, Method::GET, &task, None).await;
        assert_eq!(status, 200);
        let task: TaskRecord = serde_json::from_value(task).unwrap();
        let mut outputs = Vec::new();
        for output in &task.state.outputs {
            outputs.push(match &output.url {
                Some(url) => scene.http.get(url).send().await.unwrap().bytes().await.unwrap().to_vec(),
                None => output.text.clone().unwrap().into_bytes(),
            });
        }
        made(ask, &task, outputs)
    }
}

/// A picture of the user's own, written out.
const DATA_URL: &str = "data:image/png;base64,iVBORw0KGgo=";

/// The same, kept by the host, as an input: it has one name, however often it is sent.
async fn kept(scene: &Scene) -> String {
    let form = Form::new().part("file", Part::bytes(super::PICTURE));
    let request = scene.http.post(format!("{}/api/internal/files", scene.base)).bearer_auth(KEY).multipart(form);
    let (status, file) = answer(request).await;
    assert_eq!(status, StatusCode::CREATED, "{file}");
    file["uri"].as_str().unwrap().to_owned()
}

/// What HTTP gives in numbers, in the words that faces share.
async fn price(scene: &Scene, tool: &str) -> String {
    let path = format!("/api/internal/tools/{}", scene.slug(tool));
    let (status, view) = call(scene, Method::GET, &path, None).await;
    assert_eq!(status, 200);
    summary::price(&serde_json::from_value::<ToolView>(view).unwrap())
}

async fn call(scene: &Scene, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let request = scene.http.request(method, format!("{}{path}", scene.base)).bearer_auth(KEY);
    answer(body.map(|body| request.try_clone().unwrap().json(&body)).unwrap_or(request)).await
}

fn inputs(ask: &Ask, picture: &str) -> Map<String, Value> {
    let value = |given: &Given| match given {
        Given::Value(value) => value.clone(),
        Given::Picture => json!(picture),
    };
    let tool = tools().into_iter().find(|tool| tool.key == ask.tool).unwrap();
    let listed = |name: &str, value: Value| {
        let list = tool.properties[name]["type"] == "array" && value.is_string();
        if list { json!([value]) } else { value }
    };
    ask.inputs.iter().map(|(name, given)| ((*name).to_owned(), listed(name, value(given)))).collect()
}

fn made(ask: &Ask, task: &TaskRecord, outputs: Vec<Vec<u8>>) -> Outcome {
    let failed = failure::end(task).map(|sentence| super::without_id(&sentence, task));
    Outcome::Made { sent: super::sent(ask, &task.inputs_sent), failed, cost: summary::cost(task), outputs }
}

fn refused(status: StatusCode, problem: &Value) -> Outcome {
    assert_eq!(status, 422, "{problem}");
    let problems: Vec<InputProblem> = match problem.get("problems") {
        Some(problems) => serde_json::from_value(problems.clone()).unwrap(),
        None => return Outcome::Refused(vec![(None, problem["detail"].as_str().unwrap().to_owned())]),
    };
    let pointers: Vec<_> = problems.iter().map(|problem| Some(problem.pointer.clone())).collect();
    let error = Error::new(ErrorKind::InvalidInput, "ask").with_problems(problems);
    Outcome::Refused(pointers.into_iter().zip(failure::lines(&error)).collect())
}
