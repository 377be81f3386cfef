//! Host.
pub mod config;
