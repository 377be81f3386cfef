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
use crate::tool::{Execution, ToolDefinition};

/// Every scenario that there is, in order.
#[must_use]
pub fn names() -> Vec<&'static str> {
    scenario_names(&[
        include_str!("scenarios/tools.rs"),
        include_str!("scenarios/runs.rs"),
        include_str!("scenarios/webhooks.rs"),
    ])
}

/// A submission of a new task with a tool that is followed and that the fixture knows inputs for.
async fn request(fixture: &dyn ProviderFixture) -> SubmitRequest {
    let found = requests(fixture, |execution| execution != Execution::Immediate).await.into_iter().next();
    found.expect("the fixture knows inputs for no tool of the catalogue that is followed")
}

/// One for each tool that is executed so.
async fn requests(fixture: &dyn ProviderFixture, of: impl Fn(Execution) -> bool) -> Vec<SubmitRequest> {
    let tools = fixture.provider().discover().await.unwrap().tools;
    let wanted = tools.into_iter().filter(|tool| of(tool.execution));
    let request = |tool: ToolDefinition| {
        let inputs = fixture.inputs(&tool)?;
        Some(SubmitRequest::new(TaskId::generate(), tool.tool_id, tool.endpoint_details, inputs))
    };
    wanted.filter_map(request).collect()
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
