//! What the service sends, as types that take what they know and forgive the rest.
//!
//! Unknown fields are skipped without being kept, unknown enum values stay text, numbers may be strings and times come
//! in six spellings. Only what identifies a thing is required.

pub(crate) mod deployment;
pub(crate) mod given;
pub(crate) mod graph;
pub(crate) mod lenient;
pub(crate) mod machine;
pub(crate) mod run;
pub(crate) mod run_row;
