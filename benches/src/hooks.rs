//! The parts of the measurement of the webhook path: a host, a load, and the books afterwards.

pub mod books;
pub mod load;
pub mod server;
