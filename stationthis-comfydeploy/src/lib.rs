//! Placeholder while the workspace is laid out.

#[cfg(feature = "sim")]
pub mod sim;
