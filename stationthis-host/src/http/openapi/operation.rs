//! One operation of the document, as its route describes it.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::http::about::{About, Answer, Content, Header};
use crate::http::problem::Document;
use crate::http::routes::{Route, Scope};

/// Why a problem of each status comes; the table of `docs/http.md` in short.
const PROBLEMS: [(u16, &str); 14] = [
    (400, "The request cannot be read: bad JSON, an unknown field or parameter."),
    (401, "The key (of a webhook: the token) is missing, wrong, revoked or has ended."),
    (403, "The key does not open this; or there is none, and the request is not local."),
    (404, "There is no such thing, or not for you."),
    (409, "It contradicts what is there already."),
    (410, "It was removed."),
    (413, "The body is too large, or something in it."),
    (422, "The content is wrong; `problems` lists each point. Or the tool has no known price."),
    (429, "Too many requests or waits. Nothing was accepted."),
    (500, "A defect; the log has it under `requestId`."),
    (501, "Not here: the service, or this host, cannot do it."),
    (502, "The service failed."),
    (503, "The disk is full or locked, the service is out of order, or the host is shutting down."),
    (504, "It took more than 90 s."),
];

/// What every request may come to.
const ALWAYS: &[u16] = &[500, 503, 504];
/// What a request with a key may come to besides.
const KEYED: &[u16] = &[401, 403, 429];

const RETRY_AFTER: Header = Header { name: "Retry-After", text: "Seconds to wait before another attempt." };
const ETAG: Header = Header { name: "ETag", text: "Names what was sent; for `If-None-Match`." };
const IF_NONE_MATCH: Header = Header { name: "If-None-Match", text: "The `ETag` of what is held already." };

/// Makes operations, and gathers the schemas that they refer to.
pub(super) struct Describer {
    answers: SchemaGenerator,
    requests: SchemaGenerator,
}

impl Describer {
    pub(super) fn new(answers: SchemaGenerator, requests: SchemaGenerator) -> Self {
        Self { answers, requests }
    }

    /// The operation of a route.
    pub(super) fn operation(&mut self, route: &Route) -> Value {
        let about = route.about;
        let mut operation = json!({
            "operationId": operation_id(route.method, route.path),
            "summary": about.summary,
            "tags": [tag(route)],
            "responses": self.responses(about, route.scope, route.path.contains('{')),
        });
        let mut parameters = variables(route.path);
        parameters.extend(self.parameters(about));
        insert(&mut operation, "parameters", (!parameters.is_empty()).then_some(parameters.into()));
        let body = about.body.filter(|_| route.method != "GET").map(|of| self.body(of));
        let body = body.map(|content| json!({ "required": !about.body_optional, "content": content }));
        insert(&mut operation, "requestBody", body);
        insert(&mut operation, "security", keyed(route.scope).then(|| json!([{ "key": [] }])));
        operation
    }

    /// The parameters of query and headers.
    pub(super) fn parameters(&mut self, about: &About) -> Vec<Value> {
        let schema = about.query.map(|schema| schema(&mut self.requests).to_value()).unwrap_or_default();
        let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut parameters: Vec<Value> = Vec::new();
        for (name, schema) in properties {
            let mut schema = present(schema);
            let text = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let required = required.contains(&name.as_str().into());
            parameters.push(json!({
                "name": name, "in": "query", "required": required, "description": text, "schema": schema,
            }));
        }
        let tag = about.tagged.then_some(IF_NONE_MATCH);
        for header in about.headers.iter().copied().chain(tag) {
            parameters.push(json!({
                "name": header.name, "in": "header", "description": header.text, "schema": { "type": "string" },
            }));
        }
        parameters
    }

    /// What is answered, problems included.
    pub(super) fn responses(&mut self, about: &About, scope: Scope, named: bool) -> Map<String, Value> {
        let mut responses = Map::new();
        let own = about.problems.iter().chain(ALWAYS);
        let keyed = if keyed(scope) { KEYED } else { &[] };
        let token: &[u16] = if scope == Scope::Provider { &[401] } else { &[] };
        let body: &[u16] = if about.body.is_some() { &[400, 413] } else { &[] };
        let query: &[u16] = match (named, about.query) {
            // What is no name of anything is not found; what is no text is malformed.
            (true, _) => &[400, 404],
            (false, Some(_)) => &[400],
            (false, None) => &[],
        };
        for status in own.chain(keyed).chain(token).chain(body).chain(query) {
            let of = json!({ "$ref": format!("#/components/responses/{}", problem_name(*status)) });
            responses.insert(status.to_string(), of);
        }
        if about.tagged {
            responses
                .insert("304".to_owned(), json!({ "description": "It has not changed.", "headers": headers(&[ETAG]) }));
        }
        for answer in about.answers {
            responses.insert(answer.status.to_string(), self.answer(answer, about.tagged));
        }
        responses
    }

    fn answer(&mut self, answer: &Answer, tagged: bool) -> Value {
        let mut response = json!({ "description": answer.text });
        let mut told = answer.headers.to_vec();
        told.extend((tagged && answer.status == 200).then_some(ETAG));
        insert(&mut response, "headers", (!told.is_empty()).then(|| headers(&told)));
        let content = answer.content.map(|of| content(of, &mut self.answers));
        insert(&mut response, "content", content);
        response
    }

    pub(super) fn body(&mut self, of: Content) -> Value {
        content(of, &mut self.requests)
    }

    /// What operations refer to.
    pub(super) fn components(mut self) -> Value {
        let problem = self.answers.subschema_for::<Document>();
        let mut responses = Map::new();
        for (status, text) in PROBLEMS {
            let mut response = json!({
                "description": text,
                "content": { "application/problem+json": { "schema": problem } },
            });
            insert(&mut response, "headers", matches!(status, 429 | 503).then(|| headers(&[RETRY_AFTER])));
            responses.insert(problem_name(status), response);
        }
        let key = "A caller's key, or the operator's. None is needed on the host's own machine when the operator has \
            none.";
        json!({
            "schemas": self.answers.take_definitions(true),
            "responses": responses,
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer", "description": key } },
        })
    }
}

fn content(Content { media, schema }: Content, generator: &mut SchemaGenerator) -> Value {
    let of = schema.map_or_else(|| json!({}), |schema| json!({ "schema": schema(generator) }));
    json!({ media: of })
}

/// The groups of operations.
pub(super) fn tags() -> Value {
    json!([
        { "name": "tools", "description": "What can be run, and running it." },
        { "name": "tasks", "description": "What was run." },
        { "name": "account", "description": "What is the caller's besides." },
        { "name": "operator", "description": "What is the operator's alone." },
        { "name": "host", "description": "The host itself." },
        { "name": "webhooks", "description": "What services call." },
    ])
}

pub(super) const TOOLS: &str = "tools";
pub(super) const OPERATOR: &str = "operator";

fn tag(route: &Route) -> &'static str {
    let first = route.path.trim_start_matches("/api/internal/").split('/').next().unwrap_or_default();
    match (route.scope, first) {
        (Scope::Operator, _) => OPERATOR,
        (Scope::Provider, _) => "webhooks",
        (_, "tools" | "run" | "quote") => TOOLS,
        (_, "tasks" | "generations" | "events") => "tasks",
        (Scope::Open, _) | (_, "openapi.json") => "host",
        (Scope::Caller, _) => "account",
    }
}

/// `get_tasks_id`: the method and the path's words.
fn operation_id(method: &str, path: &str) -> String {
    let path = path.trim_start_matches("/api/internal/").trim_start_matches("/api/").trim_start_matches('/');
    let word = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { ' ' };
    let words: String = path.chars().map(word).collect();
    format!("{} {words}", method.to_ascii_lowercase()).split_whitespace().collect::<Vec<_>>().join("_")
}

/// The variable parts of a path; what they are is told by the part before.
fn variables(path: &str) -> Vec<Value> {
    let parts: Vec<&str> = path.split('/').collect();
    let variable = |pair: &[&str]| {
        let [before, part] = pair else { return None };
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        let text = match *before {
            "tools" | "run" | "quote" => "A tool's id or slug.",
            "tasks" => "A task's id.",
            "generations" => "A generation's id, which is its task's.",
            "notices" => "A notice's id.",
            "events" => "An event's id.",
            "keys" => "A key's id.",
            "callers" | "users" => "A caller's name.",
            "webhook" => "A provider's id.",
            _ => "The id within the one before.",
        };
        Some(json!({
            "name": name, "in": "path", "required": true, "description": text,
            "schema": { "type": "string", "minLength": 1 },
        }))
    };
    parts.windows(2).filter_map(variable).collect()
}

/// A property's schema without null: in a query a parameter is there, or it is not.
fn present(mut schema: Value) -> Value {
    let Some(object) = schema.as_object_mut() else { return schema };
    if let Some(types) = object.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(values) = object.get_mut("enum").and_then(Value::as_array_mut) {
        values.retain(|value| !value.is_null());
    }
    let choices = object.get_mut("anyOf").and_then(Value::as_array_mut);
    let only = choices.and_then(|choices| {
        choices.retain(|choice| *choice != json!({ "type": "null" }));
        if choices.len() == 1 { choices.pop() } else { None }
    });
    if let Some(Value::Object(only)) = only {
        object.remove("anyOf");
        for (name, value) in only {
            object.entry(name).or_insert(value);
        }
    }
    schema
}

fn keyed(scope: Scope) -> bool {
    matches!(scope, Scope::Caller | Scope::Operator)
}

fn problem_name(status: u16) -> String {
    format!("Problem{status}")
}

fn headers(headers: &[Header]) -> Value {
    let one = |header: &Header| {
        (header.name.to_owned(), json!({ "description": header.text, "schema": { "type": "string" } }))
    };
    Value::Object(headers.iter().map(one).collect())
}

pub(super) fn insert(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), value);
    }
}
