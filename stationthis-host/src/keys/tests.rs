use stationthis_comfydeploy::ComfyDeploy;

use super::*;

/// At rest, with its store in memory: nothing is asked of the service.
fn station() -> Station {
    let provider = ComfyDeploy::builder(Secret::new("unused")).base_url("http://127.0.0.1:9").build().unwrap();
    Station::builder().provider(Arc::new(provider)).build().unwrap()
}

fn wish(caller: &str) -> KeyWish {
    KeyWish::new(CallerId::new(caller).unwrap())
}

const NOW: i64 = 1_764_000_000_000_000;

fn now() -> Timestamp {
    Timestamp::from_micros(NOW)
}

#[tokio::test]
async fn a_key_is_its_callers_until_it_ends() {
    let keys = ApiKeys::new(station());
    let ada = keys.create(wish("ada"), now()).await.unwrap();
    let eve = keys.create(KeyWish { expires_in_days: Some(2), ..wish("eve") }, now()).await.unwrap();
    let caller = async |text: &str, days: u64| {
        let at = now().plus(Duration::from_secs(days * 24 * 3600));
        keys.check(text, at).await.unwrap().map(|key| key.caller.to_string())
    };
    assert_eq!(caller(ada.key.expose(), 9000).await.as_deref(), Some("ada"));
    assert_eq!(caller(eve.key.expose(), 1).await.as_deref(), Some("eve"));
    assert_eq!(caller(eve.key.expose(), 2).await, None, "it has ended");
    let text = ada.key.expose();
    let crossed = text.replace(&ada.listed.key_id, &eve.listed.key_id);
    let other = text.replace(&ada.listed.key_id, "0000000000000000");
    let longer = format!("{text}0");
    let hash = hex::encode(digest(text));
    let of_hash = format!("st_{}_{hash}", ada.listed.key_id);
    for bad in ["", "st_", "st__", "st_x", &crossed, &other, &longer, &of_hash, &text[..text.len() - 1]] {
        assert_eq!(caller(bad, 0).await, None, "{bad}");
    }
}

#[tokio::test]
async fn a_key_is_random_and_only_its_hash_is_kept() {
    let station = station();
    let keys = ApiKeys::new(station.clone());
    let first = keys.create(wish("ada"), now()).await.unwrap();
    let second = keys.create(wish("ada"), now()).await.unwrap();
    let secret = |key: &NewKey| key.key.expose().rsplit_once('_').unwrap().1.to_owned();
    assert_eq!(hex::decode(secret(&first)).unwrap().len(), 32);
    assert_ne!(secret(&first), secret(&second));
    let kept = station.get_document(DOCUMENT.0, DOCUMENT.1).await.unwrap().unwrap().bytes;
    let kept = String::from_utf8(kept.to_vec()).unwrap();
    assert!(kept.contains(&first.listed.key_id) && !kept.contains(&secret(&first)), "{kept}");
    assert!(!format!("{first:?} {keys:?}").contains(&secret(&first)));
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_ends_here_at_once_and_elsewhere_within_seconds() {
    let station = station();
    let (here, elsewhere) = (ApiKeys::new(station.clone()), ApiKeys::new(station));
    let key = here.create(wish("ada"), now()).await.unwrap();
    let text = key.key.expose();
    assert!(here.check(text, now()).await.unwrap().is_some());
    assert!(elsewhere.check(text, now()).await.unwrap().is_some());
    let revoked = here.revoke(&key.listed.key_id, now()).await.unwrap();
    assert!(here.check(text, now()).await.unwrap().is_none());
    assert!(elsewhere.check(text, now()).await.unwrap().is_some(), "its list is not read for every request");
    tokio::time::advance(KEYS_FRESH).await;
    assert!(elsewhere.check(text, now()).await.unwrap().is_none());
    let again = elsewhere.revoke(&key.listed.key_id, now().plus(Duration::from_secs(9))).await.unwrap();
    assert_eq!(again, revoked, "a second revocation changes nothing");
    assert_eq!(here.list().await.unwrap(), [revoked]);
    assert_eq!(here.revoke("nothing", now()).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn keys_made_at_once_are_all_kept_and_dead_ones_make_room() {
    let keys = ApiKeys::new(station());
    let (a, b) = tokio::join!(keys.create(wish("a"), now()), keys.create(wish("b"), now()));
    let (a, _) = (a.unwrap(), b.unwrap());
    assert_eq!(keys.list().await.unwrap().len(), 2);
    keys.edit(|all| {
        let one = all.first().cloned().unwrap();
        all.resize(KEYS_MAX, one);
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(keys.create(wish("c"), now()).await.unwrap_err().kind(), ErrorKind::Conflict);
    keys.revoke(&a.listed.key_id, now()).await.unwrap();
    keys.create(wish("c"), now()).await.unwrap();
    assert!(keys.list().await.unwrap().iter().all(|key| key.revoked_at.is_none()));
}

#[tokio::test]
async fn wishes_out_of_bounds_are_refused() {
    let keys = ApiKeys::new(station());
    for bad in [
        KeyWish { expires_in_days: Some(0), ..wish("a") },
        KeyWish { expires_in_days: Some(EXPIRES_IN_DAYS_MAX + 1), ..wish("a") },
        KeyWish { label: Some("x".repeat(LABEL_CHARS_MAX + 1)), ..wish("a") },
        KeyWish { label: Some("two\nlines".to_owned()), ..wish("a") },
    ] {
        assert_eq!(keys.create(bad, now()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert!(keys.list().await.unwrap().is_empty());
}
