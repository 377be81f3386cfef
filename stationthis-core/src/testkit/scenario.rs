//! What a suite consists of.

/// The names of the scenarios in source files of this crate, in order: every public async function.
///
/// A suite's expansion compares itself with it, so that none can be forgotten in the list of its macro.
pub(crate) fn scenario_names(sources: &[&'static str]) -> Vec<&'static str> {
    let functions = sources.iter().flat_map(|source| source.split("\npub async fn ").skip(1));
    functions.filter_map(|function| function.split('(').next()).collect()
}
