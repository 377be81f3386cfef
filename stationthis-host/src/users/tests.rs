use std::sync::Arc;

use stationthis_comfydeploy::ComfyDeploy;
use stationthis_core::Secret;

use super::*;

/// At rest, with its store in memory.
fn users() -> Users {
    let provider = ComfyDeploy::builder(Secret::new("unused")).base_url("http://127.0.0.1:9").build().unwrap();
    Users::new(Station::builder().provider(Arc::new(provider)).build().unwrap())
}

fn caller(name: &str) -> CallerId {
    CallerId::new(name).unwrap()
}

async fn ids(users: &Users, name: &str) -> Vec<String> {
    users.get(&caller(name)).await.unwrap().identities.into_iter().map(|identity| identity.id).collect()
}

#[tokio::test]
async fn an_identity_acts_for_a_caller_of_its_own_until_it_is_linked() {
    let users = users();
    assert_eq!(users.find("telegram", "77").await.unwrap(), None);
    assert_eq!(users.caller_for("telegram", "77").await.unwrap(), caller("telegram-77"));
    assert_eq!(users.find("telegram", "77").await.unwrap().unwrap().caller, caller("telegram-77"), "it was recorded");
    assert_eq!(ids(&users, "telegram-77").await, ["77"]);

    let named = Identity { display_name: Some("Ada L.".to_owned()), ..Identity::new("telegram", "77") };
    let ada = users.link(&caller("ada"), &named).await.unwrap();
    assert_eq!(ada.identities, [named]);
    assert_eq!(users.caller_for("telegram", "77").await.unwrap(), caller("ada"));
    assert_eq!(users.caller_for("telegram", "78").await.unwrap(), caller("telegram-78"), "nobody else");
    assert!(ids(&users, "telegram-77").await.is_empty(), "it is no other's any more");

    assert!(users.unlink(&caller("ada"), "telegram", "77").await.unwrap().identities.is_empty());
    assert_eq!(users.unlink(&caller("ada"), "telegram", "77").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(users.caller_for("telegram", "77").await.unwrap(), caller("telegram-77"));
}

#[tokio::test]
async fn an_identity_is_linked_with_one_caller_at_most() {
    let users = users();
    let identity = Identity::new("telegram", "77");
    users.link(&caller("ada"), &identity).await.unwrap();
    users.link(&caller("ada"), &identity).await.unwrap();
    assert_eq!(ids(&users, "ada").await, ["77"], "once");
    let refused = users.link(&caller("eve"), &identity).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    assert!(ids(&users, "eve").await.is_empty());
    assert_eq!(users.unlink(&caller("eve"), "telegram", "77").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(users.caller_for("telegram", "77").await.unwrap(), caller("ada"));
    // Nor by a writer who stopped half-way: the list alone says nothing.
    let list = serde_json::to_vec(&[&identity]).unwrap();
    users.station.put_document(USERS, "mallory", None, Bytes::from(list)).await.unwrap();
    assert!(ids(&users, "mallory").await.is_empty());
}

#[tokio::test]
async fn many_first_sights_at_once_make_one_user() {
    let users = users();
    let seen = futures_util::future::join_all((0..20).map(|_| users.caller_for("telegram", "77"))).await;
    assert!(seen.into_iter().all(|seen| seen.unwrap() == caller("telegram-77")));
    assert_eq!(ids(&users, "telegram-77").await, ["77"]);
}

#[tokio::test]
async fn a_set_is_what_a_user_has_then() {
    let users = users();
    let of = |ids: &[&str]| ids.iter().map(|id| Identity::new("telegram", *id)).collect::<Vec<_>>();
    users.set(&caller("ada"), &of(&["1", "2"])).await.unwrap();
    users.set(&caller("ada"), &of(&["2", "3"])).await.unwrap();
    assert_eq!(ids(&users, "ada").await, ["2", "3"]);
    assert_eq!(users.caller_for("telegram", "1").await.unwrap(), caller("telegram-1"));
    let many: Vec<_> = (0..=IDENTITIES_MAX).map(|n| Identity::new("telegram", format!("{n}"))).collect();
    assert_eq!(users.set(&caller("ada"), &many).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(ids(&users, "ada").await, ["2", "3"], "nothing of it was done");
}

#[tokio::test]
async fn what_can_be_no_identity_is_refused() {
    let users = users();
    let (long, name) = ("x".repeat(65), Some("a\nb".to_owned()));
    for (platform, id) in [
        ("", "1"),
        ("Telegram", "1"),
        ("tele-gram", "1"),
        ("1x", "1"),
        ("telegram", ""),
        ("telegram", &long),
        ("telegram", "a\0"),
    ] {
        let refused = users.caller_for(platform, id).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{platform} {id}");
    }
    let identity = Identity { display_name: name, ..Identity::new("telegram", "1") };
    assert_eq!(users.link(&caller("ada"), &identity).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}
