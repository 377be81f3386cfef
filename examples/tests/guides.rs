//! What the guides in `docs/guides/` build, each as the guide leaves it, with its proof; and that the guides show just that.

#[allow(unreachable_pub, reason = "each file is the library that its guide makes")]
mod guides {
    mod costs;
    mod face;
    mod notifier;
    mod pages;
    mod provider;
    mod store;
}
