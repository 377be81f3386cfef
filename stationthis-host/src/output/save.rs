//! Saving what a task made.

use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use stationthis_core::task::TaskRecord;
use stationthis_core::task::output::{Output, OutputKind};
use stationthis_core::{Error, ErrorKind, Result};
use tokio::io::AsyncWriteExt;

use crate::outputs::Content;

/// The longest file ending that is taken over from a service.
const ENDING_CHARS_MAX: usize = 8;

/// Saves every output of a task into `dir`, which is made when missing; gives the paths in the outputs' order. `fetch`
/// gives the content of the output of a number, from zero.
///
/// Names are ours, `{tool}-{end of the task id}-{order}.{ending}`, so that none can leave the folder and no two tasks
/// meet. A file appears under its name only when it is whole.
///
/// # Errors
/// The first output that could not be fetched or written; the ones before it stay.
pub async fn save_outputs(
    task: &TaskRecord,
    dir: &Path,
    fetch: impl AsyncFn(usize) -> Result<Content>,
) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::with_capacity(task.state.outputs.len());
    if task.state.outputs.is_empty() {
        return Ok(paths);
    }
    tokio::fs::create_dir_all(dir).await.map_err(|e| unwritable(dir, e))?;
    for (n, output) in task.state.outputs.iter().enumerate() {
        let path = dir.join(file_name(task, output));
        let part = path.with_extension("part");
        let mut content = fetch(n).await?;
        let mut file = tokio::fs::File::create(&part).await.map_err(|e| unwritable(&part, e))?;
        while let Some(piece) = content.next().await {
            file.write_all(&piece?).await.map_err(|e| unwritable(&part, e))?;
        }
        file.flush().await.map_err(|e| unwritable(&part, e))?;
        drop(file);
        tokio::fs::rename(&part, &path).await.map_err(|e| unwritable(&path, e))?;
        paths.push(path);
    }
    Ok(paths)
}

fn file_name(task: &TaskRecord, output: &Output) -> String {
    let tool: String = task
        .tool_name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(40)
        .collect();
    let id = task.task_id.to_string();
    // The last group: the first ones are the time, which tasks of one minute share.
    let id = id.rsplit('-').next().unwrap_or_default();
    format!("{}-{id}-{}.{}", tool.trim_matches('-'), output.order, ending(output))
}

/// By the file's name at the service, else by its media type, else by its kind.
fn ending(output: &Output) -> String {
    let named = output.filename.as_deref().and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending);
    let harmless = |text: &&str| {
        !text.is_empty() && text.len() <= ENDING_CHARS_MAX && text.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let by_mime = || output.mime.as_deref().and_then(|mime| mime.rsplit_once('/')).map(|(_, sub)| sub);
    let by_kind = match output.kind {
        OutputKind::Image => "png",
        OutputKind::Video => "mp4",
        OutputKind::Audio => "mp3",
        OutputKind::Model3d => "glb",
        OutputKind::Text => "txt",
        OutputKind::Json => "json",
        OutputKind::File => "bin",
    };
    named.filter(harmless).or_else(|| by_mime().filter(harmless)).unwrap_or(by_kind).to_ascii_lowercase()
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::StoreUnavailable, "save output")
        .with_message(format!("{}: {error}", path.display()))
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending_of(filename: Option<&str>, mime: Option<&str>) -> String {
        let mut output = Output::file(OutputKind::Image, "http://x/");
        output.filename = filename.map(str::to_owned);
        output.mime = mime.map(str::to_owned);
        ending(&output)
    }

    #[test]
    fn endings_are_harmless() {
        assert_eq!(ending_of(Some("a.WEBP"), None), "webp");
        assert_eq!(ending_of(Some("a.b/../../x"), Some("image/jpeg")), "jpeg");
        assert_eq!(ending_of(None, Some("image/svg+xml")), "png");
        assert_eq!(ending_of(Some("none"), None), "png");
    }
}
