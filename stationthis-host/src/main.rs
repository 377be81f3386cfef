//! Host binary.
fn main() {}
