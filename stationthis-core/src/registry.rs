//! The registry of tools.
