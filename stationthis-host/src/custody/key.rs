//! Where an output is kept.

use object_store::path::Path;
use stationthis_core::custody::KeepRequest;
use stationthis_core::media::ending_of;

/// The longest ending of a name that is taken over.
const ENDING_CHARS_MAX: usize = 8;

/// `{host}/{caller}/{task}/{order}-{address}.{ending}`: the caller as a hash, since its name may be anything; the address
/// as one of the URL without its query, since another run's output may come to stand in the same place.
pub(super) fn of(host_id: &str, request: &KeepRequest) -> Path {
    let output = &request.output;
    let address = output.url.as_deref().and_then(|url| url.split('?').next()).unwrap_or_default();
    let by_name = output.filename.as_deref().and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending);
    let fits = |ending: &&str| {
        (1..=ENDING_CHARS_MAX).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let ending = by_name.filter(fits).or_else(|| output.mime.as_deref().map(ending_of)).unwrap_or("bin");
    let name = format!("{}-{}.{}", output.order, short(address), ending.to_ascii_lowercase());
    Path::from_iter([host_id, &short(request.caller.as_str()), &request.task_id.to_string(), &name])
}

/// Sixteen hexadecimal digits: no two in one task, and no two callers of a host, have the same.
fn short(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use stationthis_core::task::output::{Output, OutputKind};
    use stationthis_core::{CallerId, TaskId, Timestamp};

    use super::*;

    fn key(url: &str, filename: Option<&str>, mime: Option<&str>) -> String {
        let mut output = Output::file(OutputKind::Image, url);
        (output.filename, output.mime) = (filename.map(str::to_owned), mime.map(str::to_owned));
        output.order = 3;
        let (task, caller) = (TaskId::from_bytes([1; 16]), CallerId::new("user:Zo\u{eb} / ..").unwrap());
        of("host", &KeepRequest::new(task, caller, output, Timestamp::from_micros(0))).to_string()
    }

    #[test]
    fn a_key_has_nothing_of_others_in_it_but_a_harmless_ending() {
        let known = key("https://b.example/a?sig=1", Some("a.PNG"), None);
        let parts: Vec<&str> = known.split('/').collect();
        assert_eq!((parts.len(), parts[0], parts[1].len()), (4, "host", 16));
        assert_eq!(parts[2], TaskId::from_bytes([1; 16]).to_string());
        assert!(parts[3].starts_with("3-") && parts[3].ends_with(".png"), "{known}");
        assert_eq!(known, key("https://b.example/a?sig=2", Some("a.PNG"), None), "signed again");
        assert_ne!(known, key("https://b.example/b", Some("a.PNG"), None), "another run's in its place");
        let cases = [
            (Some("../../etc/passwd"), None, "bin"),
            (Some("a.p#1"), Some("image/jpeg"), "jpg"),
            (Some("a.averylongending"), Some("model/gltf-binary"), "glb"),
            (None, Some("x/../y"), "bin"),
            (None, None, "bin"),
        ];
        for (filename, mime, ending) in cases {
            let key = key("https://b.example/a", filename, mime);
            assert!(key.ends_with(&format!(".{ending}")) && key.split('/').count() == 4, "{filename:?}: {key}");
        }
    }
}
