//! What a route takes and answers, for its description in the [OpenAPI document](crate::http::openapi).
//!
//! It stands beside the handler. What every route of its kind answers (a missing key, a body that is too large, a full
//! disk) is added where the document is made.

use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes the schema of a type.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

const JSON: &str = "application/json";
const FORM: &str = "multipart/form-data";

/// A media type and what stands in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content {
    pub(crate) media: &'static str,
    /// `None`: what stands in it has no JSON schema.
    pub(crate) schema: Option<SchemaOf>,
}

/// One answer that is no problem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: &'static str,
    pub(crate) content: Option<Content>,
    /// Headers that clients should know of.
    pub(crate) headers: &'static [Header],
}

/// A header, of requests or answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// Where what was made can be found.
pub(crate) const LOCATION: Header = Header { name: "Location", text: "Where it can be found." };

/// That a preference was taken.
pub(crate) const PREFERENCE_APPLIED: Header =
    Header { name: "Preference-Applied", text: "`wait=SECONDS`, when that was preferred." };

/// The client's name for a request.
pub(crate) const IDEMPOTENCY_KEY: Header = Header {
    name: "Idempotency-Key",
    text: "1 to 255 printable ASCII characters. The same key with the same request finds the first task.",
};

/// A wish to wait.
pub(crate) const PREFER: Header =
    Header { name: "Prefer", text: "`wait=SECONDS` (RFC 7240): the same as the parameter `wait`, which goes first." };

/// A route in words and schemas.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) summary: &'static str,
    pub(crate) answers: &'static [Answer],
    /// The parameters of the query, as the properties of an object.
    pub(crate) query: Option<SchemaOf>,
    pub(crate) headers: &'static [Header],
    pub(crate) body: Option<Content>,
    /// May the body be left out?
    pub(crate) body_optional: bool,
    /// Its own problems, by their statuses.
    pub(crate) problems: &'static [u16],
    /// Does it have an `ETag`?
    pub(crate) tagged: bool,
}

impl Answer {
    /// JSON.
    pub(crate) const fn json<T: JsonSchema>(status: u16, text: &'static str) -> Self {
        Self { status, text, content: Some(Content { media: JSON, schema: Some(schema_of::<T>) }), headers: &[] }
    }

    /// Something else.
    pub(crate) const fn other(status: u16, text: &'static str, media: &'static str) -> Self {
        Self { status, text, content: Some(Content { media, schema: None }), headers: &[] }
    }

    /// Server-sent events, as `T` describes them.
    pub(crate) const fn events<T: JsonSchema>(status: u16, text: &'static str) -> Self {
        let content = Content { media: "text/event-stream", schema: Some(schema_of::<T>) };
        Self { status, text, content: Some(content), headers: &[] }
    }

    /// With headers that clients should know of.
    pub(crate) const fn with_headers(mut self, headers: &'static [Header]) -> Self {
        self.headers = headers;
        self
    }
}

impl About {
    /// One line about a route, and what it answers when all is well.
    pub(crate) const fn new(summary: &'static str, answers: &'static [Answer]) -> Self {
        Self {
            summary,
            answers,
            query: None,
            headers: &[],
            body: None,
            body_optional: false,
            problems: &[],
            tagged: false,
        }
    }

    /// It takes the parameters that are fields of `T`; others are refused.
    pub(crate) const fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>);
        self
    }

    /// It looks at these headers.
    pub(crate) const fn headers(mut self, headers: &'static [Header]) -> Self {
        self.headers = headers;
        self
    }

    /// It takes a JSON body.
    pub(crate) const fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Content { media: JSON, schema: Some(schema_of::<T>) });
        self
    }

    /// It takes a form whose parts are fields of `T`.
    pub(crate) const fn form<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Content { media: FORM, schema: Some(schema_of::<T>) });
        self
    }

    /// Does it take a form, and so a file?
    pub(crate) fn takes_form(&self) -> bool {
        self.body.is_some_and(|body| body.media == FORM)
    }

    /// It takes a body of another kind, or none.
    pub(crate) const fn any_body(mut self, media: &'static str) -> Self {
        self.body = Some(Content { media, schema: None });
        self.body_optional = true;
        self
    }

    /// It has problems of its own.
    pub(crate) const fn problems(mut self, statuses: &'static [u16]) -> Self {
        self.problems = statuses;
        self
    }

    /// It has an `ETag`, and 304 for who holds it.
    pub(crate) const fn tagged(mut self) -> Self {
        self.tagged = true;
        self
    }
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
