//! One station with the tools of the corpus, that every face asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde_json::json;
use stationthis_core::FailureRecord;
use stationthis_core::cost::{RateCard, RateKey, Unit};
use stationthis_core::station::{Station, StationHandle};
use stationthis_core::task::output::{Output, OutputKind};
use stationthis_core::task::report::{RunReport, RunStatus, RunTimes};
use stationthis_core::testkit::{ANY_RUN, ScriptedProvider};
use stationthis_core::tool::CostingModel;
use stationthis_core::{CallerId, JsonDoc, Policy, ProviderId, RunId, Secret, Timestamp, ToolDefinition, ToolId};
use stationthis_host::files::Files;
use stationthis_host::http::{self, HttpConfig};
use stationthis_host::outgoing::Guard;
use stationthis_host::outputs::Outputs;
use stationthis_host::telegram::{Limits, Telegram, TelegramConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::telegram::CHATS;
use crate::telegram::fake::{Fake, TOKEN};
use crate::telegram::world::FASTER;

use super::corpus::{Price, Run, Tool, tools};

pub const KEY: &str = "correct-horse-battery";

/// What every run makes: this picture, and this text.
pub const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\nthe picture of a run";
pub const TEXT: &str = "a caption";

/// What every priced run takes, by the provider's clock.
const TOOK: Duration = Duration::from_secs(25);

pub struct Scene {
    pub station: Station,
    /// What the bot takes for Telegram.
    pub fake: Fake,
    /// Of the HTTP face.
    pub base: String,
    /// The tools' slugs, by their keys.
    pub slugs: BTreeMap<&'static str, String>,
    pub http: reqwest::Client,
    pub dir: tempfile::TempDir,
    _handle: StationHandle,
}

impl Scene {
    pub async fn new() -> Self {
        let made = serve(Router::new().route("/made.png", get(|| async { PICTURE }))).await;
        let mut policy = Policy::default();
        policy.poll_interval_min = Duration::from_millis(20);
        // The provider knows no more of a failure than it reports.
        policy.diagnose_wait = Duration::ZERO;
        let fake = Fake::start().await;
        let dir = tempfile::tempdir().unwrap();
        let files = crate::telegram::files(&dir);
        let bot = bot(&fake, files.clone());
        let kept = files.clone();
        let mut builder = Station::builder().policy(policy).media(Arc::new(files)).notifier(Arc::new(bot.notifier()));
        for tool in tools() {
            builder = builder.provider(Arc::new(provider(&tool, &format!("{made}/made.png"))));
        }
        let station = builder.build().unwrap();
        station.refresh().await.unwrap();
        let handle = station.start().await.unwrap();
        let at_work = station.clone();
        tokio::spawn(async move { bot.serve(at_work, CancellationToken::new()).await });
        let slugs = tools().iter().map(|tool| (tool.key, slug(&station, tool))).collect();
        let config = HttpConfig::new(CallerId::new("local").unwrap()).with_api_key(Some(Secret::new(KEY)));
        let config = config.with_files(kept).with_outputs(outputs());
        let base = serve(http::router(station.clone(), &config)).await;
        let http = crate::bench::client();
        Self { station, fake, base, slugs, http, dir, _handle: handle }
    }

    pub fn slug(&self, tool: &str) -> &str {
        &self.slugs[tool]
    }

    pub fn definition(&self, tool: &str) -> ToolDefinition {
        self.station.admin().resolve(self.slug(tool)).unwrap().definition().clone()
    }
}

fn bot(fake: &Fake, files: Files) -> Telegram {
    let config = TelegramConfig::new(Secret::new(TOKEN)).with_api_url(&fake.url).with_allowed(CHATS);
    let config = config.with_limits(Limits::default().faster(FASTER));
    Telegram::new(config, outputs(), files).unwrap()
}

/// What a run made is on this machine, here.
fn outputs() -> Outputs {
    crate::telegram::outputs(Guard::new(vec!["127.0.0.0/8".parse().unwrap()]))
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

fn slug(station: &Station, tool: &Tool) -> String {
    let snapshot = station.registry().snapshot();
    let found = snapshot.tools().iter().find(|found| found.definition().display_name == tool.name);
    found.unwrap_or_else(|| panic!("{} is in the catalogue", tool.name)).definition().slug.clone()
}

/// A provider of one tool, each of whose runs ends at once with a picture and a text.
fn provider(tool: &Tool, picture: &str) -> ScriptedProvider {
    let id = ProviderId::new(format!("at-{}", tool.key)).unwrap();
    let tool_id = ToolId::for_key(&id, tool.key).unwrap();
    let mut definition = ToolDefinition::new(tool_id.clone(), id.clone(), "scripted", tool.name);
    definition.input_schema = JsonDoc::from_value(&json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": tool.properties,
        "required": tool.required,
        "additionalProperties": false,
    }));
    let by_second = || CostingModel::PerSecond { resource: None, machine: None };
    let card = RateCard::new("scripted, 2026-11");
    let key = RateKey::Tool(tool_id.to_string());
    let (costing, card) = match tool.price {
        Price::PerSecond => (by_second(), card.with(key, "0.0005".parse().unwrap(), Unit::Second)),
        Price::PerRun => (CostingModel::PerRequest, card.with(key, "0.04".parse().unwrap(), Unit::Request)),
        Price::Free => (CostingModel::Free, card),
        Price::Unknown => (by_second(), card),
    };
    definition.costing_model = costing;
    definition.limits.run_timeout_s = Some(300);
    let provider = ScriptedProvider::named(id.as_str()).unwrap().with_uploads().offering(definition, card);
    let mut report = RunReport::new(RunId::new(ANY_RUN).unwrap(), RunStatus::Succeeded, "done");
    match tool.run {
        Run::Well => {
            let mut image = Output::file(OutputKind::Image, picture);
            image.filename = Some("made.png".to_owned());
            report.outputs = vec![image, Output::text(TEXT)];
        }
        Run::Badly(reason) => {
            report.status = RunStatus::Failed;
            report.failure = Some(FailureRecord::new("runFailed", reason));
        }
    }
    let start = Timestamp::from_micros(1_764_000_000_000_000);
    report.times = RunTimes {
        created_at: Some(start),
        queued_at: Some(start),
        started_at: Some(start),
        ended_at: Some(start.plus(TOOK)),
    };
    provider.script().polls = [report].into();
    provider
}
