//! The program as it is served, with everything that it says kept.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::post;
use reqwest::Method;
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{Sim, SimConfig, SimServer, SimTiming};
use stationthis_core::store::{EventQuery, SqliteStore, TaskQuery, TaskStore};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::telegram::ANA;
use crate::telegram::fake::{Fake, Manner, TOKEN};
use crate::telegram::rules::Refusal;

use super::canaries::{Canaries, OPERATOR_KEY, SERVICE_KEY};

/// Far beyond what anything here needs: a host that hangs is a failure, not a test that never ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it is asked for, so that a search that looks at the wrong bytes is found out.
const PROMPT: &str = "a heron in the reeds";

pub struct Scene {
    pub canaries: Canaries,
    pub sim: SimServer,
    telegram: Fake,
    folder: TempDir,
    host: Child,
    base: String,
    http: reqwest::Client,
    /// What was answered, and by whom.
    said: Vec<(String, Vec<u8>)>,
    /// What receivers of notices were sent.
    notices: Arc<Mutex<Vec<String>>>,
    noticed: watch::Receiver<usize>,
}

impl Scene {
    pub async fn start() -> Self {
        let mut canaries = Canaries::new();
        canaries.add("the bot's token", TOKEN.split_once(':').unwrap().1);
        let telegram = Fake::start().await;
        telegram.change(|state| state.world.open(ANA.0, "private").kind = "private");
        let service =
            SimConfig { api_key: Some(SERVICE_KEY.to_owned()), timing: SimTiming::instant(), ..SimConfig::default() };
        let sim = Sim::serve(service).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        canaries.write_key_files(&folder.path().join("data"));
        // A port that was free a moment ago: the address is needed for the webhooks before the host has it.
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let base = format!("http://127.0.0.1:{port}");
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let host = program(folder.path())
            .args(["serve", "--data-dir", "data", "--listen", &format!("127.0.0.1:{port}"), "--public-url", &base])
            .env("COMFY_DEPLOY_API_KEY", SERVICE_KEY)
            .env("COMFY_DEPLOY_API_URL", sim.base_url())
            .env("STATIONTHIS_API_KEY", OPERATOR_KEY)
            .env("STATIONTHIS_ALLOW_PRIVATE_TARGETS", "127.0.0.0/8")
            .env("TELEGRAM_BOT_TOKEN", TOKEN)
            .env("TELEGRAM_API_URL", &telegram.url)
            .env("TELEGRAM_ALLOWED", ANA.0.to_string())
            .env("RUST_LOG", "trace")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let (notices, noticed) = (Arc::default(), watch::Sender::new(0));
        let mut scene = Self {
            canaries,
            sim,
            telegram,
            folder,
            host,
            base,
            http: crate::bench::client(),
            said: Vec::new(),
            notices: Arc::clone(&notices),
            noticed: noticed.subscribe(),
        };
        let receiver = receive(notices, noticed).await;
        let ready = async {
            let url = format!("{}/readyz", scene.base);
            while !scene.http.get(&url).send().await.is_ok_and(|answer| answer.status() == 200) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("the host is ready");
        let targets = json!({ "notify": [{ "channel": "webhook", "address": receiver }] });
        for caller in ["local", "ada"] {
            let path = format!("/api/internal/admin/callers/{caller}/notify");
            scene.ask(Method::PUT, &path, OPERATOR_KEY, Some(&targets)).await;
        }
        scene
    }

    /// The one answer that may hold a secret: it is not kept.
    pub async fn make_key(&mut self, caller: &str) -> String {
        let request = self.http.post(format!("{}/api/internal/admin/keys", self.base)).bearer_auth(OPERATOR_KEY);
        let made: Value = request.json(&json!({ "caller": caller })).send().await.unwrap().json().await.unwrap();
        let key = made["key"].as_str().unwrap().to_owned();
        self.canaries.add("a caller's key", key.rsplit_once('_').unwrap().1);
        key
    }

    pub async fn ask(&mut self, method: Method, path: &str, key: &str, body: Option<&Value>) -> Value {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if !key.is_empty() {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            let mut body = body.clone();
            if path.contains("wait=30") && body.get("metadata").is_some() {
                body["inputs"] = json!({ "prompt": PROMPT });
            }
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let head = format!("{:?} {:?}", answer.status(), answer.headers());
        let bytes = answer.bytes().await.unwrap();
        // The path without its query: a token that was sent is in the question, not in the answer.
        let name = format!("the answer to {method} {}", path.split('?').next().unwrap());
        self.said.push((name.clone(), head.into_bytes()));
        self.said.push((name, bytes.to_vec()));
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// A conversation with the bot, in which Telegram says the token back in a refusal, and a picture cannot be fetched.
    pub async fn chat(&mut self) {
        let write = |text: &str, more: Value| self.telegram.change(|state| state.world.write(ANA.0, ANA, text, more));
        let answer = async |message: i64, nth: usize| {
            let said = self.telegram.until("the bot's answer", |state| {
                state.world.of_bot(ANA.0).filter(|said| said.reply_to == Some(message)).nth(nth).map(|said| said.id)
            });
            said.await
        };
        let photo = self.telegram.change(|state| state.world.picture("garden", b"\xff\xd8\xff\xe0 a garden"));
        let run = write(&format!("/image_restyle {PROMPT}"), json!({ "photo": photo }));
        answer(run, 1).await;
        self.telegram.manner("sendMessage", Manner::Refuse(Refusal::new(400, &format!("Bad Request: bot{TOKEN}"))));
        write("/tools", json!({}));
        let lost = json!([{ "file_id": "lost" }]);
        answer(write("/image_restyle", json!({ "photo": lost })), 0).await;
        answer(write("/status", json!({})), 0).await;
        let said = self.telegram.state().world.of_bot(ANA.0).map(|said| said.text.clone()).collect::<Vec<_>>();
        self.said.push(("what the bot said".to_owned(), said.join("\n").into_bytes()));
    }

    /// A command of the program, with every log line on.
    pub async fn command(&mut self, args: &[&str], key: &str) {
        let mut command = program(self.folder.path());
        command.args(args).args(["--host", &self.base]).env("STATIONTHIS_API_KEY", key).env("RUST_LOG", "trace");
        let output = command.output().await.unwrap();
        let name = format!("the output of {}", args.join(" "));
        self.said.push((name.clone(), output.stdout));
        self.said.push((name, output.stderr));
    }

    /// Until the receiver was told of every one of these.
    pub async fn told(&mut self, tasks: &[Value]) {
        let all = self.noticed.wait_for(|count| *count >= tasks.len());
        tokio::time::timeout(PATIENCE, all).await.expect("every task was told").unwrap();
    }

    pub async fn stop(&mut self) {
        self.keep_files("while it runs");
        let id = self.host.id().unwrap().to_string();
        assert!(Command::new("kill").arg(id).status().await.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, self.host.wait()).await.expect("it stops").unwrap();
        assert!(ended.success(), "SIGTERM is a clean end");
    }

    /// Every file but those of the keys.
    fn keep_files(&mut self, when: &str) {
        for path in files(self.folder.path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.ends_with("-keys") {
                self.said.push((format!("{name} {when}"), std::fs::read(&path).unwrap()));
            }
        }
    }

    /// The secrets that are found in what was said and kept.
    pub async fn search(&mut self) -> Vec<String> {
        self.keep_files("after its end");
        // As text too: what lies across two pages of the file is in one piece here.
        let store = SqliteStore::open(self.folder.path().join("data/stationthis.sqlite3")).await.unwrap();
        let tasks = store.list(&TaskQuery { limit: 500, ..TaskQuery::default() }).await.unwrap().tasks;
        self.said.push(("the records".to_owned(), serde_json::to_vec(&tasks).unwrap()));
        let events = store.events(&EventQuery::default()).await.unwrap();
        let events: Vec<_> = events.into_iter().map(|stored| stored.event).collect();
        self.said.push(("the events".to_owned(), serde_json::to_vec(&events).unwrap()));
        for (namespace, key) in
            [("api-keys", "all"), ("registry", "catalogue"), ("learned", "usage"), ("callerNotify", "ada")]
        {
            let document = store.get_document(namespace, key).await.unwrap();
            let document = document.unwrap_or_else(|| panic!("{namespace}/{key} is there"));
            self.said.push((format!("the document {namespace}/{key}"), document.bytes.to_vec()));
        }
        let notices = self.notices.lock().unwrap().join("\n");
        self.said.push(("what receivers were sent".to_owned(), notices.into_bytes()));
        self.check_that_it_looks();
        self.said.iter().flat_map(|(place, bytes)| self.canaries.found_in(place, bytes)).collect()
    }

    /// A search that looks at nothing finds nothing.
    fn check_that_it_looks(&self) {
        let place = |start: &str, word: &str| {
            let mut there = self.said.iter().filter(|(name, _)| name.starts_with(start));
            assert!(there.any(|(_, bytes)| String::from_utf8_lossy(bytes).contains(word)), "no {word:?} in {start:?}");
        };
        place("log after", "TRACE");
        place("log after", "a request was refused");
        place("log after", "a webhook was refused");
        place("stationthis.sqlite3-wal while", PROMPT);
        place("stationthis.sqlite3 after", PROMPT);
        place("the records", PROMPT);
        place("the events", "webhook");
        place("the answer to POST", PROMPT);
        place("what receivers", "webhook-signature");
        place("what the bot said", "image-restyle");
        place("log after", "an answer could not be sent");
        place("the output of keys list", "ada");
    }
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stationthis"));
    command.current_dir(folder).env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A receiver of webhooks that takes all; its address.
async fn receive(notices: Arc<Mutex<Vec<String>>>, noticed: watch::Sender<usize>) -> String {
    let take = move |request: Request| async move {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = format!("{} {:?} {}", parts.uri, parts.headers, String::from_utf8_lossy(&body));
        notices.lock().unwrap().push(text);
        noticed.send_modify(|count| *count += 1);
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/told", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/told")
}
