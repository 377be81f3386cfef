//! The scenarios, each a function of its own name.

#![allow(missing_docs, reason = "the name of a scenario says what it proves")]

pub mod runs;
pub mod tools;
pub mod webhooks;

use crate::error::{Error, ErrorKind};
use crate::id::TaskId;
use crate::provider::{RunRef, SubmitRequest};
use crate::testkit::provider_suite::ProviderFixture;
use crate::testkit::scenario_names;

/// Every scenario that there is, in order.
#[must_use]
pub fn names() -> Vec<&'static str> {
    scenario_names(&[
        include_str!("scenarios/tools.rs"),
        include_str!("scenarios/runs.rs"),
        include_str!("scenarios/webhooks.rs"),
    ])
}

/// A submission of a new task with a tool that the fixture knows inputs for.
async fn request(fixture: &dyn ProviderFixture) -> SubmitRequest {
    let tools = fixture.provider().discover().await.unwrap().tools;
    let found = tools.iter().find_map(|tool| fixture.inputs(tool).map(|inputs| (tool, inputs)));
    let (tool, inputs) = found.expect("the fixture knows inputs for no tool of the catalogue");
    SubmitRequest::new(TaskId::generate(), tool.tool_id.clone(), tool.endpoint_details.clone(), inputs)
}

/// Submits a new task.
async fn submitted(fixture: &dyn ProviderFixture) -> RunRef {
    let request = request(fixture).await;
    let submission = fixture.provider().submit(&request).await.unwrap();
    RunRef::new(request.task_id, submission.run_id, request.endpoint_details)
}

/// What is not declared is not done.
fn assert_unsupported<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unsupported, "it is not among the capabilities");
}
