//! Reading a list page by page.

use super::Warnings;
use crate::client::{Client, PAGE_BYTES_MAX};
use crate::error::Operation;
use crate::wire::deployment::Deployment;
use crate::wire::machine::Machine;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use stationthis_core::{Error, ErrorKind, Result};
use stationthis_http::one_line;

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

/// An entry of a list.
pub(super) trait Entry: DeserializeOwned {
    fn id(&self) -> &str;
}

impl Entry for Deployment {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Entry for Machine {
    fn id(&self) -> &str {
        &self.id
    }
}

/// How often a list is read when it moves under the reading: a second reading closes nearly every gap, a third would
/// be needed only by an account that changes all the time.
const READINGS_MAX: u32 = 2;

/// Reads every entry of a list, one page in memory at a time. An entry that cannot be read is a warning.
///
/// The list is ordered by the time of the last change, so an entry that changes meanwhile jumps to the front, past the
/// pages already read, and would be missed. Each page therefore begins with the last entry of the one before; where it
/// does not, the list is read once more, and both readings count: `take` may see an entry twice.
pub(super) async fn each<T: Entry>(
    client: &Client,
    list: &List,
    warnings: &mut Warnings,
    mut take: impl FnMut(T, &mut Warnings) + Send,
) -> Result<()> {
    for _ in 0..READINGS_MAX {
        if read(client, list, warnings, &mut take).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// One reading; whether the list stood still.
async fn read<T: Entry>(
    client: &Client,
    list: &List,
    warnings: &mut Warnings,
    take: &mut (impl FnMut(T, &mut Warnings) + Send),
) -> Result<bool> {
    let step = u64::from(list.size.saturating_sub(1).max(1));
    let mut still = true;
    let mut last: Option<String> = None;
    for page in 0..PAGES_MAX {
        let query = [
            (list.filter.0, list.filter.1.to_string()),
            (list.size_name, list.size.to_string()),
            ("offset", (u64::from(page) * step).to_string()),
        ];
        let body = client.read(list.operation, list.path, &query, PAGE_BYTES_MAX).await?;
        let read = parse(list, page, &body, warnings)?;
        // Pages of one entry have no room to overlap.
        if page > 0 && list.size > 1 && read.first != last {
            still = false;
        }
        read.entries.into_iter().for_each(|entry| take(entry, warnings));
        if read.length < usize::try_from(list.size).unwrap_or(usize::MAX) {
            return Ok(still);
        }
        last = read.last;
    }
    Err(Error::new(ErrorKind::TooLarge, list.operation.name())
        .with_message("The list has more pages than any account can fill.")
        .with_context("pages", PAGES_MAX))
}

/// A page as it was read.
pub(super) struct Page<T> {
    /// The entries that could be read.
    pub(super) entries: Vec<T>,
    /// How many there are, read or not.
    length: usize,
    first: Option<String>,
    last: Option<String>,
}

/// Reads the entries of a page; one that cannot be read is a warning.
pub(super) fn parse<T: Entry>(list: &List, page: u32, body: &[u8], warnings: &mut Warnings) -> Result<Page<T>> {
    let id = |entry: &T| one_line(entry.id(), REASON_CHARS_MAX);
    // Checked as text once, not string by string: a tenth of the reading.
    let text = std::str::from_utf8(body).map_err(|e| list.operation.call().unreadable(200, e))?;
    // Nearly always every entry can be read, and then the text is gone over once.
    if let Ok(entries) = serde_json::from_str::<Vec<T>>(text) {
        let (first, last) = (entries.first().map(id), entries.last().map(id));
        return Ok(Page { length: entries.len(), first, last, entries });
    }
    let raw: Vec<&RawValue> = serde_json::from_str(text).map_err(|e| list.operation.call().unreadable(200, e))?;
    let mut entries = Vec::new();
    for (at, entry) in raw.iter().enumerate() {
        match serde_json::from_str(entry.get()) {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                let reason = one_line(&error.to_string(), REASON_CHARS_MAX);
                let name = id_of(entry).unwrap_or_else(|| format!("entry {at} of page {page}"));
                warnings.add(format!("{} of {} is left out, it cannot be read: {reason}.", name, list.path));
            }
        }
    }
    let (first, last) = (raw.first().and_then(|e| id_of(e)), raw.last().and_then(|e| id_of(e)));
    Ok(Page { entries, length: raw.len(), first, last })
}

/// The id of an entry that has another shape otherwise.
fn id_of(entry: &RawValue) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Id {
        id: String,
    }
    let id: Id = serde_json::from_str(entry.get()).ok()?;
    Some(one_line(&id.id, REASON_CHARS_MAX))
}

#[cfg(test)]
mod tests {
    use stationthis_core::ErrorKind;

    use crate::discovery::read_page;

    #[test]
    fn a_page_that_is_no_text_or_no_list_is_an_error_and_not_an_empty_list() {
        for body in [b"[\"\xff\"]".as_slice(), b"{}", b"", b"Internal Server Error"] {
            assert_eq!(read_page(body).unwrap_err().kind(), ErrorKind::Corrupt, "{body:?}");
        }
        assert_eq!(read_page(b"[]").unwrap(), 0);
    }
}
