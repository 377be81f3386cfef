//! Server-sent events: tasks as they change.

mod feed;
mod message;

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::http::about::{About, Answer, Header};
use crate::http::asker::Asker;
use crate::http::frame;
use crate::http::limits::WaitPlace;
use crate::http::problem::Problem;
use crate::http::query;
use crate::http::server::Stopping;
use crate::http::tasks;
use feed::{Feed, Item};
use message::{AllEvents, Lagged, Ready, StreamedTask, TaskEvents};

/// A comment on a quiet stream, because proxies cut connections that say nothing for 30 to 60 s.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The life of one stream, because its key is checked at its beginning only: a revoked one hears nothing after that.
/// Clients come back by themselves, with the id of the last event.
const STREAM_LIFE: Duration = Duration::from_secs(15 * 60);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// nginx keeps answers back to send larger pieces, but for those that say so.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `?after=`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AfterQuery {
    /// What happened after the event of this id, and then what happens.
    after: Option<u64>,
}

const RESUMED: Header = Header { name: "Last-Event-ID", text: "The last event that was heard; goes before `after`." };

pub(crate) const OF_ALL: About = About::new(
    "Your tasks as they change",
    &[Answer::events::<AllEvents>(
        200,
        "Server-sent events, without an end: `ready` first, then `task`, `end`, `lagged`.",
    )],
)
.query::<AfterQuery>()
.headers(&[RESUMED]);

/// `GET /api/internal/events`: of all of the caller's tasks, from now on or after an event.
pub(crate) async fn of_all(
    asker: Asker,
    stopping: Option<Extension<Stopping>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let after = after(&headers, &uri)?;
    let place = asker.wait()?;
    Ok(answer(Feed::of_all(asker.caller, after).await?, place, stopping))
}

pub(crate) const OF_TASK: About = About::new(
    "A task as it changes, until its end",
    &[
        Answer::events::<TaskEvents>(200, "Server-sent events: `task`, `lagged`, and `end` as the last one."),
        Answer { content: None, ..Answer::events::<TaskEvents>(204, "The end was heard.") },
    ],
)
.query::<AfterQuery>()
.headers(&[RESUMED])
.problems(&[404]);

/// `GET /api/internal/tasks/{id}/events`: the task as it is, then as it changes, until its end.
pub(crate) async fn of_task(
    asker: Asker,
    Path(id): Path<String>,
    stopping: Option<Extension<Stopping>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let id = tasks::task_id(&id)?;
    let after = after(&headers, &uri)?;
    let place = asker.wait()?;
    let feed = Feed::of_task(asker.caller, id, after).await?;
    frame::about(id);
    match feed {
        Some(feed) => Ok(answer(feed, place, stopping)),
        // The client has heard the end; a browser comes back after any other answer.
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// The last event that the client knows: a browser that comes back says it in the header, whatever its URL says.
fn after(headers: &HeaderMap, uri: &Uri) -> Result<Option<u64>, Problem> {
    let asked: AfterQuery = query::parse(uri)?;
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else { return Ok(asked.after) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    let refused = || Problem::malformed("Last-Event-ID is the id of an event of this stream: a number.");
    number.map(Some).ok_or_else(refused)
}

struct Session {
    feed: Feed,
    stop: CancellationToken,
    until: Instant,
    /// Held while the stream lives.
    _place: Option<WaitPlace>,
}

fn answer(feed: Feed, place: Option<WaitPlace>, stopping: Option<Extension<Stopping>>) -> Response {
    let stop = stopping.map_or_else(CancellationToken::new, |Extension(Stopping(stop))| stop);
    let session = Session { feed, stop, until: Instant::now() + STREAM_LIFE, _place: place };
    let sse = Sse::new(events(session)).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    ([(NO_BUFFERING, HeaderValue::from_static("no"))], sse).into_response()
}

fn events(session: Session) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(session, async |mut session| {
        let next = tokio::select! {
            () = session.stop.cancelled() => return None,
            () = tokio::time::sleep_until(session.until) => return None,
            next = session.feed.next() => next,
        };
        // The client comes back after an error too, and asks the store for what it missed.
        let item = next.inspect_err(|error| tracing::warn!(%error, "a stream of events ended")).ok()??;
        let event = event(&item).inspect_err(|error| tracing::error!(%error, "an event cannot be written")).ok()?;
        Some((Ok(event), session))
    })
}

fn event(item: &Item) -> Result<Event, axum::Error> {
    match item {
        Item::Ready(seq) => Event::default().id(seq.to_string()).event("ready").json_data(Ready { after: *seq }),
        Item::Lagged(missed) => Event::default().event("lagged").json_data(Lagged { missed: *missed }),
        Item::Task(seq, task) => {
            let name = if task.is_terminal() { "end" } else { "task" };
            Event::default().id(seq.to_string()).event(name).json_data(StreamedTask::of(task)?)
        }
    }
}
