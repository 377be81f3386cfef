//! Notices: list them, try a dead one again.

use axum::Json;
use axum::extract::Path;
use axum::http::{StatusCode, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stationthis_core::store::{NoticeQuery, NoticeRecord, NoticeState};
use stationthis_core::{ErrorKind, NoticeId};

use crate::http::about::{About, Answer};
use crate::http::asker::Asker;
use crate::http::problem::Problem;
use crate::http::query;
use crate::http::tasks::task_id;

/// `?state=&task=&limit=&cursor=`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoticesQuery {
    /// In this state only.
    state: Option<NoticeState>,
    /// About this task only.
    task: Option<String>,
    /// At most so many; 50 when left out.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    cursor: Option<u64>,
}

/// A page of notices, newest first.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NoticeList")]
pub(crate) struct Page {
    notices: Vec<NoticeRecord>,
    /// Null on the last page.
    next_cursor: Option<u64>,
}

/// What became of a wish to try again.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Requeued {
    /// False when the notice is not dead.
    requeued: bool,
}

pub(crate) const LIST: About =
    About::new("Who was told, and who could not be", &[Answer::json::<Page>(200, "A page of notices.")])
        .query::<NoticesQuery>()
        .problems(&[404]);

/// `GET …/notices`, newest first.
pub(crate) async fn list(asker: Asker, uri: Uri) -> Result<Json<Page>, Problem> {
    let wanted: NoticesQuery = query::parse(&uri)?;
    let query = NoticeQuery {
        state: wanted.state,
        task: wanted.task.as_deref().map(task_id).transpose()?,
        before: wanted.cursor,
        limit: query::page_size(wanted.limit)?,
        ..NoticeQuery::default()
    };
    let page = asker.caller.notices(query).await?;
    Ok(Json(Page { notices: page.notices, next_cursor: page.next }))
}

pub(crate) const REQUEUE: About =
    About::new("Try a dead notice again", &[Answer::json::<Requeued>(200, "Whether it was dead.")]).problems(&[404]);

/// `POST …/tasks/{id}/notices/{notice_id}/requeue`: false when the notice is not dead.
pub(crate) async fn requeue(
    asker: Asker,
    Path((task, notice)): Path<(String, String)>,
) -> Result<Json<Requeued>, Problem> {
    let absent = |_| Problem::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, "There is no such notice.");
    let notice: NoticeId = notice.parse().map_err(absent)?;
    let requeued = asker.caller.requeue_notice(task_id(&task)?, notice).await?;
    Ok(Json(Requeued { requeued }))
}
