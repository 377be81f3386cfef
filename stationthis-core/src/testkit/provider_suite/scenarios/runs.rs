//! Scenarios of runs.

use std::time::Duration;

use bytes::Bytes;

use super::{assert_unsupported, request, requests, submitted};
use crate::error::{Effect, ErrorKind, Retry};
use crate::id::TaskId;
use crate::provider::{CancelAnswer, Lookup, LookupRequest, RunRef, UploadFile};
use crate::task::report::{RunReport, RunStatus};
use crate::testkit::provider_suite::{Conduct, ProviderFixture};
use crate::time::Timestamp;
use crate::tool::{ExactlyOnce, Execution};

/// How long a run of a fixture may take: it should take none, and a machine may be slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks about a run until it has ended.
async fn end(fixture: &dyn ProviderFixture, run: &RunRef) -> RunReport {
    let poll = async {
        loop {
            let report = fixture.provider().poll(run).await.unwrap();
            assert_eq!(report.run_id, run.run_id);
            if report.status.is_terminal() {
                return report;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, poll).await.expect("the run does not end")
}

/// A search for the run of a task that was submitted just now.
fn search(task: TaskId, like: &RunRef) -> LookupRequest {
    LookupRequest::new(task, like.endpoint_details.clone(), Timestamp::now().minus(PATIENCE))
}

pub async fn a_run_is_followed_to_its_end(fixture: &dyn ProviderFixture) {
    let before = fixture.runs_made();
    let run = submitted(fixture).await;
    assert_eq!(fixture.runs_made(), before + 1);
    let report = end(fixture, &run).await;
    assert_eq!(report.status, RunStatus::Succeeded, "{report:?}");
    assert!(!report.outputs.is_empty(), "a run that succeeded gave something");
    let times = report.times;
    if let (Some(started), Some(ended)) = (times.started_at, times.ended_at) {
        assert!(started <= ended, "{times:?}");
    }
    let again = fixture.provider().poll(&run).await.unwrap();
    assert_eq!((again.status, again.outputs.len()), (report.status, report.outputs.len()), "an end stays");
    assert_eq!(fixture.runs_made(), before + 1, "asking makes no run");
}

pub async fn a_failed_run_says_so(fixture: &dyn ProviderFixture) {
    fixture.set(Conduct::RunsFail);
    let run = submitted(fixture).await;
    let report = end(fixture, &run).await;
    assert_eq!(report.status, RunStatus::Failed, "{report:?}");
    let diagnosis = fixture.provider().diagnose(&run).await;
    if fixture.provider().capabilities().diagnose {
        let diagnosis = diagnosis.unwrap().expect("it knows nothing about a failed run");
        assert!(!diagnosis.failure.message.is_empty(), "{diagnosis:?}");
    } else {
        assert_unsupported(diagnosis);
    }
}

pub async fn what_answers_at_once_brings_its_end(fixture: &dyn ProviderFixture) {
    for request in requests(fixture, |execution| execution == Execution::Immediate).await {
        let tool = &request.tool_id;
        let submission = fixture.provider().submit(&request).await.unwrap();
        let report = submission.report.unwrap_or_else(|| panic!("{tool} answers at once, and nothing of its end"));
        assert_eq!((&report.run_id, report.status), (&submission.run_id, RunStatus::Succeeded), "{tool}");
        assert!(!report.outputs.is_empty(), "{tool}: a run that succeeded gave something");
    }
}

pub async fn a_refusal_for_want_of_room_says_so(fixture: &dyn ProviderFixture) {
    let request = request(fixture).await;
    fixture.set(Conduct::Full);
    let before = fixture.runs_made();
    let Err(error) = fixture.provider().submit(&request).await else {
        assert_eq!(fixture.runs_made(), before + 1, "a service that lets more of them wait at its side");
        return;
    };
    assert_eq!((error.kind(), error.effect()), (ErrorKind::AtCapacity, Effect::No), "{error}");
    assert_eq!(fixture.runs_made(), before);
}

pub async fn a_refused_connection_had_no_effect(fixture: &dyn ProviderFixture) {
    let request = request(fixture).await;
    let error = fixture.unreachable().submit(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::No), "{error}");
    assert_ne!(error.retry(), Retry::Never, "{error}");
    assert_eq!(error.http_status(), None);
}

pub async fn a_lost_answer_may_have_had_one(fixture: &dyn ProviderFixture) {
    let request = request(fixture).await;
    fixture.set(Conduct::LosesAnswers);
    let before = fixture.runs_made();
    let error = fixture.provider().submit(&request).await.unwrap_err();
    assert_eq!(error.effect(), Effect::Unknown, "{error}");
    assert_eq!(fixture.runs_made(), before + 1, "sent once, and never again by itself");
}

pub async fn an_error_keeps_the_answer(fixture: &dyn ProviderFixture) {
    let run = submitted(fixture).await;
    fixture.set(Conduct::Down);
    let error = fixture.provider().poll(&run).await.unwrap_err();
    assert!(error.http_status().is_some_and(|status| status >= 400), "{error:?}");
    assert!(error.body_excerpt().is_some(), "{error:?}");
    let request = {
        fixture.set(Conduct::Good);
        let request = request(fixture).await;
        fixture.set(Conduct::Down);
        request
    };
    let before = fixture.runs_made();
    let error = fixture.provider().submit(&request).await.unwrap_err();
    assert!(error.http_status().is_some(), "{error:?}");
    assert_eq!(fixture.runs_made(), before, "the fixture's service makes no run while it is down");
}

pub async fn its_promise_about_lost_answers_holds(fixture: &dyn ProviderFixture) {
    let request = request(fixture).await;
    fixture.set(Conduct::LosesAnswers);
    let before = fixture.runs_made();
    fixture.provider().submit(&request).await.unwrap_err();
    fixture.set(Conduct::Good);
    let run = match fixture.provider().capabilities().exactly_once {
        // Sent again, it gives the run that is there.
        ExactlyOnce::IdempotencyKey => fixture.provider().submit(&request).await.unwrap().run_id,
        ExactlyOnce::ClientChosenId | ExactlyOnce::Lookup => {
            let since = Timestamp::now().minus(PATIENCE);
            let search = LookupRequest::new(request.task_id, request.endpoint_details.clone(), since);
            match fixture.provider().lookup(&search).await.unwrap() {
                Lookup::Found(run) => run,
                Lookup::Absent => panic!("the run is not found"),
            }
        }
        ExactlyOnce::None => return,
    };
    assert_eq!(fixture.runs_made(), before + 1, "one run for one task");
    let run = RunRef::new(request.task_id, run, request.endpoint_details);
    assert_eq!(end(fixture, &run).await.status, RunStatus::Succeeded);
}

pub async fn it_finds_runs_if_it_says_so(fixture: &dyn ProviderFixture) {
    let run = submitted(fixture).await;
    let other = submitted(fixture).await;
    let found = fixture.provider().lookup(&search(run.task_id, &run)).await;
    if !fixture.provider().capabilities().lookup {
        return assert_unsupported(found);
    }
    assert_ne!(run.run_id, other.run_id);
    assert_eq!(found.unwrap(), Lookup::Found(run.run_id.clone()));
    let stranger = search(TaskId::generate(), &run);
    assert_eq!(fixture.provider().lookup(&stranger).await.unwrap(), Lookup::Absent);
    // What could not be seen is not absent.
    fixture.set(Conduct::Down);
    fixture.provider().lookup(&stranger).await.unwrap_err();
    fixture.unreachable().lookup(&stranger).await.unwrap_err();
}

pub async fn it_cancels_if_it_says_so(fixture: &dyn ProviderFixture) {
    fixture.set(Conduct::RunsStay);
    let run = submitted(fixture).await;
    let answer = fixture.provider().cancel(&run).await;
    if !fixture.provider().capabilities().cancel {
        return assert_unsupported(answer);
    }
    match answer.unwrap() {
        CancelAnswer::Accepted => assert_eq!(end(fixture, &run).await.status, RunStatus::Cancelled),
        CancelAnswer::Refused(reason) => assert!(!reason.is_empty(), "a refusal says why"),
    }
}

pub async fn it_takes_files_if_it_says_so(fixture: &dyn ProviderFixture) {
    let file = UploadFile::new("fox.png", "image/png", Bytes::from_static(b"\x89PNG\r\n\x1a\n"));
    let answer = fixture.provider().upload(file.clone()).await;
    if !fixture.provider().capabilities().upload {
        return assert_unsupported(answer);
    }
    assert!(!answer.unwrap().url.is_empty());
    fixture.unreachable().upload(file).await.unwrap_err();
}
