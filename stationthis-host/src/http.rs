//! The HTTP face: JSON in camelCase, errors as `application/problem+json`.
//!
//! What is below `/api/internal` needs a caller's API key or is the operator's; what is below `/api/internal/admin` is the
//! operator's alone. [`ROUTES`] lists every route with its scope.
//!
//! [`router`] is the whole of it, to be mounted in an application of your own or served by [`server::serve`].
//!
//! | request | answer |
//! |---|---|
//! | `GET /healthz` | 200 while the process lives |
//! | `GET /readyz` | 200 when the store answers and there is a catalogue, else 503; each provider's state |
//! | `GET /api/internal/tools` | `{"tools": […]}` |
//! | `GET /api/internal/tools/{id}` | one tool, by id, slug or alias |
//! | `POST /api/internal/run/{workflow_name}` | 202 and the task; with `?wait=SECONDS` 200 when it has ended |
//! | `POST /api/internal/quote/{workflow_name}` | rate and quote |
//! | `GET /api/internal/tasks` | `{"tasks": […], "nextCursor": …}`; `?status=&tool=&limit=&cursor=` |
//! | `GET /api/internal/tasks/{id}` | the task; `?wait=SECONDS` |
//! | `POST /api/internal/tasks/{id}/cancel` | the task |
//! | `GET`, `PUT /api/internal/notify` | `{"notify": […]}`: whom the caller's tasks tell by default |
//! | `GET`, `PUT /api/internal/admin/callers/{caller}/notify` | the same, of any caller |
//! | `GET /api/internal/admin/keys` | `{"keys": […]}` |
//! | `POST /api/internal/admin/keys` | 201 and the key, with its text |
//! | `POST /api/internal/admin/keys/{keyId}/revoke` | the key |
//! | `POST`, `GET /api/webhook/{providerId}/{taskId}` | 200 as soon as the webhook is durable |

mod asker;
mod auth;
pub mod body;
pub mod frame;
mod health;
mod keys;
mod limits;
mod notify;
pub mod problem;
mod query;
mod router;
mod run;
pub mod server;
mod tasks;
mod tools;
mod webhook;

pub use limits::CallerLimits;
pub use router::{HttpConfig, ROUTES, Route, Scope, router, webhook_router};

/// The longest `?wait=`, in seconds: proxies commonly give up after a minute.
pub const WAIT_S_MAX: u64 = 60;
