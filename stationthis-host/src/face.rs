//! What every face of a station shares: the inputs of a tool as fields, text as values, prices and failures in words.
//!
//! Pure functions. A chat, a command line and a form that go through them ask for the same things, take the same texts
//! and say the same sentences. None of them judges a value: what does not fit is left as it was written, and the
//! [validation](stationthis_core::tool::validate) of core names the problem, which is so the same for everybody.

pub mod chat;
pub mod failure;
pub mod input;
pub mod summary;
