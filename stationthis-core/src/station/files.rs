//! Files as inputs: checked when a task is accepted, given to its service when it is submitted.

use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::error::{Effect, Error, ErrorKind, Result, Retry};
use crate::id::CallerId;
use crate::media::{FileUri, SentFile, decode_data_url};
use crate::provider::UploadFile;
use crate::registry::Tool;
use crate::station::engine::{Backend, Engine};
use crate::task::TaskRecord;
use crate::task::state::TaskState;
use crate::time::Timestamp;
use crate::tool::problem::InputProblem;
use crate::tool::validate::MediaText;

/// The most files of one task that are given to its service: each is a call to it, before anything runs.
pub const FILES_MAX: usize = 16;

/// How long a task's files may take to be given, all of them and the wait for a place included. More than ten minutes
/// is a service that does not work.
const GIVE_TIMEOUT: Duration = Duration::from_secs(600);

/// What a lease outlives that by: the time to commit what came of it.
const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// Tasks whose files are given at the same time: one file of each is in memory meanwhile.
pub(crate) const GIVING_MAX: usize = 4;

/// The inputs that are files to be given, as pointers.
///
/// A data URL is given to a service that takes files, and left as it is for one that does not, or that takes such a data
/// URL by itself.
///
/// # Errors
/// `InvalidInput` with a problem for each file that is not the caller's, is of a type that the input does not take, or
/// that the service cannot be given; `StoreUnavailable`.
pub(super) async fn to_be_given(
    engine: &Engine,
    caller: &CallerId,
    tool: &Tool,
    inputs: &Map<String, Value>,
) -> Result<Vec<String>> {
    let capabilities = engine.backend(&tool.definition().provider_id)?.provider.capabilities();
    let takes_files = capabilities.upload;
    let is_inline = |text: &str| {
        let after = |kind: &&str| text.strip_prefix("data:")?.strip_prefix(*kind)?.strip_prefix(";base64,");
        capabilities.inline_media.iter().any(|kind| after(kind).is_some())
    };
    let (mut pointers, mut problems) = (Vec::new(), Vec::new());
    for media in tool.validator()?.media(inputs) {
        if let Ok(file) = media.text.parse::<FileUri>() {
            problems.extend(problem_of(engine, caller, &media, &file, takes_files).await?);
            pointers.push(media.pointer);
        } else if takes_files && media.is_data_url() && !is_inline(media.text) {
            pointers.push(media.pointer);
        }
    }
    if pointers.len() > FILES_MAX {
        problems.push(InputProblem::new("", "tooLarge", format!("a task takes at most {FILES_MAX} files.")));
    }
    if problems.is_empty() { Ok(pointers) } else { Err(InputProblem::refusal(problems)) }
}

async fn problem_of(
    engine: &Engine,
    caller: &CallerId,
    media: &MediaText<'_>,
    file: &FileUri,
    takes_files: bool,
) -> Result<Option<InputProblem>> {
    if !takes_files {
        return Ok(Some(media.problem("must be a URL: the service of this tool takes no files")));
    }
    let Some(source) = &engine.media else {
        return Ok(Some(media.problem("must be a URL: no files are kept here")));
    };
    match source.media_type(caller, file).await {
        Ok(given) => Ok(media.type_problem(&given)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(Some(media.problem("must be a file that is there; there is none of yours of that name")))
        }
        Err(error) => Err(error),
    }
}

/// Must a task's files be given before it is submitted? Those of an earlier attempt are good while their URLs are, and
/// must stay the same where the attempt may have had an effect.
pub(super) fn must_be_given(task: &TaskRecord, now: Timestamp) -> bool {
    let soon = now.plus(GIVE_TIMEOUT);
    let state = &task.state;
    let good = |file: &SentFile| state.doubt.is_some() || file.expires_at.is_none_or(|at| at > soon);
    !task.file_inputs.is_empty() && (state.sent_files.is_empty() || !state.sent_files.iter().all(good))
}

/// When the lease of a task must end whose files are given from now on.
pub(super) fn lease_until(task: &TaskRecord, now: Timestamp) -> Timestamp {
    now.plus(limit(task, now).saturating_add(LEASE_MARGIN))
}

fn limit(task: &TaskRecord, now: Timestamp) -> Duration {
    GIVE_TIMEOUT.min(task.state.deadline_at.since(now))
}

/// Gives a task's files to its service. Nothing is submitted by it, so no error of it has an effect: a file that the
/// service has and nobody uses is forgotten there.
pub(super) async fn give(engine: &Engine, backend: &Backend, task: &TaskRecord) -> Result<Vec<SentFile>> {
    let limit = limit(task, engine.now());
    let all = async {
        let closed = |e| Error::new(ErrorKind::Closed, "give files").with_source(e);
        let _place = engine.giving.acquire().await.map_err(closed)?;
        let inputs = Value::Object(task.inputs_sent.clone());
        let mut sent = Vec::with_capacity(task.file_inputs.len());
        for pointer in &task.file_inputs {
            let file =
                content(engine, task, inputs.pointer(pointer).and_then(Value::as_str).unwrap_or_default()).await?;
            let mime = file.content_type.clone();
            let bytes = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
            let sha256 = crate::hex(&Sha256::digest(&file.bytes));
            let given = backend.provider.upload(file).await?;
            let (url, expires_at) = (given.url, given.expires_at);
            sent.push(SentFile { pointer: pointer.clone(), url, expires_at, mime, bytes, sha256 });
        }
        Ok(sent)
    };
    let given = match tokio::time::timeout(limit, all).await {
        Ok(given) => given,
        Err(_) => Err(Error::new(ErrorKind::Timeout, "give files")
            .with_message(format!("The service did not take the files within {} s.", limit.as_secs()))
            .with_retry(Retry::Backoff)),
    };
    given.map_err(|error| error.with_effect(Effect::No))
}

async fn content(engine: &Engine, task: &TaskRecord, text: &str) -> Result<UploadFile> {
    let unusable = |message: &str| Error::new(ErrorKind::InvalidInput, "read file").with_message(message);
    let Ok(file) = text.parse::<FileUri>() else {
        return decode_data_url(text).ok_or_else(|| unusable("A data URL cannot be decoded."));
    };
    let source = engine.media.as_ref().ok_or_else(|| unusable("No files are kept here any more."))?;
    source.read(&task.caller, &file).await
}

/// The inputs with what was sent in place of files.
pub(super) fn filled(inputs: &Map<String, Value>, state: &TaskState) -> Map<String, Value> {
    let mut filled = Value::Object(inputs.clone());
    for file in &state.sent_files {
        if let Some(value) = filled.pointer_mut(&file.pointer) {
            *value = Value::String(file.url.clone());
        }
    }
    match filled {
        Value::Object(inputs) => inputs,
        _ => Map::new(),
    }
}
