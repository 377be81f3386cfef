//! What the operator does about callers: their keys, and whom their tasks tell.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use stationthis_core::notify::NotifyTarget;
use stationthis_core::{CallerId, Result, Secret, Timestamp};

use crate::app::App;
use crate::desk::{Desk, Place};
use crate::keys::{ApiKey, ApiKeys, KeyWish, NewKey};

#[derive(Deserialize)]
struct Made {
    #[serde(flatten)]
    listed: ApiKey,
    key: String,
}

#[derive(Deserialize)]
struct KeyList {
    keys: Vec<ApiKey>,
}

#[derive(Deserialize)]
struct Notify {
    notify: Vec<NotifyTarget>,
}

impl Desk {
    /// Makes an API key. On a host this and the others of keys need the operator's.
    ///
    /// # Errors
    /// As [`ApiKeys::create`].
    pub async fn create_key(&self, wish: KeyWish) -> Result<NewKey> {
        match &self.place {
            Place::Host(host) => {
                let body = json!(wish);
                let made: Made = host.call(Method::POST, &["admin", "keys"], &[], &[], Some(&body)).await?;
                Ok(NewKey::new(made.listed, Secret::new(made.key)))
            }
            Place::Own(app, _) => keys(app).create(wish, Timestamp::now()).await,
        }
    }

    /// Every API key.
    ///
    /// # Errors
    /// As [`ApiKeys::list`].
    pub async fn keys(&self) -> Result<Vec<ApiKey>> {
        match &self.place {
            Place::Host(host) => Ok(host.call::<KeyList>(Method::GET, &["admin", "keys"], &[], &[], None).await?.keys),
            Place::Own(app, _) => keys(app).list().await,
        }
    }

    /// Ends an API key.
    ///
    /// # Errors
    /// As [`ApiKeys::revoke`].
    pub async fn revoke_key(&self, key_id: &str) -> Result<ApiKey> {
        match &self.place {
            Place::Host(host) => host.call(Method::POST, &["admin", "keys", key_id, "revoke"], &[], &[], None).await,
            Place::Own(app, _) => keys(app).revoke(key_id, Timestamp::now()).await,
        }
    }

    /// Whom a caller's tasks tell by default; without a name, those of who asks.
    ///
    /// # Errors
    /// As [`Caller::default_notify`](stationthis_core::station::Caller::default_notify).
    pub async fn default_notify(&self, caller: Option<&CallerId>) -> Result<Vec<NotifyTarget>> {
        match &self.place {
            Place::Host(host) => {
                Ok(host.call::<Notify>(Method::GET, &notify_path(caller), &[], &[], None).await?.notify)
            }
            Place::Own(app, own) => match caller {
                Some(caller) => app.station().as_caller(caller.clone()).default_notify().await,
                None => own.default_notify().await,
            },
        }
    }

    /// Sets whom a caller's tasks tell by default; without a name, those of who asks.
    ///
    /// # Errors
    /// As [`Caller::set_default_notify`](stationthis_core::station::Caller::set_default_notify).
    pub async fn set_default_notify(
        &self,
        caller: Option<&CallerId>,
        targets: &[NotifyTarget],
    ) -> Result<Vec<NotifyTarget>> {
        match &self.place {
            Place::Host(host) => {
                let body = json!({ "notify": targets });
                let path = notify_path(caller);
                Ok(host.call::<Notify>(Method::PUT, &path, &[], &[], Some(&body)).await?.notify)
            }
            Place::Own(app, own) => match caller {
                Some(caller) => app.station().as_caller(caller.clone()).set_default_notify(targets).await,
                None => own.set_default_notify(targets).await,
            },
        }
    }
}

fn keys(app: &App) -> ApiKeys {
    ApiKeys::new(app.station().clone())
}

fn notify_path(caller: Option<&CallerId>) -> Vec<&str> {
    match caller {
        Some(caller) => vec!["admin", "callers", caller.as_str(), "notify"],
        None => vec!["notify"],
    }
}
