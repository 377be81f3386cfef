//! Notices: list them, try a dead one again.

use axum::Json;
use axum::extract::Path;
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use stationthis_core::store::{NoticeQuery, NoticeState};
use stationthis_core::{ErrorKind, NoticeId};

use crate::http::asker::Asker;
use crate::http::problem::Problem;
use crate::http::query;
use crate::http::tasks::task_id;

/// `?state=&task=&limit=&cursor=`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoticesQuery {
    state: Option<NoticeState>,
    task: Option<String>,
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    cursor: Option<u64>,
}

/// `GET …/notices`, newest first.
pub(crate) async fn list(asker: Asker, uri: Uri) -> Result<Json<Value>, Problem> {
    let wanted: NoticesQuery = query::parse(&uri)?;
    let query = NoticeQuery {
        state: wanted.state,
        task: wanted.task.as_deref().map(task_id).transpose()?,
        before: wanted.cursor,
        limit: query::page_size(wanted.limit)?,
        ..NoticeQuery::default()
    };
    let page = asker.caller.notices(query).await?;
    Ok(Json(json!({ "notices": page.notices, "nextCursor": page.next })))
}

/// `POST …/tasks/{id}/notices/{notice_id}/requeue`: false when the notice is not dead.
pub(crate) async fn requeue(
    asker: Asker,
    Path((task, notice)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let absent = |_| Problem::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, "There is no such notice.");
    let notice: NoticeId = notice.parse().map_err(absent)?;
    let requeued = asker.caller.requeue_notice(task_id(&task)?, notice).await?;
    Ok(Json(json!({ "requeued": requeued })))
}
