//! The HTTP face: JSON in camelCase, errors as `application/problem+json`.
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
//! | `POST`, `GET /api/webhook/{providerId}/{taskId}` | 200 as soon as the webhook is durable |

pub mod auth;
pub mod body;
pub mod frame;
mod health;
pub mod problem;
mod query;
mod router;
mod run;
pub mod server;
mod tasks;
mod tools;
mod webhook;

pub use router::{HttpConfig, router, webhook_router};

/// The longest `?wait=`, in seconds: proxies commonly give up after a minute.
pub const WAIT_S_MAX: u64 = 60;
