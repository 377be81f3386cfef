//! The client on which it is true that a connection that was never made had no effect.

/// A client that follows no redirect and repeats nothing.
///
/// Either could send a submission twice. A redirect would make [`Call::unanswered`](crate::Call::unanswered) wrong, too:
/// the connection that cannot be made may be the second one, after a request that was executed.
pub fn client_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).retry(reqwest::retry::never())
}
