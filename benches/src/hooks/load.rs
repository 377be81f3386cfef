//! A load over HTTP/1.1 with connections that are kept, cheap enough to share the cores with what it measures.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::{Buf, BytesMut};
use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Answers of what is measured are small.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What is sent: the bytes of request number so-and-so.
pub type Requests = Arc<dyn Fn(u64) -> Vec<u8> + Send + Sync>;

/// When a load ends.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After so many requests.
    Sent(u64),
    /// After so long; requests under way are waited for.
    Passed(Duration),
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many answers had which status.
    pub statuses: BTreeMap<u16, u64>,
    /// From the first request to the last answer.
    pub took: Duration,
    latencies_us: Vec<u32>,
}

impl Outcome {
    /// Answers.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.latencies_us.len()
    }

    /// Answers with a 2xx status.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.statuses.iter().filter(|(status, _)| (200..300).contains(*status)).map(|(_, count)| count).sum()
    }

    /// Answers a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.count()).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }

    /// The time within which so many of a thousand requests were answered, in milliseconds.
    #[must_use]
    pub fn latency_ms(&self, permille: usize) -> f64 {
        let at = (self.count() * permille / 1000).min(self.count().saturating_sub(1));
        self.latencies_us.get(at).map_or(0.0, |us| f64::from(*us) / 1e3)
    }
}

/// Sends requests over so many connections, each with one request under way; `first` is the number of the first one.
/// The connections are made before the clock starts.
///
/// # Errors
/// When a connection breaks or an answer is none.
pub async fn run(
    address: SocketAddr,
    requests: Requests,
    connections: usize,
    until: Until,
    first: u64,
) -> Result<Outcome> {
    let streams = try_join_all((0..connections).map(|_| TcpStream::connect(address))).await?;
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let more = move |nth: u64| match until {
        Until::Sent(count) => nth < count,
        Until::Passed(time) => began.elapsed() < time,
    };
    let workers = streams.into_iter().map(|mut stream| {
        let (requests, next) = (requests.clone(), next.clone());
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            let (mut buffer, mut seen) = (BytesMut::with_capacity(4096), Vec::new());
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if !more(nth) {
                    return Ok::<_, anyhow::Error>(seen);
                }
                let request = requests(first + nth);
                let sent = Instant::now();
                stream.write_all(&request).await?;
                let status = answer(&mut stream, &mut buffer).await?;
                seen.push((status, u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX)));
            }
        })
    });
    let workers: Vec<_> = workers.collect();
    let mut outcome = Outcome::default();
    for worker in workers {
        for (status, latency_us) in worker.await?? {
            *outcome.statuses.entry(status).or_default() += 1;
            outcome.latencies_us.push(latency_us);
        }
    }
    outcome.took = began.elapsed();
    outcome.latencies_us.sort_unstable();
    Ok(outcome)
}

/// A whole answer; its status.
async fn answer(stream: &mut TcpStream, buffer: &mut BytesMut) -> Result<u16> {
    loop {
        if let Some(head) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let text = std::str::from_utf8(buffer.get(..head).unwrap_or_default())?;
            let status = text.get(9..12).and_then(|word| word.parse().ok()).context("no status")?;
            let total = head + 4 + length(text)?;
            while buffer.len() < total {
                read_more(stream, buffer).await?;
            }
            buffer.advance(total);
            return Ok(status);
        }
        read_more(stream, buffer).await?;
    }
}

fn length(head: &str) -> Result<usize> {
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse())
    };
    Ok(head.lines().find_map(field).transpose()?.unwrap_or(0))
}

async fn read_more(stream: &mut TcpStream, buffer: &mut BytesMut) -> Result<()> {
    if buffer.len() > ANSWER_BYTES_MAX {
        bail!("an answer is too large");
    }
    if stream.read_buf(buffer).await? == 0 {
        bail!("the server closed a connection");
    }
    Ok(())
}
