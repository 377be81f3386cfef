//! A notifier of your own: an e-mail at the end of a task, through `lettre`.
//!
//! The transport here keeps the letters instead of sending them; put `AsyncSmtpTransport` in its place.
//!
//! `cargo run -p stationthis-examples --bin mail -- ada@example.com`

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use lettre::message::Mailbox;
use lettre::transport::stub::AsyncStubTransport;
use lettre::{AsyncTransport, Message};
use serde_json::{Map, json};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Sim, SimConfig};
use stationthis_core::notify::{Notice, Notifier, NotifyTarget, Receipt};
use stationthis_core::{CallerId, Error, ErrorKind, RunRequest, Secret, Station};

/// The channel `mail`; an address is one mailbox.
#[derive(Debug)]
struct Mail {
    transport: AsyncStubTransport,
    from: Mailbox,
}

impl Mail {
    fn letter(&self, notice: &Notice) -> anyhow::Result<Message> {
        let task = &notice.task;
        let mut body = format!("{} is {}.\n", task.tool_name, task.state.status);
        for url in task.state.outputs.iter().filter_map(|output| output.url.as_deref()) {
            body.push_str(&format!("{url}\n"));
        }
        let letter = Message::builder()
            .from(self.from.clone())
            .to(notice.target.address.parse()?)
            // The same on every attempt: who gets it twice can tell.
            .message_id(Some(format!("<{}@station.example>", notice.id)))
            .subject(format!("Your task is {}", task.state.status));
        Ok(letter.body(body)?)
    }
}

#[async_trait::async_trait]
impl Notifier for Mail {
    fn channel(&self) -> &str {
        "mail"
    }

    fn check(&self, address: &str) -> Result<(), Error> {
        let wrong = |e| Error::new(ErrorKind::InvalidInput, "check mailbox").with_message("No mailbox.").with_source(e);
        address.parse::<Mailbox>().map(drop).map_err(wrong)
    }

    /// A mail server has its limits for all of its mailboxes together.
    fn destination(&self, address: &str) -> String {
        address.rsplit_once('@').map_or("", |(_, domain)| domain).trim_end_matches('>').to_lowercase()
    }

    async fn deliver(&self, notice: &Notice) -> Receipt {
        let letter = match self.letter(notice) {
            Ok(letter) => letter,
            Err(error) => return Receipt::Permanent { reason: error.to_string() },
        };
        match self.transport.send(letter).await {
            Ok(()) => Receipt::Delivered,
            // With SMTP: `is_permanent` is `Receipt::Permanent`.
            Err(error) => Receipt::Retry { after: None, reason: error.to_string() },
        }
    }
}

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "ada@example.com".to_owned());
    let sim = Sim::serve(SimConfig::default()).await?;
    let provider = ComfyDeploy::builder(Secret::new("any-key")).base_url(sim.base_url()).build()?;
    let transport = AsyncStubTransport::new_ok();
    let mail = Mail { transport: transport.clone(), from: "StationThis <station@example.com>".parse()? };
    let station = Station::builder().provider(Arc::new(provider)).notifier(Arc::new(mail)).build()?;
    let handle = station.start().await?;
    station.refresh().await?;
    let caller = station.as_caller(CallerId::new("ada")?);

    let request = |address: &str| {
        let inputs = Map::from_iter([("prompt".to_owned(), json!("a red fox"))]);
        RunRequest::new("sdxl-portrait", inputs).with_notify(vec![NotifyTarget::new("mail", address)])
    };
    // A mistake is an answer to the request, and no letter that is never sent.
    let refused = caller.run(request("ada at example")).await;
    println!("a mistake  {}", refused.map_or_else(|error| error.to_string(), |_| "was taken".to_owned()));

    let task = caller.run(request(&address)).await?;
    caller.wait(task.task_id, Duration::from_secs(60)).await?;
    // The letter is in the outbox since the commit of the end; whoever ends the station now sends it at the next start.
    let sent = async {
        while transport.messages().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), sent).await?;
    let letters = transport.messages().await;
    ensure!(letters.len() == 1, "{} letters", letters.len());
    for (_, letter) in letters {
        println!("{letter}");
    }

    handle.shutdown(Duration::from_secs(5)).await?;
    sim.shutdown().await;
    Ok(())
}
