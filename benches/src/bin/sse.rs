//! What a thousand quiet readers of events cost a host, and whether readers that take nothing hold up others.
//!
//! `sse [CLIENTS] [TASKS]`, 1,000 and 100 when not given. The host is the `stationthis` beside this program, or the one
//! that STATIONTHIS_BIN names.
// It is for people to read.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use reqwest::Client;
use serde_json::{Value, json};
use stationthis_benches::memory::{Resident, cpu_seconds, mb};
use stationthis_benches::process::{HostProcess, SERVE, SimProcess, serve};
use stationthis_core::Timestamp;
use stationthis_host::http::server::ServerLimits;
use tokio::task::JoinSet;

/// The readers that the target is about.
const CLIENTS: usize = 1_000;
/// Tasks in each of the three rounds.
const TASKS: usize = 100;
/// Readers of one caller; a caller may have 16.
const PER_CALLER: usize = 10;
/// More readers, each of everything that happens: first all read, then none does.
const CROWD: usize = 100;
/// How long all are left alone: two heartbeats.
const IDLE: Duration = Duration::from_secs(31);
/// Tasks that are at work at the same time.
const AT_WORK: usize = 10;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut args = std::env::args().skip(1);
    match args.next() {
        Some(word) if word == SERVE => runtime.block_on(serve(args.next())),
        first => {
            let clients = first.map_or(Ok(CLIENTS), |text| text.parse())?;
            let tasks = args.next().map_or(Ok(TASKS), |text| text.parse())?;
            runtime.block_on(measure(clients, tasks))
        }
    }
}

/// A host with its operator on this machine.
struct Desk {
    http: Client,
    url: String,
}

impl Desk {
    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.http.post(format!("{}{path}", self.url)).json(body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// A stream whose first event has come.
    async fn listen(&self, path: &str, key: Option<&str>) -> Result<Reader> {
        let request = self.http.get(format!("{}{path}", self.url));
        let request = key.map_or_else(|| request.try_clone(), |key| Some(request.try_clone()?.bearer_auth(key)));
        let answer = request.context("no request")?.send().await?.error_for_status()?;
        let mut reader = Reader { answer, text: String::new() };
        reader.next().await?;
        Ok(reader)
    }
}

struct Reader {
    answer: reqwest::Response,
    text: String,
}

impl Reader {
    /// The name and the data of the next event.
    async fn next(&mut self) -> Result<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let found = field("event:").zip(field("data:")).map(|(name, data)| (name.to_owned(), data.to_owned()));
                self.text = rest.to_owned();
                let Some((name, data)) = found else { continue };
                return Ok((name, serde_json::from_str(&data)?));
            }
            let chunk = self.answer.chunk().await?.context("the stream ended")?;
            self.text.push_str(std::str::from_utf8(&chunk)?);
        }
    }
}

async fn measure(clients: usize, tasks: usize) -> Result<()> {
    let program = match std::env::var_os("STATIONTHIS_BIN") {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()?.with_file_name("stationthis"),
    };
    // This process has as many open files as the host.
    if ServerLimits::default().within_open_files().connections < clients + 2 * CROWD {
        bail!("the system lets this program open too few files");
    }
    let data = tempfile::tempdir()?;
    let sim = SimProcess::spawn(5).await?;
    let host = HostProcess::spawn(&program, data.path(), &sim.base_url).await?;
    let http = Client::builder().no_proxy().build()?;
    let desk = Desk { http, url: host.url.clone() };
    let tool = first_tool(&desk).await?;
    let before = Resident::of(host.pid)?;
    println!("before any reader: RSS {:.1} MB", mb(before.now_kib));

    let mut keys = Vec::new();
    for n in 0..clients.div_ceil(PER_CALLER) {
        let made = desk.post("/api/internal/admin/keys", &json!({ "caller": format!("caller-{n}") })).await?;
        keys.push(made.get("key").and_then(Value::as_str).context("no key")?.to_owned());
    }
    let wanted = keys.iter().cycle().take(clients).map(|key| desk.listen("/api/internal/events", Some(key)));
    let readers: Vec<Reader> = stream::iter(wanted).buffered(32).try_collect().await?;
    let spent = cpu_seconds(host.pid)?;
    tokio::time::sleep(IDLE).await;
    let resident = Resident::of(host.pid)?;
    println!("{clients} quiet readers of {} callers, after {} s:", keys.len(), IDLE.as_secs());
    println!("RSS, MB                                  {:>8.1}", mb(resident.now_kib));
    println!("  of it heap and stacks, MB              {:>8.1}", mb(resident.anonymous_kib));
    println!("  growth for each reader, kB             {:>8.1}", growth_kb(before, resident, clients));
    println!("processor time in those seconds, s       {:>8.2}", cpu_seconds(host.pid)? - spent);

    let mut watcher = desk.listen("/api/internal/admin/events", None).await?;
    let alone = round(&desk, &tool, &mut watcher, tasks).await?;
    say("beside the quiet ones", alone);
    let reading: JoinSet<_> = crowd(&desk).await?.into_iter().map(read_all).collect();
    let beside = round(&desk, &tool, &mut watcher, tasks).await?;
    say(&format!("beside {CROWD} more that read everything"), beside);
    drop(reading);
    let slow = crowd(&desk).await?;
    let beside = round(&desk, &tool, &mut watcher, tasks).await?;
    say(&format!("beside {CROWD} more that take nothing"), beside);
    println!("RSS at the end, MB                       {:>8.1}", mb(Resident::of(host.pid)?.now_kib));
    drop((readers, slow, watcher));
    host.stop().await
}

/// Many readers of everything that happens.
async fn crowd(desk: &Desk) -> Result<Vec<Reader>> {
    let wanted = (0..CROWD).map(|_| desk.listen("/api/internal/admin/events", None));
    stream::iter(wanted).buffered(32).try_collect().await
}

async fn read_all(mut reader: Reader) {
    while reader.next().await.is_ok() {}
}

/// The name of a tool, when there is one.
async fn first_tool(desk: &Desk) -> Result<String> {
    for _ in 0..600 {
        let tools: Value = desk.http.get(format!("{}/api/internal/tools", desk.url)).send().await?.json().await?;
        let slug = tools.pointer("/tools/0/slug").and_then(Value::as_str);
        if let Some(slug) = slug {
            return Ok(slug.to_owned());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("no catalogue")
}

/// Milliseconds from the end of each task on the record to its event here, in order.
async fn round(desk: &Desk, tool: &str, watcher: &mut Reader, tasks: usize) -> Result<Vec<f64>> {
    let path = format!("/api/internal/run/{tool}?wait=60");
    let request = json!({});
    let runs = stream::iter(0..tasks).map(|_| desk.post(&path, &request)).buffer_unordered(AT_WORK).try_collect();
    let watch = async {
        let mut late = Vec::with_capacity(tasks);
        while late.len() < tasks {
            let (name, task) = watcher.next().await?;
            if name == "end" {
                let ended = task.pointer("/times/endedAt").and_then(Value::as_str).context("no end")?;
                late.push(Timestamp::now().since(ended.parse()?).as_secs_f64() * 1e3);
            }
        }
        anyhow::Ok(late)
    };
    let (_, mut late): (Vec<Value>, Vec<f64>) = tokio::try_join!(runs, watch)?;
    late.sort_by(f64::total_cmp);
    Ok(late)
}

fn say(what: &str, late: Vec<f64>) {
    let at = |part: usize| late.get((late.len() * part / 100).min(late.len().saturating_sub(1))).copied();
    let (half, most) = (at(50).unwrap_or_default(), at(99).unwrap_or_default());
    println!("end of a task to its event, {what}: p50 {half:.1} ms, p99 {most:.1} ms of {} tasks", late.len());
}

/// The memory that each of `clients` brought, in kB.
fn growth_kb(before: Resident, after: Resident, clients: usize) -> f64 {
    // A float has 52 bits: exact far beyond any number of clients.
    #[allow(clippy::cast_precision_loss)]
    let clients = clients.max(1) as f64;
    mb(after.now_kib.saturating_sub(before.now_kib)) * 1e3 / clients
}
