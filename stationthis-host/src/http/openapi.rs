//! The API as an OpenAPI 3.1 document, made of [`ROUTES`] and the tools of the moment.
//!
//! Its schemas are JSON Schema 2020-12, which is what schemars gives and what tools have.

mod embedded;
mod operation;
mod tool;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use stationthis_core::ProviderId;
use stationthis_core::station::Caller;

use crate::http::about::{About, Answer};
use crate::http::asker::Asker;
use crate::http::etag;
use crate::http::mount::Mount;
use crate::http::openapi::operation::Describer;
use crate::http::problem::Problem;
use crate::http::router::Face;
use crate::http::routes::ROUTES;
use crate::view::ToolView;

/// What the document says of the whole API.
const DESCRIPTION: &str = "Runs unreliable AI generation services as durable, priced, validated tools. \
    Clients must ignore fields that they do not know. Errors are `application/problem+json` (RFC 9457); their `type` is \
    stable. Every answer has an `X-Request-Id`.";

/// The document for these tools.
///
/// The operations of routes have ids made of method and path, those of tools `run_`
/// (or `describe_`) and the slug: all stay as long as
/// the path does.
#[must_use]
pub fn document(tools: &[ToolView]) -> Value {
    let answers = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    // What clients send may look different from what they get, and is named nowhere else.
    let requests = SchemaSettings::draft2020_12().for_deserialize().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut describer = Describer::new(answers.into_generator(), requests.into_generator());
    let mut paths = Map::new();
    for route in ROUTES {
        let operation = describer.operation(route);
        if let Some(item) = paths.entry(route.path).or_insert_with(|| json!({})).as_object_mut() {
            item.insert(route.method.to_ascii_lowercase(), operation);
        }
    }
    for tool in tools {
        let path = format!("{}/{}", tool::PARENT, tool.definition.slug);
        let (show, run) = tool::operations(&mut describer, tool);
        paths.insert(path, json!({ "get": show, "post": run }));
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "StationThis", "version": env!("CARGO_PKG_VERSION"), "description": DESCRIPTION },
        "paths": paths,
        "components": describer.components(),
        "tags": operation::tags(),
    })
}

/// The document as bytes, kept as long as the catalogue and the prices are the same.
#[derive(Debug, Default)]
pub(crate) struct OpenApi {
    /// Does the application around know callers, so that they have no keys?
    keyless: bool,
    made: Mutex<Option<Arc<Made>>>,
}

#[derive(Debug)]
struct Made {
    of: Stamp,
    body: Bytes,
    tag: String,
}

/// The catalogue's number, the card that each provider's first tool has its price from (cards are taken over a moment
/// after the tools), and where the router stands.
#[derive(Debug, PartialEq, Eq)]
struct Stamp(u64, Vec<Option<String>>, Mount);

impl Stamp {
    fn of(caller: &Caller, mount: Mount) -> Self {
        let snapshot = caller.tools();
        let first =
            |provider: &ProviderId| snapshot.tools().iter().find(|tool| tool.definition().provider_id == *provider);
        let cards = snapshot.providers().iter().map(|provider| {
            let rate = caller.rate(first(&provider.provider_id)?).ok()?;
            Some(rate.card_hash)
        });
        Self(snapshot.revision(), cards.collect(), mount)
    }
}

impl OpenApi {
    pub(crate) fn new(keyless: bool) -> Self {
        Self { keyless, made: Mutex::default() }
    }

    fn get(&self, caller: &Caller, mount: Mount) -> Result<Arc<Made>, Problem> {
        let of = Stamp::of(caller, mount);
        let kept = self.made.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(made) = kept.filter(|made| made.of == of) {
            return Ok(made);
        }
        // Two at once make it twice: cheaper than holding others up behind a lock.
        let mut document = document(&ToolView::all(caller));
        embedded::place(&mut document, &of.2);
        if self.keyless {
            embedded::leave_keys_out(&mut document);
        }
        let body = etag::json(&document)?;
        let made = Arc::new(Made { of, tag: etag::tag_of(&body), body });
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&made));
        Ok(made)
    }
}

/// Any object: the document's own schema is a standard's.
#[derive(JsonSchema)]
#[schemars(rename = "OpenApiDocument")]
struct AnyDocument {
    #[expect(dead_code, reason = "it is a schema only")]
    openapi: String,
}

pub(crate) const SHOW: About =
    About::new("This document", &[Answer::json::<AnyDocument>(200, "OpenAPI 3.1, with the tools of the moment.")])
        .tagged();

/// `GET /api/internal/openapi.json`.
pub(crate) async fn show(
    State(face): State<Face>,
    asker: Asker,
    mount: Mount,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let made = face.openapi.get(&asker.caller, mount)?;
    Ok(etag::prepared(&headers, made.body.clone(), &made.tag))
}
