//! Updates that Telegram pushes, and does not wait to be asked for.

use std::sync::Arc;

use axum::Router;
use reqwest::StatusCode;
use serde_json::{Value, json};
use stationthis_core::Secret;
use stationthis_core::station::Station;
use stationthis_core::store::MemoryStore;
use stationthis_core::testkit::ScriptedProvider;
use stationthis_host::outgoing::Guard;
use stationthis_host::telegram::{Limits, Telegram, TelegramConfig};
use tokio_util::sync::CancellationToken;

use super::ANA;
use super::fake::{Fake, TOKEN};
use super::world::FASTER;

const PUBLIC: &str = "https://bot.example";

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_taken_with_the_secret_alone_and_answered_when_it_is_seen_through() {
    let fake = Fake::start().await;
    fake.change(|state| state.world.open(ANA.0, "private").kind = "private");
    let config = TelegramConfig::new(Secret::new(TOKEN))
        .with_api_url(&fake.url)
        .with_allowed([ANA.0])
        .with_webhook_base(Some(PUBLIC.to_owned()))
        .with_limits(Limits::default().faster(FASTER));
    let dir = tempfile::tempdir().unwrap();
    let telegram = Telegram::new(config, super::outputs(Guard::default()), super::files(&dir)).unwrap();
    let base = served(telegram.webhook_router()).await;
    let station = Station::builder()
        .provider(Arc::new(ScriptedProvider::new().unwrap()))
        .store(Arc::new(MemoryStore::new()))
        .notifier(Arc::new(telegram.notifier()))
        .build()
        .unwrap();
    let handle = station.start().await.unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn({
        let (telegram, station, stop) = (telegram.clone(), station.clone(), stop.clone());
        async move { telegram.serve(station, stop).await }
    });
    let (url, secret) = fake.until("the webhook", |state| state.webhook.clone()).await;
    assert_eq!(url, format!("{PUBLIC}/api/telegram/webhook"));

    let update = |id: i64, text: &str| {
        let chat = json!({ "id": ANA.0, "type": "private" });
        let from = json!({ "id": ANA.0, "is_bot": false, "first_name": "Ana" });
        let message = json!({ "message_id": id, "date": 1, "chat": chat, "from": from, "text": text });
        json!({ "update_id": id, "message": message })
    };
    let path = format!("{base}/api/telegram/webhook");
    let push = async |secret: Option<&str>, body: Value| {
        let request = crate::bench::client().post(&path).json(&body);
        let request = match secret {
            Some(secret) => request.header("X-Telegram-Bot-Api-Secret-Token", secret),
            None => request,
        };
        request.send().await.unwrap().status()
    };
    let longer = format!("{secret}0");
    for wrong in [None, Some(""), Some("x"), Some(longer.as_str()), secret.get(..secret.len() - 1)] {
        assert_eq!(push(wrong, update(1, "/start")).await, StatusCode::UNAUTHORIZED, "{wrong:?}");
    }
    assert_eq!(push(Some(&secret), json!({ "no": "update" })).await, StatusCode::OK, "it will never be one");
    assert_eq!(push(Some(&secret), update(5, "/start")).await, StatusCode::OK);
    fake.until("the answer", |state| state.world.of_bot(ANA.0).next().map(drop)).await;
    // Told again, it is answered as seen through, and said no more about.
    assert_eq!(push(Some(&secret), update(5, "/start")).await, StatusCode::OK);
    assert_eq!(push(Some(&secret), update(6, "/status")).await, StatusCode::OK);
    let two = |state: &super::fake::State| (state.world.of_bot(ANA.0).count() == 2).then_some(());
    fake.until("the second answer", two).await;
    // The parts of an album come one by one, each when the last one was taken, and are one request.
    let part = |id: i64, caption: &str| {
        let mut update = update(id, "");
        let message = update["message"].as_object_mut().unwrap();
        message.remove("text");
        message.insert("media_group_id".to_owned(), json!("album"));
        message.insert("photo".to_owned(), json!([{ "file_id": "p" }]));
        message.insert("caption".to_owned(), json!(caption));
        update
    };
    for part in [part(10, ""), part(11, "/nothing"), part(12, "")] {
        assert_eq!(push(Some(&secret), part).await, StatusCode::OK);
    }
    let three = |state: &super::fake::State| {
        (state.world.of_bot(ANA.0).count() == 3).then(|| state.world.of_bot(ANA.0).last().unwrap().text.clone())
    };
    let said = fake.until("the answer to the album", three).await;
    assert!(said.starts_with("There is no tool"), "{said}");
    let huge = json!({ "update_id": 7, "message": "x".repeat(1_100_000) });
    assert_eq!(push(Some(&secret), huge).await, StatusCode::PAYLOAD_TOO_LARGE);

    // What was confirmed is answered, also when the host stops meanwhile.
    assert_eq!(push(Some(&secret), part(20, "/nothing")).await, StatusCode::OK);
    stop.cancel();
    serving.await.unwrap().unwrap();
    assert_eq!(fake.state().world.of_bot(ANA.0).count(), 4);
    handle.shutdown(std::time::Duration::from_secs(5)).await.unwrap();
    assert_eq!(
        push(Some(&secret), update(8, "/status")).await,
        StatusCode::SERVICE_UNAVAILABLE,
        "nobody sees it through"
    );
    fake.check();
}

async fn served(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}
