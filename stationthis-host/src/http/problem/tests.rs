use schemars::schema_for;
use serde_json::Value;

use super::*;

/// `docs/reference/errors.md`, and the clients' own page.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/errors.md");
const HTTP_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/http.md");

/// Every kind that there is, as it serialises, with what its type says of it.
fn kinds() -> Vec<(ErrorKind, String, String)> {
    let schema = schema_for!(ErrorKind).to_value();
    let kinds = schema["oneOf"].as_array().unwrap().iter().map(|kind| {
        let description = kind["description"].as_str().unwrap().replace('\n', " ");
        (
            serde_json::from_value(kind["const"].clone()).unwrap(),
            kind["const"].as_str().unwrap().to_owned(),
            description,
        )
    });
    kinds.collect()
}

fn problem_of(kind: ErrorKind) -> Value {
    serde_json::to_value(Problem::from(Error::new(kind, "do it").with_message("Because."))).unwrap()
}

#[test]
fn an_error_becomes_its_problem() {
    let cases = [
        (ErrorKind::InvalidInput, 422, "invalid-input"),
        (ErrorKind::NotFound, 404, "not-found"),
        (ErrorKind::Gone, 410, "gone"),
        (ErrorKind::Unpriced, 422, "unpriced"),
        (ErrorKind::TooLarge, 413, "too-large"),
        (ErrorKind::StoreUnavailable, 503, "store-unavailable"),
        (ErrorKind::AtCapacity, 503, "at-capacity"),
        (ErrorKind::Corrupt, 500, "corrupt"),
        (ErrorKind::Closed, 503, "closed"),
    ];
    for (kind, status, word) in cases {
        let json = problem_of(kind);
        assert_eq!(json["status"], status);
        assert_eq!(json["type"], format!("urn:stationthis:problem:{word}"));
        assert_eq!(json["detail"], "Because.");
    }
}

#[test]
fn retry_after_is_rounded_up() {
    let error = Error::new(ErrorKind::RateLimited, "do it").with_retry(Retry::After(Duration::from_millis(1200)));
    let response = Problem::from(error).into_response();
    assert_eq!(response.headers()["retry-after"], "2");
}

#[test]
fn the_page_of_errors_has_every_kind() {
    let http_page = std::fs::read_to_string(HTTP_PAGE).unwrap();
    let mut table = String::from("| kind | over HTTP | status | means |\n|---|---|---|---|");
    for (kind, name, description) in kinds() {
        let problem = problem_of(kind);
        let word = problem["type"].as_str().unwrap().strip_prefix(TYPE_PREFIX).unwrap().to_owned();
        let description = description.replace("[`Error::problems`]", "`problems`");
        table += &format!("\n| `{name}` | `{word}` | {} | {description} |", problem["status"]);
        assert!(http_page.contains(&format!("`{word}`")), "docs/http.md does not tell clients of {word}");
    }
    let page = std::fs::read_to_string(PAGE).unwrap();
    let mark = "<!-- made by the test `the_page_of_errors_has_every_kind` -->\n";
    let (before, rest) = page.split_once(mark).unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let now = format!("{before}{mark}\n{table}\n\n<!-- end -->{after}");
    // After a wanted change: UPDATE=1 cargo test -p stationthis-host page_of_errors
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, &now).unwrap();
    }
    let page = std::fs::read_to_string(PAGE).unwrap();
    assert!(page == now, "the kinds have changed: run this test once with UPDATE=1 and look at the difference");
}
