//! Reading a list page by page.

use super::Warnings;
use crate::client::{Client, PAGE_BYTES_MAX};
use crate::error::{Operation, shortened, unreadable};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use stationthis_core::{Error, ErrorKind, Result};

/// The most pages of one list: far beyond any account, but a list that never ends must not be read for ever.
const PAGES_MAX: u32 = 2000;

/// How much of an unreadable entry's reason goes into its warning, in characters.
const REASON_CHARS_MAX: usize = 200;

/// A list of the service.
pub(super) struct List {
    pub(super) operation: Operation,
    pub(super) path: &'static str,
    /// A yes-or-no parameter.
    pub(super) filter: (&'static str, bool),
    /// What the list calls its page size.
    pub(super) size_name: &'static str,
    pub(super) size: u32,
}

/// Reads every entry of a list, one page in memory at a time. An entry that cannot be read is a warning.
pub(super) async fn each<T: DeserializeOwned>(
    client: &Client,
    list: &List,
    warnings: &mut Warnings,
    mut take: impl FnMut(T, &mut Warnings) + Send,
) -> Result<()> {
    for page in 0..PAGES_MAX {
        let query = [
            (list.filter.0, list.filter.1.to_string()),
            (list.size_name, list.size.to_string()),
            ("offset", (u64::from(page) * u64::from(list.size)).to_string()),
        ];
        let body = client.read(list.operation, list.path, &query, PAGE_BYTES_MAX).await?;
        let entries: Vec<&RawValue> = serde_json::from_slice(&body).map_err(|e| unreadable(list.operation, 200, e))?;
        for (at, entry) in entries.iter().enumerate() {
            match serde_json::from_str(entry.get()) {
                Ok(entry) => take(entry, warnings),
                Err(error) => {
                    let reason = shortened(&error.to_string(), REASON_CHARS_MAX);
                    let name = id_of(entry).unwrap_or_else(|| format!("entry {at} of page {page}"));
                    warnings.add(format!("{} of {} is left out, it cannot be read: {reason}.", name, list.path));
                }
            }
        }
        if entries.len() < usize::try_from(list.size).unwrap_or(usize::MAX) {
            return Ok(());
        }
    }
    Err(Error::new(ErrorKind::TooLarge, list.operation.name())
        .with_message("The list has more pages than any account can fill.")
        .with_context("pages", PAGES_MAX))
}

/// The id of an entry that has another shape otherwise.
fn id_of(entry: &RawValue) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Id {
        id: String,
    }
    let id: Id = serde_json::from_str(entry.get()).ok()?;
    Some(shortened(&id.id, REASON_CHARS_MAX))
}
