//! Tables.

use comfy_table::{Table, presets};

/// A table with these headings, without lines, as wide as what is in it: ids can be copied whole, and a terminal wraps
/// what does not fit.
#[must_use]
pub fn table<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Table {
    columns(headings, rows.into_iter().map(|row| row.to_vec()))
}

/// As [`table`], with as many columns as there are headings.
#[must_use]
pub fn columns<'a>(headings: impl IntoIterator<Item = &'a str>, rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings);
    for row in rows {
        table.add_row(row);
    }
    table
}
