//! Single calls against scripted answers.

use crate::replay::recorded;
use crate::support::{KEY, callback, provider, request, run_ref};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use stationthis_comfydeploy::{ComfyDeploy, ComfyDeployConfig, UPLOAD_BYTES_MAX};
use stationthis_core::provider::{CancelAnswer, Lookup, LookupRequest, ServiceProvider, SubmitRequest, UploadFile};
use stationthis_core::task::report::RunStatus;
use stationthis_core::{
    Effect, Error, ErrorKind, JsonDoc, ProviderId, Retry, RunId, Secret, Timestamp, ToolDefinition, ToolId,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wiremock::matchers::{header, method, path, path_regex, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn a_tool() -> ToolDefinition {
    let id = ProviderId::new("comfydeploy").unwrap();
    let mut tool = ToolDefinition::new(ToolId::for_key(&id, "w").unwrap(), id, "comfydeploy", "Tool");
    tool.endpoint_details = JsonDoc::from_value(&json!({
        "workflowId": "w", "deploymentId": "d", "environment": "production",
        "sendAs": { "images": "jsonText", "steps": "integer" },
    }));
    tool
}

fn a_request() -> SubmitRequest {
    let request = request(&a_tool(), Map::new());
    let url = callback(&request);
    request.with_callback(Some(url))
}

async fn server(verb: &str, at: &str, answer: ResponseTemplate, times: u64) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method(verb)).and(path(at)).respond_with(answer).expect(times).mount(&server).await;
    server
}

async fn submit_error(base_url: String) -> Error {
    let error = provider(base_url).submit(&a_request()).await.unwrap_err();
    let shown = format!("{error:?}");
    assert!(!shown.contains("canary"), "{shown}");
    error
}

#[tokio::test]
async fn what_is_sent_is_what_the_service_takes() {
    let answer = ResponseTemplate::new(200).set_body_json(json!({ "run_id": "r", "more": 1 }));
    let server = server("POST", "/run/deployment/queue", answer, 1).await;
    let mut request = a_request();
    let inputs = json!({ "images": ["https://h/1.png"], "steps": 3.0, "prompt": "a", "nothing": null, "o": {} });
    request.inputs = inputs.as_object().unwrap().clone();
    assert_eq!(provider(server.uri()).submit(&request).await.unwrap().run_id.as_str(), "r");
    let sent = server.received_requests().await.unwrap().remove(0);
    assert_eq!(sent.headers["authorization"], format!("Bearer {KEY}"));
    let expected = json!({
        "deployment_id": "d",
        "inputs": { "images": "[\"https://h/1.png\"]", "steps": 3, "prompt": "a" },
        "webhook": callback(&request).expose(),
        "webhook_intermediate_status": true,
    });
    assert_eq!(serde_json::from_slice::<Value>(&sent.body).unwrap(), expected);
}

#[tokio::test]
async fn recorded_refusals_of_submissions_are_sent_once_and_prove_that_no_run_was_made() {
    for (name, refusal) in recorded("errors").as_object().unwrap() {
        if refusal["path"] != "/run/deployment/queue" || refusal["method"] != "POST" {
            continue;
        }
        let status = u16::try_from(refusal["status"].as_u64().unwrap()).unwrap();
        let answer = ResponseTemplate::new(status).set_body_string(refusal["body"].as_str().unwrap());
        let server = server("POST", "/run/deployment/queue", answer, 1).await;
        let error = submit_error(server.uri()).await;
        let kind = if status == 404 { ErrorKind::NotFound } else { ErrorKind::InvalidInput };
        let told = (error.kind(), error.effect(), error.retry(), error.http_status());
        assert_eq!(told, (kind, Effect::No, Retry::Never, Some(status)), "{name}");
    }
}

#[tokio::test]
async fn a_submission_is_never_repeated_and_never_redirected() {
    let dispatch = json!({ "detail": "Error creating run: 500 Internal Server Error" });
    for answer in [
        ResponseTemplate::new(500).set_body_string("Internal Server Error"),
        ResponseTemplate::new(502).set_body_json(dispatch),
        ResponseTemplate::new(307).insert_header("location", "/elsewhere"),
        ResponseTemplate::new(200).set_body_string("<html>"),
        ResponseTemplate::new(200).set_body_json(json!({ "batch_id": "b" })),
    ] {
        let server = server("POST", "/run/deployment/queue", answer, 1).await;
        let error = submit_error(server.uri()).await;
        assert_eq!(error.effect(), Effect::Unknown, "{error}");
        assert!(error.http_status().is_some(), "{error}");
    }
}

#[tokio::test]
async fn only_a_connection_that_was_never_made_proves_anything() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let refused = submit_error(format!("http://{address}")).await;
    assert_eq!((refused.kind(), refused.effect(), refused.http_status()), (ErrorKind::Unavailable, Effect::No, None));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let closing = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            socket.readable().await.unwrap();
        }
    });
    let dropped = submit_error(format!("http://{address}")).await;
    assert_eq!((dropped.effect(), dropped.http_status()), (Effect::Unknown, None));
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    closing.abort();
}

#[tokio::test]
async fn a_submission_without_an_answer_times_out_as_unknown() {
    // Accepted by the kernel, answered by nobody.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let provider = ComfyDeploy::builder(Secret::new(KEY)).base_url(base_url).submit_timeout_s(1).build().unwrap();
    let error = provider.submit(&a_request()).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Timeout, Effect::Unknown));
}

#[tokio::test]
async fn a_read_is_repeated_while_the_service_is_out_of_order() {
    let server = MockServer::start().await;
    let broken = ResponseTemplate::new(500).set_body_string("Internal Server Error");
    Mock::given(path("/run/r")).respond_with(broken).up_to_n_times(2).mount(&server).await;
    let run = json!({ "id": "r", "status": "uploading" });
    Mock::given(path("/run/r")).respond_with(ResponseTemplate::new(200).set_body_json(run)).mount(&server).await;
    let run = run_ref(&a_request(), &RunId::new("r").unwrap());
    assert_eq!(provider(server.uri()).poll(&run).await.unwrap().status, RunStatus::Running);
}

#[tokio::test]
async fn an_answer_beyond_its_limit_is_refused() {
    let server = server("GET", "/run/r", ResponseTemplate::new(200).set_body_bytes(vec![b' '; 9 << 20]), 1).await;
    let run = run_ref(&a_request(), &RunId::new("r").unwrap());
    assert_eq!(provider(server.uri()).poll(&run).await.unwrap_err().kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_busy_service_says_when_to_come_back() {
    let answer = ResponseTemplate::new(429).insert_header("retry-after", "7");
    let server = server("GET", "/run/r", answer, 1).await;
    let run = run_ref(&a_request(), &RunId::new("r").unwrap());
    let error = provider(server.uri()).poll(&run).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::RateLimited, Retry::After(Duration::from_secs(7))));
}

#[tokio::test]
async fn cancels_are_accepted_refused_or_to_be_repeated() {
    let no_call = "Error cancel function 404: Run not found or has no modal function call ID";
    let run = run_ref(&a_request(), &RunId::new("r").unwrap());
    let cancel = async |status: u16, body: Value| {
        let server = server("POST", "/run/r/cancel", ResponseTemplate::new(status).set_body_json(body), 1).await;
        provider(server.uri()).cancel(&run).await
    };
    let done = json!({ "status": "success", "message": "Function cancelled" });
    assert_eq!(cancel(200, done).await.unwrap(), CancelAnswer::Accepted);
    assert!(matches!(cancel(500, json!({ "detail": no_call })).await.unwrap(), CancelAnswer::Refused(_)));
    let error = cancel(500, json!({ "detail": "Error cancel function timeout" })).await.unwrap_err();
    assert_eq!((error.retry(), error.effect()), (Retry::Backoff, Effect::Unknown));
}

#[tokio::test]
async fn a_lookup_asks_for_every_candidate_and_tells_strangers_apart() {
    let server = MockServer::start().await;
    let request = a_request();
    let since = Timestamp::from_micros(1_795_471_863_000_000);
    let list: Vec<Value> = (0..100).map(|i| json!({ "id": format!("r{i}"), "created_at": null })).collect();
    let page = |offset: &str, rows: &[Value]| {
        Mock::given(path("/v2/workflow/w/runs"))
            .and(query_param("offset", offset))
            .and(query_param("rf", "1795471563"))
            .and(query_param("deployment_id", "d"))
            .respond_with(ResponseTemplate::new(200).set_body_json(rows))
    };
    page("0", &list).mount(&server).await;
    page("100", &[list[99].clone(), json!({ "id": "last", "created_at": "2026-11-23T22:11" })]).mount(&server).await;
    let run = |webhook: Value| json!({ "id": "x", "status": "running", "webhook": webhook });
    let other = ResponseTemplate::new(200).set_body_json(run("https://h/api/webhook/comfydeploy/other".into()));
    Mock::given(path("/run/r7")).respond_with(ResponseTemplate::new(403)).mount(&server).await;
    Mock::given(path("/run/r8")).respond_with(ResponseTemplate::new(404)).mount(&server).await;
    Mock::given(path_regex("^/run/r[0-9]+$")).respond_with(other.clone()).with_priority(9).mount(&server).await;
    let mut search = LookupRequest::new(request.task_id, request.endpoint_details.clone(), since);
    let ours = run(format!("https://moved.example/x/api/webhook/comfydeploy/{}?t=1", request.task_id).into());
    let ours = ResponseTemplate::new(200).set_body_json(ours);
    Mock::given(path("/run/last")).respond_with(ours).mount(&server).await;
    let provider = provider(server.uri());
    assert_eq!(provider.lookup(&search).await.unwrap(), Lookup::Found(RunId::new("last").unwrap()));
    search.task_id = a_request().task_id;
    assert_eq!(provider.lookup(&search).await.unwrap(), Lookup::Absent);
    let asked = server.received_requests().await.unwrap();
    assert_eq!(asked.iter().filter(|r| r.url.path() == "/run/r99").count(), 2, "once in each lookup");
}

#[tokio::test]
async fn a_lookup_that_cannot_see_everything_does_not_say_absent() {
    let server = MockServer::start().await;
    let full: Vec<Value> = (0..100).map(|i| json!({ "id": format!("r{i}") })).collect();
    let list = ResponseTemplate::new(200).set_body_json(&full);
    Mock::given(path("/v2/workflow/w/runs")).respond_with(list).expect(10).mount(&server).await;
    let request = a_request();
    let search = LookupRequest::new(request.task_id, request.endpoint_details, Timestamp::now());
    assert_eq!(provider(server.uri()).lookup(&search).await.unwrap_err().kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_diagnosis_pages_to_the_run_and_falls_back_on_the_log() {
    let server = MockServer::start().await;
    let other = json!({ "id": "other", "outputs": [{ "data": { "error": "not ours" } }], "workflow": { "deep": [] } });
    let page = |offset: &str, rows: Value| {
        Mock::given(path("/workflow/w/runs"))
            .and(query_param("offset", offset))
            .and(query_param("with_inputs", "false"))
            .respond_with(ResponseTemplate::new(200).set_body_json(rows))
    };
    page("0", json!([other, other, 5, other, other])).mount(&server).await;
    let webhook = "https://h.example/hook?task=1";
    let ours = json!({ "id": "r", "webhook": webhook, "outputs": [{ "data": [{ "id": "1", "class_type": "A", "time": 1 }] }] });
    page("5", json!([ours])).mount(&server).await;
    let log = json!([{ "log": "got prompt" }, { "log": format!("{{\"type\": \"webhook\", \"url\": \"{webhook}\"}}") },
        { "log": format!("killed while telling {webhook}") }, { "log": "__END__" }]);
    let log = ResponseTemplate::new(200).set_body_json(log);
    Mock::given(path("/v2/clickhouse-run-logs/r")).respond_with(log).mount(&server).await;
    let run = run_ref(&a_request(), &RunId::new("r").unwrap());
    let provider = provider(server.uri());
    let diagnosis = provider.diagnose(&run).await.unwrap().unwrap();
    assert_eq!(diagnosis.failure.message, "The run failed; its log ends with: killed while telling [cut]");
    assert_eq!(diagnosis.failure.detail.as_deref(), Some("got prompt | killed while telling [cut]"));
    assert_eq!(diagnosis.nodes[0].micros, 1_000_000);

    let broken = ResponseTemplate::new(404);
    Mock::given(path("/workflow/w/runs")).respond_with(broken).with_priority(1).mount(&server).await;
    let diagnosis = provider.diagnose(&run).await.unwrap().unwrap();
    assert!(diagnosis.failure.message.contains("killed while telling"), "{:?}", diagnosis.failure);
}

#[tokio::test]
async fn uploads_go_by_form_and_refusals_say_what_to_do() {
    let answers = recorded("files");
    let answer = |name: &str| {
        let status = u16::try_from(answers[name]["status"].as_u64().unwrap()).unwrap();
        ResponseTemplate::new(status).set_body_string(answers[name]["body"].as_str().unwrap())
    };
    let upload = async |name: &str, filename: &str| {
        let server = server("POST", "/file/upload", answer(name), 1).await;
        let file = UploadFile::new(filename, "image/png", Bytes::from_static(b"png"));
        let uploaded = provider(server.uri()).upload(file).await;
        (uploaded, server.received_requests().await.unwrap().remove(0).body)
    };
    let (uploaded, form) = upload("file_upload", "lab.png").await;
    assert!(uploaded.unwrap().url.ends_with("/inputs/img_AFE7UiuxQrjRPqo4.png"));
    let form = String::from_utf8(form).unwrap();
    assert!(form.contains("name=\"file\"; filename=\"lab.png\"") && form.contains("png"), "{form}");
    let (refused, _) = upload("file_upload_txt", "notes.txt").await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    assert!(refused.message().unwrap().contains("ending \"txt\""));
}

#[tokio::test]
async fn a_large_upload_goes_straight_to_the_bucket_without_our_key() {
    let server = MockServer::start().await;
    let bucket = format!("{}/bucket/x.mp4?X-Amz-SignedHeaders=content-type%3Bhost%3Bx-amz-acl", server.uri());
    let answer = json!({ "url": bucket, "download_url": "https://b/x.mp4", "is_public": true });
    Mock::given(path("/assets/presigned-url"))
        .and(query_param("type", "video/mp4"))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&server)
        .await;
    Mock::given(method("PUT"))
        .and(path("/bucket/x.mp4"))
        .and(header("content-type", "video/mp4"))
        .and(header("x-amz-acl", "public-read"))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    let provider = provider(server.uri());
    let file = |size: usize| UploadFile::new("x.mp4", "video/mp4", Bytes::from(vec![0; size]));
    assert_eq!(provider.upload(file((50 << 20) + 1)).await.unwrap().url, "https://b/x.mp4");
    let put = server.received_requests().await.unwrap().into_iter().find(|r| r.method == "PUT").unwrap();
    assert!(!put.headers.contains_key("authorization"));
    assert_eq!(provider.upload(file(UPLOAD_BYTES_MAX + 1)).await.unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn settings_are_checked_and_unknown_names_refused() {
    let build = |config: ComfyDeployConfig| ComfyDeploy::builder(Secret::new(KEY)).config(config).build();
    build(ComfyDeployConfig::default()).unwrap();
    let check_refused = |change: fn(&mut ComfyDeployConfig)| {
        let mut config = ComfyDeployConfig::default();
        change(&mut config);
        assert_eq!(build(config).unwrap_err().kind(), ErrorKind::InvalidInput);
    };
    check_refused(|c| c.provider_id = "Comfy Deploy".to_owned());
    check_refused(|c| c.base_url = "ftp://x/api".to_owned());
    check_refused(|c| c.base_url = "https://x/api?y=1".to_owned());
    check_refused(|c| c.submit_timeout_s = 0);
    check_refused(|c| c.page_size = 501);
    assert!(ComfyDeploy::builder(Secret::new("a b")).build().is_err());
    assert!(serde_json::from_value::<ComfyDeployConfig>(json!({ "submitTimeout": 5 })).is_err());
    let config: ComfyDeployConfig = serde_json::from_value(json!({ "providerId": "eu", "submitTimeoutS": 5 })).unwrap();
    assert_eq!(build(config).unwrap().id().as_str(), "eu");
}
