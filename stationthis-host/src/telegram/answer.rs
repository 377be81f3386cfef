//! A task at its end, as pieces for a chat.

use stationthis_core::task::TaskRecord;
use stationthis_core::task::output::{Output, OutputKind};
use stationthis_core::task::state::TaskStatus;

use crate::face::{failure, summary};
use crate::telegram::piece::{Form, Media, Piece, Source};
use crate::telegram::text::{CAPTION_MAX, MESSAGE_MAX, cut, length};

/// The most pictures of an album, by Telegram's rule.
const ALBUM_MAX: usize = 10;

/// The most bytes of a text that is sent as a file: what is longer is cut there.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Everything that a chat is told about a task that has ended: what it gave, and how it ended when that was not well.
pub(crate) fn pieces(task: &TaskRecord) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let ended = ended(task);
    let well = task.state.status == TaskStatus::Completed;
    if !well || task.state.outputs.is_empty() {
        pieces.push(Piece::text(cut(&ended, MESSAGE_MAX)));
    }
    // The first thing that it gave says what it was.
    let mut caption = if well { cut(&ended, CAPTION_MAX) } else { String::new() };
    let media: Vec<Media> = task.state.outputs.iter().filter_map(|output| media(task, output)).collect();
    let (album, single): (Vec<Media>, Vec<Media>) = media.into_iter().partition(|media| media.form.fits_album());
    for some in album.chunks(ALBUM_MAX) {
        let caption = std::mem::take(&mut caption);
        pieces.push(match some {
            [only] => Piece::File(only.clone(), caption),
            some => Piece::Album(some.to_vec(), caption),
        });
    }
    for media in single {
        pieces.push(Piece::File(media, std::mem::take(&mut caption)));
    }
    for output in &task.state.outputs {
        pieces.extend(words(output).map(|words| said(task, words, std::mem::take(&mut caption))));
    }
    pieces
}

/// How it ended, in one sentence: with its time and its cost, or with the reason and its id.
pub(crate) fn ended(task: &TaskRecord) -> String {
    let cost = summary::cost(task);
    if let Some(failure) = failure::end(task) {
        return format!("{failure} Cost: {cost}.");
    }
    let times = &task.state.times;
    let took = times.ended_at.map(|at| format!(" in {}", summary::time(at.since(times.accepted_at))));
    let nothing = if task.state.outputs.is_empty() { " It gave nothing." } else { "" };
    format!("{}: done{}. Cost: {cost}.{nothing}", task.tool_name, took.unwrap_or_default())
}

/// Words in place of a file that Telegram does not take: where it is, unless the address itself opens it.
pub(crate) fn named(task: &TaskRecord, media: &Media, caption: &str) -> String {
    let plain = media.url().filter(|url| url::Url::parse(url).is_ok_and(|url| url.query().is_none()));
    let place = plain.map_or_else(|| format!("in task {}", task.task_id), |url| format!("here: {url}"));
    let text = format!("Telegram cannot carry {}; it is {place}", media.filename);
    if caption.is_empty() { text } else { format!("{caption}\n{text}") }
}

fn words(output: &Output) -> Option<String> {
    let json = || output.json.as_ref().map(|json| format!("{json:#}"));
    output.text.clone().or_else(json).filter(|text| !text.trim().is_empty())
}

/// A text as a message, or as a file when it is too long for one.
fn said(task: &TaskRecord, words: String, caption: String) -> Piece {
    let whole = if caption.is_empty() { words.clone() } else { format!("{words}\n\n{caption}") };
    if length(&whole) <= MESSAGE_MAX {
        return Piece::text(whole);
    }
    let mut end = words.len().min(TEXT_BYTES_MAX);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    let bytes = words.into_bytes().into_iter().take(end).collect();
    let filename = format!("{}.txt", task.tool_name);
    let media = Media {
        task: task.task_id,
        form: Form::Document,
        source: Source::Bytes(bytes),
        filename,
        mime: "text/plain".to_owned(),
    };
    Piece::File(media, caption)
}

fn media(task: &TaskRecord, output: &Output) -> Option<Media> {
    let url = output.url.as_ref()?;
    let name = output.filename.as_deref().unwrap_or_default();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    let mime = output.mime.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let form = form(output.kind, &mime.to_ascii_lowercase(), &ending);
    let ending: String = ending.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let dot = if ending.is_empty() { "" } else { "." };
    let filename = format!("{}-{}{dot}{ending}", task.tool_name, output.order);
    let mime = if is_media_type(mime) { mime.to_owned() } else { "application/octet-stream".to_owned() };
    let source = if may_link(url, form) { Source::Link } else { Source::Fetched }(Box::new(output.clone()));
    Some(Media { task: task.task_id, form, source, filename, mime })
}

fn is_media_type(text: &str) -> bool {
    let word =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.!#$&^_".contains(&b));
    text.split_once('/').is_some_and(|(kind, name)| word(kind) && word(name))
}

/// The form in which a chat shows it. What Telegram would take for another form, or change, is a document.
fn form(kind: OutputKind, mime: &str, ending: &str) -> Form {
    let is = |mimes: &[&str], endings: &[&str]| mimes.contains(&mime) || mime.is_empty() && endings.contains(&ending);
    match kind {
        OutputKind::Image if is(&["image/gif"], &["gif"]) => Form::Animation,
        OutputKind::Image if is(&["image/png", "image/jpeg", "image/webp"], &["png", "jpg", "jpeg", "webp"]) => {
            Form::Photo
        }
        OutputKind::Video if is(&["video/mp4"], &["mp4"]) => Form::Video,
        OutputKind::Audio if is(&["audio/mpeg", "audio/mp4", "audio/x-m4a"], &["mp3", "m4a"]) => Form::Audio,
        _ => Form::Document,
    }
}

/// May Telegram be given this URL to fetch the file from? Not when it holds more than a path (a query may be a signature),
/// nor when Telegram could not reach it or would not take it.
fn may_link(url: &str, form: Form) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let public = matches!(url.host(), Some(url::Host::Domain(name)) if name.contains('.') && !name.ends_with(".local"));
    let plain = url.query().is_none() && url.username().is_empty() && url.password().is_none();
    // Documents go by URL for two types only, and neither is what tools make.
    url.scheme() == "https" && url.port().is_none() && public && plain && form != Form::Document
}
