use stationthis_core::{ProviderId, TaskId};

use super::*;

fn at(day: i64) -> Timestamp {
    Timestamp::from_micros(1_764_000_000_000_000 + day * 86_400_000_000)
}

fn states(keys: &StoredKeys, now: Timestamp) -> String {
    let states = keys.iter(now).map(|(key, state)| format!("{} {}", key.id, state.as_str()));
    states.collect::<Vec<_>>().join(", ")
}

/// Is the token that `made` signs taken by `kept`, on that day?
fn taken(made: &StoredKeys, kept: &StoredKeys, made_on: i64, day: i64) -> bool {
    let (provider, task) = (ProviderId::new("p").unwrap(), TaskId::generate());
    let url = made.callback_keys(at(made_on)).unwrap().url("", &provider, task, at(99)).unwrap();
    let (path, query) = url.expose().split_once('?').unwrap();
    let request = stationthis_core::webhook::WebhookRequest::new("POST", path, query, bytes::Bytes::new(), at(day));
    kept.callback_keys(at(day)).unwrap().verify(&request).is_ok()
}

#[test]
fn a_rotated_key_counts_for_eight_days_more() {
    let dir = tempfile::tempdir().unwrap();
    let file = KeyFile::callback(dir.path());
    let first = file.open().unwrap();
    assert_eq!(states(&first, at(0)), "k1 signs");
    let second = file.rotate(at(0)).unwrap();
    assert_eq!(states(&second, at(7)), "k2 signs, k1 kept");
    assert!(taken(&first, &file.open().unwrap(), 0, 7) && taken(&second, &file.open().unwrap(), 0, 7));
    assert_eq!(states(&second, at(8)), "k2 signs, k1 ended");
    assert!(!taken(&first, &second, 0, 8) && taken(&second, &second, 0, 8));
    let third = file.rotate(at(20)).unwrap();
    assert_eq!(states(&third, at(20)), "k3 signs, k2 kept", "what ended long ago is dropped");
}

#[test]
fn a_revoked_key_is_gone_at_once_and_its_id_is_not_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = KeyFile::callback(dir.path());
    let first = file.open().unwrap();
    let both = file.rotate(at(0)).unwrap();
    let revoked = file.revoke("k1", at(1)).unwrap();
    assert_eq!(states(&revoked, at(1)), "k2 signs, k1 revoked");
    assert!(!taken(&first, &revoked, 0, 1) && taken(&both, &revoked, 0, 1));
    let text = fs::read_to_string(dir.path().join("callback-keys")).unwrap();
    assert!(!text.contains(first.0[0].key.as_ref().unwrap().expose()), "the key itself is deleted");
    let none = file.revoke("k2", at(1)).unwrap();
    assert_eq!(states(&none, at(1)), "k3 signs, k2 revoked, k1 revoked", "there is always one that signs");
    assert!(!taken(&both, &file.open().unwrap(), 0, 1));
    for id in ["k1", "k2", "k9", ""] {
        assert_eq!(file.revoke(id, at(1)).unwrap_err().kind(), ErrorKind::NotFound, "{id:?}");
    }
}

#[test]
fn files_are_private_and_older_and_broken_ones_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let file = KeyFile::webhooks(dir.path());
    file.rotate(at(0)).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(dir.path().join("webhook-keys")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    file.open().unwrap().signing_keys(at(0)).unwrap();

    let path = dir.path().join("callback-keys");
    let file = KeyFile::callback(dir.path());
    let key = "x".repeat(32);
    fs::write(&path, format!("k2 {key}\nk1 {key}\n")).unwrap();
    assert_eq!(states(&file.open().unwrap(), at(0)), "k2 signs, k1 kept");
    file.open().unwrap().callback_keys(at(0)).unwrap();
    assert_eq!(states(&file.revoke("k2", at(0)).unwrap(), at(0)), "k2 revoked, k1 signs");
    let lines = ["", "k1", "k1 key soon", &format!("k1 {key} - - more"), "k1 revoked", &format!("k1 {key}\nk1 {key}")];
    for text in lines {
        fs::write(&path, text).unwrap();
        assert_eq!(file.open().unwrap_err().kind(), ErrorKind::Corrupt, "{text:?}");
    }
    fs::write(&path, "k1 short\n").unwrap();
    assert_eq!(file.open().unwrap().callback_keys(at(0)).unwrap_err().kind(), ErrorKind::Corrupt);
    fs::write(&path, format!("k1 {key} - {}\n", at(1))).unwrap();
    assert_eq!(file.open().unwrap().callback_keys(at(2)).unwrap_err().kind(), ErrorKind::Corrupt, "none counts");
}

#[test]
fn rotations_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let file = KeyFile::webhooks(dir.path());
    for _ in 1..KEYS_MAX {
        file.rotate(at(0)).unwrap();
    }
    assert_eq!(file.rotate(at(0)).unwrap_err().kind(), ErrorKind::Conflict);
    file.rotate(at(17)).unwrap();
}
