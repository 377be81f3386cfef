//! The service's JSON, field by field as recorded.

pub(crate) mod deployment;
pub(crate) mod machine;
pub(crate) mod output;
pub(crate) mod run;

/// The only account there is.
pub(crate) const USER: &str = "user_sim";
