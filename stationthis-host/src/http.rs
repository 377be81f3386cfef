//! The HTTP face: JSON in camelCase, errors as `application/problem+json`.
//!
//! What is below `/api/internal` needs a caller's API key or is the operator's; what is below `/api/internal/admin` is the
//! operator's alone. [`ROUTES`] lists every route with its scope.
//!
//! [`router`] is the whole of it, to be nested in an application of your own, which may say who asks ([`Identify`]), or
//! served by [`server::serve`].
//!
//! | request | answer |
//! |---|---|
//! | `GET /metrics` | everything that is counted, in Prometheus' text format; the operator's alone |
//! | `GET /healthz` | 200 while the process lives |
//! | `GET /readyz` | 200 when the store answers and there is a catalogue, else 503; each provider's state |
//! | `GET /docs` | a page that shows the document below to people |
//! | `GET /api/internal/openapi.json` | all of this as an OpenAPI 3.1 document, with an operation for each tool |
//! | `GET /api/internal/tools` | `{"tools": […]}` |
//! | `GET /api/internal/tools/{id}`, `GET /api/internal/run/{workflow_name}` | one tool with its price and typical time, by id or slug; 308 for a name of before, 410 for one of a removed tool |
//! | `GET /api/internal/changes` | `{"change": …}`: what the last refresh changed that changed anything |
//! | `POST /api/internal/run/{workflow_name}` | 202 and the task; with `?wait=SECONDS` 200 when it has ended |
//! | `POST /api/internal/quote/{workflow_name}` | rate and quote |
//! | `GET /api/internal/tasks` | `{"tasks": […], "nextCursor": …}`; `?status=&tool=&needsReview=&limit=&cursor=` |
//! | `GET /api/internal/tasks/{id}` | the task; `?wait=SECONDS` |
//! | `POST /api/internal/tasks/{id}/cancel` | the task |
//! | `GET /api/internal/tasks/{id}/explain` | the task with all that happened to it, and a sentence for each |
//! | `GET /api/internal/tasks/{id}/events` | server-sent events of one task, until its end; `?after=`, `Last-Event-ID` |
//! | `GET /api/internal/events` | server-sent events of all tasks of the caller |
//! | `GET /api/internal/tasks/{id}/outputs/{n}` | the content of an output; `Range` |
//! | `POST /api/internal/files` | 201 and the file, sent as `multipart/form-data`, to be named by inputs |
//! | `GET`, `DELETE /api/internal/files/{id}` | what is known of the file; it is removed |
//! | `GET /api/internal/files/{id}/content` | its content |
//! | `GET /api/internal/notices` | `{"notices": […], "nextCursor": …}`; `?state=&task=&limit=&cursor=` |
//! | `POST /api/internal/tasks/{id}/notices/{noticeId}/requeue` | `{"requeued": …}`: a dead notice is tried again |
//! | `GET /api/internal/costs` | what ended tasks cost, in sums; `?month=&by=` |
//! | `GET`, `PUT /api/internal/notify` | `{"notify": […]}`: whom the caller's tasks tell by default |
//! | `GET`, `PUT /api/internal/admin/callers/{caller}/notify` | the same, of any caller |
//! | `GET`, `POST /api/internal/generations`, `GET`, `PUT …/generations/{id}` | tasks in the words of a record API |
//! | `GET /api/internal/users/me` | the caller and who they are on other platforms |
//! | `POST /api/internal/events` | 201 and the event: what a user did |
//! | `GET /api/internal/events/{id}` | such an event |
//! | `GET`, `PUT /api/internal/admin/users/{caller}` | a user; sets its identities |
//! | `GET /api/internal/admin/users?platform=&id=` | the user of an identity |
//! | `GET /api/internal/admin/keys` | `{"keys": […]}` |
//! | `POST /api/internal/admin/keys` | 201 and the key, with its text |
//! | `POST /api/internal/admin/keys/{keyId}/revoke` | the key |
//! | the same routes of tasks, notices and costs below `/api/internal/admin` | of every caller |
//! | `POST /api/internal/admin/tasks/{id}/resolve` | the task, of whose submission a person knows better |
//! | `POST /api/internal/admin/tasks/{id}/reconcile` | the task, with its cost by what the service says now |
//! | `POST /api/internal/admin/prune` | `{"pruned": …}`: how many old tasks were forgotten |
//! | `POST /api/internal/admin/backup` | 201 and where the copy of the store is |
//! | `POST`, `GET /api/webhook/{providerId}/{taskId}` | 200 as soon as the webhook is durable |
//!
//! `POST /api/telegram/webhook` is another router's: [`Telegram::webhook_router`](crate::telegram::Telegram::webhook_router).

mod about;
mod admin;
mod asker;
mod auth;
pub mod body;
mod cors;
mod costs;
mod docs;
mod download;
mod etag;
mod events;
mod files;
pub mod frame;
mod generations;
mod health;
mod identify;
mod keys;
mod limits;
mod metrics;
mod mount;
mod named;
mod notices;
mod notify;
pub mod openapi;
mod outputs;
pub mod problem;
mod query;
pub(crate) mod range;
mod review;
mod router;
mod routes;
mod run;
pub mod server;
mod stream;
mod tasks;
mod tools;
mod trace_context;
mod user_events;
mod users;
mod wait;
mod webhook;

pub use cors::Origin;
pub use identify::Identify;
pub use limits::CallerLimits;
pub(crate) use router::health_router;
pub use router::{HttpConfig, router, webhook_router};
pub use routes::{ROUTES, Route, Scope};

/// The longest `?wait=`, in seconds: proxies commonly give up after a minute.
pub const WAIT_S_MAX: u64 = 60;
