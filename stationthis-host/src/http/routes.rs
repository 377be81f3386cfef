//! Every request that the router answers.

use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::http::about::About;
use crate::http::router::Face;
use crate::http::{
    admin, costs, docs, events, files, generations, health, keys, metrics, notices, notify, openapi, outputs, review,
    run, tasks, tools, user_events, users, webhook,
};

/// Whom a route answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Anybody.
    Open,
    /// Providers: each request carries the token of its task.
    Provider,
    /// A caller, each with its own tasks, and the operator.
    Caller,
    /// The operator.
    Operator,
}

/// One request that a host answers.
#[derive(Debug)]
#[non_exhaustive]
pub struct Route {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path, whose variable parts stand in braces.
    pub path: &'static str,
    /// Whom it answers.
    pub scope: Scope,
    pub(crate) about: &'static About,
    pub(super) filter: MethodFilter,
    pub(super) handler: fn(MethodFilter) -> MethodRouter<Face>,
}

const GET: (&str, MethodFilter) = ("GET", MethodFilter::GET);
const POST: (&str, MethodFilter) = ("POST", MethodFilter::POST);
const PUT: (&str, MethodFilter) = ("PUT", MethodFilter::PUT);
const DELETE: (&str, MethodFilter) = ("DELETE", MethodFilter::DELETE);

impl Route {
    const fn new(
        scope: Scope,
        (method, filter): (&'static str, MethodFilter),
        path: &'static str,
        about: &'static About,
        handler: fn(MethodFilter) -> MethodRouter<Face>,
    ) -> Self {
        Self { method, path, scope, about, filter, handler }
    }
}

/// Every request that [`router`](crate::http::router) answers; there is no other.
pub static ROUTES: &[Route] = &[
    Route::new(Scope::Open, GET, "/healthz", &health::LIVE, |f| on(f, health::live)),
    Route::new(Scope::Open, GET, "/readyz", &health::READY, |f| on(f, health::ready)),
    Route::new(Scope::Open, GET, "/docs", &docs::SHOW, |f| on(f, docs::show)),
    Route::new(Scope::Provider, GET, "/api/webhook/{provider_id}/{task_id}", &webhook::RECEIVE, |f| {
        on(f, webhook::receive)
    }),
    Route::new(Scope::Provider, POST, "/api/webhook/{provider_id}/{task_id}", &webhook::RECEIVE, |f| {
        on(f, webhook::receive)
    }),
    Route::new(Scope::Provider, GET, "/api/webhook/{provider_id}", &webhook::RECEIVE, |f| on(f, webhook::receive)),
    Route::new(Scope::Provider, POST, "/api/webhook/{provider_id}", &webhook::RECEIVE, |f| on(f, webhook::receive)),
    Route::new(Scope::Caller, GET, "/api/internal/openapi.json", &openapi::SHOW, |f| on(f, openapi::show)),
    Route::new(Scope::Caller, GET, "/api/internal/tools", &tools::LIST, |f| on(f, tools::list)),
    Route::new(Scope::Caller, GET, "/api/internal/tools/{id}", &tools::SHOW, |f| on(f, tools::show)),
    Route::new(Scope::Caller, GET, "/api/internal/changes", &tools::CHANGES, |f| on(f, tools::changes)),
    Route::new(Scope::Caller, GET, "/api/internal/run/{workflow_name}", &run::SHOW, |f| on(f, run::show)),
    Route::new(Scope::Caller, POST, "/api/internal/run/{workflow_name}", &run::RUN_TOOL, |f| on(f, run::run)),
    Route::new(Scope::Caller, POST, "/api/internal/quote/{workflow_name}", &run::QUOTE_TOOL, |f| on(f, run::quote)),
    Route::new(Scope::Caller, GET, "/api/internal/tasks", &tasks::LIST, |f| on(f, tasks::list)),
    Route::new(Scope::Caller, GET, "/api/internal/tasks/{id}", &tasks::SHOW, |f| on(f, tasks::show)),
    Route::new(Scope::Caller, POST, "/api/internal/tasks/{id}/cancel", &tasks::CANCEL, |f| on(f, tasks::cancel)),
    Route::new(Scope::Caller, GET, "/api/internal/tasks/{id}/explain", &review::EXPLAIN, |f| on(f, review::explain)),
    Route::new(Scope::Caller, POST, "/api/internal/tasks/{id}/notices/{notice_id}/requeue", &notices::REQUEUE, |f| {
        on(f, notices::requeue)
    }),
    Route::new(Scope::Caller, GET, "/api/internal/tasks/{id}/events", &events::OF_TASK, |f| on(f, events::of_task)),
    Route::new(Scope::Caller, GET, "/api/internal/events", &events::OF_ALL, |f| on(f, events::of_all)),
    Route::new(Scope::Caller, GET, "/api/internal/tasks/{id}/outputs/{n}", &outputs::CONTENT, |f| {
        on(f, outputs::content)
    }),
    // How much is read of a file is the shelf's to say.
    Route::new(Scope::Caller, POST, "/api/internal/files", &files::KEEP, |f| {
        on(f, files::keep).layer(DefaultBodyLimit::disable())
    }),
    Route::new(Scope::Caller, GET, "/api/internal/files/{id}", &files::SHOW, |f| on(f, files::show)),
    Route::new(Scope::Caller, DELETE, "/api/internal/files/{id}", &files::REMOVE, |f| on(f, files::remove)),
    Route::new(Scope::Caller, GET, "/api/internal/files/{id}/content", &files::CONTENT, |f| on(f, files::content)),
    Route::new(Scope::Caller, GET, "/api/internal/notices", &notices::LIST, |f| on(f, notices::list)),
    Route::new(Scope::Caller, GET, "/api/internal/costs", &costs::SHOW, |f| on(f, costs::show)),
    Route::new(Scope::Caller, GET, "/api/internal/notify", &notify::SHOW, |f| on(f, notify::show)),
    Route::new(Scope::Caller, PUT, "/api/internal/notify", &notify::SET, |f| on(f, notify::set)),
    Route::new(Scope::Caller, GET, "/api/internal/generations", &generations::LIST, |f| on(f, generations::list)),
    Route::new(Scope::Caller, POST, "/api/internal/generations", &generations::CREATE, |f| on(f, generations::create)),
    Route::new(Scope::Caller, GET, "/api/internal/generations/{id}", &generations::SHOW, |f| on(f, generations::show)),
    Route::new(Scope::Caller, PUT, "/api/internal/generations/{id}", &generations::CHANGE, |f| {
        on(f, generations::change)
    }),
    Route::new(Scope::Operator, GET, "/api/internal/admin/generations", &generations::LIST, |f| {
        on(f, generations::list)
    }),
    Route::new(Scope::Operator, GET, "/api/internal/admin/generations/{id}", &generations::SHOW, |f| {
        on(f, generations::show)
    }),
    Route::new(Scope::Caller, GET, "/api/internal/users/me", &users::SHOW, |f| on(f, users::show)),
    Route::new(Scope::Caller, POST, "/api/internal/events", &user_events::RECORD, |f| on(f, user_events::record)),
    Route::new(Scope::Caller, GET, "/api/internal/events/{id}", &user_events::SHOW, |f| on(f, user_events::show)),
    Route::new(Scope::Operator, GET, "/api/internal/admin/users", &users::FIND, |f| on(f, users::find)),
    Route::new(Scope::Operator, GET, "/api/internal/admin/users/{caller}", &users::SHOW_OF, |f| on(f, users::show_of)),
    Route::new(Scope::Operator, PUT, "/api/internal/admin/users/{caller}", &users::SET_OF, |f| on(f, users::set_of)),
    Route::new(Scope::Operator, GET, "/metrics", &metrics::SHOW, |f| on(f, metrics::show)),
    Route::new(Scope::Operator, GET, "/api/internal/admin/callers/{caller}/notify", &notify::SHOW_OF, |f| {
        on(f, notify::show_of)
    }),
    Route::new(Scope::Operator, PUT, "/api/internal/admin/callers/{caller}/notify", &notify::SET_OF, |f| {
        on(f, notify::set_of)
    }),
    Route::new(Scope::Operator, GET, "/api/internal/admin/keys", &keys::LIST, |f| on(f, keys::list)),
    Route::new(Scope::Operator, POST, "/api/internal/admin/keys", &keys::CREATE, |f| on(f, keys::create)),
    Route::new(Scope::Operator, POST, "/api/internal/admin/keys/{key_id}/revoke", &keys::REVOKE, |f| {
        on(f, keys::revoke)
    }),
    Route::new(Scope::Operator, GET, "/api/internal/admin/tasks", &tasks::LIST, |f| on(f, tasks::list)),
    Route::new(Scope::Operator, GET, "/api/internal/admin/tasks/{id}", &tasks::SHOW, |f| on(f, tasks::show)),
    Route::new(Scope::Operator, POST, "/api/internal/admin/tasks/{id}/cancel", &tasks::CANCEL, |f| {
        on(f, tasks::cancel)
    }),
    Route::new(Scope::Operator, GET, "/api/internal/admin/tasks/{id}/explain", &review::EXPLAIN, |f| {
        on(f, review::explain)
    }),
    Route::new(Scope::Operator, POST, "/api/internal/admin/tasks/{id}/resolve", &review::RESOLVE, |f| {
        on(f, review::resolve)
    }),
    Route::new(Scope::Operator, POST, "/api/internal/admin/tasks/{id}/reconcile", &review::RECONCILE, |f| {
        on(f, review::reconcile)
    }),
    Route::new(
        Scope::Operator,
        POST,
        "/api/internal/admin/tasks/{id}/notices/{notice_id}/requeue",
        &notices::REQUEUE,
        |f| on(f, notices::requeue),
    ),
    Route::new(Scope::Operator, GET, "/api/internal/admin/tasks/{id}/events", &events::OF_TASK, |f| {
        on(f, events::of_task)
    }),
    Route::new(Scope::Operator, GET, "/api/internal/admin/events", &events::OF_ALL, |f| on(f, events::of_all)),
    Route::new(Scope::Operator, GET, "/api/internal/admin/tasks/{id}/outputs/{n}", &outputs::CONTENT, |f| {
        on(f, outputs::content)
    }),
    Route::new(Scope::Operator, GET, "/api/internal/admin/notices", &notices::LIST, |f| on(f, notices::list)),
    Route::new(Scope::Operator, GET, "/api/internal/admin/costs", &costs::SHOW, |f| on(f, costs::show)),
    Route::new(Scope::Operator, POST, "/api/internal/admin/prune", &admin::PRUNE, |f| on(f, admin::prune)),
    Route::new(Scope::Operator, POST, "/api/internal/admin/backup", &admin::BACKUP, |f| on(f, admin::backup)),
];
