//! Scenarios of documents.

use bytes::Bytes;

use crate::store::{Document, Put};
use crate::testkit::store_suite::StoreFixture;

pub async fn documents_have_versions(fixture: &StoreFixture) {
    let store = fixture.store();
    let put = async |namespace: &str, expected, text: &'static str| {
        store.put_document(namespace, "key", expected, Bytes::from_static(text.as_bytes())).await.unwrap()
    };
    assert_eq!(store.get_document("cards", "key").await.unwrap(), None);
    assert_eq!(put("cards", Some(1), "x").await, Put::Stale(None));
    assert_eq!(put("cards", None, "one").await, Put::Done(1));
    assert_eq!(put("cards", None, "x").await, Put::Stale(Some(1)));
    assert_eq!(put("cards", Some(1), "two").await, Put::Done(2));
    assert_eq!(put("cards", Some(1), "x").await, Put::Stale(Some(2)));
    assert_eq!(put("other", None, "").await, Put::Done(1));
    let document = Document { version: 2, bytes: Bytes::from_static(b"two") };
    assert_eq!(store.get_document("cards", "key").await.unwrap(), Some(document));
    assert_eq!(store.get_document("cards", "KEY").await.unwrap(), None);
}

pub async fn documents_are_pruned_from_the_first_key_on(fixture: &StoreFixture) {
    let store = fixture.store();
    // Byte by byte: capitals come before small letters, and a prefix before what it begins.
    for (namespace, key) in
        [("log", "b"), ("log", "B"), ("log", "ba"), ("log", "a"), ("log", "ä"), ("lo", "a"), ("logs", "a")]
    {
        assert_eq!(store.put_document(namespace, key, None, Bytes::from_static(b"x")).await.unwrap(), Put::Done(1));
    }
    let left = async || {
        let mut left = Vec::new();
        for (namespace, key) in
            [("log", "B"), ("log", "a"), ("log", "b"), ("log", "ba"), ("log", "ä"), ("lo", "a"), ("logs", "a")]
        {
            if store.get_document(namespace, key).await.unwrap().is_some() {
                left.push((namespace, key));
            }
        }
        left
    };
    assert_eq!(store.prune_documents("log", "", 10).await.unwrap(), 0);
    assert_eq!(store.prune_documents("log", "ba", 1).await.unwrap(), 1);
    assert_eq!(left().await[..2], [("log", "a"), ("log", "b")], "the first one first");
    assert_eq!(store.prune_documents("log", "ba", 10).await.unwrap(), 2);
    assert_eq!(
        left().await,
        [("log", "ba"), ("log", "ä"), ("lo", "a"), ("logs", "a")],
        "below, and no other namespace"
    );
    assert_eq!(store.prune_documents("log", "ba", 10).await.unwrap(), 0);
    assert_eq!(
        store.put_document("log", "a", None, Bytes::from_static(b"x")).await.unwrap(),
        Put::Done(1),
        "it is new"
    );
}
